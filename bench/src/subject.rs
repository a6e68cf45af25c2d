//! The servers under test: ours and the bare relay, each with a generator.

use std::cell::Cell;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;

use anyhow::{Context as _, Result, bail};
use desk_protocol::Desk;

use crate::clock::Clock;
use crate::desk_client::DeskClient;
use crate::generator::Generator;
use crate::join::{Reception, WEBSOCKET_TARGET};
use crate::limits::{ROOMS_AT_ONCE, STICKERS_PER_CLIENT};
use crate::process::{Cores, Subject};
use crate::random::Random;
use crate::relay_client::RelayClient;
use crate::shape::Shape;
use crate::socket::Socket;

/// What the server is told. Durability and all queues are as they come; only
/// the rates of one connection and of one address are lifted, since few make the load.
const SETTINGS: &str = "\
[limits]
batches-per-second = 1000000
batch-burst = 1000000
";

/// How many connections of QUIC there may be. Of a server with TLS they are too many for the
/// memory of a small machine.
const QUIC_SETTINGS: &str = "quic-connections = 25000\n";

/// The same for what the build of before does not have: the rates of an address.
const NEWER_SETTINGS: &str = "\
desks-per-minute = 1000000
desk-burst = 1000000
joins-per-minute = 1000000
join-burst = 1000000
newcomers-per-minute = 1000000
newcomer-burst = 1000000
";

/// Where binaries are and data goes.
#[derive(Clone, Debug)]
pub struct Places {
    /// The server's binary.
    pub server: PathBuf,
    /// The server's binary as it was before, to see what became slower.
    pub before: Option<PathBuf>,
    /// This binary, which is the relay, too.
    pub own: PathBuf,
    /// Data folders, on the disk that the build is on.
    pub data: PathBuf,
}

impl Places {
    /// The same with the build of before as the server.
    pub fn of_before(&self) -> Option<Self> {
        self.before.clone().map(|server| Self { server, ..self.clone() })
    }

    /// What the server is told, where it serves TLS and where it does not.
    pub fn settings(&self, tls: bool) -> String {
        let is_before = self.before.as_ref() == Some(&self.server);
        match (is_before, tls) {
            (true, _) => SETTINGS.to_owned(),
            (false, true) => [SETTINGS, NEWER_SETTINGS].concat(),
            (false, false) => [SETTINGS, QUIC_SETTINGS, NEWER_SETTINGS].concat(),
        }
    }

    /// The program that compares stores, which is built beside this one.
    pub fn compare_store(&self) -> PathBuf {
        self.own.with_file_name("compare-store")
    }
}

/// A running server of ours and its data.
#[derive(Debug)]
pub struct DeskServer {
    /// The process.
    pub process: Subject,
    folder: PathBuf,
    /// Where it serves QUIC.
    quic: String,
}

impl DeskServer {
    /// Starts the server with one shard on an empty data folder.
    pub fn start(places: &Places, cores: Cores) -> Result<Self> {
        let folder = Self::empty(places)?;
        Self::start_again(places, cores, folder)
    }

