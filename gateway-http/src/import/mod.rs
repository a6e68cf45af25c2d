//! Notes out of a file: our JSON, a table, or lines of text.

mod csv;
mod json;

use desk_protocol::limits::DeskLimits;
use desk_protocol::operation::{Create, Operation};
use desk_protocol::{Color, Point, Size, StickerId};

use crate::http::Status;
use crate::json::JsonError;
use crate::problem::Problem;

/// What the file is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// Our own export.
    Json,
    /// A table with a header line.
    Csv,
    /// A note a line.
    Lines,
}

/// Why a file gave no notes; the caller's fault.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ImportError {
    /// JSON that is not our export's.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// Not text.
    #[error("the file is not UTF-8")]
    NotUtf8,
    /// The table has no column of texts.
    #[error("the first line names no column \"text\"")]
    NoTextColumn,
    /// A quote that never ends, or text behind one.
    #[error("line {line}: a quoted cell is malformed")]
    Quote {
        /// Counted from 1.
        line: usize,
    },
    /// A cell does not hold what its column should.
    #[error("line {line}, {column}: expected {expected}, found {found:?}")]
    Cell {
        /// Counted from 1.
        line: usize,
        /// Its name.
        column: &'static str,
        /// What should be there.
        expected: &'static str,
        /// What is there, shortened.
        found: String,
    },
    /// A note that no desk accepts.
    #[error("note {note}: {reason}")]
    Note {
        /// Counted from 1.
        note: usize,
        /// What is wrong.
        reason: String,
    },
    /// Nothing to import.
    #[error("the file has no notes")]
    Empty,
    /// More than one batch can hold.
    #[error("the file has {found} notes, at most {limit} are added at once")]
    TooMany {
        /// How many.
        found: usize,
        /// The limit.
        limit: usize,
    },
}

impl ImportError {
    /// The answer that says so.
    pub fn problem(&self) -> Problem {
        let (status, todo) = match self {
            Self::Empty => (Status::UNPROCESSABLE_CONTENT, "Send at least one note"),
            Self::TooMany { .. } => (Status::UNPROCESSABLE_CONTENT, "Split the file"),
            Self::Note { .. } => (Status::UNPROCESSABLE_CONTENT, "Change that note"),
            _ => (Status::BAD_REQUEST, "Correct the file and send it again"),
        };
        Problem::new(status, format!("{self}. {todo}; nothing was added."))
    }
}

/// One note as a file gives it.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Note {
    position: Option<Point>,
    size: Size,
    color: Color,
    text: String,
    /// Orders the notes from bottom to top.
    z: i64,
    deleted: bool,
}

impl Note {
    fn new(text: String) -> Self {
        let (size, color) = (Size::default(), Color::default());
        Self { position: None, size, color, text, z: 0, deleted: false }
    }
}

/// The creations that a file asks for, one batch, from the bottom of the pile
/// to its top. Notes get new ids, drawn by `new_id`, so that a file can be
/// imported twice; those without a place are laid out in a grid; deleted ones
/// are left out.
///
/// # Errors
/// What is wrong, by its place in the file.
pub fn read(
    source: Source,
    body: &[u8],
    limits: &DeskLimits,
    new_id: &mut dyn FnMut() -> StickerId,
) -> Result<Vec<Operation>, ImportError> {
    let mut notes = match source {
        Source::Json => json::read(body)?,
        Source::Csv => csv::read(text(body)?)?,
        Source::Lines => text(body)?
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .map(|line| Note::new(line.to_owned()))
            .collect(),
    };
    notes.retain(|note| !note.deleted);
    notes.sort_by_key(|note| note.z);
    let (found, limit) = (notes.len(), limits.batch_operations);
    match found {
        0 => Err(ImportError::Empty),
        _ if found > limit => Err(ImportError::TooMany { found, limit }),
        _ => place(notes, limits, new_id),
    }
}

/// Distance between the corners of neighbours in the grid: a note and a gap.
const GRID: i32 = 220;

fn place(
    notes: Vec<Note>,
    limits: &DeskLimits,
    new_id: &mut dyn FnMut() -> StickerId,
) -> Result<Vec<Operation>, ImportError> {
    let columns = (1..).find(|side| side * side >= notes.len()).expect("some square is larger");
    let mut operations = Vec::with_capacity(notes.len());
    for (index, note) in notes.into_iter().enumerate() {
        let cell = |count: usize| GRID * i32::try_from(count).expect("a batch is small");
        let grid = Point { x: cell(index % columns), y: cell(index / columns) };
        let operation = Operation::Create(Create {
            id: new_id(),
            position: note.position.unwrap_or(grid),
            size: note.size,
            color: note.color,
            text: note.text,
            deleted: false,
            z: None,
        });
        desk_protocol::resolver::check(&operation, limits)
            .map_err(|reason| ImportError::Note { note: index + 1, reason: reason.to_string() })?;
        operations.push(operation);
    }
    Ok(operations)
}

/// A file's text, without a byte order mark.
fn text(body: &[u8]) -> Result<&str, ImportError> {
    let text = std::str::from_utf8(body).map_err(|_| ImportError::NotUtf8)?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}
