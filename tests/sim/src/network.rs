//! Lines between clients and the server: ordered, delayed, cut.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use desk_engine_core::{ConnectionId, Input, Way, limits};
use desk_protocol::Time;
use desk_protocol::frame::CloseCode;
use desk_protocol::limits::SNAPSHOT_CHUNK_BYTES_MAX;

use crate::world::{Event, World};

/// An open line, as TCP would have it.
pub(crate) struct Line {
    pub(crate) person: usize,
    pub(crate) shard: usize,
    /// Reads a message in so many milliseconds.
    slow_ms: u64,
    up: VecDeque<Vec<u8>>,
    down: VecDeque<Down>,
    up_at: Time,
    down_at: Time,
    /// Read by nobody: the server paused it.
    paused: bool,
    held: VecDeque<Vec<u8>>,
    /// Bytes that the server handed over and the client has not read.
    unread: usize,
}

enum Down {
    Frame(Arc<[u8]>),
    End,
}

impl Line {
    /// Whether nothing is on its way.
    pub(crate) fn is_empty(&self) -> bool {
        self.up.is_empty() && self.down.is_empty() && self.held.is_empty()
    }
}

impl World {
    pub(crate) fn open_line(&mut self, id: ConnectionId, person: usize, shard: usize) {
        let slow = self.chance.once_in(self.plan.slow_once_in) && !self.settling;
        let line = Line {
            person,
            shard,
            slow_ms: if slow { self.chance.between(50, 3_000) } else { 0 },
            up: VecDeque::new(),
            down: VecDeque::new(),
            up_at: self.agenda.now,
            down_at: self.agenda.now,
            paused: false,
            held: VecDeque::new(),
            unread: 0,
        };
        self.lines.insert(id, line);
    }

    pub(crate) fn delay(&mut self) -> Duration {
        let most = self.plan.delay_max.as_micros() as u64;
        Duration::from_micros(self.chance.between(10, most.max(11)))
    }

    /// A client sends.
    pub(crate) fn send_up(&mut self, id: ConnectionId, bytes: Vec<u8>) {
        if self.unlucky() {
            return self.cut(id);
        }
        let at = self.agenda.now + self.delay();
        let Some(line) = self.lines.get_mut(&id) else { return };
        line.up.push_back(bytes);
        line.up_at = line.up_at.max(at);
        let at = line.up_at;
        self.agenda.at(at, Event::Up { line: id });
    }

    fn unlucky(&mut self) -> bool {
        !self.settling && self.chance.once_in(self.plan.cut_once_in)
    }

    pub(crate) fn arrive_up(&mut self, id: ConnectionId) {
        let Some(line) = self.lines.get_mut(&id) else { return };
        let Some(bytes) = line.up.pop_front() else { return };
        if line.paused {
            line.held.push_back(bytes);
            return;
        }
        let shard = line.shard;
        let now = self.agenda.now;
        let Some(host) = self.host(shard) else { return };
        let used = host.shard.receive(now, id, &bytes);
        if used != bytes.len() {
            self.fail(format!("{} bytes of whole frames were left unread", bytes.len() - used));
        }
        self.carry_out(shard);
    }

    pub(crate) fn pause_line(&mut self, id: ConnectionId) {
        if let Some(line) = self.lines.get_mut(&id) {
            line.paused = true;
        }
    }

    pub(crate) fn resume_line(&mut self, id: ConnectionId) {
        let Some(line) = self.lines.get_mut(&id) else { return };
        line.paused = false;
        // What was held comes before what is still on its way.
        let held = std::mem::take(&mut line.held);
        let count = held.len();
        for bytes in held.into_iter().rev() {
            line.up.push_front(bytes);
        }
        for _ in 0..count {
            self.agenda.after(Duration::ZERO, Event::Up { line: id });
        }
    }

    /// The server sends.
    pub(crate) fn send_down(&mut self, id: ConnectionId, frame: Arc<[u8]>, way: Way) {
        if self.unlucky() {
            return self.cut(id);
        }
        if way == Way::Repeated {
            self.cast_down(id, Arc::clone(&frame));
        }
        let delay = self.delay();
        let now = self.agenda.now;
        let Some(line) = self.lines.get_mut(&id) else { return };
        line.unread += frame.len();
        // The queue's limit, a snapshot's two chunks outside it, and answers.
        let most = limits::OUTBOUND_QUEUE_BYTES_MAX
            + limits::SNAPSHOT_CHUNKS_QUEUED_MAX * (SNAPSHOT_CHUNK_BYTES_MAX + 1_024)
            + limits::PRESENCE_QUEUE_BYTES_MAX
            + (64 << 10);
        if line.unread > most {
            let unread = line.unread;
            return self.fail(format!("{unread} bytes are queued for one connection"));
        }
        line.down.push_back(Down::Frame(frame));
        line.down_at = line.down_at.max(now + delay) + Duration::from_millis(line.slow_ms);
        let at = line.down_at;
        self.agenda.at(at, Event::Down { line: id });
    }

