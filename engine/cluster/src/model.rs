//! The replicated streams of JetStream as a cluster sees them, from a seed: answers
//! that are lost, copies that come late, elections, replicas that lag behind.
//!
//! The model refuses what nats-server refuses, in the same order: a repeated id that is
//! stored, an id that is under way, a newest fence other than the expected one, a fence
//! that is under way. The contract suite runs on this and on real servers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use desk_protocol::Time;

use crate::chance::Chance;
use crate::io::{Answer, CallId, Input, Output};
use crate::merge::Message;
use crate::unit_id::UnitId;

/// Replicas of a stream.
const REPLICAS: usize = 3;

/// How bad the days are. "Once in n" is per opportunity; 0 is never.
#[derive(Clone, Copy, Debug)]
pub struct Faults {
    /// The longest way of a message or an answer.
    pub delay_max: Duration,
    /// An answer is lost, once in so many.
    pub lost_answer_once_in: u64,
    /// A message is lost on its way, once in so many.
    pub lost_once_in: u64,
    /// A message waits for up to [`Faults::late_max`] on its way, once in so many.
    pub late_once_in: u64,
    /// How long such a message waits.
    pub late_max: Duration,
    /// A stream loses its leader, once in so many messages.
    pub election_once_in: u64,
    /// The longest lag of a replica.
    pub lag_max: Duration,
    /// A page of a replica begins too late, once in so many.
    pub skip_once_in: u64,
    /// A leader that is no more answers what the newest fence was, once in so many.
    pub stale_look_once_in: u64,
}

impl Faults {
    /// None, and a quick network.
    pub const NONE: Self = Self {
        delay_max: Duration::from_millis(2),
        lost_answer_once_in: 0,
        lost_once_in: 0,
        late_once_in: 0,
        late_max: Duration::ZERO,
        election_once_in: 0,
        lag_max: Duration::ZERO,
        skip_once_in: 0,
        stale_look_once_in: 0,
    };
}

/// Several streams and the way to them.
#[derive(Debug)]
pub struct Model {
    chance: Chance,
    /// What goes wrong from now on.
    pub faults: Faults,
    streams: Vec<Stream>,
    agenda: BTreeMap<(Time, u64), Step>,
    numbers: u64,
    purged: u64,
}

/// Who asked.
pub type Asker = u64;

/// What happens at a stream, or arrives at who asked.
#[derive(Debug)]
enum Step {
    Arrives(usize, Proposal),
    Commits(usize, u64),
    Elected(usize),
    Purges(usize, Asker, UnitId, CallId, u64),
    Answers(Asker, UnitId, Input),
}

#[derive(Clone, Debug)]
struct Proposal {
    asker: Asker,
    unit: UnitId,
    call: CallId,
    is_fence: bool,
    id: String,
    newest_fence: u64,
    bytes: Arc<[u8]>,
}

#[derive(Debug)]
struct Stored {
    at: Time,
    unit: UnitId,
    message: Message,
}

#[derive(Debug, Default)]
struct Stream {
    log: Vec<Stored>,
    last: u64,
    ids: BTreeMap<String, u64>,
    fences: BTreeMap<UnitId, u64>,
    under_way: BTreeMap<u64, Proposal>,
    is_electing: bool,
    lags: [Duration; REPLICAS],
}

impl Model {
    /// Empty streams.
    #[must_use]
    pub fn new(streams: usize, faults: Faults, seed: u64) -> Self {
        Self {
            chance: Chance::new(seed),
            faults,
            streams: (0..streams).map(|_| Stream::default()).collect(),
            agenda: BTreeMap::new(),
            numbers: 0,
            purged: 0,
        }
    }

