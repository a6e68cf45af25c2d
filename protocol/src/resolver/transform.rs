//! The client's side: a pending batch moves over what others committed.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::StickerId;
use crate::operation::{Batch, Operation, Register, Write};
use crate::text::{Delta, Order};

/// Transforms a pending batch and operations that were ordered before it
/// against each other: what the batch becomes on top of them, and what they
/// become on top of the batch (for the batch queued behind it, or a view).
///
/// The earlier operations may be those of one commit or of several, in their
/// order. Contents agree either way round (TP1), but for heights, which only
/// the server evaluates. What the server would find void is left out of the
/// batch, so that it can be sent again at the head.
pub fn transform(batch: &Batch, earlier: &[Operation]) -> (Batch, Vec<Operation>) {
    let written = Written::of(earlier);
    // Deltas of the batch on their way over the earlier ones, step by step.
    let mut deltas: BTreeMap<StickerId, Delta> = BTreeMap::new();
    for operation in &batch.operations {
        if let Operation::EditText { id, delta } = operation
            && !written.purged.contains(id)
        {
            deltas.insert(*id, delta.clone());
        }
    }
    let mut over = Vec::with_capacity(earlier.len());
    for operation in earlier {
        match operation {
            Operation::EditText { id, delta } => {
                let delta = match deltas.get_mut(id) {
                    Some(mine) => {
                        let theirs = delta.transform(mine, Order::Before);
                        *mine = mine.transform(delta, Order::After);
                        theirs
                    }
                    None => delta.clone(),
                };
                if !delta.is_empty() {
                    over.push(Operation::EditText { id: *id, delta });
                }
            }
            _ => over.push(operation.clone()),
        }
    }

    let mut moved = Batch::default();
    let mut overwritten: BTreeSet<Place> = BTreeSet::new();
    for operation in &batch.operations {
        if written.voids(operation) {
            over.extend(undone(operation, &written));
            continue;
        }
        match operation {
            Operation::EditText { id, .. } => {
                let delta = deltas.remove(id).expect("every delta was moved along");
                if !delta.is_empty() {
                    moved.operations.push(Operation::EditText { id: *id, delta });
                }
            }
            Operation::SetTitle { .. } | Operation::SetRegister { .. } | Operation::Set { .. } => {
                overwritten.insert(place(operation));
                moved.operations.push(operation.clone());
            }
            Operation::Raise { .. } | Operation::Lower { .. } => {
                overwritten.insert(place(operation));
                moved.operations.push(operation.clone());
            }
            Operation::Create(_) | Operation::Vote { .. } | Operation::Purge { .. } => {
                moved.operations.push(operation.clone());
            }
        }
    }
    // What the batch overwrites anyway changes nothing on top of it.
    over.retain(|operation| {
        let is_write = match operation {
            Operation::SetTitle { .. } | Operation::SetRegister { .. } => true,
            other => other.register().is_some(),
        };
        !(is_write && overwritten.contains(&place(operation)))
    });
    (moved, over)
}

/// Where a write goes: the sticker and its register, a register of the desk, or neither
/// for the title.
type Place = (Option<StickerId>, Option<Register>, Option<u8>);

fn place(operation: &Operation) -> Place {
    (operation.sticker(), operation.register(), operation.desk_register())
}

/// An undone creation is void if anyone touched the sticker, even without
/// writing the register that it writes: on top of the batch, where the sticker
/// is deleted, the earlier operations bring it back.
fn undone(operation: &Operation, written: &Written) -> Option<Operation> {
    match operation {
        Operation::Set { id, write: Write::Deleted(true), .. }
            if !written.purged.contains(id)
                && !written.registers.contains(&(*id, Register::Deleted)) =>
        {
            Some(Operation::Set { id: *id, write: Write::Deleted(false), yielding: false })
        }
        _ => None,
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
                // Nothing gives way to a vote or to a register of the desk.
                _ if operation.is_kept_by_undo() => {}
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
