//! The unit of the log: a batch of records under one checksum.
//!
//! ```text
//! offset  bytes  field (little endian)
//!      0      8  checksum of bytes 8..length, seeded with store, segment,
//!                incarnation and offset
//!      8      4  magic "SDLB"
//!     12      2  format version, 2
//!     14      2  shard   ┐ the log that the batch belongs to
//!     16      4  epoch   ┘
//!     20      4  count of records
//!     24      8  incarnation of the segment
//!     32      8  number of the batch in its log, from 1
//!     40      4  length in bytes with this header, without the padding
//!     44      4  zero
//!     48         records, back to back:
//!                  16  key
//!               1..10  sequence plus one as a varint; 0: the key is deleted
//!                1..5  payload length in bytes as a varint
//!                      payload
//!                zeros up to a multiple of 4,096
//! ```
//!
//! A varint has 7 bits a byte, the least first, the high bit set in all but the
//! last. A number has one form only: a longer one is refused. A change of 100
//! bytes to a key with fewer than 16,383 sequences takes 119 bytes.

use crate::checksum::{Kind, Place};
use crate::field::Cursor;
use crate::key::{Key, Sequence, ShardId};
use crate::limits::{BATCH_BYTES_MAX, BLOCK_BYTES};

use super::varint;

const MAGIC: u32 = u32::from_le_bytes(*b"SDLB");
const VERSION: u16 = 2;
pub(crate) const HEADER_BYTES: usize = 48;
const KEY_BYTES: usize = 16;
/// What a record takes at most beside its payload, in bytes.
pub(crate) const RECORD_HEADER_BYTES_MAX: usize = KEY_BYTES + varint::BYTES_MAX + 5;

/// One shard's log of one run of the server.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LogId {
    /// The run.
    pub epoch: u32,
    /// The shard of that run.
    pub shard: ShardId,
}

/// What stands in the header of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BatchHeader {
    /// The log it belongs to.
    pub log: LogId,
    /// The use of the segment in which it was written.
    pub incarnation: u64,
    /// Its number in the log, from 1, without gaps.
    pub number: u64,
}

/// Why bytes are not a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BatchError {
    /// They do not begin like one.
    #[error("no batch begins here")]
    NoBatch,
    /// They begin like a batch of an unknown format.
    #[error("batch format {0} is unknown, expected {VERSION}")]
    Version(u16),
    /// The length is impossible or reaches past the bytes given.
    #[error("a batch of {0} bytes is impossible here")]
    Length(usize),
    /// The checksum is not that of the bytes in this place.
    #[error("the checksum does not fit the bytes or the place")]
    Checksum,
    /// The checksum is right and the records are not: a writer was at fault.
    #[error("the records do not fill the batch")]
    Records,
}

/// A batch whose checksum is right.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// Its header.
    pub header: BatchHeader,
    /// Its length in bytes, without padding.
    pub length: usize,
    count: u32,
    records: &'a [u8],
}

/// One record of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BatchRecord<'a> {
    /// Its key.
    pub key: Key,
    /// Its sequence, or [`Sequence::TOMBSTONE`].
    pub sequence: Sequence,
    /// Where the payload begins, in bytes from the batch's begin.
    pub offset: usize,
    /// The payload.
    pub payload: &'a [u8],
}

/// The header of the batch that begins here, without a look at the checksum.
pub(crate) fn peek(bytes: &[u8]) -> Result<(BatchHeader, usize), BatchError> {
    let mut fields = Cursor::new(bytes);
    let header = (|| {
        fields.skip(8)?;
        let magic = fields.u32()?;
        let version = fields.u16()?;
        let shard = ShardId(fields.u16()?);
        let epoch = fields.u32()?;
        fields.skip(4)?;
        let incarnation = fields.u64()?;
        let number = fields.u64()?;
        let length = fields.u32()? as usize;
        let log = LogId { epoch, shard };
        Ok::<_, crate::field::Short>((
            magic,
            version,
            BatchHeader { log, incarnation, number },
            length,
        ))
    })();
    let (magic, version, header, length) = header.map_err(|_| BatchError::NoBatch)?;
    if magic != MAGIC {
        return Err(BatchError::NoBatch);
    }
    if version != VERSION {
        return Err(BatchError::Version(version));
    }
    if !(HEADER_BYTES..=BATCH_BYTES_MAX).contains(&length) {
        return Err(BatchError::Length(length));
    }
    Ok((header, length))
}

