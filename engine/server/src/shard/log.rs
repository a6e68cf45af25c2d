//! The shard's log: what the core says is appended, in order, and committed in
//! groups; how far it got goes back to the core.

use std::collections::VecDeque;
use std::rc::Rc;

use desk_engine_core::{Input, LogPosition};
use desk_protocol::LinkId;
use desk_protocol::frame::CloseCode;
use desk_storage_lsm::{AppendError, Key, Position, PressureLevel, Revision};

use super::Shell;
use crate::clock;
use crate::limits::SPACE_TIME;
use crate::net::readiness;

/// What was appended and is not yet durable, and what the store did not take.
#[derive(Default)]
pub(super) struct LogQueue {
    /// Positions of the store and of the core, in order.
    appended: VecDeque<(Position, LogPosition)>,
    /// Refused for now. Nothing computed from these, or later, is shown, and
    /// they go in as soon as there is room, in this order.
    backlog: VecDeque<Entry>,
}

struct Entry {
    position: LogPosition,
    key: LinkId,
    what: What,
}

enum What {
    Record { sequence: u64, bytes: Vec<u8> },
    Forget,
}

impl LogQueue {
    /// Records that are not durable.
    pub(super) fn lag(&self) -> usize {
        self.appended.len() + self.backlog.len()
    }
}

impl Shell {
    /// Appends a record, or keeps it until the store takes it.
    pub(super) fn append(&self, position: LogPosition, key: LinkId, sequence: u64, bytes: Vec<u8>) {
        self.enter(Entry { position, key, what: What::Record { sequence, bytes } });
    }

    /// Appends the end of a key.
    pub(super) fn forget(&self, position: LogPosition, key: LinkId) {
        self.enter(Entry { position, key, what: What::Forget });
    }

    fn enter(&self, entry: Entry) {
        let mut log = self.log.borrow_mut();
        if log.backlog.is_empty() {
            match self.try_append(&entry) {
                Ok(position) => log.appended.push_back((position, entry.position)),
                Err(error) => {
                    log.backlog.push_back(entry);
                    drop(log);
                    self.refused(&error);
                }
            }
        } else {
            log.backlog.push_back(entry);
        }
    }

    fn try_append(&self, entry: &Entry) -> Result<Position, AppendError> {
        let key = Key::new(entry.key.to_bytes());
        let result = match &entry.what {
            What::Record { sequence, bytes } => self.store.append(key, Revision(*sequence), bytes),
            What::Forget => self.store.delete(key),
        };
        let metrics = self.metrics();
        match result {
            Ok(position) => {
                metrics.appends.add(1);
                if let What::Record { bytes, .. } = &entry.what {
                    metrics.appended_bytes.add(bytes.len() as u64);
                }
                Ok(position)
            }
            // The bucket has gone and the desk with it: nobody can ask for
            // what this record says, so it counts as written.
            Err(AppendError::NoBucket { second })
                if u64::from(second) < self.clock.now().unix_seconds() =>
            {
                tracing::warn!(second, "a record of an expired bucket was dropped");
                Ok(self.store.position())
            }
            Err(error @ (AppendError::TooLarge { .. } | AppendError::Quarantined(_))) => {
                // The core loads no quarantined desk and bounds its records.
                crate::failure::die(&format!("the log refused a record for good: {error}"))
            }
            Err(error) => Err(error),
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
                Ok(position) => log.appended.push_back((position, entry.position)),
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
    /// which what was accepted before is stored.
    pub(super) fn judge_writable(&self) {
        let full =
            self.store.pressure().level == PressureLevel::Full || self.store.is_below_reserve();
        let poisoned = self.metrics().poisoned.get() != 0;
        let writable = !full && !poisoned && !self.has_backlog();
        if writable == self.writable.replace(writable) {
            return;
        }
        if writable {
            tracing::info!(shard = self.index, "changes are taken again");
        } else {
            tracing::error!(shard = self.index, full, "changes are refused for now");
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
        let durable = self.store.durable();
        let mut reached = None;
        {
            let mut log = self.log.borrow_mut();
            while log.appended.front().is_some_and(|(position, _)| *position <= durable) {
                reached = log.appended.pop_front().map(|(_, position)| position);
            }
        }
        if let Some(position) = reached {
            self.feed(Input::Durable { position });
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
