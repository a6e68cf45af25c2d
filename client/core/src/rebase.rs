//! New commits are confirmed, and all pending work is transformed over them.

use std::collections::BTreeSet;

use desk_protocol::frame::Role;
use desk_protocol::resolver::{apply, invert, overlay};
use desk_protocol::text::diff;
use desk_protocol::{
    Commit, Delta, Desk, Operation, Register, Revision, Stamp, Sticker, StickerId, Write,
};

use crate::batch::{Scope, insists_on, yielding};
use crate::client::Client;
use crate::event::{Event, Line, UnsavedReason};
use crate::history::{Content, History, Passing, Ready, pass, restore_instead};
use crate::pending::{Flight, Level, Owner};
use crate::trouble::Trouble;

impl Client {
    /// Freezes the front of the queue as the next batch in flight. Computes the
    /// inverse of each of its steps from the values below that step.
    pub(crate) fn freeze(&mut self) {
        if self.line.state() != Line::Live || self.role == Some(Role::Viewer) {
            return;
        }
        // A batch that became empty under others' changes and was never sent needs
        // no number.
        if self.pending.flight.as_ref().is_some_and(|one| one.batch.is_empty() && !one.sent) {
            self.next_seq = self.pending.flight.take().map_or(self.next_seq, |one| one.seq);
            self.store.touch();
        }
        if self.pending.flight.is_some() || self.pending.queue.is_empty() {
            return;
        }
        self.levels += 1;
        let level = Level(self.levels);
        let (count, batch) = self.pending.next_batch(&self.limits);
        let mut scratch = self.scratch(count);
        let mut frozen = Scope::default();
        let mut through = self.actions;
        let mut made_at = self.confirmed.revision();
        for _ in 0..count {
            let entry = self.pending.queue.pop_front().expect("the entries were counted");
            through = entry.through;
            made_at = made_at.min(entry.made_at);
            entry.batch.operations().iter().for_each(|operation| frozen.add(operation));
            let stack = match entry.owner {
                Owner::Nobody => None,
                Owner::Undo => Some(&mut self.history.undo),
                Owner::Redo => Some(&mut self.history.redo),
            };
            if let Some(stack) = stack {
                let inverse = yielding(&invert(&entry.batch, &scratch));
                let lowest = stack.len() - History::queued(stack);
                let made_at = entry.made_at;
                let ready = Ready { batch: inverse, made_at, level: Some(level), restores: true };
                stack[lowest].content = Content::Ready(ready);
            }
            overlay(&mut scratch, &entry.batch, self.author.unwrap_or_default(), 0);
        }
        self.history.prune();
        // The commit does not acknowledge changes that cancel out within the batch.
        if frozen != Scope::of(batch.operations()) {
            self.mark(&frozen);
        }
        if batch.is_empty() {
            self.store.touch();
            self.refresh();
            return;
        }
        let seq = self.next_seq;
        self.next_seq = seq.next();
        let frozen_at = self.store.touch();
        self.pending.flight = Some(Flight {
            seq,
            batch,
            through,
            made_at,
            level,
            author: self.me(),
            sent: false,
            applied: None,
            frozen_at,
        });
        self.refresh();
    }

    /// The confirmed stickers that the first entries are about, and the ends of
    /// the pile, which raising and lowering look at.
    fn scratch(&self, count: usize) -> Desk {
        let entries = self.pending.queue.iter().take(count);
        let mut ids = Scope::of(entries.flat_map(|entry| entry.batch.operations())).stickers;
        ids.extend(self.confirmed.pile().next().map(|sticker| sticker.id));
        ids.extend(self.confirmed.pile().next_back().map(|sticker| sticker.id));
        let mut scratch = Desk::default();
        scratch.mirror(&self.confirmed, ids);
        scratch.mirror_title(&self.confirmed);
        scratch
    }

