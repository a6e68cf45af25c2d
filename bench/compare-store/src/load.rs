//! The full load of the brief, driven straight into the store: operations at a
//! fixed rate over all shards, each shard with the server's tasks.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::path::Path;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use desk_bench::clock::Clock;
use desk_bench::latency::Latency;
use desk_bench::random::Random;
use desk_disk::Folder;
use desk_keeper::{Input, Keeper, Output, Settings};
use desk_protocol::Time;
use desk_storage_lsm::{
    Edit, EditNumber, Key, ManifestOwner, Options, Position, Sequence, ShardCount, ShardId,
    ShardSeed, Store, StoreCounters, partition_of,
};
use futures_lite::future;
use glommio::Placement;
use glommio::timer::Timer;
use serde::{Deserialize, Serialize};

use crate::accounts;
use crate::content::{Content, Desk, Version};
use crate::ours::shard::{executor, noon, options, recovered};
use crate::wake::Wake;

/// The generator appends what is due this often.
const TICK: Duration = Duration::from_micros(250);
/// Operations that share one intended time.
const CHUNK: u64 = 64;
/// As the server's.
const SETTINGS: Settings =
    Settings { waiting_bytes_max: 64 << 20, stop_time: Duration::from_secs(8) };
/// The manifest's owner looks for edits of other shards this often.
const MANIFEST_PAUSE: Duration = Duration::from_millis(2);
/// No operation here is over before the run is.
const NEVER: Time = Time(u64::MAX);
/// The last revision of each desk, for the check after a restart.
const REVISIONS: &str = "revisions.bench";
/// Of so many desks one is read after a restart.
const CHECKED_OF: usize = 97;

/// What is driven.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Load {
    /// Desks in all.
    pub desks: u64,
    /// Bytes of a snapshot.
    pub desk_bytes: usize,
    /// Operations a second, over all shards.
    pub rate: f64,
    /// For how long.
    pub seconds: f64,
    /// On how many shards, each on a core of its own.
    pub shards: u16,
    /// The log's budget over all shards, in bytes.
    pub log_budget_bytes: u64,
    /// Bytes of one segment of the log.
    pub segment_bytes: u64,
}

