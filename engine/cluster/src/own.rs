//! A unit that this node owns: one batch under way, the next gathers meanwhile.
//!
//! The owner keeps to the unit's part of each lane, so that no lane ever is full: a full
//! one would take no fence either. What has expired is purged, and where that is not enough
//! the oldest is said again, shorter ([`crate::clean`]). Each batch names the floor,
//! so whoever reads the lanes knows that what is missing up to there was not lost.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use desk_protocol::Time;

use crate::clean::Clean;
use crate::event::Event;
use crate::io::{Answer, CallId, Deadline};
use crate::ledger::{Entry, Ledger};
use crate::limits::{
    AGAIN_PAUSE, ANSWER_TIME, BATCH_BYTES_MAX, BATCH_HEAD_BYTES, BATCH_RECORDS_MAX, CLEAN_FROM,
    FAILED_PAUSE, FAILURES_PER_RECONNECT, MESSAGE_HEAD_BYTES, PURGE_PAUSE, PURGE_TIME,
    RECORDS_PART, UNWRITABLE_TIME,
};
use crate::outbox::Outbox;
use crate::question::Question;
use crate::record::{Key, Record};
use crate::state::State;
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
    /// The last batch up to which the node knows of all records that they are durable. A
    /// ticket may need several batches.
    told: Mark,
    /// A ticket is said only in part.
    is_partial: bool,
    under_way: Option<UnderWay>,
    waiting: VecDeque<Waiting>,
    ledger: Ledger,
    clean: Clean,
    /// Bytes that the unit may take in each lane.
    room: u64,
    /// Since when no lane has room for what waits.
    full_since: Option<Time>,
    /// The floor that the lanes know of.
    told_floor: Mark,
    /// Not before then the floor rises again.
    rises_at: Time,
    /// When a cleaning that the node could not help with is tried again.
    cleans_at: Option<Time>,
    /// By lane.
    purges: Vec<Purge>,
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