    pub(crate) fn take_commit(&mut self, commit: Commit) {
        if commit.revision <= self.confirmed.revision() {
            return;
        }
        // This client's own commit may also purge a sticker that it or the queue has
        // changed.
        self.keep_purged(&commit.operations);
        let flight = self
            .pending
            .flight
            .take_if(|flight| flight.seq == commit.client_seq && flight.author == commit.author);
        let mine = flight.is_some();
        if let Some(flight) = &flight {
            self.acknowledge(flight, &commit);
        }
        if apply(&mut self.confirmed, &commit).is_err() {
            self.pending.flight = flight;
            self.distrust = true;
            self.give_up(Trouble::Unreadable);
            return;
        }
        self.mark(&Scope::of(&commit.operations));
        if !mine {
            self.rebase(&commit.operations);
        }
        self.store.commit(&commit, self.now);
        self.events.push_back(Event::Committed {
            revision: commit.revision,
            author: commit.author,
            user: commit.user,
            status: commit.status,
            accepted_at_ms: commit.accepted_at_ms,
            operations: commit.operations.len(),
            // An import of this client's is no batch of it.
            mine: mine || self.author == Some(commit.author),
        });
        if let Some(flight) = flight {
            self.events.push_back(Event::Acknowledged {
                seq: flight.seq,
                revision: commit.revision,
                status: commit.status,
                through: flight.through,
            });
            self.store.touch();
        }
        self.remember_imports();
    }

    /// Confirms the batch in flight by its commit. Its content is as it was shown,
    /// without heights. Differences are passed on to the queue: purges, and a text
    /// that the server transformed from an older base than the snapshot's.
    fn acknowledge(&mut self, flight: &Flight, commit: &Commit) {
        self.mark(&Scope::of(flight.batch.operations()));
        let mut differs: Vec<Operation> = Vec::new();
        let scope = Scope::of(flight.batch.operations().iter().chain(&commit.operations));
        for id in scope.stickers {
            let (mine, theirs) =
                (delta_of(flight.batch.operations(), id), delta_of(&commit.operations, id));
            let Some(sticker) = self.confirmed.sticker(id) else { continue };
            if mine == theirs {
                continue;
            }
            let text = &sticker.text.value;
            let after = |delta: Option<&Delta>| delta.map_or(Ok(text.clone()), |d| d.apply(text));
            if let (Ok(shown), Ok(ordered)) = (after(mine), after(theirs)) {
                let delta = diff(&shown, &ordered);
                if !delta.is_empty() {
                    differs.push(Operation::EditText { id, delta });
                    self.drop_text_steps(id);
                }
            }
        }
        let purges = |one: &&Operation| matches!(one, Operation::Purge { .. });
        differs.extend(commit.operations.iter().filter(purges).cloned());
        self.rebase(&differs);
    }

    /// Transforms all pending batches and undo steps over remote operations.
    fn rebase(&mut self, operations: &[Operation]) {
        if operations.is_empty() {
            return;
        }
        self.replace_restored(operations);
        let flight = self.pending.level();
        let (owner, _) = self.pending.run();
        let risen = self.pending.rebase(operations);
        let start = |mine: Owner| if owner == mine { &risen.below_run } else { &risen.view };
        let ordered = operations;
        pass(&mut self.history.undo, Passing { ordered, start: start(Owner::Undo), flight });
        pass(&mut self.history.redo, Passing { ordered, start: start(Owner::Redo), flight });
        self.prune();
        self.writing.moved(&risen.view);
    }

