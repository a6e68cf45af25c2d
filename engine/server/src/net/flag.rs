//! Waiting for something within a shard's own thread.

use std::cell::{Cell, RefCell};
use std::task::{Context, Poll, Waker};

/// A flag that one task waits for and others of the thread set.
#[derive(Default)]
pub(crate) struct Flag {
    set: Cell<bool>,
    waiter: RefCell<Option<Waker>>,
}

impl Flag {
    /// Sets the flag and wakes who waits for it.
    pub(crate) fn set(&self) {
        if !self.set.replace(true)
            && let Some(waiter) = self.waiter.take()
        {
            waiter.wake();
        }
    }

    /// Ready once the flag is set, and takes it back.
    pub(crate) fn poll(&self, context: &mut Context<'_>) -> Poll<()> {
        if self.set.take() {
            return Poll::Ready(());
        }
        let mut waiter = self.waiter.borrow_mut();
        if !waiter.as_ref().is_some_and(|waiter| waiter.will_wake(context.waker())) {
            *waiter = Some(context.waker().clone());
        }
        Poll::Pending
    }

    /// Waits for the flag and takes it back.
    pub(crate) async fn wait(&self) {
        std::future::poll_fn(|context| self.poll(context)).await;
    }
}
