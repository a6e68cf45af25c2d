//! What goes into a shard.

use std::sync::Arc;
use std::time::Duration;

use desk_protocol::{LinkId, Time};

use crate::identity::SessionKey;
use crate::limits::{STORE_PAUSE_CALM, STORE_PAUSE_URGENT, ShardLimits};
use crate::management::Lifetime;
use crate::names::{ConnectionId, LogPosition, RequestId};
use crate::placement::Placement;
use crate::record::StoredRecord;
use crate::service::Request;

/// Settings of a shard.
#[derive(Clone, Debug)]
pub struct ShardConfig {
    /// Which shard this is, from 0.
    pub index: u16,
    /// Where desks belong.
    pub placement: Placement,
    /// How long a session without changes stays in memory.
    pub session_idle: Duration,
    /// Bytes of desks in use and of what the store keeps in memory, roughly; beyond it
    /// the longest unused desks go. The store has half of it at the most, and no desk is
    /// made that would take it further.
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
    /// A connection gave a sign of life that is no frame: the answer to
    /// [`crate::Output::Probe`], or a part of a frame.
    Heard {
        /// The connection.
        connection: ConnectionId,
    },
    /// Bytes of earlier [`crate::Output::Send`]s left for the network.
    Sent {
        /// The connection.
        connection: ConnectionId,
        /// How many.
        bytes: usize,
    },
    /// A request for a desk of this shard.
    Request {
        /// Its name; exactly one [`crate::Output::Reply`] answers it.
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
    /// In a cluster: the log of a unit is durable up to here. It takes the place of
    /// [`Input::Durable`].
    Acknowledged {
        /// The unit.
        unit: u16,
        /// The last durable record of the unit.
        position: LogPosition,
    },
    /// In a cluster: this machine serves the unit from now on. The store has all that
    /// other machines made of it.
    Owned {
        /// The unit.
        unit: u16,
    },
    /// In a cluster: another machine serves the unit. Its desks leave memory with all that
    /// is not durable, and its connections and requests are told to go there.
    Deposed {
        /// The unit.
        unit: u16,
    },
    /// In a cluster: the log of a unit takes no record for now, or takes records again.
    UnitWritable {
        /// The unit.
        unit: u16,
        /// Whether it does.
        writable: bool,
    },
    /// In a cluster: another machine may have taken the unit unnoticed, or has not after
    /// all. Until that is known nobody joins its desks or reads them by request.
    UnitTrusted {
        /// The unit.
        unit: u16,
        /// Whether it is served here for certain.
        trusted: bool,
    },
    /// What the store has under a key that [`crate::Output::Load`] asked for.
    Loaded {
        /// The key.
        key: LinkId,
        /// What was found.
        found: Loaded,
    },
    /// A record given by [`crate::Output::Store`] is in a table, or the log still
    /// holds all of it: the desk may leave memory.
    Stored {
        /// The key.
        key: LinkId,
        /// The record's sequence.
        sequence: u64,
    },
    /// A record given by [`crate::Output::Store`] will never be in a table. The desk stays
    /// in memory and takes no changes for a while; a restart replays it from the log.
    Unstorable {
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
    /// So much memory the store takes for desks that are not in use.
    StoreMemory {
        /// Bytes of its index and of all else that grows with the number of desks.
        bytes: usize,
    },
    /// The log failed and takes no record any more. Pending replies, and any later reply
    /// that depends on undurable records, become `Unavailable`. Durable desks can still
    /// be read.
    LogFailed,
    /// The server is going down: connections are told, waiting requests are
    /// answered, and what only the log has is stored, as far as time allows
    /// ([`crate::shard::ShardStats::unstored`]).
    Drain,
}

/// How fast desks are stored.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum StorePace {
    /// There is time: between two steps the shard does other things.
    #[default]
    Calm,
    /// The log is nearly full, memory is short, or the server goes down: as fast
    /// as the store takes it, and still in steps.
    Urgent,
}

impl StorePace {
    pub(super) const fn pause(self) -> Duration {
        match self {
            StorePace::Calm => STORE_PAUSE_CALM,
            StorePace::Urgent => STORE_PAUSE_URGENT,
        }
    }
}

/// What a load found.
#[derive(Debug)]
pub enum Loaded {
    /// A record, and the journal entries after it, oldest first.
    Record {
        /// The newest record in a table, if there is one.
        record: Option<Box<StoredRecord>>,
        /// Entries of the log that are newer, as [`crate::Output::Append`] gave them,
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

/// Why a deadline was set, for logs and the simulator.
pub type Deadline = (Time, &'static str);
