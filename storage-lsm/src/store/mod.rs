//! One shard's store: the log, the memtables, the tables, and their upkeep.

mod bucket_share;
mod commit;
mod counters;
mod drain;
mod error;
pub(crate) mod index;
mod load;
pub(crate) mod place;
mod pressure;
mod record_ref;
mod recovered;
mod seal;
mod seed;
mod state;
mod upkeep;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use crate::bucket::{BucketStamp, BucketTable};
use crate::disk::{Disk, DiskError, Writes};
use crate::key::{Key, Position, Sequence, UnixSecond};
use crate::limits::{BACKLOG_BYTES_MAX, VALUE_BYTES_MAX};
use crate::log::batch::LogId;
use crate::log::writer::{LogWriter, Refusal};
use crate::manifest::{Edit, EditNumber, News};

use bucket_share::{BucketShare, Staged};
pub use counters::StoreCounters;
pub use error::{AppendError, Gap, GetError, Poison, PutError, StoreError};
pub use load::{Record, Snapshot, Stored, Value};
pub(crate) use place::{Located, TableNo};
pub use pressure::{Pressure, PressureLevel};
pub(crate) use record_ref::RecordRef;
pub(crate) use recovered::Recovered;
pub use seed::ShardSeed;
pub(crate) use seed::{BucketShareSeed, TableSeed};
use state::{InUse, State, Table};
pub use upkeep::Progress;

/// A record to append.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Append<'a> {
    /// Whose record it is.
    pub key: Key,
    /// Its number among the key's records.
    pub sequence: Sequence,
    /// What it says.
    pub payload: &'a [u8],
}

/// One shard's store. All methods take `&self`, so that the tasks of a shard
/// share it in an `Rc`; it stays on its thread.
///
/// Its futures must be driven to their ends.
pub struct Store<D: Disk> {
    disk: D,
    state: RefCell<State<D::File>>,
    committing: Cell<bool>,
    maintaining: Cell<bool>,
}

impl<D: Disk> Store<D> {
    /// Opens a shard's store from what recovery found.
    ///
    /// # Errors
    /// [`DiskError`] if a spare segment cannot be opened or the free space is unknown.
    pub async fn open(disk: D, mut seed: ShardSeed) -> Result<Self, DiskError> {
        let log = LogId { epoch: seed.epoch, shard: seed.shard };
        let writer = LogWriter::new(log, seed.options.segment_bytes, seed.spares, seed.next_age);
        let space = disk.space().await?;
        let mut own_files = BTreeMap::new();
        for spare in &writer.spares {
            let file = disk.open(&spare.file.segment_name(), Writes::Durable).await?;
            own_files.insert(spare.file, Rc::new(file));
        }
        let mut shares = BTreeMap::new();
        for stamp in seed.buckets.stamps() {
            let share = seed.shares.remove(&stamp.id).unwrap_or_default();
            shares.insert(stamp.id, BucketShare::new(*stamp, share));
        }
        let tables = seed.tables.into_iter().map(|(number, table)| {
            let table = Table {
                file: table.file,
                bucket: table.bucket,
                handle: None,
                bytes: table.bytes,
                live_bytes: table.live_bytes,
                open: None,
                added: EditNumber(0),
                drained: !table.sealed,
            };
            (number, table)
        });
        let segments = seed.inherited.into_iter().map(|(age, closed)| {
            let segment =
                InUse { file: closed.file, slot: None, closed: Some(closed), handle: None };
            (age, segment)
        });
        let state = State {
            options: seed.options,
            now: UnixSecond(0),
            segments_max: seed.segments_max,
            store: seed.store,
            epoch: seed.epoch,
            shard: seed.shard,
            buckets: seed.buckets,
            recorded: seed.recorded,
            expiring: false,
            shares,
            shedding: Vec::new(),
            tables: tables.collect(),
            log: writer,
            holds: seed.holds,
            segments: segments.collect(),
            own_files,
            coming: Vec::new(),
            quarantined: seed.quarantined,
            synced: Vec::new(),
            adopted: BTreeMap::new(),
            drain: None,
            drained: false,
            backlog_bytes: 0,
            space: Some(space),
            next_file: seed.next_file,
            next_table: 0,
            edits: Vec::new(),
            last_edit: EditNumber(0),
            acknowledged: EditNumber(0),
            poison: None,
            counters: StoreCounters::default(),
        };
        let store = Self {
            disk,
            state: RefCell::new(state),
            committing: Cell::new(false),
            maintaining: Cell::new(false),
        };
        for key in seed.deleted {
            store.stage(key, Sequence::TOMBSTONE, &[], Position(0));
        }
        Ok(store)
    }

