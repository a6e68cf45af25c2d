//! Whole nodes over the model's streams, with people who go where their desks are.
//!
//! `CLUSTER_SEEDS` makes a run longer, `CLUSTER_SEED` replays one.
#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

#[allow(dead_code, reason = "its dice are used here")]
mod town;

use std::time::Duration;

use desk_cluster::limits::{BEAT_TIME, DEAD_TIME, LIGHTEN_PAUSE, LOAD_GAP_MIN};
use desk_cluster::model::{Faults, Model};
use desk_cluster::{
    Event, Input, Layout, Load, Myself, Node, NodeInput, NodeOutput, Output, UNITS, UnitId,
};
use desk_protocol::Time;
use town::Dice;

const NODES: usize = 3;

/// Nodes, streams, and people.
struct Land {
    now: Time,
    nodes: Vec<Node>,
    model: Model,
    /// Heartbeats and invitations on their way.
    posted: Vec<(Time, usize, NodeInput)>,
    /// By unit: people on its desks.
    people: Vec<u32>,
    full: [bool; NODES],
    /// A node that hears nobody but itself, and that nobody hears.
    cut: Option<usize>,
    lost: u64,
    /// By node: how often a unit was suspect, and trusted again.
    doubts: [(u64, u64); NODES],
    dice: Dice,
}

impl Land {
    fn new(seed: u64) -> Self {
        let now = Time::from_unix_seconds(1_700_000_000);
        let servers = ["x", "y", "z"].map(str::to_owned).to_vec();
        let layout = Layout { streams: 12, lanes: 2, servers, stream_bytes: 1 << 30 };
        let node = |number: usize| {
            let myself = Myself {
                name: ["a", "b", "c"][number].to_owned(),
                advertise: format!("https://{number}"),
                quic: String::new(),
                home: ["x", "y", "z"][number].to_owned(),
                instance: number as u64,
            };
            Node::new(now, myself, layout.clone(), seed + number as u64)
        };
        let nodes = (0..NODES).map(node).collect();
        let faults = Faults { delay_max: Duration::from_millis(5), ..Faults::NONE };
        let model = Model::new(2, faults, seed);
        let people = vec![0; usize::from(UNITS)];
        let mut land = Self {
            now,
            nodes,
            model,
            posted: Vec::new(),
            people,
            full: [false; NODES],
            cut: None,
            lost: 0,
            doubts: [(0, 0); NODES],
            dice: Dice(seed),
        };
        land.pass(Duration::from_secs(10));
        land
    }

    /// Lets time pass; nodes are told of their people each second.
    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while self.now < until {
            let second = (self.now + Duration::from_secs(1)).min(until);
            self.advance(second);
            for node in 0..NODES {
                let mut sessions = vec![0; usize::from(UNITS)];
                for (unit, _) in self.nodes[node].owned() {
                    let unit = usize::from(unit.number());
                    sessions[unit] = self.people[unit];
                }
                let load = Load { sessions, is_full: self.full[node] };
                self.handle(node, NodeInput::Load(load));
            }
        }
    }

    fn advance(&mut self, until: Time) {
        loop {
            let due =
                (0..NODES).filter_map(|node| Some((self.nodes[node].poll_timeout()?.0, node)));
            let due = due.min();
            let answer = self.model.next_at();
            let post = self.posted.iter().map(|(at, ..)| *at).min();
            let next = due.map(|(at, _)| at).into_iter().chain(answer).chain(post).min();
            let Some(next) = next.filter(|next| *next <= until) else { break };
            self.now = self.now.max(next);
            if answer == Some(next) {
                if let Some((_, node, unit, input)) = self.model.step() {
                    self.handle(node as usize, NodeInput::Unit(unit, input));
                }
            } else if post == Some(next) {
                let at = self.posted.iter().position(|(at, ..)| *at == next).unwrap();
                let (_, node, input) = self.posted.remove(at);
                self.handle(node, input);
            } else if let Some((_, node)) = due {
                self.nodes[node].handle_timeout(self.now);
                self.carry_out(node);
            }
        }
        self.now = until;
    }

    fn handle(&mut self, node: usize, input: NodeInput) {
        self.nodes[node].handle(self.now, input);
        self.carry_out(node);
    }

    fn post(&mut self, from: usize, input: &NodeInput) {
        let at = self.now + Duration::from_micros(self.dice.below(3_000));
        let cut = self.cut;
        let hears = |node: usize| node == from || cut.is_none_or(|cut| cut != node && cut != from);
        let hearing = (0..NODES).filter(|node| hears(*node));
        self.posted.extend(hearing.map(|node| (at, node, input.clone())));
    }

    fn carry_out(&mut self, node: usize) {
        while let Some(output) = self.nodes[node].poll_output() {
            match output {
                NodeOutput::Unit(_, Output::Tell(event)) => panic!("{event:?}"),
                NodeOutput::Unit(unit, output) => {
                    self.model.ask(self.now, node as u64, unit, output);
                }
                NodeOutput::Beat(bytes) => self.post(node, &NodeInput::Heard(bytes)),
                NodeOutput::Invite(bytes) => self.post(node, &NodeInput::Invited(bytes)),
                NodeOutput::Tell(Event::Records { unit, epoch, .. }) => {
                    self.handle(node, NodeInput::Unit(unit, Input::Absorbed { epoch }));
                }
                NodeOutput::Tell(Event::Deposed { .. }) => self.lost += 1,
                NodeOutput::Tell(Event::Suspect { .. }) => self.doubts[node].0 += 1,
                NodeOutput::Tell(Event::Trusted { .. }) => self.doubts[node].1 += 1,
                NodeOutput::Tell(Event::Failed(why)) => panic!("{why}"),
                NodeOutput::Tell(_) | NodeOutput::Queue(_) | NodeOutput::PutBack => {}
            }
        }
    }

    fn owner(&self, unit: UnitId) -> usize {
        let owns = |node: &Node| node.owned().iter().any(|(owned, _)| *owned == unit);
        let owners: Vec<usize> = (0..NODES).filter(|node| owns(&self.nodes[*node])).collect();
        assert_eq!(owners.len(), 1, "unit {unit} has one owner");
        owners[0]
    }

    fn sessions(&self) -> [u32; NODES] {
        let mut sessions = [0; NODES];
        for unit in UnitId::all() {
            sessions[self.owner(unit)] += self.people[usize::from(unit.number())];
        }
        sessions
    }

    /// The difference that may stay.
    fn may_differ(sessions: [u32; NODES], largest: u32) -> u32 {
        let most = sessions.into_iter().max().unwrap();
        LOAD_GAP_MIN.max(most / 4 + 4).max(2 * largest)
    }
}

