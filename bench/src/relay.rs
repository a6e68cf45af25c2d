//! A bare WebSocket relay: what passing messages on costs by itself.
//!
//! It orders nothing and reads no message. It stores nothing either, unless it is given a
//! log: then a group of messages is durable before it is passed on, and the relay is the
//! limit of what any program can do that has the product's input and output. It forwards each
//! binary message to the others of its room (the target's path is the room's
//! name), in one thread, over the product's own framing. What queued for a
//! connection during a turn leaves in one write.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use desk_gateway_http::Time;
use desk_gateway_http::http::{Connection, Event as Request};
use desk_gateway_http::websocket::handshake::Upgrade;
use desk_gateway_http::websocket::{Event, FrameHeader, Input, Opcode, Role, WebSocket};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

use crate::group_log::GroupLog;
use crate::limits::{MESSAGE_BYTES_MAX, READ_BYTES};

const LISTENER: Token = Token(usize::MAX);

/// Relays on `address` until the process is ended. With `echo` the sender gets
/// its message back, too, as an acknowledgement would come. With `log` all messages
/// of a turn are written there before they are passed on.
pub fn serve(address: &str, echo: bool, log: Option<&Path>) -> Result<()> {
    let address: SocketAddr = address.parse().context("an address like 127.0.0.1:0")?;
    let mut listener = TcpListener::bind(address)?;
    let mut relay = Relay {
        poll: Poll::new()?,
        echo,
        log: log.map(GroupLog::create).transpose()?,
        lines: Vec::new(),
        rooms: BTreeMap::new(),
        dirty: Vec::new(),
        scratch: vec![0; READ_BYTES],
    };
    relay.poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    println!("relaying on {}", listener.local_addr()?);
    let mut events = Events::with_capacity(1_024);
    loop {
        match relay.poll.poll(&mut events, None) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            result => result?,
        }
        for event in &events {
            if event.token() == LISTENER {
                relay.accept(&listener)?;
                continue;
            }
            if event.is_writable() {
                relay.mark(event.token().0);
            }
            if event.is_readable() {
                relay.read(event.token().0);
            }
        }
        if let Some(log) = &mut relay.log {
            log.commit()?;
        }
        relay.flush();
    }
}

struct Relay {
    poll: Poll,
    echo: bool,
    log: Option<GroupLog>,
    /// By token; `None` once closed.
    lines: Vec<Option<Line>>,
    rooms: BTreeMap<String, Vec<usize>>,
    /// Lines with something to write.
    dirty: Vec<usize>,
    scratch: Vec<u8>,
}

struct Line {
    stream: TcpStream,
    phase: Phase,
    out: Vec<u8>,
    dirty: bool,
}

enum Phase {
    Greeting(Box<Connection>),
    Open { framing: Box<WebSocket>, room: String },
}

/// Why a line is over; nobody asks.
struct Over;

impl Relay {
    fn accept(&mut self, listener: &TcpListener) -> Result<()> {
        loop {
            let mut stream = match listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            stream.set_nodelay(true)?;
            let token = Token(self.lines.len());
            let both = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut stream, token, both)?;
            let phase = Phase::Greeting(Box::new(Connection::new(now())));
            self.lines.push(Some(Line { stream, phase, out: Vec::new(), dirty: false }));
        }
    }

    fn mark(&mut self, index: usize) {
        if let Some(line) = &mut self.lines[index]
            && !line.dirty
            && !line.out.is_empty()
        {
            line.dirty = true;
            self.dirty.push(index);
        }
    }

    fn read(&mut self, index: usize) {
        let mut scratch = std::mem::take(&mut self.scratch);
        while let Some(line) = &mut self.lines[index] {
            let length = match line.stream.read(&mut scratch) {
                Ok(length) if length > 0 => length,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Ok(_) | Err(_) => {
                    self.end(index);
                    break;
                }
            };
            if self.take(index, &mut scratch[..length]).is_err() {
                self.end(index);
            }
            if length < scratch.len() {
                break;
            }
        }
        self.scratch = scratch;
    }

    fn take(&mut self, index: usize, bytes: &mut [u8]) -> Result<(), Over> {
        let Some(mut line) = self.lines[index].take() else { return Ok(()) };
        let result = match &mut line.phase {
            Phase::Greeting(connection) => {
                connection.handle_bytes(now(), bytes);
                self.greet(index, &mut line)
            }
            Phase::Open { framing, room } => {
                let mut own = Vec::new();
                let result = self.forward(index, framing, room, bytes, &mut own);
                line.out.append(&mut own);
                result
            }
        };
        self.lines[index] = Some(line);
        self.mark(index);
        result
    }

    fn greet(&mut self, index: usize, line: &mut Line) -> Result<(), Over> {
        let Phase::Greeting(connection) = &mut line.phase else { return Ok(()) };
        let head = match connection.poll_event(now()) {
            Ok(None) => return Ok(()),
            Ok(Some(Request::Head(head))) => head,
            Ok(Some(Request::Body(_))) | Err(_) => return Err(Over),
        };
        let upgrade = Upgrade::check(&head).map_err(|_| Over)?;
        line.out.extend(upgrade.to_bytes(now()));
        let room = head.path().to_owned();
        self.rooms.entry(room.clone()).or_default().push(index);
        let framing = Box::new(WebSocket::new(Role::Server, MESSAGE_BYTES_MAX));
        line.phase = Phase::Open { framing, room };
        Ok(())
    }

    fn forward(
        &mut self,
        index: usize,
        framing: &mut WebSocket,
        room: &str,
        bytes: &mut [u8],
        own: &mut Vec<u8>,
    ) -> Result<(), Over> {
        let mut input = Input::new(bytes);
        loop {
            let message = match framing.next(&mut input, own) {
                Ok(None) => return Ok(()),
                Ok(Some(Event::Binary(message))) => message,
                Ok(Some(Event::Pong(_))) => continue,
                Ok(Some(Event::Text(_) | Event::Closed(_))) | Err(_) => return Err(Over),
            };
            if let Some(log) = &mut self.log {
                log.take(message);
            }
            let header = FrameHeader::whole(Opcode::Binary, message.len());
            for &other in self.rooms.get(room).into_iter().flatten() {
                let out = match &mut self.lines[other] {
                    Some(line) => {
                        if !line.dirty {
                            line.dirty = true;
                            self.dirty.push(other);
                        }
                        &mut line.out
                    }
                    // The sender's own line is taken out of its place.
                    None if other == index && self.echo => &mut *own,
                    None => continue,
                };
                header.append(out);
                out.extend_from_slice(message);
            }
        }
    }

    fn flush(&mut self) {
        for index in std::mem::take(&mut self.dirty) {
            let Some(line) = &mut self.lines[index] else { continue };
            line.dirty = false;
            match line.stream.write(&line.out) {
                Ok(length) if length == line.out.len() => line.out.clear(),
                // The poller tells when more can be written.
                Ok(length) => drop(line.out.drain(..length)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => self.end(index),
            }
        }
    }

    fn end(&mut self, index: usize) {
        if let Some(line) = self.lines[index].take()
            && let Phase::Open { room, .. } = line.phase
            && let Some(members) = self.rooms.get_mut(&room)
        {
            members.retain(|&member| member != index);
        }
    }
}

/// The handshake's deadlines and dates; nothing after it needs a clock.
#[expect(clippy::disallowed_methods, reason = "this shell owns its clock")]
fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time::default() + since
}
