//! The client's side: a pending batch moves over what others committed.

use std::collections::BTreeSet;

use crate::id::StickerId;
use crate::operation::{Batch, Operation, Register, Write};
use crate::text::Order;

/// Transforms a pending batch and operations that were ordered before it
/// against each other: what the batch becomes on top of them, and what they
/// become on top of the batch (for the batch queued behind it, or a view).
///
/// Contents agree either way round (TP1), but for heights that only the server
/// evaluates.
pub fn transform(batch: &Batch, earlier: &[Operation]) -> (Batch, Vec<Operation>) {
    let written = Written::of(earlier);
    let mut moved = Batch::default();
    for operation in &batch.operations {
        let void = written.voids(operation);
        if void {
            continue;
        }
        match operation {
            Operation::EditText { id, delta } => {
                let over = earlier
                    .iter()
                    .filter_map(|other| match other {
                        Operation::EditText { id: other, delta } if other == id => Some(delta),
                        _ => None,
                    })
                    .fold(delta.clone(), |delta, other| delta.transform(other, Order::After));
                if !over.is_empty() {
                    moved.operations.push(Operation::EditText { id: *id, delta: over });
                }
            }
            _ => moved.operations.push(operation.clone()),
        }
    }
    let over =
        earlier.iter().filter_map(|operation| over_batch(operation, batch, &moved)).collect();
    (moved, over)
}

/// What an earlier operation becomes on top of the batch. Writes that the
/// batch overwrites anyway are dropped.
fn over_batch(operation: &Operation, batch: &Batch, moved: &Batch) -> Option<Operation> {
    match operation {
        Operation::EditText { id, delta } => {
            let mine = batch.operations.iter().find_map(|mine| match mine {
                Operation::EditText { id: mine, delta } if mine == id => Some(delta),
                _ => None,
            });
            let delta = match mine {
                Some(mine) => delta.transform(mine, Order::Before),
                None => delta.clone(),
            };
            (!delta.is_empty()).then_some(Operation::EditText { id: *id, delta })
        }
        Operation::SetTitle { .. } => {
            let mine = |mine: &Operation| matches!(mine, Operation::SetTitle { .. });
            (!moved.operations.iter().any(mine)).then(|| operation.clone())
        }
        _ => {
            let overwritten = operation.register().is_some()
                && moved.operations.iter().any(|mine| {
                    mine.register() == operation.register() && mine.sticker() == operation.sticker()
                });
            (!overwritten).then(|| operation.clone())
        }
    }
}

/// What the earlier operations wrote.
#[derive(Default)]
struct Written {
    registers: BTreeSet<(StickerId, Register)>,
    stickers: BTreeSet<StickerId>,
    purged: BTreeSet<StickerId>,
    title: bool,
}

impl Written {
    fn of(operations: &[Operation]) -> Self {
        let mut written = Self::default();
        for operation in operations {
            match (operation.sticker(), operation) {
                (None, _) => written.title = true,
                (Some(id), Operation::Purge { .. }) => {
                    written.purged.insert(id);
                }
                (Some(id), _) => {
                    written.stickers.insert(id);
                    if let Some(register) = operation.register() {
                        written.registers.insert((id, register));
                    }
                }
            }
        }
        written
    }

    /// Whether the server finds this operation void after them.
    fn voids(&self, operation: &Operation) -> bool {
        let Some(id) = operation.sticker() else {
            return operation.yielding() && self.title;
        };
        if self.purged.contains(&id) {
            return true;
        }
        let Operation::Set { write, yielding: true, .. } = operation else { return false };
        self.registers.contains(&(id, write.register()))
            || (*write == Write::Deleted(true) && self.stickers.contains(&id))
    }
}
