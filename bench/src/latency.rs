//! Latencies, corrected for coordinated omission.
//!
//! A generator that waits for a slow server sends less while it is slow and so
//! leaves out just the samples that matter (Tene, "How NOT to measure
//! latency"). Load here is an open loop instead: when an operation is *due* is
//! drawn beforehand ([`Arrivals`]), and its latency counts from then, however
//! late it could be sent.

use std::time::Duration;

use desk_protocol::Time;
use hdrhistogram::Histogram;

use crate::limits::LATENCY_US_MAX;
use crate::random::Random;

/// Latencies from intended sends to receipts.
#[derive(Clone, Debug)]
pub struct Latency {
    microseconds: Histogram<u64>,
}

impl Default for Latency {
    fn default() -> Self {
        let microseconds = Histogram::new_with_max(LATENCY_US_MAX, 3)
            .expect("a minute in microseconds with three digits is within its bounds");
        Self { microseconds }
    }
}

impl Latency {
    /// Counts one receipt of something that was to be sent at `intended`.
    pub fn record(&mut self, intended: Time, received: Time) {
        let latency = received.since(intended).as_micros();
        self.microseconds.saturating_record(u64::try_from(latency).unwrap_or(u64::MAX).max(1));
    }

    /// Counts all that `other` has.
    pub fn add(&mut self, other: &Self) {
        self.microseconds.add(&other.microseconds).expect("both have the same bounds");
    }

    /// The latency in microseconds that `quantile` (0 to 1) of all were not above.
    pub fn at(&self, quantile: f64) -> f64 {
        self.microseconds.value_at_quantile(quantile) as f64
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.microseconds.len()
    }
}

/// When operations are due: a Poisson process, as of many people who know
/// nothing of each other.
#[derive(Clone, Debug)]
pub struct Arrivals {
    next: Time,
    /// What the whole microseconds of `next` leave out.
    fraction: f64,
    mean_us: f64,
    random: Random,
}

impl Arrivals {
    /// `rate_per_second` operations on average, from `start` on.
    pub fn new(start: Time, rate_per_second: f64, seed: u64) -> Self {
        let mean_us = 1e6 / rate_per_second;
        let mut arrivals = Self { next: start, fraction: 0.0, mean_us, random: Random::new(seed) };
        arrivals.advance();
        arrivals
    }

    /// When the next operation is due.
    pub const fn next(&self) -> Time {
        self.next
    }

    /// The time of an operation that is due by `now`; each is given once.
    pub fn due(&mut self, now: Time) -> Option<Time> {
        let due = self.next;
        (due <= now).then(|| {
            self.advance();
            due
        })
    }

    fn advance(&mut self) {
        let gap = self.fraction - self.random.unit().ln() * self.mean_us;
        self.fraction = gap.fract();
        self.next = self.next + Duration::from_micros(gap as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that answers in 100 µs, apart from one stall of 200 ms, under a
    /// load of 1,000 operations a second for two seconds.
    fn stalled(from_intended: bool) -> Latency {
        let start = Time(1_000_000);
        let stall = start + Duration::from_millis(500)..start + Duration::from_millis(700);
        let end = start + Duration::from_secs(2);
        let mut arrivals = Arrivals::new(start, 1_000.0, 7);
        let (mut latency, mut free) = (Latency::default(), start);
        while let Some(intended) = arrivals.due(end) {
            // One after the other, as a generator sends that waits for answers.
            let sent = intended.max(free);
            let begun = if stall.contains(&sent) { stall.end } else { sent };
            free = begun + Duration::from_micros(100);
            latency.record(if from_intended { intended } else { sent }, free);
        }
        latency
    }

    #[test]
    fn a_stall_counts_for_all_that_were_due_in_it() {
        let corrected = stalled(true);
        // A tenth of the operations fell into the stall.
        assert!(corrected.at(0.95) > 50_000.0, "{}", corrected.at(0.95));
        assert!(corrected.at(0.99) > 150_000.0, "{}", corrected.at(0.99));
        // What coordinated omission makes of it: one slow operation of 2,000.
        let naive = stalled(false);
        assert_eq!(naive.count(), corrected.count());
        assert!(naive.at(0.99) < 200.0, "{}", naive.at(0.99));
    }

    #[test]
    fn arrivals_keep_their_rate_and_are_told_late_but_not_lost() {
        let start = Time(0);
        let mut arrivals = Arrivals::new(start, 50_000.0, 3);
        let end = start + Duration::from_secs(10);
        let (mut count, mut last) = (0u32, start);
        while let Some(due) = arrivals.due(end) {
            assert!(due >= last && due <= end);
            (count, last) = (count + 1, due);
        }
        assert!((495_000..505_000).contains(&count), "{count}");
        assert!(arrivals.next() > end);
    }

    #[test]
    fn extremes_are_counted() {
        let mut latency = Latency::default();
        latency.record(Time(5), Time(5));
        latency.record(Time(0), Time(u64::MAX));
        assert_eq!(latency.count(), 2);
        assert!(latency.at(1.0) >= LATENCY_US_MAX as f64 * 0.99);
    }
}
