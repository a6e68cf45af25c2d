//! The newest values of a bucket's keys, as its tables have them.

use crate::key::{Key, Revision};
use crate::store::Located;

/// A key's value in a table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Home {
    pub(super) key: Key,
    pub(super) revision: Revision,
    pub(super) located: Located,
}

/// A bucket's keys that have a value, each once.
#[derive(Debug)]
pub(super) struct Homes {
    /// Sorted by key.
    list: Vec<Home>,
    /// A hash table of places in the list, plus one; 0 is free. It takes 6 to
    /// 12 bytes a key, and is made when a log names a key of the bucket: a
    /// search of the list would miss the cache at each of its steps.
    places: Vec<u32>,
}

impl Homes {
    /// Keeps the newest of each key.
    pub(super) fn new(mut list: Vec<Home>) -> Self {
        // Footers are sorted, and this sort is quick where it finds sorted runs.
        list.sort_by_key(|home| (home.key, std::cmp::Reverse(home.revision)));
        list.dedup_by_key(|home| home.key);
        list.shrink_to_fit();
        Self { list, places: Vec::new() }
    }

    pub(super) fn list(&self) -> &[Home] {
        &self.list
    }

    /// The newest snapshot of the key that is whole.
    pub(super) fn snapshot(&mut self, key: &Key) -> Option<Revision> {
        if self.places.is_empty() {
            self.place();
        }
        let mut at = self.first(key);
        loop {
            let home = &self.list[self.places[at].checked_sub(1)? as usize];
            if home.key == *key {
                return Some(home.revision);
            }
            at = self.after(at);
        }
    }

    fn place(&mut self) {
        // A third of the places at least stays free, so every search ends.
        let places = (self.list.len() + self.list.len() / 2 + 1).next_power_of_two();
        self.places = vec![0; places];
        for number in 0..self.list.len() {
            let mut at = self.first(&self.list[number].key);
            while self.places[at] != 0 {
                at = self.after(at);
            }
            self.places[at] = number as u32 + 1;
        }
    }

    fn first(&self, key: &Key) -> usize {
        key.hash64() as usize & (self.places.len() - 1)
    }

    fn after(&self, at: usize) -> usize {
        (at + 1) & (self.places.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::TableNo;
    use crate::table::record::TableEntry;

    fn home(number: u16, revision: u64) -> Home {
        let (key, revision) = (key(number), Revision(revision));
        let entry = TableEntry { key, revision, offset: 4096, length: 1, checksum: 2 };
        Home { key, revision, located: Located::new(TableNo(0), &entry) }
    }

    fn key(number: u16) -> Key {
        let mut bytes = [5; 16];
        bytes[14..].copy_from_slice(&number.to_be_bytes());
        Key::new(bytes)
    }

    #[test]
    fn every_key_has_its_newest_snapshot_and_others_have_none() {
        for keys in [0, 1, 2, 3, 700, 1365, 1366] {
            let each = (0..keys).flat_map(|number| {
                let newest = u64::from(number) + 2;
                [home(number, newest - 1), home(number, newest), home(number, 1)]
            });
            let mut homes = Homes::new(each.collect());
            assert_eq!(homes.list().len(), usize::from(keys));
            for number in 0..keys + 500 {
                let newest = (number < keys).then_some(Revision(u64::from(number) + 2));
                assert_eq!(homes.snapshot(&key(number)), newest, "{number} of {keys}");
            }
        }
    }
}
