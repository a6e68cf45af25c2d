//! A whole store over the disk in memory, or another one: recovery, the
//! manifest's owner, `n` shards, and an oracle that knows what every key must be.

use std::collections::{BTreeMap, BTreeSet};

use desk_storage_lsm::disk::Disk;
use desk_storage_lsm::file::FileKind;
use desk_storage_lsm::inspect::inspect;
use desk_storage_lsm::memory_disk::{Faults, MemoryDisk, Strike, drive};
use desk_storage_lsm::{
    EditNumber, GetError, Key, ManifestOwner, Options, Position, PutError, RecoverError,
    RecoveryReport, Seconds, Sequence, ShardCount, Start, Store, UnixSecond, partition_of, recover,
};

pub(crate) const NOW: UnixSecond = UnixSecond(1_700_000_000);

pub(crate) fn small() -> Options {
    Options {
        lifetime: Seconds(100_000),
        bucket: Seconds(1000),
        segment_bytes: 32 * 1024,
        log_budget_bytes: 32 * 1024 * 8,
        table_bytes: 48 * 1024,
        disk_reserve_bytes: 0,
    }
}

pub(crate) fn key_at(second: u64, tail: u64) -> Key {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&(second as u32).to_be_bytes());
    bytes[8..].copy_from_slice(&tail.to_le_bytes());
    Key::new(bytes)
}

pub(crate) fn key(tail: u64) -> Key {
    key_at(NOW.0, tail)
}

/// splitmix64, for the choices of a scenario.
pub(crate) struct Chance(pub u64);

impl Chance {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }
}

/// A disk that a whole store can run on, whatever drives it.
pub(crate) trait Stage: Disk + Clone {
    /// Runs a future over the disk to its end.
    fn drive<F: Future>(&self, future: F) -> F::Output;

    /// Whether the machine is up; one of a real disk that looks is.
    fn is_up(&self) -> bool {
        true
    }

    /// Power fails, if it can.
    fn crash(&self) {}

    /// A new process, with power.
    fn restart(&self) {}

    /// How many accesses there have been.
    fn accesses(&self) -> u64;

    /// Where the disk has failed or lied, if it can.
    fn strikes(&self) -> Vec<Strike> {
        Vec::new()
    }

    /// The newest write, of a disk that can lie: file, offset and length in bytes.
    fn last_write(&self) -> Option<(String, u64, u64)> {
        None
    }

    /// Whatever a crash has left, an inspection calls nothing of it damage.
    fn inspect_finds_no_damage(&self) {
        is_sound_or_nothing(self);
    }

    /// Is told what is asked for and what is acknowledged by now, before the disk
    /// is used again.
    fn remember(&self, _now: UnixSecond, _oracle: &Oracle) {}
}

impl Stage for MemoryDisk {
    fn drive<F: Future>(&self, future: F) -> F::Output {
        drive(future)
    }

    fn is_up(&self) -> bool {
        self.is_up()
    }

    fn crash(&self) {
        self.crash();
    }

    fn restart(&self) {
        self.restart();
    }

    fn accesses(&self) -> u64 {
        self.accesses()
    }

    fn strikes(&self) -> Vec<Strike> {
        self.strikes()
    }

    fn last_write(&self) -> Option<(String, u64, u64)> {
        self.last_write()
    }

    fn inspect_finds_no_damage(&self) {
        let disk = self.fork();
        disk.set_faults(Faults::default());
        let before = files(&disk);
        is_sound_or_nothing(&disk);
        assert!(before == files(&disk), "inspecting changes nothing");
    }
}

pub(crate) struct Node<D: Stage = MemoryDisk> {
    pub(crate) disk: D,
    pub(crate) owner: ManifestOwner<D>,
    pub(crate) stores: Vec<Store<D>>,
    pub(crate) shards: ShardCount,
    pub(crate) report: RecoveryReport,
}

impl<D: Stage> Node<D> {
    pub(crate) fn start(
        disk: &D,
        options: Options,
        now: UnixSecond,
        shards: u16,
    ) -> Result<Self, RecoverError> {
        Self::start_with(disk, options, now, shards, false)
    }

