//! The fourth step: tables and logs become one state a key.

use std::collections::{BTreeMap, BTreeSet};

use crate::bucket::{BucketId, BucketTable};
use crate::checksum::{Kind, Place};
use crate::file::FileId;
use crate::key::{Key, KeyMap, Revision, ShardCount, UnixSecond, partition_of};
use crate::log::batch::Batch;
use crate::log::segment::Closed;
use crate::log::writer::Age;
use crate::manifest::ClockState;
use crate::store::{Gap, Located, RecordRef, ShardSeed, TableNo, TableSeed};
use crate::table::reader::Contents;

use super::report::RecoveryReport;

/// A record in a log, by the file that it is in.
#[derive(Clone, Copy, Debug)]
struct Logged {
    file: FileId,
    revision: Revision,
    offset: u64,
    length: u32,
    checksum: u64,
}

/// What is known of a key.
#[derive(Default, Debug)]
struct Known {
    newest: Option<Located>,
    /// The highest revision that a directory names and whose value is broken.
    claimed: Revision,
    records: Vec<Logged>,
    gap: Option<Gap>,
}

impl Known {
    fn snapshot(&self) -> Revision {
        self.newest.map_or(Revision(0), |located| located.revision)
    }

    /// Drops what the snapshot covers and duplicates; finds a gap.
    fn settle(&mut self) {
        let snapshot = self.snapshot();
        self.records.retain(|record| record.revision > snapshot);
        self.records.sort_by_key(|record| record.revision);
        self.records.dedup_by_key(|record| record.revision);
        if self.is_deleted() {
            // A tombstone stands above all, so nothing else matters.
            self.records.retain(|record| record.revision == Revision::TOMBSTONE);
            return;
        }
        let mut have = snapshot;
        for record in &self.records {
            if record.revision != have.next() {
                self.gap = Some(Gap { have, next: record.revision });
                return;
            }
            have = record.revision;
        }
        // Values are written after their log, so a value that was there once
        // proves records that must be reached.
        if self.claimed > have {
            self.gap = Some(Gap { have, next: self.claimed });
        }
    }

    fn is_deleted(&self) -> bool {
        self.snapshot() == Revision::TOMBSTONE
            || self.records.last().is_some_and(|record| record.revision == Revision::TOMBSTONE)
    }
}

pub(crate) struct Merge {
    buckets: BucketTable,
    now: UnixSecond,
    drop_expired: bool,
    tables: Vec<(FileId, BucketId)>,
    /// Tables with broken values are kept as they are.
    kept: BTreeSet<FileId>,
    keys: KeyMap<Known>,
    expired: u64,
}

impl Merge {
    pub(super) fn new(buckets: BucketTable, now: UnixSecond, clock: ClockState) -> Self {
        let drop_expired = clock == ClockState::Trusted;
        let (tables, kept, keys) = (Vec::new(), BTreeSet::new(), KeyMap::default());
        Self { buckets, now, drop_expired, tables, kept, keys, expired: 0 }
    }

    /// Whether nothing of the key is wanted any more.
    fn is_gone(&self, key: &Key) -> bool {
        match self.buckets.of_second(key.second()) {
            None => true,
            Some(stamp) => self.drop_expired && stamp.expires_at(key) <= self.now,
        }
    }

    pub(super) fn add_table(&mut self, file: FileId, bucket: BucketId, contents: &Contents) {
        let number = TableNo(self.tables.len() as u32);
        self.tables.push((file, bucket));
        for entry in &contents.entries {
            if self.is_gone(&entry.key) {
                continue;
            }
            let known = self.keys.entry(entry.key).or_default();
            if known.newest.is_none_or(|newest| newest.revision < entry.revision) {
                known.newest = Some(Located::new(number, entry));
            }
        }
        for entry in &contents.broken {
            if self.is_gone(&entry.key) {
                continue;
            }
            self.kept.insert(file);
            let known = self.keys.entry(entry.key).or_default();
            known.claimed = known.claimed.max(entry.revision);
        }
    }

    pub(super) fn add_batch(&mut self, place: Place, at: u64, batch: &Batch<'_>) {
        for record in batch.records().flatten() {
            if self.is_gone(&record.key) {
                self.expired += 1;
                continue;
            }
            let known = self.keys.entry(record.key).or_default();
            if record.revision <= known.snapshot() {
                continue;
            }
            let offset = at + record.offset as u64;
            known.records.push(Logged {
                file: place.file,
                revision: record.revision,
                offset,
                length: record.payload.len() as u32,
                checksum: place.checksum(Kind::Value, record.revision.0, offset, record.payload),
            });
        }
    }

    pub(super) fn finish(&mut self, report: &mut RecoveryReport) {
        for (key, known) in &mut self.keys {
            known.settle();
            report.records += known.records.len() as u64;
            report.quarantined.extend(known.gap.map(|gap| (*key, gap)));
        }
        report.quarantined.sort_by_key(|(key, _)| *key);
        report.keys = self.keys.len() as u64;
        report.expired = self.expired;
    }

    /// Segments with records that no snapshot covers.
    pub(super) fn needed_segments(&self) -> BTreeSet<FileId> {
        self.keys.values().flat_map(|known| &known.records).map(|record| record.file).collect()
    }

    /// Tables with the newest of a key, or with the proof of a loss.
    pub(super) fn needed_tables(&self) -> BTreeSet<FileId> {
        let newest = self.keys.values().filter_map(|known| known.newest);
        let tables: BTreeSet<TableNo> = newest.map(|located| located.table).collect();
        let files = tables.iter().map(|number| self.tables[number.0 as usize].0);
        files.chain(self.kept.iter().copied()).collect()
    }

    pub(super) fn table_count(&self) -> u32 {
        self.tables.len() as u32
    }

    /// Gives every shard what is known of its keys.
    pub(super) fn distribute(
        self,
        shards: ShardCount,
        ages: &BTreeMap<FileId, (Age, Closed)>,
        seeds: &mut [ShardSeed],
    ) {
        for (key, known) in self.keys {
            let seed = &mut seeds[usize::from(partition_of(&key).shard(shards).0)];
            if let Some(located) = known.newest {
                let (file, bucket) = self.tables[located.table.0 as usize];
                let bytes = located.entry(key).stored_bytes();
                let table = seed.tables.entry(located.table).or_insert(TableSeed {
                    file,
                    bucket,
                    bytes: 0,
                    live_bytes: 0,
                });
                table.bytes += bytes;
                table.live_bytes += bytes;
                seed.index.entry(bucket).or_default().insert(key, located);
            }
            let mut records = Vec::with_capacity(known.records.len());
            for record in &known.records {
                let Some((age, closed)) = ages.get(&record.file) else { continue };
                seed.holds.hold(*age, key, record.revision);
                seed.inherited.insert(*age, *closed);
                let Logged { revision, offset, length, checksum, .. } = *record;
                records.push(RecordRef { segment: *age, revision, offset, length, checksum });
            }
            let deleted =
                records.last().is_some_and(|record| record.revision == Revision::TOMBSTONE);
            if let Some(gap) = known.gap {
                seed.quarantined.insert(key, gap);
            } else if deleted {
                seed.deleted.push(key);
            } else if !records.is_empty() {
                seed.recovered.insert(key, records);
            }
        }
        for seed in seeds {
            seed.deleted.sort_unstable();
        }
    }
}
