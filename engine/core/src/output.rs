//! What comes out of a shard.

use std::sync::Arc;

use desk_protocol::frame::CloseCode;
use desk_protocol::{LinkId, Time};

use crate::names::{ConnectionId, LogPosition, RequestId};
use crate::record::StoredRecord;
use crate::service::Reply;

/// How a frame may travel, where its transport has more than one way. One way is right
/// for all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// In order with all others that are ordered.
    Ordered,
    /// The same, and once more as a datagram where the way is long (CARRY-8).
    Repeated,
    /// Presence: it may be lost, and may go as a datagram.
    Lossy,
    /// A part of a snapshot, in order with the other parts. It may go beside the frames
    /// that are ordered: its revision says which welcome it belongs to.
    Snapshot {
        /// It is the first part.
        first: bool,
        /// It is the last part.
        last: bool,
    },
}

/// Something to do.
#[derive(Debug)]
pub enum Output {
    /// Append this to the log, in this order. Positions count up by one.
    Append {
        /// The record's place.
        position: LogPosition,
        /// The key it belongs to.
        key: LinkId,
        /// Its sequence within the key, from 1 without gaps.
        sequence: u64,
        /// From when on nobody can ask for what it says.
        expires_at: Time,
        /// The record.
        entry: Vec<u8>,
    },
    /// Read a key; [`crate::Input::Loaded`] answers.
    Load {
        /// The key.
        key: LinkId,
    },
    /// Write this record into a table; [`crate::Input::Stored`] answers.
    Store {
        /// The key.
        key: LinkId,
        /// Its sequence: the entries up to it are in the record.
        sequence: u64,
        /// The record.
        record: Box<StoredRecord>,
    },
    /// Drop a key for good. It takes a place in the log like [`Output::Append`].
    Forget {
        /// The record's place.
        position: LogPosition,
        /// The key.
        key: LinkId,
        /// The number after that of the key's last record.
        sequence: u64,
        /// From when on it is gone all the same.
        expires_at: Time,
    },
    /// Send a frame. Order within a connection is kept.
    Send {
        /// To this connection.
        connection: ConnectionId,
        /// The frame, size-prefixed.
        frame: Arc<[u8]>,
        /// How it may travel.
        way: Way,
    },
    /// End a connection once what was sent before has left. The close frame is
    /// sent already. A planned stop says it again of those that it finds closing: they
    /// have only the time of a stop then.
    Close {
        /// The connection.
        connection: ConnectionId,
        /// Why; a WebSocket closes with [`CloseCode::websocket`].
        code: CloseCode,
    },
    /// Ask a connection for a sign of life that its transport gives by itself, such as
    /// the pong of WebSocket; [`crate::Input::Heard`] tells of it.
    Probe {
        /// The connection.
        connection: ConnectionId,
    },
    /// Stop reading a connection: it is over its rate, or its outbound queue is full.
    Pause {
        /// The connection.
        connection: ConnectionId,
    },
    /// Read it again.
    Resume {
        /// The connection.
        connection: ConnectionId,
    },
    /// Answer a request.
    Reply {
        /// The request.
        request: RequestId,
        /// The answer.
        reply: Reply,
    },
}
