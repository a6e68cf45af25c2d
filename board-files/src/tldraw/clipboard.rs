//! What tldraw puts on the clipboard: HTML with its content in an element that
//! carries `data-tldraw`, compressed as a whole (version 1), not at all (2), or
//! but for the assets (3).

use std::borrow::Cow;

use super::{KIND, Record};
use crate::error::ReadError;
use crate::limits::INFLATED_UNITS_MAX;
use crate::loose::{List, Loose, Maybe, parse, record};
use crate::lz_string::{LzError, decompress_base64};
use crate::markup::{Token, Tokens};
use crate::place::Place;

record! {
    struct Envelope {
        r#type: Loose = "type",
        version: Loose = "version",
        data: Maybe<Packed> = "data",
    }
}

record! {
    struct Packed {
        other_compressed: Loose = "otherCompressed",
    }
}

record! {
    /// The content's own fields.
    struct Content {
        shapes: Option<List<Maybe<Record>>> = "shapes",
        data: Maybe<Inner> = "data",
    }
}

record! {
    struct Inner {
        shapes: List<Maybe<Record>> = "shapes",
    }
}

/// The content in a clipboard's HTML, as JSON.
pub(super) fn content(html: &str) -> Result<String, ReadError> {
    let text = element_text(html);
    let text = text.trim();
    let json = if text.starts_with('{') {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(inflate("data-tldraw", text)?)
    };
    Ok(unpack(&json)?.unwrap_or_else(|| json.into_owned()))
}

/// The content, if the whole text is a clipboard's JSON.
pub(super) fn plain(text: &str) -> Result<Option<String>, ReadError> {
    let envelope: Envelope = parse(KIND, text)?;
    if envelope.r#type.text() != Some("application/tldraw") {
        return Ok(None);
    }
    Ok(Some(unpack(text)?.unwrap_or_else(|| text.to_owned())))
}

/// The shapes of a content.
pub(super) fn shapes(content: &str) -> Result<Vec<Maybe<Record>>, ReadError> {
    let content: Content = parse(KIND, content)?;
    let inner = content.data.0.map(|inner| inner.shapes);
    Ok(content.shapes.or(inner).unwrap_or_default().0)
}

/// The part of version 3 that is compressed; none in other versions.
fn unpack(json: &str) -> Result<Option<String>, ReadError> {
    let envelope: Envelope = parse(KIND, json)?;
    if envelope.version.number().is_some_and(|version| version > 3.0) {
        let found = format!("version {}", envelope.version.shown());
        return Err(unexpected("version", "a clipboard of version 1, 2 or 3", found));
    }
    let packed = envelope.data.0.map(|data| data.other_compressed);
    match packed {
        Some(Loose::Text(packed)) => inflate("data.otherCompressed", &packed).map(Some),
        _ => Ok(None),
    }
}

fn inflate(place: &'static str, packed: &str) -> Result<String, ReadError> {
    decompress_base64(packed.trim(), INFLATED_UNITS_MAX).map_err(|error| match error {
        LzError::Malformed => {
            unexpected(place, "text compressed by lz-string", "other or cut bytes".to_owned())
        }
        LzError::TooLong => ReadError::TooMany {
            kind: KIND,
            what: "characters in its compressed part",
            limit: INFLATED_UNITS_MAX,
        },
    })
}

pub(super) fn unexpected(place: &'static str, expected: &str, found: String) -> ReadError {
    let (place, expected) = (Place::Part(place), expected.to_owned());
    ReadError::Unexpected { kind: KIND, place, expected, found }
}

/// The text in the first element that carries `data-tldraw`.
fn element_text(html: &str) -> String {
    let mut text = String::new();
    let mut inside: Option<String> = None;
    for token in Tokens::of(html) {
        match token {
            Token::Start(tag) if inside.is_none() && tag.attribute("data-tldraw").is_some() => {
                inside = Some(tag.name);
            }
            Token::End(name) if inside.as_ref() == Some(&name) => break,
            Token::Text(more) if inside.is_some() => text.push_str(&more),
            _ => {}
        }
    }
    text
}
