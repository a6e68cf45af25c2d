//! Why a file gives no board: always the file's fault, with the place and what
//! was expected there.

use crate::kind::Kind;
use crate::limits::SHOWN_CHARS_MAX;
use crate::place::Place;

/// Why a file cannot be read. Nothing of it was taken over.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ReadError {
    /// None of the kinds.
    #[error("{found} cannot be read as a board; {} can be{}", Kind::readable(), after(.instead))]
    Unknown {
        /// What it seems to be.
        found: String,
        /// The way round, as a clause; empty if there is none.
        instead: &'static str,
    },
    /// Longer than what is looked at.
    #[error(
        "the file has {found} bytes, at most {limit} are read; leave pictures and old parts out"
    )]
    TooLarge {
        /// Its bytes.
        found: usize,
        /// The limit.
        limit: usize,
    },
    /// Bytes that are no text.
    #[error(
        "byte {byte} is no {encoding} text: expected text in UTF-8, or in UTF-16 with its mark"
    )]
    NotText {
        /// Counted from 0.
        byte: usize,
        /// As what it was read.
        encoding: &'static str,
    },
    /// Malformed JSON, or cut.
    #[error("{kind}: line {line}, column {column}: {reason}")]
    Json {
        /// What it would be.
        kind: Kind,
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
        /// What the parser expected.
        reason: String,
    },
    /// A value is not what it should be.
    #[error("{kind}: {place}: expected {expected}, found {found}")]
    Unexpected {
        /// What is read.
        kind: Kind,
        /// The line, or the element and its field.
        place: Place,
        /// What should be there.
        expected: String,
        /// What is there, shortened.
        found: String,
    },
    /// A column that was asked for is not there.
    #[error("no column is named {name:?}; the first line names {columns}")]
    NoColumn {
        /// The name.
        name: String,
        /// The names that there are.
        columns: String,
    },
    /// More than what is looked at, or than a board holds.
    #[error("{kind}: more than {limit} {what}; divide the file")]
    TooMany {
        /// What is read.
        kind: Kind,
        /// Of what.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// A text that no note holds.
    #[error(
        "{kind}: {place}: the text has {chars} characters, at most {limit} fit a note; divide it"
    )]
    LongText {
        /// What is read.
        kind: Kind,
        /// Which one.
        place: Place,
        /// Its characters.
        chars: usize,
        /// The limit.
        limit: usize,
    },
    /// Places further apart than the board is wide.
    #[error(
        "{kind}: {place}: {axis} is {found}, further than {limit} from another note; bring it nearer"
    )]
    TooFar {
        /// What is read.
        kind: Kind,
        /// Which one.
        place: Place,
        /// `x` or `y`.
        axis: &'static str,
        /// The coordinate.
        found: String,
        /// The width of the board.
        limit: i64,
    },
    /// A file of the kind without a single note.
    #[error("{kind}: there are no notes in it{}", after(.left_out))]
    Empty {
        /// What was read.
        kind: Kind,
        /// What there is instead; empty if nothing.
        left_out: String,
    },
}

fn after(clause: &str) -> String {
    if clause.is_empty() { String::new() } else { format!("; {clause}") }
}

/// A file's own words as an error shows them: short, and one line.
pub(crate) fn shown(text: &str) -> String {
    let start: String = text.chars().take(SHOWN_CHARS_MAX).collect();
    if start.len() < text.len() { format!("{start:?}…") } else { format!("{start:?}") }
}
