//! The records of all logs that no snapshot covers.
//!
//! A log has many records of each of its keys, and a start reads all of them.
//! So each takes 24 bytes in the list of its segment, where a number stands for
//! its key; and only when all logs are read do they go to their keys, whose
//! lists are then made in their right lengths. That takes 48 bytes a record at
//! most, and a record that a snapshot covers takes none.

use std::collections::{BTreeMap, BTreeSet};

use crate::checksum::{Kind, Place};
use crate::file::FileId;
use crate::key::{Key, KeyMap, Revision};
use crate::log::batch::BatchRecord;
use crate::log::writer::Age;
use crate::store::{Gap, RecordRef};

/// A record in the list of its segment.
#[derive(Clone, Copy, Debug)]
struct Logged {
    revision: Revision,
    key: u32,
    offset: u32,
    length: u32,
    checksum: u32,
}

/// The records of one segment, in the order of the log.
#[derive(Debug)]
struct SegmentRecords {
    file: FileId,
    records: Vec<Logged>,
}

/// A record in the list of its key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) revision: Revision,
    /// The number of its segment's list.
    segment: u32,
    offset: u32,
    length: u32,
    checksum: u32,
}

/// A key with records that no snapshot covers, or whose value is broken.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) key: Key,
    /// The newest snapshot that is whole.
    pub(super) snapshot: Option<Revision>,
    /// Once they are gathered: in the order of revisions, each once.
    pub(super) records: Vec<Found>,
}

impl Named {
    /// Orders the records and drops duplicates; finds a gap. `claimed` is the
    /// highest revision that a directory names and whose value is broken.
    pub(super) fn settle(&mut self, claimed: Option<Revision>) -> Option<Gap> {
        // A shard's log has them in order, and mostly there is one log.
        if !self.records.is_sorted_by(|one, next| one.revision < next.revision) {
            self.records.sort_by_key(|record| record.revision);
            self.records.dedup_by_key(|record| record.revision);
        }
        if self.is_deleted() {
            // A tombstone stands above all, so nothing else matters.
            self.records.retain(|record| record.revision == Revision::TOMBSTONE);
            return None;
        }
        let mut have = self.snapshot.unwrap_or_default();
        for record in &self.records {
            if record.revision != have.next() {
                return Some(Gap { have, next: record.revision });
            }
            have = record.revision;
        }
        // Values are written after their log, so a value that was there once
        // proves records that must be reached.
        claimed.filter(|claimed| *claimed > have).map(|next| Gap { have, next })
    }

    fn is_deleted(&self) -> bool {
        self.snapshot == Some(Revision::TOMBSTONE)
            || self.records.last().is_some_and(|record| record.revision == Revision::TOMBSTONE)
    }
}

/// What a record's key is looked up for, beside the key, so that nothing else
/// is touched.
#[derive(Clone, Copy, Debug)]
struct Numbered {
    /// Up to where a snapshot covers its records; 0 without one.
    snapshot: Revision,
    number: u32,
}

#[derive(Default, Debug)]
pub(super) struct LogRecords {
    /// The numbers of keys in `named`. A key at rest whose records a snapshot
    /// covers is not there.
    numbers: KeyMap<Numbered>,
    /// In the order in which the logs name them.
    pub(super) named: Vec<Named>,
    segments: Vec<SegmentRecords>,
}

impl LogRecords {
    /// The records that come next are of this segment.
    pub(super) fn begin_segment(&mut self, file: FileId) {
        self.segments.push(SegmentRecords { file, records: Vec::new() });
    }

    /// Takes a record of the batch at `at`; `snapshot` finds the newest one of
    /// its key.
    pub(super) fn add(
        &mut self,
        place: Place,
        at: u64,
        record: &BatchRecord<'_>,
        snapshot: impl FnOnce() -> Option<Revision>,
    ) {
        let BatchRecord { key, revision, payload, .. } = *record;
        let number = match self.numbers.get(&key) {
            Some(numbered) if revision <= numbered.snapshot => return,
            Some(numbered) => numbered.number,
            None => {
                let snapshot = snapshot();
                if snapshot.is_some_and(|snapshot| revision <= snapshot) {
                    return;
                }
                let number = self.name(key, snapshot);
                if revision == Revision(0) {
                    return;
                }
                number
            }
        };
        let offset = at + record.offset as u64;
        let logged = Logged {
            revision,
            key: number,
            // The walk ends where the largest segment does.
            offset: offset as u32,
            length: payload.len() as u32,
            checksum: place.checksum(Kind::Value, revision.0, offset, payload) as u32,
        };
        let segment = self.segments.last_mut().expect("a segment has begun");
        segment.records.push(logged);
    }

    /// Names a key that has something to be settled besides its records.
    pub(super) fn add_key(&mut self, key: Key, snapshot: Option<Revision>) {
        if !self.numbers.contains_key(&key) {
            self.name(key, snapshot);
        }
    }

    fn name(&mut self, key: Key, snapshot: Option<Revision>) -> u32 {
        let number = self.named.len() as u32;
        self.named.push(Named { key, snapshot, records: Vec::new() });
        let snapshot = snapshot.unwrap_or_default();
        self.numbers.insert(key, Numbered { snapshot, number });
        number
    }

    /// Gives every key its records, in the order in which they were read.
    pub(super) fn gather(&mut self) {
        self.numbers = KeyMap::default();
        let mut counts = vec![0_u32; self.named.len()];
        for record in self.segments.iter().flat_map(|segment| &segment.records) {
            counts[record.key as usize] += 1;
        }
        for (named, count) in self.named.iter_mut().zip(counts) {
            named.records.reserve_exact(count as usize);
        }
        for (segment, list) in self.segments.iter_mut().enumerate() {
            for record in std::mem::take(&mut list.records) {
                let Logged { revision, key, offset, length, checksum } = record;
                let found = Found { revision, segment: segment as u32, offset, length, checksum };
                self.named[key as usize].records.push(found);
            }
        }
    }

    /// Segments with records that no snapshot covers.
    pub(super) fn needed_segments(&self) -> BTreeSet<FileId> {
        let mut needed = vec![false; self.segments.len()];
        for record in self.named.iter().flat_map(|named| &named.records) {
            needed[record.segment as usize] = true;
        }
        let needed = self.segments.iter().zip(needed).filter(|(_, needed)| *needed);
        needed.map(|(segment, _)| segment.file).collect()
    }

    /// The age of every list's segment.
    pub(super) fn ages<T>(&self, ages: &BTreeMap<FileId, (Age, T)>) -> SegmentAges {
        let age = |segment: &SegmentRecords| ages.get(&segment.file).map(|(age, _)| *age);
        SegmentAges(self.segments.iter().map(age).collect())
    }
}

/// Segments by the numbers of their lists.
pub(super) struct SegmentAges(Vec<Option<Age>>);

impl SegmentAges {
    /// Where the record is, by the age of its segment.
    pub(super) fn locate(&self, found: Found) -> Option<RecordRef> {
        let Found { revision, segment, offset, length, checksum } = found;
        let age = self.0[segment as usize]?;
        Some(RecordRef::new(age, revision, offset, length, checksum))
    }
}
