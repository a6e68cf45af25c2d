//! The shell around one shard's core: it carries out the outputs of
//! [`desk_engine_core::Shard`] on one executor.
//!
//! Tasks of a shard share one [`Shell`]. Connections and requests hand their
//! input to the core at once and ask for a turn ([`Shell::wake`]); the loop
//! ([`turn`]) then carries out all outputs, so that one turn serves whatever
//! arrived since the last: one batch of the log, one write a connection.
//!
//! A `RefCell` here is never borrowed across an await, nor across a call that could
//! borrow it again.

mod ask;
mod guests;
mod keep;
mod line;
mod load;
mod manifest;
mod messages;
mod order;
mod polled;
mod question;
mod socket;
mod states;
mod task;
mod turn;
mod units;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use desk_engine_core::{ConnectionId, Input, Shard};
use desk_gateway_http::Problem;
use desk_keeper::{Keeper, Settings};
use desk_protocol::LinkId;
use desk_storage_lsm::{Edit, Store};
use rkyv::util::AlignedVec;

pub(crate) use guests::Guests;
pub(crate) use manifest::own_manifest;
pub(crate) use messages::Message;
pub(crate) use question::{Answer, LineAnswer, LineAsk, LineQuestion, Question};
pub(crate) use socket::Upgrade;
#[cfg(test)]
pub(crate) use socket::socket_bytes;
pub(crate) use task::spawn;

use crate::budget::Holders;
use crate::clock::{self, Clock};
use crate::limits::LOGGED_NAME_CHARS;
use crate::log::Seldom;
use crate::metrics::ShardMetrics;
use crate::net::deadlines::Deadlines;
use crate::net::flag::Flag;
use crate::queue::Mesh;
use crate::shared::{ShardState, Shared};
use ask::Pending;
use line::Line;
use load::Loads;
use polled::PolledLines;
use socket::Socket;
use units::Units;

/// The disk that the store stands on.
pub(crate) type Disk = desk_disk::Folder;

/// What the keeper is told; values are snapshots in 16-byte aligned memory.
type Kept = desk_keeper::Input<AlignedVec<16>>;

/// One shard's shell.
pub(crate) struct Shell {
    /// Which shard this is, from 0.
    pub(crate) index: usize,
    /// What all shards share.
    pub(crate) shared: Arc<Shared>,
    /// This shard's clock.
    pub(crate) clock: Clock,
    /// Deadlines of connections.
    pub(crate) deadlines: Rc<Deadlines>,
    /// Who holds what of answers that peers have yet to take.
    pub(crate) unsent: Rc<Holders>,
    /// Who holds what of requests and messages that have not arrived whole, or are being
    /// served.
    pub(crate) unread: Rc<Holders>,
    core: RefCell<Shard>,
    /// Decides what becomes of records between the core and the store.
    keeper: RefCell<Keeper<AlignedVec<16>>>,
    store: Store<Disk>,
    mesh: RefCell<Mesh<Message>>,
    /// The connections of this shard's desks.
    lines: RefCell<BTreeMap<u64, Line>>,
    /// How many of them are WebSockets.
    websockets: Cell<usize>,
    /// The QUIC connections that arrive here, if QUIC is served.
    guests: Option<Guests>,
    /// The lines over HTTP requests.
    polled: RefCell<PolledLines>,
    /// A guest was chosen to end, or has a deadline that has passed.
    guests_changed: Rc<Flag>,
    /// Sockets with something to send.
    dirty: RefCell<Vec<Rc<Socket>>>,
    asked: RefCell<BTreeMap<u64, Pending>>,
    next_request: Cell<u64>,
    next_connection: Cell<u64>,
    loads: RefCell<Loads>,
    /// In a cluster: the units that are served here.
    units: Option<Units>,
    /// Desks that could not be read when they were last asked for.
    unreadable: RefCell<BTreeSet<LinkId>>,
    /// Edits of the manifest that arrived at its owner's shard.
    edits: RefCell<Vec<Edit>>,
    /// Shards that have told the manifest's owner that they have stopped.
    stopped: Cell<usize>,
    /// Something arrived for the manifest's owner.
    manifest_wanted: Flag,
    turn_wanted: Flag,
    commit_wanted: Flag,
    upkeep_wanted: Flag,
    /// The call of the store that the keeper wants from upkeep.
    upkeep: Cell<Option<desk_keeper::Output>>,
    /// How often changes began to be refused, and whether the last time was logged.
    refusals: Seldom,
    refusal_told: Cell<bool>,
    /// The operator was told of a write that does not end.
    hang_told: Cell<bool>,
    /// How often the log took no record.
    refused_records: Seldom,
    /// How often a request was for a host, or from a page, that is none of ours.
    strangers: Seldom,
    /// A planned stop has begun here.
    draining: Cell<bool>,
    /// Listeners, which end when a stop begins.
    stop_flags: RefCell<Vec<Rc<Flag>>>,
    /// Requests between their head and their answer.
    pub(crate) busy: Cell<usize>,
}

/// Calls the core or the keeper.
///
/// A panic in there is a broken invariant of the desks in memory. The data on the disk is
/// sound, so the process ends at once, and the next start reads the disk. A process that
/// went on could damage it.
fn guarded<R>(call: impl FnOnce() -> R) -> R {
    struct Guard;
    impl Drop for Guard {
        fn drop(&mut self) {
            if std::thread::panicking() {
                crate::failure::die("a defect in the engine's core; see the message above");
            }
        }
    }
    let _guard = Guard;
    call()
}

