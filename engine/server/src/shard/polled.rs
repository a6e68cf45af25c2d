//! Lines over HTTP requests, on the shard of their desk.
//!
//! Requests reach any shard, and ask this one by the message queue. A line is named by its
//! client and by a number that the client draws. To the desk's core it is a guest whose
//! home is here ([`super::line`]); [`PolledLine`] decides what becomes of its requests.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use desk_engine_core::{ConnectionId, RequestId, SessionKey, Source, Way};
use desk_protocol::{ClientId, Time};

use super::Shell;
use super::order::{Order, Said};
use super::question::{Answer, LineAnswer, LineAsk, LineQuestion};
use crate::net::polled::{Part, PolledLine};

/// The lines over HTTP requests of a shard's desks.
#[derive(Default)]
pub(crate) struct PolledLines {
    lines: BTreeMap<u64, Entry>,
    by_name: BTreeMap<(ClientId, u32), u64>,
    /// Requests that wait, by the line that they wait for.
    asking: BTreeMap<RequestId, u64>,
    due: BTreeSet<(Time, u64)>,
    /// Lines that this turn looks at.
    dirty: BTreeSet<u64>,
}

struct Entry {
    key: SessionKey,
    name: u32,
    line: PolledLine<RequestId>,
    /// Its place in [`PolledLines::due`].
    due: Time,
}

impl PolledLines {
    /// How many there are.
    pub(super) fn open(&self) -> usize {
        self.lines.len()
    }

    /// Whether a connection is one of them.
    pub(super) fn has(&self, connection: ConnectionId) -> bool {
        self.lines.contains_key(&connection.0)
    }

    /// When one of them is to be looked at.
    pub(super) fn poll_timeout(&self) -> Option<Time> {
        self.due.first().map(|(at, _)| *at)
    }

    fn add(&mut self, now: Time, connection: u64, key: SessionKey, name: u32) {
        let line = PolledLine::new(now);
        let due = line.poll_timeout();
        self.by_name.insert((key.client, name), connection);
        self.due.insert((due, connection));
        self.lines.insert(connection, Entry { key, name, line, due });
    }

    fn remove(&mut self, connection: u64) -> Option<Entry> {
        let entry = self.lines.remove(&connection)?;
        self.by_name.remove(&(entry.key.client, entry.name));
        self.due.remove(&(entry.due, connection));
        Some(entry)
    }

    /// The line of a name, if the key is the one that it was opened with.
    fn named(&self, key: &SessionKey, name: u32) -> Option<u64> {
        let connection = *self.by_name.get(&(key.client, name))?;
        (self.lines[&connection].key == *key).then_some(connection)
    }

    /// Lines of a client on which only the first part came. A client needs one.
    fn unused(&self, client: ClientId) -> Vec<u64> {
        let all = self.by_name.range((client, 0)..=(client, u32::MAX));
        all.map(|(_, connection)| *connection)
            .filter(|connection| self.lines[connection].line.parts_taken() <= 1)
            .collect()
    }

    /// Lets `act` change a line; this turn looks at it.
    fn with<R>(
        &mut self,
        connection: u64,
        act: impl FnOnce(&mut PolledLine<RequestId>) -> R,
    ) -> Option<R> {
        let entry = self.lines.get_mut(&connection)?;
        let result = act(&mut entry.line);
        self.dirty.insert(connection);
        Some(result)
    }

    /// Takes the lines that are to be looked at.
    fn take_dirty(&mut self, now: Time) -> BTreeSet<u64> {
        let mut dirty = std::mem::take(&mut self.dirty);
        dirty.extend(self.due.iter().take_while(|(at, _)| *at <= now).map(|(_, line)| *line));
        dirty
    }

    /// Notes when a line is to be looked at next.
    fn arm(&mut self, connection: u64) {
        let Some(entry) = self.lines.get_mut(&connection) else { return };
        let due = entry.line.poll_timeout();
        if due != entry.due {
            self.due.remove(&(entry.due, connection));
            self.due.insert((due, connection));
            entry.due = due;
        }
    }
}

impl Shell {
    /// Serves a request of a line.
    pub(super) fn serve_line(self: &Rc<Self>, request: RequestId, question: LineQuestion) {
        let LineQuestion { key, source, line, number, what } = question;
        let known = self.polled.borrow().named(&key, line);
        let opens = number == 0 && matches!(what, LineAsk::Say(_));
        let connection = match known {
            Some(connection) => connection,
            None if !opens => return self.answer_line(request, LineAnswer::Gone),
            None if self.is_stopping() || !self.shared.has_room() => {
                return self.answer_line(request, LineAnswer::Full);
            }
            None => self.open_polled(key, source, line),
        };
        self.hear(ConnectionId(connection), Said::Heard);
        match what {
            LineAsk::Say(bytes) => self.take_part(connection, request, number, bytes),
            LineAsk::Hear(wait) => self.ask_frames(connection, request, number, wait),
        }
    }

