//! How desks are loaded, how their batches are ordered, and how they leave memory.

use std::collections::BTreeSet;
use std::sync::Arc;

use desk_protocol::frame::CloseCode;
use desk_protocol::{LinkId, Time};

use super::Shard;
use super::io::Loaded;
use super::timers::Timer;
use crate::collaboration::{News, Poll};
use crate::collisions::{Arrival, Notes};
use crate::journal::{Entry, Replay};
use crate::limits::{LINKS_PER_DESK_MAX, LOADING_BYTES_MAX, STORE_PUT_OFF_TIME};
use crate::management::{Content, Hot, Imported, Submitted, Task};
use crate::names::LogPosition;
use crate::output::Output;
use crate::record::StoredRecord;
use crate::service::{Polled, Reply, ServiceError};

impl Shard {
    /// Runs a task on the desk of a link, now or once the desk is loaded.
    pub(super) fn with_desk(&mut self, now: Time, link: LinkId, task: Task) {
        if !self.env.serves(link) {
            return self.fail(now, task, &ServiceError::Moved);
        }
        if self.env.is_suspect(link) && matches!(task, Task::Request { .. } | Task::Hello { .. }) {
            let why = ServiceError::Unavailable("the server makes sure that the desk is still its");
            return self.fail(now, task, &why);
        }
        let key = self.aliases.get(&link).copied().unwrap_or(link);
        let slot = self.desks.entry(key).or_default();
        match &mut slot.content {
            Content::Hot(hot) => {
                if slot.expires_at.is_some_and(|at| at <= now) {
                    self.expire(now, key);
                    return self.fail(now, task, &ServiceError::Expired);
                }
                // A wish of the log to store a desk does not count as a use of it.
                if !matches!(task, Task::Store) {
                    touch(&mut self.by_use, now, key, hot);
                    if hot.leaving {
                        self.stay(now, key);
                    }
                }
                self.run(now, key, task);
            }
            Content::Absent | Content::Loading => {
                let bytes = task.bytes();
                if slot.waiting.len() >= self.env.config.limits.loading_queue
                    || (bytes > 0 && self.env.loading_bytes + bytes > LOADING_BYTES_MAX)
                {
                    let why = ServiceError::Unavailable("too much waits for the desk to load");
                    return self.fail(now, task, &why);
                }
                self.env.loading_bytes += bytes;
                slot.waiting.push_back(task);
                if matches!(slot.content, Content::Absent) {
                    slot.content = Content::Loading;
                    self.env.gate.at_once(Output::Load { key });
                }
            }
        }
    }

    /// Whether the desk under a key is in memory and has not expired. If so, this counts
    /// as a use of the desk.
    pub(super) fn use_hot(&mut self, now: Time, key: LinkId) -> bool {
        let Some(slot) = self.desks.get_mut(&key) else { return false };
        let expired = slot.expires_at.is_some_and(|at| at <= now);
        let Content::Hot(hot) = &mut slot.content else { return false };
        if expired {
            return false;
        }
        touch(&mut self.by_use, now, key, hot);
        if hot.leaving {
            self.stay(now, key);
        }
        true
    }

    /// A desk that was about to leave memory is used again.
    fn stay(&mut self, now: Time, key: LinkId) {
        let Some(slot) = self.desks.get_mut(&key) else { return };
        let Content::Hot(hot) = &mut slot.content else { return };
        hot.leaving = false;
        slot.room.active_at = now;
        self.storing.stay(key);
        self.arm_idle(now, key);
    }

    pub(super) fn loaded(&mut self, now: Time, key: LinkId, found: Loaded) {
        let Some(slot) = self.desks.get_mut(&key) else { return };
        if !matches!(slot.content, Content::Loading) {
            return;
        }
        slot.content = Content::Absent;
        let result = match found {
            Loaded::Record { record, entries } => rebuild(key, record, entries),
            Loaded::Missing => Err(self.missing(now, key)),
            Loaded::Expired => Err(ServiceError::Expired),
            Loaded::Quarantined => {
                Err(ServiceError::Unavailable("its record is damaged; the operator must look"))
            }
            Loaded::Failed => Err(ServiceError::Unavailable("the store cannot be read")),
        };
        match result {
            Ok((StoredRecord::Alias(alias), _)) => self.follow(now, key, alias.desk),
            Ok((StoredRecord::Desk(record), stored)) => {
                let limits = Arc::clone(&self.env.config.limits);
                let hot = Hot::new(record, stored, limits, &self.env.old_copies, now);
                self.warm(now, key, hot);
                self.run_waiting(now, key);
            }
            Err(why) => self.fail_waiting(now, key, &why),
        }
    }

