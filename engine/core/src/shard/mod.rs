//! The desks of one core: input, output, deadlines.
//!
//! A shell owns a [`Shard`] and turns it: it feeds [`Shard::handle`] and
//! [`Shard::receive`], carries out what [`Shard::poll_output`] gives, calls
//! [`Shard::handle_timeout`] when [`Shard::poll_timeout`] is due, and says with
//! [`Input::Durable`] how far the log got. One turn may feed many inputs before
//! it drains the outputs; this batches writes of the log and of the network.

mod datagrams;
mod desks;
mod entropy;
mod env;
mod frames;
mod free_place;
mod io;
mod requests;
mod stats;
mod storing;
mod timers;
mod watch;

use std::collections::{BTreeMap, BTreeSet};

use desk_protocol::codec::Encoder;
use desk_protocol::frame::{CloseCode, Role};
use desk_protocol::{LinkId, Time};

use crate::admission::{Rates, Source};
use crate::collaboration::{Connection, Phase};
use crate::gate::{self, Gate};
use crate::identity::Keyring;
use crate::management::{Content, Lifetimes, Slot, Task};
use crate::names::{ConnectionId, LogPosition, RequestId};
use crate::output::Output;
use crate::placement;
use crate::service::{Polled, Reply, Request, ServiceError};
use crate::units::Units;

use entropy::Entropy;
use env::Env;
pub use io::{Deadline, Input, Loaded, ShardConfig, StorePace};
pub use stats::ShardStats;
use storing::Storing;
use timers::{Timer, Timers};

/// The desks of one core.
pub struct Shard {
    env: Env,
    desks: BTreeMap<LinkId, Slot>,
    /// Keys of desks by their other links. Each desk's slot lists the links that lead to
    /// it.
    aliases: BTreeMap<LinkId, LinkId>,
    /// Desks in memory by the second of their last use. The first is evicted first.
    by_use: BTreeSet<(Time, LinkId)>,
    storing: Storing,
    /// How often an address may bring a desk a new client of a role: whoever has a view
    /// link alone keeps out nobody who edits.
    newcomers: Rates<(Source, LinkId, Role)>,
}

impl Shard {
    /// A shard without desks. `seed` is 32 bytes that nobody else knows, fresh
    /// at every start: links and clients are drawn from it.
    pub fn new(config: ShardConfig, keyring: Keyring, seed: [u8; 32]) -> Self {
        let newcomers = Rates::new(config.limits.newcomers);
        Self {
            env: Env {
                config,
                keyring,
                lifetimes: Lifetimes::default(),
                entropy: Entropy::new(seed),
                gate: Gate::default(),
                timers: Timers::default(),
                connections: BTreeMap::new(),
                polls: Default::default(),
                waiting_bytes: 0,
                encoder: Encoder::new(),
                stats: ShardStats::default(),
                writable: true,
                units: None,
                draining: false,
                store_bytes: 0,
                loading_bytes: 0,
                old_copies: Default::default(),
                storing_bytes: 0,
                storing_keys: 0,
            },
            desks: BTreeMap::new(),
            aliases: BTreeMap::new(),
            by_use: BTreeSet::new(),
            storing: Storing::default(),
            newcomers,
        }
    }

    /// A shard of a machine of a cluster: its units have logs of their own, and it serves
    /// none before [`Input::Owned`].
    pub fn of_cluster(config: ShardConfig, keyring: Keyring, seed: [u8; 32]) -> Self {
        let mut shard = Self::new(config, keyring, seed);
        shard.env.units = Some(Units::default());
        shard.env.gate = Gate::by_unit();
        shard
    }

