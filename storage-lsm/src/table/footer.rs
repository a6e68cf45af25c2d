//! The footer of a sealed table: its whole directory, and how to find it.
//!
//! ```text
//! footer          entries of 48 bytes as in a block, sorted by key, zeros up
//!                 to a multiple of 4,096
//! trailer, the last block of the file:
//! offset  bytes  field (little endian)
//!      0      8  checksum of bytes 8..64, seeded with store, file and offset
//!      8      4  magic "SDTF"
//!     12      2  format version, 2
//!     14      2  zero
//!     16      8  offset of the footer in the file
//!     24      8  count of its entries
//!     32      8  checksum of the entries, seeded with store, file and offset
//!     40      4  first second of the bucket
//!     44      4  length of the bucket in seconds
//!     48      4  lifetime of its keys in seconds
//!     52     12  zeros
//!                zeros up to 4,096
//! ```
//!
//! A start reads a sealed table with one access: the last 1/128 of the file,
//! and 64 KiB at least, holds trailer and footer for values of 6 KiB and more
//! on average. Where they are smaller a second access brings the rest.

use crate::bucket::BucketStamp;
use crate::checksum::{Kind, Place};
use crate::field::{Cursor, block_up};
use crate::limits::BLOCK_BYTES;

use super::VERSION;
use super::block::{put_stamp, take_stamp};
use super::error::TableError;
use super::record::{ENTRY_BYTES, TableEntry};

const MAGIC: u32 = u32::from_le_bytes(*b"SDTF");
const TRAILER_BYTES: usize = 64;

/// Where a table's footer lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Trailer {
    pub(crate) offset: u64,
    pub(crate) count: u64,
    pub(crate) bucket: BucketStamp,
    checksum: u64,
}

impl Trailer {
    /// The bytes of the entries, without padding.
    pub(crate) fn entries_bytes(&self) -> u64 {
        self.count * ENTRY_BYTES as u64
    }

    /// Reads the last block of a file of `file_bytes`.
    pub(crate) fn decode(block: &[u8], place: Place, file_bytes: u64) -> Result<Self, TableError> {
        let bytes = block.get(..TRAILER_BYTES).ok_or(TableError::NoTable)?;
        let mut fields = Cursor::new(bytes);
        let sum = fields.u64()?;
        if fields.u32()? != MAGIC {
            return Err(TableError::NoTable);
        }
        let version = fields.u16()?;
        fields.skip(2)?;
        let (offset, count, checksum) = (fields.u64()?, fields.u64()?, fields.u64()?);
        let trailer = Self { offset, count, checksum, bucket: take_stamp(&mut fields)? };
        let at = file_bytes.saturating_sub(BLOCK_BYTES as u64);
        if sum != place.checksum(Kind::TableTrailer, 0, at, &bytes[8..]) {
            return Err(TableError::Checksum);
        }
        // Only now: a bit of it may be wrong.
        if version != VERSION {
            return Err(TableError::Version(version));
        }
        // The footer fills exactly what lies between its begin and the trailer.
        let entries = trailer.count.checked_mul(ENTRY_BYTES as u64).ok_or(TableError::Length)?;
        let fits = trailer.offset.is_multiple_of(BLOCK_BYTES as u64)
            && at
                .checked_sub(trailer.offset)
                .is_some_and(|room| entries <= room && room - entries < BLOCK_BYTES as u64);
        if fits { Ok(trailer) } else { Err(TableError::Length) }
    }

    /// The entries of the footer that was read.
    pub(crate) fn entries(
        &self,
        bytes: &[u8],
        place: Place,
    ) -> Result<Vec<TableEntry>, TableError> {
        let length = usize::try_from(self.entries_bytes()).map_err(|_| TableError::Length)?;
        let bytes = bytes.get(..length).ok_or(TableError::Length)?;
        if place.checksum(Kind::TableFooter, 0, self.offset, bytes) != self.checksum {
            return Err(TableError::Checksum);
        }
        let mut fields = Cursor::new(bytes);
        let mut entries = Vec::with_capacity(length / ENTRY_BYTES);
        for _ in 0..self.count {
            let entry = TableEntry::take(&mut fields)?;
            if entry.end() > self.offset {
                return Err(TableError::Length);
            }
            entries.push(entry);
        }
        Ok(entries)
    }
}

