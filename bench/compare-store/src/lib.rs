//! The same work over the Desk DB and over other stores, side by side.
//!
//! Each piece of work ([`work`]) is done by a process of its own, so that
//! processor time, memory and writes are one store's alone; the device's own
//! limits ([`device`]) are measured in turns with them. All stores get the same
//! keys and values ([`content`]), make every group durable before it counts as
//! committed, and leave compression out, since the values cannot be compressed.
//! What is read is compared with what was written.
//!
//! It is not part of the product, and knows nothing of desks but their size.
#![forbid(unsafe_code)]

pub mod accounts;
pub mod comparison;
pub mod content;
pub mod device;
pub mod engine;
pub mod engines;
pub mod kinds;
pub mod load;
pub mod ours;
pub mod plan;
pub mod process;
pub mod samples;
pub mod work;

#[cfg(feature = "others")]
mod others;
mod wake;
