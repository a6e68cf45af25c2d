//! Whether changes are taken, and why not.

/// Whether changes are taken now. It is kept in one place, the
/// [`Keeper`](crate::Keeper); everybody else is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Writable {
    /// Changes are taken.
    #[default]
    Yes,
    /// Changes are refused.
    No(Why),
}

impl Writable {
    /// Whether changes are taken.
    #[must_use]
    pub const fn is_yes(self) -> bool {
        matches!(self, Self::Yes)
    }
}

/// Why changes are refused. Where several reasons hold, the first one in this
/// order is told.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Why {
    /// A write failed. Only a restart helps.
    Poisoned,
    /// A planned stop has begun.
    Draining,
    /// The log's last segment is in use.
    LogFull,
    /// The disk is full up to the reserve.
    BelowReserve,
    /// More bytes wait for the disk than may be in memory.
    Behind,
    /// Records wait that the store has refused.
    Backlog,
}

impl Why {
    /// All reasons, in the order of their weight.
    pub const ALL: [Self; 6] = [
        Self::Poisoned,
        Self::Draining,
        Self::LogFull,
        Self::BelowReserve,
        Self::Behind,
        Self::Backlog,
    ];
}

impl std::fmt::Display for Why {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Poisoned => "a write to the data folder failed",
            Self::Draining => "the server is going down",
            Self::LogFull => "the log's budget is used up",
            Self::BelowReserve => "the disk is full up to the reserve",
            Self::Behind => "the disk is slower than the changes, or hangs",
            Self::Backlog => "records wait that the store has refused",
        })
    }
}
