//! Clients, a tiny server, and the lines between them, in one thread.
//!
//! Time is made up; every byte is delivered when the test says so.

pub(crate) mod server;

use std::collections::VecDeque;
use std::time::Duration;

use self::server::Server;
use desk_client_core::{Client, Config, Event, Line, Records, Status};
use desk_protocol::frame::CloseCode;
use desk_protocol::limits::HistoryLimits;
use desk_protocol::{Operation, Revision, ServerFrame, Sticker, StickerId, Time};

/// One client with its line and its disk.
pub(crate) struct Peer {
    pub(crate) client: Client,
    pub(crate) events: Vec<Event>,
    /// The open line, if there is one.
    pub(crate) line: Option<usize>,
    up: VecDeque<Vec<u8>>,
    down: VecDeque<Vec<u8>>,
    base: Option<Vec<u8>>,
    queue: Option<Vec<u8>>,
    /// Handed out for writing and not yet written.
    writing: VecDeque<Records>,
    starts: u64,
    /// Connects by itself when the client asks to.
    pub(crate) online: bool,
    /// Attempts to connect are neither taken nor refused.
    pub(crate) hangs: bool,
}

pub(crate) struct Net {
    pub(crate) server: Server,
    pub(crate) peers: Vec<Peer>,
    pub(crate) now: Time,
    /// Nothing is written to a disk but by [`Net::write_all`].
    pub(crate) lazy_disks: bool,
    lines: usize,
    seed: u64,
}

/// As much history as a server usually keeps.
pub(crate) fn plenty() -> HistoryLimits {
    HistoryLimits::default()
}

impl Net {
    pub(crate) fn new(clients: usize) -> Self {
        Self::with(clients, plenty(), 1_000, 7)
    }

    pub(crate) fn with(clients: usize, history: HistoryLimits, kept: usize, seed: u64) -> Self {
        let mut net = Self {
            server: Server::new(history, kept),
            peers: Vec::new(),
            now: Time::from_unix_seconds(1_000),
            lazy_disks: false,
            lines: 0,
            seed,
        };
        for index in 0..clients {
            let mut peer = Peer {
                client: Client::new(config(seed, index, 0)),
                events: Vec::new(),
                line: None,
                up: VecDeque::new(),
                down: VecDeque::new(),
                base: None,
                queue: None,
                writing: VecDeque::new(),
                starts: 0,
                online: true,
                hangs: false,
            };
            peer.client.stop_persisting();
            net.peers.push(peer);
        }
        net
    }

    /// As [`Net::with`], each client keeping its state across restarts.
    pub(crate) fn durable(clients: usize, history: HistoryLimits, kept: usize, seed: u64) -> Self {
        let mut net = Self::with(clients, history, kept, seed);
        for (index, peer) in net.peers.iter_mut().enumerate() {
            peer.client = Client::new(config(seed, index, 0));
        }
        net
    }

    /// Connected clients on one desk.
    pub(crate) fn joined(clients: usize) -> Self {
        let mut net = Self::new(clients);
        net.settle();
        net
    }

    pub(crate) fn client(&mut self, index: usize) -> &mut Client {
        &mut self.peers[index].client
    }

    pub(crate) fn text(&self, index: usize, id: StickerId) -> &str {
        &self.sticker(index, id).text.value
    }

    pub(crate) fn sticker(&self, index: usize, id: StickerId) -> &Sticker {
        self.peers[index].client.desk().sticker(id).expect("the sticker is in the view")
    }

