//! A WebSocket on the shard of its desk.
//!
//! One task reads. Frames to send are queued until the end of the shard's turn, and leave
//! in one write and one message. A peer that reads too slowly gets a second task, which
//! waits until the socket takes more. The thread lends its buffers, so an idle connection
//! has none.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::net::Shutdown;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use desk_engine_core::{ConnectionId, Input, SessionKey, Source};
use desk_gateway_http::websocket::{
    CloseCode as WireCode, Event as Arrived, FrameHeader, Input as Bytes, Opcode, Role, WebSocket,
};
use desk_protocol::Time;
use desk_protocol::frame::CloseCode;

use super::order::Order;
use super::{Shell, spawn};
use crate::budget::Held;
use crate::limits::{BUFFERED_BYTES, PONGS_BYTES, WRITE_BYTES};
use crate::net::byte_stream::ByteStream as _;
use crate::net::deadlines::Deadline;
use crate::net::flag::Flag;
use crate::net::scratch;
use crate::net::stream::Stream;
use crate::net::unsent::Unsent;

/// A connection that becomes a WebSocket.
pub(crate) struct Upgrade<S> {
    /// The stream.
    pub(crate) stream: S,
    /// The `101`, to be sent first.
    pub(crate) answer: Vec<u8>,
    /// What came behind the request: frames.
    pub(crate) leftover: Vec<u8>,
    /// The session key of the handshake.
    pub(crate) key: SessionKey,
    /// The address that it came from.
    pub(crate) source: Source,
}

/// One connection.
pub(crate) struct Socket {
    id: ConnectionId,
    source: Source,
    stream: RefCell<Stream>,
    protocol: RefCell<WebSocket>,
    outbox: RefCell<Outbox>,
    /// The beginning of a frame whose rest is still to come.
    inbox: RefCell<Vec<u8>>,
    /// What of the messages and of the protocol's own answers counts for the process.
    unread: RefCell<Held>,
    /// The core has paused reading from this connection.
    paused: Cell<bool>,
    /// Reading is paused until the peer takes pongs that it asked for.
    held: Cell<bool>,
    /// When the connection ends at the latest.
    close_by: Cell<Option<Time>>,
    /// When the message, or the frame, whose rest is still to come has to be there.
    whole_by: Cell<Option<Time>>,
    /// It is ending, and nothing that it says is kept.
    deaf: Cell<bool>,
    deadline: Deadline,
    /// Something changed that the reading task has to look at.
    changed: Rc<Flag>,
    failed: Cell<bool>,
}

#[derive(Default)]
struct Outbox {
    /// Bytes of the protocol itself: the handshake's answer, pongs, closes.
    raw: Vec<u8>,
    frames: VecDeque<Arc<[u8]>>,
    /// Bytes that the socket did not take at once.
    unsent: Unsent,
    /// Bytes of frames in `unsent`, told to the core when they have left.
    unsent_frames: usize,
    /// Its share of what the process may hold.
    unsent_held: Option<Held>,
    /// A task waits for the socket to take it.
    sending: bool,
    close: Option<CloseCode>,
    dirty: bool,
}

impl Socket {
    /// Begins a connection on this shard.
    pub(crate) fn start(shell: &Rc<Shell>, id: ConnectionId, upgrade: Upgrade<Stream>) {
        let Upgrade { stream, answer, leftover, key, source } = upgrade;
        let changed = Rc::new(Flag::default());
        let message_bytes = shell.shared.config.limits.websocket_message_bytes;
        let socket = Rc::new(Self {
            id,
            source,
            stream: RefCell::new(stream),
            protocol: RefCell::new(WebSocket::new(Role::Server, message_bytes)),
            outbox: RefCell::new(Outbox { raw: answer, ..Outbox::default() }),
            inbox: RefCell::default(),
            unread: RefCell::new(Held::nothing(&shell.unread, source, &changed)),
            paused: Cell::new(false),
            held: Cell::new(false),
            close_by: Cell::new(None),
            whole_by: Cell::new(None),
            deaf: Cell::new(false),
            deadline: shell.deadlines.waiter(Rc::clone(&changed)),
            changed,
            failed: Cell::new(false),
        });
        shell.add_socket(id, &socket, key);
        socket.mark_dirty(shell);
        let reader = Rc::clone(&socket).read(Rc::clone(shell), leftover);
        let end = {
            let shell = Rc::clone(shell);
            move || socket.leave(&shell)
        };
        spawn(shell, reader, end);
    }

