//! Whole stores over the disk in memory.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod busy;
mod cost;
mod crash;
mod damage;
mod driver;
mod expiry;
mod fingerprints;
mod golden;
mod indexed;
mod interleave;
mod limits;
mod no_room;
mod node;
mod oracle;
mod relief;
mod replay;
mod scenario;
mod sweep;
