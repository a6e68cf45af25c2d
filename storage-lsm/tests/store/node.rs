//! A whole store over the disk in memory, or another one: recovery, the
//! manifest's owner, and `n` shards with their keepers.
//!
//! Records and values of the oracle go by the keepers, as in the server, and only what a
//! keeper calls durable is acknowledged. A test of the store's own calls makes them on
//! [`Node::stores`]; the keepers take that as it comes.

use std::time::Duration;

use desk_keeper::{Input, limits};
use desk_protocol::Time;
use desk_storage_lsm::disk::Disk;
use desk_storage_lsm::file::FileKind;
use desk_storage_lsm::inspect::inspect;
use desk_storage_lsm::memory_disk::{Faults, MemoryDisk, Strike, drive};
use desk_storage_lsm::{
    Key, ManifestOwner, Options, Position, RecoverError, RecoveryReport, Seconds, ShardCount,
    Start, Store, UnixSecond, partition_of, recover,
};

use crate::driver::Driver;
use crate::oracle::Oracle;

/// Steps of a planned stop after which it must have come to its end.
const STOP_STEPS: usize = 1_000;

pub(crate) const NOW: UnixSecond = UnixSecond(1_700_000_000);

pub(crate) fn small() -> Options {
    Options {
        lifetime: Seconds(100_000),
        bucket: Seconds(1000),
        segment_bytes: 32 * 1024,
        log_budget_bytes: 32 * 1024 * 8,
        table_bytes: 48 * 1024,
        disk_reserve_bytes: 0,
        ..Options::default()
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
    /// What drives the keeper of each store.
    pub(crate) drivers: Vec<Driver>,
    lifetime: Duration,
    pub(crate) time: Time,
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
        let drivers = stores.iter().map(|_| Driver::new()).collect();
        let lifetime = Duration::from_secs(options.lifetime.0.into());
        let time = Time::from_unix_seconds(now.0);
        let (disk, report) = (disk.clone(), recovered.report);
        Ok(Self { disk, owner, stores, shards, report, drivers, lifetime, time })
    }

    pub(crate) fn shard_of(&self, key: &Key) -> usize {
        usize::from(partition_of(key).shard(self.shards).0)
    }

    pub(crate) fn store(&self, key: &Key) -> &Store<D> {
        &self.stores[self.shard_of(key)]
    }

    /// Tells the keeper of a key's shard something.
    pub(crate) fn keep<T>(
        &mut self,
        key: &Key,
        tell: impl FnOnce(&mut Driver, Time, &Store<D>, Time) -> T,
    ) -> T {
        let shard = self.shard_of(key);
        let expires_at = Time::from_unix_seconds(u64::from(key.second())) + self.lifetime;
        tell(&mut self.drivers[shard], self.time, &self.stores[shard], expires_at)
    }

    /// Commits what the keepers want to commit. `at_turn` is called in each turn of a
    /// shard, with how far its log is durable.
    pub(crate) fn commit(&mut self, mut at_turn: impl FnMut(usize, Position)) {
        for shard in 0..self.stores.len() {
            self.commit_shard(shard, |_, durable| at_turn(shard, durable));
        }
    }

    /// The same for one shard, whose number `at_turn` knows; it is told how many there are.
    pub(crate) fn commit_shard(
        &mut self,
        shard: usize,
        mut at_turn: impl FnMut(ShardCount, Position),
    ) {
        let (driver, store, shards) = (&mut self.drivers[shard], &self.stores[shard], self.shards);
        self.disk.drive(driver.commit(self.time, store, |durable| at_turn(shards, durable)));
    }

    /// One round of what the keepers want; `false` when something failed.
    pub(crate) fn upkeep(&mut self, now: UnixSecond) -> bool {
        self.pass(limits::UPKEEP_PAUSE, now);
        self.look_after(now);
        !self.has_failed() && self.manifest_round(now)
    }

    /// One round of upkeep, whatever the keepers want; `false` when something failed.
    pub(crate) fn maintain(&mut self, now: UnixSecond) -> bool {
        for store in &self.stores {
            if self.disk.drive(store.maintain(now)).is_err() {
                return false;
            }
        }
        self.manifest_round(now)
    }

    pub(crate) fn manifest_round(&mut self, now: UnixSecond) -> bool {
        let written = self.write_manifest(now);
        if let Err(why) = &written {
            self.tell_all(|| Input::Failed(why.clone()));
        }
        written.is_ok()
    }

    fn write_manifest(&mut self, now: UnixSecond) -> Result<(), String> {
        for (store, driver) in self.stores.iter().zip(&mut self.drivers) {
            let mut edits = std::mem::take(&mut driver.edits);
            // Of calls that a test made on the store.
            edits.extend(store.take_edits());
            let Some(last) = edits.last().map(|edit| edit.number) else { continue };
            self.disk.drive(self.owner.apply(edits)).map_err(|error| error.to_string())?;
            driver.input(self.time, store, Input::EditsDurable(last));
        }
        let news = self.disk.drive(self.owner.tick(now)).map_err(|error| error.to_string())?;
        if let Some(news) = news {
            self.tell_all(|| Input::News(news.clone()));
        }
        self.disk.drive(self.owner.unlink_step()).map_err(|error| error.to_string())?;
        Ok(())
    }

    /// A planned stop with nobody to wait for; `false` if a write failed in it.
    pub(crate) fn shutdown(mut self, now: UnixSecond) -> bool {
        self.tell_all(|| Input::Stop);
        for _ in 0..STOP_STEPS {
            self.tell_all(|| Input::Left { open: 0, unstored: 0 });
            self.pass(limits::STOP_PAUSE, now);
            self.commit(|_, _| {});
            self.look_after(now);
            let written = self.manifest_round(now);
            if self.has_failed() || !written {
                return false;
            }
            if self.drivers.iter().all(Driver::has_stopped) {
                return true;
            }
        }
        panic!("a stop does not end");
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.drivers.iter().any(Driver::has_failed)
    }

    /// Time passes, and each shard has a turn.
    fn pass(&mut self, time: Duration, now: UnixSecond) {
        self.time = (self.time + time).max(Time::from_unix_seconds(now.0));
        for (store, driver) in self.stores.iter().zip(&mut self.drivers) {
            driver.turn(self.time, store);
        }
    }

    fn look_after(&mut self, now: UnixSecond) {
        for (store, driver) in self.stores.iter().zip(&mut self.drivers) {
            self.disk.drive(driver.look_after(self.time, store, now));
        }
    }

    fn tell_all(&mut self, input: impl Fn() -> Input<Vec<u8>>) {
        for (store, driver) in self.stores.iter().zip(&mut self.drivers) {
            driver.input(self.time, store, input());
        }
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
