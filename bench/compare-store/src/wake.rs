//! A flag that a task of the same thread waits for.

use std::cell::Cell;
use std::future::poll_fn;
use std::task::{Poll, Waker};

/// Set by one task, awaited and cleared by another; at last it is over.
#[derive(Default)]
pub(crate) struct Wake {
    set: Cell<bool>,
    over: Cell<bool>,
    waker: Cell<Option<Waker>>,
}

impl Wake {
    pub(crate) fn set(&self) {
        self.set.set(true);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Nothing more will be wanted.
    pub(crate) fn end(&self) {
        self.over.set(true);
        self.set();
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.get()
    }

    pub(crate) async fn wait(&self) {
        poll_fn(|context| {
            if self.set.replace(false) {
                return Poll::Ready(());
            }
            self.waker.set(Some(context.waker().clone()));
            Poll::Pending
        })
        .await;
    }
}
