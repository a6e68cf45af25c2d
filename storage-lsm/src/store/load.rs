//! Reading: the newest snapshot of a key and the records after it.

use std::ops::Deref;
use std::rc::Rc;

use crate::checksum::Kind;
use crate::disk::{Disk, DiskError, Fault, Writes};
use crate::field::{block_down, block_up};
use crate::file::FileId;
use crate::key::{Key, Sequence, UnixSecond};
use crate::limits::RECORD_WINDOW_BYTES;
use crate::log::writer::Age;
use crate::table::reader::{RecordRead, read_record};

use super::Store;
use super::bucket_share::{Newest, Staged};
use super::error::GetError;
use super::place::{Located, TableNo};
use super::record_ref::RecordRef;
use super::state::State;

/// What the store has of a key.
pub struct Stored<D: Disk> {
    /// The newest snapshot, if there ever was one.
    pub snapshot: Option<Snapshot<D>>,
    /// The records after it, in order. Those of former runs have no gap. Those of this
    /// run are among them where [`crate::Options::index_log`] says so.
    pub records: Vec<Record>,
}

/// A snapshot of a key.
pub struct Snapshot<D: Disk> {
    /// It covers the records up to this one.
    pub sequence: Sequence,
    /// Its bytes.
    pub value: Value<D>,
}

/// A record of a key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// Its number.
    pub sequence: Sequence,
    /// What it says.
    pub payload: Vec<u8>,
}

/// The bytes of a value, aligned to 16, so that an archive is read in place.
pub struct Value<D: Disk> {
    memory: Memory<D>,
    start: usize,
    length: usize,
}

enum Memory<D: Disk> {
    Empty,
    Block(D::Block),
    Buffer(D::Buffer),
}

impl<D: Disk> Deref for Value<D> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        let bytes: &[u8] = match &self.memory {
            Memory::Empty => return &[],
            Memory::Block(block) => block,
            Memory::Buffer(buffer) => buffer.as_ref(),
        };
        &bytes[self.start..self.start + self.length]
    }
}

/// What memory has of a key, read before the first await.
struct Found<F> {
    newest: Option<Place<F>>,
    records: Vec<RecordRef>,
}

/// Where the newest snapshot of a key is.
enum Place<F> {
    Memory(Staged),
    Table(InTable<F>),
}

/// A place in a table, with the table's file: by the time of the read its number may
/// belong to another table.
struct InTable<F> {
    file: FileId,
    handle: Option<Rc<F>>,
    located: Located,
}

impl<F> Place<F> {
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Memory(one), Self::Memory(two)) => one.sequence == two.sequence,
            (Self::Table(one), Self::Table(two)) => {
                one.file == two.file && one.located == two.located
            }
            _ => false,
        }
    }
}

impl<D: Disk> Store<D> {
    /// Reads a key: one read for a snapshot that is in a table, none for one
    /// that is in memory. `None` when nothing is stored, or the key was deleted.
    ///
    /// # Errors
    /// [`GetError::Expired`] once the key's lifetime is over. [`GetError::Quarantined`]
    /// if its records have a gap. [`GetError::Damaged`] if its bytes fail their
    /// checksum. [`GetError::Disk`] if the read fails; it may be tried again.
    pub async fn get(&self, key: &Key, now: UnixSecond) -> Result<Option<Stored<D>>, GetError> {
        loop {
            let Some(found) = self.find(key, now)? else { return Ok(None) };
            match self.load(key, &found).await {
                Ok(Some(stored)) => return Ok(Some(stored)),
                // Upkeep may have moved the value and removed its file between the
                // index lookup and the read. The answer counts only if the place is
                // still the same.
                failed => {
                    let again = self.find(key, now)?;
                    let again = again.as_ref().and_then(|found| found.newest.as_ref());
                    let moved = match (&found.newest, again) {
                        (Some(old), Some(new)) => !old.is_same(new),
                        (old, new) => old.is_some() != new.is_some(),
                    };
                    if !moved {
                        return failed;
                    }
                }
            }
        }
    }

