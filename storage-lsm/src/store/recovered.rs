//! Records of the log that no snapshot of their keys covers: of former runs, and of
//! this one where its log is indexed.
//!
//! A start may find millions. So a record is a link of 16 bytes in a list in
//! the order of the logs. The link points to the previous record of the same key,
//! and the key points to its last record. Sequences are not stored, because the
//! records of a chain have no gap. The few keys whose records have one are kept
//! apart.

use std::collections::BTreeMap;

use crate::key::{Key, Sequence};
use crate::log::writer::Age;

use super::record_ref::RecordRef;

/// Links are kept in pieces of so many, so that none is copied when they
/// become more.
const PIECE_LINKS: usize = 16 * 1024;

/// When at most this many uncovered keys remain, their records are copied out and
/// the list is freed. Damaged keys are never snapshotted and would pin the list for
/// ever.
const FEW_KEYS: usize = 16;

/// What stands for the link before the first.
const NO_LINK: u32 = u32::MAX;

/// One record.
#[derive(Clone, Copy, Debug)]
struct Link {
    /// The number of the record before it of its key.
    before: u32,
    offset: u32,
    length: u32,
    checksum: u32,
}

/// The links of one segment, which follow those of the segment before.
#[derive(Clone, Copy, Debug)]
struct SegmentLinks {
    age: Age,
    first: u32,
    /// How many belong to a chain.
    linked: u32,
}

/// A key whose records follow each other.
#[derive(Clone, Copy, Debug)]
struct Chain {
    key: Key,
    /// The number of the last record, and its sequence.
    link: u32,
    last: Sequence,
    /// Up to where a snapshot covers them.
    covered: Sequence,
}

/// The records of one bucket and one shard.
#[derive(Default, Debug)]
pub(crate) struct Recovered {
    pieces: Vec<Vec<Link>>,
    segments: Vec<SegmentLinks>,
    /// In the order of the keys once the list is closed.
    chains: Vec<Chain>,
    /// How many of them a snapshot does not cover.
    open: usize,
    odd: BTreeMap<Key, Vec<RecordRef>>,
    /// How many records those have.
    odd_records: usize,
}

impl Recovered {
    /// Adds a record that follows the key's record `before`, or is the first
    /// after its snapshot; returns its number. All records of a segment come
    /// before those of the next.
    pub(crate) fn link(&mut self, before: Option<u32>, record: &RecordRef) -> u32 {
        let number = self.links();
        let last = self.segments.last_mut().filter(|last| last.age == record.segment());
        match last {
            Some(last) => last.linked += 1,
            None => {
                let age = record.segment();
                self.segments.push(SegmentLinks { age, first: number, linked: 1 });
            }
        }
        if self.pieces.last().is_none_or(|piece| piece.len() == PIECE_LINKS) {
            // The first may stay small.
            let room = if self.pieces.is_empty() { 0 } else { PIECE_LINKS };
            self.pieces.push(Vec::with_capacity(room));
        }
        let RecordRef { offset, length, checksum, .. } = *record;
        let before = before.unwrap_or(NO_LINK);
        let piece = self.pieces.last_mut().expect("there is a piece with room");
        piece.push(Link { before, offset, length, checksum });
        number
    }

    fn links(&self) -> u32 {
        let Some(last) = self.pieces.last() else { return 0 };
        let links = (self.pieces.len() - 1) * PIECE_LINKS + last.len();
        u32::try_from(links).ok().filter(|links| *links < NO_LINK).expect("links fit memory")
    }

    /// The records of the chain that ends with `link`, whose sequence is `last`, as
    /// far as they come after sequence `after`; in order.
    fn walk(&self, link: u32, last: Sequence, after: Sequence) -> Vec<RecordRef> {
        let mut records = Vec::new();
        let (mut at, mut sequence) = (link, last);
        while at != NO_LINK && sequence > after {
            let Link { before, offset, length, checksum } =
                self.pieces[at as usize / PIECE_LINKS][at as usize % PIECE_LINKS];
            let age = self.segment_of(at).age;
            records.push(RecordRef::new(age, sequence, offset, length, checksum));
            (at, sequence) = (before, Sequence(sequence.0.saturating_sub(1)));
        }
        records.reverse();
        records
    }

    fn segment_of(&self, link: u32) -> &SegmentLinks {
        let after = self.segments.partition_point(|segment| segment.first <= link);
        &self.segments[after - 1]
    }

    /// The segment of a link.
    pub(crate) fn age_of(&self, link: u32) -> Age {
        self.segment_of(link).age
    }

