//! Reading tables: all of one at start, one value at a time later.

use crate::bucket::BucketStamp;
use crate::checksum::Place;
use crate::disk::{Disk, DiskError};
use crate::field::{block_down, block_up};
use crate::limits::{BLOCK_BYTES, SECTOR_BYTES, TAIL_READ_BYTES_MIN, TAIL_READ_PART};
use crate::manifest::Proven;
use crate::salvage;

use super::block::{decode_directory, decode_header, peek_block};
use super::error::TableError;
use super::footer::{Trailer, encode_footer, footer_bytes};
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
    /// Where one should begin and does not, in bytes of the file.
    pub(crate) gaps: Vec<u64>,
}

/// How a table's footer is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Footer {
    /// There is none.
    None,
    Whole,
    /// Sectors of it are zeros, from here on, as if they had not been written.
    Unfinished(u64),
    /// What stands here is something else.
    Damaged(u64),
}

/// All of a table, looked at.
pub(crate) struct Everything {
    /// What a start finds, with those values only that are what they should be.
    pub(crate) contents: Contents,
    /// The others.
    pub(crate) broken: Vec<TableEntry>,
    /// What the directories of the blocks say.
    pub(crate) blocks: Contents,
    pub(crate) footer: Footer,
}

/// What a table holds up to its proven end. Bytes behind that end do not count: they
/// may be lost in a power cut although they can be read, and the log still has their
/// values.
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
    Contents { bucket, entries, sealed: true, missing: 0, gaps: Vec::new() }
}

/// Reads the directories of a table's blocks. The values were read back when they were
/// proven, so their checksums are checked by later reads only.
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
        gaps: Vec::new(),
    };
    if length == 0 {
        return Ok(contents);
    }
    contents.bucket = decode_header(&salvage::read(disk, file, 0, BLOCK_BYTES).await?, place);
    let mut at = BLOCK_BYTES as u64;
    let mut block_ended = true;
    // A table's blocks have about as many values each, and directories as long.
    let mut guess = BLOCK_BYTES as u64;
    while at < length {
        let mut found = None;
        // Twice, in case only the read was bad: a block that is missed here is lost
        // when the table gets its footer.
        for _ in 0..2 {
            let front = salvage::read(disk, file, at, guess.min(length - at) as usize).await?;
            found = read_directory(disk, file, place, at, length, &front).await?;
            if found.is_some() {
                break;
            }
        }
        let Some((entries, directory, bytes)) = found else {
            if std::mem::take(&mut block_ended) {
                contents.gaps.push(at);
            }
            at += BLOCK_BYTES as u64;
            continue;
        };
        block_ended = true;
        contents.entries.extend(entries);
        (at, guess) = (at + bytes, block_up(directory));
        contents.missing = contents.missing.saturating_sub(1);
    }
    Ok(contents)
}

/// Reads all of a table as far as the manifest proves it: header, directories,
/// every value, and the footer if there is one.
pub(crate) async fn read_everything<D: Disk>(
    disk: &D,
    file: &D::File,
    place: Place,
    proven: Proven,
) -> Result<Everything, DiskError> {
    let mut contents = read_proven(disk, file, place, proven).await?;
    let blocks = read_open(disk, file, place, proven).await?;
    let footer = if contents.sealed {
        contents.bucket = blocks.bucket;
        Footer::Whole
    } else {
        find_footer(disk, file, place, proven, &blocks).await?
    };
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
    Ok(Everything { contents, broken, blocks, footer })
}

/// Whether the file ends in an incomplete footer. The expected footer follows from the
/// blocks. A crash leaves each sector as expected or zero, because a footer is written
/// behind the end of the file.
async fn find_footer<D: Disk>(
    disk: &D,
    file: &D::File,
    place: Place,
    proven: Proven,
    blocks: &Contents,
) -> Result<Footer, DiskError> {
    let length = block_down(disk.length(file).await?);
    let Ok(bucket) = blocks.bucket else { return Ok(Footer::None) };
    // A start seals what is proven; a store may have written more by then.
    let all = read_open(disk, file, place, Proven { bytes: length, blocks: 0 }).await?;
    for entries in [&blocks.entries, &all.entries] {
        let bytes = footer_bytes(entries.len());
        let Some(at) = length.checked_sub(bytes).filter(|at| *at >= proven.bytes) else { continue };
        let expected = encode_footer(place, &bucket, at, entries.clone());
        let found = salvage::read(disk, file, at, expected.len()).await?;
        let (mut same, mut first_absent, mut first_other) = (false, None, None);
        let sectors = found.chunks(SECTOR_BYTES).zip(expected.chunks(SECTOR_BYTES));
        for ((found, expected), at) in sectors.zip((at..).step_by(SECTOR_BYTES)) {
            let is_blank = |sector: &[u8]| sector.iter().all(|byte| *byte == 0);
            if found == expected {
                same |= !is_blank(found);
            } else if is_blank(found) {
                first_absent = first_absent.or(Some(at));
            } else {
                first_other = first_other.or(Some(at));
            }
        }
        let unreadable = first_absent.filter(|_| !found.is_whole());
        match (same, first_other.or(unreadable), first_absent) {
            (true, Some(at), _) => return Ok(Footer::Damaged(at)),
            (true, None, Some(at)) => return Ok(Footer::Unfinished(at)),
            _ => {}
        }
    }
    Ok(Footer::None)
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
