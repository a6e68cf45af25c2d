//! Which units of a cluster are this machine's.

use std::collections::{BTreeMap, BTreeSet};

use desk_protocol::LinkId;

use crate::placement::unit;

/// The units that this shard serves. Outside a cluster a shard has none of these, and
/// serves every desk that its [`crate::Placement`] gives it.
#[derive(Debug, Default)]
pub(crate) struct Units {
    ours: BTreeSet<u16>,
    /// Those whose log takes nothing for now.
    unwritable: BTreeSet<u16>,
    /// Those that another machine may have taken unnoticed.
    suspect: BTreeSet<u16>,
    /// By unit: the connections that have a session on one of its desks.
    sessions: BTreeMap<u16, u32>,
}

impl Units {
    pub(crate) fn own(&mut self, unit: u16) {
        self.ours.insert(unit);
    }

    pub(crate) fn lose(&mut self, unit: u16) {
        self.ours.remove(&unit);
        self.unwritable.remove(&unit);
        self.suspect.remove(&unit);
    }

    /// One more connection has a session on a desk.
    pub(crate) fn entered(&mut self, desk: LinkId) {
        *self.sessions.entry(unit(desk)).or_default() += 1;
    }

    /// A connection that had a session on a desk has none there any more.
    pub(crate) fn left(&mut self, desk: LinkId) {
        let sessions = self.sessions.get_mut(&unit(desk)).expect("who leaves has entered");
        *sessions -= 1;
    }

    /// The sessions on the desks of a unit.
    pub(crate) fn sessions(&self, unit: u16) -> u32 {
        self.sessions.get(&unit).copied().unwrap_or_default()
    }

    pub(crate) fn set_trusted(&mut self, unit: u16, trusted: bool) {
        if trusted {
            self.suspect.remove(&unit);
        } else {
            self.suspect.insert(unit);
        }
    }

    pub(crate) fn set_writable(&mut self, unit: u16, writable: bool) {
        if writable {
            self.unwritable.remove(&unit);
        } else {
            self.unwritable.insert(unit);
        }
    }

    /// Whether a link's desk is served here.
    pub(crate) fn serves(&self, link: LinkId) -> bool {
        self.ours.contains(&unit(link))
    }

    /// Whether what is here of a link's desk may be old.
    pub(crate) fn is_suspect(&self, link: LinkId) -> bool {
        self.suspect.contains(&unit(link))
    }

    /// Whether a link's desk takes changes here.
    pub(crate) fn takes(&self, link: LinkId) -> bool {
        self.serves(link) && !self.unwritable.contains(&unit(link))
    }

    /// Whether any unit takes changes here.
    pub(crate) fn any_takes(&self) -> bool {
        self.ours.iter().any(|unit| !self.unwritable.contains(unit))
    }
}