    /// Takes the records that end with a link out of the list.
    pub(crate) fn unlink(&mut self, link: u32, last: Sequence) -> Vec<RecordRef> {
        let records = self.walk(link, last, Sequence(0));
        for record in &records {
            let age = record.segment();
            let of_record = self.segments.iter_mut().find(|segment| segment.age == age);
            of_record.expect("it is in the list").linked -= 1;
        }
        records
    }

    /// Names the key of the records that end with a link.
    pub(crate) fn add_chain(&mut self, key: Key, link: u32, last: Sequence) {
        self.chains.push(Chain { key, link, last, covered: Sequence(0) });
    }

    /// Adds a key's records that are not in the list, in the order of their
    /// sequences.
    pub(crate) fn add_odd(&mut self, key: Key, records: Vec<RecordRef>) {
        self.odd_records += records.len();
        self.odd.insert(key, records);
    }

    /// Adds a record of this run. One that is not newer than the key's last is left out.
    pub(crate) fn add(&mut self, key: Key, record: RecordRef) {
        if let Some(at) = self.open_chain(&key) {
            let Chain { link, last, covered, .. } = self.chains[at];
            self.add_odd(key, self.walk(link, last, covered));
            self.chains[at].covered = last;
            self.open -= 1;
            self.free_covered();
        }
        let records = self.odd.entry(key).or_default();
        if records.last().is_none_or(|last| last.sequence < record.sequence) {
            records.push(record);
            self.odd_records += 1;
        }
    }

    /// No key comes any more.
    pub(crate) fn close(&mut self) {
        self.chains.sort_unstable_by_key(|chain| chain.key);
        self.open = self.chains.len();
        self.free_covered();
    }

    /// The segments of the records in the list.
    pub(crate) fn segments(&self) -> impl Iterator<Item = Age> {
        self.segments.iter().filter(|segment| segment.linked > 0).map(|segment| segment.age)
    }

    /// How many records are in the list.
    pub(crate) fn len(&self) -> u64 {
        self.segments.iter().map(|segment| u64::from(segment.linked)).sum()
    }

    /// Roughly the bytes of memory that the list takes.
    pub(crate) fn memory_bytes(&self) -> usize {
        let links: usize = self.pieces.iter().map(Vec::capacity).sum();
        let odd = self.odd.len() * size_of::<(Key, Vec<RecordRef>)>()
            + self.odd_records * size_of::<RecordRef>();
        links * size_of::<Link>() + self.chains.capacity() * size_of::<Chain>() + odd
    }

    /// The key's records, in the order of their sequences.
    pub(crate) fn get(&self, key: &Key) -> Vec<RecordRef> {
        match self.open_chain(key) {
            Some(at) => {
                let Chain { link, last, covered, .. } = self.chains[at];
                self.walk(link, last, covered)
            }
            None => self.odd.get(key).cloned().unwrap_or_default(),
        }
    }

    /// Whether the key has any.
    pub(crate) fn has(&self, key: &Key) -> bool {
        self.open_chain(key).is_some() || self.odd.contains_key(key)
    }

    /// The key's chain, unless a snapshot covers all of it.
    fn open_chain(&self, key: &Key) -> Option<usize> {
        let at = self.chains.binary_search_by_key(key, |chain| chain.key).ok()?;
        (self.chains[at].covered < self.chains[at].last).then_some(at)
    }

    /// A snapshot covers the key's records up to `sequence`.
    pub(crate) fn cover(&mut self, key: &Key, sequence: Sequence) {
        if let Some(at) = self.open_chain(key) {
            let chain = &mut self.chains[at];
            chain.covered = sequence.max(chain.covered);
            if chain.covered >= chain.last {
                self.open -= 1;
                self.free_covered();
            }
        } else if let Some(records) = self.odd.get_mut(key) {
            let before = records.len();
            records.retain(|record| record.sequence > sequence);
            self.odd_records -= before - records.len();
            if records.is_empty() {
                self.odd.remove(key);
            }
        }
    }

    fn free_covered(&mut self) {
        let few = self.open <= FEW_KEYS && self.pieces.len() > 1;
        if self.open > 0 && !few {
            return;
        }
        let (mut odd, mut odd_records) = (std::mem::take(&mut self.odd), self.odd_records);
        for chain in self.chains.iter().filter(|chain| chain.covered < chain.last) {
            let records = self.walk(chain.link, chain.last, chain.covered);
            odd_records += records.len();
            odd.insert(chain.key, records);
        }
        *self = Self { odd, odd_records, ..Self::default() };
    }