    /// Puts a desk in memory.
    pub(super) fn warm(&mut self, now: Time, key: LinkId, hot: Hot) {
        for alias in hot.aliases() {
            self.know_link(alias, key);
        }
        let expires_at = hot.expires_at();
        let slot = self.desks.entry(key).or_default();
        if slot.expires_at.is_none() {
            slot.expires_at = Some(expires_at);
            self.env.timers.arm(expires_at, Timer::Expiry(key));
        }
        self.by_use.insert((hot.used_at, key));
        self.storing.resume(key);
        slot.content = Content::Hot(Box::new(hot));
        slot.room.active_at = now;
        self.env.stats.instances_started += 1;
        self.arm_idle(now, key);
        self.count_memory(key);
        self.make_room(now, key);
    }

    /// The key turned out to be an alias. Its waiting tasks go to its desk; a wish to store
    /// the key itself is served here.
    fn follow(&mut self, now: Time, alias: LinkId, desk: LinkId) {
        if desk == alias {
            return self.fail_waiting(now, alias, &ServiceError::NoDesk);
        }
        let Some(mut slot) = self.desks.remove(&alias) else { return };
        self.storing.resume(alias);
        let mut waiting = self.env.take_waiting(&mut slot);
        let waited = waiting.len();
        waiting.retain(|task| !matches!(task, Task::Store));
        if waiting.len() < waited {
            self.store_alias(alias, desk);
        }
        if waiting.is_empty() {
            return;
        }
        self.know_link(alias, desk);
        for task in waiting {
            self.with_desk(now, desk, task);
        }
    }

    /// Notes that a link leads to a desk, for as long as the desk is known.
    pub(super) fn know_link(&mut self, link: LinkId, desk: LinkId) {
        if self.aliases.insert(link, desk).is_some() {
            return;
        }
        let slot = self.desks.entry(desk).or_default();
        slot.links.push(link);
        if slot.links.len() <= LINKS_PER_DESK_MAX {
            return;
        }
        // Valid links stay in the table: the newest may not be durable yet, and a lookup
        // in the store would not find it.
        let good = slot.hot().map(|hot| hot.record.links);
        let is_good = |link: &LinkId| good.is_some_and(|good| good.role(*link).is_some());
        let void = slot.links.iter().position(|link| !is_good(link)).unwrap_or(0);
        let forgotten = slot.links.remove(void);
        self.aliases.remove(&forgotten);
    }

    /// Forgets a replaced link. The next request for it reads the store.
    pub(super) fn forget_link(&mut self, link: LinkId, desk: LinkId) {
        self.aliases.remove(&link);
        if let Some(slot) = self.desks.get_mut(&desk) {
            slot.links.retain(|known| *known != link);
        }
    }

    fn run_waiting(&mut self, now: Time, key: LinkId) {
        while let Some(slot) = self.desks.get_mut(&key) {
            if slot.expires_at.is_some_and(|at| at <= now) {
                return self.expire(now, key);
            }
            if !matches!(slot.content, Content::Hot(_)) {
                // The task before ended the session. The tasks behind it load the desk again.
                return self.load_if_wanted(key);
            }
            let Some(task) = slot.waiting.pop_front() else { return };
            self.env.loading_bytes -= task.bytes();
            self.run(now, key, task);
        }
    }

    fn load_if_wanted(&mut self, key: LinkId) {
        let Some(slot) = self.desks.get_mut(&key) else { return };
        if matches!(slot.content, Content::Absent) && !slot.waiting.is_empty() {
            slot.content = Content::Loading;
            self.env.gate.at_once(Output::Load { key });
        }
    }

