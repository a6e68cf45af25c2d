//! How often something may happen: so often at once, and so often a second after that.

use std::time::Instant;

const SECOND_US: u64 = 1_000_000;

/// See the module.
pub(super) struct Allowance {
    per_second: u64,
    burst: u64,
    /// In millionths of a time, which each microsecond brings `per_second` of.
    left: u64,
    at: Instant,
}

impl Allowance {
    /// All of it at first.
    pub(super) fn new(now: Instant, burst: u32, per_second: u32) -> Self {
        let (burst, per_second) = (u64::from(burst) * SECOND_US, u64::from(per_second));
        Self { per_second, burst, left: burst, at: now }
    }

    /// Takes one time. Says whether there was one.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.at).as_micros();
        let passed = u64::try_from(passed).unwrap_or(u64::MAX);
        let more = passed.saturating_mul(self.per_second);
        self.left = self.left.saturating_add(more).min(self.burst);
        self.at = self.at.max(now);
        let taken = self.left.checked_sub(SECOND_US);
        self.left = taken.unwrap_or(self.left);
        taken.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a moment to count from")]
    fn so_often_at_once_and_so_often_a_second() {
        let start = Instant::now();
        let mut allowance = Allowance::new(start, 10, 4);
        let mut taken = |at| (0..100).filter(|_| allowance.take(at)).count();
        assert_eq!((taken(start), taken(start)), (10, 0));
        assert_eq!(taken(start + Duration::from_millis(249)), 0);
        assert_eq!(taken(start + Duration::from_millis(250)), 1);
        assert_eq!(taken(start + Duration::from_millis(1_250)), 4);
        assert_eq!(taken(start), 0, "an earlier moment brings nothing");
        assert_eq!(taken(start + Duration::from_secs(3_600)), 10);
    }
}
