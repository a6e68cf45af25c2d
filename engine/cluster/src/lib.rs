//! Several nodes share the desks: who owns which of them, and whose records count.
//!
//! The desks are divided into [`UNITS`] units. A unit has at most one owner, and its
//! truth is a pair of replicated streams, its *lanes*. The owner appends batches of
//! records there. Whoever wants to own a unit writes a *fence* into both lanes, and the
//! streams refuse every batch of an earlier owner from then on. The fence is the lock:
//! no time-out decides whose records count.
//!
//! This crate is *not* a stream, a connection or a store, and it knows no desk: keys
//! and records are bytes to it.
//!
//! # How to drive it
//!
//! A [`Node`] has all units and its part in the heartbeats; a [`Unit`] is one of them. Feed
//! [`Unit::handle`], carry out what [`Unit::poll_output`] gives, and call
//! [`Unit::handle_timeout`] when [`Unit::poll_timeout`] is due.
//!
//! ```
//! use desk_cluster::{Answer, Event, Input, Lanes, Output, Unit, UnitId};
//! use desk_protocol::Time;
//!
//! let now = Time::from_unix_seconds(1_700_000_000);
//! let lanes = Lanes { count: 1, room: 1 << 20 };
//! let mut unit = Unit::new(UnitId::new(7).expect("below 64"), "a", "https://a", lanes, 42);
//! unit.handle(now, Input::Take);
//!
//! // An empty stream of one lane, as a loop that answers.
//! let mut fence = None;
//! let mut events = Vec::new();
//! while let Some(output) = unit.poll_output() {
//!     let input = match output {
//!         Output::LookUp { call, .. } => Input::LookedUp { call, answer: Ok(None) },
//!         Output::Publish { call, is_fence, bytes, .. } => {
//!             if is_fence {
//!                 fence = Some(bytes.to_vec());
//!             }
//!             let sequence = if is_fence { 1 } else { 2 };
//!             Input::Published { call, answer: Answer::Stored { sequence, duplicate: false } }
//!         }
//!         Output::Read { call, .. } => {
//!             let bytes = fence.clone().expect("the own fence is read back");
//!             let message = desk_cluster::Message { sequence: 1, is_fence: true, bytes };
//!             Input::Read { call, answer: Ok(vec![message]) }
//!         }
//!         Output::Reconnect | Output::Purge { .. } => continue,
//!         Output::Tell(event) => {
//!             events.push(event);
//!             continue;
//!         }
//!     };
//!     unit.handle(now, input);
//! }
//! assert!(matches!(events[..], [Event::Owned { .. }]));
//! ```
#![forbid(unsafe_code)]

mod balance;
mod beat;
mod chance;
mod clean;
mod event;
mod io;
mod layout;
mod ledger;
pub mod limits;
mod members;
mod merge;
#[cfg(feature = "model")]
pub mod model;
mod node;
mod outbox;
mod own;
mod question;
pub mod queue;
mod read_back;
mod record;
pub mod request;
mod state;
mod take;
mod unit;
mod unit_id;
mod view;
pub mod wire;

pub use beat::{Beat, Invite};
pub use event::Event;
pub use io::{Answer, CallId, Deadline, Input, Output};
pub use layout::{Lanes, Layout, Led};
pub use members::Myself;
pub use merge::Message;
pub use node::{Load, Node, NodeInput, NodeOutput};
pub use queue::{
    Outcome, Queue, QueueCounts, QueueInput, QueueLine, QueueOutput, QueueView, Stage,
};
pub use record::{Key, Record, What};
pub use request::Verdict;
pub use state::State;
pub use unit::Unit;
pub use unit_id::{Epoch, Mark, UNITS, UnitId};
pub use view::{NodeView, View};
