//! What an operation must satisfy on its own, whatever the desk.

use crate::limits::*;
use crate::operation::{Operation, Write};
use crate::sticker::{Color, Point, Size};
use crate::text::Delta;

/// Why an operation is not well formed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Invalid {
    /// A coordinate is out of range.
    #[error(
        "{axis} is {value}, expected a whole number from -{COORDINATE_MAX} to {COORDINATE_MAX}"
    )]
    Coordinate {
        /// `x` or `y`.
        axis: &'static str,
        /// What was sent.
        value: i32,
    },
    /// A side is out of range.
    #[error("{side} is {value}, expected a whole number from {SIDE_MIN} to {SIDE_MAX}")]
    Side {
        /// `width` or `height`.
        side: &'static str,
        /// What was sent.
        value: u32,
    },
    /// A colour has more than 24 bits.
    #[error("the colour is {0:#x}, expected at most 0xffffff")]
    Color(u32),
    /// A text is too long.
    #[error("the text has {0} characters, at most {TEXT_CHARS_MAX} are allowed")]
    Text(usize),
    /// A title is too long.
    #[error("the title has {0} characters, at most {TITLE_CHARS_MAX} are allowed")]
    Title(usize),
    /// A delta has too many parts.
    #[error("the delta has {0} parts, at most {DELTA_PARTS_MAX} are allowed")]
    DeltaParts(usize),
    /// A height is out of range.
    #[error("z is {0}, expected a whole number of at most 52 bits")]
    Height(i64),
    /// A client gave a height where the server sets it.
    #[error("z is set by the server")]
    HeightGiven,
    /// Only the server purges.
    #[error("a sticker is purged by the server alone")]
    Purge,
}

/// Heights stay exact in JavaScript numbers.
pub(crate) const HEIGHT_MAX: i64 = 1 << 52;

/// Checks an operation as a client may send it.
pub fn check(operation: &Operation) -> Result<(), Invalid> {
    match operation {
        Operation::Create(create) => {
            check_point(create.position)?;
            check_size(create.size)?;
            check_color(create.color)?;
            check_text(&create.text)?;
            create.z.map_or(Ok(()), |_| Err(Invalid::HeightGiven))
        }
        Operation::Set { write, .. } => match *write {
            Write::Position(point) => check_point(point),
            Write::Size(size) => check_size(size),
            Write::Color(color) => check_color(color),
            Write::Z(z) if z.unsigned_abs() > HEIGHT_MAX.unsigned_abs() => Err(Invalid::Height(z)),
            Write::Z(_) | Write::Deleted(_) => Ok(()),
        },
        Operation::Raise { z, .. } | Operation::Lower { z, .. } => {
            z.map_or(Ok(()), |_| Err(Invalid::HeightGiven))
        }
        Operation::EditText { delta, .. } => check_delta(delta),
        Operation::SetTitle { title, .. } => check_title(title),
        Operation::Purge { .. } => Err(Invalid::Purge),
    }
}

fn check_point(point: Point) -> Result<(), Invalid> {
    for (axis, value) in [("x", point.x), ("y", point.y)] {
        if value.unsigned_abs() > COORDINATE_MAX.unsigned_abs() {
            return Err(Invalid::Coordinate { axis, value });
        }
    }
    Ok(())
}

fn check_size(size: Size) -> Result<(), Invalid> {
    for (side, value) in [("width", size.width), ("height", size.height)] {
        if !(SIDE_MIN..=SIDE_MAX).contains(&value) {
            return Err(Invalid::Side { side, value });
        }
    }
    Ok(())
}

fn check_color(color: Color) -> Result<(), Invalid> {
    if color.0 > 0xff_ff_ff { Err(Invalid::Color(color.0)) } else { Ok(()) }
}

/// Also used for the text of a creation that edits were folded into.
pub(crate) fn check_text(text: &str) -> Result<(), Invalid> {
    match longer_than(text, TEXT_CHARS_MAX) {
        Some(chars) => Err(Invalid::Text(chars)),
        None => Ok(()),
    }
}

/// Also used for the title of a new desk.
pub(crate) fn check_title(title: &str) -> Result<(), Invalid> {
    match longer_than(title, TITLE_CHARS_MAX) {
        Some(chars) => Err(Invalid::Title(chars)),
        None => Ok(()),
    }
}

fn check_delta(delta: &Delta) -> Result<(), Invalid> {
    if delta.parts().len() > DELTA_PARTS_MAX {
        return Err(Invalid::DeltaParts(delta.parts().len()));
    }
    let inserted = delta.inserted_chars();
    if inserted > MERGED_TEXT_CHARS_MAX as u64 {
        return Err(Invalid::Text(usize::try_from(inserted).unwrap_or(usize::MAX)));
    }
    Ok(())
}

/// The number of characters, if it is over `limit`.
fn longer_than(text: &str, limit: usize) -> Option<usize> {
    if text.len() <= limit {
        return None;
    }
    let chars = text.chars().count();
    (chars > limit).then_some(chars)
}