impl Load {
    fn options(&self) -> Options {
        let (log_budget_bytes, segment_bytes) = (self.log_budget_bytes, self.segment_bytes);
        Options { log_budget_bytes, segment_bytes, ..options() }
    }
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Loaded {
    /// Operations made durable.
    pub operations: u64,
    /// From the first one to the last one durable, in seconds.
    pub seconds: f64,
    /// From when an operation was due to when it was durable, in microseconds:
    /// half of them, and 99 of 100.
    pub p50_us: f64,
    /// See [`Self::p50_us`].
    pub p99_us: f64,
    /// Snapshots taken.
    pub snapshots: u64,
    /// Bytes written to logs.
    pub log_bytes: u64,
    /// Bytes written to tables.
    pub table_bytes: u64,
    /// Bytes that compaction moved of these.
    pub compacted_bytes: u64,
    /// What the kernel says that the process wrote, prewritten segments included.
    pub device_bytes: u64,
    /// Processor time of one operation, the generator's included, in microseconds.
    pub cpu_us: f64,
    /// How often changes were refused.
    pub refusals: u64,
}

/// What opening it again took.
#[derive(Clone, Copy, Debug)]
pub struct Reopened {
    /// Until all shards were open, in seconds.
    pub seconds: f64,
    /// Anonymous memory that came with it, in bytes.
    pub memory_bytes: f64,
    /// Bytes of the indexes.
    pub index_bytes: f64,
}

/// What shards and the manifest's owner tell each other.
struct Shared {
    edits: Mutex<Vec<Edit>>,
    /// For each shard the number of its last durable edit.
    recorded: Vec<AtomicU64>,
    /// Shards that have made all durable.
    done: AtomicU64,
}

/// Drives the load into a fresh store and leaves its folder as a kill would.
///
/// # Errors
/// The store fails.
pub fn run(path: &Path, load: Load) -> Result<Loaded> {
    let opening = executor(Placement::Unbound)?;
    let options = load.options();
    let recovered = opening.run(async {
        let folder = Folder::open(path).await?;
        recovered(&folder, &options, load.shards, noon(0)).await
    })?;
    drop(opening);
    let shared = Arc::new(Shared {
        edits: Mutex::default(),
        recorded: (0..load.shards).map(|_| AtomicU64::new(0)).collect(),
        done: AtomicU64::new(0),
    });
    let (cpu, device) = (accounts::cpu_us(), accounts::written_bytes()?);
    let mut manifest = Some(recovered.manifest);
    let threads: Vec<_> = recovered
        .seeds
        .into_iter()
        .map(|seed| {
            let (shared, manifest, path) = (Arc::clone(&shared), manifest.take(), path.to_owned());
            std::thread::spawn(move || {
                let core = usize::from(seed.shard().0);
                // Fewer cores than shards: the kernel places them.
                let pinned = executor(Placement::Fixed(core));
                let executor = pinned.or_else(|_| executor(Placement::Unbound))?;
                executor.run(async {
                    let owner = match manifest {
                        Some(seed) => {
                            Some(ManifestOwner::open(Folder::open(&path).await?, seed).await?)
                        }
                        None => None,
                    };
                    let shard = Shard::open(&path, seed, load, shared).await?;
                    shard.run(owner).await
                })
            })
        })
        .collect();
    let mut latency = Latency::default();
    let mut total = Loaded::default();
    let mut revisions = vec![0u64; load.desks as usize];
    for thread in threads {
        let ended = thread.join().map_err(|_| anyhow!("a shard has panicked"))??;
        latency.add(&ended.latency);
        total.operations += ended.counters.records;
        total.seconds = total.seconds.max(ended.seconds);
        total.snapshots += ended.snapshots;
        total.log_bytes += ended.counters.log_bytes;
        total.table_bytes += ended.counters.table_bytes;
        total.compacted_bytes += ended.counters.compacted_bytes;
        total.refusals += ended.refusals;
        for (desk, revision) in ended.revisions {
            revisions[desk as usize] = revision;
        }
    }
    total.device_bytes = accounts::written_bytes()? - device;
    total.cpu_us = (accounts::cpu_us() - cpu) / total.operations as f64;
    (total.p50_us, total.p99_us) = (latency.at(0.5), latency.at(0.99));
    let bytes: Vec<u8> = revisions.iter().flat_map(|revision| revision.to_le_bytes()).collect();
    fs::write(path.with_extension(REVISIONS), bytes)?;
    Ok(total)
}

/// Opens what [`run`] left and looks for what was acknowledged.
///
/// # Errors
/// The store is damaged, or something is missing or wrong.
pub fn reopen(path: &Path, load: Load) -> Result<Reopened> {
    let content = Content::new(load.desks, 1, load.desk_bytes);
    let bytes = fs::read(path.with_extension(REVISIONS))?;
    let revisions: Vec<u64> = bytes
        .chunks_exact(8)
        .map(|bytes| bytes.try_into().map(u64::from_le_bytes).unwrap_or_default())
        .collect();
    let before = accounts::anonymous_bytes()?;
    let executor = executor(Placement::Unbound)?;
    let clock = Clock::start();
    executor.run(async {
        let options = load.options();
        let folder = Folder::open(path).await?;
        let recovered = recovered(&folder, &options, load.shards, noon(0)).await?;
        let mut stores = Vec::new();
        for seed in recovered.seeds {
            stores.push(Store::open(folder.clone(), seed).await?);
        }
        let seconds = clock.elapsed().as_secs_f64();
        let memory_bytes = accounts::anonymous_bytes()?.saturating_sub(before) as f64;
        let shards = ShardCount::new(load.shards).context("there are shards")?;
        for (desk, &revision) in revisions.iter().enumerate().step_by(CHECKED_OF) {
            let desk = desk as Desk;
            let key = Key::new(content.key(desk));
            let store = &stores[usize::from(partition_of(&key).shard(shards).0)];
            check(store, &content, desk, key, revision).await?;
        }
        let index_bytes =
            stores.iter().map(|store| store.counters().index_bytes).sum::<u64>() as f64;
        Ok(Reopened { seconds, memory_bytes, index_bytes })
    })
}

async fn check(
    store: &Store<Folder>,
    content: &Content,
    desk: Desk,
    key: Key,
    revision: u64,
) -> Result<()> {
    let Some(stored) = store.get(&key, noon(0)).await? else {
        ensure!(revision == 0, "desk {desk} is lost");
        return Ok(());
    };
    let mut last = 0;
    if let Some(snapshot) = stored.snapshot {
        last = snapshot.sequence.0;
        let version = Version { desk, version: last };
        ensure!(*snapshot.value == *content.desk(version), "desk {desk} has other bytes");
    }
    for record in &stored.records {
        last += 1;
        ensure!(record.sequence.0 == last, "desk {desk} has a gap before {last}");
        ensure!(record.payload == content.operation(desk, last), "desk {desk} differs at {last}");
    }
    ensure!(last == revision, "desk {desk} ends at {last}, {revision} were acknowledged");
    Ok(())
}

/// A whole desk, whose bytes the content has.
struct Whole {
    content: Rc<Content>,
    version: Version,
}

impl AsRef<[u8]> for Whole {
    fn as_ref(&self) -> &[u8] {
        self.content.desk(self.version)
    }
}

/// One shard under load.
struct Shard {
    store: Store<Folder>,
    keeper: RefCell<Keeper<Whole>>,
    load: Load,
    shared: Arc<Shared>,
    content: Rc<Content>,
    number: ShardId,
    /// The last of its edits that it knows to be in the manifest.
    heard: Cell<u64>,
    /// The shard's desks with their keys.
    desks: Vec<(Desk, Key)>,
    /// Where in `desks` a key stands.
    places: BTreeMap<Key, usize>,
    /// For each of them its operations so far.
    revisions: RefCell<Vec<u64>>,
    /// Appended and not known to be durable: the position and when it was due.
    pending: RefCell<VecDeque<(Position, Duration)>>,
    /// Records handed to the keeper.
    position: Cell<Position>,
    clock: Clock,
    latency: RefCell<Latency>,
    refusals: Cell<u64>,
    commit_wanted: Wake,
    upkeep_wanted: Wake,
    /// The call of the store that the keeper wants from upkeep.
    upkeep: Cell<Option<Output>>,
    /// Why the run cannot go on.
    failure: RefCell<Option<String>>,
}

/// What one shard did.
struct Ended {
    latency: Latency,
    counters: StoreCounters,
    seconds: f64,
    snapshots: u64,
    refusals: u64,
    revisions: Vec<(Desk, u64)>,
}

impl Shard {
    async fn open(
        path: &Path,
        seed: ShardSeed,
        load: Load,
        shared: Arc<Shared>,
    ) -> Result<Rc<Self>> {
        let content = Rc::new(Content::new(load.desks, 1, load.desk_bytes));
        let (own, shards) = (seed.shard(), ShardCount::new(load.shards));
        let shards = shards.context("there are shards")?;
        let all = (0..load.desks).map(|desk| (desk, Key::new(content.key(desk))));
        let desks: Vec<_> = all.filter(|(_, key)| partition_of(key).shard(shards) == own).collect();
        ensure!(!desks.is_empty(), "too few desks for so many shards");
        Ok(Rc::new(Self {
            store: Store::open(Folder::open(path).await?, seed).await?,
            keeper: RefCell::new(Keeper::new(SETTINGS)),
            load,
            shared,
            content,
            number: own,
            heard: Cell::new(0),
            revisions: RefCell::new(vec![0; desks.len()]),
            places: desks.iter().enumerate().map(|(at, (_, key))| (*key, at)).collect(),
            desks,
            pending: RefCell::default(),
            position: Cell::default(),
            clock: Clock::start(),
            latency: RefCell::default(),
            refusals: Cell::new(0),
            commit_wanted: Wake::default(),
            upkeep_wanted: Wake::default(),
            upkeep: Cell::default(),
            failure: RefCell::default(),
        }))
    }

