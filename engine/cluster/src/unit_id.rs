//! Units: the parts of the key space that nodes own.

use std::fmt;

/// How many units there are. Fixed for ever: subjects of the stream carry them.
pub const UNITS: u16 = 64;

/// A sixty-fourth of the key space: the partitions that are equal modulo [`UNITS`]. A
/// unit has at most one owner at a time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct UnitId(u16);

impl UnitId {
    /// The unit of that number; `None` from [`UNITS`] on.
    #[must_use]
    pub const fn new(number: u16) -> Option<Self> {
        if number < UNITS { Some(Self(number)) } else { None }
    }

    /// The unit of a partition.
    #[must_use]
    pub const fn of_partition(partition: u16) -> Self {
        Self(partition % UNITS)
    }

    /// Its number, below [`UNITS`].
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }

    /// All units, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..UNITS).map(Self)
    }
}

impl fmt::Display for UnitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Counts the owners of a unit. Each owner has an epoch of its own, and every later
/// owner a greater one. The first is 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Epoch(pub u64);

/// The place of a batch in the order of its unit.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Mark {
    /// The epoch.
    pub epoch: Epoch,
    /// The number within the epoch.
    pub number: u64,
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch, self.number)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