    /// Takes a question of a unit to the stream `lane`.
    pub fn ask(&mut self, now: Time, asker: Asker, unit: UnitId, output: Output) {
        match output {
            Output::Publish { call, lane, is_fence, id, newest_fence, bytes } => {
                let faults = self.faults;
                if self.chance.once_in(faults.lost_once_in) {
                    return;
                }
                let way = if self.chance.once_in(faults.late_once_in) {
                    faults.late_max
                } else {
                    faults.delay_max
                };
                let way = self.up_to(way);
                let proposal = Proposal { asker, unit, call, is_fence, id, newest_fence, bytes };
                self.at(now + way, Step::Arrives(lane, proposal));
            }
            Output::LookUp { call, lane, is_fence } => {
                let stream = &self.streams[lane];
                if stream.is_electing {
                    return;
                }
                let end = if is_fence && self.chance.once_in(self.faults.stale_look_once_in) {
                    self.chance.below(stream.log.len() as u64 + 1) as usize
                } else {
                    stream.log.len()
                };
                let log = self.streams[lane].log[..end].iter().rev();
                let fence = log.filter(|s| s.unit == unit).find(|s| s.message.is_fence == is_fence);
                let found = fence.map(|s| (s.message.sequence, s.message.bytes.clone()));
                self.answer(now, asker, unit, Input::LookedUp { call, answer: Ok(found) });
            }
            Output::Read { call, lane, from } => {
                let replica = self.chance.below(REPLICAS as u64) as usize;
                let page = 1 + self.chance.below(8) as usize;
                let stream = &self.streams[lane];
                let lag = stream.lags[replica];
                let seen = stream.log.iter().take_while(|stored| stored.at + lag <= now);
                // A replica that has just started may skip what its stream has.
                let skips = self.chance.once_in(self.faults.skip_once_in);
                let from = if skips { from + 1 + self.chance.below(20) } else { from };
                let wanted = seen.filter(|s| s.unit == unit && s.message.sequence >= from);
                let messages = wanted.take(page).map(|s| s.message.clone()).collect();
                self.answer(now, asker, unit, Input::Read { call, answer: Ok(messages) });
            }
            Output::Purge { call, lane, upto } => {
                if !self.chance.once_in(self.faults.lost_once_in) {
                    let is_late = self.chance.once_in(self.faults.late_once_in);
                    let faults = self.faults;
                    let way = if is_late { faults.late_max } else { faults.delay_max };
                    let way = self.up_to(way);
                    self.at(now + way, Step::Purges(lane, asker, unit, call, upto));
                }
            }
            Output::Reconnect | Output::Tell(_) => {}
        }
    }

    /// When the next thing happens.
    #[must_use]
    pub fn next_at(&self) -> Option<Time> {
        self.agenda.first_key_value().map(|((at, _), _)| *at)
    }

    /// Does the next thing, and says what arrives at whom.
    pub fn step(&mut self) -> Option<(Time, Asker, UnitId, Input)> {
        let ((now, _), step) = self.agenda.pop_first()?;
        match step {
            Step::Answers(asker, unit, input) => return Some((now, asker, unit, input)),
            Step::Arrives(stream, proposal) => self.arrives(now, stream, proposal),
            Step::Commits(stream, number) => {
                if let Some(proposal) = self.streams[stream].under_way.remove(&number) {
                    let sequence = self.streams[stream].store(now, &proposal);
                    let answer = Answer::Stored { sequence, duplicate: false };
                    self.publish_answer(now, &proposal, answer);
                }
            }
            Step::Purges(at, asker, unit, call, upto) => {
                let stream = &mut self.streams[at];
                if !stream.is_electing {
                    let before = stream.log.len();
                    stream.log.retain(|stored| {
                        let message = &stored.message;
                        stored.unit != unit || message.is_fence || message.sequence > upto
                    });
                    self.purged += (before - stream.log.len()) as u64;
                    self.answer(now, asker, unit, Input::Purged { call, answer: Ok(()) });
                }
            }
            Step::Elected(at) => {
                self.streams[at].is_electing = false;
                self.streams[at].lags = std::array::from_fn(|_| self.up_to(self.faults.lag_max));
            }
        }
        None
    }

    /// A stream loses its leader for 4 to 9 s. What was under way is in the log of the
    /// next leader or gone, and nobody is told which.
    pub fn elect(&mut self, now: Time, stream: usize) {
        if self.streams[stream].is_electing {
            return;
        }
        self.streams[stream].is_electing = true;
        let under_way = std::mem::take(&mut self.streams[stream].under_way);
        let kept = self.chance.below(under_way.len() as u64 + 1) as usize;
        for proposal in under_way.values().take(kept) {
            self.streams[stream].store(now, proposal);
        }
        let time = Duration::from_millis(4_000 + self.chance.below(5_000));
        self.at(now + time, Step::Elected(stream));
    }

