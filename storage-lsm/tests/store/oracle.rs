//! An oracle that knows what every key of a whole store must be, and what its keys are
//! given.

use std::collections::{BTreeMap, BTreeSet};

use desk_keeper::Input;
use desk_storage_lsm::{GetError, Key, Position, Sequence, ShardCount, UnixSecond, partition_of};

use crate::node::{Chance, Node, Stage, key};

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
    /// Appends a record to a key, unless the keeper takes no changes; `false` then, and
    /// if the store has not taken it, so that it waits.
    pub(crate) fn append(&mut self, node: &mut Node<impl Stage>, key: Key) -> bool {
        let known = self.keys.entry(key).or_default();
        if known.deleted.is_some() || known.given_up {
            return true;
        }
        if !node.drivers[node.shard_of(&key)].is_writable() {
            return false;
        }
        let sequence = known.appended + 1;
        let record = (key, Sequence(sequence), payload(&key, sequence));
        known.appended = sequence;
        node.keep(&key, |driver, now, store, expires_at| {
            known.position = driver.append(now, store, record, expires_at);
            driver.backlog() == 0
        })
    }

    /// Stores a key, unless a record of it waits: no core stores what the log lacks.
    pub(crate) fn put(&mut self, node: &mut Node<impl Stage>, key: Key) {
        let Some(known) = self.keys.get(&key) else { return };
        if known.appended == 0 || known.deleted.is_some() || known.given_up {
            return;
        }
        let (sequence, value) = (Sequence(known.appended), snapshot(&key, known.appended));
        node.keep(&key, |driver, now, store, _| {
            if known.position <= store.position() {
                driver.input(now, store, Input::Store { key, sequence, value });
            }
        });
    }

    pub(crate) fn delete(&mut self, node: &mut Node<impl Stage>, key: Key) {
        let Some(known) = self.keys.get_mut(&key) else { return };
        if known.given_up || node.has_failed() {
            return;
        }
        known.deleted = Some(false);
        node.keep(&key, |driver, now, store, expires_at| {
            known.position = driver.forget(now, store, key, expires_at);
        });
    }

    /// Commits what the keepers want to commit, and acknowledges it.
    pub(crate) fn commit(&mut self, node: &mut Node<impl Stage>) {
        let shards = node.shards;
        node.commit(|shard, durable| self.acknowledge_up_to(shards, shard, durable));
    }

    /// The keys of a shard that have something to be committed.
    pub(crate) fn uncommitted(&self, node: &Node<impl Stage>, shard: usize) -> BTreeSet<Key> {
        let durable = node.stores[shard].durable();
        let waits = self
            .keys
            .iter()
            .filter(|(key, known)| node.shard_of(key) == shard && known.position > durable);
        waits.map(|(key, _)| *key).collect()
    }

    /// All is acknowledged that the keepers call durable.
    pub(crate) fn acknowledge(&mut self, node: &mut Node<impl Stage>) {
        for (shard, (store, driver)) in node.stores.iter().zip(&mut node.drivers).enumerate() {
            driver.turn(node.time, store);
            self.acknowledge_up_to(node.shards, shard, driver.durable());
        }
    }

    /// A shard's keys are acknowledged up to a position.
    pub(crate) fn acknowledge_up_to(
        &mut self,
        shards: ShardCount,
        shard: usize,
        durable: Position,
    ) {
        for (key, known) in &mut self.keys {
            let is_of = usize::from(partition_of(key).shard(shards).0) == shard;
            if is_of && known.position > Position(0) && known.position <= durable {
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
                oracle.commit(node);
                assert!(!node.has_failed() || node.stores.iter().any(|s| s.poisoned().is_some()));
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
