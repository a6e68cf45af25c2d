//! The core's time: since the Unix epoch, and never backward.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use desk_protocol::Time;
use tokio::time::Instant;

/// Counts on from the moment it was made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    began: Instant,
    began_at: Time,
}

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "the shell owns the clock")]
    pub(crate) fn start() -> Self {
        let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let began_at = Time(u64::try_from(unix.as_micros()).unwrap_or(u64::MAX));
        Self { began: Instant::now(), began_at }
    }

    pub(crate) fn now(&self) -> Time {
        self.began_at + self.began.elapsed()
    }

    pub(crate) fn instant(&self, at: Time) -> Instant {
        self.began + at.since(self.began_at)
    }
}

/// When the cluster's thread last looked around, for the other threads.
#[derive(Debug)]
pub(crate) struct Pulse {
    began: Instant,
    beat_us: AtomicU64,
}

impl Pulse {
    pub(crate) fn start() -> Self {
        Self { began: Instant::now(), beat_us: AtomicU64::new(0) }
    }

    /// The thread has looked around, and told of what it found.
    pub(crate) fn beat(&self) {
        self.beat_us.store(self.age_us(), Ordering::Release);
    }

    /// How long ago that was.
    pub(crate) fn silence(&self) -> Duration {
        let beat_us = self.beat_us.load(Ordering::Acquire);
        Duration::from_micros(self.age_us().saturating_sub(beat_us))
    }

    fn age_us(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}