    fn empty(places: &Places) -> Result<PathBuf> {
        let folder = places.data.clone();
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// The same with TLS, by a certificate of its own making.
    pub fn start_with_tls(places: &Places, cores: Cores) -> Result<Self> {
        let folder = Self::empty(places)?;
        Self::start_at(places, cores, folder, &free_address()?, free_address()?, true)
    }

    /// Kills it and starts it on what it left.
    pub fn restart(self, places: &Places, cores: Cores) -> Result<Self> {
        let Self { process, folder, .. } = self;
        process.kill()?;
        Self::start_again(places, cores, folder)
    }

    /// The same, at the addresses that it had.
    pub fn restart_in_place(self, places: &Places, cores: Cores) -> Result<Self> {
        let Self { process, folder, quic } = self;
        let listen = process.address.clone();
        process.kill()?;
        Self::start_at(places, cores, folder, &listen, quic, false)
    }

    fn start_again(places: &Places, cores: Cores, folder: PathBuf) -> Result<Self> {
        Self::start_at(places, cores, folder, &free_address()?, free_address()?, false)
    }

    fn start_at(
        places: &Places,
        cores: Cores,
        folder: PathBuf,
        listen: &str,
        quic: String,
        tls: bool,
    ) -> Result<Self> {
        let settings = folder.join("bench.toml");
        fs::write(&settings, places.settings(tls))?;
        let mut command = Command::new(&places.server);
        command.args(["serve", "--shards", "1", "--listen", listen, "--config"]);
        command.arg(&settings).arg("--data").arg(folder.join("data"));
        command.args(["--quic", &quic]).env("RUST_LOG", "warn");
        if tls {
            command.arg("--tls-self-signed");
        }
        let process = Subject::start(command, cores)
            .with_context(|| format!("{}: build it with `make build`", places.server.display()))?;
        Ok(Self { process, folder, quic })
    }

    /// Where it serves QUIC.
    pub fn quic(&self) -> Result<SocketAddr> {
        Ok(self.quic.parse()?)
    }

    /// Ends it and removes its data. A planned stop waits for clients, and is
    /// not what is measured.
    pub fn end(self) -> Result<()> {
        self.process.kill()?;
        remove(&self.folder)
    }
}

fn remove(folder: &Path) -> Result<()> {
    fs::remove_dir_all(folder).with_context(|| folder.display().to_string())
}

/// An address that was free a moment ago.
pub fn free_address() -> Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

/// What a relay does beside passing messages on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Relay {
    /// Nothing.
    Bare,
    /// It answers the sender.
    Answers,
    /// It makes messages durable before it passes them on, and answers the sender: the
    /// product's input and output, and nothing else.
    Durable,
}

impl Relay {
    /// Whether senders get an answer.
    pub const fn answers(self) -> bool {
        !matches!(self, Self::Bare)
    }
}

/// Starts a relay.
pub fn start_relay(places: &Places, cores: Cores, relay: Relay) -> Result<Subject> {
    let mut command = Command::new(&places.own);
    command.args(["relay", "127.0.0.1:0"]);
    if relay.answers() {
        command.arg("--echo");
    }
    if relay == Relay::Durable {
        fs::create_dir_all(&places.data)?;
        command.arg("--log").arg(places.data.join("relay.log"));
    }
    Subject::start(command, cores)
}

/// All clients of a shape, on desks that each have stickers of everybody.
pub fn join_desks(address: &str, shape: Shape, seed: u64) -> Result<Generator<DeskClient>> {
    join_desks_at(&[address], shape, seed)
}

/// The same on desks of several machines, in turns.
pub fn join_desks_at(addresses: &[&str], shape: Shape, seed: u64) -> Result<Generator<DeskClient>> {
    let mut random = Random::new(seed);
    let clock = Clock::start();
    let mut generator = Generator::new(clock, random.bits())?;
    let receptions = addresses.iter().map(|address| Reception::open(address));
    let mut receptions = receptions.collect::<Result<Vec<_>>>()?;
    for room in 0..shape.rooms {
        let at = room % receptions.len();
        let (reception, address) = (&mut receptions[at], addresses[at]);
        let room = generator.add_room(shape.clients);
        let (desk, mut key) = reception.create("a desk under load")?;
        for client in 0..shape.clients {
            if client > 0 {
                key = reception.join(&desk)?;
            }
            let socket = Socket::open(address, WEBSOCKET_TARGET, &key, random.bits())?;
            let participant = DeskClient::new(clock.now(), &key, random.bits());
            generator.join(room, socket, participant)?;
        }
        // Nobody who has joined may fall silent while the others do.
        if (room + 1) % ROOMS_AT_ONCE == 0 {
            generator.settle("joining", all_settled)?;
        }
    }
    let count = STICKERS_PER_CLIENT * shape.clients;
    generator.settle("joining", all_settled)?;
    for room in 0..shape.rooms {
        if room % ROOMS_AT_ONCE == 0 {
            generator.settle("making stickers", all_settled)?;
        }
        let first = generator.participants_mut(room).next().context("a room has clients")?;
        first.create(clock.now(), count, &mut random)?;
    }
    generator.settle("making stickers", |all| {
        let shown = |client: &DeskClient| client.confirmed().live_stickers() == count;
        all_settled(all) && (0..all.room_count()).all(|room| all.participants(room).all(shown))
    })?;
    let first: Vec<_> = (0..shape.rooms).map(|room| revision(&generator, room) + 1).collect();
    generator.open_ledgers(shape.clients, |room| first[room]);
    for room in 0..shape.rooms {
        let desk = generator.participants(room).next().context("a room has clients")?.confirmed();
        let stickers: Vec<_> = desk.stickers().map(|sticker| sticker.id).collect();
        for (own, client) in
            stickers.chunks(STICKERS_PER_CLIENT).zip(generator.participants_mut(room))
        {
            client.own(own.to_vec());
        }
    }
    Ok(generator)
}

