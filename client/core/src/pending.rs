//! Local work that is not confirmed yet: one batch in flight, the rest queued.

use std::collections::VecDeque;

use desk_protocol::limits::DeskLimits;
use desk_protocol::resolver::{overlay, transform};
use desk_protocol::{Author, Batch, ClientSeq, Desk, Operation, Revision, StickerId, Time};

use crate::batch::{Scope, composed, rebuilt};
use crate::event::Action;

/// Counts the batches put in flight in one run. An undo entry with the level of the
/// present batch lies above it; commits by others are ordered before that batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Level(pub(crate) u64);

impl Level {
    /// That of the batch in flight of a client that was restored.
    pub(crate) const RESTORED: Self = Self(0);
}

/// The batch in flight: its set of local operations is frozen, its number is
/// fixed, and it is transformed over what is committed before it.
#[derive(Clone, Debug)]
pub(crate) struct Flight {
    pub(crate) seq: ClientSeq,
    pub(crate) batch: Batch,
    pub(crate) through: Action,
    /// The revision at which the oldest of its actions was done (LIMIT-6).
    pub(crate) made_at: Revision,
    pub(crate) level: Level,
    /// As whom it is sent: its commit bears this author.
    pub(crate) author: Author,
    /// On the current connection.
    pub(crate) sent: bool,
    /// The server said that it was applied, as this revision.
    pub(crate) applied: Option<Revision>,
    /// The change of the stored state that first held it.
    pub(crate) frozen_at: u64,
}

/// The stack whose step takes a queued entry out again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Owner {
    Nobody,
    Undo,
    Redo,
}

/// One user action, or several that need not be told apart any more.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) owner: Owner,
    pub(crate) batch: Batch,
    pub(crate) through: Action,
    /// The revision at which the oldest of its actions was done (LIMIT-6).
    pub(crate) made_at: Revision,
    /// The batch in flight whose write it takes back, or above which it lies.
    pub(crate) level: Option<Level>,
    /// Whether it restores the value from before a write by this client.
    pub(crate) restores: bool,
}

/// The batch in flight and the queue behind it. Each applies on top of the
/// confirmed desk and all that stand before it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pending {
    pub(crate) flight: Option<Flight>,
    pub(crate) queue: VecDeque<Entry>,
}

/// Remote operations after being transformed over the pending batches.
#[derive(Debug)]
pub(crate) struct Risen {
    /// As they apply below the entries that an undo step can take out.
    pub(crate) below_run: Vec<Operation>,
    /// As they apply above all pending batches: a change of the view.
    pub(crate) view: Vec<Operation>,
}

impl Pending {
    pub(crate) fn batches(&self) -> impl Iterator<Item = &Batch> {
        let flight = self.flight.iter().map(|flight| &flight.batch);
        flight.chain(self.queue.iter().map(|entry| &entry.batch))
    }

    pub(crate) fn scope(&self) -> Scope {
        Scope::of(self.batches().flat_map(Batch::operations))
    }

    pub(crate) fn touches(&self, id: StickerId) -> bool {
        self.operations().any(|operation| operation.sticker() == Some(id))
    }

    pub(crate) fn operations(&self) -> impl Iterator<Item = &Operation> {
        self.batches().flat_map(Batch::operations)
    }

    pub(crate) fn level(&self) -> Option<Level> {
        self.flight.as_ref().map(|flight| flight.level)
    }

    /// Shows everything pending on top of a desk.
    pub(crate) fn overlay(&self, desk: &mut Desk, author: Author, now: Time) {
        for batch in self.batches() {
            overlay(desk, batch, author, now.unix_millis());
        }
    }

    /// The index of the first entry that the undo or the redo stack can take out:
    /// these are the last entries that have the same owner.
    pub(crate) fn run(&self) -> (Owner, usize) {
        let owner = self.queue.back().map_or(Owner::Nobody, |entry| entry.owner);
        if owner == Owner::Nobody {
            return (owner, self.queue.len());
        }
        let length = self.queue.iter().rev().take_while(|entry| entry.owner == owner).count();
        (owner, self.queue.len() - length)
    }

