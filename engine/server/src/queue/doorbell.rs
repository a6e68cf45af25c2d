//! Wakes a shard's loop from another thread.
//!
//! glommio's wakers may be used on any thread: a foreign wake goes through a
//! channel to the executor, and writes its eventfd if it sleeps. That costs a
//! system call or two, so a bell that was rung and not yet answered is not
//! rung again.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;

use crossbeam_utils::CachePadded;

/// One shard's bell.
#[derive(Default)]
pub(crate) struct Doorbell {
    rung: CachePadded<AtomicBool>,
    waker: OnceLock<Waker>,
}

impl Doorbell {
    /// Sets the waker of the shard's loop, once.
    pub(crate) fn install(&self, waker: &Waker) {
        // A task keeps its waker for life, so the first one stays right.
        self.waker.get_or_init(|| waker.clone());
        // A ring before this had no waker to wake.
        if self.rung.load(Ordering::Acquire) {
            waker.wake_by_ref();
        }
    }

    /// Wakes the shard, unless it is being woken already. Put the message
    /// first.
    pub(crate) fn ring(&self) {
        if !self.rung.swap(true, Ordering::AcqRel)
            && let Some(waker) = self.waker.get()
        {
            waker.wake_by_ref();
        }
    }

    /// Whether it was rung and not answered.
    pub(crate) fn is_rung(&self) -> bool {
        self.rung.load(Ordering::Acquire)
    }

    /// Marks the bell as answered, and says whether it was rung. A later ring wakes
    /// the shard again. Call it before looking for messages, not after.
    ///
    /// Either the ringer sees the bell answered and wakes the shard, or this swap reads
    /// the ringer's release and so sees its message.
    pub(crate) fn answer(&self) -> bool {
        self.rung.swap(false, Ordering::AcqRel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;

    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_bell_wakes_once_until_it_is_answered() {
        let (bell, count) = (Doorbell::default(), Arc::new(Count(AtomicUsize::new(0))));
        bell.ring();
        bell.install(&Waker::from(Arc::clone(&count)));
        assert_eq!(count.0.load(Ordering::Relaxed), 1, "it was rung before there was a waker");
        bell.ring();
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        assert!(bell.answer());
        assert!(!bell.answer());
        bell.ring();
        bell.ring();
        assert_eq!(count.0.load(Ordering::Relaxed), 2);
    }
}
