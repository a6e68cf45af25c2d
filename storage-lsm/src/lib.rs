//! The Desk DB: a time-bucketed log-structured store that drops whole buckets.
#![forbid(unsafe_code)]

pub mod bucket;
pub mod compaction;
pub mod disk;
pub mod file;
pub mod inspect;
pub mod key;
pub mod limits;
pub mod log;
pub mod manifest;
pub mod memory_disk;
pub mod options;
pub mod recover;
pub mod store;
pub mod table;

#[cfg(any(test, feature = "contract"))]
#[expect(clippy::unwrap_used, reason = "a suite fails by panicking")]
pub mod contract;

mod checksum;
mod field;
mod holds;

pub use bucket::{BucketId, BucketStamp, BucketTable};
pub use checksum::StoreId;
pub use key::{
    Key, Partition, Position, Revision, Seconds, ShardCount, ShardId, UnixSecond, partition_of,
};
pub use manifest::{
    ClockState, Edit, EditNumber, ManifestError, ManifestOwner, ManifestSeed, News,
};
pub use options::{Options, OptionsError};
pub use recover::{RecoverError, Recovered, RecoveryReport, Start, recover};
pub use store::{
    Append, AppendError, Gap, GetError, Poison, Pressure, PressureLevel, Progress, PutError,
    Record, ShardSeed, Snapshot, Store, StoreCounters, StoreError, Stored, Value,
};
