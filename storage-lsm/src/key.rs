//! Keys, the numbers that order things, and where a key lives.

use std::fmt;
use std::num::NonZeroU16;

use xxhash_rust::xxh3::xxh3_64;

/// A point in time, in whole seconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct UnixSecond(pub u64);

/// A span of time, in whole seconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Seconds(pub u32);

/// What a value is stored under: 16 bytes, of which the first four are the
/// creation second, big endian. The store knows nothing else about it.
///
/// `Debug` shows a short hash and never the key, because a key may be the
/// secret that opens what it names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key([u8; 16]);

impl Key {
    /// Takes the 16 bytes as they are.
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes.
    pub const fn bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The creation second, which decides the bucket.
    pub const fn second(&self) -> u32 {
        u32::from_be_bytes([self.0[0], self.0[1], self.0[2], self.0[3]])
    }

    /// The hash that partitions and fingerprints are taken from.
    pub(crate) fn hash64(&self) -> u64 {
        xxh3_64(&self.0)
    }

    /// The smallest key of a second; ranges of buckets begin with it.
    pub(crate) const fn first_of(second: u32) -> Self {
        let s = second.to_be_bytes();
        Self([s[0], s[1], s[2], s[3], 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key#{:08x}", xxh3_64(&self.0) as u32)
    }
}

/// The number of one record of one key: the first is 1, each further one is
/// exactly one more. The store finds duplicates and gaps by it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Sequence(pub u64);

impl Sequence {
    /// The sequence that a tombstone carries: above every other.
    pub const TOMBSTONE: Self = Self(u64::MAX);

    pub(crate) fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// How many records a shard's log has taken, in the order of `append`.
/// A record with position `p` is durable when `durable() >= p`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Position(pub u64);

/// One of [`Partition::COUNT`] parts of all keys.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Partition(u16);

impl Partition {
    /// How many partitions there are. It never changes, the number of shards may.
    pub const COUNT: u16 = 1024;

    /// The partition's number, below [`Self::COUNT`].
    pub const fn number(self) -> u16 {
        self.0
    }

    /// The shard that owns the partition: the partition modulo the count.
    pub const fn shard(self, shards: ShardCount) -> ShardId {
        ShardId(self.0 % shards.0.get())
    }

    /// The partition of a key with that hash.
    pub(crate) fn of_hash(hash: u64) -> Self {
        Self((hash % u64::from(Self::COUNT)) as u16)
    }
}

/// The partition of a key: xxh3-64 of its bytes, modulo [`Partition::COUNT`].
pub fn partition_of(key: &Key) -> Partition {
    Partition::of_hash(key.hash64())
}

/// The number of a shard, from 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ShardId(pub u16);

/// How many shards there are: 1 to [`Partition::COUNT`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ShardCount(NonZeroU16);

impl ShardCount {
    /// `None` for 0 and for more shards than partitions.
    pub const fn new(count: u16) -> Option<Self> {
        match NonZeroU16::new(count) {
            Some(n) if count <= Partition::COUNT => Some(Self(n)),
            _ => None,
        }
    }

    /// The count.
    pub const fn get(self) -> u16 {
        self.0.get()
    }

    /// All shards in order.
    pub fn ids(self) -> impl Iterator<Item = ShardId> {
        (0..self.get()).map(ShardId)
    }
}

/// Hashes keys for the maps of the store. The server draws a key's random part
/// itself, so nobody outside can aim at one place of a map.
#[derive(Clone, Copy, Default)]
pub(crate) struct KeyHash(u64);

impl std::hash::BuildHasher for KeyHash {
    type Hasher = Self;

    fn build_hasher(&self) -> Self {
        Self(0)
    }
}

/// Takes the bytes of one key, at once: a streaming hash has a state of half a
/// KiB, and setting that up costs more than the hash of 16 bytes.
impl std::hash::Hasher for KeyHash {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64(bytes);
    }

    /// The length of a key says nothing.
    fn write_usize(&mut self, _length: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

/// A map from keys whose order nobody sees.
pub(crate) type KeyMap<V> = std::collections::HashMap<Key, V, KeyHash>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_begins_with_its_second() {
        let mut bytes = [7; 16];
        bytes[..4].copy_from_slice(&0x0102_0304_u32.to_be_bytes());
        assert_eq!(Key::new(bytes).second(), 0x0102_0304);
        assert!(Key::first_of(0x0102_0304) <= Key::new(bytes));
        assert!(Key::new(bytes) < Key::first_of(0x0102_0305));
    }

    #[test]
    fn a_key_never_shows_itself() {
        let shown = format!("{:?}", Key::new(*b"0123456789abcdef"));
        assert!(!shown.contains("30"), "{shown}");
        assert_eq!(shown.len(), "Key#00000000".len());
    }

    #[test]
    fn partitions_are_stable_across_versions() {
        // The number is written into nothing, yet two servers must agree on it.
        let number = partition_of(&Key::new(*b"0123456789abcdef")).number();
        assert_eq!(number, (xxh3_64(b"0123456789abcdef") % 1024) as u16);
        for n in [1, 2, 7, 1024] {
            let shards = ShardCount::new(n).unwrap();
            assert!(partition_of(&Key::new([9; 16])).shard(shards).0 < n);
        }
        assert!(ShardCount::new(0).is_none() && ShardCount::new(1025).is_none());
    }
}
