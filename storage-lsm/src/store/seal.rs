//! Tables are made durable, read back, and sealed.

use xxhash_rust::xxh3::xxh3_64;

use crate::bucket::BucketId;
use crate::disk::{Disk, DiskError, Fault};
use crate::file::FileId;
use crate::key::UnixSecond;
use crate::manifest::{Change, Proven};
use crate::table::footer::encode_footer;

use super::Store;
use super::place::TableNo;
use super::state::WrittenBlock;

impl<D: Disk> Store<D> {
    pub(super) async fn sync_tables(&self) -> Result<(), DiskError> {
        let dirty = {
            let state = self.state.borrow();
            state.tables_where(|table| {
                table.open.as_ref().is_some_and(|open| open.is_dirty(state.now))
            })
        };
        for number in dirty {
            self.sync_table(number).await?;
        }
        Ok(())
    }

    /// Syncs the table, reads its new blocks back, and asks the manifest to record
    /// them. Returns whether all blocks were read back.
    async fn sync_table(&self, number: TableNo) -> Result<bool, DiskError> {
        let taken = {
            let mut state = self.state.borrow_mut();
            state.tables.get_mut(&number).and_then(|table| {
                let open = table.open.as_mut()?;
                let snapshots = std::mem::take(&mut open.unsynced);
                let blocks = std::mem::take(&mut open.unproven);
                let proven = Proven { bytes: open.end, blocks: open.blocks };
                Some((table.handle.clone()?, table.file, proven, snapshots, blocks))
            })
        };
        let Some((file, id, proven, snapshots, blocks)) = taken else { return Ok(false) };
        self.disk.sync(&file).await?;
        let read_back = async {
            for block in &blocks {
                self.read_back(&file, id, block).await?;
            }
            Ok(())
        };
        let read_back = read_back.await;
        let mut state = self.state.borrow_mut();
        state.counters.syncs += 1;
        match read_back {
            Ok(()) => {}
            Err(_) if state.may_be_cut(number) => {
                // The log still has the values. If the bucket is not dropped after
                // all, the next try finds the same fault.
                let later = UnixSecond(state.now.0.saturating_add(1));
                if let Some(open) = state.tables.get_mut(&number).and_then(|t| t.open.as_mut()) {
                    open.rests_until = later;
                    open.unsynced.extend(snapshots);
                    open.unproven.extend(blocks);
                }
                return Ok(false);
            }
            Err(error) => return Err(error),
        }
        if !snapshots.is_empty() {
            // The log keeps the records until the manifest records that these blocks
            // exist.
            let edit = state.edit(Change::ProveTable { file: id, proven });
            state.synced.push((edit, snapshots));
        }
        Ok(true)
    }

    /// Checks that a block is where it was written. This finds a lost or misdirected
    /// write while the log still has the values. Later nothing would show that the
    /// block ever existed.
    async fn read_back(
        &self,
        file: &D::File,
        id: FileId,
        block: &WrittenBlock,
    ) -> Result<(), DiskError> {
        // Once more, in case only the read was bad.
        for _ in 0..2 {
            let read = self.disk.read(file, block.at, block.bytes).await?;
            if xxh3_64(&read) == block.sum {
                return Ok(());
            }
        }
        Err(DiskError { operation: "read back", file: id.table_name(), fault: Fault::Changed })
    }

    pub(super) async fn seal_full_tables(&self) -> Result<(), DiskError> {
        let full = {
            let state = self.state.borrow();
            let limit = state.options.table_bytes;
            state.tables_where(|table| table.open.as_ref().is_some_and(|open| open.end >= limit))
        };
        for number in full {
            self.seal(number).await?;
        }
        Ok(())
    }

    /// Syncs a table's values, then writes its footer: a footer proves that the values
    /// are durable.
    pub(super) async fn seal(&self, number: TableNo) -> Result<(), DiskError> {
        if !self.has_room_for_tables().await? {
            return Ok(());
        }
        if !self.sync_table(number).await? {
            return Ok(());
        }
        let (file, footer, at) = {
            let mut state = self.state.borrow_mut();
            let state = &mut *state;
            let store = state.store;
            let Some(table) = state.tables.get_mut(&number) else { return Ok(()) };
            let Some(open) = table.open.take() else { return Ok(()) };
            let Some(share) = state.shares.get_mut(&table.bucket) else { return Ok(()) };
            share.open_table = None;
            let stamp = share.stamp;
            let place = crate::checksum::Place { store, file: table.file };
            let handle = table.handle.clone().expect("a table that was written is open");
            (handle, encode_footer(place, &stamp, open.end, open.entries), open.end)
        };
        let mut buffer = self.disk.buffer(footer.len());
        buffer.as_mut().copy_from_slice(&footer);
        let written = async {
            self.disk.write(&file, at, buffer).await?;
            self.disk.sync(&file).await
        };
        match written.await {
            Ok(()) => {}
            // The values are durable and proven. A start reads the blocks of a table
            // without a footer, and writes the footer.
            Err(DiskError { fault: Fault::NoSpace, .. }) => {
                if let Some(table) = self.state.borrow_mut().tables.get_mut(&number) {
                    table.drained = true;
                }
                return Ok(());
            }
            Err(error) => return Err(error),
        }
        let mut state = self.state.borrow_mut();
        state.counters.table_bytes += footer.len() as u64;
        state.counters.footer_bytes += footer.len() as u64;
        state.release_snapshots();
        Ok(())
    }

    /// Seals the bucket's open table if it is full, because the index cannot address
    /// places much beyond that size. Returns whether there is room for a block now.
    pub(super) async fn seal_if_full(&self, bucket: BucketId) -> Result<bool, DiskError> {
        let full = || {
            let state = self.state.borrow();
            let number = state.shares.get(&bucket)?.open_table?;
            let open = state.tables.get(&number)?.open.as_ref()?;
            (open.end >= state.options.table_bytes).then_some(number)
        };
        if let Some(number) = full() {
            self.seal(number).await?;
        }
        Ok(full().is_none())
    }
}
