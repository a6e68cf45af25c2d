//! The formats that are written.

use serde_json::Value;

use crate::board::Board;
use crate::{desk_json, excalidraw, json_canvas, markdown, svg, table, tldraw};

/// A format that is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// Everything; comes back exactly.
    Json,
    /// A table; comes back exactly.
    Csv,
    /// A list for people; its texts come back.
    Markdown,
    /// A picture.
    Svg,
    /// A drawing of Excalidraw.
    Excalidraw,
    /// A file of tldraw.
    Tldraw,
    /// A JSON Canvas.
    Canvas,
}

impl Format {
    /// Their names in a query and on a command line, which are the files' endings.
    pub const NAMES: [(&'static str, Self); 7] = [
        ("json", Self::Json),
        ("csv", Self::Csv),
        ("md", Self::Markdown),
        ("svg", Self::Svg),
        ("excalidraw", Self::Excalidraw),
        ("tldr", Self::Tldraw),
        ("canvas", Self::Canvas),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        let named = Self::NAMES.into_iter().find(|(_, format)| *format == self);
        named.map_or("", |(name, _)| name)
    }

    /// The media type of a file.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Json | Self::Canvas => "application/json",
            Self::Csv => "text/csv; charset=utf-8",
            Self::Markdown => "text/markdown; charset=utf-8",
            Self::Svg => "image/svg+xml",
            Self::Excalidraw => "application/vnd.excalidraw+json",
            Self::Tldraw => "application/vnd.tldraw+json",
        }
    }
}

/// Writes a board; notes without a place are laid out first.
pub fn write(board: &Board, format: Format) -> String {
    if board.notes.iter().any(|note| note.place.is_none()) {
        let mut placed = board.clone();
        placed.place_beside(&[]);
        return write(&placed, format);
    }
    match format {
        Format::Json => json_value(board).to_string(),
        Format::Csv => table::write(board),
        Format::Markdown => markdown::write(board),
        Format::Svg => svg::write(board),
        Format::Excalidraw => excalidraw::write(board),
        Format::Tldraw => tldraw::write(board),
        Format::Canvas => json_canvas::write(board),
    }
}

/// A board's JSON as a part of a larger one.
pub fn json_value(board: &Board) -> Value {
    desk_json::value(board)
}
