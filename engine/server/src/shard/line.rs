//! The connections of this shard's desks, whatever carries their frames.
//!
//! The core says what to do by a connection's name. A WebSocket is always on its desk's
//! core. A QUIC connection stays where its datagrams arrive, and is a *guest* of its
//! desk's core: what the core says goes to the guest's home, and what the guest says comes
//! from there ([`super::guests`]). A line over HTTP requests is a guest whose home is its
//! desk's shard ([`super::polled`]).

use std::rc::Rc;
use std::time::Duration;

use desk_engine_core::{ConnectionId, Input, SessionKey, Source};
use desk_protocol::Time;
use desk_protocol::frame::CloseCode;

use super::order::{Order, Said};
use super::socket::Socket;
use super::{Message, Shell};
use crate::budget::Held;
use crate::limits::BUFFERED_BYTES;
use crate::net::deadlines::Deadline;

/// A connection of a desk of this shard.
pub(crate) enum Line {
    /// Its socket is here.
    Socket(Rc<Socket>),
    /// It is a guest.
    Guest(GuestLine),
}

/// A guest as its desk's shard knows it.
pub(crate) struct GuestLine {
    /// The beginning of a frame whose rest is still to come.
    inbox: Vec<u8>,
    /// What of it counts for the process.
    unread: Held,
    /// When the rest has to be there.
    whole_by: Option<Time>,
    deadline: Deadline,
    /// The core has paused reading from it.
    paused: bool,
    /// It is ending, and nothing that it says is kept.
    deaf: bool,
}

impl GuestLine {
    fn new(shell: &Shell, source: Source) -> Self {
        Self {
            inbox: Vec::new(),
            unread: Held::nothing(&shell.unread, source, &shell.guests_changed),
            whole_by: None,
            deadline: shell.deadlines.waiter(Rc::clone(&shell.guests_changed)),
            paused: false,
            deaf: false,
        }
    }

    fn expect_rest(&mut self, by: Option<Time>) {
        self.whole_by = by;
        self.deadline.set(by);
    }

    /// Why it has to end, if it has to.
    fn why_end(&mut self, now: Time, time: Duration) -> Option<CloseCode> {
        if self.unread.is_ended() {
            return Some(CloseCode::Overloaded);
        }
        self.whole_by.filter(|by| *by <= now)?;
        if self.paused {
            // The server did not read it.
            self.expect_rest(Some(now + time));
            return None;
        }
        Some(CloseCode::TimedOut)
    }

    fn refuse(&mut self) {
        self.deaf = true;
        self.inbox = Vec::new();
        self.expect_rest(None);
        // It can be given back: nothing is held any more.
        let _ = self.unread.set(0);
    }
}

impl Shell {
    /// Ends the guests that were chosen to end, or whose frames take too long, for ever.
    pub(crate) async fn watch_guests(self: Rc<Self>) {
        loop {
            self.guests_changed.wait().await;
            let (now, time) = (self.clock.now(), self.rest_time());
            let mut ends = Vec::new();
            for (id, line) in self.lines.borrow_mut().iter_mut() {
                let Line::Guest(guest) = line else { continue };
                if let Some(code) = guest.why_end(now, time) {
                    guest.refuse();
                    ends.push((ConnectionId(*id), code));
                }
            }
            for (connection, code) in ends {
                self.order(connection, Order::Close(code));
            }
            self.end_visits();
            self.wake();
        }
    }

    /// How long the rest of a message, or of a frame, may take.
    pub(super) fn rest_time(&self) -> Duration {
        Duration::from_micros(self.shared.config.limits.http.body_us)
    }

    /// Carries out what the core wants of a connection.
    pub(super) fn order(self: &Rc<Self>, connection: ConnectionId, order: Order) {
        let mut lines = self.lines.borrow_mut();
        match lines.get_mut(&connection.0) {
            Some(Line::Socket(socket)) => {
                let socket = Rc::clone(socket);
                drop(lines);
                socket.obey(self, order);
            }
            Some(Line::Guest(guest)) => {
                match order {
                    Order::Pause => guest.paused = true,
                    Order::Resume => guest.paused = false,
                    _ => {}
                }
                drop(lines);
                let home = Self::home_of(connection);
                if home != self.index {
                    self.mesh.borrow_mut().send(home, Message::Order { connection, order });
                } else if self.polled.borrow().has(connection) {
                    self.obey_as_polled(connection, order);
                } else {
                    self.obey_as_home(connection, order);
                }
            }
            None => {}
        }
    }

