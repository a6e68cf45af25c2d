//! The client's replica, pending queue, rebase, undo and resume, sans-I/O.
#![forbid(unsafe_code)]

mod act;
mod batch;
mod check;
mod client;
mod drag;
mod edit;
mod event;
mod history;
mod inbox;
pub mod limits;
mod line;
mod pending;
mod people;
mod random;
mod rebase;
mod record;
mod restore;
mod transport;

pub use client::{Client, Config, LoadError};
pub use edit::{Edit, EditError, NewSticker};
pub use event::{Action, Event, Line, Status, Unsaved, UnsavedReason};
pub use inbox::SnapshotError;
pub use record::{Records, RestoreError, Token};
