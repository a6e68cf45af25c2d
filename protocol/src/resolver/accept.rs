//! The server's side: a batch goes to the head of the desk's order.

use std::collections::BTreeMap;

use super::apply::apply_checked;
use super::history::TextHistories;
use super::pile::Pile;
use crate::desk::Desk;
use crate::id::{Author, ClientSeq, Revision, StickerId};
use crate::limits::{BinLimits, DeskLimits, OrderLimits};
use crate::operation::{Batch, CollisionStatus, Commit, Create, Operation, Write};
use crate::sticker::{COUNTER_BYTES, Sticker, sticker_cost};
use crate::text::{Delta, Order};

/// A batch as it reaches the desk's owner.
#[derive(Clone, Debug)]
pub struct Submission<'a> {
    /// Who sent it.
    pub author: Author,
    /// Its number in the author's order.
    pub client_seq: ClientSeq,
    /// The revision it stands on; never above the desk's.
    pub base: Revision,
    /// The revision at which the oldest of its operations was made; `base`, or
    /// below it if they were moved over others' commits since. The author says
    /// so, and may claim too old a one: the merged limits bind it all the same.
    pub made_at: Revision,
    /// What it asks for.
    pub batch: &'a Batch,
    /// The author's label.
    pub user: &'a str,
    /// The time of acceptance, in milliseconds since the Unix epoch.
    pub now_ms: u64,
    /// Stickers whose delta was brought to the desk's present text already: by
    /// a three-way merge, for senders without a replica (FLIGHT-14).
    pub text_at_head: &'a [StickerId],
}

/// A batch was accepted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Acceptance {
    /// What everyone applies. It is applied to the desk already.
    pub commit: Commit,
    /// Stickers created, in the order of their creations.
    pub created: Vec<StickerId>,
}

/// A batch was not accepted; nothing has changed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// Its base lies below the text history of a sticker that it edits: catch
    /// up and send it again (FLIGHT-11). Uses up no number.
    #[error("the text of sticker {0} has changed too much since the base revision")]
    Stale(StickerId),
    /// It can never be accepted. Uses up its number.
    #[error(transparent)]
    Rejected(#[from] Rejection),
}

/// Which operation made a batch impossible, and why.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("operation {operation} ({name}): {reason}")]
pub struct Rejection {
    /// Position in the normal form, from 0.
    pub operation: usize,
    /// The operation's name.
    pub name: &'static str,
    /// The sticker it is about.
    pub sticker: Option<StickerId>,
    /// What is wrong.
    pub reason: RejectionReason,
}

/// Why an operation is impossible on this desk.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RejectionReason {
    /// There is no such sticker.
    #[error("there is no sticker {0}")]
    NoSticker(StickerId),
    /// The id was used before.
    #[error("the sticker id {0} was used before, choose another")]
    IdUsed(StickerId),
    /// The delta counts past the end of the text at its base.
    #[error("the delta counts {needed} characters, the text at its base had {found}")]
    PastEnd {
        /// Characters that the delta retains and deletes.
        needed: u64,
        /// Characters that there were.
        found: u64,
    },
    /// The author's own text would be too long.
    #[error("the text would have {found} characters, at most {limit} are allowed")]
    TextTooLong {
        /// Its characters.
        found: u64,
        /// The limit.
        limit: usize,
    },
    /// The merged text would be too long.
    #[error(
        "merged with others' changes the text would have {found} characters, at most {limit} are allowed"
    )]
    MergedTextTooLong {
        /// Its characters.
        found: u64,
        /// The limit.
        limit: usize,
    },
    /// The desk has as many stickers as it may have.
    #[error("the desk would have {found} stickers, at most {limit} are allowed")]
    TooManyStickers {
        /// How many.
        found: usize,
        /// The limit.
        limit: usize,
    },
    /// The desk is as large as it may be.
    #[error("the desk would take {found} bytes, at most {limit} are allowed")]
    DeskTooLarge {
        /// Its bytes.
        found: usize,
        /// The limit.
        limit: usize,
    },
    /// The commit would not fit the log.
    #[error("the batch would take {found} bytes, at most {limit} are allowed: split it")]
    BatchTooLarge {
        /// Its bytes, roughly.
        found: usize,
        /// The limit.
        limit: usize,
    },
}

/// Transforms a batch against all that was committed since its base, gives it
/// the next revision and applies it to the desk.
///
/// The cost of a register write does not depend on how long the author was
/// away; a text edit is transformed step by step over that sticker's own
/// history (TEXT-2).
///
/// # Errors
/// [`Refusal`]; desk and history are unchanged then.
///
/// # Panics
/// If the base is above the desk's revision: the caller answers that before.
pub fn accept(
    desk: &mut Desk,
    histories: &mut TextHistories,
    submission: Submission<'_>,
    limits: &OrderLimits,
) -> Result<Acceptance, Refusal> {
    accept_within(desk, histories, submission, limits, limits.desk.commit_bytes())
}

