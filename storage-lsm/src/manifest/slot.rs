//! The bytes of a manifest slot.
//!
//! The manifest's file has two slots of 1 MiB. Each change is written to the
//! first and then to the second: a write that is torn leaves the other slot, and
//! one that goes bad later has its double. A start mends the slot that is out
//! of date before it changes anything. The checksum's seed is the slot's number
//! only: the store's id, which seeds all others, is read from here.
//!
//! ```text
//! offset  bytes  field (little endian)
//!      0      8  checksum of bytes 8..length, seeded with the slot's number
//!      8      4  magic "SDMF"
//!     12      2  format version, 2
//!     14      2  zero
//!     16      4  length in bytes
//!     20      4  epoch
//!     24      8  generation
//!     32     16  the store's id
//!     48      8  last recorded time, seconds since 1970
//!     56      4  count of buckets
//!     60      4  count of tables
//!     64      4  count of segments
//!     68      4  zero
//!     72         buckets, 12 bytes each: first second, length, lifetime
//!                tables, 24 bytes each: file (12 bytes), bucket's first second,
//!                  proven bytes / 4,096, proven blocks
//!                segments, 56 bytes each:
//!                  12  file
//!                   4  use: 0 current, 1 retained
//!                   8  log: epoch u32, shard u16, zero u16  ┐ zeros when
//!                  32  blocks u32, zero u32, incarnation    │ current
//!                      u64, first u64, end u64              ┘
//!                zeros up to a multiple of 4,096
//! ```

use std::collections::BTreeMap;

use crate::bucket::{BucketId, BucketStamp, BucketTable};
use crate::checksum::{StoreId, of_slot};
use crate::field::{Cursor, Short, block_up, put_file};
use crate::key::{Seconds, ShardId, UnixSecond};
use crate::limits::{BLOCK_BYTES, MANIFEST_SLOT_BYTES, SECTOR_BYTES};
use crate::log::batch::LogId;
use crate::log::segment::Closed;

use super::{Manifest, NamedTable, Proven, SegmentUse};

const MAGIC: u32 = u32::from_le_bytes(*b"SDMF");
/// The format that this program writes.
pub const VERSION: u16 = 2;
/// How many slots there are.
pub(crate) const COUNT: u64 = 2;
const HEADER_BYTES: usize = 72;

/// How many bytes of a slot so many buckets, tables and segments take.
pub(crate) fn bytes_of(buckets: u64, tables: u64, segments: u64) -> u64 {
    HEADER_BYTES as u64 + buckets * 12 + tables * 24 + segments * 56
}

/// Why bytes are not a manifest slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SlotError {
    /// All zeros or shorter: never written.
    #[error("the slot was never written")]
    Blank,
    /// Something else stands there, or the checksum does not fit.
    #[error("the slot is damaged")]
    Damaged,
    /// A format that this program does not know.
    #[error(
        "the data folder has format {found} and this program knows format {VERSION} only: go on with the program that wrote the folder until all in it has expired, or give this program another folder"
    )]
    Version {
        /// The version found.
        found: u16,
    },
}

impl From<Short> for SlotError {
    fn from(_: Short) -> Self {
        Self::Damaged
    }
}

/// The state is larger than a slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the manifest has {bytes} bytes and a slot {MANIFEST_SLOT_BYTES}")]
pub struct SlotFull {
    /// The bytes that the state takes.
    pub bytes: usize,
}

/// The bytes to write at the slot's begin.
pub(crate) fn encode(manifest: &Manifest, slot: u64) -> Result<Vec<u8>, SlotFull> {
    let mut out = vec![0; 8];
    out.extend_from_slice(&MAGIC.to_le_bytes());
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&[0; 6]);
    out.extend_from_slice(&manifest.epoch.to_le_bytes());
    out.extend_from_slice(&manifest.generation.to_le_bytes());
    out.extend_from_slice(&manifest.store.0);
    out.extend_from_slice(&manifest.recorded.0.to_le_bytes());
    let buckets = manifest.buckets.stamps();
    for count in [buckets.len(), manifest.tables.len(), manifest.segments.len(), 0] {
        out.extend_from_slice(&(count as u32).to_le_bytes());
    }
    for bucket in buckets {
        for field in [bucket.id.0, bucket.length.0, bucket.lifetime.0] {
            out.extend_from_slice(&field.to_le_bytes());
        }
    }
    for (file, table) in &manifest.tables {
        put_file(&mut out, *file);
        let pages = (table.proven.bytes / BLOCK_BYTES as u64) as u32;
        for field in [table.bucket.0, pages, table.proven.blocks] {
            out.extend_from_slice(&field.to_le_bytes());
        }
    }
    for (file, used) in &manifest.segments {
        put_file(&mut out, *file);
        put_use(&mut out, used);
    }
    let length = out.len();
    out[16..20].copy_from_slice(&(length as u32).to_le_bytes());
    let sum = of_slot(&out[8..], slot);
    out[..8].copy_from_slice(&sum.to_le_bytes());
    out.resize(block_up(length as u64) as usize, 0);
    if out.len() > MANIFEST_SLOT_BYTES { Err(SlotFull { bytes: length }) } else { Ok(out) }
}

