//! Upkeep: memtables into tables, checkpoints, spare segments, compaction.

use std::rc::Rc;

use xxhash_rust::xxh3::xxh3_64;

use crate::bucket::BucketId;
use crate::disk::{Disk, DiskError, Fault, Writes};
use crate::key::{Position, Sequence, UnixSecond};
use crate::limits::{
    BACKLOG_BYTES_MAX, BLOCK_BYTES, TABLE_BLOCK_BYTES, TABLE_BLOCK_BYTES_MAX, TABLE_ROOM_BYTES,
};
use crate::log::segment::Slot;
use crate::log::writer::Spare;
use crate::manifest::Change;
use crate::table::block::{encode_block, encode_header};
use crate::table::record::TableEntry;

use super::bucket_share::Flushing;
use super::place::{Located, TableNo};
use super::state::{OpenTable, Table, WrittenBlock};
use super::{Store, StoreError, Turn};

/// Whether a step of upkeep left something to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// Call again soon.
    More,
    /// Nothing to do until something changes.
    Idle,
}

/// How many segments wait ready, so that the log never waits for one.
const SPARES: usize = 2;

impl<D: Disk> Store<D> {
    /// Whether [`Self::maintain`] has something to do.
    pub fn wants_maintenance(&self) -> bool {
        let state = self.state.borrow();
        let full = state.shares.values().any(|share| share.memtable_bytes() >= TABLE_BLOCK_BYTES);
        full || self.wants_spare()
            || state.checkpoint_is_due()
            || state.drain.is_some()
            || state.expiring
            || state.old_table().is_some()
            || !state.shedding.is_empty()
    }

    /// One bounded step of upkeep, with one caller at a time: a shard's upkeep
    /// task calls it, sends [`Self::take_edits`] to the manifest's owner, and
    /// calls again soon after [`Progress::More`].
    ///
    /// # Errors
    /// [`StoreError::Poisoned`] if a write or a sync failed, now or before. A full disk
    /// is no error. [`StoreError::Busy`] if another call of upkeep is in flight.
    pub async fn maintain(&self, now: UnixSecond) -> Result<Progress, StoreError> {
        let _turn = Turn::take(&self.maintaining)?;
        self.check()?;
        self.state.borrow_mut().now = now;
        self.step(now).await.map_err(|error| self.poison(error))?;
        Ok(if self.wants_maintenance() { Progress::More } else { Progress::Idle })
    }

    /// Writes and syncs everything that was put and whose log is durable.
    ///
    /// # Errors
    /// As [`Self::maintain`].
    pub async fn checkpoint(&self) -> Result<(), StoreError> {
        let _turn = Turn::take(&self.maintaining)?;
        self.check()?;
        self.write_checkpoint().await.map_err(|error| self.poison(error))
    }

    /// Commits, writes what was put, and seals the tables, so that the next
    /// start is quick. Hand the last [`Self::take_edits`] over after it.
    ///
    /// # Errors
    /// As [`Self::commit`] and [`Self::maintain`]. The next start then reads the rest
    /// from the log.
    pub async fn shutdown(&self) -> Result<(), StoreError> {
        self.commit().await?;
        let _turn = Turn::take(&self.maintaining)?;
        let result = async {
            self.write_checkpoint().await?;
            let open: Vec<TableNo> =
                self.state.borrow().shares.values().filter_map(|share| share.open_table).collect();
            for table in open {
                self.seal(table).await?;
            }
            Ok(())
        };
        result.await.map_err(|error| self.poison(error))
    }

    async fn step(&self, now: UnixSecond) -> Result<(), DiskError> {
        self.shed();
        self.state.borrow_mut().expire();
        let space = self.disk.space().await?;
        self.state.borrow_mut().space = Some(space);
        if self.wants_spare() {
            self.make_spare().await?;
        }
        self.write_full_memtables().await?;
        let due = {
            let state = self.state.borrow();
            state.checkpoint_is_due() || state.backlog_bytes > BACKLOG_BYTES_MAX / 2
        };
        if due {
            self.write_checkpoint().await?;
        }
        self.seal_full_tables().await?;
        let done = {
            let state = self.state.borrow();
            state.wasteful_table().or_else(|| state.old_table().filter(|_| !due))
        };
        if let Some(number) = done {
            self.seal(number).await?;
        }
        self.compact(now).await
    }

