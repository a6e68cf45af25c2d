//! All units of one node, and what the node says to the others.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use desk_protocol::Time;

use crate::balance::unit_to_move;
use crate::beat::{Beat, Invite};
use crate::chance::Chance;
use crate::event::Event;
use crate::io::{Deadline, Input, Output};
use crate::layout::Layout;
use crate::limits::{
    GIVEN_TIME, LATE_TIME, LIGHTEN_PAUSE, MOVE_AFTER, MOVES_MAX, PUT_BACK_TIME, UNHEARD_TIME,
};
use crate::members::{Finding, Members, Myself};
use crate::queue::{Queue, QueueInput, QueueOutput, QueueView};
use crate::unit::Unit;
use crate::unit_id::{Epoch, UnitId};
use crate::view::View;

/// Something happened to a node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NodeInput {
    /// To one of its units.
    Unit(UnitId, Input),
    /// A heartbeat was heard, this node's own too.
    Heard(Vec<u8>),
    /// Somebody asks a node to take a unit.
    Invited(Vec<u8>),
    /// To its part of the queue.
    Queue(QueueInput),
    /// Give a unit to that node, or to whom it falls.
    Release(UnitId, Option<String>),
    /// What the node serves.
    Load(Load),
    /// Give everything away and take nothing more.
    Drain,
    /// The process ends: tell the others.
    Leave,
}

/// What a node has to do.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Load {
    /// Sessions by unit; none of a unit that is not there.
    pub sessions: Vec<u32>,
    /// Whether there is hardly any room left.
    pub is_full: bool,
}

/// Something that a node wants to be done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NodeOutput {
    /// By one of its units; never [`Output::Tell`].
    Unit(UnitId, Output),
    /// By its part of the queue.
    Queue(QueueOutput),
    /// Tell the node's desks.
    Tell(Event),
    /// Tell all nodes, this one too.
    Beat(Vec<u8>),
    /// Ask a node to take a unit, in words to all.
    Invite(Vec<u8>),
    /// Look which servers lead the streams, and put back what [`Layout::misplaced`]
    /// names.
    PutBack,
}

/// Decides for one node: what it takes, what it gives, and what it tells.
#[derive(Debug)]
pub struct Node {
    units: Vec<Unit>,
    members: Members,
    queue: Queue,
    outputs: VecDeque<NodeOutput>,
    view: View,
    /// By unit that is being given away: to whom.
    releases: BTreeMap<UnitId, Option<String>>,
    load: Load,
    /// The unit that is being handed over because this node has more to do than another.
    lightening: Option<UnitId>,
    lighten_at: Time,
    lightened: u64,
    /// Own units that others had to hand over because of their load. They stay, whomever
    /// they fall to.
    kept: BTreeSet<UnitId>,
    /// Units that another node was asked to take because of the load, and until when they
    /// are left to it.
    given: BTreeMap<UnitId, Time>,
    /// By own unit that falls to another node: since when.
    falls: BTreeMap<UnitId, Time>,
    /// Whether everything is suspect because nobody is heard.
    is_deaf: bool,
    /// When everything is suspect again while most others are not heard.
    suspect_at: Time,
    /// When the next call was due.
    due_at: Option<Time>,
    put_back_at: Time,
}

impl Node {
    /// A node that owns nothing.
    #[must_use]
    pub fn new(now: Time, myself: Myself, layout: Layout, seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let lanes = layout.lanes();
        let unit = |id| {
            let seed = chance.next_u64();
            Unit::new(id, &myself.name, &myself.advertise, lanes, seed)
        };
        let name = myself.name.clone();
        let units = UnitId::all().map(unit).collect();
        Self {
            units,
            queue: Queue::new(now, &name, chance.next_u64()),
            members: Members::new(now, myself, layout),
            outputs: VecDeque::new(),
            view: View::default(),
            releases: BTreeMap::new(),
            load: Load::default(),
            lightening: None,
            lighten_at: now,
            lightened: 0,
            kept: BTreeSet::new(),
            given: BTreeMap::new(),
            falls: BTreeMap::new(),
            is_deaf: false,
            suspect_at: now,
            due_at: None,
            put_back_at: now + PUT_BACK_TIME,
        }
    }

