//! Nodes that ask one another over the queue's streams, from seeds, while answers are lost
//! and units change their owners.
//!
//! `CLUSTER_SEEDS` makes a run longer, `CLUSTER_SEED` replays one.
#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

#[allow(dead_code, reason = "its dice are used here")]
mod town;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use desk_cluster::limits::REQUEST_BYTES_MAX;
use desk_cluster::queue::Place;
use desk_cluster::request::{Bell, Request, Told};
use desk_cluster::wire::DecodeError;
use desk_cluster::{
    Answer, Event, Outcome, Queue, QueueInput, QueueOutput, Stage, UnitId, Verdict,
};
use desk_protocol::Time;
use proptest::prelude::*;
use town::Dice;

const NODES: u64 = 3;
const UNITS: [u16; 2] = [5, 9];

fn unit(number: u16) -> UnitId {
    UnitId::new(number).unwrap()
}

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// What happens at a node later.
enum Later {
    Hear(QueueInput),
    Own(UnitId),
    Lose(UnitId),
}

/// Nodes, the queue's two streams, and what was promised.
struct Market {
    seed: u64,
    dice: Dice,
    now: Time,
    queues: Vec<Queue>,
    /// Requests in the stream, by sequence.
    requests: BTreeMap<u64, Vec<u8>>,
    sequences: u64,
    ids: BTreeMap<String, u64>,
    /// Verdicts by sender and id.
    verdicts: BTreeMap<(String, u64), Vec<u8>>,
    later: Vec<(Time, usize, Later)>,
    owner: BTreeMap<UnitId, usize>,
    /// Sequences whose look-up has found no verdict: one run each.
    looked: BTreeSet<(usize, u64)>,
    lost_once_in: u64,
    delay_max: Duration,
    lag_max: Duration,
    /// By ticket: its body.
    asked: BTreeMap<u64, Vec<u8>>,
    told: BTreeMap<u64, Verdict>,
    done: BTreeSet<Vec<u8>>,
    begun: u64,
    tickets: u64,
}

/// What a run came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Report {
    acknowledged: u64,
    refused: u64,
    given_up: u64,
    begun: u64,
}

