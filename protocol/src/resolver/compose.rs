//! The normal form of a batch (MERGE rule 4), and composition.

use std::collections::BTreeSet;

use super::check::{Invalid, check};
use crate::id::StickerId;
use crate::limits::BATCH_OPERATIONS_MAX;
use crate::operation::{Batch, Create, Operation, Register, Write};
use crate::text::{Delta, DeltaError};

/// Why a list of operations is not a batch. `operation` counts from 0.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BatchError {
    /// Nothing was asked for.
    #[error("the batch has no operation")]
    Empty,
    /// Too many operations.
    #[error("the batch has {0} operations, at most {BATCH_OPERATIONS_MAX} are allowed")]
    TooMany(usize),
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
            Self::Empty | Self::TooMany(_) => None,
            Self::Invalid { operation, .. }
            | Self::SecondDelta { operation, .. }
            | Self::CreatedTwice { operation, .. }
            | Self::Delta { operation, .. } => Some(*operation),
        }
    }
}

impl Batch {
    /// Checks operations as they came from outside and brings them into normal
    /// form. Text deltas that change nothing are left out.
    pub fn from_operations(operations: Vec<Operation>) -> Result<Self, BatchError> {
        if operations.is_empty() {
            return Err(BatchError::Empty);
        }
        if operations.len() > BATCH_OPERATIONS_MAX {
            return Err(BatchError::TooMany(operations.len()));
        }
        let mut batch = Self::default();
        let mut edited = BTreeSet::new();
        for (index, operation) in operations.into_iter().enumerate() {
            check(&operation).map_err(|reason| BatchError::Invalid { operation: index, reason })?;
            if let Operation::EditText { id, .. } = &operation
                && !edited.insert(*id)
            {
                return Err(BatchError::SecondDelta { operation: index, id: *id });
            }
            batch.push_at(index, operation)?;
        }
        batch.sort();
        Ok(batch)
    }

    /// Takes one more operation, made after all that is in the batch, and folds
    /// it into the normal form. The operation must be well formed by itself.
    ///
    /// # Errors
    /// [`BatchError::CreatedTwice`] and [`BatchError::Delta`]; the batch is
    /// unchanged then.
    pub fn push(&mut self, operation: Operation) -> Result<(), BatchError> {
        self.push_at(self.operations.len(), operation)?;
        self.sort();
        Ok(())
    }

    fn push_at(&mut self, index: usize, operation: Operation) -> Result<(), BatchError> {
        match operation {
            Operation::Create(create) => {
                if self.operations.iter().any(|known| known.sticker() == Some(create.id)) {
                    return Err(BatchError::CreatedTwice { operation: index, id: create.id });
                }
                self.operations.push(Operation::Create(create));
            }
            Operation::Set { id, write, yielding } => self.push_set(id, write, yielding),
            Operation::Raise { id, .. } | Operation::Lower { id, .. } => {
                self.remove_height(id);
                self.operations.push(operation);
            }
            Operation::EditText { id, delta } => self.push_delta(index, id, delta)?,
            Operation::SetTitle { title, yielding } => {
                let mut both = yielding;
                self.operations.retain(|known| match known {
                    Operation::SetTitle { yielding: earlier, .. } => {
                        both &= earlier;
                        false
                    }
                    _ => true,
                });
                self.operations.push(Operation::SetTitle { title, yielding: both });
            }
            Operation::Purge { id } => {
                self.operations.retain(|known| known.sticker() != Some(id));
                self.operations.push(operation);
            }
        }
        Ok(())
    }

    fn push_set(&mut self, id: StickerId, write: Write, yielding: bool) {
        if let (Some(create), false) = (self.created(id), write.register() == Register::Z) {
            match write {
                Write::Position(point) => create.position = point,
                Write::Size(size) => create.size = size,
                Write::Color(color) => create.color = color,
                Write::Deleted(deleted) => create.deleted = deleted,
                Write::Z(_) => {}
            }
            return;
        }
        if let Write::Z(_) = write {
            self.remove_height(id);
            self.operations.push(Operation::Set { id, write, yielding });
            return;
        }
        for known in &mut self.operations {
            if let Operation::Set { id: other, write: earlier, yielding: gave_way } = known
                && *other == id
                && earlier.register() == write.register()
            {
                *earlier = write;
                *gave_way &= yielding;
                return;
            }
        }
        self.operations.push(Operation::Set { id, write, yielding });
    }

    fn push_delta(&mut self, index: usize, id: StickerId, delta: Delta) -> Result<(), BatchError> {
        if let Some(create) = self.created(id) {
            create.text = delta
                .apply(&create.text)
                .map_err(|reason| BatchError::Delta { operation: index, reason })?;
            return Ok(());
        }
        let known = self.operations.iter_mut().position(
            |known| matches!(known, Operation::EditText { id: other, .. } if *other == id),
        );
        let composed = match known {
            Some(at) => match self.operations.remove(at) {
                Operation::EditText { delta: earlier, .. } => earlier.compose(&delta),
                _ => unreachable!("the position is that of a text edit"),
            },
            None => delta,
        };
        if !composed.is_empty() {
            self.operations.push(Operation::EditText { id, delta: composed });
        }
        Ok(())
    }

    fn created(&mut self, id: StickerId) -> Option<&mut Create> {
        self.operations.iter_mut().find_map(|known| match known {
            Operation::Create(create) if create.id == id => Some(create),
            _ => None,
        })
    }

    fn remove_height(&mut self, id: StickerId) {
        self.operations.retain(|known| {
            !(known.sticker() == Some(id) && known.register() == Some(Register::Z))
        });
    }

    /// Creations and changes of height keep their order in front; the rest
    /// stands by title, sticker and register.
    fn sort(&mut self) {
        self.operations.sort_by_key(|operation| match operation {
            Operation::Create(_) => (0, None, 0),
            _ if operation.register() == Some(Register::Z) => (0, None, 0),
            Operation::SetTitle { .. } => (1, None, 0),
            Operation::Set { id, write, .. } => (2, Some(*id), write.register() as u8),
            Operation::EditText { id, .. } => (2, Some(*id), u8::MAX),
            Operation::Purge { id } => (3, Some(*id), 0),
            Operation::Raise { .. } | Operation::Lower { .. } => (0, None, 0),
        });
    }
}

/// One batch that does what `first` and then `second` do.
///
/// # Errors
/// As [`Batch::push`]: `second` was not made after `first`.
pub fn compose(first: &Batch, second: &Batch) -> Result<Batch, BatchError> {
    let mut composed = first.clone();
    for (index, operation) in second.operations.iter().enumerate() {
        composed.push_at(index, operation.clone())?;
    }
    composed.sort();
    Ok(composed)
}