    /// Frees some memory of a bucket that has gone.
    fn shed(&self) {
        let mut state = self.state.borrow_mut();
        if let Some(gone) = state.shedding.last_mut()
            && !gone.shed()
        {
            state.shedding.pop();
        }
    }

    fn wants_spare(&self) -> bool {
        let state = self.state.borrow();
        let few = state.log.spares.len() + state.coming.len() < SPARES;
        let room = state.space.is_none_or(|space| {
            space.free_bytes > state.options.disk_reserve_bytes + state.options.segment_bytes
        });
        few && room && state.own_segments() < state.segments_max
    }

    /// Makes one more segment. The log uses it once the durable manifest has it.
    async fn make_spare(&self) -> Result<(), DiskError> {
        let (id, bytes) = {
            let mut state = self.state.borrow_mut();
            (state.new_file(), state.options.segment_bytes)
        };
        let name = id.segment_name();
        let made = async {
            let file = self.disk.create(&name, Writes::Durable).await?;
            self.disk.prewrite(&file, bytes).await?;
            self.disk.sync_folder().await?;
            Ok(file)
        };
        let made: Result<_, DiskError> = made.await;
        let file = match made {
            Ok(file) => file,
            // The manifest does not name this file yet, so a full disk poisons
            // nothing: the log goes on with the segments it has.
            Err(error) if error.fault == Fault::NoSpace => {
                return self.forget_file(&name, &error).await;
            }
            Err(error) => return Err(error),
        };
        let mut state = self.state.borrow_mut();
        state.own_files.insert(id, Rc::new(file));
        let edit = state.edit(Change::AddSegment(id));
        state.coming.push((edit, Spare { file: id, slot: Slot::First }));
        state.counters.segments_made += 1;
        Ok(())
    }

    /// Removes a file that was being made when the disk was full; the manifest
    /// never knew it.
    async fn forget_file(&self, name: &str, error: &DiskError) -> Result<(), DiskError> {
        if error.fault != Fault::NoSpace {
            return Ok(());
        }
        self.disk.unlink(name).await.or_else(|error| match error.fault {
            Fault::NotFound => Ok(()),
            _ => Err(error),
        })
    }

    async fn write_full_memtables(&self) -> Result<(), DiskError> {
        let full: Vec<BucketId> = {
            let state = self.state.borrow();
            let full = state
                .shares
                .iter()
                .filter(|(_, share)| share.memtable_bytes() >= TABLE_BLOCK_BYTES);
            full.map(|(id, _)| *id).collect()
        };
        let durable = self.durable();
        for bucket in full {
            self.write_block(bucket, durable).await?;
        }
        Ok(())
    }

    /// Writes every value whose log is durable, syncs, and releases the log. Values
    /// that arrive meanwhile are left to the next checkpoint, so that this one ends.
    async fn write_checkpoint(&self) -> Result<(), DiskError> {
        let durable = self.durable();
        let waiting: Vec<(BucketId, usize)> = {
            let state = self.state.borrow();
            state.shares.iter().map(|(id, share)| (*id, share.memtable_bytes())).collect()
        };
        for (bucket, mut bytes) in waiting {
            while bytes > 0 {
                let written = self.write_block(bucket, durable).await?;
                if written == 0 {
                    break;
                }
                bytes = bytes.saturating_sub(written);
            }
        }
        let dead: Vec<(TableNo, BucketId)> = {
            let state = self.state.borrow();
            let dead = state.tables.iter().filter(|(_, table)| table.is_dead());
            dead.map(|(number, table)| (*number, table.bucket)).collect()
        };
        self.sync_tables().await?;
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        state.release_snapshots();
        // The values that replaced those of a dead table are on the disk, unless a
        // table could not be read back. Once the manifest knows the tables of those
        // values, nothing needs the dead one.
        state.drained = false;
        let known = state.tables_are_known();
        for (number, bucket) in dead {
            if !known || state.has_unproven(bucket) {
                continue;
            }
            if let Some(table) = state.tables.remove(&number) {
                state.edit(Change::ReleaseTable(table.file));
            }
        }
        Ok(())
    }

