//! A unit that this node owns: one batch under way, the next gathers meanwhile.

use std::collections::VecDeque;
use std::sync::Arc;

use desk_protocol::Time;

use crate::event::Event;
use crate::io::{Answer, CallId, Deadline};
use crate::limits::{
    AGAIN_PAUSE, ANSWER_TIME, BATCH_BYTES_MAX, BATCH_HEAD_BYTES, BATCH_RECORDS_MAX, FAILED_PAUSE,
    FAILURES_PER_RECONNECT, UNWRITABLE_TIME,
};
use crate::outbox::Outbox;
use crate::record::Record;
use crate::unit_id::{Epoch, Mark};
use crate::wire::Batch;

/// An ownership.
#[derive(Debug)]
pub(crate) struct Own {
    epoch: Epoch,
    /// The own fence's sequence in each lane.
    fences: Vec<u64>,
    /// The lane that batches go to.
    lane: usize,
    /// The number of the last batch that was published.
    number: u64,
    under_way: Option<UnderWay>,
    waiting: VecDeque<Waiting>,
    trust: Trust,
    is_unwritable: bool,
    is_releasing: bool,
}

/// What is appended, in order.
#[derive(Debug)]
enum Waiting {
    Record(Record),
    /// All before it belongs to this ticket, or to one before.
    Ticket(u64),
}

/// Whether somebody else may own the unit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Trust {
    Trusted,
    /// A batch has to be accepted that is published after this was noticed.
    Suspect,
    /// That batch is under way.
    Asking,
}

/// The batch that is under way.
#[derive(Debug)]
struct UnderWay {
    bytes: Arc<[u8]>,
    tickets: Vec<u64>,
    /// Every question about it: whichever is answered, it is the same batch.
    calls: Vec<CallId>,
    first_at: Time,
    step: Step,
    /// Lanes that failed in a row.
    failures: u32,
    why: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    /// The last question is to be answered by then.
    Asked(Time),
    /// Published again then, to the lane of now.
    Again(Time),
}

/// What became of an ownership.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    Goes,
    /// Somebody else fenced.
    Deposed,
    /// All is acknowledged and given away.
    Released,
}

impl Own {
    /// The ownership of who fenced all lanes and was accepted in each with the batches
    /// up to `number`.
    pub(crate) fn new(epoch: Epoch, fences: Vec<u64>, lane: usize, number: u64) -> Self {
        Self {
            epoch,
            fences,
            lane,
            number,
            under_way: None,
            waiting: VecDeque::new(),
            trust: Trust::Trusted,
            is_unwritable: false,
            is_releasing: false,
        }
    }

    pub(crate) const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Takes records, unless they belong to another ownership.
    pub(crate) fn append(
        &mut self,
        now: Time,
        outbox: &mut Outbox,
        epoch: Epoch,
        records: Vec<Record>,
        ticket: u64,
    ) {
        if epoch == self.epoch {
            self.waiting.extend(records.into_iter().map(Waiting::Record));
            self.waiting.push_back(Waiting::Ticket(ticket));
            self.go_on(now, outbox);
        }
    }

    /// Gives the unit away when nothing waits any more.
    pub(crate) fn release(&mut self) -> Outcome {
        self.is_releasing = true;
        self.outcome()
    }

    pub(crate) fn suspect(&mut self, now: Time, outbox: &mut Outbox) {
        if self.trust == Trust::Trusted {
            outbox.tell(Event::Suspect { unit: outbox.unit() });
        }
        // A batch that was published before proves nothing.
        self.trust = Trust::Suspect;
        self.go_on(now, outbox);
    }

    pub(crate) fn published(
        &mut self,
        now: Time,
        outbox: &mut Outbox,
        call: CallId,
        answer: Answer,
    ) -> Outcome {
        let Some(batch) = self.under_way.as_mut().filter(|batch| batch.calls.contains(&call))
        else {
            return Outcome::Goes;
        };
        let is_newest = batch.calls.last() == Some(&call);
        match answer {
            Answer::Stored { duplicate, .. } => self.acknowledged(now, outbox, duplicate),
            Answer::Fenced => return Outcome::Deposed,
            // The lane was changed meanwhile.
            Answer::Again | Answer::Open(_) if !is_newest => {}
            Answer::Again => batch.step = Step::Again(now + AGAIN_PAUSE),
            Answer::Open(why) => self.failed(now, outbox, why, true),
        }
        self.outcome()
    }

