//! Desks from the store.

use std::cell::{Cell, RefCell};
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
    waiting: RefCell<VecDeque<LinkId>>,
    reading: Cell<usize>,
}

impl Shell {
    /// Reads a key, beside everything else and after as many as may be read at a time.
    pub(super) fn load(self: &Rc<Self>, key: LinkId) {
        self.loads.waiting.borrow_mut().push_back(key);
        self.read_next();
    }

    fn read_next(self: &Rc<Self>) {
        if self.loads.reading.get() == LOADS_MAX {
            return;
        }
        let Some(key) = self.loads.waiting.borrow_mut().pop_front() else { return };
        self.loads.reading.update(|reading| reading + 1);
        let shell = Rc::clone(self);
        glommio::spawn_local(async move {
            let found = shell.look_up(key).await;
            shell.loads.reading.update(|reading| reading - 1);
            shell.metrics().loads.add(1);
            shell.feed(Input::Loaded { key, found });
            shell.read_next();
            shell.wake();
        })
        .detach();
    }

    async fn look_up(&self, link: LinkId) -> Loaded {
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
