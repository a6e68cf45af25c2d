//! The one task that writes the manifest.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::bucket::{BucketId, BucketTable};
use crate::disk::{Disk, DiskError, Fault, Writes};
use crate::field::block_up;
use crate::file::{FileKind, MANIFEST};
use crate::key::{Seconds, UnixSecond};
use crate::limits::{CLOCK_RECORD_SECONDS, MANIFEST_SLOT_BYTES, UNLINK_STEP_BYTES};

use super::clock::{ClockState, judge};
use super::slot::{self, SlotFull};
use super::{Edit, Manifest, Needs};

/// Why the manifest was not written. Nothing is written after it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ManifestError {
    /// The disk failed, now or before.
    #[error("the manifest cannot be written: {0}")]
    Disk(#[from] DiskError),
    /// There are more tables and segments than a slot can hold.
    #[error(transparent)]
    Full(#[from] SlotFull),
}

/// What a shard needs to know of a changed manifest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct News {
    /// All buckets as they are now.
    pub buckets: Arc<BucketTable>,
    /// The buckets that have gone.
    pub dropped: Vec<BucketId>,
    /// The time that is recorded: it was trusted, and is durable.
    pub recorded: UnixSecond,
}

/// What recovery hands to the manifest's owner.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ManifestSeed {
    pub(crate) manifest: Manifest,
    pub(crate) needs: Needs,
    pub(crate) doomed: VecDeque<FileKind>,
    pub(crate) bucket: Seconds,
    pub(crate) lifetime: Seconds,
    pub(crate) stamp_behind: Seconds,
    pub(crate) clock: ClockState,
}

/// The manifest and the right to write it.
pub struct ManifestOwner<D: Disk> {
    disk: D,
    file: D::File,
    seed: ManifestSeed,
    seen: UnixSecond,
    /// The file that is being removed, and what is left of it in bytes.
    going: Option<(FileKind, D::File, u64)>,
    poisoned: Option<ManifestError>,
}

impl<D: Disk> ManifestOwner<D> {
    /// Takes over from recovery.
    ///
    /// # Errors
    /// [`ManifestError::Disk`] if the manifest's file cannot be opened.
    pub async fn open(disk: D, seed: ManifestSeed) -> Result<Self, ManifestError> {
        let file = disk.open(MANIFEST, Writes::Durable).await?;
        let seen = seed.manifest.recorded;
        Ok(Self { disk, file, seed, seen, going: None, poisoned: None })
    }

    /// Records the edits, with one write to each slot. Afterwards each shard may be
    /// told that its edits up to the last of these are durable.
    ///
    /// # Errors
    /// [`ManifestError`] if the manifest cannot be written, now or at an earlier
    /// call. The owner is poisoned from then on, and no edit is durable.
    pub async fn apply(&mut self, edits: Vec<Edit>) -> Result<(), ManifestError> {
        if edits.is_empty() {
            return Ok(());
        }
        let mut gone = Vec::new();
        for edit in &edits {
            gone.extend(self.seed.manifest.apply(edit, &mut self.seed.needs));
        }
        self.write().await?;
        // Only now is the manifest without these files durable.
        self.seed.doomed.extend(gone);
        Ok(())
    }

    /// Upkeep, about once a second: stamps buckets ahead, drops expired buckets,
    /// records the time. The caller passes the news on to every shard. News come
    /// at least every [`CLOCK_RECORD_SECONDS`].
    ///
    /// # Errors
    /// [`ManifestError`] if the manifest cannot be written, now or at an earlier
    /// call. The owner is poisoned from then on.
    pub async fn tick(&mut self, now: UnixSecond) -> Result<Option<News>, ManifestError> {
        self.check()?;
        self.seed.clock = judge(self.seen, now, false);
        let trusted = self.seed.clock == ClockState::Trusted;
        let (mut dropped, mut files) = (Vec::new(), Vec::new());
        let seed = &mut self.seed;
        if trusted {
            self.seen = self.seen.max(now);
            (dropped, files) = seed.manifest.expire(now, &mut seed.needs);
        }
        let buckets = &mut seed.manifest.buckets;
        let stamped = buckets.stamp_around(now, seed.stamp_behind, seed.bucket, seed.lifetime);
        let changed = stamped || !dropped.is_empty();
        let stale = seed.manifest.recorded.0 + CLOCK_RECORD_SECONDS <= self.seen.0;
        if !changed && !stale {
            return Ok(None);
        }
        self.write().await?;
        self.seed.doomed.extend(files);
        let Manifest { buckets, recorded, .. } = &self.seed.manifest;
        Ok(Some(News { buckets: Arc::new(buckets.clone()), dropped, recorded: *recorded }))
    }

