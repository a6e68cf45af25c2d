//! The desk: everything that a commit changes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::id::{Revision, StickerId};
use crate::limits::PURGED_IDS_MAX;
use crate::sticker::{Stamped, Sticker};

/// The content of a desk at one revision.
///
/// Fields are read through methods. Only [`crate::resolver::apply`] changes them, and
/// keeps the indexes consistent with them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Desk {
    pub(crate) revision: Revision,
    pub(crate) title: Stamped<String>,
    pub(crate) stickers: BTreeMap<StickerId, Sticker>,
    /// Heights of all stickers, hidden ones too.
    pub(crate) pile: BTreeSet<(i64, StickerId)>,
    /// Deleted stickers by the revision of their deletion.
    pub(crate) bin: BTreeSet<(Revision, StickerId)>,
    pub(crate) live_bytes: usize,
    pub(crate) deleted_bytes: usize,
    /// Purged stickers still known by id, oldest first, with the revision of
    /// their purge.
    pub(crate) purged: VecDeque<(StickerId, Revision)>,
    /// The same by id.
    pub(crate) purged_ids: BTreeSet<StickerId>,
    pub(crate) purge_floor: Revision,
    /// Registers of the desk; none is empty.
    pub(crate) registers: BTreeMap<u8, Vec<u8>>,
}

/// The parts of a [`Desk`] as formats write them down; its indexes are derived.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DeskParts {
    /// [`Desk::revision`]
    pub revision: Revision,
    /// [`Desk::title`]
    pub title: Stamped<String>,
    /// All stickers, in any order.
    pub stickers: Vec<Sticker>,
    /// [`Desk::purged`]
    pub purged: Vec<(StickerId, Revision)>,
    /// [`Desk::purge_floor`]
    pub purge_floor: Revision,
    /// [`Desk::registers`]
    pub registers: BTreeMap<u8, Vec<u8>>,
}

/// Why parts do not make a desk.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DeskPartsError {
    /// Two stickers have one id.
    #[error("sticker {0} is there twice")]
    Duplicate(StickerId),
    /// A sticker was written after the desk's revision.
    #[error("sticker {0} is newer than the desk's revision")]
    FromTheFuture(StickerId),
    /// More ids of purged stickers than are kept.
    #[error("more than {PURGED_IDS_MAX} ids of purged stickers")]
    TooManyPurged,
}

impl Desk {
    /// An empty desk, at revision 0.
    pub fn new(title: String) -> Self {
        Self { title: Stamped::new(title, Default::default()), ..Self::default() }
    }

    /// How many batches were accepted.
    pub const fn revision(&self) -> Revision {
        self.revision
    }

    /// Its title.
    pub const fn title(&self) -> &Stamped<String> {
        &self.title
    }

    /// One sticker, deleted ones too.
    pub fn sticker(&self, id: StickerId) -> Option<&Sticker> {
        self.stickers.get(&id)
    }

    /// All stickers by id, deleted ones too.
    pub fn stickers(&self) -> impl Iterator<Item = &Sticker> {
        self.stickers.values()
    }

    /// All stickers from the bottom of the pile to its top, deleted ones too;
    /// equal heights stand by id.
    pub fn pile(&self) -> impl DoubleEndedIterator<Item = &Sticker> {
        self.pile.iter().map(|(_, id)| &self.stickers[id])
    }

    /// Height of the top of the pile, 0 if there is none; hidden ones count.
    pub fn top(&self) -> i64 {
        self.pile.last().map_or(0, |(z, _)| *z)
    }

    /// Height of the bottom of the pile, 0 if there is none; hidden ones count.
    pub fn bottom(&self) -> i64 {
        self.pile.first().map_or(0, |(z, _)| *z)
    }

    /// Deleted stickers, the longest deleted first.
    pub fn bin(&self) -> impl Iterator<Item = &Sticker> {
        self.bin.iter().map(|(_, id)| &self.stickers[id])
    }

    /// Number of stickers that are not deleted.
    pub fn live_stickers(&self) -> usize {
        self.stickers.len() - self.bin.len()
    }

    /// Number of stickers that are deleted and can be restored.
    pub fn deleted_stickers(&self) -> usize {
        self.bin.len()
    }

    /// Bytes of the stickers that are not deleted, by [`Sticker::cost`].
    pub const fn live_bytes(&self) -> usize {
        self.live_bytes
    }

    /// Bytes of the deleted stickers, by [`Sticker::cost`].
    pub const fn deleted_bytes(&self) -> usize {
        self.deleted_bytes
    }

    /// Whether the sticker was purged, as seen by an author that knew the desk at
    /// `base`. An id that is no longer in the list counts as purged if `base` lies
    /// below [`Desk::purge_floor`].
    pub fn is_purged(&self, id: StickerId, base: Revision) -> bool {
        !self.stickers.contains_key(&id)
            && (self.purged_ids.contains(&id) || base < self.purge_floor)
    }

    /// Ids of purged stickers still remembered, oldest first, each with the
    /// revision of its purge.
    pub fn purged(&self) -> impl Iterator<Item = (StickerId, Revision)> {
        self.purged.iter().copied()
    }

    /// The newest purge that is no longer remembered by id.
    pub const fn purge_floor(&self) -> Revision {
        self.purge_floor
    }

    /// Registers of the desk by their keys; none is empty.
    pub const fn registers(&self) -> &BTreeMap<u8, Vec<u8>> {
        &self.registers
    }