    pub(crate) fn start_with(
        disk: &D,
        options: Options,
        now: UnixSecond,
        shards: u16,
        accept_clock: bool,
    ) -> Result<Self, RecoverError> {
        let shards = ShardCount::new(shards).unwrap();
        let start = Start { now, shards, accept_clock, fresh_store_id: [9; 16] };
        let recovered = disk.drive(recover(disk, &options, start))?;
        let mut stores = Vec::new();
        for seed in recovered.seeds {
            stores.push(disk.drive(Store::open(disk.clone(), seed))?);
        }
        let owner = disk.drive(ManifestOwner::open(disk.clone(), recovered.manifest))?;
        Ok(Self { disk: disk.clone(), owner, stores, shards, report: recovered.report })
    }

    pub(crate) fn store(&self, key: &Key) -> &Store<D> {
        &self.stores[usize::from(partition_of(key).shard(self.shards).0)]
    }

    /// One round of every background task; `false` when something failed.
    pub(crate) fn upkeep(&mut self, now: UnixSecond) -> bool {
        for store in &self.stores {
            if self.disk.drive(store.maintain(now)).is_err() {
                return false;
            }
        }
        self.manifest_round(now)
    }

    pub(crate) fn manifest_round(&mut self, now: UnixSecond) -> bool {
        for store in &self.stores {
            let edits = store.take_edits();
            let last = edits.last().map_or(EditNumber(0), |edit| edit.number);
            if self.disk.drive(self.owner.apply(edits)).is_err() {
                return false;
            }
            store.edits_durable(last);
        }
        match self.disk.drive(self.owner.tick(now)) {
            Ok(Some(news)) => self.stores.iter().for_each(|store| store.apply_news(&news)),
            Ok(None) => {}
            Err(_) => return false,
        }
        self.disk.drive(self.owner.unlink_step()).is_ok()
    }

    pub(crate) fn shutdown(mut self, now: UnixSecond) -> bool {
        let stopped = self.stores.iter().all(|store| self.disk.drive(store.shutdown()).is_ok());
        stopped && self.manifest_round(now)
    }
}

/// All files of the disk, with what is in them.
pub(crate) fn files(disk: &MemoryDisk) -> Vec<(String, Vec<u8>)> {
    let names = drive(disk.list()).unwrap();
    let with_contents = |name: String| {
        let contents = disk.contents(&name).unwrap();
        (name, contents)
    };
    names.into_iter().map(with_contents).collect()
}

/// An inspection finds no damage, or no store where there is not even a log.
fn is_sound_or_nothing(disk: &impl Stage) {
    match disk.drive(inspect(disk)) {
        Ok(inspection) => assert!(inspection.is_sound(), "{inspection:?}"),
        Err(error) => {
            let is_manifest =
                |name: &str| FileKind::of(name).is_none_or(|f| f == FileKind::Manifest);
            let names = disk.drive(disk.list()).unwrap();
            assert!(names.iter().all(|name| is_manifest(name)), "{error}");
        }
    }
}

pub(crate) fn payload(key: &Key, sequence: u64) -> Vec<u8> {
    let length = 1 + (sequence * 37 + u64::from(key.bytes()[8]) * 11) % 700;
    (0..length).map(|i| (i + sequence) as u8 ^ key.bytes()[8]).collect()
}

/// The first tail whose snapshots are large.
pub(crate) const LARGE: u64 = 100;

pub(crate) fn snapshot(key: &Key, sequence: u64) -> Vec<u8> {
    // Keys from `LARGE` on have values that fill a table's block by threes.
    let tail = u64::from(key.bytes()[8]);
    let large = if tail >= LARGE { 180_000 } else { 0 };
    let length = large + (sequence * 531 + tail * 97) % 9000;
    (0..length).map(|i| (i * 3 + sequence) as u8 ^ key.bytes()[8]).collect()
}

/// What is known of a key.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Known {
    /// Appended up to here.
    pub(crate) appended: u64,
    /// Durable up to here.
    pub(crate) acknowledged: u64,
    /// The position of the last append in this run.
    pub(crate) position: Position,
    /// Asked for, and whether that is durable.
    pub(crate) deleted: Option<bool>,
    /// The disk lied about it and the store noticed: it is not used any more.
    pub(crate) given_up: bool,
}

