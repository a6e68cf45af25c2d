//! What a node is told about its units.

use crate::record::{Key, Record};
use crate::request::Verdict;
use crate::state::State;
use crate::unit_id::{Epoch, UnitId};

/// Something that a node's desks have to follow. The events of one unit come in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// These records of the unit are part of the truth, in this order. The node puts
    /// into its store what the store lacks, and then says that it has. The next event
    /// of the unit comes after that, so one of these is open at a time.
    ///
    /// A record whose sequence is not above the store's is skipped. A record that is
    /// more than one above is a gap, and its key is quarantined.
    Records {
        /// The unit.
        unit: UnitId,
        /// The epoch of the take-over. To be said with the answer.
        epoch: Epoch,
        /// The records; never empty.
        records: Vec<Record>,
    },
    /// These keys of the unit are at least at these states. The node puts into its store
    /// what the store lacks, sees that no crash can take it from there, and then says that
    /// it has, as for records. Records of these keys come later.
    States {
        /// The unit.
        unit: UnitId,
        /// The epoch of the take-over. To be said with the answer.
        epoch: Epoch,
        /// The states; never empty.
        states: Vec<State>,
    },
    /// The node owns the unit and is asked for the states of these keys, each as of a record
    /// that was acknowledged, and no earlier than what was acknowledged before this event.
    /// It answers with all of them in this order, or that it cannot.
    Show {
        /// The unit.
        unit: UnitId,
        /// The ownership. To be said with the answer.
        epoch: Epoch,
        /// The keys; never empty.
        keys: Vec<Key>,
    },
    /// The node owns the unit: all records before are in its store. It serves the unit
    /// from now on and names the epoch with all that it appends.
    Owned {
        /// The unit.
        unit: UnitId,
        /// The epoch of this ownership.
        epoch: Epoch,
    },
    /// All that was appended with this ticket is durable.
    Acknowledged {
        /// The unit.
        unit: UnitId,
        /// The ticket.
        ticket: u64,
    },
    /// The node owns the unit no more, or gave up a take-over. What was appended and
    /// not acknowledged is never acknowledged and must not be shown: the next owner
    /// decides about it.
    Deposed {
        /// The unit.
        unit: UnitId,
        /// The epoch that has ended.
        epoch: Epoch,
    },
    /// Nothing was acknowledged for a long time. Changes are to be refused; what was
    /// appended is tried on.
    Unwritable {
        /// The unit.
        unit: UnitId,
        /// What the streams answered last, for people.
        why: String,
    },
    /// Appends are acknowledged again.
    Writable {
        /// The unit.
        unit: UnitId,
    },
    /// This process was not running for a while, or heard nobody: somebody else may own
    /// the unit. Nothing may be read from it, changes may be taken.
    Suspect {
        /// The unit.
        unit: UnitId,
    },
    /// The unit is owned after all.
    Trusted {
        /// The unit.
        unit: UnitId,
    },
    /// The records of a key contradict one another: the key is not to be served.
    Quarantine {
        /// The unit.
        unit: UnitId,
        /// The key.
        key: Key,
        /// What is wrong, for people.
        why: String,
    },
    /// The owner of a unit is asked for something by another node. The answer names the
    /// number; the same may be asked again.
    Asked {
        /// The unit.
        unit: UnitId,
        /// To be said with the answer.
        number: u64,
        /// What is asked.
        body: Vec<u8>,
    },
    /// The queue has the request of this ticket, and it outlives this node.
    Kept {
        /// The ticket.
        ticket: u64,
    },
    /// What became of the request of this ticket. It comes once.
    Told {
        /// The ticket.
        ticket: u64,
        /// What became of it.
        verdict: Verdict,
    },
    /// The owners or addresses of units have changed; the handle has the new view.
    Members,
    /// For the operator's log: one line.
    Notice(String),
    /// The cluster cannot be used any more, and the node has to stop: one line.
    Failed(String),
}
