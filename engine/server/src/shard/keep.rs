//! The driver of the shard's [`desk_keeper::Keeper`]: what the keeper says is done
//! here. The keeper decides, and this knows the executor.

use std::rc::Rc;
use std::time::Duration;

use desk_engine_core::{Input, Lifetime, StorePace, StoredRecord};
use desk_keeper::{self as keeper, Notice, Pace, Why, Writable};
use desk_protocol::LinkId;
use desk_storage_lsm::{Key, PressureLevel, UnixSecond};

use super::manifest::OWNER;
use super::{Guests, Kept, Message, Shell, guarded};
use crate::limits::WRITE_HANGS_TIME;
use crate::log::LinkHash;
use crate::net::readiness;
use crate::{clock, snapshot};

/// The store's key of a link.
pub(super) fn key_of(link: LinkId) -> Key {
    Key::new(link.to_bytes())
}

fn link_of(key: &Key) -> LinkId {
    LinkId::from_bytes(*key.bytes())
}

impl Shell {
    /// The second that the store goes by.
    pub(super) fn second(&self) -> UnixSecond {
        UnixSecond(self.clock.now().unix_seconds())
    }

    /// Tells the keeper something and does what it says.
    pub(super) fn keep(self: &Rc<Self>, input: Kept) {
        let now = self.clock.now();
        guarded(|| self.keeper.borrow_mut().handle(now, &self.store, input));
        self.follow_keeper();
    }

    /// Gives the store a record, which it writes by and by.
    pub(super) fn store(self: &Rc<Self>, link: LinkId, sequence: u64, record: &StoredRecord) {
        let (key, sequence) = (key_of(link), desk_storage_lsm::Sequence(sequence));
        self.keep(Kept::Store { key, sequence, value: snapshot::write(record) });
    }

    /// Lets the keeper act on what is due.
    pub(super) fn keep_time(self: &Rc<Self>) {
        let now = self.clock.now();
        guarded(|| {
            let mut keeper = self.keeper.borrow_mut();
            if keeper.poll_timeout().is_some_and(|(at, _)| at <= now) {
                keeper.handle_timeout(now, &self.store);
            }
        });
        self.follow_keeper();
    }

    /// Does what the keeper says, in its order.
    fn follow_keeper(self: &Rc<Self>) {
        use keeper::Output;
        loop {
            let output = self.keeper.borrow_mut().poll_output();
            let Some(output) = output else { return };
            match output {
                Output::Commit => self.commit_wanted.set(),
                Output::Maintain | Output::Measure | Output::Seal => {
                    self.upkeep.set(Some(output));
                    self.upkeep_wanted.set();
                }
                Output::Edits(edits) => self.send(OWNER, Message::Edits(edits)),
                Output::Stopped => self.send(OWNER, Message::Stopped),
                Output::Durable(position) => match &self.units {
                    None => {
                        let position = desk_engine_core::LogPosition(position.0);
                        self.tell(Input::Durable { position });
                    }
                    // The core goes by the streams.
                    Some(units) => units.stored(position),
                },
                Output::Stored { key, sequence } => {
                    self.tell(Input::Stored { key: link_of(&key), sequence: sequence.0 });
                }
                Output::Unstorable { key, sequence, why } => {
                    let key = link_of(&key);
                    tracing::error!(desk = %LinkHash(key), %why, "a desk cannot be stored");
                    self.tell(Input::Unstorable { key, sequence: sequence.0 });
                }
                Output::Ask { keys, pace } => {
                    let keys = keys.iter().map(link_of).collect();
                    let pace = match pace {
                        Pace::Calm => StorePace::Calm,
                        Pace::Urgent => StorePace::Urgent,
                    };
                    self.tell(Input::Pressure { keys, pace });
                }
                Output::Writable(_) => self.judge_changes(),
                Output::Drain => {
                    self.draining.set(true);
                    self.stop_flags.borrow().iter().for_each(|flag| flag.set());
                    self.tell(Input::Drain);
                }
                Output::Failed(why) => {
                    tracing::error!(
                        shard = self.index,
                        why,
                        "the store failed; restart the server"
                    );
                    self.tell(Input::LogFailed);
                    if let Some(cluster) = &self.shared.cluster {
                        // The others have all that was acknowledged, and go on.
                        cluster.handle.stop();
                    }
                }
                Output::Notice(notice) => self.note(&notice),
            }
        }
    }

    /// Tells the core, whose answers wait for a turn.
    pub(super) fn tell(&self, input: Input) {
        self.feed(input);
        self.wake();
    }

    /// Decides whether changes are taken: by the keeper and, in a cluster, by what waits
    /// for the streams.
    pub(super) fn judge_changes(&self) {
        let kept = self.keeper.borrow().writable();
        let most = self.shared.config.limits.log_waiting_bytes;
        let behind = self.units.as_ref().is_some_and(|units| units.is_behind(most));
        let writable = if kept.is_yes() && behind { Writable::No(Why::Behind) } else { kept };
        if writable != self.state().writable() {
            self.changes_are(writable);
        }
    }

    fn changes_are(&self, writable: Writable) {
        match writable {
            // Only after its other half, which is not told each time.
            Writable::Yes => {
                if self.refusal_told.take() {
                    tracing::info!(shard = self.index, "changes are taken again");
                }
            }
            Writable::No(why) => self.tell_refusal(why, 1),
        }
        self.state().set_writable(writable);
        self.metrics().unwritable.set(u64::from(!writable.is_yes()));
        self.metrics().poisoned.set(u64::from(writable == Writable::No(Why::Poisoned)));
        self.tell(Input::Writable(writable.is_yes()));
    }