/// The oracle.
#[derive(Clone, Default)]
pub(crate) struct Oracle {
    pub(crate) keys: BTreeMap<Key, Known>,
}

impl Oracle {
    pub(crate) fn append(&mut self, node: &Node<impl Stage>, key: Key) -> bool {
        let known = self.keys.entry(key).or_default();
        if known.deleted.is_some() || known.given_up {
            return true;
        }
        let sequence = known.appended + 1;
        match node.store(&key).append(key, Sequence(sequence), &payload(&key, sequence)) {
            Ok(position) => {
                known.appended = sequence;
                known.position = position;
                true
            }
            Err(_) => false,
        }
    }

    pub(crate) fn put(&mut self, node: &Node<impl Stage>, key: Key) {
        let Some(known) = self.keys.get(&key) else { return };
        if known.appended == 0 || known.deleted.is_some() || known.given_up {
            return;
        }
        let put =
            node.store(&key).put(key, Sequence(known.appended), &snapshot(&key, known.appended));
        assert!(matches!(put, Ok(()) | Err(PutError::Poisoned(_) | PutError::NoSpace)), "{put:?}");
    }

    pub(crate) fn delete(&mut self, node: &Node<impl Stage>, key: Key) {
        let Some(known) = self.keys.get_mut(&key) else { return };
        if known.given_up {
            return;
        }
        if let Ok(position) = node.store(&key).delete(key) {
            known.deleted = Some(false);
            known.position = position;
        }
    }

    /// The keys of a shard that have something to be committed.
    pub(crate) fn uncommitted(&self, node: &Node<impl Stage>, shard: usize) -> BTreeSet<Key> {
        let is_of = |key: &Key| usize::from(partition_of(key).shard(node.shards).0) == shard;
        let durable = node.stores[shard].durable();
        let waits = self.keys.iter().filter(|(key, known)| is_of(key) && known.position > durable);
        waits.map(|(key, _)| *key).collect()
    }

    /// Everything up to the durable positions is acknowledged.
    pub(crate) fn acknowledge(&mut self, node: &Node<impl Stage>) {
        for (key, known) in &mut self.keys {
            if known.position > Position(0) && known.position <= node.store(key).durable() {
                known.acknowledged = known.appended;
                if known.deleted.is_some() {
                    known.deleted = Some(true);
                }
            }
        }
    }

    /// Reads every key and compares. What is found is what the next run goes
    /// on from.
    pub(crate) fn check(&mut self, node: &Node<impl Stage>, now: UnixSecond) {
        for (key, known) in &mut self.keys {
            let first = node.disk.drive(node.store(key).get(key, now));
            if !node.disk.is_up() {
                return;
            }
            // An access that fails once is tried again: reading harms nothing.
            let read = match first {
                Err(GetError::Disk(_)) => node.disk.drive(node.store(key).get(key, now)),
                other => other,
            };
            let stored = match read {
                Ok(stored) => stored,
                Err(GetError::Expired { at }) => {
                    assert!(at <= now, "expired early");
                    continue;
                }
                Err(error) => panic!("{key:?} {known:?}: {error}"),
            };
            let Some(stored) = stored else {
                assert!(
                    known.acknowledged == 0 || known.deleted.is_some(),
                    "{key:?} is gone: {known:?}"
                );
                if known.deleted.is_some() {
                    known.deleted = Some(true);
                } else {
                    known.appended = 0;
                }
                continue;
            };
            assert_ne!(known.deleted, Some(true), "{key:?} came back: {known:?}");
            known.deleted = None;
            let mut have = 0;
            if let Some(found) = &stored.snapshot {
                have = found.sequence.0;
                assert_eq!(&found.value[..], snapshot(key, have), "{key:?} snapshot {have}");
                assert_eq!(found.value.as_ptr().align_offset(16), 0);
            }
            for record in &stored.records {
                assert_eq!(record.sequence.0, have + 1, "{key:?} {known:?}");
                have += 1;
                assert_eq!(record.payload, payload(key, have), "{key:?} record {have}");
            }
            assert!(
                (known.acknowledged..=known.appended).contains(&have),
                "{key:?} has {have}: {known:?}"
            );
            (known.appended, known.acknowledged) = (have, have);
        }
    }

