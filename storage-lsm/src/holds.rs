//! Which keys hold back which log segments.
//!
//! A segment is needed as long as it has a record that no durable snapshot of
//! its key covers. A key is held per segment with the highest revision there,
//! so a snapshot of revision R lets go of exactly the segments whose records
//! of the key it covers.

use std::collections::{BTreeMap, BTreeSet};

use crate::bucket::BucketStamp;
use crate::key::{Key, KeyMap, Revision};
use crate::log::writer::Age;

#[derive(Debug, Default)]
pub(crate) struct Holds {
    by_key: KeyMap<Vec<(Age, Revision)>>,
    by_segment: BTreeMap<Age, BTreeSet<Key>>,
}

impl Holds {
    /// The segment holds a record of the key with that revision.
    pub(crate) fn hold(&mut self, segment: Age, key: Key, revision: Revision) {
        let segments = self.by_key.entry(key).or_default();
        match segments.iter_mut().rev().find(|(age, _)| *age == segment) {
            Some((_, last)) => *last = revision.max(*last),
            None => {
                segments.push((segment, revision));
                self.by_segment.entry(segment).or_default().insert(key);
            }
        }
    }

    /// A durable snapshot covers the key's records up to `revision`.
    pub(crate) fn release(&mut self, key: &Key, revision: Revision) {
        let Some(segments) = self.by_key.get_mut(key) else { return };
        segments.retain(|(age, last)| {
            let keep = *last > revision;
            if !keep && let Some(keys) = self.by_segment.get_mut(age) {
                keys.remove(key);
            }
            keep
        });
        if segments.is_empty() {
            self.by_key.remove(key);
        }
    }

    /// Nothing of the bucket is needed any more.
    pub(crate) fn drop_bucket(&mut self, bucket: &BucketStamp) {
        let from = Key::first_of(bucket.id.0);
        let end = u32::try_from(bucket.end()).ok().map(Key::first_of);
        for keys in self.by_segment.values_mut() {
            let mut gone = keys.split_off(&from);
            if let Some(end) = end {
                keys.append(&mut gone.split_off(&end));
            }
            for key in gone {
                self.by_key.remove(&key);
            }
        }
    }

    pub(crate) fn is_held(&self, segment: Age) -> bool {
        self.by_segment.get(&segment).is_some_and(|keys| !keys.is_empty())
    }

    /// Forgets a segment that nobody holds.
    pub(crate) fn forget(&mut self, segment: Age) {
        self.by_segment.remove(&segment);
    }

    /// The keys that hold the segment, in order.
    pub(crate) fn of_segment(&self, segment: Age) -> impl Iterator<Item = &Key> {
        self.by_segment.get(&segment).into_iter().flatten()
    }

    /// The highest revision of the key that the segment holds.
    pub(crate) fn last_in(&self, segment: Age, key: &Key) -> Option<Revision> {
        let segments = self.by_key.get(key)?;
        segments.iter().find(|(age, _)| *age == segment).map(|(_, last)| *last)
    }

    pub(crate) fn keys(&self) -> usize {
        self.by_key.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bucket::BucketId;
    use crate::key::Seconds;

    fn key(second: u32, tail: u8) -> Key {
        let mut bytes = [tail; 16];
        bytes[..4].copy_from_slice(&second.to_be_bytes());
        Key::new(bytes)
    }

    #[test]
    fn a_snapshot_lets_go_of_what_it_covers_and_no_more() {
        let mut holds = Holds::default();
        for (age, revision) in [(1, 1), (1, 2), (2, 3), (3, 4)] {
            holds.hold(Age(age), key(5, 1), Revision(revision));
        }
        holds.release(&key(5, 1), Revision(1));
        assert!(holds.is_held(Age(1)));
        holds.release(&key(5, 1), Revision(3));
        assert!(!holds.is_held(Age(1)) && !holds.is_held(Age(2)) && holds.is_held(Age(3)));
        holds.release(&key(5, 1), Revision::TOMBSTONE);
        assert!(!holds.is_held(Age(3)));
        assert_eq!(holds.keys(), 0);
    }

    #[test]
    fn a_dropped_bucket_holds_nothing() {
        let mut holds = Holds::default();
        for second in [9, 10, 19, 20] {
            holds.hold(Age(1), key(second, 7), Revision(1));
        }
        let bucket = BucketStamp { id: BucketId(10), length: Seconds(10), lifetime: Seconds(1) };
        holds.drop_bucket(&bucket);
        let left: Vec<u32> = holds.of_segment(Age(1)).map(Key::second).collect();
        assert_eq!((left, holds.keys()), (vec![9, 20], 2));
    }
}
