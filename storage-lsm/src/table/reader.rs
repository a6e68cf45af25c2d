//! Reading tables: all of one at start, one value at a time later.

use crate::bucket::BucketStamp;
use crate::checksum::Place;
use crate::disk::{Disk, DiskError};
use crate::field::{block_down, block_up};
use crate::limits::{BLOCK_BYTES, TAIL_READ_BYTES_MIN, TAIL_READ_PART};
use crate::manifest::Proven;

use super::block::{TableError, decode_directory, decode_header, peek_block};
use super::footer::Trailer;
use super::record::{RECORD_HEADER_BYTES, TableEntry, decode_record, stored_bytes};

/// What a table's file holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Contents {
    pub(crate) bucket: Result<BucketStamp, TableError>,
    /// Values that may be relied on.
    pub(crate) entries: Vec<TableEntry>,
    /// Values that a directory names and whose bytes are not theirs: not
    /// synced before a crash, or damaged. Only found where values are read.
    pub(crate) broken: Vec<TableEntry>,
    pub(crate) sealed: bool,
    /// Where each block ends. Empty where a footer made it needless to look.
    pub(crate) ends: Vec<u64>,
}

impl Contents {
    /// All blocks that were found.
    pub(crate) fn proven(&self) -> Proven {
        Proven { bytes: self.ends.last().copied().unwrap_or(0), blocks: self.ends.len() as u32 }
    }

    /// How many of the blocks that were there once are not among those found.
    pub(crate) fn missing(&self, proven: Proven) -> u32 {
        let found = self.ends.partition_point(|end| *end <= proven.bytes) as u32;
        if self.sealed { 0 } else { proven.blocks.saturating_sub(found) }
    }
}

/// Reads a table's footer. `None` when it has none: it was never sealed, or
/// the footer is damaged.
pub(crate) async fn read_sealed<D: Disk>(
    disk: &D,
    file: &D::File,
    place: Place,
) -> Result<Option<Contents>, DiskError> {
    let length = block_down(disk.length(file).await?);
    if length == 0 {
        return Ok(None);
    }
    let guess = block_up(length / TAIL_READ_PART).max(TAIL_READ_BYTES_MIN).min(length);
    let tail_at = length - guess;
    let tail = disk.read(file, tail_at, guess as usize).await?;
    let trailer = match Trailer::decode(&tail[tail.len() - BLOCK_BYTES..], place, length) {
        Ok(trailer) => trailer,
        Err(error @ TableError::Version(_)) => {
            return Ok(Some(sealed(Err(error), Vec::new())));
        }
        Err(_) => return Ok(None),
    };
    // The trailer's own check bounds the footer by the file.
    let entries = if trailer.offset >= tail_at {
        trailer.entries(&tail[(trailer.offset - tail_at) as usize..], place)
    } else {
        let missing = (tail_at - trailer.offset) as usize;
        let mut footer = disk.read(file, trailer.offset, missing).await?.to_vec();
        footer.extend_from_slice(&tail);
        trailer.entries(&footer, place)
    };
    let Ok(entries) = entries else { return Ok(None) };
    Ok(Some(sealed(Ok(trailer.bucket), entries)))
}

fn sealed(bucket: Result<BucketStamp, TableError>, entries: Vec<TableEntry>) -> Contents {
    Contents { bucket, entries, broken: Vec::new(), sealed: true, ends: Vec::new() }
}

/// Reads a table block by block, every value of it: without a footer nothing
/// proves that they were synced.
pub(crate) async fn read_open<D: Disk>(
    disk: &D,
    file: &D::File,
    place: Place,
) -> Result<Contents, DiskError> {
    let length = block_down(disk.length(file).await?);
    let mut contents = Contents {
        bucket: Err(TableError::NoTable),
        entries: Vec::new(),
        broken: Vec::new(),
        sealed: false,
        ends: Vec::new(),
    };
    if length == 0 {
        return Ok(contents);
    }
    contents.bucket = decode_header(&disk.read(file, 0, BLOCK_BYTES).await?, place);
    let mut at = BLOCK_BYTES as u64;
    while at < length {
        let mut found = None;
        // Twice, in case only the read was bad: what is missed here is gone for
        // good when the table gets its footer.
        for _ in 0..2 {
            let front = disk.read(file, at, BLOCK_BYTES).await?;
            found = read_directory(disk, file, place, at, length, &front).await?;
            if found.is_some() {
                break;
            }
        }
        let Some((entries, bytes)) = found else {
            at += BLOCK_BYTES as u64;
            continue;
        };
        let block = disk.read(file, at, bytes as usize).await?;
        for entry in entries {
            let record = &block[(entry.offset - at) as usize..];
            let sound = decode_record(record, place, entry.offset) == Ok(entry);
            let list = if sound { &mut contents.entries } else { &mut contents.broken };
            list.push(entry);
        }
        at += bytes;
        contents.ends.push(at);
    }
    Ok(contents)
}

/// Reads a table and every value in it.
pub(crate) async fn read_everything<D: Disk>(
    disk: &D,
    file: &D::File,
    place: Place,
) -> Result<Contents, DiskError> {
    let Some(mut contents) = read_sealed(disk, file, place).await? else {
        return read_open(disk, file, place).await;
    };
    contents.bucket = decode_header(&disk.read(file, 0, BLOCK_BYTES).await?, place);
    for entry in std::mem::take(&mut contents.entries) {
        let read = read_record(disk, file, place, entry.offset, stored_bytes(entry.length)).await?;
        let sound = read.is_some_and(|read| read.entry == entry);
        let list = if sound { &mut contents.entries } else { &mut contents.broken };
        list.push(entry);
    }
    Ok(contents)
}

async fn read_directory<D: Disk>(
    disk: &D,
    file: &D::File,
    place: Place,
    at: u64,
    length: u64,
    front: &[u8],
) -> Result<Option<(Vec<TableEntry>, u64)>, DiskError> {
    let Ok((directory, bytes)) = peek_block(front) else { return Ok(None) };
    if at + bytes as u64 > length {
        return Ok(None);
    }
    let decoded = if directory <= front.len() {
        decode_directory(front, place, at)
    } else {
        let whole = disk.read(file, at, block_up(directory as u64) as usize).await?;
        decode_directory(&whole, place, at)
    };
    Ok(decoded.ok().map(|entries| (entries, bytes as u64)))
}

/// A record that was read.
pub(crate) struct RecordRead<B> {
    pub(crate) entry: TableEntry,
    /// The blocks that hold it.
    pub(crate) block: B,
    /// Where the value begins in them.
    pub(crate) start: usize,
}

/// Reads the record at `offset` that takes `bytes`: one access. `None` when
/// what stands there is no record of this place.
pub(crate) async fn read_record<D: Disk>(
    disk: &D,
    file: &D::File,
    place: Place,
    offset: u64,
    bytes: u64,
) -> Result<Option<RecordRead<D::Block>>, DiskError> {
    let from = block_down(offset);
    let to = block_up(offset + bytes);
    let block = disk.read(file, from, (to - from) as usize).await?;
    let start = (offset - from) as usize;
    let decoded = decode_record(&block[start..], place, offset);
    let start = start + RECORD_HEADER_BYTES;
    Ok(decoded.ok().map(|entry| RecordRead { entry, block, start }))
}