fn put_use(out: &mut Vec<u8>, used: &SegmentUse) {
    let SegmentUse::Retained { log, closed } = used else {
        out.extend_from_slice(&[0; 44]);
        return;
    };
    out.extend_from_slice(&1_u32.to_le_bytes());
    out.extend_from_slice(&log.epoch.to_le_bytes());
    out.extend_from_slice(&u32::from(log.shard.0).to_le_bytes());
    out.extend_from_slice(&closed.blocks.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    for field in [closed.incarnation, closed.first, closed.end] {
        out.extend_from_slice(&field.to_le_bytes());
    }
}

/// The length that the front of a slot claims, at most a slot's.
pub(crate) fn claimed_length(front: &[u8]) -> usize {
    let mut fields = Cursor::new(front);
    let length = fields.skip(16).and_then(|()| fields.u32());
    length.map_or(0, |length| (length as usize).min(MANIFEST_SLOT_BYTES))
}

/// Whether a slot that fails its checksum and begins with these bytes may be one whose
/// write was interrupted. `double` is the content of the other slot. Slot 0 is written
/// before slot 1.
pub(crate) fn may_be_torn(bytes: &[u8], slot: u64, double: &Manifest) -> bool {
    let front = bytes.get(..SECTOR_BYTES).unwrap_or(bytes);
    if front.iter().all(|byte| *byte == 0) {
        // The very first manifest is written into zeros.
        return slot > 0 && double.generation == 1;
    }
    let Ok(expected) = encode(double, slot) else { return false };
    let expected = &expected[..SECTOR_BYTES];
    // A sector belongs to one write, old or new: to the generation of the other slot
    // or to the adjacent one.
    let next = if slot == 0 { double.generation + 1 } else { double.generation - 1 };
    let is_next = || {
        let mut fields = Cursor::new(front);
        let sum = fields.u64()?;
        let (magic, version) = (fields.u32()?, fields.u16()?);
        fields.skip(10)?;
        let (generation, store) = (fields.u64()?, StoreId(fields.id()?));
        let is_slot = magic == MAGIC && version == VERSION && store == double.store;
        let differs = sum.to_le_bytes() != expected[..8];
        Ok::<_, Short>(is_slot && generation == next && differs)
    };
    let spans_sectors = claimed_length(front) > SECTOR_BYTES;
    spans_sectors && (front == expected || is_next().unwrap_or(false))
}

/// Reads a slot.
pub(crate) fn decode(bytes: &[u8], slot: u64) -> Result<Manifest, SlotError> {
    let front = bytes.get(..HEADER_BYTES).ok_or(SlotError::Blank)?;
    if front.iter().all(|byte| *byte == 0) {
        return Err(SlotError::Blank);
    }
    let mut fields = Cursor::new(bytes);
    let sum = fields.u64()?;
    let magic = fields.u32()?;
    let version = fields.u16()?;
    fields.skip(2)?;
    let length = fields.u32()? as usize;
    let covered = bytes.get(8..length).ok_or(SlotError::Damaged)?;
    if magic != MAGIC || length < HEADER_BYTES || sum != of_slot(covered, slot) {
        return Err(SlotError::Damaged);
    }
    if version != VERSION {
        return Err(SlotError::Version { found: version });
    }
    let epoch = fields.u32()?;
    let generation = fields.u64()?;
    let store = StoreId(fields.id()?);
    let recorded = UnixSecond(fields.u64()?);
    let (buckets, tables, segments) = (fields.u32()?, fields.u32()?, fields.u32()?);
    fields.skip(4)?;
    let mut stamps = Vec::new();
    for _ in 0..buckets {
        stamps.push(BucketStamp {
            id: BucketId(fields.u32()?),
            length: Seconds(fields.u32()?),
            lifetime: Seconds(fields.u32()?),
        });
    }
    let mut manifest = Manifest {
        store,
        generation,
        epoch,
        recorded,
        buckets: BucketTable::new(stamps).map_err(|_| SlotError::Damaged)?,
        tables: BTreeMap::new(),
        segments: BTreeMap::new(),
    };
    for _ in 0..tables {
        let (file, bucket) = (fields.file()?, BucketId(fields.u32()?));
        let bytes = u64::from(fields.u32()?) * BLOCK_BYTES as u64;
        let proven = Proven { bytes, blocks: fields.u32()? };
        manifest.tables.insert(file, NamedTable { bucket, proven });
    }
    for _ in 0..segments {
        let file = fields.file()?;
        let retained = fields.u32()? != 0;
        let log = LogId { epoch: fields.u32()?, shard: ShardId(fields.u32()? as u16) };
        let blocks = fields.u32()?;
        fields.skip(4)?;
        let (incarnation, first, end) = (fields.u64()?, fields.u64()?, fields.u64()?);
        let closed = Closed { file, blocks, incarnation, first, end };
        let used =
            if retained { SegmentUse::Retained { log, closed } } else { SegmentUse::Current };
        manifest.segments.insert(file, used);
    }
    Ok(manifest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::FileId;
    use proptest::prelude::*;

    fn table(bucket: u32) -> NamedTable {
        let proven = Proven { bytes: 3 * BLOCK_BYTES as u64, blocks: 2 };
        NamedTable { bucket: BucketId(bucket), proven }
    }

    fn example() -> Manifest {
        let file = |number| FileId { epoch: 2, shard: ShardId(1), number };
        let mut buckets = BucketTable::default();
        buckets.stamp_ahead(UnixSecond(5000), Seconds(50), Seconds(900));
        let closed = Closed { file: file(4), blocks: 5, incarnation: 6, first: 7, end: 8 };
        let log = LogId { epoch: 1, shard: ShardId(3) };
        Manifest {
            store: StoreId([9; 16]),
            generation: 12,
            epoch: 2,
            recorded: UnixSecond(5000),
            tables: BTreeMap::from([(file(1), table(buckets.stamps()[0].id.0))]),
            buckets,
            segments: BTreeMap::from([
                (file(3), SegmentUse::Current),
                (file(4), SegmentUse::Retained { log, closed }),
            ]),
        }
    }

    #[test]
    fn a_slot_comes_back_in_its_own_place_only() {
        let bytes = encode(&example(), 1).unwrap();
        assert_eq!(decode(&bytes, 1), Ok(example()));
        assert_eq!(decode(&bytes, 0), Err(SlotError::Damaged));
        assert_eq!(decode(&[0; 4096], 0), Err(SlotError::Blank));
    }

    #[test]
    fn a_torn_slot_is_told_from_a_damaged_one() {
        let mut old = example();
        for number in 10..40 {
            let file = FileId { epoch: 2, shard: ShardId(1), number };
            old.tables.insert(file, table(0));
        }
        let new = Manifest { generation: old.generation + 1, ..old.clone() };
        for (slot, double) in [(0, &old), (1, &new)] {
            let (before, after) = (encode(&old, slot).unwrap(), encode(&new, slot).unwrap());
            for arrived in [&[0][..], &[1]] {
                let mut torn = before.clone();
                for sector in arrived {
                    let place = sector * SECTOR_BYTES..(sector + 1) * SECTOR_BYTES;
                    torn[place.clone()].copy_from_slice(&after[place]);
                }
                torn[600] ^= 1;
                assert!(may_be_torn(&torn, slot, double), "slot {slot}, {arrived:?}");
            }
            let whole = encode(double, slot).unwrap();
            for bit in 0..SECTOR_BYTES * 8 {
                let mut flipped = whole.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert!(!may_be_torn(&flipped, slot, double), "slot {slot}, bit {bit}");
            }
            assert!(!may_be_torn(&vec![0; BLOCK_BYTES], slot, double));
        }
        // What fits a sector is never torn.
        let mut short = encode(&example(), 1).unwrap();
        assert!(claimed_length(&short) <= SECTOR_BYTES);
        short[100] ^= 1;
        assert!(!may_be_torn(&short, 1, &example()));
    }

    #[test]
    fn another_format_is_named() {
        let mut bytes = encode(&example(), 0).unwrap();
        bytes[12] = 3;
        let length = u32::from_le_bytes(bytes[16..20].try_into().unwrap()) as usize;
        let sum = of_slot(&bytes[8..length], 0);
        bytes[..8].copy_from_slice(&sum.to_le_bytes());
        assert_eq!(decode(&bytes, 0), Err(SlotError::Version { found: 3 }));
    }

    #[test]
    fn the_bytes_of_a_slot_are_known_before() {
        let example = example();
        let bytes = encode(&example, 0).unwrap();
        let [buckets, tables, segments] =
            [example.buckets.stamps().len(), example.tables.len(), example.segments.len()];
        let length = bytes_of(buckets as u64, tables as u64, segments as u64);
        assert_eq!(claimed_length(&bytes) as u64, length);
    }

    #[test]
    fn too_much_for_a_slot_is_an_error() {
        let mut manifest = example();
        for number in 0..70_000 {
            let file = FileId { epoch: 2, shard: ShardId(1), number };
            manifest.tables.insert(file, table(0));
        }
        assert!(encode(&manifest, 0).is_err());
    }

    proptest! {
        #[test]
        fn hostile_bytes_are_errors(at in 12_usize..200, value: u8) {
            let mut bytes = encode(&example(), 0).unwrap();
            bytes[at] = value;
            let length = u32::from_le_bytes(bytes[16..20].try_into().unwrap()) as usize;
            if let Some(covered) = bytes.get(8..length) {
                let sum = of_slot(covered, 0);
                bytes[..8].copy_from_slice(&sum.to_le_bytes());
            }
            let _ = decode(&bytes, 0);
        }
    }
}