impl Market {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let now = Time::from_unix_seconds(1_700_000_000);
        let queue = |node: u64| Queue::new(now, &format!("n{node}"), seed ^ (node << 40));
        let mut market = Self {
            seed,
            now,
            queues: (0..NODES).map(queue).collect(),
            requests: BTreeMap::new(),
            sequences: 0,
            ids: BTreeMap::new(),
            verdicts: BTreeMap::new(),
            later: Vec::new(),
            owner: BTreeMap::new(),
            looked: BTreeSet::new(),
            lost_once_in: [0, 3, 20][dice.below(3) as usize],
            delay_max: ms([1, 20, 150][dice.below(3) as usize]),
            lag_max: ms([0, 5, 100][dice.below(3) as usize]),
            asked: BTreeMap::new(),
            told: BTreeMap::new(),
            done: BTreeSet::new(),
            begun: 0,
            tickets: 0,
            dice,
        };
        for number in UNITS {
            market.move_unit(unit(number));
        }
        market
    }

    fn run(mut self, steps: u64) -> Report {
        for _ in 0..steps {
            let until = self.now + ms(self.dice.below(60));
            self.advance(until);
            let number = unit(UNITS[self.dice.below(2) as usize]);
            match self.dice.below(12) {
                0 => self.move_unit(number),
                1..4 => self.send(number),
                _ => {}
            }
        }
        (self.lost_once_in, self.lag_max) = (0, Duration::ZERO);
        let until = self.now + Duration::from_secs(700);
        self.advance(until);
        self.look_at_the_end()
    }

    fn look_at_the_end(self) -> Report {
        let seed = self.seed;
        assert!(self.requests.is_empty(), "seed {seed}: {:?} are left", self.requests.keys());
        let mut report = Report { begun: self.begun, ..Report::default() };
        for (ticket, body) in &self.asked {
            match self.told.get(ticket) {
                None => panic!("seed {seed}: nobody was told of {ticket}"),
                Some(Verdict::Acknowledged(said)) => {
                    assert_eq!(said, body, "seed {seed}: another one's answer");
                    assert!(self.done.contains(body), "seed {seed}: {ticket} was never done");
                    report.acknowledged += 1;
                }
                Some(Verdict::Refused(said)) => {
                    assert_eq!(said, body, "seed {seed}: another one's answer");
                    report.refused += 1;
                }
                Some(Verdict::GivenUp(_)) => report.given_up += 1,
            }
        }
        report
    }

    fn send(&mut self, unit: UnitId) {
        self.tickets += 1;
        let ticket = self.tickets;
        let node = self.dice.below(NODES) as usize;
        // The first byte says what the shard makes of it.
        let body = vec![self.dice.below(8) as u8, ticket as u8, (ticket >> 8) as u8];
        self.asked.insert(ticket, body.clone());
        let input = QueueInput::Send { unit, ticket, what: "test".to_owned(), body };
        self.handle(node, input);
    }

    /// Another node owns the unit; the one before hears of it later.
    fn move_unit(&mut self, unit: UnitId) {
        let next = self.dice.below(NODES) as usize;
        let before = self.owner.insert(unit, next);
        if before == Some(next) {
            return;
        }
        let delay = self.delay();
        let own = self.now + delay;
        self.later.push((own, next, Later::Own(unit)));
        if let Some(before) = before {
            let late = own + self.delay();
            self.later.push((late, before, Later::Lose(unit)));
        }
    }

    fn delay(&mut self) -> Duration {
        let most = self.delay_max.as_micros() as u64;
        Duration::from_micros(self.dice.below(most))
    }

    fn is_lost(&mut self) -> bool {
        self.lost_once_in > 0 && self.dice.below(self.lost_once_in) == 0
    }

    fn advance(&mut self, until: Time) {
        loop {
            let timeouts = (0..self.queues.len())
                .filter_map(|node| Some((self.queues[node].poll_timeout()?.0, node)));
            let timeout = timeouts.min();
            let first = (0..self.later.len()).min_by_key(|at| self.later[*at].0);
            let at = first.map(|at| self.later[at].0);
            match (timeout, at) {
                (Some((due, node)), at) if at.is_none_or(|at| due <= at) => {
                    if due > until {
                        break;
                    }
                    self.now = self.now.max(due);
                    self.queues[node].handle_timeout(self.now);
                    self.drain(node);
                }
                (_, Some(at)) if at <= until => {
                    self.now = self.now.max(at);
                    let (_, node, later) = self.later.remove(first.unwrap());
                    match later {
                        Later::Hear(input) => self.handle(node, input),
                        Later::Lose(unit) if self.owner[&unit] == node => {}
                        Later::Lose(unit) => self.queues[node].lose(unit),
                        Later::Own(unit) => self.queues[node].own(self.now, unit),
                    }
                    self.drain(node);
                }
                _ => break,
            }
        }
        self.now = until;
    }

    fn handle(&mut self, node: usize, input: QueueInput) {
        self.queues[node].handle(self.now, input);
        self.drain(node);
    }

    fn drain(&mut self, node: usize) {
        loop {
            if let Some(output) = self.queues[node].poll_output() {
                self.carry_out(node, output);
            } else if let Some(event) = self.queues[node].poll_event() {
                self.follow(node, event);
            } else {
                break;
            }
        }
    }

    fn answer(&mut self, node: usize, input: QueueInput) {
        if !self.is_lost() {
            let at = self.now + self.delay();
            self.later.push((at, node, Later::Hear(input)));
        }
    }

    fn carry_out(&mut self, node: usize, output: QueueOutput) {
        match output {
            QueueOutput::Publish { call, place, id, bytes } => {
                if self.is_lost() {
                    return;
                }
                let duplicate = self.ids.contains_key(&id);
                let sequence = *self.ids.entry(id).or_insert(self.sequences + 1);
                self.sequences = self.sequences.max(sequence);
                if !duplicate {
                    self.store(sequence, place, bytes.to_vec());
                }
                let answer = Answer::Stored { sequence, duplicate };
                self.answer(node, QueueInput::Published { call, answer });
            }
            QueueOutput::Read { call, from } => {
                // A replica may lack the newest.
                let lacks = self.lag_max > Duration::ZERO && self.dice.below(3) == 0;
                let found = self.requests.range(from..);
                let mut found: Vec<_> = found.map(|(at, bytes)| (*at, bytes.clone())).collect();
                if lacks {
                    found.pop();
                }
                self.answer(node, QueueInput::Read { call, answer: Ok(found) });
            }
            QueueOutput::LookUp { call, place } => {
                let Place::Verdict { sender, id } = place else { panic!("only verdicts") };
                let found = self.verdicts.get(&(sender.clone(), id)).cloned();
                if found.is_none() {
                    self.looked.insert((node, id));
                }
                self.answer(node, QueueInput::LookedUp { call, answer: Ok(found) });
            }
            QueueOutput::Remove { call, sequence } => {
                let request = self.requests.remove(&sequence);
                let request = request.map(|bytes| Request::decode(&bytes).unwrap());
                if let Some(Request { sender, id, .. }) = request {
                    let seed = self.seed;
                    assert!(self.verdicts.contains_key(&(sender, id)), "seed {seed}: {id} is lost");
                }
                self.answer(node, QueueInput::Removed { call, answer: Ok(()) });
            }
            QueueOutput::Ring(bytes) => {
                for node in 0..self.queues.len() {
                    self.answer(node, QueueInput::Rung(bytes.clone()));
                }
            }
        }
    }

    fn store(&mut self, sequence: u64, place: Place, bytes: Vec<u8>) {
        match place {
            Place::Requests(_) => drop(self.requests.insert(sequence, bytes)),
            Place::Verdict { sender, id } => {
                let node = sender[1..].parse().unwrap();
                self.answer(node, QueueInput::Heard(bytes.clone()));
                self.verdicts.insert((sender, id), bytes);
            }
        }
    }

    fn follow(&mut self, node: usize, event: Event) {
        match event {
            Event::Asked { number, body, .. } => {
                self.begun += 1;
                let id = Request::decode(&self.request(number)).map_or(0, |request| request.id);
                let seed = self.seed;
                let has_looked = id == 0 || self.looked.remove(&(node, id));
                assert!(has_looked, "seed {seed}: {id} is done although it may have a verdict");
                let outcome = match body[0] {
                    0 => Outcome::Refused(body),
                    1 if self.dice.below(2) == 0 => Outcome::NotNow("busy".to_owned()),
                    // A shard that never answers.
                    2 if self.dice.below(4) == 0 => return,
                    _ => {
                        self.done.insert(body.clone());
                        Outcome::Acknowledged(body)
                    }
                };
                let at = self.now + self.delay();
                let done = QueueInput::Done { number, outcome };
                self.later.push((at, node, Later::Hear(done)));
            }
            Event::Kept { ticket } => assert!(self.asked.contains_key(&ticket)),
            Event::Told { ticket, verdict } => {
                let before = self.told.insert(ticket, verdict);
                assert_eq!(before, None, "seed {}: {ticket} was told twice", self.seed);
            }
            other => panic!("{other:?}"),
        }
    }

    fn request(&self, sequence: u64) -> Vec<u8> {
        self.requests.get(&sequence).cloned().unwrap_or_default()
    }
}

