//! The time that the core is told: it starts at the system's clock and then
//! runs with the monotonic one, so that it never runs backwards.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use desk_protocol::Time;

/// A clock of one run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    begin: Time,
    at: Instant,
}

impl Clock {
    /// Starts it.
    #[expect(clippy::disallowed_methods, reason = "this shell owns its clock")]
    pub(crate) fn start() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { begin: Time::default() + since, at: Instant::now() }
    }

    /// The present moment.
    pub(crate) fn now(&self) -> Time {
        self.begin + self.at.elapsed()
    }

    /// The moment of `time` for a timer; in the past: the clock's start.
    pub(crate) fn instant(&self, time: Time) -> Instant {
        let ahead = time.since(self.begin);
        // A deadline in the far future is as good as a day: timers are re-armed.
        self.at + ahead.min(self.at.elapsed() + Duration::from_secs(86_400))
    }
}
