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
    #[error("the text has {found} characters, at most {limit} are allowed")]
    Text {
        /// Its characters.
        found: usize,
        /// The limit.
        limit: usize,
    },
    /// A title is too long.
    #[error("the title has {found} characters, at most {limit} are allowed")]
    Title {
        /// Its characters.
        found: usize,
        /// The limit.
        limit: usize,
    },
    /// A delta has too many parts.
    #[error("the delta has {found} parts, at most {limit} are allowed")]
    DeltaParts {
        /// Its parts.
        found: usize,
        /// The limit.
        limit: usize,
    },
    /// A register of the desk is too long.
    #[error("the register has {found} bytes, at most {limit} are allowed")]
    Register {
        /// Its bytes.
        found: usize,
        /// The limit.
        limit: usize,
    },
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
///
/// # Errors
/// [`Invalid`] says which field is out of its range, or what only the server may do.
pub fn check(operation: &Operation, limits: &DeskLimits) -> Result<(), Invalid> {
    match operation {
        Operation::Create(create) => {
            check_point(create.position)?;
            check_size(create.size)?;
            check_color(create.color)?;
            check_text(&create.text, limits)?;
            create.z.map_or(Ok(()), |_| Err(Invalid::HeightGiven))
        }
        Operation::Set { write, .. } => match *write {
            Write::Position(point) => check_point(point),
            Write::Size(size) => check_size(size),
            Write::Color(color) => check_color(color),
            Write::Z(z) if z.unsigned_abs() > HEIGHT_MAX.unsigned_abs() => Err(Invalid::Height(z)),
            Write::Z(_) | Write::Deleted(_) | Write::Locked(_) => Ok(()),
        },
        Operation::Raise { z, .. } | Operation::Lower { z, .. } => {
            z.map_or(Ok(()), |_| Err(Invalid::HeightGiven))
        }
        Operation::EditText { delta, .. } => check_delta(delta, limits),
        Operation::SetTitle { title, .. } => check_title(title, limits),
        Operation::Vote { .. } => Ok(()),
        Operation::SetRegister { value, .. } if value.len() > DESK_REGISTER_BYTES_MAX => {
            Err(Invalid::Register { found: value.len(), limit: DESK_REGISTER_BYTES_MAX })
        }
        Operation::SetRegister { .. } => Ok(()),
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
pub(crate) fn check_text(text: &str, limits: &DeskLimits) -> Result<(), Invalid> {
    let limit = limits.text_chars;
    longer_than(text, limit).map_or(Ok(()), |found| Err(Invalid::Text { found, limit }))
}

fn check_title(title: &str, limits: &DeskLimits) -> Result<(), Invalid> {
    let limit = limits.title_chars;
    longer_than(title, limit).map_or(Ok(()), |found| Err(Invalid::Title { found, limit }))
}

fn check_delta(delta: &Delta, limits: &DeskLimits) -> Result<(), Invalid> {
    let (found, limit) = (delta.parts().len(), limits.delta_parts);
    if found > limit {
        return Err(Invalid::DeltaParts { found, limit });
    }
    let (found, limit) = (delta.inserted_chars(), limits.merged_text_chars());
    if found > limit as u64 {
        let found = usize::try_from(found).unwrap_or(usize::MAX);
        return Err(Invalid::Text { found, limit });
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
