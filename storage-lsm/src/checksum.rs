//! Checksums: xxh3-64, seeded with what the bytes belong to.
//!
//! The seed is xxh3-64 of these 45 bytes:
//! ```text
//! offset  bytes  field (little endian)
//!      0      1  kind: 1 header of a segment, 2 batch, 3 header of a table,
//!                4 directory of a block, 5 footer, 6 trailer, 7 value
//!      1     16  the store's id
//!     17     12  file: epoch u32, shard u16, zero u16, number u32
//!     29      8  incarnation: of the segment; of a value its sequence; else 0
//!     37      8  offset in the file, in bytes
//! ```
//! A slot of the manifest, where the store's id is read from, has its number for
//! a seed.
//!
//! So intact bytes in the wrong place, or of an earlier use of a place, fail like
//! damaged ones. The store's id is random and clients do not know it, so a client
//! cannot build a payload that would pass as a batch or a block.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::file::FileId;

/// The random id of one store, drawn when it was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StoreId(pub [u8; 16]);

/// What kind of bytes a checksum is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    SegmentHeader = 1,
    Batch = 2,
    TableHeader = 3,
    TableBlock = 4,
    TableFooter = 5,
    TableTrailer = 6,
    Value = 7,
}

/// The place of some bytes in one file of a store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    pub(crate) store: StoreId,
    pub(crate) file: FileId,
}

impl Place {
    /// The checksum of `bytes` at `offset`. `incarnation` is the use of the
    /// place that the bytes belong to; files that are written once pass 0.
    pub(crate) fn checksum(self, kind: Kind, incarnation: u64, offset: u64, bytes: &[u8]) -> u64 {
        let mut seed = [0_u8; 45];
        seed[0] = kind as u8;
        seed[1..17].copy_from_slice(&self.store.0);
        seed[17..29].copy_from_slice(&self.file.bytes());
        seed[29..37].copy_from_slice(&incarnation.to_le_bytes());
        seed[37..].copy_from_slice(&offset.to_le_bytes());
        checksum(bytes, xxh3_64(&seed))
    }
}

/// The checksum of a manifest slot. It is read before the store's id is known.
pub(crate) fn of_slot(bytes: &[u8], slot: u64) -> u64 {
    checksum(bytes, slot)
}

fn checksum(bytes: &[u8], seed: u64) -> u64 {
    #[cfg(feature = "unchecked")]
    if unchecked::is_on() {
        return unchecked::SUM;
    }
    xxh3_64_with_seed(bytes, seed)
}

/// Checksums that are all the same, so that hostile bytes get past them and
/// into every decoder. For fuzzing; the product is built without it.
#[cfg(feature = "unchecked")]
pub mod unchecked {
    use std::cell::Cell;

    pub(super) const SUM: u64 = 0x5ea1_ed00_5ea1_ed00;

    thread_local! {
        static ON: Cell<bool> = const { Cell::new(false) };
    }

    /// From now on, and on this thread only, all checksums are the same.
    pub fn turn_on() {
        ON.with(|on| on.set(true));
    }

    /// Back to real checksums.
    pub fn turn_off() {
        ON.with(|on| on.set(false));
    }

    pub(super) fn is_on() -> bool {
        ON.with(Cell::get)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::ShardId;

    #[test]
    fn every_part_of_the_place_counts() {
        let file = FileId { epoch: 1, shard: ShardId(2), number: 3 };
        let place = Place { store: StoreId([1; 16]), file };
        let base = place.checksum(Kind::Batch, 4, 5, b"x");
        let others = [
            place.checksum(Kind::Value, 4, 5, b"x"),
            place.checksum(Kind::Batch, 5, 5, b"x"),
            place.checksum(Kind::Batch, 4, 6, b"x"),
            place.checksum(Kind::Batch, 4, 5, b"y"),
            Place { store: StoreId([2; 16]), ..place }.checksum(Kind::Batch, 4, 5, b"x"),
            Place { file: FileId { number: 4, ..file }, ..place }.checksum(Kind::Batch, 4, 5, b"x"),
        ];
        assert!(others.iter().all(|other| *other != base));
    }
}