    /// Everything that one peer can do without others.
    pub(crate) fn pump(&mut self, index: usize) {
        loop {
            if !self.lazy_disks {
                self.write_all(index);
            }
            let peer = &mut self.peers[index];
            while let Some(event) = peer.client.poll_event() {
                match &event {
                    Event::Connect { .. } if peer.hangs => {}
                    Event::Connect { .. } if peer.online => {
                        self.lines += 1;
                        peer.line = Some(self.lines);
                        peer.client.connected(self.now);
                    }
                    Event::Connect { .. } => peer.client.disconnected(self.now),
                    Event::LineDead { .. } | Event::Closed { .. } => {
                        if let Some(line) = peer.line.take() {
                            self.server.lost(line);
                        }
                        peer.up.clear();
                        peer.down.clear();
                    }
                    _ => {}
                }
                peer.events.push(event);
            }
            let records = peer.client.persist();
            let handed_out = records.is_some();
            peer.writing.extend(records);
            if handed_out && !self.lazy_disks {
                continue;
            }
            match (peer.client.poll_transmit(self.now), peer.line) {
                (Some(bytes), Some(_)) => peer.up.push_back(bytes),
                (Some(_), None) => panic!("nothing is sent without a line"),
                (None, _) => return,
            }
        }
    }

    /// The disk has written what was handed out.
    pub(crate) fn write_all(&mut self, index: usize) {
        loop {
            let peer = &mut self.peers[index];
            peer.writing.extend(peer.client.persist());
            let Some(records) = peer.writing.pop_front() else { return };
            if let Some(base) = records.base {
                peer.base = Some(base);
            }
            peer.queue = Some(records.queue);
            peer.client.persisted(records.token);
        }
    }

    /// The attempt that hung is taken at last.
    pub(crate) fn open(&mut self, index: usize) {
        self.lines += 1;
        let peer = &mut self.peers[index];
        peer.line = Some(self.lines);
        peer.hangs = false;
        peer.client.connected(self.now);
    }

    /// What the disk of a client holds.
    pub(crate) fn records(&self, index: usize) -> (Vec<u8>, Vec<u8>) {
        let peer = &self.peers[index];
        let written = peer.base.clone().zip(peer.queue.clone());
        written.expect("something was written")
    }

    /// One message from a client reaches the server. Whether there was one.
    pub(crate) fn deliver_up(&mut self, index: usize) -> bool {
        self.pump(index);
        let peer = &mut self.peers[index];
        let (Some(line), Some(bytes)) = (peer.line, peer.up.pop_front()) else { return false };
        for (to, bytes) in self.server.receive(line, &bytes) {
            self.enqueue_down(to, bytes);
        }
        true
    }

    pub(crate) fn enqueue_down(&mut self, line: usize, bytes: Vec<u8>) {
        if let Some(peer) = self.peers.iter_mut().find(|peer| peer.line == Some(line)) {
            peer.down.push_back(bytes);
        }
    }

    /// One message from the server reaches a client. Whether there was one.
    pub(crate) fn deliver_down(&mut self, index: usize) -> bool {
        let now = self.now;
        let peer = &mut self.peers[index];
        let Some(bytes) = peer.down.pop_front() else { return false };
        peer.client.receive(now, &bytes);
        self.pump(index);
        true
    }

    /// Takes the next message for a client off its line.
    pub(crate) fn take_down(&mut self, index: usize) -> Option<Vec<u8>> {
        self.peers[index].down.pop_front()
    }

    /// The line breaks; what is under way on it is lost.
    pub(crate) fn cut(&mut self, index: usize) {
        let peer = &mut self.peers[index];
        let Some(line) = peer.line.take() else { return };
        self.server.lost(line);
        peer.up.clear();
        peer.down.clear();
        peer.client.disconnected(self.now);
    }

    /// The line breaks, and none can be had until [`Net::go_online`].
    pub(crate) fn go_offline(&mut self, index: usize) {
        self.cut(index);
        self.peers[index].online = false;
    }

    pub(crate) fn go_online(&mut self, index: usize) {
        self.peers[index].online = true;
        let now = self.now;
        self.client(index).retry_now(now);
    }

    pub(crate) fn crash_server(&mut self) {
        for index in 0..self.peers.len() {
            self.cut(index);
        }
        self.server.crash();
    }

