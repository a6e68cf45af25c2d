//! A board as every format is read into and written from.

use desk_protocol::{Author, Color, Point, Revision, Size, StickerId, StickerKind, Time};

/// Notes with their places, and a title.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Board {
    /// The title; empty if the file has none.
    pub title: String,
    /// The notes, from the bottom of the pile to its top.
    pub notes: Vec<Note>,
    /// What only a desk of ours knows of itself; only our JSON has it.
    pub desk: Option<DeskFacts>,
}

impl Board {
    /// The notes as they are drawn, the lowest first: areas lie under all others.
    pub(crate) fn drawn(&self) -> impl Iterator<Item = &Note> {
        let of = |areas: bool| {
            self.notes.iter().filter(move |note| (note.kind == StickerKind::AREA) == areas)
        };
        of(true).chain(of(false))
    }
}

/// One sticky note.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Note {
    /// The top left corner; none if the file gives no places.
    pub place: Option<Point>,
    /// The sides.
    pub size: Size,
    /// The colour.
    pub color: Color,
    /// Plain text with LF.
    pub text: String,
    /// Height in the pile.
    pub z: i64,
    /// Hidden, and kept for restoring.
    pub deleted: bool,
    /// Locked in place.
    pub locked: bool,
    /// What it is.
    pub kind: StickerKind,
    /// Where the note comes from, when it comes from a desk of ours.
    pub origin: Option<Origin>,
}

/// What a desk knows of a note beyond its look. Readers leave it out: an
/// imported note is new.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Origin {
    /// The sticker.
    pub id: StickerId,
    /// Who made it.
    pub author: Author,
    /// When it was made.
    pub created_at: Time,
}

/// What a desk knows of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DeskFacts {
    /// The revision.
    pub revision: Revision,
    /// When it was created.
    pub created_at: Time,
    /// When it is gone.
    pub expires_at: Time,
}