    /// Whether the disk has room for the values that wait to be written. Without
    /// room they go on waiting: the log has all of them, and a write that fails
    /// half-way would poison the store.
    pub(super) async fn has_room_for_tables(&self) -> Result<bool, DiskError> {
        let space = self.disk.space().await?;
        let mut state = self.state.borrow_mut();
        state.space = Some(space);
        let most = state.backlog_bytes.min(TABLE_BLOCK_BYTES_MAX) as u64;
        Ok(space.free_bytes >= most + TABLE_ROOM_BYTES)
    }

    /// Writes one block of values of a bucket's memtable whose log is durable
    /// up to there; says how many bytes of values that were.
    async fn write_block(&self, bucket: BucketId, durable: Position) -> Result<usize, DiskError> {
        if !self.has_room_for_tables().await? || !self.seal_if_full(bucket).await? {
            return Ok(0);
        }
        let flushing = {
            let mut state = self.state.borrow_mut();
            state.shares.get_mut(&bucket).and_then(|share| share.begin_flush(durable))
        };
        let Some(flushing) = flushing else { return Ok(0) };
        self.prove_deletions(bucket, &flushing).await;
        let (number, file) = match self.open_table(bucket).await {
            Ok(Some(open)) => open,
            Ok(None) => return Ok(0),
            Err(error) => return self.put_back(bucket, error),
        };
        let values =
            flushing.iter().map(|(key, staged)| (*key, staged.sequence, &staged.value[..]));
        let (bytes, entries, at) = {
            let mut state = self.state.borrow_mut();
            let state = &mut *state;
            let store = state.store;
            let Some(table) = state.tables.get_mut(&number) else { return Ok(0) };
            let place = crate::checksum::Place { store, file: table.file };
            let open = table.open.as_mut().expect("only an open table is written");
            let at = open.end;
            let (bytes, entries) = encode_block(place, at, values);
            open.end += bytes.len() as u64;
            open.blocks += 1;
            (bytes, entries, at)
        };
        let length = bytes.len();
        let mut buffer = self.disk.buffer(length);
        buffer.as_mut().copy_from_slice(&bytes);
        let written = WrittenBlock { at, bytes: length, sum: xxh3_64(buffer.as_ref()) };
        if let Err(error) = self.disk.write(&file, at, buffer).await {
            let mut state = self.state.borrow_mut();
            if let Some(open) = state.tables.get_mut(&number).and_then(|table| table.open.as_mut())
            {
                open.end = at;
                open.blocks -= 1;
            }
            drop(state);
            return self.put_back(bucket, error);
        }
        self.finish_block(bucket, number, &flushing, &entries, written);
        Ok(flushing.values().map(super::bucket_share::weight).sum())
    }

    /// The values found no room after all: another shard or another program took it,
    /// or there is a quota. They go back into the memtable, and the log still has all
    /// of them. Bytes behind the end of a table count for nothing.
    fn put_back(&self, bucket: BucketId, error: DiskError) -> Result<usize, DiskError> {
        if error.fault != Fault::NoSpace {
            return Err(error);
        }
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        if let Some(share) = state.shares.get_mut(&bucket) {
            let replaced = share.put_back();
            state.backlog_bytes = state.backlog_bytes.saturating_sub(replaced);
        }
        Ok(0)
    }

