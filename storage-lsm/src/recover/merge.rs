//! The fourth step: tables and logs become one state a key.
//!
//! A key at rest is one line of 40 bytes in a list that is sorted by key; a
//! place in a hash table comes to it if there are logs, and only keys with
//! records that no snapshot covers get more. So a million keys at rest take 56 MB here, and are in the compact index after.

use std::collections::{BTreeMap, BTreeSet};

use crate::bucket::{BucketId, BucketStamp, BucketTable};
use crate::checksum::Place;
use crate::file::FileId;
use crate::key::{Key, Revision, ShardCount, UnixSecond, partition_of};
use crate::log::batch::{Batch, BatchRecord};
use crate::log::segment::Closed;
use crate::log::writer::Age;
use crate::manifest::ClockState;
use crate::store::{Gap, Located, RecordRef, ShardSeed, TableNo, TableSeed};
use crate::table::reader::Contents;
use crate::table::record::stored_bytes;

use super::homes::Home;
use super::keys::{Keys, TOGETHER};
use super::records::{KeyRecords, LogRecords, Named};
use super::report::RecoveryReport;

/// A table that was read.
struct TableFound {
    file: FileId,
    bucket: BucketId,
    sealed: bool,
    /// Bytes of its values, one number a shard.
    bytes: Vec<u64>,
    /// Bytes of those that are the newest of their keys.
    live_bytes: Vec<u64>,
}

pub(crate) struct Merge {
    buckets: BucketTable,
    now: UnixSecond,
    drop_expired: bool,
    shards: ShardCount,
    tables: Vec<TableFound>,
    keys: Keys,
    /// While the logs are read.
    logged: LogRecords,
    /// When they are.
    records: KeyRecords,
    quarantined: BTreeMap<Key, Gap>,
    /// The bucket of the last record: most records are of the same few.
    last: Option<BucketStamp>,
    expired: u64,
}

impl Merge {
    pub(super) fn new(
        buckets: BucketTable,
        now: UnixSecond,
        clock: ClockState,
        shards: ShardCount,
    ) -> Self {
        Self {
            buckets,
            now,
            drop_expired: clock == ClockState::Trusted,
            shards,
            tables: Vec::new(),
            keys: Keys::default(),
            logged: LogRecords::default(),
            records: KeyRecords::default(),
            quarantined: BTreeMap::new(),
            last: None,
            expired: 0,
        }
    }

    /// The key's bucket, if anything of the key is still wanted.
    fn bucket_of(&self, key: &Key) -> Option<BucketId> {
        let stamp = self.buckets.of_second(key.second())?;
        let gone = self.drop_expired && stamp.expires_at(key) <= self.now;
        (!gone).then_some(stamp.id)
    }

    fn shard_of(&self, key: &Key) -> usize {
        usize::from(partition_of(key).shard(self.shards).0)
    }

    /// Takes what a table holds. The tables of a bucket come one after the
    /// other, and [`Self::close_bucket`] after the last.
    pub(super) fn add_table(&mut self, file: FileId, bucket: BucketId, contents: &Contents) {
        let number = TableNo(self.tables.len() as u32);
        let shards = usize::from(self.shards.get());
        let mut bytes = vec![0; shards];
        let homes = contents.entries.iter().map(|entry| {
            if self.bucket_of(&entry.key) != Some(bucket) {
                return None;
            }
            bytes[self.shard_of(&entry.key)] += stored_bytes(entry.length);
            let located = Located::new(number, entry);
            Some(Home { key: entry.key, revision: entry.revision, located })
        });
        let homes: Vec<_> = homes.collect();
        self.keys.homes.extend(homes.into_iter());
        let (sealed, live_bytes) = (contents.sealed, vec![0; shards]);
        self.tables.push(TableFound { file, bucket, sealed, bytes, live_bytes });
    }

    /// Keeps the newest value of every key of the bucket.
    pub(super) fn close_bucket(&mut self) {
        for home in self.keys.homes.close_bucket() {
            let shard = usize::from(partition_of(&home.key).shard(self.shards).0);
            let table = &mut self.tables[home.located.table().0 as usize];
            table.live_bytes[shard] += home.located.stored_bytes();
        }
    }

    pub(super) fn begin_segment(&mut self, file: FileId) {
        self.logged.begin_segment(file);
    }

