//! Compaction, carried out: the live values of a table move elsewhere.

use std::rc::Rc;

use crate::compaction::{Choice, TableShare, choose};
use crate::disk::{Disk, DiskError};
use crate::key::{Position, UnixSecond};
use crate::limits::{BACKLOG_BYTES_MAX, COMPACTION_STEP_BYTES};
use crate::table::reader::read_sealed;
use crate::table::record::TableEntry;

use super::Store;
use super::bucket_share::Newest;
use super::place::{Located, TableNo};
use super::state::{Drain, State};

impl<D: Disk> Store<D> {
    /// Moves some live values of the table that compaction has chosen.
    pub(super) async fn compact(&self, now: UnixSecond) -> Result<(), DiskError> {
        self.choose_drain(now).await?;
        let mut moved = 0;
        while moved < COMPACTION_STEP_BYTES {
            let (entry, table) = {
                let mut state = self.state.borrow_mut();
                if state.backlog_bytes > BACKLOG_BYTES_MAX / 4 {
                    return Ok(());
                }
                let Some(drain) = state.drain.as_mut() else { return Ok(()) };
                let table = drain.table;
                let Some(entry) = drain.entries.pop() else {
                    state.drain = None;
                    state.drained = true;
                    return Ok(());
                };
                (entry, table)
            };
            moved += self.move_value(table, &entry).await;
        }
        Ok(())
    }

    /// Stages a live value of the table again, and returns its stored bytes. A value
    /// that cannot be read stays where it is, and so does its table.
    async fn move_value(&self, table: TableNo, entry: &TableEntry) -> u64 {
        let Some(located) = self.state.borrow().located_in(table, entry) else { return 0 };
        let Ok(Some(read)) = self.read_place(located).await else { return 0 };
        // Meanwhile the key may have got a newer value, or its bucket may have
        // gone.
        if read.entry != *entry || self.state.borrow().located_in(table, entry) != Some(located) {
            return 0;
        }
        let value = &read.block[read.start..read.start + entry.length as usize];
        self.stage(entry.key, entry.sequence, value, Position(0));
        self.state.borrow_mut().counters.compacted_bytes += value.len() as u64;
        located.stored_bytes()
    }

    /// Takes the table whose drain frees the most. Its keys are read from its footer,
    /// because the index has no keys.
    async fn choose_drain(&self, now: UnixSecond) -> Result<(), DiskError> {
        let Some((number, place, handle)) = self.state.borrow_mut().choose_table(now) else {
            return Ok(());
        };
        let file = match handle {
            Some(handle) => handle,
            None => self.open_again(number, place.file).await?,
        };
        let Some(contents) = read_sealed(&self.disk, &file, place).await? else { return Ok(()) };
        let mut state = self.state.borrow_mut();
        let mut entries = contents.entries;
        entries.retain(|entry| state.located_in(number, entry).is_some());
        // In the order of the file, the first one last.
        entries.sort_unstable_by_key(|entry| std::cmp::Reverse(entry.offset));
        state.drain = Some(Drain { table: number, entries });
        Ok(())
    }
}

impl<F> State<F> {
    /// The place of the entry's key, if that is where the entry says.
    fn located_in(&self, table: TableNo, entry: &TableEntry) -> Option<Located> {
        match self.share(&entry.key)?.newest(&entry.key)? {
            Newest::Table(located) if located.is_at(table, entry) => Some(located),
            _ => None,
        }
    }

    fn choose_table(
        &mut self,
        now: UnixSecond,
    ) -> Option<(TableNo, crate::checksum::Place, Option<Rc<F>>)> {
        if self.drain.is_some() {
            return None;
        }
        let live = self.tables.values().filter(|table| table.live_bytes > 0);
        let shares = live.filter_map(|table| {
            let stamp = self.buckets.get(table.bucket)?;
            Some(TableShare {
                file: table.file,
                bucket: table.bucket,
                drops_at: stamp.drops_at(),
                bytes: table.bytes,
                live_bytes: table.live_bytes,
                open: table.open.is_some() || table.drained,
            })
        });
        let small_bytes = self.options.table_bytes / 8;
        let Choice::Drain(file) = choose(shares, small_bytes, now) else { return None };
        let (number, table) = self.tables.iter_mut().find(|(_, table)| table.file == file)?;
        table.drained = true;
        let (number, handle) = (*number, table.handle.clone());
        Some((number, self.place(file), handle))
    }
}
