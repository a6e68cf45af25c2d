//! The seeded simulator: servers, clients, network and disks in one thread.
//!
//! What runs here is what runs in production: [`desk_engine_core::Shard`],
//! [`desk_keeper::Keeper`], [`desk_storage_lsm::Store`] and [`desk_client_core::Client`]. Made up are the
//! clock, the network, the disk (`MemoryDisk`) and the people. Everything that
//! happens follows from one number:
//!
//! ```
//! let report = desk_sim::run(7).expect("seed 7 is sound");
//! assert!(report.commits > 0);
//! ```
//!
//! Each seed draws its own mix of faults and loads (swarm testing; Groce et al.,
//! "Swarm Testing", 2012). [`check`] holds what must be true of every run.
#![forbid(unsafe_code)]

mod agenda;
mod archive;
mod chance;
pub mod check;
mod network;
mod person;
mod plan;
mod process;
mod requester;
mod sentence;
mod shard_host;
mod turn;
mod world;

pub use check::Failure;
pub use plan::Plan;
pub use world::{Report, run, run_plan};
