//! The header of a table and its blocks.
//!
//! Header, one block of 4,096 bytes:
//! ```text
//! offset  bytes  field (little endian)
//!      0      8  checksum of bytes 8..4,096, seeded with store and file
//!      8      4  magic "SDTH"
//!     12      2  format version, 2
//!     14      2  zero
//!     16     12  file: epoch u32, shard u16, zero u16, number u32
//!     28      4  first second of the bucket
//!     32      4  length of the bucket in seconds
//!     36      4  lifetime of its keys in seconds
//!                zeros up to 4,096
//! ```
//!
//! Block:
//! ```text
//! offset  bytes  field (little endian)
//!      0      8  checksum of bytes 8..32+48·count, seeded with store, file
//!                and offset
//!      8      4  magic "SDTB"
//!     12      2  format version, 2
//!     14      2  zero
//!     16      4  count of entries
//!     20      4  length of the block in bytes, a multiple of 4,096
//!     24      8  zero
//!     32         entries of 48 bytes, sorted by key:
//!                  16  key
//!                   8  sequence (all ones: a tombstone, without a value)
//!                   8  offset of the record in the file, a multiple of 16
//!                   4  length of the value in bytes
//!                   4  zero
//!                   8  checksum of the record
//!                records as in [`record`](super::record), back to back;
//!                zeros up to the end
//! ```
//!
//! A sealed table is never read by its blocks. They are for a table that a crash left
//! open: a directory proves what was written even where the crash, or damage, took the
//! record. The manifest has the number of blocks.

use crate::bucket::{BucketId, BucketStamp};
use crate::checksum::{Kind, Place};
use crate::field::{Cursor, block_up, put_file};
use crate::key::{Key, Seconds, Sequence};
use crate::limits::{BLOCK_BYTES, TABLE_BLOCK_BYTES_MAX};

use super::VERSION;
use super::error::TableError;
use super::record::{ENTRY_BYTES, TableEntry, put_record, stored_bytes};

const HEADER_MAGIC: u32 = u32::from_le_bytes(*b"SDTH");
const BLOCK_MAGIC: u32 = u32::from_le_bytes(*b"SDTB");
pub(crate) const BLOCK_HEADER_BYTES: usize = 32;

/// The header block of a table.
pub(crate) fn encode_header(place: Place, bucket: &BucketStamp) -> Vec<u8> {
    let mut out = vec![0; 8];
    out.extend_from_slice(&HEADER_MAGIC.to_le_bytes());
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&[0; 2]);
    put_file(&mut out, place.file);
    put_stamp(&mut out, bucket);
    out.resize(BLOCK_BYTES, 0);
    let sum = place.checksum(Kind::TableHeader, 0, 0, &out[8..]);
    out[..8].copy_from_slice(&sum.to_le_bytes());
    out
}

/// The bucket that a table's header names.
pub(crate) fn decode_header(block: &[u8], place: Place) -> Result<BucketStamp, TableError> {
    let block = block.get(..BLOCK_BYTES).ok_or(TableError::NoTable)?;
    let mut fields = Cursor::new(block);
    let sum = fields.u64()?;
    if fields.u32()? != HEADER_MAGIC {
        return Err(TableError::NoTable);
    }
    let version = fields.u16()?;
    fields.skip(2)?;
    let file = fields.file()?;
    if sum != place.checksum(Kind::TableHeader, 0, 0, &block[8..]) || file != place.file {
        return Err(TableError::Checksum);
    }
    // Only now: a bit of it may be wrong.
    if version != VERSION {
        return Err(TableError::Version(version));
    }
    take_stamp(&mut fields)
}

pub(super) fn put_stamp(out: &mut Vec<u8>, bucket: &BucketStamp) {
    out.extend_from_slice(&bucket.id.0.to_le_bytes());
    out.extend_from_slice(&bucket.length.0.to_le_bytes());
    out.extend_from_slice(&bucket.lifetime.0.to_le_bytes());
}

pub(super) fn take_stamp(fields: &mut Cursor<'_>) -> Result<BucketStamp, TableError> {
    Ok(BucketStamp {
        id: BucketId(fields.u32()?),
        length: Seconds(fields.u32()?),
        lifetime: Seconds(fields.u32()?),
    })
}

/// Lays out the records of one block at `at`, in the order of their keys, and
/// says what it holds.
pub(crate) fn encode_block<'a>(
    place: Place,
    at: u64,
    values: impl Iterator<Item = (Key, Sequence, &'a [u8])> + Clone,
) -> (Vec<u8>, Vec<TableEntry>) {
    let (mut count, mut length) = (0, BLOCK_HEADER_BYTES as u64);
    for (_, _, value) in values.clone() {
        count += 1;
        length += ENTRY_BYTES as u64 + stored_bytes(value.len() as u32);
    }
    let length = block_up(length) as usize;
    let directory = BLOCK_HEADER_BYTES + count * ENTRY_BYTES;
    let mut out = Vec::with_capacity(length);
    out.resize(directory, 0);
    let mut entries = Vec::with_capacity(count);
    for value in values {
        let offset = at + out.len() as u64;
        entries.push(put_record(&mut out, place, offset, value));
    }
    out.resize(length, 0);
    let mut front = Vec::with_capacity(directory);
    front.extend_from_slice(&[0; 8]);
    front.extend_from_slice(&BLOCK_MAGIC.to_le_bytes());
    front.extend_from_slice(&VERSION.to_le_bytes());
    front.extend_from_slice(&[0; 2]);
    front.extend_from_slice(&(count as u32).to_le_bytes());
    front.extend_from_slice(&(length as u32).to_le_bytes());
    front.extend_from_slice(&[0; 8]);
    for entry in &entries {
        entry.put(&mut front);
    }
    let sum = place.checksum(Kind::TableBlock, 0, at, &front[8..]);
    front[..8].copy_from_slice(&sum.to_le_bytes());
    out[..directory].copy_from_slice(&front);
    (out, entries)
}

