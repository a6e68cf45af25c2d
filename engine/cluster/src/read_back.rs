//! The lanes of a unit, read up to the own fences and given to the node in order.

use std::collections::BTreeSet;

use desk_protocol::Time;

use crate::event::Event;
use crate::io::CallId;
use crate::limits::{ANSWER_TIME, FAILED_PAUSE, LAG_PAUSE, RECORDS_BYTES};
use crate::merge::{Mark, Merge, Message, Trouble, Unreadable};
use crate::outbox::Outbox;
use crate::question::Question;
use crate::record::{Key, Record};
use crate::unit_id::Epoch;

/// Reads, merges, and hands over.
#[derive(Debug)]
pub(crate) struct ReadBack {
    merge: Merge,
    /// By lane: the question that is open or due.
    lanes: Vec<Option<Question<()>>>,
    /// The node puts records into its store.
    is_absorbing: bool,
    quarantined: BTreeSet<Key>,
}

impl ReadBack {
    /// Begins behind `from`, up to the own fences.
    pub(crate) fn new(from: Mark, fences: &[u64]) -> Self {
        Self {
            merge: Merge::new(from, fences.iter().map(|own| (1, *own))),
            lanes: vec![None; fences.len()],
            is_absorbing: false,
            quarantined: BTreeSet::new(),
        }
    }

    /// Whether every lane was read up to the own fence, and all is in the node's store.
    pub(crate) fn is_done(&self) -> bool {
        !self.is_absorbing && self.merge.is_done()
    }

    /// # Errors
    /// A message of the lane cannot be read.
    pub(crate) fn read(
        &mut self,
        now: Time,
        outbox: &mut Outbox,
        epoch: Epoch,
        call: CallId,
        answer: Result<Vec<Message>, String>,
    ) -> Result<(), Unreadable> {
        let is_it = |lane: &Option<Question<()>>| lane.as_ref().is_some_and(|lane| lane.is(call));
        let Some(lane) = self.lanes.iter().position(is_it) else { return Ok(()) };
        self.lanes[lane] = None;
        match answer {
            Err(_) => self.lanes[lane] = Some(Question::at(now + FAILED_PAUSE)),
            Ok(messages) => {
                let before = self.merge.wants(lane);
                let troubles = self.merge.read(lane, messages)?;
                self.report(outbox, troubles);
                if before.is_some() && self.merge.wants(lane) == before {
                    // The replica lacks what the stream has.
                    self.lanes[lane] = Some(Question::at(now + LAG_PAUSE));
                }
            }
        }
        self.go_on(now, outbox, epoch);
        Ok(())
    }

    pub(crate) fn absorbed(&mut self, now: Time, outbox: &mut Outbox, epoch: Epoch) {
        self.is_absorbing = false;
        self.go_on(now, outbox, epoch);
    }

    /// Hands over what is there, and asks for what is missing.
    pub(crate) fn go_on(&mut self, now: Time, outbox: &mut Outbox, epoch: Epoch) {
        if self.is_absorbing {
            return;
        }
        let mut records: Vec<Record> = Vec::new();
        let mut bytes = 0;
        while bytes < RECORDS_BYTES
            && let Some((more, troubles)) = self.merge.next()
        {
            bytes += more.iter().map(Record::batch_bytes).sum::<usize>();
            records.extend(more);
            self.report(outbox, troubles);
        }
        if !records.is_empty() {
            self.is_absorbing = true;
            outbox.tell(Event::Records { unit: outbox.unit(), epoch, records });
        }
        for lane in 0..self.lanes.len() {
            if let Some(from) = self.merge.wants(lane)
                && self.lanes[lane].is_none()
            {
                let call = outbox.read(lane, from);
                self.lanes[lane] = Some(Question::asked(call, now + ANSWER_TIME));
            }
        }
    }

    pub(crate) fn due(&self) -> Option<Time> {
        self.lanes.iter().flatten().filter_map(Question::due).min()
    }

    /// Asks again what is due; says how many lanes did not answer.
    pub(crate) fn handle_timeout(&mut self, now: Time, outbox: &mut Outbox) -> u32 {
        let mut failures = 0;
        for (at, lane) in self.lanes.iter_mut().enumerate() {
            if let Some(question) = lane
                && question.is_due(now)
            {
                failures += u32::from(question.is_asked());
                *lane = self.merge.wants(at).map(|from| {
                    let call = outbox.read(at, from);
                    Question::asked(call, now + ANSWER_TIME)
                });
            }
        }
        failures
    }

    fn report(&mut self, outbox: &mut Outbox, troubles: Vec<Trouble>) {
        let unit = outbox.unit();
        for trouble in troubles {
            match trouble {
                Trouble::Notice(why) => outbox.tell(Event::Notice(format!("unit {unit}: {why}"))),
                Trouble::Key(key, why) if self.quarantined.insert(key) => {
                    outbox.tell(Event::Quarantine { unit, key, why });
                }
                Trouble::Key(..) => {}
            }
        }
    }
}
