//! Servers of others, each started as it comes, and clients that speak with it as its own do. None
//! of them keeps anything when it ends; ours does.

pub mod client;
pub mod json;
pub mod lib0;
pub mod liveblocks;
pub mod marker;
pub mod nats;
pub mod sharedb;
pub mod tldraw;
pub mod yjs;

use std::cell::Cell;
use std::fmt;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::rc::Rc;

use anyhow::{Context as _, Result};

use crate::clock::Clock;
use crate::generator::{Generator, Measured};
use crate::idle::{self, IdleCost};
use crate::limits::{IDLE_CONNECTIONS, ROOMS_AT_ONCE};
use crate::phases::{self, Lengths};
use crate::process::{Cores, Memory, Subject};
use crate::random::Random;
use crate::shape::Shape;
use crate::socket::Socket;
use client::{Dialect, PeerClient, Seat};
use liveblocks::Liveblocks;
use nats::Nats;
use sharedb::ShareDb;
use tldraw::Tldraw;
use yjs::Yjs;

/// A server of others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Peer {
    /// nats-server, which passes messages on and merges nothing.
    Nats,
    /// tldraw's sync-core.
    Tldraw,
    /// Liveblocks' server.
    Liveblocks,
    /// y-websocket's server.
    YWebsocket,
    /// Hocuspocus, of Yjs, too.
    Hocuspocus,
    /// ShareDB with json0.
    ShareDb,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nats => "nats-server 2.15",
            Self::Tldraw => "tldraw sync-core 5.4",
            Self::Liveblocks => "Liveblocks server 1.9",
            Self::YWebsocket => "y-websocket server 0.1",
            Self::Hocuspocus => "Hocuspocus 4.7",
            Self::ShareDb => "ShareDB 7.0",
        })
    }
}

impl Peer {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Nats,
        Self::Tldraw,
        Self::Liveblocks,
        Self::YWebsocket,
        Self::Hocuspocus,
        Self::ShareDb,
    ];

    /// Whether it merges what people do at once.
    pub const fn merges(self) -> bool {
        !matches!(self, Self::Nats)
    }

    /// A fresh server at its limit, one operation a client in flight.
    ///
    /// # Errors
    /// It is not installed, does what it must not, or loses an operation.
    pub fn saturated(
        self,
        cores: Cores,
        shape: Shape,
        lengths: Lengths,
        seed: u64,
    ) -> Result<Measured> {
        self.with(cores, Saturating { shape, lengths, seed })
    }

    /// What an idle connection costs a fresh server.
    ///
    /// # Errors
    /// It is not installed, or does what it must not.
    pub fn idle(self, cores: Cores, seed: u64) -> Result<IdleCost> {
        self.with(cores, Idling { seed })
    }

    fn with<W: Work>(self, cores: Cores, work: W) -> Result<W::Found> {
        let process = self.start(cores)?;
        let found = match self {
            Self::Nats => work.on(&process, Nats::new),
            Self::Tldraw => {
                let schema: Rc<str> = get(&process.address)?.into();
                work.on(&process, |seat| Tldraw::new(seat, Rc::clone(&schema)))
            }
            Self::Liveblocks => work.on(&process, Liveblocks::new),
            Self::YWebsocket => work.on(&process, Yjs::y_websocket),
            Self::Hocuspocus => work.on(&process, Yjs::hocuspocus),
            Self::ShareDb => work.on(&process, ShareDb::new),
        };
        found.with_context(|| self.to_string())
    }

    fn start(self, cores: Cores) -> Result<Subject> {
        let folder = PathBuf::from("bench/compare");
        let (program, argument) = match self {
            Self::Nats => ("nats-server", "--config"),
            _ => ("node", "--"),
        };
        let mut command = Command::new(program);
        command.arg(argument).arg(folder.join(match self {
            Self::Nats => "nats.conf",
            Self::Tldraw => "tldraw.mjs",
            Self::Liveblocks => "liveblocks.mjs",
            Self::YWebsocket => "y_websocket.mjs",
            Self::Hocuspocus => "hocuspocus.mjs",
            Self::ShareDb => "sharedb.mjs",
        }));
        command.env("NODE_ENV", "production");
        Subject::start(command, cores)
            .with_context(|| format!("{self}: `make bench ONLY=compare` installs it"))
    }
}

/// What a plain request is answered.
fn get(address: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (_, body) = answer.split_once("\r\n\r\n").context("an answer has a body")?;
    Ok(body.to_owned())
}

/// What is done to a server, whatever its dialect.
trait Work {
    /// What comes of it.
    type Found;

    fn on<D: Dialect>(self, process: &Subject, dialect: impl Fn(Seat) -> D) -> Result<Self::Found>;
}

struct Saturating {
    shape: Shape,
    lengths: Lengths,
    seed: u64,
}

impl Work for Saturating {
    type Found = Measured;

    fn on<D: Dialect>(self, process: &Subject, dialect: impl Fn(Seat) -> D) -> Result<Measured> {
        let Self { shape, lengths, seed } = self;
        let mut guests = Guests::new(&process.address, seed)?;
        for room in 0..shape.rooms {
            guests.seat(shape.clients, &dialect)?;
            if (room + 1) % ROOMS_AT_ONCE == 0 {
                guests.settle()?;
            }
        }
        guests.settle()?;
        guests.generator.open_ledgers(shape.clients, |_| 1);
        phases::single(&mut guests.generator, process, lengths)
    }
}

struct Idling {
    seed: u64,
}

impl Work for Idling {
    type Found = IdleCost;

    fn on<D: Dialect>(self, process: &Subject, dialect: impl Fn(Seat) -> D) -> Result<IdleCost> {
        let mut guests = Guests::new(&process.address, self.seed)?;
        let mut points: Vec<(usize, Memory)> = Vec::new();
        for number in (0..=IDLE_CONNECTIONS).step_by(idle::PER_ROOM) {
            guests.settle()?;
            if number % idle::STEP == 0 {
                points.push((number, process.memory()?));
            }
            if number < IDLE_CONNECTIONS {
                guests.seat(idle::PER_ROOM, &dialect)?;
            }
        }
        idle::cost(&points)
    }
}

/// Clients of one server.
struct Guests<D> {
    address: String,
    generator: Generator<PeerClient<D>>,
    random: Random,
    client_next: usize,
}

impl<D: Dialect> Guests<D> {
    fn new(address: &str, seed: u64) -> Result<Self> {
        let mut random = Random::new(seed);
        let generator = Generator::new(Clock::start(), random.bits())?;
        Ok(Self { address: address.to_owned(), generator, random, client_next: 0 })
    }

    /// Fills a room.
    fn seat(&mut self, clients: usize, dialect: &impl Fn(Seat) -> D) -> Result<()> {
        let room = self.generator.add_room(clients);
        let numbers = Rc::new(Cell::new(1));
        for _ in 0..clients {
            let seat = Seat { room, client: self.client_next };
            self.client_next += 1;
            let target = format!("/room/{room}");
            let socket = Socket::open_plain(&self.address, &target, self.random.bits())?;
            let client = PeerClient::new(dialect(seat), Rc::clone(&numbers));
            self.generator.join(room, socket, client)?;
        }
        Ok(())
    }

    fn settle(&mut self) -> Result<()> {
        self.generator.settle("joining", |all| {
            (0..all.room_count()).all(|room| all.participants(room).all(PeerClient::is_settled))
        })
    }
}
