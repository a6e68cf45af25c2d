//! When the store is looked after: one call at a time, with pauses.

use desk_protocol::Time;

use crate::io::Deadline;

/// A call of the store; the last one counts most.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Work {
    /// Look at the free space, which upkeep does as well.
    Measure,
    /// A step of upkeep.
    Maintain,
    /// Seal the tables, for a stop.
    Seal,
}

/// The one call that is under way, and the next one.
#[derive(Debug, Default)]
pub(crate) struct Upkeep {
    under_way: Option<Work>,
    wanted: Option<Work>,
    deadline: Option<Deadline>,
}

impl Upkeep {
    /// Sees to it that this is done, after what is under way.
    pub(crate) fn want(&mut self, work: Work) {
        self.wanted = self.wanted.max(Some(work));
    }

    /// What can be done now, and is under way then.
    pub(crate) fn begin(&mut self) -> Option<Work> {
        if self.is_under_way() {
            return None;
        }
        let work = self.wanted.take()?;
        self.under_way = Some(work);
        if work > Work::Measure {
            self.deadline = None;
        }
        Some(work)
    }

    /// It is done.
    pub(crate) fn done(&mut self) {
        assert!(self.is_under_way(), "only what was begun is done");
        self.under_way = None;
    }

    pub(crate) const fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    /// Whether the free space is being looked at.
    pub(crate) const fn is_measuring(&self) -> bool {
        matches!(self.under_way, Some(Work::Measure))
    }

    /// Whether nothing is under way, or wanted, or to come.
    pub(crate) const fn is_idle(&self) -> bool {
        !self.is_under_way() && self.wanted.is_none() && self.deadline.is_none()
    }

    /// Another step is due then at the latest.
    pub(crate) fn rest_until(&mut self, at: Time, why: &'static str) {
        self.deadline = Some((at, why));
    }

    pub(crate) const fn deadline(&self) -> Option<Deadline> {
        self.deadline
    }

    /// Whether a step is due, which is then said no more.
    pub(crate) fn take_due(&mut self, now: Time) -> bool {
        self.deadline.take_if(|(at, _)| *at <= now).is_some()
    }
}
