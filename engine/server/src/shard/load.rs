//! Desks from the store.

use std::collections::VecDeque;
use std::rc::Rc;

use desk_engine_core::{Input, shard::Loaded};
use desk_protocol::LinkId;
use desk_storage_lsm::GetError;

use super::Shell;
use super::keep::key_of;
use crate::limits::{LOADS_MAX, UNREADABLE_NAMED_MAX};
use crate::log::LinkHash;
use crate::snapshot;

/// Keys that are read, and those that wait for their turn.
#[derive(Default)]
pub(super) struct Loads {
    waiting: VecDeque<LinkId>,
    reading: usize,
}

impl Loads {
    /// The key to read next, unless as many are read as may be.
    fn begin(&mut self) -> Option<LinkId> {
        if self.reading == LOADS_MAX {
            return None;
        }
        let key = self.waiting.pop_front()?;
        self.reading += 1;
        Some(key)
    }

    fn end(&mut self) {
        self.reading -= 1;
    }
}

impl Shell {
    /// Reads a key, beside everything else and after as many as may be read at a time.
    pub(super) fn load(self: &Rc<Self>, key: LinkId) {
        self.loads.borrow_mut().waiting.push_back(key);
        self.read_next();
    }

    fn read_next(self: &Rc<Self>) {
        let Some(key) = self.loads.borrow_mut().begin() else { return };
        let shell = Rc::clone(self);
        glommio::spawn_local(async move {
            let losses = shell.losses(key);
            let found = shell.look_up(key).await;
            shell.loads.borrow_mut().end();
            shell.metrics().loads.add(1);
            // Else another machine may have changed the desk meanwhile, and the core, if it
            // still wants it, has asked again.
            if losses == shell.losses(key) {
                shell.feed(Input::Loaded { key, found });
            }
            shell.read_next();
            shell.wake();
        })
        .detach();
    }

    /// How often the unit of a link was lost to another machine.
    fn losses(&self, link: LinkId) -> u64 {
        self.units.as_ref().map_or(0, |units| units.losses(link))
    }

    async fn look_up(&self, link: LinkId) -> Loaded {
        if self.units.as_ref().is_some_and(|units| units.is_quarantined(link)) {
            return Loaded::Quarantined;
        }
        let now = self.second();
        let stored = match self.store.get(&key_of(link), now).await {
            Ok(Some(stored)) => stored,
            Ok(None) => return Loaded::Missing,
            Err(GetError::Expired { .. }) => return Loaded::Expired,
            Err(error @ (GetError::Quarantined(_) | GetError::Damaged { .. })) => {
                self.report_unreadable(link, "a desk is damaged", &error);
                return Loaded::Quarantined;
            }
            Err(error @ GetError::Disk(_)) => {
                self.report_unreadable(link, "a desk cannot be read", &error);
                return Loaded::Failed;
            }
        };
        let record = match stored.snapshot.map(|found| snapshot::read(&found.value)).transpose() {
            Ok(record) => record.map(Box::new),
            Err(error) => {
                self.report_unreadable(link, "a desk's snapshot cannot be read", &error);
                return Loaded::Quarantined;
            }
        };
        self.unreadable.borrow_mut().remove(&link);
        let entries = stored.records.into_iter();
        let entries = entries.map(|record| (record.sequence.0, record.payload)).collect();
        Loaded::Record { record, entries }
    }

    /// Says what is wrong with a desk, once: people, and the log that asks for it,
    /// come again.
    fn report_unreadable(&self, link: LinkId, what: &str, error: &dyn std::error::Error) {
        self.metrics().loads_failed.add(1);
        let mut named = self.unreadable.borrow_mut();
        if named.len() < UNREADABLE_NAMED_MAX && named.insert(link) {
            tracing::error!(desk = %LinkHash(link), %error, "{what}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize) -> LinkId {
        LinkId::from_bytes((number as u128).to_be_bytes())
    }

    #[test]
    fn so_many_desks_are_read_at_a_time_and_the_others_in_turn() {
        let keys = 3 * LOADS_MAX;
        let mut loads = Loads::default();
        loads.waiting.extend((0..keys).map(key));
        for number in 0..LOADS_MAX {
            assert_eq!(loads.begin(), Some(key(number)));
        }
        for number in LOADS_MAX..keys {
            assert_eq!(loads.begin(), None, "{LOADS_MAX} are read");
            loads.end();
            assert_eq!(loads.begin(), Some(key(number)));
        }
        (0..LOADS_MAX).for_each(|_| loads.end());
        assert_eq!((loads.begin(), loads.reading), (None, 0));
    }
}
