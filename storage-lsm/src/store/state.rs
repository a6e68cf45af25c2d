//! Everything a shard's store has in memory.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use crate::bucket::{BucketId, BucketStamp, BucketTable};
use crate::checksum::{Place, StoreId};
use crate::disk::Space;
use crate::file::FileId;
use crate::holds::{Holds, Part};
use crate::key::{Key, Sequence, ShardId, UnixSecond};
use crate::limits::{
    GOING_SECONDS, OLD_TABLE_SECONDS, OLD_TABLE_VALUES_MIN, SHED_KEYS, SHORT_OF_SPACE_RESERVES,
    TABLES_PER_SHARD_MAX,
};
use crate::log::segment::{Closed, Slot};
use crate::log::writer::{Age, LogWriter, Spare};
use crate::manifest::{Change, Edit, EditNumber};
use crate::options::Options;
use crate::table::record::TableEntry;

use super::bucket_share::BucketShare;
use super::counters::StoreCounters;
use super::error::{Gap, Poison};
use super::place::{Located, TableNo};

/// A segment whose contents may be needed.
pub(super) struct InUse<F> {
    pub(super) file: FileId,
    /// Where its header stands; `None` for a segment of a former run.
    pub(super) slot: Option<Slot>,
    /// `None` while it is written.
    pub(super) closed: Option<Closed>,
    pub(super) handle: Option<Rc<F>>,
}

/// A table as this shard knows it.
pub(super) struct Table<F> {
    pub(super) file: FileId,
    pub(super) bucket: BucketId,
    pub(super) handle: Option<Rc<F>>,
    /// Bytes of this shard's values that were written to it.
    pub(super) bytes: u64,
    /// Bytes of those that are still the newest of their keys.
    pub(super) live_bytes: u64,
    pub(super) open: Option<OpenTable>,
    /// The edit that adds it to the manifest. No table is released before that edit is
    /// durable.
    pub(super) added: EditNumber,
    /// Its live values are being moved, or cannot be read, or it has no footer that
    /// names them.
    pub(super) drained: bool,
}

impl<F> Table<F> {
    /// Whether it is closed and has no live value.
    pub(super) fn is_dead(&self) -> bool {
        self.open.is_none() && self.live_bytes == 0
    }
}

/// What only a table has that is still written.
#[derive(Default)]
pub(super) struct OpenTable {
    pub(super) end: u64,
    pub(super) blocks: u32,
    pub(super) entries: Vec<TableEntry>,
    pub(super) unsynced: Vec<(Key, Sequence)>,
    /// Blocks that were not read back yet.
    pub(super) unproven: Vec<WrittenBlock>,
    /// Upkeep leaves the table alone until then, because a block of it cannot be read
    /// back.
    pub(super) rests_until: UnixSecond,
}

impl OpenTable {
    /// Whether a sync would make more of it durable.
    pub(super) fn is_dirty(&self, now: UnixSecond) -> bool {
        !self.unsynced.is_empty() && self.rests_until <= now
    }
}

/// A block as it was written.
pub(super) struct WrittenBlock {
    pub(super) at: u64,
    pub(super) bytes: usize,
    pub(super) sum: u64,
}

/// Live values of a table that are being moved, the next one last.
pub(super) struct Drain {
    pub(super) table: TableNo,
    pub(super) entries: Vec<TableEntry>,
}

/// What is left of a bucket that has gone.
pub(super) struct Gone<F> {
    share: BucketShare,
    holds: Option<Part>,
    tables: Vec<Table<F>>,
}

impl<F> Gone<F> {
    /// Frees a bounded part of the memory; `false` when nothing is left.
    pub(super) fn shed(&mut self) -> bool {
        self.holds.take().is_some() || self.tables.pop().is_some() || self.share.shed()
    }
}

