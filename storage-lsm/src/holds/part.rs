//! The holds of one bucket.

use std::collections::btree_map::Range;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::iter::Peekable;

use crate::key::{Key, KeyMap, Revision};
use crate::log::writer::Age;

use super::held::{Held, ShortAge};

#[derive(Debug, Default)]
pub(crate) struct Part {
    keys: KeyMap<Held>,
    segments: BTreeMap<ShortAge, Share>,
    /// Records of keys in quarantine; few or none.
    pinned: BTreeMap<Key, Vec<(Age, Revision)>>,
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
    open: u32,
    /// These, in the order in which they came to be open here, with some twice
    /// and some that are so no more: they go when the segment's turn comes.
    opened: VecDeque<Key>,
}

/// What a key is counted for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mark {
    Begin,
    End,
    Open,
}

impl Share {
    fn count(&mut self, mark: Mark) -> &mut u32 {
        match mark {
            Mark::Begin => &mut self.begin,
            Mark::End => &mut self.end,
            Mark::Open => &mut self.open,
        }
    }

    fn is_needless(&self) -> bool {
        self.begin == 0 && self.end == 0 && self.pins == 0 && self.open == 0
    }
}

impl Part {
    pub(super) fn hold(&mut self, segment: Age, key: Key, revision: Revision) {
        self.hold_all(key, std::iter::once((segment, revision)));
    }

    /// Records of one key: it is looked up and counted once for all of them.
    pub(super) fn hold_all(&mut self, key: Key, records: impl Iterator<Item = (Age, Revision)>) {
        let mut records = records.peekable();
        if records.peek().is_none() {
            return;
        }
        let held = self.keys.entry(key).or_insert(Held::NOTHING);
        let before = *held;
        for (segment, revision) in records {
            held.hold(ShortAge::of(segment), revision);
        }
        let after = *held;
        self.account(&key, &before, &after);
    }

    pub(super) fn pin(&mut self, segment: Age, key: Key, revision: Revision) {
        self.pinned.entry(key).or_default().push((segment, revision));
        self.segments.entry(ShortAge::of(segment)).or_default().pins += 1;
    }

    /// Its records are held like those of any key from now on.
    pub(super) fn unpin(&mut self, key: &Key) {
        for (segment, revision) in self.pinned.remove(key).unwrap_or_default() {
            self.hold(segment, *key, revision);
            self.share(ShortAge::of(segment), |share| share.pins -= 1);
        }
    }

    pub(super) fn cover(&mut self, key: Key, revision: Revision) {
        let held = self.keys.entry(key).or_insert(Held::NOTHING);
        let before = *held;
        held.cover(revision);
        let after = *held;
        self.account(&key, &before, &after);
    }

    pub(super) fn release(&mut self, key: &Key, revision: Revision) {
        let Some(held) = self.keys.get_mut(key) else { return };
        let before = *held;
        held.release(revision);
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
        let pairs = before.marks().into_iter().zip(after.marks());
        for (mark, (old, new)) in [Mark::Begin, Mark::End, Mark::Open].into_iter().zip(pairs) {
            if old == new {
                continue;
            }
            if let Some(new) = new {
                let share = self.segments.entry(new).or_default();
                *share.count(mark) += 1;
                if mark == Mark::Open {
                    share.opened.push_back(*key);
                }
            }
            if let Some(old) = old {
                self.share(old, |share| *share.count(mark) -= 1);
            }
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

    pub(super) fn oldest(&self) -> Option<Age> {
        // A range begins before it ends and before it is open: only pins can
        // lie before the first begin.
        let (age, _) = self.segments.iter().find(|(_, share)| share.begin > 0)?;
        Some(age.age())
    }

    pub(super) fn is_covered(&self, segment: Age) -> bool {
        self.segments.get(&ShortAge::of(segment)).is_none_or(|share| share.open == 0)
    }

    /// Adds keys that are open in the segment until there are `max`.
    pub(super) fn open_in(&mut self, segment: Age, max: usize, keys: &mut Vec<Key>) {
        let segment = ShortAge::of(segment);
        let Some(share) = self.segments.get_mut(&segment) else { return };
        let (first, mut named) = (keys.len(), BTreeSet::new());
        while keys.len() < max
            && let Some(key) = share.opened.pop_front()
        {
            let open = self.keys.get(&key).and_then(Held::open);
            if open == Some(segment) && named.insert(key) {
                keys.push(key);
            }
        }
        // They stay open until they are covered.
        keys[first..].iter().rev().for_each(|key| share.opened.push_front(*key));
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