    /// Does what the core wants, at the end of the turn.
    pub(super) fn obey(self: &Rc<Self>, shell: &Shell, order: Order) {
        match order {
            Order::Send { frame, .. } => self.outbox.borrow_mut().frames.push_back(frame),
            Order::Close(code) => self.close_after(shell, code),
            Order::Probe => self.probe(),
            Order::Pause => return self.paused.set(true),
            Order::Resume => {
                self.paused.set(false);
                return self.changed.set();
            }
            Order::Taken(_) => return,
        }
        self.mark_dirty(shell);
    }

    /// Ends the connection once what is queued has left.
    fn close_after(&self, shell: &Shell, code: CloseCode) {
        self.outbox.borrow_mut().close.get_or_insert(code);
        // A planned stop cannot wait for a peer that does not read, also if the peer
        // was told to go before.
        let limits = &shell.shared.config.limits;
        let stopping = shell.is_stopping();
        let patience = if stopping { limits.close_time } else { limits.last_words_time };
        let by = shell.clock.recent() + patience;
        if self.close_by.get().is_none_or(|before| by < before) {
            self.end_by(shell, by);
        }
    }

    /// Asks the peer for a sign of life.
    fn probe(&self) {
        let mut outbox = self.outbox.borrow_mut();
        self.protocol.borrow_mut().send(Opcode::Ping, b"", &mut outbox.raw);
    }

    /// Sees to it that this turn flushes it.
    fn mark_dirty(self: &Rc<Self>, shell: &Shell) {
        if !std::mem::replace(&mut self.outbox.borrow_mut().dirty, true) {
            shell.add_dirty(self);
        }
    }

    /// Writes what is queued.
    pub(crate) fn flush(self: &Rc<Self>, shell: &Rc<Shell>) {
        self.outbox.borrow_mut().dirty = false;
        while !self.failed.get() && !self.outbox.borrow().sending {
            let Some(frames) = scratch::write(|out| self.write_once(shell, out)) else { break };
            if frames > 0 {
                shell.sent(self.id, frames);
            }
        }
        if self.failed.get() || (self.held.get() && !self.owes_answers()) {
            self.held.set(false);
            self.changed.set();
        }
        if !self.unread.borrow().is_nothing() {
            self.count_unread(shell);
        }
    }

    /// Whether too many bytes of pongs wait for the peer.
    fn owes_answers(&self) -> bool {
        self.outbox.borrow().raw.len() > PONGS_BYTES
    }

    /// One write of everything; how many bytes of frames have left. `None`:
    /// there was nothing, or the rest has to wait.
    fn write_once(self: &Rc<Self>, shell: &Rc<Shell>, out: &mut Vec<u8>) -> Option<usize> {
        let frames = self.gather(shell, out);
        if out.is_empty() {
            // Frames behind a close are dropped; the core counts them as gone.
            return (frames > 0).then_some(frames);
        }
        let metrics = shell.metrics();
        let sent = match self.stream.borrow_mut().try_send(out) {
            Ok(sent) => sent,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(_) => {
                self.failed.set(true);
                return None;
            }
        };
        metrics.writes.add(1);
        metrics.written_bytes.add(sent as u64);
        let unflushed = self.stream.borrow().unflushed_bytes();
        let unsent = Unsent::from(out[sent..].to_vec());
        if unsent.is_empty() && unflushed == 0 {
            return Some(frames);
        }
        let mut held = Held::nothing(&shell.unsent, self.source, &self.changed);
        if held.set(unsent.counted_bytes(unflushed)).is_err() {
            self.failed.set(true);
            return None;
        }
        let mut outbox = self.outbox.borrow_mut();
        outbox.unsent_held = Some(held);
        outbox.sending = true;
        outbox.unsent = unsent;
        outbox.unsent_frames = frames;
        drop(outbox);
        let sender = Rc::clone(self).send_rest(Rc::clone(shell));
        let socket = Rc::clone(self);
        spawn(shell, sender, move || socket.changed.set());
        None
    }

    /// Gathers one message, and the close if nothing else is left to send.
    fn gather(&self, shell: &Shell, out: &mut Vec<u8>) -> usize {
        let mut outbox = self.outbox.borrow_mut();
        let mut protocol = self.protocol.borrow_mut();
        out.append(&mut std::mem::take(&mut outbox.raw));
        if !protocol.is_open() {
            return outbox.frames.drain(..).map(|frame| frame.len()).sum();
        }
        let mut bytes = 0;
        let fits = outbox.frames.iter().take_while(|frame| {
            bytes += frame.len();
            bytes <= WRITE_BYTES
        });
        // A frame larger than a write goes alone.
        let count = fits.count().max(1).min(outbox.frames.len());
        let bytes = outbox.frames.iter().take(count).map(|frame| frame.len()).sum();
        if bytes > 0 {
            FrameHeader::whole(Opcode::Binary, bytes).append(out);
            outbox.frames.drain(..count).for_each(|frame| out.extend_from_slice(&frame));
        }
        if outbox.frames.is_empty()
            && let Some(code) = outbox.close
        {
            protocol.close(WireCode(code.websocket()), code.as_str(), out);
            self.expect_close(shell);
        }
        bytes
    }