pub(super) struct State<F> {
    pub(super) options: Options,
    /// When upkeep was last asked for.
    pub(super) now: UnixSecond,
    pub(super) segments_max: usize,
    pub(super) store: StoreId,
    pub(super) epoch: u32,
    pub(super) shard: ShardId,
    pub(super) buckets: Arc<BucketTable>,
    /// The time that the manifest has recorded. A key that has expired by it stays
    /// expired, whatever the clock says later.
    pub(super) recorded: UnixSecond,
    /// Keys that have expired may hold segments.
    pub(super) expiring: bool,
    pub(super) shares: BTreeMap<BucketId, BucketShare>,
    /// Buckets that have gone and whose memory has not yet.
    pub(super) shedding: Vec<Gone<F>>,
    pub(super) tables: BTreeMap<TableNo, Table<F>>,
    pub(super) log: LogWriter,
    pub(super) holds: Holds,
    pub(super) segments: BTreeMap<Age, InUse<F>>,
    /// This run's segments that are not active now. Their files stay open, so that a
    /// batch never waits for an open.
    pub(super) own_files: BTreeMap<FileId, Rc<F>>,
    /// Segments that are made and not yet in the durable manifest.
    pub(super) coming: Vec<(EditNumber, Spare)>,
    pub(super) quarantined: BTreeMap<Key, Gap>,
    /// Snapshots on the disk that the durable manifest does not prove.
    pub(super) synced: Vec<(EditNumber, Vec<(Key, Sequence)>)>,
    /// Snapshots of other stores that are not durable here yet.
    pub(super) adopted: BTreeMap<Key, Sequence>,
    pub(super) drain: Option<Drain>,
    /// A table was drained and the moved values are not durable yet.
    pub(super) drained: bool,
    pub(super) backlog_bytes: usize,
    pub(super) space: Option<Space>,
    pub(super) next_file: u32,
    pub(super) next_table: u32,
    pub(super) edits: Vec<Edit>,
    pub(super) last_edit: EditNumber,
    pub(super) acknowledged: EditNumber,
    pub(super) poison: Option<Poison>,
    pub(super) counters: StoreCounters,
}

impl<F> State<F> {
    pub(super) fn place(&self, file: FileId) -> Place {
        Place { store: self.store, file }
    }

    /// Whether only the reserve is left of the disk.
    pub(super) fn is_below_reserve(&self) -> bool {
        self.space.is_some_and(|space| space.free_bytes < self.options.disk_reserve_bytes)
    }

    pub(super) fn new_file(&mut self) -> FileId {
        self.next_file += 1;
        FileId { epoch: self.epoch, shard: self.shard, number: self.next_file }
    }

    /// A number that no table of this shard has. They go round, so that one is
    /// used again as late as can be.
    pub(super) fn new_table(&mut self) -> TableNo {
        assert!(
            self.tables.len() < TABLES_PER_SHARD_MAX as usize,
            "a manifest slot is full before"
        );
        loop {
            self.next_table = (self.next_table + 1) % TABLES_PER_SHARD_MAX;
            if !self.tables.contains_key(&TableNo(self.next_table)) {
                return TableNo(self.next_table);
            }
        }
    }

    pub(super) fn edit(&mut self, change: Change) -> EditNumber {
        self.last_edit.0 += 1;
        self.edits.push(Edit { shard: self.shard, number: self.last_edit, change });
        self.last_edit
    }

    pub(super) fn share(&self, key: &Key) -> Option<&BucketShare> {
        let stamp = self.buckets.of_second(key.second())?;
        self.shares.get(&stamp.id)
    }

    pub(super) fn share_mut(&mut self, key: &Key) -> Option<&mut BucketShare> {
        let stamp = *self.buckets.of_second(key.second())?;
        Some(
            self.shares
                .entry(stamp.id)
                .or_insert_with(|| BucketShare::new(stamp, Default::default())),
        )
    }

    /// Puts a value's new place into the index and keeps the tables' accounts.
    pub(super) fn relocate(&mut self, bucket: BucketId, key: Key, located: Located) {
        let Some(share) = self.shares.get_mut(&bucket) else { return };
        let old = share.index.insert(key, located);
        if let Some(table) = self.tables.get_mut(&located.table()) {
            table.bytes += located.stored_bytes();
            table.live_bytes += located.stored_bytes();
        }
        if let Some(old) = old
            && let Some(table) = self.tables.get_mut(&old.table())
        {
            table.live_bytes = table.live_bytes.saturating_sub(old.stored_bytes());
        }
    }

