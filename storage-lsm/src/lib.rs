//! The Desk DB: a time-bucketed log-structured store that drops whole buckets.
//!
//! It keeps values under 16-byte keys that begin with their creation second.
//! Small changes go to a write-ahead log and are durable in microseconds;
//! whole values ("snapshots") go to tables later, in large writes. Keys of one
//! span of seconds share a *bucket*; when the last of them has expired, the
//! bucket's files go as they are, and nothing is ever rewritten for it.
//!
//! It is *not* a general key-value engine: there are no range reads and no
//! transactions across keys, every key lives for its bucket's lifetime, and a
//! value is only ever replaced by a newer one. It knows nothing of what the
//! values mean, has no clock, no random source, no threads and no executor,
//! and reaches the disk through the small trait [`disk::Disk`].
//!
//! # How to drive it
//!
//! [`recover()`] runs once at start. It reads what all former shards left and
//! gives one [`ShardSeed`] for each shard of this run, whatever their number,
//! and a [`ManifestSeed`] for the one [`ManifestOwner`]. Each shard opens its
//! [`Store`] on its own thread and shares it among three tasks: requests
//! ([`Store::append`], [`Store::put`], [`Store::get`]), a commit loop
//! ([`Store::commit`]), and upkeep ([`Store::maintain`]).
//!
//! ```
//! use desk_storage_lsm::memory_disk::{MemoryDisk, drive};
//! use desk_storage_lsm::*;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! drive(async {
//!     let disk = MemoryDisk::with_seed(1);
//!     let now = UnixSecond(1_700_000_000);
//!     let start = Start {
//!         now,
//!         shards: ShardCount::new(1).expect("one shard"),
//!         accept_clock: false,
//!         fresh_store_id: [7; 16],
//!     };
//!     let options = Options { segment_bytes: 64 * 1024, ..Options::default() };
//!     let mut recovered = recover(&disk, &options, start).await?;
//!     let mut owner = ManifestOwner::open(disk.clone(), recovered.manifest).await?;
//!     let store = Store::open(disk.clone(), recovered.seeds.remove(0)).await?;
//!
//!     // A key begins with its creation second; the rest is the server's.
//!     let mut key = [9; 16];
//!     key[..4].copy_from_slice(&(now.0 as u32).to_be_bytes());
//!     let key = Key::new(key);
//!
//!     // Changes are numbered from 1, a key at a time.
//!     store.append(key, Sequence(1), b"a change")?;
//!     let position = store.append(key, Sequence(2), b"another")?;
//!     assert!(store.durable() < position, "nothing may be shown yet");
//!     store.commit().await?;
//!     assert!(store.durable() >= position, "now it may");
//!
//!     // A snapshot covers the changes so far; upkeep writes it and the log
//!     // is free to go on.
//!     store.put(key, Sequence(2), b"the whole")?;
//!     store.maintain(now).await?;
//!     owner.apply(store.take_edits()).await?;
//!
//!     // After a restart: the snapshot, and the changes since it.
//!     store.append(key, Sequence(3), b"a third")?;
//!     store.commit().await?;
//!     store.checkpoint().await?;
//!     let edits = store.take_edits();
//!     let last = edits.last().map(|edit| edit.number);
//!     owner.apply(edits).await?;
//!     store.edits_durable(last.unwrap_or_default());
//!     drop((store, owner));
//!
//!     let start = Start { shards: ShardCount::new(2).expect("two shards"), ..start };
//!     let mut recovered = recover(&disk, &options, start).await?;
//!     assert!(recovered.report.is_sound());
//!     let shard = partition_of(&key).shard(start.shards);
//!     let store = Store::open(disk, recovered.seeds.remove(usize::from(shard.0))).await?;
//!     let stored = store.get(&key, now).await?.expect("it is there");
//!     let snapshot = stored.snapshot.expect("it was checkpointed");
//!     assert_eq!((&snapshot.value[..], snapshot.sequence), (&b"the whole"[..], Sequence(2)));
//!     assert_eq!(stored.records[0].payload, b"a third");
//!     Ok(())
//! })
//! # }
//! ```
//!
//! # What is promised
//!
//! - A record whose position is [`Store::durable`] survives any crash. A record that
//!   is not durable yet may survive too.
//! - Records of a key come back in order without a gap, or the key is in
//!   *quarantine*: reads fail with [`GetError::Quarantined`], its bytes are
//!   kept, and the report of the start names it.
//! - No wrong bytes: every byte that is read is under a checksum that is
//!   seeded with the place where it belongs.
//! - After a failed write or sync nothing is acknowledged until a restart: [`Poison`].
//! - A table is never ahead of the log: a snapshot is written only when the log is
//!   durable up to the position at which it was taken.
//! - A fault in the very last batch of a log cannot be told from a write that
//!   a crash interrupted, so it is taken for one.
//!
//! # The files
//!
//! | file | bytes | is |
//! |---|---|---|
//! | `manifest` | [`manifest::slot`] | two slots: buckets, tables, segments |
//! | `EPOCH-SHARD-NUMBER.log` | [`log::segment`], [`log::batch`] | one log segment, prewritten and recycled |
//! | `EPOCH-SHARD-NUMBER.table` | [`table`], [`table::block`], [`table::record`], [`table::footer`] | values of one bucket |
//!
//! Numbers are little endian and of fixed width, but for two of a log record,
//! which are varints. `tests/fixtures` holds a folder of each format version. A folder
//! of another version than this program's is refused, and nothing in it is changed.
//!
//! # What is in memory
//!
//! A key at rest takes seventeen bytes: a fingerprint, half of its record's
//! checksum and its place, and no copy of the key. The record on the disk has
//! the whole key, so a cold [`Store::get`] is one read, and it is exact however
//! many fingerprints collide. An open table has a list of its keys, 48 bytes each,
//! which is freed when the table is sealed: when it is full, at a planned stop, or
//! some minutes after its bucket has ended. Keys with records in the log take memory
//! as far as the log's budget allows. Values that wait for a table take memory as far
//! as the backlog allows.
//!
//! # When files are released
//!
//! A log segment is needed while a record in it is newer than the durable
//! snapshot of its key. The store knows which keys hold which segment.
//! [`Store::holding_keys`] names the keys whose snapshots free the oldest segments, in
//! turns. [`Store::pressure`] says how urgent that is.
//!
//! Files of a former run may hold keys of several shards of this run. Each shard
//! releases its share by an [`Edit`]. The manifest's owner removes a file when all
//! shards have released it.
#![forbid(unsafe_code)]

mod ahead;
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
mod salvage;
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
#[cfg(feature = "unchecked")]
pub use checksum::unchecked;
pub use key::{
    Key, Partition, Position, Seconds, Sequence, ShardCount, ShardId, UnixSecond, partition_of,
};
pub use manifest::{
    ClockState, Edit, EditNumber, ManifestError, ManifestOwner, ManifestSeed, News,
};
pub use options::{Options, OptionsError};
pub use recover::{RecoverError, Recovered, RecoveryReport, Start, recover};
#[cfg(feature = "narrow")]
pub use store::index::narrow;
pub use store::{
    Append, AppendError, Gap, GetError, Poison, Pressure, PressureLevel, Progress, PutError,
    Record, ShardSeed, Snapshot, Store, StoreCounters, StoreError, Stored, Value,
};
