//! A participant of another server's room. It speaks as that server's own client does, and keeps
//! one operation in flight, as the product's client keeps one batch.

use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;

use anyhow::{Result, ensure};
use desk_gateway_http::websocket::Opcode;
use desk_protocol::{Point, Time};

use crate::ledger::Ledger;
use crate::participant::Participant;
use crate::random::Random;

use super::marker::{marker, markers};

/// Where a client sits.
#[derive(Clone, Copy, Debug)]
pub struct Seat {
    /// Its room.
    pub room: usize,
    /// Its number among all clients of all rooms, from 0.
    pub client: usize,
}

/// The messages of one server's clients. Each client makes one note and then moves it.
pub trait Dialect {
    /// What carries its messages.
    const OPCODE: Opcode;

    /// Whether the author hears of its own operation when the server has taken it.
    const ANSWERS: bool;

    /// The first messages on an open line.
    fn greet(&mut self, heard: &mut Heard);

    /// Takes a message, says what it tells, and answers what has to be answered.
    ///
    /// # Errors
    /// The server did what it must not.
    fn receive(&mut self, message: &[u8], heard: &mut Heard) -> Result<()>;

    /// Some time has passed: says what keeps a silent line open.
    fn keep_alive(&mut self, _now: Time, _heard: &mut Heard) {}

    /// Whether it has joined, and its note is made.
    fn is_settled(&self) -> bool;

    /// The message that moves its note.
    fn move_note(&mut self, to: Point, mark: &str) -> Vec<u8>;
}

/// What a dialect makes of messages.
#[derive(Debug, Default)]
pub struct Heard {
    batches: Vec<u64>,
    answered: bool,
    outbox: VecDeque<Vec<u8>>,
}

impl Heard {
    /// These bytes hold operations.
    pub fn operations(&mut self, bytes: &[u8]) {
        self.batches.extend(markers(bytes));
    }

    /// The batches of these operations, in their order.
    pub fn batches(&self) -> &[u64] {
        &self.batches
    }

    /// The server has taken the author's own operation.
    pub fn answer(&mut self) {
        self.answered = true;
    }

    /// The server is to be told this.
    pub fn reply(&mut self, message: impl Into<Vec<u8>>) {
        self.outbox.push_back(message.into());
    }
}

/// Someone who moves a note and counts the moves of others.
#[derive(Debug)]
pub struct PeerClient<D> {
    dialect: D,
    heard: Heard,
    queued: VecDeque<(Time, Point)>,
    /// The batch in flight.
    in_flight: Option<u64>,
    /// Whether the server's answer for it is to come.
    unanswered: bool,
    number_next: Rc<Cell<u64>>,
}

impl<D: Dialect> PeerClient<D> {
    /// `number_next` is shared by the clients of a room: it numbers batches.
    pub fn new(mut dialect: D, number_next: Rc<Cell<u64>>) -> Self {
        let mut heard = Heard::default();
        dialect.greet(&mut heard);
        let (queued, in_flight) = (VecDeque::new(), None);
        Self { dialect, heard, queued, in_flight, unanswered: false, number_next }
    }

    /// Whether it has joined, and its note is made.
    pub fn is_settled(&self) -> bool {
        self.dialect.is_settled() && self.heard.outbox.is_empty()
    }

    /// Whether nothing is in flight: all others have it, which the generator, being all of them,
    /// knows, and the author was answered, where the server answers.
    fn is_over(&self, ledger: &Ledger) -> bool {
        !self.unanswered && self.in_flight.is_none_or(|number| ledger.is_complete(number))
    }
}

impl<D: Dialect> Participant for PeerClient<D> {
    const OPCODE: Opcode = D::OPCODE;

    fn receive(&mut self, now: Time, message: &[u8], ledger: &mut Ledger) -> Result<()> {
        self.dialect.receive(message, &mut self.heard)?;
        for number in self.heard.batches.drain(..) {
            // Some servers tell their author what they tell the others.
            if self.in_flight == Some(number) {
                self.heard.answered = true;
            } else {
                ledger.received(number, 1, now);
            }
        }
        if std::mem::take(&mut self.heard.answered) {
            self.unanswered = false;
        }
        Ok(())
    }

    fn act(
        &mut self,
        _now: Time,
        intended: Time,
        operations: usize,
        random: &mut Random,
    ) -> Result<()> {
        ensure!(operations == 1, "others are compared one operation at a time");
        let to = Point { x: random.below(4_000) as i32, y: random.below(4_000) as i32 };
        self.queued.push_back((intended, to));
        Ok(())
    }

    fn transmit(&mut self, _now: Time, ledger: &mut Ledger) -> Option<Vec<u8>> {
        if let Some(message) = self.heard.outbox.pop_front() {
            return Some(message);
        }
        if !self.is_over(ledger) {
            return None;
        }
        let (intended, to) = self.queued.pop_front()?;
        let number = self.number_next.get();
        self.number_next.set(number + 1);
        ledger.authored(number, vec![intended]);
        self.in_flight = Some(number);
        self.unanswered = D::ANSWERS;
        Some(self.dialect.move_note(to, &marker(number)))
    }

    fn is_idle(&self, ledger: &Ledger) -> bool {
        self.queued.is_empty() && self.is_over(ledger)
    }

    fn wants_to_send(&self, ledger: &Ledger) -> bool {
        !self.heard.outbox.is_empty() || !self.queued.is_empty() && self.is_over(ledger)
    }

    fn handle_timeout(&mut self, now: Time) {
        self.dialect.keep_alive(now, &mut self.heard);
    }
}