    /// Removes up to [`UNLINK_STEP_BYTES`] of one file that nobody needs, and
    /// its name with the last of them; `false` when there is nothing left.
    ///
    /// # Errors
    /// [`DiskError`] if the file cannot be removed. Nothing is poisoned, because such
    /// a file only takes room: it goes to the end of the queue and is tried again.
    pub async fn unlink_step(&mut self) -> Result<bool, DiskError> {
        let (file, going) = match (self.going.take(), self.seed.doomed.front()) {
            (Some((file, handle, bytes)), _) => (file, Some((handle, bytes))),
            (None, Some(file)) => (*file, None),
            (None, None) => return Ok(false),
        };
        if going.is_none() {
            self.seed.doomed.pop_front();
        }
        match self.remove_some(file, going).await {
            Ok(left) => self.going = left.map(|(handle, bytes)| (file, handle, bytes)),
            Err(error) => {
                self.seed.doomed.push_back(file);
                return Err(error);
            }
        }
        Ok(self.doomed() > 0)
    }

    /// Removes a part of the file, which may be open already; returns what is
    /// left of it.
    async fn remove_some(
        &self,
        file: FileKind,
        going: Option<(D::File, u64)>,
    ) -> Result<Option<(D::File, u64)>, DiskError> {
        let name = file.name();
        let (handle, bytes) = match going {
            Some(going) => going,
            None => match self.disk.open(&name, Writes::Deferred).await {
                Ok(handle) => {
                    let bytes = block_up(self.disk.length(&handle).await?);
                    (handle, bytes)
                }
                Err(DiskError { fault: Fault::NotFound, .. }) => return Ok(None),
                Err(error) => return Err(error),
            },
        };
        if bytes > UNLINK_STEP_BYTES {
            let left = bytes - UNLINK_STEP_BYTES;
            self.disk.shorten(&handle, left).await?;
            return Ok(Some((handle, left)));
        }
        match self.disk.unlink(&name).await {
            Ok(()) | Err(DiskError { fault: Fault::NotFound, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Vouches for the clock, so that expired buckets are dropped again.
    pub fn accept_clock(&mut self, now: UnixSecond) {
        self.seen = now;
        self.seed.clock = ClockState::Trusted;
    }

    /// Whether the clock may drop data, as of the last tick or of recovery.
    pub fn clock(&self) -> ClockState {
        self.seed.clock
    }

    /// The manifest as it is in memory.
    pub fn manifest(&self) -> &Manifest {
        &self.seed.manifest
    }

    /// Files that wait for their removal.
    pub fn doomed(&self) -> usize {
        self.seed.doomed.len() + usize::from(self.going.is_some())
    }

    /// Why nothing is written any more, if so.
    pub fn poisoned(&self) -> Option<&ManifestError> {
        self.poisoned.as_ref()
    }

    fn check(&self) -> Result<(), ManifestError> {
        self.poisoned.clone().map_or(Ok(()), Err)
    }

    async fn write(&mut self) -> Result<(), ManifestError> {
        self.check()?;
        self.seed.manifest.recorded = self.seed.manifest.recorded.max(self.seen);
        let result = write_slots(&self.disk, &self.file, &mut self.seed.manifest).await;
        if let Err(error) = &result {
            self.poisoned = Some(error.clone());
        }
        result
    }
}

/// Writes the next generation into both slots, one after the other. A torn write
/// leaves the other slot, with this generation or the one before. A slot that goes
/// bad later has its double.
pub(crate) async fn write_slots<D: Disk>(
    disk: &D,
    file: &D::File,
    manifest: &mut Manifest,
) -> Result<(), ManifestError> {
    manifest.generation += 1;
    for slot in 0..slot::COUNT {
        write_slot(disk, file, manifest, slot).await?;
    }
    Ok(())
}

/// Writes one slot.
pub(crate) async fn write_slot<D: Disk>(
    disk: &D,
    file: &D::File,
    manifest: &Manifest,
    slot: u64,
) -> Result<(), ManifestError> {
    let bytes = slot::encode(manifest, slot)?;
    let mut buffer = disk.buffer(bytes.len());
    buffer.as_mut().copy_from_slice(&bytes);
    disk.write(file, slot * MANIFEST_SLOT_BYTES as u64, buffer).await?;
    Ok(())
}
