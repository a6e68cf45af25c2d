//! The holds of one bucket.

use std::collections::btree_map::Range;
use std::collections::{BTreeMap, BTreeSet};
use std::iter::Peekable;
use std::ops::Bound;

use crate::key::{Key, KeyMap, Sequence};
use crate::log::writer::Age;

use super::held::{Held, ShortAge};

#[derive(Debug, Default)]
pub(crate) struct Part {
    keys: KeyMap<Held>,
    segments: BTreeMap<ShortAge, Share>,
    /// Records of keys in quarantine; few or none.
    pinned: BTreeMap<Key, Vec<(Age, Sequence)>>,
}

/// How keys and a segment belong together.
#[derive(Debug, Default, PartialEq, Eq)]
struct Share {
    /// Keys whose range begins here.
    begin: u32,
    /// Keys whose range ends here.
    end: u32,
    /// Records of keys in quarantine.
    pins: u32,
    /// Keys whose first record that no snapshot covers is here.
    open: BTreeSet<Key>,
    /// Up to which of them all were named since the turns began.
    named: Option<Key>,
    /// Up to which of them all were named before.
    asked_for: Option<Key>,
}

impl Share {
    fn is_needless(&self) -> bool {
        self.begin == 0 && self.end == 0 && self.pins == 0 && self.open.is_empty()
    }

    /// The open keys after one.
    fn open_after(&self, key: Option<Key>) -> impl Iterator<Item = &Key> {
        let after = key.map_or(Bound::Unbounded, Bound::Excluded);
        self.open.range((after, Bound::Unbounded))
    }
}

fn count(count: &mut u32, more: bool) {
    if more { *count += 1 } else { *count -= 1 }
}

impl Part {
    pub(super) fn hold(&mut self, segment: Age, key: Key, sequence: Sequence) {
        self.hold_all(key, std::iter::once((segment, sequence)));
    }

    /// Records of one key: it is looked up and counted once for all of them.
    pub(super) fn hold_all(&mut self, key: Key, records: impl Iterator<Item = (Age, Sequence)>) {
        let mut records = records.peekable();
        if records.peek().is_none() {
            return;
        }
        let held = self.keys.entry(key).or_insert(Held::NOTHING);
        let before = *held;
        for (segment, sequence) in records {
            held.hold(ShortAge::of(segment), sequence);
        }
        let after = *held;
        self.account(&key, &before, &after);
    }

    pub(super) fn pin(&mut self, segment: Age, key: Key, sequence: Sequence) {
        self.pinned.entry(key).or_default().push((segment, sequence));
        self.segments.entry(ShortAge::of(segment)).or_default().pins += 1;
    }

    /// Its records are held like those of any key from now on.
    pub(super) fn unpin(&mut self, key: &Key) {
        for (segment, sequence) in self.pinned.remove(key).unwrap_or_default() {
            self.hold(segment, *key, sequence);
            self.share(ShortAge::of(segment), |share| share.pins -= 1);
        }
    }

    pub(super) fn cover(&mut self, key: Key, sequence: Sequence) {
        let held = self.keys.entry(key).or_insert(Held::NOTHING);
        let before = *held;
        held.cover(sequence);
        let after = *held;
        self.account(&key, &before, &after);
    }

    pub(super) fn release(&mut self, key: &Key, sequence: Sequence) {
        let Some(held) = self.keys.get_mut(key) else { return };
        let before = *held;
        held.release(sequence);
        let after = *held;
        if after.is_nothing() {
            self.keys.remove(key);
        }
        self.account(key, &before, &after);
    }

    /// Counts a key where it is now, and no more where it was.
    fn account(&mut self, key: &Key, before: &Held, after: &Held) {
        // Nearly every record is of a key that has some in the segment already.
        if before.marks() == after.marks() {
            return;
        }
        let ([old_begin, old_end, old_open], [begin, end, open]) = (before.marks(), after.marks());
        self.shift(old_begin, begin, |share, now| count(&mut share.begin, now));
        self.shift(old_end, end, |share, now| count(&mut share.end, now));
        self.shift(old_open, open, |share, now| {
            if now {
                share.open.insert(*key)
            } else {
                share.open.remove(key)
            };
        });
    }

    /// Takes a mark out of one segment and puts it into another.
    fn shift(
        &mut self,
        old: Option<ShortAge>,
        new: Option<ShortAge>,
        set: impl Fn(&mut Share, bool),
    ) {
        if old == new {
            return;
        }
        if let Some(new) = new {
            set(self.segments.entry(new).or_default(), true);
        }
        if let Some(old) = old {
            self.share(old, |share| set(share, false));
        }
    }

