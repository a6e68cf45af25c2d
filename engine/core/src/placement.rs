//! Where a desk belongs.

use desk_protocol::LinkId;
use xxhash_rust::xxh3::xxh3_64;

/// Partitions of the key space. Fixed for ever: log frames carry them.
pub const PARTITIONS: u16 = 1_024;

/// Units of a cluster: a machine owns whole units, each of 16 partitions. Fixed for ever:
/// the streams' subjects carry them.
pub const UNITS: u16 = 64;

/// The unit of a key. All links of a desk share it. Where the shards divide [`UNITS`], a
/// unit lies in one shard.
pub fn unit(link: LinkId) -> u16 {
    partition(link) % UNITS
}

/// The partition of a key: xxh3-64 over its 16 big-endian bytes, modulo
/// [`PARTITIONS`]. The store uses the same function.
pub fn partition(link: LinkId) -> u16 {
    (xxh3_64(&link.to_bytes()) % u64::from(PARTITIONS)) as u16
}

/// Says which shard owns a desk. The core only compares shard numbers, so it does not
/// assume that the owner is in this process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Placement {
    shards: u16,
}

impl Placement {
    /// Over this many shards, at least one and at most [`PARTITIONS`].
    ///
    /// # Panics
    /// If the number is out of range.
    pub fn new(shards: u16) -> Self {
        assert!((1..=PARTITIONS).contains(&shards), "1 to {PARTITIONS} shards, not {shards}");
        Self { shards }
    }

    /// How many shards there are.
    pub const fn shards(self) -> u16 {
        self.shards
    }

    /// The shard that owns the desk of a link. A desk's links all share their
    /// desk's partition, so any of them will do.
    pub fn shard(self, link: LinkId) -> u16 {
        partition(link) % self.shards
    }
}
