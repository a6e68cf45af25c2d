//! How a unit is taken over: look, fence every lane, look where the lanes end, read back,
//! ask every lane, own.
//!
//! A fence that was accepted says only that it was the newest at that moment, and reading
//! back may take long. So the first batch of an epoch is empty and goes to every lane,
//! after the reading. Every lane accepts it only if the own fence still is the newest: then
//! the newest fences of all lanes are of one attempt, and the unit is owned.

use std::sync::Arc;
use std::time::Duration;

use desk_protocol::Time;

use crate::chance::Chance;
use crate::io::{Answer, CallId, Deadline};
use crate::layout::Lanes;
use crate::ledger::{Entry, Ledger};
use crate::limits::{
    AGAIN_PAUSE, ANSWER_TIME, FAILED_PAUSE, FAILURES_PER_RECONNECT, LAG_PAUSE, RACE_PAUSE_MAX,
    RACE_PAUSE_MIN,
};
use crate::merge::Message;
use crate::outbox::Outbox;
use crate::question::{Question, answers, due, replace};
use crate::read_back::ReadBack;
use crate::unit_id::{Epoch, Mark};
use crate::wire::{Batch, Fence};

/// The number of the empty batch that every lane has to accept.
pub(crate) const FIRST_BATCH: u64 = 1;

/// An attempt to own a unit, and the next ones while it loses races.
#[derive(Debug)]
pub(crate) struct Take {
    node: String,
    address: String,
    lanes: Lanes,
    /// The greatest epoch that was there when the node wanted the unit. Who owns all
    /// lanes with a later one came first.
    found: Option<Epoch>,
    attempt: u64,
    epoch: Epoch,
    step: Step,
    failures: u32,
}

#[derive(Debug)]
enum Step {
    /// A race was lost: look again then.
    Wait(Time),
    Look(Vec<Question<Option<(u64, Fence)>>>),
    Fence {
        /// The newest fence of each lane, on which the own one follows.
        before: Vec<u64>,
        lanes: Vec<Question<u64>>,
    },
    /// No earlier owner's batch comes any more: where do the lanes begin and end?
    LookForEnd {
        fences: Vec<u64>,
        /// What was read before something was missing.
        read_back: Option<Box<ReadBack>>,
        /// Of each lane the floor that the newest batch names, and that batch.
        lanes: Vec<Question<(Mark, Mark)>>,
    },
    Read {
        fences: Vec<u64>,
        read_back: Box<ReadBack>,
    },
    Ask {
        fences: Vec<u64>,
        bytes: Arc<[u8]>,
        entry: Entry,
        ledger: Ledger,
        lanes: Vec<Question<u64>>,
    },
}

/// What became of the attempt.
#[derive(Debug)]
pub(crate) enum Outcome {
    Goes,
    /// Every lane accepted.
    Owned {
        epoch: Epoch,
        fences: Vec<u64>,
        ledger: Ledger,
    },
    /// Another node owns it, who came first.
    Lost,
    /// A lane holds what this program cannot read.
    Failed(String),
}

impl Take {
    /// An attempt that begins now.
    pub(crate) fn new(
        now: Time,
        outbox: &mut Outbox,
        (node, address): (&str, &str),
        lanes: Lanes,
    ) -> Self {
        let mut take = Self {
            node: node.to_owned(),
            address: address.to_owned(),
            lanes,
            found: None,
            attempt: 0,
            epoch: Epoch(0),
            step: Step::Wait(now),
            failures: 0,
        };
        take.look(now, outbox);
        take
    }

    /// The epoch that the attempt would begin; 0 before it has looked.
    pub(crate) const fn epoch(&self) -> Epoch {
        self.epoch
    }

