//! The header of a log segment.
//!
//! A segment is a prewritten file that is used again and again. Blocks 0 and 1
//! are two header slots; each use writes the slot that the use before did not,
//! so a torn header leaves the old one. Batches begin at block 2.
//!
//! ```text
//! offset  bytes  field (little endian)
//!      0      8  checksum of bytes 8..4,096, seeded with store, file,
//!                incarnation and offset
//!      8      4  magic "SDLS"
//!     12      2  format version, 2: that of the batches in it
//!     14      2  shard   ┐ the log that uses the segment
//!     16      4  epoch   ┘
//!     20      4  count of the chain
//!     24      8  incarnation: which use of a segment this is
//!     32      8  number of the first batch
//!     40      8  length of the segment in bytes
//!     48         chain: the other segments that the log still needs
//!                  12  file: epoch u32, shard u16, zero u16, number u32
//!                   4  blocks used
//!                   8  incarnation
//!                   8  number of its first batch
//!                   8  number after its last batch
//!                zeros up to 4,096
//! ```

use crate::checksum::{Kind, Place};
use crate::field::{Cursor, Short, put_file};
use crate::file::FileId;
use crate::key::ShardId;
use crate::limits::{BLOCK_BYTES, SEGMENTS_PER_SHARD_MAX};

use super::batch::LogId;

const MAGIC: u32 = u32::from_le_bytes(*b"SDLS");
const VERSION: u16 = 2;

/// Where the batches of a segment begin, in bytes.
pub(crate) const DATA_START: u64 = 2 * BLOCK_BYTES as u64;

/// A segment that is closed and still needed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Closed {
    /// The segment.
    pub file: FileId,
    /// How many of its blocks are used, header slots included.
    pub blocks: u32,
    /// The use in which it was written.
    pub incarnation: u64,
    /// The number of its first batch.
    pub first: u64,
    /// The number after its last batch.
    pub end: u64,
}

impl Closed {
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        put_file(out, self.file);
        out.extend_from_slice(&self.blocks.to_le_bytes());
        out.extend_from_slice(&self.incarnation.to_le_bytes());
        out.extend_from_slice(&self.first.to_le_bytes());
        out.extend_from_slice(&self.end.to_le_bytes());
    }

    pub(crate) fn take(fields: &mut Cursor<'_>) -> Result<Self, Short> {
        Ok(Self {
            file: fields.file()?,
            blocks: fields.u32()?,
            incarnation: fields.u64()?,
            first: fields.u64()?,
            end: fields.u64()?,
        })
    }
}

/// A segment's header.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SegmentHeader {
    /// The log that uses the segment.
    pub log: LogId,
    /// Which use of the segment it is; unique in a store.
    pub incarnation: u64,
    /// The number of its first batch.
    pub first: u64,
    /// The segment's length in bytes.
    pub bytes: u64,
    /// The other segments that the log needed when this use began.
    pub chain: Vec<Closed>,
}

/// Why bytes are not a segment's header.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SegmentError {
    /// They do not begin like a header, as in a slot that was never used.
    #[error("no segment header stands here")]
    NoHeader,
    /// The format is not known to this program.
    #[error("segment format {0} is unknown, expected {VERSION}")]
    Version(u16),
    /// The checksum is not that of the bytes in this place.
    #[error("the checksum does not fit the bytes or the place")]
    Checksum,
    /// The fields contradict each other.
    #[error("the chain does not fit the header")]
    Chain,
}

/// One of a segment's two header slots.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Slot {
    First,
    Second,
}

impl Slot {
    /// Where the slot lies in the file, in bytes.
    pub(crate) fn offset(self) -> u64 {
        match self {
            Self::First => 0,
            Self::Second => BLOCK_BYTES as u64,
        }
    }

    /// The slot that the next use writes.
    pub(crate) fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }
}