#[test]
fn each_request_is_done_and_its_sender_told() {
    let variable = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let seeds = variable("CLUSTER_SEEDS").unwrap_or(200);
    let range = variable("CLUSTER_SEED").map_or(0..seeds, |seed| seed..seed + 1);
    let mut sum = Report::default();
    for seed in range {
        let report = Market::new(seed).run(400);
        sum.acknowledged += report.acknowledged;
        sum.refused += report.refused;
        sum.given_up += report.given_up;
        sum.begun += report.begun;
    }
    println!("{sum:?}");
    assert!(sum.acknowledged > 0 && sum.refused > 0 && sum.given_up > 0, "{sum:?}");
    assert!(sum.begun > sum.acknowledged + sum.refused, "some are done twice: {sum:?}");
}

/// One owner that is asked by itself, without faults.
#[test]
fn a_request_passes_through_its_stages() {
    let now = Time::from_unix_seconds(1_700_000_000);
    let mut queue = Queue::new(now, "a", 1);
    queue.own(now, unit(5));
    queue.handle_timeout(now);
    let Some(QueueOutput::Read { call, from: 1 }) = queue.poll_output() else { panic!() };
    queue.handle(now, QueueInput::Read { call, answer: Ok(Vec::new()) });
    let (what, body) = ("takedown".to_owned(), vec![7]);
    queue.handle(now, QueueInput::Send { unit: unit(5), ticket: 3, what, body });
    let Some(QueueOutput::Publish { call, bytes, .. }) = queue.poll_output() else { panic!() };
    assert_eq!(queue.view().lines[0].stage, Stage::Sent);
    let answer = Answer::Stored { sequence: 40, duplicate: false };
    queue.handle(now, QueueInput::Published { call, answer });
    assert_eq!(queue.poll_event(), Some(Event::Kept { ticket: 3 }));
    let Some(QueueOutput::Ring(bell)) = queue.poll_output() else { panic!() };
    queue.handle(now, QueueInput::Rung(bell));
    let Some(QueueOutput::Read { call, from: 1 }) = queue.poll_output() else { panic!() };
    let answer = Ok(vec![(40, bytes.to_vec())]);
    queue.handle(now, QueueInput::Read { call, answer });
    let Some(QueueOutput::LookUp { call, .. }) = queue.poll_output() else { panic!() };
    queue.handle(now, QueueInput::LookedUp { call, answer: Ok(None) });
    let asked = Event::Asked { unit: unit(5), number: 40, body: vec![7] };
    assert_eq!(queue.poll_event(), Some(asked));
    let outcome = Outcome::Acknowledged(vec![8]);
    queue.handle(now, QueueInput::Done { number: 40, outcome });
    let told = std::iter::from_fn(|| queue.poll_output()).find_map(|output| match output {
        QueueOutput::Publish { call, bytes, .. } => Some((call, bytes)),
        _ => None,
    });
    let (call, bytes) = told.unwrap();
    let answer = Answer::Stored { sequence: 41, duplicate: false };
    queue.handle(now, QueueInput::Published { call, answer });
    queue.handle(now, QueueInput::Heard(bytes.to_vec()));
    let verdict = Verdict::Acknowledged(vec![8]);
    assert_eq!(queue.poll_event(), Some(Event::Told { ticket: 3, verdict }));
    let Some(QueueOutput::Remove { call, sequence: 40 }) = queue.poll_output() else { panic!() };
    queue.handle(now, QueueInput::Removed { call, answer: Ok(()) });
    let view = queue.view();
    assert_eq!((view.lines.len(), &view.lines[0].stage), (1, &Stage::Acknowledged));
    assert_eq!((view.counts.stored, view.counts.acknowledged, view.counts.begun), (1, 1, 1));
}