    /// Takes an input.
    pub fn handle(&mut self, now: Time, input: Input) {
        match input {
            Input::Opened { connection, key } => self.opened(now, connection, key),
            Input::Closed { connection } => self.closed(now, connection),
            Input::Heard { connection } => self.heard(now, connection),
            Input::Sent { connection, bytes } => self.sent(now, connection, bytes),
            Input::Request { request, body } => self.request(now, request, body),
            Input::Abandoned { request } => self.abandon(request),
            Input::Lifetimes(spans) => self.env.lifetimes = Lifetimes::new(spans),
            Input::Durable { position } => self.env.gate.durable(position),
            Input::Acknowledged { unit, position } => self.env.gate.acknowledged(unit, position),
            Input::Owned { unit } => self.with_units(|units| units.own(unit)),
            Input::Deposed { unit } => self.deposed(now, unit),
            Input::UnitTrusted { unit, trusted } => {
                self.with_units(|units| units.set_trusted(unit, trusted));
            }
            Input::UnitWritable { unit, writable } => {
                self.with_units(|units| units.set_writable(unit, writable));
            }
            Input::Loaded { key, found } => self.loaded(now, key, found),
            Input::Stored { key, sequence } => self.stored(now, key, sequence),
            Input::Unstorable { key, sequence } => self.unstorable(now, key, sequence),
            Input::Pressure { keys, pace } => self.store_soon(now, keys, pace),
            Input::Writable(writable) => self.env.writable = writable,
            Input::StoreMemory { bytes } => self.env.store_bytes = bytes,
            Input::LogFailed => self.log_failed(now),
            Input::Drain => self.drain(now),
        }
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.env.gate.poll()
    }

    /// When [`Shard::handle_timeout`] is due next, and what for.
    pub fn poll_timeout(&self) -> Option<Deadline> {
        self.env.timers.next()
    }

    /// Does all that is due.
    pub fn handle_timeout(&mut self, now: Time) {
        while let Some(timer) = self.env.timers.pop_due(now) {
            match timer {
                Timer::Hello(id) => {
                    let greeting = self.env.connections.get(&id).map(|c| &c.phase);
                    if matches!(greeting, Some(Phase::Greeting)) {
                        let detail = "no hello came in time";
                        self.end(now, id, CloseCode::TimedOut, detail);
                    }
                }
                Timer::Resume(id) => {
                    if let Some(connection) = self.env.connections.get_mut(&id) {
                        // Frames that came in the same read as the first one past the
                        // rate count as well.
                        let owed = connection.batches.debt(now).max(connection.presence.debt(now));
                        if let Some(owed) = owed {
                            self.env.timers.arm(now + owed, Timer::Resume(id));
                        } else {
                            self.env.set_pauses(id, |pauses| pauses.rate = false);
                        }
                    }
                }
                Timer::Pump(id) => {
                    if let Some(desk) = self.env.connections.get(&id).and_then(Connection::desk) {
                        self.with_desk(now, desk, Task::Pump { connection: id });
                    }
                }
                Timer::Presence(desk) => {
                    let position = self.position(desk);
                    if let Some(slot) = self.desks.get_mut(&desk) {
                        slot.room.presence.armed = false;
                        slot.room.presence.sent_at = now;
                        self.env.send_presence(position, &mut slot.room);
                    }
                }
                Timer::Poll(request) => self.end_poll(request),
                Timer::Watch(desk) => self.watch(now, desk),
                Timer::Idle(desk) => self.idle(now, desk),
                Timer::Expiry(desk) => self.expire_if_due(now, desk),
                Timer::Store => self.store_step(now),
            }
        }
    }

    /// How things stand.
    pub fn stats(&self) -> ShardStats {
        ShardStats {
            instances: self.by_use.len(),
            links: self.aliases.len(),
            connections: self.env.connections.len(),
            waiting_bytes: self.env.waiting_bytes,
            loading_bytes: self.env.loading_bytes,
            old_copies_bytes: self.env.old_copies.bytes(),
            waiting_outputs: self.env.gate.waiting(),
            unstored: self.unstored(),
            ..self.env.stats
        }
    }

