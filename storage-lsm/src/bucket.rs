//! Buckets: spans of creation seconds whose data goes as a whole.

use crate::key::{Key, Seconds, UnixSecond};
use crate::limits::{STAMP_AHEAD_SECONDS, STAMP_BEHIND_SECONDS};

/// The first second of a bucket, which names it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct BucketId(pub u32);

/// One bucket with the lifetime that was promised when it was made. A stamp never
/// changes, so a changed flag does not move an expiry that was promised.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BucketStamp {
    /// Its first second.
    pub id: BucketId,
    /// How many creation seconds it spans.
    pub length: Seconds,
    /// How long each of its keys lives.
    pub lifetime: Seconds,
}

impl BucketStamp {
    /// The first second after the bucket.
    pub fn end(&self) -> u64 {
        u64::from(self.id.0) + u64::from(self.length.0)
    }

    /// Whether a key of that creation second belongs here.
    pub fn holds(&self, second: u32) -> bool {
        second >= self.id.0 && u64::from(second) < self.end()
    }

    /// When a key of this bucket expires: from that second on it is gone.
    pub fn expires_at(&self, key: &Key) -> UnixSecond {
        UnixSecond(u64::from(key.second()) + u64::from(self.lifetime.0))
    }

    /// When the last key of the bucket has expired and its files may go.
    pub fn drops_at(&self) -> UnixSecond {
        UnixSecond(self.end() + u64::from(self.lifetime.0))
    }
}

/// All buckets, in order and without overlap.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BucketTable {
    stamps: Vec<BucketStamp>,
}

/// Buckets that overlap or are out of order, which no store writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("bucket {second} overlaps its neighbour or spans nothing")]
pub struct BucketsOverlap {
    /// The first second of the bucket at fault.
    pub second: u32,
}

impl BucketTable {
    /// Takes buckets that are in order and do not overlap.
    ///
    /// # Errors
    /// [`BucketsOverlap`] names the first bucket that is out of order, overlaps its
    /// neighbour or spans no second.
    pub fn new(stamps: Vec<BucketStamp>) -> Result<Self, BucketsOverlap> {
        let mut free_from = 0;
        for stamp in &stamps {
            if u64::from(stamp.id.0) < free_from || stamp.length.0 == 0 {
                return Err(BucketsOverlap { second: stamp.id.0 });
            }
            free_from = stamp.end();
        }
        Ok(Self { stamps })
    }

    /// The buckets, oldest first.
    pub fn stamps(&self) -> &[BucketStamp] {
        &self.stamps
    }

    /// The bucket of a creation second.
    pub fn of_second(&self, second: u32) -> Option<&BucketStamp> {
        self.number_of(second).map(|number| &self.stamps[number])
    }

    /// Which of [`Self::stamps`] is the bucket of a creation second.
    pub(crate) fn number_of(&self, second: u32) -> Option<usize> {
        let after = self.stamps.partition_point(|stamp| stamp.id.0 <= second);
        let number = after.checked_sub(1)?;
        self.stamps[number].holds(second).then_some(number)
    }

    /// The bucket with that id.
    pub fn get(&self, id: BucketId) -> Option<&BucketStamp> {
        self.of_second(id.0).filter(|stamp| stamp.id == id)
    }

    /// Makes sure that the seconds around `now` have buckets. Existing buckets stay as
    /// they are; gaps between them are stamped with `length` and `lifetime`. Says
    /// whether any bucket was added.
    pub fn stamp_ahead(&mut self, now: UnixSecond, length: Seconds, lifetime: Seconds) -> bool {
        self.stamp_around(now, Seconds(STAMP_BEHIND_SECONDS as u32), length, lifetime)
    }

