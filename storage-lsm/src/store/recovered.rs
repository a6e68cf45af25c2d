//! Records of former runs' logs that no snapshot of their keys covers.
//!
//! A start may find millions, so they lie in pages of many keys each. A page
//! goes when all of its keys are covered.

use crate::key::{Key, Revision};
use crate::limits::SHED_KEYS;

use super::seed::RecordRef;

/// A page is full with so many keys …
const PAGE_KEYS: usize = 256;
/// … or so many records.
const PAGE_RECORDS: usize = 2048;

/// Where a page has the records of a key.
#[derive(Clone, Copy, Debug)]
struct Share {
    key: Key,
    begin: usize,
    end: usize,
}

#[derive(Debug)]
struct Page {
    first: Key,
    shares: Box<[Share]>,
    records: Box<[RecordRef]>,
    /// How many of the keys have records that are not covered.
    open: usize,
}

#[derive(Default, Debug)]
pub(crate) struct Recovered {
    /// In the order of the keys.
    pages: Vec<Page>,
    shares: Vec<Share>,
    records: Vec<RecordRef>,
}

impl Recovered {
    /// Adds a key's records, in the order of their revisions. Keys come in
    /// their order, and [`Self::close`] after the last.
    pub(crate) fn push(&mut self, key: Key, records: &[RecordRef]) {
        let last = self.shares.last().map(|share| share.key);
        assert!(last.is_none_or(|last| last < key), "keys come in their order");
        let begin = self.records.len();
        self.records.extend_from_slice(records);
        self.shares.push(Share { key, begin, end: self.records.len() });
        if self.shares.len() >= PAGE_KEYS || self.records.len() >= PAGE_RECORDS {
            self.close_page();
        }
    }

    /// No key comes any more.
    pub(crate) fn close(&mut self) {
        self.close_page();
        (self.shares, self.records) = (Vec::new(), Vec::new());
        self.pages.shrink_to_fit();
    }

    fn close_page(&mut self) {
        let Some(share) = self.shares.first() else { return };
        let page = Page {
            first: share.key,
            shares: self.shares.as_slice().into(),
            records: self.records.as_slice().into(),
            open: self.shares.len(),
        };
        self.pages.push(page);
        self.shares.clear();
        self.records.clear();
    }

    /// The key's records, in the order of their revisions.
    pub(crate) fn get(&self, key: &Key) -> &[RecordRef] {
        let Some((page, at)) = self.find(key) else { return &[] };
        let (page, share) = (&self.pages[page], &self.pages[page].shares[at]);
        &page.records[share.begin..share.end]
    }

    /// A snapshot covers the key's records up to `revision`.
    pub(crate) fn cover(&mut self, key: &Key, revision: Revision) {
        let Some((page, at)) = self.find(key) else { return };
        let page = &mut self.pages[page];
        let share = &mut page.shares[at];
        let records = &page.records[share.begin..share.end];
        if records.is_empty() {
            return;
        }
        share.begin += records.partition_point(|record| record.revision <= revision);
        if share.begin == share.end {
            page.open -= 1;
            if page.open == 0 {
                (page.shares, page.records) = (Box::default(), Box::default());
            }
        }
    }

    fn find(&self, key: &Key) -> Option<(usize, usize)> {
        let after = self.pages.partition_point(|page| page.first <= *key);
        let page = after.checked_sub(1)?;
        let at = self.pages[page].shares.binary_search_by_key(key, |share| share.key).ok()?;
        Some((page, at))
    }

    /// Frees a bounded part of the memory; `false` when nothing is left.
    pub(crate) fn shed(&mut self) -> bool {
        self.pages.truncate(self.pages.len().saturating_sub(SHED_KEYS / PAGE_KEYS));
        !self.pages.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::writer::Age;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn key(number: u32) -> Key {
        let mut bytes = [3; 16];
        bytes[12..].copy_from_slice(&number.to_be_bytes());
        Key::new(bytes)
    }

    proptest! {
        /// Against a map of lists.
        #[test]
        fn every_key_has_what_no_snapshot_covers(
            counts in proptest::collection::btree_map(0_u32..2000, 1_u64..40, 0..900),
            covers in proptest::collection::vec((0_u32..2000, 0_u64..45), 0..900),
        ) {
            let (mut recovered, mut model) = (Recovered::default(), BTreeMap::new());
            for (number, count) in counts {
                let record = |revision| RecordRef::new(Age(1), Revision(revision), number, 2, 3);
                let records: Vec<_> = (5..5 + count).map(record).collect();
                recovered.push(key(number), &records);
                model.insert(number, records);
            }
            recovered.close();
            for (number, revision) in covers {
                let revision = Revision(revision);
                recovered.cover(&key(number), revision);
                if let Some(records) = model.get_mut(&number) {
                    records.retain(|record| record.revision > revision);
                }
                let expected = model.get(&number).cloned().unwrap_or_default();
                prop_assert_eq!(recovered.get(&key(number)), expected);
            }
            for number in 0..2000 {
                let expected = model.get(&number).cloned().unwrap_or_default();
                prop_assert_eq!(recovered.get(&key(number)), expected);
            }
            for page in &recovered.pages {
                let open = page.shares.iter().filter(|share| share.begin < share.end).count();
                prop_assert_eq!(page.open, open);
                prop_assert_eq!(page.records.is_empty(), open == 0);
            }
            while recovered.shed() {}
            prop_assert!(recovered.pages.is_empty());
        }
    }

    #[test]
    fn pages_go_when_their_keys_are_covered() {
        let mut recovered = Recovered::default();
        let keys = 3 * PAGE_KEYS as u32;
        for number in 0..keys {
            recovered.push(key(number), &[RecordRef::new(Age(1), Revision(1), 0, 0, 0)]);
        }
        recovered.close();
        let left = |recovered: &Recovered| {
            recovered.pages.iter().filter(|page| !page.records.is_empty()).count()
        };
        assert_eq!(left(&recovered), 3);
        (0..keys - 1).for_each(|number| recovered.cover(&key(number), Revision(1)));
        assert_eq!((left(&recovered), recovered.get(&key(keys - 1)).len()), (1, 1));
        recovered.cover(&key(keys - 1), Revision::TOMBSTONE);
        assert_eq!(left(&recovered), 0);
    }
}