    /// Reads every key of a store whose disk has lied. What is read is right,
    /// always; what is less than was acknowledged was named by the report, or
    /// the read says that it is damaged. `excused`: the keys of the newest batch
    /// of a log, if the lie struck that, which nobody can tell from a torn one.
    pub(crate) fn check_after_a_lie(
        &mut self,
        node: &Node<impl Stage>,
        now: UnixSecond,
        excused: &BTreeSet<Key>,
    ) {
        let sound = node.report.is_sound();
        let lied = !node.disk.strikes().is_empty();
        for (key, known) in &mut self.keys {
            let stored = match node.disk.drive(node.store(key).get(key, now)) {
                Ok(stored) => stored,
                Err(GetError::Expired { at }) => {
                    assert!(at <= now, "expired early");
                    continue;
                }
                Err(GetError::Quarantined(_) | GetError::Damaged { .. } | GetError::Disk(_)) => {
                    known.given_up = true;
                    continue;
                }
            };
            let mut have = 0;
            if let Some(stored) = &stored {
                if let Some(found) = &stored.snapshot {
                    have = found.sequence.0;
                    assert_eq!(&found.value[..], snapshot(key, have), "{key:?} snapshot {have}");
                }
                for record in &stored.records {
                    assert_eq!(record.sequence.0, have + 1, "{key:?} {known:?} has a gap");
                    have += 1;
                    assert_eq!(record.payload, payload(key, have), "{key:?} record {have}");
                }
            }
            assert!(have <= known.appended, "{key:?} has {have}: {known:?}");
            let lost = match known.deleted {
                Some(deleted) => deleted && stored.is_some(),
                None => have < known.acknowledged,
            };
            let named = !sound || excused.contains(key);
            assert!(named || !lost, "{key:?} lost something in silence, has {have}: {known:?}");
            if known.given_up {
                continue;
            }
            match (&stored, known.deleted) {
                (None, Some(_)) => known.deleted = Some(true),
                // What a read missed may be there again at the next start.
                _ if lied && (have < known.appended || known.deleted.is_some()) => {
                    // It was named; that is said once.
                    (known.given_up, known.acknowledged, known.deleted) = (true, 0, None);
                }
                (Some(_), Some(_)) => known.deleted = None,
                (_, None) => (known.appended, known.acknowledged) = (have, have),
            }
        }
    }

    /// Positions count anew in a new run.
    pub(crate) fn restart(&mut self) {
        for known in self.keys.values_mut() {
            known.position = Position(0);
        }
    }
}

/// Some steps of a scenario; stops early when the disk is down.
pub(crate) fn steps(
    node: &mut Node,
    oracle: &mut Oracle,
    chance: &mut Chance,
    count: u64,
    keys: std::ops::Range<u64>,
    now: UnixSecond,
) {
    for _ in 0..count {
        let key = key(keys.start + chance.below(keys.end - keys.start));
        match chance.below(20) {
            0..=6 => {
                for _ in 0..=chance.below(6) {
                    oracle.append(node, key);
                }
            }
            7..=12 => {
                for store in &node.stores {
                    let committed = drive(store.commit());
                    assert!(committed.is_ok() || store.poisoned().is_some());
                }
                oracle.acknowledge(node);
            }
            13..=15 => oracle.put(node, key),
            16 if chance.below(6) == 0 => oracle.delete(node, key),
            17 => {
                let wanted: Vec<Key> =
                    node.stores.iter().flat_map(|store| store.holding_keys(3)).collect();
                for key in wanted {
                    assert!(oracle.keys.contains_key(&key), "{key:?} holds the log and is unknown");
                    oracle.put(node, key);
                }
            }
            _ => {
                node.upkeep(now);
            }
        }
        if !node.disk.is_up() {
            return;
        }
    }
}