    /// Messages that were purged.
    #[must_use]
    pub const fn purged(&self) -> u64 {
        self.purged
    }

    /// All messages of a unit in a stream, in order.
    pub fn messages(&self, stream: usize, unit: UnitId) -> impl Iterator<Item = &Message> {
        let log = self.streams[stream].log.iter();
        log.filter(move |stored| stored.unit == unit).map(|stored| &stored.message)
    }

    fn arrives(&mut self, now: Time, at: usize, proposal: Proposal) {
        if self.chance.once_in(self.faults.election_once_in) {
            self.elect(now, at);
        }
        let stream = &self.streams[at];
        if stream.is_electing {
            if self.chance.once_in(2) {
                let answer = Answer::Open("no responders".to_owned());
                self.publish_answer(now, &proposal, answer);
            }
            return;
        }
        let newest = stream.fences.get(&proposal.unit).copied().unwrap_or(0);
        let mut under_way = stream.under_way.values();
        let answer = if let Some(sequence) = stream.ids.get(&proposal.id) {
            Some(Answer::Stored { sequence: *sequence, duplicate: true })
        } else if under_way.clone().any(|other| other.id == proposal.id) {
            Some(Answer::of_error(10_158, "under way"))
        } else if newest != proposal.newest_fence {
            Some(Answer::of_error(10_071, "wrong last sequence"))
        } else if under_way.any(|other| other.is_fence && other.unit == proposal.unit) {
            Some(Answer::of_error(10_164, "wrong last sequence"))
        } else {
            None
        };
        match answer {
            Some(answer) => self.publish_answer(now, &proposal, answer),
            None => {
                self.numbers += 1;
                let number = self.numbers;
                // Proposals commit in their order.
                let last = self
                    .agenda
                    .iter()
                    .filter(|(_, step)| matches!(step, Step::Commits(stream, _) if *stream == at));
                let last = last.map(|((time, _), _)| *time).max().unwrap_or(now);
                let commit = last.max(now + self.up_to(self.faults.delay_max));
                self.streams[at].under_way.insert(number, proposal);
                self.at(commit, Step::Commits(at, number));
            }
        }
    }

    fn publish_answer(&mut self, now: Time, proposal: &Proposal, answer: Answer) {
        let input = Input::Published { call: proposal.call, answer };
        self.answer(now, proposal.asker, proposal.unit, input);
    }

    fn answer(&mut self, now: Time, asker: Asker, unit: UnitId, input: Input) {
        if !self.chance.once_in(self.faults.lost_answer_once_in) {
            let way = self.up_to(self.faults.delay_max);
            self.at(now + way, Step::Answers(asker, unit, input));
        }
    }

    fn at(&mut self, at: Time, step: Step) {
        self.numbers += 1;
        self.agenda.insert((at, self.numbers), step);
    }

    fn up_to(&mut self, most: Duration) -> Duration {
        Duration::from_micros(self.chance.below(most.as_micros() as u64 + 1))
    }
}

impl Stream {
    fn store(&mut self, at: Time, proposal: &Proposal) -> u64 {
        self.last += 1;
        let sequence = self.last;
        self.ids.insert(proposal.id.clone(), sequence);
        if proposal.is_fence {
            self.fences.insert(proposal.unit, sequence);
        }
        let (is_fence, bytes) = (proposal.is_fence, proposal.bytes.to_vec());
        let message = Message { sequence, is_fence, bytes };
        self.log.push(Stored { at, unit: proposal.unit, message });
        sequence
    }
}

/// What stands behind a newer fence in a stream of the model: nothing, if the fences
/// are named with every batch.
#[must_use]
pub fn behind_newer_fences(model: &Model, stream: usize, unit: UnitId) -> BTreeSet<u64> {
    let mut newest = crate::Epoch(0);
    let mut behind = BTreeSet::new();
    for message in model.messages(stream, unit) {
        if message.is_fence {
            let fence = crate::wire::Fence::decode(&message.bytes);
            newest = fence.map_or(newest, |fence| newest.max(fence.epoch));
        } else if let Ok(batch) = crate::wire::Batch::decode(&message.bytes)
            && batch.epoch < newest
        {
            behind.insert(message.sequence);
        }
    }
    behind
}
