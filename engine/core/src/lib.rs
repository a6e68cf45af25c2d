//! The services of Sticker Desk as pure state machines.
//!
//! | service of the brief | module |
//! |---|---|
//! | Collaboration Service: sessions of a desk, fan-out, presence | [`collaboration`] |
//! | Desk Collisions Service: server order, rebase, status | [`collisions`] |
//! | Desk Management Service: create, find, links, expiry, what to log | [`management`] |
//! | the desks of one core: input, output, deadlines | [`shard`] |
//!
//! Nothing here performs I/O, reads a clock or draws ambient randomness: a shell
//! (the server, or the simulator) feeds [`shard::Shard`] and carries out what it
//! says. It knows no socket, no executor, no file and no snapshot format.
//!
//! Every output that shows state waits inside the shard until the log position
//! that it was computed at is durable; the shell appends, commits, and says how
//! far it got.
#![forbid(unsafe_code)]

pub mod admission;
mod bucket;
pub mod collaboration;
pub mod collisions;
mod copies;
mod gate;
pub mod identity;
pub mod journal;
pub mod limits;
pub mod management;
pub mod members;
mod names;
mod output;
pub mod placement;
pub mod record;
pub mod service;
pub mod shard;
mod units;

pub use admission::{Action, Admission, AdmissionLimits, Source};
pub use bucket::Rate;
pub use copies::Copied;
pub use identity::{Keyring, SessionKey};
pub use management::{Lifetime, desk_memory_bytes_max};
pub use members::{Member, Members, QuietClient, RecentClient};
pub use names::{ConnectionId, LogPosition, RequestId};
pub use output::{Output, Way};
pub use placement::{Placement, UNITS, unit};
pub use record::{Alias, DeskRecord, Links, StoredRecord};
pub use service::{Reply, Request, ServiceError};
pub use shard::{Input, Shard, ShardConfig, StorePace};
