//! The core's time: since the Unix epoch, and never backward.

use std::time::SystemTime;

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
