//! Where in a file something stands, for errors.

use std::fmt;

/// A place in a file, as an error names it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// A line, counted from 1, and a column of a table or nothing.
    Line {
        /// Counted from 1.
        line: usize,
        /// Empty: the whole line.
        field: String,
    },
    /// An element of a list, counted from 0, and one of its fields or nothing.
    Element {
        /// The list.
        list: &'static str,
        /// Counted from 0.
        index: usize,
        /// Empty: the whole element.
        field: String,
    },
    /// A part that has a name.
    Part(&'static str),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line { line, field } if field.is_empty() => write!(f, "line {line}"),
            Self::Line { line, field } => write!(f, "line {line}, {field}"),
            Self::Element { list, index, field } if field.is_empty() => {
                write!(f, "{list}[{index}]")
            }
            Self::Element { list, index, field } => write!(f, "{list}[{index}].{field}"),
            Self::Part(name) => f.write_str(name),
        }
    }
}
