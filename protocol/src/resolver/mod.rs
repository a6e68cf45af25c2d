//! The operation-transform resolver: one order a desk, so TP1 is enough.
//!
//! * [`compose()`]: the normal form of a batch, and one batch out of two.
//! * [`accept()`]: puts a client's batch at the head of the desk's order (server).
//! * [`import()`]: adds the notes of a file as one commit, and [`parts()`] of it.
//! * [`apply()`]: applies a commit to a replica, verbatim.
//! * [`transform()`]: moves a pending batch over a commit (client).
//! * [`overlay()`]: shows a pending batch on top of a replica (client).
//! * [`invert()`]: the batch that takes a batch back.
//! * [`TextHistories`]: the deltas that late text edits are transformed against.
//! * [`ViewerCommit`]: what of a commit viewers get.

mod accept;
mod apply;
mod check;
mod compose;
mod history;
mod import;
mod invert;
mod pile;
mod transform;
mod viewer;

pub use accept::{Acceptance, Refusal, Rejection, RejectionReason, Submission, accept};
pub use apply::{ApplyError, apply, overlay};
pub use check::{Invalid, check};
pub use compose::{BatchError, compose};
pub use history::TextHistories;
pub use import::{Import, import, parts};
pub use invert::invert;
pub use transform::transform;
pub use viewer::ViewerCommit;
