//! What goes into a keeper and what comes out of it.

use std::time::Duration;

use desk_protocol::Time;
use desk_storage_lsm::{
    AppendError, Edit, EditNumber, Key, News, Position, Progress, PutError, Sequence, StoreError,
};

use crate::Writable;

/// What the operator may set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Bytes of records that may wait to be durable; above them changes are
    /// refused.
    pub waiting_bytes_max: usize,
    /// How long a planned stop may take.
    pub stop_time: Duration,
}

/// Something happened. `V` is a value's bytes.
#[derive(Debug)]
pub enum Input<V> {
    /// The core appends a record to the log.
    Append {
        /// The record's place in the log. Positions count up by one, over
        /// [`Input::Append`] and [`Input::Forget`] together.
        position: Position,
        /// The key it belongs to.
        key: Key,
        /// Its number among the key's records, from 1 without gaps.
        sequence: Sequence,
        /// From when on nobody can ask for what it says.
        expires_at: Time,
        /// What it says.
        entry: Vec<u8>,
    },
    /// The core drops a key for good.
    Forget {
        /// The place in the log that this takes.
        position: Position,
        /// The key.
        key: Key,
        /// From when on the key is gone all the same.
        expires_at: Time,
    },
    /// The core gives a key's value to the store. [`Output::Stored`] or
    /// [`Output::Unstorable`] answers.
    Store {
        /// The key.
        key: Key,
        /// The value covers the records up to this one.
        sequence: Sequence,
        /// The value.
        value: V,
    },
    /// [`Output::Commit`] was done.
    Committed(Result<Position, StoreError>),
    /// [`Output::Maintain`] was done.
    Maintained(Result<Progress, StoreError>),
    /// [`Output::Measure`] was done.
    Measured(Result<(), StoreError>),
    /// [`Output::Seal`] was done.
    Sealed(Result<(), StoreError>),
    /// The manifest has this shard's edits up to that number.
    EditsDurable(EditNumber),
    /// The manifest's owner has news.
    News(News),
    /// The manifest cannot be written any more, so no shard goes on.
    Failed(String),
    /// A planned stop begins.
    Stop,
    /// What the core and its shell still have to do. A planned stop waits for it,
    /// so it is told again and again from [`Output::Drain`] on.
    Left {
        /// Connections, requests, and outputs that wait for the log.
        open: usize,
        /// Desks that wait to be stored, or are being stored.
        unstored: usize,
    },
}

/// Something to do, or to know.
#[derive(Debug)]
pub enum Output {
    /// Call the store's `commit`, and say [`Input::Committed`]. One is under way
    /// at a time.
    Commit,
    /// Call the store's `maintain`, and say [`Input::Maintained`]. Of this,
    /// [`Output::Measure`] and [`Output::Seal`] one is under way at a time.
    Maintain,
    /// Call the store's `measure_space`, and say [`Input::Measured`].
    Measure,
    /// Call the store's `shutdown`, and say [`Input::Sealed`].
    Seal,
    /// Give these to the manifest's owner, none before an earlier one;
    /// [`Input::EditsDurable`] answers, also for all before.
    Edits(Vec<Edit>),
    /// The log is durable up to here.
    Durable(Position),
    /// Whether changes are taken has changed, or why not.
    Writable(Writable),
    /// A value is with the store, and the log still has all of it until the value
    /// is in a table: the desk may leave memory.
    Stored {
        /// The key.
        key: Key,
        /// The value's sequence.
        sequence: Sequence,
    },
    /// A value will never be stored: the desk must not leave memory. The log keeps what
    /// it has of the key.
    Unstorable {
        /// The key.
        key: Key,
        /// The value's sequence.
        sequence: Sequence,
        /// Why.
        why: PutError,
    },
    /// Records of these keys hold back the log's oldest part: store them.
    Ask {
        /// The keys.
        keys: Vec<Key>,
        /// How fast.
        pace: Pace,
    },
    /// A planned stop has begun: tell people, and store what only the log has.
    Drain,
    /// A write failed. Nothing is acknowledged any more; it is said once.
    Failed(String),
    /// For the operator's log.
    Notice(Notice),
    /// Everything is on the disk, or never will be: the stop is done.
    Stopped,
}

/// How fast desks are to be stored.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Pace {
    /// There is time.
    Calm,
    /// The log is nearly full.
    Urgent,
}

/// What an operator may want to read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Notice {
    /// The store took no record. The record waits.
    Refused(AppendError),
    /// A record's key had expired, and so had its bucket: nothing was written.
    RecordOutlived(Key),
    /// A value's bucket has gone: nothing was written.
    ValueOutlived(Key),
}

/// Why a deadline was set, for logs and the simulator.
pub type Deadline = (Time, &'static str);

/// Totals since the start, and how things stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct KeeperStats {
    /// Records that the store took.
    pub appends: u64,
    /// Bytes of these.
    pub appended_bytes: u64,
    /// Times that the store took no record.
    pub refusals: u64,
    /// Values that the store took.
    pub values: u64,
    /// Bytes of these.
    pub value_bytes: u64,
    /// Values that the store will never take.
    pub unstorable: u64,
    /// Records that are not durable, now.
    pub waiting_records: usize,
    /// Bytes of these, with what they take beside, now.
    pub waiting_bytes: usize,
    /// Records among these that the store has refused, now.
    pub backlog: usize,
    /// Values that wait for room in the store, now.
    pub waiting_values: usize,
}
