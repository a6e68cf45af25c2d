//! The protocol's vectors, run where the page runs.

use wasm_bindgen::prelude::{JsError, wasm_bindgen};

/// Runs the cases of one file; answers how many there were.
///
/// # Errors
/// Throws what the first wrong case found.
#[wasm_bindgen(js_name = runVectors)]
pub fn run_vectors(json: &str) -> Result<usize, JsError> {
    desk_protocol::vectors::run(json).map_err(|why| JsError::new(&why))
}

/// The words for all troubles, for languages that translate them.
#[wasm_bindgen(js_name = troubleWords)]
#[must_use]
pub fn trouble_words() -> Vec<String> {
    desk_client_core::Trouble::all().map(|trouble| trouble.as_str().to_owned()).collect()
}