    pub(crate) fn deadline(&self) -> Option<Deadline> {
        let batch = self.under_way.as_ref()?;
        let step = match batch.step {
            Step::Asked(at) => (at, "a batch has no answer"),
            Step::Again(at) => (at, "a batch is published again"),
        };
        let unwritable = (batch.first_at + UNWRITABLE_TIME, "a unit is unwritable");
        if self.is_unwritable { Some(step) } else { Some(step.min(unwritable)) }
    }

    pub(crate) fn handle_timeout(&mut self, now: Time, outbox: &mut Outbox) {
        let Some(batch) = &self.under_way else { return };
        if !self.is_unwritable && batch.first_at + UNWRITABLE_TIME <= now {
            self.is_unwritable = true;
            outbox.tell(Event::Unwritable { unit: outbox.unit(), why: batch.why.clone() });
        }
        match batch.step {
            Step::Asked(at) if at <= now => {
                self.failed(now, outbox, "no answer in time".to_owned(), false);
            }
            Step::Again(at) if at <= now => self.publish(now, outbox),
            _ => {}
        }
    }

    fn outcome(&self) -> Outcome {
        let waits = self.under_way.is_some() || !self.waiting.is_empty();
        if self.is_releasing && !waits { Outcome::Released } else { Outcome::Goes }
    }

    fn acknowledged(&mut self, now: Time, outbox: &mut Outbox, duplicate: bool) {
        let Some(batch) = self.under_way.take() else { return };
        let unit = outbox.unit();
        if self.trust == Trust::Asking && !duplicate {
            self.trust = Trust::Trusted;
            outbox.tell(Event::Trusted { unit });
        } else if self.trust == Trust::Asking {
            self.trust = Trust::Suspect;
        }
        for ticket in batch.tickets {
            outbox.tell(Event::Acknowledged { unit, ticket });
        }
        if std::mem::take(&mut self.is_unwritable) {
            outbox.tell(Event::Writable { unit });
        }
        self.go_on(now, outbox);
    }

    /// Turns to the next lane. One that answered at once is not asked again at once.
    fn failed(&mut self, now: Time, outbox: &mut Outbox, why: String, answered: bool) {
        let lanes = self.fences.len();
        let Some(batch) = &mut self.under_way else { return };
        batch.failures += 1;
        batch.why = why;
        let failures = batch.failures as usize;
        if failures.is_multiple_of(lanes * FAILURES_PER_RECONNECT as usize) {
            outbox.reconnect();
        }
        self.lane = (self.lane + 1) % lanes;
        if answered && failures.is_multiple_of(lanes) {
            batch.step = Step::Again(now + FAILED_PAUSE);
        } else {
            self.publish(now, outbox);
        }
    }

    /// Begins the next batch if none is under way and there is something to say.
    fn go_on(&mut self, now: Time, outbox: &mut Outbox) {
        if self.under_way.is_some() || (self.waiting.is_empty() && self.trust == Trust::Trusted) {
            return;
        }
        if self.trust == Trust::Suspect {
            self.trust = Trust::Asking;
        }
        let (records, tickets) = self.gather();
        let after = Mark { epoch: self.epoch, number: self.number };
        self.number += 1;
        let (unit, epoch, number) = (outbox.unit(), self.epoch, self.number);
        self.under_way = Some(UnderWay {
            bytes: Batch { unit, epoch, number, after, records }.encode().into(),
            tickets,
            calls: Vec::new(),
            first_at: now,
            step: Step::Again(now),
            failures: 0,
            why: String::new(),
        });
        self.publish(now, outbox);
    }

    /// As much of what waits as one batch may have, and what is to be said then.
    fn gather(&mut self) -> (Vec<Record>, Vec<u64>) {
        let (mut records, mut tickets) = (Vec::new(), Vec::new());
        let mut bytes = BATCH_HEAD_BYTES;
        while let Some(waiting) = self.waiting.pop_front() {
            match waiting {
                Waiting::Ticket(ticket) => tickets.push(ticket),
                Waiting::Record(record) => {
                    bytes += record.batch_bytes();
                    let is_full = bytes > BATCH_BYTES_MAX || records.len() == BATCH_RECORDS_MAX;
                    if is_full {
                        self.waiting.push_front(Waiting::Record(record));
                        break;
                    }
                    records.push(record);
                }
            }
        }
        (records, tickets)
    }

    /// The same bytes and the same id every time, and in every lane.
    fn publish(&mut self, now: Time, outbox: &mut Outbox) {
        let Some(batch) = &mut self.under_way else { return };
        let bytes = Arc::clone(&batch.bytes);
        let fence = self.fences[self.lane];
        let call = outbox.publish_batch(self.lane, self.epoch, self.number, fence, bytes);
        batch.calls.push(call);
        batch.step = Step::Asked(now + ANSWER_TIME);
    }
}