/// What of a lane is purged.
#[derive(Debug, Default)]
struct Purge {
    /// It was purged up to this sequence.
    upto: u64,
    /// A purge that is under way: up to which sequence, and for which floor.
    under_way: Option<(u64, Mark, Question<()>)>,
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
    entry: Entry,
    floor: Mark,
    /// What the node knows of once it is told of the tickets.
    told: Mark,
    tickets: Vec<u64>,
    /// Every question about it and its lane: whichever is answered, it is the same batch.
    calls: Vec<(CallId, usize)>,
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

/// How long a batch may be, in bytes.
struct Rooms {
    /// With records.
    for_records: usize,
    /// With a piece of a state; 0 if there is none, or no room for it.
    for_piece: usize,
}

/// What goes into a batch.
struct Gathered {
    records: Vec<Record>,
    /// What is said when the batch is acknowledged.
    tickets: Vec<u64>,
    /// The keys of records whose ticket comes with a later batch.
    unsaid: BTreeSet<Key>,
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
    /// up to `number`, which name the ledger's floor. The unit may take so many bytes in
    /// each lane.
    pub(crate) fn new(
        epoch: Epoch,
        fences: Vec<u64>,
        number: u64,
        ledger: Ledger,
        room: u64,
    ) -> Self {
        Self {
            epoch,
            lane: 0,
            number,
            told: Mark { epoch, number },
            is_partial: false,
            under_way: None,
            waiting: VecDeque::new(),
            told_floor: ledger.floor(),
            ledger,
            clean: Clean::new(room),
            room,
            full_since: None,
            rises_at: Time(0),
            cleans_at: None,
            purges: fences.iter().map(|_| Purge::default()).collect(),
            fences,
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
        self.clean = Clean::new(self.room);
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
        let Some(batch) = &mut self.under_way else { return Outcome::Goes };
        let Some((_, lane)) = batch.calls.iter().find(|(known, _)| *known == call).copied() else {
            return Outcome::Goes;
        };
        let is_newest = batch.calls.last() == Some(&(call, lane));
        match answer {
            Answer::Stored { sequence, duplicate } => {
                self.ledger.stands(&batch.entry, lane, sequence);
                self.acknowledged(now, outbox, duplicate);
            }
            Answer::Fenced => return Outcome::Deposed,
            // The lane was changed meanwhile.
            Answer::Again | Answer::Open(_) if !is_newest => {}
            Answer::Again => batch.step = Step::Again(now + AGAIN_PAUSE),
            Answer::Open(why) => self.failed(now, outbox, why, true),
        }
        self.outcome()
    }

    /// The states that [`Event::Show`] asked for.
    pub(crate) fn shown(
        &mut self,
        now: Time,
        outbox: &mut Outbox,
        epoch: Epoch,
        states: Option<Vec<State>>,
    ) {
        if epoch == self.epoch {
            let left = (0..self.fences.len()).map(|lane| self.left(lane, self.room) as u64);
            self.clean.shown(now, states, left.sum());
            self.go_on(now, outbox);
        }
    }

    /// A lane has nothing more up to where it was asked to purge it; or why that is not
    /// known.
    pub(crate) fn purged(
        &mut self,
        now: Time,
        outbox: &mut Outbox,
        call: CallId,
        answer: Result<(), String>,
    ) {
        let is_it = |purge: &Purge| purge.under_way.as_ref().is_some_and(|(.., q)| q.is(call));
        let Some(lane) = self.purges.iter().position(is_it) else { return };
        let Some((upto, floor, question)) = &mut self.purges[lane].under_way else { return };
        if answer.is_err() {
            *question = Question::at(now + FAILED_PAUSE);
            return;
        }
        self.ledger.purged(*floor, lane, *upto);
        self.purges[lane] = Purge { upto: *upto, under_way: None };
        self.purge(now, outbox);
        self.go_on(now, outbox);
    }

    pub(crate) fn deadline(&self) -> Option<Deadline> {
        let step = self.under_way.as_ref().map(|batch| match batch.step {
            Step::Asked(at) => (at, "a batch has no answer"),
            Step::Again(at) => (at, "a batch is published again"),
        });
        let first_at = self.under_way.as_ref().map(|batch| batch.first_at);
        let waits = first_at.into_iter().chain(self.full_since).min();
        let unwritable = waits.filter(|_| !self.is_unwritable);
        let unwritable = unwritable.map(|at| (at + UNWRITABLE_TIME, "a unit is unwritable"));
        let rises = self.rises_at().filter(|_| self.under_way.is_none());
        let rises = rises.map(|at| (at, "records have expired"));
        let purges = self.purges.iter().filter_map(|purge| purge.under_way.as_ref()?.2.due());
        let purges = purges.map(|at| (at, "a purge has no answer"));
        let cleans = self.cleans_at.filter(|_| self.under_way.is_none());
        let cleans = cleans.map(|at| (at, "a cleaning that failed begins again"));
        step.into_iter().chain(unwritable).chain(rises).chain(purges).chain(cleans).min()
    }

    pub(crate) fn handle_timeout(&mut self, now: Time, outbox: &mut Outbox) {
        self.tell_unwritable(now, outbox);
        match self.under_way.as_ref().map(|batch| batch.step) {
            Some(Step::Asked(at)) if at <= now => {
                self.failed(now, outbox, "no answer in time".to_owned(), false);
            }
            Some(Step::Again(at)) if at <= now => self.publish(now, outbox),
            Some(_) => {}
            None => self.go_on(now, outbox),
        }
        for (lane, purge) in self.purges.iter_mut().enumerate() {
            if let Some((upto, _, question)) = &mut purge.under_way
                && question.is_due(now)
            {
                *question = Question::asked(outbox.purge(lane, *upto), now + PURGE_TIME);
            }
        }
    }

    /// Changes are refused after a while without an acknowledgement.
    fn tell_unwritable(&mut self, now: Time, outbox: &mut Outbox) {
        let is_long = |since: Time| since + UNWRITABLE_TIME <= now;
        let why = match (&self.under_way, self.full_since) {
            (Some(batch), _) if is_long(batch.first_at) => batch.why.clone(),
            (_, Some(since)) if is_long(since) => format!(
                "the unit has used up its part of the lanes, {} KiB in each; raise --log-budget",
                self.room >> 10
            ),
            _ => return,
        };
        if !std::mem::replace(&mut self.is_unwritable, true) {
            outbox.tell(Event::Unwritable { unit: outbox.unit(), why });
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
        self.told = batch.told;
        for ticket in batch.tickets {
            outbox.tell(Event::Acknowledged { unit, ticket });
        }
        if self.full_since.is_none() && std::mem::take(&mut self.is_unwritable) {
            outbox.tell(Event::Writable { unit });
        }
        if batch.floor > self.told_floor {
            self.told_floor = batch.floor;
            self.purge(now, outbox);
        }
        self.go_on(now, outbox);
    }

    /// Purges what the lanes have below the floor that they know of.
    pub(crate) fn purge(&mut self, now: Time, outbox: &mut Outbox) {
        for (lane, purge) in self.purges.iter_mut().enumerate() {
            let upto = self.ledger.below(self.told_floor, lane);
            if upto > purge.upto && purge.under_way.is_none() {
                let question = Question::asked(outbox.purge(lane, upto), now + PURGE_TIME);
                purge.under_way = Some((upto, self.told_floor, question));
            }
        }
    }

    /// When the floor may rise: at once where room is needed.
    fn rises_at(&self) -> Option<Time> {
        let pause = if self.full_since.is_some() { Time(0) } else { self.rises_at };
        self.ledger.expires_at().map(|at| at.max(pause))
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
        if self.under_way.is_some() {
            return;
        }
        self.tidy(now, outbox);
        if self.rises_at().is_some_and(|at| at <= now) {
            self.rises_at = now + PURGE_PAUSE;
            self.ledger.rise(now);
        }
        let rooms = self.find_room(now);
        let has_news = self.ledger.floor() > self.told_floor || self.trust != Trust::Trusted;
        let has_records = !self.waiting.is_empty() && self.full_since.is_none();
        if !has_news && !has_records && rooms.for_piece == 0 {
            return;
        }
        if self.trust == Trust::Suspect {
            self.trust = Trust::Asking;
        }
        let Gathered { records, tickets, unsaid } = self.gather(&rooms);
        let after = Mark { epoch: self.epoch, number: self.number };
        self.number += 1;
        let (unit, epoch, number) = (outbox.unit(), self.epoch, self.number);
        let floor = self.ledger.floor();
        let was_partial = self.is_partial && tickets.is_empty();
        self.is_partial = was_partial || !unsaid.is_empty();
        let told = match (self.is_partial, was_partial) {
            (false, _) => Mark { epoch, number },
            (true, false) => after,
            (true, true) => self.told,
        };
        let batch = Batch { unit, epoch, number, after, floor, records };
        let bytes: Arc<[u8]> = batch.encode().into();
        self.under_way = Some(UnderWay {
            entry: Entry::of(&batch, bytes.len(), |key| {
                unsaid.contains(key) || self.clean.is_open(key)
            }),
            bytes,
            floor,
            told,
            tickets,
            calls: Vec::new(),
            first_at: now,
            step: Step::Again(now),
            failures: 0,
            why: String::new(),
        });
        self.publish(now, outbox);
    }

    /// Cleans the lanes where that is due, while nothing is under way.
    fn tidy(&mut self, now: Time, outbox: &mut Outbox) {
        if let Some((keys, upto)) = self.clean.said() {
            self.ledger.said(&keys, upto);
        }
        if let Some(end) = self.clean.cleaned() {
            self.ledger.cleaned(end);
            self.ledger.rise(now);
        }
        let (mut most, mut all) = (0, 0);
        for lane in 0..self.fences.len() {
            let bytes = self.ledger.bytes(lane);
            (most, all) = (bytes.max(most), bytes + all);
        }
        self.clean.press(self.full_since.is_some(), all);
        let (part, of) = CLEAN_FROM;
        let is_due = most >= self.room / of * part && !self.is_releasing;
        self.cleans_at = self.clean.rests_until(now).filter(|_| is_due);
        while is_due && self.clean.may_begin(now) {
            let Some((end, bytes, keys)) = self.ledger.oldest(now, self.told) else { break };
            self.clean.begin(end, bytes, keys);
            if let Some(end) = self.clean.cleaned() {
                // No key begins there.
                self.ledger.cleaned(end);
                self.ledger.rise(now);
            }
        }
        let keys = self.clean.wants(self.told);
        if !keys.is_empty() {
            outbox.tell(Event::Show { unit: outbox.unit(), epoch: self.epoch, keys });
        }
    }

    /// Bytes that a batch may have in a lane of that room.
    fn left(&self, lane: usize, room: u64) -> usize {
        let left = room.saturating_sub(self.ledger.bytes(lane) + MESSAGE_HEAD_BYTES);
        usize::try_from(left).unwrap_or(usize::MAX)
    }

    /// Turns to a lane with room for what comes next; says how much.
    fn find_room(&mut self, now: Time) -> Rooms {
        let record = match self.waiting.front() {
            Some(Waiting::Record(record)) => BATCH_HEAD_BYTES + record.batch_bytes(),
            Some(Waiting::Ticket(_)) | None => 0,
        };
        let piece = self.clean.front().map(|piece| BATCH_HEAD_BYTES + piece.batch_bytes());
        let (part, of) = RECORDS_PART;
        let left = |lane, room| self.left(lane, room).min(BATCH_BYTES_MAX);
        let lanes = self.fences.len();
        let lanes = (0..lanes).map(|next| (self.lane + next) % lanes);
        let lanes =
            lanes.map(|lane| (lane, left(lane, self.room / of * part), left(lane, self.room)));
        let found = lanes.clone().find(|(_, records, _)| *records >= record);
        let found_piece = piece.and_then(|piece| lanes.clone().find(|(.., all)| *all >= piece));
        if found.is_none() {
            self.full_since.get_or_insert(now);
        } else {
            self.full_since = None;
        }
        let (lane, for_records, for_piece) = match (found_piece, found) {
            // A piece goes with the records of its lane.
            (Some((lane, records, all)), _) => (lane, records, all),
            (None, Some((lane, records, _))) => (lane, records, 0),
            (None, None) => (self.lane, 0, 0),
        };
        self.lane = lane;
        Rooms { for_records, for_piece }
    }

    /// As much of what waits as a batch may have, and what is to be said then.
    fn gather(&mut self, rooms: &Rooms) -> Gathered {
        let (mut records, mut tickets) = (Vec::new(), Vec::new());
        let mut unsaid = BTreeSet::new();
        let mut bytes = BATCH_HEAD_BYTES;
        if rooms.for_piece > 0
            && let Some(piece) = self.clean.pop()
        {
            bytes += piece.batch_bytes();
            records.push(piece);
        }
        while let Some(waiting) = self.waiting.pop_front() {
            match waiting {
                Waiting::Ticket(ticket) => {
                    tickets.push(ticket);
                    unsaid.clear();
                }
                Waiting::Record(record) => {
                    bytes += record.batch_bytes();
                    let is_full = bytes > rooms.for_records || records.len() == BATCH_RECORDS_MAX;
                    if is_full {
                        self.waiting.push_front(Waiting::Record(record));
                        break;
                    }
                    let most = self.fences.len() as u64 * self.room;
                    self.clean.earn(record.batch_bytes() as u64, most);
                    unsaid.insert(record.key);
                    records.push(record);
                }
            }
        }
        Gathered { records, tickets, unsaid }
    }

    /// The same bytes and the same id every time, and in every lane.
    fn publish(&mut self, now: Time, outbox: &mut Outbox) {
        let Some(batch) = &mut self.under_way else { return };
        let bytes = Arc::clone(&batch.bytes);
        let fence = self.fences[self.lane];
        let call = outbox.publish_batch(self.lane, self.epoch, self.number, fence, bytes);
        if !batch.calls.iter().any(|(_, lane)| *lane == self.lane) {
            self.ledger.takes_room(&batch.entry, self.lane);
        }
        batch.calls.push((call, self.lane));
        batch.step = Step::Asked(now + ANSWER_TIME);
    }
}