    async fn run(self: Rc<Self>, owner: Option<ManifestOwner<Folder>>) -> Result<Ended> {
        let managing = owner.map(|owner| {
            let shard = Rc::clone(&self);
            glommio::spawn_local(async move { shard.own_manifest(owner).await })
        });
        let upkeep = {
            let shard = Rc::clone(&self);
            glommio::spawn_local(async move { shard.keep_up().await })
        };
        let committing = {
            let shard = Rc::clone(&self);
            glommio::spawn_local(async move { shard.commit_in_groups().await })
        };
        self.follow();
        // Segments are made before the load begins, as they are before a server's.
        while self.store.wants_maintenance() {
            Timer::new(MANIFEST_PAUSE).await;
            self.look()?;
        }
        let begun = self.clock.elapsed();
        self.generate(begun).await?;
        while self.store.durable() < self.position.get() {
            Timer::new(TICK).await;
            self.look()?;
        }
        let seconds = (self.clock.elapsed() - begun).as_secs_f64();
        self.commit_wanted.end();
        committing.await;
        self.upkeep_wanted.end();
        upkeep.await;
        self.check()?;
        self.shared.done.fetch_add(1, Ordering::SeqCst);
        if let Some(managing) = managing {
            managing.await?;
        }
        let revisions = self.revisions.borrow();
        Ok(Ended {
            latency: self.latency.borrow().clone(),
            counters: self.store.counters(),
            seconds,
            snapshots: self.keeper.borrow().stats().values,
            refusals: self.refusals.get(),
            revisions: self
                .desks
                .iter()
                .map(|(desk, _)| *desk)
                .zip(revisions.iter().copied())
                .collect(),
        })
    }