fn seeds() -> std::ops::Range<u64> {
    let variable = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let seeds = variable("CLUSTER_SEEDS").unwrap_or(3).min(100);
    variable("CLUSTER_SEED").map_or(0..seeds, |seed| seed..seed + 1)
}

#[test]
fn a_loaded_node_hands_units_over_and_stops() {
    for seed in seeds() {
        let mut land = Land::new(seed);
        let before = land.lost;
        // Most people are on the desks of one node.
        let crowded = land.dice.below(NODES as u64) as usize;
        for unit in UnitId::all() {
            let most = if land.owner(unit) == crowded { 60 } else { 4 };
            land.people[usize::from(unit.number())] = land.dice.below(most) as u32;
        }
        land.pass(LIGHTEN_PAUSE * 40);
        let (sessions, moved) = (land.sessions(), land.lost - before);
        let differ = sessions.iter().max().unwrap() - sessions.iter().min().unwrap();
        assert!(differ <= Land::may_differ(sessions, 60), "seed {seed}: {sessions:?}");
        assert!(moved > 0 && moved < 40, "seed {seed}: {moved} moves");
        // What was handed over stays where it is.
        land.pass(LIGHTEN_PAUSE * 20);
        assert_eq!(land.lost - before, moved, "seed {seed}: units go to and fro");
        let lightened: u64 = land.nodes.iter().map(|node| node.view().lightened).sum();
        assert_eq!(lightened, moved, "seed {seed}");
    }
}

#[test]
fn new_desks_go_where_room_is() {
    let mut land = Land::new(1);
    let all = |land: &Land| -> Vec<Option<String>> {
        let lighter = |node: &Node| node.view().lighter().map(|node| node.name.clone());
        land.nodes.iter().map(lighter).collect()
    };
    land.pass(Duration::from_secs(2));
    assert_eq!(all(&land), [None, None, None]);
    // One desk with many people cannot be divided.
    let crowded = UnitId::new(7).unwrap();
    land.people[7] = 500;
    land.pass(Duration::from_secs(3));
    let owner = land.owner(crowded);
    let lighter = all(&land);
    for (node, lighter) in lighter.iter().enumerate() {
        assert_eq!(lighter.is_some(), node == owner, "{node}: {lighter:?}");
    }
    let before = land.lost;
    land.pass(Duration::from_secs(30));
    assert_eq!((land.owner(crowded), land.lost), (owner, before), "it stays where it is");
}

#[test]
fn a_full_node_leaves_desks_to_others() {
    let mut land = Land::new(2);
    land.pass(Duration::from_secs(2));
    let crowded: Vec<UnitId> = land.nodes[0].owned().into_iter().map(|(unit, _)| unit).collect();
    crowded.iter().take(4).for_each(|unit| land.people[usize::from(unit.number())] = 2);
    land.pass(LIGHTEN_PAUSE * 4);
    assert_eq!(land.sessions(), [8, 0, 0], "a small difference moves nothing");
    land.full[0] = true;
    land.pass(LIGHTEN_PAUSE * 6);
    let sessions = land.sessions();
    assert!(sessions[0] <= 4, "{sessions:?}");
}

#[test]
fn who_is_cut_off_asks_before_it_shows() {
    let mut land = Land::new(3);
    let before = land.doubts;
    land.pass(Duration::from_secs(5));
    assert_eq!(land.doubts, before, "whoever hears the others has no doubts");
    // It still has its streams, and hears itself.
    land.cut = Some(0);
    let owned = land.nodes[0].owned().len() as u64;
    // Before anybody could take them.
    land.pass(DEAD_TIME - BEAT_TIME);
    let doubts = land.doubts[0].0 - before[0].0;
    assert!(doubts >= owned, "{doubts} doubts of {owned} units");
    assert_eq!(land.doubts[1..], before[1..], "the others are most");
    // As long as it is cut off, it asks again and again.
    let (doubts, _) = land.doubts[0];
    land.pass(Duration::from_secs(3));
    assert!(land.doubts[0].0 > doubts && land.doubts[0].1 > 0, "{:?}", land.doubts);
}
