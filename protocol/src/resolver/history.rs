//! Committed text deltas, kept as long as memory allows.

use std::collections::{BTreeMap, VecDeque};

use crate::desk::Desk;
use crate::id::{Author, Revision, StickerId};
use crate::limits::HistoryLimits;
use crate::operation::{Commit, Operation};
use crate::text::Delta;

/// The text history of one desk: for each sticker every delta above a floor.
///
/// A sticker without history has its floor at its text's last revision, so a
/// desk just loaded needs none of it: only clients that miss a text change are
/// told to catch up (FLIGHT-11, FLIGHT-12).
#[derive(Clone, Debug, Default)]
pub struct TextHistories {
    recent: Kept,
    /// What is kept besides while a client is waited for (ORDER-10): all deltas
    /// since then, within limits of its own.
    held: Option<Kept>,
}

impl TextHistories {
    /// An empty history.
    pub fn new(limits: HistoryLimits) -> Self {
        Self { recent: Kept::new(limits), held: None }
    }

    /// The revision at or above which a base must lie for a text edit of `id`
    /// to be transformed.
    pub fn floor(&self, desk: &Desk, id: StickerId) -> Revision {
        let recent = self.recent.floor(desk, id);
        self.held.as_ref().map_or(recent, |held| held.floor(desk, id).min(recent))
    }

    /// The deltas of a sticker after `base` with their authors, oldest first.
    pub fn after(&self, id: StickerId, base: Revision) -> impl Iterator<Item = (Author, &Delta)> {
        self.reaching(id, base).after(id, base)
    }

    /// How many deltas of a sticker there are after `base`.
    pub fn count_after(&self, id: StickerId, base: Revision) -> usize {
        self.reaching(id, base).count_after(id, base)
    }

    /// Remembers the deltas of a commit. `desk` is the desk before it.
    pub fn record(&mut self, desk: &Desk, commit: &Commit) {
        self.recent.record(desk, commit);
        if let Some(held) = &mut self.held {
            held.record(desk, commit);
        }
    }

    /// Begins to keep more, from now on. What is held already stays so.
    pub fn hold(&mut self, limits: HistoryLimits) {
        self.held.get_or_insert_with(|| Kept::new(limits));
    }

    /// Ends what [`TextHistories::hold`] began.
    pub fn release(&mut self) {
        self.held = None;
    }

    /// Whether more than usual is kept.
    pub const fn is_held(&self) -> bool {
        self.held.is_some()
    }

    /// Bytes of all deltas that are kept.
    pub fn bytes(&self) -> usize {
        self.recent.bytes + self.held.as_ref().map_or(0, |held| held.bytes)
    }

    /// Drops everything, as a crash does.
    pub fn clear(&mut self) {
        *self = Self::new(self.recent.limits);
    }

    pub(crate) fn forget(&mut self, id: StickerId) {
        self.recent.forget(id);
        if let Some(held) = &mut self.held {
            held.forget(id);
        }
    }

    /// Both end with the newest delta; where both reach down to `base` they
    /// are equal, else the longer one does.
    fn reaching(&self, id: StickerId, base: Revision) -> &Kept {
        let longer = |held: &&Kept| held.count_after(id, base) > self.recent.count_after(id, base);
        self.held.as_ref().filter(longer).unwrap_or(&self.recent)
    }
}

/// Deltas since some revision, as many as its limits allow.
#[derive(Clone, Debug, Default)]
struct Kept {
    limits: HistoryLimits,
    stickers: BTreeMap<StickerId, VecDeque<Past>>,
    /// Every delta in the desk's order, so that the oldest goes first.
    order: VecDeque<StickerId>,
    /// Floors of stickers that lost deltas.
    floors: BTreeMap<StickerId, Revision>,
    bytes: usize,
}

/// One committed delta. Its author is asked for by deltas of the same author
/// only (TEXT-3).
#[derive(Clone, Debug)]
struct Past {
    revision: Revision,
    author: Author,
    delta: Delta,
}

impl Kept {
    fn new(limits: HistoryLimits) -> Self {
        Self { limits, ..Self::default() }
    }

    fn floor(&self, desk: &Desk, id: StickerId) -> Revision {
        match self.stickers.get(&id).and_then(|deltas| deltas.front()) {
            // The revision before the oldest delta kept, or what was dropped.
            Some(Past { revision: oldest, .. }) => {
                self.floors.get(&id).copied().unwrap_or(Revision(oldest.0.saturating_sub(1)))
            }
            None => desk.sticker(id).map_or(Revision(0), |s| s.text.stamp.revision),
        }
    }

    fn after(&self, id: StickerId, base: Revision) -> impl Iterator<Item = (Author, &Delta)> {
        let deltas = self.stickers.get(&id);
        let from = deltas.map_or(0, |deltas| deltas.partition_point(|past| past.revision <= base));
        let later = deltas.into_iter().flat_map(move |deltas| deltas.range(from..));
        later.map(|past| (past.author, &past.delta))
    }

    fn count_after(&self, id: StickerId, base: Revision) -> usize {
        let deltas = self.stickers.get(&id);
        let known = |past: &Past| past.revision <= base;
        deltas.map_or(0, |deltas| deltas.len() - deltas.partition_point(known))
    }

    fn record(&mut self, desk: &Desk, commit: &Commit) {
        for operation in &commit.operations {
            match operation {
                Operation::EditText { id, delta } => {
                    let first = !self.stickers.contains_key(id);
                    if first && let Some(sticker) = desk.sticker(*id) {
                        self.floors.insert(*id, sticker.text.stamp.revision);
                    }
                    self.bytes += delta.cost();
                    self.order.push_back(*id);
                    let deltas = self.stickers.entry(*id).or_default();
                    let (revision, author) = (commit.revision, commit.author);
                    deltas.push_back(Past { revision, author, delta: delta.clone() });
                    if deltas.len() > self.limits.deltas_per_sticker {
                        self.forget_oldest_of(*id);
                    }
                }
                Operation::Purge { id } => self.forget(*id),
                _ => {}
            }
        }
        while self.bytes > self.limits.bytes {
            match self.order.front().copied() {
                Some(id) => self.forget_oldest_of(id),
                None => break,
            }
        }
    }

    fn forget_oldest_of(&mut self, id: StickerId) {
        let Some(deltas) = self.stickers.get_mut(&id) else { return };
        if let Some(Past { revision, delta, .. }) = deltas.pop_front() {
            self.bytes -= delta.cost();
            self.floors.insert(id, revision);
        }
        if let Some(at) = self.order.iter().position(|other| *other == id) {
            self.order.remove(at);
        }
        if deltas.is_empty() {
            self.stickers.remove(&id);
            self.floors.remove(&id);
        }
    }

    fn forget(&mut self, id: StickerId) {
        if let Some(deltas) = self.stickers.remove(&id) {
            self.bytes -= deltas.iter().map(|past| past.delta.cost()).sum::<usize>();
            self.order.retain(|other| *other != id);
        }
        self.floors.remove(&id);
    }
}
