//! The readers of board files bound for the browser, a module of its own.
//!
//! This crate is a thin boundary over [`desk_files`]: bytes and texts of the page go in,
//! and a desk's JSON comes out. It is **not** a part of the client's module: the page
//! loads it when somebody first brings a file or a clipboard, see `web/src/files/`.
#![forbid(unsafe_code)]

mod refusal;

use desk_files::{Imported, Kind, OWN_FLAVOUR, Options, ReadError};
use serde_json::json;
use wasm_bindgen::prelude::{JsError, wasm_bindgen};

use crate::refusal::refusal;

/// A board that was read. Each of its notes has a place.
#[wasm_bindgen]
pub struct Reading {
    imported: Imported,
}

/// Reads a file; `name` is asked only where the content leaves a choice. `deleted`: with
/// its deleted notes.
///
/// # Errors
/// Throws an error whose message is a record of what is wrong and where, as JSON.
#[wasm_bindgen(js_name = readFile)]
pub fn read_file(file: &[u8], name: &str, deleted: bool) -> Result<Reading, JsError> {
    let options = Options { hint: Kind::suggested(name), deleted, ..Options::default() };
    reading(desk_files::read(file, &options))
}

/// Reads a clipboard by its flavours: our own, HTML and plain text. A flavour that is not
/// there is empty.
///
/// # Errors
/// Throws an error whose message is a record of what is wrong and where, as JSON.
#[wasm_bindgen(js_name = readClipboard)]
pub fn read_clipboard(own: &str, html: &str, plain: &str) -> Result<Reading, JsError> {
    let flavours = [(OWN_FLAVOUR, own), ("text/html", html), ("text/plain", plain)];
    reading(desk_files::read_clipboard(&flavours, &Options::default()))
}

fn reading(read: Result<Imported, ReadError>) -> Result<Reading, JsError> {
    let mut imported = read.map_err(|error| JsError::new(&refusal(&error)))?;
    imported.board.place_beside(&[]);
    Ok(Reading { imported })
}

#[wasm_bindgen]
impl Reading {
    /// The board as a desk's JSON, as the server imports it.
    #[wasm_bindgen(getter)]
    pub fn json(&self) -> String {
        desk_files::json_value(&self.imported.board).to_string()
    }

    /// What it was read as: the name that `--format` has for it.
    #[wasm_bindgen(getter)]
    pub fn kind(&self) -> String {
        self.imported.report.kind.name().to_owned()
    }

    /// What was left out or changed, as JSON: `{text, leftOut, remarks}`. The text is
    /// English, a clause a line; the lists are of `[word, count]`, so that each language of
    /// the page has words of its own for them.
    #[wasm_bindgen(getter)]
    pub fn told(&self) -> String {
        let report = &self.imported.report;
        let left_out: Vec<_> = report.left_out().map(|(what, n)| (what.name(), n)).collect();
        let remarks: Vec<_> = report.remarks().map(|(what, n)| (what.name(), n)).collect();
        json!({"text": report.to_string(), "leftOut": left_out, "remarks": remarks}).to_string()
    }

    /// Whether some of its notes are deleted.
    #[wasm_bindgen(getter)]
    pub fn deleted(&self) -> bool {
        self.imported.board.notes.iter().any(|note| note.deleted)
    }
}

#[cfg(test)]
mod tests {
    use desk_files::{LeftOut, Remark};

    /// The page's languages have words for what the readers tell, and for nothing else.
    #[test]
    fn the_page_knows_each_word_of_a_report() {
        let messages = include_str!("../../../web/src/text/messages.ts");
        let listed = |name: &str| -> Vec<&str> {
            let list = messages.split_once(&format!("export type {name} =\n")).map_or("", |l| l.1);
            let list = list.split_once(';').map_or("", |(list, _)| list);
            list.lines()
                .map(|line| line.trim().trim_start_matches("| ").trim_matches('"'))
                .collect()
        };
        let left_out: Vec<_> = LeftOut::ALL.iter().map(|what| what.name()).collect();
        assert_eq!(listed("LeftOut"), left_out);
        let remarks: Vec<_> = Remark::ALL.iter().map(|what| what.name()).collect();
        assert_eq!(listed("Remark"), remarks);
    }
}
