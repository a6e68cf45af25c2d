//! A look at a store that changes nothing: what its files hold, and whether
//! every checksum is right.

mod flaw;
mod headers;

use crate::bucket::BucketStamp;
use crate::checksum::Place;
use crate::disk::{Disk, DiskError, Fault, Writes};
use crate::file::{FileId, FileKind, MANIFEST};
use crate::key::{Key, Sequence, ShardCount, UnixSecond};
use crate::limits::MANIFEST_SLOT_BYTES;
use crate::log::LogId;
use crate::log::replay::LostRange;
use crate::manifest::slot::{self, VERSION};
use crate::manifest::{ClockState, Manifest, NamedTable};
use crate::recover::open_manifest::{self, Slots};
use crate::recover::{self, RecoverError, RecoveryReport, Touch};
use crate::table::reader::{Everything, Footer, read_everything};

pub use flaw::{Cause, Flaw, Part};

/// Why there is nothing to tell of a folder.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InspectError {
    /// It has no store: no tables, no logs, and no manifest that says more.
    #[error("there is no store in this folder")]
    NoStore,
    /// A start would fail too.
    #[error(transparent)]
    Start(#[from] RecoverError),
}

impl From<DiskError> for InspectError {
    fn from(error: DiskError) -> Self {
        Self::Start(error.into())
    }
}

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
    /// Parts with a checksum that are not as they were written, but for batches
    /// of the log.
    pub flaws: Vec<Flaw>,
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
    /// Up to where the manifest proves what is in it, in bytes of the file.
    /// What stands behind that is not believed: the log has it.
    pub proven: u64,
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
    /// The number of its first batch.
    pub first: u64,
    /// The number after its last batch.
    pub end: u64,
    /// Blocks used, the two of the header included.
    pub blocks: u32,
    /// Batches whose checksum is right.
    pub batches: u64,
    /// Numbers of the batches that cannot be read.
    pub lost: Vec<LostRange>,
}

impl Inspection {
    /// Whether nothing is damaged or missing. What a crash has interrupted is
    /// neither.
    pub fn is_sound(&self) -> bool {
        self.report.is_sound()
            && self.flaws.iter().all(|flaw| flaw.cause != Cause::Damage)
            && self.segments.iter().all(|segment| segment.bytes.is_some())
    }
}