    /// Releases the log records that durable snapshots cover.
    pub(super) fn release_snapshots(&mut self) {
        let acknowledged = self.acknowledged;
        let mut kept = Vec::new();
        for (edit, snapshots) in std::mem::take(&mut self.synced) {
            if edit > acknowledged {
                kept.push((edit, snapshots));
                continue;
            }
            for (key, sequence) in snapshots {
                self.holds.release(&key, sequence);
                if self.adopted.get(&key).is_some_and(|adopted| *adopted <= sequence) {
                    self.adopted.remove(&key);
                }
            }
        }
        self.synced = kept;
        self.free_segments();
    }

    /// Makes segments that no key holds spare, or releases those of former runs.
    pub(super) fn free_segments(&mut self) {
        let closed = self.segments.iter().filter(|(_, segment)| segment.closed.is_some());
        for age in self.holds.free_among(closed.map(|(age, _)| *age)) {
            let Some(segment) = self.segments.remove(&age) else { continue };
            match segment.slot {
                Some(slot) => {
                    self.log.spares.push_back(Spare { file: segment.file, slot: slot.other() });
                }
                None => {
                    self.edit(Change::ReleaseSegment(segment.file));
                }
            }
        }
    }

    /// Whether a table's file may be shorter than this shard wrote it. The files of a
    /// dropped bucket are shortened, and the shard that does so may be ahead of this one.
    pub(super) fn may_be_cut(&self, number: TableNo) -> bool {
        let soon = UnixSecond(self.now.0.saturating_add(GOING_SECONDS));
        let stamp = self.tables.get(&number).and_then(|table| self.buckets.get(table.bucket));
        stamp.is_none_or(|stamp| stamp.drops_at() <= soon)
    }

    /// An open table of a bucket that takes no new keys any more, if it has so many
    /// values that sealing it is worth the memory.
    pub(super) fn old_table(&self) -> Option<TableNo> {
        let passed = self.now.max(self.recorded).0;
        let old = |share: &&BucketShare| share.stamp.end() + OLD_TABLE_SECONDS <= passed;
        let many = |number: &TableNo| {
            let open = self.tables.get(number).and_then(|table| table.open.as_ref());
            open.is_some_and(|open| open.entries.len() >= OLD_TABLE_VALUES_MIN)
        };
        let tables = self.shares.values().take_while(old).filter_map(|share| share.open_table);
        tables.filter(many).find(|number| !self.may_be_cut(*number))
    }

    /// An open table of which most is outdated, if the disk is short of space and the
    /// outdated values are a sixteenth of the reserve or more.
    pub(super) fn wasteful_table(&self) -> Option<TableNo> {
        let reserve = self.options.disk_reserve_bytes;
        let enough = reserve.saturating_mul(SHORT_OF_SPACE_RESERVES);
        if self.space.is_none_or(|space| space.free_bytes >= enough) {
            return None;
        }
        let wasteful = |number: &TableNo| {
            self.tables.get(number).is_some_and(|table| {
                let outdated = table.bytes.saturating_sub(table.live_bytes);
                outdated > table.live_bytes && outdated >= reserve / 16
            })
        };
        let mut tables = self.shares.values().filter_map(|share| share.open_table);
        tables.find(|number| wasteful(number) && !self.may_be_cut(*number))
    }

    /// Bytes of memory for what is in the tables that are written.
    pub(super) fn directory_bytes(&self) -> usize {
        let open = self.tables.values().filter_map(|table| table.open.as_ref());
        open.map(|open| open.entries.capacity() * size_of::<TableEntry>()).sum()
    }

    /// The segments that this run's log uses or may use.
    pub(super) fn own_segments(&self) -> usize {
        let used = self.segments.values().filter(|segment| segment.slot.is_some()).count();
        used + self.log.spares.len() + self.coming.len()
    }

