//! Applying what was ordered, and showing what is still pending.

use std::collections::BTreeMap;

use super::check::HEIGHT_MAX;
use super::pile::Pile;
use crate::desk::Desk;
use crate::id::{Author, Revision, StickerId};
use crate::limits::{DESK_REGISTER_BYTES_MAX, REPLICA_TEXT_CHARS_MAX};
use crate::operation::{Batch, Commit, Create, Operation, Write};
use crate::stamp::Stamp;
use crate::sticker::{Stamped, Sticker};
use crate::text::{Delta, DeltaError};

/// Why a commit does not fit a replica. The replica is unchanged; it must be
/// brought up to date from a snapshot.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ApplyError {
    /// It is not the next one.
    #[error("the commit is revision {found}, expected {expected}")]
    Revision {
        /// The next revision of the replica.
        expected: Revision,
        /// The commit's.
        found: Revision,
    },
    /// It names a sticker that is not there.
    #[error("operation {operation}: there is no sticker {id}")]
    NoSticker {
        /// The operation, from 0.
        operation: usize,
        /// The sticker.
        id: StickerId,
    },
    /// It creates a sticker that is there.
    #[error("operation {operation}: there is a sticker {id} already")]
    Exists {
        /// The operation, from 0.
        operation: usize,
        /// The sticker.
        id: StickerId,
    },
    /// A height is missing or out of range.
    #[error("operation {operation}: the height of sticker {id} was not evaluated")]
    Height {
        /// The operation, from 0.
        operation: usize,
        /// The sticker.
        id: StickerId,
    },
    /// A register of the desk is too long.
    #[error("operation {operation}: register {key} would have {found} bytes")]
    Register {
        /// The operation, from 0.
        operation: usize,
        /// Which register.
        key: u8,
        /// Its bytes.
        found: usize,
    },
    /// A text delta does not fit, or makes too long a text.
    #[error("operation {operation}: {reason}")]
    Text {
        /// The operation, from 0.
        operation: usize,
        /// What does not fit.
        reason: DeltaError,
    },
}

/// Applies a commit verbatim, whole or not at all.
///
/// # Errors
/// [`ApplyError`] if the commit does not follow from the replica's state; only
/// a broken replica or a hostile server gets there.
pub fn apply(desk: &mut Desk, commit: &Commit) -> Result<(), ApplyError> {
    if commit.revision != desk.revision.next() {
        return Err(ApplyError::Revision {
            expected: desk.revision.next(),
            found: commit.revision,
        });
    }
    fits(desk, &commit.operations)?;
    apply_checked(desk, commit);
    Ok(())
}

/// Applies operations that are known to fit.
pub(crate) fn apply_checked(desk: &mut Desk, commit: &Commit) {
    for operation in &commit.operations {
        perform(desk, operation, commit.revision, commit.author, commit.accepted_at_ms);
    }
    desk.revision = commit.revision;
}

/// Shows a pending batch on top of a desk, as its author sees it: heights are
/// evaluated provisionally, and what no longer fits is passed over. The
/// revision stays.
pub fn overlay(desk: &mut Desk, batch: &Batch, author: Author, now_ms: u64) {
    let revision = desk.revision;
    for operation in batch.operations() {
        let mut operation = operation.clone();
        if let Operation::Create(Create { id, z, .. }) | Operation::Raise { id, z } = &mut operation
        {
            *z = Some(Pile::new(desk).raise(*id));
        } else if let Operation::Lower { id, z } = &mut operation {
            *z = Some(Pile::new(desk).lower(*id));
        }
        if fits(desk, std::slice::from_ref(&operation)).is_ok() {
            perform(desk, &operation, revision, author, now_ms);
        }
    }
}

