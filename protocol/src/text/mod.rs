//! Text, the only sequence of the desk: deltas on Unicode scalar values.

mod delta;
mod diff;

pub use delta::{Delta, DeltaError, Order, Part};
pub use diff::diff;