    /// Logs that changes are refused, which may begin and end many times a second; `times`:
    /// how often it began since the last call.
    fn tell_refusal(&self, why: Why, times: u64) {
        if matches!(why, Why::Draining | Why::Poisoned) {
            return;
        }
        if let Some(times) = self.refusals.count(clock::instant(), times) {
            self.refusal_told.set(true);
            tracing::error!(shard = self.index, %why, times, "changes are refused for now");
        }
    }

    fn note(&self, notice: &Notice) {
        match notice {
            Notice::Refused(error) => {
                if let Some(times) = self.refused_records.count(clock::instant(), 1) {
                    tracing::error!(%error, shard = self.index, times, "the log took no record");
                }
            }
            Notice::RecordOutlived(key) => {
                let desk = LinkHash(link_of(key));
                tracing::warn!(%desk, "a record of an expired desk was dropped");
            }
            Notice::ValueOutlived(key) => {
                let desk = LinkHash(link_of(key));
                tracing::warn!(%desk, "an expired desk was not stored");
            }
        }
    }

    /// Commits when the keeper says so. What arrives meanwhile goes with the next.
    pub(crate) async fn commit_in_groups(self: Rc<Self>) {
        loop {
            self.commit_wanted.wait().await;
            let started = clock::instant();
            self.state().begin_write(self.clock.recent());
            // What arrives meanwhile waits for the next group all the same.
            let result = readiness::hold_during(self.store.commit()).await;
            if result.is_ok() {
                self.metrics().commits.add(1);
                self.metrics().commit_time.record(started.elapsed());
            }
            self.state().end_write();
            self.keep(Kept::Committed(result));
        }
    }

    /// Tells the operator of a write that does not end, and of its end.
    pub(super) fn look_for_hang(&self) {
        let hangs = self.state().hangs(self.clock.recent());
        match (self.hang_told.replace(hangs), hangs) {
            (false, true) => tracing::warn!(
                shard = self.index,
                "a write to the data folder has not ended for {} s: changes wait for it; look at \
                 the disk",
                WRITE_HANGS_TIME.as_secs()
            ),
            (true, false) => {
                tracing::info!(shard = self.index, "the write to the data folder has ended");
            }
            _ => {}
        }
    }

    /// Looks after the store when the keeper says so.
    pub(crate) async fn keep_up(self: Rc<Self>) {
        loop {
            self.upkeep_wanted.wait().await;
            let input = match self.upkeep.take() {
                Some(keeper::Output::Measure) => Kept::Measured(self.store.measure_space().await),
                Some(keeper::Output::Seal) => Kept::Sealed(self.store.shutdown().await),
                Some(_) => Kept::Maintained(self.store.maintain(self.second()).await),
                None => continue,
            };
            self.count_store();
            self.keep(input);
        }
    }

    /// Begins a planned stop when it is asked for, and tells the keeper what is left.
    pub(super) fn follow_stop(self: &Rc<Self>) {
        if !self.shared.is_stopping() {
            return;
        }
        if !self.is_stopping() {
            self.keep(Kept::Stop);
        }
        let stats = self.core.borrow().stats();
        let guests = self.guests.as_ref().map_or(0, Guests::open);
        let lines = self.lines.borrow().len();
        let open = stats.waiting_outputs + self.busy.get() + lines + guests;
        self.keep(Kept::Left { open, unstored: stats.unstored });
    }

    /// Tells the core how long the store keeps desks.
    pub(super) fn tell_lifetimes(&self) {
        let buckets = self.store.buckets();
        let spans = buckets.stamps().iter().map(|stamp| Lifetime {
            first: stamp.id.0,
            end: stamp.end(),
            lasts: Duration::from_secs(stamp.lifetime.0.into()),
        });
        self.feed(Input::Lifetimes(spans.collect()));
    }

    fn count_store(&self) {
        // What began too soon after the last time to be logged.
        if let Writable::No(why) = self.state().writable() {
            self.tell_refusal(why, 0);
        }
        let (metrics, pressure) = (self.metrics(), self.store.pressure());
        metrics.log_used_bytes.set(pressure.used_bytes + pressure.inherited_bytes);
        metrics.log_budget_bytes.set(pressure.budget_bytes);
        metrics.log_pressure.set(match pressure.level {
            PressureLevel::Low => 0,
            PressureLevel::Snapshot => 1,
            PressureLevel::Urgent => 2,
            PressureLevel::Full => 3,
        });
        let counters = self.store.counters();
        metrics.store_memory_bytes.set(counters.memory_bytes);
        self.feed(Input::StoreMemory { bytes: counters.memory_bytes as usize });
        metrics.log_written_bytes.set(counters.log_bytes);
        metrics.table_written_bytes.set(counters.table_bytes);
        metrics.stored_keys.set(counters.keys);
        metrics.quarantined.set(counters.quarantined);
    }

    /// Counts what the keeper did.
    pub(super) fn count_kept(&self) {
        let (metrics, stats) = (self.metrics(), self.keeper.borrow().stats());
        metrics.appends.set(stats.appends);
        metrics.appended_bytes.set(stats.appended_bytes);
        metrics.appends_refused.set(stats.refusals);
        metrics.snapshots.set(stats.values);
        metrics.snapshot_bytes.set(stats.value_bytes);
        metrics.unstorable.set(stats.unstorable);
        metrics.log_lag.set(stats.waiting_records as u64);
    }
}
