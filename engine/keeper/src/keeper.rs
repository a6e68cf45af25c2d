//! The keeper: input, output, deadlines.

use std::collections::VecDeque;

use desk_protocol::Time;
use desk_storage_lsm::disk::Disk;
use desk_storage_lsm::{PressureLevel, Progress, Store, StoreError};

use crate::io::{Deadline, Input, KeeperStats, Notice, Output, Pace, Settings};
use crate::limits::{PRESSURE_KEYS, SPACE_TIME, STOP_PAUSE, UPKEEP_PAUSE};
use crate::log::{Entry, Log, Offered, What};
use crate::stop::{Left, Stop};
use crate::upkeep::{Upkeep, Work};
use crate::values::{Put, Value, Values};
use crate::{Why, Writable};

/// Decides what becomes of one shard's records and values. `V` is a value's bytes.
///
/// Four kinds of calls drive it: [`Keeper::handle`] takes what happened,
/// [`Keeper::poll_output`] gives what is to be done, in order, and
/// [`Keeper::handle_timeout`] is called when [`Keeper::poll_timeout`] is due. The
/// store is always the same one.
#[derive(Debug)]
pub struct Keeper<V> {
    settings: Settings,
    log: Log,
    values: Values<V>,
    writable: Writable,
    failed: bool,
    stop: Stop,
    upkeep: Upkeep,
    is_committing: bool,
    /// When the free space was last looked at.
    measured_at: Time,
    outputs: VecDeque<Output>,
    stats: KeeperStats,
}

