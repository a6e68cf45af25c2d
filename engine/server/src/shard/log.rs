//! The shard's log: what the core says is appended, in order, and committed in
//! groups; how far it got goes back to the core.

use std::collections::VecDeque;
use std::rc::Rc;

use desk_engine_core::{Input, LogPosition};
use desk_protocol::frame::CloseCode;
use desk_protocol::{LinkId, Time};
use desk_storage_lsm::{AppendError, Key, Position, PressureLevel, Sequence};

use super::{Message, Shell};
use crate::clock;
use crate::limits::SPACE_TIME;
use crate::log::LinkHash;
use crate::net::readiness;

/// What was appended and is not yet durable, and what the store did not take.
#[derive(Default)]
pub(super) struct LogQueue {
    /// In order.
    appended: VecDeque<Appended>,
    /// Bytes of all that is here.
    bytes: usize,
    /// Refused for now. Nothing computed from these, or later, is shown, and
    /// they go in as soon as there is room, in this order.
    backlog: VecDeque<Entry>,
}

/// A record that the store has taken.
struct Appended {
    /// Its position for the store.
    stored: Position,
    /// Its position for the core.
    position: LogPosition,
    bytes: usize,
}

/// What the core says is appended.
pub(super) struct Entry {
    pub(super) position: LogPosition,
    pub(super) key: LinkId,
    /// From when on nobody can ask for what it says.
    pub(super) expires_at: Time,
    pub(super) what: What,
}

pub(super) enum What {
    Record {
        sequence: u64,
        bytes: Vec<u8>,
    },
    /// The end of the key.
    Forget,
}

/// What a refused entry comes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    /// Nobody can ask for what it says: it counts as written.
    Outlived,
    /// It waits until the store takes it, and is not acknowledged before.
    Waits,
    /// The core never gives such a one.
    Impossible,
}

impl Fate {
    /// A bucket that is missing may be one that has gone, and with it all that was
    /// promised of its desks, or one that is yet to come, after a step of the clock
    /// or while the manifest cannot be written. The promise tells which.
    fn of(error: &AppendError, expires_at: Time, now: Time) -> Self {
        match error {
            AppendError::NoBucket { .. } if expires_at <= now => Self::Outlived,
            // The core loads no quarantined desk and bounds its records.
            AppendError::TooLarge { .. } | AppendError::Quarantined(_) => Self::Impossible,
            AppendError::NoBucket { .. }
            | AppendError::Poisoned(_)
            | AppendError::LogFull
            | AppendError::NoSpace => Self::Waits,
        }
    }
}

impl Entry {
    /// What it takes in memory, roughly.
    fn bytes(&self) -> usize {
        match &self.what {
            What::Record { bytes, .. } => RECORD_BYTES + bytes.len(),
            What::Forget => RECORD_BYTES,
        }
    }
}

/// What a record takes beside its own bytes.
const RECORD_BYTES: usize = 64;

impl LogQueue {
    /// The store took an entry.
    fn taken(&mut self, stored: Position, entry: &Entry) {
        let (position, bytes) = (entry.position, entry.bytes());
        self.appended.push_back(Appended { stored, position, bytes });
    }

    /// The log is durable up to here: how far that is for the core, if further
    /// than before.
    fn durable(&mut self, durable: Position) -> Option<LogPosition> {
        let mut reached = None;
        while let Some(first) = self.appended.front().filter(|first| first.stored <= durable) {
            reached = Some(first.position);
            self.bytes -= first.bytes;
            self.appended.pop_front();
        }
        reached
    }

    /// Whether too much waits, which it does until half of it has gone.
    fn is_behind(&self, most: usize, was_behind: bool) -> bool {
        self.bytes > if was_behind { most / 2 } else { most }
    }

    /// Records that are not durable.
    pub(super) fn lag(&self) -> usize {
        self.appended.len() + self.backlog.len()
    }
}

