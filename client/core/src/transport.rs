//! The transport's side: lines come and go, bytes in, bytes out, deadlines.

use std::time::Duration;

use desk_protocol::codec::{Decoded, decode_server, encode_client};
use desk_protocol::frame::{
    BatchResult, ClientFrame, CloseCode, Hello, Outcome, Role, SnapshotChunk, Submit, Welcome,
};
use desk_protocol::{ClientSeq, ServerFrame, Time};

use crate::client::Client;
use crate::event::{Event, Line, UnsavedReason};
use crate::inbox::Assembly;
use crate::limits::{EARLY_COMMITS_MAX, NO_DESK_PAUSE, OVERLOADED_DELAY_MIN};
use crate::line::Due;
use crate::repeat::Repeat;
use crate::trouble::Trouble;

impl Client {
    /// A line is open: the greeting goes out first.
    pub fn connected(&mut self, now: Time) {
        self.tell_time(now);
        if self.line.ended().is_some() {
            return;
        }
        self.forget_line();
        self.line.connected(now);
        self.connection += 1;
        self.greeting = Some(self.store.touch());
        if let Some(flight) = &mut self.pending.flight {
            flight.sent = false;
        }
    }

    /// The line that was opened just now has datagrams: [`Client::poll_datagram`] and
    /// [`Client::receive_datagram`] are used beside its stream.
    pub const fn has_datagrams(&mut self) {
        self.datagrams = self.line.open();
    }

    /// The round trip of the line that is open, as its transport has measured it. A
    /// transport that does not know it says nothing.
    pub const fn tell_round_trip(&mut self, round_trip: Duration) {
        self.repeat.tell_round_trip(round_trip);
    }

    /// The line is lost, or could not be opened: another attempt is planned.
    pub fn disconnected(&mut self, now: Time) {
        self.tell_time(now);
        self.lose_line(Trouble::Lost, Duration::ZERO);
    }

    /// The line is lost, or could not be opened, for a reason learnt outside of
    /// frames: a close code of the transport, an answer to the handshake.
    pub fn closed(&mut self, now: Time, trouble: Trouble, detail: &str) {
        self.tell_time(now);
        match trouble {
            Trouble::Server(code) => self.close(code, detail.to_owned()),
            // A desk seldom comes back, and a server without it has nothing else to say.
            Trouble::NoDesk => self.lose_line(trouble, NO_DESK_PAUSE),
            trouble => self.lose_line(trouble, Duration::ZERO),
        }
    }

    /// There is reason to believe that connecting works now: an attempt that has not
    /// answered gives way to a new one, and a line that is there is asked whether it is
    /// alive.
    pub fn retry_now(&mut self, now: Time) {
        self.tell_time(now);
        // An attempt that was asked for just now has not begun yet.
        let asked = |event: &Event| matches!(event, Event::Connect { .. });
        if !self.events.iter().any(asked) && self.line.retry(now) {
            self.events.push_back(Event::LineDead { trouble: Trouble::NoAnswer });
            self.forget_line();
        }
    }

    /// There is reason to believe that the line is gone: it is asked at once.
    pub fn doubt_line(&mut self, now: Time) {
        self.tell_time(now);
        self.line.doubt();
    }

    /// Whether somebody looks at the status. A client begins as watched; while nobody
    /// looks, a dead line is noticed later, for fewer pings.
    pub fn set_watched(&mut self, now: Time, watched: bool) {
        self.tell_time(now);
        self.line.watch(watched);
    }

    /// Begins again after an end, with a key that `init` gave. `resumed` as it
    /// said: whether the desk still knows this client. If it does not, its
    /// batches are numbered anew.
    pub fn rejoin(&mut self, now: Time, session_key: &str, resumed: bool) {
        self.tell_time(now);
        session_key.clone_into(&mut self.config.session_key);
        if !resumed {
            self.connection = 0;
            self.next_seq = ClientSeq(1);
            self.lose_identity();
        }
        self.lose_line(Trouble::Lost, Duration::ZERO);
        self.line.reopen(now);
        self.store.touch();
    }

