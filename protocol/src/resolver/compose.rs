//! The normal form of a batch (BATCH-1), and composition.

use std::collections::{BTreeMap, BTreeSet};

use super::check::{Invalid, check, check_text};
use crate::id::StickerId;
use crate::limits::DeskLimits;
use crate::operation::{Batch, Create, Operation, Register, Write};
use crate::text::{Delta, DeltaError};

/// Why a list of operations is not a batch. `operation` counts from 0.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BatchError {
    /// Nothing was asked for.
    #[error("the batch has no operation")]
    Empty,
    /// Too many operations.
    #[error("the batch has {found} operations, at most {limit} are allowed")]
    TooMany {
        /// How many.
        found: usize,
        /// The limit.
        limit: usize,
    },
    /// An operation is not well formed by itself.
    #[error("operation {operation}: {reason}")]
    Invalid {
        /// Which one.
        operation: usize,
        /// What is wrong with it.
        reason: Invalid,
    },
    /// A sticker has two deltas.
    #[error("operation {operation}: sticker {id} has a text delta already, compose them into one")]
    SecondDelta {
        /// The second one.
        operation: usize,
        /// The sticker.
        id: StickerId,
    },
    /// A sticker is created twice, or after it was used.
    #[error("operation {operation}: sticker {id} is created twice or used before its creation")]
    CreatedTwice {
        /// The later one.
        operation: usize,
        /// The sticker.
        id: StickerId,
    },
    /// A yielding deletion stands behind a restore of its sticker: as one write it
    /// would not give way as it does alone. They go in two batches.
    #[error("operation {operation}: the creation of sticker {id} is undone behind its restore")]
    UndoneBehindRestore {
        /// The yielding deletion.
        operation: usize,
        /// The sticker.
        id: StickerId,
    },
    /// An edit of a text created in this batch counts past its end.
    #[error("operation {operation}: {reason}")]
    Delta {
        /// Which one.
        operation: usize,
        /// What is wrong with it.
        reason: DeltaError,
    },
}

impl BatchError {
    /// The operation at fault, from 0, if it is one alone.
    pub const fn operation(&self) -> Option<usize> {
        match self {
            Self::Empty | Self::TooMany { .. } => None,
            Self::Invalid { operation, .. }
            | Self::SecondDelta { operation, .. }
            | Self::CreatedTwice { operation, .. }
            | Self::UndoneBehindRestore { operation, .. }
            | Self::Delta { operation, .. } => Some(*operation),
        }
    }
}

impl Batch {
    /// Checks operations as they came from outside and brings them into normal
    /// form.
    ///
    /// # Errors
    /// [`BatchError`], which names the operation at fault.
    pub fn from_operations(
        operations: Vec<Operation>,
        limits: &DeskLimits,
    ) -> Result<Self, BatchError> {
        if operations.is_empty() {
            return Err(BatchError::Empty);
        }
        let (found, limit) = (operations.len(), limits.batch_operations);
        if found > limit {
            return Err(BatchError::TooMany { found, limit });
        }
        // One operation, the usual case, is in normal form as it is.
        if let [only] = &operations[..] {
            let invalid = |reason| BatchError::Invalid { operation: 0, reason };
            return check(only, limits).map_err(invalid).map(|()| Self { operations });
        }
        let mut folding = Folding { limits: Some(*limits), ..Folding::new(operations.len()) };
        let mut edited = BTreeSet::new();
        for (index, operation) in operations.into_iter().enumerate() {
            check(&operation, limits)
                .map_err(|reason| BatchError::Invalid { operation: index, reason })?;
            if let Operation::EditText { id, delta } = &operation {
                if !edited.insert(*id) {
                    return Err(BatchError::SecondDelta { operation: index, id: *id });
                }
                // A delta that changes nothing is kept, so that it is told if
                // its sticker does not exist.
                if delta.is_empty() && folding.find((Some(*id), Slot::Create)).is_none() {
                    folding.append(operation);
                    continue;
                }
            }
            folding.push(index, operation)?;
        }
        Ok(folding.finish())
    }