    /// Takes an input.
    pub fn handle(&mut self, now: Time, input: NodeInput) {
        self.notice_lateness(now);
        match input {
            NodeInput::Unit(unit, input) => self.feed(now, unit, input),
            NodeInput::Heard(bytes) => {
                let finding = match Beat::decode(&bytes) {
                    Ok(beat) => self.members.heard(now, beat),
                    Err(error) => Finding::Notice(format!("a heartbeat cannot be read: {error}")),
                };
                match finding {
                    Finding::Nothing => {}
                    Finding::Notice(why) => self.tell(Event::Notice(why)),
                    Finding::Failed(why) => self.tell(Event::Failed(why)),
                }
                self.look_around(now);
            }
            NodeInput::Invited(bytes) => match Invite::decode(&bytes) {
                Ok(invite) if invite.to == self.name() && !self.members.is_leaving() => {
                    if invite.is_for_load {
                        self.kept.insert(invite.unit);
                    }
                    self.feed(now, invite.unit, Input::Take);
                }
                Ok(invite) if invite.is_for_load => {
                    self.given.insert(invite.unit, now + GIVEN_TIME);
                }
                Ok(_) => {}
                Err(error) => {
                    self.tell(Event::Notice(format!("an invitation cannot be read: {error}")));
                }
            },
            NodeInput::Queue(input) => {
                self.queue.handle(now, input);
                self.drain_queue();
            }
            NodeInput::Release(unit, to) => {
                self.releases.insert(unit, to);
                self.feed(now, unit, Input::Release);
            }
            NodeInput::Load(load) => {
                self.members.set_sessions(load.sessions.iter().sum());
                self.load = load;
                self.lighten(now);
            }
            NodeInput::Leave => {
                self.members.leave(now);
                let gone = self.members.beat(now, &[]);
                self.outputs.extend(gone.map(|beat| NodeOutput::Beat(beat.encode())));
            }
            NodeInput::Drain => {
                self.members.leave(now);
                for unit in UnitId::all() {
                    self.releases.entry(unit).or_insert(None);
                    self.feed(now, unit, Input::Release);
                }
            }
        }
        self.due_at = self.poll_timeout().map(|(at, _)| at);
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<NodeOutput> {
        self.outputs.pop_front()
    }

    /// When [`Node::handle_timeout`] is due, and what for.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Deadline> {
        let units = self.units.iter().filter_map(Unit::poll_timeout);
        let beat = (self.members.beat_at(), "a heartbeat is due");
        let queue = self.queue.poll_timeout();
        units.chain(queue).chain([beat, (self.put_back_at, "leaders are looked after")]).min()
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Time) {
        self.notice_lateness(now);
        for unit in UnitId::all() {
            if self.unit(unit).poll_timeout().is_some_and(|(at, _)| at <= now) {
                self.unit(unit).handle_timeout(now);
                self.drain(now, unit);
            }
        }
        self.queue.handle_timeout(now);
        self.drain_queue();
        self.beat(now);
        if self.put_back_at <= now {
            self.put_back_at = now + PUT_BACK_TIME;
            let is_keeper = self.members.is_keeper(now);
            self.outputs.extend(is_keeper.then_some(NodeOutput::PutBack));
        }
        self.look_around(now);
        self.due_at = self.poll_timeout().map(|(at, _)| at);
    }

    /// Who is there and who owns what.
    #[must_use]
    pub const fn view(&self) -> &View {
        &self.view
    }

    /// What the queue has of this node.
    #[must_use]
    pub fn queue(&self) -> QueueView {
        self.queue.view()
    }

    /// The units that this node owns.
    #[must_use]
    pub fn owned(&self) -> Vec<(UnitId, Epoch)> {
        let units = UnitId::all().zip(&self.units);
        units.filter_map(|(id, unit)| Some((id, unit.owned()?))).collect()
    }

    fn beat(&mut self, now: Time) {
        let owned = self.owned();
        if let Some(beat) = self.members.beat(now, &owned) {
            self.outputs.push_back(NodeOutput::Beat(beat.encode()));
        }
    }

    /// A call that comes late means that this process did not run.
    fn notice_lateness(&mut self, now: Time) {
        if self.due_at.is_some_and(|due| now.since(due) > LATE_TIME) {
            self.due_at = None;
            self.suspect(now);
        }
    }

    fn suspect(&mut self, now: Time) {
        for unit in UnitId::all() {
            self.feed(now, unit, Input::Suspect);
        }
    }

