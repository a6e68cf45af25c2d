//! Heights while a batch is evaluated, operation by operation.

use std::collections::btree_set::Iter;
use std::collections::{BTreeMap, BTreeSet};
use std::iter::{Peekable, Rev};

use super::check::HEIGHT_MAX;
use crate::desk::Desk;
use crate::id::StickerId;

type Entry = (i64, StickerId);

/// The desk's pile with the batch's own changes of height over it.
pub(crate) struct Pile<'a> {
    /// The desk's pile from its top, without what the batch has moved there.
    from_top: Peekable<Rev<Iter<'a, Entry>>>,
    /// The same from its bottom.
    from_bottom: Peekable<Iter<'a, Entry>>,
    /// Heights that the batch gave.
    moved: BTreeMap<StickerId, i64>,
    /// The same by height.
    heights: BTreeSet<Entry>,
}

impl<'a> Pile<'a> {
    pub(crate) fn new(desk: &'a Desk) -> Self {
        Self {
            from_top: desk.pile.iter().rev().peekable(),
            from_bottom: desk.pile.iter().peekable(),
            moved: BTreeMap::new(),
            heights: BTreeSet::new(),
        }
    }

    /// Evaluates raise, or the height of a creation: the top plus one.
    pub(crate) fn raise(&mut self, id: StickerId) -> i64 {
        // What the batch has moved never stands in its old place again.
        while self.from_top.next_if(|(_, id)| self.moved.contains_key(id)).is_some() {}
        let still = self.from_top.peek().map(|(z, _)| *z);
        let top = still.max(self.heights.last().map(|(z, _)| *z));
        self.set(id, top.map_or(1, |top| top.saturating_add(1).min(HEIGHT_MAX)))
    }

    /// Evaluates lower: the bottom minus one.
    pub(crate) fn lower(&mut self, id: StickerId) -> i64 {
        while self.from_bottom.next_if(|(_, id)| self.moved.contains_key(id)).is_some() {}
        let still = self.from_bottom.peek().map(|(z, _)| *z);
        let moved = self.heights.first().map(|(z, _)| *z);
        let bottom = [still, moved].into_iter().flatten().min();
        self.set(id, bottom.map_or(-1, |bottom| bottom.saturating_sub(1).max(-HEIGHT_MAX)))
    }

    pub(crate) fn set(&mut self, id: StickerId, z: i64) -> i64 {
        if let Some(before) = self.moved.insert(id, z) {
            self.heights.remove(&(before, id));
        }
        self.heights.insert((z, id));
        z
    }
}