    /// Takes a record into the log's open batch. It is durable when
    /// [`Self::durable`] has reached the position.
    ///
    /// # Errors
    /// As [`Self::append_all`].
    pub fn append(
        &self,
        key: Key,
        sequence: Sequence,
        payload: &[u8],
    ) -> Result<Position, AppendError> {
        self.append_all(&[Append { key, sequence, payload }])
    }

    /// Takes several records into one batch: after a crash all of them are
    /// there or none.
    ///
    /// # Errors
    /// [`AppendError`] if no record was taken. [`AppendError::LogFull`] and
    /// [`AppendError::NoSpace`] pass when snapshots or free space make room, and
    /// [`AppendError::NoBucket`] may pass when buckets are stamped. The others last.
    pub fn append_all(&self, records: &[Append<'_>]) -> Result<Position, AppendError> {
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        if let Some(poison) = &state.poison {
            return Err(poison.clone().into());
        }
        if state.is_below_reserve() {
            return Err(AppendError::NoSpace);
        }
        let (mut stamp, mut bytes) = (None::<BucketStamp>, 0);
        for record in records {
            let second = record.key.second();
            // Records that come together are mostly of one bucket.
            if !stamp.is_some_and(|stamp| stamp.holds(second)) {
                stamp = state.buckets.of_second(second).copied();
            }
            if stamp.is_none() {
                return Err(AppendError::NoBucket { second });
            }
            if let Some(gap) = state.quarantined.get(&record.key)
                && record.sequence != Sequence::TOMBSTONE
            {
                return Err(AppendError::Quarantined(*gap));
            }
            bytes += record.payload.len();
        }
        let plain = records.iter().map(|record| (record.key, record.sequence, record.payload));
        let position = state.log.append(plain).map_err(|refusal| match refusal {
            Refusal::TooLarge { max } => AppendError::TooLarge { bytes, max },
            Refusal::Full => AppendError::LogFull,
        })?;
        state.counters.records += records.len() as u64;
        state.counters.payload_bytes += bytes as u64;
        for record in records.iter().filter(|record| record.sequence == Sequence(1)) {
            if let Some(share) = state.share_mut(&record.key) {
                share.index.add_homeless(record.key);
            }
        }
        Ok(position)
    }

    /// Deletes a key for good: it is gone for readers at once, and for the
    /// next start when the position is durable. The same key must not be used
    /// again.
    ///
    /// # Errors
    /// As [`Self::append_all`], but that a key in quarantine can be deleted.
    pub fn delete(&self, key: Key) -> Result<Position, AppendError> {
        let position = self.append(key, Sequence::TOMBSTONE, &[])?;
        {
            let mut state = self.state.borrow_mut();
            if state.quarantined.remove(&key).is_some() {
                state.holds.unpin(&key);
            }
        }
        self.stage(key, Sequence::TOMBSTONE, &[], position);
        Ok(position)
    }

    /// Takes a place in the log without writing a record, so that a caller who numbers
    /// records itself numbers them as the log does. The place is durable with the
    /// record before it.
    pub fn skip(&self) -> Position {
        self.state.borrow_mut().log.skip()
    }

    /// Takes a snapshot that covers the key's records up to `sequence`. The value is
    /// copied, readable at once, and written by [`Self::maintain`].
    ///
    /// The key must have records, of this run or of a former one, that began with
    /// [`Sequence`] 1. That first record tells the store that the key is new; of a key
    /// at rest it keeps a hash only. `sequence` must not be lower than that of an
    /// earlier snapshot. A lower one is ignored while the earlier snapshot waits to be
    /// written. A deleted key stays deleted.
    ///
    /// # Errors
    /// [`PutError`] if the snapshot was not taken. [`PutError::Backlog`] and
    /// [`PutError::NoSpace`] pass: call [`Self::maintain`] and try again. The others
    /// last.
    pub fn put(&self, key: Key, sequence: Sequence, value: &[u8]) -> Result<(), PutError> {
        {
            let state = self.state.borrow();
            if let Some(poison) = &state.poison {
                return Err(poison.clone().into());
            }
            let second = key.second();
            state.buckets.of_second(second).ok_or(PutError::NoBucket { second })?;
            if let Some(gap) = state.quarantined.get(&key) {
                return Err(PutError::Quarantined(*gap));
            }
            if value.len() > VALUE_BYTES_MAX {
                return Err(PutError::TooLarge { bytes: value.len(), max: VALUE_BYTES_MAX });
            }
            let bytes = state.backlog_bytes;
            if bytes > 0 && bytes + value.len() > BACKLOG_BYTES_MAX {
                return Err(PutError::Backlog { bytes });
            }
            // Snapshots may use the reserve, because they free the log.
            if state
                .space
                .is_some_and(|space| space.free_bytes < state.options.disk_reserve_bytes / 4)
            {
                return Err(PutError::NoSpace);
            }
        }
        let after = self.position();
        self.stage(key, sequence, value, after);
        Ok(())
    }

    /// Announces a snapshot, up to that record, of a key whose earlier records this store
    /// may lack: it was made by another store. Call it before [`Self::put`]. The next
    /// upkeep writes the snapshot, and [`Self::is_adopting`] tells when that is done.
    /// Records that follow on the snapshot are to be appended only then: a crash before
    /// would leave a gap. `is_new`: the store has no snapshot of the key.
    pub fn adopt(&self, key: Key, sequence: Sequence, is_new: bool) {
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        let Some(share) = state.share_mut(&key) else { return };
        if is_new {
            share.index.add_homeless(key);
        }
        state.adopted.insert(key, sequence);
    }

    /// Whether a snapshot that was announced by [`Self::adopt`] is not durable yet.
    pub fn is_adopting(&self) -> bool {
        let state = self.state.borrow();
        state.adopted.keys().any(|key| state.share(key).is_some())
    }

    /// Whether the key was deleted. As [`Self::contains`] it does no I/O.
    pub fn is_deleted(&self, key: &Key) -> bool {
        let state = self.state.borrow();
        let newest = state.share(key).and_then(|share| share.newest(key));
        newest.is_some_and(|newest| newest.is_tombstone())
    }

    fn stage(&self, key: Key, sequence: Sequence, value: &[u8], after: Position) {
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        let Some(share) = state.share_mut(&key) else { return };
        let bucket = share.stamp.id;
        let staged = share.stage(key, Staged { sequence, value: value.into(), after });
        if let Some(grown) = staged {
            state.backlog_bytes = state.backlog_bytes.saturating_add_signed(grown);
            state.holds.cover(bucket, key, sequence);
        } else {
            state.adopted.remove(&key);
        }
    }

    /// The position of the newest record taken.
    pub fn position(&self) -> Position {
        self.state.borrow().log.appended
    }

    /// Up to where records are durable.
    pub fn durable(&self) -> Position {
        self.state.borrow().log.durable
    }

    /// Whether [`Self::commit`] would write anything.
    pub fn has_uncommitted(&self) -> bool {
        self.state.borrow().log.has_uncommitted()
    }

    /// All buckets that this shard knows of.
    pub fn buckets(&self) -> Arc<BucketTable> {
        Arc::clone(&self.state.borrow().buckets)
    }

    /// When the key expires, by its bucket's stamp; `None` without a bucket.
    pub fn expires_at(&self, key: &Key) -> Option<UnixSecond> {
        let state = self.state.borrow();
        state.buckets.of_second(key.second()).map(|stamp| stamp.expires_at(key))
    }

    /// Whether anything of the key is stored, expired or not. It does no I/O, so it
    /// may say yes for a key that was never stored and shares a fingerprint with
    /// another key: in a large bucket about once in a hundred thousand times.
    pub fn contains(&self, key: &Key) -> bool {
        let state = self.state.borrow();
        let Some(share) = state.share(key) else { return false };
        match share.newest(key) {
            Some(newest) => !newest.is_tombstone(),
            None => share.recovered.has(key) || state.quarantined.contains_key(key),
        }
    }

    /// How hard the log needs snapshots.
    pub fn pressure(&self) -> Pressure {
        let state = self.state.borrow();
        let own = state.segments.values().filter(|segment| segment.slot.is_some()).count();
        let inherited = state.segments.len() - own;
        let max = state.segments_max;
        let spare = state.log.spares.len() + state.coming.len();
        let none_active = state.log.active.is_none();
        let level = if spare == 0 && (own >= max || none_active) {
            PressureLevel::Full
        } else if own * 5 >= max * 4 {
            PressureLevel::Urgent
        } else if own * 2 >= max || inherited > 0 {
            PressureLevel::Snapshot
        } else {
            PressureLevel::Low
        };
        let bytes = |count: usize| count as u64 * state.options.segment_bytes;
        Pressure {
            level,
            used_bytes: bytes(own),
            budget_bytes: bytes(max),
            inherited_bytes: bytes(inherited),
        }
    }

    /// Looks how much room the disk has, and whether its folder is still the one that
    /// was opened. [`Self::maintain`] does so as well.
    ///
    /// # Errors
    /// As [`Self::maintain`]: a folder that is gone takes with it what is written.
    pub async fn measure_space(&self) -> Result<(), StoreError> {
        let space = self.disk.space().await.map_err(|error| self.poison(error))?;
        self.state.borrow_mut().space = Some(space);
        Ok(())
    }

    /// Whether the disk is full up to the reserve, so that records are refused.
    pub fn is_below_reserve(&self) -> bool {
        self.state.borrow().is_below_reserve()
    }

    /// Keys whose snapshot would free segments, at most `max`, those of the
    /// oldest segments first. The caller gets each key that is not in memory, and
    /// `put`s it. Keys whose snapshot is in flight are left out, and so are keys in
    /// quarantine. A key is named again only after all others were named, so a key
    /// that cannot be put hides no other.
    pub fn holding_keys(&self, max: usize) -> Vec<Key> {
        let mut state = self.state.borrow_mut();
        let unclosed = state.first_unclosed();
        state.holds.name_open(unclosed, max)
    }

    /// Takes the edits for the manifest's owner, in order.
    pub fn take_edits(&self) -> Vec<Edit> {
        std::mem::take(&mut self.state.borrow_mut().edits)
    }

    /// The manifest has this shard's edits up to that number.
    pub fn edits_durable(&self, number: EditNumber) {
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        state.acknowledged = state.acknowledged.max(number);
        let acknowledged = state.acknowledged;
        let (known, coming) = state.coming.drain(..).partition(|(edit, _)| *edit <= acknowledged);
        state.coming = coming;
        let known: Vec<_> = known;
        state.log.spares.extend(known.into_iter().map(|(_, spare)| spare));
        state.release_snapshots();
    }

    /// Takes over what changed in the manifest.
    pub fn apply_news(&self, news: &News) {
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        let old = std::mem::replace(&mut state.buckets, Arc::clone(&news.buckets));
        state.recorded = news.recorded;
        state.expiring = true;
        for id in &news.dropped {
            if let Some(stamp) = old.get(*id) {
                state.drop_bucket(stamp);
            }
        }
    }

    /// Why nothing is written any more, if so.
    pub fn poisoned(&self) -> Option<Poison> {
        self.state.borrow().poison.clone()
    }

    /// Counts and sizes for metrics.
    pub fn counters(&self) -> StoreCounters {
        let state = self.state.borrow();
        let index_bytes: usize =
            state.shares.values().map(|share| share.index.memory_bytes()).sum();
        let directory_bytes = state.directory_bytes();
        let recovered = state.shares.values().map(|share| share.recovered.memory_bytes());
        let log_bytes = state.holds.memory_bytes() + recovered.sum::<usize>();
        StoreCounters {
            keys: state.shares.values().map(|share| share.index.len() as u64).sum(),
            index_bytes: index_bytes as u64,
            directory_bytes: directory_bytes as u64,
            memory_bytes: (index_bytes + directory_bytes + log_bytes) as u64,
            held_keys: state.holds.keys() as u64,
            backlog_bytes: state.backlog_bytes as u64,
            quarantined: state.quarantined.len() as u64,
            ..state.counters
        }
    }

    /// The keys in quarantine and their gaps.
    pub fn quarantined(&self) -> Vec<(Key, Gap)> {
        self.state.borrow().quarantined.iter().map(|(key, gap)| (*key, *gap)).collect()
    }

    fn check(&self) -> Result<(), StoreError> {
        match &self.state.borrow().poison {
            Some(poison) => Err(poison.clone().into()),
            None => Ok(()),
        }
    }

    /// Remembers the first failure and returns it.
    fn poison(&self, error: DiskError) -> StoreError {
        let mut state = self.state.borrow_mut();
        state.poison.get_or_insert(Poison(error)).clone().into()
    }
}

/// Marks a call as under way for as long as it lives.
struct Turn<'a>(&'a Cell<bool>);

impl<'a> Turn<'a> {
    fn take(flag: &'a Cell<bool>) -> Result<Self, StoreError> {
        if flag.replace(true) {
            return Err(StoreError::Busy);
        }
        Ok(Self(flag))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}
