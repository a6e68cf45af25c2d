//! What is stored: keys, operations and desks that cannot be compressed and can
//! be told from their numbers, so that whatever comes back can be checked.

use std::ops::Range;

use desk_bench::random::Random;

/// The first creation second: a whole number of days, so that bucket 0 begins here.
pub const FIRST_SECOND: u32 = 19_676 * DAY;
/// Seconds of a bucket.
pub const DAY: u32 = 86_400;
/// Bytes of a key, as every engine is given them.
pub const KEY_BYTES: usize = 16;
/// Bytes of one operation, as in the brief's full load.
pub const OPERATION_BYTES: usize = 100;
/// Operations and desks are pieces of this many random bytes.
const POOL_BYTES: usize = 1 << 20;

/// A desk's number, from 0.
pub type Desk = u64;

/// One writing of a whole desk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Version {
    /// The desk.
    pub desk: Desk,
    /// How often it was written before.
    pub version: u64,
}

/// One operation of a desk.
#[derive(Clone, Copy, Debug)]
pub struct Operation<'a> {
    /// The desk.
    pub desk: Desk,
    /// Its number among the desk's operations, from 1.
    pub revision: u64,
    /// What it says.
    pub payload: &'a [u8],
}

/// All that a run stores.
#[derive(Clone, Debug)]
pub struct Content {
    pool: Vec<u8>,
    /// How many desks there are.
    pub desks: u64,
    /// How many buckets they are spread over, in order.
    pub buckets: u32,
    /// Bytes of a whole desk.
    pub desk_bytes: usize,
}

impl Content {
    /// Desks of one size in some buckets.
    pub fn new(desks: u64, buckets: u32, desk_bytes: usize) -> Self {
        let mut random = Random::new(0x5eed);
        let pool = (0..(POOL_BYTES + desk_bytes) / 8 + 1).flat_map(|_| random.bits().to_le_bytes());
        Self { pool: pool.collect(), desks, buckets, desk_bytes }
    }

    /// The bucket of a desk: the first desks lie in the first.
    pub fn bucket(&self, desk: Desk) -> u32 {
        (desk * u64::from(self.buckets) / self.desks.max(1)) as u32
    }

    /// The first desk of a bucket.
    pub fn first_desk(&self, bucket: u32) -> Desk {
        (u64::from(bucket) * self.desks).div_ceil(u64::from(self.buckets))
    }

    /// The desk's key: its creation second, then what looks random.
    pub fn key(&self, desk: Desk) -> [u8; KEY_BYTES] {
        let mut random = Random::new(desk.wrapping_mul(0xd6e8_feb8_6659_fd93));
        let second =
            FIRST_SECOND + self.bucket(desk) * DAY + (random.bits() % u64::from(DAY)) as u32;
        let mut key = [0; KEY_BYTES];
        key[..4].copy_from_slice(&second.to_be_bytes());
        key[4..12].copy_from_slice(&random.bits().to_be_bytes());
        key[12..].copy_from_slice(&random.bits().to_be_bytes()[..4]);
        key
    }

    /// The bytes of one operation.
    pub fn operation(&self, desk: Desk, revision: u64) -> &[u8] {
        self.piece(desk, revision, OPERATION_BYTES)
    }

    /// The bytes of one version of a desk.
    pub fn desk(&self, written: Version) -> &[u8] {
        self.piece(written.desk, !written.version, self.desk_bytes)
    }

    fn piece(&self, desk: Desk, number: u64, bytes: usize) -> &[u8] {
        let place = Random::new(desk ^ number.rotate_left(40)).below(POOL_BYTES);
        &self.pool[place..place + bytes]
    }
}

/// Operations of desks at random, each desk's numbered without a gap.
#[derive(Debug)]
pub struct Stream {
    random: Random,
    first: Desk,
    revisions: Vec<u32>,
}

impl Stream {
    /// Operations on those desks, each of which has `after` of them already.
    pub fn new(desks: Range<Desk>, after: u32, seed: u64) -> Self {
        let count = desks.end.saturating_sub(desks.start) as usize;
        Self { random: Random::new(seed), first: desks.start, revisions: vec![after; count] }
    }

    /// The next one.
    pub fn draw<'a>(&mut self, content: &'a Content) -> Operation<'a> {
        let at = self.random.below(self.revisions.len());
        self.revisions[at] += 1;
        let (desk, revision) = (self.first + at as Desk, u64::from(self.revisions[at]));
        Operation { desk, revision, payload: content.operation(desk, revision) }
    }

    /// How many operations the desk has.
    pub fn revision(&self, desk: Desk) -> u64 {
        u64::from(self.revisions[(desk - self.first) as usize])
    }
}

/// Numbers below `count` in random order.
pub fn shuffled(count: u64, seed: u64) -> Vec<u64> {
    let mut random = Random::new(seed);
    let mut all: Vec<u64> = (0..count).collect();
    for at in (1..all.len()).rev() {
        all.swap(at, random.below(at + 1));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn desks_lie_in_their_buckets_in_order() {
        let content = Content::new(10, 3, 100);
        let buckets: Vec<u32> = (0..10).map(|desk| content.bucket(desk)).collect();
        assert_eq!(buckets, [0, 0, 0, 0, 1, 1, 1, 2, 2, 2]);
        for desk in 0..10 {
            let second = u32::from_be_bytes(content.key(desk)[..4].try_into().unwrap());
            assert_eq!((second - FIRST_SECOND) / DAY, content.bucket(desk));
            assert!(content.first_desk(content.bucket(desk)) <= desk);
        }
        assert_eq!(content.first_desk(3), 10);
    }

    #[test]
    fn versions_and_operations_differ_and_come_again() {
        let content = Content::new(2, 1, 300);
        let version = |desk, version| content.desk(Version { desk, version });
        assert_eq!(version(0, 1), version(0, 1));
        assert_ne!(version(0, 1), version(0, 2));
        assert_ne!(version(0, 1), version(1, 1));
        assert_eq!(version(1, 0).len(), 300);
        assert_ne!(content.operation(0, 1), content.operation(0, 2));
    }

    #[test]
    fn a_stream_leaves_no_gap() {
        let content = Content::new(5, 1, 10);
        let mut stream = Stream::new(0..5, 0, 1);
        let mut seen = [0; 5];
        for _ in 0..100 {
            let operation = stream.draw(&content);
            seen[operation.desk as usize] += 1;
            assert_eq!(operation.revision, seen[operation.desk as usize]);
        }
        let mut order = shuffled(50, 3);
        assert_ne!(order, (0..50).collect::<Vec<_>>());
        order.sort_unstable();
        assert_eq!(order, (0..50).collect::<Vec<_>>());
    }
}
