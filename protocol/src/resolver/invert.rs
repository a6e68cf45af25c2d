//! Taking a batch back.

use crate::desk::Desk;
use crate::operation::{Batch, Operation, Write};

/// The batch that takes `batch` back: applied after it, the desk reads as
/// `before` did, but for a created sticker, which stays as a deleted one.
///
/// What does not fit `before` (a sticker that is not there) is left out, as it
/// was when the batch was applied.
pub fn invert(batch: &Batch, before: &Desk) -> Batch {
    let mut inverse = Batch::default();
    for operation in batch.operations() {
        let undone = match operation {
            Operation::Create(create) => {
                Some(Operation::Set { id: create.id, write: Write::Deleted(true), yielding: false })
            }
            Operation::SetTitle { .. } => {
                Some(Operation::SetTitle { title: before.title().value.clone(), yielding: false })
            }
            Operation::EditText { id, delta } => before
                .sticker(*id)
                .and_then(|sticker| delta.invert(&sticker.text.value).ok())
                .map(|delta| Operation::EditText { id: *id, delta }),
            // No undo takes these back, and nothing that stands behind them needs them.
            Operation::Vote { .. } | Operation::SetRegister { .. } | Operation::Purge { .. } => {
                None
            }
            Operation::Set { id, .. }
            | Operation::Raise { id, .. }
            | Operation::Lower { id, .. } => {
                let register = operation.register().expect("a register write");
                before.sticker(*id).map(|sticker| Operation::Set {
                    id: *id,
                    write: sticker.value(register),
                    yielding: false,
                })
            }
        };
        if let Some(undone) = undone {
            inverse.push(undone).expect("inverses create nothing and edit no created text");
        }
    }
    inverse
}
