//! Reading tables: all of one at start, one value at a time later.

use crate::bucket::BucketStamp;
use crate::checksum::Place;
use crate::disk::{Disk, DiskError};
use crate::field::{block_down, block_up};
use crate::limits::BLOCK_BYTES;

use super::block::{TableEntry, TableError, decode_directory, decode_header, peek_block};
use super::footer::Trailer;

/// What a table's file holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Contents {
    pub(crate) bucket: Result<BucketStamp, TableError>,
    /// Values that may be relied on.
    pub(crate) entries: Vec<TableEntry>,
    /// Values that a directory names and whose bytes are not theirs: not
    /// synced before a crash, or damaged. Only found where values are read.
    pub(crate) broken: Vec<TableEntry>,
    /// Blocks of 4 KiB between the valid blocks of the table.
    pub(crate) holes: u64,
    pub(crate) sealed: bool,
    /// Where a footer may be written.
    pub(crate) end: u64,
}

/// How much of a table is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Depth {
    /// The values of a table without a footer: they may not have been synced.
    Unsealed,
    /// Every value.
    Everything,
}

/// Reads what a table holds: its footer, or every block if it has none.
pub(crate) async fn read_table<D: Disk>(
    disk: &D,
    file: &D::File,
    place: Place,
    depth: Depth,
) -> Result<Contents, DiskError> {
    let length = block_down(disk.length(file).await?);
    let mut contents = Contents {
        bucket: Err(TableError::NoTable),
        entries: Vec::new(),
        broken: Vec::new(),
        holes: 0,
        sealed: false,
        end: length.max(BLOCK_BYTES as u64),
    };
    if length == 0 {
        return Ok(contents);
    }
    contents.bucket = decode_header(&disk.read(file, 0, BLOCK_BYTES).await?, place);
    if let Some((end, entries)) = read_footer(disk, file, place, length).await? {
        contents.entries = entries;
        contents.sealed = true;
        contents.end = end;
    } else {
        read_blocks(disk, file, place, length, &mut contents).await?;
    }
    if contents.sealed && depth == Depth::Everything {
        let entries = std::mem::take(&mut contents.entries);
        for entry in entries {
            let sound = read_value(disk, file, place, &entry).await?.is_some();
            let list = if sound { &mut contents.entries } else { &mut contents.broken };
            list.push(entry);
        }
    }
    Ok(contents)
}

async fn read_footer<D: Disk>(
    disk: &D,
    file: &D::File,
    place: Place,
    length: u64,
) -> Result<Option<(u64, Vec<TableEntry>)>, DiskError> {
    let last = length - BLOCK_BYTES as u64;
    let block = disk.read(file, last, BLOCK_BYTES).await?;
    let Ok(trailer) = Trailer::decode(&block, place, length) else { return Ok(None) };
    // The trailer's own check bounds the footer by the file.
    let bytes = block_up(trailer.entries_bytes()) as usize;
    let footer = if bytes == 0 {
        Vec::new()
    } else {
        disk.read(file, trailer.offset, bytes).await?.to_vec()
    };
    Ok(trailer.entries(&footer, place).ok().map(|entries| (trailer.offset, entries)))
}

async fn read_blocks<D: Disk>(
    disk: &D,
    file: &D::File,
    place: Place,
    length: u64,
    contents: &mut Contents,
) -> Result<(), DiskError> {
    let mut at = BLOCK_BYTES as u64;
    let mut holes = 0;
    contents.end = at;
    while at < length {
        let front = disk.read(file, at, BLOCK_BYTES).await?;
        match read_directory(disk, file, place, at, length, &front).await? {
            Some((entries, bytes)) => {
                // Without a footer nothing proves that the values were synced.
                let block = disk.read(file, at, bytes as usize).await?;
                for entry in entries {
                    let start = (entry.offset - at) as usize;
                    let value = &block[start..start + entry.length as usize];
                    let sound = entry.fits(place, value);
                    let list = if sound { &mut contents.entries } else { &mut contents.broken };
                    list.push(entry);
                }
                contents.holes += holes;
                holes = 0;
                at += bytes;
                contents.end = at;
            }
            None => {
                holes += 1;
                at += BLOCK_BYTES as u64;
            }
        }
    }
    Ok(())
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

/// Reads one value: the block that holds it and where it begins there, or
/// `None` when the bytes are not what the entry says.
pub(crate) async fn read_value<D: Disk>(
    disk: &D,
    file: &D::File,
    place: Place,
    entry: &TableEntry,
) -> Result<Option<(Option<D::Block>, usize)>, DiskError> {
    if entry.length == 0 {
        return Ok(entry.fits(place, &[]).then_some((None, 0)));
    }
    let from = block_down(entry.offset);
    let to = block_up(entry.offset + u64::from(entry.length));
    let block = disk.read(file, from, (to - from) as usize).await?;
    let start = (entry.offset - from) as usize;
    let fits = entry.fits(place, &block[start..start + entry.length as usize]);
    Ok(fits.then_some((Some(block), start)))
}
