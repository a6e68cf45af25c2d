//! What recovery found.

use crate::file::FileId;
use crate::key::{Key, UnixSecond};
use crate::log::batch::LogId;
use crate::log::replay::{LostRange, Tail};
use crate::manifest::ClockState;
use crate::store::Gap;

/// One log of a former run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogReport {
    /// The log.
    pub log: LogId,
    /// Batches read.
    pub batches: u64,
    /// Numbers of the batches that cannot be read.
    pub lost: Vec<LostRange>,
    /// How its newest segment ended; `None` for a log that was closed by an
    /// earlier start.
    pub tail: Option<Tail>,
}

/// A table that is not as it was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TableFault {
    /// The table.
    pub file: FileId,
    /// What is wrong.
    pub kind: TableFaultKind,
}

/// What is wrong with a table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TableFaultKind {
    /// The manifest names it and the folder does not have it.
    Missing,
    /// Its header is damaged; its values are used all the same.
    Header,
    /// This many blocks that it was proven to have are not there, and what
    /// they held is unknown.
    Blocks(u32),
}

/// What a start found, for the operator.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecoveryReport {
    /// How often the store was opened, this start included.
    pub epoch: u32,
    /// Whether the folder was empty.
    pub fresh: bool,
    /// Whether the clock may drop data.
    pub clock: ClockState,
    /// When the store was last known to run.
    pub recorded: UnixSecond,
    /// The logs that were read.
    pub logs: Vec<LogReport>,
    /// Segments that the manifest names and the folder does not have, or not in
    /// the length in which they were made.
    pub missing_segments: Vec<FileId>,
    /// Segments whose header is damaged. That is normal after a crash for one
    /// that was being taken into use; what it held is read without the header.
    pub damaged_segments: Vec<FileId>,
    /// Tables that are not as they were written.
    pub tables: Vec<TableFault>,
    /// Keys whose records have a gap. Their bytes are kept.
    pub quarantined: Vec<(Key, Gap)>,
    /// Keys found.
    pub keys: u64,
    /// Records newer than the snapshot of their key.
    pub records: u64,
    /// Records skipped because their key has expired or its bucket has gone.
    pub expired: u64,
    /// Files that nobody needs, to be removed in the background.
    pub doomed: u64,
}

impl RecoveryReport {
    /// Whether blocks of the table are missing.
    pub fn lacks_blocks(&self, file: FileId) -> bool {
        let lacks = |fault: &TableFault| matches!(fault.kind, TableFaultKind::Blocks(_));
        self.tables.iter().any(|fault| fault.file == file && lacks(fault))
    }

    /// Whether anything that was acknowledged may be lost.
    pub fn is_sound(&self) -> bool {
        self.logs.iter().all(|log| log.lost.is_empty())
            && self.missing_segments.is_empty()
            && self.tables.is_empty()
            && self.quarantined.is_empty()
    }
}
