//! The client core bound for the browser.
#![forbid(unsafe_code)]

use wasm_bindgen::prelude::wasm_bindgen;

/// The version of this binding, for the page's diagnostics.
#[wasm_bindgen]
#[must_use]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}