    /// What others are and own may have changed.
    fn look_around(&mut self, now: Time) {
        let is_deaf = !self.members.hears_itself(now);
        if is_deaf && !std::mem::replace(&mut self.is_deaf, is_deaf) {
            self.suspect(now);
        }
        self.is_deaf = is_deaf;
        // The others may have taken this node's units, and go on taking them.
        if self.members.is_minority(now) && self.suspect_at <= now {
            self.suspect_at = now + UNHEARD_TIME;
            self.suspect(now);
        }
        for unit in self.members.to_take(now) {
            let is_idle = self.unit(unit).owned().is_none() && !self.unit(unit).is_taking();
            let is_given = self.given.get(&unit).is_some_and(|until| now < *until);
            if is_idle && !is_given {
                self.feed(now, unit, Input::Take);
            }
        }
        self.hand_over(now);
        let mut view = self.members.view(now, &self.owned());
        view.sessions.clone_from(&self.load.sessions);
        (view.is_full, view.lightened) = (self.load.is_full, self.lightened);
        if view != self.view {
            self.view = view;
            self.tell(Event::Members);
        }
    }

    /// Gives units to the nodes that they fall to, a few at a time.
    fn hand_over(&mut self, now: Time) {
        for (unit, _) in self.owned() {
            let heir = self.members.heir(now, unit).map(str::to_owned);
            let falls = heir.filter(|heir| *heir != self.name() && !self.kept.contains(&unit));
            let Some(heir) = falls else {
                self.falls.remove(&unit);
                continue;
            };
            let since = *self.falls.entry(unit).or_insert(now);
            let may = self.releases.len() < MOVES_MAX && !self.releases.contains_key(&unit);
            if now.since(since) >= MOVE_AFTER && may {
                self.releases.insert(unit, Some(heir));
                self.feed(now, unit, Input::Release);
            }
        }
    }

    /// Hands a unit to a node that has less to do, one at a time.
    fn lighten(&mut self, now: Time) {
        if now < self.lighten_at || self.lightening.is_some() || self.members.is_leaving() {
            return;
        }
        let Some(lighter) = self.view.lighter() else { return };
        let own = self.load.sessions.iter().sum();
        let sessions = |unit: UnitId| {
            self.load.sessions.get(usize::from(unit.number())).copied().unwrap_or_default()
        };
        let owned = self.owned();
        let settled = owned.iter().filter(|(unit, _)| !self.releases.contains_key(unit));
        let units: Vec<_> = settled.map(|(unit, _)| (*unit, sessions(*unit))).collect();
        let Some(unit) = unit_to_move(&units, own, lighter.sessions) else { return };
        let to = lighter.name.clone();
        self.lighten_at = now + LIGHTEN_PAUSE;
        self.lightening = Some(unit);
        self.lightened += 1;
        self.tell(Event::Notice(format!("unit {unit} goes to {to}, which has less to do")));
        self.releases.insert(unit, Some(to));
        self.feed(now, unit, Input::Release);
    }

    fn feed(&mut self, now: Time, unit: UnitId, input: Input) {
        self.unit(unit).handle(now, input);
        self.drain(now, unit);
    }

    /// Passes on what a unit wants.
    fn drain(&mut self, now: Time, id: UnitId) {
        while let Some(output) = self.unit(id).poll_output() {
            let Output::Tell(event) = output else {
                self.outputs.push_back(NodeOutput::Unit(id, output));
                continue;
            };
            let has_ended = matches!(event, Event::Deposed { .. });
            let has_begun = matches!(event, Event::Owned { .. });
            self.tell(event);
            if has_begun {
                self.queue.own(now, id);
            }
            if has_ended {
                self.queue.lose(id);
                self.falls.remove(&id);
                self.kept.remove(&id);
                let is_for_load = self.lightening == Some(id);
                if is_for_load {
                    self.lightening = None;
                    self.given.insert(id, now + GIVEN_TIME);
                    self.lighten_at = now + LIGHTEN_PAUSE;
                }
                if let Some(to) = self.releases.remove(&id) {
                    let to = to.or_else(|| self.members.heir(now, id).map(str::to_owned));
                    let invite = to.map(|to| Invite { unit: id, to, is_for_load }.encode());
                    self.outputs.extend(invite.map(NodeOutput::Invite));
                }
            }
            if has_ended || has_begun {
                self.members.beat_soon(now);
            }
        }
    }

    /// Passes on what the queue wants.
    fn drain_queue(&mut self) {
        while let Some(output) = self.queue.poll_output() {
            self.outputs.push_back(NodeOutput::Queue(output));
        }
        while let Some(event) = self.queue.poll_event() {
            self.tell(event);
        }
    }

    fn unit(&mut self, unit: UnitId) -> &mut Unit {
        &mut self.units[usize::from(unit.number())]
    }

    fn name(&self) -> &str {
        self.members.name()
    }

    fn tell(&mut self, event: Event) {
        self.outputs.push_back(NodeOutput::Tell(event));
    }
}