fn revision(generator: &Generator<DeskClient>, room: usize) -> u64 {
    generator.participants(room).map(|client| client.revision().0).max().unwrap_or(0)
}

fn all_settled(all: &Generator<DeskClient>) -> bool {
    (0..all.room_count()).all(|room| {
        let newest = revision(all, room);
        all.participants(room).all(|client| client.is_settled() && client.revision().0 == newest)
    })
}

/// All clients of a shape, in the relay's rooms.
pub fn join_relay(
    address: &str,
    shape: Shape,
    seed: u64,
    echo: bool,
) -> Result<Generator<RelayClient>> {
    let mut random = Random::new(seed);
    let mut generator = Generator::new(Clock::start(), random.bits())?;
    for room in 0..shape.rooms {
        generator.add_room(shape.clients);
        let numbers = Rc::new(Cell::new(1));
        for _ in 0..shape.clients {
            let target = format!("/room/{room}");
            let socket = Socket::open(address, &target, "", random.bits())?;
            generator.join(room, socket, RelayClient::new(Rc::clone(&numbers), echo))?;
        }
    }
    generator.open_ledgers(shape.clients, |_| 1);
    Ok(generator)
}

/// Waits until everything is with everybody, and then holds all replicas of a
/// desk against each other.
///
/// # Errors
/// They differ, or something that was acknowledged is missing.
pub fn check_convergence(generator: &mut Generator<DeskClient>) -> Result<()> {
    generator.settle("the last commits", all_settled)?;
    for room in 0..generator.room_count() {
        if let Some(client) = first_difference(generator.participants(room)) {
            bail!("replica {client} of room {room} differs from the first one");
        }
    }
    Ok(())
}

/// The first of these clients whose confirmed desk is not the first client's,
/// or who shows something else than what is confirmed.
pub fn first_difference<'a>(clients: impl Iterator<Item = &'a DeskClient>) -> Option<usize> {
    let mut clients = clients.peekable();
    let desk = clients.peek()?.confirmed();
    clients.position(|client| client.confirmed() != desk || client.view() != desk)
}

/// The desk as a client that comes new is shown it; `key` is of one that was
/// there, and names the link.
pub fn look_at(address: &str, key: &str) -> Result<Desk> {
    let (link, _) = key.split_once('-').context("a session key has three groups")?;
    let key = Reception::open(address)?.join(link)?;
    let clock = Clock::start();
    let mut generator = Generator::new(clock, 1)?;
    let room = generator.add_room(2);
    let socket = Socket::open(address, WEBSOCKET_TARGET, &key, 1)?;
    generator.join(room, socket, DeskClient::new(clock.now(), &key, 2))?;
    generator.settle("looking at a desk", all_settled)?;
    let client = generator.participants(room).next().context("a client was added")?;
    Ok(client.confirmed().clone())
}