    fn find(&self, key: &Key, now: UnixSecond) -> Result<Option<Found<D::File>>, GetError> {
        let state = self.state.borrow();
        let Some(stamp) = state.buckets.of_second(key.second()) else {
            // The bucket was dropped, or never existed. The key's second tells which.
            let at = UnixSecond(u64::from(key.second()) + u64::from(state.options.lifetime.0));
            return if at <= now { Err(GetError::Expired { at }) } else { Ok(None) };
        };
        let at = stamp.expires_at(key);
        // The log has released keys that had expired by the recorded time, so a clock
        // that was set back must not revive them.
        if at <= now.max(state.recorded) {
            return Err(GetError::Expired { at });
        }
        if let Some(gap) = state.quarantined.get(key) {
            return Err(GetError::Quarantined(*gap));
        }
        let Some(share) = state.shares.get(&stamp.id) else { return Ok(None) };
        let newest = share.newest(key);
        if newest.as_ref().is_some_and(Newest::is_tombstone) {
            return Ok(None);
        }
        let records = share.recovered.get(key);
        let newest = match newest {
            None if records.is_empty() => return Ok(None),
            None => None,
            Some(Newest::Staged(staged)) => Some(Place::Memory(staged)),
            Some(Newest::Table(located)) => Some(Place::Table(state.in_table(located)?)),
        };
        Ok(Some(Found { newest, records }))
    }

    /// `None` when the place belongs to another key: nothing of this key is stored.
    async fn load(&self, key: &Key, found: &Found<D::File>) -> Result<Option<Stored<D>>, GetError> {
        let snapshot = match &found.newest {
            None => None,
            Some(Place::Memory(staged)) => {
                let value = self.value_of(&staged.value);
                Some(Snapshot { sequence: staged.sequence, value })
            }
            Some(Place::Table(place)) => {
                let damaged = || GetError::Damaged {
                    file: place.file.table_name(),
                    offset: place.located.offset(),
                };
                let read = self.read_located(place).await?;
                let read = read.filter(|read| read.entry.checksum as u32 == place.located.checksum);
                let read = read.ok_or_else(damaged)?;
                if read.entry.key != *key {
                    // A key with records never shares a place, so this is damage.
                    return if found.records.is_empty() { Ok(None) } else { Err(damaged()) };
                }
                let RecordRead { entry, block, start } = read;
                let length = entry.length as usize;
                let value = Value { memory: Memory::Block(block), start, length };
                Some(Snapshot { sequence: entry.sequence, value })
            }
        };
        let records = self.read_records(&found.records).await?;
        Ok(Some(Stored { snapshot, records }))
    }

    /// A copy of staged bytes in aligned memory.
    fn value_of(&self, bytes: &[u8]) -> Value<D> {
        if bytes.is_empty() {
            return Value { memory: Memory::Empty, start: 0, length: 0 };
        }
        let mut buffer = self.disk.buffer(block_up(bytes.len() as u64) as usize);
        buffer.as_mut()[..bytes.len()].copy_from_slice(bytes);
        Value { memory: Memory::Buffer(buffer), start: 0, length: bytes.len() }
    }

    /// Reads the record at a place: one access. `None` when no record is there.
    async fn read_located(
        &self,
        place: &InTable<D::File>,
    ) -> Result<Option<RecordRead<D::Block>>, DiskError> {
        let file = match &place.handle {
            Some(handle) => Rc::clone(handle),
            None => self.open_again(place.located.table(), place.file).await?,
        };
        let located = &place.located;
        let (offset, bytes) = (located.offset(), located.stored_bytes());
        let place = self.state.borrow().place(place.file);
        read_record(&self.disk, &file, place, offset, bytes).await
    }

