//! A participant of a desk: the client core, as the page and programs run it.

use std::collections::VecDeque;

use anyhow::{Result, bail};
use desk_client_core::{Action, Client, Config, Edit, Event, Line, NewSticker, Status};
use desk_protocol::{Desk, Point, Revision, StickerId, Time};

use crate::ledger::Ledger;
use crate::participant::Participant;
use crate::random::Random;

/// A replica that moves its own stickers.
#[derive(Debug)]
pub struct DeskClient {
    client: Client,
    stickers: Vec<StickerId>,
    /// The next sticker in turn, so that eight at once are eight different ones.
    next: usize,
    made: VecDeque<Made>,
    acted: u64,
}

/// One user action under way.
#[derive(Debug)]
struct Made {
    action: Action,
    intended: Time,
    operations: usize,
}

impl DeskClient {
    /// A client whose line is open: its greeting is the first thing to send.
    pub fn new(now: Time, session_key: &str, seed: u64) -> Self {
        // Nobody takes load back, and a generator need not survive itself.
        let mut client = Client::new(Config { undo_steps: 0, ..Config::new(seed, session_key) });
        client.connected(now);
        Self { client, stickers: Vec::new(), next: 0, made: VecDeque::new(), acted: 0 }
    }

    /// The key it joined by.
    pub fn session_key(&self) -> &str {
        self.client.session_key()
    }

    /// Puts `count` empty stickers on the desk, in batches that fit.
    pub fn create(&mut self, now: Time, count: usize, random: &mut Random) -> Result<()> {
        self.write(now, count, 0, random)
    }

    /// Puts `count` stickers of so many letters on the desk, in batches that fit.
    pub fn write(
        &mut self,
        now: Time,
        count: usize,
        letters: usize,
        random: &mut Random,
    ) -> Result<()> {
        let mut left = count;
        while left > 0 {
            let some = left.min(if letters == 0 { 200 } else { 64 });
            let edits = (0..some).map(|_| {
                let text = "letters ".chars().cycle().take(letters).collect();
                let note = NewSticker { position: point(random), text, ..NewSticker::default() };
                Edit::Create { id: None, note }
            });
            self.client.act(now, edits.collect())?;
            left -= some;
        }
        Ok(())
    }

    /// Gives it stickers to move.
    pub fn own(&mut self, stickers: Vec<StickerId>) {
        self.stickers = stickers;
    }

    /// Whether it is connected, caught up, and all it made is durable.
    pub fn is_settled(&self) -> bool {
        self.client.line() == Line::Live && self.client.status() == Status::Saved
    }

    /// What the server has told it.
    pub const fn confirmed(&self) -> &Desk {
        self.client.confirmed()
    }

    /// The revision of that.
    pub fn revision(&self) -> Revision {
        self.client.confirmed().revision()
    }

    /// The confirmed desk with all of its own on top.
    pub const fn view(&self) -> &Desk {
        self.client.desk()
    }

    /// Operations that it made.
    pub const fn acted(&self) -> u64 {
        self.acted
    }
}

impl Participant for DeskClient {
    fn receive(&mut self, now: Time, message: &[u8], ledger: &mut Ledger) -> Result<()> {
        self.client.receive(now, message);
        while let Some(event) = self.client.poll_event() {
            match event {
                Event::Committed { revision, operations, mine: false, .. } => {
                    ledger.received(revision.0, operations as u64, now);
                }
                Event::Acknowledged { revision, through, .. } => {
                    let mut intended = Vec::new();
                    while self.made.front().is_some_and(|made| made.action <= through) {
                        let made = self.made.pop_front().expect("there is a front");
                        intended.extend(std::iter::repeat_n(made.intended, made.operations));
                    }
                    ledger.authored(revision.0, intended);
                }
                Event::LineDead { trouble } => {
                    bail!("a replica gave its line up: {}", trouble.as_str())
                }
                Event::Closed { code, detail } => {
                    bail!("the server closed a replica's line: {}: {detail}", code.as_str())
                }
                Event::Unsaved { .. } => {
                    bail!("work was refused: {:?}", self.client.unsaved().last())
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn act(
        &mut self,
        now: Time,
        intended: Time,
        operations: usize,
        random: &mut Random,
    ) -> Result<()> {
        let edits = (0..operations).map(|_| {
            self.next = (self.next + 1) % self.stickers.len();
            Edit::Move { id: self.stickers[self.next], to: point(random) }
        });
        let action = self.client.act(now, edits.collect())?;
        self.made.push_back(Made { action, intended, operations });
        self.acted += operations as u64;
        Ok(())
    }

    fn transmit(&mut self, now: Time, _ledger: &mut Ledger) -> Option<Vec<u8>> {
        self.client.poll_transmit(now)
    }

    fn is_idle(&self, _ledger: &Ledger) -> bool {
        self.made.is_empty()
    }

    fn wants_to_send(&self, _ledger: &Ledger) -> bool {
        false
    }

    fn handle_timeout(&mut self, now: Time) {
        self.client.handle_timeout(now);
    }
}

fn point(random: &mut Random) -> Point {
    Point { x: random.below(4_000) as i32, y: random.below(4_000) as i32 }
}
