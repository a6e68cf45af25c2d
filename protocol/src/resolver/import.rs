//! The server's side of an import: notes of a file, added as one commit.

use super::accept::{Acceptance, Refusal, Rejection, RejectionReason, Submission, accept_within};
use super::history::TextHistories;
use crate::desk::Desk;
use crate::id::{Author, ClientSeq};
use crate::limits::{DeskLimits, OrderLimits};
use crate::operation::{Batch, Commit, Operation};

/// Notes of a file as they reach the desk's owner.
#[derive(Clone, Debug)]
pub struct Import<'a> {
    /// Who imports.
    pub author: Author,
    /// Creations, from the bottom of the pile to its top.
    pub notes: &'a Batch,
    /// The author's label.
    pub user: &'a str,
    /// The time of acceptance, in milliseconds since the Unix epoch.
    pub now_ms: u64,
    /// What its commit may take, in bytes by [`Operation::encoded_bytes_max`].
    pub bytes_max: usize,
}

/// Adds all notes at the head of the desk's order, or none. The commit is none of its
/// author's batches and uses up no number (IMPORT-1).
///
/// # Errors
/// [`Rejection`]; desk and history are unchanged then.
pub fn import(
    desk: &mut Desk,
    histories: &mut TextHistories,
    import: Import<'_>,
    limits: &OrderLimits,
) -> Result<Acceptance, Rejection> {
    let Import { author, notes, user, now_ms, bytes_max } = import;
    // A note that fits no part would fit no record of the log.
    let (found, at) = largest(notes.operations());
    let most = limits.desk.commit_bytes();
    if found > most {
        let operation = &notes.operations()[at];
        return Err(Rejection {
            operation: at,
            name: operation.name(),
            sticker: operation.sticker(),
            reason: RejectionReason::BatchTooLarge { found, limit: most },
        });
    }
    let base = desk.revision();
    let submission = Submission {
        author,
        client_seq: ClientSeq::NONE,
        base,
        made_at: base,
        batch: notes,
        user,
        now_ms,
        text_at_head: &[],
    };
    match accept_within(desk, histories, submission, limits, bytes_max) {
        Ok(acceptance) => Ok(acceptance),
        Err(Refusal::Rejected(rejection)) => Err(rejection),
        Err(Refusal::Stale(_)) => unreachable!("an import edits no text"),
    }
}

/// The bytes of the largest operation, and its place.
fn largest(operations: &[Operation]) -> (usize, usize) {
    let sizes = operations.iter().map(Operation::encoded_bytes_max);
    sizes.zip(0..).max().unwrap_or_default()
}

/// A commit as commits of the same head, each of which has no more operations and
/// bytes than the commit of a batch. Their operations, one after the other, are those
/// of the whole (IMPORT-3). A commit that fits is its only part.
pub fn parts(commit: &Commit, limits: &DeskLimits) -> Vec<Commit> {
    let (operations_max, bytes_max) = (limits.batch_operations, limits.commit_bytes());
    let mut parts = Vec::new();
    let mut rest = commit.operations.as_slice();
    loop {
        let mut bytes = 0;
        let fits = |operation: &&Operation| {
            bytes += operation.encoded_bytes_max();
            bytes <= bytes_max
        };
        // At least one, so that it ends: `import` takes none that would not fit.
        let count = rest.iter().take(operations_max).take_while(fits).count().max(1);
        let (part, after) = rest.split_at(count.min(rest.len()));
        parts.push(Commit { operations: part.to_vec(), ..head(commit) });
        rest = after;
        if rest.is_empty() {
            return parts;
        }
    }
}

/// All of a commit but its operations.
fn head(commit: &Commit) -> Commit {
    Commit { operations: Vec::new(), user: commit.user.clone(), ..*commit }
}
