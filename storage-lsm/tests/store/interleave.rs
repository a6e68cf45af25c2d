//! The tasks of one shard, each going on while others wait for the disk: what
//! is appended, committed, put, deleted, read and kept up in any order, until
//! power fails.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use crate::node::{Chance, NOW, Node, key_at, small};
use crate::oracle::{payload, snapshot};
use desk_storage_lsm::memory_disk::{MemoryDisk, drive};
use desk_storage_lsm::{
    AppendError, GetError, Key, ManifestOwner, Options, Position, PutError, Seconds, Sequence,
    Store, Stored, UnixSecond,
};

/// Keys that are in use at a time.
const KEYS: usize = 12;
/// Polls of a run before power fails, at most.
const POLLS: u64 = 8000;

#[derive(Clone, Copy, Debug, Default)]
struct Known {
    appended: u64,
    acknowledged: u64,
    /// The newest snapshot that was put.
    snapshot: u64,
    /// Whether it was deleted, and whether that was acknowledged.
    deleted: Option<bool>,
}

/// What every key must be.
struct Model {
    chance: Chance,
    now: UnixSecond,
    keys: BTreeMap<Key, Known>,
    in_use: Vec<Key>,
    /// What waits for the log.
    waiting: Vec<(Position, Key, u64)>,
    made: u64,
    deeds: Deeds,
}

#[derive(Clone, Copy, Debug, Default)]
struct Deeds {
    commits: u64,
    reads: u64,
    snapshots: u64,
    deletions: u64,
    dropped: u64,
    compacted_bytes: u64,
}

fn options() -> Options {
    Options {
        // Compaction joins nothing in a bucket's last day.
        lifetime: Seconds(86_400 + 40_000),
        bucket: Seconds(5000),
        table_bytes: 24 * 1024,
        log_budget_bytes: small().segment_bytes * 6,
        ..small()
    }
}

impl Model {
    /// A key in use, sometimes a new one in the place of another.
    fn any_key(&mut self) -> Key {
        let at = self.chance.below(KEYS as u64) as usize;
        if self.in_use.len() <= at || self.chance.below(60) == 0 {
            self.made += 1;
            let key = key_at(self.now.0, self.made);
            self.in_use.truncate(KEYS - 1);
            self.in_use.insert(0, key);
            self.keys.insert(key, Known::default());
            return key;
        }
        self.in_use[at]
    }
}

struct Shard<'a> {
    store: &'a Store<MemoryDisk>,
    model: &'a RefCell<Model>,
}

async fn pause() {
    let mut paused = false;
    poll_fn(|_| if std::mem::replace(&mut paused, true) { Poll::Ready(()) } else { Poll::Pending })
        .await;
}