impl Shell {
    /// Appends an entry, or keeps it until the store takes it.
    pub(super) fn append(&self, entry: Entry) {
        let mut log = self.log.borrow_mut();
        log.bytes += entry.bytes();
        if log.backlog.is_empty() {
            match self.try_append(&entry) {
                Ok(position) => log.taken(position, &entry),
                Err(error) => {
                    log.backlog.push_back(entry);
                    drop(log);
                    return self.refused(&error);
                }
            }
        } else {
            log.backlog.push_back(entry);
        }
        let behind = log.is_behind(self.shared.config.limits.log_waiting_bytes, false);
        drop(log);
        if behind && self.writable.get() {
            self.judge_writable();
        }
    }

    fn try_append(&self, entry: &Entry) -> Result<Position, AppendError> {
        let key = Key::new(entry.key.to_bytes());
        let result = match &entry.what {
            What::Record { sequence, bytes } => self.store.append(key, Sequence(*sequence), bytes),
            What::Forget => self.store.delete(key),
        };
        let metrics = self.metrics();
        let error = match result {
            Ok(position) => {
                metrics.appends.add(1);
                if let What::Record { bytes, .. } = &entry.what {
                    metrics.appended_bytes.add(bytes.len() as u64);
                }
                return Ok(position);
            }
            Err(error) => error,
        };
        match Fate::of(&error, entry.expires_at, self.clock.now()) {
            Fate::Outlived => {
                tracing::warn!(desk = %LinkHash(entry.key), "a record of an expired desk was dropped");
                Ok(self.store.position())
            }
            Fate::Waits => Err(error),
            Fate::Impossible => {
                crate::failure::die(&format!("the log refused a record for good: {error}"))
            }
        }
    }

    /// The store took no record; what it refused waits here.
    fn refused(&self, error: &AppendError) {
        tracing::error!(%error, shard = self.index, "the log took no record");
        self.metrics().appends_refused.add(1);
        self.judge_writable();
        self.upkeep_wanted.set();
    }

    /// Tries again what was refused.
    pub(super) fn append_backlog(&self) {
        let mut log = self.log.borrow_mut();
        if log.backlog.is_empty() {
            return;
        }
        while let Some(entry) = log.backlog.pop_front() {
            match self.try_append(&entry) {
                Ok(position) => log.taken(position, &entry),
                Err(_) => {
                    log.backlog.push_front(entry);
                    return;
                }
            }
        }
        drop(log);
        self.judge_writable();
    }

    /// Tells the core whether new changes are taken.
    ///
    /// They are refused as soon as the log's last segment is in use, not when
    /// it is full: what was accepted before has to fit, since a desk can be
    /// stored, which frees segments, only when all its records are durable.
    /// They are refused as well while the disk is full up to the reserve, from
    /// which what was accepted before is stored; and while more waits for the
    /// disk than may be in memory.
    pub(super) fn judge_writable(&self) {
        let full =
            self.store.pressure().level == PressureLevel::Full || self.store.is_below_reserve();
        let poisoned = self.metrics().poisoned.get() != 0;
        let most = self.shared.config.limits.log_waiting_bytes;
        let behind = self.log.borrow().is_behind(most, self.behind.get());
        self.behind.set(behind);
        let writable = !full && !behind && !poisoned && !self.has_backlog();
        if writable == self.writable.replace(writable) {
            return;
        }
        if writable {
            tracing::info!(shard = self.index, "changes are taken again");
        } else {
            tracing::error!(shard = self.index, full, behind, "changes are refused for now");
        }
        self.metrics().unwritable.set(u64::from(!writable));
        self.feed(Input::Writable(writable));
    }

    /// A commit may have used up a segment.
    fn after_commit(&self) {
        let pressure = self.store.pressure().level;
        if pressure > PressureLevel::Low || self.store.wants_maintenance() {
            self.upkeep_wanted.set();
        }
        if pressure == PressureLevel::Full || self.store.is_below_reserve() {
            self.judge_writable();
        }
        self.wake();
    }

    /// Looks how much room the disk has, when it has not for a while. Somebody
    /// else may fill it, and an idle shard does not care.
    async fn look_at_space(&self) {
        let now = self.clock.now();
        if self.space_looked_at.get() + SPACE_TIME > now {
            return;
        }
        self.space_looked_at.set(now);
        if let Err(error) = self.store.measure_space().await {
            tracing::warn!(%error, "the free space of the disk is unknown");
        }
    }

