//! A story that does everything a store does: two runs' worth of segments that
//! are changed and recycled, tables made, sealed and compacted, deletions,
//! other numbers of shards, and buckets that expire and are unlinked. It is
//! told again and again, with another misfortune each time.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use desk_storage_lsm::limits::BLOCK_BYTES;
use desk_storage_lsm::memory_disk::{MemoryDisk, Misfortune, Strike};
use desk_storage_lsm::{Key, Options, Seconds, StoreCounters, UnixSecond};

use crate::driver::Driver;
use crate::node::{Chance, NOW, Node, Stage, key_at, small};
use crate::oracle::Oracle;

/// How a phase ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ending {
    /// As planned: everything is committed and tables are sealed.
    Shutdown,
    /// The process dies; what it wrote and did not sync stays, for now.
    Kill,
    /// Power goes.
    PowerCut,
}

/// A run of the server.
#[derive(Clone, Copy, Debug)]
struct Phase {
    /// When it begins, in seconds after `NOW`.
    at: u64,
    shards: u16,
    steps: u64,
    ending: Ending,
}

/// A desk lives for longer than a day, since compaction leaves a bucket alone
/// in its last one; no phase is further from the one before than the guard
/// against a jumping clock allows.
const PHASES: [Phase; 6] = [
    Phase { at: 0, shards: 2, steps: 110, ending: Ending::Kill },
    Phase { at: 1_100, shards: 1, steps: 90, ending: Ending::PowerCut },
    Phase { at: 2_200, shards: 3, steps: 60, ending: Ending::Shutdown },
    Phase { at: 80_000, shards: 2, steps: 50, ending: Ending::Kill },
    Phase { at: 160_000, shards: 1, steps: 50, ending: Ending::PowerCut },
    Phase { at: 160_020, shards: 3, steps: 30, ending: Ending::Shutdown },
];

/// Where the batches of a segment begin, in bytes.
const DATA_START: u64 = 2 * BLOCK_BYTES as u64;

/// Keys that each phase adds.
const KEYS_PER_PHASE: u64 = 7;

/// Whether this is the long run.
pub(crate) fn is_full_sweep() -> bool {
    std::env::var("SWEEP").is_ok_and(|extent| extent == "full")
}

pub(crate) fn options() -> Options {
    Options { lifetime: Seconds(100_000), table_bytes: 40 * 1024, ..small() }
}

/// What the disk may do to the story, and what must hold all the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mood {
    /// Nothing goes wrong, or power fails and the story ends there.
    Power,
    /// An access fails and says so: the process is restarted, and nothing that
    /// was acknowledged is lost.
    Told,
    /// An access lies: what is lost is named, and what is read is right.
    Lie,
}

/// What a story did, added up over its phases.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Deeds {
    pub(crate) counters: StoreCounters,
    pub(crate) files_removed: u64,
    pub(crate) deletions: u64,
}

impl Deeds {
    pub(crate) fn cover_the_life_of_a_store(&self) {
        let Self { counters, files_removed, deletions } = self;
        let made = counters.segments_made * options().segment_bytes;
        assert!(counters.log_bytes > made, "segments are recycled");
        assert!(counters.tables_made >= 6 && counters.compacted_bytes > 0 && *deletions > 0);
        assert!(*files_removed > 0, "files are unlinked");
    }
}

/// The story, told with one seed.
pub(crate) struct Story<'a, D: Stage = MemoryDisk> {
    disk: &'a D,
    pub(crate) oracle: Oracle,
    chance: Chance,
    pub(crate) mood: Mood,
    /// When it is now.
    pub(crate) now: UnixSecond,
    keys: Vec<Key>,
    pub(crate) deeds: Deeds,
    /// What each shard of the newest phase wrote to its log, oldest first.
    written: BTreeMap<usize, Vec<Written>>,
}

/// A batch of a log.
pub(crate) struct Written {
    file: String,
    /// Where it lies, in bytes.
    place: Range<u64>,
    /// The accesses of the commit that wrote it, and a segment's header maybe.
    accesses: Range<u64>,
    /// The keys that it has records of.
    keys: BTreeSet<Key>,
}

impl Written {
    pub(crate) fn overlaps(&self, file: &str, place: &Range<u64>) -> bool {
        self.file == file && self.place.start < place.end && place.start < self.place.end
    }

