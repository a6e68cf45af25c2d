//! One shard with its store, turned by the simulator.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use desk_engine_core::{Input, Lifetime, LogPosition, RequestId, Shard};
use desk_protocol::Time;
use desk_storage_lsm::memory_disk::MemoryDisk;
use desk_storage_lsm::{Position, Store};

use crate::requester::Asker;

/// What a server thread has.
pub(crate) struct ShardHost {
    pub(crate) shard: Shard,
    pub(crate) store: Store<MemoryDisk>,
    /// Places in the store's log of what the core appended and is not durable.
    pub(crate) appended: VecDeque<(LogPosition, Position)>,
    pub(crate) commit_due: bool,
    pub(crate) wake_at: Option<Time>,
    pub(crate) asked: BTreeMap<RequestId, Asker>,
}

impl ShardHost {
    pub(crate) fn new(shard: Shard, store: Store<MemoryDisk>) -> Self {
        Self {
            shard,
            store,
            appended: VecDeque::new(),
            commit_due: false,
            wake_at: None,
            asked: BTreeMap::new(),
        }
    }

    /// Tells the core how long the store keeps desks.
    pub(crate) fn tell_lifetimes(&mut self, now: Time) {
        let buckets = self.store.buckets();
        let spans = buckets.stamps().iter().map(|stamp| Lifetime {
            first: stamp.id.0,
            end: stamp.end(),
            lasts: Duration::from_secs(stamp.lifetime.0.into()),
        });
        self.shard.handle(now, Input::Lifetimes(spans.collect()));
    }

    /// What is durable now, in the core's own count.
    pub(crate) fn durable(&mut self) -> Option<LogPosition> {
        let durable = self.store.durable();
        let mut newest = None;
        while let Some((position, _)) = self.appended.front().filter(|(_, at)| *at <= durable) {
            newest = Some(*position);
            self.appended.pop_front();
        }
        newest
    }
}
