//! The units of a cluster that this shard serves: the driver of [`desk_keeper::Stream`]
//! between the core, the cluster's thread and the keeper.
//!
//! What the core appends goes to the unit's stream first. Once the stream has it, it goes
//! to the keeper, and the core is told. What other machines made of a unit is put into the
//! store before the unit is served here.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};

use desk_engine_core::{Input, LogPosition, RequestId, unit};
use desk_keeper::{Stream, Streamed};
use desk_nats::{Epoch, Event, Record, State, UnitId, What};
use desk_protocol::LinkId;
use desk_storage_lsm::{Key, Position, Sequence};

use super::{Answer, Kept, Shell};
use crate::limits::QUARANTINED_KEYS_MAX;
use crate::log::LinkHash;
use crate::net::flag::Flag;

/// What a shard knows of its units.
#[derive(Default)]
pub(super) struct Units {
    stream: RefCell<Stream>,
    served: RefCell<BTreeMap<u16, Epoch>>,
    /// How many doubts of the cluster's thread were followed.
    doubts: Cell<u64>,
    /// How often each unit was lost. What was read of its desks before is old.
    losses: RefCell<BTreeMap<u16, u64>>,
    /// What is between the store and the streams, in order.
    work: RefCell<VecDeque<(UnitId, Epoch, Work)>>,
    work_wanted: Flag,
    /// What other machines ask of the desks here, by the number of the request.
    asked: RefCell<VecDeque<(u64, Vec<u8>)>>,
    asked_wanted: Flag,
    /// How far the store's log is durable.
    stored: Cell<Position>,
    stored_further: Flag,
    /// Keys whose records contradict each other.
    quarantined: RefCell<BTreeSet<LinkId>>,
}

/// What the store is asked for on behalf of a unit.
enum Work {
    /// To take what others made.
    Absorb(Vec<Record>),
    /// To take whole desks that others made.
    Adopt(Vec<State>),
    /// To tell whole desks.
    Show(Vec<desk_nats::Key>),
}

impl Units {
    /// The store's log is durable up to here.
    pub(super) fn stored(&self, position: Position) {
        self.stored.set(position);
        self.stored_further.set();
    }

    /// How often the unit of a link was lost.
    pub(super) fn losses(&self, link: LinkId) -> u64 {
        self.losses.borrow().get(&unit(link)).copied().unwrap_or(0)
    }

    pub(super) fn is_quarantined(&self, link: LinkId) -> bool {
        self.quarantined.borrow().contains(&link)
    }

    /// The key's desk is not served.
    pub(super) fn quarantine(&self, link: LinkId) {
        let mut quarantined = self.quarantined.borrow_mut();
        if quarantined.len() < QUARANTINED_KEYS_MAX {
            quarantined.insert(link);
        }
    }

    /// Numbers a record that another machine made, for the keeper.
    pub(super) fn absorb(&self, record: Streamed) -> Kept {
        self.stream.borrow_mut().absorb(record)
    }

    /// Waits until the store's log is durable up to what the keeper was given by now.
    pub(super) async fn until_stored(&self) {
        let upto = self.stream.borrow().stored();
        while self.stored.get() < upto {
            self.stored_further.wait().await;
        }
    }

    fn want(&self, unit: UnitId, epoch: Epoch, work: Work) {
        self.work.borrow_mut().push_back((unit, epoch, work));
        self.work_wanted.set();
    }

    /// Takes what the core appends or, without an entry, forgets.
    pub(super) fn append(&self, link: LinkId, position: LogPosition, record: Streamed) {
        self.stream.borrow_mut().append(unit(link), Position(position.0), record);
    }

    /// Whether more waits for the streams than may.
    pub(super) fn is_behind(&self, most: usize) -> bool {
        self.stream.borrow_mut().is_behind(most)
    }

    /// Records that wait for the streams.
    pub(super) fn waiting(&self) -> usize {
        self.stream.borrow().waiting()
    }

    pub(super) fn served(&self) -> usize {
        self.served.borrow().len()
    }
}

