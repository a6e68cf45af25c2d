//! What the client does with batches besides the resolver's algebra.

use std::collections::BTreeSet;

use desk_protocol::limits::DeskLimits;
use desk_protocol::resolver::{check, compose};
use desk_protocol::{Batch, Operation, Register, StickerId, Write};

use crate::limits::{batch_bytes_max, delta_parts_queued_max};

/// Which stickers, and whether the title and the desk's registers, something is about.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Scope {
    pub(crate) stickers: BTreeSet<StickerId>,
    pub(crate) title: bool,
    pub(crate) registers: bool,
}

impl Scope {
    pub(crate) fn of<'a>(operations: impl IntoIterator<Item = &'a Operation>) -> Self {
        let mut scope = Self::default();
        for operation in operations {
            scope.add(operation);
        }
        scope
    }

    pub(crate) fn add(&mut self, operation: &Operation) {
        match operation.sticker() {
            Some(id) => {
                self.stickers.insert(id);
            }
            None if operation.desk_register().is_some() => self.registers = true,
            None => self.title = true,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        !self.title && !self.registers && self.stickers.is_empty()
    }

    pub(crate) fn contains(&self, operation: &Operation) -> bool {
        match operation.sticker() {
            Some(id) => self.stickers.contains(&id),
            None if operation.desk_register().is_some() => self.registers,
            None => self.title,
        }
    }

    pub(crate) fn meets(&self, batch: &Batch) -> bool {
        batch.operations().iter().any(|operation| self.contains(operation))
    }
}

/// Makes a batch of operations that were in a batch before.
pub(crate) fn rebuilt(operations: impl IntoIterator<Item = Operation>) -> Batch {
    let mut batch = Batch::default();
    for operation in operations {
        batch.push(operation).expect("parts of a batch in normal form make one again");
    }
    batch
}

/// The batch with each operation changed, or left out.
pub(crate) fn mapped(batch: &Batch, change: impl FnMut(&Operation) -> Option<Operation>) -> Batch {
    rebuilt(batch.operations().iter().filter_map(change))
}

/// The batch as undo and redo make it: its plain writes yield, and the text that
/// it puts back continues nothing.
pub(crate) fn yielding(batch: &Batch) -> Batch {
    mapped(batch, |operation| {
        Some(match operation.clone() {
            Operation::Set { id, write, .. } => Operation::Set { id, write, yielding: true },
            Operation::SetTitle { title, .. } => Operation::SetTitle { title, yielding: true },
            Operation::EditText { id, delta } => {
                Operation::EditText { id, delta: delta.unmarked() }
            }
            other => other,
        })
    })
}

/// Both batches in one, if the result still fits a frame.
pub(crate) fn composed(first: &Batch, second: &Batch, limits: &DeskLimits) -> Option<Batch> {
    compose(first, second).ok().filter(|both| fits(both, limits))
}

/// Whether a batch may be sent as it is, with room for what transforming adds.
pub(crate) fn fits(batch: &Batch, limits: &DeskLimits) -> bool {
    let small = |operation: &Operation| match operation {
        Operation::EditText { delta, .. } => delta.parts().len() <= delta_parts_queued_max(limits),
        _ => true,
    };
    let sound = |operation: &Operation| check(operation, limits).is_ok() && small(operation);
    batch.len() <= limits.batch_operations
        && batch.operations().iter().all(sound)
        && batch.operations().iter().map(Operation::encoded_bytes_max).sum::<usize>()
            <= batch_bytes_max(limits)
}

/// Which value an operation of a commit wrote, if it is a register's.
pub(crate) fn written(operation: &Operation) -> Option<(StickerId, Write)> {
    match operation {
        Operation::Set { id, write, .. } => Some((*id, *write)),
        Operation::Raise { id, z: Some(z) } | Operation::Lower { id, z: Some(z) } => {
            Some((*id, Write::Z(*z)))
        }
        _ => None,
    }
}

/// Whether a batch writes a register without yielding.
pub(crate) fn insists_on(batch: &Batch, id: StickerId, register: Register) -> bool {
    batch.operations().iter().any(|operation| {
        operation.sticker() == Some(id)
            && operation.register() == Some(register)
            && !operation.yielding()
    })
}

#[cfg(test)]
mod tests {
    use desk_protocol::codec::encode_client;
    use desk_protocol::frame::{ClientFrame, Submit};
    use desk_protocol::text::Part;
    use desk_protocol::{ClientSeq, Delta, Point, Revision};

    use super::*;

    fn encoded(operations: Vec<Operation>) -> usize {
        let base = Revision(u64::MAX);
        let made_at = Revision(0);
        let submit = Submit { client_seq: ClientSeq(u64::MAX), base, made_at, operations };
        let mut bytes = Vec::new();
        encode_client(&ClientFrame::Submit(submit), &mut bytes);
        bytes.len()
    }

    #[test]
    fn the_estimate_lies_above_the_encoded_size() {
        let empty = encoded(Vec::new());
        let at = |x| Write::Position(Point { x, y: -x });
        let moves: Vec<Operation> = (0..100)
            .map(|n| Operation::Set { id: StickerId(n << 50), write: at(9), yielding: true })
            .collect();
        let parts = (0..500).flat_map(|_| [Part::Retain(7), Part::insert("é")]);
        let delta = Delta::from_parts(parts).expect("few characters");
        let edit = vec![Operation::EditText { id: StickerId(u64::MAX), delta }];
        for operations in [moves, edit] {
            let estimate: usize = operations.iter().map(Operation::encoded_bytes_max).sum();
            let found = encoded(operations) - empty;
            assert!(found <= estimate, "{found} bytes, estimated {estimate}");
        }
        let limits = DeskLimits::default();
        assert!(batch_bytes_max(&limits) + empty < limits.frame_bytes);
    }
}
