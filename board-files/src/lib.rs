//! Boards as files, without I/O.
//!
//! One reader and one writer for each format, between bytes and a [`Board`].
//! The server, the command line and the page use the same code. It is **not** a
//! converter between formats, and no format's code knows another's: what they
//! share is the [`Board`], the [`Report`] of what was left out, and the rules in
//! `draft.rs` that make a board of what a format says.
//!
//! ```
//! use desk_files::{Kind, Options, read};
//!
//! let canvas = br##"{"nodes": [
//!     {"id": "a", "type": "text", "x": 0, "y": 0, "width": 200, "height": 100,
//!      "color": "#1e90ff", "text": "Book two rooms"},
//!     {"id": "b", "type": "file", "x": 300, "y": 0, "width": 200, "height": 100,
//!      "file": "station.jpg"}
//! ]}"##;
//! let imported = read(canvas, &Options::default()).expect("a JSON Canvas");
//! assert_eq!(imported.report.kind, Kind::Canvas);
//! assert_eq!(imported.board.notes[0].text, "Book two rooms");
//! assert_eq!(imported.report.to_string(), "1 file not taken over");
//!
//! // What is none of the kinds is refused, and JSON is never taken for lines.
//! let refused = read(b"{\"type\": \"FeatureCollection\"}", &Options::default());
//! assert!(refused.expect_err("no board").to_string().contains("FeatureCollection"));
//! ```
#![forbid(unsafe_code)]

mod board;
mod cells;
mod clipboard;
mod color;
pub mod date;
mod desk_json;
mod draft;
mod encoding;
mod error;
mod excalidraw;
mod format;
mod json_canvas;
mod kind;
mod layout;
mod lettering;
pub mod limits;
mod lines;
mod loose;
mod lz_string;
mod markdown;
mod markup;
mod picture;
mod place;
mod recognition;
mod report;
mod spot;
mod table;
mod tldraw;
mod trello;

pub use board::{Board, DeskFacts, Note, Origin};
pub use clipboard::{OWN_FLAVOUR, read_clipboard};
pub use error::ReadError;
pub use format::{Format, json_value, write};
pub use kind::Kind;
pub use place::Place;
pub use report::{LeftOut, Remark, Report};

pub use table::Column;

use desk_protocol::limits::TEXT_CHARS_MAX;

use crate::draft::Draught;
use crate::limits::FILE_BYTES_MAX;

/// How a file is read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// The kind, when it was given; otherwise the content tells it.
    pub kind: Option<Kind>,
    /// What the name or the media type suggests ([`Kind::suggested`]).
    pub hint: Option<Kind>,
    /// Columns of a table by the names that it has.
    pub columns: Vec<(Column, String)>,
    /// Deleted notes too.
    pub deleted: bool,
    /// A note's text, in Unicode scalar values.
    pub text_chars: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            kind: None,
            hint: None,
            columns: Vec::new(),
            deleted: false,
            text_chars: TEXT_CHARS_MAX,
        }
    }
}

/// A board out of a file, and what did not come with it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Imported {
    /// The board; never without notes.
    pub board: Board,
    /// What was left out or changed.
    pub report: Report,
}

/// Reads a file of any kind.
///
/// # Errors
/// [`ReadError`] says what is wrong and where.
pub fn read(file: &[u8], options: &Options) -> Result<Imported, ReadError> {
    if file.len() > FILE_BYTES_MAX {
        return Err(ReadError::TooLarge { found: file.len(), limit: FILE_BYTES_MAX });
    }
    recognition::of_bytes(file)?;
    let decoded = encoding::decode(file, true)?;
    let kind = match options.kind {
        Some(kind) => kind,
        None => recognition::of_text(&decoded.text, options.hint)?,
    };
    let plain = matches!(kind, Kind::Table | Kind::Lines | Kind::Markdown | Kind::Cells);
    if decoded.windows_1252 && !plain {
        // JSON is UTF-8; a byte that is none was damaged on its way.
        encoding::decode(file, false)?;
    }
    let mut report = Report::new(kind);
    report.remark(Remark::Windows1252, usize::from(decoded.windows_1252));
    read_text(&decoded.text, report, options)
}

fn read_text(text: &str, report: Report, options: &Options) -> Result<Imported, ReadError> {
    let mut draught = Draught::new(report);
    match draught.report.kind {
        Kind::Desk => desk_json::read(text, &mut draught)?,
        Kind::Table => table::read(text, &options.columns, &mut draught)?,
        Kind::Lines => lines::read(text, &mut draught)?,
        Kind::Markdown => markdown::read(text, &mut draught)?,
        Kind::Excalidraw => excalidraw::read(text, &mut draught)?,
        Kind::Tldraw => tldraw::read(text, &mut draught)?,
        Kind::Canvas => json_canvas::read(text, &mut draught)?,
        Kind::Trello => trello::read(text, &mut draught)?,
        Kind::Cells => cells::read(text, &mut draught)?,
    }
    draught.finish(options)
}
