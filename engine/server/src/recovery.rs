//! Opening the store before the shards start.

use std::path::PathBuf;
use std::time::Duration;

use desk_disk::Folder;
use desk_engine_core::limits::STORE_BYTES_MIN;
use desk_storage_lsm::disk::Durability;
use desk_storage_lsm::{
    ClockState, ManifestSeed, Options, Recovered, RecoveryReport, Seconds, ShardCount, ShardSeed,
    Start, UnixSecond, recover,
};
use glommio::Placement as Pinning;

use crate::config::Config;
use crate::executor::builder;
use crate::limits::{CLOCK_BEHIND_SECONDS, KEY_BYTES, LONG_PREWRITE_BYTES};
use crate::preflight::{self, Means, Unfit};
use crate::{clock, keys};

/// The store as recovery left it, for the shards.
pub(crate) struct Opened {
    /// For the manifest's owner.
    pub(crate) manifest: ManifestSeed,
    /// One a shard, in order.
    pub(crate) seeds: Vec<ShardSeed>,
}

/// Why the store was not opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// The machine.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// The keys.
    #[error(transparent)]
    Keys(#[from] keys::KeyError),
    /// The memory.
    #[error(
        "the {keys} desks and links of the data folder take {} MiB of memory, and --memory has {} \
         MiB for them: raise --memory to at least {} MiB",
        .needed >> 20, .room >> 20, ((2 * .needed) >> 20) + 1
    )]
    Memory {
        /// Keys in the store.
        keys: u64,
        /// Bytes of their index.
        needed: u64,
        /// Bytes that there are.
        room: u64,
    },
    /// The store.
    #[error("cannot open the data folder {path}: {error}", path = .path.display())]
    Store {
        /// The folder.
        path: PathBuf,
        /// Why.
        error: String,
    },
}

/// Recovers the store, in an executor of its own.
///
/// # Errors
/// io_uring cannot be used, or the store cannot be opened.
pub(crate) fn open_store(config: &Config, means: Means) -> Result<Opened, OpenError> {
    let failed = |error: String| OpenError::Store { path: config.data.clone(), error };
    let lifetime =
        |duration: Duration| Seconds(u32::try_from(duration.as_secs()).unwrap_or(u32::MAX));
    let options = Options {
        lifetime: lifetime(config.desk_ttl),
        bucket: lifetime(config.bucket),
        segment_bytes: config.limits.segment_bytes,
        log_budget_bytes: means.log_budget_bytes,
        disk_reserve_bytes: config.limits.disk_reserve_bytes,
        // A machine of a cluster serves desks that others made, at once.
        index_log: config.cluster.is_some(),
        stamp_behind: match config.cluster {
            None => Options::default().stamp_behind,
            Some(_) => lifetime(config.desk_ttl.saturating_add(config.bucket)),
        },
        ..Options::default()
    };
    let shards = ShardCount::new(config.shards).expect("the configuration was checked");
    let start = Start {
        now: UnixSecond(clock::wall().unix_seconds()),
        shards,
        accept_clock: config.accept_clock,
        fresh_store_id: keys::random()?,
    };
    let segments_bytes = u64::from(config.shards) * options.segment_bytes;
    if segments_bytes >= LONG_PREWRITE_BYTES {
        tracing::info!(
            "the log's segments are written where they are missing: up to {} MiB, as fast as the \
             disk takes them",
            segments_bytes >> 20
        );
    }
    let executor = preflight::first_executor(|| builder(Pinning::Unbound, "recovery").make())?;
    let folder = config.data.clone();
    let recovered = executor.run(async move {
        let disk = Folder::open(&folder).await.map_err(|error| error.to_string())?;
        if disk.durability() == Durability::Buffered {
            preflight::warn_of_buffering(&folder);
        }
        recover(&disk, &options, start).await.map_err(|error| error.to_string())
    });
    let Recovered { manifest, seeds, report } = recovered.map_err(failed)?;
    tell(&report);
    if !start.accept_clock
        && let Some(seconds) = behind(report.recorded, start.now)
    {
        tracing::warn!(
            "the clock is {} min behind the last run: desks of then are open that much longer; set \
             it, or restart with --accept-clock if it is right",
            seconds / 60
        );
    }
    has_memory_for(report.keys, config.memory_bytes, config.shards)?;
    Ok(Opened { manifest, seeds })
}

/// By how many seconds the clock is behind the last run, if an operator should know.
fn behind(recorded: UnixSecond, now: UnixSecond) -> Option<u64> {
    recorded.0.checked_sub(now.0).filter(|behind| *behind >= CLOCK_BEHIND_SECONDS)
}

/// Whether the index of so many keys takes no more of `--memory` than it may.
///
/// # Errors
/// [`OpenError::Memory`].
fn has_memory_for(keys: u64, memory_bytes: u64, shards: u16) -> Result<(), OpenError> {
    let needed = keys.saturating_mul(KEY_BYTES);
    let room = (memory_bytes / 2).max(u64::from(shards) * STORE_BYTES_MIN as u64);
    if needed <= room { Ok(()) } else { Err(OpenError::Memory { keys, needed, room }) }
}

/// Logs what recovery found.
fn tell(report: &RecoveryReport) {
    tracing::info!(
        start = report.epoch,
        fresh = report.fresh,
        keys = report.keys,
        records = report.records,
        expired = report.expired,
        "the store is open"
    );
    if let ClockState::Suspect { .. } = report.clock {
        tracing::error!(
            "the clock is more than a day ahead of the last run: no bucket is dropped until it \
             agrees; if it is right, restart with --accept-clock"
        );
    }
    if !report.is_sound() {
        tracing::error!(
            lost = ?report.logs.iter().flat_map(|log| &log.lost).collect::<Vec<_>>(),
            missing = ?report.missing_segments,
            tables = ?report.tables,
            quarantined = report.quarantined.len(),
            "the store is damaged: desks with a gap are not served, and what a lost table had is \
             older now or gone; look with `sticker-desk inspect`"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_behind_from_ten_minutes_on() {
        let at = |now| behind(UnixSecond(10_000), UnixSecond(now));
        assert_eq!((at(9_401), at(9_400), at(0)), (None, Some(600), Some(10_000)));
        assert_eq!((at(10_000), at(20_000)), (None, None), "as usual");
    }

    #[test]
    fn more_desks_than_memory_has_room_for_stop_the_start() {
        has_memory_for(60_000_000, 2 << 30, 2).expect("a gibibyte is enough");
        has_memory_for(100_000, 0, 2).expect("some are always kept");
        let said = has_memory_for(70_000_000, 2 << 30, 2).unwrap_err().to_string();
        let why = "take 1134 MiB of memory, and --memory has 1024 MiB for them: raise --memory to";
        assert!(said.contains(why), "{said}");
    }
}