impl<'a> Batch<'a> {
    /// Reads the batch at the front of `bytes`, which lie at `offset` of the
    /// file.
    pub(crate) fn decode(bytes: &'a [u8], place: Place, offset: u64) -> Result<Self, BatchError> {
        let (header, length) = peek(bytes)?;
        let bytes = bytes.get(..length).ok_or(BatchError::Length(length))?;
        let mut fields = Cursor::new(bytes);
        let stored = fields.u64().map_err(|_| BatchError::NoBatch)?;
        if stored != place.checksum(Kind::Batch, header.incarnation, offset, &bytes[8..]) {
            return Err(BatchError::Checksum);
        }
        let count = u32::from_le_bytes([bytes[20], bytes[21], bytes[22], bytes[23]]);
        let batch = Self { header, length, count, records: &bytes[HEADER_BYTES..] };
        let mut walked = 0;
        for record in batch.records() {
            record?;
            walked += 1;
        }
        if walked != count { Err(BatchError::Records) } else { Ok(batch) }
    }

    /// The records in order. Decoding has walked them, so none is an error.
    pub fn records(&self) -> impl Iterator<Item = Result<BatchRecord<'a>, BatchError>> {
        let mut rest = self.records;
        let mut left = self.count;
        let end = HEADER_BYTES + self.records.len();
        std::iter::from_fn(move || {
            if left == 0 {
                // Bytes after the last record are an error.
                return (!std::mem::take(&mut rest).is_empty()).then_some(Err(BatchError::Records));
            }
            left -= 1;
            let record = take_record(&mut rest, end);
            if record.is_none() {
                (left, rest) = (0, &[]);
            }
            Some(record.ok_or(BatchError::Records))
        })
    }
}

/// Takes the record at the front of `rest`, which reaches to `end` of the batch.
#[inline]
fn take_record<'a>(rest: &mut &'a [u8], end: usize) -> Option<BatchRecord<'a>> {
    let (key, after) = rest.split_first_chunk::<KEY_BYTES>()?;
    let (shifted, bytes) = varint::take(after)?;
    let after = &after[bytes..];
    let (length, bytes) = varint::take(after)?;
    let after = &after[bytes..];
    let (payload, after) = after.split_at_checked(usize::try_from(length).ok()?)?;
    *rest = after;
    Some(BatchRecord {
        key: Key::new(*key),
        sequence: Sequence(shifted.wrapping_sub(1)),
        offset: end - after.len() - payload.len(),
        payload,
    })
}

/// The bytes of a record with a payload of `length` bytes.
pub(crate) const fn record_bytes(sequence: Sequence, length: usize) -> usize {
    KEY_BYTES + varint::length(sequence.0.wrapping_add(1)) + varint::length(length as u64) + length
}

/// A batch that still takes records.
#[derive(Clone, Debug)]
pub(crate) struct OpenBatch {
    bytes: Vec<u8>,
    pub(crate) records: Vec<(Key, Sequence)>,
}

impl OpenBatch {
    pub(crate) fn new() -> Self {
        Self { bytes: vec![0; HEADER_BYTES], records: Vec::new() }
    }

    /// Empties it for the next use; the memory stays.
    pub(crate) fn clear(&mut self) {
        self.bytes.truncate(HEADER_BYTES);
        self.records.clear();
    }

    pub(crate) fn length(&self) -> usize {
        self.bytes.len()
    }

    /// The bytes on disk, padded.
    pub(crate) fn padded(&self) -> usize {
        self.bytes.len().next_multiple_of(BLOCK_BYTES)
    }

    pub(crate) fn push(&mut self, key: Key, sequence: Sequence, payload: &[u8]) {
        self.bytes.reserve(RECORD_HEADER_BYTES_MAX + payload.len());
        self.bytes.extend_from_slice(key.bytes());
        varint::put(&mut self.bytes, sequence.0.wrapping_add(1));
        varint::put(&mut self.bytes, payload.len() as u64);
        self.bytes.extend_from_slice(payload);
        self.records.push((key, sequence));
    }

