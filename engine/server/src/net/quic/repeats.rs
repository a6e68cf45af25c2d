//! Frames that are said again, as datagrams, a little after they left on the stream.
//!
//! A packet that is lost is repeated by QUIC after more than a round trip. Until then every
//! later frame waits behind it. A short frame in another packet costs less than that wait.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;
use desk_protocol::limits::{REPEAT_BYTES_MAX, REPEATS_AFTER};

use crate::limits::QUIC_REPEATS_MAX;

/// What one connection is to be told again.
#[derive(Default)]
pub(super) struct Repeats {
    /// For each time after which a frame is repeated: when, and what.
    waiting: [VecDeque<(Instant, Bytes)>; REPEATS_AFTER.len()],
}

impl Repeats {
    /// Takes a frame that leaves on the stream now, over a way of this round trip.
    pub(super) fn push(&mut self, now: Instant, round_trip: Duration, frame: &Bytes) {
        if frame.len() > REPEAT_BYTES_MAX {
            return;
        }
        for (after, waiting) in REPEATS_AFTER.into_iter().zip(&mut self.waiting) {
            // On a shorter way its acknowledgement is here by then, or QUIC's own repetition.
            let is_near = round_trip < after;
            // Packets that follow closely tell of a loss by themselves.
            let is_busy = waiting.len() >= QUIC_REPEATS_MAX;
            if !is_near && !is_busy {
                waiting.push_back((now + after, frame.clone()));
            }
        }
    }

    /// The next frame whose time has come.
    pub(super) fn due(&mut self, now: Instant) -> Option<Bytes> {
        let is_due = |waiting: &&mut VecDeque<(Instant, Bytes)>| {
            waiting.front().is_some_and(|(at, _)| *at <= now)
        };
        let waiting = self.waiting.iter_mut().find(is_due)?;
        waiting.pop_front().map(|(_, frame)| frame)
    }

    /// When the next one comes.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.waiting.iter().filter_map(|waiting| Some(waiting.front()?.0)).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAR: Duration = Duration::from_millis(200);

    #[expect(clippy::disallowed_methods, reason = "a moment to count from")]
    fn start() -> Instant {
        Instant::now()
    }

    #[test]
    fn carry_8_frames_are_repeated_in_order() {
        let (now, mut repeats) = (start(), Repeats::default());
        let frames = [Bytes::from_static(b"one"), Bytes::from_static(b"two")];
        frames.iter().for_each(|frame| repeats.push(now, FAR, frame));
        assert_eq!(repeats.due(now), None);
        for after in REPEATS_AFTER {
            let later = now + after;
            assert_eq!(repeats.deadline(), Some(later));
            assert_eq!(frames.clone().map(Some), [repeats.due(later), repeats.due(later)]);
            assert_eq!(repeats.due(later), None);
        }
        assert_eq!(repeats.deadline(), None);
    }

    #[test]
    fn carry_8_near_peers_long_frames_and_floods_are_not_repeated() {
        let (now, mut repeats) = (start(), Repeats::default());
        let [first, second] = REPEATS_AFTER;
        repeats.push(now, first / 2, &Bytes::from_static(b"near"));
        repeats.push(now, FAR, &Bytes::from(vec![0; REPEAT_BYTES_MAX + 1]));
        assert_eq!(repeats.deadline(), None);
        repeats.push(now, second - first, &Bytes::from_static(b"not that near"));
        assert_eq!(repeats.due(now + first).as_deref(), Some(&b"not that near"[..]));
        assert_eq!(repeats.deadline(), None);
        for _ in 0..2 * QUIC_REPEATS_MAX {
            repeats.push(now, FAR, &Bytes::from(vec![0; REPEAT_BYTES_MAX]));
        }
        let later = now + second;
        let all = std::iter::from_fn(|| repeats.due(later)).count();
        assert_eq!(all, REPEATS_AFTER.len() * QUIC_REPEATS_MAX);
    }
}