    /// Transforms all pending batches over remote operations, one batch after the
    /// other. The batch in flight is transformed as a whole, as on the server
    /// (TEXT-2).
    pub(crate) fn rebase(&mut self, operations: &[Operation]) -> Risen {
        let mut rising = operations.to_vec();
        if let Some(flight) = &mut self.flight {
            (flight.batch, rising) = transform(&flight.batch, &rising);
        }
        let (_, run) = self.run();
        let mut below_run = None;
        let mut scope = Scope::of(&rising);
        for (index, entry) in self.queue.iter_mut().enumerate() {
            if index == run {
                below_run = Some(rising.clone());
            }
            if scope.meets(&entry.batch) {
                (entry.batch, rising) = transform(&entry.batch, &rising);
                scope = Scope::of(&rising);
            }
        }
        let below_run = below_run.unwrap_or_else(|| rising.clone());
        Risen { below_run, view: rising }
    }

    /// Appends an entry that no undo step will take out. It is joined with the entry
    /// before it if both fit one batch.
    pub(crate) fn push_settled(
        &mut self,
        batch: Batch,
        through: Action,
        made_at: Revision,
        limits: &DeskLimits,
    ) {
        let (owner, level) = (Owner::Nobody, None);
        let entry = Entry { owner, batch, through, made_at, level, restores: false };
        self.queue.push_back(entry);
        self.settle(self.queue.len() - 1, limits);
    }

    /// Inserts operations that no undo step takes out, below the entries that one can
    /// take out. Those commute with them, but for a creation of the same sticker: its
    /// entry takes them in. Answers the action whose acknowledgement is theirs: `next`, or
    /// that of an entry above them. `None`: they do not fit.
    pub(crate) fn push_below(
        &mut self,
        batch: &Batch,
        next: Action,
        made_at: Revision,
        limits: &DeskLimits,
    ) -> Option<Action> {
        let (_, run) = self.run();
        let mut rest = Vec::new();
        for operation in batch.operations() {
            let creates = |one: &Operation| matches!(one, Operation::Create(create) if Some(create.id) == operation.sticker());
            let made = |entry: &&mut Entry| entry.batch.operations().iter().any(creates);
            match self.queue.iter_mut().skip(run).find(made) {
                Some(entry) => {
                    entry.batch = composed(&entry.batch, &rebuilt([operation.clone()]), limits)?;
                }
                None => rest.push(operation.clone()),
            }
        }
        let above = self.queue.back().filter(|_| run < self.queue.len()).map(|last| last.through);
        if rest.is_empty() {
            return above;
        }
        let below = match run.checked_sub(1) {
            Some(before) => self.queue[before].through,
            None => self.flight.as_ref().map_or(Action(0), |flight| flight.through),
        };
        let (owner, level, batch) = (Owner::Nobody, None, rebuilt(rest));
        let through = above.map_or(next, |_| below);
        let entry = Entry { owner, batch, through, made_at, level, restores: false };
        self.queue.insert(run, entry);
        self.settle(run, limits);
        Some(above.unwrap_or(next))
    }

    /// Removes the owner of an entry and joins the entry with neighbours that have no
    /// owner, so that a long absence does not make a long queue.
    pub(crate) fn settle(&mut self, index: usize, limits: &DeskLimits) {
        self.queue[index].owner = Owner::Nobody;
        let Some(before) = index.checked_sub(1) else { return };
        if self.queue[before].owner != Owner::Nobody {
            return;
        }
        if let Some(both) = composed(&self.queue[before].batch, &self.queue[index].batch, limits) {
            let Entry { through, made_at, .. } = self.queue[index];
            self.queue[before].batch = both;
            self.queue[before].through = through;
            self.queue[before].made_at = made_at.min(self.queue[before].made_at);
            self.queue.remove(index);
        }
    }

    /// How many entries from the front make up the next batch, and the batch.
    pub(crate) fn next_batch(&self, limits: &DeskLimits) -> (usize, Batch) {
        let mut batch = Batch::default();
        let mut count = 0;
        for entry in &self.queue {
            let both = if batch.is_empty() {
                Some(entry.batch.clone())
            } else {
                composed(&batch, &entry.batch, limits)
            };
            match both {
                Some(both) => batch = both,
                None => break,
            }
            count += 1;
        }
        (count, batch)
    }
}
