//! The load generator: one thread, one poller, all clients of all rooms.

use std::time::Duration;

use anyhow::{Result, ensure};
use desk_protocol::Time;
use mio::{Events, Poll, Token};

use crate::alarm::Alarm;
use crate::clock::Clock;
use crate::latency::{Arrivals, Latency};
use crate::ledger::Ledger;
use crate::limits::{PATIENCE, READ_BYTES, UPKEEP_EVERY};
use crate::participant::Participant;
use crate::process::own_cpu_ns;
use crate::random::Random;
use crate::socket::Socket;

/// The alarm among the poller's events; members count up from 0.
const ALARM: Token = Token(usize::MAX);

/// What the clients do.
#[derive(Clone, Copy, Debug)]
pub enum Load {
    /// Nothing of their own.
    Quiet,
    /// Everyone always has one batch of so many operations in flight.
    Saturating {
        /// In each batch.
        operations: usize,
    },
    /// Single operations by anybody, as they are due.
    Open {
        /// All clients together.
        rate_per_second: f64,
    },
}

/// A client and its connection.
#[derive(Debug)]
pub struct Member<P> {
    socket: Socket,
    /// Who it is.
    pub participant: P,
    room: usize,
    /// It may have something to send.
    touched: bool,
}

/// All clients.
#[derive(Debug)]
pub struct Generator<P> {
    poll: Poll,
    alarm: Alarm,
    clock: Clock,
    random: Random,
    scratch: Vec<u8>,
    members: Vec<Member<P>>,
    rooms: Vec<Ledger>,
    upkeep: Time,
}

/// The state of all counters at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Counters {
    at: Time,
    completed: u64,
    delivered: u64,
    batches: u64,
    server_cpu_ns: u64,
    own_cpu_ns: u64,
}

/// What one phase measured.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Operations that every other client of their room got.
    pub operations: u64,
    /// The same, times the clients that got them.
    pub deliveries: u64,
    /// The batches that they were in.
    pub batches: u64,
    /// How long it took.
    pub seconds: f64,
    /// Processor time of the server, in microseconds.
    pub server_cpu_us: f64,
    /// The share of its core that the generator was busy.
    pub generator_busy: f64,
    /// From when operations were due until others had them.
    pub latency: Latency,
}

impl Measured {
    /// Server time for one operation, in microseconds.
    pub fn cpu_us_per_operation(&self) -> f64 {
        self.server_cpu_us / self.operations as f64
    }

    /// Server time for one delivery, in microseconds.
    pub fn cpu_us_per_delivery(&self) -> f64 {
        self.server_cpu_us / self.deliveries as f64
    }

    /// How many operations went together.
    pub fn operations_per_batch(&self) -> f64 {
        self.operations as f64 / self.batches.max(1) as f64
    }

    /// Operations a second.
    pub fn rate(&self) -> f64 {
        self.operations as f64 / self.seconds
    }

    /// The share of its core that the server was busy.
    pub fn server_busy(&self) -> f64 {
        self.server_cpu_us / 1e6 / self.seconds
    }
}

impl<P: Participant> Generator<P> {
    /// Without clients yet.
    pub fn new(clock: Clock, seed: u64) -> Result<Self> {
        let poll = Poll::new()?;
        Ok(Self {
            alarm: Alarm::new(poll.registry(), ALARM)?,
            poll,
            clock,
            random: Random::new(seed),
            scratch: vec![0; READ_BYTES],
            members: Vec::new(),
            rooms: Vec::new(),
            upkeep: clock.now(),
        })
    }

    /// Adds a room for so many clients. Until [`Generator::open_ledgers`] says
    /// where its numbers begin, nothing is counted.
    pub fn add_room(&mut self, clients: usize) -> usize {
        self.rooms.push(Ledger::new(clients, u64::MAX));
        self.rooms.len() - 1
    }

    /// Adds a client.
    pub fn join(&mut self, room: usize, mut socket: Socket, participant: P) -> Result<()> {
        socket.register(self.poll.registry(), Token(self.members.len()))?;
        self.members.push(Member { socket, participant, room, touched: true });
        Ok(())
    }

    /// Begins to count each room's batches from the number that `first` says.
    pub fn open_ledgers(&mut self, clients: usize, mut first: impl FnMut(usize) -> u64) {
        for (room, ledger) in self.rooms.iter_mut().enumerate() {
            *ledger = Ledger::new(clients, first(room));
        }
    }

    /// The clients of a room.
    pub fn participants(&self, room: usize) -> impl Iterator<Item = &P> {
        let inside = move |member: &&Member<P>| member.room == room;
        self.members.iter().filter(inside).map(|member| &member.participant)
    }

    /// The clients of a room; each may send afterwards.
    pub fn participants_mut(&mut self, room: usize) -> impl Iterator<Item = &mut P> {
        self.members.iter_mut().filter(move |member| member.room == room).map(|member| {
            member.touched = true;
            &mut member.participant
        })
    }

    /// How many rooms there are.
    pub fn room_count(&self) -> usize {
        self.rooms.len()
    }

    /// Drives all clients under a load for a while.
    pub fn run(&mut self, load: Load, length: Duration) -> Result<()> {
        let end = self.clock.now() + length;
        self.run_until(load, end, |_| false).map(drop)
    }