    /// In a cluster: the connections that have a session on a desk of a unit.
    #[must_use]
    pub fn sessions_on(&self, unit: u16) -> u32 {
        self.env.units.as_ref().map_or(0, |units| units.sessions(unit))
    }

    fn with_units(&mut self, change: impl FnOnce(&mut Units)) {
        change(self.env.units.as_mut().expect("only a machine of a cluster is told of units"));
    }

    /// Drops the desks of a unit: another machine has them.
    fn deposed(&mut self, now: Time, unit: u16) {
        self.with_units(|units| units.lose(unit));
        let desks = self.desks.keys().filter(|key| placement::unit(**key) == unit);
        let desks: Vec<_> = desks.copied().collect();
        for desk in desks {
            let why = ServiceError::Moved;
            self.drop_desk(now, desk, LogPosition(0), CloseCode::Moved, &why);
        }
        self.env.gate.deposed(unit);
    }

    fn position(&self, desk: LinkId) -> LogPosition {
        self.desks.get(&desk).map_or(LogPosition(0), Slot::position)
    }

    fn abandon(&mut self, request: RequestId) {
        let Some(desk) = self.env.polls.get(request).map(|poll| poll.desk) else { return };
        let Some(slot) = self.desks.get_mut(&desk) else { return };
        self.env.take_poll(&mut slot.room, request);
    }

    fn end_poll(&mut self, request: RequestId) {
        let Some(desk) = self.env.polls.get(request).map(|poll| poll.desk) else { return };
        let position = self.position(desk);
        let Some(slot) = self.desks.get_mut(&desk) else { return };
        let Some(poll) = self.env.take_poll(&mut slot.room, request) else { return };
        let nothing =
            Polled::Commits { revision: poll.since, commits: Vec::new(), frames: Vec::new() };
        self.env.reply(position, request, Reply::Polled(nothing));
    }

    /// The log failed: every connection ends, and every waiting poll fails. Clients that
    /// come again read what is durable.
    fn log_failed(&mut self, now: Time) {
        self.env.writable = false;
        let detail = "the server cannot store changes any more";
        self.close_everybody(
            now,
            |_| LogPosition(0),
            CloseCode::Internal,
            detail,
            &gate::failure(),
        );
        self.env.gate.fail();
    }

    /// Ends every connection and fails every poll, each at the log position of its desk.
    fn close_everybody(
        &mut self,
        now: Time,
        at: impl Fn(&Slot) -> LogPosition,
        code: CloseCode,
        detail: &str,
        why: &ServiceError,
    ) {
        for slot in self.desks.values_mut() {
            let position = at(slot);
            self.env.close_all(now, position, &mut slot.room, code, detail);
            self.env.fail_polls(position, &mut slot.room, why);
        }
        for id in self.connections_that(|phase| !matches!(phase, Phase::Closing)) {
            self.env.close(LogPosition(0), id, code, detail);
        }
    }

    fn connections_that(&self, are: impl Fn(&Phase) -> bool) -> Vec<ConnectionId> {
        let connections = self.env.connections.iter();
        connections.filter(|(_, connection)| are(&connection.phase)).map(|(id, _)| *id).collect()
    }

    /// Begins a planned stop: connections are told, and waiting requests are answered.
    fn drain(&mut self, now: Time) {
        self.env.draining = true;
        let why = ServiceError::Unavailable("the server is going down");
        let detail = "the server is going down, come again";
        let closing = self.connections_that(|phase| matches!(phase, Phase::Closing));
        self.close_everybody(now, Slot::position, CloseCode::Draining, detail, &why);
        // Whoever was told to go before has no more time now than the others. What is on
        // its way to them goes first.
        for connection in closing {
            let code = CloseCode::Draining;
            self.env.gate.after(self.env.gate.appended(), Output::Close { connection, code });
        }
        // What is in a table need not be replayed at the next start.
        let dirty = self.desks.iter().filter_map(|(key, slot)| match &slot.content {
            Content::Hot(hot) if hot.is_dirty() => Some(*key),
            _ => None,
        });
        let dirty: Vec<_> = dirty.collect();
        self.store_soon(now, dirty, StorePace::Urgent);
    }

