//! The desk, its operations and the resolver that merges them.
//!
//! This crate is the one place that knows what an operation means. It runs in
//! the server, in the browser (WASM), in the load generator and under the
//! simulator. It is **not** a connection, a clock, a store or a session:
//! nothing here performs I/O, reads the time or draws a random number.
//!
//! * [`Desk`], [`Sticker`]: the state, registers with their [`Stamp`]s.
//! * [`Operation`], [`Batch`], [`Commit`]: what changes it.
//! * [`text`]: deltas on Unicode scalar values.
//! * [`resolver`]: transform, compose, invert, apply.
//! * [`frame`] and [`codec`]: what travels between client and server.
//! * [`limits`]: every bound, with its reason.
//!
//! `SPEC.md` beside this crate numbers the rules; tests cite them.
#![deny(unsafe_code)]

pub mod codec;
pub mod desk;
pub mod frame;
mod generated;
pub mod id;
pub mod limits;
pub mod operation;
pub mod resolver;
pub mod stamp;
pub mod sticker;
pub mod text;
pub mod time;
#[cfg(feature = "vectors")]
pub mod vectors;

pub use desk::Desk;
pub use frame::{ClientFrame, ServerFrame};
pub use id::{Author, ClientId, ClientSeq, LinkId, Revision, StickerId};
pub use operation::{Batch, CollisionStatus, Commit, Create, Operation, Register, Write};
pub use stamp::Stamp;
pub use sticker::{Color, Point, Size, Sticker, StickerKind, sticker_cost};
pub use text::Delta;
pub use time::Time;
