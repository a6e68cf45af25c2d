//! Desks that have to be stored, a few at a time: to copy and write one takes
//! milliseconds for the largest, and whoever edits another meanwhile waits.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use desk_protocol::{LinkId, Time};

use super::Shard;
use super::io::Output;
use super::timers::Timer;
use crate::limits::*;
use crate::management::Task;
use crate::record::{Alias, StoredRecord};

/// How fast desks are stored.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum StorePace {
    /// There is time: between two steps the shard does other things.
    #[default]
    Calm,
    /// The log is nearly full, or the server goes down: as fast as the store
    /// takes it, and still in steps.
    Urgent,
}

impl StorePace {
    const fn pause(self) -> Duration {
        match self {
            StorePace::Calm => STORE_PAUSE_CALM,
            StorePace::Urgent => STORE_PAUSE_URGENT,
        }
    }
}

/// The desks that wait for their turn to be stored.
#[derive(Debug, Default)]
pub(super) struct Storing {
    queue: VecDeque<LinkId>,
    queued: BTreeSet<LinkId>,
    pace: StorePace,
    armed: bool,
    /// Keys that could not be had, and until when they are not asked for again.
    put_off: BTreeMap<LinkId, Time>,
}

impl Storing {
    /// A key was to be stored and cannot be had: it has expired, or is damaged.
    /// The log names it again and again, for nothing else lets it go.
    pub(super) fn put_off(&mut self, now: Time, key: LinkId) {
        if self.put_off.len() < STORE_PUT_OFF_KEYS_MAX {
            self.put_off.insert(key, now + STORE_PUT_OFF_TIME);
        }
    }

    /// It could be had after all.
    pub(super) fn resume(&mut self, key: LinkId) {
        self.put_off.remove(&key);
    }
}

impl Shard {
    /// Sees to it that these are stored.
    pub(super) fn store_soon(
        &mut self,
        now: Time,
        keys: impl IntoIterator<Item = LinkId>,
        pace: StorePace,
    ) {
        self.storing.put_off.retain(|_, until| *until > now);
        for key in keys {
            if !self.storing.put_off.contains_key(&key) && self.storing.queued.insert(key) {
                self.storing.queue.push_back(key);
            }
        }
        self.storing.pace = pace;
        if !self.storing.armed && !self.storing.queue.is_empty() {
            self.storing.armed = true;
            self.env.timers.arm(now, Timer::Store);
        }
    }

    /// Stores as many as one step may.
    pub(super) fn store_step(&mut self, now: Time) {
        self.storing.armed = false;
        let mut bytes = 0;
        for _ in 0..STORE_STEP_KEYS {
            if bytes >= STORE_STEP_BYTES || self.env.storing_bytes >= STORE_FLIGHT_BYTES {
                break;
            }
            let Some(key) = self.storing.queue.pop_front() else { break };
            self.storing.queued.remove(&key);
            if let Some(desk) = self.aliases.get(&key).copied() {
                self.store_alias(key, desk);
                continue;
            }
            let before = self.env.storing_bytes;
            self.with_desk(now, key, Task::Store);
            // Less than before if the desk had expired while it was being stored.
            bytes += self.env.storing_bytes.saturating_sub(before);
        }
        if !self.storing.queue.is_empty() {
            self.storing.armed = true;
            self.env.timers.arm(now + self.storing.pace.pause(), Timer::Store);
        }
    }

    /// Gives a further link to the store, once it is durable: it is not later
    /// than its desk's newest step. A link has one record and never another.
    pub(super) fn store_alias(&mut self, alias: LinkId, desk: LinkId) {
        let position = self.position(desk);
        let record = Box::new(StoredRecord::Alias(Alias { desk }));
        self.env.gate.after(position, Output::Store { key: alias, sequence: 1, record });
    }

    /// Desks that wait to be stored, and those that the shell is storing.
    pub(super) fn unstored(&self) -> usize {
        self.storing.queue.len() + self.env.storing_keys
    }
}
