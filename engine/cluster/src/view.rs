//! Who is there, and who owns what, as heartbeats tell. The fences are the truth; a
//! view is what requests are led by.

use crate::balance::is_lighter;
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
    /// Whether it gives its units away and takes none.
    pub is_leaving: bool,
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
    /// By unit: the sessions that this node serves.
    pub sessions: Vec<u32>,
    /// Whether this node has hardly any room left.
    pub is_full: bool,
    /// Units that this node has handed over because it had more to do than another.
    pub lightened: u64,
}

impl View {
    /// The living owner of a unit.
    #[must_use]
    pub fn owner(&self, unit: UnitId) -> Option<&NodeView> {
        debug_assert!(unit.number() < UNITS);
        let (place, _) = self.owners.get(usize::from(unit.number())).copied().flatten()?;
        self.nodes.get(place).filter(|node| node.is_living)
    }

    /// The living node with the fewest sessions, if it serves units and has so many fewer
    /// than this node that new desks belong there.
    #[must_use]
    pub fn lighter(&self) -> Option<&NodeView> {
        let own = self.nodes.get(self.this)?.sessions;
        let (_, lightest) = self.others().min_by_key(|(place, node)| (node.sessions, *place))?;
        is_lighter(own, lightest.sessions, self.is_full).then_some(lightest)
    }

    /// The other living nodes that serve units and go on doing so.
    pub fn others(&self) -> impl Iterator<Item = (usize, &NodeView)> {
        let owns = |place: usize| self.owners.iter().flatten().any(|(owner, _)| *owner == place);
        let others = self.nodes.iter().enumerate();
        let others = others.filter(|(place, _)| *place != self.this);
        let others = others.filter(|(_, node)| node.is_living && !node.is_leaving);
        others.filter(move |(place, _)| owns(*place))
    }

    /// Whether this node owns the unit.
    #[must_use]
    pub fn is_own(&self, unit: UnitId) -> bool {
        let owner = self.owners.get(usize::from(unit.number())).copied().flatten();
        owner.is_some_and(|(place, _)| place == self.this)
    }
}
