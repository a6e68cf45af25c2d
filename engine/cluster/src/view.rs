//! Who is there, and who owns what, as heartbeats tell. The fences are the truth; a
//! view is what requests are led by.

use crate::unit_id::{Epoch, UNITS, UnitId};

/// A node as others see it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeView {
    /// Its name.
    pub name: String,
    /// The address that people and programs reach it at, without a slash at the end.
    pub advertise: String,
    /// Host and port of its QUIC, if it has any.
    pub quic: Option<String>,
    /// Sessions that it serves.
    pub sessions: u32,
    /// Whether it was heard lately.
    pub is_living: bool,
}

/// Nodes and the owners of units at one moment.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct View {
    /// The nodes by name.
    pub nodes: Vec<NodeView>,
    /// This node's place among them.
    pub this: usize,
    /// By unit: its owner's place among the nodes, and the owner's epoch.
    pub owners: Vec<Option<(usize, Epoch)>>,
}

impl View {
    /// The living owner of a unit.
    #[must_use]
    pub fn owner(&self, unit: UnitId) -> Option<&NodeView> {
        debug_assert!(unit.number() < UNITS);
        let (place, _) = self.owners.get(usize::from(unit.number())).copied().flatten()?;
        self.nodes.get(place).filter(|node| node.is_living)
    }

    /// Whether this node owns the unit.
    #[must_use]
    pub fn is_own(&self, unit: UnitId) -> bool {
        let owner = self.owners.get(usize::from(unit.number())).copied().flatten();
        owner.is_some_and(|(place, _)| place == self.this)
    }
}
