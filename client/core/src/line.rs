//! The connection as the client sees it: when to connect, greet, ask whether
//! the line is alive, and give it up.

use std::time::Duration;

use desk_protocol::Time;
use desk_protocol::frame::CloseCode;

use crate::event::Line;
use crate::limits::*;
use crate::random::Random;

/// What a deadline of the line asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Due {
    /// Open a line.
    Connect { attempt: u32 },
    /// Send a ping with this nonce.
    Ping { nonce: u64 },
    /// Give the line up.
    Dead { reason: &'static str },
}

#[derive(Clone, Debug)]
pub(crate) struct Connection {
    state: Line,
    /// Failed attempts since the last connection that lasted.
    attempt: u32,
    reconnect_at: Option<Time>,
    /// When the connection came to be, if it did.
    connected_at: Option<Time>,
    /// When anything came in, or the connection began.
    heard_at: Time,
    /// When a batch went out.
    submitted_at: Time,
    pinged_at: Option<Time>,
    pings: u64,
}

impl Connection {
    /// Asks for a connection at once: the first one.
    pub(crate) const fn new() -> Self {
        Self {
            state: Line::Connecting,
            attempt: 0,
            reconnect_at: None,
            connected_at: None,
            heard_at: Time(0),
            submitted_at: Time(0),
            pinged_at: None,
            pings: 0,
        }
    }

    pub(crate) const fn state(&self) -> Line {
        self.state
    }

    /// Whether bytes may flow.
    pub(crate) const fn open(&self) -> bool {
        matches!(self.state, Line::Joining | Line::Live)
    }

    pub(crate) const fn ended(&self) -> Option<CloseCode> {
        match self.state {
            Line::Ended(code) => Some(code),
            _ => None,
        }
    }

    pub(crate) fn connected(&mut self, now: Time) {
        self.state = Line::Joining;
        self.connected_at = Some(now);
        self.reconnect_at = None;
        self.heard(now);
    }

    pub(crate) fn heard(&mut self, now: Time) {
        self.heard_at = now;
        self.pinged_at = None;
    }

    /// A batch goes out: an answer is due.
    pub(crate) const fn submitted(&mut self, now: Time) {
        self.submitted_at = now;
    }

    /// Catching up begins, or is over.
    pub(crate) fn set_live(&mut self, live: bool) {
        if self.open() {
            self.state = if live { Line::Live } else { Line::Joining };
        }
    }

    /// The line is lost, or could not be opened: when to try again.
    pub(crate) fn lost(&mut self, now: Time, least: Duration, random: &mut Random) {
        if self.ended().is_some() || self.state == Line::Waiting {
            return;
        }
        let lasted = self.connected_at.take().is_some_and(|at| now.since(at) >= STABLE_AFTER);
        if lasted {
            self.attempt = 0;
        }
        // Half of the delay is drawn, so that the clients of a restarted server
        // do not all come at once.
        let doubled = RECONNECT_DELAY_MIN.saturating_mul(1 << self.attempt.min(10));
        let full = doubled.min(RECONNECT_DELAY_MAX);
        let half = u64::try_from(full.as_micros()).unwrap_or(u64::MAX) / 2;
        let delay = Duration::from_micros(half + random.below(half.max(1)));
        self.reconnect_at = Some(now + delay.max(least));
        self.attempt = self.attempt.saturating_add(1);
        self.state = Line::Waiting;
    }

    /// Tries at once if it was waiting.
    pub(crate) fn retry(&mut self, now: Time) {
        if self.state == Line::Waiting {
            self.reconnect_at = Some(now);
        }
    }

    pub(crate) fn end(&mut self, code: CloseCode) {
        self.state = Line::Ended(code);
        self.reconnect_at = None;
        self.connected_at = None;
    }

    /// Begins anew after an end.
    pub(crate) fn reopen(&mut self, now: Time) {
        self.state = Line::Waiting;
        self.attempt = 0;
        self.reconnect_at = Some(now);
    }

    /// The next deadline, with its reason.
    pub(crate) fn deadline(&self, in_flight: bool) -> Option<(Time, &'static str)> {
        match self.state {
            Line::Waiting => self.reconnect_at.map(|at| (at, "reconnect")),
            Line::Joining => Some((self.heard_at + HELLO_TIMEOUT, "hello")),
            Line::Live => Some(match self.pinged_at {
                Some(at) => (at + PONG_TIMEOUT, "pong"),
                None if in_flight => {
                    (self.heard_at.max(self.submitted_at) + PING_AFTER_IN_FLIGHT, "ping")
                }
                None => (self.heard_at + PING_AFTER_IDLE, "ping"),
            }),
            Line::Connecting | Line::Ended(_) => None,
        }
    }

    /// What the deadline asks for, once it has come.
    pub(crate) fn due(&mut self, now: Time, in_flight: bool) -> Option<Due> {
        let (at, reason) = self.deadline(in_flight)?;
        if at > now {
            return None;
        }
        Some(match reason {
            "reconnect" => {
                self.reconnect_at = None;
                self.state = Line::Connecting;
                Due::Connect { attempt: self.attempt }
            }
            "ping" => {
                self.pinged_at = Some(now);
                self.pings += 1;
                Due::Ping { nonce: self.pings }
            }
            "pong" => Due::Dead { reason: "no answer to a ping" },
            _ => Due::Dead { reason: "no answer to the greeting" },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_a_bound_and_start_again_after_success() {
        let mut random = Random::new(1);
        let mut line = Connection::new();
        let mut now = Time::from_unix_seconds(100);
        let mut delays = Vec::new();
        for _ in 0..12 {
            line.lost(now, Duration::ZERO, &mut random);
            let (at, reason) = line.deadline(false).expect("a reconnect is planned");
            assert_eq!(reason, "reconnect");
            delays.push(at.since(now));
            now = at;
            assert!(matches!(line.due(now, false), Some(Due::Connect { .. })));
        }
        assert!(delays[0] >= RECONNECT_DELAY_MIN / 2 && delays[0] <= RECONNECT_DELAY_MIN);
        assert!(delays[11] >= RECONNECT_DELAY_MAX / 2 && delays[11] <= RECONNECT_DELAY_MAX);
        line.connected(now);
        now = now + STABLE_AFTER;
        line.lost(now, Duration::ZERO, &mut random);
        let (at, _) = line.deadline(false).expect("a reconnect is planned");
        assert!(at.since(now) <= RECONNECT_DELAY_MIN);
    }

    #[test]
    fn a_silent_line_is_asked_and_then_given_up() {
        let mut line = Connection::new();
        let start = Time::from_unix_seconds(100);
        line.connected(start);
        line.set_live(true);
        assert_eq!(line.due(start + Duration::from_secs(2), true), None);
        let asked = start + PING_AFTER_IN_FLIGHT;
        assert_eq!(line.due(asked, true), Some(Due::Ping { nonce: 1 }));
        assert_eq!(line.due(asked, true), None);
        line.heard(asked);
        let asked = asked + PING_AFTER_IDLE;
        assert_eq!(line.due(asked, false), Some(Due::Ping { nonce: 2 }));
        let dead = line.due(asked + PONG_TIMEOUT, false);
        assert_eq!(dead, Some(Due::Dead { reason: "no answer to a ping" }));
    }
}
