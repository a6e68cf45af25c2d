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
            let best = best_slot(disk, &file).await?;
            best.map(|manifest| (manifest, file))
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
    let length = block_down(disk.length(file).await?);
    let mut best: Option<Manifest> = None;
    for slot in 0..2 {
        let at = slot * MANIFEST_SLOT_BYTES as u64;
        let room = length.saturating_sub(at).min(MANIFEST_SLOT_BYTES as u64);
        if room == 0 {
            continue;
        }
        let front = disk.read(file, at, BLOCK_BYTES).await?;
        let claimed = block_up(slot::claimed_length(&front) as u64).min(room) as usize;
        let decoded = if claimed <= BLOCK_BYTES {
            slot::decode(&front, slot)
        } else {
            slot::decode(&disk.read(file, at, claimed).await?, slot)
        };
        match decoded {
            Ok(manifest) => {
                if best.as_ref().is_none_or(|best| manifest.generation > best.generation) {
                    best = Some(manifest);
                }
            }
            Err(SlotError::Blank | SlotError::Damaged) => {}
            // A newer program wrote here: the other slot is out of date.
            Err(error @ SlotError::Version { .. }) => return Err(RecoverError::Format(error)),
        }
    }
    Ok(best)
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
    manifest::write(disk, &file, &mut manifest).await?;
    Ok(Opened { manifest, file, fresh: true, clock: ClockState::Trusted })
}
