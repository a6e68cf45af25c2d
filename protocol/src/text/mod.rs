//! Text, the only sequence of the desk: deltas on Unicode scalar values.

mod chars;
mod compose;
mod cursor;
mod delta;
mod diff;
mod run;
mod transform;

pub use delta::{Delta, DeltaError, Part};
pub use diff::diff;
pub use run::Run;
pub use transform::{Anchor, Order};
