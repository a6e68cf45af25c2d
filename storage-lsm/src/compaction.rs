//! What to rewrite. The decision is pure; the store's upkeep carries it out.
//!
//! A shard looks at its own share of each table. Moving the live values of the
//! share elsewhere releases the table, and when every shard has released it,
//! its file goes. Only tables of one bucket are ever joined, because buckets
//! go as a whole.

use std::collections::BTreeMap;

use crate::bucket::BucketId;
use crate::file::FileId;
use crate::key::UnixSecond;
use crate::limits::{COMPACTION_QUIET_SECONDS, GOING_SECONDS, SMALL_TABLES_MAX};

/// One shard's share of one table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TableShare {
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

/// What to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Choice {
    /// Nothing is worth a rewrite.
    Nothing,
    /// Move what is live in the share of that table elsewhere.
    Drain(FileId),
}

/// The small shares of one bucket.
struct Crowd {
    count: usize,
    /// The one with the fewest live bytes.
    smallest: (u64, FileId),
}

/// Chooses the share whose rewrite frees the most for its cost. A share under half live
/// goes first, the emptiest of them. Otherwise it is the smallest share of a bucket
/// with too many small ones (of fewer than `small_bytes`), unless the bucket is in its
/// last day. A bucket that will be dropped within minutes is left alone. Each share is
/// looked at once, because upkeep asks often and there may be thousands.
pub fn choose(
    shares: impl IntoIterator<Item = TableShare>,
    small_bytes: u64,
    now: UnixSecond,
) -> Choice {
    let mut emptiest = None::<(u64, FileId)>;
    let mut crowds = BTreeMap::<BucketId, Crowd>::new();
    for share in shares {
        let left = share.drops_at.0.saturating_sub(now.0);
        if share.open || left <= GOING_SECONDS {
            continue;
        }
        if share.live_bytes.saturating_mul(2) < share.bytes {
            let part = share.live_bytes.saturating_mul(1000) / share.bytes.max(1);
            let this = (part, share.file);
            emptiest = Some(emptiest.map_or(this, |emptiest| emptiest.min(this)));
        }
        if share.bytes < small_bytes && left > COMPACTION_QUIET_SECONDS {
            let this = (share.live_bytes, share.file);
            let crowd = crowds.entry(share.bucket).or_insert(Crowd { count: 0, smallest: this });
            crowd.count += 1;
            crowd.smallest = crowd.smallest.min(this);
        }
    }
    let crowded = crowds.values().filter(|crowd| crowd.count > SMALL_TABLES_MAX);
    let smallest = crowded.map(|crowd| crowd.smallest).min();
    emptiest.or(smallest).map_or(Choice::Nothing, |(_, file)| Choice::Drain(file))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::ShardId;

    const NOW: UnixSecond = UnixSecond(1_000_000);

    fn share(number: u32, bytes: u64, live_bytes: u64) -> TableShare {
        TableShare {
            file: FileId { epoch: 1, shard: ShardId(0), number },
            bucket: BucketId(7),
            drops_at: UnixSecond(2_000_000),
            bytes,
            live_bytes,
            open: false,
        }
    }

    fn chosen(shares: Vec<TableShare>) -> Option<u32> {
        match choose(shares, 100, NOW) {
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
        assert_eq!(chosen(vec![TableShare { open: true, ..share(1, 1000, 0) }]), None);
    }

    #[test]
    fn buckets_near_their_end_are_left_alone() {
        let goes_in = |left, share| TableShare { drops_at: UnixSecond(NOW.0 + left), ..share };
        let outdated = |left| vec![goes_in(left, share(1, 1000, 499))];
        assert_eq!(chosen(outdated(GOING_SECONDS)), None);
        assert_eq!(chosen(outdated(GOING_SECONDS + 1)), Some(1));
        let small = |left| (0..99).map(|number| goes_in(left, share(number, 50, 50))).collect();
        assert_eq!(chosen(small(COMPACTION_QUIET_SECONDS)), None);
        assert_eq!(chosen(small(COMPACTION_QUIET_SECONDS + 1)), Some(0));
    }

    #[test]
    fn too_many_small_tables_are_joined() {
        let many = |count: u32| (0..count).map(|n| share(n, 50, 50)).collect::<Vec<_>>();
        assert_eq!(chosen(many(SMALL_TABLES_MAX as u32)), None);
        assert_eq!(chosen(many(SMALL_TABLES_MAX as u32 + 1)), Some(0));
    }

    #[test]
    fn each_of_thousands_of_tables_is_looked_at_once() {
        // A small one in each of 5,000 buckets, and one bucket of too many.
        let spread = (0..5000).map(|n| TableShare { bucket: BucketId(n), ..share(n, 50, 50) });
        let crowd = (5000..5017).map(|n| TableShare { bucket: BucketId(77), ..share(n, 50, 40) });
        let mut looks = 0;
        let shares = spread.chain(crowd).inspect(|_| looks += 1);
        let choice = choose(shares, 100, NOW);
        assert_eq!(choice, Choice::Drain(share(5000, 0, 0).file));
        assert_eq!(looks, 5017);
    }
}
