//! The connections of this shard's desks, whatever carries their frames.
//!
//! The core says what to do by a connection's name. A WebSocket is always on its desk's
//! core. A QUIC connection stays where its datagrams arrive, and is a *guest* of its
//! desk's core: what the core says goes to the guest's home, and what the guest says comes
//! from there ([`super::guests`]). A line over HTTP requests is a guest whose home is its
//! desk's shard ([`super::polled`]).

use std::rc::Rc;

use desk_engine_core::{ConnectionId, Input, SessionKey};
use desk_protocol::codec::{self, Decoded};
use desk_protocol::frame::{ClientFrame, CloseCode};

use super::order::{Order, Said};
use super::socket::Socket;
use super::{Message, Shell};
use crate::budget::Held;
use crate::limits::BUFFERED_BYTES;

/// A connection of a desk of this shard.
pub(crate) enum Line {
    /// Its socket is here.
    Socket(Rc<Socket>),
    /// It is a guest.
    Guest(GuestLine),
}

/// A guest as its desk's shard knows it.
#[derive(Debug)]
pub(crate) struct GuestLine {
    /// The beginning of a frame whose rest is still to come.
    inbox: Vec<u8>,
    /// What of it counts for the process.
    unread: Held,
    /// It has said hello.
    greeted: bool,
}

impl Shell {
    /// Carries out what the core wants of a connection.
    pub(super) fn order(self: &Rc<Self>, connection: ConnectionId, order: Order) {
        let lines = self.lines.borrow();
        match lines.get(&connection.0) {
            Some(Line::Socket(socket)) => {
                let socket = Rc::clone(socket);
                drop(lines);
                socket.obey(self, order);
            }
            Some(Line::Guest(_)) => {
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

    /// Takes what a guest of this shard's desks says.
    pub(super) fn hear(self: &Rc<Self>, connection: ConnectionId, said: Said) {
        match said {
            Said::Opened(key) => {
                let unread = Held::nothing(&self.shared.unread);
                let guest = GuestLine { inbox: Vec::new(), unread, greeted: false };
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
        self.wake();
    }

    fn hear_frames(self: &Rc<Self>, connection: ConnectionId, bytes: &[u8]) {
        let mut lines = self.lines.borrow_mut();
        let Some(Line::Guest(guest)) = lines.get_mut(&connection.0) else { return };
        let mut used = 0;
        if guest.inbox.is_empty() {
            used = self.receive(connection, bytes);
            guest.inbox.extend_from_slice(&bytes[used..]);
        } else {
            guest.inbox.extend_from_slice(bytes);
            used += self.receive(connection, &guest.inbox);
            guest.inbox.drain(..used);
        }
        guest.greeted |= used > 0;
        if guest.inbox.is_empty() {
            guest.inbox = Vec::new();
        } else {
            // A part of a long frame is a sign of life, too.
            self.feed(Input::Heard { connection });
        }
        let counted = guest.inbox.capacity().saturating_sub(BUFFERED_BYTES);
        if guest.unread.set(counted).is_err() {
            drop(lines);
            tracing::debug!("a guest was cut off: too much of frames has not arrived whole");
            self.order(connection, Order::Close(CloseCode::Overloaded));
            self.hear(connection, Said::Closed);
        }
    }

    /// A datagram holds one whole frame, and no hello. One that overtakes the hello, or
    /// holds no frame, is dropped: datagrams may be lost.
    fn hear_datagram(&self, connection: ConnectionId, bytes: &[u8]) {
        let lines = self.lines.borrow();
        let Some(Line::Guest(guest)) = lines.get(&connection.0) else { return };
        let limit = self.shared.config.limits.shard.order.desk.frame_bytes;
        let frame = codec::decode_client_within(bytes, limit);
        let whole = matches!(
            frame,
            Ok(Decoded::Frame(length, Some(ClientFrame::Presence(_) | ClientFrame::Ping { .. })))
                if length == bytes.len()
        );
        if guest.greeted && whole {
            self.receive(connection, bytes);
        } else {
            self.feed(Input::Heard { connection });
            self.metrics().quic_datagrams_unusable.add(1);
        }
    }
}
