//! How often something may happen: a token bucket.

use std::time::Duration;

use desk_protocol::Time;

/// A token bucket. It may go into debt: what was read is served, and reading
/// stops until the debt is paid.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    /// Millionths of a token: a microsecond brings a whole number of them at any
    /// rate, so nothing is lost however often the bucket is asked.
    level: i64,
    rate_per_second: u32,
    burst: u32,
    filled_at: Time,
}

/// Units of [`Bucket::level`] in one token.
const TOKEN: i64 = 1_000_000;

/// What a bucket is filled for at a time, in microseconds: a minute. The bound
/// keeps a jump of the clock from overflowing the level.
const FILL_US_MAX: u128 = 60_000_000;

impl Bucket {
    pub(crate) fn new(rate_per_second: u32, burst: u32, now: Time) -> Self {
        // A rate of 0 would be a debt that is never paid.
        let rate_per_second = rate_per_second.max(1);
        Self { level: i64::from(burst) * TOKEN, rate_per_second, burst, filled_at: now }
    }

    /// Takes one token. If that makes a debt, says how long it takes to pay.
    pub(crate) fn take(&mut self, now: Time) -> Option<Duration> {
        self.fill(now);
        self.level -= TOKEN;
        self.owed()
    }

    /// How long it still takes to pay the debt, if there is one.
    pub(crate) fn debt(&mut self, now: Time) -> Option<Duration> {
        self.fill(now);
        self.owed()
    }

    fn fill(&mut self, now: Time) {
        let elapsed_us = now.since(self.filled_at).as_micros().min(FILL_US_MAX) as i64;
        self.filled_at = now;
        let full = i64::from(self.burst) * TOKEN;
        self.level = (self.level + elapsed_us * i64::from(self.rate_per_second)).min(full);
    }

    fn owed(&self) -> Option<Duration> {
        if self.level >= 0 {
            return None;
        }
        let micros = self.level.unsigned_abs() / u64::from(self.rate_per_second);
        Some(Duration::from_micros(micros + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_its_burst_then_its_rate() {
        let mut bucket = Bucket::new(60, 120, Time(0));
        assert!((0..120).all(|_| bucket.take(Time(0)).is_none()));
        let wait = bucket.take(Time(0)).unwrap();
        assert_eq!(wait.as_millis(), 16);
        // A second later the debt is paid and 59 more may come.
        assert!((0..59).all(|_| bucket.take(Time(1_000_000)).is_none()));
        assert!(bucket.take(Time(1_000_000)).is_some());
    }

    #[test]
    fn a_bucket_fills_as_fast_however_often_it_is_asked() {
        let (mut often, mut once) = (Bucket::new(60, 1, Time(0)), Bucket::new(60, 1, Time(0)));
        for bucket in [&mut often, &mut once] {
            assert!((0..2).all(|_| bucket.take(Time(0)).is_none() || bucket.level < 0));
        }
        for micros in (0..10_000).step_by(7) {
            often.debt(Time(micros));
        }
        assert_eq!(often.debt(Time(10_000)), once.debt(Time(10_000)));
    }
}
