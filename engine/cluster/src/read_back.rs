//! The lanes of a unit, read up to the own fences and given to the node in order.

use std::collections::BTreeSet;

use desk_protocol::Time;

use crate::event::Event;
use crate::io::CallId;
use crate::ledger::Ledger;
use crate::limits::{ANSWER_TIME, FAILED_PAUSE, GAP_READS, LAG_PAUSE, RECORDS_BYTES, STATES_BYTES};
use crate::merge::{Merge, Message, Trouble, Unreadable};
use crate::outbox::Outbox;
use crate::question::Question;
use crate::record::{Key, Record};
use crate::state::State;
use crate::unit_id::{Epoch, Mark};

/// Reads, merges, and hands over.
#[derive(Debug)]
pub(crate) struct ReadBack {
    merge: Merge,
    newest: Mark,
    /// By lane: the question that is open or due.
    lanes: Vec<Option<Question<()>>>,
    /// The node puts records into its store.
    is_absorbing: bool,
    quarantined: BTreeSet<Key>,
    /// How often the lanes were read again because something was missing.
    gaps: u32,
    /// Something is missing: where do the lanes begin and end now?
    wants_end: bool,
}

impl ReadBack {
    /// Begins behind the ledger's floor, up to the own fences. The newest batch before
    /// them is `newest`, as the lanes' leaders say.
    pub(crate) fn new(ledger: Ledger, fences: &[u64], newest: Mark) -> Self {
        Self {
            newest,
            merge: Merge::new(ledger, fences.iter().map(|own| (1, *own))),
            lanes: vec![None; fences.len()],
            is_absorbing: false,
            quarantined: BTreeSet::new(),
            gaps: 0,
            wants_end: false,
        }
    }

    /// Goes on with what the lanes' leaders say by now, when that was asked for.
    pub(crate) fn resume(
        &mut self,
        now: Time,
        outbox: &mut Outbox,
        epoch: Epoch,
        (floor, newest): (Mark, Mark),
    ) {
        self.wants_end = false;
        self.newest = newest;
        self.merge.again(floor);
        self.go_on(now, outbox, epoch);
    }

    /// Whether the leaders have to be asked where the lanes begin and end, before
    /// [`ReadBack::resume`].
    pub(crate) const fn wants_end(&self) -> bool {
        self.wants_end
    }

    /// Whether every lane was read up to the own fence, and all is in the node's store.
    pub(crate) fn is_done(&self) -> bool {
        !self.is_absorbing && !self.wants_end && !self.merge.reads_states() && self.merge.is_done()
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
        if self.is_absorbing || self.wants_end {
            return;
        }
        let (mut records, mut states) = (Vec::new(), Vec::new());
        let mut bytes = 0;
        let most = if self.merge.reads_states() { STATES_BYTES } else { RECORDS_BYTES };
        while bytes < most {
            if let Some((last, next)) = self.merge.has_gap()
                && self.gaps < GAP_READS
            {
                let why = format!(
                    "unit {}: batch {next} is read after {last}; the lanes are read again",
                    outbox.unit()
                );
                self.again(outbox, why);
                break;
            }
            let Some(given) = self.merge.next(now) else { break };
            bytes += given.records.iter().map(Record::batch_bytes).sum::<usize>();
            bytes += given.states.iter().map(State::length).sum::<usize>();
            records.extend(given.records);
            states.extend(given.states);
            self.report(outbox, given.troubles);
        }
        if !self.wants_end && self.lacks_end() && self.gaps < GAP_READS {
            let why = format!(
                "unit {}: the lanes end with batch {}, not with {}; they are read again",
                outbox.unit(),
                self.merge.end(),
                self.newest
            );
            self.again(outbox, why);
        }
        self.hand_over(outbox, epoch, states, records);
        if !self.wants_end && self.merge.reads_states() && self.merge.is_done() && !self.lacks_end()
        {
            self.merge.begin_records();
        }
        if self.wants_end {
            return;
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

    /// Gives the node what was read: states or records.
    fn hand_over(
        &mut self,
        outbox: &mut Outbox,
        epoch: Epoch,
        states: Vec<State>,
        records: Vec<Record>,
    ) {
        let unit = outbox.unit();
        self.is_absorbing = !states.is_empty() || !records.is_empty();
        if !states.is_empty() {
            outbox.tell(Event::States { unit, epoch, states });
        } else if !records.is_empty() {
            outbox.tell(Event::Records { unit, epoch, records });
        }
    }

    /// Whether no replica has shown the end of the lanes, however often it was asked.
    pub(crate) fn is_hopeless(&self) -> bool {
        self.lacks_end() && self.gaps >= GAP_READS
    }

    fn lacks_end(&self) -> bool {
        self.merge.is_done() && self.merge.end() < self.newest
    }

    /// The last batch that was read.
    pub(crate) fn end(&self) -> Mark {
        self.merge.end()
    }

    /// Where all batches stand.
    pub(crate) fn into_ledger(self) -> Ledger {
        self.merge.into_ledger()
    }

    /// A replica lacks what its stream has, and another may answer now; or the floor has
    /// risen meanwhile.
    fn again(&mut self, outbox: &mut Outbox, why: String) {
        self.gaps += 1;
        self.wants_end = true;
        outbox.tell(Event::Notice(why));
        self.lanes.fill(None);
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
