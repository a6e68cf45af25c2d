//! The connection as the client sees it: when to connect, greet, ask whether
//! the line is alive, and give it up.

use std::time::Duration;

use desk_protocol::Time;
use desk_protocol::frame::CloseCode;

use crate::event::Line;
use crate::limits::*;
use crate::random::Random;
use crate::trouble::Trouble;

/// What a deadline of the line asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Due {
    /// Open a line.
    Connect { attempt: u32 },
    /// Send a ping with this nonce.
    Ping { nonce: u64 },
    /// Give the line up.
    Dead(Trouble),
}

/// What the line waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Wait {
    /// The next attempt.
    Attempt,
    /// The transport, to open the line.
    Opening,
    /// The answer to the greeting, and the end of catching up.
    Greeting,
    /// A sign of life, without asking.
    Sign,
    /// The answer to a ping.
    Pong,
}

impl Wait {
    /// For logs, and for whoever arms the timer.
    const fn reason(self) -> &'static str {
        match self {
            Self::Attempt => "reconnect",
            Self::Opening => "connect",
            Self::Greeting => "hello",
            Self::Sign => "ping",
            Self::Pong => "pong",
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Connection {
    state: Line,
    /// Losses since the last line that was live for a while.
    attempt: u32,
    /// When the next attempt begins, while the line waits for it.
    reconnect_at: Time,
    /// When the attempt began; `None` before any time was told.
    connecting_at: Option<Time>,
    /// When the line became live, if it did.
    live_at: Option<Time>,
    /// When anything came in, or the line was opened.
    heard_at: Time,
    /// When a batch went out.
    submitted_at: Time,
    /// When all that was sent has arrived, over the slowest line that is served.
    arrives_at: Time,
    /// When a ping went out that nothing came in after.
    pinged_at: Option<Time>,
    pings: u64,
    /// The line is to be asked at once.
    doubted: bool,
    /// A deadline passed while this side did not run, and was put off once.
    excused: bool,
    /// Somebody looks at the status.
    watched: bool,
    /// What went wrong since the line was live, or since somebody asked to try.
    trouble: Option<Trouble>,
}

impl Connection {
    /// Asks for a connection at once: the first one.
    pub(crate) const fn new() -> Self {
        Self {
            state: Line::Connecting,
            attempt: 0,
            reconnect_at: Time(0),
            connecting_at: None,
            live_at: None,
            heard_at: Time(0),
            submitted_at: Time(0),
            arrives_at: Time(0),
            pinged_at: None,
            pings: 0,
            doubted: false,
            excused: false,
            watched: true,
            trouble: None,
        }
    }

    pub(crate) const fn state(&self) -> Line {
        self.state
    }

    /// What went wrong since the line was live, or since somebody asked to try.
    pub(crate) const fn trouble(&self) -> Option<Trouble> {
        self.trouble
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

    /// The first attempt is asked for before any time is known.
    pub(crate) const fn tell_time(&mut self, now: Time) {
        if self.connecting_at.is_none() {
            self.connecting_at = Some(now);
        }
    }

    pub(crate) fn connected(&mut self, now: Time) {
        self.state = Line::Joining;
        self.live_at = None;
        self.arrives_at = now;
        self.heard(now);
    }

    pub(crate) const fn heard(&mut self, now: Time) {
        self.heard_at = now;
        self.pinged_at = None;
        self.doubted = false;
        self.excused = false;
    }

    /// Bytes go out; `batch`: an answer to a batch is due.
    pub(crate) fn sent(&mut self, now: Time, bytes: usize, batch: bool) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let takes = Duration::from_micros(bytes.saturating_mul(1_000_000) / SLOW_LINE_RATE);
        self.arrives_at = self.arrives_at.max(now) + takes;
        if batch {
            self.submitted_at = now;
        }
    }

    /// Catching up begins, or is over.
    pub(crate) const fn set_live(&mut self, now: Time, live: bool) {
        if !self.open() {
            return;
        }
        self.state = if live { Line::Live } else { Line::Joining };
        if live {
            self.trouble = None;
            if self.live_at.is_none() {
                self.live_at = Some(now);
            }
        }
    }

    /// The line is lost, or could not be opened: when to try again.
    pub(crate) fn lost(&mut self, now: Time, why: Trouble, least: Duration, random: &mut Random) {
        if self.ended().is_some() || self.state == Line::Waiting {
            return;
        }
        let live_at = self.live_at.take();
        if why == Trouble::Server(CloseCode::Moved) && live_at.is_some() {
            // The desk is served, elsewhere: no attempt has failed.
            (self.state, self.reconnect_at, self.trouble) = (Line::Waiting, now, Some(why));
            return;
        }
        let lasted = live_at.is_some_and(|at| now.since(at) >= STABLE_AFTER);
        if lasted {
            self.attempt = 0;
        }
        // Half of the delay is drawn, so that the clients of a restarted server
        // do not all come at once.
        let doubled = RECONNECT_DELAY_MIN.saturating_mul(1 << self.attempt.min(10));
        let full = doubled.min(RECONNECT_DELAY_MAX);
        let half = u64::try_from(full.as_micros()).unwrap_or(u64::MAX) / 2;
        let delay = Duration::from_micros(half + random.below(half.max(1)));
        self.reconnect_at = now + delay.max(least);
        self.attempt = self.attempt.saturating_add(1);
        self.state = Line::Waiting;
        self.trouble = Some(why);
    }

    /// There is reason to believe that a new attempt works, or that the line is not
    /// what it was. Says whether the attempt under way is to be dropped for it.
    pub(crate) fn retry(&mut self, now: Time) -> bool {
        match self.state {
            Line::Waiting => self.plan(now),
            // What has not answered by now may never do.
            Line::Connecting => {
                self.plan(now);
                return true;
            }
            Line::Joining if now.since(self.heard_at) >= PING_AFTER => {
                self.plan(now);
                return true;
            }
            Line::Live => self.doubted = true,
            Line::Joining | Line::Ended(_) => {}
        }
        false
    }

    /// The next attempt begins at once, and nothing has gone wrong with it.
    const fn plan(&mut self, now: Time) {
        self.state = Line::Waiting;
        self.reconnect_at = now;
        self.live_at = None;
        self.trouble = None;
    }

    /// There is reason to believe that the line is gone.
    pub(crate) fn doubt(&mut self) {
        self.doubted |= self.state == Line::Live;
    }

    /// Whether somebody looks at the status.
    pub(crate) const fn watch(&mut self, watched: bool) {
        self.watched = watched;
    }

    pub(crate) fn end(&mut self, code: CloseCode) {
        self.state = Line::Ended(code);
        self.live_at = None;
    }

    /// Begins anew after an end.
    pub(crate) const fn reopen(&mut self, now: Time) {
        self.attempt = 0;
        self.plan(now);
    }

    /// The next deadline, with its reason.
    pub(crate) fn deadline(&self, in_flight: bool) -> Option<(Time, &'static str)> {
        self.wait(in_flight).map(|(at, wait)| (at, wait.reason()))
    }

    fn wait(&self, in_flight: bool) -> Option<(Time, Wait)> {
        Some(match self.state {
            Line::Waiting => (self.reconnect_at, Wait::Attempt),
            Line::Connecting => {
                (self.connecting_at? + self.patience(CONNECT_TIMEOUT), Wait::Opening)
            }
            Line::Joining => {
                let from = self.heard_at.max(self.arrives_at);
                (from + self.patience(HELLO_TIMEOUT), Wait::Greeting)
            }
            Line::Live => match self.pinged_at {
                Some(at) => (at.max(self.arrives_at) + PONG_TIMEOUT, Wait::Pong),
                None if self.doubted => (self.heard_at, Wait::Sign),
                None if self.watched => (self.heard_at + PING_AFTER, Wait::Sign),
                None if in_flight => {
                    (self.heard_at.max(self.submitted_at) + PING_AFTER, Wait::Sign)
                }
                None => (self.heard_at + PING_AFTER_UNWATCHED, Wait::Sign),
            },
            Line::Ended(_) => return None,
        })
    }

    /// A bad line gets more time at each attempt: with the same it would fail for ever.
    fn patience(&self, first: Duration) -> Duration {
        first * (1 << self.attempt.saturating_sub(1).min(PATIENCE_DOUBLINGS_MAX))
    }

    /// What the deadline asks for, once it has come.
    pub(crate) fn due(&mut self, now: Time, in_flight: bool) -> Option<Due> {
        let (at, wait) = self.wait(in_flight)?;
        if at > now {
            return None;
        }
        let overslept = now.since(at) >= OVERSLEPT && !std::mem::replace(&mut self.excused, true);
        match wait {
            Wait::Attempt => {
                self.state = Line::Connecting;
                self.connecting_at = Some(now);
                self.excused = false;
                Some(Due::Connect { attempt: self.attempt })
            }
            Wait::Sign => {
                self.excused = false;
                Some(self.ping(now))
            }
            // This side slept or was busy past the deadline: what the server said
            // meanwhile may still wait to be read.
            Wait::Opening if overslept => {
                self.connecting_at = Some(now);
                None
            }
            Wait::Greeting if overslept => {
                self.heard_at = now;
                None
            }
            Wait::Pong if overslept => Some(self.ping(now)),
            Wait::Opening => Some(Due::Dead(Trouble::NoAnswer)),
            Wait::Greeting => Some(Due::Dead(Trouble::NoAnswer)),
            Wait::Pong => Some(Due::Dead(Trouble::Silent)),
        }
    }

    const fn ping(&mut self, now: Time) -> Due {
        self.pinged_at = Some(now);
        self.doubted = false;
        self.pings += 1;
        Due::Ping { nonce: self.pings }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_desk_that_moves_is_followed_at_once_but_not_in_circles() {
        let mut random = Random::new(1);
        let mut line = Connection::new();
        let now = Time::from_unix_seconds(100);
        let moved = Trouble::Server(CloseCode::Moved);
        line.connected(now);
        line.set_live(now, true);
        line.lost(now, moved, Duration::ZERO, &mut random);
        assert_eq!(line.deadline(false), Some((now, "reconnect")));
        assert!(matches!(line.due(now, false), Some(Due::Connect { attempt: 0 })));
        line.connected(now);
        line.lost(now, moved, Duration::ZERO, &mut random);
        let (at, _) = line.deadline(false).expect("a reconnect is planned");
        assert!(at.since(now) >= RECONNECT_DELAY_MIN / 2);
    }

    #[test]
    fn delays_double_up_to_a_bound_and_start_again_after_success() {
        let mut random = Random::new(1);
        let mut line = Connection::new();
        let mut now = Time::from_unix_seconds(100);
        let mut delays = Vec::new();
        for _ in 0..12 {
            line.lost(now, Trouble::Lost, Duration::ZERO, &mut random);
            let (at, reason) = line.deadline(false).expect("a reconnect is planned");
            assert_eq!(reason, "reconnect");
            delays.push(at.since(now));
            now = at;
            assert!(matches!(line.due(now, false), Some(Due::Connect { .. })));
        }
        assert!(delays[0] >= RECONNECT_DELAY_MIN / 2 && delays[0] <= RECONNECT_DELAY_MIN);
        assert!(delays[11] >= RECONNECT_DELAY_MAX / 2 && delays[11] <= RECONNECT_DELAY_MAX);
        line.connected(now);
        line.set_live(now, true);
        now = now + STABLE_AFTER;
        line.lost(now, Trouble::Lost, Duration::ZERO, &mut random);
        let (at, _) = line.deadline(false).expect("a reconnect is planned");
        assert!(at.since(now) <= RECONNECT_DELAY_MIN);
    }
}
