//! The fourth step: tables and logs become one state a key.
//!
//! A key at rest is one line of 40 bytes in a list that is sorted by key, and,
//! if there are logs, 64 bytes of a hash table. A record that no snapshot
//! covers takes 16 more, in the list that its shard keeps. When all is read,
//! each shard's share of each bucket is put together, on all cores.

use std::collections::{BTreeMap, BTreeSet};

use crate::bucket::{BucketId, BucketStamp, BucketTable};
use crate::checksum::{Kind, Place};
use crate::disk::Disk;
use crate::file::FileId;
use crate::key::{Key, Partition, Sequence, ShardCount, ShardId, UnixSecond, partition_of};
use crate::log::batch::{Batch, BatchRecord};
use crate::log::segment::Closed;
use crate::log::writer::Age;
use crate::store::{Located, RecordRef, Recovered, ShardSeed, TableNo, TableSeed};
use crate::table::reader::Contents;
use crate::table::record::stored_bytes;

use super::homes::{Home, Homes};
use super::keys::{Head, Keys, Known, TOGETHER};
use super::report::RecoveryReport;
use super::share::{Share, Wanted};

/// With fewer keys than this a start is over before another thread has begun.
const THREADS_FROM: usize = 50_000;

/// A table that was read.
struct TableFound {
    file: FileId,
    bucket: BucketId,
    sealed: bool,
    /// Bytes of its values, one number a shard.
    bytes: Vec<u64>,
}

/// A record that is wanted, and where its bucket is among all buckets.
type InBucket<'a> = (usize, BatchRecord<'a>);

/// Tables and logs while they are read.
pub(super) struct Merge {
    wanted: Wanted,
    shards: ShardCount,
    tables: Vec<TableFound>,
    homes: Homes,
    /// In the order in which they are read, which is that of their ages.
    segments: Vec<FileId>,
    /// Made for the first record.
    keys: Option<Keys>,
    /// Keys with records and no value in a table.
    homeless: Vec<Key>,
    /// A list for each bucket and shard, those of a bucket together.
    lists: Vec<Recovered>,
    /// Records of keys where they do not follow each other.
    odd: BTreeMap<Key, Vec<RecordRef>>,
    /// The bucket of the last record: most records are of the same few.
    last: Option<(usize, BucketStamp)>,
    expired: u64,
}

/// The keys whose records are in one list.
#[derive(Default)]
struct Dealt<'a> {
    /// Those without a value in a table.
    homeless: Vec<Key>,
    named: Vec<&'a Known>,
}

impl Merge {
    pub(super) fn new(buckets: BucketTable, passed: UnixSecond, shards: ShardCount) -> Self {
        let lists = buckets.stamps().len() * usize::from(shards.get());
        Self {
            wanted: Wanted { buckets, passed },
            shards,
            tables: Vec::new(),
            homes: Homes::default(),
            segments: Vec::new(),
            keys: None,
            homeless: Vec::new(),
            lists: (0..lists).map(|_| Recovered::default()).collect(),
            odd: BTreeMap::new(),
            last: None,
            expired: 0,
        }
    }

    /// Takes what a table holds. The tables of a bucket come one after the
    /// other, and [`Self::close_bucket`] after the last.
    pub(super) fn add_table(&mut self, file: FileId, bucket: BucketId, contents: &Contents) {
        let number = TableNo(self.tables.len() as u32);
        let mut bytes = vec![0; usize::from(self.shards.get())];
        let homes = contents.entries.iter().map(|entry| {
            if self.wanted.bucket_of(&entry.key) != Some(bucket) {
                return None;
            }
            let shard = partition_of(&entry.key).shard(self.shards);
            bytes[usize::from(shard.0)] += stored_bytes(entry.length);
            let located = Located::new(number, entry);
            Some(Home { key: entry.key, sequence: entry.sequence, located })
        });
        self.homes.extend(homes);
        self.tables.push(TableFound { file, bucket, sealed: contents.sealed, bytes });
    }

    /// Keeps the newest value of every key of the bucket.
    pub(super) fn close_bucket(&mut self) {
        self.homes.close_bucket();
    }

    /// The batches that come next are of this segment.
    pub(super) fn begin_segment(&mut self, file: FileId) {
        self.segments.push(file);
    }