    /// The records with their payloads, in order.
    pub(crate) fn entries(&self) -> impl Iterator<Item = BatchRecord<'_>> {
        let (mut rest, end) = (&self.bytes[HEADER_BYTES..], self.bytes.len());
        std::iter::from_fn(move || take_record(&mut rest, end))
    }

    /// Writes the finished batch into `out`, which has [`Self::padded`] bytes.
    pub(crate) fn seal(&mut self, header: BatchHeader, place: Place, offset: u64, out: &mut [u8]) {
        let length = self.bytes.len();
        let head = &mut self.bytes[..HEADER_BYTES];
        head[8..12].copy_from_slice(&MAGIC.to_le_bytes());
        head[12..14].copy_from_slice(&VERSION.to_le_bytes());
        head[14..16].copy_from_slice(&header.log.shard.0.to_le_bytes());
        head[16..20].copy_from_slice(&header.log.epoch.to_le_bytes());
        head[20..24].copy_from_slice(&(self.records.len() as u32).to_le_bytes());
        head[24..32].copy_from_slice(&header.incarnation.to_le_bytes());
        head[32..40].copy_from_slice(&header.number.to_le_bytes());
        head[40..44].copy_from_slice(&(length as u32).to_le_bytes());
        head[44..48].fill(0);
        let sum = place.checksum(Kind::Batch, header.incarnation, offset, &self.bytes[8..]);
        self.bytes[..8].copy_from_slice(&sum.to_le_bytes());
        out[..length].copy_from_slice(&self.bytes);
        out[length..].fill(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checksum::StoreId;
    use crate::file::FileId;
    use proptest::prelude::*;

    fn place() -> Place {
        let file = FileId { epoch: 1, shard: ShardId(0), number: 1 };
        Place { store: StoreId([3; 16]), file }
    }

    fn header() -> BatchHeader {
        let log = LogId { epoch: 4, shard: ShardId(2) };
        BatchHeader { log, incarnation: 9, number: 77 }
    }

    fn sealed(payloads: &[&[u8]]) -> Vec<u8> {
        let mut open = OpenBatch::new();
        for (index, payload) in payloads.iter().enumerate() {
            open.push(Key::new([index as u8; 16]), Sequence(index as u64 + 1), payload);
        }
        let mut out = vec![0xFF; open.padded()];
        open.seal(header(), place(), 8192, &mut out);
        out
    }

    #[test]
    fn records_come_back_with_their_places() {
        let bytes = sealed(&[b"one", b"", &[7; 5000]]);
        assert_eq!(bytes.len(), 8192);
        let batch = Batch::decode(&bytes, place(), 8192).unwrap();
        assert_eq!(batch.header, header());
        let records: Vec<_> = batch.records().map(Result::unwrap).collect();
        assert_eq!(records.len(), 3);
        assert_eq!(records[0].payload, b"one");
        assert_eq!(records[2].payload, [7; 5000]);
        for record in records {
            assert_eq!(&bytes[record.offset..][..record.payload.len()], record.payload);
        }
    }

    #[test]
    fn a_batch_in_another_place_is_none() {
        let bytes = sealed(&[b"x"]);
        assert_eq!(Batch::decode(&bytes, place(), 4096).unwrap_err(), BatchError::Checksum);
        let other = Place { store: StoreId([4; 16]), ..place() };
        assert_eq!(Batch::decode(&bytes, other, 8192).unwrap_err(), BatchError::Checksum);
    }

    #[test]
    fn every_flipped_bit_of_a_batch_is_noticed() {
        let bytes = sealed(&[b"abc", b"defg"]);
        let length = HEADER_BYTES + record_bytes(Sequence(1), 3) + record_bytes(Sequence(2), 4);
        for bit in 0..length * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Batch::decode(&flipped, place(), 8192).is_err(), "bit {bit}");
        }
    }

    proptest! {
        #[test]
        fn hostile_bytes_are_errors(mut bytes in proptest::collection::vec(any::<u8>(), 0..300), like_one: bool, count: u32, length in 0_u32..400) {
            if like_one && bytes.len() >= HEADER_BYTES {
                bytes[8..12].copy_from_slice(&MAGIC.to_le_bytes());
                bytes[12..14].copy_from_slice(&VERSION.to_le_bytes());
                bytes[20..24].copy_from_slice(&count.to_le_bytes());
                bytes[40..44].copy_from_slice(&length.to_le_bytes());
                let incarnation = u64::from_le_bytes(bytes[24..32].try_into().unwrap());
                if let Some(covered) = bytes.get(8..length as usize) {
                    // A right checksum over wrong records: the walk must hold.
                    let sum = place().checksum(Kind::Batch, incarnation, 0, covered);
                    bytes[..8].copy_from_slice(&sum.to_le_bytes());
                }
            }
            if let Ok(batch) = Batch::decode(&bytes, place(), 0) {
                prop_assert_eq!(batch.records().count() as u32, batch.count);
            }
        }
    }
}