    fn fail_waiting(&mut self, now: Time, key: LinkId, why: &ServiceError) {
        let Some(slot) = self.desks.get_mut(&key) else { return };
        let waiting = self.env.take_waiting(slot);
        if waiting.iter().any(|task| matches!(task, Task::Store)) {
            self.storing.put_off(now, key);
        }
        for task in waiting {
            self.fail(now, task, why);
        }
        // The desk cannot be loaded: its parked connections and polls end.
        let Some(slot) = self.desks.get_mut(&key) else { return };
        self.env.close_all(now, LogPosition(0), &mut slot.room, why.close_code(), &why.to_string());
        self.env.fail_polls(LogPosition(0), &mut slot.room, why);
        self.forget_if_unused(key);
    }

    /// Why the store has nothing under a key: the desk never existed, or has expired.
    fn missing(&self, now: Time, key: LinkId) -> ServiceError {
        if self.env.lifetimes.is_over(key.created_second(), now) {
            ServiceError::Expired
        } else {
            ServiceError::NoDesk
        }
    }

    /// Orders a batch on its desk, and sends the commit to every connection and poll.
    pub(super) fn order(
        &mut self,
        now: Time,
        desk: LinkId,
        arrival: Arrival<'_>,
    ) -> Option<Submitted> {
        use crate::collisions::Ordered;
        let slot = self.desks.get_mut(&desk)?;
        let Content::Hot(hot) = &mut slot.content else { return None };
        let submitted = hot.submit(&mut self.env.gate, &mut self.env.encoder, now, arrival);
        match &submitted {
            Submitted::Accepted(news, _) => {
                let operations = news.editors.commit.operations.len();
                self.tell(now, desk, Some(news), operations);
            }
            Submitted::Not(Ordered::Rejected { .. }) => self.env.stats.rejected += 1,
            Submitted::Not(Ordered::Stale(_)) => self.env.stats.stale += 1,
            Submitted::Not(Ordered::Duplicate(_)) => self.env.stats.duplicates += 1,
            Submitted::Not(_) => {}
        }
        Some(submitted)
    }

    /// Adds the notes of a file and tells everyone.
    pub(super) fn import(
        &mut self,
        now: Time,
        desk: LinkId,
        notes: Notes<'_>,
    ) -> Result<Imported, ServiceError> {
        let slot = self.desks.get_mut(&desk).expect("a task runs on a desk in memory");
        let hot = slot.hot().expect("a task runs on a desk in memory");
        let imported = hot.import(&mut self.env.gate, &mut self.env.encoder, now, notes);
        match &imported {
            Ok(imported) => self.tell(now, desk, imported.news.as_ref(), imported.created.len()),
            Err(_) => self.env.stats.rejected += 1,
        }
        imported
    }

    /// A desk has one more revision. Without news everyone gets the desk anew.
    fn tell(&mut self, now: Time, desk: LinkId, news: Option<&News>, operations: usize) {
        let Some(slot) = self.desks.get_mut(&desk) else { return };
        let Content::Hot(hot) = &mut slot.content else { return };
        let position = hot.position;
        slot.room.active_at = now;
        self.env.stats.batches += 1;
        self.env.stats.operations += operations as u64;
        self.env.broadcast(now, hot, &slot.room, news);
        for request in slot.room.polls.requests() {
            let Some(poll) = self.env.take_poll(&mut slot.room, request) else { continue };
            match polled(hot, &poll) {
                Ok(polled) => self.env.reply(position, request, Reply::Polled(polled)),
                Err(why) => self.env.fail(position, request, why),
            }
        }
        self.count_memory(desk);
        self.make_room(now, desk);
    }

    pub(super) fn stored(&mut self, now: Time, key: LinkId, sequence: u64) {
        let Some(slot) = self.desks.get_mut(&key) else { return };
        let Content::Hot(hot) = &mut slot.content else { return };
        hot.stored = hot.stored.max(sequence);
        if hot.storing == Some(sequence) {
            self.env.store_ended(hot);
        }
        if hot.leaving {
            self.evict(now, key);
            self.make_room(now, key);
        }
    }

