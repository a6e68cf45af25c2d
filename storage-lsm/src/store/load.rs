//! Reading: the newest snapshot of a key and the records after it.

use std::ops::Deref;
use std::rc::Rc;

use crate::checksum::Kind;
use crate::disk::{Disk, DiskError, Writes};
use crate::field::{block_down, block_up};
use crate::key::{Key, Revision, UnixSecond};
use crate::limits::RECORD_WINDOW_BYTES;
use crate::log::writer::Age;
use crate::table::reader::read_value;

use super::Store;
use super::error::GetError;
use super::seed::RecordRef;
use super::span::{Located, Newest, TableNo};

/// What the store has of a key.
pub struct Stored<D: Disk> {
    /// The newest snapshot, if there ever was one.
    pub snapshot: Option<Snapshot<D>>,
    /// The records after it, in order and without a gap. Empty once this run
    /// has taken a snapshot of the key: then memory knew it all.
    pub records: Vec<Record>,
}

/// A snapshot of a key.
pub struct Snapshot<D: Disk> {
    /// It covers the records up to this one.
    pub revision: Revision,
    /// Its bytes.
    pub value: Value<D>,
}

/// A record of a key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// Its number.
    pub revision: Revision,
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

/// What memory knows of a key, taken before any wait.
struct Found {
    newest: Option<Newest>,
    records: Vec<RecordRef>,
}

impl<D: Disk> Store<D> {
    /// Reads a key: one read for a snapshot that is in a table, none for one
    /// that is in memory. `None` when there is nothing, or it was deleted.
    pub async fn get(&self, key: &Key, now: UnixSecond) -> Result<Option<Stored<D>>, GetError> {
        loop {
            let Some(found) = self.find(key, now)? else { return Ok(None) };
            let seen = found.newest.as_ref().map(|newest| newest.revision());
            match self.load(key, &found).await {
                Ok(stored) => return Ok(Some(stored)),
                // Upkeep may have moved the value and removed its file between
                // the look into the index and the read. Only a fault in a
                // place that still counts is one.
                Err(error) => {
                    let again = self.find(key, now)?;
                    let moved =
                        match (&found.newest, again.as_ref().and_then(|f| f.newest.as_ref())) {
                            (Some(Newest::Table(old)), Some(Newest::Table(new))) => old != new,
                            (_, new) => new.map(Newest::revision) != seen,
                        };
                    if !moved {
                        return Err(error);
                    }
                }
            }
        }
    }

    fn find(&self, key: &Key, now: UnixSecond) -> Result<Option<Found>, GetError> {
        let state = self.state.borrow();
        let Some(stamp) = state.buckets.of_second(key.second()) else {
            // The bucket has gone, or never was: the id tells which.
            let at = UnixSecond(u64::from(key.second()) + u64::from(state.options.lifetime.0));
            return if at <= now { Err(GetError::Expired { at }) } else { Ok(None) };
        };
        let at = stamp.expires_at(key);
        if at <= now {
            return Err(GetError::Expired { at });
        }
        if let Some(gap) = state.quarantined.get(key) {
            return Err(GetError::Quarantined(*gap));
        }
        let newest = state.spans.get(&stamp.id).and_then(|span| span.newest(key));
        let records = state.recovered.get(key).cloned().unwrap_or_default();
        match &newest {
            Some(newest) if newest.revision() == Revision::TOMBSTONE => Ok(None),
            None if records.is_empty() => Ok(None),
            _ => Ok(Some(Found { newest, records })),
        }
    }

    async fn load(&self, key: &Key, found: &Found) -> Result<Stored<D>, GetError> {
        let snapshot = match &found.newest {
            None => None,
            Some(Newest::Staged(staged)) => {
                let value = self.value_of(&staged.value);
                Some(Snapshot { revision: staged.revision, value })
            }
            Some(Newest::Table(located)) => {
                let value = self.read_located(key, located).await?;
                Some(Snapshot { revision: located.revision, value })
            }
        };
        let records = self.read_records(&found.records).await?;
        Ok(Stored { snapshot, records })
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

    pub(super) async fn read_located(
        &self,
        key: &Key,
        located: &Located,
    ) -> Result<Value<D>, GetError> {
        let (file, id) = self.table_handle(located.table).await?;
        let place = self.state.borrow().place(id);
        let read = read_value(&self.disk, &file, place, &located.entry(*key)).await?;
        match read {
            Some((Some(block), start)) => {
                let length = located.length as usize;
                Ok(Value { memory: Memory::Block(block), start, length })
            }
            Some((None, _)) => Ok(Value { memory: Memory::Empty, start: 0, length: 0 }),
            None => Err(GetError::Damaged { file: id.table_name(), offset: located.offset }),
        }
    }

    async fn table_handle(
        &self,
        number: TableNo,
    ) -> Result<(Rc<D::File>, crate::file::FileId), DiskError> {
        let (handle, id) = {
            let state = self.state.borrow();
            let Some(table) = state.tables.get(&number) else {
                let file = format!("table {}", number.0);
                return Err(DiskError {
                    operation: "open",
                    file,
                    fault: crate::disk::Fault::NotFound,
                });
            };
            (table.handle.clone(), table.file)
        };
        if let Some(handle) = handle {
            return Ok((handle, id));
        }
        let handle = Rc::new(self.disk.open(&id.table_name(), Writes::Deferred).await?);
        if let Some(table) = self.state.borrow_mut().tables.get_mut(&number) {
            table.handle = Some(Rc::clone(&handle));
        }
        Ok((handle, id))
    }

    async fn read_records(&self, records: &[RecordRef]) -> Result<Vec<Record>, GetError> {
        let mut read = Vec::with_capacity(records.len());
        // Records of a desk often lie near each other: one window serves many.
        let mut window: Option<(Age, u64, D::Block)> = None;
        for record in records {
            let end = record.offset + u64::from(record.length);
            let inside = window.as_ref().is_some_and(|(segment, at, block)| {
                *segment == record.segment && *at <= record.offset && end <= at + block.len() as u64
            });
            if !inside {
                let (file, bytes) = self.segment_handle(record.segment).await?;
                let from = block_down(record.offset);
                let to = block_up(end).max((from + RECORD_WINDOW_BYTES).min(bytes));
                let block = self.disk.read(&file, from, (to - from) as usize).await?;
                window = Some((record.segment, from, block));
            }
            let (_, at, block) = window.as_ref().expect("the window was just read");
            let start = (record.offset - at) as usize;
            let payload = &block[start..start + record.length as usize];
            let id = self.segment_id(record.segment)?;
            let place = self.state.borrow().place(id);
            if place.checksum(Kind::Value, record.revision.0, record.offset, payload)
                != record.checksum
            {
                return Err(GetError::Damaged { file: id.segment_name(), offset: record.offset });
            }
            read.push(Record { revision: record.revision, payload: payload.to_vec() });
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
