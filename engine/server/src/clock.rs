//! The clock: wall time that never runs backwards.

use std::cell::Cell;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use desk_protocol::Time;

/// One shard's clock. Deadlines and the expiry of desks both use wall time, as long as it
/// can be believed. When wall time is set back, this clock goes on a little slower until
/// wall time has caught up. When wall time jumps ahead by more than a day, this clock goes
/// on a little faster until the two agree again: a clock that is wrong for an hour
/// expires no desk. A start takes wall time as it is.
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

/// How far wall time is followed at once, in microseconds: a day.
const FOLLOWED_US: u64 = 86_400_000_000;

/// By how much this clock is faster or slower than it should be until it agrees with wall
/// time: one part in so many. Delays are off by no more.
const SLEW: u64 = 16;

fn next(last: Time, passed_us: u64, wall: Time) -> Time {
    let (least, expected) = (last.0 + passed_us - passed_us / SLEW, last.0 + passed_us);
    if wall.0 > expected + FOLLOWED_US {
        return Time(expected + passed_us / SLEW);
    }
    wall.max(Time(least))
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
        assert_eq!(next(Time(100), 160, Time(60)), Time(250), "set back: a little slower");
        let mut now = Time(1_000);
        let mut wall = 500;
        for _ in 0..100 {
            wall += 160;
            now = next(now, 160, Time(wall));
        }
        assert_eq!(now, Time(wall), "wall time has caught up");
    }

    #[test]
    fn a_wall_that_is_wrong_for_an_hour_expires_nothing() {
        const HOUR: u64 = 3_600_000_000;
        let week = Time(7 * 24 * HOUR);
        let eight_days = Time(8 * 24 * HOUR);
        let mut now = Time(0);
        for passed in 0..3_600 {
            now = next(now, 1_000_000, Time(eight_days.0 + passed * 1_000_000));
        }
        assert!(now < week && now.0 < HOUR + HOUR / 10, "{now:?}");
        // It is right again, and this clock waits for it.
        let mut wall = Time(HOUR);
        for _ in 0..3_600 {
            wall = Time(wall.0 + 1_000_000);
            now = next(now, 1_000_000, wall);
        }
        assert_eq!(now, wall);
        assert_eq!(next(Time(0), 1_000_000, Time(20 * HOUR)), Time(20 * HOUR), "it slept");
    }
}
