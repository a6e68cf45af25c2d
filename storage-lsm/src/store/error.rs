//! What can go wrong, one enum an operation.

use crate::disk::DiskError;
use crate::key::{Sequence, UnixSecond};

/// Why nothing is written any more: a write or a sync failed, and it is unknown
/// how much of it is on the disk. Only a restart makes the store usable again,
/// because it reads what is there.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the store is poisoned until restart: {0}")]
pub struct Poison(pub DiskError);

/// A write or upkeep that did not happen.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StoreError {
    /// A write or a sync failed, now or before.
    #[error(transparent)]
    Poisoned(#[from] Poison),
    /// The same call is under way already; it has one caller at a time.
    #[error("this call is under way already")]
    Busy,
}

/// A record that was not taken.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AppendError {
    /// A write or a sync failed before.
    #[error(transparent)]
    Poisoned(#[from] Poison),
    /// The key's creation second is in no bucket: too far from now, or gone.
    #[error("second {second} is in no bucket")]
    NoBucket {
        /// The key's second.
        second: u32,
    },
    /// The key's records have a gap.
    #[error("the key is quarantined: {0}")]
    Quarantined(Gap),
    /// The payload, or the group, does not fit a batch.
    #[error("{bytes} bytes are too many for a batch, a payload has at most {max}")]
    TooLarge {
        /// The bytes given.
        bytes: usize,
        /// The most that one payload may have.
        max: usize,
    },
    /// The log has used its budget: snapshot the keys that hold it back.
    #[error("the log is full until snapshots free a segment")]
    LogFull,
    /// The disk is full up to the reserve.
    #[error("the disk is full up to the reserve")]
    NoSpace,
}

/// A snapshot that was not taken.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PutError {
    /// A write or a sync failed before.
    #[error(transparent)]
    Poisoned(#[from] Poison),
    /// The key's creation second is in no bucket.
    #[error("second {second} is in no bucket")]
    NoBucket {
        /// The key's second.
        second: u32,
    },
    /// The key's records have a gap.
    #[error("the key is quarantined: {0}")]
    Quarantined(Gap),
    /// The value is longer than any may be.
    #[error("a value of {bytes} bytes is too large, the limit is {max}")]
    TooLarge {
        /// The bytes given.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// Too much waits to be written; call `maintain` and try again.
    #[error("{bytes} bytes wait to be written")]
    Backlog {
        /// The bytes that wait.
        bytes: usize,
    },
    /// The disk is full; even the reserve is nearly gone.
    #[error("the disk is full")]
    NoSpace,
}

/// A key that could not be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum GetError {
    /// It has expired.
    #[error("expired at second {}", at.0)]
    Expired {
        /// From when on it is gone.
        at: UnixSecond,
    },
    /// Its records have a gap; its bytes are kept.
    #[error("the key is quarantined: {0}")]
    Quarantined(Gap),
    /// Its bytes on the disk are not those that were written.
    #[error("the bytes of the key in `{file}` at {offset} are damaged")]
    Damaged {
        /// The file.
        file: String,
        /// Where in the file, in bytes.
        offset: u64,
    },
    /// The disk failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// A gap in a key's records: what comes next is missing, and later ones exist.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("records are complete up to {} and go on, or went on, with {}", have.0, next.0)]
pub struct Gap {
    /// The last sequence before the gap.
    pub have: Sequence,
    /// The first sequence known after it.
    pub next: Sequence,
}