    /// Bytes that came in: any part of the stream of frames.
    pub fn receive(&mut self, now: Time, bytes: &[u8]) {
        self.tell_time(now);
        if !self.line.open() {
            return;
        }
        self.line.heard(now);
        self.inbox.extend(bytes);
        while self.line.open() {
            match self.inbox.next() {
                Ok(Some(frame)) => self.take(frame),
                Ok(None) => break,
                Err(_) => self.give_up(Trouble::Unreadable),
            }
        }
        self.refresh();
    }

    /// A datagram that came: one whole frame. Whatever does not fit now is dropped, since
    /// datagrams are lost, doubled and late.
    pub fn receive_datagram(&mut self, now: Time, bytes: &[u8]) {
        self.tell_time(now);
        if !self.line.open() {
            return;
        }
        self.line.heard(now);
        let Ok(Decoded::Frame(length, Some(frame))) = decode_server(bytes) else { return };
        let next = self.confirmed.revision().next();
        let fits = match &frame {
            ServerFrame::Presence(_) => true,
            // Ahead of the stream, and with nothing left out (CARRY-8).
            ServerFrame::Commit(commit) => {
                self.welcomed && !self.awaiting_snapshot && commit.revision == next
            }
            _ => false,
        };
        if fits && length == bytes.len() {
            self.take(frame);
            self.refresh();
        }
    }

    /// What is to be sent: whole frames, one message.
    pub fn poll_transmit(&mut self, now: Time) -> Option<Vec<u8>> {
        self.tell_time(now);
        if !self.line.open() {
            return None;
        }
        let mut out = Vec::new();
        if let Some(change) = self.greeting {
            if !self.store.holds(change) {
                return None;
            }
            self.greeting = None;
            encode_client(&self.hello(), &mut out);
        }
        for frame in self.outbox.drain(..) {
            encode_client(&frame, &mut out);
        }
        let mut batch = false;
        if self.line.state() == Line::Live {
            batch = self.transmit_batch(&mut out);
            if let Some(presence) = self.own.take(now) {
                encode_client(&ClientFrame::Presence(presence), &mut out);
            }
        }
        if out.is_empty() {
            return None;
        }
        self.line.sent(self.now, out.len(), batch);
        Some(out)
    }

    /// The next datagram to be sent, on a line that has them: one's own presence, or what is
    /// repeated. Ask it before [`Client::poll_transmit`], which takes presence along.
    pub fn poll_datagram(&mut self, now: Time) -> Option<Vec<u8>> {
        self.tell_time(now);
        if self.line.state() != Line::Live || !self.datagrams {
            return None;
        }
        let in_flight = self.in_flight();
        let out = match self.repeat.take().filter(|_| in_flight) {
            Some(repeated) => repeated,
            None => {
                let presence = self.own.take(now)?;
                let mut out = Vec::new();
                encode_client(&ClientFrame::Presence(presence), &mut out);
                out
            }
        };
        self.line.sent(self.now, out.len(), false);
        Some(out)
    }