    /// Opens a table of a former run, and keeps it open.
    pub(super) async fn open_again(
        &self,
        number: TableNo,
        id: FileId,
    ) -> Result<Rc<D::File>, DiskError> {
        let handle = Rc::new(self.disk.open(&id.table_name(), Writes::Deferred).await?);
        let mut state = self.state.borrow_mut();
        if let Some(table) = state.tables.get_mut(&number).filter(|table| table.file == id) {
            table.handle = Some(Rc::clone(&handle));
        }
        Ok(handle)
    }

    /// Reads the record at a key's place, if it has one in a table.
    pub(super) async fn read_place(
        &self,
        located: Located,
    ) -> Result<Option<RecordRead<D::Block>>, DiskError> {
        let place = self.state.borrow().in_table(located)?;
        self.read_located(&place).await
    }

    async fn read_records(&self, records: &[RecordRef]) -> Result<Vec<Record>, GetError> {
        let mut read = Vec::with_capacity(records.len());
        // Records of a desk often lie near each other: one window serves many.
        let mut window: Option<(Age, u64, D::Block)> = None;
        for record in records {
            let (age, offset) = (record.segment(), u64::from(record.offset));
            let end = offset + u64::from(record.length);
            let inside = window.as_ref().is_some_and(|(segment, at, block)| {
                *segment == age && *at <= offset && end <= at + block.len() as u64
            });
            if !inside {
                let (file, bytes) = self.segment_handle(age).await?;
                let from = block_down(offset);
                let to = block_up(end).max((from + RECORD_WINDOW_BYTES).min(bytes));
                let block = self.disk.read(&file, from, (to - from) as usize).await?;
                window = Some((age, from, block));
            }
            let (_, at, block) = window.as_ref().expect("the window was just read");
            let start = (offset - at) as usize;
            let payload = &block[start..start + record.length as usize];
            let id = self.segment_id(age)?;
            let place = self.state.borrow().place(id);
            let checksum = place.checksum(Kind::Value, record.sequence.0, offset, payload);
            if checksum as u32 != record.checksum {
                return Err(GetError::Damaged { file: id.segment_name(), offset });
            }
            read.push(Record { sequence: record.sequence, payload: payload.to_vec() });
        }
        Ok(read)
    }

    fn segment_id(&self, age: Age) -> Result<crate::file::FileId, DiskError> {
        self.state.borrow().segments.get(&age).map(|segment| segment.file).ok_or_else(|| {
            DiskError {
                operation: "open",
                file: format!("segment {}", age.0),
                fault: crate::disk::Fault::NotFound,
            }
        })
    }

    /// The open file of a former run's segment and how far it is used.
    async fn segment_handle(&self, age: Age) -> Result<(Rc<D::File>, u64), DiskError> {
        let id = self.segment_id(age)?;
        let known = {
            let state = self.state.borrow();
            let segment = state.segments.get(&age);
            segment.and_then(|segment| {
                let blocks = segment.closed.map_or(0, |closed| u64::from(closed.blocks));
                Some((segment.handle.clone()?, blocks * crate::limits::BLOCK_BYTES as u64))
            })
        };
        if let Some(known) = known {
            return Ok(known);
        }
        let handle = Rc::new(self.disk.open(&id.segment_name(), Writes::Deferred).await?);
        let mut state = self.state.borrow_mut();
        let Some(segment) = state.segments.get_mut(&age) else { return Ok((handle, 0)) };
        segment.handle = Some(Rc::clone(&handle));
        let blocks = segment.closed.map_or(0, |closed| u64::from(closed.blocks));
        Ok((handle, blocks * crate::limits::BLOCK_BYTES as u64))
    }
}

impl<F> State<F> {
    fn in_table(&self, located: Located) -> Result<InTable<F>, DiskError> {
        let Some(table) = self.tables.get(&located.table()) else {
            let file = format!("table {}", located.table().0);
            return Err(DiskError { operation: "open", file, fault: Fault::NotFound });
        };
        Ok(InTable { file: table.file, handle: table.handle.clone(), located })
    }
}
