//! What the server may choose.

use crate::key::{Seconds, ShardCount};
use crate::limits::{
    MANIFEST_SLOT_BYTES, SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN, SEGMENTS_PER_SHARD_MAX,
    SEGMENTS_PER_SHARD_MIN, STAMP_AHEAD_SECONDS, STAMP_BEHIND_SECONDS, TABLE_BYTES_MAX,
    TABLES_PER_BUCKET,
};
use crate::log::writer::segment_bytes_for;
use crate::manifest::slot;

/// Choices that hold for one run; buckets keep what they were stamped with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// How long a key lives, from its creation second. For new buckets.
    pub lifetime: Seconds,
    /// How many creation seconds one bucket spans. For new buckets.
    pub bucket: Seconds,
    /// The length of a log segment in bytes, a multiple of 4,096.
    pub segment_bytes: u64,
    /// How many bytes the logs of all shards may take together. Each shard has
    /// [`SEGMENTS_PER_SHARD_MIN`] segments all the same.
    pub log_budget_bytes: u64,
    /// A table is sealed when it has this many bytes, at most
    /// [`TABLE_BYTES_MAX`]. Not for operators: buckets give disk space back, and
    /// a table's size only decides how many files they are. Tests take small ones.
    pub table_bytes: u64,
    /// How far back creation seconds have buckets, so that records of keys that were made
    /// elsewhere find theirs. At least [`STAMP_BEHIND_SECONDS`].
    pub stamp_behind: Seconds,
    /// Whether records of this run can be read before a snapshot covers them. It takes
    /// about 24 bytes of memory a record. Without it only records of former runs can be.
    pub index_log: bool,
    /// Writes are refused when fewer bytes than this are free on the disk.
    pub disk_reserve_bytes: u64,
}

impl Default for Options {
    /// A week, a day, and sizes for a server. Segments of 64 MiB are long enough
    /// that changing them costs nothing, and small enough to be freed one by one.
    fn default() -> Self {
        Self {
            lifetime: Seconds(7 * 86_400),
            bucket: Seconds(86_400),
            segment_bytes: 64 << 20,
            log_budget_bytes: 4 << 30,
            table_bytes: 256 << 20,
            stamp_behind: Seconds(STAMP_BEHIND_SECONDS as u32),
            index_log: false,
            disk_reserve_bytes: 256 << 20,
        }
    }
}

/// An option that cannot work.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OptionsError {
    /// Segments are too small, too large, or not whole blocks.
    #[error(
        "a log segment of {0} bytes is impossible: take a multiple of 4,096 from {SEGMENT_BYTES_MIN} to {SEGMENT_BYTES_MAX}"
    )]
    Segment(u64),
    /// Tables are sealed so late that the index could not say where a value is.
    #[error("a table cannot have {0} bytes, the limit is {TABLE_BYTES_MAX}")]
    Table(u64),
    /// A lifetime or a bucket of no time.
    #[error("lifetime and bucket length must be at least one second")]
    Zero,
    /// So many buckets would be alive at once, each with tables of every shard,
    /// that a manifest cannot hold them.
    #[error(
        "{buckets} buckets with tables of {shards} shards take {bytes} bytes of a manifest, which has {MANIFEST_SLOT_BYTES}: take longer buckets, a shorter lifetime or fewer shards"
    )]
    Buckets {
        /// How many buckets the lifetime needs.
        buckets: u64,
        /// How many shards there are.
        shards: u16,
        /// How many bytes they take.
        bytes: u64,
    },
}

impl Options {
    /// Checks the options for so many shards against the limits.
    ///
    /// # Errors
    /// [`OptionsError`] names the first option that cannot work, and what to choose
    /// instead.
    pub fn check(&self, shards: ShardCount) -> Result<(), OptionsError> {
        let possible = (SEGMENT_BYTES_MIN..=SEGMENT_BYTES_MAX).contains(&self.segment_bytes);
        if !possible || !self.segment_bytes.is_multiple_of(4096) {
            return Err(OptionsError::Segment(self.segment_bytes));
        }
        if self.table_bytes > TABLE_BYTES_MAX {
            return Err(OptionsError::Table(self.table_bytes));
        }
        if self.lifetime.0 == 0 || self.bucket.0 == 0 {
            return Err(OptionsError::Zero);
        }
        let span = u64::from(self.lifetime.0) + STAMP_AHEAD_SECONDS + STAMP_BEHIND_SECONDS;
        // It begins and ends inside of one.
        let buckets = span / u64::from(self.bucket.0) + 2;
        let every = u64::from(shards.get());
        // As many segments as are written, of the run before.
        let segments = 2 * every * self.segments_per_shard(shards) as u64;
        let bytes = slot::bytes_of(buckets, buckets * every * TABLES_PER_BUCKET, segments);
        if bytes > MANIFEST_SLOT_BYTES as u64 {
            return Err(OptionsError::Buckets { buckets, shards: shards.get(), bytes });
        }
        Ok(())
    }

    /// The shortest log segment whose log takes records with payloads of so many bytes.
    pub const fn segment_bytes_for(payload: usize) -> u64 {
        segment_bytes_for(payload)
    }

    /// The smallest budget of the log that is kept to.
    pub const fn log_budget_min(segment_bytes: u64, shards: u16) -> u64 {
        segment_bytes.saturating_mul(SEGMENTS_PER_SHARD_MIN as u64).saturating_mul(shards as u64)
    }

    /// How many segments one shard's log may use.
    pub(crate) fn segments_per_shard(&self, shards: ShardCount) -> usize {
        let count = self.log_budget_bytes / self.segment_bytes / u64::from(shards.get());
        usize::try_from(count)
            .unwrap_or(usize::MAX)
            .clamp(SEGMENTS_PER_SHARD_MIN, SEGMENTS_PER_SHARD_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(options: Options, shards: u16) -> Result<(), OptionsError> {
        options.check(ShardCount::new(shards).unwrap())
    }

    #[test]
    fn impossible_options_are_named() {
        let good = Options::default();
        assert_eq!(check(good, 1), Ok(()));
        let segment = Options { segment_bytes: 4097 * 16, ..good };
        assert_eq!(check(segment, 1), Err(OptionsError::Segment(4097 * 16)));
        assert_eq!(check(Options { bucket: Seconds(0), ..good }, 1), Err(OptionsError::Zero));
        let table = Options { table_bytes: TABLE_BYTES_MAX + 1, ..good };
        assert_eq!(check(table, 1), Err(OptionsError::Table(TABLE_BYTES_MAX + 1)));
        assert!(check(Options { bucket: Seconds(1), ..good }, 1).is_err());
    }

    #[test]
    fn buckets_and_shards_fit_a_manifest() {
        let brief = Options { bucket: Seconds(120), ..Options::default() };
        assert_eq!(check(brief, 3), Ok(()));
        let refused = check(brief, 9).unwrap_err();
        let OptionsError::Buckets { buckets, shards, bytes } = refused else { panic!("{refused}") };
        assert_eq!((buckets, shards), (5043, 9));
        assert!(bytes > 5043 * 9 * 24 && refused.to_string().contains("1048576"), "{refused}");
        // A large machine with the usual choices.
        assert_eq!(check(Options::default(), 256), Ok(()));
    }
}
