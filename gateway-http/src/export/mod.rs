//! A desk as a file: JSON, CSV, Markdown, SVG.

mod csv;
mod markdown;
mod svg;

pub(crate) use csv::is_neutralised;

use desk_protocol::{Desk, Sticker, Time};
use serde_json::{Value, json};

use crate::http::{Body, NO_INDEX, Response, Rfc3339, Status};

/// The formats.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// Everything; comes back by import.
    Json,
    /// A table; comes back by import.
    Csv,
    /// For people.
    Markdown,
    /// A picture.
    Svg,
}

impl Format {
    /// Their names in a query.
    pub const NAMES: [(&'static str, Self); 4] =
        [("json", Self::Json), ("csv", Self::Csv), ("md", Self::Markdown), ("svg", Self::Svg)];
}

/// What an export is made of.
#[derive(Clone, Copy, Debug)]
pub struct ExportedDesk<'a> {
    /// The content.
    pub desk: &'a Desk,
    /// When the desk was created.
    pub created_at: Time,
    /// When it is gone.
    pub expires_at: Time,
}

impl<'a> ExportedDesk<'a> {
    /// The stickers of an export, from the bottom of the pile to its top.
    fn stickers(self, deleted: bool) -> impl Iterator<Item = &'a Sticker> {
        self.desk.pile().filter(move |sticker| deleted || !sticker.deleted.value)
    }
}

/// An export as an answer; `deleted`: deleted stickers too.
///
/// Everything but JSON is an attachment, so that no browser shows a stranger's
/// content as a page of ours.
pub fn respond(desk: &ExportedDesk<'_>, format: Format, deleted: bool) -> Response {
    let (content_type, file, text) = match format {
        Format::Json => ("application/json", None, json_value(desk, deleted).to_string()),
        Format::Csv => ("text/csv; charset=utf-8", Some("desk.csv"), csv::write(desk, deleted)),
        Format::Markdown => {
            ("text/markdown; charset=utf-8", Some("desk.md"), markdown::write(desk, deleted))
        }
        Format::Svg => ("image/svg+xml", Some("desk.svg"), svg::write(desk, deleted)),
    };
    let response = Response::content(Status::OK, content_type, Body::Owned(text.into_bytes()))
        .with("Cache-Control", "no-store")
        .with("X-Content-Type-Options", "nosniff")
        .with("Referrer-Policy", "no-referrer")
        .with(NO_INDEX.0, NO_INDEX.1)
        .with("Content-Security-Policy", "default-src 'none'; sandbox; frame-ancestors 'none'");
    match file {
        Some(file) => {
            response.with("Content-Disposition", format!("attachment; filename=\"{file}\""))
        }
        None => response,
    }
}

/// An export's JSON, as polls carry it, too.
pub(crate) fn json_value(desk: &ExportedDesk<'_>, deleted: bool) -> Value {
    let stickers: Vec<_> = desk.stickers(deleted).map(sticker_value).collect();
    json!({
        "title": desk.desk.title().value,
        "revision": desk.desk.revision().0,
        "created_at": Rfc3339(desk.created_at).to_string(),
        "expires_at": Rfc3339(desk.expires_at).to_string(),
        "stickers": stickers,
    })
}

fn sticker_value(sticker: &Sticker) -> Value {
    let mut value = json!({
        "id": sticker.id.to_string(),
        "x": sticker.position.value.x,
        "y": sticker.position.value.y,
        "width": sticker.size.value.width,
        "height": sticker.size.value.height,
        "color": sticker.color.value.to_string(),
        "z": sticker.z.value,
        "text": sticker.text.value,
        "author": sticker.author.0,
        "created_at": created_at(sticker).to_string(),
    });
    if sticker.deleted.value {
        value["deleted"] = Value::Bool(true);
    }
    value
}

fn created_at(sticker: &Sticker) -> Rfc3339 {
    Rfc3339(Time(sticker.created_at_ms.saturating_mul(1_000)))
}