/// The same for a commit that may take so many bytes.
pub(super) fn accept_within(
    desk: &mut Desk,
    histories: &mut TextHistories,
    submission: Submission<'_>,
    limits: &OrderLimits,
    bytes_max: usize,
) -> Result<Acceptance, Refusal> {
    assert!(submission.base <= desk.revision, "a base above the head is answered earlier");
    let mut resolution = Resolution::new(desk, histories, &submission, limits);
    resolution.refuse_stale()?;
    for (index, operation) in submission.batch.operations().iter().enumerate() {
        resolution.resolve(operation).map_err(|reason| resolution.reject(index, reason))?;
    }
    resolution.check_desk_limits()?;
    resolution.check_commit_bytes(bytes_max)?;
    let Resolution { operations, status, created, .. } = resolution;

    let mut commit = Commit {
        revision: desk.revision.next(),
        author: submission.author,
        client_seq: submission.client_seq,
        status,
        user: submission.user.to_owned(),
        accepted_at_ms: submission.now_ms,
        operations,
    };
    histories.record(desk, &commit);
    apply_checked(desk, &commit);
    purge(desk, histories, &mut commit, limits.bin);
    Ok(Acceptance { commit, created })
}

/// Drops the longest deleted stickers beyond the limit, as part of the commit
/// that went past it (DELETE-2).
fn purge(desk: &mut Desk, histories: &mut TextHistories, commit: &mut Commit, limits: BinLimits) {
    while desk.deleted_stickers() > limits.stickers || desk.deleted_bytes() > limits.bytes {
        let oldest = desk.bin.first().map(|(_, id)| *id).expect("the bin is over its limit");
        let purge = Operation::Purge { id: oldest };
        desk.remove(oldest);
        desk.remember_purge(oldest, commit.revision);
        histories.forget(oldest);
        commit.operations.push(purge);
    }
}

struct Resolution<'a> {
    desk: &'a Desk,
    histories: &'a TextHistories,
    submission: &'a Submission<'a>,
    limits: &'a OrderLimits,
    pile: Pile<'a>,
    operations: Vec<Operation>,
    created: Vec<StickerId>,
    status: CollisionStatus,
}

impl<'a> Resolution<'a> {
    fn new(
        desk: &'a Desk,
        histories: &'a TextHistories,
        submission: &'a Submission<'a>,
        limits: &'a OrderLimits,
    ) -> Self {
        Self {
            desk,
            histories,
            submission,
            limits,
            pile: Pile::new(desk),
            operations: Vec::with_capacity(submission.batch.len()),
            created: Vec::new(),
            status: CollisionStatus::Clean,
        }
    }

    fn refuse_stale(&self) -> Result<(), Refusal> {
        let mut steps = 0usize;
        for operation in self.submission.batch.operations() {
            let Operation::EditText { id, delta } = operation else { continue };
            if delta.is_empty() || self.desk.sticker(*id).is_none() {
                continue;
            }
            let base = self.text_base(*id);
            steps += self.histories.count_after(*id, base) * delta.parts().len();
            if base < self.histories.floor(self.desk, *id) || steps > self.limits.transform_steps {
                return Err(Refusal::Stale(*id));
            }
        }
        Ok(())
    }

    /// The revision that a sticker's delta was made at.
    fn text_base(&self, id: StickerId) -> Revision {
        if self.submission.text_at_head.contains(&id) {
            self.desk.revision
        } else {
            self.submission.base
        }
    }

    fn reject(&self, index: usize, reason: RejectionReason) -> Refusal {
        let operation = &self.submission.batch.operations()[index];
        Refusal::Rejected(Rejection {
            operation: index,
            name: operation.name(),
            sticker: operation.sticker(),
            reason,
        })
    }

    fn resolve(&mut self, operation: &Operation) -> Result<(), RejectionReason> {
        match operation {
            Operation::Create(create) => return self.create(create),
            Operation::SetTitle { yielding, .. } => {
                self.title(operation, *yielding);
                return Ok(());
            }
            // Writes of a register of the desk meet no conflict: the last one stands.
            Operation::SetRegister { .. } => {
                self.operations.push(operation.clone());
                return Ok(());
            }
            // Only the server purges; the door lets none in.
            Operation::Purge { .. } => return Ok(()),
            _ => {}
        }
        let id = operation.sticker().expect("the title and registers of the desk are done");
        if self.created.contains(&id) {
            self.keep_with_height(operation);
            return Ok(());
        }
        let Some(sticker) = self.desk.sticker(id) else {
            if self.desk.is_purged(id, self.submission.base) {
                self.note(CollisionStatus::Purged);
                return Ok(());
            }
            return Err(RejectionReason::NoSticker(id));
        };
        match operation {
            Operation::EditText { delta, .. } => self.edit(sticker, delta),
            Operation::Vote { .. } => {
                self.note_if_hidden(sticker);
                self.operations.push(operation.clone());
                Ok(())
            }
            _ => {
                self.write(sticker, operation);
                Ok(())
            }
        }
    }

