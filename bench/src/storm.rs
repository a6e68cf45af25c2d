//! The part `storm`: everybody comes to one large desk at the same moment.

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use desk_gateway_http::websocket::Opcode;
use desk_protocol::Time;
use mio::{Events, Poll, Token};

use crate::clock::Clock;
use crate::desk_client::DeskClient;
use crate::generator::Generator;
use crate::join::{Reception, WEBSOCKET_TARGET};
use crate::latency::Latency;
use crate::ledger::Ledger;
use crate::limits::{PATIENCE, READ_BYTES};
use crate::participant::Participant as _;
use crate::process::Cores;
use crate::random::Random;
use crate::report::{Goal, Row};
use crate::socket::Socket;
use crate::subject::{DeskServer, Places, first_difference};

/// Who comes.
const CLIENTS: usize = 150;

/// The desk: so many notes of so many letters are a mebibyte.
const NOTES: usize = 1_024;
const LETTERS: usize = 1_000;

/// Until 99 of 100 have the desk.
const P99: Duration = Duration::from_millis(500);

/// What it may take of the server's memory at its height, in copies of the desk.
const COPIES: f64 = 2.0;

/// One storm.
#[derive(Debug)]
pub struct Storm {
    waits: Latency,
    server_cpu_us: f64,
    copies: f64,
}

/// Opens all WebSockets, then says hello on each of them at once.
pub fn measure(places: &Places, cores: Cores, seed: u64) -> Result<Storm> {
    let server = DeskServer::start(places, cores)?;
    let address = server.process.address.clone();
    let (mut random, clock) = (Random::new(seed), Clock::start());
    let mut reception = Reception::open(&address)?;
    let (desk, key) = reception.create("a desk that many come to")?;

    let mut author = Generator::new(clock, random.bits())?;
    let room = author.add_room(1);
    let socket = Socket::open(&address, WEBSOCKET_TARGET, &key, random.bits())?;
    author.join(room, socket, DeskClient::new(clock.now(), &key, random.bits()))?;
    let settled = |all: &Generator<DeskClient>| all.participants(0).all(DeskClient::is_settled);
    author.settle("joining", settled)?;
    let first = author.participants_mut(room).next().context("there is an author")?;
    first.write(clock.now(), NOTES, LETTERS, &mut random)?;
    author.settle("writing", settled)?;
    server.process.forget_peak()?;
    let memory = server.process.memory()?.resident_kib;
    // One alone tells how many bytes the desk is.
    let mut scout = [Guest::arrive(&mut reception, &desk, random.bits(), &clock)?];
    let bytes = hear(&mut scout, &clock, |guest| guest.try_settle(&clock))?[0].bytes;
    let mut crowd = Vec::new();
    for _ in 0..CLIENTS {
        crowd.push(Guest::arrive(&mut reception, &desk, random.bits(), &clock)?);
    }
    let cpu_ns = server.process.cpu_ns()?;
    let begin = clock.now();
    let crowd = hear(&mut crowd, &clock, |guest| Ok(guest.bytes >= bytes))?;
    let server_cpu_us = (server.process.cpu_ns()? - cpu_ns) as f64 / 1e3;
    let grown = server.process.peak_kib()?.saturating_sub(memory);
    let mut waits = Latency::default();
    for guest in crowd.iter_mut() {
        waits.record(begin, guest.heard_at);
        ensure!(guest.try_settle(&clock)?, "a client was not brought up to date");
    }
    let all = author.participants(room).chain(crowd.iter().map(|guest| &guest.client));
    if let Some(client) = first_difference(all) {
        bail!("client {client} has another desk than its author");
    }
    server.end()?;
    let copies = grown as f64 * 1_024.0 / bytes as f64;
    Ok(Storm { waits, server_cpu_us, copies })
}

/// A client whose messages are kept until all have come: reading them would take this one
/// thread longer than the server takes to send them.
struct Guest {
    socket: Socket,
    client: DeskClient,
    messages: VecDeque<Vec<u8>>,
    bytes: usize,
    heard_at: Time,
}