    pub(crate) fn looked_up(
        &mut self,
        now: Time,
        chance: &mut Chance,
        outbox: &mut Outbox,
        call: CallId,
        answer: Result<Option<(u64, Vec<u8>)>, String>,
    ) -> Outcome {
        if self.is_stale(call) {
            return Outcome::Goes;
        }
        if let (Step::LookForEnd { lanes, .. }, Ok(found)) = (&mut self.step, &answer) {
            let end = match found.as_ref().map(|(_, bytes)| Batch::decode(bytes)) {
                None => (Mark::default(), Mark::default()),
                Some(Ok(Batch { floor, epoch, number, .. })) => (floor, Mark { epoch, number }),
                Some(Err(error)) => {
                    let why = format!("the newest batch of a lane cannot be read: {error}");
                    return Outcome::Failed(why);
                }
            };
            lanes.iter_mut().for_each(|lane| lane.answer(call, &end));
            self.found_end(now, chance, outbox);
            return Outcome::Goes;
        }
        let found = match answer {
            Err(_) => return self.failed(now, outbox, call),
            Ok(None) => None,
            Ok(Some((sequence, bytes))) => match Fence::decode(&bytes) {
                Ok(fence) => Some((sequence, fence)),
                Err(error) => {
                    let why = format!("fence {sequence} of the lane cannot be read: {error}");
                    return Outcome::Failed(why);
                }
            },
        };
        self.failures = 0;
        match &mut self.step {
            Step::Look(lanes) => {
                lanes.iter_mut().for_each(|lane| lane.answer(call, &found));
                match answers(lanes) {
                    Some(found) => self.looked(now, chance, outbox, &found),
                    None => Outcome::Goes,
                }
            }
            Step::Fence { before, lanes } => {
                let Some(lane) = lanes.iter().position(|lane| lane.is(call)) else {
                    return Outcome::Goes;
                };
                let newest = found.as_ref().map_or(0, |(sequence, _)| *sequence);
                let is_own = found.is_some_and(|(_, fence)| {
                    fence.attempt == self.attempt && fence.node == self.node
                });
                if is_own {
                    lanes[lane].answer(call, &newest);
                    self.fenced(now, outbox);
                } else if newest == before[lane] {
                    lanes[lane] = Question::at(now + AGAIN_PAUSE);
                } else {
                    self.lose(now, chance);
                }
                Outcome::Goes
            }
            Step::Wait(_) | Step::LookForEnd { .. } | Step::Read { .. } | Step::Ask { .. } => {
                Outcome::Goes
            }
        }
    }

    pub(crate) fn published(
        &mut self,
        now: Time,
        chance: &mut Chance,
        outbox: &mut Outbox,
        call: CallId,
        answer: Answer,
    ) -> Outcome {
        if self.is_stale(call) {
            return Outcome::Goes;
        }
        match (&mut self.step, answer) {
            (_, Answer::Open(_)) => return self.failed(now, outbox, call),
            (Step::Fence { lanes, .. }, Answer::Stored { sequence, duplicate: false }) => {
                lanes.iter_mut().for_each(|lane| lane.answer(call, &sequence));
                self.fenced(now, outbox);
            }
            // Perhaps by an earlier copy of the same fence.
            (
                Step::Fence { lanes, .. },
                Answer::Fenced | Answer::Stored { duplicate: true, .. },
            ) => {
                replace(lanes, call, Question::unclear_at(now));
            }
            (Step::Fence { lanes, .. }, Answer::Again) => {
                replace(lanes, call, Question::at(now + AGAIN_PAUSE));
            }
            (Step::Ask { .. }, Answer::Fenced) => self.lose(now, chance),
            (Step::Ask { lanes, .. }, Answer::Again) => {
                replace(lanes, call, Question::at(now + AGAIN_PAUSE));
            }
            (Step::Ask { fences, entry, ledger, lanes, .. }, Answer::Stored { sequence, .. }) => {
                lanes.iter_mut().for_each(|lane| lane.answer(call, &sequence));
                if let Some(sequences) = answers(lanes) {
                    for (lane, sequence) in sequences.into_iter().enumerate() {
                        ledger.takes_room(entry, lane);
                        ledger.stands(entry, lane, sequence);
                    }
                    let (fences, ledger) = (fences.clone(), ledger.clone());
                    return Outcome::Owned { epoch: self.epoch, fences, ledger };
                }
            }
            (Step::Wait(_) | Step::Look(_) | Step::LookForEnd { .. } | Step::Read { .. }, _) => {}
        }
        Outcome::Goes
    }

    pub(crate) fn read(
        &mut self,
        now: Time,
        outbox: &mut Outbox,
        call: CallId,
        answer: Result<Vec<Message>, String>,
    ) -> Outcome {
        let Step::Read { read_back, .. } = &mut self.step else { return Outcome::Goes };
        match read_back.read(now, outbox, self.epoch, call, answer) {
            Ok(()) => {}
            Err(why) => return Outcome::Failed(why.to_string()),
        }
        if read_back.is_hopeless() {
            return Outcome::Failed("no replica shows where the lanes end".to_owned());
        }
        self.after_reading(now, outbox);
        Outcome::Goes
    }

    pub(crate) fn absorbed(&mut self, now: Time, outbox: &mut Outbox, epoch: Epoch) {
        let (Step::Read { read_back, .. } | Step::LookForEnd { read_back: Some(read_back), .. }) =
            &mut self.step
        else {
            return;
        };
        if epoch == self.epoch {
            read_back.absorbed(now, outbox, epoch);
        }
        self.after_reading(now, outbox);
    }

