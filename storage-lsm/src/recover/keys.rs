//! A number for every key that the tables have or the logs name.
//!
//! A start looks up each record's key, in no order, among more keys than a
//! cache holds. One after the other that would be a wait for memory each; so
//! keys are looked up many at a time, in steps that each touch one line of
//! memory for all of them, and the waits of a step pass together.

use std::hint::black_box;

use crate::key::{Key, Revision};

use super::homes::Homes;

/// How many keys are looked up at a time: more than the misses that a core
/// has on their way at once, and few enough to stay in its first cache.
pub(super) const TOGETHER: usize = 64;

/// A place of the hash table.
#[derive(Clone, Copy, Default, Debug)]
struct Place {
    /// The upper half of the key's hash; the lower half leads here.
    tag: u32,
    /// The key's number plus one; 0 is free.
    number: u32,
}

/// All keys that are known.
#[derive(Default, Debug)]
pub(super) struct Keys {
    /// Keys with a value in a table; these have the first numbers, in order.
    pub(super) homes: Homes,
    /// Keys without one, in the order in which they were named.
    homeless: Vec<Key>,
    /// Made when the first key is looked up. It takes 12 to 24 bytes a key.
    places: Vec<Place>,
}

impl Keys {
    /// How many there are; their numbers are all below.
    pub(super) fn len(&self) -> usize {
        self.homes.list().len() + self.homeless.len()
    }

    /// Keys without a value in a table. Their numbers follow the others', in
    /// this order.
    pub(super) fn homeless(&self) -> &[Key] {
        &self.homeless
    }

    /// The newest snapshot of a key that is whole.
    pub(super) fn snapshot(&self, number: u32) -> Option<Revision> {
        self.homes.list().get(number as usize).map(|home| home.revision)
    }

    pub(super) fn key(&self, number: u32) -> &Key {
        let (number, homes) = (number as usize, self.homes.list());
        homes.get(number).map_or_else(|| &self.homeless[number - homes.len()], |home| &home.key)
    }

    /// The numbers of at most [`TOGETHER`] keys, `None` for unknown ones. No
    /// bucket may be added any more.
    pub(super) fn find(&mut self, keys: &[Key]) -> [Option<u32>; TOGETHER] {
        if self.places.is_empty() {
            self.make_places(self.len());
        }
        let mut hashes = [0; TOGETHER];
        let mut found = [None; TOGETHER];
        let keys = &keys[..keys.len().min(TOGETHER)];
        let mut touched = 0;
        for (hash, key) in hashes.iter_mut().zip(keys) {
            *hash = key.hash64();
            touched ^= self.places[self.first(*hash)].number;
        }
        black_box(touched);
        let mut touched = 0;
        for (found, hash) in found.iter_mut().zip(&hashes[..keys.len()]) {
            *found = self.find_where(*hash, |_| true);
            touched ^= found.map_or(0, |number| self.key(number).second());
        }
        black_box(touched);
        for ((found, hash), key) in found.iter_mut().zip(hashes).zip(keys) {
            if found.is_some_and(|number| self.key(number) != key) {
                *found = self.find_where(hash, |number| self.key(number) == key);
            }
        }
        found
    }

    /// The number of one key; an unknown one gets the next.
    pub(super) fn number(&mut self, key: &Key) -> u32 {
        let hash = key.hash64();
        // A third of the places at least stays free, so every search ends.
        if self.places.len() < self.len().div_ceil(2) * 3 + 2 {
            self.make_places(self.len() + 1);
        }
        if let Some(number) = self.find_where(hash, |number| self.key(number) == key) {
            return number;
        }
        let number = self.count();
        self.homeless.push(*key);
        self.place(number, hash);
        number
    }

    /// The first key whose hash is that one, as far as its place tells, and
    /// that is the right one.
    fn find_where(&self, hash: u64, is_right: impl Fn(u32) -> bool) -> Option<u32> {
        let mut at = self.first(hash);
        loop {
            let place = self.places[at];
            let number = place.number.checked_sub(1)?;
            if place.tag == tag(hash) && is_right(number) {
                return Some(number);
            }
            at = self.after(at);
        }
    }

