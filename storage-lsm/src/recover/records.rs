//! The records of all logs that no snapshot covers.
//!
//! A log has many records of each of its keys, and a start reads all of them.
//! So each takes 24 bytes in the order of the log, where a number stands for
//! its key; and only when all logs are read are they put in the order of their
//! keys, in one list that is made in its right length. That takes 48 bytes a
//! record at most, and a record that a snapshot covers takes none.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::checksum::{Kind, Place};
use crate::file::FileId;
use crate::key::{Key, Revision};
use crate::log::batch::BatchRecord;
use crate::log::writer::Age;
use crate::store::{Gap, RecordRef};

use super::keys::{Keys, TOGETHER};

/// Records are kept in pieces of so many, so that none is copied when they
/// become more.
const PIECE: usize = 16 * 1024;

/// A record in the order of the log.
#[derive(Clone, Copy, Debug)]
struct Logged {
    revision: Revision,
    key: u32,
    offset: u32,
    length: u32,
    checksum: u32,
}

/// The records of one segment, which follow those of the segment before.
#[derive(Debug)]
struct SegmentRecords {
    file: FileId,
    count: usize,
}

/// A key with records that no snapshot covers.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) key: Key,
    /// The newest snapshot.
    pub(super) snapshot: Option<Revision>,
    /// Where its records are in the list.
    pub(super) records: Range<usize>,
}

impl Named {
    /// Orders the key's records and drops duplicates; finds a gap.
    fn settle(&mut self, list: &mut [RecordRef]) -> Option<Gap> {
        let records = &mut list[self.records.clone()];
        // A shard's log has them in order, and mostly there is one log.
        if !records.is_sorted_by(|one, next| one.revision < next.revision) {
            records.sort_by_key(|record| record.revision);
            let mut kept = 1;
            for at in 1..records.len() {
                if records[kept - 1].revision != records[at].revision {
                    records[kept] = records[at];
                    kept += 1;
                }
            }
            self.records.end = self.records.start + kept;
        }
        let records = &list[self.records.clone()];
        let deleted = records.last().is_some_and(|last| last.revision == Revision::TOMBSTONE);
        if deleted || self.snapshot == Some(Revision::TOMBSTONE) {
            // A tombstone stands above all, so nothing else matters.
            self.records.start = self.records.end - usize::from(deleted);
            return None;
        }
        let mut have = self.snapshot.unwrap_or_default();
        for record in records {
            if record.revision != have.next() {
                return Some(Gap { have, next: record.revision });
            }
            have = record.revision;
        }
        None
    }
}

/// The records of all logs while these are read.
#[derive(Default, Debug)]
pub(super) struct LogRecords {
    pieces: Vec<Vec<Logged>>,
    segments: Vec<SegmentRecords>,
}

impl LogRecords {
    /// The records that come next are of this segment.
    pub(super) fn begin_segment(&mut self, file: FileId) {
        self.segments.push(SegmentRecords { file, count: 0 });
    }

