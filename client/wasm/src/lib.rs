//! The client core bound for the browser.
//!
//! This crate is a thin boundary over [`desk_client_core`]: it turns the page's
//! calls into the core's, and what the core tells into one JSON text, the report.
//! It is **not** a second client: what merges, queues, resends and undoes is the
//! core. Its own part is the text field (`editor.rs`), whose offsets are UTF-16
//! units and whose content may lag behind while an input method composes.
//!
//! The page drives it by [`DeskClient`], see `web/src/session/`.
#![forbid(unsafe_code)]

mod client;
mod editor;
mod record;
mod splice;
#[cfg(feature = "vectors")]
mod vectors;

pub use client::{DeskClient, StoredRecords};
#[cfg(feature = "vectors")]
pub use vectors::run_vectors;
use wasm_bindgen::prelude::wasm_bindgen;

/// The version of this binding, for the page's diagnostics.
#[wasm_bindgen]
#[must_use]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}
