//! One bucket in one shard: what is newest of each key, and where.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::bucket::BucketStamp;
use crate::key::{Key, KeyMap, Position, Revision};
use crate::limits::TABLE_BLOCK_BYTES;
use crate::table::block::TableEntry;

/// A table, by a small number that holds for one run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct TableNo(pub(crate) u32);

/// Where the index finds a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Located {
    pub(crate) table: TableNo,
    pub(crate) length: u32,
    pub(crate) offset: u64,
    pub(crate) revision: Revision,
    pub(crate) checksum: u64,
}

impl Located {
    pub(crate) fn new(table: TableNo, entry: &TableEntry) -> Self {
        let TableEntry { revision, offset, length, checksum, .. } = *entry;
        Self { table, length, offset, revision, checksum }
    }

    pub(crate) fn entry(&self, key: Key) -> TableEntry {
        let Self { revision, offset, length, checksum, .. } = *self;
        TableEntry { key, revision, offset, length, checksum }
    }
}

/// A value that is not in a table yet.
#[derive(Clone, Debug)]
pub(crate) struct Staged {
    pub(crate) revision: Revision,
    pub(crate) value: Rc<[u8]>,
    /// The value is written once the log is durable up to here, so that no
    /// table is ever ahead of the log.
    pub(crate) after: Position,
}

/// Values on their way into a table.
pub(crate) type Flushing = Rc<BTreeMap<Key, Staged>>;

/// The newest of a key.
#[derive(Clone, Debug)]
pub(crate) enum Newest {
    Staged(Staged),
    Table(Located),
}

impl Newest {
    pub(crate) fn revision(&self) -> Revision {
        match self {
            Self::Staged(staged) => staged.revision,
            Self::Table(located) => located.revision,
        }
    }
}

/// The part of a bucket that a shard owns.
#[derive(Debug)]
pub(crate) struct Span {
    pub(crate) stamp: BucketStamp,
    pub(crate) index: KeyMap<Located>,
    pub(crate) open_table: Option<TableNo>,
    memtable: BTreeMap<Key, Staged>,
    memtable_bytes: usize,
    flushing: Option<Flushing>,
}

impl Span {
    pub(crate) fn new(stamp: BucketStamp) -> Self {
        Self {
            stamp,
            index: KeyMap::default(),
            open_table: None,
            memtable: BTreeMap::new(),
            memtable_bytes: 0,
            flushing: None,
        }
    }

    pub(crate) fn newest(&self, key: &Key) -> Option<Newest> {
        let flushing = || self.flushing.as_ref().and_then(|values| values.get(key));
        let staged = self.memtable.get(key).or_else(flushing);
        match staged {
            Some(staged) => Some(Newest::Staged(staged.clone())),
            None => self.index.get(key).map(|located| Newest::Table(*located)),
        }
    }

    /// Stages a value; says by how many bytes the backlog grew, or shrank.
    pub(crate) fn stage(&mut self, key: Key, staged: Staged) -> isize {
        let more = weight(&staged);
        let less = self.memtable.insert(key, staged).map_or(0, |old| weight(&old));
        self.memtable_bytes = self.memtable_bytes + more - less;
        more as isize - less as isize
    }

    pub(crate) fn memtable_bytes(&self) -> usize {
        self.memtable_bytes
    }

    /// The bytes that wait here, also those that are being written.
    pub(crate) fn backlog_bytes(&self) -> usize {
        let flushing = self.flushing.as_ref();
        self.memtable_bytes + flushing.map_or(0, |values| values.values().map(weight).sum())
    }

    /// Whether [`Self::begin_flush`] would take anything.
    pub(crate) fn has_flushable(&self, durable: Position) -> bool {
        self.memtable.values().any(|staged| staged.after <= durable)
    }

    /// Takes about one block's worth of values whose log is durable. They stay
    /// readable until [`Self::flushed`].
    pub(crate) fn begin_flush(&mut self, durable: Position) -> Option<Flushing> {
        let mut taken = BTreeMap::new();
        let mut bytes = 0;
        for (key, staged) in &self.memtable {
            if staged.after > durable {
                continue;
            }
            if bytes > 0 && bytes + weight(staged) > 2 * TABLE_BLOCK_BYTES {
                break;
            }
            bytes += weight(staged);
            taken.insert(*key, staged.clone());
        }
        if taken.is_empty() {
            return None;
        }
        for key in taken.keys() {
            self.memtable.remove(key);
        }
        self.memtable_bytes -= bytes;
        let flushing = Rc::new(taken);
        self.flushing = Some(Rc::clone(&flushing));
        Some(flushing)
    }

    pub(crate) fn flushed(&mut self) {
        self.flushing = None;
    }
}

/// What a staged value counts for: itself and its entry in the directory.
pub(crate) fn weight(staged: &Staged) -> usize {
    staged.value.len() + crate::table::block::ENTRY_BYTES
}