impl<V: AsRef<[u8]>> Keeper<V> {
    /// A keeper for a store that was just opened.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let mut upkeep = Upkeep::default();
        upkeep.want(Work::Maintain);
        upkeep.begin();
        Self {
            settings,
            log: Log::default(),
            values: Values::default(),
            writable: Writable::Yes,
            failed: false,
            stop: Stop::No,
            upkeep,
            is_committing: false,
            measured_at: Time(0),
            // The first upkeep makes the log's segments.
            outputs: VecDeque::from([Output::Maintain]),
            stats: KeeperStats::default(),
        }
    }

    /// Takes an input.
    ///
    /// # Panics
    /// If the log refuses a record that it can never take, or counts other records
    /// than the core: the core bounds its records and numbers them one by one.
    pub fn handle<D: Disk>(&mut self, now: Time, store: &Store<D>, input: Input<V>) {
        match input {
            Input::Append { position, key, sequence, expires_at, entry } => {
                let what = What::Record { sequence, bytes: entry };
                self.append(now, store, Entry { position, key, expires_at, what });
            }
            Input::Forget { position, key, expires_at } => {
                let entry = Entry { position, key, expires_at, what: What::Forget };
                self.append(now, store, entry);
            }
            Input::Store { key, sequence, value } => {
                let waits = self.values.len() > 0;
                self.values.push(Value { key, sequence, bytes: value });
                if !waits {
                    self.put(store);
                }
                self.want_upkeep();
            }
            Input::Committed(result) => {
                self.is_committing = false;
                self.check(result);
                self.after_commit(now, store);
            }
            Input::Maintained(result) => {
                self.upkeep.done();
                let progress = self.check(result);
                self.after_upkeep(now, store, progress);
            }
            Input::Measured(result) => {
                self.upkeep.done();
                self.measured_at = now;
                self.check(result);
                self.look_around(now, store);
            }
            Input::Sealed(result) => {
                self.upkeep.done();
                self.check(result);
                self.take_edits(store);
                self.look_around(now, store);
                self.stopped();
            }
            Input::EditsDurable(number) => {
                store.edits_durable(number);
                self.want_upkeep();
                self.look_around(now, store);
            }
            Input::News(news) => {
                store.apply_news(&news);
                self.want_upkeep();
                self.look_around(now, store);
            }
            Input::Failed(why) => {
                self.fail(why);
                self.judge(store);
            }
            Input::Stop => self.begin_stop(now, store),
            Input::Left { open, unstored } => self.stop.tell(Left { open, unstored }),
        }
        self.go_on(now, store);
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Keeper::handle_timeout`] is due, and what for.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Deadline> {
        self.upkeep.deadline()
    }

    /// Does what is due.
    pub fn handle_timeout<D: Disk>(&mut self, now: Time, store: &Store<D>) {
        if self.upkeep.take_due(now) {
            self.want_upkeep();
        }
        self.go_on(now, store);
    }

    /// Whether changes are taken, and why not.
    #[must_use]
    pub const fn writable(&self) -> Writable {
        self.writable
    }

    /// Totals, and how things stand.
    #[must_use]
    pub fn stats(&self) -> KeeperStats {
        KeeperStats {
            waiting_records: self.log.records(),
            waiting_bytes: self.log.bytes(),
            backlog: self.log.backlog(),
            waiting_values: self.values.len(),
            ..self.stats
        }
    }

    fn append<D: Disk>(&mut self, now: Time, store: &Store<D>, entry: Entry) {
        if self.failed {
            // It will never be durable, and nobody is told that it is.
            return;
        }
        let (key, bytes) = (entry.key, entry.payload_bytes());
        let offered = self.log.append(now, store, entry);
        let waits = offered.is_none_or(|offered| !self.offered(key, bytes, offered));
        if waits || self.log.is_behind(self.settings.waiting_bytes_max) {
            self.judge(store);
        }
    }

    /// Counts what came of a record; says whether it went.
    fn offered(&mut self, key: desk_storage_lsm::Key, bytes: usize, offered: Offered) -> bool {
        match offered {
            Offered::Taken => {
                self.stats.appends += 1;
                self.stats.appended_bytes += bytes as u64;
                true
            }
            Offered::Outlived => {
                self.outputs.push_back(Output::Notice(Notice::RecordOutlived(key)));
                true
            }
            Offered::Waits(error) => {
                self.stats.refusals += 1;
                self.outputs.push_back(Output::Notice(Notice::Refused(error)));
                self.want_upkeep();
                false
            }
        }
    }

    /// Offers the refused records again, in their order.
    fn append_backlog<D: Disk>(&mut self, now: Time, store: &Store<D>) {
        while let Some((key, bytes, offered)) = self.log.offer_again(now, store) {
            if matches!(offered, Offered::Waits(_)) {
                return;
            }
            self.offered(key, bytes, offered);
        }
    }

    /// Gives waiting values to the store until it has no room.
    fn put<D: Disk>(&mut self, store: &Store<D>) {
        while let Some((value, put)) = self.values.offer(store) {
            let Value { key, sequence, bytes } = value;
            match put {
                Put::Taken => {
                    self.stats.values += 1;
                    self.stats.value_bytes += bytes.as_ref().len() as u64;
                }
                Put::Outlived => {
                    self.outputs.push_back(Output::Notice(Notice::ValueOutlived(key)));
                }
                Put::Never(why) => {
                    self.stats.unstorable += 1;
                    self.outputs.push_back(Output::Unstorable { key, sequence, why });
                    continue;
                }
            }
            self.outputs.push_back(Output::Stored { key, sequence });
        }
    }

    /// A commit may have used up a segment, or the reserve.
    fn after_commit<D: Disk>(&mut self, now: Time, store: &Store<D>) {
        if store.pressure().level > PressureLevel::Low || store.wants_maintenance() {
            self.want_upkeep();
        }
        self.look_around(now, store);
    }

    fn after_upkeep<D: Disk>(&mut self, now: Time, store: &Store<D>, progress: Option<Progress>) {
        self.measured_at = now;
        self.take_edits(store);
        self.put(store);
        self.look_around(now, store);
        let is_pressed = self.ask(store);
        let is_busy = is_pressed
            || progress == Some(Progress::More)
            || self.values.len() > 0
            || self.log.backlog() > 0;
        if self.stop.is_storing() {
            self.upkeep.rest_until(now + STOP_PAUSE, "the stop waits for what is under way");
        } else if is_busy {
            self.upkeep.rest_until(now + UPKEEP_PAUSE, "upkeep goes on");
        }
    }

    /// Asks for what holds the log back; says whether there is any. A stop stores
    /// what it stores by itself.
    fn ask<D: Disk>(&mut self, store: &Store<D>) -> bool {
        let level = store.pressure().level;
        if level == PressureLevel::Low || !self.stop.is_no() || self.failed {
            return false;
        }
        if self.values.len() > 0 {
            return true;
        }
        let keys = store.holding_keys(PRESSURE_KEYS);
        if keys.is_empty() {
            return false;
        }
        let pace = if level >= PressureLevel::Urgent { Pace::Urgent } else { Pace::Calm };
        self.outputs.push_back(Output::Ask { keys, pace });
        true
    }

    fn take_edits<D: Disk>(&mut self, store: &Store<D>) {
        let edits = store.take_edits();
        if !edits.is_empty() {
            self.outputs.push_back(Output::Edits(edits));
        }
    }

    /// There may be room again, or none.
    fn look_around<D: Disk>(&mut self, now: Time, store: &Store<D>) {
        if !self.failed {
            self.append_backlog(now, store);
            self.report_durable(store);
        }
        self.judge(store);
    }

    /// Nothing is durable in a folder that is gone: a look at it that is under way is
    /// waited for.
    fn report_durable<D: Disk>(&mut self, store: &Store<D>) -> bool {
        if self.upkeep.is_measuring() {
            return false;
        }
        let reached = self.log.advance(store.durable());
        self.outputs.extend(reached.map(Output::Durable));
        reached.is_some()
    }

    /// Decides whether changes are taken.
    ///
    /// They are refused as soon as the log's last segment is in use, not when it is
    /// full: what was accepted before has to fit, since a desk can be stored, which
    /// frees segments, only when all its records are durable. They are refused as well
    /// while the disk is full up to the reserve, from which what was accepted before
    /// is stored; and while more waits for the disk than may be in memory.
    fn judge<D: Disk>(&mut self, store: &Store<D>) {
        let why = if self.failed {
            Some(Why::Poisoned)
        } else if !self.stop.is_no() {
            Some(Why::Draining)
        } else if store.pressure().level == PressureLevel::Full {
            Some(Why::LogFull)
        } else if store.is_below_reserve() {
            Some(Why::BelowReserve)
        } else if self.log.is_behind(self.settings.waiting_bytes_max) {
            Some(Why::Behind)
        } else if self.log.backlog() > 0 {
            Some(Why::Backlog)
        } else {
            None
        };
        let writable = why.map_or(Writable::Yes, Writable::No);
        if writable != self.writable {
            self.writable = writable;
            self.outputs.push_back(Output::Writable(writable));
        }
    }

    /// The answer, unless it says that a write failed.
    fn check<T>(&mut self, result: Result<T, StoreError>) -> Option<T> {
        match result {
            Ok(answer) => Some(answer),
            Err(StoreError::Busy) => panic!("one call of a kind is under way at a time"),
            Err(error @ StoreError::Poisoned(_)) => {
                self.fail(error.to_string());
                None
            }
        }
    }

    /// Nothing is acknowledged any more; a restart reads what is on the disk.
    fn fail(&mut self, why: String) {
        if !std::mem::replace(&mut self.failed, true) {
            self.log.clear();
            self.outputs.push_back(Output::Failed(why));
        }
    }

    fn begin_stop<D: Disk>(&mut self, now: Time, store: &Store<D>) {
        if self.stop.is_no() {
            self.stop.begin(now, self.settings.stop_time);
            self.outputs.push_back(Output::Drain);
            self.judge(store);
            self.want_upkeep();
        }
    }

    fn stopped(&mut self) {
        self.stop = Stop::Done;
        self.outputs.push_back(Output::Stopped);
    }

    fn want_upkeep(&mut self) {
        self.upkeep.want(Work::Maintain);
    }

    /// Begins what is wanted and can be done now.
    fn go_on<D: Disk>(&mut self, now: Time, store: &Store<D>) {
        if !self.failed && self.report_durable(store) && self.writable == Writable::No(Why::Behind)
        {
            self.judge(store);
        }
        if self.failed {
            // Only the stop goes on: there is nothing to store.
            if self.stop.is_storing() && self.stop.has_left() {
                self.stopped();
            }
            return;
        }
        let is_written = !self.is_committing && self.log.is_empty() && !store.has_uncommitted();
        if is_written && !self.upkeep.is_under_way() && self.stop.may_seal(now) {
            self.stop = Stop::Sealing;
            self.upkeep.want(Work::Seal);
        }
        if self.stop.writes() && !self.is_committing && store.has_uncommitted() {
            self.is_committing = true;
            if self.measured_at + SPACE_TIME <= now {
                // Somebody else may fill the disk, or put another folder in its place.
                self.upkeep.want(Work::Measure);
            }
            self.outputs.push_back(Output::Commit);
        }
        if self.stop == Stop::Done {
            return;
        }
        if !self.writable.is_yes() && self.upkeep.is_idle() {
            // However it began, only upkeep finds out that it is over.
            self.upkeep.rest_until(now + UPKEEP_PAUSE, "changes are refused");
        }
        if let Some(work) = self.upkeep.begin() {
            self.outputs.push_back(match work {
                Work::Measure => Output::Measure,
                Work::Maintain => Output::Maintain,
                Work::Seal => Output::Seal,
            });
        }
    }
}
