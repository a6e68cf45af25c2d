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
            best_of(slots).map(|manifest| (manifest, file))
        }
        Err(DiskError { fault: Fault::NotFound, .. }) => None,
        Err(error) => return Err(error.into()),
    };
    if let Some((manifest, file)) = found {
        let clock = manifest::judge(manifest.recorded, start.now, start.accept_clock);
        return Ok(Opened { manifest, file, fresh: false, clock });
    }
    let names = disk.list().await?;
    let ours = names.iter().filter_map(|name| FileKind::of(name));
    if ours.into_iter().any(|file| file != FileKind::Manifest) {
        return Err(RecoverError::NoManifest);
    }
    create(disk, options, start).await
}

/// The valid slot with the highest generation.
pub(crate) async fn best_slot<D: Disk>(
    disk: &D,
    file: &D::File,
) -> Result<Option<Manifest>, RecoverError> {
    Ok(best_of(read_slots(disk, file).await?))
}

type Slots = [Option<Manifest>; slot::COUNT as usize];

fn best_of(slots: Slots) -> Option<Manifest> {
    slots.into_iter().flatten().max_by_key(|manifest| manifest.generation)
}

/// Brings the slot that is damaged or behind up to date, so that a write to
/// the other one may be torn.
async fn mend<D: Disk>(disk: &D, file: &D::File, slots: &Slots) -> Result<(), RecoverError> {
    let Some(best) = best_of(slots.clone()) else { return Ok(()) };
    for (slot, found) in (0..).zip(slots) {
        if found.as_ref() != Some(&best) {
            manifest::write_slot(disk, file, &best, slot).await?;
        }
    }
    Ok(())
}

async fn read_slots<D: Disk>(disk: &D, file: &D::File) -> Result<Slots, RecoverError> {
    let length = block_down(disk.length(file).await?);
    let mut slots = Slots::default();
    for slot in 0..slot::COUNT {
        let at = slot * MANIFEST_SLOT_BYTES as u64;
        let room = length.saturating_sub(at).min(MANIFEST_SLOT_BYTES as u64);
        if room == 0 {
            continue;
        }
        let front = salvage::read(disk, file, at, BLOCK_BYTES).await?;
        let claimed = block_up(slot::claimed_length(&front) as u64).min(room) as usize;
        let decoded = if claimed <= BLOCK_BYTES {
            slot::decode(&front, slot)
        } else {
            slot::decode(&salvage::read(disk, file, at, claimed).await?, slot)
        };
        match decoded {
            Ok(manifest) => slots[slot as usize] = Some(manifest),
            Err(SlotError::Blank | SlotError::Damaged) => {}
            // A newer program wrote here: the other slot is out of date.
            Err(error @ SlotError::Version { .. }) => return Err(RecoverError::Format(error)),
        }
    }
    Ok(slots)
}

/// A folder without tables and logs has nothing to lose: whatever manifest
/// there is was being made when a first start crashed.
async fn create<D: Disk>(
    disk: &D,
    options: &Options,
    start: Start,
) -> Result<Opened<D::File>, RecoverError> {
    let file = super::create_anew(disk, MANIFEST).await?;
    disk.prewrite(&file, 2 * MANIFEST_SLOT_BYTES as u64).await?;
    disk.sync_folder().await?;
    let mut buckets = BucketTable::default();
    buckets.stamp_ahead(start.now, options.bucket, options.lifetime);
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
