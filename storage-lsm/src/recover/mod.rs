//! Opening a store: what all former runs left becomes the seeds of `n` shards.
//!
//! The order is: manifest, expiry, tables, logs, merge by key, new segments,
//! and last the manifest of the new run. Until that last write nothing of the
//! old state has changed, so a crash during recovery repeats it.

mod homes;
mod keys;
pub(crate) mod logs;
pub(crate) mod merge;
pub(crate) mod open_manifest;
mod report;
mod share;
mod tables;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::checksum::{Place, StoreId};
use crate::disk::{Disk, DiskError, Fault, Writes};
use crate::file::{FileId, FileKind};
use crate::key::{ShardCount, UnixSecond};
use crate::log::LogId;
use crate::log::segment::{Closed, Slot};
use crate::log::writer::Spare;
use crate::manifest::slot::SlotError;
use crate::manifest::{ClockState, Manifest, ManifestError, ManifestSeed, Needs, SegmentUse};
use crate::options::{Options, OptionsError};
use crate::store::ShardSeed;

pub use crate::log::replay::{LostRange, Tail};
pub use report::{LogReport, RecoveryReport, TableFault, TableFaultKind};

/// What a start brings along.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Start {
    /// The time.
    pub now: UnixSecond,
    /// How many shards this run has.
    pub shards: ShardCount,
    /// Somebody vouches for the clock, however far it has jumped.
    pub accept_clock: bool,
    /// 16 random bytes; they become the store's id if the folder is empty.
    pub fresh_store_id: [u8; 16],
}

/// A store that is ready to be opened.
#[derive(Debug)]
pub struct Recovered {
    /// For the manifest's owner.
    pub manifest: ManifestSeed,
    /// One a shard, in order.
    pub seeds: Vec<ShardSeed>,
    /// What was found.
    pub report: RecoveryReport,
}

/// Why a store cannot be opened. Nothing was changed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RecoverError {
    /// The options cannot work.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// The disk failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// There are tables or logs and no manifest that says what they are.
    #[error(
        "the data folder has tables or logs and no readable manifest: restore `manifest`, or move the files away"
    )]
    NoManifest,
    /// The folder was written by a program with other formats.
    #[error(transparent)]
    Format(SlotError),
    /// The manifest of the new run cannot be written.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

/// Opens a store with what all former shards left, for `start.shards` new ones.
///
/// It runs once at start, before any shard, with the folder locked against a
/// second process.
///
/// # Errors
/// [`RecoverError`] if the options cannot work, the disk fails, the manifest cannot
/// be read, or the folder has another format. Nothing that the old manifest needs
/// has changed then. Damaged or missing data is no error: the report names it.
pub async fn recover<D: Disk>(
    disk: &D,
    options: &Options,
    start: Start,
) -> Result<Recovered, RecoverError> {
    options.check(start.shards)?;
    let opened = open_manifest::open(disk, options, start).await?;
    let (mut manifest, clock) = (opened.manifest, opened.clock);
    let recorded = manifest.recorded;
    if clock == ClockState::Trusted {
        manifest.expire(start.now, &mut Needs::default());
        manifest.recorded = manifest.recorded.max(start.now);
        if start.accept_clock {
            manifest.recorded = start.now;
        }
    }
    // The log may have released keys that had expired by the recorded time.
    let passed = match clock {
        ClockState::Trusted => start.now.max(manifest.recorded),
        ClockState::Suspect { .. } => manifest.recorded,
    };
    let read = read(disk, &manifest, passed, clock, start.shards, Touch::Files).await?;
    let Read { merged, logs, mut report } = read;
    report.epoch = manifest.epoch + 1;
    report.fresh = opened.fresh;
    report.recorded = recorded;

    // Segments that no key needs are free for the new run.
    let needed = merged.needed_segments();
    let unneeded = logs.segments.iter().filter(|(file, _)| !needed.contains(file));
    let fitting = unneeded.filter(|(_, segment)| segment.bytes == options.segment_bytes);
    let free = fitting.map(|(file, segment)| (*file, segment.next_slot)).collect();
    let retained: BTreeMap<FileId, (LogId, Closed)> = logs
        .segments
        .iter()
        .filter(|(file, _)| needed.contains(file))
        .filter_map(|(file, segment)| Some((*file, segment.contents.as_ref()?)))
        .map(|(file, contents)| (file, (contents.log, contents.closed)))
        .collect();
    manifest.epoch += 1;
    let spares = share_segments(disk, options, start.shards, manifest.epoch, free).await?;
    manifest.segments = retained
        .iter()
        .map(|(file, (log, closed))| (*file, SegmentUse::Retained { log: *log, closed: *closed }))
        .chain(spares.iter().flatten().map(|spare| (spare.file, SegmentUse::Current)))
        .collect();
    let tables = merged.needed_tables();
    manifest.tables.retain(|file, _| tables.contains(file));
    let buckets = &mut manifest.buckets;
    buckets.stamp_around(start.now, options.stamp_behind, options.bucket, options.lifetime);
    crate::manifest::write_slots(disk, &opened.file, &mut manifest).await?;

    let doomed = doomed_files(disk, &manifest).await?;
    report.doomed = doomed.len() as u64;
    let (seeds, needs) = make_seeds(options, start.shards, &manifest, merged, &retained, spares);
    let manifest = ManifestSeed {
        manifest,
        needs,
        doomed,
        bucket: options.bucket,
        lifetime: options.lifetime,
        stamp_behind: options.stamp_behind,
        clock,
    };
    Ok(Recovered { manifest, seeds, report })
}