    /// The peer has some time to answer a close.
    fn expect_close(&self, shell: &Shell) {
        self.end_by(shell, shell.clock.recent() + shell.shared.config.limits.close_time);
    }

    fn end_by(&self, shell: &Shell, time: Time) {
        self.close_by.set(Some(time));
        self.set_deadline(shell);
    }

    fn set_deadline(&self, shell: &Shell) {
        let next = self.close_by.get().into_iter().chain(self.whole_by.get()).min();
        if self.deadline.set(next) {
            // The shard's timer has to be set anew.
            shell.wake();
        }
    }

    /// Ends the connection from this side. What has arrived of a message is dropped, and
    /// the rest of it is read past.
    fn refuse(self: &Rc<Self>, shell: &Shell, code: CloseCode) {
        if self.deaf.replace(true) {
            return;
        }
        self.protocol.borrow_mut().discard();
        *self.inbox.borrow_mut() = Vec::new();
        self.whole_by.set(None);
        self.close_after(shell, code);
        self.mark_dirty(shell);
        shell.wake();
    }

    /// Ends the connection if it was chosen to end, or if a message takes too long.
    fn look_at_bounds(self: &Rc<Self>, shell: &Shell) {
        let cut = self.outbox.borrow().unsent_held.as_ref().is_some_and(Held::is_ended);
        if cut {
            self.failed.set(true);
        }
        if self.unread.borrow().is_ended() {
            self.refuse(shell, CloseCode::Overloaded);
        }
        let Some(by) = self.whole_by.get() else { return };
        if by > shell.clock.now() {
            return;
        }
        if self.paused.get() || self.held.get() {
            // The server did not read it.
            return self.expect_rest(shell);
        }
        self.refuse(shell, CloseCode::TimedOut);
    }

    /// The rest of a message, or of a frame, has some time to arrive.
    fn expect_rest(&self, shell: &Shell) {
        self.whole_by.set(Some(shell.clock.recent() + shell.rest_time()));
        self.set_deadline(shell);
    }

    /// Watches what has begun to arrive; `delivered`: something whole came.
    fn watch_rest(&self, shell: &Shell, delivered: bool) {
        let begun = self.protocol.borrow().is_within_message() || !self.inbox.borrow().is_empty();
        if self.deaf.get() || !begun {
            if self.whole_by.take().is_some() {
                self.set_deadline(shell);
            }
        } else if delivered || self.whole_by.get().is_none() {
            self.expect_rest(shell);
        }
    }

    /// Sends the rest of a write that did not fit, then what came meanwhile.
    async fn send_rest(self: Rc<Self>, shell: Rc<Shell>) {
        let sent = std::future::poll_fn(|context| self.poll_rest(context, &shell)).await;
        let mut outbox = self.outbox.borrow_mut();
        outbox.sending = false;
        outbox.unsent = Unsent::default();
        outbox.unsent_held = None;
        let bytes = std::mem::take(&mut outbox.unsent_frames);
        drop(outbox);
        if sent.is_err() {
            self.failed.set(true);
            return;
        }
        shell.sent(self.id, bytes);
        self.mark_dirty(&shell);
        shell.wake();
    }

    fn poll_rest(&self, context: &mut Context<'_>, shell: &Shell) -> Poll<io::Result<()>> {
        let mut outbox = self.outbox.borrow_mut();
        let Outbox { unsent, unsent_held, .. } = &mut *outbox;
        let mut stream = self.stream.borrow_mut();
        while !unsent.is_empty() {
            let Poll::Ready(sent) = stream.poll_send(context, unsent.rest())? else {
                return Poll::Pending;
            };
            shell.metrics().written_bytes.add(sent as u64);
            unsent.advance(sent);
            if let Some(held) = unsent_held {
                let counted = unsent.counted_bytes(stream.unflushed_bytes());
                held.set(counted).map_err(|_| io::ErrorKind::OutOfMemory)?;
            }
        }
        stream.poll_flush(context)
    }

    /// Reads until the end.
    async fn read(self: Rc<Self>, shell: Rc<Shell>, mut leftover: Vec<u8>) {
        self.take(&shell, &mut leftover);
        drop(leftover);
        while std::future::poll_fn(|context| self.poll_read(context, &shell)).await {
            glommio::executor().yield_if_needed().await;
        }
        if !self.failed.get() {
            // The answer to a close may still be queued.
            self.flush(&shell);
        }
        self.stream.borrow_mut().end(Shutdown::Both);
    }

