//! Which kind a file is of, told by what is in it.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::error::{ReadError, shown};
use crate::kind::Kind;
use crate::loose::{Filling, Loose};

/// The kind of a text.
///
/// # Errors
/// [`ReadError::Unknown`], and [`ReadError::Json`] for JSON that ends before it
/// says what it is.
pub(crate) fn of_text(text: &str, hint: Option<Kind>) -> Result<Kind, ReadError> {
    let start = text.trim_start();
    // What is called JSON and is none was damaged, and is no lines either.
    if is_json(start) || hint.is_some_and(Kind::is_json) {
        return of_json(start, hint);
    }
    if start.starts_with('<')
        && hint != Some(Kind::Markdown)
        && let Some(kind) = of_markup(start)?
    {
        return Ok(kind);
    }
    if start.starts_with("---") && start.contains("\ntldraw-file:") {
        return Err(unknown(
            "a tldraw drawing inside a Markdown file",
            "export it from its app as .tldr",
        ));
    }
    if crate::excalidraw::is_vault_drawing(start) {
        return Ok(Kind::Excalidraw);
    }
    if hint == Some(Kind::Table) || crate::table::has_known_header(text) {
        return Ok(Kind::Table);
    }
    if hint == Some(Kind::Markdown) || crate::markdown::is_list(text) {
        return Ok(Kind::Markdown);
    }
    Ok(Kind::Lines)
}

/// Bytes that are no text, by what they begin with.
pub(crate) fn of_bytes(bytes: &[u8]) -> Result<(), ReadError> {
    const SIGNS: [(&[u8], &str, &str); 7] = [
        (
            b"PK\x03\x04",
            "a zip archive (FigJam, Miro .rtb, .tldraw and .xlsx are such)",
            "export the board as CSV or copy the cells, and a tldraw board as .tldr",
        ),
        (b"\x89PNG", "a PNG picture", "export the drawing as .excalidraw or .tldr"),
        (b"\xff\xd8\xff", "a JPEG picture", ""),
        (b"GIF8", "a GIF picture", ""),
        (b"%PDF", "a PDF", ""),
        (b"SQLite format 3", "a database", "export the board from its app"),
        (b"fig-jam.", "a FigJam board", "copy its notes as text and import the lines"),
    ];
    for (sign, found, instead) in SIGNS {
        if bytes.starts_with(sign) {
            return Err(unknown(found, instead));
        }
    }
    let marked = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
    if !marked && bytes.contains(&0) {
        return Err(unknown("a binary file", "a text in UTF-16 must begin with its mark"));
    }
    Ok(())
}

fn unknown(found: &str, instead: &'static str) -> ReadError {
    ReadError::Unknown { found: found.to_owned(), instead }
}

/// Text that can only be meant as JSON. `[` alone also begins lines of people, `[[` a link
/// inside a vault, and `{{` or `{%` what a program fills in later.
fn is_json(start: &str) -> bool {
    if let Some(rest) = start.strip_prefix('{') {
        return !rest.starts_with(['{', '%']);
    }
    start.starts_with('[')
        && (start
            .trim_start_matches(|c: char| c == '[' || c.is_whitespace())
            .starts_with(['{', '"'])
            || serde_json::from_str::<IgnoredAny>(start).is_ok())
}

/// The kind of what begins with a `<`; none if that is no more than a letter.
fn of_markup(start: &str) -> Result<Option<Kind>, ReadError> {
    // The head is enough; a page of megabytes is not searched twice.
    let lower = start.to_ascii_lowercase();
    if lower.contains("data-tldraw") {
        return Ok(Some(Kind::Tldraw));
    }
    if lower.contains("<table") {
        return Ok(Some(Kind::Cells));
    }
    if lower.starts_with("<svg") || lower.starts_with("<?xml") {
        return Err(unknown(
            "a picture or another XML file",
            "export the drawing as .excalidraw, .tldr or .canvas",
        ));
    }
    if lower.starts_with("<!doctype") || lower.starts_with("<html") {
        return Err(unknown("a page without a table", "copy its text and import the lines"));
    }
    Ok(None)
}

/// What the top of a JSON document shows of its kind.
#[derive(Debug, Default)]
struct Top {
    kind_word: Option<String>,
    names: Vec<&'static str>,
    fields: usize,
    is_array: bool,
}

/// Field names that tell one kind from another.
const TELLING: [&str; 16] = [
    "tldrawFileFormatVersion",
    "records",
    "store",
    "schema",
    "stickers",
    "nodes",
    "edges",
    "cards",
    "lists",
    "elements",
    "otherCompressed",
    "shapes",
    "document",
    "assets",
    "swimlanes",
    "session",
];

impl Top {
    fn has(&self, name: &str) -> bool {
        self.names.contains(&name)
    }

    fn kind(&self, whole: bool) -> Option<Kind> {
        let word = self.kind_word.as_deref().unwrap_or_default();
        if word == "excalidraw" || word == "excalidraw/clipboard" {
            Some(Kind::Excalidraw)
        } else if self.has("tldrawFileFormatVersion") || word == "application/tldraw" {
            Some(Kind::Tldraw)
        } else if (self.has("document") && (self.has("assets") || self.has("session")))
            || (self.has("store") && self.has("schema"))
        {
            // Before tldraw's version 2, and what its editor gives to programs.
            Some(Kind::Tldraw)
        } else if self.has("stickers") {
            Some(Kind::Desk)
        } else if self.has("cards") && self.has("lists") {
            Some(Kind::Trello)
        } else if self.has("nodes") || self.has("edges") || (whole && self.is_empty()) {
            Some(Kind::Canvas)
        } else {
            None
        }
    }

    fn is_empty(&self) -> bool {
        self.fields == 0 && !self.is_array
    }
}

fn of_json(start: &str, hint: Option<Kind>) -> Result<Kind, ReadError> {
    let mut top = Top::default();
    let mut parser = serde_json::Deserializer::from_str(start);
    let parsed = TopSeed(&mut top).deserialize(&mut parser).and_then(|()| parser.end());
    if let Some(kind) = top.kind(parsed.is_ok()) {
        return Ok(kind);
    }
    if hint == Some(Kind::Tldraw) && top.has("document") {
        return Ok(Kind::Tldraw);
    }
    if let Err(error) = parsed {
        let told = error.to_string();
        let found = format!("JSON that is malformed or cut ({told})");
        return Err(ReadError::Unknown { found, instead: "" });
    }
    if top.kind_word.as_deref() == Some("excalidrawlib") {
        return Err(unknown("a library of Excalidraw", "insert it into a drawing and save that"));
    }
    let found = match (&top.kind_word, top.is_array) {
        (_, true) => "JSON that is a bare array".to_owned(),
        (Some(word), _) => format!("JSON of the type {}", shown(word)),
        (None, _) => "JSON of an unknown kind".to_owned(),
    };
    Err(ReadError::Unknown { found, instead: "" })
}

struct TopSeed<'a>(&'a mut Top);

impl<'de> DeserializeSeed<'de> for TopSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for TopSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        self.0.is_array = true;
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            self.0.fields += 1;
            if name == "type" {
                let mut word = Loose::default();
                map.next_value_seed(Filling(&mut word))?;
                self.0.kind_word = word.into_text();
                continue;
            }
            if let Some(known) = TELLING.iter().find(|known| **known == name)
                && !self.0.has(known)
            {
                self.0.names.push(known);
            }
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}