    fn create(&mut self, create: &Create) -> Result<(), RejectionReason> {
        let known = self.desk.stickers.contains_key(&create.id);
        if known || self.desk.purged_ids.contains(&create.id) {
            return Err(RejectionReason::IdUsed(create.id));
        }
        let z = Some(self.pile.raise(create.id));
        self.created.push(create.id);
        self.operations.push(Operation::Create(Create { z, ..create.clone() }));
        Ok(())
    }

    fn title(&mut self, operation: &Operation, yielding: bool) {
        let stamp = self.desk.title.stamp;
        if yielding && stamp.revision > self.submission.base {
            self.note(CollisionStatus::Merged);
            return;
        }
        if stamp.concurrent(self.submission.author, self.submission.base) {
            self.note(CollisionStatus::Overrode);
        }
        self.operations.push(operation.clone());
    }

    fn write(&mut self, sticker: &Sticker, operation: &Operation) {
        let Submission { author, base, .. } = *self.submission;
        let touched = sticker.concurrent(author, base);
        let register = operation.register().expect("only register writes come here");
        let stamp = sticker.stamp(register);
        let written = stamp.concurrent(author, base);
        // Who deletes or restores what another has deleted or restored agrees.
        let agrees = matches!(operation, Operation::Set { write: Write::Deleted(deleted), .. }
            if *deleted == sticker.deleted.value);
        let status = if written && !agrees {
            CollisionStatus::Overrode
        } else if touched {
            CollisionStatus::Merged
        } else {
            CollisionStatus::Clean
        };
        // An undone creation gives way to anyone who touched the sticker, other
        // yielding writes to a later write of their own register.
        let deletes = matches!(operation, Operation::Set { write: Write::Deleted(true), .. });
        if operation.yielding() && (stamp.revision > base || (deletes && touched)) {
            self.note(CollisionStatus::Merged);
            return;
        }
        self.note(status);
        if !deletes {
            self.note_if_hidden(sticker);
        }
        self.keep_with_height(operation);
    }

    fn edit(&mut self, sticker: &Sticker, delta: &Delta) -> Result<(), RejectionReason> {
        let Submission { author, base, .. } = *self.submission;
        let mut later = 0i64;
        let mut transformed = delta.clone();
        for (by, committed) in self.histories.after(sticker.id, self.text_base(sticker.id)) {
            later += chars_grown(committed);
            let order = if by == author { Order::AfterOwn } else { Order::After };
            transformed = transformed.transform(committed, order);
        }
        let found = sticker.text.value.chars().count() as i64;
        let at_base = u64::try_from(found - later).expect("history agrees with the text");
        if delta.base_chars() > at_base {
            let needed = delta.base_chars();
            return Err(RejectionReason::PastEnd { needed, found: at_base });
        }
        let intended = at_base + delta.inserted_chars() - delta.deleted_chars();
        let limit = self.limits.desk.text_chars;
        if !self.is_moved(sticker) && intended > limit as u64 && intended > at_base {
            return Err(RejectionReason::TextTooLong { found: intended, limit });
        }
        let merged = found + chars_grown(&transformed);
        let limit = self.limits.desk.merged_text_chars();
        if merged > limit as i64 && merged > found {
            let found = merged.unsigned_abs();
            return Err(RejectionReason::MergedTextTooLong { found, limit });
        }
        if sticker.concurrent(author, base) {
            self.note(CollisionStatus::Merged);
        }
        self.note_if_hidden(sticker);
        if !transformed.is_empty() {
            self.operations.push(Operation::EditText { id: sticker.id, delta: transformed });
        }
        Ok(())
    }

    /// Whether others' changes stand in the text at the base that were not in
    /// the one that its author saw: how long that one was is not known any more,
    /// so the merge's limit binds alone (LIMIT-6).
    fn is_moved(&self, sticker: &Sticker) -> bool {
        let Submission { author, made_at, .. } = *self.submission;
        made_at < self.text_base(sticker.id) && sticker.text.stamp.concurrent(author, made_at)
    }

    /// Changes under the cover of another's deletion, unless this batch restores.
    fn note_if_hidden(&mut self, sticker: &Sticker) {
        let Submission { author, base, batch, .. } = *self.submission;
        let deletion = &sticker.deleted;
        if !deletion.value || !deletion.stamp.concurrent(author, base) {
            return;
        }
        let restored = batch.operations().iter().any(|operation| {
            let restores =
                matches!(operation, Operation::Set { write: Write::Deleted(false), yielding, .. }
                    if !(*yielding && deletion.stamp.revision > base));
            restores && operation.sticker() == Some(sticker.id)
        });
        if !restored {
            self.note(CollisionStatus::Hidden);
        }
    }

