//! Heights while a batch is evaluated, operation by operation.

use std::collections::BTreeMap;

use super::check::HEIGHT_MAX;
use crate::desk::Desk;
use crate::id::StickerId;

/// The desk's pile with the batch's own changes of height over it.
pub(crate) struct Pile<'a> {
    desk: &'a Desk,
    moved: BTreeMap<StickerId, i64>,
}

impl<'a> Pile<'a> {
    pub(crate) fn new(desk: &'a Desk) -> Self {
        Self { desk, moved: BTreeMap::new() }
    }

    /// Evaluates raise, or the height of a creation: the top plus one.
    pub(crate) fn raise(&mut self, id: StickerId) -> i64 {
        let still = self.desk.pile.iter().rev().find(|(_, id)| !self.moved.contains_key(id));
        let top = still.map(|(z, _)| *z).into_iter().chain(self.moved.values().copied()).max();
        self.set(id, top.map_or(1, |top| (top + 1).min(HEIGHT_MAX)))
    }

    /// Evaluates lower: the bottom minus one.
    pub(crate) fn lower(&mut self, id: StickerId) -> i64 {
        let still = self.desk.pile.iter().find(|(_, id)| !self.moved.contains_key(id));
        let bottom = still.map(|(z, _)| *z).into_iter().chain(self.moved.values().copied()).min();
        self.set(id, bottom.map_or(-1, |bottom| (bottom - 1).max(-HEIGHT_MAX)))
    }

    pub(crate) fn set(&mut self, id: StickerId, z: i64) -> i64 {
        self.moved.insert(id, z);
        z
    }
}