    pub(crate) fn deadline(&self) -> Option<Deadline> {
        let (at, why) = match &self.step {
            Step::Wait(at) => (Some(*at), "a race was lost"),
            Step::Look(lanes) => (due(lanes), "the newest fence is asked for"),
            Step::Fence { lanes, .. } => (due(lanes), "a fence has no answer"),
            Step::LookForEnd { lanes, .. } => (due(lanes), "the newest batch is asked for"),
            Step::Read { read_back, .. } => (read_back.due(), "a lane is read"),
            Step::Ask { lanes, .. } => (due(lanes), "the first batch has no answer"),
        };
        at.map(|at| (at, why))
    }

    pub(crate) fn handle_timeout(&mut self, now: Time, outbox: &mut Outbox) {
        let until = now + ANSWER_TIME;
        let mut failures = 0;
        match &mut self.step {
            Step::Wait(at) if *at <= now => self.look(now, outbox),
            Step::Wait(_) => {}
            Step::Look(lanes) => {
                for (at, lane) in lanes.iter_mut().enumerate().filter(|(_, lane)| lane.is_due(now))
                {
                    failures += u32::from(lane.is_asked());
                    *lane = Question::asked(outbox.look_up(at, true), until);
                }
            }
            Step::LookForEnd { lanes, .. } => {
                for (at, lane) in lanes.iter_mut().enumerate().filter(|(_, lane)| lane.is_due(now))
                {
                    failures += u32::from(lane.is_asked());
                    *lane = Question::asked(outbox.look_up(at, false), until);
                }
            }
            Step::Fence { before, lanes } => {
                let fence = Fence {
                    unit: outbox.unit(),
                    epoch: self.epoch,
                    attempt: self.attempt,
                    node: self.node.clone(),
                    address: self.address.clone(),
                };
                for (at, lane) in lanes.iter_mut().enumerate().filter(|(_, lane)| lane.is_due(now))
                {
                    failures += u32::from(lane.is_asked());
                    *lane = if lane.is_asked() || lane.is_unclear() {
                        Question::unclear(outbox.look_up(at, true), until)
                    } else {
                        Question::asked(outbox.publish_fence(at, &fence, before[at]), until)
                    };
                }
            }
            Step::Read { read_back, .. } => failures += read_back.handle_timeout(now, outbox),
            Step::Ask { fences, bytes, lanes, .. } => {
                for (at, lane) in lanes.iter_mut().enumerate().filter(|(_, lane)| lane.is_due(now))
                {
                    failures += u32::from(lane.is_asked());
                    let (epoch, bytes) = (self.epoch, Arc::clone(bytes));
                    let call = outbox.publish_batch(at, epoch, FIRST_BATCH, fences[at], bytes);
                    *lane = Question::asked(call, until);
                }
            }
        }
        for _ in 0..failures {
            self.count_failure(outbox);
        }
    }

    fn look(&mut self, now: Time, outbox: &mut Outbox) {
        let look = |lane| Question::asked(outbox.look_up(lane, true), now + ANSWER_TIME);
        self.step = Step::Look((0..self.lanes.count).map(look).collect());
    }

    /// All newest fences are known: writes the own ones, unless somebody came first.
    fn looked(
        &mut self,
        now: Time,
        chance: &mut Chance,
        outbox: &mut Outbox,
        found: &[Option<(u64, Fence)>],
    ) -> Outcome {
        let fences = || found.iter().flatten().map(|(_, fence)| fence);
        let newest = fences().map(|fence| fence.epoch).max().unwrap_or_default();
        let wanted_at = *self.found.get_or_insert(newest);
        let attempts = fences().map(|fence| fence.attempt);
        let is_one = fences().count() == self.lanes.count
            && attempts.clone().min() == attempts.clone().max()
            && attempts.clone().max() != Some(self.attempt);
        if is_one && newest > wanted_at {
            return Outcome::Lost;
        }
        self.epoch = Epoch(newest.0 + 1);
        self.attempt = chance.next_u64();
        let before = found.iter().map(|lane| lane.as_ref().map_or(0, |(sequence, _)| *sequence));
        self.step = Step::Fence {
            before: before.collect(),
            lanes: (0..self.lanes.count).map(|_| Question::at(now)).collect(),
        };
        self.handle_timeout(now, outbox);
        Outcome::Goes
    }

    fn fenced(&mut self, now: Time, outbox: &mut Outbox) {
        let Step::Fence { lanes, .. } = &self.step else { return };
        let Some(fences) = answers(lanes) else { return };
        self.failures = 0;
        let lanes = (0..self.lanes.count).map(|_| Question::at(now)).collect();
        self.step = Step::LookForEnd { fences, read_back: None, lanes };
        self.handle_timeout(now, outbox);
    }

