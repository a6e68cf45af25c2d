//! The end that this side begins: reasons arrive, and last words are read.
//!
//! ```text
//! last words written ── stream finished ── the peer has read it ── closed
//!                                          at most 1 s
//! ```
//! A browser's page learns the reason by a capsule, so one more step follows: the
//! connection is closed when the page has closed its session, or after 1 s. A page that
//! got the capsule and the close in one would learn neither.

use std::time::Instant;

use crate::limits::QUIC_FAREWELL_TIME;

/// How far an end has come.
#[derive(Debug)]
pub(super) struct Ending {
    pub(super) code: u32,
    pub(super) reason: &'static str,
    step: Step,
    by: Instant,
    answered: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    /// Last words are being written.
    Words,
    /// The peer is to read them.
    Reading,
    /// The peer is to leave.
    Leaving,
}

/// What is to be done for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Next {
    /// Nothing now.
    Wait,
    /// No more frames follow: say so.
    FinishFrames,
    /// Tell code and reason.
    Close,
    /// The peer had its time to leave.
    Leave,
}

impl Ending {
    /// An end with a reason; it takes until `by` at the latest.
    pub(super) fn new(code: u32, reason: &'static str, by: Instant) -> Self {
        Self { code, reason, step: Step::Words, by, answered: false }
    }

    /// The end of a connection whose request was refused.
    pub(super) fn refused(now: Instant) -> Self {
        let by = now + QUIC_FAREWELL_TIME;
        Self { code: 0, reason: "", step: Step::Leaving, by, answered: false }
    }

    /// The peer has ended its direction, or listens no more.
    pub(super) fn answered(&mut self) {
        self.answered = true;
    }

    /// It takes until `by` at the latest, if that is sooner.
    pub(super) fn hurry(&mut self, by: Instant) {
        self.by = self.by.min(by);
    }

    /// When it goes on at the latest.
    pub(super) fn by(&self) -> Instant {
        self.by
    }

    /// The next step; `said`: all last words are QUIC's. Each step is given once.
    pub(super) fn next(&mut self, now: Instant, said: bool) -> Next {
        let over = now >= self.by;
        match self.step {
            Step::Words if said && !over => {
                self.step = Step::Reading;
                self.by = self.by.min(now + QUIC_FAREWELL_TIME);
                Next::FinishFrames
            }
            Step::Words | Step::Reading if over || self.answered => {
                self.step = Step::Leaving;
                self.by = now + QUIC_FAREWELL_TIME;
                Next::Close
            }
            Step::Leaving if over => Next::Leave,
            _ => Next::Wait,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[expect(clippy::disallowed_methods, reason = "a moment to count from")]
    fn start() -> Instant {
        Instant::now()
    }

    #[test]
    fn an_end_waits_for_its_words_and_for_its_reader() {
        let start = start();
        let mut ending = Ending::new(4_004, "finished", start + Duration::from_secs(30));
        assert_eq!(ending.next(start, false), Next::Wait);
        let later = start + Duration::from_secs(5);
        assert_eq!(ending.next(later, true), Next::FinishFrames);
        assert_eq!(ending.next(later, true), Next::Wait);
        assert_eq!(ending.by(), later + QUIC_FAREWELL_TIME);
        ending.answered();
        assert_eq!(ending.next(later, true), Next::Close);
        assert_eq!(ending.next(later, true), Next::Wait);
        assert_eq!(ending.next(later + QUIC_FAREWELL_TIME, true), Next::Leave);
    }

    #[test]
    fn a_peer_that_never_reads_is_left() {
        let start = start();
        let mut ending = Ending::new(1, "", start + Duration::from_secs(30));
        ending.hurry(start + Duration::from_secs(2));
        ending.hurry(start + Duration::from_secs(9));
        assert_eq!(ending.next(start + Duration::from_secs(2), false), Next::Close);
    }
}
