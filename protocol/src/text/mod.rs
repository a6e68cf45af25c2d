//! Text, the only sequence of the desk: deltas on Unicode scalar values.

mod chars;
mod compose;
mod cursor;
mod delta;
mod diff;
mod transform;

pub use delta::{Delta, DeltaError, Part};
pub use diff::diff;
pub use transform::Order;