impl SegmentHeader {
    /// The block to write into that slot.
    ///
    /// # Panics
    /// If the chain is longer than a shard has segments.
    pub(crate) fn encode(&self, place: Place, slot: Slot) -> Vec<u8> {
        assert!(self.chain.len() <= SEGMENTS_PER_SHARD_MAX, "the chain fits one block");
        let mut out = Vec::with_capacity(BLOCK_BYTES);
        out.extend_from_slice(&[0; 8]);
        out.extend_from_slice(&MAGIC.to_le_bytes());
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&self.log.shard.0.to_le_bytes());
        out.extend_from_slice(&self.log.epoch.to_le_bytes());
        out.extend_from_slice(&(self.chain.len() as u32).to_le_bytes());
        out.extend_from_slice(&self.incarnation.to_le_bytes());
        out.extend_from_slice(&self.first.to_le_bytes());
        out.extend_from_slice(&self.bytes.to_le_bytes());
        for closed in &self.chain {
            closed.put(&mut out);
        }
        out.resize(BLOCK_BYTES, 0);
        let at = slot.offset();
        let sum = place.checksum(Kind::SegmentHeader, self.incarnation, at, &out[8..]);
        out[..8].copy_from_slice(&sum.to_le_bytes());
        out
    }

    /// Reads the block of one slot.
    pub(crate) fn decode(block: &[u8], place: Place, slot: Slot) -> Result<Self, SegmentError> {
        let mut fields = Cursor::new(block.get(..BLOCK_BYTES).ok_or(SegmentError::NoHeader)?);
        let parsed = (|| {
            let sum = fields.u64()?;
            let magic = fields.u32()?;
            let version = fields.u16()?;
            let shard = ShardId(fields.u16()?);
            let epoch = fields.u32()?;
            let count = fields.u32()? as usize;
            let header = Self {
                log: LogId { epoch, shard },
                incarnation: fields.u64()?,
                first: fields.u64()?,
                bytes: fields.u64()?,
                chain: Vec::new(),
            };
            Ok::<_, Short>((sum, magic, version, count, header))
        })();
        let (sum, magic, version, count, mut header) =
            parsed.map_err(|_| SegmentError::NoHeader)?;
        if magic != MAGIC {
            return Err(SegmentError::NoHeader);
        }
        let covered = &block[8..BLOCK_BYTES];
        if sum != place.checksum(Kind::SegmentHeader, header.incarnation, slot.offset(), covered) {
            return Err(SegmentError::Checksum);
        }
        // Only after the checksum: a bit of the version may be wrong.
        if version != VERSION {
            return Err(SegmentError::Version(version));
        }
        if count > SEGMENTS_PER_SHARD_MAX {
            return Err(SegmentError::Chain);
        }
        for _ in 0..count {
            let closed = Closed::take(&mut fields).map_err(|_| SegmentError::Chain)?;
            if closed.first > closed.end {
                return Err(SegmentError::Chain);
            }
            header.chain.push(closed);
        }
        Ok(header)
    }

    /// The header of the newest use and its slot, from the first two blocks.
    pub(crate) fn newest(blocks: &[u8], place: Place) -> Result<(Self, Slot), SegmentError> {
        let first = Self::decode(blocks, place, Slot::First);
        let second = blocks.get(BLOCK_BYTES..).unwrap_or(&[]);
        match (first, Self::decode(second, place, Slot::Second)) {
            (Ok(a), Ok(b)) if a.incarnation > b.incarnation => Ok((a, Slot::First)),
            (_, Ok(b)) => Ok((b, Slot::Second)),
            (Ok(a), Err(_)) => Ok((a, Slot::First)),
            // Of two faults the more specific one.
            (Err(SegmentError::NoHeader), Err(fault)) | (Err(fault), Err(_)) => Err(fault),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checksum::StoreId;
    use proptest::prelude::*;

    fn place() -> Place {
        let file = FileId { epoch: 1, shard: ShardId(0), number: 1 };
        Place { store: StoreId([3; 16]), file }
    }

    fn header(incarnation: u64, chained: usize) -> SegmentHeader {
        let closed = |number| Closed {
            file: FileId { epoch: 1, shard: ShardId(0), number },
            blocks: 7,
            incarnation: 3,
            first: 10,
            end: 20,
        };
        SegmentHeader {
            log: LogId { epoch: 1, shard: ShardId(4) },
            incarnation,
            first: 20,
            bytes: 65536,
            chain: (0..chained as u32).map(closed).collect(),
        }
    }

    #[test]
    fn the_longest_chain_fits_one_block() {
        let full = header(4, SEGMENTS_PER_SHARD_MAX);
        let block = full.encode(place(), Slot::Second);
        assert_eq!(block.len(), BLOCK_BYTES);
        assert_eq!(SegmentHeader::decode(&block, place(), Slot::Second), Ok(full));
        let elsewhere = SegmentHeader::decode(&block, place(), Slot::First);
        assert_eq!(elsewhere, Err(SegmentError::Checksum));
    }

    #[test]
    fn a_torn_header_leaves_the_use_before() {
        let (old, new) = (header(6, 1), header(7, 2));
        let mut blocks = old.encode(place(), Slot::First);
        blocks.extend_from_slice(&new.encode(place(), Slot::Second));
        assert_eq!(SegmentHeader::newest(&blocks, place()), Ok((new, Slot::Second)));
        blocks[BLOCK_BYTES + 600] ^= 1;
        assert_eq!(SegmentHeader::newest(&blocks, place()), Ok((old, Slot::First)));
        blocks[0] ^= 1;
        assert_eq!(SegmentHeader::newest(&blocks, place()), Err(SegmentError::Checksum));
        let blank = [0; 2 * BLOCK_BYTES];
        assert_eq!(SegmentHeader::newest(&blank, place()), Err(SegmentError::NoHeader));
    }

    proptest! {
        #[test]
        fn hostile_bytes_are_errors(mut block in proptest::collection::vec(any::<u8>(), BLOCK_BYTES), count: u32, version in 0_u16..3) {
            block[8..12].copy_from_slice(&MAGIC.to_le_bytes());
            block[12..14].copy_from_slice(&version.to_le_bytes());
            block[20..24].copy_from_slice(&count.to_le_bytes());
            let incarnation = u64::from_le_bytes(block[24..32].try_into().unwrap());
            let sum = place().checksum(Kind::SegmentHeader, incarnation, 0, &block[8..]);
            block[..8].copy_from_slice(&sum.to_le_bytes());
            if let Ok(header) = SegmentHeader::decode(&block, place(), Slot::First) {
                prop_assert_eq!(header.chain.len(), count as usize);
            }
        }
    }
}
