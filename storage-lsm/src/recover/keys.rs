//! What is known of every key while the logs are read.
//!
//! A start looks up the key of each record, in no order, among more keys than a cache
//! holds. One lookup after the other would wait for memory each time. So the state of
//! a key takes half a cache line, and the lines of many keys are touched before the
//! first is used. Their cache misses then overlap.

use std::hint::black_box;

use crate::key::{Key, Sequence};
use crate::log::writer::Age;

/// How many keys are looked up at a time: more than the misses that a core
/// has on their way at once, and few enough to stay in its first cache.
pub(super) const TOGETHER: usize = 64;

/// Where a key's records are.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) enum Head {
    /// The place is free.
    #[default]
    Free,
    /// It has none that no snapshot covers.
    None,
    /// They follow each other, the snapshot being before the first; this is
    /// the last one's number in the list of its bucket.
    Link(u32),
    /// They do not, and stand apart.
    Odd,
}

/// A key, in 32 bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub(super) key: Key,
    /// The newest record, or the snapshot if there is none or they stand apart.
    pub(super) last: Sequence,
    /// The segment of the first record.
    oldest: u32,
    head: u32,
}

const _: () = assert!(size_of::<Known>() == 32);

impl Known {
    const FREE: Self = Self { key: Key::new([0; 16]), last: Sequence(0), oldest: 0, head: 0 };

    /// A key with a snapshot, or with none where that is `Sequence(0)`.
    fn new(key: Key, last: Sequence) -> Self {
        let mut known = Self { key, last, ..Self::FREE };
        known.set(Head::None);
        known
    }

    pub(super) fn head(&self) -> Head {
        match self.head {
            0 => Head::Free,
            1 => Head::None,
            2 => Head::Odd,
            link => Head::Link(link - 3),
        }
    }

    pub(super) fn set(&mut self, head: Head) {
        self.head = match head {
            Head::Free => 0,
            Head::None => 1,
            Head::Odd => 2,
            Head::Link(link) => link.checked_add(3).expect("no memory has room for 2^32 records"),
        };
    }

    pub(super) fn oldest(&self) -> Age {
        Age(u64::from(self.oldest))
    }

    pub(super) fn set_oldest(&mut self, age: Age) {
        self.oldest = u32::try_from(age.0).expect("a folder has fewer than 2^32 segments");
    }
}

/// All keys that are known: a hash table with open addressing.
#[derive(Debug)]
pub(super) struct Keys {
    places: Vec<Known>,
    taken: usize,
}

impl Keys {
    /// These keys with their snapshots, each once.
    pub(super) fn new(snapshots: impl ExactSizeIterator<Item = (Key, Sequence)>) -> Self {
        let mut keys = Self { places: places_for(snapshots.len()), taken: snapshots.len() };
        for (key, snapshot) in snapshots {
            let at = keys.find(&key, key.hash64());
            keys.places[at] = Known::new(key, snapshot);
        }
        keys
    }

    /// Brings what is known of at most [`TOGETHER`] keys near.
    pub(super) fn touch(&self, keys: impl Iterator<Item = Key>) -> [u64; TOGETHER] {
        let mut hashes = [0; TOGETHER];
        let mut count = 0;
        for (hash, key) in hashes.iter_mut().zip(keys) {
            *hash = key.hash64();
            count += 1;
        }
        // In a loop of its own, so short that many waits begin at once.
        let mut touched = 0;
        for hash in &hashes[..count] {
            touched ^= self.places[self.first(*hash)].head;
        }
        black_box(touched);
        hashes
    }

    /// What is known of a key, by its hash; says whether it is new.
    pub(super) fn get(&mut self, key: &Key, hash: u64) -> (&mut Known, bool) {
        let mut at = self.find(key, hash);
        let is_new = self.places[at].head() == Head::Free;
        if is_new {
            // A third of the places at least stays free, so searches are short.
            if (self.taken + 1).div_ceil(2) * 3 > self.places.len() {
                self.grow();
                at = self.find(key, hash);
            }
            self.taken += 1;
            self.places[at] = Known::new(*key, Sequence(0));
        }
        (&mut self.places[at], is_new)
    }

    /// All keys, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Known> {
        self.places.iter().filter(|known| known.head() != Head::Free)
    }

    fn grow(&mut self) {
        let places = places_for(2 * self.taken);
        for known in std::mem::replace(&mut self.places, places) {
            if known.head() != Head::Free {
                let at = self.find(&known.key, known.key.hash64());
                self.places[at] = known;
            }
        }
    }

    /// The key's place, or the free one that would be.
    fn find(&self, key: &Key, hash: u64) -> usize {
        let mut at = self.first(hash);
        while self.places[at].head() != Head::Free && self.places[at].key != *key {
            at = if at + 1 == self.places.len() { 0 } else { at + 1 };
        }
        at
    }

    /// Where the search for a hash begins: the hash as a share of all places
    /// (D. Lemire, "Fast random integer generation in an interval", 2019).
    fn first(&self, hash: u64) -> usize {
        ((u128::from(hash) * self.places.len() as u128) >> 64) as usize
    }
}

/// Free places for so many keys and some more.
fn places_for(keys: usize) -> Vec<Known> {
    vec![Known::FREE; 2 * keys + 8]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u16) -> Key {
        let mut bytes = [5; 16];
        bytes[14..].copy_from_slice(&number.to_be_bytes());
        Key::new(bytes)
    }

    #[test]
    fn every_key_is_known_once() {
        for homes in [0, 1, 2, 3, 700, 1365, 1366] {
            let mut keys = Keys::new((0..homes).map(|number| (key(number), Sequence(7))));
            let named: Vec<u16> = (0..homes + 3000).step_by(2).collect();
            let all: Vec<u16> = named.iter().chain(&named).copied().collect();
            for (turn, numbers) in all.chunks(TOGETHER).enumerate() {
                let hashes = keys.touch(numbers.iter().map(|number| key(*number)));
                for (number, hash) in numbers.iter().zip(hashes) {
                    let (known, is_new) = keys.get(&key(*number), hash);
                    assert_eq!(known.key, key(*number));
                    let first = turn * TOGETHER < named.len() && known.head() == Head::None;
                    assert_eq!(is_new, *number >= homes && first, "{number} of {homes}");
                    let snapshot = if *number < homes { 7 } else { 0 };
                    assert_eq!(known.last, Sequence(snapshot));
                    known.set(Head::Link(u32::from(*number)));
                }
            }
            let others = named.iter().filter(|number| **number >= homes).count();
            assert_eq!(keys.iter().count(), usize::from(homes) + others);
            assert_eq!(keys.taken, usize::from(homes) + others);
            for known in keys.iter() {
                let expected = match known.head() {
                    Head::Link(number) => key(number as u16),
                    _ => known.key,
                };
                assert_eq!(known.key, expected);
            }
        }
    }

    #[test]
    fn keys_with_one_hash_are_told_apart() {
        let mut keys = Keys { places: places_for(20), taken: 0 };
        for number in 0..20 {
            assert!(keys.get(&key(number), u64::MAX).1);
        }
        for number in 0..20 {
            let (known, is_new) = keys.get(&key(number), u64::MAX);
            assert_eq!((known.key, is_new), (key(number), false));
        }
    }
}