    /// Takes the records of a batch of the segment that was begun last.
    pub(super) fn add_batch(&mut self, place: Place, at: u64, batch: &Batch<'_>) {
        let mut wanted: Vec<InBucket<'_>> = Vec::with_capacity(TOGETHER);
        let mut records = batch.records().flatten();
        loop {
            let in_buckets = records.by_ref().filter_map(|record| self.in_bucket(record));
            wanted.extend(in_buckets.take(TOGETHER));
            if wanted.is_empty() {
                return;
            }
            self.add(place, at, &wanted);
            wanted.clear();
        }
    }

    /// Finds the record's bucket, and counts it if it is gone with its key.
    fn in_bucket<'a>(&mut self, record: BatchRecord<'a>) -> Option<InBucket<'a>> {
        let second = record.key.second();
        if !self.last.is_some_and(|(_, stamp)| stamp.holds(second)) {
            let buckets = &self.wanted.buckets;
            self.last = buckets.number_of(second).map(|number| (number, buckets.stamps()[number]));
        }
        let wanted = |(_, stamp): &(_, _)| self.wanted.is_wanted(stamp, &record.key);
        let bucket = self.last.filter(wanted).map(|(number, _)| number);
        self.expired += u64::from(bucket.is_none());
        Some((bucket?, record))
    }

    /// Takes at most [`TOGETHER`] records of the batch at `at`.
    fn add(&mut self, place: Place, at: u64, records: &[InBucket<'_>]) {
        let segment = Age(self.segments.len() as u64);
        let homes = self.homes.list().iter();
        let keys =
            self.keys.get_or_insert_with(|| Keys::new(homes.map(|home| (home.key, home.sequence))));
        let hashes = keys.touch(records.iter().map(|(_, record)| record.key));
        for ((bucket, record), hash) in records.iter().zip(hashes) {
            let BatchRecord { key, sequence, offset, payload } = *record;
            let (known, is_new) = keys.get(&key, hash);
            if is_new {
                self.homeless.push(key);
            }
            // Records up to `last` are known without a gap.
            if sequence <= known.last {
                continue;
            }
            let offset = at + offset as u64;
            let checksum = place.checksum(Kind::Value, sequence.0, offset, payload) as u32;
            // The walk ends where the largest segment does.
            let (offset, length) = (offset as u32, payload.len() as u32);
            let record = RecordRef::new(segment, sequence, offset, length, checksum);
            let shard = Partition::of_hash(hash).shard(self.shards);
            let list = &mut self.lists[list_of(*bucket, shard.0, self.shards)];
            let before = match known.head() {
                Head::Link(link) => Some(link),
                _ => None,
            };
            if known.head() != Head::Odd && sequence == known.last.next() {
                if before.is_none() {
                    known.set_oldest(segment);
                }
                known.last = sequence;
                known.set(Head::Link(list.link(before, &record)));
                continue;
            }
            let odd = self.odd.entry(key).or_default();
            if let Some(link) = before {
                *odd = list.unlink(link, known.last);
                known.last = Sequence(known.last.0 - odd.len() as u64);
            }
            known.set(Head::Odd);
            odd.push(record);
        }
    }

    /// Puts together what was read.
    pub(super) fn finish<D: Disk>(mut self, disk: &D, report: &mut RecoveryReport) -> Merged {
        report.keys = (self.homes.list().len() + self.homeless.len()) as u64;
        report.expired = self.expired;
        let lists = std::mem::take(&mut self.lists);
        let dealt = self.deal(lists.len());
        let lists: Vec<_> = lists.into_iter().zip(dealt).enumerate().collect();
        let share = |(number, (list, dealt))| self.share(number, list, dealt);
        let shares = if report.keys < THREADS_FROM as u64 {
            lists.into_iter().map(share).collect()
        } else {
            disk.on_all_cores(lists, share)
        };
        let merged = Merged { tables: self.tables, segments: self.segments, shares };
        // The shares of a bucket have keys in turns.
        let gaps: BTreeMap<_, _> =
            merged.shares.iter().flat_map(|share| &share.quarantined).collect();
        report.quarantined = gaps.into_iter().map(|(key, gap)| (*key, *gap)).collect();
        report.records = merged.shares.iter().map(|share| share.records).sum();
        merged
    }

    /// Deals the keys with records to the lists that those are in: in one pass,
    /// since there may be many lists.
    fn deal(&self, lists: usize) -> Vec<Dealt<'_>> {
        let mut dealt: Vec<Dealt<'_>> = (0..lists).map(|_| Dealt::default()).collect();
        let list_of = |key: &Key| {
            let bucket = self.wanted.buckets.number_of(key.second())?;
            Some(list_of(bucket, partition_of(key).shard(self.shards).0, self.shards))
        };
        for key in &self.homeless {
            if let Some(list) = list_of(key) {
                dealt[list].homeless.push(*key);
            }
        }
        let named = self.keys.iter().flat_map(Keys::iter);
        for known in named.filter(|known| known.head() != Head::None) {
            if let Some(list) = list_of(&known.key) {
                dealt[list].named.push(known);
            }
        }
        dealt
    }

    /// What the shard is to know of the bucket that a list is for.
    fn share(&self, number: usize, list: Recovered, dealt: Dealt<'_>) -> Share {
        let shards = self.shards.get();
        let stamp = &self.wanted.buckets.stamps()[number / usize::from(shards)];
        let shard = ShardId((number % usize::from(shards)) as u16);
        let is_ours = |home: &&Home| {
            partition_of(&home.key).shard(self.shards) == shard
                && self.wanted.is_wanted(stamp, &home.key)
        };
        let mut share = Share::new(shard, stamp.id, list);
        let homes = self.homes.list();
        let homes = &homes[homes.partition_point(|home| home.key.second() < stamp.id.0)..];
        let homes = homes.iter().take_while(|home| stamp.holds(home.key.second()));
        for home in homes.filter(is_ours) {
            share.add_home(home);
        }
        for key in dealt.homeless {
            share.add_homeless(key);
        }
        for known in dealt.named {
            match self.odd.get(&known.key).filter(|_| known.head() == Head::Odd) {
                Some(odd) => share.add_odd(known.key, known.last, odd.clone()),
                None => share.add_chain(known),
            }
        }
        share.seed.recovered.close();
        share
    }
}

