//! The formats that are written.

use serde_json::Value;

use crate::board::Board;
use crate::{desk_json, excalidraw, json_canvas, markdown, picture, table, tldraw};

/// A format that is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// Everything; comes back exactly.
    Json,
    /// A table; comes back exactly.
    Csv,
    /// A list for people; its texts come back.
    Markdown,
    /// A picture that stays sharp.
    Svg,
    /// A picture of pixels.
    Png,
    /// Pages of paper.
    Pdf,
    /// A drawing of Excalidraw.
    Excalidraw,
    /// A file of tldraw.
    Tldraw,
    /// A JSON Canvas.
    Canvas,
}

impl Format {
    /// Their names in a query and on a command line, which are the files' endings.
    pub const NAMES: [(&'static str, Self); 9] = [
        ("json", Self::Json),
        ("csv", Self::Csv),
        ("md", Self::Markdown),
        ("svg", Self::Svg),
        ("png", Self::Png),
        ("pdf", Self::Pdf),
        ("excalidraw", Self::Excalidraw),
        ("tldr", Self::Tldraw),
        ("canvas", Self::Canvas),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        let named = Self::NAMES.into_iter().find(|(_, format)| *format == self);
        named.map_or("", |(name, _)| name)
    }

    /// Whether its files are text.
    pub const fn is_text(self) -> bool {
        !matches!(self, Self::Png | Self::Pdf)
    }

    /// The media type of a file.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Json | Self::Canvas => "application/json",
            Self::Csv => "text/csv; charset=utf-8",
            Self::Markdown => "text/markdown; charset=utf-8",
            Self::Svg => "image/svg+xml",
            Self::Png => "image/png",
            Self::Pdf => "application/pdf",
            Self::Excalidraw => "application/vnd.excalidraw+json",
            Self::Tldraw => "application/vnd.tldraw+json",
        }
    }
}

/// Writes a board; notes without a place are laid out first.
pub fn write(board: &Board, format: Format) -> Vec<u8> {
    if board.notes.iter().any(|note| note.place.is_none()) {
        let mut placed = board.clone();
        placed.place_beside(&[]);
        return write(&placed, format);
    }
    let text = match format {
        Format::Json => json_value(board).to_string(),
        Format::Csv => table::write(board),
        Format::Markdown => markdown::write(board),
        Format::Svg => picture::svg(board),
        Format::Png => return picture::png(board),
        Format::Pdf => return picture::pdf(board),
        Format::Excalidraw => excalidraw::write(board),
        Format::Tldraw => tldraw::write(board),
        Format::Canvas => json_canvas::write(board),
    };
    text.into_bytes()
}

/// A board's JSON as a part of a larger one.
pub fn json_value(board: &Board) -> Value {
    desk_json::value(board)
}
