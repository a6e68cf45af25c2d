//! Little-endian fixed-width fields: a bounds-checked cursor to read them and
//! a few functions to write them. Every decoder of the store goes through it,
//! and a batch's records through checked splits, so no hostile byte reaches an
//! index without a check.

use crate::file::FileId;
use crate::key::{Key, Sequence, ShardId};

/// The bytes ended before the field did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the bytes end at {length}, a field needs them up to {needed}")]
pub struct Short {
    /// Where the field would have ended.
    pub needed: usize,
    /// Where the bytes end.
    pub length: usize,
}

/// Reads fields from the front of a slice.
#[derive(Clone, Copy)]
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8], Short> {
        let end = self.at.saturating_add(length);
        let short = Short { needed: end, length: self.bytes.len() };
        let part = self.bytes.get(self.at..end).ok_or(short)?;
        self.at = end;
        Ok(part)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Short> {
        let part = self.take(N)?;
        Ok(part.try_into().expect("`take` returns exactly the length asked for"))
    }

    pub(crate) fn skip(&mut self, length: usize) -> Result<(), Short> {
        self.take(length).map(|_| ())
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Short> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Short> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Short> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn key(&mut self) -> Result<Key, Short> {
        self.array().map(Key::new)
    }

    pub(crate) fn sequence(&mut self) -> Result<Sequence, Short> {
        self.u64().map(Sequence)
    }

    pub(crate) fn id(&mut self) -> Result<[u8; 16], Short> {
        self.array()
    }

    pub(crate) fn file(&mut self) -> Result<FileId, Short> {
        let epoch = self.u32()?;
        let shard = ShardId(self.u16()?);
        self.skip(2)?;
        Ok(FileId { epoch, shard, number: self.u32()? })
    }
}

/// Appends a file id in its 12-byte form.
pub(crate) fn put_file(out: &mut Vec<u8>, file: FileId) {
    out.extend_from_slice(&file.bytes());
}

/// Rounds up to whole blocks.
pub(crate) const fn block_up(bytes: u64) -> u64 {
    bytes.next_multiple_of(crate::limits::BLOCK_BYTES as u64)
}

/// Rounds down to whole blocks.
pub(crate) const fn block_down(bytes: u64) -> u64 {
    bytes - bytes % crate::limits::BLOCK_BYTES as u64
}