    /// Whether a datagram gets through.
    fn is_lucky(&mut self) -> bool {
        !self.chance.once_in(self.plan.datagram_lost_once_in)
    }

    /// A client sends a datagram: it may be lost, overtake and be overtaken.
    pub(crate) fn cast_up(&mut self, line: ConnectionId, frame: Vec<u8>) {
        if self.is_lucky() {
            let delay = self.delay();
            self.agenda.after(delay, Event::DatagramUp { line, frame });
        }
    }

    pub(crate) fn datagram_up(&mut self, id: ConnectionId, frame: &[u8]) {
        let Some(shard) = self.lines.get(&id).map(|line| line.shard) else { return };
        let now = self.agenda.now;
        let Some(host) = self.host(shard) else { return };
        let before = host.shard.stats().batches;
        host.shard.receive_datagram(now, id, frame);
        self.ahead += host.shard.stats().batches - before;
        self.carry_out(shard);
    }

    fn cast_down(&mut self, line: ConnectionId, frame: Arc<[u8]>) {
        if self.is_lucky() {
            let delay = self.delay();
            self.agenda.after(delay, Event::DatagramDown { line, frame });
        }
    }

    pub(crate) fn datagram_down(&mut self, id: ConnectionId, frame: &[u8]) {
        let Some(person) = self.lines.get(&id).map(|line| line.person) else { return };
        let client = &mut self.people[person].client;
        let before = client.confirmed().revision();
        client.receive_datagram(self.agenda.now, frame);
        self.ahead += u64::from(client.confirmed().revision() > before);
        self.pump(person);
    }

    pub(crate) fn end_line(&mut self, id: ConnectionId, code: CloseCode) {
        if code == CloseCode::Malformed {
            self.fail("a client of ours was told that it sends what none may send".to_owned());
        }
        let Some(line) = self.lines.get_mut(&id) else { return };
        line.down.push_back(Down::End);
        let at = line.down_at;
        self.agenda.at(at, Event::Down { line: id });
    }

    /// A connection whose end was decided has had its time.
    pub(crate) fn close_over(&mut self, id: ConnectionId) {
        let Some(line) = self.lines.remove(&id) else { return };
        self.feed(line.shard, Input::Closed { connection: id });
        self.line_lost(line.person, id);
    }

    pub(crate) fn arrive_down(&mut self, id: ConnectionId) {
        let Some(line) = self.lines.get_mut(&id) else { return };
        let (person, shard) = (line.person, line.shard);
        match line.down.pop_front() {
            None => {}
            Some(Down::End) => {
                self.lines.remove(&id);
                self.feed(shard, Input::Closed { connection: id });
                self.line_lost(person, id);
            }
            Some(Down::Frame(frame)) => {
                line.unread -= frame.len();
                self.people[person].client.receive(self.agenda.now, &frame);
                self.pump(person);
                let bytes = frame.len();
                self.feed(shard, Input::Sent { connection: id, bytes });
            }
        }
    }

    /// A line breaks. The server learns it sooner or later; the client at once,
    /// or only by its own pings.
    pub(crate) fn cut(&mut self, id: ConnectionId) {
        let Some(line) = self.lines.remove(&id) else { return };
        self.cuts += 1;
        let (generation, shard) = (self.generation, line.shard);
        let delay = Duration::from_millis(self.chance.between(1, 30_000));
        self.agenda.after(delay, Event::ServerLearns { generation, shard, line: id });
        if !self.plan.silent_cuts {
            let delay = self.delay();
            self.agenda.after(delay, Event::ClientLearns { person: line.person, line: id });
        }
    }

    /// The server is gone: every line breaks, and its clients learn it.
    pub(crate) fn cut_all(&mut self) {
        for (id, line) in std::mem::take(&mut self.lines) {
            let delay = self.delay();
            self.agenda.after(delay, Event::ClientLearns { person: line.person, line: id });
        }
    }
}
