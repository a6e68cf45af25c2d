//! How long a connection was not heard of.

use desk_protocol::Time;

use crate::limits::ShardLimits;

/// When a connection was heard of, and what became of asking it.
#[derive(Debug)]
pub(crate) struct Silence {
    heard_at: Time,
    /// When it was asked for a sign of life that has not come.
    probed_at: Option<Time>,
    /// It did not answer in time: its person counts as gone.
    gone: bool,
}

/// What a silence asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Look {
    /// Nothing yet, or nothing more.
    Nothing,
    /// Ask for a sign of life.
    Probe,
    /// Its person has left, as far as others can tell.
    Gone,
}

impl Silence {
    pub(crate) const fn new(now: Time) -> Self {
        Self { heard_at: now, probed_at: None, gone: false }
    }

    /// Takes a sign of life. Says whether its person had counted as gone.
    pub(crate) fn heard(&mut self, now: Time) -> bool {
        self.heard_at = now;
        self.probed_at = None;
        std::mem::take(&mut self.gone)
    }

    /// Looks at it, about once a second.
    pub(crate) fn look(&mut self, now: Time, limits: &ShardLimits) -> Look {
        match self.probed_at {
            _ if self.gone => Look::Nothing,
            Some(at) if now.since(at) >= limits.probe_time => {
                self.gone = true;
                Look::Gone
            }
            Some(_) => Look::Nothing,
            None if now.since(self.heard_at) >= limits.probe_after => {
                self.probed_at = Some(now);
                Look::Probe
            }
            None => Look::Nothing,
        }
    }
}