impl Shard<'_> {
    async fn write(&self) {
        loop {
            self.write_one();
            if self.model.borrow_mut().chance.below(3) > 0 {
                pause().await;
            }
        }
    }

    fn write_one(&self) {
        let mut model = self.model.borrow_mut();
        let key = model.any_key();
        let known = model.keys[&key];
        if known.deleted.is_some() {
            return;
        }
        if known.snapshot > 0 && model.chance.below(40) == 0 {
            if let Ok(position) = self.store.delete(key) {
                model.deeds.deletions += 1;
                model.keys.get_mut(&key).unwrap().deleted = Some(false);
                model.waiting.push((position, key, u64::MAX));
            }
            return;
        }
        let sequence = known.appended + 1;
        match self.store.append(key, Sequence(sequence), &payload(&key, sequence)) {
            Ok(position) => {
                model.keys.get_mut(&key).unwrap().appended = sequence;
                model.waiting.push((position, key, sequence));
            }
            Err(AppendError::LogFull | AppendError::NoBucket { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }

    async fn commit(&self) {
        loop {
            let durable = self.store.commit().await.unwrap();
            self.acknowledge(durable);
            pause().await;
        }
    }

    fn acknowledge(&self, durable: Position) {
        let mut model = self.model.borrow_mut();
        model.deeds.commits += 1;
        let waiting = std::mem::take(&mut model.waiting);
        for (position, key, sequence) in waiting {
            if position > durable {
                model.waiting.push((position, key, sequence));
                continue;
            }
            let known = model.keys.get_mut(&key).unwrap();
            if sequence == u64::MAX {
                known.deleted = Some(true);
            } else {
                known.acknowledged = sequence;
            }
        }
    }

    async fn snapshot(&self) {
        loop {
            let mut keys = self.store.holding_keys(2);
            keys.push(self.model.borrow_mut().any_key());
            keys.into_iter().for_each(|key| self.put(key));
            pause().await;
        }
    }

    fn put(&self, key: Key) {
        let mut model = self.model.borrow_mut();
        let known = model.keys[&key];
        let sequence = known.appended;
        if sequence == 0 || known.deleted.is_some() {
            return;
        }
        match self.store.put(key, Sequence(sequence), &snapshot(&key, sequence)) {
            Ok(()) => {
                model.keys.get_mut(&key).unwrap().snapshot = sequence;
                model.deeds.snapshots += 1;
            }
            Err(PutError::Backlog { .. } | PutError::NoBucket { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }

    async fn keep_up(&self, mut owner: ManifestOwner<MemoryDisk>) {
        loop {
            let now = self.model.borrow().now;
            self.store.maintain(now).await.unwrap();
            let edits = self.store.take_edits();
            if let Some(last) = edits.last().map(|edit| edit.number) {
                owner.apply(edits).await.unwrap();
                self.store.edits_durable(last);
            }
            if let Some(news) = owner.tick(now).await.unwrap() {
                self.model.borrow_mut().deeds.dropped += news.dropped.len() as u64;
                self.store.apply_news(&news);
            }
            owner.unlink_step().await.unwrap();
            self.pass_time();
            pause().await;
        }
    }

    /// A key lives for some thirty rounds.
    fn pass_time(&self) {
        let mut model = self.model.borrow_mut();
        let compacted = self.store.counters().compacted_bytes;
        model.deeds.compacted_bytes = compacted.max(model.deeds.compacted_bytes);
        model.now.0 += model.chance.below(9000);
    }

    async fn read(&self) {
        loop {
            let (key, before, now) = {
                let mut model = self.model.borrow_mut();
                let key = model.any_key();
                (key, model.keys[&key], model.now)
            };
            let got = self.store.get(&key, now).await;
            self.compare(key, before, got);
            pause().await;
        }
    }

    /// What was read is no older than when the reading began.
    fn compare(&self, key: Key, before: Known, got: Result<Option<Stored<MemoryDisk>>, GetError>) {
        let mut model = self.model.borrow_mut();
        model.deeds.reads += 1;
        let after = model.keys[&key];
        match got {
            Ok(Some(stored)) => {
                assert_ne!(before.deleted, Some(true), "{key:?} is deleted: {before:?}");
                let have = sequence_of(&key, &stored);
                assert!(before.snapshot <= have && have <= after.appended, "{have} {before:?}");
            }
            Ok(None) => {
                assert!(before.snapshot == 0 || after.deleted.is_some(), "{before:?} {after:?}");
            }
            Err(GetError::Expired { at }) => assert!(at <= model.now),
            Err(error) => panic!("{key:?}: {error}"),
        }
    }
}

/// The newest sequence of what is stored, whose bytes are right. Records are of
/// former runs; this run's are nobody's to read.
fn sequence_of(key: &Key, stored: &Stored<MemoryDisk>) -> u64 {
    let mut have = 0;
    if let Some(found) = &stored.snapshot {
        have = found.sequence.0;
        assert_eq!(&found.value[..], snapshot(key, have), "{key:?}");
    }
    for record in &stored.records {
        have += 1;
        assert_eq!((record.sequence.0, &record.payload), (have, &payload(key, have)));
    }
    have
}

/// Runs the tasks until power fails.
fn run(disk: &MemoryDisk, model: &RefCell<Model>) {
    let Node { owner, stores, .. } = Node::start(disk, options(), model.borrow().now, 1).unwrap();
    let shard = Shard { store: &stores[0], model };
    disk.set_waiting(true);
    let mut tasks: Vec<Pin<Box<dyn Future<Output = ()> + '_>>> = vec![
        Box::pin(shard.write()),
        Box::pin(shard.commit()),
        Box::pin(shard.snapshot()),
        Box::pin(shard.keep_up(owner)),
        Box::pin(shard.read()),
        Box::pin(shard.read()),
    ];
    let polls = POLLS / 2 + model.borrow_mut().chance.below(POLLS / 2);
    for _ in 0..polls {
        let turn = model.borrow_mut().chance.below(tasks.len() as u64) as usize;
        let polled = tasks[turn].as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending(), "the tasks have no end");
    }
    disk.crash();
    drop(tasks);
    disk.set_waiting(false);
    disk.restart();
}

/// Holds what a start finds against the model, which goes on from there.
fn check(disk: &MemoryDisk, model: &mut Model) {
    let node = Node::start(disk, options(), model.now, 1).unwrap();
    assert!(node.report.is_sound(), "{:?}", node.report);
    let now = model.now;
    model.keys.retain(|key, known| {
        let stored = match drive(node.stores[0].get(key, now)) {
            Ok(stored) => stored,
            Err(GetError::Expired { at }) => {
                assert!(at <= now);
                return false;
            }
            Err(error) => panic!("{key:?}: {error}"),
        };
        let have = stored.as_ref().map_or(0, |stored| sequence_of(key, stored));
        assert!(stored.is_none() || known.deleted != Some(true), "{key:?} is back");
        // One that was not durable is gone, and the log has what it covered.
        let found = stored.as_ref().and_then(|stored| stored.snapshot.as_ref());
        known.snapshot = found.map_or(0, |found| found.sequence.0);
        assert!(known.deleted.is_some() || have >= known.acknowledged, "{key:?} {have} {known:?}");
        assert!(have <= known.appended, "{key:?} {have} {known:?}");
        (known.appended, known.acknowledged) = (have, have);
        known.deleted.is_none() || stored.is_some()
    });
    for known in model.keys.values_mut() {
        known.deleted = None;
    }
    let keys = &model.keys;
    model.in_use.retain(|key| keys.contains_key(key));
    model.waiting.clear();
    drop(node);
    disk.crash();
    disk.restart();
}

#[test]
fn tasks_go_on_while_others_wait_for_the_disk() {
    let seeds = if crate::scenario::is_full_sweep() { 0..40 } else { 0..2 };
    let mut all = Deeds::default();
    for seed in seeds {
        let disk = MemoryDisk::with_seed(seed);
        let model = RefCell::new(Model {
            chance: Chance(seed),
            now: NOW,
            keys: BTreeMap::new(),
            in_use: Vec::new(),
            waiting: Vec::new(),
            made: 0,
            deeds: Deeds::default(),
        });
        for _ in 0..4 {
            run(&disk, &model);
            check(&disk, &mut model.borrow_mut());
        }
        let deeds = model.borrow().deeds;
        all.dropped += deeds.dropped;
        all.compacted_bytes += deeds.compacted_bytes;
        all.deletions += deeds.deletions;
        assert!(deeds.commits > 50 && deeds.reads > 50 && deeds.snapshots > 50, "{deeds:?}");
    }
    println!("{all:?}");
    assert!(all.dropped > 0 && all.compacted_bytes > 0 && all.deletions > 0, "{all:?}");
}
