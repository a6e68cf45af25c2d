//! Desks that have to be stored, a few at a time. To copy and write the largest desk
//! takes milliseconds, and edits of other desks wait meanwhile. All desks are stored
//! this way: those that the log asks for, those that leave memory, and all dirty ones
//! at a stop.

use std::collections::BTreeMap;

use desk_protocol::{LinkId, Time};

use super::Shard;
use super::io::StorePace;
use super::timers::Timer;
use crate::limits::*;
use crate::management::{Content, Task};
use crate::output::Output;
use crate::record::{Alias, StoredRecord};

/// Why a desk is to be stored; the first goes first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Wish {
    /// The log asks for it, or the server stops.
    Asked,
    /// It leaves memory.
    Leaving,
}

/// The queued keys, each once: by wish, then in the order of arrival.
#[derive(Debug, Default)]
struct Queue {
    order: BTreeMap<(Wish, u64), LinkId>,
    places: BTreeMap<LinkId, (Wish, u64)>,
    next: u64,
}

impl Queue {
    /// A key already queued with equal or higher priority keeps its place.
    fn push(&mut self, wish: Wish, key: LinkId) {
        if let Some(place) = self.places.get(&key).copied() {
            if place.0 <= wish {
                return;
            }
            self.order.remove(&place);
        }
        self.next += 1;
        self.order.insert((wish, self.next), key);
        self.places.insert(key, (wish, self.next));
    }

    fn pop(&mut self) -> Option<(Wish, LinkId)> {
        let ((wish, _), key) = self.order.pop_first()?;
        self.places.remove(&key);
        Some((wish, key))
    }

    fn next_wish(&self) -> Option<Wish> {
        self.order.first_key_value().map(|((wish, _), _)| *wish)
    }

    /// Removes a key that was queued only to leave memory.
    fn stay(&mut self, key: LinkId) {
        if let Some(place @ (Wish::Leaving, _)) = self.places.get(&key).copied() {
            self.places.remove(&key);
            self.order.remove(&place);
        }
    }
}

/// The desks that wait for their turn to be stored.
#[derive(Debug, Default)]
pub(super) struct Storing {
    queue: Queue,
    /// How fast the log wants those that it asked for.
    pace: StorePace,
    armed: bool,
    /// When the newest step was.
    stepped_at: Option<Time>,
    /// Keys that could not be had, and until when they are not asked for again.
    put_off: BTreeMap<LinkId, Time>,
}

impl Storing {
    /// Puts off a key that could not be loaded to be stored: it has expired, or is
    /// damaged. The log goes on naming such a key, because only its snapshot would
    /// release it.
    pub(super) fn put_off(&mut self, now: Time, key: LinkId) {
        if self.put_off.len() < STORE_PUT_OFF_KEYS_MAX {
            self.put_off.insert(key, now + STORE_PUT_OFF_TIME);
        }
    }

    /// The key could be loaded after all.
    pub(super) fn resume(&mut self, key: LinkId) {
        self.put_off.remove(&key);
    }

    /// A desk that was to leave memory stays.
    pub(super) fn stay(&mut self, key: LinkId) {
        self.queue.stay(key);
    }
}

impl Shard {
    /// Queues keys to be stored before desks that only leave memory.
    pub(super) fn store_soon(
        &mut self,
        now: Time,
        keys: impl IntoIterator<Item = LinkId>,
        pace: StorePace,
    ) {
        self.storing.put_off.retain(|_, until| *until > now);
        for key in keys {
            if !self.storing.put_off.contains_key(&key) {
                self.storing.queue.push(Wish::Asked, key);
            }
        }
        self.storing.pace = pace;
        self.arm_store(now);
    }

    /// Queues a desk that is to leave memory.
    pub(super) fn store_to_leave(&mut self, now: Time, key: LinkId) {
        self.storing.queue.push(Wish::Leaving, key);
        self.arm_store(now);
    }

    /// Arms the timer of the next step, with the pause since the last one.
    fn arm_store(&mut self, now: Time) {
        if self.storing.armed || self.storing.queue.order.is_empty() {
            return;
        }
        self.storing.armed = true;
        let pause = self.store_pace().pause();
        let at = self.storing.stepped_at.map_or(now, |stepped_at| now.max(stepped_at + pause));
        self.env.timers.arm(at, Timer::Store);
    }

    fn store_pace(&self) -> StorePace {
        if self.env.draining || self.env.is_memory_short() {
            StorePace::Urgent
        } else {
            self.storing.pace
        }
    }

    /// Stores as many as one step may.
    pub(super) fn store_step(&mut self, now: Time) {
        self.storing.armed = false;
        self.storing.stepped_at = Some(now);
        let mut bytes = 0;
        for _ in 0..STORE_STEP_KEYS {
            if bytes >= STORE_STEP_BYTES || self.env.storing_bytes >= STORE_FLIGHT_BYTES {
                break;
            }
            let Some((wish, key)) = self.storing.queue.pop() else { break };
            let before = self.env.storing_bytes;
            match wish {
                Wish::Asked => self.store_asked(now, key),
                Wish::Leaving => self.store_leaving(key),
            }
            // The sum is smaller than before if the desk expired while it was stored.
            bytes += self.env.storing_bytes.saturating_sub(before);
        }
        if self.storing.queue.next_wish() != Some(Wish::Asked) {
            // The log asks again if it is still short of room.
            self.storing.pace = StorePace::Calm;
        }
        self.arm_store(now);
    }

    fn store_asked(&mut self, now: Time, key: LinkId) {
        match self.aliases.get(&key).copied() {
            Some(desk) => self.store_alias(key, desk),
            None => self.with_desk(now, key, Task::Store),
        }
    }

    /// Stores a desk that is to leave memory, unless it was used or deleted since.
    fn store_leaving(&mut self, key: LinkId) {
        let Some(slot) = self.desks.get_mut(&key) else { return };
        let Content::Hot(hot) = &mut slot.content else { return };
        if hot.leaving {
            self.env.store(hot);
        }
    }

    /// Gives a further link to the store once it is durable. The newest position of its
    /// desk is no earlier than the link's own. A link has one record only.
    pub(super) fn store_alias(&mut self, alias: LinkId, desk: LinkId) {
        let position = self.position(desk);
        let record = Box::new(StoredRecord::Alias(Alias { desk }));
        self.env.gate.after(position, Output::Store { key: alias, sequence: 1, record });
    }

    /// Desks that wait to be stored, and those that the shell is storing.
    pub(super) fn unstored(&self) -> usize {
        self.storing.queue.order.len() + self.env.storing_keys
    }
}