impl Guest {
    /// Its WebSocket is open, and it has said nothing.
    fn arrive(reception: &mut Reception, desk: &str, seed: u64, clock: &Clock) -> Result<Self> {
        let key = reception.join(desk)?;
        let socket = Socket::open(reception.address(), WEBSOCKET_TARGET, &key, seed)?;
        let client = DeskClient::new(clock.now(), &key, seed);
        let (messages, heard_at) = (VecDeque::new(), clock.now());
        Ok(Self { socket, client, messages, bytes: 0, heard_at })
    }

    /// Reads what has come; whether it has the desk.
    fn try_settle(&mut self, clock: &Clock) -> Result<bool> {
        while let Some(message) = self.messages.pop_front() {
            self.client.receive(clock.now(), &message, &mut Ledger::new(1, u64::MAX))?;
        }
        Ok(self.client.is_settled())
    }
}

/// All say hello at once; then each is heard until it has what it waits for.
fn hear<'a>(
    guests: &'a mut [Guest],
    clock: &Clock,
    mut has_all: impl FnMut(&mut Guest) -> Result<bool>,
) -> Result<&'a mut [Guest]> {
    let mut poll = Poll::new()?;
    let mut scratch = vec![0; READ_BYTES];
    for (number, guest) in guests.iter_mut().enumerate() {
        guest.socket.register(poll.registry(), Token(number))?;
        let mut ledger = Ledger::new(1, u64::MAX);
        while let Some(message) = guest.client.transmit(clock.now(), &mut ledger) {
            guest.socket.send(Opcode::Binary, &message);
        }
        guest.socket.flush()?;
    }
    let end = clock.now() + PATIENCE;
    let mut events = Events::with_capacity(CLIENTS);
    let mut left = guests.len();
    let mut has = vec![false; guests.len()];
    while left > 0 {
        ensure!(clock.now() < end, "{left} clients did not get the desk");
        poll.poll(&mut events, Some(PATIENCE))?;
        for event in events.iter().filter(|event| event.is_readable()) {
            let number = event.token().0;
            let Guest { socket, messages, bytes, heard_at, .. } = &mut guests[number];
            socket.read(&mut scratch, Opcode::Binary, |message| {
                *bytes += message.len();
                *heard_at = clock.now();
                messages.push_back(message.to_vec());
                Ok(())
            })?;
            if !has[number] && has_all(&mut guests[number])? {
                has[number] = true;
                left -= 1;
            }
        }
    }
    Ok(guests)
}

/// The rows of all rounds.
pub fn rows(storms: &[Storm]) -> Vec<Row> {
    let each = |figure: &dyn Fn(&Storm) -> f64| storms.iter().map(figure).collect::<Vec<_>>();
    let who = format!("{CLIENTS} clients join a desk of 1 MiB at the same moment");
    let row = |name: &str, what: String, unit, target, samples: Vec<f64>| {
        Row::new(format!("storm.{name}"), what, unit, Goal::at_most(target), &samples)
    };
    vec![
        row(
            "p50_ms",
            format!("{who}: from hello until the whole desk has arrived, half of all"),
            "ms",
            P99.as_secs_f64() * 1e3,
            each(&|storm| storm.waits.at(0.5) / 1e3),
        ),
        row(
            "p99_ms",
            format!("{who}: the same, 99 of 100"),
            "ms",
            P99.as_secs_f64() * 1e3,
            each(&|storm| storm.waits.at(0.99) / 1e3),
        ),
        row(
            "cpu_us_per_client",
            format!("{who}: server time for each of them"),
            "µs",
            3_000.0,
            each(&|storm| storm.server_cpu_us / CLIENTS as f64),
        ),
        row(
            "memory_copies",
            format!(
                "{who}: how far the server's memory grows, in copies of the desk as it is sent"
            ),
            "×",
            COPIES,
            each(&|storm| storm.copies),
        ),
    ]
}