    /// Takes one more operation, made after all that is in the batch, and folds
    /// it into the normal form. The operation must be well formed by itself.
    ///
    /// # Errors
    /// [`BatchError::CreatedTwice`], [`BatchError::UndoneBehindRestore`] and
    /// [`BatchError::Delta`]; the batch is unchanged then.
    pub fn push(&mut self, operation: Operation) -> Result<(), BatchError> {
        let index = self.operations.len();
        let mut folding = Folding::of(std::mem::take(&mut self.operations));
        let result = folding.push(index, operation);
        *self = folding.finish();
        result
    }
}

/// One batch that does what `first` and then `second` do.
///
/// # Errors
/// As [`Batch::push`]: `second` was not made after `first`, or undoes a creation whose
/// sticker `first` restores.
pub fn compose(first: &Batch, second: &Batch) -> Result<Batch, BatchError> {
    let mut folding = Folding::new(first.len() + second.len());
    for operation in &first.operations {
        folding.append(operation.clone());
    }
    for (index, operation) in second.operations.iter().enumerate() {
        folding.push(index, operation.clone())?;
    }
    Ok(folding.finish())
}

/// What an operation is about: a normal form holds one operation of each.
type Key = (Option<StickerId>, Slot);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Slot {
    Create,
    Register(Register),
    Text,
    Title,
    DeskRegister(u8),
    Vote,
    Purge,
}

fn key(operation: &Operation) -> Key {
    let slot = match operation {
        Operation::Create(_) => Slot::Create,
        Operation::Set { write, .. } => Slot::Register(write.register()),
        Operation::Raise { .. } | Operation::Lower { .. } => Slot::Register(Register::Z),
        Operation::EditText { .. } => Slot::Text,
        Operation::SetTitle { .. } => Slot::Title,
        Operation::SetRegister { key, .. } => Slot::DeskRegister(*key),
        Operation::Vote { .. } => Slot::Vote,
        Operation::Purge { .. } => Slot::Purge,
    };
    (operation.sticker(), slot)
}

/// Up to this many operations are searched one by one; an index costs more.
const SEARCHED_MAX: usize = 16;

/// A batch while operations are folded into it.
struct Folding {
    /// In the order of their arrival; `None` where one was folded away.
    operations: Vec<Option<Operation>>,
    /// Where each stands, if there may be many.
    index: Option<BTreeMap<Key, usize>>,
    /// What binds a created text that deltas are folded into; `None` for parts
    /// that were found well formed before.
    limits: Option<DeskLimits>,
}

impl Folding {
    /// For about as many operations.
    fn new(expected: usize) -> Self {
        Self {
            operations: Vec::with_capacity(expected),
            index: (expected > SEARCHED_MAX).then(BTreeMap::new),
            limits: None,
        }
    }

    /// To push a single operation to a batch.
    fn of(operations: Vec<Operation>) -> Self {
        let operations = operations.into_iter().map(Some).collect();
        Self { operations, index: None, limits: None }
    }

    /// Creations and changes of height keep their order in front; the rest
    /// stands by title, sticker and register.
    fn finish(self) -> Batch {
        let mut operations: Vec<_> = self.operations.into_iter().flatten().collect();
        if operations.len() > 1 {
            operations.sort_by_key(|operation| match key(operation) {
                (_, Slot::Create | Slot::Register(Register::Z)) => (0, None),
                (_, Slot::Title) => (1, None),
                (_, Slot::Purge) => (3, Some(key(operation))),
                key => (2, Some(key)),
            });
        }
        Batch { operations }
    }

    fn push(&mut self, index: usize, operation: Operation) -> Result<(), BatchError> {
        match operation {
            Operation::Create(create) => {
                if self.names(create.id) {
                    return Err(BatchError::CreatedTwice { operation: index, id: create.id });
                }
                self.append(Operation::Create(create));
            }
            Operation::Set { id, write, yielding } => {
                self.push_set(index, id, write, yielding)?;
            }
            Operation::Raise { .. }
            | Operation::Lower { .. }
            | Operation::Vote { .. }
            | Operation::SetRegister { .. } => {
                self.remove(key(&operation));
                self.append(operation);
            }
            Operation::EditText { id, delta } => self.push_delta(index, id, delta)?,
            Operation::SetTitle { title, yielding } => {
                let earlier = self.remove((None, Slot::Title));
                let yielding = yielding && earlier.is_none_or(|earlier| earlier.yielding());
                self.append(Operation::SetTitle { title, yielding });
            }
            Operation::Purge { id } => {
                for operation in &mut self.operations {
                    operation.take_if(|known| known.sticker() == Some(id));
                }
                if let Some(index) = &mut self.index {
                    index.retain(|(known, _), _| *known != Some(id));
                }
                self.append(operation);
            }
        }
        Ok(())
    }

