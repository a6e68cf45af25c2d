//! The first step: the best manifest slot, or a new manifest.

use std::collections::BTreeMap;

use crate::bucket::BucketTable;
use crate::checksum::StoreId;
use crate::disk::{Disk, DiskError, Fault, Writes};
use crate::field::{block_down, block_up};
use crate::file::{FileKind, MANIFEST};
use crate::limits::{BLOCK_BYTES, MANIFEST_SLOT_BYTES};
use crate::manifest::slot::{self, SlotError};
use crate::manifest::{self, ClockState, Manifest};
use crate::options::Options;
use crate::salvage;

use super::{RecoverError, Start};

/// The state that the folder has.
pub(super) struct Opened<F> {
    pub(super) manifest: Manifest,
    pub(super) file: F,
    pub(super) fresh: bool,
    pub(super) clock: ClockState,
}

pub(super) async fn open<D: Disk>(
    disk: &D,
    options: &Options,
    start: Start,
) -> Result<Opened<D::File>, RecoverError> {
    let found = match disk.open(MANIFEST, Writes::Durable).await {
        Ok(file) => {
            // A slot that a killed process wrote may still be on its way.
            disk.sync(&file).await?;
            let slots = read_slots(disk, &file).await?;
            mend(disk, &file, &slots).await?;
            best_of(&slots).map(|manifest| (manifest, file))
        }
        Err(DiskError { fault: Fault::NotFound, .. }) => None,
        Err(error) => return Err(error.into()),
    };
    if let Some((manifest, file)) = found {
        let clock = manifest::judge(manifest.recorded, start.now, start.accept_clock);
        return Ok(Opened { manifest, file, fresh: false, clock });
    }
    if has_contents(disk).await? {
        return Err(RecoverError::NoManifest);
    }
    create(disk, options, start).await
}

/// Whether the folder has tables or logs, and with them something to lose.
pub(crate) async fn has_contents<D: Disk>(disk: &D) -> Result<bool, DiskError> {
    let names = disk.list().await?;
    let mut ours = names.iter().filter_map(|name| FileKind::of(name));
    Ok(ours.any(|file| file != FileKind::Manifest))
}

/// A slot as it was read.
pub(crate) struct Found {
    pub(crate) manifest: Result<Manifest, SlotError>,
    /// What it claims to have of bytes, and a block at least.
    pub(crate) bytes: Vec<u8>,
    /// Whether all of them could be read.
    pub(crate) readable: bool,
}

pub(crate) type Slots = [Found; slot::COUNT as usize];

/// The valid slot with the highest generation.
pub(crate) fn best_of(slots: &Slots) -> Option<Manifest> {
    let valid = slots.iter().filter_map(|found| found.manifest.as_ref().ok());
    valid.max_by_key(|manifest| manifest.generation).cloned()
}

/// Rewrites a slot that is damaged or out of date. Afterwards the other slot may be
/// torn by a write without loss.
async fn mend<D: Disk>(disk: &D, file: &D::File, slots: &Slots) -> Result<(), RecoverError> {
    let Some(best) = best_of(slots) else { return Ok(()) };
    for (slot, found) in (0..).zip(slots) {
        if found.manifest.as_ref() != Ok(&best) {
            manifest::write_slot(disk, file, &best, slot).await?;
        }
    }
    Ok(())
}

pub(crate) async fn read_slots<D: Disk>(disk: &D, file: &D::File) -> Result<Slots, RecoverError> {
    let length = block_down(disk.length(file).await?);
    let blank = || Found { manifest: Err(SlotError::Blank), bytes: Vec::new(), readable: true };
    let mut slots = [blank(), blank()];
    for (slot, found) in (0..).zip(&mut slots) {
        let at = slot * MANIFEST_SLOT_BYTES as u64;
        let room = length.saturating_sub(at).min(MANIFEST_SLOT_BYTES as u64);
        if room == 0 {
            continue;
        }
        let mut read = salvage::read(disk, file, at, BLOCK_BYTES).await?;
        let claimed = block_up(slot::claimed_length(&read) as u64).min(room) as usize;
        if claimed > BLOCK_BYTES {
            read = salvage::read(disk, file, at, claimed).await?;
        }
        let manifest = slot::decode(&read, slot);
        if let Err(error @ SlotError::Version { .. }) = manifest {
            // A newer program wrote here: the other slot is out of date.
            return Err(RecoverError::Format(error));
        }
        *found = Found { manifest, readable: read.is_whole(), bytes: read.to_vec() };
    }
    Ok(slots)
}

/// Makes a new manifest in a folder without tables and logs. A manifest that exists
/// there is the remnant of a first start that crashed, and holds nothing.
async fn create<D: Disk>(
    disk: &D,
    options: &Options,
    start: Start,
) -> Result<Opened<D::File>, RecoverError> {
    let file = super::create_anew(disk, MANIFEST).await?;
    disk.prewrite(&file, 2 * MANIFEST_SLOT_BYTES as u64).await?;
    disk.sync_folder().await?;
    let mut buckets = BucketTable::default();
    buckets.stamp_around(start.now, options.stamp_behind, options.bucket, options.lifetime);
    let manifest = Manifest {
        store: StoreId(start.fresh_store_id),
        generation: 0,
        epoch: 0,
        recorded: start.now,
        buckets,
        tables: BTreeMap::new(),
        segments: BTreeMap::new(),
    };
    let mut manifest = manifest;
    // Before the first segment is made, so that segments always have one.
    manifest::write_slots(disk, &file, &mut manifest).await?;
    Ok(Opened { manifest, file, fresh: true, clock: ClockState::Trusted })
}