    /// A WebSocket has begun.
    pub(super) fn add_socket(&self, id: ConnectionId, socket: &Rc<Socket>, key: SessionKey) {
        self.lines.borrow_mut().insert(id.0, Line::Socket(Rc::clone(socket)));
        self.websockets.update(|count| count + 1);
        // The task of the HTTP connection that was upgraded counts its own end.
        self.connection_opened();
        self.feed(Input::Opened { connection: id, key: Some(key) });
        self.wake();
    }

    /// A WebSocket is gone.
    pub(super) fn remove_socket(&self, id: ConnectionId) {
        if self.lines.borrow_mut().remove(&id.0).is_some() {
            self.websockets.update(|count| count - 1);
            self.feed(Input::Closed { connection: id });
            self.connection_closed();
            self.wake();
        }
    }

    /// The shard that a connection was named by.
    pub(super) fn home_of(connection: ConnectionId) -> usize {
        (connection.0 >> 48) as usize
    }

    /// Takes what a guest of this shard's desks says, and asks for a turn.
    pub(super) fn hear(self: &Rc<Self>, connection: ConnectionId, said: Said) {
        self.hear_in_turn(connection, said);
        self.wake();
    }

    /// The same within a turn, which carries out what comes of it.
    pub(super) fn hear_in_turn(self: &Rc<Self>, connection: ConnectionId, said: Said) {
        match said {
            Said::Opened(key, source) => {
                let guest = GuestLine::new(self, source);
                self.lines.borrow_mut().insert(connection.0, Line::Guest(guest));
                self.feed(Input::Opened { connection, key });
            }
            Said::Frames(bytes) => {
                self.hear_frames(connection, &bytes);
                if Self::home_of(connection) != self.index {
                    self.order(connection, Order::Taken(bytes.len()));
                }
            }
            Said::Datagram(bytes) => self.hear_datagram(connection, &bytes),
            Said::Heard => self.feed(Input::Heard { connection }),
            Said::Sent(bytes) => self.sent(connection, bytes),
            Said::Closed => {
                if self.lines.borrow_mut().remove(&connection.0).is_some() {
                    self.feed(Input::Closed { connection });
                }
            }
        }
    }

    fn hear_frames(self: &Rc<Self>, connection: ConnectionId, bytes: &[u8]) {
        let mut lines = self.lines.borrow_mut();
        let Some(Line::Guest(guest)) = lines.get_mut(&connection.0) else { return };
        if guest.deaf {
            return;
        }
        let mut used = 0;
        if guest.inbox.is_empty() {
            used = self.receive(connection, bytes);
            guest.inbox.extend_from_slice(&bytes[used..]);
        } else {
            guest.inbox.extend_from_slice(bytes);
            used += self.receive(connection, &guest.inbox);
            guest.inbox.drain(..used);
        }
        if guest.inbox.is_empty() {
            guest.inbox = Vec::new();
        } else {
            // A part of a long frame is a sign of life, too.
            self.feed(Input::Heard { connection });
        }
        if guest.inbox.is_empty() {
            guest.expect_rest(None);
        } else if used > 0 || guest.whole_by.is_none() {
            guest.expect_rest(Some(self.clock.recent() + self.rest_time()));
        }
        // Whoever is chosen to end is looked for by `watch_guests`.
        let _ = guest.unread.set(guest.inbox.capacity().saturating_sub(BUFFERED_BYTES));
    }

    fn hear_datagram(&self, connection: ConnectionId, bytes: &[u8]) {
        let now = self.clock.now();
        if !self.with_core(|core| core.receive_datagram(now, connection, bytes)) {
            self.metrics().quic_datagrams_unusable.add(1);
        }
    }
}
