//! A drawing inside a Markdown file, as the vaults of Obsidian have it: fields of the plugin
//! at the top, texts for the search, and at the end the scene, plain or compressed.
//!
//! ````text
//! ---
//! excalidraw-plugin: parsed
//! ---
//! # Excalidraw Data
//! ## Text Elements
//! …
//! ## Drawing
//! ```compressed-json      or: ```json
//! N4Ig…                   lz-string in base64, a blank line after every 256 digits
//! ```
//! ````

use std::borrow::Cow;

use super::KIND;
use crate::error::ReadError;
use crate::limits::INFLATED_UNITS_MAX;
use crate::lz_string::{LzError, decompress_base64};
use crate::place::Place;

/// Whether a text is such a file.
pub(crate) fn is_vault_drawing(text: &str) -> bool {
    let fields = text.trim_start().strip_prefix("---").unwrap_or_default();
    let end = fields.find("\n---").unwrap_or(fields.len());
    fields[..end].contains("excalidraw-plugin:")
}

/// The scene's JSON.
pub(super) fn scene(text: &str) -> Result<Cow<'_, str>, ReadError> {
    // A text of the drawing may look like a heading; the scene is the last part.
    let drawing = text.rfind("\n# Drawing").max(text.rfind("\n## Drawing")).unwrap_or(0);
    let part = &text[drawing..];
    if let Some(block) = block(part, "```compressed-json") {
        let digits: String = block.split_ascii_whitespace().collect();
        return decompress_base64(&digits, INFLATED_UNITS_MAX).map(Cow::Owned).map_err(|error| {
            match error {
                LzError::Malformed => {
                    unexpected("text compressed by lz-string", "other or cut bytes")
                }
                LzError::TooLong => ReadError::TooMany {
                    kind: KIND,
                    what: "characters in its compressed part",
                    limit: INFLATED_UNITS_MAX,
                },
            }
        });
    }
    block(part, "```json")
        .map(Cow::Borrowed)
        .ok_or_else(|| unexpected("a block json or compressed-json", "none"))
}

/// What stands between a fence and the next.
fn block<'a>(text: &'a str, fence: &str) -> Option<&'a str> {
    let (_, after) = text.split_once(fence)?;
    Some(after.split_once("\n```").map_or(after, |(inside, _)| inside))
}

fn unexpected(expected: &str, found: &str) -> ReadError {
    let place = Place::Part("the part named Drawing");
    let (expected, found) = (expected.to_owned(), found.to_owned());
    ReadError::Unexpected { kind: KIND, place, expected, found }
}
