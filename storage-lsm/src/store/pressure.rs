//! How much of the log's budget is used.

/// How hard the log needs snapshots.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum PressureLevel {
    /// Under half of the budget is used.
    Low,
    /// Half is used, or a former run's log is still needed: snapshot the
    /// holding keys as time allows.
    Snapshot,
    /// Four fifths are used: snapshot them before anything else.
    Urgent,
    /// No segment is left; records are refused when the last one is full.
    Full,
}

/// The state of the log's budget.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pressure {
    /// How hard snapshots are needed.
    pub level: PressureLevel,
    /// Bytes of the segments in use.
    pub used_bytes: u64,
    /// Bytes that they may take.
    pub budget_bytes: u64,
    /// Bytes of segments of former runs that are still needed.
    pub inherited_bytes: u64,
}
