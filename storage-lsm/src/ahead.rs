//! Accesses that are under way before they are awaited.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A future that was begun. One that belongs to a disk must be driven to its
/// end.
pub(crate) enum Ahead<F: Future> {
    Running(Pin<Box<F>>),
    Done(F::Output),
}

impl<F: Future> Ahead<F> {
    /// Begins it, so that what it waits for goes on its way with the next wait
    /// of whoever holds it.
    pub(crate) async fn begin(future: F) -> Self {
        let mut ahead = Self::Running(Box::pin(future));
        poll_fn(|context| {
            ahead.poll(context);
            Poll::Ready(())
        })
        .await;
        ahead
    }

    /// Drives it to its end.
    pub(crate) async fn end(self) -> F::Output {
        match self {
            Self::Running(future) => future.await,
            Self::Done(output) => output,
        }
    }

    /// Drives it on; says whether it is done.
    fn poll(&mut self, context: &mut Context<'_>) -> bool {
        if let Self::Running(future) = self
            && let Poll::Ready(output) = future.as_mut().poll(context)
        {
            *self = Self::Done(output);
        }
        matches!(self, Self::Done(_))
    }
}

/// Drives all to their ends at the same time; the outputs come in their order.
pub(crate) async fn all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<_> = futures.map(|future| Ahead::Running(Box::pin(future))).collect();
    poll_fn(|context| {
        let mut is_done = true;
        for one in &mut running {
            is_done &= one.poll(context);
        }
        if is_done { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    let mut outputs = Vec::with_capacity(running.len());
    for done in running {
        outputs.push(done.end().await);
    }
    outputs
}