    /// Whether a checkpoint would help now: a segment waits only for a checkpoint, or a
    /// table without live values can be released.
    pub(super) fn checkpoint_is_due(&self) -> bool {
        self.has_dead_table()
            || ((self.drained || self.log_waits_for_snapshots() || !self.adopted.is_empty())
                && self.has_undurable())
    }

    fn log_waits_for_snapshots(&self) -> bool {
        self.holds.waits_for_snapshots(self.first_unclosed())
    }

    /// Whether a checkpoint would write or sync anything.
    fn has_undurable(&self) -> bool {
        let durable = self.log.durable;
        let dirty =
            |table: &Table<F>| table.open.as_ref().is_some_and(|open| open.is_dirty(self.now));
        self.tables.values().any(dirty)
            || self.shares.values().any(|share| share.has_flushable(durable))
    }

    fn has_dead_table(&self) -> bool {
        let rests = |open: &OpenTable| !open.unsynced.is_empty() && !open.is_dirty(self.now);
        let dead = |table: &Table<F>| {
            table.is_dead() && !self.open_table_of(table.bucket).is_some_and(rests)
        };
        self.tables_are_known() && self.tables.values().any(dead)
    }

    /// Whether values that replace older ones of the bucket are not proven yet.
    pub(super) fn has_unproven(&self, bucket: BucketId) -> bool {
        self.open_table_of(bucket).is_some_and(|open| !open.unsynced.is_empty())
    }

    fn open_table_of(&self, bucket: BucketId) -> Option<&OpenTable> {
        let number = self.shares.get(&bucket)?.open_table?;
        self.tables.get(&number)?.open.as_ref()
    }

    /// Whether the durable manifest has all tables of this shard.
    pub(super) fn tables_are_known(&self) -> bool {
        self.tables.values().all(|table| table.added <= self.acknowledged)
    }

    /// The first segment that is not closed; its records are left to later
    /// snapshots.
    pub(super) fn first_unclosed(&self) -> Age {
        let newest = self.segments.last_key_value();
        newest.map_or(Age(0), |(age, segment)| Age(age.0 + u64::from(segment.closed.is_some())))
    }

    /// Releases the segments of some keys that have expired. Repeated calls release all
    /// of them.
    pub(super) fn expire(&mut self) {
        if !self.expiring {
            return;
        }
        let released = self.holds.expire(&self.buckets, self.recorded, SHED_KEYS);
        self.expiring = released == SHED_KEYS;
        if released > 0 {
            self.free_segments();
        }
    }

    /// The numbers of the tables of which this holds.
    pub(super) fn tables_where(&self, holds: impl Fn(&Table<F>) -> bool) -> Vec<TableNo> {
        let found = self.tables.iter().filter(|(_, table)| holds(table));
        found.map(|(number, _)| *number).collect()
    }

    /// Drops a bucket: at once for readers, and its memory in steps of upkeep, so that
    /// the caller does not wait for a large bucket.
    pub(super) fn drop_bucket(&mut self, stamp: &BucketStamp) {
        if let Some(share) = self.shares.remove(&stamp.id) {
            self.backlog_bytes = self.backlog_bytes.saturating_sub(share.backlog_bytes());
            let numbers = self.tables_where(|table| table.bucket == stamp.id);
            let tables = numbers.iter().filter_map(|number| self.tables.remove(number)).collect();
            let holds = self.holds.drop_bucket(stamp.id);
            self.shedding.push(Gone { share, holds, tables });
        }
        if self.drain.as_ref().is_some_and(|drain| !self.tables.contains_key(&drain.table)) {
            self.drain = None;
        }
        let mut gone = self.quarantined.split_off(&Key::first_of(stamp.id.0));
        if let Ok(end) = u32::try_from(stamp.end()) {
            self.quarantined.append(&mut gone.split_off(&Key::first_of(end)));
        }
        self.free_segments();
    }
}
