//! Which keys hold back which log segments, and which of them a snapshot on
//! its way will let go.
//!
//! A segment is needed as long as it has a record that no durable snapshot of
//! its key covers. A hot key has records in every segment, so its segments are
//! kept as one range, from the first that it needs to the last that it has a
//! record in: a little more than it needs, in a few words for however many.
//! How many keys begin and end their range in a segment is counted, so no
//! question about a segment looks at keys.
//!
//! Each bucket has its own part, which goes with it as a whole.

mod held;
mod part;

use std::collections::BTreeMap;

use crate::bucket::{BucketId, BucketTable};
use crate::key::{Key, Revision};
use crate::log::writer::Age;

pub(crate) use part::Part;

#[derive(Debug, Default)]
pub(crate) struct Holds {
    parts: BTreeMap<BucketId, Part>,
}

impl Holds {
    /// The segment has these records, in the order of their revisions. Those
    /// without a bucket are needed by nobody.
    pub(crate) fn hold(
        &mut self,
        buckets: &BucketTable,
        segment: Age,
        records: &[(Key, Revision)],
    ) {
        let mut records = records.iter().peekable();
        while let Some((key, _)) = records.peek() {
            let Some(stamp) = buckets.of_second(key.second()) else {
                records.next();
                continue;
            };
            let part = self.parts.entry(stamp.id).or_default();
            while let Some((key, revision)) = records.next_if(|(key, _)| stamp.holds(key.second()))
            {
                part.hold(segment, *key, *revision);
            }
        }
    }

    /// The segments have these records of one key.
    pub(crate) fn hold_key(
        &mut self,
        bucket: BucketId,
        key: Key,
        records: impl Iterator<Item = (Age, Revision)>,
    ) {
        self.parts.entry(bucket).or_default().hold_all(key, records);
    }

    /// The segment has a record of a key in quarantine: nothing covers it
    /// before the key is deleted.
    pub(crate) fn pin(&mut self, bucket: BucketId, segment: Age, key: Key, revision: Revision) {
        self.parts.entry(bucket).or_default().pin(segment, key, revision);
    }

    /// The key is in quarantine no more.
    pub(crate) fn unpin(&mut self, key: &Key) {
        if let Some(part) = self.part_mut(key) {
            part.unpin(key);
        }
    }

    /// A snapshot of the key up to `revision` was taken and is on its way.
    pub(crate) fn cover(&mut self, bucket: BucketId, key: Key, revision: Revision) {
        self.parts.entry(bucket).or_default().cover(key, revision);
    }

    /// A durable snapshot covers the key's records up to `revision`.
    pub(crate) fn release(&mut self, key: &Key, revision: Revision) {
        if let Some(part) = self.part_mut(key) {
            part.release(key, revision);
        }
    }

    /// Takes over what another one has of other buckets.
    pub(crate) fn adopt(&mut self, other: Self) {
        self.parts.extend(other.parts);
    }

    /// Nothing of the bucket is needed any more.
    /// Its memory goes when the part does.
    pub(crate) fn drop_bucket(&mut self, bucket: BucketId) -> Option<Part> {
        self.parts.remove(&bucket)
    }

    /// Those of the segments, which are in order, that nobody holds.
    pub(crate) fn free_among(&self, segments: impl Iterator<Item = Age>) -> Vec<Age> {
        let mut held: Vec<_> = self.parts.values().map(Part::held).collect();
        segments.filter(|age| !held.iter_mut().any(|held| held.reaches(*age))).collect()
    }

    /// The oldest segment that snapshots can free.
    pub(crate) fn oldest(&self) -> Option<Age> {
        self.parts.values().filter_map(Part::oldest).min()
    }

    /// Whether snapshots on their way cover all that holds the oldest segment.
    pub(crate) fn is_covered(&self, oldest: Age) -> bool {
        self.parts.values().all(|part| part.is_covered(oldest))
    }

    /// Keys that hold the oldest segment and that no snapshot on its way
    /// covers, at most `max`, a bucket at a time: those of a former run in the
    /// order of the keys, then the others in the order of the log.
    pub(crate) fn open_in(&mut self, oldest: Age, max: usize) -> Vec<Key> {
        let mut keys = Vec::new();
        for part in self.parts.values_mut() {
            part.open_in(oldest, max, &mut keys);
        }
        keys
    }

    /// How many keys hold a segment.
    pub(crate) fn keys(&self) -> usize {
        self.parts.values().map(Part::keys).sum()
    }

    /// The part of the key's bucket, if it has any: buckets do not overlap, so
    /// in any other part the key is unknown.
    fn part_mut(&mut self, key: &Key) -> Option<&mut Part> {
        self.parts.range_mut(..=BucketId(key.second())).next_back().map(|(_, part)| part)
    }
}

#[cfg(test)]
mod tests;
