//! The guard against a clock that jumps.

use crate::key::UnixSecond;
use crate::limits::CLOCK_JUMP_SECONDS_MAX;

/// Whether the clock may decide that data is gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClockState {
    /// It goes on from the last recorded time.
    Trusted,
    /// It is more than a day past the last recorded time. No bucket is dropped until an
    /// operator accepts the clock, or the clock goes back. Reads still treat expired
    /// keys as gone.
    Suspect {
        /// The last time recorded.
        recorded: UnixSecond,
        /// What the clock says.
        now: UnixSecond,
    },
}

/// Judges `now` after `recorded`.
pub(crate) fn judge(recorded: UnixSecond, now: UnixSecond, accepted: bool) -> ClockState {
    let limit = recorded.0.saturating_add(CLOCK_JUMP_SECONDS_MAX);
    if accepted || now.0 <= limit {
        ClockState::Trusted
    } else {
        ClockState::Suspect { recorded, now }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_the_limit() {
        let recorded = UnixSecond(1_000_000);
        let at = |past| judge(recorded, UnixSecond(1_000_000 + past), false);
        assert_eq!(at(CLOCK_JUMP_SECONDS_MAX), ClockState::Trusted);
        let now = UnixSecond(1_000_000 + CLOCK_JUMP_SECONDS_MAX + 1);
        assert_eq!(at(CLOCK_JUMP_SECONDS_MAX + 1), ClockState::Suspect { recorded, now });
        assert_eq!(judge(recorded, now, true), ClockState::Trusted);
        assert_eq!(judge(recorded, UnixSecond(5), false), ClockState::Trusted);
    }
}