    /// One read; whether there may be another.
    fn poll_read(self: &Rc<Self>, context: &mut Context<'_>, shell: &Rc<Shell>) -> Poll<bool> {
        loop {
            self.look_at_bounds(shell);
            let over = self.close_by.get().is_some_and(|by| by <= shell.clock.now());
            if over || self.failed.get() || self.protocol.borrow().is_closed() {
                return Poll::Ready(false);
            }
            if self.changed.poll(context).is_pending() {
                break;
            }
        }
        if self.paused.get() {
            return Poll::Pending;
        }
        if self.owes_answers() {
            self.held.set(true);
            return Poll::Pending;
        }
        scratch::read(|buffer| {
            let read = self.stream.borrow_mut().poll_receive(context, buffer);
            match read {
                Poll::Pending => Poll::Pending,
                Poll::Ready(Ok(0) | Err(_)) => Poll::Ready(false),
                Poll::Ready(Ok(length)) => {
                    shell.metrics().read_bytes.add(length as u64);
                    self.take(shell, &mut buffer[..length]);
                    Poll::Ready(true)
                }
            }
        })
    }

    /// Takes the bytes of a read: all messages in it go to the core.
    fn take(self: &Rc<Self>, shell: &Rc<Shell>, bytes: &mut [u8]) {
        let mut answers = Vec::new();
        let mut input = Bytes::new(bytes);
        let mut protocol = self.protocol.borrow_mut();
        let (mut delivered, mut progress) = (false, false);
        loop {
            match protocol.next(&mut input, &mut answers) {
                Ok(None) => break,
                Ok(Some(Arrived::Binary(message))) => {
                    if !self.deaf.get() {
                        progress |= self.deliver(shell, message);
                        delivered = true;
                    }
                }
                Ok(Some(Arrived::Text(_))) => {
                    let why = "frames come in binary messages";
                    protocol.close(WireCode::UNSUPPORTED, why, &mut answers);
                    self.expect_close(shell);
                }
                Ok(Some(Arrived::Pong(_) | Arrived::Closed(_))) => {}
                Err(error) => tracing::debug!(%error, "a WebSocket broke its protocol"),
            }
        }
        drop(protocol);
        if !delivered {
            // The answer to a probe, or a part of a long frame.
            shell.feed(Input::Heard { connection: self.id });
        }
        if !answers.is_empty() {
            self.outbox.borrow_mut().raw.append(&mut answers);
            self.mark_dirty(shell);
        }
        self.count_unread(shell);
        self.watch_rest(shell, progress);
        shell.wake();
    }

    /// Counts what is kept of messages that are not whole, and of the protocol's answers.
    fn count_unread(self: &Rc<Self>, shell: &Shell) {
        let message = self.protocol.borrow().buffered_bytes();
        let kept = message + self.inbox.borrow().capacity() + self.outbox.borrow().raw.capacity();
        let counted = self.unread.borrow_mut().set(kept.saturating_sub(BUFFERED_BYTES));
        if counted.is_err() {
            self.refuse(shell, CloseCode::Overloaded);
        }
    }

    /// Hands frames to the core. The protocol lets a frame span messages, although the
    /// clients of this repository send whole frames. Says whether a frame was whole.
    fn deliver(&self, shell: &Shell, message: &[u8]) -> bool {
        let mut inbox = self.inbox.borrow_mut();
        if inbox.is_empty() {
            let used = shell.receive(self.id, message);
            inbox.extend_from_slice(&message[used..]);
            used > 0
        } else {
            inbox.extend_from_slice(message);
            let used = shell.receive(self.id, &inbox);
            inbox.drain(..used);
            if inbox.is_empty() {
                *inbox = Vec::new();
            }
            used > 0
        }
    }

    /// The connection is gone, however it ended.
    fn leave(&self, shell: &Shell) {
        self.failed.set(true);
        self.deadline.set(None);
        shell.remove_socket(self.id);
    }
}

/// What a WebSocket takes, besides bytes that come and go.
#[cfg(test)]
pub(crate) fn socket_bytes() -> usize {
    fn of_read<F: Future>(_: fn(Rc<Socket>, Rc<Shell>, Vec<u8>) -> F) -> usize {
        size_of::<F>()
    }
    fn of_send<F: Future>(_: fn(Rc<Socket>, Rc<Shell>) -> F) -> usize {
        size_of::<F>()
    }
    size_of::<Socket>() + of_read(Socket::read) + of_send(Socket::send_rest)
}
