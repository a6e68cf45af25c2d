//! The steps of undo and redo as the last part of the queue's record.
//!
//! They apply to the state that the same record holds, and to no other:
//!
//! ```text
//! queue:       for each entry, oldest first: restores u8, of the flight u8
//! undo, redo:  count u64, then for each step, newest first:
//!                group u64, queued u8; unless queued: restores u8, of the flight u8, submit frame
//! ```
//!
//! A record may end before it, as those of earlier builds do. What cannot be read of
//! it is forgotten without an error, because the work itself stands before it.

use crate::client::Client;
use crate::event::Action;
use crate::history::{Content, Group, History, Ready, Step};
use crate::limits::UNDO_STEPS_BYTES_MAX;
use crate::pending::{Level, Owner, Pending};
use crate::record::{Reader, RestoreError, Writer};
use crate::restore::{read_batch, write_operations};

impl Client {
    /// Writes as many of the newest steps as [`UNDO_STEPS_BYTES_MAX`] allows.
    pub(crate) fn write_steps(&self, writer: &mut Writer) {
        let flight = self.pending.level();
        for entry in &self.pending.queue {
            write_marks(writer, entry.restores, entry.level, flight);
        }
        let mut left = UNDO_STEPS_BYTES_MAX;
        for stack in [&self.history.undo, &self.history.redo] {
            let (count, kept) = kept_steps(stack, flight, left);
            left -= kept.len();
            writer.number(count as u64);
            writer.plain(&kept);
        }
    }

    /// Reads what [`Client::write_steps`] wrote; what it cannot read is forgotten.
    pub(crate) fn read_steps(&mut self, reader: &mut Reader<'_>) {
        let wanted = self.config.undo_steps > 0;
        let read = read_history(&mut self.pending, reader);
        self.history = read.ok().filter(|_| wanted).unwrap_or_else(|| {
            for entry in &mut self.pending.queue {
                (entry.owner, entry.restores, entry.level) = (Owner::Nobody, false, None);
            }
            History::default()
        });
        let steps = self.history.undo.iter().chain(&self.history.redo);
        self.actions = steps.map(|step| step.group.0).max().unwrap_or_default();
        while self.history.undo.len() > self.config.undo_steps {
            self.forget_oldest_step();
        }
    }
}

/// The newest steps that fit: how many, and their bytes. Steps of one group are kept
/// together, since half of what was done at once is not to be undone.
fn kept_steps(stack: &[Step], flight: Option<Level>, bytes_max: usize) -> (usize, Vec<u8>) {
    let (mut count, mut kept) = (0, Writer::part());
    let newest_first: Vec<&Step> = stack.iter().rev().collect();
    for group in newest_first.chunk_by(|a, b| a.group == b.group) {
        let before = kept.len();
        group.iter().for_each(|step| write_step(&mut kept, step, flight));
        if kept.len() > bytes_max {
            kept.truncate(before);
            break;
        }
        count += group.len();
    }
    (count, kept.into_part())
}

fn write_step(writer: &mut Writer, step: &Step, flight: Option<Level>) {
    writer.number(step.group.0.0);
    writer.flag(step.ready().is_none());
    if let Some(ready) = step.ready() {
        write_marks(writer, ready.restores, ready.level, flight);
        write_operations(writer, ready.batch.operations(), ready.made_at);
    }
}

fn write_marks(writer: &mut Writer, restores: bool, level: Option<Level>, flight: Option<Level>) {
    writer.flag(restores);
    writer.flag(level.is_some() && level == flight);
}

fn read_marks(reader: &mut Reader<'_>) -> Result<(bool, Option<Level>), RestoreError> {
    let restores = reader.flag()?;
    Ok((restores, reader.flag()?.then_some(Level::RESTORED)))
}

/// Reads both stacks, and gives the queued entries to their owner.
fn read_history(pending: &mut Pending, reader: &mut Reader<'_>) -> Result<History, RestoreError> {
    for entry in &mut pending.queue {
        (entry.restores, entry.level) = read_marks(reader)?;
    }
    let (undo, redo) = (read_stack(reader)?, read_stack(reader)?);
    let history = History { undo, redo, typing: None };
    for (stack, owner) in [(&history.undo, Owner::Undo), (&history.redo, Owner::Redo)] {
        let queued = History::queued(stack);
        let below = pending.queue.len().checked_sub(queued).ok_or(RestoreError::Truncated)?;
        let all = stack.iter().filter(|step| step.ready().is_none()).count();
        let free = pending.queue.range(below..).all(|entry| entry.owner == Owner::Nobody);
        if all > queued || !free {
            return Err(RestoreError::Truncated);
        }
        pending.queue.range_mut(below..).for_each(|entry| entry.owner = owner);
    }
    Ok(history)
}

fn read_stack(reader: &mut Reader<'_>) -> Result<Vec<Step>, RestoreError> {
    let count = reader.number()?;
    let newest_first: Result<Vec<Step>, _> = (0..count).map(|_| read_step(reader)).collect();
    newest_first.map(|mut steps| {
        steps.reverse();
        steps
    })
}

fn read_step(reader: &mut Reader<'_>) -> Result<Step, RestoreError> {
    let group = Group(Action(reader.number()?));
    let content = if reader.flag()? {
        Content::Queued
    } else {
        let (restores, level) = read_marks(reader)?;
        let (batch, made_at) = read_batch(reader)?;
        Content::Ready(Ready { batch, made_at, level, restores })
    };
    Ok(Step { group, content })
}
