//! The manifest: which buckets, tables and segments the store has.
//!
//! [`Manifest`] is the state and knows no disk, [`slot`] its bytes, and
//! [`ManifestOwner`] the one task that writes it. Shards hand over [`Edit`]s.

pub mod slot;

mod clock;
mod owner;

use std::collections::{BTreeMap, BTreeSet};

use crate::bucket::{BucketId, BucketTable};
use crate::checksum::StoreId;
use crate::file::{FileId, FileKind};
use crate::key::{ShardId, UnixSecond};
use crate::log::batch::LogId;
use crate::log::segment::Closed;

pub use clock::ClockState;
pub(crate) use clock::judge;
pub use owner::{ManifestError, ManifestOwner, ManifestSeed, News};
pub(crate) use owner::{write_slot, write_slots};

/// What a log segment is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SegmentUse {
    /// The logs of this run write it, or may.
    Current,
    /// It holds what a former run wrote and is needed until its keys have
    /// snapshots.
    Retained {
        /// The log that wrote it.
        log: LogId,
        /// What it holds.
        closed: Closed,
    },
}

/// What a table is known to hold. Once the log has released the values of a table,
/// nothing else proves that a lost block ever existed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Proven {
    /// Up to where the table was synced and read back, in bytes of the file.
    pub bytes: u64,
    /// How many blocks it has up to there.
    pub blocks: u32,
}

/// A table as the manifest knows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NamedTable {
    /// The bucket that it belongs to.
    pub bucket: BucketId,
    /// What it holds at least.
    pub proven: Proven,
}

/// The state that the slots hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Manifest {
    /// The store's random id.
    pub store: StoreId,
    /// Which write of the manifest this is; the slot with the higher one counts.
    pub generation: u64,
    /// How often the store was opened.
    pub epoch: u32,
    /// The last time that was recorded.
    pub recorded: UnixSecond,
    /// All buckets.
    pub buckets: BucketTable,
    /// All tables.
    pub tables: BTreeMap<FileId, NamedTable>,
    /// All log segments.
    pub segments: BTreeMap<FileId, SegmentUse>,
}

/// Which edit of its shard an edit is, from 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct EditNumber(pub u64);

/// What a shard asks the manifest's owner to record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// The shard made a table.
    AddTable {
        /// The table.
        file: FileId,
        /// The bucket that it belongs to.
        bucket: BucketId,
    },
    /// The shard has synced the table and read it back.
    ProveTable {
        /// The table.
        file: FileId,
        /// What it holds.
        proven: Proven,
    },
    /// The shard needs nothing of the table any more.
    ReleaseTable(FileId),
    /// The shard made a log segment.
    AddSegment(FileId),
    /// The shard needs nothing of the segment any more.
    ReleaseSegment(FileId),
}

/// A numbered change of one shard. Edits of a shard arrive in order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Edit {
    /// Who asks.
    pub shard: ShardId,
    /// The number by which the shard waits for it.
    pub number: EditNumber,
    /// What is asked.
    pub change: Change,
}

/// Which shards still need a file. It is not stored, because every start derives it
/// from the files.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Needs(pub(crate) BTreeMap<FileKind, BTreeSet<ShardId>>);

impl Needs {
    pub(crate) fn add(&mut self, file: FileKind, shard: ShardId) {
        self.0.entry(file).or_default().insert(shard);
    }

    /// Whether nobody needs the file any more.
    fn release(&mut self, file: FileKind, shard: ShardId) -> bool {
        let Some(shards) = self.0.get_mut(&file) else { return true };
        shards.remove(&shard);
        let unneeded = shards.is_empty();
        if unneeded {
            self.0.remove(&file);
        }
        unneeded
    }
}