    /// UNDO-21: a foreign write that is ordered before mine is now the value below
    /// mine, so undo of mine restores it. This concerns only the lowest of my writes.
    fn replace_restored(&mut self, operations: &[Operation]) {
        let Some(flight) = &self.pending.flight else { return };
        for change in operations {
            let rests = match (change.sticker(), change.register()) {
                (Some(id), Some(register)) => insists_on(&flight.batch, id, register),
                (None, _) if change.desk_register().is_none() => {
                    let plain = |mine: &Operation| {
                        matches!(mine, Operation::SetTitle { yielding: false, .. })
                    };
                    flight.batch.operations().iter().any(plain)
                }
                _ => false,
            };
            if !rests {
                continue;
            }
            let level = Some(flight.level);
            let done = self.history.undo.iter_mut().chain(&mut self.history.redo);
            let done = done.filter_map(|step| match &mut step.content {
                Content::Ready(ready) if ready.restores && ready.level == level => {
                    Some(&mut ready.batch)
                }
                _ => None,
            });
            let queued = self.pending.queue.iter_mut().rev();
            let queued = queued
                .filter(|entry| entry.restores && entry.level == level)
                .map(|entry| &mut entry.batch);
            // The first one found is the lowest: `any` stops there.
            let _ = done.chain(queued).any(|batch| restore_instead(batch, change));
        }
    }

    /// DELETE-2: keeps the last state of a sticker that was purged under pending
    /// changes.
    fn keep_purged(&mut self, operations: &[Operation]) {
        for operation in operations {
            let Operation::Purge { id } = operation else { continue };
            let lost = self.pending.operations().any(|mine| {
                let deletes = match mine {
                    Operation::Set { write, .. } => *write == Write::Deleted(true),
                    Operation::Create(create) => create.deleted,
                    _ => false,
                };
                mine.sticker() == Some(*id) && !deletes
            });
            if lost {
                self.refresh();
                self.keep_unsaved(UnsavedReason::Purged, Vec::new(), [*id]);
            }
        }
    }

    /// FLIGHT-7: the server refused the batch in flight. Transforms the queue over the
    /// inverse of the batch, and keeps the batch as unsaved.
    pub(crate) fn drop_flight(&mut self, reason: UnsavedReason) {
        self.refresh();
        let Some(flight) = self.pending.flight.take() else { return };
        let scope = Scope::of(flight.batch.operations());
        let operations = flight.batch.operations().to_vec();
        self.keep_unsaved(reason, operations, scope.stickers.iter().copied());
        let created: BTreeSet<StickerId> =
            flight.batch.operations().iter().filter_map(created).collect();
        let inverse = invert(&flight.batch, &self.confirmed);
        let mut back: Vec<Operation> = inverse
            .into_operations()
            .into_iter()
            .filter(|one| one.sticker().is_none_or(|id| !created.contains(&id)))
            .collect();
        // The queue must not change a sticker whose creation was refused.
        back.extend(created.iter().map(|id| Operation::Purge { id: *id }));
        self.history.drop_where(|mine| scope.contains(mine));
        self.rebase(&back);
        self.mark(&scope);
        self.store.touch();
    }

    /// The batch in flight is part of what is confirmed.
    pub(crate) fn forget_flight(&mut self) {
        if let Some(flight) = self.pending.flight.take() {
            self.mark(&Scope::of(flight.batch.operations()));
            self.store.touch();
        }
    }

    /// The desk does not know this client any more: it will be another author,
    /// numbered from 1.
    pub(crate) fn lose_identity(&mut self) {
        self.author = None;
        self.identity_lost = true;
        self.snapshot_seen = false;
    }

    /// Called when the client has caught up under a new identity. If the batch in
    /// flight was applied under the old one, its commit has arrived and was taken.
    /// After a snapshot this cannot be known, and sending the batch again might apply
    /// it twice.
    pub(crate) fn settle_identity(&mut self) {
        let author = self.me();
        let Some(flight) = &mut self.pending.flight else { return };
        if self.snapshot_seen {
            self.drop_flight(UnsavedReason::Unknown);
        } else {
            flight.seq = self.next_seq;
            flight.author = author;
            flight.frozen_at = self.store.touch();
            self.next_seq = self.next_seq.next();
        }
    }

    /// Replaces what is confirmed when there is nothing pending to merge.
    pub(crate) fn replace_confirmed(&mut self, desk: Desk) {
        self.confirmed = desk;
        self.ready = true;
        self.stale_whole = true;
        self.store.rewrite();
    }