impl Shell {
    /// A shell that has not begun to turn.
    pub(crate) fn new(
        index: usize,
        shared: Arc<Shared>,
        core: Shard,
        store: Store<Disk>,
        mesh: Mesh<Message>,
        guests: Option<Guests>,
    ) -> Rc<Self> {
        let settings = Settings {
            waiting_bytes_max: shared.config.limits.log_waiting_bytes,
            stop_time: shared.config.limits.drain_time,
        };
        let holders = |budget| {
            let bells = Arc::clone(&shared.bells);
            Holders::new(budget, index, move |shard: usize| bells[shard].ring())
        };
        let units = shared.cluster.is_some().then(Units::default);
        let shell = Rc::new(Self {
            index,
            unsent: holders(&shared.unsent),
            unread: holders(&shared.unread),
            shared,
            clock: Clock::new(),
            deadlines: Rc::default(),
            core: RefCell::new(core),
            keeper: RefCell::new(Keeper::new(settings)),
            store,
            mesh: RefCell::new(mesh),
            lines: RefCell::default(),
            websockets: Cell::new(0),
            guests,
            polled: RefCell::default(),
            guests_changed: Rc::default(),
            dirty: RefCell::default(),
            asked: RefCell::default(),
            next_request: Cell::new(1),
            next_connection: Cell::new(1),
            loads: RefCell::default(),
            units,
            unreadable: RefCell::default(),
            edits: RefCell::default(),
            stopped: Cell::new(0),
            manifest_wanted: Flag::default(),
            turn_wanted: Flag::default(),
            commit_wanted: Flag::default(),
            upkeep_wanted: Flag::default(),
            upkeep: Cell::default(),
            refusals: Seldom::default(),
            refusal_told: Cell::new(false),
            hang_told: Cell::new(false),
            refused_records: Seldom::default(),
            strangers: Seldom::default(),
            draining: Cell::new(false),
            stop_flags: RefCell::default(),
            busy: Cell::new(0),
        });
        shell.tell_lifetimes();
        shell
    }

    /// What this shard counts.
    pub(crate) fn metrics(&self) -> &ShardMetrics {
        &self.shared.metrics[self.index]
    }

    /// Asks for a turn, after what is ready now has run.
    pub(crate) fn wake(&self) {
        self.turn_wanted.set();
    }

    /// The state of this shard that other shards decide by.
    pub(crate) fn state(&self) -> &ShardState {
        &self.shared.shards[self.index]
    }

    /// A TCP connection has begun.
    pub(crate) fn connection_opened(&self) {
        self.metrics().connections.set(self.state().connection_opened());
    }

    /// A TCP connection has ended.
    pub(crate) fn connection_closed(&self) {
        self.metrics().connections.set(self.state().connection_closed());
    }

    /// Whether a planned stop has begun.
    pub(crate) fn is_stopping(&self) -> bool {
        self.draining.get()
    }

    /// A flag that is set when a planned stop begins.
    pub(crate) fn stopping_flag(&self) -> Rc<Flag> {
        let flag = Rc::new(Flag::default());
        self.stop_flags.borrow_mut().push(Rc::clone(&flag));
        flag
    }

    fn with_core<R>(&self, call: impl FnOnce(&mut Shard) -> R) -> R {
        guarded(|| call(&mut self.core.borrow_mut()))
    }

    /// Says in the log what an operator can do about a request whose Host or Origin does not
    /// fit. A proxy that is not set up right is the usual reason. Gives the problem back.
    pub(crate) fn turned_away(
        &self,
        host: Option<&str>,
        origin: Option<&str>,
        problem: Problem,
    ) -> Problem {
        if let Some(times) = self.strangers.count(clock::instant(), 1) {
            let short = |text: Option<&str>| -> String {
                text.unwrap_or_default().chars().take(LOGGED_NAME_CHARS).collect()
            };
            let (host, origin) = (short(host), short(origin));
            tracing::warn!(
                ?host,
                ?origin,
                times,
                status = problem.status.0,
                "a request was turned away: if it came by your proxy, let the proxy pass on the \
                 browser's Host, and start the server with --public-url (or --allow-origin for \
                 pages of another site)"
            );
        }
        problem
    }

    /// Hands an input to the core.
    pub(crate) fn feed(&self, input: Input) {
        if let Input::Request { .. } = input {
            self.doubt_units();
        }
        let now = self.clock.now();
        self.with_core(|core| core.handle(now, input));
    }

    /// Tells the core that bytes of a connection have left.
    pub(crate) fn sent(&self, connection: ConnectionId, bytes: usize) {
        let now = self.clock.recent();
        self.with_core(|core| core.handle(now, Input::Sent { connection, bytes }));
    }

    /// Hands bytes of a connection to the core. Returns how many it used up.
    pub(crate) fn receive(&self, connection: ConnectionId, bytes: &[u8]) -> usize {
        self.doubt_units();
        let now = self.clock.now();
        self.with_core(|core| core.receive(now, connection, bytes))
    }

    /// Queues a socket to be flushed in this turn or the next.
    pub(crate) fn add_dirty(&self, socket: &Rc<Socket>) {
        self.dirty.borrow_mut().push(Rc::clone(socket));
    }

    /// A name for a connection, used once.
    fn name_connection(&self) -> ConnectionId {
        let count = self.next_connection.get();
        self.next_connection.set(count + 1);
        ConnectionId((self.index as u64) << 48 | count)
    }
}