/// Whether reading may change files.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Touch {
    /// Make the newest batches durable and seal tables that are open.
    Files,
    /// Only look.
    Nothing,
}

/// What tables and logs hold.
pub(crate) struct Read {
    merged: merge::Merged,
    pub(crate) logs: logs::Logs,
    pub(crate) report: RecoveryReport,
}

/// Reads all tables and logs that the manifest names, and merges them by key.
/// Keys that have expired by the time `passed` are left out.
pub(crate) async fn read<D: Disk>(
    disk: &D,
    manifest: &Manifest,
    passed: UnixSecond,
    clock: ClockState,
    shards: ShardCount,
    touch: Touch,
) -> Result<Read, RecoverError> {
    let mut report = RecoveryReport {
        epoch: manifest.epoch,
        fresh: false,
        clock,
        recorded: manifest.recorded,
        logs: Vec::new(),
        missing_segments: Vec::new(),
        damaged_segments: Vec::new(),
        tables: Vec::new(),
        quarantined: Vec::new(),
        keys: 0,
        records: 0,
        expired: 0,
        doomed: 0,
    };
    let mut merge = merge::Merge::new(manifest.buckets.clone(), passed, shards);
    tables::read_all(disk, manifest, touch, &mut merge, &mut report).await?;
    let logs = logs::read_all(disk, manifest, touch, &mut merge, &mut report).await?;
    let merged = merge.finish(disk, &mut report);
    Ok(Read { merged, logs, report })
}

/// Every file of the store that the new manifest does not name.
pub(crate) async fn doomed_files<D: Disk>(
    disk: &D,
    manifest: &Manifest,
) -> Result<VecDeque<FileKind>, DiskError> {
    let unneeded = |file: &FileKind| match file {
        FileKind::Manifest => false,
        FileKind::Segment(id) => !manifest.segments.contains_key(id),
        FileKind::Table(id) => !manifest.tables.contains_key(id),
    };
    let names = disk.list().await?;
    Ok(names.iter().filter_map(|name| FileKind::of(name)).filter(unneeded).collect())
}

/// How many segments each shard starts with at least.
const SEGMENTS_AT_START: usize = 2;