/// The lengths that the front of a block claims: of the directory with the
/// block's header, and of the whole block.
pub(crate) fn peek_block(front: &[u8]) -> Result<(usize, usize), TableError> {
    let mut fields = Cursor::new(front);
    fields.skip(8)?;
    if fields.u32()? != BLOCK_MAGIC {
        return Err(TableError::NoTable);
    }
    let version = fields.u16()?;
    if version != VERSION {
        return Err(TableError::Version(version));
    }
    fields.skip(2)?;
    let count = fields.u32()? as usize;
    let length = fields.u32()? as usize;
    let directory = count.saturating_mul(ENTRY_BYTES).saturating_add(BLOCK_HEADER_BYTES);
    let possible = length.is_multiple_of(BLOCK_BYTES)
        && length <= TABLE_BLOCK_BYTES_MAX
        && directory <= length;
    if possible { Ok((directory, length)) } else { Err(TableError::Length) }
}

/// The directory of the block at `at`; `bytes` hold at least the directory.
pub(crate) fn decode_directory(
    bytes: &[u8],
    place: Place,
    at: u64,
) -> Result<Vec<TableEntry>, TableError> {
    let (directory, length) = peek_block(bytes)?;
    let bytes = bytes.get(..directory).ok_or(TableError::Length)?;
    let mut fields = Cursor::new(bytes);
    if fields.u64()? != place.checksum(Kind::TableBlock, 0, at, &bytes[8..]) {
        return Err(TableError::Checksum);
    }
    fields.skip(BLOCK_HEADER_BYTES - 8)?;
    let end = at + length as u64;
    let mut entries = Vec::with_capacity((directory - BLOCK_HEADER_BYTES) / ENTRY_BYTES);
    for _ in 0..entries.capacity() {
        let entry = TableEntry::take(&mut fields)?;
        if entry.offset < at || entry.end() > end {
            return Err(TableError::Length);
        }
        entries.push(entry);
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checksum::StoreId;
    use crate::file::FileId;
    use crate::key::ShardId;
    use crate::table::record::{RECORD_HEADER_BYTES, decode_record};
    use proptest::prelude::*;

    fn place() -> Place {
        let file = FileId { epoch: 1, shard: ShardId(0), number: 1 };
        Place { store: StoreId([3; 16]), file }
    }

    #[test]
    fn a_header_names_its_bucket_in_its_own_file_only() {
        let bucket =
            BucketStamp { id: BucketId(86400), length: Seconds(86400), lifetime: Seconds(7) };
        let block = encode_header(place(), &bucket);
        assert_eq!(decode_header(&block, place()), Ok(bucket));
        let file = FileId { number: 2, ..place().file };
        assert_eq!(decode_header(&block, Place { file, ..place() }), Err(TableError::Checksum));
    }

    #[test]
    fn records_lie_where_the_directory_says() {
        let values = [
            (Key::new([1; 16]), Sequence(3), &b"one"[..]),
            (Key::new([2; 16]), Sequence(9), &[5; 5000]),
        ];
        let (bytes, entries) = encode_block(place(), 4096, values.iter().copied());
        assert!(bytes.len().is_multiple_of(BLOCK_BYTES));
        assert_eq!(decode_directory(&bytes, place(), 4096), Ok(entries.clone()));
        for (entry, (key, sequence, value)) in entries.iter().zip(values) {
            let at = (entry.offset - 4096) as usize;
            assert_eq!((entry.key, entry.sequence), (key, sequence));
            assert_eq!(decode_record(&bytes[at..], place(), entry.offset), Ok(*entry));
            assert_eq!(&bytes[at + RECORD_HEADER_BYTES..][..value.len()], value);
        }
        assert!(decode_directory(&bytes, place(), 8192).is_err());
    }

    proptest! {
        #[test]
        fn hostile_bytes_are_errors(mut bytes in proptest::collection::vec(any::<u8>(), 0..400), like_one: bool, count in 0_u32..9, pages in 0_u32..4) {
            if like_one && bytes.len() >= BLOCK_HEADER_BYTES {
                bytes[8..12].copy_from_slice(&BLOCK_MAGIC.to_le_bytes());
                bytes[12..14].copy_from_slice(&VERSION.to_le_bytes());
                bytes[16..20].copy_from_slice(&count.to_le_bytes());
                bytes[20..24].copy_from_slice(&(pages * 4096).to_le_bytes());
                if let Some(covered) = bytes.get(8..BLOCK_HEADER_BYTES + count as usize * ENTRY_BYTES) {
                    let sum = place().checksum(Kind::TableBlock, 0, 4096, covered);
                    bytes[..8].copy_from_slice(&sum.to_le_bytes());
                }
            }
            let end = 4096 + u64::from(pages) * 4096;
            for entry in decode_directory(&bytes, place(), 4096).unwrap_or_default() {
                prop_assert!(entry.offset >= 4096 && entry.end() <= end);
            }
            let _ = decode_header(&bytes, place());
        }
    }
}