    /// Frees a bounded part of the memory; `false` when nothing is left.
    pub(crate) fn shed(&mut self) -> bool {
        self.chains = Vec::new();
        self.pieces.pop().is_some() || self.odd.pop_first().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(number: u32) -> Key {
        let mut bytes = [3; 16];
        bytes[12..].copy_from_slice(&number.to_be_bytes());
        Key::new(bytes)
    }

    /// Records of keys, in any order of the keys; every seventh key is odd.
    fn recovered(counts: &[(u32, u64)]) -> (Recovered, BTreeMap<u32, Vec<RecordRef>>) {
        let (mut recovered, mut model) = (Recovered::default(), BTreeMap::new());
        let mut heads = BTreeMap::new();
        for (turn, (number, count)) in counts.iter().enumerate() {
            let age = Age(1 + turn as u64 / 50);
            for _ in 0..*count {
                let records: &mut Vec<RecordRef> = model.entry(*number).or_default();
                let sequence = records.last().map_or(Sequence(5), |last| last.sequence.next());
                let record = RecordRef::new(age, sequence, *number, turn as u32, 3);
                records.push(record);
                let head = recovered.link(heads.get(number).copied(), &record);
                heads.insert(*number, head);
            }
        }
        for (number, head) in heads {
            let last = model[&number].last().unwrap().sequence;
            if number % 7 == 0 {
                let records = recovered.unlink(head, last);
                assert_eq!(records, model[&number]);
                recovered.add_odd(key(number), records);
            } else {
                recovered.add_chain(key(number), head, last);
            }
        }
        let linked = model.iter().filter(|(number, _)| *number % 7 > 0);
        let linked: Vec<_> = linked.flat_map(|(_, records)| records).collect();
        assert_eq!(recovered.len(), linked.len() as u64);
        let ages: std::collections::BTreeSet<Age> =
            linked.iter().map(|record| record.segment()).collect();
        assert!(recovered.segments().eq(ages));
        recovered.close();
        (recovered, model)
    }

    proptest! {
        /// Against a map of lists.
        #[test]
        fn every_key_has_what_no_snapshot_covers(
            counts in proptest::collection::vec((0_u32..300, 1_u64..40), 0..900),
            covers in proptest::collection::vec((0_u32..300, 0_u64..200), 0..900),
        ) {
            let (mut recovered, mut model) = recovered(&counts);
            let covers = covers.into_iter().map(|(number, sequence)| (number, Sequence(sequence)));
            let all = (0..300).map(|number| (number, Sequence::TOMBSTONE));
            for (number, sequence) in covers.chain(all) {
                recovered.cover(&key(number), sequence);
                if let Some(records) = model.get_mut(&number) {
                    records.retain(|record| record.sequence > sequence);
                }
                let expected = model.get(&number).cloned().unwrap_or_default();
                prop_assert_eq!(recovered.has(&key(number)), !expected.is_empty());
                prop_assert_eq!(recovered.get(&key(number)), expected);
                let other = (number * 31) % 300;
                let expected = model.get(&other).cloned().unwrap_or_default();
                prop_assert_eq!(recovered.get(&key(other)), expected);
            }
            prop_assert!(recovered.pieces.is_empty() && recovered.odd.is_empty());
        }
    }

    #[test]
    fn a_few_keys_do_not_keep_the_records_of_all() {
        let counts: Vec<_> = (0..2000).map(|number| (number, 20)).collect();
        let (mut recovered, model) = recovered(&counts);
        for number in 15..2000 {
            assert!(recovered.has(&key(number)));
            recovered.cover(&key(number), Sequence::TOMBSTONE);
        }
        assert!(recovered.pieces.is_empty() && recovered.chains.is_empty());
        for number in 0..15 {
            assert_eq!(recovered.get(&key(number)), model[&number]);
        }
        recovered.cover(&key(1), Sequence(5));
        assert_eq!(recovered.get(&key(1)), model[&1][1..]);
    }

    #[test]
    fn what_is_left_of_a_bucket_goes_in_steps() {
        let counts: Vec<_> = (0..2000).map(|number| (number, 20)).collect();
        let (mut recovered, _) = recovered(&counts);
        assert_eq!(recovered.pieces.len(), 3, "more than one piece");
        let mut steps = 0;
        while recovered.shed() {
            steps += 1;
        }
        assert!(steps > 3 && recovered.pieces.is_empty() && recovered.odd.is_empty());
    }
}
