//! What the log has of one key.

use crate::key::Sequence;
use crate::log::writer::Age;

/// A segment's age in half the bytes, since there is one of these for every
/// hot key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct ShortAge(u32);

impl ShortAge {
    const NONE: Self = Self(u32::MAX);

    pub(super) fn of(age: Age) -> Self {
        let short = u32::try_from(age.0).ok().filter(|short| *short < u32::MAX);
        Self(short.expect("a run brings fewer than 2^32 segments into use"))
    }

    pub(super) fn age(self) -> Age {
        Age(u64::from(self.0))
    }

    fn some(self) -> Option<Self> {
        (self != Self::NONE).then_some(self)
    }
}

/// The segments that a key holds, and what snapshots cover of its records.
///
/// Records come in the order of their sequences and segments in the order of
/// their ages. Only after a start, when the logs of former shards are merged, they may
/// come in another order. The range is then widened, so it holds more and never less.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Held {
    /// The newest record that any segment has.
    last: Sequence,
    /// All records from this one on lie in the newest segment.
    newest_from: Sequence,
    /// Up to where a snapshot on its way covers the records; 0 without one.
    cover: Sequence,
    oldest: ShortAge,
    newest: ShortAge,
    /// The first segment with a record that the cover does not reach.
    open: ShortAge,
}

impl Held {
    /// A key that holds nothing.
    pub(super) const NOTHING: Self = Self {
        last: Sequence(0),
        newest_from: Sequence(0),
        cover: Sequence(0),
        oldest: ShortAge::NONE,
        newest: ShortAge::NONE,
        open: ShortAge::NONE,
    };

    /// Where its range begins, where that ends, and the first segment with a
    /// record that no snapshot covers.
    pub(super) fn marks(&self) -> [Option<ShortAge>; 3] {
        [self.oldest, self.newest, self.open].map(ShortAge::some)
    }

    pub(super) fn is_nothing(&self) -> bool {
        !self.holds() && self.cover == Sequence(0)
    }

    fn holds(&self) -> bool {
        self.oldest != ShortAge::NONE
    }

    /// The segment has a record of that sequence.
    pub(super) fn hold(&mut self, segment: ShortAge, sequence: Sequence) {
        // Records from here on lie nowhere yet.
        let beyond = sequence.max(self.last.next());
        if !self.holds() {
            (self.oldest, self.newest, self.newest_from) = (segment, segment, sequence);
        } else if segment > self.newest {
            (self.newest, self.newest_from) = (segment, beyond);
        } else if segment < self.newest {
            self.oldest = segment.min(self.oldest);
            self.newest_from = beyond.next();
        }
        self.last = sequence.max(self.last);
        if sequence > self.cover && (self.open == ShortAge::NONE || segment < self.open) {
            self.open = segment;
        }
    }

    /// A snapshot up to `sequence` is on its way.
    pub(super) fn cover(&mut self, sequence: Sequence) {
        if sequence <= self.cover {
            return;
        }
        self.cover = sequence;
        self.open = if !self.holds() || sequence >= self.last {
            ShortAge::NONE
        } else if self.only_newest_is_past(sequence) {
            self.newest
        } else {
            self.open
        };
    }

    /// A snapshot up to `sequence` is durable.
    pub(super) fn release(&mut self, sequence: Sequence) {
        if self.holds() {
            if sequence >= self.last {
                (self.oldest, self.newest, self.open) =
                    (ShortAge::NONE, ShortAge::NONE, ShortAge::NONE);
                (self.last, self.newest_from) = (Sequence(0), Sequence(0));
            } else if self.only_newest_is_past(sequence) {
                self.oldest = self.newest;
            } else if sequence == self.cover {
                self.oldest = self.open;
            }
            // After the older of two snapshots it is unknown where the uncovered
            // records begin. The newer snapshot releases them.
            if self.open != ShortAge::NONE {
                self.open = self.open.max(self.oldest);
            }
        }
        if sequence >= self.cover {
            self.cover = Sequence(0);
        }
    }

    /// Whether the records after `sequence` all lie in the newest segment.
    fn only_newest_is_past(&self, sequence: Sequence) -> bool {
        sequence.next() >= self.newest_from
    }
}
