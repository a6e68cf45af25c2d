//! The deadlines of a shard, in one ordered set.

use std::collections::BTreeSet;

use desk_protocol::{LinkId, Time};

use crate::names::{ConnectionId, RequestId};

/// What is due. A timer whose reason has gone does nothing when it fires.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Timer {
    /// A connection must have said hello.
    Hello(ConnectionId),
    /// A connection over its rate is read again.
    Resume(ConnectionId),
    /// A connection that is behind may find room for a copy of its desk.
    Pump(ConnectionId),
    /// Presence of a desk goes out.
    Presence(LinkId),
    /// A poll has waited long enough.
    Poll(RequestId),
    /// Connections of a desk that have fallen silent are looked for.
    Watch(LinkId),
    /// A desk may be unused.
    Idle(LinkId),
    /// A desk's time is over.
    Expiry(LinkId),
    /// More desks can be stored.
    Store,
}

impl Timer {
    /// For logs and the simulator.
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Timer::Hello(_) => "hello",
            Timer::Resume(_) => "resume",
            Timer::Pump(_) => "pump",
            Timer::Presence(_) => "presence",
            Timer::Poll(_) => "poll",
            Timer::Watch(_) => "watch",
            Timer::Idle(_) => "idle",
            Timer::Expiry(_) => "expiry",
            Timer::Store => "store",
        }
    }
}

#[derive(Default)]
pub(crate) struct Timers {
    set: BTreeSet<(Time, Timer)>,
}

impl Timers {
    pub(crate) fn arm(&mut self, at: Time, timer: Timer) {
        self.set.insert((at, timer));
    }

    pub(crate) fn disarm(&mut self, at: Time, timer: Timer) {
        self.set.remove(&(at, timer));
    }

    pub(crate) fn next(&self) -> Option<(Time, &'static str)> {
        self.set.first().map(|(at, timer)| (*at, timer.reason()))
    }

    /// Takes one timer that is due.
    pub(crate) fn pop_due(&mut self, now: Time) -> Option<Timer> {
        let (at, timer) = *self.set.first()?;
        if at > now {
            return None;
        }
        self.set.pop_first();
        Some(timer)
    }
}