/// Gives every shard its spare segments: free ones of former runs first, then
/// new ones.
async fn share_segments<D: Disk>(
    disk: &D,
    options: &Options,
    shards: ShardCount,
    epoch: u32,
    free: BTreeMap<FileId, Slot>,
) -> Result<Vec<Vec<Spare>>, DiskError> {
    let max = options.segments_per_shard(shards);
    let mut spares: Vec<Vec<Spare>> = vec![Vec::new(); usize::from(shards.get())];
    let places = (0..max).flat_map(|_| 0..usize::from(shards.get()));
    for (shard, (file, slot)) in places.zip(free) {
        spares[shard].push(Spare { file, slot });
    }
    for (shard, list) in shards.ids().zip(&mut spares) {
        for number in 1.. {
            if list.len() >= SEGMENTS_AT_START {
                break;
            }
            let id = FileId { epoch, shard, number };
            match make_segment(disk, id, options.segment_bytes).await {
                Ok(()) => list.push(Spare { file: id, slot: Slot::First }),
                // A full disk must not keep a store from opening: reading needs
                // no segment, and upkeep makes one when there is room.
                Err(DiskError { fault: Fault::NoSpace, .. }) => {
                    disk.unlink(&id.segment_name()).await.or_else(|error| match error.fault {
                        Fault::NotFound => Ok(()),
                        _ => Err(error),
                    })?;
                    break;
                }
                Err(error) => return Err(error),
            }
        }
    }
    // Always: every file name in the new manifest must be durable before it, also a
    // name that a killed process made.
    disk.sync_folder().await?;
    Ok(spares)
}

async fn make_segment<D: Disk>(disk: &D, id: FileId, bytes: u64) -> Result<(), DiskError> {
    let file = create_anew(disk, &id.segment_name()).await?;
    disk.prewrite(&file, bytes).await
}

/// A start that crashed may have left a file of this name.
async fn create_anew<D: Disk>(disk: &D, name: &str) -> Result<D::File, DiskError> {
    match disk.create(name, Writes::Durable).await {
        Err(DiskError { fault: Fault::Exists, .. }) => {
            disk.unlink(name).await?;
            disk.create(name, Writes::Durable).await
        }
        other => other,
    }
}

fn make_seeds(
    options: &Options,
    shards: ShardCount,
    manifest: &Manifest,
    merged: merge::Merged,
    retained: &BTreeMap<FileId, (LogId, Closed)>,
    spares: Vec<Vec<Spare>>,
) -> (Vec<ShardSeed>, Needs) {
    let ages = merged.ages();
    let closed = retained.iter().map(|(file, (_, closed))| (ages[file], *closed)).collect();
    let mut needs = Needs::default();
    let buckets = Arc::new(manifest.buckets.clone());
    let mut seeds: Vec<ShardSeed> = shards
        .ids()
        .zip(spares)
        .map(|(shard, spares)| {
            for spare in &spares {
                needs.add(FileKind::Segment(spare.file), shard);
            }
            ShardSeed {
                options: *options,
                segments_max: options.segments_per_shard(shards),
                store: manifest.store,
                epoch: manifest.epoch,
                shard,
                buckets: Arc::clone(&buckets),
                recorded: manifest.recorded,
                shares: BTreeMap::new(),
                tables: BTreeMap::new(),
                holds: Default::default(),
                inherited: BTreeMap::new(),
                next_age: ages.len() as u64,
                // Above the numbers that `share_segments` has given.
                next_file: SEGMENTS_AT_START as u32,
                spares,
                deleted: Vec::new(),
                quarantined: BTreeMap::new(),
            }
        })
        .collect();
    merged.distribute(&closed, &mut seeds);
    for seed in &seeds {
        for table in seed.tables.values() {
            needs.add(FileKind::Table(table.file), seed.shard);
        }
        for closed in seed.inherited.values() {
            needs.add(FileKind::Segment(closed.file), seed.shard);
        }
    }
    (seeds, needs)
}

/// The place of a file in this store.
fn place(store: StoreId, file: FileId) -> Place {
    Place { store, file }
}
