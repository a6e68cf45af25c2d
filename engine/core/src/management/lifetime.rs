//! How long desks live, by the second in which they were made.

use std::time::Duration;

use desk_protocol::Time;

/// A span of creation seconds whose desks live equally long. The store keeps these
/// desks for that time, whatever is configured later.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lifetime {
    /// The first creation second, since the Unix epoch.
    pub first: u32,
    /// The first second after the span.
    pub end: u64,
    /// How long each desk of the span lives, from its creation second on.
    pub lasts: Duration,
}

/// All spans that the store has set aside, oldest first and without overlap.
#[derive(Debug, Default)]
pub(crate) struct Lifetimes(Vec<Lifetime>);

impl Lifetimes {
    pub(crate) fn new(spans: Vec<Lifetime>) -> Self {
        assert!(
            spans.windows(2).all(|pair| pair[0].end <= u64::from(pair[1].first)),
            "spans are in order and do not overlap"
        );
        Self(spans)
    }

    /// The second, since the Unix epoch, at which a desk that was made in `second`
    /// expires. `None` if no span has that second: the store takes no such desk.
    pub(crate) fn expires_at(&self, second: u32) -> Option<u64> {
        let after = self.0.partition_point(|span| span.first <= second);
        let span = self.0[..after].last().filter(|span| u64::from(second) < span.end)?;
        Some(u64::from(second) + span.lasts.as_secs())
    }

    /// Whether all desks that were made in `second` have expired. A second before the
    /// newest span that lies in no span belongs to a span that was dropped.
    pub(crate) fn is_over(&self, second: u32, now: Time) -> bool {
        match self.expires_at(second) {
            Some(at) => at <= now.unix_seconds(),
            None => self.0.last().is_some_and(|newest| second < newest.first),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(first: u32, end: u64, seconds: u64) -> Lifetime {
        Lifetime { first, end, lasts: Duration::from_secs(seconds) }
    }

    #[test]
    fn each_second_has_the_lifetime_of_its_span() {
        let spans = Lifetimes::new(vec![span(100, 200, 50), span(300, 400, 7)]);
        let expires = [99, 100, 199, 200, 299, 300, 399, 400].map(|at| spans.expires_at(at));
        let none = None;
        assert_eq!(expires, [none, Some(150), Some(249), none, none, Some(307), Some(406), none]);
    }

    #[test]
    fn what_lies_before_a_span_and_in_none_is_over() {
        let spans = Lifetimes::new(vec![span(100, 200, 50)]);
        let over = |second, now| spans.is_over(second, Time::from_unix_seconds(now));
        assert!(over(99, 120) && !over(100, 149) && over(100, 150));
        assert!(!over(200, 120), "it is yet to be set aside");
        // A shorter lifetime was in force for a while.
        let spans = Lifetimes::new(vec![span(100, 200, 700), span(300, 400, 700)]);
        assert!(spans.is_over(250, Time::from_unix_seconds(290)));
        assert!(!Lifetimes::default().is_over(0, Time::from_unix_seconds(1_000)));
    }
}
