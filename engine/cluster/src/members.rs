//! Who is there, who owns what, and who should take what nobody owns.
//!
//! Heartbeats decide only when somebody tries: the fences decide who owns.

use std::collections::BTreeMap;

use desk_protocol::Time;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::beat::Beat;
use crate::layout::Layout;
use crate::limits::{BEAT_TIME, CLOCKS_APART_MAX, DEAD_TIME, NODES_MAX, SETTLE_TIME, UNHEARD_TIME};
use crate::unit_id::{Epoch, UNITS, UnitId};
use crate::view::{NodeView, View};

/// This node, as it says of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Myself {
    /// Its name.
    pub name: String,
    /// Its public address.
    pub advertise: String,
    /// Host and port of its QUIC; empty without.
    pub quic: String,
    /// The server that is nearest to it.
    pub home: String,
    /// A random number of this process.
    pub instance: u64,
}

/// The nodes that were heard.
#[derive(Debug)]
pub(crate) struct Members {
    myself: Myself,
    layout: Layout,
    began_at: Time,
    heard_myself_at: Option<Time>,
    others: BTreeMap<String, Other>,
    sessions: u32,
    is_leaving: bool,
    beat_at: Time,
}

#[derive(Debug)]
struct Other {
    beat: Beat,
    heard_at: Time,
    is_clock_told: bool,
}

/// What a heartbeat tells an operator.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Finding {
    Nothing,
    /// Worth a line in the log.
    Notice(String),
    /// This node cannot stay.
    Failed(String),
}

impl Members {
    pub(crate) fn new(now: Time, myself: Myself, layout: Layout) -> Self {
        Self {
            myself,
            layout,
            began_at: now,
            heard_myself_at: None,
            others: BTreeMap::new(),
            sessions: 0,
            is_leaving: false,
            beat_at: now,
        }
    }

    pub(crate) fn heard(&mut self, now: Time, beat: Beat) -> Finding {
        let is_joining = self.is_joining(now);
        if beat.node == self.myself.name {
            if beat.instance == self.myself.instance {
                self.heard_myself_at = Some(now);
                return Finding::Nothing;
            }
            let why = format!(
                "another node named {} is in this cluster, at {}; give each node its own --node",
                beat.node, beat.advertise
            );
            // The one that was there stays. Its own last words are older than this
            // process.
            let is_over = beat.is_leaving || beat.clock < self.began_at;
            return match is_joining {
                _ if is_over => Finding::Nothing,
                true => Finding::Failed(why),
                false => Finding::Notice(why),
            };
        }
        if self.others.len() == NODES_MAX && !self.others.contains_key(&beat.node) {
            return Finding::Notice(format!("node {} is one more than {NODES_MAX}", beat.node));
        }
        let apart = now.since(beat.clock).max(beat.clock.since(now));
        let name = beat.node.clone();
        let told = self.others.get(&name).is_some_and(|other| other.is_clock_told);
        let is_apart = apart > CLOCKS_APART_MAX;
        let other = Other { beat, heard_at: now, is_clock_told: is_apart };
        self.others.insert(name.clone(), other);
        if !is_apart || told {
            return Finding::Nothing;
        }
        let why = format!(
            "the clocks of this node and of {name} are {} s apart, at most {} s may they be; \
             set them by NTP",
            apart.as_secs(),
            CLOCKS_APART_MAX.as_secs()
        );
        if is_joining { Finding::Failed(why) } else { Finding::Notice(why) }
    }

    /// Whether this node hears its own heartbeats: only then it judges others.
    pub(crate) fn hears_itself(&self, now: Time) -> bool {
        self.heard_myself_at.is_some_and(|at| now.since(at) < DEAD_TIME)
    }

    /// Whether this node hears fewer than half of the nodes that were there and did not
    /// leave, itself included: it may be the one that is cut off.
    pub(crate) fn is_minority(&self, now: Time) -> bool {
        let known = self.others.values().filter(|other| !other.beat.is_leaving);
        let (known, living) = known.fold((1, 1), |(known, living), other| {
            (known + 1, living + usize::from(now.since(other.heard_at) < UNHEARD_TIME))
        });
        2 * living <= known
    }

    /// The heartbeat, if it is time for one.
    pub(crate) fn beat(&mut self, now: Time, units: &[(UnitId, Epoch)]) -> Option<Beat> {
        if now < self.beat_at {
            return None;
        }
        self.beat_at = now + BEAT_TIME;
        Some(Beat {
            node: self.myself.name.clone(),
            instance: self.myself.instance,
            clock: now,
            sessions: self.sessions,
            is_leaving: self.is_leaving,
            advertise: self.myself.advertise.clone(),
            quic: self.myself.quic.clone(),
            home: self.myself.home.clone(),
            units: units.to_vec(),
        })
    }

    pub(crate) const fn beat_at(&self) -> Time {
        self.beat_at
    }

