//! What the server may choose.

use crate::key::{Seconds, ShardCount};
use crate::limits::{
    BUCKETS_MAX, SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN, SEGMENTS_PER_SHARD_MAX, STAMP_AHEAD_SECONDS,
    STAMP_BEHIND_SECONDS, TABLE_BYTES_MAX,
};

/// Choices that hold for one run; buckets keep what they were stamped with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// How long a key lives, from its creation second. For new buckets.
    pub lifetime: Seconds,
    /// How many creation seconds one bucket spans. For new buckets.
    pub bucket: Seconds,
    /// The length of a log segment in bytes, a multiple of 4,096.
    pub segment_bytes: u64,
    /// How many bytes the logs of all shards may take together.
    pub log_budget_bytes: u64,
    /// A table is sealed when it has this many bytes, at most
    /// [`TABLE_BYTES_MAX`]. Not for operators: buckets give disk space back, and
    /// a table's size only decides how many files they are. Tests take small ones.
    pub table_bytes: u64,
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
    /// So many buckets would be alive at once that a manifest cannot hold them.
    #[error(
        "a lifetime of {lifetime} s in buckets of {bucket} s makes more than {BUCKETS_MAX} buckets: take longer buckets"
    )]
    Buckets {
        /// The lifetime asked for, in seconds.
        lifetime: u32,
        /// The bucket length asked for, in seconds.
        bucket: u32,
    },
}

impl Options {
    /// Checks the options against the limits.
    pub fn check(&self) -> Result<(), OptionsError> {
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
        if span / u64::from(self.bucket.0) > BUCKETS_MAX {
            let (lifetime, bucket) = (self.lifetime.0, self.bucket.0);
            return Err(OptionsError::Buckets { lifetime, bucket });
        }
        Ok(())
    }

    /// How many segments one shard's log may use: at least three, so that one
    /// can be written while one waits and one is freed.
    pub(crate) fn segments_per_shard(&self, shards: ShardCount) -> usize {
        let count = self.log_budget_bytes / self.segment_bytes / u64::from(shards.get());
        usize::try_from(count).unwrap_or(usize::MAX).clamp(3, SEGMENTS_PER_SHARD_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impossible_options_are_named() {
        let good = Options::default();
        assert_eq!(good.check(), Ok(()));
        let segment = Options { segment_bytes: 4097 * 16, ..good };
        assert_eq!(segment.check(), Err(OptionsError::Segment(4097 * 16)));
        assert_eq!(Options { bucket: Seconds(0), ..good }.check(), Err(OptionsError::Zero));
        let table = Options { table_bytes: TABLE_BYTES_MAX + 1, ..good };
        assert_eq!(table.check(), Err(OptionsError::Table(TABLE_BYTES_MAX + 1)));
        assert!(Options { bucket: Seconds(1), ..good }.check().is_err());
    }
}
