//! A look at a store that changes nothing: what its files hold, and whether
//! every checksum is right.

use crate::bucket::BucketStamp;
use crate::checksum::Place;
use crate::disk::{Disk, DiskError, Fault, Writes};
use crate::file::{FileId, FileKind, MANIFEST};
use crate::key::{Key, Revision, ShardCount, UnixSecond};
use crate::log::LogId;
use crate::log::replay::LostRange;
use crate::manifest::slot::VERSION;
use crate::manifest::{ClockState, Manifest, NamedTable};
use crate::recover::{self, RecoverError, RecoveryReport, Touch};
use crate::table::reader::read_everything;

/// Everything about a store's files.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Inspection {
    /// The version of the formats.
    pub format: u16,
    /// How often the manifest was written.
    pub generation: u64,
    /// How often the store was opened.
    pub epoch: u32,
    /// The last time recorded.
    pub recorded: UnixSecond,
    /// The buckets, oldest first.
    pub buckets: Vec<BucketLine>,
    /// The tables that the manifest names.
    pub tables: Vec<TableLine>,
    /// The log segments that the manifest names.
    pub segments: Vec<SegmentLine>,
    /// Files that the manifest does not name; the next start removes them.
    pub orphans: Vec<FileKind>,
    /// What a start would find: lost ranges, quarantined keys.
    pub report: RecoveryReport,
}

/// A bucket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BucketLine {
    /// What it was stamped with.
    pub stamp: BucketStamp,
    /// How many tables it has.
    pub tables: u64,
    /// The bytes of their files.
    pub bytes: u64,
    /// Values in them, older ones of a key too.
    pub values: u64,
}

/// A table, every value of it read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TableLine {
    /// The table.
    pub file: FileId,
    /// Its bucket's first second, as the manifest says.
    pub bucket: u32,
    /// The file's bytes; `None` when it is missing.
    pub bytes: Option<u64>,
    /// Whether the header is right.
    pub header: bool,
    /// Whether it has a footer; without one it is read block by block.
    pub sealed: bool,
    /// Values whose checksum is right.
    pub values: u64,
    /// Tombstones among them.
    pub tombstones: u64,
    /// Keys whose value is damaged.
    pub broken: Vec<Key>,
}

/// A log segment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SegmentLine {
    /// The segment.
    pub file: FileId,
    /// The file's bytes; `None` when it is missing.
    pub bytes: Option<u64>,
    /// What it holds; `None` when its contents are not needed.
    pub contents: Option<SegmentContents>,
}

/// What a segment holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SegmentContents {
    /// The log that wrote it.
    pub log: LogId,
    /// The sequence of its first batch.
    pub first: u64,
    /// The sequence after its last batch.
    pub end: u64,
    /// Batches whose checksum is right.
    pub batches: u64,
    /// Sequences that cannot be read.
    pub lost: Vec<LostRange>,
}

impl Inspection {
    /// Whether every checksum is right and nothing is missing.
    pub fn is_sound(&self) -> bool {
        self.report.is_sound()
            && self.tables.iter().all(|table| table.header && table.broken.is_empty())
            && self.segments.iter().all(|segment| segment.bytes.is_some())
    }
}

/// Reads a whole store without changing it. It may be in use meanwhile; then
/// what is being written may look unfinished.
pub async fn inspect<D: Disk>(disk: &D) -> Result<Inspection, RecoverError> {
    let file = match disk.open(MANIFEST, Writes::Deferred).await {
        Ok(file) => file,
        Err(DiskError { fault: Fault::NotFound, .. }) => return Err(RecoverError::NoManifest),
        Err(error) => return Err(error.into()),
    };
    let best = recover::open_manifest::best_slot(disk, &file).await?;
    let manifest = best.ok_or(RecoverError::NoManifest)?;
    let recorded = manifest.recorded;
    let clock = ClockState::Suspect { recorded, now: recorded };
    let shards = ShardCount::new(1).expect("one is a count");
    let read = recover::read(disk, &manifest, recorded, clock, shards, Touch::Nothing).await?;
    let mut tables = Vec::new();
    for (id, table) in &manifest.tables {
        tables.push(table_line(disk, &manifest, *id, table).await?);
    }
    let segments = manifest.segments.keys().map(|id| {
        let segment = read.logs.segments.get(id);
        let contents =
            segment.and_then(|segment| segment.contents.as_ref()).map(|contents| SegmentContents {
                log: contents.log,
                first: contents.closed.first,
                end: contents.closed.end,
                batches: contents.batches,
                lost: contents.lost.clone(),
            });
        SegmentLine { file: *id, bytes: segment.map(|segment| segment.bytes), contents }
    });
    let segments = segments.collect();
    let buckets =
        manifest.buckets.stamps().iter().map(|stamp| bucket_line(stamp, &tables)).collect();
    Ok(Inspection {
        format: VERSION,
        generation: manifest.generation,
        epoch: manifest.epoch,
        recorded: manifest.recorded,
        buckets,
        segments,
        orphans: recover::doomed_files(disk, &manifest).await?.into(),
        report: read.report,
        tables,
    })
}

fn bucket_line(stamp: &BucketStamp, tables: &[TableLine]) -> BucketLine {
    let mut line = BucketLine { stamp: *stamp, tables: 0, bytes: 0, values: 0 };
    for table in tables.iter().filter(|table| table.bucket == stamp.id.0) {
        line.tables += 1;
        line.bytes += table.bytes.unwrap_or(0);
        line.values += table.values;
    }
    line
}

async fn table_line<D: Disk>(
    disk: &D,
    manifest: &Manifest,
    id: FileId,
    table: &NamedTable,
) -> Result<TableLine, DiskError> {
    let mut line = TableLine {
        file: id,
        bucket: table.bucket.0,
        bytes: None,
        header: false,
        sealed: false,
        values: 0,
        tombstones: 0,
        broken: Vec::new(),
    };
    let file = match disk.open(&id.table_name(), Writes::Deferred).await {
        Ok(file) => file,
        Err(DiskError { fault: Fault::NotFound, .. }) => return Ok(line),
        Err(error) => return Err(error),
    };
    line.bytes = Some(disk.length(&file).await?);
    let place = Place { store: manifest.store, file: id };
    let (contents, broken) = read_everything(disk, &file, place, table.proven).await?;
    line.header = contents.bucket.is_ok_and(|stamp| stamp.id == table.bucket);
    line.sealed = contents.sealed;
    line.values = contents.entries.len() as u64;
    let tombstone =
        |entry: &&crate::table::record::TableEntry| entry.revision == Revision::TOMBSTONE;
    line.tombstones = contents.entries.iter().filter(tombstone).count() as u64;
    line.broken = broken.iter().map(|entry| entry.key).collect();
    Ok(line)
}