    /// Something changed that others should know at once.
    pub(crate) fn beat_soon(&mut self, now: Time) {
        self.beat_at = self.beat_at.min(now);
    }

    pub(crate) fn set_sessions(&mut self, sessions: u32) {
        self.sessions = sessions;
    }

    pub(crate) fn leave(&mut self, now: Time) {
        self.is_leaving = true;
        self.beat_soon(now);
    }

    pub(crate) const fn is_leaving(&self) -> bool {
        self.is_leaving
    }

    /// The units that this node should take: nobody who lives owns them, and they fall
    /// to this node.
    pub(crate) fn to_take(&self, now: Time) -> Vec<UnitId> {
        if self.is_joining(now) || self.is_leaving || !self.hears_itself(now) {
            return Vec::new();
        }
        let orphans = UnitId::all().filter(|unit| self.owner(now, *unit).is_none());
        orphans.filter(|unit| self.heir(now, *unit) == Some(self.name())).collect()
    }

    /// To whom a unit falls among the living: rendezvous hashing (Thaler and
    /// Ravishankar, 1998), so that one node more or less moves only its own part. Nodes
    /// that are near a leader of the unit's lanes come last.
    pub(crate) fn heir(&self, now: Time, unit: UnitId) -> Option<&str> {
        let myself = (!self.is_leaving && self.hears_itself(now)).then_some(self.name());
        let others = self.others.iter().filter(|(_, other)| other.lives(now));
        let others = others.filter(|(_, other)| !other.beat.is_leaving);
        let others = others.map(|(name, other)| (name.as_str(), other.beat.home.as_str()));
        let all = others.chain(myself.map(|name| (name, self.myself.home.as_str())));
        let heir = all.max_by_key(|(name, home)| {
            (self.layout.is_apart(unit, home), weight(name, unit), *name)
        });
        heir.map(|(name, _)| name)
    }

    /// Whether this node looks after the streams for all: the first by name does.
    pub(crate) fn is_keeper(&self, now: Time) -> bool {
        let mut others = self.others.iter().filter(|(_, other)| other.lives(now));
        let is_first = others.all(|(name, _)| self.name() < name.as_str());
        is_first && self.hears_itself(now) && !self.is_leaving
    }

    /// The other living node that owns a unit, as it says.
    fn owner(&self, now: Time, unit: UnitId) -> Option<(&str, Epoch)> {
        let living = self.others.iter().filter(|(_, other)| other.lives(now));
        let claims = living.filter_map(|(name, other)| {
            let claim = other.beat.units.iter().find(|(claimed, _)| *claimed == unit)?;
            Some((name.as_str(), claim.1))
        });
        claims.max_by_key(|(_, epoch)| *epoch)
    }

    /// Who is there and who owns what.
    pub(crate) fn view(&self, now: Time, own: &[(UnitId, Epoch)]) -> View {
        let myself = NodeView {
            name: self.myself.name.clone(),
            advertise: self.myself.advertise.clone(),
            quic: (!self.myself.quic.is_empty()).then(|| self.myself.quic.clone()),
            sessions: self.sessions,
            is_living: true,
            is_leaving: self.is_leaving,
        };
        let others = self.others.values().map(|other| NodeView {
            name: other.beat.node.clone(),
            advertise: other.beat.advertise.clone(),
            quic: (!other.beat.quic.is_empty()).then(|| other.beat.quic.clone()),
            sessions: other.beat.sessions,
            is_living: other.lives(now),
            is_leaving: other.beat.is_leaving,
        });
        let mut nodes: Vec<NodeView> = others.chain([myself]).collect();
        nodes.sort_by(|a, b| a.name.cmp(&b.name));
        let place = |name: &str| nodes.iter().position(|node| node.name == name);
        let owners = UnitId::all().map(|unit| {
            let own = own.iter().find(|(owned, _)| *owned == unit).map(|(_, epoch)| *epoch);
            let own = own.map(|epoch| (self.name(), epoch));
            let owner = own.into_iter().chain(self.owner(now, unit)).max_by_key(|(_, e)| *e);
            owner.and_then(|(name, epoch)| Some((place(name)?, epoch)))
        });
        let owners = owners.collect();
        let this = place(self.name()).unwrap_or_default();
        View { this, nodes, owners, ..View::default() }
    }

    fn is_joining(&self, now: Time) -> bool {
        now.since(self.began_at) < SETTLE_TIME
    }

    pub(crate) fn name(&self) -> &str {
        &self.myself.name
    }
}

impl Other {
    fn lives(&self, now: Time) -> bool {
        now.since(self.heard_at) < DEAD_TIME
            && !(self.beat.is_leaving && self.beat.units.is_empty())
    }
}

fn weight(name: &str, unit: UnitId) -> u64 {
    debug_assert!(unit.number() < UNITS);
    xxh3_64_with_seed(name.as_bytes(), u64::from(unit.number()))
}
