//! What is not as it was written, and where.

use crate::file::FileKind;

/// Bytes that are not what was written there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Flaw {
    /// The file.
    pub file: FileKind,
    /// Where the part begins, in bytes.
    pub offset: u64,
    /// What should stand there.
    pub part: Part,
    /// How that came about, as far as it can be told.
    pub cause: Cause,
}

/// A part of a file that has a checksum of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// A slot of the manifest. The other one has all of it.
    ManifestSlot,
    /// A header slot of a log segment.
    SegmentHeader,
    /// The header of a table.
    TableHeader,
    /// The directory of a block of a table.
    Directory,
    /// A value in a table.
    Value,
    /// The footer of a table, or its trailer. Without it the blocks are read.
    Footer,
}

/// Why bytes are not what was to be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cause {
    /// A crash that interrupts a write leaves this. The content stands elsewhere too,
    /// and a start goes on from there. Damage may look the same.
    Interrupted,
    /// No crash leaves this.
    Damage,
}

impl Part {
    /// What it is, in words.
    pub fn name(self) -> &'static str {
        match self {
            Self::ManifestSlot => "a slot of the manifest, which has another",
            Self::SegmentHeader => "a header of a log segment",
            Self::TableHeader => "the header of a table",
            Self::Directory => "the directory of a block of a table",
            Self::Value => "a value in a table",
            Self::Footer => "the footer of a table, whose blocks are read instead",
        }
    }
}
