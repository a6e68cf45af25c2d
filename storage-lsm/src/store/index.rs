//! Where the tables have the keys of one bucket: sixteen bytes a key.
//!
//! A key at rest costs an entry of 16 bytes and no copy of itself:
//! ```text
//! bytes  field
//!     4  fingerprint: 32 bits of the key's hash
//!     4  the low half of the record's checksum
//!     8  place: table, offset and size, as in [`place`](super::place)
//! ```
//! Entries lie in parts, each sorted by fingerprint. Its low bits choose the
//! part, and the number of parts grows one by one (W. Litwin, "Linear hashing:
//! a new tool for file and table addressing"), so an insertion moves a few
//! kilobytes at most, however large the bucket is. Parts grow by a sixteenth,
//! so that a thirty-second of them is empty on average.
//!
//! # Why fingerprints are exact enough
//!
//! Two keys may have one fingerprint: one pair on average among 100,000 keys, a
//! hundred among a million. Three rules keep the index exact:
//!
//! - A fingerprint has at most one entry. A second key with the same fingerprint is a
//!   *twin*. Twins stand whole in a map that is looked at first.
//! - A key that has records and no place in a table yet is *homeless*, and the
//!   index knows all homeless keys by name. An entry with the fingerprint of a homeless
//!   key therefore belongs to another key. When the homeless key gets a place, it
//!   becomes a twin. A key that is neither homeless nor a twin owns its entry.
//! - A key that was never stored may find the entry of another key. The record on the
//!   disk has the whole key, and every read compares it.
//!
//! Calling a key homeless by mistake is harmless: the key becomes a twin, and its
//! former entry stays behind unread.

use std::collections::{BTreeMap, HashSet};

use crate::key::{Key, KeyHash};

use super::place::Located;

/// Entries that a part has on average.
const PART_ENTRIES: usize = 160;

/// Parts that [`Index::shed`] frees in one step.
const SHED_PARTS: usize = 256;

#[derive(Clone, Copy, Debug)]
struct Entry {
    fingerprint: u32,
    checksum: u32,
    place: u64,
}

const _: () = assert!(size_of::<Entry>() == 16);

impl Entry {
    fn new(fingerprint: u32, located: Located) -> Self {
        Self { fingerprint, checksum: located.checksum, place: located.place() }
    }

    fn located(&self) -> Located {
        Located::from_parts(self.place, self.checksum)
    }
}

/// The places of one bucket's keys in one shard.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// Part `n` has the fingerprints whose low bits are `n`: as many bits as
    /// all parts together need, and one less for those not split yet.
    parts: Vec<Vec<Entry>>,
    entries: usize,
    /// Entries that the parts have room for.
    room: usize,
    twins: BTreeMap<Key, Located>,
    homeless: HashSet<Key, KeyHash>,
}

impl Index {
    /// The key's place in a table. For a key that was never stored it may be the place
    /// of another key; the record there has the whole key.
    pub(crate) fn get(&self, key: &Key) -> Option<Located> {
        if let Some(located) = self.twins.get(key) {
            return Some(*located);
        }
        let fingerprint = fingerprint(key);
        let entries = self.parts.get(self.part_of(fingerprint))?;
        let at = entries.binary_search_by_key(&fingerprint, |entry| entry.fingerprint).ok()?;
        (!self.homeless.contains(key)).then(|| entries[at].located())
    }

    /// Whether the key is a twin.
    pub(crate) fn is_twin(&self, key: &Key) -> bool {
        self.twins.contains_key(key)
    }

    /// The key has records and no place in a table yet.
    pub(crate) fn add_homeless(&mut self, key: Key) {
        self.homeless.insert(key);
    }

    /// Gives the key a place and returns the one that it had.
    pub(crate) fn insert(&mut self, key: Key, located: Located) -> Option<Located> {
        if let Some(old) = self.twins.get_mut(&key) {
            return Some(std::mem::replace(old, located));
        }
        let homeless = self.homeless.remove(&key);
        self.place(key, located, homeless)
    }

    /// Gives a place to a key that has none, as a start does for all keys.
    pub(crate) fn insert_new(&mut self, key: Key, located: Located) {
        self.place(key, located, true);
    }

    fn place(&mut self, key: Key, located: Located, homeless: bool) -> Option<Located> {
        let fingerprint = fingerprint(&key);
        let entry = Entry::new(fingerprint, located);
        if self.parts.is_empty() {
            self.parts.push(Vec::new());
        }
        let part = self.part_of(fingerprint);
        let entries = &mut self.parts[part];
        match entries.binary_search_by_key(&fingerprint, |entry| entry.fingerprint) {
            Ok(_) if homeless => {
                self.twins.insert(key, located);
                return None;
            }
            Ok(at) => return Some(std::mem::replace(&mut entries[at], entry).located()),
            Err(at) => {
                if entries.len() == entries.capacity() {
                    self.room -= entries.capacity();
                    entries.reserve_exact(growth(entries.len()));
                    self.room += entries.capacity();
                }
                entries.insert(at, entry);
            }
        }
        self.entries += 1;
        if self.entries > self.parts.len() * PART_ENTRIES {
            self.split();
        }
        None
    }

    fn part_of(&self, fingerprint: u32) -> usize {
        // With 5 parts: 3 bits if that names a part, and 2 if not.
        let wide = self.parts.len().next_power_of_two().max(2);
        let part = fingerprint as usize & (wide - 1);
        if part < self.parts.len() { part } else { part & (wide / 2 - 1) }
    }