    /// Appends what is due, until the time is over.
    async fn generate(&self, begun: Duration) -> Result<()> {
        let rate = self.load.rate / f64::from(self.load.shards);
        let mut random = Random::new(self.desks.len() as u64);
        let mut done = 0u64;
        loop {
            let elapsed = (self.clock.elapsed() - begun).as_secs_f64();
            if elapsed >= self.load.seconds {
                return Ok(());
            }
            self.look()?;
            let due = (elapsed * rate) as u64;
            while done + CHUNK <= due {
                if !self.append_chunk(&mut random) {
                    self.refusals.set(self.refusals.get() + 1);
                    break;
                }
                done += CHUNK;
                let intended = begun + Duration::from_secs_f64(done as f64 / rate);
                self.pending.borrow_mut().push_back((self.position.get(), intended));
                // What is late does not keep the commits from going on.
                future::yield_now().await;
            }
            Timer::new(TICK).await;
        }
    }

    /// Appends one chunk; `false` while changes are refused.
    fn append_chunk(&self, random: &mut Random) -> bool {
        if !self.keeper.borrow().writable().is_yes() {
            return false;
        }
        for _ in 0..CHUNK {
            let at = random.below(self.desks.len());
            let (desk, key) = self.desks[at];
            let sequence = {
                let mut revisions = self.revisions.borrow_mut();
                revisions[at] += 1;
                revisions[at]
            };
            let position = Position(self.position.get().0 + 1);
            self.position.set(position);
            let entry = self.content.operation(desk, sequence).to_vec();
            let (sequence, expires_at) = (Sequence(sequence), NEVER);
            self.keep(Input::Append { position, key, sequence, expires_at, entry });
        }
        true
    }

    fn now(&self) -> Time {
        Time::from_unix_seconds(noon(0).0) + self.clock.elapsed()
    }

    /// Tells the keeper something and does what it says.
    fn keep(&self, input: Input<Whole>) {
        self.keeper.borrow_mut().handle(self.now(), &self.store, input);
        self.follow();
    }

