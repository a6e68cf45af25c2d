//! The client core bound for the browser.
//!
//! This crate is a thin boundary over [`desk_client_core`]: it turns the page's
//! calls into the core's, and what the core tells into one JSON text, the report.
//! It is **not** a second client: what merges, queues, resends and undoes is the
//! core, and so is the text field. Its own part is the browser's offsets, which
//! count UTF-16 units (`utf16.rs`).
//!
//! The page drives it by [`DeskClient`], see `web/src/session/`.
#![forbid(unsafe_code)]

mod client;
mod record;
mod utf16;
#[cfg(feature = "vectors")]
mod vectors;

pub use client::{DeskClient, StoredRecords, words_of};
#[cfg(feature = "vectors")]
pub use vectors::{run_vectors, trouble_words};
use wasm_bindgen::prelude::wasm_bindgen;

/// The version of this binding, for the page's diagnostics.
#[wasm_bindgen]
#[must_use]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}