proptest! {
    #[test]
    fn what_the_queue_says_survives_its_bytes(
        id: u64, made_at: u64, sequence in 1u64.., sender in "[a-z]{1,20}", what in "[a-z]{0,20}",
        body in prop::collection::vec(any::<u8>(), 0..60), kind in 0..3, cut in 0..200usize,
    ) {
        let request = Request { unit: unit(5), id, made_at: Time(made_at), sender, what, body };
        let bytes = request.encode();
        prop_assert_eq!(Request::decode(&bytes), Ok(request.clone()));
        prop_assert!(Request::decode(&bytes[..cut.min(bytes.len() - 1)]).is_err());
        let verdict = match kind {
            0 => Verdict::Acknowledged(request.body),
            1 => Verdict::Refused(request.body),
            _ => Verdict::GivenUp(request.what),
        };
        let told = Told { id, verdict };
        prop_assert_eq!(Told::decode(&told.encode()), Ok(told.clone()));
        let bell = Bell { unit: unit(5), sequence };
        prop_assert_eq!(Bell::decode(&bell.encode()), Ok(bell));
        let other = DecodeError::Kind { found: 7, expected: 8 };
        prop_assert_eq!(Bell::decode(&told.encode()), Err(other));
    }
}

#[test]
fn the_longest_request_fits_into_a_message() {
    let (sender, what) = ("n".repeat(63), "w".repeat(32));
    let body = vec![0; REQUEST_BYTES_MAX];
    let request = Request { unit: unit(5), id: 1, made_at: Time(1), sender, what, body };
    assert_eq!(Request::decode(&request.encode()), Ok(request));
}
