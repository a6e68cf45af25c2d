//! One keeper over a real store on the disk in memory. Work on the disk is done at
//! once, or held until the test lets it go on.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test file uses its own part"
)]

use std::collections::BTreeMap;
use std::time::Duration;

use desk_keeper::{Input, Keeper, Notice, Output, Pace, Settings, Why, Writable};
use desk_protocol::Time;
use desk_storage_lsm::memory_disk::{Faults, MemoryDisk, Misfortune, drive};
use desk_storage_lsm::*;

pub const START: Time = Time::from_unix_seconds(1_700_000_000);
pub const LIFETIME: Duration = Duration::from_secs(100_000);

pub fn options() -> Options {
    Options {
        lifetime: Seconds(LIFETIME.as_secs() as u32),
        bucket: Seconds(1000),
        segment_bytes: 32 * 1024,
        log_budget_bytes: 32 * 1024 * 8,
        table_bytes: 1 << 20,
        disk_reserve_bytes: 0,
        ..Options::default()
    }
}

pub const SETTINGS: Settings =
    Settings { waiting_bytes_max: 1 << 20, stop_time: Duration::from_secs(8) };

/// A key of so many seconds after the start.
pub fn key_at(second: i64, tail: u64) -> Key {
    let mut bytes = [0; 16];
    let second = START.unix_seconds().wrapping_add_signed(second);
    bytes[..4].copy_from_slice(&(second as u32).to_be_bytes());
    bytes[8..].copy_from_slice(&tail.to_le_bytes());
    Key::new(bytes)
}

pub fn key(tail: u64) -> Key {
    key_at(0, tail)
}

/// What the core was told.
#[derive(Default)]
pub struct Told {
    pub durable: Position,
    pub writable: Vec<Writable>,
    pub stored: Vec<(Key, Sequence)>,
    pub unstorable: Vec<Key>,
    pub asked: Vec<(Vec<Key>, Pace)>,
    pub notices: Vec<Notice>,
    pub failures: Vec<String>,
    pub drained: usize,
    pub stopped: usize,
    /// Calls of the store that were asked for.
    pub work: Vec<&'static str>,
}

pub struct House {
    pub disk: MemoryDisk,
    pub store: Store<MemoryDisk>,
    pub owner: ManifestOwner<MemoryDisk>,
    pub keeper: Keeper<Vec<u8>>,
    pub now: Time,
    pub told: Told,
    /// The newest position that was handed over.
    pub position: Position,
    /// The newest sequence of each key.
    pub sequences: BTreeMap<Key, u64>,
    /// Whether the disk answers; else its work is held.
    pub disk_answers: bool,
    held: Vec<Output>,
    /// Whether what is asked for is stored, with values of so many bytes.
    pub stores: Option<usize>,
}

impl House {
    pub fn new() -> Self {
        Self::with(options(), SETTINGS)
    }

    pub fn with(options: Options, settings: Settings) -> Self {
        Self::on(&MemoryDisk::with_seed(1), options, settings, START)
    }

    pub fn on(disk: &MemoryDisk, options: Options, settings: Settings, now: Time) -> Self {
        let start = Start {
            now: UnixSecond(now.unix_seconds()),
            shards: ShardCount::new(1).unwrap(),
            accept_clock: false,
            fresh_store_id: [9; 16],
        };
        let mut recovered = drive(recover(disk, &options, start)).unwrap();
        assert!(recovered.report.is_sound(), "{:?}", recovered.report);
        let store = drive(Store::open(disk.clone(), recovered.seeds.remove(0))).unwrap();
        let owner = drive(ManifestOwner::open(disk.clone(), recovered.manifest)).unwrap();
        let mut house = Self {
            disk: disk.clone(),
            store,
            owner,
            keeper: Keeper::new(settings),
            now,
            told: Told::default(),
            position: Position(0),
            sequences: BTreeMap::new(),
            disk_answers: true,
            held: Vec::new(),
            stores: None,
        };
        house.turn();
        house
    }

    pub fn input(&mut self, input: Input<Vec<u8>>) {
        self.keeper.handle(self.now, &self.store, input);
        self.turn();
    }

    /// Appends a record of so many bytes to a key; its place in the log.
    pub fn append(&mut self, key: Key, bytes: usize) -> Position {
        let expires_at = Time::from_unix_seconds(u64::from(key.second())) + LIFETIME;
        self.append_until(key, bytes, expires_at)
    }

    pub fn append_until(&mut self, key: Key, bytes: usize, expires_at: Time) -> Position {
        self.position.0 += 1;
        let sequence = self.sequences.entry(key).or_default();
        *sequence += 1;
        let sequence = Sequence(*sequence);
        let entry = record(key, sequence.0, bytes);
        let position = self.position;
        self.input(Input::Append { position, key, sequence, expires_at, entry });
        position
    }

    pub fn store(&mut self, key: Key, bytes: usize) {
        let sequence = Sequence(self.sequences[&key]);
        self.input(Input::Store { key, sequence, value: vec![sequence.0 as u8; bytes] });
    }

    /// Does all that is to be done now.
    pub fn turn(&mut self) {
        while let Some(output) = self.keeper.poll_output() {
            self.carry_out(output);
        }
    }