    /// The server sends a snapshot out of turn, as to a slow reader.
    pub(crate) fn resync(&mut self, index: usize) {
        let Some(line) = self.peers[index].line else { return };
        if !self.server.lines().contains(&line) {
            return;
        }
        let mut out = Vec::new();
        self.server.welcome(line, None, &mut out);
        for (to, bytes) in out {
            self.enqueue_down(to, bytes);
        }
    }

    /// The page is reloaded: memory is gone, what the disk has written is not.
    pub(crate) fn restart(&mut self, index: usize) {
        self.cut(index);
        let peer = &mut self.peers[index];
        peer.writing.clear();
        peer.starts += 1;
        let config = config(self.seed, index, peer.starts);
        peer.client = match (&peer.base, &peer.queue) {
            (Some(base), Some(queue)) => {
                Client::restore(config, base, queue).expect("what was written can be read")
            }
            _ => Client::new(config),
        };
    }

    /// A client imports notes by a request: what the answer says. What others and the
    /// client itself are sent is on its way.
    pub(crate) fn import(
        &mut self,
        index: usize,
        notes: Vec<Operation>,
        long: bool,
    ) -> (Revision, Vec<StickerId>) {
        let line = self.peers[index].line.expect("a live line");
        let (revision, created, out) = self.server.import(line, notes, long);
        for (to, bytes) in out {
            self.enqueue_down(to, bytes);
        }
        (revision, created)
    }

    /// Sends a frame out of turn to one client.
    pub(crate) fn tell(&mut self, index: usize, frame: &ServerFrame) {
        let mut bytes = Vec::new();
        desk_protocol::codec::encode_server(frame, &mut bytes);
        let now = self.now;
        self.client(index).receive(now, &bytes);
        self.pump(index);
    }

    pub(crate) fn close(&mut self, index: usize, code: CloseCode) {
        self.tell(index, &ServerFrame::Close { code, detail: "because".into() });
    }

    pub(crate) fn pass_time(&mut self, by: Duration) {
        self.now = self.now + by;
        for index in 0..self.peers.len() {
            let now = self.now;
            let client = self.client(index);
            if client.poll_timeout().is_some_and(|(at, _)| at <= now) {
                client.handle_timeout(now);
            }
            self.pump(index);
        }
    }

    /// Delivers everything in turn until nothing moves any more and all that
    /// are online are live.
    pub(crate) fn settle(&mut self) {
        self.lazy_disks = false;
        for _ in 0..10_000 {
            let mut moved = false;
            for index in 0..self.peers.len() {
                self.pump(index);
                while self.deliver_up(index) {
                    moved = true;
                }
                while self.deliver_down(index) {
                    moved = true;
                }
            }
            let waiting = |peer: &Peer| {
                peer.online && matches!(peer.client.line(), Line::Waiting | Line::Connecting)
            };
            if self.peers.iter().any(waiting) {
                self.pass_time(Duration::from_millis(200));
                moved = true;
            }
            if !moved {
                return;
            }
        }
        panic!("the net does not come to rest");
    }

    /// Every replica reads as the server's desk, and nothing is pending.
    pub(crate) fn assert_converged(&self) {
        for (index, peer) in self.peers.iter().enumerate() {
            let client = &peer.client;
            let line = client.line();
            assert_eq!(client.pending(), 0, "client {index}, {line:?}, has nothing pending");
            assert_eq!(client.confirmed(), &self.server.desk, "client {index} is a replica");
            assert_eq!(client.desk().title(), self.server.desk.title(), "client {index}");
            let shown: Vec<&Sticker> = client.desk().stickers().collect();
            let kept: Vec<&Sticker> = self.server.desk.stickers().collect();
            assert_eq!(shown, kept, "client {index} shows what is there");
            assert!(matches!(client.status(), Status::Saved | Status::Rejected { .. }));
            client.check_invariants();
        }
    }
}

fn config(seed: u64, index: usize, start: u64) -> Config {
    let fresh = seed.wrapping_mul(1_000_003) + index as u64 * 1_009 + start * 1_000_000_007;
    Config { durable: true, ..Config::new(fresh, format!("key {index}")) }
}
