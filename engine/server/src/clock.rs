//! The clock: wall time that never runs backwards.

use std::cell::Cell;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use desk_protocol::Time;

/// One shard's clock. Deadlines and the expiry of desks both use wall time. When
/// wall time is set back, this clock goes on at half speed until wall time has caught
/// up.
pub(crate) struct Clock {
    last: Cell<(Time, Instant)>,
}

impl Clock {
    /// A clock that starts at wall time.
    #[expect(clippy::disallowed_methods, reason = "the shell owns the clock")]
    pub(crate) fn new() -> Self {
        Self { last: Cell::new((wall(), Instant::now())) }
    }

    /// The time when it was last asked for: near enough within a turn, and
    /// free.
    pub(crate) fn recent(&self) -> Time {
        self.last.get().0
    }

    /// Goes on from `time` if this clock is behind it. Another shard has expired desks
    /// by that time already.
    #[expect(clippy::disallowed_methods, reason = "the shell owns the clock")]
    pub(crate) fn catch_up(&self, time: Time) {
        let now = self.now();
        self.last.set((now.max(time), Instant::now()));
    }

    /// The time.
    #[expect(clippy::disallowed_methods, reason = "the shell owns the clock")]
    pub(crate) fn now(&self) -> Time {
        let instant = Instant::now();
        let (last, at) = self.last.get();
        let passed = instant.saturating_duration_since(at);
        let now = next(last, passed.as_micros() as u64, wall());
        self.last.set((now, instant));
        now
    }
}

/// Wall time.
#[expect(clippy::disallowed_methods, reason = "the shell owns the clock")]
pub(crate) fn wall() -> Time {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
    Time(since_epoch.map_or(0, |time| time.as_micros() as u64))
}

/// A moment to measure from.
#[expect(clippy::disallowed_methods, reason = "the shell owns the clock")]
pub(crate) fn instant() -> Instant {
    Instant::now()
}

fn next(last: Time, passed_us: u64, wall: Time) -> Time {
    wall.max(Time(last.0 + passed_us / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_catches_up_with_another_and_never_falls_back() {
        let clock = Clock::new();
        let hour = std::time::Duration::from_secs(3_600);
        let ahead = clock.now() + hour;
        clock.catch_up(ahead);
        assert!(clock.now() >= ahead);
        clock.catch_up(Time(0));
        assert!(clock.now() >= ahead);
    }

    #[test]
    fn time_follows_the_wall_and_never_runs_backwards() {
        assert_eq!(next(Time(100), 10, Time(110)), Time(110));
        assert_eq!(next(Time(100), 10, Time(500)), Time(500), "set forward: followed at once");
        assert_eq!(next(Time(100), 10, Time(60)), Time(105), "set back: half speed");
        let mut now = Time(1_000);
        let mut wall = 500;
        for _ in 0..100 {
            wall += 10;
            now = next(now, 10, Time(wall));
        }
        assert_eq!(now, Time(wall), "wall time has caught up");
    }
}