impl Shell {
    /// Gives the streams what the core has appended.
    pub(super) fn append_to_streams(&self) {
        let (Some(units), Some(cluster)) = (&self.units, &self.shared.cluster) else { return };
        let mut stream = units.stream.borrow_mut();
        while let Some((number, records, last)) = stream.poll_append() {
            let (Some(unit), Some(epoch)) =
                (UnitId::new(number), units.served.borrow().get(&number).copied())
            else {
                unreachable!("only a unit that is served has records");
            };
            let records = records.into_iter().map(to_cluster).collect();
            cluster.handle.append(unit, epoch, records, last.0);
        }
    }

    /// Tells the other machines what this one has to do.
    pub(super) fn tell_load(&self) {
        let Some(cluster) = &self.shared.cluster else { return };
        let of_unit = |sessions: &AtomicU32| sessions.load(Ordering::Relaxed);
        let sessions = self.shared.unit_sessions.iter().map(of_unit).collect();
        cluster.handle.load(sessions, self.shared.is_almost_full());
    }

    /// Counts the sessions on the desks of this shard's units.
    pub(super) fn count_unit_sessions(&self) {
        let core = self.core.borrow();
        // As `Placement` does, because the shards divide the units.
        let shards = self.shared.shards.len();
        let units = self.shared.unit_sessions.iter().enumerate().skip(self.index);
        for (unit, sessions) in units.step_by(shards) {
            sessions.store(core.sessions_on(unit as u16), Ordering::Relaxed);
        }
    }

    /// Follows what became of the units.
    pub(super) fn take_events(self: &Rc<Self>) {
        let (Some(units), Some(cluster)) = (&self.units, &self.shared.cluster) else { return };
        for event in cluster.events(self.index) {
            self.follow(units, event);
        }
        self.judge_changes();
    }

    fn follow(self: &Rc<Self>, units: &Units, event: Event) {
        match event {
            Event::Records { unit, epoch, records } => {
                units.want(unit, epoch, Work::Absorb(records));
            }
            Event::States { unit, epoch, states } => units.want(unit, epoch, Work::Adopt(states)),
            Event::Show { unit, epoch, keys } => units.want(unit, epoch, Work::Show(keys)),
            Event::Owned { unit, epoch } => {
                let unit = unit.number();
                tracing::info!(unit, epoch = epoch.0, "this machine serves the unit");
                units.stream.borrow_mut().own(unit);
                units.served.borrow_mut().insert(unit, epoch);
                self.state().set_units(units.served());
                self.feed(Input::Owned { unit });
            }
            Event::Acknowledged { unit, ticket } => {
                let unit = unit.number();
                if !units.served.borrow().contains_key(&unit) {
                    return;
                }
                let kept = units.stream.borrow_mut().acknowledged(unit, Position(ticket));
                for input in kept {
                    self.keep(input);
                }
                self.feed(Input::Acknowledged { unit, position: LogPosition(ticket) });
            }
            Event::Deposed { unit, epoch } => {
                let unit = unit.number();
                if units.served.borrow().get(&unit) != Some(&epoch) {
                    // A take-over that was given up.
                    return;
                }
                tracing::info!(unit, epoch = epoch.0, "another machine serves the unit");
                // What the core has put out until now is of this ownership.
                self.carry_out();
                units.stream.borrow_mut().lose(unit);
                units.served.borrow_mut().remove(&unit);
                *units.losses.borrow_mut().entry(unit).or_default() += 1;
                self.state().set_units(units.served());
                self.metrics().units_lost.add(1);
                self.feed(Input::Deposed { unit });
            }
            Event::Unwritable { unit, why } => {
                let unit = unit.number();
                tracing::error!(unit, why, "the unit's streams take no change");
                self.of_served(units, unit, Input::UnitWritable { unit, writable: false });
            }
            Event::Writable { unit } => {
                let unit = unit.number();
                tracing::info!(unit, "the unit's streams take changes again");
                self.of_served(units, unit, Input::UnitWritable { unit, writable: true });
            }
            Event::Suspect { unit } => {
                let unit = unit.number();
                units.doubts.set(units.doubts.get() + 1);
                self.of_served(units, unit, Input::UnitTrusted { unit, trusted: false });
            }
            Event::Trusted { unit } => {
                let unit = unit.number();
                self.of_served(units, unit, Input::UnitTrusted { unit, trusted: true });
            }
            Event::Quarantine { unit, key, why } => {
                let (unit, link) = (unit.number(), LinkId::from_bytes(key.0));
                tracing::error!(unit, desk = %LinkHash(link), why, "a desk is not served");
                units.quarantine(link);
            }
            Event::Asked { number, body, .. } => {
                units.asked.borrow_mut().push_back((number, body));
                units.asked_wanted.set();
            }
            Event::Kept { ticket } => self.kept(RequestId(ticket)),
            Event::Told { ticket, verdict } => {
                self.answered(RequestId(ticket), Answer::Carried(verdict));
            }
            // Told to nobody's desks.
            Event::Members | Event::Notice(_) | Event::Failed(_) => {}
        }
    }

