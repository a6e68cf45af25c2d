//! The shell around one core's desks: what [`desk_engine_core::Shard`] says is
//! done here, on one executor.
//!
//! Tasks of a shard share one [`Shell`]. Connections and requests hand their
//! input to the core at once and ask for a turn ([`Shell::wake`]); the loop
//! ([`turn`]) then carries out all outputs, so that one turn serves whatever
//! arrived since the last: one batch of the log, one write a connection.
//!
//! A `RefCell` here is borrowed only between two awaits and never across a
//! call that could come back to it.

mod ask;
mod log;
mod messages;
mod records;
mod socket;
mod task;
mod turn;
mod upkeep;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use desk_engine_core::{ConnectionId, Input, Shard};
use desk_protocol::{LinkId, Time};
use desk_storage_lsm::{Edit, Store};

pub(crate) use messages::Message;
pub(crate) use socket::Upgrade;
pub(crate) use task::spawn;
pub(crate) use upkeep::own_manifest;

use crate::clock::Clock;
use crate::metrics::ShardMetrics;
use crate::net::deadlines::Deadlines;
use crate::net::flag::Flag;
use crate::queue::Mesh;
use crate::shared::Shared;
use ask::Pending;
use log::LogQueue;
use records::{Loads, Unstored};
use socket::Socket;

/// The disk that the store stands on.
pub(crate) type Disk = desk_disk::Folder;

/// One shard's shell.
pub(crate) struct Shell {
    /// Which shard this is, from 0.
    pub(crate) index: usize,
    /// What all shards share.
    pub(crate) shared: Arc<Shared>,
    /// This shard's clock.
    pub(crate) clock: Clock,
    /// Times that connections wait for.
    pub(crate) deadlines: Rc<Deadlines>,
    core: RefCell<Shard>,
    store: Store<Disk>,
    mesh: RefCell<Mesh<Message>>,
    pub(crate) sockets: RefCell<BTreeMap<u64, Rc<Socket>>>,
    /// Sockets with something to send.
    dirty: RefCell<Vec<Rc<Socket>>>,
    asked: RefCell<BTreeMap<u64, Pending>>,
    next_request: Cell<u64>,
    next_connection: Cell<u64>,
    log: RefCell<LogQueue>,
    loads: Loads,
    unstored: RefCell<VecDeque<Unstored>>,
    /// Desks that could not be read when they were last asked for.
    unreadable: RefCell<BTreeSet<LinkId>>,
    /// Edits of the manifest that arrived at its owner's shard.
    edits: RefCell<Vec<Edit>>,
    edits_arrived: Flag,
    turn_wanted: Flag,
    commit_wanted: Flag,
    upkeep_wanted: Flag,
    /// What the core was last told.
    writable: Cell<bool>,
    /// Whether more waits for the disk than may.
    behind: Cell<bool>,
    /// When free disk space was last looked at.
    space_looked_at: Cell<Time>,
    /// What upkeep last said about the log.
    under_pressure: Cell<bool>,
    stopping: Cell<Stopping>,
    /// Listeners, which end when a stop begins.
    stop_flags: RefCell<Vec<Rc<Flag>>>,
    /// Requests between their head and their answer.
    pub(crate) busy: Cell<usize>,
}

/// How far a planned stop has got.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Stopping {
    /// Serving.
    No,
    /// Clients are told; the log is still written.
    Draining,
    /// Everything is on disk; the loop ends.
    Done,
}

impl Shell {
    /// A shell that has not begun to turn.
    pub(crate) fn new(
        index: usize,
        shared: Arc<Shared>,
        core: Shard,
        store: Store<Disk>,
        mesh: Mesh<Message>,
    ) -> Rc<Self> {
        let shell = Rc::new(Self {
            index,
            shared,
            clock: Clock::new(),
            deadlines: Rc::default(),
            core: RefCell::new(core),
            store,
            mesh: RefCell::new(mesh),
            sockets: RefCell::default(),
            dirty: RefCell::default(),
            asked: RefCell::default(),
            next_request: Cell::new(1),
            next_connection: Cell::new(1),
            log: RefCell::default(),
            loads: Loads::default(),
            unstored: RefCell::default(),
            unreadable: RefCell::default(),
            edits: RefCell::default(),
            edits_arrived: Flag::default(),
            turn_wanted: Flag::default(),
            commit_wanted: Flag::default(),
            upkeep_wanted: Flag::default(),
            writable: Cell::new(true),
            behind: Cell::new(false),
            space_looked_at: Cell::new(Time(0)),
            under_pressure: Cell::new(false),
            stopping: Cell::new(Stopping::No),
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

    /// Calls the core.
    ///
    /// A panic in there is a broken invariant of the desks in memory. What is
    /// on disk is whole, so the process ends at once and loudly, and the next
    /// start reads it; going on could only damage it.
    fn with_core<R>(&self, call: impl FnOnce(&mut Shard) -> R) -> R {
        struct Guard;
        impl Drop for Guard {
            fn drop(&mut self) {
                if std::thread::panicking() {
                    crate::failure::die("a defect in the engine's core; see the message above");
                }
            }
        }
        let _guard = Guard;
        call(&mut self.core.borrow_mut())
    }

    /// Hands an input to the core.
    pub(crate) fn feed(&self, input: Input) {
        let now = self.clock.now();
        self.with_core(|core| core.handle(now, input));
    }

    /// Tells the core that bytes of a connection have left.
    pub(crate) fn sent(&self, connection: ConnectionId, bytes: usize) {
        let now = self.clock.recent();
        self.with_core(|core| core.handle(now, Input::Sent { connection, bytes }));
    }

    /// Hands bytes of a connection to the core; how many it used up.
    pub(crate) fn receive(&self, connection: ConnectionId, bytes: &[u8]) -> usize {
        let now = self.clock.now();
        self.with_core(|core| core.receive(now, connection, bytes))
    }

    /// Sees to it that a socket is flushed in this turn or the next.
    pub(crate) fn add_dirty(&self, socket: &Rc<Socket>) {
        self.dirty.borrow_mut().push(Rc::clone(socket));
    }

    fn socket(&self, connection: ConnectionId) -> Option<Rc<Socket>> {
        self.sockets.borrow().get(&connection.0).cloned()
    }

    /// Does something to a socket that has to be flushed then.
    fn with_socket(&self, connection: ConnectionId, act: impl FnOnce(&Socket)) {
        if let Some(socket) = self.socket(connection) {
            act(&socket);
            socket.mark_dirty(self);
        }
    }
}