    /// Whether it did not arrive as it was, or another write landed on it.
    fn is_struck(&self, strike: &Strike) -> bool {
        let begins_at = |at| strike.file == self.file && at == self.place.start;
        // The second header of a segment lies in front of the first batch, and
        // both are under way at once.
        let pushed = strike.misfortune == Misfortune::Misdirected
            && begins_at(strike.at + BLOCK_BYTES as u64);
        let own = self.accesses.contains(&strike.access) && (begins_at(strike.at) || pushed);
        let later = strike.access >= self.accesses.end;
        let landed = strike.landed.as_ref();
        own || later
            && landed.is_some_and(|(file, at, bytes)| self.overlaps(file, &(*at..at + bytes)))
    }
}

impl<'a, D: Stage> Story<'a, D> {
    pub(crate) fn new(disk: &'a D, seed: u64, mood: Mood) -> Self {
        Self {
            disk,
            oracle: Oracle::default(),
            chance: Chance(seed),
            mood,
            now: NOW,
            keys: Vec::new(),
            deeds: Deeds::default(),
            written: BTreeMap::new(),
        }
    }

    /// Tells it. It ends early when power is gone.
    pub(crate) fn play(&mut self) {
        self.play_until(PHASES.len());
    }

    /// Tells its first phases.
    pub(crate) fn play_until(&mut self, phases: usize) {
        for phase in PHASES.into_iter().take(phases) {
            self.now = UnixSecond(NOW.0 + phase.at);
            let second = self.now.0;
            self.keys.extend((0..KEYS_PER_PHASE).map(|tail| key_at(second, tail)));
            self.disk.remember(self.now, &self.oracle);
            self.live_through(phase);
            if !self.disk.is_up() {
                return;
            }
        }
    }

    fn live_through(&mut self, phase: Phase) {
        let Some(mut node) = self.start(phase.shards) else { return };
        self.written.clear();
        for _ in 0..phase.steps {
            let goes_on = self.step(&mut node);
            self.disk.remember(self.now, &self.oracle);
            if !goes_on {
                break;
            }
        }
        self.account(&node);
        if !self.disk.is_up() {
            return;
        }
        let failed = node.has_failed();
        match phase.ending {
            Ending::Shutdown if !failed => {
                // Here and not by the stop, so that its batches are known.
                self.commit(&mut node);
                let stopped = node.shutdown(self.now);
                assert!(stopped || self.mood != Mood::Power || !self.disk.is_up());
                if self.disk.is_up() {
                    self.disk.restart();
                }
            }
            Ending::Kill => self.disk.restart(),
            Ending::Shutdown | Ending::PowerCut => {
                self.disk.crash();
                self.disk.restart();
            }
        }
    }

    /// Starts the server and checks what it has. An access that fails with the
    /// machine up has its second try.
    fn start(&mut self, shards: u16) -> Option<Node<D>> {
        self.oracle.restart();
        let mut started = Node::start(self.disk, options(), self.now, shards);
        if !self.disk.is_up() {
            return None;
        }
        if started.is_err() && self.mood != Mood::Power {
            started = Node::start(self.disk, options(), self.now, shards);
        }
        let node = match started {
            Ok(node) => node,
            // Refusing to open says enough, if the disk has lied.
            Err(_) if self.mood == Mood::Lie => {
                self.disk.crash();
                return None;
            }
            Err(error) => panic!("the store does not open: {error}"),
        };
        self.check(&node);
        self.disk.remember(self.now, &self.oracle);
        self.disk.is_up().then_some(node)
    }

    /// The store opens, with other numbers of shards, and has what it must.
    pub(crate) fn opens_with_everything(&mut self) {
        for shards in [2, 1] {
            self.oracle.restart();
            if self.mood == Mood::Power {
                self.disk.inspect_finds_no_damage();
            }
            let node = Node::start(self.disk, options(), self.now, shards)
                .unwrap_or_else(|error| panic!("the store does not open: {error}"));
            self.check(&node);
            self.disk.crash();
            self.disk.restart();
        }
    }

    pub(crate) fn check(&mut self, node: &Node<D>) {
        if self.mood == Mood::Lie {
            let strikes = self.disk.strikes();
            let excused = self.unproven(|batch| strikes.iter().any(|it| batch.is_struck(it)));
            self.oracle.check_after_a_lie(node, self.now, &excused);
        } else {
            assert!(node.report.is_sound(), "{:?}", node.report);
            self.oracle.check(node, self.now);
        }
    }

