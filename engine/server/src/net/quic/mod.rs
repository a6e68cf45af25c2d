//! QUIC without sockets: connections that carry frames.
//!
//! [`endpoint`] holds the connections of one shard. It takes datagrams in, gives
//! datagrams and events out, and has one deadline. [`mod@line`] is one connection: frames both
//! ways in [`outbox`] and out of streams, what is said twice in [`repeats`], a browser's
//! session in [`web`], and its end in [`ending`]. [`allowance`] bounds what a peer may do
//! again and again. [`ids`] makes connection ids that lead to their shard, and [`settings`] says
//! how QUIC is spoken here.
//!
//! It is a leaf, as all of [`super`]: a frame is a row of bytes here, and nothing is known
//! of desks.

mod allowance;
mod ending;
pub(crate) mod endpoint;
pub(crate) mod ids;
mod line;
mod outbox;
mod repeats;
pub(crate) mod settings;
mod web;

use desk_gateway_http::webtransport::Connect;

/// How a frame travels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Way {
    /// In order with all others that go this way.
    Ordered,
    /// The same, and once more as a datagram where the way is long.
    Repeated,
    /// It may be lost, and overtaken.
    Datagram,
    /// On a stream of its own, with the other parts of the same snapshot.
    Snapshot {
        /// It begins the snapshot.
        first: bool,
        /// It ends the snapshot.
        last: bool,
    },
}

/// One connection of an endpoint. A number is used once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct LineId(pub(crate) u64);

/// Something happened on a line.
#[derive(Debug)]
pub(crate) enum Event {
    /// A browser asks for a session; [`endpoint::Endpoint::grant`] or
    /// [`endpoint::Endpoint::refuse`] answers.
    Asks(LineId, Box<Connect>),
    /// A program's handshake is over.
    Opened(LineId),
    /// Bytes of its stream of frames, in order.
    Frames(LineId, bytes::Bytes),
    /// A datagram.
    Datagram(LineId, bytes::Bytes),
    /// Something came that is no frame.
    Heard(LineId),
    /// So many bytes of frames that were pushed are the network's now.
    Sent(LineId, usize),
    /// It is gone.
    Ended(LineId),
}