/// Which list has the records of a bucket and a shard.
fn list_of(bucket: usize, shard: u16, shards: ShardCount) -> usize {
    bucket * usize::from(shards.get()) + usize::from(shard)
}

/// What all tables and logs hold.
pub(crate) struct Merged {
    tables: Vec<TableFound>,
    segments: Vec<FileId>,
    shares: Vec<Share>,
}

impl Merged {
    /// The ages of the segments that were read: those of former runs are
    /// numbered from 1, in the order in which they were written.
    pub(super) fn ages(&self) -> BTreeMap<FileId, Age> {
        let numbered = self.segments.iter().zip(1..);
        numbered.map(|(file, number)| (*file, Age(number))).collect()
    }

    /// Segments with records that no snapshot covers.
    pub(super) fn needed_segments(&self) -> BTreeSet<FileId> {
        let needed = self.shares.iter().flat_map(|share| &share.needed);
        needed.map(|age| self.segments[age.0 as usize - 1]).collect()
    }

    /// Tables with the newest of a key.
    pub(super) fn needed_tables(&self) -> BTreeSet<FileId> {
        let live = self.shares.iter().flat_map(|share| share.live_bytes.keys());
        live.map(|number| self.tables[number.0 as usize].file).collect()
    }

    /// Gives every shard what is known of its keys.
    pub(super) fn distribute(self, closed: &BTreeMap<Age, Closed>, seeds: &mut [ShardSeed]) {
        for share in self.shares {
            let shard = usize::from(share.shard.0);
            let seed = &mut seeds[shard];
            let inherited = share.needed.iter().filter_map(|age| Some((*age, *closed.get(age)?)));
            seed.inherited.extend(inherited);
            for (number, live_bytes) in share.live_bytes {
                let TableFound { file, bucket, sealed, ref bytes } = self.tables[number.0 as usize];
                let bytes = bytes[shard];
                seed.tables.insert(number, TableSeed { file, bucket, sealed, bytes, live_bytes });
            }
            seed.shares.insert(share.bucket, share.seed);
            seed.holds.adopt(share.holds);
            seed.deleted.extend(share.deleted);
            seed.quarantined.extend(share.quarantined);
        }
    }
}
