//! The records between the core and the log: in order, until they are durable.

use std::collections::VecDeque;

use desk_protocol::Time;
use desk_storage_lsm::disk::Disk;
use desk_storage_lsm::{AppendError, Key, Position, Sequence, Store};

use crate::limits::{BEHIND_UNTIL_PART, RECORD_BYTES};

/// A record that the core appends, or the end of a key.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) position: Position,
    pub(crate) key: Key,
    pub(crate) expires_at: Time,
    pub(crate) what: What,
}

#[derive(Debug)]
pub(crate) enum What {
    Record { sequence: Sequence, bytes: Vec<u8> },
    Forget,
}

impl Entry {
    /// What it takes in memory, roughly.
    fn bytes(&self) -> usize {
        RECORD_BYTES + self.payload_bytes()
    }

    pub(crate) fn payload_bytes(&self) -> usize {
        match &self.what {
            What::Record { bytes, .. } => bytes.len(),
            What::Forget => 0,
        }
    }

    /// # Errors
    /// What the store said.
    ///
    /// # Panics
    /// If the store counts other records than the core.
    fn offer<D: Disk>(&self, store: &Store<D>) -> Result<(), AppendError> {
        let stored = match &self.what {
            What::Record { sequence, bytes } => store.append(self.key, *sequence, bytes)?,
            What::Forget => store.delete(self.key)?,
        };
        assert_eq!(stored, self.position, "the log has one numbering");
        Ok(())
    }
}

/// What a refused record comes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    /// Nobody can ask for what it says: it counts as written.
    Outlived,
    /// It waits until the store takes it, and is not acknowledged before.
    Waits,
    /// The core never gives such a one.
    Impossible,
}

impl Fate {
    /// A missing bucket has gone, and with it all that was promised of its desks; or
    /// it is yet to come, after a step of the clock or while the manifest cannot be
    /// written. The promise tells which.
    fn of(error: &AppendError, expires_at: Time, now: Time) -> Self {
        match error {
            AppendError::NoBucket { .. } if expires_at <= now => Self::Outlived,
            // The core loads no quarantined desk and bounds its records.
            AppendError::TooLarge { .. } | AppendError::Quarantined(_) => Self::Impossible,
            AppendError::NoBucket { .. }
            | AppendError::Poisoned(_)
            | AppendError::LogFull
            | AppendError::NoSpace => Self::Waits,
        }
    }
}

/// What came of a record that was offered to the store.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Offered {
    /// The store took it.
    Taken,
    /// Nobody can ask for it any more.
    Outlived,
    /// It waits.
    Waits(AppendError),
}

/// Records that are not durable.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// Positions and bytes of the records that the store has taken, in order.
    taken: VecDeque<(Position, usize)>,
    /// Refused for now. Nothing computed from these, or later, is shown, and
    /// they go in as soon as there is room, in this order.
    backlog: VecDeque<Entry>,
    /// Bytes of all that is here.
    bytes: usize,
    durable: Position,
    behind: bool,
}

impl Log {
    /// Appends an entry, or keeps it until the store takes it: `None` if others wait
    /// before it.
    pub(crate) fn append<D: Disk>(
        &mut self,
        now: Time,
        store: &Store<D>,
        entry: Entry,
    ) -> Option<Offered> {
        self.bytes += entry.bytes();
        if !self.backlog.is_empty() {
            self.backlog.push_back(entry);
            return None;
        }
        Some(self.offer(now, store, entry))
    }

    /// Offers the oldest refused record again; `None` if there is none.
    pub(crate) fn offer_again<D: Disk>(
        &mut self,
        now: Time,
        store: &Store<D>,
    ) -> Option<(Key, usize, Offered)> {
        let entry = self.backlog.pop_front()?;
        let (key, bytes) = (entry.key, entry.payload_bytes());
        Some((key, bytes, self.offer(now, store, entry)))
    }

    fn offer<D: Disk>(&mut self, now: Time, store: &Store<D>, entry: Entry) -> Offered {
        let (position, bytes) = (entry.position, entry.bytes());
        let offered = match entry.offer(store) {
            Ok(()) => Offered::Taken,
            Err(error) => match Fate::of(&error, entry.expires_at, now) {
                Fate::Outlived => {
                    assert_eq!(store.skip(), position, "the log has one numbering");
                    Offered::Outlived
                }
                Fate::Waits => {
                    self.backlog.push_front(entry);
                    return Offered::Waits(error);
                }
                Fate::Impossible => panic!("the log refused a record for good: {error}"),
            },
        };
        self.taken.push_back((position, bytes));
        offered
    }

    /// How far the log is durable, if that is further than before.
    pub(crate) fn advance(&mut self, durable: Position) -> Option<Position> {
        if durable <= self.durable {
            return None;
        }
        while let Some((_, bytes)) = self.taken.front().filter(|(at, _)| *at <= durable) {
            self.bytes -= bytes;
            self.taken.pop_front();
        }
        self.durable = durable;
        Some(durable)
    }

    /// Whether more than so many bytes wait, which holds until a part of them has
    /// gone.
    pub(crate) fn is_behind(&mut self, most: usize) -> bool {
        self.behind = self.bytes > if self.behind { most / BEHIND_UNTIL_PART } else { most };
        self.behind
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.taken.is_empty() && self.backlog.is_empty()
    }

    pub(crate) fn backlog(&self) -> usize {
        self.backlog.len()
    }

    pub(crate) fn records(&self) -> usize {
        self.taken.len() + self.backlog.len()
    }

    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The log failed: nothing that waits will ever be written.
    pub(crate) fn clear(&mut self) {
        *self = Self { durable: self.durable, ..Self::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_behind_until_half_of_what_may_wait_has_gone() {
        let bytes = RECORD_BYTES + 100;
        let mut log = Log::default();
        let most = 4 * bytes;
        for number in 1..=5 {
            assert!(!log.is_behind(most), "{number}");
            log.bytes += bytes;
            log.taken.push_back((Position(number), bytes));
        }
        assert!(log.is_behind(most));
        assert_eq!(log.advance(Position(0)), None);
        assert_eq!(log.advance(Position(2)), Some(Position(2)));
        assert!(log.bytes() < most && log.is_behind(most));
        assert_eq!(log.advance(Position(3)), Some(Position(3)));
        assert!(!log.is_behind(most));
        assert_eq!(log.advance(Position(5)), Some(Position(5)));
        assert_eq!((log.bytes(), log.records()), (0, 0));
    }

    #[test]
    fn only_what_has_expired_counts_as_written_without_a_bucket() {
        let now = Time::from_unix_seconds(1_700_000_000);
        let (over, ahead) = (now, Time::from_unix_seconds(1_700_000_001));
        // Made a second ago, in a bucket that is yet to be stamped.
        let no_bucket = AppendError::NoBucket { second: 1_699_999_999 };
        assert_eq!(Fate::of(&no_bucket, ahead, now), Fate::Waits);
        assert_eq!(Fate::of(&no_bucket, over, now), Fate::Outlived);
        // Only a missing bucket says that it has gone.
        for error in [AppendError::LogFull, AppendError::NoSpace] {
            assert_eq!(Fate::of(&error, over, now), Fate::Waits, "{error}");
        }
    }
}
