//! The keeper stands between the desks' core and the store of one shard. It decides
//! what becomes of people's records: what a refusal of the store means, in which order
//! refused records go in, when changes are refused and why, what is stored again and
//! how fast, when the free space is looked at, what a failed write ends, and the phases
//! of a planned stop.
//!
//! It is *not* a store and knows no desk: keys, records and values are bytes to it. It
//! has no clock, no executor and no task. It calls the few synchronous methods of
//! [`Store`](desk_storage_lsm::Store), and asks whoever drives it to make the others.
//! The server, the simulator, the benchmark and the store's own tests all drive it, so
//! what decides about people's data is the same code everywhere.
//!
//! # How to drive it
//!
//! Feed [`Keeper::handle`], carry out what [`Keeper::poll_output`] gives, and call
//! [`Keeper::handle_timeout`] when [`Keeper::poll_timeout`] is due.
//!
//! ```
//! use std::time::Duration;
//!
//! use desk_keeper::{Input, Keeper, Output, Settings};
//! use desk_protocol::Time;
//! use desk_storage_lsm::memory_disk::{MemoryDisk, drive};
//! use desk_storage_lsm::*;
//!
//! type Shard = (Keeper<Vec<u8>>, Store<MemoryDisk>, ManifestOwner<MemoryDisk>);
//!
//! /// Carries out everything; what the core is to know is returned.
//! fn carry_out((keeper, store, owner): &mut Shard, now: Time) -> Vec<Output> {
//!     let second = UnixSecond(now.unix_seconds());
//!     let mut news = Vec::new();
//!     while let Some(output) = keeper.poll_output() {
//!         let input = match output {
//!             // A server awaits these, and takes more records meanwhile.
//!             Output::Commit => Input::Committed(drive(store.commit())),
//!             Output::Maintain => Input::Maintained(drive(store.maintain(second))),
//!             Output::Measure => Input::Measured(drive(store.measure_space())),
//!             Output::Seal => Input::Sealed(drive(store.shutdown())),
//!             Output::Edits(edits) => {
//!                 let last = edits.last().map(|edit| edit.number).unwrap_or_default();
//!                 match drive(owner.apply(edits)) {
//!                     Ok(()) => Input::EditsDurable(last),
//!                     Err(error) => Input::Failed(error.to_string()),
//!                 }
//!             }
//!             other => {
//!                 news.push(other);
//!                 continue;
//!             }
//!         };
//!         keeper.handle(now, store, input);
//!     }
//!     news
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let disk = MemoryDisk::with_seed(1);
//! let now = Time::from_unix_seconds(1_700_000_000);
//! let shards = ShardCount::new(1).expect("one shard");
//! let start = Start {
//!     now: UnixSecond(now.unix_seconds()),
//!     shards,
//!     accept_clock: false,
//!     fresh_store_id: [7; 16],
//! };
//! let options = Options { segment_bytes: 64 * 1024, ..Options::default() };
//! let mut recovered = drive(recover(&disk, &options, start))?;
//! let store = drive(Store::open(disk.clone(), recovered.seeds.remove(0)))?;
//! let owner = drive(ManifestOwner::open(disk.clone(), recovered.manifest))?;
//! let settings =
//!     Settings { waiting_bytes_max: 1 << 20, stop_time: Duration::from_secs(8) };
//! let mut shard: Shard = (Keeper::new(settings), store, owner);
//! // The first upkeep makes the log's segments.
//! carry_out(&mut shard, now);
//!
//! let mut key = [9; 16];
//! key[..4].copy_from_slice(&(now.unix_seconds() as u32).to_be_bytes());
//! let (key, sequence) = (Key::new(key), Sequence(1));
//! let append = Input::Append {
//!     position: Position(1),
//!     key,
//!     sequence,
//!     expires_at: now + Duration::from_secs(7 * 86_400),
//!     entry: b"a change".to_vec(),
//! };
//! let (keeper, store, _) = &mut shard;
//! keeper.handle(now, store, append);
//! let news = carry_out(&mut shard, now);
//! assert!(matches!(news[..], [Output::Durable(Position(1))]), "it may be shown now");
//!
//! // The whole is stored, and the server stops.
//! let (keeper, store, _) = &mut shard;
//! keeper.handle(now, store, Input::Store { key, sequence, value: b"the whole".to_vec() });
//! keeper.handle(now, store, Input::Stop);
//! let news = carry_out(&mut shard, now);
//! assert!(news.iter().any(|news| matches!(news, Output::Stored { .. })));
//! assert!(news.iter().any(|news| matches!(news, Output::Drain)));
//! let (keeper, store, _) = &mut shard;
//! keeper.handle(now, store, Input::Left { open: 0, unstored: 0 });
//! assert!(matches!(carry_out(&mut shard, now)[..], [Output::Stopped]));
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod contents;
mod io;
mod keeper;
pub mod limits;
mod log;
mod stop;
mod stream;
mod upkeep;
mod values;
mod writable;

pub use contents::{Contents, ContentsError};
pub use io::{Deadline, Input, KeeperStats, Notice, Output, Pace, Settings};
pub use keeper::Keeper;
pub use stream::{Stream, Streamed};
pub use writable::{Why, Writable};
