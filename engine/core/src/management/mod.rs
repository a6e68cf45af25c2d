//! The Desk Management Service: which desks are in memory, under which links,
//! until when; what is logged and when a record is stored.

mod hot;
mod lifetime;
mod slot;

pub use hot::desk_memory_bytes_max;
pub(crate) use hot::{Hot, Imported, Submitted};
pub use lifetime::Lifetime;
pub(crate) use lifetime::Lifetimes;
pub(crate) use slot::{Content, Slot, Task};