    /// Waits for what another machine asks of the desks here.
    ///
    /// # Panics
    /// If this process is in no cluster.
    pub(crate) async fn next_asked(&self) -> (u64, Vec<u8>) {
        let units = self.units.as_ref().expect("only machines of a cluster are asked");
        loop {
            let next = units.asked.borrow_mut().pop_front();
            match next {
                Some(asked) => return asked,
                None => units.asked_wanted.wait().await,
            }
        }
    }

    /// Before the core answers anybody: whether this machine may have slept, and another one
    /// serves its units. The cluster's thread finds that out too, and says how it ended, but
    /// a request can be faster.
    pub(super) fn doubt_units(&self) {
        let (Some(units), Some(cluster)) = (&self.units, &self.shared.cluster) else { return };
        if !cluster.is_doubtful(self.index, units.doubts.get()) {
            return;
        }
        let now = self.clock.now();
        for unit in units.served.borrow().keys().copied() {
            let input = Input::UnitTrusted { unit, trusted: false };
            self.with_core(|core| core.handle(now, input));
        }
    }

    /// Tells the core something of a unit that it serves.
    fn of_served(&self, units: &Units, unit: u16, input: Input) {
        if units.served.borrow().contains_key(&unit) {
            self.feed(input);
        }
    }

    /// Carries what other machines made into the store, and what the streams are to have as
    /// a whole out of it, one after the other.
    pub(crate) async fn serve_streams(self: Rc<Self>) {
        let (Some(units), Some(cluster)) = (&self.units, &self.shared.cluster) else { return };
        loop {
            let next = units.work.borrow_mut().pop_front();
            let Some((unit, epoch, work)) = next else {
                units.work_wanted.wait().await;
                continue;
            };
            match work {
                Work::Absorb(records) => {
                    self.absorb(units, records).await;
                    cluster.handle.absorbed(unit, epoch);
                }
                Work::Adopt(states) => {
                    self.adopt(units, states).await;
                    cluster.handle.absorbed(unit, epoch);
                }
                Work::Show(keys) => {
                    let states = self.show(units, keys).await;
                    cluster.handle.shown(unit, epoch, states);
                }
            }
        }
    }

    async fn absorb(self: &Rc<Self>, units: &Units, records: Vec<Record>) {
        // What the store has of each key, or that it takes nothing of it.
        let mut known = BTreeMap::<Key, Option<Sequence>>::new();
        for record in records {
            let (key, sequence) = (Key::new(record.key.0), Sequence(record.sequence));
            let newest = match known.get(&key) {
                Some(newest) => *newest,
                None => self.sequences_of(&key).await.map(|(_, newest)| newest),
            };
            let is_new = newest.is_some_and(|newest| sequence > newest);
            known.insert(key, if is_new { Some(sequence) } else { newest });
            if !is_new {
                continue;
            }
            let entry = match record.what {
                What::Entry(bytes) => Some(bytes),
                What::Forget => None,
                What::Piece { .. } => unreachable!("pieces come as states"),
            };
            let record = Streamed { key, sequence, expires_at: record.expires_at, entry };
            let input = units.absorb(record);
            self.keep(input);
            self.metrics().records_absorbed.add(1);
        }
        units.until_stored().await;
    }
}

fn to_cluster(record: Streamed) -> Record {
    let Streamed { key, sequence, expires_at, entry } = record;
    let what = entry.map_or(What::Forget, What::Entry);
    Record { key: desk_nats::Key(*key.bytes()), sequence: sequence.0, expires_at, what }
}
