//! A table out (RFC 4180): a header line, a line a note, with a mark in front, by
//! which spreadsheets know that it is UTF-8.

use csv::{QuoteStyle, Terminator, WriterBuilder};

use super::needs_neutralising;
use crate::board::{Board, Note};
use crate::date::Rfc3339;

/// The columns; the reader knows them by name.
/// The text comes first: a spreadsheet of a language that parts cells by semicolons looks at
/// quotes where a line begins, and at no other comma's. So what follows a semicolon in a text
/// is no cell, and no formula, there either.
const COLUMNS: [&str; 11] =
    ["text", "id", "x", "y", "width", "height", "color", "z", "author", "created_at", "deleted"];

pub(crate) fn write(board: &Board) -> String {
    let mut table = WriterBuilder::new()
        .terminator(Terminator::CRLF)
        .quote_style(QuoteStyle::NonNumeric)
        .from_writer(Vec::new());
    let in_memory = "writing to memory does not fail";
    table.write_record(COLUMNS).expect(in_memory);
    for note in &board.notes {
        table.write_record(row(note)).expect(in_memory);
    }
    let bytes = table.into_inner().expect(in_memory);
    let table = String::from_utf8(bytes).expect("cells are text");
    format!("\u{feff}{table}")
}

fn row(note: &Note) -> [String; 11] {
    let place = note.place.unwrap_or_default();
    let origin = note.origin;
    [
        neutral(&note.text),
        origin.map_or_else(String::new, |origin| origin.id.to_string()),
        place.x.to_string(),
        place.y.to_string(),
        note.size.width.to_string(),
        note.size.height.to_string(),
        note.color.to_string(),
        note.z.to_string(),
        origin.map_or_else(String::new, |origin| origin.author.to_string()),
        origin.map_or_else(String::new, |origin| Rfc3339(origin.created_at).to_string()),
        note.deleted.to_string(),
    ]
}

/// A text that no spreadsheet runs as a formula. Numbers of ours are none.
fn neutral(text: &str) -> String {
    if needs_neutralising(text) { format!("'{text}") } else { text.to_owned() }
}
