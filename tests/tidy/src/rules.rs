//! The rules, one module each; each `check` answers what breaks it.

pub mod arrows;
pub mod circles;
pub mod documents;
pub mod leftovers;
pub mod links;
pub mod names;
pub mod places;
pub mod purity;
pub mod sentences;
pub mod size;
pub mod sleeps;
pub mod spec;
pub mod unsafe_code;
pub mod unwraps;
