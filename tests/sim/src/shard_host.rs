//! One shard with its store and their keeper, as the simulator holds them.

use std::collections::BTreeMap;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use desk_engine_core::{Input, Lifetime, RequestId, Shard};
use desk_keeper::{Keeper, Settings};
use desk_protocol::Time;
use desk_storage_lsm::Store;
use desk_storage_lsm::memory_disk::MemoryDisk;

use crate::requester::Asker;

/// What the keeper is told.
pub(crate) type Kept = desk_keeper::Input<Vec<u8>>;

/// A call of the store that is under way; what it ends with is for the keeper.
type Work = Pin<Box<dyn Future<Output = Kept>>>;

/// Which of a shard's two calls of the store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lane {
    /// The group commit.
    Commit,
    /// Upkeep.
    Upkeep,
}

/// What a server thread has.
pub(crate) struct ShardHost {
    pub(crate) shard: Shard,
    pub(crate) keeper: Keeper<Vec<u8>>,
    pub(crate) store: Rc<Store<MemoryDisk>>,
    commit: Option<Work>,
    upkeep: Option<Work>,
    /// Edits on their way to the manifest's owner.
    pub(crate) edits_under_way: usize,
    /// When the newest of them arrive.
    pub(crate) edits_at: Time,
    pub(crate) wake_at: Option<Time>,
    pub(crate) asked: BTreeMap<RequestId, Asker>,
    /// A planned stop has begun, and has ended.
    pub(crate) is_draining: bool,
    pub(crate) is_stopped: bool,
}

impl ShardHost {
    pub(crate) fn new(shard: Shard, store: Store<MemoryDisk>, settings: Settings) -> Self {
        Self {
            shard,
            keeper: Keeper::new(settings),
            store: Rc::new(store),
            commit: None,
            upkeep: None,
            edits_under_way: 0,
            edits_at: Time(0),
            wake_at: None,
            asked: BTreeMap::new(),
            is_draining: false,
            is_stopped: false,
        }
    }

    /// Begins a call of the store, which gets on when it is polled.
    pub(crate) fn begin(&mut self, lane: Lane, work: impl Future<Output = Kept> + 'static) {
        let place = self.lane(lane);
        assert!(place.is_none(), "one call of a lane is under way at a time");
        *place = Some(Box::pin(work));
    }

    /// Lets a call get on by one access of the disk; what it ended with, if it did.
    pub(crate) fn poll(&mut self, lane: Lane) -> Poll<Kept> {
        let place = self.lane(lane);
        let work = place.as_mut().expect("the call was begun");
        let polled = work.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        if polled.is_ready() {
            *place = None;
        }
        polled
    }

    fn lane(&mut self, lane: Lane) -> &mut Option<Work> {
        match lane {
            Lane::Commit => &mut self.commit,
            Lane::Upkeep => &mut self.upkeep,
        }
    }

    /// When the host is to be woken.
    pub(crate) fn wakes_at(&self) -> Option<Time> {
        let times = [self.shard.poll_timeout(), self.keeper.poll_timeout()];
        times.into_iter().flatten().map(|(at, _)| at).min()
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
}

/// Drives a future over the simulated disk to its end at once, also where each access
/// lets others go on.
pub(crate) fn finish<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        let polled = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        if let Poll::Ready(output) = polled {
            return output;
        }
    }
}
