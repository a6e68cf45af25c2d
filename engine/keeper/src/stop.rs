//! The phases of a planned stop.

use std::time::Duration;

use desk_protocol::Time;

use crate::limits::STOP_STORE_PART;

/// What the core and its shell still have to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Left {
    /// Connections, requests, and outputs that wait for the log.
    pub(crate) open: usize,
    /// Desks that wait to be stored, or are being stored.
    pub(crate) unstored: usize,
}

/// How far a planned stop has got.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stop {
    /// There is none.
    No,
    /// What was accepted becomes durable, people get what they were to get, and
    /// desks are stored.
    Storing {
        /// When no desk is waited for any more.
        until: Time,
        /// What is left, since somebody told.
        left: Option<Left>,
    },
    /// The tables are sealed.
    Sealing,
    /// All is done.
    Done,
}

impl Stop {
    pub(crate) fn begin(&mut self, now: Time, time: Duration) {
        *self = Self::Storing { until: now + time / STOP_STORE_PART, left: None };
    }

    pub(crate) fn tell(&mut self, news: Left) {
        if let Self::Storing { left, .. } = self {
            *left = Some(news);
        }
    }

    pub(crate) const fn is_no(self) -> bool {
        matches!(self, Self::No)
    }

    pub(crate) const fn is_storing(self) -> bool {
        matches!(self, Self::Storing { .. })
    }

    /// Whether records are committed: sealing does it by itself.
    pub(crate) const fn writes(self) -> bool {
        matches!(self, Self::No | Self::Storing { .. })
    }

    /// Whether everybody has got what they were to get.
    pub(crate) fn has_left(self) -> bool {
        matches!(self, Self::Storing { left: Some(Left { open: 0, .. }), .. })
    }

    /// Whether the tables may be sealed, as far as the core and its shell go.
    pub(crate) fn may_seal(self, now: Time) -> bool {
        match self {
            Self::Storing { until, left: Some(left) } => {
                left.open == 0 && (left.unstored == 0 || now >= until)
            }
            _ => false,
        }
    }
}