    fn push_set(
        &mut self,
        index: usize,
        id: StickerId,
        write: Write,
        yielding: bool,
    ) -> Result<(), BatchError> {
        let slot = Slot::Register(write.register());
        if let Write::Z(_) = write {
            self.remove((Some(id), slot));
            self.append(Operation::Set { id, write, yielding });
            return Ok(());
        }
        if let Some(create) = self.created(id) {
            match write {
                Write::Position(point) => create.position = point,
                Write::Size(size) => create.size = size,
                Write::Color(color) => create.color = color,
                Write::Deleted(deleted) => create.deleted = deleted,
                Write::Locked(locked) => create.locked = locked,
                Write::Z(_) => unreachable!("heights stay operations of their own"),
            }
            return Ok(());
        }
        // A list from outside is one write of its register, whatever it says.
        let is_ours = self.limits.is_none();
        match self.find((Some(id), slot)) {
            Some(Operation::Set { write: Write::Deleted(false), .. })
                if is_ours && yielding && write == Write::Deleted(true) =>
            {
                return Err(BatchError::UndoneBehindRestore { operation: index, id });
            }
            Some(Operation::Set { write: earlier, yielding: gave_way, .. }) => {
                *earlier = write;
                *gave_way &= yielding;
            }
            _ => self.append(Operation::Set { id, write, yielding }),
        }
        Ok(())
    }

    fn push_delta(&mut self, index: usize, id: StickerId, delta: Delta) -> Result<(), BatchError> {
        let limits = self.limits;
        if let Some(create) = self.created(id) {
            let text = delta
                .apply(&create.text)
                .map_err(|reason| BatchError::Delta { operation: index, reason })?;
            if let Some(limits) = limits
                && text.len() > create.text.len()
            {
                check_text(&text, &limits)
                    .map_err(|reason| BatchError::Invalid { operation: index, reason })?;
            }
            create.text = text;
            return Ok(());
        }
        let composed = match self.remove((Some(id), Slot::Text)) {
            Some(Operation::EditText { delta: earlier, .. }) => earlier.compose(&delta),
            _ => delta,
        };
        if !composed.is_empty() {
            self.append(Operation::EditText { id, delta: composed });
        }
        Ok(())
    }

    fn created(&mut self, id: StickerId) -> Option<&mut Create> {
        match self.find((Some(id), Slot::Create)) {
            Some(Operation::Create(create)) => Some(create),
            _ => None,
        }
    }

    /// Whether any operation is about this sticker.
    fn names(&self, id: StickerId) -> bool {
        match &self.index {
            Some(index) => {
                let all = (Some(id), Slot::Create)..=(Some(id), Slot::Purge);
                index.range(all).next().is_some()
            }
            None => self.operations.iter().flatten().any(|known| known.sticker() == Some(id)),
        }
    }

    fn position(&self, wanted: Key) -> Option<usize> {
        match &self.index {
            Some(index) => index.get(&wanted).copied(),
            None => {
                let wanted = |known: &Option<Operation>| {
                    known.as_ref().is_some_and(|known| key(known) == wanted)
                };
                self.operations.iter().position(wanted)
            }
        }
    }

    fn find(&mut self, wanted: Key) -> Option<&mut Operation> {
        let at = self.position(wanted)?;
        self.operations[at].as_mut()
    }

    fn remove(&mut self, wanted: Key) -> Option<Operation> {
        let at = self.position(wanted)?;
        if let Some(index) = &mut self.index {
            index.remove(&wanted);
        }
        self.operations[at].take()
    }

    fn append(&mut self, operation: Operation) {
        if let Some(index) = &mut self.index {
            index.insert(key(&operation), self.operations.len());
        }
        self.operations.push(Some(operation));
    }
}