    /// Whether records wait that the store refused.
    pub(super) fn has_backlog(&self) -> bool {
        !self.log.borrow().backlog.is_empty()
    }

    /// Tells the core how far the log is durable.
    pub(super) fn report_durable(&self) {
        let reached = self.log.borrow_mut().durable(self.store.durable());
        if let Some(position) = reached {
            self.feed(Input::Durable { position });
            if self.behind.get() {
                self.judge_writable();
            }
        }
    }

    /// Whether there is something to commit.
    pub(super) fn commit_is_due(&self) -> bool {
        self.store.has_uncommitted()
    }

    /// Commits in groups: one write is under way, the next takes what came
    /// meanwhile.
    pub(crate) async fn commit_in_groups(self: Rc<Self>) {
        loop {
            while self.store.has_uncommitted() {
                let started = clock::instant();
                // What arrives meanwhile waits for the next group all the same.
                if let Err(error) = readiness::hold_during(self.store.commit()).await {
                    self.poisoned(&error.to_string());
                    return;
                }
                self.look_at_space().await;
                self.metrics().commits.add(1);
                self.metrics().commit_time.record(started.elapsed());
                self.after_commit();
            }
            self.commit_wanted.wait().await;
        }
    }

    /// Poisons every shard.
    pub(super) fn poison_all(self: &Rc<Self>, why: &str) {
        for shard in 0..self.shared.metrics.len() {
            self.send(shard, Message::Poisoned(why.to_owned()));
        }
    }

    /// A write failed: nothing is acknowledged any more. Those who wait are
    /// told to come again; a restart reads what is on the disk.
    pub(super) fn poisoned(&self, why: &str) {
        if self.metrics().poisoned.get() == 1 {
            return;
        }
        tracing::error!(shard = self.index, why, "the store failed; restart the server");
        self.metrics().poisoned.set(1);
        self.judge_writable();
        self.feed(Input::LogFailed);
        for socket in self.sockets.borrow().values() {
            socket.close_after(self, CloseCode::Internal);
        }
        self.dirty.borrow_mut().extend(self.sockets.borrow().values().cloned());
        self.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_behind_until_half_of_what_may_wait_has_gone() {
        let mut log = LogQueue::default();
        let most = 4 * (RECORD_BYTES + 100);
        for number in 1..=5 {
            assert!(!log.is_behind(most, false), "{number}");
            let what = What::Record { sequence: number, bytes: vec![0; 100] };
            let (position, key, expires_at) = (LogPosition(number), LinkId(1), Time(0));
            let entry = Entry { position, key, expires_at, what };
            log.bytes += entry.bytes();
            log.taken(Position(10 * number), &entry);
        }
        assert!(log.is_behind(most, false));
        assert_eq!(log.durable(Position(9)), None);
        assert_eq!(log.durable(Position(29)), Some(LogPosition(2)));
        assert!(log.is_behind(most, true) && !log.is_behind(most, false));
        assert_eq!(log.durable(Position(30)), Some(LogPosition(3)));
        assert!(!log.is_behind(most, true));
        assert_eq!(log.durable(Position(50)), Some(LogPosition(5)));
        assert_eq!((log.bytes, log.lag()), (0, 0));
    }

    #[test]
    fn only_what_has_expired_counts_as_written_without_a_bucket() {
        let now = Time::from_unix_seconds(1_700_000_000);
        let (over, ahead) = (now, Time::from_unix_seconds(1_700_000_001));
        // Made a second ago, in a bucket that is yet to be stamped.
        let no_bucket = AppendError::NoBucket { second: 1_699_999_999 };
        assert_eq!(Fate::of(&no_bucket, ahead, now), Fate::Waits);
        assert_eq!(Fate::of(&no_bucket, over, now), Fate::Outlived);
        // Only a missing bucket says that it has gone.
        for error in [AppendError::LogFull, AppendError::NoSpace] {
            assert_eq!(Fate::of(&error, over, now), Fate::Waits, "{error}");
        }
    }
}