fn fits(desk: &Desk, operations: &[Operation]) -> Result<(), ApplyError> {
    // Characters of the texts that these operations made, as they go on.
    let mut texts: BTreeMap<StickerId, u64> = BTreeMap::new();
    for (index, operation) in operations.iter().enumerate() {
        if let Operation::SetRegister { key, value } = operation
            && value.len() > DESK_REGISTER_BYTES_MAX
        {
            let (key, found) = (*key, value.len());
            return Err(ApplyError::Register { operation: index, key, found });
        }
        let Some(id) = operation.sticker() else { continue };
        if let Operation::Create(create) = operation {
            let chars = create.text.chars().count() as u64;
            if desk.sticker(id).is_some() || texts.insert(id, chars).is_some() {
                return Err(ApplyError::Exists { operation: index, id });
            }
        } else if desk.sticker(id).is_none() && !texts.contains_key(&id) {
            return Err(ApplyError::NoSticker { operation: index, id });
        }
        let height = match operation {
            Operation::Create(Create { z, .. })
            | Operation::Raise { z, .. }
            | Operation::Lower { z, .. } => *z,
            Operation::Set { write: Write::Z(z), .. } => Some(*z),
            _ => Some(0),
        };
        if height.is_none_or(|z| z.unsigned_abs() > HEIGHT_MAX.unsigned_abs()) {
            return Err(ApplyError::Height { operation: index, id });
        }
        if let Operation::EditText { delta, .. } = operation {
            let found = texts.entry(id).or_insert_with(|| {
                desk.sticker(id).map_or(0, |s| s.text.value.chars().count() as u64)
            });
            let after = fits_text(delta, *found)
                .map_err(|reason| ApplyError::Text { operation: index, reason })?;
            *found = after;
        }
    }
    Ok(())
}

/// Characters of a text of `found` characters after the delta.
fn fits_text(delta: &Delta, found: u64) -> Result<u64, DeltaError> {
    let needed = delta.base_chars();
    if needed > found {
        return Err(DeltaError::PastEnd { needed, found });
    }
    let after = found + delta.inserted_chars() - delta.deleted_chars();
    if after > REPLICA_TEXT_CHARS_MAX as u64 && after > found {
        return Err(DeltaError::TooLong { found: after });
    }
    Ok(after)
}

fn perform(desk: &mut Desk, operation: &Operation, at: Revision, by: Author, now_ms: u64) {
    match operation {
        Operation::Create(create) => desk.insert(new_sticker(create, at, by, now_ms)),
        Operation::Set { id, write, .. } => {
            desk.change(*id, |sticker| match *write {
                Write::Position(point) => sticker.position.write(point, at, by),
                Write::Size(size) => sticker.size.write(size, at, by),
                Write::Color(color) => sticker.color.write(color, at, by),
                Write::Z(z) => sticker.z.write(z, at, by),
                Write::Deleted(deleted) => sticker.deleted.write(deleted, at, by),
                Write::Locked(locked) => sticker.locked.write(locked, at, by),
            });
        }
        Operation::Raise { id, z } | Operation::Lower { id, z } => {
            let z = z.expect("heights were evaluated before applying");
            desk.change(*id, |sticker| sticker.z.write(z, at, by));
        }
        Operation::EditText { id, delta } => {
            desk.change(*id, |sticker| {
                let text = delta.apply(&sticker.text.value).expect("the delta was found to fit");
                sticker.text.write(text, at, by);
            });
        }
        Operation::SetTitle { title, .. } => desk.title.write(title.clone(), at, by),
        Operation::Vote { id, count } => {
            desk.change(*id, |sticker| sticker.vote(by, *count));
        }
        Operation::SetRegister { key, value } => desk.set_register(*key, value),
        Operation::Purge { id } => {
            if desk.remove(*id).is_some() {
                desk.remember_purge(*id, at);
            }
        }
    }
}

fn new_sticker(create: &Create, at: Revision, by: Author, now_ms: u64) -> Sticker {
    let stamp = Stamp::new(at, by);
    Sticker {
        id: create.id,
        position: Stamped::new(create.position, stamp),
        size: Stamped::new(create.size, stamp),
        color: Stamped::new(create.color, stamp),
        z: Stamped::new(create.z.expect("heights were evaluated before applying"), stamp),
        deleted: Stamped::new(create.deleted, stamp),
        text: Stamped::new(create.text.clone(), stamp),
        author: by,
        created_at_ms: now_ms,
        kind: create.kind,
        locked: Stamped::new(create.locked, stamp),
        counters: Default::default(),
    }
}
