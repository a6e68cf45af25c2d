//! Checksums: xxh3-64, seeded with what the bytes belong to.
//!
//! The seed is the hash of the store's id, the kind of the bytes, the file,
//! the incarnation and the offset. Bytes that are intact but lie in the wrong
//! place, or are left from an earlier use of a place, fail like damaged ones.
//! The store's id is random and secret to clients, so a client cannot put
//! bytes into a payload that would pass as a batch or a block.

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
        xxh3_64_with_seed(bytes, xxh3_64(&seed))
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