    /// The next deadline, and what it is for.
    pub fn poll_timeout(&self) -> Option<(Time, &'static str)> {
        let live = self.line.state() == Line::Live;
        [
            self.line.deadline(self.in_flight()),
            if live { self.own.deadline(self.now) } else { None },
            self.repeat.deadline().filter(|_| self.in_flight()).map(|at| (at, "repeat")),
            self.people.deadline().map(|at| (at, "people")),
            self.drag.as_ref().and_then(|drag| drag.deadline()).map(|at| (at, "drag")),
            self.store.deadline().map(|at| (at, "persist")),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// A deadline may have come. Harmless if none has.
    pub fn handle_timeout(&mut self, now: Time) {
        self.tell_time(now);
        match self.line.due(now, self.in_flight()) {
            Some(Due::Connect { attempt }) => self.events.push_back(Event::Connect { attempt }),
            Some(Due::Ping { nonce }) => self.outbox.push_back(ClientFrame::Ping { nonce }),
            Some(Due::Dead(trouble)) => self.give_up(trouble),
            None => {}
        }
        self.repeat.handle_timeout(now);
        self.changed_people |= self.people.expire(now);
        self.move_dragged(now);
        self.store.expire_delay(now);
    }

    fn in_flight(&self) -> bool {
        self.pending.flight.as_ref().is_some_and(|flight| flight.sent)
    }

    fn hello(&self) -> ClientFrame {
        ClientFrame::Hello(Hello {
            session_key: self.config.session_key.clone(),
            connection: self.connection,
            revision: (self.ready && !self.distrust).then(|| self.confirmed.revision()),
            user: self.config.user.clone(),
            repeats: self.datagrams,
        })
    }

    /// One batch in flight, based on what is confirmed (FLIGHT-8). Whether one went out.
    fn transmit_batch(&mut self, out: &mut Vec<u8>) -> bool {
        loop {
            // With a disk, freezing waits for `persist`, so that one write holds
            // the action and the batch that it goes out in.
            if !self.config.durable {
                self.freeze();
            }
            let Some(flight) = &self.pending.flight else { return false };
            if flight.sent || flight.applied.is_some() || !self.store.holds(flight.frozen_at) {
                return false;
            }
            let base = self.confirmed.revision();
            let submit = Submit {
                client_seq: flight.seq,
                base,
                made_at: flight.made_at.min(base),
                operations: flight.batch.operations().to_vec(),
            };
            let before = out.len();
            encode_client(&ClientFrame::Submit(submit), out);
            let bytes = out.len() - before;
            if bytes <= self.limits.frame_bytes {
                if self.datagrams {
                    self.repeat.sent(self.now, &out[before..]);
                }
                break;
            }
            out.truncate(before);
            self.keep_oversized(bytes);
        }
        if let Some(flight) = &mut self.pending.flight {
            flight.sent = true;
        }
        true
    }

    /// A batch that grew too large on its way over others' changes, or under
    /// the belief in a higher limit: the server would end the connection for
    /// such a frame, each time again. Its number is not used up, since it was
    /// never sent, or caught up with and found not to have arrived.
    fn keep_oversized(&mut self, bytes: usize) {
        let Some(flight) = &self.pending.flight else { return };
        self.next_seq = flight.seq;
        let limit = self.limits.frame_bytes;
        let detail = format!("the batch takes {bytes} bytes, at most {limit} are allowed");
        self.drop_flight(UnsavedReason::Rejected { operation: 0, detail });
        self.refresh();
    }

    fn take(&mut self, frame: ServerFrame) {
        match frame {
            ServerFrame::Welcome(welcome) => self.take_welcome(welcome),
            ServerFrame::Commit(commit) if self.awaiting_snapshot => {
                self.assembly.early.push(commit);
                if self.assembly.early.len() > EARLY_COMMITS_MAX {
                    self.give_up(Trouble::Unreadable);
                }
            }
            ServerFrame::Commit(commit) => self.take_commit(commit),
            ServerFrame::SnapshotChunk(chunk) => self.take_chunk(chunk),
            ServerFrame::Stale { client_seq, .. } => {
                // Everything needed to catch up was sent before (rule 11).
                if let Some(flight) = &mut self.pending.flight {
                    flight.sent &= flight.seq != client_seq;
                }
            }
            ServerFrame::Answer(result) => self.take_result(result),
            ServerFrame::Presence(news) => {
                self.changed_people |= self.people.update(self.now, self.author, news);
            }
            ServerFrame::Pong { .. } => {}
            ServerFrame::Close { code, detail } => self.close(code, detail),
        }
        self.check_caught_up();
    }

    fn take_welcome(&mut self, welcome: Welcome) {
        let viewer = welcome.role == Role::Viewer;
        let was_viewer = self.role.map(|role| role == Role::Viewer);
        if self.ready && !welcome.snapshot && was_viewer.is_some_and(|was| was != viewer) {
            // A viewer's replica has no deleted stickers, an editor's has (DELETE-4).
            self.distrust = true;
            return self.give_up(Trouble::Unreadable);
        }
        self.line.set_live(self.now, false);
        self.author = Some(welcome.author);
        self.role = Some(welcome.role);
        self.lifetime = Some((welcome.created_at, welcome.expires_at));
        if welcome.now_ms > 0 {
            self.server_clock = Some((Time(welcome.now_ms.saturating_mul(1_000)), self.now));
        }
        self.limits = welcome.limits;
        self.target = welcome.revision;
        self.awaiting_snapshot = welcome.snapshot;
        let ahead = self.assembly.restart();
        if !self.welcomed {
            self.welcomed = true;
            self.events.push_back(Event::Joined { author: welcome.author, role: welcome.role });
        }
        if let Some(last) = welcome.last {
            self.take_last(last);
        }
        for chunk in ahead {
            self.take_chunk(chunk);
        }
    }

    /// A part of a snapshot. It may come by a stream of its own: before its welcome, and
    /// after all of a newer one.
    fn take_chunk(&mut self, chunk: SnapshotChunk) {
        let awaited = self.awaiting_snapshot.then_some(self.target);
        let seen = self.ready.then(|| self.confirmed.revision());
        let outdated = awaited.or(seen).is_some_and(|known| chunk.revision < known);
        let done = match awaited == Some(chunk.revision) {
            true => self.assembly.add(&chunk),
            false if outdated => Ok(None),
            false => self.assembly.keep(chunk).map(|()| None),
        };
        match done {
            Ok(Some(desk)) => self.take_snapshot(desk),
            Ok(None) => {}
            Err(_) => self.give_up(Trouble::Unreadable),
        }
    }

    /// The result of this client's newest number, as the server knows it (rule 10).
    fn take_last(&mut self, last: BatchResult) {
        let newest = last.client_seq;
        let current = self.pending.flight.as_ref().map(|flight| flight.seq);
        match current {
            Some(seq) if seq == newest => self.take_result(last),
            // A number beyond the one in flight: this state is older than what
            // was sent from it. What became of the batch cannot be learnt.
            Some(seq) if seq < newest => {
                self.next_seq = newest.next();
                self.drop_flight(UnsavedReason::Unknown);
            }
            Some(_) => {}
            None => self.next_seq = self.next_seq.max(newest.next()),
        }
    }

    fn take_result(&mut self, result: BatchResult) {
        let Some(flight) = &mut self.pending.flight else { return };
        if flight.seq != result.client_seq {
            return;
        }
        match result.outcome {
            // What is confirmed holds it already, though its commit was not
            // known as one's own.
            Outcome::Applied { revision, .. } if revision <= self.confirmed.revision() => {
                self.forget_flight();
            }
            // The commit itself comes, or is in the snapshot.
            Outcome::Applied { revision, .. } => flight.applied = Some(revision),
            Outcome::Rejected { operation, detail } => {
                self.next_seq = result.client_seq.next();
                self.drop_flight(UnsavedReason::Rejected { operation, detail });
            }
        }
    }

    fn check_caught_up(&mut self) {
        let joining = self.line.state() == Line::Joining && self.welcomed;
        if joining && !self.awaiting_snapshot && self.confirmed.revision() >= self.target {
            if !self.ready {
                self.ready = true;
                self.changed_whole = true;
            }
            if std::mem::take(&mut self.identity_lost) {
                self.settle_identity();
            }
            self.line.set_live(self.now, true);
        }
    }

    /// Something is wrong with this connection: make another.
    pub(crate) fn give_up(&mut self, trouble: Trouble) {
        self.events.push_back(Event::LineDead { trouble });
        self.lose_line(trouble, Duration::ZERO);
    }

    fn close(&mut self, code: CloseCode, detail: String) {
        if code.reconnect() {
            let trouble = Trouble::Server(code);
            self.events.push_back(Event::LineDead { trouble });
            let busy = matches!(code, CloseCode::Overloaded | CloseCode::DeskFull);
            self.lose_line(trouble, if busy { OVERLOADED_DELAY_MIN } else { Duration::ZERO });
        } else if self.line.ended() != Some(code) {
            self.forget_line();
            self.line.end(code);
            self.events.push_back(Event::Closed { code, detail });
            self.store.touch();
        }
    }

    fn lose_line(&mut self, trouble: Trouble, least: Duration) {
        self.forget_line();
        self.line.lost(self.now, trouble, least, &mut self.random);
        self.store.touch_if_behind();
    }

    /// What belongs to one connection only.
    fn forget_line(&mut self) {
        self.inbox.clear();
        self.outbox.clear();
        self.datagrams = false;
        self.repeat = Repeat::default();
        self.assembly = Assembly::default();
        self.greeting = None;
        self.welcomed = false;
        self.awaiting_snapshot = false;
        self.changed_people |= self.people.clear();
        self.own.repeat();
    }
}
