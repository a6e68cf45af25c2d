//! A value in a table, with the header that makes it complete in itself: one
//! read of a record is enough to know whose it is and that it is whole.
//!
//! ```text
//! offset  bytes  field (little endian)
//!      0      8  checksum of bytes 8..48+length, seeded with store, file,
//!                offset, and the sequence in place of the incarnation
//!      8      4  magic "SDTR"
//!     12      4  length of the value in bytes
//!     16     16  key
//!     32      8  sequence (all ones: a tombstone, without a value)
//!     40      8  zero
//!     48         value, padded with zeros to a multiple of 16
//! ```
//!
//! A record begins at a multiple of 16, and so does its value, so that an
//! archive is read in place. The index in memory has 32 bits of the checksum.

use crate::checksum::{Kind, Place};
use crate::field::Cursor;
use crate::key::{Key, Sequence};
use crate::limits::{TABLE_OFFSET_MAX, VALUE_BYTES_MAX};

use super::error::TableError;

const MAGIC: u32 = u32::from_le_bytes(*b"SDTR");
/// The bytes before a value.
pub(crate) const RECORD_HEADER_BYTES: usize = 48;
/// The bytes of an entry of a directory.
pub(crate) const ENTRY_BYTES: usize = 48;

/// Where a table holds a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TableEntry {
    /// The key.
    pub key: Key,
    /// The sequence of the value, or [`Sequence::TOMBSTONE`].
    pub sequence: Sequence,
    /// Where the record begins in the file, in bytes.
    pub offset: u64,
    /// The value's length in bytes.
    pub length: u32,
    /// The record's checksum.
    pub checksum: u64,
}

/// The bytes that a record with a value of that length takes in the file.
pub(crate) fn stored_bytes(length: u32) -> u64 {
    RECORD_HEADER_BYTES as u64 + u64::from(length).next_multiple_of(16)
}

impl TableEntry {
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.key.bytes());
        out.extend_from_slice(&self.sequence.0.to_le_bytes());
        out.extend_from_slice(&self.offset.to_le_bytes());
        out.extend_from_slice(&self.length.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&self.checksum.to_le_bytes());
    }

    pub(super) fn take(fields: &mut Cursor<'_>) -> Result<Self, TableError> {
        let key = fields.key()?;
        let sequence = fields.sequence()?;
        let offset = fields.u64()?;
        let length = fields.u32()?;
        fields.skip(4)?;
        let entry = Self { key, sequence, offset, length, checksum: fields.u64()? };
        let possible = entry.offset.is_multiple_of(16)
            && entry.offset <= TABLE_OFFSET_MAX
            && length as usize <= VALUE_BYTES_MAX;
        if possible { Ok(entry) } else { Err(TableError::Length) }
    }

    /// The first byte after the record, in the file.
    pub(crate) fn end(&self) -> u64 {
        self.offset + stored_bytes(self.length)
    }
}

/// Appends the record that begins at `offset` of the file.
pub(crate) fn put_record(
    out: &mut Vec<u8>,
    place: Place,
    offset: u64,
    (key, sequence, value): (Key, Sequence, &[u8]),
) -> TableEntry {
    let start = out.len();
    let length = value.len() as u32;
    out.extend_from_slice(&[0; 8]);
    out.extend_from_slice(&MAGIC.to_le_bytes());
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(key.bytes());
    out.extend_from_slice(&sequence.0.to_le_bytes());
    out.extend_from_slice(&[0; 8]);
    out.extend_from_slice(value);
    let checksum = place.checksum(Kind::Value, sequence.0, offset, &out[start + 8..]);
    out[start..start + 8].copy_from_slice(&checksum.to_le_bytes());
    out.resize(start + stored_bytes(length) as usize, 0);
    TableEntry { key, sequence, offset, length, checksum }
}

/// Reads the record that begins at `offset` of the file and at the front of
/// `bytes`, which hold at least all of it.
pub(crate) fn decode_record(
    bytes: &[u8],
    place: Place,
    offset: u64,
) -> Result<TableEntry, TableError> {
    let mut fields = Cursor::new(bytes);
    let checksum = fields.u64()?;
    if fields.u32()? != MAGIC {
        return Err(TableError::NoTable);
    }
    let length = fields.u32()?;
    let (key, sequence) = (fields.key()?, fields.sequence()?);
    if length as usize > VALUE_BYTES_MAX {
        return Err(TableError::Length);
    }
    let covered = bytes.get(8..RECORD_HEADER_BYTES + length as usize);
    let covered = covered.ok_or(TableError::Length)?;
    if place.checksum(Kind::Value, sequence.0, offset, covered) != checksum {
        return Err(TableError::Checksum);
    }
    Ok(TableEntry { key, sequence, offset, length, checksum })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checksum::StoreId;
    use crate::file::FileId;
    use crate::key::ShardId;
    use proptest::prelude::*;

    fn place() -> Place {
        let file = FileId { epoch: 1, shard: ShardId(0), number: 1 };
        Place { store: StoreId([3; 16]), file }
    }

    #[test]
    fn a_record_says_whose_it_is_in_its_own_place_only() {
        for value in [&b""[..], b"x", &[7; 16], &[9; 5000]] {
            let mut out = vec![1; 32];
            let entry =
                put_record(&mut out, place(), 4096, (Key::new([5; 16]), Sequence(8), value));
            let bytes = &out[32..];
            assert_eq!(bytes.len() as u64, stored_bytes(value.len() as u32));
            assert_eq!(entry.end(), 4096 + bytes.len() as u64);
            assert_eq!(decode_record(bytes, place(), 4096), Ok(entry));
            assert_eq!(&bytes[RECORD_HEADER_BYTES..][..value.len()], value);
            assert_eq!(decode_record(bytes, place(), 8192), Err(TableError::Checksum));
            assert!(decode_record(&bytes[..value.len() + 47], place(), 4096).is_err());
        }
    }

    #[test]
    fn every_byte_counts() {
        let mut bytes = Vec::new();
        put_record(&mut bytes, place(), 0, (Key::new([5; 16]), Sequence(8), &[7; 20]));
        for at in 0..RECORD_HEADER_BYTES + 20 {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            assert!(decode_record(&flipped, place(), 0).is_err(), "byte {at}");
        }
    }

    proptest! {
        #[test]
        fn hostile_bytes_are_errors(mut bytes in proptest::collection::vec(any::<u8>(), 0..200), length in 0_u32..300) {
            if bytes.len() >= RECORD_HEADER_BYTES {
                bytes[8..12].copy_from_slice(&MAGIC.to_le_bytes());
                bytes[12..16].copy_from_slice(&length.to_le_bytes());
                if let Some(covered) = bytes.get(8..RECORD_HEADER_BYTES + length as usize) {
                    let sequence = u64::from_le_bytes(bytes[32..40].try_into().unwrap());
                    let sum = place().checksum(Kind::Value, sequence, 64, covered);
                    bytes[..8].copy_from_slice(&sum.to_le_bytes());
                }
            }
            if let Ok(entry) = decode_record(&bytes, place(), 64) {
                prop_assert!(RECORD_HEADER_BYTES + entry.length as usize <= bytes.len());
            }
        }
    }
}