    /// The keys of each log's newest batches, back to the first that is not
    /// `struck`. A fault in the very last batch of a log cannot be told from a
    /// write that a crash interrupted, and where one write went over several,
    /// nothing after them proves that they were there either.
    pub(crate) fn unproven(&self, struck: impl Fn(&Written) -> bool) -> BTreeSet<Key> {
        let tail = |log: &Vec<Written>| {
            let struck = log.iter().rev().take_while(|batch| struck(batch));
            struck.flat_map(|batch| batch.keys.iter().copied()).collect::<Vec<Key>>()
        };
        self.written.values().flat_map(tail).collect()
    }

    /// One step; `false` when the run is over before its time.
    fn step(&mut self, node: &mut Node<D>) -> bool {
        let key = self.any_key();
        match self.chance.below(20) {
            0..=6 => {
                for _ in 0..=self.chance.below(6) {
                    self.oracle.append(node, key);
                }
            }
            7..=11 => self.commit(node),
            12..=15 => self.oracle.put(node, key),
            16 if self.chance.below(2) == 0 => {
                self.oracle.delete(node, key);
                self.deeds.deletions += 1;
            }
            17 => {
                let asked = node.drivers.iter_mut().flat_map(Driver::take_asked);
                let wanted: Vec<Key> = asked
                    .chain(node.stores.iter().flat_map(|store| store.holding_keys(4)))
                    .collect();
                for key in wanted {
                    assert!(self.oracle.keys.contains_key(&key), "{key:?} is unknown");
                    self.oracle.put(node, key);
                }
            }
            _ => {
                let doomed = node.owner.doomed() as u64;
                if !node.upkeep(self.now) {
                    return false;
                }
                let left = node.owner.doomed() as u64;
                self.deeds.files_removed += doomed.saturating_sub(left);
            }
        }
        self.disk.is_up() && node.stores.iter().all(|store| store.poisoned().is_none())
    }

    fn commit(&mut self, node: &mut Node<D>) {
        for shard in 0..node.stores.len() {
            let (accesses, before) = (self.disk.accesses(), node.stores[shard].counters());
            let keys = self.oracle.uncommitted(node, shard);
            let (disk, now, oracle) = (self.disk, self.now, &mut self.oracle);
            node.commit_shard(shard, |shards, durable| {
                oracle.acknowledge_up_to(shards, shard, durable);
                disk.remember(now, oracle);
            });
            let store = &node.stores[shard];
            let failed = node.drivers[shard].has_failed();
            assert!(!failed || store.poisoned().is_some() || !self.disk.is_up());
            let after = store.counters();
            if self.mood == Mood::Lie && after.batches > before.batches {
                let (file, mut from, mut bytes) = self.disk.last_write().expect("a batch");
                if from < DATA_START {
                    // A header goes with the first batch of a segment. Of a
                    // commit of several batches the last one counts; this is
                    // longer than it by the others then.
                    (from, bytes) = (DATA_START, after.log_bytes - before.log_bytes - bytes);
                }
                let (place, accesses) = (from..from + bytes, accesses..self.disk.accesses());
                let batch = Written { file, place, accesses, keys };
                self.written.entry(shard).or_default().push(batch);
            }
        }
    }

    /// A key that has not expired, of this phase most of the time.
    fn any_key(&mut self) -> Key {
        let lifetime = u64::from(options().lifetime.0);
        let alive = |key: &Key| u64::from(key.second()) + lifetime > self.now.0;
        let first = self.keys.iter().position(alive).expect("this phase's keys are alive");
        let newest = self.keys.len() - KEYS_PER_PHASE as usize;
        let from = if self.chance.below(4) == 0 { first } else { newest };
        self.keys[from + self.chance.below((self.keys.len() - from) as u64) as usize]
    }

    fn account(&mut self, node: &Node<D>) {
        let all = &mut self.deeds.counters;
        for store in &node.stores {
            let counters = store.counters();
            all.batches += counters.batches;
            all.log_bytes += counters.log_bytes;
            all.table_bytes += counters.table_bytes;
            all.compacted_bytes += counters.compacted_bytes;
            all.segments_made += counters.segments_made;
            all.tables_made += counters.tables_made;
        }
    }
}