/// The bytes that footer and trailer of so many entries take.
pub(crate) fn footer_bytes(count: usize) -> u64 {
    block_up((count * ENTRY_BYTES) as u64) + BLOCK_BYTES as u64
}

/// The footer and trailer of a table with these entries, to be written at
/// `at`, where its blocks end.
pub(crate) fn encode_footer(
    place: Place,
    bucket: &BucketStamp,
    at: u64,
    mut entries: Vec<TableEntry>,
) -> Vec<u8> {
    entries.sort_by_key(|entry| (entry.key, entry.sequence));
    let bytes = footer_bytes(entries.len()) as usize;
    let directory = bytes - BLOCK_BYTES;
    let mut out = Vec::with_capacity(bytes);
    for entry in &entries {
        entry.put(&mut out);
    }
    let checksum = place.checksum(Kind::TableFooter, 0, at, &out);
    out.resize(directory, 0);
    let trailer_at = at + out.len() as u64;
    let mut trailer = vec![0; 8];
    trailer.extend_from_slice(&MAGIC.to_le_bytes());
    trailer.extend_from_slice(&VERSION.to_le_bytes());
    trailer.extend_from_slice(&[0; 2]);
    trailer.extend_from_slice(&at.to_le_bytes());
    trailer.extend_from_slice(&(entries.len() as u64).to_le_bytes());
    trailer.extend_from_slice(&checksum.to_le_bytes());
    put_stamp(&mut trailer, bucket);
    trailer.resize(TRAILER_BYTES, 0);
    let sum = place.checksum(Kind::TableTrailer, 0, trailer_at, &trailer[8..]);
    trailer[..8].copy_from_slice(&sum.to_le_bytes());
    trailer.resize(BLOCK_BYTES, 0);
    out.extend_from_slice(&trailer);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bucket::BucketId;
    use crate::checksum::StoreId;
    use crate::file::FileId;
    use crate::key::{Key, Seconds, Sequence, ShardId};
    use proptest::prelude::*;

    const BUCKET: BucketStamp =
        BucketStamp { id: BucketId(100), length: Seconds(50), lifetime: Seconds(9) };

    fn place() -> Place {
        let file = FileId { epoch: 1, shard: ShardId(0), number: 1 };
        Place { store: StoreId([3; 16]), file }
    }

    fn entry(key: u8) -> TableEntry {
        let key = Key::new([key; 16]);
        TableEntry { key, sequence: Sequence(1), offset: 64, length: 3, checksum: 5 }
    }

    #[test]
    fn a_footer_comes_back_sorted() {
        for count in [0, 1, 85, 86, 200] {
            let entries: Vec<_> = (0..count).rev().map(entry).collect();
            let bytes = encode_footer(place(), &BUCKET, 8192, entries.clone());
            let file_bytes = 8192 + bytes.len() as u64;
            let last = &bytes[bytes.len() - BLOCK_BYTES..];
            let trailer = Trailer::decode(last, place(), file_bytes).unwrap();
            assert_eq!(trailer.bucket, BUCKET);
            let sorted: Vec<_> = entries.into_iter().rev().collect();
            assert_eq!(trailer.entries(&bytes, place()), Ok(sorted));
            assert!(Trailer::decode(last, place(), file_bytes + 4096).is_err());
        }
    }

    proptest! {
        #[test]
        fn hostile_trailers_are_errors(offset: u64, count: u64, checksum: u64, file_pages in 0_u64..5) {
            let at = (file_pages * 4096).saturating_sub(4096);
            let mut bytes = vec![0; 8];
            bytes.extend_from_slice(&MAGIC.to_le_bytes());
            bytes.extend_from_slice(&[2, 0, 0, 0]);
            for field in [offset, count, checksum] {
                bytes.extend_from_slice(&field.to_le_bytes());
            }
            bytes.resize(TRAILER_BYTES, 0);
            let sum = place().checksum(Kind::TableTrailer, 0, at, &bytes[8..]);
            bytes[..8].copy_from_slice(&sum.to_le_bytes());
            if let Ok(trailer) = Trailer::decode(&bytes, place(), file_pages * 4096) {
                prop_assert!(trailer.entries_bytes() <= file_pages * 4096);
                let _ = trailer.entries(&[0; 4096], place());
            }
        }
    }
}
