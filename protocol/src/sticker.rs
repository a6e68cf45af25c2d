//! A sticker: registers, each with its stamp, and one text.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::id::{Author, Revision, StickerId};
use crate::stamp::Stamp;

/// A place on the board, in whole board units from its origin.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Point {
    /// To the right.
    pub x: i32,
    /// Downwards.
    pub y: i32,
}

/// The sides of a sticker, in whole board units.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Size {
    /// Horizontal side.
    pub width: u32,
    /// Vertical side.
    pub height: u32,
}

impl Default for Size {
    fn default() -> Self {
        Self { width: 200, height: 200 }
    }
}

/// A colour as `0xRRGGBB`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Color(pub u32);

impl Default for Color {
    /// The yellow of paper notes.
    fn default() -> Self {
        Self(0xff_e0_66)
    }
}

impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:06x}", self.0)
    }
}

/// Why a text is not a colour as `#rrggbb`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ParseColorError {
    /// It does not begin with `#`.
    #[error("a colour is #rrggbb, and begins with #")]
    Hash,
    /// The number of characters behind `#` is wrong.
    #[error("a colour is #rrggbb: expected 6 characters behind #, found {found}")]
    Length {
        /// How many there were.
        found: usize,
    },
    /// A character is no hexadecimal digit.
    #[error("a colour is #rrggbb: {found:?} is not a hexadecimal digit")]
    Digit {
        /// The first such character.
        found: char,
    },
}

impl FromStr for Color {
    type Err = ParseColorError;

    fn from_str(text: &str) -> Result<Self, ParseColorError> {
        let digits = text.strip_prefix('#').ok_or(ParseColorError::Hash)?;
        let found = digits.chars().count();
        if found != 6 {
            return Err(ParseColorError::Length { found });
        }
        let mut color = 0;
        for found in digits.chars() {
            color = color << 4 | found.to_digit(16).ok_or(ParseColorError::Digit { found })?;
        }
        Ok(Color(color))
    }
}

/// What a sticker is. It is given at the creation and never changes. Merging does not ask
/// for it, and any number is kept as it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct StickerKind(pub u8);

impl StickerKind {
    /// A note. Kinds that are not known are shown as notes, too.
    pub const NOTE: Self = Self(0);
    /// A titled rectangle that lies under all notes, and carries those in it (AREA-1).
    pub const AREA: Self = Self(1);
}

/// A value that is overwritten as a whole, with its last writer.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Stamped<T> {
    /// The value.
    pub value: T,
    /// Who wrote it last.
    pub stamp: Stamp,
}

impl<T> Stamped<T> {
    /// A value first written by `stamp`.
    pub const fn new(value: T, stamp: Stamp) -> Self {
        Self { value, stamp }
    }

    /// Overwrites the value.
    pub fn write(&mut self, value: T, revision: Revision, author: Author) {
        self.value = value;
        self.stamp = self.stamp.written(revision, author);
    }
}

/// A sticky note.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sticker {
    /// Its identifier, unique on the desk for ever.
    pub id: StickerId,
    /// Top left corner.
    pub position: Stamped<Point>,
    /// Its sides.
    pub size: Stamped<Size>,
    /// Its colour.
    pub color: Stamped<Color>,
    /// Height in the pile; equal heights stand by id.
    pub z: Stamped<i64>,
    /// Hidden, and kept for restoring.
    pub deleted: Stamped<bool>,
    /// The text; the only value that merges by character.
    pub text: Stamped<String>,
    /// Who created it.
    pub author: Author,
    /// When the server accepted its creation, in milliseconds since the Unix epoch.
    pub created_at_ms: u64,
    /// What the sticker is.
    pub kind: StickerKind,
    /// Whether hands keep off it. Merging does not ask for it (LOCK-1).
    pub locked: Stamped<bool>,
    /// A counter for each author, for votes; none is 0.
    pub counters: BTreeMap<Author, u32>,
}

impl Sticker {
    /// What the sticker counts towards the limits of a desk, in bytes: its text
    /// in UTF-8, its counters and a fixed part for everything else.
    pub fn cost(&self) -> usize {
        sticker_cost(self.text.value.len()) + COUNTER_BYTES * self.counters.len()
    }

    /// Sets an author's counter; 0 removes it.
    pub(crate) fn vote(&mut self, author: Author, count: u32) {
        if count == 0 {
            self.counters.remove(&author);
        } else {
            self.counters.insert(author, count);
        }
    }

    /// Whether an author other than `author` changed anything of it after `base`.
    pub fn concurrent(&self, author: Author, base: Revision) -> bool {
        self.stamps().iter().any(|stamp| stamp.concurrent(author, base))
    }

    /// The stamps of its registers and of its text.
    pub const fn stamps(&self) -> [Stamp; 7] {
        [
            self.position.stamp,
            self.size.stamp,
            self.color.stamp,
            self.z.stamp,
            self.deleted.stamp,
            self.locked.stamp,
            self.text.stamp,
        ]
    }
}

/// What a counter of a sticker counts in [`Sticker::cost`]: what it takes in a snapshot.
pub const COUNTER_BYTES: usize = 24;

/// [`Sticker::cost`] of a sticker with `text_bytes` of text and no counters.
pub const fn sticker_cost(text_bytes: usize) -> usize {
    64 + text_bytes
}