    fn share(&mut self, segment: ShortAge, change: impl FnOnce(&mut Share)) {
        let share = self.segments.get_mut(&segment).expect("whoever was counted here");
        change(share);
        if share.is_needless() {
            self.segments.remove(&segment);
        }
    }

    pub(super) fn keys(&self) -> usize {
        let ranges: u32 = self.segments.values().map(|share| share.begin).sum();
        ranges as usize + self.pinned.len()
    }

    /// Roughly: the table of keys, and each key once more among the open keys of a
    /// segment, in a tree that is two thirds full.
    pub(super) fn memory_bytes(&self) -> usize {
        let entry = size_of::<Key>() + size_of::<Held>();
        self.keys.capacity() * (entry + 1) + self.keys.len() * size_of::<Key>() * 3 / 2
    }

    /// The oldest segment that snapshots can free, of those from `from` on.
    pub(super) fn oldest(&self, from: Age) -> Option<Age> {
        // A range begins before its end and before its first uncovered record, so only
        // pins can lie before the first begin.
        let mut shares = self.segments.range(ShortAge::of(from)..);
        let (age, _) = shares.find(|(_, share)| share.begin > 0)?;
        Some(age.age())
    }

    /// Whether a range begins in the segment that a snapshot in flight will shorten.
    pub(super) fn has_covered(&self, segment: Age) -> bool {
        let share = self.segments.get(&ShortAge::of(segment));
        share.is_some_and(|share| share.begin as usize > share.open.len())
    }

    /// The segments before `before` with open keys whose turn is to come.
    pub(super) fn unnamed(&self, before: Age) -> impl Iterator<Item = Age> {
        let shares = self.segments.range(..ShortAge::of(before));
        let waits = |share: &Share| share.open_after(share.named).next().is_some();
        shares.filter(move |(_, share)| waits(share)).map(|(age, _)| age.age())
    }

    /// Whether all open keys of the segment were named before the turns began.
    pub(super) fn is_asked_for(&self, segment: Age) -> bool {
        let share = self.segments.get(&ShortAge::of(segment));
        share.is_none_or(|share| share.open_after(share.asked_for).next().is_none())
    }

    /// Names open keys of the segment whose turn it is, at most `max`.
    pub(super) fn name(&mut self, segment: Age, max: usize) -> Vec<Key> {
        let Some(share) = self.segments.get_mut(&ShortAge::of(segment)) else { return Vec::new() };
        let keys: Vec<Key> = share.open_after(share.named).take(max).copied().collect();
        share.named = keys.last().copied().or(share.named);
        keys
    }

    /// Every open key is to be named once more.
    pub(super) fn begin_turns(&mut self) {
        for share in self.segments.values_mut() {
            share.asked_for = share.named.take().max(share.asked_for);
        }
    }

    /// Releases the segments, and the pins, of at most `max` keys below `end`. A key
    /// whose snapshot is in flight is left to that snapshot. Returns how many keys were
    /// released.
    pub(super) fn let_go_below(&mut self, end: Key, max: usize) -> usize {
        let open = self.segments.values().flat_map(|share| share.open.range(..end));
        let open: Vec<Key> = open.take(max).copied().collect();
        let pinned = self.pinned.range(..end).map(|(key, _)| *key);
        let pinned: Vec<Key> = pinned.take(max - open.len()).collect();
        pinned.iter().for_each(|key| self.unpin(key));
        for key in open.iter().chain(&pinned) {
            self.release(key, Sequence::TOMBSTONE);
        }
        open.len() + pinned.len()
    }

    /// Tells of segments in order whether they are held.
    pub(super) fn held(&self) -> HeldWalk<'_> {
        HeldWalk { shares: self.segments.range(..).peekable(), inside: 0 }
    }
}

/// A walk over the segments, oldest first.
pub(super) struct HeldWalk<'a> {
    shares: Peekable<Range<'a, ShortAge, Share>>,
    /// Keys whose range has begun and not ended.
    inside: u32,
}

impl HeldWalk<'_> {
    /// Whether anybody holds the segment; call it for later ones only.
    pub(super) fn reaches(&mut self, segment: Age) -> bool {
        let segment = ShortAge::of(segment);
        let (mut ends, mut pins) = (0, 0);
        while let Some((at, share)) = self.shares.next_if(|(at, _)| **at <= segment) {
            self.inside += share.begin;
            if *at == segment {
                (ends, pins) = (share.end, share.pins);
            } else {
                self.inside -= share.end;
            }
        }
        let held = self.inside > 0 || pins > 0;
        self.inside -= ends;
        held
    }
}
