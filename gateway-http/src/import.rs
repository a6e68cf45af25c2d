//! Notes out of a file: the board that [`desk_files`] reads, as creations.

use desk_files::{Board, Imported, Kind, Options, ReadError, Report};
use desk_protocol::limits::DeskLimits;
use desk_protocol::operation::{Create, Operation};
use desk_protocol::{Desk, StickerId};

use crate::http::Status;
use crate::problem::Problem;
use crate::route::Import;

/// Why a file gave no notes; the caller's fault.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ImportError {
    /// It cannot be read.
    #[error(transparent)]
    Unread(#[from] ReadError),
    /// A note that no desk accepts.
    #[error("note {note}: {reason}")]
    Note {
        /// Counted from 1.
        note: usize,
        /// What is wrong.
        reason: String,
    },
    /// More than any desk can hold.
    #[error("the file has {found} notes, at most {limit} fit a desk")]
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
            Self::Unread(ReadError::TooLarge { .. }) => {
                (Status::CONTENT_TOO_LARGE, "Send a smaller file")
            }
            Self::Unread(ReadError::Empty { .. }) => {
                (Status::UNPROCESSABLE_CONTENT, "Send at least one note")
            }
            Self::Unread(ReadError::TooMany { .. }) | Self::TooMany { .. } => {
                (Status::UNPROCESSABLE_CONTENT, "Split the file")
            }
            Self::Unread(ReadError::LongText { .. } | ReadError::TooFar { .. })
            | Self::Note { .. } => (Status::UNPROCESSABLE_CONTENT, "Change that note"),
            Self::Unread(_) => (Status::BAD_REQUEST, "Correct the file and send it again"),
        };
        Problem::new(status, format!("{self}. {todo}; nothing was added."))
    }
}

/// Reads a file. `hint` is what its media type suggests.
///
/// # Errors
/// What is wrong, by its place in the file.
pub fn read(
    wanted: &Import,
    hint: Option<Kind>,
    body: &[u8],
    limits: &DeskLimits,
) -> Result<Imported, ImportError> {
    let options = Options {
        kind: wanted.kind,
        hint,
        columns: wanted.columns.clone(),
        deleted: wanted.deleted,
        text_chars: limits.text_chars,
    };
    let imported = desk_files::read(body, &options)?;
    let live = imported.board.notes.iter().filter(|note| !note.deleted).count();
    if live > limits.stickers {
        return Err(ImportError::TooMany { found: live, limit: limits.stickers });
    }
    Ok(imported)
}

/// The creations of a board's notes, from the bottom of the pile to its top, beside what stands on `desk`. Notes get new ids, drawn by `new_id`,
/// so that a file can be imported twice.
///
/// # Errors
/// The note that `limits` refuse.
pub fn creations(
    mut board: Board,
    desk: &Desk,
    limits: &DeskLimits,
    new_id: &mut dyn FnMut() -> StickerId,
) -> Result<Vec<Operation>, ImportError> {
    let visible = desk.pile().filter(|sticker| !sticker.deleted.value);
    let there: Vec<_> =
        visible.map(|sticker| (sticker.position.value, sticker.size.value)).collect();
    board.place_beside(&there);
    let mut operations = Vec::with_capacity(board.notes.len());
    for (index, note) in board.notes.into_iter().enumerate() {
        let operation = Operation::Create(Create {
            id: new_id(),
            kind: note.kind,
            position: note.place.expect("place_beside gave every note a place"),
            size: note.size,
            color: note.color,
            text: note.text,
            deleted: note.deleted,
            locked: note.locked,
            z: None,
        });
        desk_protocol::resolver::check(&operation, limits)
            .map_err(|reason| ImportError::Note { note: index + 1, reason: reason.to_string() })?;
        operations.push(operation);
    }
    Ok(operations)
}

/// What a report tells, a clause each.
pub fn told(report: &Report) -> Vec<String> {
    report.to_string().lines().map(str::to_owned).collect()
}
