//! Reading tables: all of one at start, one value at a time later.

use crate::bucket::BucketStamp;
use crate::checksum::Place;
use crate::disk::{Disk, DiskError};
use crate::field::{block_down, block_up};
use crate::limits::{BLOCK_BYTES, TAIL_READ_BYTES_MIN, TAIL_READ_PART};
use crate::manifest::Proven;
use crate::salvage;

use super::block::{TableError, decode_directory, decode_header, peek_block};
use super::footer::Trailer;
use super::record::{RECORD_HEADER_BYTES, TableEntry, decode_record, stored_bytes};

/// What a table's file holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Contents {
    pub(crate) bucket: Result<BucketStamp, TableError>,
    /// The values, as the footer or the directories name them.
    pub(crate) entries: Vec<TableEntry>,
    pub(crate) sealed: bool,
    /// Blocks that are proven to have been there and are not. None where a
    /// footer made it needless to look.
    pub(crate) missing: u32,
}

/// What a table holds as far as the manifest proves it. The log still has
/// whatever stands behind that, and what is there may be gone after a power
/// cut: bytes that can be read need not be on the medium.
pub(crate) async fn read_proven<D: Disk>(
    disk: &D,
    file: &D::File,
    place: Place,
    proven: Proven,
) -> Result<Contents, DiskError> {
    let Some(mut contents) = read_sealed(disk, file, place).await? else {
        return read_open(disk, file, place, proven).await;
    };
    contents.entries.retain(|entry| entry.end() <= proven.bytes);
    Ok(contents)
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
    let tail = salvage::read(disk, file, tail_at, guess as usize).await?;
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
        let mut footer = salvage::read(disk, file, trailer.offset, missing).await?.to_vec();
        footer.extend_from_slice(&tail);
        trailer.entries(&footer, place)
    };
    let Ok(entries) = entries else { return Ok(None) };
    Ok(Some(sealed(Ok(trailer.bucket), entries)))
}

fn sealed(bucket: Result<BucketStamp, TableError>, entries: Vec<TableEntry>) -> Contents {
    Contents { bucket, entries, sealed: true, missing: 0 }
}

/// Reads the directories of a table's blocks. Their values were read back when
/// they were proven, so they are looked at no sooner than a sealed table's.
async fn read_open<D: Disk>(
    disk: &D,
    file: &D::File,
    place: Place,
    proven: Proven,
) -> Result<Contents, DiskError> {
    let length = block_down(disk.length(file).await?.min(proven.bytes));
    let mut contents = Contents {
        bucket: Err(TableError::NoTable),
        entries: Vec::new(),
        sealed: false,
        missing: proven.blocks,
    };
    if length == 0 {
        return Ok(contents);
    }
    contents.bucket = decode_header(&salvage::read(disk, file, 0, BLOCK_BYTES).await?, place);
    let mut at = BLOCK_BYTES as u64;
    // A table's blocks have about as many values each, and directories as long.
    let mut guess = BLOCK_BYTES as u64;
    while at < length {
        let mut found = None;
        // Twice, in case only the read was bad: what is missed here is gone for
        // good when the table gets its footer.
        for _ in 0..2 {
            let front = salvage::read(disk, file, at, guess.min(length - at) as usize).await?;
            found = read_directory(disk, file, place, at, length, &front).await?;
            if found.is_some() {
                break;
            }
        }
        let Some((entries, directory, bytes)) = found else {
            at += BLOCK_BYTES as u64;
            continue;
        };
        contents.entries.extend(entries);
        (at, guess) = (at + bytes, block_up(directory));
        contents.missing = contents.missing.saturating_sub(1);
    }
    Ok(contents)
}

/// What [`read_proven`] finds, every value read. Entries whose bytes are not
/// theirs come apart from the others.
pub(crate) async fn read_everything<D: Disk>(
    disk: &D,
    file: &D::File,
    place: Place,
    proven: Proven,
) -> Result<(Contents, Vec<TableEntry>), DiskError> {
    let mut contents = read_proven(disk, file, place, proven).await?;
    if contents.sealed {
        contents.bucket = decode_header(&salvage::read(disk, file, 0, BLOCK_BYTES).await?, place);
    }
    let mut broken = Vec::new();
    for entry in std::mem::take(&mut contents.entries) {
        let read = read_record(disk, file, place, entry.offset, stored_bytes(entry.length)).await;
        let sound = match read {
            Ok(read) => read.is_some_and(|read| read.entry == entry),
            Err(error) if salvage::is_of_medium(&error) => false,
            Err(error) => return Err(error),
        };
        let list = if sound { &mut contents.entries } else { &mut broken };
        list.push(entry);
    }
    Ok((contents, broken))
}

/// A block's values, and the bytes of its directory and of all of it.
async fn read_directory<D: Disk>(
    disk: &D,
    file: &D::File,
    place: Place,
    at: u64,
    length: u64,
    front: &[u8],
) -> Result<Option<(Vec<TableEntry>, u64, u64)>, DiskError> {
    let Ok((directory, bytes)) = peek_block(front) else { return Ok(None) };
    if at + bytes as u64 > length {
        return Ok(None);
    }
    let decoded = if directory <= front.len() {
        decode_directory(front, place, at)
    } else {
        let whole = salvage::read(disk, file, at, block_up(directory as u64) as usize).await?;
        decode_directory(&whole, place, at)
    };
    Ok(decoded.ok().map(|entries| (entries, directory as u64, bytes as u64)))
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
