//! One bucket in one shard: the newest value of each key, and its place. Everything
//! that a shard has of a bucket is here, so that it is dropped in one piece.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::bucket::BucketStamp;
use crate::key::{Key, Position, Sequence};
use crate::limits::{SHED_KEYS, TABLE_BLOCK_BYTES};
use crate::table::record::{ENTRY_BYTES, RECORD_HEADER_BYTES};

use super::index::Index;
use super::place::{Located, TableNo};
use super::recovered::Recovered;
use super::seed::BucketShareSeed;

/// A value that is not in a table yet.
#[derive(Clone, Debug)]
pub(crate) struct Staged {
    pub(crate) sequence: Sequence,
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
    pub(crate) fn is_tombstone(&self) -> bool {
        match self {
            Self::Staged(staged) => staged.sequence == Sequence::TOMBSTONE,
            Self::Table(located) => located.is_tombstone(),
        }
    }
}

/// The part of a bucket that a shard owns.
#[derive(Debug)]
pub(crate) struct BucketShare {
    pub(crate) stamp: BucketStamp,
    pub(crate) index: Index,
    pub(crate) open_table: Option<TableNo>,
    /// Records of the log that are newer than the snapshot: those of former runs, and
    /// those of this run where they are indexed.
    pub(crate) recovered: Recovered,
    memtable: BTreeMap<Key, Staged>,
    memtable_bytes: usize,
    /// No value of the memtable waits for a position before this one.
    flushable_from: Position,
    flushing: Option<Flushing>,
}

impl BucketShare {
    pub(crate) fn new(stamp: BucketStamp, seed: BucketShareSeed) -> Self {
        Self {
            stamp,
            index: seed.index,
            open_table: None,
            recovered: seed.recovered,
            memtable: BTreeMap::new(),
            memtable_bytes: 0,
            flushable_from: Position(u64::MAX),
            flushing: None,
        }
    }

    fn staged(&self, key: &Key) -> Option<&Staged> {
        let flushing = || self.flushing.as_ref().and_then(|values| values.get(key));
        self.memtable.get(key).or_else(flushing)
    }

    pub(crate) fn newest(&self, key: &Key) -> Option<Newest> {
        match self.staged(key) {
            Some(staged) => Some(Newest::Staged(staged.clone())),
            None => self.index.get(key).map(Newest::Table),
        }
    }

    /// Stages a value that covers the key's records up to its sequence. Returns by how
    /// many bytes the backlog grew or shrank. A value is not taken if a newer one waits
    /// here, or if the key was deleted.
    pub(crate) fn stage(&mut self, key: Key, staged: Staged) -> Option<isize> {
        let sequence = staged.sequence;
        let newer = self.staged(&key).is_some_and(|staged| staged.sequence > sequence);
        let deleted = || self.index.get(&key).is_some_and(|located| located.is_tombstone());
        if newer || sequence != Sequence::TOMBSTONE && deleted() {
            return None;
        }
        self.recovered.cover(&key, sequence);
        self.flushable_from = self.flushable_from.min(staged.after);
        let more = weight(&staged);
        let less = self.memtable.insert(key, staged).map_or(0, |old| weight(&old));
        self.memtable_bytes = self.memtable_bytes + more - less;
        Some(more as isize - less as isize)
    }

    /// Whether a value that waits here covers a record, or the key was deleted.
    pub(crate) fn covers(&self, key: &Key, sequence: Sequence) -> bool {
        match self.staged(key) {
            Some(staged) => staged.sequence >= sequence,
            None => self.index.get(key).is_some_and(|located| located.is_tombstone()),
        }
    }

    pub(crate) fn memtable_bytes(&self) -> usize {
        self.memtable_bytes
    }

    /// The bytes that wait here, also those that are being written.
    pub(crate) fn backlog_bytes(&self) -> usize {
        let flushing = self.flushing.as_ref();
        self.memtable_bytes + flushing.map_or(0, |values| values.values().map(weight).sum())
    }

    /// Whether [`Self::begin_flush`] would take anything. It may wrongly say yes once,
    /// after the only such value was replaced.
    pub(crate) fn has_flushable(&self, durable: Position) -> bool {
        self.flushable_from <= durable
    }

    /// Takes about one block's worth of values whose log is durable. They stay
    /// readable until [`Self::flushed`].
    pub(crate) fn begin_flush(&mut self, durable: Position) -> Option<Flushing> {
        if !self.has_flushable(durable) {
            return None;
        }
        let mut taken = BTreeMap::new();
        let mut bytes = 0;
        let mut waiting = Position(u64::MAX);
        for (key, staged) in &self.memtable {
            if staged.after > durable {
                waiting = waiting.min(staged.after);
                continue;
            }
            if bytes > 0 && bytes + weight(staged) > 2 * TABLE_BLOCK_BYTES {
                // There is more to take, at once.
                waiting = Position(0);
                break;
            }
            bytes += weight(staged);
            taken.insert(*key, staged.clone());
        }
        self.flushable_from = waiting;
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

    /// Puts values that could not be written back into the memtable. Returns by how many
    /// bytes the backlog shrank, for values that were replaced meanwhile.
    pub(crate) fn put_back(&mut self) -> usize {
        let mut replaced = 0;
        for (key, staged) in self.flushing.take().iter().flat_map(|values| values.iter()) {
            if self.memtable.contains_key(key) {
                replaced += weight(staged);
                continue;
            }
            self.flushable_from = self.flushable_from.min(staged.after);
            self.memtable_bytes += weight(staged);
            self.memtable.insert(*key, staged.clone());
        }
        replaced
    }

    /// Frees a bounded part of the memory of a bucket that has gone; `false`
    /// when nothing is left.
    pub(crate) fn shed(&mut self) -> bool {
        self.flushing = None;
        if self.recovered.shed() {
            return true;
        }
        for _ in 0..SHED_KEYS {
            if self.memtable.pop_first().is_none() {
                return self.index.shed();
            }
        }
        true
    }
}

/// What a staged value counts for: itself, its header and its entry in the
/// directory.
pub(crate) fn weight(staged: &Staged) -> usize {
    staged.value.len() + ENTRY_BYTES + RECORD_HEADER_BYTES
}
