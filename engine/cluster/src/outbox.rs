//! What a unit wants to be done, in order.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::event::Event;
use crate::io::{CallId, Output};
use crate::unit_id::{Epoch, UnitId};
use crate::wire::Fence;

/// Outputs of one unit, and the numbers of its questions.
#[derive(Debug)]
pub(crate) struct Outbox {
    unit: UnitId,
    outputs: VecDeque<Output>,
    calls: u64,
}

impl Outbox {
    pub(crate) const fn new(unit: UnitId) -> Self {
        Self { unit, outputs: VecDeque::new(), calls: 0 }
    }

    pub(crate) const fn unit(&self) -> UnitId {
        self.unit
    }

    pub(crate) fn pop(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    pub(crate) fn tell(&mut self, event: Event) {
        self.outputs.push_back(Output::Tell(event));
    }

    pub(crate) fn reconnect(&mut self) {
        self.outputs.push_back(Output::Reconnect);
    }

    /// Publishes a batch. Its id names the batch and no try of it.
    pub(crate) fn publish_batch(
        &mut self,
        lane: usize,
        epoch: Epoch,
        number: u64,
        newest_fence: u64,
        bytes: Arc<[u8]>,
    ) -> CallId {
        let id = format!("{}.{epoch}.{number}", self.unit);
        self.publish(lane, false, id, newest_fence, bytes)
    }

    pub(crate) fn publish_fence(&mut self, lane: usize, fence: &Fence, newest: u64) -> CallId {
        let id = format!("{}.f.{:016x}", self.unit, fence.attempt);
        self.publish(lane, true, id, newest, fence.encode().into())
    }

    /// Looks up the newest fence or the newest batch.
    pub(crate) fn look_up(&mut self, lane: usize, is_fence: bool) -> CallId {
        let call = self.call();
        self.outputs.push_back(Output::LookUp { call, lane, is_fence });
        call
    }

    /// Lets a lane forget the unit's batches up to a sequence.
    pub(crate) fn purge(&mut self, lane: usize, upto: u64) -> CallId {
        let call = self.call();
        self.outputs.push_back(Output::Purge { call, lane, upto });
        call
    }

    pub(crate) fn read(&mut self, lane: usize, from: u64) -> CallId {
        let call = self.call();
        self.outputs.push_back(Output::Read { call, lane, from });
        call
    }

    fn publish(
        &mut self,
        lane: usize,
        is_fence: bool,
        id: String,
        newest_fence: u64,
        bytes: Arc<[u8]>,
    ) -> CallId {
        let call = self.call();
        self.outputs.push_back(Output::Publish { call, lane, is_fence, id, newest_fence, bytes });
        call
    }

    fn call(&mut self) -> CallId {
        self.calls += 1;
        CallId(self.calls)
    }
}
