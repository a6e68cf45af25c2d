//! The fourth step: tables and logs become one state a key.
//!
//! A key at rest is one line of 40 bytes in the list of its bucket, sorted by
//! key; only keys that the logs name, or whose value is broken, get more. So a
//! million keys at rest take 40 MB here, and are in the compact index after.

use std::collections::{BTreeMap, BTreeSet};

use crate::bucket::{BucketId, BucketStamp, BucketTable};
use crate::checksum::Place;
use crate::file::FileId;
use crate::key::{Key, Revision, ShardCount, UnixSecond, partition_of};
use crate::log::batch::Batch;
use crate::log::segment::Closed;
use crate::log::writer::Age;
use crate::manifest::ClockState;
use crate::store::{Gap, Located, RecordRef, ShardSeed, TableNo, TableSeed};
use crate::table::reader::Contents;
use crate::table::record::stored_bytes;

use super::homes::{Home, Homes};
use super::records::{LogRecords, Named};
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

/// The records of one shard that are newer than the snapshots of their keys.
type ShardRecords = BTreeMap<BucketId, Vec<(Key, Vec<RecordRef>)>>;

pub(crate) struct Merge {
    buckets: BucketTable,
    now: UnixSecond,
    drop_expired: bool,
    shards: ShardCount,
    tables: Vec<TableFound>,
    /// Tables with broken values are kept as they are.
    kept: BTreeSet<FileId>,
    homes: BTreeMap<BucketId, Homes>,
    /// Values of the bucket whose tables are being read, in no order.
    open: Vec<Home>,
    claims: Vec<(Key, Revision, TableNo)>,
    /// The highest revision of a key that a directory names and whose value is
    /// broken, and the table where.
    claimed: BTreeMap<Key, (Revision, TableNo)>,
    records: LogRecords,
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
            kept: BTreeSet::new(),
            homes: BTreeMap::new(),
            open: Vec::new(),
            claims: Vec::new(),
            claimed: BTreeMap::new(),
            records: LogRecords::default(),
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
        self.open.reserve(contents.entries.len());
        for entry in &contents.entries {
            if self.bucket_of(&entry.key) == Some(bucket) {
                bytes[self.shard_of(&entry.key)] += stored_bytes(entry.length);
                let located = Located::new(number, entry);
                self.open.push(Home { key: entry.key, revision: entry.revision, located });
            }
        }
        for entry in &contents.broken {
            if self.bucket_of(&entry.key) == Some(bucket) {
                self.kept.insert(file);
                self.claims.push((entry.key, entry.revision, number));
            }
        }
        let (sealed, live_bytes) = (contents.sealed, vec![0; shards]);
        self.tables.push(TableFound { file, bucket, sealed, bytes, live_bytes });
    }

    /// Keeps the newest value of every key of the bucket.
    pub(super) fn close_bucket(&mut self, bucket: BucketId) {
        let homes = Homes::new(std::mem::take(&mut self.open));
        for home in homes.list() {
            let shard = usize::from(partition_of(&home.key).shard(self.shards).0);
            let table = &mut self.tables[home.located.table().0 as usize];
            table.live_bytes[shard] += home.located.stored_bytes();
        }
        self.homes.insert(bucket, homes);
        for (key, revision, table) in std::mem::take(&mut self.claims) {
            self.records.add_key(key, snapshot_of(&mut self.homes, bucket, &key));
            let claimed = self.claimed.entry(key).or_insert((revision, table));
            if claimed.0 < revision {
                *claimed = (revision, table);
            }
        }
    }

    pub(super) fn begin_segment(&mut self, file: FileId) {
        self.records.begin_segment(file);
    }

    /// Takes the records of a batch of the segment that was begun last.
    pub(super) fn add_batch(&mut self, place: Place, at: u64, batch: &Batch<'_>) {
        for record in batch.records().flatten() {
            let second = record.key.second();
            if !self.last.is_some_and(|stamp| stamp.holds(second)) {
                self.last = self.buckets.of_second(second).copied();
            }
            let gone = |stamp: &BucketStamp| stamp.expires_at(&record.key) <= self.now;
            let Some(stamp) = self.last.filter(|stamp| !(self.drop_expired && gone(stamp))) else {
                self.expired += 1;
                continue;
            };
            let homes = &mut self.homes;
            self.records.add(place, at, &record, || snapshot_of(homes, stamp.id, &record.key));
        }
    }

    pub(super) fn finish(&mut self, report: &mut RecoveryReport) {
        self.records.gather();
        let mut homeless = 0;
        for named in &mut self.records.named {
            let claimed = self.claimed.get(&named.key).map(|(revision, _)| *revision);
            if let Some(gap) = named.settle(claimed) {
                self.quarantined.insert(named.key, gap);
            }
            homeless += u64::from(named.snapshot.is_none());
            report.records += named.records.len() as u64;
        }
        report.quarantined = self.quarantined.iter().map(|(key, gap)| (*key, *gap)).collect();
        report.keys =
            self.homes.values().map(|homes| homes.list().len() as u64).sum::<u64>() + homeless;
        report.expired = self.expired;
    }

    /// Segments with records that no snapshot covers.
    pub(super) fn needed_segments(&self) -> BTreeSet<FileId> {
        self.records.needed_segments()
    }

    /// Tables with the newest of a key, or with the proof of a loss.
    pub(super) fn needed_tables(&self) -> BTreeSet<FileId> {
        let live = |table: &&TableFound| table.live_bytes.iter().any(|bytes| *bytes > 0);
        let files = self.tables.iter().filter(live).map(|table| table.file);
        files.chain(self.kept.iter().copied()).collect()
    }

    /// Gives every shard what is known of its keys.
    pub(super) fn distribute(
        mut self,
        ages: &BTreeMap<FileId, (Age, Closed)>,
        seeds: &mut [ShardSeed],
    ) {
        for (bucket, homes) in std::mem::take(&mut self.homes) {
            for home in homes.list() {
                let seed = &mut seeds[self.shard_of(&home.key)];
                let span = seed.spans.entry(bucket).or_default();
                span.index.insert_new(home.key, home.located);
            }
        }
        let places = self.records.ages(ages);
        let mut recovered: Vec<ShardRecords> = vec![BTreeMap::new(); seeds.len()];
        let closed: BTreeMap<Age, Closed> = ages.values().copied().collect();
        for named in std::mem::take(&mut self.records.named) {
            let Named { key, snapshot, records } = named;
            let Some(bucket) = self.bucket_of(&key) else { continue };
            let shard = self.shard_of(&key);
            let seed = &mut seeds[shard];
            let span = seed.spans.entry(bucket).or_default();
            if snapshot.is_none() {
                span.index.add_homeless(key);
            }
            let records: Vec<RecordRef> =
                records.into_iter().filter_map(|found| places.locate(found)).collect();
            let mut known = None;
            for age in records.iter().map(RecordRef::segment) {
                if known.replace(age) != Some(age)
                    && let Some(closed) = closed.get(&age)
                {
                    seed.inherited.insert(age, *closed);
                }
            }
            if let Some(gap) = self.quarantined.get(&key) {
                for record in &records {
                    seed.holds.pin(bucket, record.segment(), key, record.revision);
                }
                seed.quarantined.insert(key, *gap);
                if let Some((_, table)) = self.claimed.get(&key) {
                    // The table is the proof, so it counts as long as the gap.
                    self.tables[table.0 as usize].live_bytes[shard] += stored_bytes(0);
                }
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
                recovered[shard].entry(bucket).or_default().push((key, records));
            }
        }
        for (seed, recovered) in seeds.iter_mut().zip(recovered) {
            for (bucket, records) in recovered {
                // Made from a list, the map is sorted once and built as a whole.
                let span = seed.spans.entry(bucket).or_default();
                span.recovered = records.into_iter().collect();
            }
        }
        for (shard, seed) in seeds.iter_mut().enumerate() {
            seed.deleted.sort_unstable();
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
}

/// The newest snapshot of the key that is whole.
fn snapshot_of(
    homes: &mut BTreeMap<BucketId, Homes>,
    bucket: BucketId,
    key: &Key,
) -> Option<Revision> {
    homes.get_mut(&bucket)?.snapshot(key)
}