    fn count(&self) -> u32 {
        u32::try_from(self.len() + 1).expect("no memory has room for 2^32 keys") - 1
    }

    fn make_places(&mut self, keys: usize) {
        self.places = vec![Place::default(); (keys + keys / 2 + 2).next_power_of_two()];
        for number in 0..self.count() {
            self.place(number, self.key(number).hash64());
        }
    }

    fn place(&mut self, number: u32, hash: u64) {
        let mut at = self.first(hash);
        while self.places[at].number != 0 {
            at = self.after(at);
        }
        self.places[at] = Place { tag: tag(hash), number: number + 1 };
    }

    fn first(&self, hash: u64) -> usize {
        hash as usize & (self.places.len() - 1)
    }

    fn after(&self, at: usize) -> usize {
        (at + 1) & (self.places.len() - 1)
    }
}

fn tag(hash: u64) -> u32 {
    (hash >> 32) as u32
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::recover::homes::Home;
    use crate::store::{Located, TableNo};
    use crate::table::record::TableEntry;

    pub(crate) fn home(number: u16, revision: u64) -> Home {
        let (key, revision) = (key(number), Revision(revision));
        let entry = TableEntry { key, revision, offset: 4096, length: 1, checksum: 2 };
        Home { key, revision, located: Located::new(TableNo(0), &entry) }
    }

    pub(crate) fn key(number: u16) -> Key {
        let mut bytes = [5; 16];
        bytes[14..].copy_from_slice(&number.to_be_bytes());
        Key::new(bytes)
    }

    fn keys(homes: u16) -> Keys {
        let mut keys = Keys::default();
        let list: Vec<_> = (0..homes).map(|number| Some(home(number, 7))).collect();
        keys.homes.extend(list.into_iter());
        keys.homes.close_bucket();
        keys
    }

    #[test]
    fn every_key_has_its_number_and_others_have_none() {
        for homes in [0, 1, 2, 3, 700, 1365, 1366] {
            let mut keys = keys(homes);
            // Every second of the others is named, and some twice.
            let named: Vec<u16> = (homes..homes + 3000).step_by(2).collect();
            for (at, number) in named.iter().enumerate() {
                for _ in 0..1 + at % 2 {
                    assert_eq!(keys.number(&key(*number)) as usize, usize::from(homes) + at);
                }
                assert_eq!(keys.key(u32::from(homes) + at as u32), &key(*number));
            }
            assert_eq!(keys.len(), usize::from(homes) + named.len());
            let all: Vec<u16> = (0..homes + 3000).collect();
            for all in all.chunks(TOGETHER) {
                let asked: Vec<Key> = all.iter().map(|number| key(*number)).collect();
                let found = keys.find(&asked);
                for (number, found) in all.iter().zip(found) {
                    let home = (*number < homes).then_some(u32::from(*number));
                    let homeless = named.binary_search(number).ok();
                    let homeless = homeless.map(|at| u32::from(homes) + at as u32);
                    assert_eq!(found, home.or(homeless), "{number} of {homes}");
                    let snapshot = found.and_then(|number| keys.snapshot(number));
                    assert_eq!(snapshot, home.map(|_| Revision(7)));
                }
            }
        }
    }

    #[test]
    fn keys_with_one_hash_are_told_apart() {
        for (asked, others) in [(0, [1, 2].as_slice()), (0, &[2]), (9, &[0, 2])] {
            let mut keys = keys(3);
            keys.find(&[]);
            // What the asked key's hash finds first is another's.
            let hash = key(asked).hash64();
            keys.places.fill(Place::default());
            others.iter().for_each(|other| keys.place(*other, hash));
            let known = (asked < 3).then_some(u32::from(asked));
            known.iter().for_each(|number| keys.place(*number, hash));
            assert_eq!(keys.find(&[key(asked)])[0], known);
            assert_eq!(keys.number(&key(asked)), known.unwrap_or(3));
            assert_eq!(keys.find(&[key(asked)])[0], known.or(Some(3)));
        }
    }
}
