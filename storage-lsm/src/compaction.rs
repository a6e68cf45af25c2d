//! What to rewrite. The decision is pure; the store's upkeep carries it out.
//!
//! A shard looks at its own share of each table. Moving the live values of the
//! share elsewhere releases the table, and when every shard has released it,
//! its file goes. Only tables of one bucket are ever joined, because buckets
//! go as a whole.

use crate::bucket::BucketId;
use crate::file::FileId;
use crate::key::UnixSecond;
use crate::limits::{COMPACTION_QUIET_SECONDS, SMALL_TABLES_MAX};

/// One shard's share of one table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Share {
    /// The table.
    pub file: FileId,
    /// Its bucket.
    pub bucket: BucketId,
    /// When the bucket goes as a whole.
    pub drops_at: UnixSecond,
    /// Bytes of the share that were written.
    pub bytes: u64,
    /// Bytes of the share that are still the newest of their keys.
    pub live_bytes: u64,
    /// Whether the table still grows.
    pub open: bool,
}

/// The tables as one shard sees them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Version {
    /// The shares, in the order of their tables.
    pub shares: Vec<Share>,
    /// A share below this many bytes is small.
    pub small_bytes: u64,
}

/// What to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Choice {
    /// Nothing is worth a rewrite.
    Nothing,
    /// Move what is live in the share of that table elsewhere.
    Drain(FileId),
}

/// Chooses the share whose rewrite frees the most for what it costs: one under
/// half live, the emptiest first; else the smallest of a bucket with too many
/// small ones. A bucket in its last day is left alone.
pub fn choose(version: &Version, now: UnixSecond) -> Choice {
    let calm = |share: &&Share| {
        !share.open && share.drops_at.0 > now.0.saturating_add(COMPACTION_QUIET_SECONDS)
    };
    let emptiest = version
        .shares
        .iter()
        .filter(calm)
        .filter(|share| share.live_bytes.saturating_mul(2) < share.bytes)
        .min_by_key(|share| {
            (share.live_bytes.saturating_mul(1000) / share.bytes.max(1), share.file)
        });
    if let Some(share) = emptiest {
        return Choice::Drain(share.file);
    }
    let small = |share: &&Share| calm(share) && share.bytes < version.small_bytes;
    let crowded = |bucket: BucketId| {
        version.shares.iter().filter(|share| share.bucket == bucket).filter(small).count()
            > SMALL_TABLES_MAX
    };
    let smallest = version
        .shares
        .iter()
        .filter(small)
        .filter(|share| crowded(share.bucket))
        .min_by_key(|share| (share.live_bytes, share.file));
    smallest.map_or(Choice::Nothing, |share| Choice::Drain(share.file))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::ShardId;

    const NOW: UnixSecond = UnixSecond(1_000_000);

    fn share(number: u32, bytes: u64, live_bytes: u64) -> Share {
        Share {
            file: FileId { epoch: 1, shard: ShardId(0), number },
            bucket: BucketId(7),
            drops_at: UnixSecond(2_000_000),
            bytes,
            live_bytes,
            open: false,
        }
    }

    fn chosen(shares: Vec<Share>) -> Option<u32> {
        match choose(&Version { shares, small_bytes: 100 }, NOW) {
            Choice::Nothing => None,
            Choice::Drain(file) => Some(file.number),
        }
    }

    #[test]
    fn the_emptiest_under_half_goes_first() {
        assert_eq!(
            chosen(vec![share(1, 1000, 500), share(2, 1000, 499), share(3, 1000, 200)]),
            Some(3)
        );
        assert_eq!(chosen(vec![share(1, 1000, 500)]), None);
        assert_eq!(chosen(vec![Share { open: true, ..share(1, 1000, 0) }]), None);
    }

    #[test]
    fn a_bucket_in_its_last_day_is_left_alone() {
        let soon = UnixSecond(NOW.0 + COMPACTION_QUIET_SECONDS);
        assert_eq!(chosen(vec![Share { drops_at: soon, ..share(1, 1000, 0) }]), None);
    }

    #[test]
    fn too_many_small_tables_are_joined() {
        let many = |count: u32| (0..count).map(|n| share(n, 50, 50)).collect::<Vec<_>>();
        assert_eq!(chosen(many(SMALL_TABLES_MAX as u32)), None);
        assert_eq!(chosen(many(SMALL_TABLES_MAX as u32 + 1)), Some(0));
    }
}
