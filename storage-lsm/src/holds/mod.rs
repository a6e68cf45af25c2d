//! Which keys hold back which log segments, and which of them a snapshot on
//! its way will let go.
//!
//! A segment is needed as long as it has a record that no durable snapshot of
//! its key covers. A hot key has records in every segment. So each key holds one range
//! of segments, from the first that it needs to the last that has a record of it. The
//! range is a little more than the key needs, and has a fixed size. Each segment
//! counts the ranges that begin and end there, so no question about a segment looks at
//! keys.
//!
//! Each bucket has its own part, which goes with it as a whole.

mod held;
mod part;

use std::collections::{BTreeMap, BTreeSet};

use crate::bucket::{BucketId, BucketTable};
use crate::key::{Key, Sequence, UnixSecond};
use crate::log::writer::Age;

pub(crate) use part::Part;

#[derive(Debug, Default)]
pub(crate) struct Holds {
    parts: BTreeMap<BucketId, Part>,
}

impl Holds {
    /// The segment has these records, in the order of their sequences. Those
    /// without a bucket are needed by nobody.
    pub(crate) fn hold(
        &mut self,
        buckets: &BucketTable,
        segment: Age,
        records: &[(Key, Sequence)],
    ) {
        let mut records = records.iter().peekable();
        while let Some((key, _)) = records.peek() {
            let Some(stamp) = buckets.of_second(key.second()) else {
                records.next();
                continue;
            };
            let part = self.parts.entry(stamp.id).or_default();
            while let Some((key, sequence)) = records.next_if(|(key, _)| stamp.holds(key.second()))
            {
                part.hold(segment, *key, *sequence);
            }
        }
    }

    /// The segments have these records of one key.
    pub(crate) fn hold_key(
        &mut self,
        bucket: BucketId,
        key: Key,
        records: impl Iterator<Item = (Age, Sequence)>,
    ) {
        self.parts.entry(bucket).or_default().hold_all(key, records);
    }

    /// The segment has a record of a key in quarantine: nothing covers it
    /// before the key is deleted.
    pub(crate) fn pin(&mut self, bucket: BucketId, segment: Age, key: Key, sequence: Sequence) {
        self.parts.entry(bucket).or_default().pin(segment, key, sequence);
    }

    /// The key is in quarantine no more.
    pub(crate) fn unpin(&mut self, key: &Key) {
        if let Some(part) = self.part_mut(key) {
            part.unpin(key);
        }
    }

    /// A snapshot of the key up to `sequence` was taken and is on its way.
    pub(crate) fn cover(&mut self, bucket: BucketId, key: Key, sequence: Sequence) {
        self.parts.entry(bucket).or_default().cover(key, sequence);
    }

    /// A durable snapshot covers the key's records up to `sequence`.
    pub(crate) fn release(&mut self, key: &Key, sequence: Sequence) {
        if let Some(part) = self.part_mut(key) {
            part.release(key, sequence);
        }
    }

    /// Takes over the parts of `other`, which are of other buckets.
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

    /// Whether the oldest segment before `before` waits only for snapshots that are in
    /// flight. Keys that were named and not put are not waited for, because it may be
    /// impossible to put them.
    pub(crate) fn waits_for_snapshots(&self, before: Age) -> bool {
        let mut from = Age(0);
        while let Some(oldest) = self.oldest(from).filter(|oldest| *oldest < before) {
            if !self.parts.values().all(|part| part.is_asked_for(oldest)) {
                return false;
            }
            if self.parts.values().any(|part| part.has_covered(oldest)) {
                return true;
            }
            from = Age(oldest.0 + 1);
        }
        false
    }

    /// Keys with records in segments before `before` that no snapshot in flight covers,
    /// at most `max`, those of the oldest segments first. Each key is named once before
    /// any is named again, so that keys that cannot be put do not hide others.
    pub(crate) fn name_open(&mut self, before: Age, max: usize) -> Vec<Key> {
        let mut keys = self.name_unnamed(before, max);
        if keys.len() < max {
            self.parts.values_mut().for_each(Part::begin_turns);
            let named: BTreeSet<Key> = keys.iter().copied().collect();
            while keys.len() < max {
                let again = self.name_unnamed(before, max - keys.len());
                if again.is_empty() {
                    break;
                }
                keys.extend(again.into_iter().filter(|key| !named.contains(key)));
            }
        }
        keys
    }

    fn name_unnamed(&mut self, before: Age, max: usize) -> Vec<Key> {
        let of_part = |(bucket, part): (&BucketId, &Part)| {
            let bucket = *bucket;
            part.unnamed(before).map(move |age| (age, bucket)).collect::<Vec<_>>()
        };
        let mut shares: Vec<(Age, BucketId)> = self.parts.iter().flat_map(of_part).collect();
        shares.sort_unstable();
        let mut keys = Vec::new();
        for (age, bucket) in shares {
            if keys.len() == max {
                break;
            }
            let Some(part) = self.parts.get_mut(&bucket) else { continue };
            keys.extend(part.name(age, max - keys.len()));
        }
        keys
    }

    /// Releases the segments of at most `max` keys that have expired by `now`. Returns
    /// how many keys that were.
    pub(crate) fn expire(&mut self, buckets: &BucketTable, now: UnixSecond, max: usize) -> usize {
        let mut released = 0;
        for (bucket, part) in &mut self.parts {
            let Some(stamp) = buckets.get(*bucket) else { continue };
            let Some(last) = now.0.checked_sub(u64::from(stamp.lifetime.0)) else { continue };
            if last >= u64::from(bucket.0)
                && let Ok(end) = u32::try_from(last + 1)
            {
                released += part.let_go_below(Key::first_of(end), max - released);
            }
        }
        released
    }

    /// The oldest segment that snapshots can free, of those from `from` on.
    fn oldest(&self, from: Age) -> Option<Age> {
        self.parts.values().filter_map(|part| part.oldest(from)).min()
    }

    /// How many keys hold a segment.
    pub(crate) fn keys(&self) -> usize {
        self.parts.values().map(Part::keys).sum()
    }

    /// Roughly the bytes of memory that all this takes.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.parts.values().map(Part::memory_bytes).sum()
    }

    /// The part of the key's bucket, if it has any: buckets do not overlap, so
    /// in any other part the key is unknown.
    fn part_mut(&mut self, key: &Key) -> Option<&mut Part> {
        self.parts.range_mut(..=BucketId(key.second())).next_back().map(|(_, part)| part)
    }
}

#[cfg(test)]
mod tests;