    /// No table takes the desk's record. Only memory and the log have its newest steps, so
    /// the desk stays in memory and refuses changes for a while. After that people may make
    /// it smaller.
    pub(super) fn unstorable(&mut self, now: Time, key: LinkId, sequence: u64) {
        self.storing.put_off(now, key);
        let Some(slot) = self.desks.get_mut(&key) else { return };
        let Content::Hot(hot) = &mut slot.content else { return };
        hot.unstorable_until = now + STORE_PUT_OFF_TIME;
        if hot.storing == Some(sequence) {
            self.env.store_ended(hot);
        }
        if std::mem::take(&mut hot.leaving) {
            self.evict(now, key);
        }
    }

    /// Lets a desk leave memory: at once if the store has all of it. Otherwise the desk is
    /// queued to be stored first, and stays if somebody uses it before. Its connections
    /// stay open.
    pub(super) fn evict(&mut self, now: Time, key: LinkId) {
        let Some(slot) = self.desks.get_mut(&key) else { return };
        let Content::Hot(hot) = &mut slot.content else { return };
        let durable = self.env.gate.is_durable(hot.position);
        if !hot.is_dirty() && hot.storing.is_none() && durable {
            self.cool(key);
            self.forget_if_unused(key);
            return;
        }
        if hot.is_unstorable(now) {
            self.env.timers.arm(hot.unstorable_until, Timer::Idle(key));
            return;
        }
        if !hot.is_dirty() {
            // The store has all of it, and the log's newest record is not durable yet.
            self.env.timers.arm(now + self.env.config.limits.leave_grace, Timer::Idle(key));
            return;
        }
        hot.leaving = true;
        self.store_to_leave(now, key);
    }

    /// Drops a desk's content from memory.
    fn cool(&mut self, key: LinkId) {
        let Some(slot) = self.desks.get_mut(&key) else { return };
        if let Content::Hot(mut hot) = std::mem::take(&mut slot.content) {
            self.env.store_ended(&mut hot);
            self.by_use.remove(&(hot.used_at, key));
            self.env.stats.memory_bytes -= hot.counted_bytes;
            self.env.stats.instances_ended += 1;
        }
    }

    fn forget_if_unused(&mut self, key: LinkId) {
        if self.desks.get(&key).is_some_and(|slot| slot.is_unused()) {
            self.remove_slot(key);
        }
    }

    fn remove_slot(&mut self, key: LinkId) {
        let Some(slot) = self.desks.remove(&key) else { return };
        for link in &slot.links {
            self.aliases.remove(link);
        }
        if let Some(at) = slot.expires_at {
            self.env.timers.disarm(at, Timer::Expiry(key));
        }
    }

    /// Drops a desk that was deleted or has expired, and fails all that waits for it.
    pub(super) fn drop_desk(
        &mut self,
        now: Time,
        key: LinkId,
        position: LogPosition,
        code: CloseCode,
        why: &ServiceError,
    ) {
        let Some(slot) = self.desks.get_mut(&key) else { return };
        self.env.close_all(now, position, &mut slot.room, code, &why.to_string());
        self.env.fail_polls(position, &mut slot.room, why);
        let waiting = self.env.take_waiting(slot);
        self.cool(key);
        self.remove_slot(key);
        for task in waiting {
            self.fail(now, task, why);
        }
    }

    fn expire(&mut self, now: Time, key: LinkId) {
        let position = self.position(key);
        self.drop_desk(now, key, position, CloseCode::Expired, &ServiceError::Expired);
    }

    pub(super) fn expire_if_due(&mut self, now: Time, key: LinkId) {
        let due = self.desks.get(&key).and_then(|slot| slot.expires_at);
        if due.is_some_and(|at| at <= now) {
            self.expire(now, key);
        }
    }

    pub(super) fn arm_idle(&mut self, now: Time, key: LinkId) {
        let session_idle = self.env.config.session_idle;
        let Some(slot) = self.desks.get_mut(&key) else { return };
        // One timer is enough, unless the room has just become empty: then the desk may
        // leave earlier than the armed timer says.
        if slot.idle_armed && !slot.room.is_empty() {
            return;
        }
        slot.idle_armed = true;
        let at = slot.idle_at(session_idle, &self.env.config.limits).max(now);
        self.env.timers.arm(at, Timer::Idle(key));
    }