    /// Adds one part. It takes the entries of an old part that have the next bit set.
    fn split(&mut self) {
        let new = self.parts.len();
        let bit = (new + 1).next_power_of_two() / 2;
        let old = &mut self.parts[new - bit];
        let moves = |entry: &&Entry| entry.fingerprint as usize & bit != 0;
        let moved = old.iter().filter(moves).count();
        let stays = old.len() - moved;
        let mut upper = Vec::with_capacity(moved + growth(moved));
        let mut lower = Vec::with_capacity(stays + growth(stays));
        for entry in old.iter() {
            if moves(&entry) { upper.push(*entry) } else { lower.push(*entry) }
        }
        self.room += lower.capacity() + upper.capacity();
        self.room -= old.capacity();
        *old = lower;
        self.parts.push(upper);
    }

    /// Keys with a place in a table.
    pub(crate) fn len(&self) -> usize {
        self.entries + self.twins.len()
    }

    /// The bytes of memory that the index takes, without what an allocator
    /// adds to each of its few hundred pieces.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.room * size_of::<Entry>()
            + self.parts.capacity() * size_of::<Vec<Entry>>()
            + self.twins.len() * size_of::<(Key, Located)>()
            + self.homeless.capacity() * size_of::<Key>()
    }

    /// Frees a bounded part of the memory; `false` when nothing is left.
    pub(crate) fn shed(&mut self) -> bool {
        if self.homeless.capacity() > 0 {
            self.homeless = HashSet::default();
            return true;
        }
        self.twins.clear();
        self.parts.truncate(self.parts.len().saturating_sub(SHED_PARTS));
        !self.parts.is_empty()
    }
}

/// By how many entries a full part grows.
fn growth(entries: usize) -> usize {
    (entries / 16).max(4)
}

/// 32 bits of the key's hash, none of which has a say in its partition.
fn fingerprint(key: &Key) -> u32 {
    let fingerprint = (key.hash64() >> 32) as u32;
    #[cfg(feature = "narrow")]
    let fingerprint = fingerprint & narrow::mask();
    fingerprint
}

/// Fingerprints of few bits, so that everything collides. For tests; the product is
/// built without it.
#[cfg(feature = "narrow")]
pub mod narrow {
    use std::cell::Cell;

    thread_local! {
        static MASK: Cell<u32> = const { Cell::new(u32::MAX) };
    }

    /// On this thread fingerprints have few bits for as long as it lives.
    #[derive(Debug)]
    pub struct Narrow(());

    impl Narrow {
        /// Fingerprints of so many bits, under 32.
        #[must_use]
        pub fn to(bits: u32) -> Self {
            MASK.set((1 << bits) - 1);
            Self(())
        }
    }

    impl Drop for Narrow {
        fn drop(&mut self) {
            MASK.set(u32::MAX);
        }
    }

    pub(super) fn mask() -> u32 {
        MASK.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Sequence;
    use crate::store::place::TableNo;
    use crate::table::record::TableEntry;
    use proptest::prelude::*;

    fn key(number: u32) -> Key {
        let mut bytes = [3; 16];
        bytes[12..].copy_from_slice(&number.to_le_bytes());
        Key::new(bytes)
    }

    fn located(number: u32, checksum: u64) -> Located {
        let (sequence, offset) = (Sequence(1), u64::from(number) * 16);
        let entry = TableEntry { key: key(0), sequence, offset, length: 9, checksum };
        Located::new(TableNo(number % 7), &entry)
    }

    #[test]
    fn a_key_at_rest_takes_less_than_twenty_bytes() {
        let mut index = Index::default();
        for number in 0..300_000 {
            index.insert_new(key(number), located(number, 1));
            let keys = number as usize + 1;
            // Some hundred bytes do not matter while there are few keys.
            let limit = if keys < 2000 { 4096 + keys * 20 } else { keys * 20 };
            let pieces = index.parts.len() * 16;
            assert!(!keys.is_multiple_of(97) || index.memory_bytes() + pieces <= limit, "{keys}");
        }
        let bytes = (index.memory_bytes() + index.parts.len() * 16) as f64 / 300_000.0;
        assert!(bytes < 17.6, "{bytes}");
        assert!((1..60).contains(&index.twins.len()), "{} pairs of 300,000", index.twins.len());
        assert!(index.parts.iter().all(|part| part.len() < 3 * PART_ENTRIES));
        for number in 0..300_000 {
            assert_eq!(index.get(&key(number)), Some(located(number, 1)), "{number}");
        }
    }

    proptest! {
        /// Against a map of whole keys. A key that is asked for and never was
        /// stored may find another's place, nothing else may be wrong.
        #[test]
        fn it_is_exact_however_many_fingerprints_collide(
            bits in 0_u32..12,
            steps in proptest::collection::vec((0_u32..400, any::<u64>()), 1..900),
        ) {
            let _narrow = narrow::Narrow::to(bits);
            let (mut index, mut model) = (Index::default(), BTreeMap::new());
            let mut homeless = std::collections::BTreeSet::new();
            for (number, checksum) in steps {
                let key = key(number);
                if !model.contains_key(&key) && homeless.insert(key) {
                    index.add_homeless(key);
                    prop_assert_eq!(index.get(&key), None);
                    continue;
                }
                homeless.remove(&key);
                let place = located(number, checksum);
                prop_assert_eq!(index.insert(key, place), model.insert(key, place));
                prop_assert_eq!(index.len(), model.len());
            }
            for number in 0..400 {
                let key = key(number);
                match model.get(&key) {
                    Some(place) => prop_assert_eq!(index.get(&key), Some(*place)),
                    None if homeless.contains(&key) => prop_assert_eq!(index.get(&key), None),
                    None => {}
                }
            }
            while index.shed() {}
            prop_assert_eq!(index.parts.len(), 0);
        }
    }
}