    /// The parts that formats write down.
    pub fn to_parts(&self) -> DeskParts {
        DeskParts {
            revision: self.revision,
            title: self.title.clone(),
            stickers: self.stickers.values().cloned().collect(),
            purged: self.purged.iter().copied().collect(),
            purge_floor: self.purge_floor,
            registers: self.registers.clone(),
        }
    }

    /// Rebuilds a desk, with its indexes.
    ///
    /// # Errors
    /// [`DeskPartsError`] if a sticker is there twice or is newer than the desk, or if
    /// there are too many purged ids.
    pub fn from_parts(parts: DeskParts) -> Result<Self, DeskPartsError> {
        if parts.purged.len() > PURGED_IDS_MAX {
            return Err(DeskPartsError::TooManyPurged);
        }
        let mut desk = Self {
            revision: parts.revision,
            title: parts.title,
            purged_ids: parts.purged.iter().map(|(id, _)| *id).collect(),
            purged: parts.purged.into(),
            purge_floor: parts.purge_floor,
            registers: parts.registers,
            ..Self::default()
        };
        for sticker in parts.stickers {
            if sticker.stamps().iter().any(|stamp| stamp.revision > parts.revision) {
                return Err(DeskPartsError::FromTheFuture(sticker.id));
            }
            if desk.stickers.contains_key(&sticker.id) {
                return Err(DeskPartsError::Duplicate(sticker.id));
            }
            desk.insert(sticker);
        }
        Ok(desk)
    }

    /// Makes the named stickers, and the revision, equal to those of `other`. A client
    /// resets its view to the confirmed desk by it, before it applies its pending
    /// batches again.
    pub fn mirror(&mut self, other: &Desk, ids: impl IntoIterator<Item = StickerId>) {
        for id in ids {
            self.remove(id);
            if let Some(sticker) = other.sticker(id) {
                self.insert(sticker.clone());
            }
        }
        self.revision = other.revision;
    }

    /// Makes the title equal to that of `other`.
    pub fn mirror_title(&mut self, other: &Desk) {
        self.title.clone_from(&other.title);
    }

    /// Makes the registers of the desk equal to those of `other`.
    pub fn mirror_registers(&mut self, other: &Desk) {
        self.registers.clone_from(&other.registers);
    }

    /// Overwrites a register of the desk; an empty value removes it.
    pub(crate) fn set_register(&mut self, key: u8, value: &[u8]) {
        if value.is_empty() {
            self.registers.remove(&key);
        } else {
            self.registers.insert(key, value.to_owned());
        }
    }

    /// Puts a sticker in, with its indexes. It must not be there.
    pub(crate) fn insert(&mut self, sticker: Sticker) {
        self.index(&sticker);
        let before = self.stickers.insert(sticker.id, sticker);
        assert!(before.is_none(), "a sticker is inserted once");
    }

    /// Takes a sticker out, with its indexes.
    pub(crate) fn remove(&mut self, id: StickerId) -> Option<Sticker> {
        let sticker = self.stickers.remove(&id)?;
        self.unindex(&sticker);
        Some(sticker)
    }

    /// Changes a sticker and its indexes. `None` if there is no such sticker.
    pub(crate) fn change<R>(
        &mut self,
        id: StickerId,
        change: impl FnOnce(&mut Sticker) -> R,
    ) -> Option<R> {
        let sticker = self.stickers.get_mut(&id)?;
        let z = sticker.z.value;
        let (deleted, deletion) = (sticker.deleted.value, sticker.deleted.stamp.revision);
        let cost = sticker.cost();
        let result = change(sticker);
        if sticker.z.value != z {
            self.pile.remove(&(z, id));
            self.pile.insert((sticker.z.value, id));
        }
        if deleted {
            self.deleted_bytes -= cost;
        } else {
            self.live_bytes -= cost;
        }
        if sticker.deleted.value {
            self.deleted_bytes += sticker.cost();
        } else {
            self.live_bytes += sticker.cost();
        }
        if deleted != sticker.deleted.value
            || (deleted && deletion != sticker.deleted.stamp.revision)
        {
            self.bin.remove(&(deletion, id));
            if sticker.deleted.value {
                self.bin.insert((sticker.deleted.stamp.revision, id));
            }
        }
        Some(result)
    }

    fn index(&mut self, sticker: &Sticker) {
        self.pile.insert((sticker.z.value, sticker.id));
        if sticker.deleted.value {
            self.bin.insert((sticker.deleted.stamp.revision, sticker.id));
            self.deleted_bytes += sticker.cost();
        } else {
            self.live_bytes += sticker.cost();
        }
    }

    fn unindex(&mut self, sticker: &Sticker) {
        self.pile.remove(&(sticker.z.value, sticker.id));
        if sticker.deleted.value {
            self.bin.remove(&(sticker.deleted.stamp.revision, sticker.id));
            self.deleted_bytes -= sticker.cost();
        } else {
            self.live_bytes -= sticker.cost();
        }
    }

    /// Remembers that a sticker was dropped for good.
    pub(crate) fn remember_purge(&mut self, id: StickerId, revision: Revision) {
        self.purged.push_back((id, revision));
        self.purged_ids.insert(id);
        if self.purged.len() > PURGED_IDS_MAX
            && let Some((id, forgotten)) = self.purged.pop_front()
        {
            self.purged_ids.remove(&id);
            self.purge_floor = self.purge_floor.max(forgotten);
        }
    }
}
