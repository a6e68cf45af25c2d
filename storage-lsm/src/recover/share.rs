//! What one shard is to know of one bucket's keys.

use std::collections::{BTreeMap, BTreeSet};

use crate::bucket::{BucketId, BucketStamp, BucketTable};
use crate::holds::Holds;
use crate::key::{Key, Sequence, ShardId, UnixSecond};
use crate::log::writer::Age;
use crate::store::{BucketShareSeed, Gap, RecordRef, Recovered, TableNo};

use super::homes::Home;
use super::keys::{Head, Known};

/// Which keys have not expired.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) buckets: BucketTable,
    pub(super) passed: UnixSecond,
}

impl Wanted {
    /// The key's bucket, if anything of the key is still wanted.
    pub(super) fn bucket_of(&self, key: &Key) -> Option<BucketId> {
        let stamp = self.buckets.of_second(key.second())?;
        self.is_wanted(stamp, key).then_some(stamp.id)
    }

    /// The same for one whose bucket is known.
    pub(super) fn is_wanted(&self, stamp: &BucketStamp, key: &Key) -> bool {
        stamp.expires_at(key) > self.passed
    }
}

/// What one shard is to know of one bucket.
#[derive(Debug)]
pub(super) struct Share {
    pub(super) shard: ShardId,
    pub(super) bucket: BucketId,
    pub(super) seed: BucketShareSeed,
    pub(super) holds: Holds,
    /// Segments with records that no snapshot covers.
    pub(super) needed: BTreeSet<Age>,
    pub(super) deleted: Vec<Key>,
    pub(super) quarantined: BTreeMap<Key, Gap>,
    /// Bytes of the newest values of keys, by the tables that have them.
    pub(super) live_bytes: BTreeMap<TableNo, u64>,
    /// How many records no snapshot covers.
    pub(super) records: u64,
}

impl Share {
    /// A share with these records.
    pub(super) fn new(shard: ShardId, bucket: BucketId, recovered: Recovered) -> Self {
        Self {
            shard,
            bucket,
            needed: recovered.segments().collect(),
            records: recovered.len(),
            seed: BucketShareSeed { recovered, ..BucketShareSeed::default() },
            holds: Holds::default(),
            deleted: Vec::new(),
            quarantined: BTreeMap::new(),
            live_bytes: BTreeMap::new(),
        }
    }

    /// A key has a value in a table.
    pub(super) fn add_home(&mut self, home: &Home) {
        self.seed.index.insert_new(home.key, home.located);
        *self.live_bytes.entry(home.located.table()).or_default() += home.located.stored_bytes();
    }

    /// A key has records and no value in a table.
    pub(super) fn add_homeless(&mut self, key: Key) {
        self.seed.index.add_homeless(key);
    }

    /// A key has the records that its place in the list leads to.
    pub(super) fn add_chain(&mut self, known: &Known) {
        let Head::Link(link) = known.head() else { return };
        let newest = self.seed.recovered.age_of(link);
        self.seed.recovered.add_chain(known.key, link, known.last);
        // This assumes the worst: only the last record is in the newest segment. The
        // lower sequence of the first record does no harm.
        let held = [(known.oldest(), Sequence(1)), (newest, known.last)];
        self.holds.hold_key(self.bucket, known.key, held.into_iter());
    }

    /// A key has these records after its snapshot, in any order.
    pub(super) fn add_odd(&mut self, key: Key, snapshot: Sequence, mut records: Vec<RecordRef>) {
        let gap = settle(snapshot, &mut records);
        self.records += records.len() as u64;
        self.needed.extend(records.iter().map(RecordRef::segment));
        if let Some(gap) = gap {
            for record in records {
                self.holds.pin(self.bucket, record.segment(), key, record.sequence);
            }
            self.quarantined.insert(key, gap);
            return;
        }
        let held = records.iter().map(|record| (record.segment(), record.sequence));
        self.holds.hold_key(self.bucket, key, held);
        if records.last().is_some_and(|record| record.sequence == Sequence::TOMBSTONE) {
            self.deleted.push(key);
        } else {
            self.seed.recovered.add_odd(key, records);
        }
    }
}

/// Orders a key's records and drops duplicates; finds a gap.
fn settle(snapshot: Sequence, records: &mut Vec<RecordRef>) -> Option<Gap> {
    records.sort_by_key(|record| record.sequence);
    records.dedup_by_key(|record| record.sequence);
    if let Some(last) = records.last().filter(|last| last.sequence == Sequence::TOMBSTONE) {
        // A tombstone is above every other sequence, so only it counts.
        *records = vec![*last];
        return None;
    }
    let mut have = snapshot;
    for record in records {
        if record.sequence != have.next() {
            return Some(Gap { have, next: record.sequence });
        }
        have = record.sequence;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_put_in_order_and_gaps_are_found() {
        let settled = |snapshot, sequences: &[u64]| {
            let record = |sequence| RecordRef::new(Age(1), Sequence(sequence), 0, 0, 0);
            let mut records: Vec<_> = sequences.iter().map(|sequence| record(*sequence)).collect();
            let gap = settle(Sequence(snapshot), &mut records);
            let sequences: Vec<_> = records.iter().map(|record| record.sequence.0).collect();
            (gap.map(|gap| (gap.have.0, gap.next.0)), sequences)
        };
        let end = Sequence::TOMBSTONE.0;
        assert_eq!(settled(4, &[7, 5, 6, 5]), (None, vec![5, 6, 7]));
        assert_eq!(settled(4, &[8, 5, 7]), (Some((5, 7)), vec![5, 7, 8]));
        assert_eq!(settled(4, &[6]), (Some((4, 6)), vec![6]));
        assert_eq!(settled(4, &[6, end, 9]), (None, vec![end]));
    }
}
