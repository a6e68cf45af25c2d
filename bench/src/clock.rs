//! The generator's clock: the system's at the start, monotonic from there.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use desk_protocol::Time;

/// A clock that never runs backwards.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    begin: Time,
    at: Instant,
}

impl Clock {
    /// Starts it.
    #[expect(clippy::disallowed_methods, reason = "this shell owns its clock")]
    pub fn start() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { begin: Time::default() + since, at: Instant::now() }
    }

    /// The present moment.
    pub fn now(&self) -> Time {
        self.begin + self.at.elapsed()
    }

    /// How long it has run.
    pub fn elapsed(&self) -> Duration {
        self.at.elapsed()
    }
}
