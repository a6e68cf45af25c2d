//! A desk as a file, in the formats of [`desk_files`].

use desk_files::{Board, DeskFacts, Note, Origin};
use desk_protocol::{Desk, Sticker, Time};
use serde_json::Value;

pub use desk_files::Format;

use crate::http::{Body, NO_INDEX, Response, Status};

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

impl ExportedDesk<'_> {
    /// The desk as a board; `deleted`: deleted stickers too.
    fn board(self, deleted: bool) -> Board {
        let stickers = self.desk.pile().filter(|sticker| deleted || !sticker.deleted.value);
        Board {
            title: self.desk.title().value.clone(),
            notes: stickers.map(note).collect(),
            desk: Some(DeskFacts {
                revision: self.desk.revision(),
                created_at: self.created_at,
                expires_at: self.expires_at,
            }),
        }
    }
}

fn note(sticker: &Sticker) -> Note {
    Note {
        place: Some(sticker.position.value),
        size: sticker.size.value,
        color: sticker.color.value,
        text: sticker.text.value.clone(),
        z: sticker.z.value,
        deleted: sticker.deleted.value,
        locked: sticker.locked.value,
        kind: sticker.kind,
        origin: Some(Origin {
            id: sticker.id,
            author: sticker.author,
            created_at: Time(sticker.created_at_ms.saturating_mul(1_000)),
        }),
    }
}

/// An export as an answer; `deleted`: deleted stickers too.
///
/// Everything but JSON is an attachment, so that no browser shows a stranger's
/// content as a page of ours.
pub fn respond(desk: &ExportedDesk<'_>, format: Format, deleted: bool) -> Response {
    let body = Body::Owned(desk_files::write(&desk.board(deleted), format));
    let response = Response::content(Status::OK, format.media_type(), body)
        .with("Cache-Control", "no-store")
        .with("X-Content-Type-Options", "nosniff")
        .with("Referrer-Policy", "no-referrer")
        .with(NO_INDEX.0, NO_INDEX.1)
        .with("Content-Security-Policy", "default-src 'none'; sandbox; frame-ancestors 'none'");
    match format {
        Format::Json => response,
        _ => {
            let file = format!("attachment; filename=\"desk.{}\"", format.name());
            response.with("Content-Disposition", file)
        }
    }
}

/// An export's JSON, as polls carry it, too.
pub(crate) fn json_value(desk: &ExportedDesk<'_>, deleted: bool) -> Value {
    desk_files::json_value(&desk.board(deleted))
}