    /// The tombstone's key may be unknown and merely share a fingerprint. This reads
    /// the record to check. If the record cannot be read, the key gets its own index
    /// entry, which is always safe.
    async fn prove_deletions(&self, bucket: BucketId, flushing: &Flushing) {
        let deleted = flushing.iter().filter(|(_, staged)| staged.sequence == Sequence::TOMBSTONE);
        for (key, _) in deleted {
            let unproven = {
                let state = self.state.borrow();
                let Some(share) = state.shares.get(&bucket) else { return };
                if share.index.is_twin(key) { None } else { share.index.get(key) }
            };
            let Some(located) = unproven else { continue };
            let own = match self.read_place(located).await {
                Ok(Some(read)) => read.entry.key == *key,
                Ok(None) | Err(_) => false,
            };
            if !own && let Some(share) = self.state.borrow_mut().shares.get_mut(&bucket) {
                share.index.add_homeless(*key);
            }
        }
    }

    fn finish_block(
        &self,
        bucket: BucketId,
        number: TableNo,
        flushing: &Flushing,
        entries: &[TableEntry],
        written: WrittenBlock,
    ) {
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        state.counters.table_bytes += written.bytes as u64;
        // The bucket may have been dropped during the write.
        let Some(share) = state.shares.get_mut(&bucket) else { return };
        share.flushed();
        let weights: usize = flushing.values().map(super::bucket_share::weight).sum();
        state.backlog_bytes = state.backlog_bytes.saturating_sub(weights);
        for entry in entries {
            state.relocate(bucket, entry.key, Located::new(number, entry));
        }
        if let Some(open) = state.tables.get_mut(&number).and_then(|table| table.open.as_mut()) {
            open.entries.extend_from_slice(entries);
            open.unsynced.extend(entries.iter().map(|entry| (entry.key, entry.sequence)));
            open.unproven.push(written);
        }
    }

    /// The bucket's open table, made if there is none. `None` when the bucket
    /// has gone meanwhile.
    async fn open_table(
        &self,
        bucket: BucketId,
    ) -> Result<Option<(TableNo, Rc<D::File>)>, DiskError> {
        let (id, place, stamp) = {
            let mut state = self.state.borrow_mut();
            let state = &mut *state;
            let Some(share) = state.shares.get(&bucket) else { return Ok(None) };
            if let Some(number) = share.open_table
                && let Some(handle) =
                    state.tables.get(&number).and_then(|table| table.handle.clone())
            {
                return Ok(Some((number, handle)));
            }
            let stamp = share.stamp;
            let id = state.new_file();
            (id, state.place(id), stamp)
        };
        let name = id.table_name();
        let made = async {
            let file = self.disk.create(&name, Writes::Deferred).await?;
            let mut buffer = self.disk.buffer(BLOCK_BYTES);
            buffer.as_mut().copy_from_slice(&encode_header(place, &stamp));
            self.disk.write(&file, 0, buffer).await?;
            // Before the manifest may name it: a named table that is missing, or
            // has no header, would look like a loss.
            self.disk.sync(&file).await?;
            self.disk.sync_folder().await?;
            Ok(file)
        };
        let made: Result<_, DiskError> = made.await;
        let file = match made {
            Ok(file) => Rc::new(file),
            Err(error) => {
                self.forget_file(&name, &error).await?;
                return Err(error);
            }
        };
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        let added = state.edit(Change::AddTable { file: id, bucket });
        let number = state.new_table();
        let Some(share) = state.shares.get_mut(&bucket) else { return Ok(None) };
        share.open_table = Some(number);
        let table = Table {
            file: id,
            bucket,
            handle: Some(Rc::clone(&file)),
            bytes: 0,
            live_bytes: 0,
            open: Some(OpenTable { end: BLOCK_BYTES as u64, ..OpenTable::default() }),
            added,
            drained: false,
        };
        state.tables.insert(number, table);
        state.counters.tables_made += 1;
        state.counters.table_bytes += BLOCK_BYTES as u64;
        Ok(Some((number, file)))
    }
}