    /// The same from `behind` before `now` on.
    pub(crate) fn stamp_around(
        &mut self,
        now: UnixSecond,
        behind: Seconds,
        length: Seconds,
        lifetime: Seconds,
    ) -> bool {
        let span = u64::from(length.0.max(1));
        let last = now.0.saturating_add(STAMP_AHEAD_SECONDS.max(span)).min(u64::from(u32::MAX));
        let mut second = now.0.saturating_sub(STAMP_BEHIND_SECONDS.max(behind.0.into()));
        let mut added = false;
        while second <= last {
            let at = self.stamps.partition_point(|stamp| u64::from(stamp.id.0) <= second);
            let before_end = at.checked_sub(1).map_or(0, |i| self.stamps[i].end());
            if before_end > second {
                second = before_end;
                continue;
            }
            let grid = second - second % span;
            let start = grid.max(before_end);
            let next_start = self.stamps.get(at).map_or(u64::MAX, |next| u64::from(next.id.0));
            let end = (grid + span).min(next_start).min(u64::from(u32::MAX) + 1);
            let stamp = BucketStamp {
                id: BucketId(start as u32),
                length: Seconds((end - start) as u32),
                lifetime,
            };
            // A bucket that would be dropped at once is never made, or the
            // manifest would be written at every tick.
            if stamp.drops_at() > now {
                self.stamps.insert(at, stamp);
                added = true;
            }
            second = end;
        }
        added
    }

    /// Takes out the buckets whose last key has expired.
    pub fn drop_expired(&mut self, now: UnixSecond) -> Vec<BucketStamp> {
        let (gone, kept) = self.stamps.iter().partition(|stamp| stamp.drops_at() <= now);
        self.stamps = kept;
        gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(second: u32) -> Key {
        Key::first_of(second)
    }

    #[test]
    fn seconds_around_now_are_stamped_on_a_grid() {
        let mut table = BucketTable::default();
        assert!(table.stamp_ahead(UnixSecond(1000), Seconds(100), Seconds(500)));
        let ids: Vec<u32> = table.stamps().iter().map(|stamp| stamp.id.0).collect();
        assert_eq!(ids, [900, 1000, 1100]);
        assert!(!table.stamp_ahead(UnixSecond(1000), Seconds(100), Seconds(500)));
        assert_eq!(table.of_second(1099).unwrap().id, BucketId(1000));
        assert_eq!(table.of_second(1200), None);
        assert_eq!(table.of_second(899), None);
    }

    #[test]
    fn a_changed_flag_touches_new_buckets_only() {
        let mut table = BucketTable::default();
        table.stamp_ahead(UnixSecond(1000), Seconds(100), Seconds(500));
        let before = table.of_second(1050).unwrap().expires_at(&key(1050));
        table.stamp_ahead(UnixSecond(1050), Seconds(70), Seconds(10));
        assert_eq!(table.of_second(1050).unwrap().expires_at(&key(1050)), before);
        table.stamp_ahead(UnixSecond(1190), Seconds(70), Seconds(10));
        let first_new = table.of_second(1200).unwrap();
        assert_eq!((first_new.id.0, first_new.end(), first_new.lifetime.0), (1200, 1260, 10));
        assert_eq!(BucketTable::new(table.stamps().to_vec()), Ok(table.clone()));
    }

    #[test]
    fn a_bucket_goes_when_its_last_key_has_expired() {
        let mut table = BucketTable::default();
        table.stamp_ahead(UnixSecond(1000), Seconds(100), Seconds(500));
        assert_eq!(table.of_second(1099).unwrap().expires_at(&key(1099)), UnixSecond(1599));
        assert!(table.drop_expired(UnixSecond(1499)).is_empty());
        assert_eq!(table.drop_expired(UnixSecond(1600)).len(), 2);
        assert_eq!(table.stamps().len(), 1);
    }

    #[test]
    fn stamping_and_dropping_come_to_rest() {
        // A lifetime shorter than what is stamped back must not make a bucket
        // appear and go in turns.
        let mut table = BucketTable::default();
        table.stamp_ahead(UnixSecond(1000), Seconds(1), Seconds(2));
        assert!(table.drop_expired(UnixSecond(1000)).is_empty());
        assert!(!table.stamp_ahead(UnixSecond(1000), Seconds(1), Seconds(2)));
    }

    #[test]
    fn overlapping_buckets_are_refused() {
        let stamp = |id, length| BucketStamp {
            id: BucketId(id),
            length: Seconds(length),
            lifetime: Seconds(1),
        };
        assert!(BucketTable::new(vec![stamp(0, 10), stamp(10, 10)]).is_ok());
        assert!(BucketTable::new(vec![stamp(0, 11), stamp(10, 10)]).is_err());
        assert!(BucketTable::new(vec![stamp(0, 0)]).is_err());
    }
}
