//! The fourth step: tables and logs become one state a key.
//!
//! A key at rest is one line of 40 bytes in the list of its bucket, sorted by
//! key; only keys that the logs name, or whose value is broken, get more. So a
//! million keys at rest take 40 MB here, and are in the compact index after.

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
use crate::table::record::stored_bytes;

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

/// A key's value in a table.
#[derive(Clone, Copy, Debug)]
struct Home {
    key: Key,
    revision: Revision,
    located: Located,
}

/// What is known of a key that the logs name, or whose value is broken.
#[derive(Default, Debug)]
struct Known {
    /// The newest snapshot that is whole.
    snapshot: Option<Revision>,
    /// The highest revision that a directory names and whose value is broken,
    /// and the table where.
    claimed: Option<(Revision, TableNo)>,
    records: Vec<Logged>,
    gap: Option<Gap>,
}

impl Known {
    fn snapshot(&self) -> Revision {
        self.snapshot.unwrap_or_default()
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
        if let Some((claimed, _)) = self.claimed
            && claimed > have
        {
            self.gap = Some(Gap { have, next: claimed });
        }
    }

    fn is_deleted(&self) -> bool {
        self.snapshot() == Revision::TOMBSTONE
            || self.records.last().is_some_and(|record| record.revision == Revision::TOMBSTONE)
    }
}

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
    /// Tables with broken values are kept as they are.
    kept: BTreeSet<FileId>,
    /// The newest value of every key of a bucket that has one, sorted by key.
    homes: BTreeMap<BucketId, Vec<Home>>,
    /// Values of the bucket whose tables are being read, in no order.
    open: Vec<Home>,
    claims: Vec<(Key, Revision, TableNo)>,
    keys: KeyMap<Known>,
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
            keys: KeyMap::default(),
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
        let mut homes = std::mem::take(&mut self.open);
        // Footers are sorted, and this sort is quick where it finds sorted runs.
        homes.sort_by_key(|home| (home.key, std::cmp::Reverse(home.revision)));
        homes.dedup_by_key(|home| home.key);
        homes.shrink_to_fit();
        for home in &homes {
            let shard = usize::from(partition_of(&home.key).shard(self.shards).0);
            let table = &mut self.tables[home.located.table().0 as usize];
            table.live_bytes[shard] += home.located.stored_bytes();
        }
        self.homes.insert(bucket, homes);
        for (key, revision, table) in std::mem::take(&mut self.claims) {
            let claimed = &mut self.known(key, bucket).claimed;
            if claimed.is_none_or(|(highest, _)| highest < revision) {
                *claimed = Some((revision, table));
            }
        }
    }

    fn known(&mut self, key: Key, bucket: BucketId) -> &mut Known {
        let homes = &self.homes;
        self.keys.entry(key).or_insert_with(|| {
            let home = homes.get(&bucket).and_then(|homes| {
                let at = homes.binary_search_by_key(&key, |home| home.key).ok()?;
                Some(&homes[at])
            });
            Known { snapshot: home.map(|home| home.revision), ..Known::default() }
        })
    }

    pub(super) fn add_batch(&mut self, place: Place, at: u64, batch: &Batch<'_>) {
        for record in batch.records().flatten() {
            let Some(bucket) = self.bucket_of(&record.key) else {
                self.expired += 1;
                continue;
            };
            let known = self.known(record.key, bucket);
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
        let mut homeless = 0;
        for (key, known) in &mut self.keys {
            known.settle();
            homeless += u64::from(known.snapshot.is_none());
            report.records += known.records.len() as u64;
            report.quarantined.extend(known.gap.map(|gap| (*key, gap)));
        }
        report.quarantined.sort_by_key(|(key, _)| *key);
        report.keys = self.homes.values().map(|homes| homes.len() as u64).sum::<u64>() + homeless;
        report.expired = self.expired;
    }

    /// Segments with records that no snapshot covers.
    pub(super) fn needed_segments(&self) -> BTreeSet<FileId> {
        self.keys.values().flat_map(|known| &known.records).map(|record| record.file).collect()
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
            for home in homes {
                let seed = &mut seeds[self.shard_of(&home.key)];
                let span = seed.spans.entry(bucket).or_default();
                span.index.insert_new(home.key, home.located);
            }
        }
        for (key, known) in std::mem::take(&mut self.keys) {
            let Some(bucket) = self.bucket_of(&key) else { continue };
            let shard = self.shard_of(&key);
            let seed = &mut seeds[shard];
            let span = seed.spans.entry(bucket).or_default();
            if known.snapshot.is_none() {
                span.index.add_homeless(key);
            }
            let mut records = Vec::with_capacity(known.records.len());
            for record in &known.records {
                let Some((age, closed)) = ages.get(&record.file) else { continue };
                match self.buckets.of_second(key.second()) {
                    Some(stamp) if known.gap.is_some() => {
                        seed.holds.pin(stamp.id, *age, key, record.revision);
                    }
                    _ => seed.holds.hold(&self.buckets, *age, &[(key, record.revision)]),
                }
                seed.inherited.insert(*age, *closed);
                let Logged { revision, offset, length, checksum, .. } = *record;
                records.push(RecordRef { segment: *age, revision, offset, length, checksum });
            }
            let deleted =
                records.last().is_some_and(|record| record.revision == Revision::TOMBSTONE);
            if let Some(gap) = known.gap {
                seed.quarantined.insert(key, gap);
                if let Some((_, table)) = known.claimed {
                    // The table is the proof, so it counts as long as the gap.
                    self.tables[table.0 as usize].live_bytes[shard] += stored_bytes(0);
                }
            } else if deleted {
                seed.deleted.push(key);
            } else if !records.is_empty() {
                span.recovered.insert(key, records);
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