    /// Takes at most [`TOGETHER`] records of the batch at `at`.
    pub(super) fn add(
        &mut self,
        keys: &mut Keys,
        place: Place,
        at: u64,
        records: &[BatchRecord<'_>],
    ) {
        let mut asked = [Key::new([0; 16]); TOGETHER];
        for (asked, record) in asked.iter_mut().zip(records) {
            *asked = record.key;
        }
        let found = keys.find(&asked[..records.len()]);
        for (record, found) in records.iter().zip(found) {
            let BatchRecord { key, revision, payload, .. } = *record;
            // One that is unknown may have been named a few records ago.
            let number = found.unwrap_or_else(|| keys.number(&key));
            if revision <= keys.snapshot(number).unwrap_or_default() {
                continue;
            }
            let offset = at + record.offset as u64;
            self.push(Logged {
                revision,
                key: number,
                // The walk ends where the largest segment does.
                offset: offset as u32,
                length: payload.len() as u32,
                checksum: place.checksum(Kind::Value, revision.0, offset, payload) as u32,
            });
        }
    }

    fn push(&mut self, record: Logged) {
        if self.pieces.last().is_none_or(|piece| piece.len() == PIECE) {
            self.pieces.push(Vec::with_capacity(PIECE));
        }
        let piece = self.pieces.last_mut().expect("there is a piece with room");
        piece.push(record);
        self.segments.last_mut().expect("a segment has begun").count += 1;
    }

    /// Puts the records in the order of their keys.
    pub(super) fn by_key(self, keys: &Keys) -> KeyRecords {
        let mut ends = vec![0_usize; keys.len()];
        for record in self.pieces.iter().flatten() {
            ends[record.key as usize] += 1;
        }
        let order = named(keys, &ends);
        let mut total = 0;
        let mut named = Vec::with_capacity(order.len());
        for number in order {
            let count = std::mem::replace(&mut ends[number as usize], total);
            let records = total..total + count;
            total = records.end;
            let (key, snapshot) = (*keys.key(number), keys.snapshot(number));
            named.push(Named { key, snapshot, records });
        }
        let mut list = vec![RecordRef::new(Age(0), Revision(0), 0, 0, 0); total];
        let segments = self.segments.iter().enumerate();
        let mut segments =
            segments.flat_map(|(number, segment)| std::iter::repeat_n(number, segment.count));
        for piece in self.pieces {
            for (record, segment) in piece.into_iter().zip(&mut segments) {
                let Logged { revision, key, offset, length, checksum } = record;
                let at = &mut ends[key as usize];
                // Until the segments have ages, their numbers stand for these.
                let segment = Age(segment as u64);
                list[*at] = RecordRef::new(segment, revision, offset, length, checksum);
                *at += 1;
            }
        }
        let files = self.segments.iter().map(|segment| segment.file).collect();
        KeyRecords { named, list, files, needed: Vec::new() }
    }
}

/// The numbers of keys that have records, in the order of the keys.
fn named(keys: &Keys, counts: &[usize]) -> Vec<u32> {
    let homes = keys.len() - keys.homeless().len();
    let mut named: Vec<u32> =
        (0..homes as u32).filter(|number| counts[*number as usize] > 0).collect();
    if homes < keys.len() {
        named.extend(homes as u32..keys.len() as u32);
        // Those with a home are in order already, which this sort makes use of.
        named.sort_by_key(|number| *keys.key(*number));
    }
    named
}

/// The records of all logs, key by key.
#[derive(Default, Debug)]
pub(super) struct KeyRecords {
    /// In the order of the keys.
    pub(super) named: Vec<Named>,
    list: Vec<RecordRef>,
    /// The segments by their numbers, which stand for their ages in the list.
    files: Vec<FileId>,
    needed: Vec<bool>,
}

impl KeyRecords {
    /// Orders each key's records and finds those with a gap.
    pub(super) fn settle(&mut self, mut quarantine: impl FnMut(Key, Gap)) {
        self.needed = vec![false; self.files.len()];
        for named in &mut self.named {
            if let Some(gap) = named.settle(&mut self.list) {
                quarantine(named.key, gap);
            }
            for record in &self.list[named.records.clone()] {
                self.needed[record.segment().0 as usize] = true;
            }
        }
    }

    /// How many records there are.
    pub(super) fn len(&self) -> usize {
        self.named.iter().map(|named| named.records.len()).sum()
    }

    /// Segments with records that no snapshot covers.
    pub(super) fn needed_segments(&self) -> BTreeSet<FileId> {
        let needed = self.files.iter().zip(&self.needed).filter(|(_, needed)| **needed);
        needed.map(|(file, _)| *file).collect()
    }

    /// Gives the records the ages of their segments.
    pub(super) fn age(&mut self, age_of: impl Fn(&FileId) -> Option<Age>) {
        let ages: Vec<Option<Age>> = self.files.iter().map(age_of).collect();
        for named in &self.named {
            for record in &mut self.list[named.records.clone()] {
                let age = ages[record.segment().0 as usize];
                *record = record.of_segment(age.expect("a segment that is needed has an age"));
            }
        }
    }

    pub(super) fn records(&self, named: &Named) -> &[RecordRef] {
        &self.list[named.records.clone()]
    }
}