    fn found_end(&mut self, now: Time, chance: &mut Chance, outbox: &mut Outbox) {
        let Step::LookForEnd { fences, read_back, lanes } = &mut self.step else { return };
        let Some(ends) = answers(lanes) else { return };
        let (fences, read_back) = (std::mem::take(fences), read_back.take());
        let floor = ends.iter().map(|(floor, _)| *floor).max().unwrap_or_default();
        let newest = ends.into_iter().map(|(_, newest)| newest).max().unwrap_or_default();
        if newest.epoch >= self.epoch {
            // Somebody fenced later and owns the unit already.
            return self.lose(now, chance);
        }
        let read_back = if let Some(mut read_back) = read_back {
            read_back.resume(now, outbox, self.epoch, (floor, newest));
            read_back
        } else {
            let mut ledger = Ledger::new(self.lanes.count, self.lanes.room);
            ledger.lift(floor);
            let mut read_back = Box::new(ReadBack::new(ledger, &fences, newest));
            read_back.go_on(now, outbox, self.epoch);
            read_back
        };
        self.step = Step::Read { fences, read_back };
        self.after_reading(now, outbox);
    }

    /// Everything is in the node's store: asks every lane whether the fences still are
    /// the newest.
    fn after_reading(&mut self, now: Time, outbox: &mut Outbox) {
        let step = std::mem::replace(&mut self.step, Step::Wait(now));
        self.step = match step {
            Step::Read { fences, read_back } if read_back.wants_end() => {
                let again = |_| Question::at(now + LAG_PAUSE);
                let lanes = (0..self.lanes.count).map(again).collect();
                Step::LookForEnd { fences, read_back: Some(read_back), lanes }
            }
            Step::Read { fences, read_back } if read_back.is_done() => {
                let (unit, epoch) = (outbox.unit(), self.epoch);
                let (number, after) = (FIRST_BATCH, read_back.end());
                let ledger = read_back.into_ledger();
                let floor = ledger.floor();
                let first = Batch { unit, epoch, number, after, floor, records: Vec::new() };
                let bytes = first.encode();
                Step::Ask {
                    fences,
                    entry: Entry::of(&first, bytes.len(), |_| false),
                    bytes: bytes.into(),
                    ledger,
                    lanes: (0..self.lanes.count).map(|_| Question::at(now)).collect(),
                }
            }
            other => other,
        };
        if let Step::Ask { .. } = self.step {
            self.handle_timeout(now, outbox);
        }
    }

    /// Somebody else wants the unit at the same time.
    fn lose(&mut self, now: Time, chance: &mut Chance) {
        let spread = (RACE_PAUSE_MAX - RACE_PAUSE_MIN).as_micros() as u64;
        let pause = RACE_PAUSE_MIN + Duration::from_micros(chance.below(spread + 1));
        self.step = Step::Wait(now + pause);
    }

    /// A lane answered that it has no answer.
    fn failed(&mut self, now: Time, outbox: &mut Outbox, call: CallId) -> Outcome {
        let again = now + FAILED_PAUSE;
        match &mut self.step {
            Step::Look(lanes) => {
                replace(lanes, call, Question::at(again));
            }
            Step::Fence { lanes, .. } => {
                replace(lanes, call, Question::unclear_at(again));
            }
            Step::LookForEnd { lanes, .. } => {
                replace(lanes, call, Question::at(again));
            }
            Step::Ask { lanes, .. } => {
                replace(lanes, call, Question::at(again));
            }
            Step::Wait(_) | Step::Read { .. } => {}
        }
        self.count_failure(outbox);
        Outcome::Goes
    }

    fn count_failure(&mut self, outbox: &mut Outbox) {
        self.failures += 1;
        let lanes = self.lanes.count as u32;
        if self.failures.is_multiple_of(lanes * FAILURES_PER_RECONNECT) {
            outbox.reconnect();
        }
    }

    /// Whether a question was given up, or is none of the step of now.
    fn is_stale(&self, call: CallId) -> bool {
        match &self.step {
            Step::Look(lanes) => !lanes.iter().any(|lane| lane.is(call)),
            Step::Fence { lanes, .. } => !lanes.iter().any(|lane| lane.is(call)),
            Step::LookForEnd { lanes, .. } => !lanes.iter().any(|lane| lane.is(call)),
            Step::Ask { lanes, .. } => !lanes.iter().any(|lane| lane.is(call)),
            Step::Wait(_) | Step::Read { .. } => true,
        }
    }
}