/// Reads a whole store without changing it. A server may use the store meanwhile;
/// what that server is writing may then look unfinished.
///
/// # Errors
/// [`InspectError::NoStore`] if the folder has no store. [`InspectError::Start`] if
/// a start would fail too: no readable manifest, another format, or a disk that
/// fails. Damage is no error; the [`Inspection`] names it.
pub async fn inspect<D: Disk>(disk: &D) -> Result<Inspection, InspectError> {
    let (manifest, mut flaws) = read_manifest(disk).await?;
    let recorded = manifest.recorded;
    let clock = ClockState::Suspect { recorded, now: recorded };
    let shards = ShardCount::new(1).expect("one is a count");
    let read = recover::read(disk, &manifest, recorded, clock, shards, Touch::Nothing).await?;
    let mut tables = Vec::new();
    for (id, table) in &manifest.tables {
        tables.push(table_line(disk, &manifest, *id, table, &mut flaws).await?);
    }
    let place = |file| Place { store: manifest.store, file };
    flaws.extend(headers::flaws(disk, place, &read.logs).await?);
    let segments = manifest.segments.keys().map(|id| {
        let segment = read.logs.segments.get(id);
        let contents =
            segment.and_then(|segment| segment.contents.as_ref()).map(|contents| SegmentContents {
                log: contents.log,
                first: contents.closed.first,
                end: contents.closed.end,
                blocks: contents.closed.blocks,
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
        flaws,
        report: read.report,
        tables,
    })
}

/// The newest manifest, and what is wrong with its slots.
async fn read_manifest<D: Disk>(disk: &D) -> Result<(Manifest, Vec<Flaw>), InspectError> {
    let mut read = None;
    let file = match disk.open(MANIFEST, Writes::Deferred).await {
        Ok(file) => Some(file),
        Err(DiskError { fault: Fault::NotFound, .. }) => None,
        Err(error) => return Err(error.into()),
    };
    // Twice, in case a server wrote one slot before and one after it was read.
    for _ in 0..2 {
        let Some(file) = &file else { break };
        let slots = open_manifest::read_slots(disk, file).await?;
        let Some(best) = open_manifest::best_of(&slots) else { break };
        let flaws = manifest_flaws(&slots, &best);
        let is_whole = flaws.is_empty();
        read = Some((best, flaws));
        if is_whole {
            break;
        }
    }
    match read {
        Some(read) => Ok(read),
        None if open_manifest::has_contents(disk).await? => Err(RecoverError::NoManifest.into()),
        None => Err(InspectError::NoStore),
    }
}

fn manifest_flaws(slots: &Slots, best: &Manifest) -> Vec<Flaw> {
    let flaw_of = |(slot, found): (u64, &open_manifest::Found)| {
        let interrupted = match &found.manifest {
            Ok(manifest) if manifest == best => return None,
            // The first slot is written before the second.
            Ok(manifest) => slot > 0 && manifest.generation + 1 == best.generation,
            Err(_) => found.readable && slot::may_be_torn(&found.bytes, slot, best),
        };
        Some(Flaw {
            file: FileKind::Manifest,
            offset: slot * MANIFEST_SLOT_BYTES as u64,
            part: Part::ManifestSlot,
            cause: if interrupted { Cause::Interrupted } else { Cause::Damage },
        })
    };
    (0..).zip(slots).filter_map(flaw_of).collect()
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
    flaws: &mut Vec<Flaw>,
) -> Result<TableLine, DiskError> {
    let mut line = TableLine {
        file: id,
        bucket: table.bucket.0,
        bytes: None,
        proven: table.proven.bytes,
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
    let everything = read_everything(disk, &file, place, table.proven).await?;
    let Everything { contents, broken, blocks, footer } = everything;
    line.header = contents.bucket.is_ok_and(|stamp| stamp.id == table.bucket);
    line.sealed = contents.sealed;
    line.values = contents.entries.len() as u64;
    let tombstone =
        |entry: &&crate::table::record::TableEntry| entry.sequence == Sequence::TOMBSTONE;
    line.tombstones = contents.entries.iter().filter(tombstone).count() as u64;
    line.broken = broken.iter().map(|entry| entry.key).collect();
    let header = (!line.header).then_some((Part::TableHeader, 0, Cause::Damage));
    let gaps = blocks.gaps.iter().map(|at| (Part::Directory, *at, Cause::Damage));
    let broken = broken.iter().map(|entry| (Part::Value, entry.offset, Cause::Damage));
    let footer = match footer {
        Footer::None | Footer::Whole => None,
        Footer::Unfinished(at) if !was_sealed(manifest, id, table) => {
            Some((Part::Footer, at, Cause::Interrupted))
        }
        Footer::Unfinished(at) | Footer::Damaged(at) => Some((Part::Footer, at, Cause::Damage)),
    };
    let of_table = header.into_iter().chain(gaps).chain(broken).chain(footer);
    let file = FileKind::Table(id);
    flaws.extend(of_table.map(|(part, offset, cause)| Flaw { file, offset, part, cause }));
    Ok(line)
}

/// Whether a footer must be whole by now: a later start would have written it again,
/// and the next table of the bucket is made only after it.
fn was_sealed(manifest: &Manifest, id: FileId, table: &NamedTable) -> bool {
    let follows = |(other, named): (&FileId, &NamedTable)| {
        (other.epoch, other.shard) == (id.epoch, id.shard)
            && other.number > id.number
            && named.bucket == table.bucket
    };
    id.epoch < manifest.epoch || manifest.tables.iter().any(follows)
}
