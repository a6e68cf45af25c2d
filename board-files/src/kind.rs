//! The kinds of files that are read, and what their names suggest.

use std::fmt;

/// The formats that are read.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// The JSON of a desk of ours.
    Desk,
    /// A table: ours, or anybody's.
    Table,
    /// A note a line.
    Lines,
    /// A list of Markdown.
    Markdown,
    /// A drawing of Excalidraw, or what it puts on the clipboard.
    Excalidraw,
    /// A file of tldraw, or what it puts on the clipboard.
    Tldraw,
    /// A JSON Canvas.
    Canvas,
    /// The JSON of a board of Trello or WeKan.
    Trello,
    /// Cells of a spreadsheet, as HTML.
    Cells,
}

impl Kind {
    /// Their names on a command line.
    pub const NAMES: [(&'static str, Self); 9] = [
        ("json", Self::Desk),
        ("csv", Self::Table),
        ("lines", Self::Lines),
        ("md", Self::Markdown),
        ("excalidraw", Self::Excalidraw),
        ("tldr", Self::Tldraw),
        ("canvas", Self::Canvas),
        ("trello", Self::Trello),
        ("cells", Self::Cells),
    ];

    /// Its name on a command line.
    pub fn name(self) -> &'static str {
        let named = Self::NAMES.into_iter().find(|(_, kind)| *kind == self);
        named.map_or("", |(name, _)| name)
    }

    /// What can be read, for those who have something else.
    pub const fn readable() -> &'static str {
        "the JSON and the CSV of a desk, files of Excalidraw, tldraw, JSON Canvas and Trello \
         (its JSON), tables as CSV, cells as HTML, Markdown lists and lines of text"
    }

    /// The kind that a file's name or media type suggests: it decides only
    /// where the content does not.
    pub fn suggested(name: &str) -> Option<Self> {
        let name = name.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let ending = name.rsplit(['.', '/']).next().unwrap_or_default();
        match ending {
            "csv" | "tsv" | "tab" | "tab-separated-values" | "ms-excel" => Some(Self::Table),
            "md" | "markdown" | "x-markdown" => Some(Self::Markdown),
            "excalidraw" => Some(Self::Excalidraw),
            "tldr" => Some(Self::Tldraw),
            "canvas" => Some(Self::Canvas),
            _ if ending == "json" || ending.ends_with("+json") => Some(Self::Desk),
            _ => None,
        }
    }

    /// Whether files of the kind are JSON.
    pub(crate) const fn is_json(self) -> bool {
        match self {
            Self::Desk | Self::Excalidraw | Self::Tldraw | Self::Canvas | Self::Trello => true,
            Self::Table | Self::Lines | Self::Markdown | Self::Cells => false,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Desk => "a desk's JSON",
            Self::Table => "a table",
            Self::Lines => "lines of text",
            Self::Markdown => "a Markdown list",
            Self::Excalidraw => "an Excalidraw drawing",
            Self::Tldraw => "a tldraw file",
            Self::Canvas => "a JSON Canvas",
            Self::Trello => "a Trello board",
            Self::Cells => "cells as HTML",
        })
    }
}