    /// FLIGHT-13: merges a snapshot that came instead of commits, three ways.
    pub(crate) fn take_snapshot(&mut self, desk: Desk) {
        let early = std::mem::take(&mut self.assembly.early);
        self.awaiting_snapshot = false;
        self.snapshot_seen = true;
        self.distrust = false;
        if self.ready {
            self.merge_snapshot(&desk);
        }
        self.replace_confirmed(desk);
        for commit in early {
            self.take_commit(commit);
        }
        self.remember_imports();
    }

    fn merge_snapshot(&mut self, desk: &Desk) {
        self.refresh();
        let applied = self.pending.flight.as_ref().and_then(|flight| flight.applied);
        let applied = applied.filter(|at| *at <= desk.revision());
        let mut before = self.confirmed.clone();
        if let (Some(revision), Some(flight)) = (applied, &self.pending.flight) {
            overlay(&mut before, &flight.batch, self.me(), self.now.unix_millis());
            self.events.push_back(Event::Acknowledged {
                seq: flight.seq,
                revision,
                status: Default::default(),
                through: flight.through,
            });
        }
        let changes =
            Difference { confirmed: &self.confirmed, before: &before, desk, applied }.all();
        self.keep_purged(&changes);
        if applied.is_some() {
            self.pending.flight = None;
        }
        // UNDO-23.
        for change in &changes {
            if let Operation::EditText { id, .. } = change {
                self.drop_text_steps(*id);
            }
        }
        self.rebase(&changes);
    }

    fn drop_text_steps(&mut self, id: StickerId) {
        let edits = |mine: &Operation| matches!(mine, Operation::EditText { .. });
        self.history.drop_where(|mine| edits(mine) && mine.sticker() == Some(id));
    }
}

/// What a snapshot changed, as operations to transform all pending work over.
struct Difference<'a> {
    /// What was confirmed before.
    confirmed: &'a Desk,
    /// The same with the batch in flight applied, if the snapshot includes it.
    before: &'a Desk,
    desk: &'a Desk,
    /// The revision of that batch.
    applied: Option<Revision>,
}

impl Difference<'_> {
    fn all(&self) -> Vec<Operation> {
        let mut changes = Vec::new();
        for before in self.before.stickers() {
            match self.desk.sticker(before.id) {
                Some(after) => self.sticker(before, after, &mut changes),
                None => changes.push(Operation::Purge { id: before.id }),
            }
        }
        let (old, new) = (self.confirmed.title(), self.desk.title());
        if self.written(Some(old.stamp), new.stamp) {
            let title = new.value.clone();
            changes.push(Operation::SetTitle { title, yielding: false });
        }
        changes
    }

    fn sticker(&self, before: &Sticker, after: &Sticker, changes: &mut Vec<Operation>) {
        let known = self.confirmed.sticker(before.id);
        for register in Register::ALL {
            let old = known.map(|sticker| sticker.stamp(register));
            if self.written(old, after.stamp(register)) {
                let write = after.value(register);
                changes.push(Operation::Set { id: before.id, write, yielding: false });
            }
        }
        if known.is_some_and(|known| known.text.stamp == after.text.stamp) {
            return;
        }
        let delta = diff(&before.text.value, &after.text.value);
        if !delta.is_empty() {
            changes.push(Operation::EditText { id: before.id, delta });
        }
    }

    /// Whether a register was written since, not only by this client's own batch.
    fn written(&self, old: Option<Stamp>, new: Stamp) -> bool {
        old != Some(new) && self.applied != Some(new.revision)
    }
}

fn delta_of(operations: &[Operation], id: StickerId) -> Option<&Delta> {
    operations.iter().find_map(|operation| match operation {
        Operation::EditText { id: other, delta } if *other == id => Some(delta),
        _ => None,
    })
}

fn created(operation: &Operation) -> Option<StickerId> {
    match operation {
        Operation::Create(create) => Some(create.id),
        _ => None,
    }
}