    fn keep_with_height(&mut self, operation: &Operation) {
        let kept = match operation {
            Operation::Raise { id, .. } => {
                Operation::Raise { id: *id, z: Some(self.pile.raise(*id)) }
            }
            Operation::Lower { id, .. } => {
                Operation::Lower { id: *id, z: Some(self.pile.lower(*id)) }
            }
            Operation::Set { id, write: Write::Z(z), .. } => {
                self.pile.set(*id, *z);
                operation.clone()
            }
            _ => operation.clone(),
        };
        self.operations.push(kept);
    }

    fn note(&mut self, status: CollisionStatus) {
        self.status = self.status.max(status);
    }

    /// A desk over a limit may still shrink.
    fn check_desk_limits(&self) -> Result<(), Refusal> {
        let growth = self.growth();
        let stickers = self.desk.live_stickers() as i64 + growth.stickers;
        let bytes = self.desk.live_bytes as i64 + growth.bytes;
        let DeskLimits { stickers: most, desk_bytes, .. } = self.limits.desk;
        let reason = if growth.stickers > 0 && stickers > most as i64 {
            let found = stickers.unsigned_abs() as usize;
            RejectionReason::TooManyStickers { found, limit: most }
        } else if growth.bytes > 0 && bytes > desk_bytes as i64 {
            let found = bytes.unsigned_abs() as usize;
            RejectionReason::DeskTooLarge { found, limit: desk_bytes }
        } else {
            return Ok(());
        };
        let grows = |operation: &Operation| {
            matches!(
                operation,
                Operation::Create(_)
                    | Operation::EditText { .. }
                    | Operation::Vote { .. }
                    | Operation::Set { write: Write::Deleted(false), .. }
            )
        };
        let at = self.submission.batch.operations().iter().rposition(grows).unwrap_or(0);
        Err(self.reject(at, reason))
    }

    fn check_commit_bytes(&self, limit: usize) -> Result<(), Refusal> {
        let sizes = self.operations.iter().map(Operation::encoded_bytes_max);
        let found = sizes.sum();
        if found <= limit {
            return Ok(());
        }
        let at = self.submission.batch.len() - 1;
        Err(self.reject(at, RejectionReason::BatchTooLarge { found, limit }))
    }

    fn growth(&self) -> Growth {
        let mut growth = Growth::default();
        // What the batch makes of stickers that were there: bytes, and deleted.
        let mut changed: BTreeMap<StickerId, (i64, bool)> = BTreeMap::new();
        for operation in &self.operations {
            match operation {
                Operation::Create(create) if !create.deleted => {
                    growth.stickers += 1;
                    growth.bytes += sticker_cost(create.text.len()) as i64;
                }
                Operation::Set { id, write: Write::Deleted(deleted), .. } => {
                    self.change(&mut changed, *id).1 = *deleted;
                }
                Operation::EditText { id, delta } => {
                    let text = &self.desk.stickers[id].text.value;
                    self.change(&mut changed, *id).0 += delta.bytes_grown(text);
                }
                Operation::Vote { id, count } if self.desk.sticker(*id).is_none() => {
                    growth.bytes += i64::from(*count > 0) * COUNTER_BYTES as i64;
                }
                Operation::Vote { id, count } => {
                    let known =
                        self.desk.stickers[id].counters.contains_key(&self.submission.author);
                    let grown = i64::from(*count > 0) - i64::from(known);
                    self.change(&mut changed, *id).0 += grown * COUNTER_BYTES as i64;
                }
                _ => {}
            }
        }
        for (id, (bytes, deleted)) in changed {
            let sticker = &self.desk.stickers[&id];
            let before = if sticker.deleted.value { 0 } else { sticker.cost() as i64 };
            growth.bytes += if deleted { 0 } else { bytes } - before;
            growth.stickers += i64::from(sticker.deleted.value) - i64::from(deleted);
        }
        growth
    }

    fn change<'m>(
        &self,
        changed: &'m mut BTreeMap<StickerId, (i64, bool)>,
        id: StickerId,
    ) -> &'m mut (i64, bool) {
        let sticker = &self.desk.stickers[&id];
        changed.entry(id).or_insert((sticker.cost() as i64, sticker.deleted.value))
    }
}

#[derive(Default)]
struct Growth {
    stickers: i64,
    bytes: i64,
}

fn chars_grown(delta: &Delta) -> i64 {
    delta.inserted_chars() as i64 - delta.deleted_chars() as i64
}
