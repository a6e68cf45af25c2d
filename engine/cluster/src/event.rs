//! What a node is told about its units.

use crate::record::{Key, Record};
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
    /// The owners or addresses of units have changed; the handle has the new view.
    Members,
    /// For the operator's log: one line.
    Notice(String),
    /// The cluster cannot be used any more, and the node has to stop: one line.
    Failed(String),
}