    /// Runs a task whose desk is in memory.
    fn run(&mut self, now: Time, desk: LinkId, task: Task) {
        match task {
            Task::Request { request, body } => self.serve(now, desk, request, *body),
            Task::Hello { connection, hello } => {
                self.hello(now, desk, connection, *hello);
            }
            Task::Submit { connection, submit } => self.submit(now, desk, connection, *submit),
            Task::Pump { connection } => {
                let Some(slot) = self.desks.get_mut(&desk) else { return };
                let Some(hot) = slot.hot() else { return };
                self.env.pump(now, hot, connection);
            }
            Task::Store => {
                let Some(slot) = self.desks.get_mut(&desk) else { return };
                let Some(hot) = slot.hot() else { return };
                self.env.store(hot);
            }
        }
    }

    /// Fails a task whose desk cannot be loaded.
    fn fail(&mut self, now: Time, task: Task, why: &ServiceError) {
        match task {
            Task::Request { request, .. } => {
                self.env.fail(LogPosition(0), request, why.clone());
            }
            Task::Hello { connection, .. } | Task::Submit { connection, .. } => {
                self.end(now, connection, why.close_code(), &why.to_string());
            }
            Task::Pump { .. } | Task::Store => {}
        }
    }

    fn request(&mut self, now: Time, request: RequestId, body: Box<Request>) {
        if self.env.draining {
            let why = ServiceError::Unavailable("the server is going down");
            return self.env.fail(LogPosition(0), request, why);
        }
        match body.link() {
            Some(link) => self.with_desk(now, link, Task::Request { request, body }),
            None => {
                if let Request::Create { title, content } = *body {
                    self.create(now, request, title, content);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use desk_protocol::Revision;

    use super::*;
    use crate::collaboration::LOOKS;
    use crate::management::Lifetime;
    use crate::placement::Placement;

    const NOW: Time = Time::from_unix_seconds(1_700_000_000);

    /// Makes what was appended durable, and gives the answers.
    fn answers(shard: &mut Shard) -> Vec<Reply> {
        let mut replies = Vec::new();
        while let Some(output) = shard.poll_output() {
            match output {
                Output::Append { position, .. } => shard.handle(NOW, Input::Durable { position }),
                Output::Reply { reply, .. } => replies.push(reply),
                _ => {}
            }
        }
        replies
    }

    #[test]
    fn a_poll_that_is_given_up_is_looked_for_on_its_own_desk_alone() {
        let config = ShardConfig {
            index: 0,
            placement: Placement::new(1),
            session_idle: Duration::from_secs(900),
            memory_bytes: 1 << 30,
            limits: Default::default(),
        };
        let mut shard = Shard::new(config, Keyring::new([1; 32]), [2; 32]);
        let week = Lifetime { first: 0, end: 1 << 32, lasts: Duration::from_secs(604_800) };
        shard.handle(NOW, Input::Lifetimes(vec![week]));
        let mut key = None;
        for number in 0..100 {
            let body = Box::new(Request::Create { title: String::new(), content: false });
            shard.handle(NOW, Input::Request { request: RequestId(number), body });
            for reply in answers(&mut shard) {
                let Reply::Joined(joined) = reply else { panic!("{reply:?}") };
                key = Some(joined.key);
            }
        }
        let (key, request) = (key.expect("desks were made"), RequestId(100));
        let body =
            Box::new(Request::Poll { key, since: Revision(0), wait_seconds: 20, frames: false });
        shard.handle(NOW, Input::Request { request, body });
        LOOKS.set(0);
        shard.handle(NOW, Input::Abandoned { request });
        assert_eq!(LOOKS.get(), 1, "of 100 desks");
    }
}