    /// Drives all clients without load until `done`.
    ///
    /// # Errors
    /// It takes too long; `what` says what did.
    pub fn settle(&mut self, what: &str, done: impl FnMut(&Self) -> bool) -> Result<()> {
        let end = self.clock.now() + PATIENCE;
        let came = self.run_until(Load::Quiet, end, done)?;
        ensure!(came, "{what} did not come within {} s", PATIENCE.as_secs());
        Ok(())
    }

    /// Runs a load, first unmeasured for `warm`, then for `length`, and waits
    /// for what is under way. `server_cpu_ns` reads the server's books.
    pub fn measure(
        &mut self,
        load: Load,
        warm: Duration,
        length: Duration,
        mut server_cpu_ns: impl FnMut() -> Result<u64>,
    ) -> Result<Measured> {
        self.run(load, warm)?;
        let start = self.clock.now();
        for ledger in &mut self.rooms {
            ledger.time(start..start + length);
        }
        let before = self.counters(server_cpu_ns()?)?;
        self.run(load, length)?;
        let after = self.counters(server_cpu_ns()?)?;
        self.settle("the end of all batches", |all| {
            let idle = |member: &Member<P>| member.participant.is_idle(&all.rooms[member.room]);
            all.members.iter().all(idle) && all.rooms.iter().all(|room| room.under_way() == 0)
        })?;
        let mut latency = Latency::default();
        for ledger in &self.rooms {
            latency.add(ledger.latency());
        }
        let seconds = after.at.since(before.at).as_secs_f64();
        Ok(Measured {
            operations: after.completed - before.completed,
            deliveries: after.delivered - before.delivered,
            batches: after.batches - before.batches,
            seconds,
            server_cpu_us: (after.server_cpu_ns - before.server_cpu_ns) as f64 / 1e3,
            generator_busy: (after.own_cpu_ns - before.own_cpu_ns) as f64 / 1e9 / seconds,
            latency,
        })
    }

    fn counters(&self, server_cpu_ns: u64) -> Result<Counters> {
        Ok(Counters {
            at: self.clock.now(),
            completed: self.rooms.iter().map(Ledger::completed).sum(),
            delivered: self.rooms.iter().map(Ledger::delivered).sum(),
            batches: self.rooms.iter().map(Ledger::batches).sum(),
            server_cpu_ns,
            own_cpu_ns: own_cpu_ns()?,
        })
    }

    /// Whether `done` came before `end`.
    fn run_until(
        &mut self,
        load: Load,
        end: Time,
        mut done: impl FnMut(&Self) -> bool,
    ) -> Result<bool> {
        let mut arrivals = match load {
            Load::Open { rate_per_second } => {
                Some(Arrivals::new(self.clock.now(), rate_per_second, self.random.bits()))
            }
            Load::Quiet | Load::Saturating { .. } => None,
        };
        let mut events = Events::with_capacity(1_024);
        loop {
            let now = self.clock.now();
            match load {
                Load::Saturating { operations } => self.keep_busy(now, operations)?,
                Load::Open { .. } => {
                    let arrivals = arrivals.as_mut().expect("an open loop has arrivals");
                    self.act_on(now.min(end), arrivals)?;
                }
                Load::Quiet => {}
            }
            self.send_all(now)?;
            if done(self) {
                return Ok(true);
            }
            if now >= end {
                return Ok(false);
            }
            self.look_after(now);
            let wake = arrivals.as_ref().map_or(end, |arrivals| arrivals.next().min(end));
            self.alarm.set(wake.since(self.clock.now()).min(UPKEEP_EVERY))?;
            match self.poll.poll(&mut events, None) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                result => result?,
            }
            for event in events.iter().filter(|event| event.token() != ALARM) {
                self.serve(event.token().0, event.is_readable())?;
            }
        }
    }

    fn serve(&mut self, index: usize, readable: bool) -> Result<()> {
        let member = &mut self.members[index];
        member.touched = true;
        if !readable {
            return Ok(());
        }
        let (participant, ledger) = (&mut member.participant, &mut self.rooms[member.room]);
        let clock = &self.clock;
        let take = |message: &[u8]| participant.receive(clock.now(), message, ledger);
        member.socket.read(&mut self.scratch, P::OPCODE, take)
    }

    /// Everyone who has nothing under way makes the next batch.
    fn keep_busy(&mut self, now: Time, operations: usize) -> Result<()> {
        for member in &mut self.members {
            if member.participant.is_idle(&self.rooms[member.room]) {
                member.participant.act(now, now, operations, &mut self.random)?;
                member.touched = true;
            }
        }
        Ok(())
    }

    /// Makes what is due, by whomever it falls to.
    fn act_on(&mut self, now: Time, arrivals: &mut Arrivals) -> Result<()> {
        while let Some(intended) = arrivals.due(now) {
            let index = self.random.below(self.members.len());
            let member = &mut self.members[index];
            member.participant.act(now, intended, 1, &mut self.random)?;
            member.touched = true;
        }
        Ok(())
    }

    fn send_all(&mut self, now: Time) -> Result<()> {
        for member in &mut self.members {
            let ledger = &mut self.rooms[member.room];
            if std::mem::take(&mut member.touched) || member.participant.wants_to_send(ledger) {
                while let Some(message) = member.participant.transmit(now, ledger) {
                    member.socket.send(P::OPCODE, &message);
                }
                member.socket.flush()?;
            }
        }
        Ok(())
    }

    fn look_after(&mut self, now: Time) {
        if now >= self.upkeep {
            self.upkeep = now + UPKEEP_EVERY;
            for member in &mut self.members {
                member.participant.handle_timeout(now);
                member.touched = true;
            }
        }
    }
}
