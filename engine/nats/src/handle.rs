//! What the node's shards hold of the cluster.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use desk_cluster::limits::REQUEST_BYTES_MAX;
use desk_cluster::{Epoch, Load, Outcome, QueueView, Record, State, UnitId, View};
use tokio::sync::mpsc::UnboundedSender;

use crate::clock::Pulse;

/// Speaks to the cluster's thread. Every call returns at once.
#[derive(Clone)]
pub struct Handle {
    pub(crate) calls: UnboundedSender<Call>,
    pub(crate) view: Arc<RwLock<Arc<View>>>,
    pub(crate) queue: Arc<RwLock<Arc<QueueView>>>,
    pub(crate) pulse: Arc<Pulse>,
}

/// What a shard asks for.
#[derive(Debug)]
pub(crate) enum Call {
    Append { unit: UnitId, epoch: Epoch, records: Vec<Record>, ticket: u64 },
    Absorbed { unit: UnitId, epoch: Epoch },
    Shown { unit: UnitId, epoch: Epoch, states: Option<Vec<State>> },
    Send { unit: UnitId, ticket: u64, what: String, body: Vec<u8> },
    Done { number: u64, outcome: Outcome },
    Take { unit: UnitId },
    Release { unit: UnitId, to: Option<String> },
    Load(Load),
    Drain,
    Stop,
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}

impl Handle {
    /// Appends records of a unit, after all that were appended before. The event
    /// `Acknowledged` with this ticket says that they are durable. It never comes if
    /// `epoch` is not the ownership of now: then `Deposed` is on its way or was told.
    ///
    /// The caller bounds what waits, as it bounds what waits for its own log.
    pub fn append(&self, unit: UnitId, epoch: Epoch, records: Vec<Record>, ticket: u64) {
        self.call(Call::Append { unit, epoch, records, ticket });
    }

    /// What the last event `Records` or `States` of the unit told is in the store.
    pub fn absorbed(&self, unit: UnitId, epoch: Epoch) {
        self.call(Call::Absorbed { unit, epoch });
    }

    /// Answers the event `Show` with the states of all its keys, in its order, or that they
    /// cannot be told now.
    pub fn shown(&self, unit: UnitId, epoch: Epoch, states: Option<Vec<State>>) {
        self.call(Call::Shown { unit, epoch, states });
    }

    /// Asks the owner of a unit for something, whoever that is and will be. The event `Kept`
    /// says that the request outlives this node, and `Told` what became of it. The owner may
    /// be asked twice.
    ///
    /// # Panics
    /// If the request is longer than [`REQUEST_BYTES_MAX`].
    pub fn send(&self, unit: UnitId, ticket: u64, what: &str, body: Vec<u8>) {
        assert!(body.len() <= REQUEST_BYTES_MAX, "whoever asks counts");
        self.call(Call::Send { unit, ticket, what: what.to_owned(), body });
    }

    /// What this node made of the event `Asked` with that number.
    pub fn done(&self, number: u64, outcome: Outcome) {
        self.call(Call::Done { number, outcome });
    }

    /// Tries to own a unit, whoever owns it now. Units of dead nodes are taken without
    /// being asked for.
    pub fn take(&self, unit: UnitId) {
        self.call(Call::Take { unit });
    }

    /// Gives a unit away, to a node by name or to whom it falls, once all that was
    /// appended is acknowledged. The event `Deposed` says that it is given.
    pub fn release(&self, unit: UnitId, to: Option<String>) {
        self.call(Call::Release { unit, to });
    }

    /// Tells what this node has to do: how many sessions it serves, by unit, and whether
    /// there is hardly any room left. A node that has more to do than another hands units
    /// over.
    pub fn load(&self, sessions: Vec<u32>, is_full: bool) {
        self.call(Call::Load(Load { sessions, is_full }));
    }

    /// Gives every unit to whom it falls, and takes none any more. `Deposed` is told for
    /// each that is given.
    pub fn drain(&self) {
        self.call(Call::Drain);
    }

    /// Leaves the cluster: nothing is appended or taken any more, and the others see
    /// that this node is gone.
    pub fn stop(&self) {
        self.call(Call::Stop);
    }

    /// How long ago the cluster's thread last looked around. It does so four times a second
    /// at least. After [`crate::limits::SILENCE_MAX`] other nodes may own what this one
    /// owned; the thread finds that out when it runs again, and tells `Suspect` before this
    /// time is short again.
    #[must_use]
    pub fn silence(&self) -> Duration {
        self.pulse.silence()
    }

    /// Who is there and who owns what, as far as heard.
    #[must_use]
    pub fn members(&self) -> Arc<View> {
        Arc::clone(&self.view.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The requests of this node to others, and those to the units that it owns.
    #[must_use]
    pub fn queue(&self) -> Arc<QueueView> {
        Arc::clone(&self.queue.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The thread is gone only after `Failed` or `stop`: nobody waits for an answer.
    fn call(&self, call: Call) {
        drop(self.calls.send(call));
    }
}