    pub(super) fn idle(&mut self, now: Time, key: LinkId) {
        let session_idle = self.env.config.session_idle;
        let Some(slot) = self.desks.get_mut(&key) else { return };
        slot.idle_armed = false;
        if !matches!(slot.content, Content::Hot(_)) {
            self.forget_if_unused(key);
            return;
        }
        if slot.idle_at(session_idle, &self.env.config.limits) > now {
            return self.arm_idle(now, key);
        }
        self.evict(now, key);
    }

    pub(super) fn count_memory(&mut self, key: LinkId) {
        let Some(Content::Hot(hot)) = self.desks.get_mut(&key).map(|slot| &mut slot.content) else {
            return;
        };
        let bytes = hot.memory_bytes();
        self.env.stats.memory_bytes = self.env.stats.memory_bytes + bytes - hot.counted_bytes;
        hot.counted_bytes = bytes;
    }

    /// Evicts the longest unused desk while memory is short, but never `keep`.
    pub(super) fn make_room(&mut self, now: Time, keep: LinkId) {
        if !self.env.is_memory_short() {
            return;
        }
        let stays = |key: &LinkId| match self.desks.get(key).map(|slot| &slot.content) {
            Some(Content::Hot(hot)) => hot.leaving || hot.is_unstorable(now) || *key == keep,
            _ => true,
        };
        let oldest = self.by_use.iter().take(EVICTION_LOOK).find(|(_, key)| !stays(key)).copied();
        if let Some((_, key)) = oldest {
            self.evict(now, key);
        }
    }
}

/// How many of the longest unused desks an eviction looks at to find one that is not
/// leaving already.
const EVICTION_LOOK: usize = 64;

/// Notes a use of a desk, to the second: evictions need no exact order.
fn touch(by_use: &mut BTreeSet<(Time, LinkId)>, now: Time, key: LinkId, hot: &mut Hot) {
    if now.since(hot.used_at).as_secs() >= 1 {
        by_use.remove(&(hot.used_at, key));
        hot.used_at = now;
        by_use.insert((now, key));
    }
}

/// The answer to a poll of a desk in memory.
///
/// # Errors
/// The content cannot be copied now.
pub(super) fn polled(hot: &mut Hot, poll: &Poll) -> Result<Polled, ServiceError> {
    if let Some(commits) = hot.ring.after(poll.since, poll.role) {
        let (commits, frames) =
            commits.map(|news| (Arc::clone(&news.commit), Arc::clone(&news.frame))).unzip();
        return Ok(Polled::Commits { revision: hot.record.desk.revision(), commits, frames });
    }
    Ok(match poll.frames {
        true => Polled::Snapshot(hot.snapshot(poll.role)?),
        false => Polled::Content(Box::new(hot.content(poll.role)?)),
    })
}

/// Rebuilds a record from its snapshot in the store and its entries in the log.
fn rebuild(
    key: LinkId,
    record: Option<Box<StoredRecord>>,
    entries: Vec<(u64, Vec<u8>)>,
) -> Result<(StoredRecord, u64), ServiceError> {
    const DAMAGED: ServiceError =
        ServiceError::Unavailable("its record is damaged; the operator must look");
    let record = record.map(|record| *record);
    let stored = match &record {
        Some(StoredRecord::Desk(desk)) => desk.sequence,
        Some(StoredRecord::Alias(_)) => 1,
        None => 0,
    };
    let (mut newest, mut replay) = (stored, Replay::new(record));
    for (sequence, bytes) in entries {
        if sequence <= newest {
            continue;
        }
        if sequence != newest + 1 {
            return Err(DAMAGED);
        }
        let entry = Entry::decode(&bytes).map_err(|_| DAMAGED)?;
        replay.step(key, entry).map_err(|_| DAMAGED)?;
        newest = sequence;
    }
    replay.into_record().map(|record| (record, stored)).ok_or(ServiceError::NoDesk)
}
