//! The shell of [`desk_cluster`] on NATS JetStream: one thread that holds the
//! connection to the nats-servers, carries out what the core decides, and tells the
//! node what became of its units.
//!
//! It decides nothing about units, and it knows no desk.
#![forbid(unsafe_code)]

mod api;
mod clock;
mod connection;
mod handle;
mod leaders;
pub mod limits;
mod questions;
mod run;
mod settings;
mod streams;
mod thread;

pub use desk_cluster::limits::REQUEST_BYTES_MAX;
pub use desk_cluster::{Epoch, Event, Key, NodeView, Record, State, UNITS, UnitId, View, What};
pub use desk_cluster::{Outcome, QueueCounts, QueueLine, QueueView, Stage, Verdict};
pub use handle::Handle;
pub use settings::{Joined, SessionKey, Settings, StartError};
pub use thread::start;