impl Manifest {
    /// Applies a change; says which file nobody needs any more, if any.
    pub(crate) fn apply(&mut self, edit: &Edit, needs: &mut Needs) -> Option<FileKind> {
        match edit.change {
            Change::AddTable { file, bucket } => {
                // The bucket may have gone while the shard wrote.
                if self.buckets.get(bucket).is_none() {
                    return Some(FileKind::Table(file));
                }
                self.tables.insert(file, NamedTable { bucket, proven: Proven::default() });
                needs.add(FileKind::Table(file), edit.shard);
                None
            }
            Change::ProveTable { file, proven } => {
                // Its bucket may have gone.
                if let Some(table) = self.tables.get_mut(&file) {
                    table.proven = proven;
                }
                None
            }
            Change::AddSegment(file) => {
                self.segments.insert(file, SegmentUse::Current);
                needs.add(FileKind::Segment(file), edit.shard);
                None
            }
            Change::ReleaseTable(file) => {
                let gone = needs.release(FileKind::Table(file), edit.shard)
                    && self.tables.remove(&file).is_some();
                gone.then_some(FileKind::Table(file))
            }
            Change::ReleaseSegment(file) => {
                let gone = needs.release(FileKind::Segment(file), edit.shard)
                    && self.segments.remove(&file).is_some();
                gone.then_some(FileKind::Segment(file))
            }
        }
    }

    /// Takes out the buckets that have expired, with their tables.
    pub(crate) fn expire(
        &mut self,
        now: UnixSecond,
        needs: &mut Needs,
    ) -> (Vec<BucketId>, Vec<FileKind>) {
        let gone: Vec<_> = self.buckets.drop_expired(now).iter().map(|stamp| stamp.id).collect();
        let mut files = Vec::new();
        self.tables.retain(|file, table| {
            let keep = !gone.contains(&table.bucket);
            if !keep {
                needs.0.remove(&FileKind::Table(*file));
                files.push(FileKind::Table(*file));
            }
            keep
        });
        (gone, files)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Seconds;

    fn manifest() -> Manifest {
        let mut buckets = BucketTable::default();
        buckets.stamp_ahead(UnixSecond(1000), Seconds(1000), Seconds(5000));
        Manifest {
            store: StoreId([1; 16]),
            generation: 1,
            epoch: 1,
            recorded: UnixSecond(1000),
            buckets,
            tables: BTreeMap::new(),
            segments: BTreeMap::new(),
        }
    }

    fn edit(shard: u16, change: Change) -> Edit {
        Edit { shard: ShardId(shard), number: EditNumber(1), change }
    }

    #[test]
    fn a_file_goes_when_the_last_shard_lets_go() {
        let (mut manifest, mut needs) = (manifest(), Needs::default());
        let file = FileId { epoch: 1, shard: ShardId(0), number: 1 };
        let add = Change::AddTable { file, bucket: BucketId(1000) };
        assert_eq!(manifest.apply(&edit(0, add), &mut needs), None);
        needs.add(FileKind::Table(file), ShardId(1));
        let release = Change::ReleaseTable(file);
        assert_eq!(manifest.apply(&edit(0, release), &mut needs), None);
        assert_eq!(manifest.apply(&edit(1, release), &mut needs), Some(FileKind::Table(file)));
        assert_eq!(manifest.apply(&edit(1, release), &mut needs), None);
    }

    #[test]
    fn a_table_is_proven_as_long_as_it_is_named() {
        let (mut manifest, mut needs) = (manifest(), Needs::default());
        let file = FileId { epoch: 1, shard: ShardId(0), number: 1 };
        let proven = Proven { bytes: 8192, blocks: 1 };
        let prove = edit(0, Change::ProveTable { file, proven });
        manifest.apply(&prove, &mut needs);
        assert!(manifest.tables.is_empty());
        let add = Change::AddTable { file, bucket: BucketId(1000) };
        manifest.apply(&edit(0, add), &mut needs);
        manifest.apply(&prove, &mut needs);
        assert_eq!(manifest.tables[&file], NamedTable { bucket: BucketId(1000), proven });
    }

    #[test]
    fn a_table_of_a_bucket_that_has_gone_goes_too() {
        let (mut manifest, mut needs) = (manifest(), Needs::default());
        let file = |number| FileId { epoch: 1, shard: ShardId(0), number };
        let add = |number| Change::AddTable { file: file(number), bucket: BucketId(1000) };
        manifest.apply(&edit(0, add(1)), &mut needs);
        let (buckets, files) = manifest.expire(UnixSecond(7000), &mut needs);
        assert_eq!(
            (buckets, files),
            (vec![BucketId(0), BucketId(1000)], vec![FileKind::Table(file(1))])
        );
        assert_eq!(manifest.apply(&edit(0, add(2)), &mut needs), Some(FileKind::Table(file(2))));
        assert!(manifest.tables.is_empty() && needs.0.is_empty());
    }
}
