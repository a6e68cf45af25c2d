//! One unit, as one node sees it.

use desk_protocol::Time;

use crate::chance::Chance;
use crate::event::Event;
use crate::io::{Deadline, Input, Output};
use crate::layout::Lanes;
use crate::outbox::Outbox;
use crate::own::{self, Own};
use crate::take::{self, FIRST_BATCH, Take};
use crate::unit_id::{Epoch, UnitId};

/// Appends to a unit that the node owns, takes over one that it wants, and notices that
/// somebody else did.
#[derive(Debug)]
pub struct Unit {
    node: String,
    address: String,
    lanes: Lanes,
    chance: Chance,
    state: State,
    outbox: Outbox,
}

#[derive(Debug)]
enum State {
    /// Somebody else's, or nobody's.
    Foreign,
    Taking(Box<Take>),
    Own(Box<Own>),
}

impl Unit {
    /// A unit that this node does not own, over these lanes.
    ///
    /// # Panics
    /// Without a lane.
    #[must_use]
    pub fn new(id: UnitId, node: &str, address: &str, lanes: Lanes, seed: u64) -> Self {
        assert!(lanes.count > 0, "a unit has a lane");
        Self {
            node: node.to_owned(),
            address: address.to_owned(),
            lanes,
            chance: Chance::new(seed),
            state: State::Foreign,
            outbox: Outbox::new(id),
        }
    }

    /// Takes an input.
    pub fn handle(&mut self, now: Time, input: Input) {
        let Self { outbox, chance, .. } = self;
        match (&mut self.state, input) {
            (State::Foreign, Input::Take) => {
                let node = (self.node.as_str(), self.address.as_str());
                self.state = State::Taking(Box::new(Take::new(now, outbox, node, self.lanes)));
            }
            (State::Taking(take), Input::LookedUp { call, answer }) => {
                let outcome = take.looked_up(now, chance, outbox, call, answer);
                self.taken(now, outcome);
            }
            (State::Taking(take), Input::Published { call, answer }) => {
                let outcome = take.published(now, chance, outbox, call, answer);
                self.taken(now, outcome);
            }
            (State::Taking(take), Input::Read { call, answer }) => {
                let outcome = take.read(now, outbox, call, answer);
                self.taken(now, outcome);
            }
            (State::Taking(take), Input::Absorbed { epoch }) => {
                take.absorbed(now, outbox, epoch);
            }
            (State::Taking(_), Input::Release) => self.depose(),
            (State::Own(own), Input::Append { epoch, records, ticket }) => {
                own.append(now, outbox, epoch, records, ticket);
            }
            (State::Own(own), Input::Published { call, answer }) => {
                let outcome = own.published(now, outbox, call, answer);
                self.own_outcome(outcome);
            }
            (State::Own(own), Input::Shown { epoch, states }) => {
                own.shown(now, outbox, epoch, states);
            }
            (State::Own(own), Input::Purged { call, answer }) => {
                own.purged(now, outbox, call, answer);
            }
            (State::Own(own), Input::Release) => {
                let outcome = own.release();
                self.own_outcome(outcome);
            }
            (State::Own(own), Input::Suspect) => own.suspect(now, outbox),
            // Answers to questions that were given up, and appends of an ownership
            // that has ended.
            _ => {}
        }
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outbox.pop()
    }

    /// When [`Unit::handle_timeout`] is due, and what for.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Deadline> {
        match &self.state {
            State::Foreign => None,
            State::Taking(take) => take.deadline(),
            State::Own(own) => own.deadline(),
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Time) {
        match &mut self.state {
            State::Foreign => {}
            State::Taking(take) => take.handle_timeout(now, &mut self.outbox),
            State::Own(own) => own.handle_timeout(now, &mut self.outbox),
        }
    }

    /// The epoch of the ownership, if the node owns the unit.
    #[must_use]
    pub const fn owned(&self) -> Option<Epoch> {
        match &self.state {
            State::Own(own) => Some(own.epoch()),
            _ => None,
        }
    }

    /// Whether the node tries to own the unit.
    #[must_use]
    pub const fn is_taking(&self) -> bool {
        matches!(self.state, State::Taking(_))
    }

    fn taken(&mut self, now: Time, outcome: take::Outcome) {
        match outcome {
            take::Outcome::Goes => {}
            take::Outcome::Owned { epoch, fences, ledger } => {
                self.outbox.tell(Event::Owned { unit: self.outbox.unit(), epoch });
                let mut own = Own::new(epoch, fences, FIRST_BATCH, ledger, self.lanes.room);
                own.purge(now, &mut self.outbox);
                self.state = State::Own(Box::new(own));
            }
            take::Outcome::Lost => self.depose(),
            take::Outcome::Failed(why) => {
                let unit = self.outbox.unit();
                self.outbox.tell(Event::Notice(format!("unit {unit} cannot be taken: {why}")));
                self.depose();
            }
        }
    }

    fn own_outcome(&mut self, outcome: own::Outcome) {
        match outcome {
            own::Outcome::Goes => {}
            own::Outcome::Deposed | own::Outcome::Released => self.depose(),
        }
    }

    fn depose(&mut self) {
        let epoch = match &self.state {
            State::Foreign => return,
            State::Taking(take) => take.epoch(),
            State::Own(own) => own.epoch(),
        };
        self.state = State::Foreign;
        self.outbox.tell(Event::Deposed { unit: self.outbox.unit(), epoch });
    }
}
