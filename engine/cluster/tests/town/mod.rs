//! Nodes that steal units from one another over the model's streams, and what must be
//! true of them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use desk_cluster::limits::EXPIRED_TIME;
use desk_cluster::model::{Faults, Model, behind_newer_fences};
use desk_cluster::{Epoch, Event, Input, Key, Lanes, Output, Record, State, Unit, UnitId, What};
use desk_protocol::Time;

/// SplitMix64, apart from the one that is under test.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound.max(1)
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }
}

/// When nobody can ask for a key any more.
fn lasts_until(key: Key) -> Time {
    let [.., a, b, c, d, e, f, g, h] = key.0;
    Time(u64::from_le_bytes([a, b, c, d, e, f, g, h]))
}

/// Everything that is purged because it has expired is over for whoever looks.
fn expires_at(key: Key) -> Time {
    Time(lasts_until(key).0 - EXPIRED_TIME.as_micros() as u64)
}

type Contents = BTreeMap<Key, Vec<String>>;
/// What passes between desks and the cluster's thread, or a disk.
enum Post {
    Append(Input),
    Records(Epoch, Vec<Record>),
    States(Epoch, Vec<State>),
    Show(Epoch, Vec<Key>),
}
/// What was said with one ticket.
type Said = Vec<(Key, u64, String)>;

/// One unit on one node: what the node has of it.
struct Site {
    unit: Unit,
    /// What is on the node's disk: it outlives the process.
    store: Contents,
    /// With what was appended and is not acknowledged.
    memory: Contents,
    epoch: Option<Epoch>,
    /// The process: answers to an earlier one arrive nowhere.
    asker: u64,
    tickets: VecDeque<(u64, Said)>,
}

/// What a run did.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) steps: u64,
    pub(crate) acknowledged: u64,
    pub(crate) owned: u64,
    pub(crate) deposed: u64,
    pub(crate) deaths: u64,
    pub(crate) twice: u64,
    pub(crate) purged: u64,
    pub(crate) shown: u64,
}

/// Nodes, streams, and what was promised.
pub(crate) struct Town {
    seed: u64,
    dice: Dice,
    now: Time,
    model: Model,
    lanes: Lanes,
    /// How long keys can be asked for; the first of each unit's can be for ever, if one is.
    life: Duration,
    has_eternal: bool,
    sites: BTreeMap<(u64, UnitId), Site>,
    /// Answers that wait while a node is stopped, and until when it is.
    stopped: BTreeMap<u64, (Time, VecDeque<(UnitId, Input)>)>,
    /// What desks say to the cluster's thread: it comes later, in its order.
    posted: VecDeque<(Time, u64, UnitId, Post)>,
    post: Duration,
    acknowledged: BTreeMap<(Key, u64), String>,
    newest: BTreeMap<UnitId, (Epoch, u64)>,
    owned: BTreeSet<(UnitId, Epoch)>,
    written: u64,
    askers: u64,
    nodes: u64,
    report: Report,
}

const UNITS: [u16; 2] = [5, 9];
const KEYS: u64 = 3;