    fn carry_out(&mut self, output: Output) {
        let told = &mut self.told;
        match output {
            Output::Commit | Output::Maintain | Output::Measure | Output::Seal => {
                self.told.work.push(match output {
                    Output::Commit => "commit",
                    Output::Maintain => "maintain",
                    Output::Measure => "measure",
                    _ => "seal",
                });
                self.held.push(output);
                if self.disk_answers {
                    self.work();
                }
            }
            Output::Edits(edits) => {
                let last = edits.last().unwrap().number;
                let input = match drive(self.owner.apply(edits)) {
                    Ok(()) => Input::EditsDurable(last),
                    Err(error) => Input::Failed(error.to_string()),
                };
                self.keeper.handle(self.now, &self.store, input);
            }
            Output::Durable(position) => {
                assert!(position > told.durable, "the log never goes back");
                told.durable = position;
            }
            Output::Writable(writable) => told.writable.push(writable),
            Output::Stored { key, sequence } => told.stored.push((key, sequence)),
            Output::Unstorable { key, .. } => told.unstorable.push(key),
            Output::Ask { keys, pace } => {
                told.asked.push((keys.clone(), pace));
                if let Some(bytes) = self.stores {
                    for key in keys {
                        let sequence = Sequence(self.sequences[&key]);
                        let value = vec![sequence.0 as u8; bytes];
                        let input = Input::Store { key, sequence, value };
                        self.keeper.handle(self.now, &self.store, input);
                    }
                }
            }
            Output::Notice(notice) => told.notices.push(notice),
            Output::Failed(why) => told.failures.push(why),
            Output::Drain => told.drained += 1,
            Output::Stopped => told.stopped += 1,
        }
    }

    /// The disk does what it was asked for, in order.
    pub fn work(&mut self) {
        for output in std::mem::take(&mut self.held) {
            let second = UnixSecond(self.now.unix_seconds());
            let input = match output {
                Output::Commit => Input::Committed(drive(self.store.commit())),
                Output::Maintain => Input::Maintained(drive(self.store.maintain(second))),
                Output::Measure => Input::Measured(drive(self.store.measure_space())),
                Output::Seal => Input::Sealed(drive(self.store.shutdown())),
                other => panic!("{other:?} is no work"),
            };
            self.input(input);
        }
    }

    /// The disk answers again, and does what it held back.
    pub fn wake_disk(&mut self) {
        self.disk_answers = true;
        self.work();
    }

    /// Time passes, and what is due is done.
    pub fn advance(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some((at, why)) = self.keeper.poll_timeout().filter(|(at, _)| *at <= until) {
            assert!(!why.is_empty());
            self.now = self.now.max(at);
            self.keeper.handle_timeout(self.now, &self.store);
            self.turn();
        }
        self.now = until;
        self.tick();
    }

    /// The manifest's owner looks at the clock.
    pub fn tick(&mut self) {
        let second = UnixSecond(self.now.unix_seconds());
        if let Ok(Some(news)) = drive(self.owner.tick(second)) {
            self.input(Input::News(news));
        }
    }

    pub fn strike(&self, misfortune: Misfortune) {
        let at = vec![(self.disk.accesses(), misfortune)];
        self.disk.set_faults(Faults { at, capacity_bytes: None });
    }

    /// So many bytes are free from now on.
    pub fn leave_free(&self, bytes: u64) {
        let names = drive(desk_storage_lsm::disk::Disk::list(&self.disk)).unwrap();
        let used: usize = names.iter().filter_map(|n| self.disk.contents(n)).map(|c| c.len()).sum();
        let capacity_bytes = Some(used as u64 + bytes);
        self.disk.set_faults(Faults { at: Vec::new(), capacity_bytes });
    }

    pub fn writable(&self) -> Writable {
        let told = self.told.writable.last().copied().unwrap_or_default();
        assert_eq!(told, self.keeper.writable(), "what is said is what holds");
        told
    }

    /// Power fails; another process starts on what the disk kept.
    pub fn crash(self, options: Options) -> Self {
        self.disk.set_faults(Faults::default());
        self.disk.crash();
        self.disk.restart();
        let (disk, now, sequences) = (self.disk.clone(), self.now, self.sequences.clone());
        drop(self);
        let mut next = Self::on(&disk, options, SETTINGS, now);
        next.sequences = sequences;
        next
    }

    /// The sequences of a key that a start has found, in order: the value's, and those
    /// of the records after it.
    pub fn has(&self, key: Key) -> Vec<u64> {
        let second = UnixSecond(self.now.unix_seconds());
        let Some(stored) = drive(self.store.get(&key, second)).unwrap() else { return Vec::new() };
        let snapshot = stored.snapshot.iter().map(|snapshot| snapshot.sequence.0);
        let records = stored.records.iter().map(|record| record.sequence.0);
        snapshot.chain(records).collect()
    }
}

pub fn record(key: Key, sequence: u64, bytes: usize) -> Vec<u8> {
    vec![key.bytes()[8] ^ sequence as u8; bytes]
}

pub fn no(why: Why) -> Writable {
    Writable::No(why)
}