    fn open_polled(self: &Rc<Self>, key: SessionKey, source: Source, name: u32) -> u64 {
        let unused = self.polled.borrow().unused(key.client);
        unused.into_iter().for_each(|line| self.end_polled(line));
        let connection = self.name_connection();
        self.polled.borrow_mut().add(self.clock.now(), connection.0, key, name);
        self.connection_opened();
        self.hear(connection, Said::Opened(Some(key), source));
        connection.0
    }

    fn take_part(
        self: &Rc<Self>,
        connection: u64,
        request: RequestId,
        number: u64,
        bytes: Vec<u8>,
    ) {
        let now = self.clock.now();
        let mut polled = self.polled.borrow_mut();
        let part = polled.with(connection, |line| line.part(now, number, request, bytes));
        match part {
            Some(Part::Taken(request, bytes)) if bytes.is_empty() && number > 0 => {
                drop(polled);
                self.answer_line(request, LineAnswer::Taken);
                self.end_polled(connection);
            }
            Some(Part::Taken(request, bytes)) => {
                drop(polled);
                self.take_said(connection, request, bytes);
            }
            Some(Part::Again(request)) => {
                drop(polled);
                self.answer_line(request, LineAnswer::Taken);
            }
            Some(Part::Held) => {
                polled.asking.insert(request, connection);
            }
            Some(Part::Gap(request)) => {
                drop(polled);
                self.answer_line(request, LineAnswer::Gone);
                self.end_polled(connection);
            }
            None => {}
        }
    }

    fn take_said(self: &Rc<Self>, connection: u64, request: RequestId, bytes: Vec<u8>) {
        self.answer_line(request, LineAnswer::Taken);
        self.hear(ConnectionId(connection), Said::Frames(bytes));
    }

    fn ask_frames(
        self: &Rc<Self>,
        connection: u64,
        request: RequestId,
        number: u64,
        wait: Duration,
    ) {
        let now = self.clock.now();
        let mut polled = self.polled.borrow_mut();
        let asked = polled.with(connection, |line| line.ask(now, number, request, wait));
        let Some(asked) = asked else { return };
        let refused = match asked {
            Ok(replaced) => {
                polled.asking.insert(request, connection);
                replaced
            }
            Err(request) => Some(request),
        };
        drop(polled);
        if let Some(refused) = refused {
            self.answer_line(refused, LineAnswer::Gone);
        }
        if asked.is_err() {
            self.end_polled(connection);
        }
    }

    /// Does what the core of its desk wants of a line.
    pub(super) fn obey_as_polled(self: &Rc<Self>, connection: ConnectionId, order: Order) {
        let now = self.clock.now();
        let limits = &self.shared.config.limits;
        let patience = if self.is_stopping() { limits.close_time } else { limits.last_words_time };
        let held = self.polled.borrow_mut().with(connection.0, |line| match order {
            Order::Send { frame, way } => {
                line.push(now, frame, way == Way::Lossy);
                None
            }
            Order::Close(_) => {
                line.close(now, patience);
                None
            }
            Order::Probe => {
                line.probe(now);
                None
            }
            Order::Pause => line.pause(true),
            Order::Resume => line.pause(false),
            Order::Taken(_) => None,
        });
        if let Some((request, bytes)) = held.flatten() {
            self.take_said(connection.0, request, bytes);
        }
    }

    /// Answers the requests whose time has come, and ends lines that are over. Says whether
    /// frames have left.
    pub(super) fn flush_polled(self: &Rc<Self>) -> bool {
        let now = self.clock.now();
        let dirty = self.polled.borrow_mut().take_dirty(now);
        let mut left = false;
        for connection in dirty {
            let mut polled = self.polled.borrow_mut();
            let Some(entry) = polled.lines.get_mut(&connection) else { continue };
            let answer = entry.line.poll_answer(now);
            let over = entry.line.is_over(now);
            polled.arm(connection);
            drop(polled);
            if let Some((request, bytes)) = answer {
                let count = bytes.len();
                self.answer_line(request, LineAnswer::Frames(bytes));
                if count > 0 {
                    self.hear(ConnectionId(connection), Said::Sent(count));
                    left = true;
                }
            }
            if over {
                self.end_polled(connection);
            }
        }
        left
    }

    /// A line is gone.
    fn end_polled(self: &Rc<Self>, connection: u64) {
        let Some(entry) = self.polled.borrow_mut().remove(connection) else { return };
        for request in entry.line.into_waiting() {
            self.answer_line(request, LineAnswer::Gone);
        }
        self.hear(ConnectionId(connection), Said::Closed);
        self.connection_closed();
    }

    /// Nobody waits for this answer any more. Says whether it was one of a line.
    pub(super) fn abandon_line(&self, request: RequestId) -> bool {
        let now = self.clock.now();
        let mut polled = self.polled.borrow_mut();
        let Some(connection) = polled.asking.remove(&request) else { return false };
        polled.with(connection, |line| line.abandon(now, request));
        drop(polled);
        self.wake();
        true
    }

    fn answer_line(&self, request: RequestId, answer: LineAnswer) {
        self.polled.borrow_mut().asking.remove(&request);
        self.answer(request, Answer::Line(answer));
    }
}
