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
#![forbid(unsafe_code)]

mod event;
mod record;
mod unit_id;
mod view;

pub use event::Event;
pub use record::{Key, Record, What};
pub use unit_id::{Epoch, UNITS, UnitId};
pub use view::{NodeView, View};
