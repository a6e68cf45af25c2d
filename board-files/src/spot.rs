//! Where in a file something stands that is read.

use crate::error::ReadError;
use crate::kind::Kind;
use crate::loose::Loose;
use crate::place::Place;

/// A place in a file: an element of a list, or a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Spot {
    pub(crate) kind: Kind,
    /// The list; empty for lines, which are counted from 1.
    pub(crate) list: &'static str,
    pub(crate) index: usize,
}

impl Spot {
    pub(crate) const fn element(kind: Kind, list: &'static str, index: usize) -> Self {
        Self { kind, list, index }
    }

    pub(crate) const fn line(kind: Kind, line: usize) -> Self {
        Self { kind, list: "", index: line }
    }

    /// An error at a field of the element.
    pub(crate) fn unexpected(&self, field: &str, expected: &str, found: String) -> ReadError {
        let (place, expected) = (self.place(field), expected.to_owned());
        ReadError::Unexpected { kind: self.kind, place, expected, found }
    }

    /// The place of a field of it.
    pub(crate) fn place(&self, field: &str) -> Place {
        let (index, field) = (self.index, field.to_owned());
        match self.list {
            "" => Place::Line { line: index, field },
            list => Place::Element { list, index, field },
        }
    }

    /// A number that must be there.
    pub(crate) fn number(&self, field: &str, value: &Loose) -> Result<f64, ReadError> {
        value.number().ok_or_else(|| self.unexpected(field, "a number", value.shown()))
    }

    /// A number, or none.
    pub(crate) fn number_or(
        &self,
        field: &str,
        value: &Loose,
        default: f64,
    ) -> Result<f64, ReadError> {
        if value.is_there() { self.number(field, value) } else { Ok(default) }
    }

    /// Two numbers that must be there.
    pub(crate) fn pair(
        &self,
        fields: [&str; 2],
        values: [&Loose; 2],
    ) -> Result<(f64, f64), ReadError> {
        Ok((self.number(fields[0], values[0])?, self.number(fields[1], values[1])?))
    }
}
