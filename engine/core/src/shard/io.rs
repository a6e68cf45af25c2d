//! What goes into a shard and what comes out of it.

use std::sync::Arc;
use std::time::Duration;

use desk_protocol::frame::CloseCode;
use desk_protocol::{LinkId, Time};

use super::storing::StorePace;
use crate::identity::SessionKey;
use crate::limits::ShardLimits;
use crate::management::Lifetime;
use crate::placement::Placement;
use crate::record::StoredRecord;
use crate::service::{Reply, Request};

/// Names a connection; chosen by the shell, never used twice in a process.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ConnectionId(pub u64);

/// Names a request; chosen by the shell, never used twice in a process.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RequestId(pub u64);

/// A place in the shard's log: the count of records appended so far.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct LogPosition(pub u64);

/// Settings of a shard.
#[derive(Clone, Debug)]
pub struct ShardConfig {
    /// Which shard this is, from 0.
    pub index: u16,
    /// Where desks belong.
    pub placement: Placement,
    /// How long a session without changes stays in memory.
    pub session_idle: Duration,
    /// Bytes of hot desks, roughly; the longest unused go beyond it.
    pub memory_bytes: usize,
    /// What it holds desks and connections to; shared by all of them.
    pub limits: Arc<ShardLimits>,
}

/// Something happened.
#[derive(Debug)]
pub enum Input {
    /// A connection was upgraded, its key looked at by [`Request::Attach`]
    /// before. Frames follow through [`crate::Shard::receive`].
    Opened {
        /// The connection.
        connection: ConnectionId,
        /// The key it was opened with; `None` where only the hello tells.
        key: Option<SessionKey>,
    },
    /// A connection is gone.
    Closed {
        /// The connection.
        connection: ConnectionId,
    },
    /// Bytes of earlier [`Output::Send`]s left for the network.
    Sent {
        /// The connection.
        connection: ConnectionId,
        /// How many.
        bytes: usize,
    },
    /// A request for a desk of this shard.
    Request {
        /// Its name; exactly one [`Output::Reply`] answers it.
        request: RequestId,
        /// What is asked.
        body: Box<Request>,
    },
    /// Whoever asked is gone; no reply is wanted any more.
    Abandoned {
        /// The request.
        request: RequestId,
    },
    /// How long the store keeps desks, by their creation second: all spans that
    /// it has set aside, oldest first. It comes before the first request, and
    /// whenever it changes; where it says nothing no desk is made, because the
    /// store would not take it.
    Lifetimes(Vec<Lifetime>),
    /// The log is durable up to here.
    Durable {
        /// The last durable record.
        position: LogPosition,
    },
    /// What the store has under a key that [`Output::Load`] asked for.
    Loaded {
        /// The key.
        key: LinkId,
        /// What was found.
        found: Loaded,
    },
    /// A record given by [`Output::Store`] is in a table, or the log still
    /// holds all of it: the desk may leave memory.
    Stored {
        /// The key.
        key: LinkId,
        /// The record's sequence.
        sequence: u64,
    },
    /// The log is under pressure: records of these keys hold back its oldest
    /// part. They are stored soon, a few at a time.
    Pressure {
        /// The keys.
        keys: Vec<LinkId>,
        /// How fast.
        pace: StorePace,
    },
    /// The store refuses writes (no space, poisoned) or takes them again.
    Writable(bool),
    /// The log failed and takes nothing any more. What waits for it is answered
    /// that it is unavailable, as is all that would show what is not durable;
    /// desks that are durable are read on.
    LogFailed,
    /// The server is going down: connections are told, waiting requests are
    /// answered, and what only the log has is stored, as far as time allows
    /// ([`crate::shard::ShardStats::unstored`]).
    Drain,
}

/// What a load found.
#[derive(Debug)]
pub enum Loaded {
    /// A record, and the journal entries after it, oldest first.
    Record {
        /// The newest record in a table, if there is one.
        record: Option<Box<StoredRecord>>,
        /// Entries of the log that are newer, as [`Output::Append`] gave them,
        /// each with its sequence.
        entries: Vec<(u64, Vec<u8>)>,
    },
    /// Nothing.
    Missing,
    /// The bucket of the key is past its end.
    Expired,
    /// Something, but it is damaged: it is kept, and not served.
    Quarantined,
    /// It could not be read.
    Failed,
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
    /// Read a key; [`Input::Loaded`] answers.
    Load {
        /// The key.
        key: LinkId,
    },
    /// Write this record into a table; [`Input::Stored`] answers.
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
        /// From when on it is gone all the same.
        expires_at: Time,
    },
    /// Send a frame. Order within a connection is kept.
    Send {
        /// To this connection.
        connection: ConnectionId,
        /// The frame, size-prefixed.
        frame: Arc<[u8]>,
        /// Presence: may be lost, may go as a datagram.
        lossy: bool,
    },
    /// End a connection once what was sent before has left. The close frame is
    /// sent already.
    Close {
        /// The connection.
        connection: ConnectionId,
        /// Why; a WebSocket closes with [`CloseCode::websocket`].
        code: CloseCode,
    },
    /// Stop reading a connection: it is over its rate, or has yet to read what
    /// waits for it.
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

/// Why a deadline was set, for logs and the simulator.
pub type Deadline = (Time, &'static str);
