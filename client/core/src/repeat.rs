//! The batch in flight, said again in datagrams while it has no answer (CARRY-8).

use std::time::Duration;

use desk_protocol::Time;
use desk_protocol::limits::{REPEAT_BYTES_MAX, REPEATS_AFTER};

/// What is to be said again on the line that is open.
#[derive(Clone, Debug, Default)]
pub(crate) struct Repeat {
    sent_at: Time,
    frame: Vec<u8>,
    /// How often its time has come.
    fired: usize,
    /// How often it was said again.
    said: usize,
    /// What is known of the line's round trip.
    round_trip: Option<Duration>,
}

impl Repeat {
    /// A batch leaves on the line.
    pub(crate) fn sent(&mut self, now: Time, frame: &[u8]) {
        *self = Self { sent_at: now, round_trip: self.round_trip, ..Self::default() };
        if frame.len() <= REPEAT_BYTES_MAX {
            self.frame = frame.to_vec();
        }
    }

    /// The line's round trip, as its transport has measured it.
    pub(crate) const fn tell_round_trip(&mut self, round_trip: Duration) {
        self.round_trip = Some(round_trip);
    }

    /// When its time comes next.
    pub(crate) fn deadline(&self) -> Option<Time> {
        let after = REPEATS_AFTER.get(self.fired).filter(|_| !self.frame.is_empty())?;
        // On a shorter way QUIC itself has repeated by then what was lost, and the answer
        // waits for the disk. The next time comes later, and so is none either.
        if self.round_trip.is_some_and(|round_trip| round_trip < *after) {
            return None;
        }
        Some(self.sent_at + *after)
    }

    /// Its time may have come.
    pub(crate) fn handle_timeout(&mut self, now: Time) {
        while self.deadline().is_some_and(|at| at <= now) {
            self.fired += 1;
        }
    }

    /// The frame, each time that its time has come.
    pub(crate) fn take(&mut self) -> Option<Vec<u8>> {
        if self.said == self.fired {
            return None;
        }
        // After a long sleep once is enough.
        self.said = self.fired;
        Some(self.frame.clone())
    }
}
