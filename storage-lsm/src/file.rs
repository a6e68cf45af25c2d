//! Names of the store's files.

use crate::key::ShardId;

/// The manifest's file.
pub const MANIFEST: &str = "manifest";

/// What names a log segment or a table: unique for the store's whole life,
/// without asking anybody, because the epoch grows at every start.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FileId {
    /// The start of the server that made the file.
    pub epoch: u32,
    /// The shard that made it.
    pub shard: ShardId,
    /// Counted by that shard.
    pub number: u32,
}

impl FileId {
    pub(crate) fn bytes(self) -> [u8; 12] {
        let mut out = [0; 12];
        out[..4].copy_from_slice(&self.epoch.to_le_bytes());
        out[4..6].copy_from_slice(&self.shard.0.to_le_bytes());
        out[8..].copy_from_slice(&self.number.to_le_bytes());
        out
    }

    /// The file name of the log segment with this id.
    pub fn segment_name(self) -> String {
        self.name("log")
    }

    /// The file name of the table with this id.
    pub fn table_name(self) -> String {
        self.name("table")
    }

    fn name(self, kind: &str) -> String {
        format!("{:08x}-{:04x}-{:08x}.{kind}", self.epoch, self.shard.0, self.number)
    }
}

/// A file of the store, told from its name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum FileKind {
    /// The manifest.
    Manifest,
    /// A log segment.
    Segment(FileId),
    /// A table.
    Table(FileId),
}

impl FileKind {
    /// `None` for a name that the store never gives: such files are left alone.
    pub fn of(name: &str) -> Option<Self> {
        if name == MANIFEST {
            return Some(Self::Manifest);
        }
        let (stem, kind) = name.split_once('.')?;
        let mut parts = stem.split('-');
        let (epoch, shard, number) = (parts.next()?, parts.next()?, parts.next()?);
        let id = FileId {
            epoch: u32::from_str_radix(epoch, 16).ok()?,
            shard: ShardId(u16::from_str_radix(shard, 16).ok()?),
            number: u32::from_str_radix(number, 16).ok()?,
        };
        let file = match kind {
            "log" => Self::Segment(id),
            "table" => Self::Table(id),
            _ => return None,
        };
        // Only the canonical spelling is ours.
        (file.name() == name).then_some(file)
    }

    /// The file's name.
    pub fn name(self) -> String {
        match self {
            Self::Manifest => MANIFEST.to_owned(),
            Self::Segment(id) => id.segment_name(),
            Self::Table(id) => id.table_name(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_files_are_one_to_one() {
        let id = FileId { epoch: 3, shard: ShardId(2), number: 0xabc };
        for file in [FileKind::Manifest, FileKind::Segment(id), FileKind::Table(id)] {
            assert_eq!(FileKind::of(&file.name()), Some(file));
        }
        for foreign in [
            "",
            "x",
            "lock",
            "1-1-1.log",
            "00000003-0002-00000abc.logs",
            "+0000003-0002-00000abc.log",
        ] {
            assert_eq!(FileKind::of(foreign), None, "{foreign}");
        }
    }
}