    /// Does what the keeper says.
    fn follow(&self) {
        loop {
            let output = self.keeper.borrow_mut().poll_output();
            let Some(output) = output else { return };
            match output {
                Output::Commit => self.commit_wanted.set(),
                Output::Maintain | Output::Measure | Output::Seal => {
                    self.upkeep.set(Some(output));
                    self.upkeep_wanted.set();
                }
                Output::Edits(edits) => lock(&self.shared.edits).extend(edits),
                Output::Durable(position) => self.count_durable(position),
                Output::Ask { keys, .. } => keys.into_iter().for_each(|key| self.store_desk(key)),
                Output::Unstorable { why, .. } => self.fail(why.to_string()),
                Output::Failed(why) => self.fail(why),
                Output::Writable(_)
                | Output::Stored { .. }
                | Output::Notice(_)
                | Output::Drain
                | Output::Stopped => {}
            }
        }
    }

    fn fail(&self, why: String) {
        self.failure.borrow_mut().get_or_insert(why);
    }

    /// # Errors
    /// Why the run cannot go on.
    fn check(&self) -> Result<()> {
        match &*self.failure.borrow() {
            Some(why) => Err(anyhow!("the store failed: {why}")),
            None => Ok(()),
        }
    }

    /// Learns what the manifest has, and lets the keeper act on what is due.
    ///
    /// # Errors
    /// Why the run cannot go on.
    fn look(&self) -> Result<()> {
        self.hear();
        let now = self.now();
        {
            let mut keeper = self.keeper.borrow_mut();
            if keeper.poll_timeout().is_some_and(|(at, _)| at <= now) {
                keeper.handle_timeout(now, &self.store);
            }
        }
        self.follow();
        self.check()
    }

    fn count_durable(&self, durable: Position) {
        let elapsed = self.clock.elapsed();
        let mut pending = self.pending.borrow_mut();
        let mut latency = self.latency.borrow_mut();
        while let Some((position, due)) = pending.front().copied()
            && position <= durable
        {
            pending.pop_front();
            latency.record(Time(0), Time(0) + elapsed.saturating_sub(due));
        }
    }

    /// The log asks for a desk.
    fn store_desk(&self, key: Key) {
        let at = self.places[&key];
        let version = Version { desk: self.desks[at].0, version: self.revisions.borrow()[at] };
        let (content, sequence) = (Rc::clone(&self.content), Sequence(version.version));
        let input = Input::Store { key, sequence, value: Whole { content, version } };
        self.keeper.borrow_mut().handle(self.now(), &self.store, input);
    }

    async fn commit_in_groups(&self) {
        loop {
            self.commit_wanted.wait().await;
            if self.commit_wanted.is_over() {
                return;
            }
            let result = self.store.commit().await;
            self.keep(Input::Committed(result));
        }
    }

    async fn keep_up(&self) {
        loop {
            self.upkeep_wanted.wait().await;
            match self.upkeep.take() {
                Some(Output::Measure) => {
                    let result = self.store.measure_space().await;
                    self.keep(Input::Measured(result));
                }
                Some(_) => {
                    let result = self.store.maintain(noon(0)).await;
                    self.keep(Input::Maintained(result));
                }
                None => {}
            }
            if self.upkeep_wanted.is_over() {
                return;
            }
        }
    }

    /// Learns what the manifest has.
    fn hear(&self) {
        let number = self.shared.recorded[usize::from(self.number.0)].load(Ordering::SeqCst);
        if number > self.heard.replace(number) {
            self.keep(Input::EditsDurable(EditNumber(number)));
        }
    }

    /// The one task that writes the manifest, until all shards have ended.
    async fn own_manifest(&self, mut owner: ManifestOwner<Folder>) -> Result<()> {
        loop {
            let over = self.shared.done.load(Ordering::SeqCst) == u64::from(self.load.shards);
            let edits = std::mem::take(&mut *lock(&self.shared.edits));
            if !edits.is_empty() {
                let numbers: Vec<_> = edits.iter().map(|edit| (edit.shard, edit.number)).collect();
                owner.apply(edits).await?;
                for (shard, number) in numbers {
                    self.shared.recorded[usize::from(shard.0)]
                        .fetch_max(number.0, Ordering::SeqCst);
                }
            } else if over {
                return Ok(());
            }
            while owner.unlink_step().await? {
                glommio::executor().yield_if_needed().await;
            }
            Timer::new(MANIFEST_PAUSE).await;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