    /// Takes the records of a batch of the segment that was begun last.
    pub(super) fn add_batch(&mut self, place: Place, at: u64, batch: &Batch<'_>) {
        let mut wanted = Vec::with_capacity(TOGETHER);
        let mut records = batch.records().flatten();
        loop {
            wanted.extend(records.by_ref().filter(|record| self.wants(record)).take(TOGETHER));
            if wanted.is_empty() {
                return;
            }
            self.logged.add(&mut self.keys, place, at, &wanted);
            wanted.clear();
        }
    }

    /// Counts what is gone with its key.
    fn wants(&mut self, record: &BatchRecord<'_>) -> bool {
        let second = record.key.second();
        if !self.last.is_some_and(|stamp| stamp.holds(second)) {
            self.last = self.buckets.of_second(second).copied();
        }
        let gone = |stamp: &BucketStamp| stamp.expires_at(&record.key) <= self.now;
        let wanted = self.last.is_some_and(|stamp| !(self.drop_expired && gone(&stamp)));
        self.expired += u64::from(!wanted);
        wanted
    }

    pub(super) fn finish(&mut self, report: &mut RecoveryReport) {
        self.records = std::mem::take(&mut self.logged).by_key(&self.keys);
        self.records.settle(|key, gap| {
            self.quarantined.insert(key, gap);
        });
        report.quarantined = self.quarantined.iter().map(|(key, gap)| (*key, *gap)).collect();
        report.keys = self.keys.len() as u64;
        report.records = self.records.len() as u64;
        report.expired = self.expired;
    }

    /// Segments with records that no snapshot covers.
    pub(super) fn needed_segments(&self) -> BTreeSet<FileId> {
        self.records.needed_segments()
    }

    /// Tables with the newest of a key.
    pub(super) fn needed_tables(&self) -> BTreeSet<FileId> {
        let live = |table: &&TableFound| table.live_bytes.iter().any(|bytes| *bytes > 0);
        self.tables.iter().filter(live).map(|table| table.file).collect()
    }

    /// Gives every shard what is known of its keys.
    pub(super) fn distribute(
        mut self,
        ages: &BTreeMap<FileId, (Age, Closed)>,
        seeds: &mut [ShardSeed],
    ) {
        self.distribute_homes(seeds);
        self.records.age(|file| ages.get(file).map(|(age, _)| *age));
        let closed: BTreeMap<Age, Closed> = ages.values().copied().collect();
        for named in &self.records.named {
            let Named { key, snapshot, .. } = *named;
            let Some(bucket) = self.bucket_of(&key) else { continue };
            let shard = self.shard_of(&key);
            let seed = &mut seeds[shard];
            let span = seed.spans.entry(bucket).or_default();
            if snapshot.is_none() {
                span.index.add_homeless(key);
            }
            let records = self.records.records(named);
            let mut known = None;
            for age in records.iter().map(RecordRef::segment) {
                if known.replace(age) != Some(age)
                    && let Some(closed) = closed.get(&age)
                {
                    seed.inherited.insert(age, *closed);
                }
            }
            if let Some(gap) = self.quarantined.get(&key) {
                for record in records {
                    seed.holds.pin(bucket, record.segment(), key, record.revision);
                }
                seed.quarantined.insert(key, *gap);
                continue;
            }
            if records.is_empty() {
                continue;
            }
            let held = records.iter().map(|record| (record.segment(), record.revision));
            seed.holds.hold_key(bucket, key, held);
            if records.last().is_some_and(|record| record.revision == Revision::TOMBSTONE) {
                seed.deleted.push(key);
            } else {
                span.recovered.push(key, records);
            }
        }
        for (shard, seed) in seeds.iter_mut().enumerate() {
            seed.spans.values_mut().for_each(|span| span.recovered.close());
            for (number, table) in self.tables.iter().enumerate() {
                let (bytes, live_bytes) = (table.bytes[shard], table.live_bytes[shard]);
                if live_bytes > 0 {
                    let TableFound { file, bucket, sealed, .. } = *table;
                    let seeded = TableSeed { file, bucket, sealed, bytes, live_bytes };
                    seed.tables.insert(TableNo(number as u32), seeded);
                }
            }
        }
    }

    /// Gives every shard the places of its keys.
    fn distribute_homes(&self, seeds: &mut [ShardSeed]) {
        for home in self.keys.homes.list() {
            let Some(bucket) = self.bucket_of(&home.key) else { continue };
            let seed = &mut seeds[self.shard_of(&home.key)];
            let span = seed.spans.entry(bucket).or_default();
            span.index.insert_new(home.key, home.located);
        }
    }
}
