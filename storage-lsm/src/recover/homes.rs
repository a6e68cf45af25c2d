//! The newest values of all keys, as the tables have them.

use crate::key::{Key, Sequence};
use crate::store::Located;

/// A key's value in a table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Home {
    pub(super) key: Key,
    pub(super) sequence: Sequence,
    pub(super) located: Located,
}

/// All keys that have a value, each once.
#[derive(Default, Debug)]
pub(super) struct Homes {
    /// Sorted by key up to where the open bucket begins: buckets come in their
    /// order, and do not overlap.
    list: Vec<Home>,
    open: usize,
}

impl Homes {
    /// More values of the open bucket, in no order.
    pub(super) fn extend(&mut self, homes: impl ExactSizeIterator<Item = Option<Home>>) {
        self.list.reserve(homes.len());
        self.list.extend(homes.flatten());
    }

    /// Keeps the newest of each key of the open bucket.
    pub(super) fn close_bucket(&mut self) {
        let open = self.open;
        let list = &mut self.list[open..];
        // Footers are sorted, and this sort is quick where it finds sorted runs.
        list.sort_by_key(|home| (home.key, std::cmp::Reverse(home.sequence)));
        let mut kept = open;
        for at in open..self.list.len() {
            if kept == open || self.list[kept - 1].key != self.list[at].key {
                self.list[kept] = self.list[at];
                kept += 1;
            }
        }
        self.list.truncate(kept);
        self.open = kept;
        let in_order = self.list[open.saturating_sub(1)..].iter().take(2);
        assert!(in_order.is_sorted_by(|one, next| one.key < next.key), "buckets are in order");
    }

    pub(super) fn list(&self) -> &[Home] {
        &self.list
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::TableNo;
    use crate::table::record::TableEntry;

    fn key(number: u16) -> Key {
        let mut bytes = [5; 16];
        bytes[14..].copy_from_slice(&number.to_be_bytes());
        Key::new(bytes)
    }

    fn home(number: u16, sequence: u64) -> Home {
        let (key, sequence) = (key(number), Sequence(sequence));
        let entry = TableEntry { key, sequence, offset: 4096, length: 1, checksum: 2 };
        Home { key, sequence, located: Located::new(TableNo(0), &entry) }
    }

    #[test]
    fn every_key_is_there_once_and_newest() {
        let mut homes = Homes::default();
        for bucket in [0..700, 700..700, 700..701, 701..2000] {
            let each = bucket.rev().flat_map(|number| {
                let newest = u64::from(number) + 2;
                [home(number, newest - 1), home(number, newest), home(number, 1)]
            });
            let each: Vec<_> = each.map(Some).chain([None]).collect();
            homes.extend(each.into_iter());
            homes.close_bucket();
        }
        let list = homes.list().iter().map(|home| (home.key, home.sequence));
        assert!(list.eq((0..2000).map(|number| (key(number), Sequence(u64::from(number) + 2)))));
    }
}
