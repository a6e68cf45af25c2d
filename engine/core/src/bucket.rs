//! How often something may happen: a token bucket.

use std::time::Duration;

use desk_protocol::Time;

/// So often in a minute, and so often at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rate {
    /// Times a minute.
    pub per_minute: u32,
    /// Times at once, after a rest.
    pub burst: u32,
}

impl Rate {
    /// How often at the most in such a time.
    pub const fn most_in(self, time: Duration) -> u64 {
        self.burst as u64 + self.per_minute as u64 * time.as_secs().div_ceil(60)
    }
}

/// A token bucket. It may go into debt: what was read is served, and reading
/// stops until the debt is paid.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    /// In parts of a token: as many as its period has microseconds. A microsecond
    /// brings a whole number of them at any rate, so nothing is lost however often
    /// the bucket is asked.
    level: i64,
    /// Tokens of one period.
    rate: u32,
    period_us: u32,
    burst: u32,
    filled_at: Time,
}

impl Bucket {
    /// Gives `rate` tokens a `period` and `burst` at once; full at first.
    pub(crate) fn new(rate: u32, period: Duration, burst: u32, now: Time) -> Self {
        let period_us = u32::try_from(period.as_micros()).expect("rates are by the hour at most");
        // A rate of 0 would be a debt that is never paid.
        let mut bucket = Self { level: 0, rate: rate.max(1), period_us, burst, filled_at: now };
        bucket.level = bucket.full();
        bucket
    }

    /// Takes one token. If that makes a debt, says how long it takes to pay.
    pub(crate) fn take(&mut self, now: Time) -> Option<Duration> {
        self.fill(now);
        self.level -= self.token();
        self.owed()
    }

    /// Takes one token if there is one.
    ///
    /// # Errors
    /// How long it takes until there is one; nothing was taken.
    pub(crate) fn try_take(&mut self, now: Time) -> Result<(), Duration> {
        match self.take(now) {
            None => Ok(()),
            Some(wait) => {
                self.level += self.token();
                Err(wait)
            }
        }
    }

    /// How long it still takes to pay the debt, if there is one.
    pub(crate) fn debt(&mut self, now: Time) -> Option<Duration> {
        self.fill(now);
        self.owed()
    }

    fn token(&self) -> i64 {
        i64::from(self.period_us)
    }

    fn full(&self) -> i64 {
        i64::from(self.burst) * self.token()
    }

    fn fill(&mut self, now: Time) {
        let elapsed_us = i64::try_from(now.since(self.filled_at).as_micros()).unwrap_or(i64::MAX);
        self.filled_at = now;
        let brought = elapsed_us.saturating_mul(i64::from(self.rate));
        self.level = self.level.saturating_add(brought).min(self.full());
    }

    fn owed(&self) -> Option<Duration> {
        if self.level >= 0 {
            return None;
        }
        let micros = self.level.unsigned_abs().div_ceil(u64::from(self.rate));
        Some(Duration::from_micros(micros))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_bucket_gives_its_burst_then_its_rate() {
        let mut bucket = Bucket::new(60, SECOND, 120, Time(0));
        assert!((0..120).all(|_| bucket.take(Time(0)).is_none()));
        let wait = bucket.take(Time(0)).unwrap();
        assert_eq!(wait.as_millis(), 16);
        // A second later the debt is paid and 59 more may come.
        assert!((0..59).all(|_| bucket.take(Time(1_000_000)).is_none()));
        assert!(bucket.take(Time(1_000_000)).is_some());
    }

    #[test]
    fn a_bucket_fills_as_fast_however_often_it_is_asked() {
        let (mut often, mut once) =
            (Bucket::new(60, SECOND, 1, Time(0)), Bucket::new(60, SECOND, 1, Time(0)));
        for bucket in [&mut often, &mut once] {
            assert!((0..2).all(|_| bucket.take(Time(0)).is_none() || bucket.level < 0));
        }
        for micros in (0..10_000).step_by(7) {
            often.debt(Time(micros));
        }
        assert_eq!(often.debt(Time(10_000)), once.debt(Time(10_000)));
    }
}