impl Town {
    pub(crate) fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let ms = Duration::from_millis;
        let faults = Faults {
            delay_max: ms(dice.pick(&[1, 3, 20, 120])),
            lost_answer_once_in: dice.pick(&[0, 5, 20, 100]),
            lost_once_in: dice.pick(&[0, 10, 100]),
            late_once_in: dice.pick(&[0, 10, 50]),
            late_max: ms(dice.pick(&[500, 3_000, 12_000])),
            election_once_in: dice.pick(&[0, 30, 100, 1_000]),
            lag_max: ms(dice.pick(&[0, 5, 200])),
            skip_once_in: dice.pick(&[0, 0, 100]),
            stale_look_once_in: dice.pick(&[0, 5, 50]),
        };
        let room = dice.pick(&[8_000, 40_000, 400_000, 1 << 30]);
        let lanes = Lanes { count: dice.pick(&[1, 2, 2, 2]), room };
        let mut town = Self {
            seed,
            now: Time::from_unix_seconds(1_700_000_000),
            model: Model::new(lanes.count, faults, dice.below(u64::MAX)),
            lanes,
            life: ms(dice.pick(&[300, 3_000, 1_000_000])),
            has_eternal: dice.below(2) == 0,
            sites: BTreeMap::new(),
            stopped: BTreeMap::new(),
            posted: VecDeque::new(),
            post: ms(dice.pick(&[0, 1, 50, 400])),
            acknowledged: BTreeMap::new(),
            newest: BTreeMap::new(),
            owned: BTreeSet::new(),
            written: 0,
            askers: 0,
            nodes: 2 + dice.below(3),
            report: Report::default(),
            dice,
        };
        for node in 0..town.nodes {
            for unit in UNITS {
                let id = UnitId::new(unit).unwrap();
                let site = town.site(node, id, Contents::new());
                town.sites.insert((node, id), site);
            }
        }
        town
    }

    fn site(&mut self, node: u64, id: UnitId, store: Contents) -> Site {
        let name = format!("node-{node}");
        let unit = Unit::new(id, &name, "https://node", self.lanes, self.dice.below(u64::MAX));
        self.askers += 1;
        let (asker, memory) = (self.askers, store.clone());
        Site { unit, memory, store, epoch: None, asker, tickets: VecDeque::new() }
    }

    /// Runs so many steps with people and faults, then until all is quiet, and looks.
    pub(crate) fn run(mut self, steps: u64) -> Report {
        let pace = Duration::from_micros(self.dice.pick(&[300, 3_000, 30_000]));
        let calm = self.dice.pick(&[10, 60, 400]);
        for _ in 0..steps {
            let next = self.now + pace;
            self.advance(next);
            let node = self.dice.below(self.nodes);
            let unit = UnitId::new(self.dice.pick(&UNITS)).unwrap();
            match self.dice.below(calm) {
                0 => self.handle(node, unit, Input::Take),
                1 if self.dice.below(8) == 0 => self.die(node),
                1 if self.dice.below(4) == 0 => self.stop(node),
                2 if self.dice.below(8) == 0 => self.handle(node, unit, Input::Release),
                2 => self.handle(node, unit, Input::Suspect),
                _ => self.write(node, unit),
            }
            self.report.steps += 1;
        }
        self.model.faults = Faults::NONE;
        self.settle();
        for unit in UNITS {
            self.look_at_the_end(UnitId::new(unit).unwrap());
        }
        self.report.purged = self.model.purged();
        self.report
    }

    fn settle(&mut self) {
        let until = self.now + Duration::from_secs(60);
        self.advance(until);
    }

    /// One more node takes the unit: it must find all that was promised.
    fn look_at_the_end(&mut self, unit: UnitId) {
        for lane in 0..self.lanes.count {
            let behind = behind_newer_fences(&self.model, lane, unit);
            assert!(behind.is_empty(), "seed {}: {behind:?} behind newer fences", self.seed);
        }
        let node = self.nodes + 1;
        let site = self.site(node, unit, Contents::new());
        self.sites.insert((node, unit), site);
        self.handle(node, unit, Input::Take);
        self.settle();
        let site = &self.sites[&(node, unit)];
        assert!(site.epoch.is_some(), "seed {}: nobody can take unit {unit}", self.seed);
        for ((key, sequence), content) in &self.acknowledged {
            if key.0[0] == unit.number() as u8 && self.now < lasts_until(*key) {
                let kept = site.store.get(key).and_then(|all| all.get(*sequence as usize - 1));
                assert_eq!(kept, Some(content), "seed {}: acknowledged and lost", self.seed);
            }
        }
        let mut all: Vec<&String> = site.store.values().flatten().collect();
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count, "seed {}: a record was doubled", self.seed);
        let mut copies = BTreeMap::new();
        for lane in 0..self.lanes.count {
            for message in self.model.messages(lane, unit).filter(|m| !m.is_fence) {
                *copies.entry(message.bytes.clone()).or_insert(0) += 1;
            }
        }
        self.report.twice += copies.values().filter(|count| **count > 1).count() as u64;
    }

    /// Lets time pass.
    fn advance(&mut self, until: Time) {
        loop {
            let model = self.model.next_at();
            let units = self.sites.iter().filter(|((node, _), _)| !self.stopped.contains_key(node));
            let due = units.filter_map(|(_, site)| site.unit.poll_timeout()).map(|(at, _)| at);
            let awake = self.stopped.values().map(|(at, _)| *at);
            let posted = self.posted.front().map(|(at, ..)| *at);
            let next = model.into_iter().chain(due).chain(awake).chain(posted).min();
            let Some(next) = next else { break };
            if next > until {
                break;
            }
            self.now = self.now.max(next);
            self.wake();
            if posted.is_some_and(|at| at <= self.now) {
                let (_, asker, unit, post) = self.posted.pop_front().unwrap();
                let input = match post {
                    Post::Append(input) => input,
                    Post::Records(epoch, records) => {
                        self.store(asker, records);
                        Input::Absorbed { epoch }
                    }
                    Post::States(epoch, states) => {
                        self.adopt(asker, states);
                        Input::Absorbed { epoch }
                    }
                    Post::Show(epoch, keys) => {
                        let states = self.show(asker, &keys);
                        Input::Shown { epoch, states }
                    }
                };
                self.arrives(asker, unit, input);
                continue;
            }
            if model.is_some_and(|at| at <= self.now) {
                if let Some((_, asker, unit, input)) = self.model.step() {
                    self.arrives(asker, unit, input);
                }
                continue;
            }
            let due: Vec<(u64, UnitId)> = self
                .sites
                .iter()
                .filter(|((node, _), _)| !self.stopped.contains_key(node))
                .filter(|(_, site)| site.unit.poll_timeout().is_some_and(|(at, _)| at <= self.now))
                .map(|(at, _)| *at)
                .collect();
            for (node, unit) in due {
                let now = self.now;
                let site = self.sites.get_mut(&(node, unit)).unwrap();
                site.unit.handle_timeout(now);
                let after = site.unit.poll_timeout();
                assert!(after.is_none_or(|(at, _)| at > now), "{after:?} stays due");
                self.carry_out(node, unit);
            }
        }
        self.now = self.now.max(until);
        self.wake();
    }

    /// A node's disk has what a read-back brought.
    fn store(&mut self, asker: u64, records: Vec<Record>) {
        let (seed, now) = (self.seed, self.now);
        let Some(site) = self.sites.values_mut().find(|site| site.asker == asker) else { return };
        for record in records {
            if lasts_until(record.key) <= now {
                continue;
            }
            let What::Entry(bytes) = record.what else { unreachable!("nobody forgets") };
            let content = String::from_utf8(bytes).unwrap();
            let all = site.store.entry(record.key).or_default();
            let at = record.sequence as usize - 1;
            assert!(at <= all.len(), "seed {seed}: a gap before {at}");
            if at == all.len() {
                all.push(content);
            } else {
                assert_eq!(all[at], content, "seed {seed}: two contents of one sequence");
            }
        }
    }

    /// A node's disk has at least these states.
    fn adopt(&mut self, asker: u64, states: Vec<State>) {
        let (seed, now) = (self.seed, self.now);
        let Some(site) = self.sites.values_mut().find(|site| site.asker == asker) else { return };
        for State { key, sequence, bytes, .. } in states {
            if lasts_until(key) <= now {
                continue;
            }
            let text = String::from_utf8(bytes.expect("nobody forgets")).unwrap();
            let state: Vec<String> = text.split(' ').map(str::to_owned).collect();
            assert_eq!(state.len() as u64, sequence);
            let kept = site.store.entry(key).or_default();
            let common = kept.len().min(state.len());
            assert_eq!(kept[..common], state[..common], "seed {seed}: two contents");
            if state.len() > kept.len() {
                *kept = state;
            }
        }
    }

    /// What a node's disk has of keys. Sometimes it cannot be read.
    fn show(&mut self, asker: u64, keys: &[Key]) -> Option<Vec<State>> {
        let site = self.sites.values().find(|site| site.asker == asker)?;
        if self.dice.below(20) == 0 {
            return None;
        }
        let state = |key: &Key| {
            let kept = &site.store[key];
            let bytes = Some(kept.join(" ").into_bytes());
            let expires_at = expires_at(*key);
            State { key: *key, sequence: kept.len() as u64, expires_at, bytes }
        };
        self.report.shown += keys.len() as u64;
        Some(keys.iter().map(state).collect())
    }

    /// Something comes to a process, if it still is there.
    fn arrives(&mut self, asker: u64, unit: UnitId, input: Input) {
        let asked = self.sites.iter().find(|(_, site)| site.asker == asker);
        let Some(((node, _), _)) = asked else { return };
        let node = *node;
        match self.stopped.get_mut(&node) {
            Some((_, waiting)) => waiting.push_back((unit, input)),
            None => self.handle(node, unit, input),
        }
    }

    /// Nodes that were stopped go on: with what they did not hear, in a heap.
    fn wake(&mut self) {
        let awake: Vec<u64> =
            self.stopped.iter().filter(|(_, (at, _))| *at <= self.now).map(|(n, _)| *n).collect();
        for node in awake {
            let (_, waiting) = self.stopped.remove(&node).unwrap();
            for unit in UNITS {
                self.handle(node, UnitId::new(unit).unwrap(), Input::Suspect);
            }
            for (unit, input) in waiting {
                self.handle(node, unit, input);
            }
        }
    }

    fn stop(&mut self, node: u64) {
        let time = Duration::from_millis(self.dice.pick(&[100, 2_000, 20_000]));
        self.stopped.entry(node).or_insert((self.now + time, VecDeque::new()));
    }

    /// The process ends and begins anew on the same disk.
    fn die(&mut self, node: u64) {
        self.report.deaths += 1;
        self.stopped.remove(&node);
        for unit in UNITS {
            let id = UnitId::new(unit).unwrap();
            let store = self.sites.remove(&(node, id)).unwrap().store;
            let site = self.site(node, id, store);
            self.sites.insert((node, id), site);
        }
    }

    /// A key that lasts: it ends in when that is over.
    fn key(&mut self, unit: UnitId) -> Key {
        let which = self.dice.below(KEYS) as u8;
        let lasts_until = if which == 0 && self.has_eternal {
            u64::MAX / 2
        } else {
            let life = self.life.as_micros() as u64;
            (self.now.0 / life + 1) * life
        };
        let mut key = [0; 16];
        (key[0], key[1]) = (unit.number() as u8, which);
        key[8..].copy_from_slice(&lasts_until.to_le_bytes());
        Key(key)
    }

    fn write(&mut self, node: u64, unit: UnitId) {
        let key = self.key(unit);
        let count = 1 + self.dice.below(3);
        let Some(site) = self.sites.get_mut(&(node, unit)) else { return };
        let Some(epoch) = site.epoch.filter(|_| !self.stopped.contains_key(&node)) else { return };
        let mut records = Vec::new();
        let mut said = Vec::new();
        for _ in 0..count {
            self.written += 1;
            let content = format!("{node}.{epoch}.{}", self.written);
            let all = site.memory.entry(key).or_default();
            all.push(content.clone());
            let sequence = all.len() as u64;
            let what = What::Entry(content.clone().into_bytes());
            records.push(Record { key, sequence, expires_at: expires_at(key), what });
            said.push((key, sequence, content));
        }
        site.tickets.push_back((self.written, said));
        let ticket = self.written;
        let at = self.now + self.post;
        let asker = site.asker;
        let post = Post::Append(Input::Append { epoch, records, ticket });
        self.posted.push_back((at, asker, unit, post));
    }

    fn handle(&mut self, node: u64, unit: UnitId, input: Input) {
        let now = self.now;
        if let Some(site) = self.sites.get_mut(&(node, unit)) {
            site.unit.handle(now, input);
            self.carry_out(node, unit);
        }
    }

    fn carry_out(&mut self, node: u64, unit: UnitId) {
        while let Some(output) = self.sites.get_mut(&(node, unit)).unwrap().unit.poll_output() {
            match output {
                Output::Tell(event) => self.event(node, unit, event),
                other => {
                    let asker = self.sites[&(node, unit)].asker;
                    self.model.ask(self.now, asker, unit, other);
                }
            }
        }
    }

    fn event(&mut self, node: u64, id: UnitId, event: Event) {
        let seed = self.seed;
        let site = self.sites.get_mut(&(node, id)).unwrap();
        match event {
            Event::Records { epoch, records, .. } => {
                let at = self.now + self.post;
                self.posted.push_back((at, site.asker, id, Post::Records(epoch, records)));
            }
            Event::States { epoch, states, .. } => {
                let at = self.now + self.post;
                self.posted.push_back((at, site.asker, id, Post::States(epoch, states)));
            }
            Event::Show { epoch, keys, .. } => {
                let at = self.now + self.post;
                self.posted.push_back((at, site.asker, id, Post::Show(epoch, keys)));
            }
            Event::Owned { epoch, .. } => {
                self.report.owned += 1;
                site.memory = site.store.clone();
                site.epoch = Some(epoch);
                assert!(self.owned.insert((id, epoch)), "seed {seed}: two own epoch {epoch}");
                // The last answer came late, and somebody else owns the unit already.
                if self.newest.get(&id).is_some_and(|(newest, _)| *newest > epoch) {
                    return;
                }
                self.newest.insert(id, (epoch, node));
                for ((key, sequence), content) in &self.acknowledged {
                    if key.0[0] == id.number() as u8 && self.now < lasts_until(*key) {
                        let kept = site.store.get(key).and_then(|a| a.get(*sequence as usize - 1));
                        assert_eq!(kept, Some(content), "seed {seed}: acknowledged, not read back");
                    }
                }
            }
            Event::Acknowledged { ticket, .. } => {
                let (epoch, newest) = (site.epoch, self.newest.get(&id).copied());
                let (first, said) = site.tickets.pop_front().expect("it was appended");
                assert_eq!(first, ticket, "seed {seed}: tickets in their order");
                for (key, sequence, content) in said {
                    let site = self.sites.get_mut(&(node, id)).unwrap();
                    let all = site.store.entry(key).or_default();
                    assert_eq!(all.len() as u64 + 1, sequence, "seed {seed}: the store's order");
                    all.push(content.clone());
                    self.report.acknowledged += 1;
                    let before = self.acknowledged.insert((key, sequence), content.clone());
                    assert_eq!(before, None, "seed {seed}: two acknowledged for one sequence");
                    // Somebody else owns it by now: then that node has read it.
                    let is_over = lasts_until(key) <= self.now;
                    let newer = newest.filter(|(newest, _)| Some(*newest) != epoch && !is_over);
                    if let Some((_, owner)) = newer {
                        let memory = self.sites.get(&(owner, id)).map(|owner| &owner.memory);
                        let kept = memory.and_then(|m| m.get(&key)?.get(sequence as usize - 1));
                        assert_eq!(kept, Some(&content), "seed {seed}: behind a newer fence");
                    }
                }
            }
            Event::Deposed { .. } => {
                self.report.deposed += 1;
                site.memory = site.store.clone();
                site.epoch = None;
                site.tickets.clear();
            }
            Event::Quarantine { why, .. } => panic!("seed {seed}: quarantine: {why}"),
            Event::Notice(why) => {
                let is_again = why.contains("read again");
                assert!(is_again, "seed {seed}: {why}");
            }
            Event::Failed(why) => panic!("seed {seed}: {why}"),
            Event::Unwritable { .. }
            | Event::Writable { .. }
            | Event::Suspect { .. }
            | Event::Trusted { .. }
            | Event::Members
            | Event::Asked { .. }
            | Event::Kept { .. }
            | Event::Told { .. } => {}
        }
    }
}
