//! The second step: what every table holds.

use crate::ahead;
use crate::bucket::BucketId;
use crate::checksum::Place;
use crate::disk::{Disk, DiskError, Fault, Writes};
use crate::field::block_up;
use crate::file::FileId;
use crate::manifest::Manifest;
use crate::manifest::slot::SlotError;
use crate::table::error::TableError;
use crate::table::footer::encode_footer;
use crate::table::reader::{Contents, read_proven};

use super::merge::Merge;
use super::report::{RecoveryReport, TableFault, TableFaultKind};
use super::{RecoverError, Touch, place};

/// Tables that are read at the same time: enough to keep the device busy, few
/// enough that their directories take a few MiB.
const TABLES_TOGETHER: usize = 4;

/// Reads all tables, bucket by bucket, so that no more than one bucket's
/// superseded values are in memory at once.
pub(super) async fn read_all<D: Disk>(
    disk: &D,
    manifest: &Manifest,
    touch: Touch,
    merge: &mut Merge,
    report: &mut RecoveryReport,
) -> Result<(), RecoverError> {
    let mut tables: Vec<(BucketId, FileId)> =
        manifest.tables.iter().map(|(id, table)| (table.bucket, *id)).collect();
    tables.sort_unstable();
    let mut open = None;
    for tables in tables.chunks(TABLES_TOGETHER) {
        let read = tables.iter().map(|(_, id)| read_one(disk, manifest, *id, touch));
        let read = ahead::all(read).await;
        for ((bucket, id), read) in tables.iter().zip(read) {
            let (contents, faults) = read?;
            report.tables.extend(faults.into_iter().map(|kind| TableFault { file: *id, kind }));
            if open.replace(*bucket).is_some_and(|open| open != *bucket) {
                merge.close_bucket();
            }
            if let Some(contents) = contents {
                merge.add_table(*id, *bucket, &contents);
            }
        }
    }
    merge.close_bucket();
    Ok(())
}

/// What a table holds, unless it is missing, and what is wrong with it.
async fn read_one<D: Disk>(
    disk: &D,
    manifest: &Manifest,
    id: FileId,
    touch: Touch,
) -> Result<(Option<Contents>, Vec<TableFaultKind>), RecoverError> {
    let file = match disk.open(&id.table_name(), Writes::Deferred).await {
        Ok(file) => file,
        Err(DiskError { fault: Fault::NotFound, .. }) => {
            return Ok((None, vec![TableFaultKind::Missing]));
        }
        Err(error) => return Err(error.into()),
    };
    let place = place(manifest.store, id);
    let contents = read_proven(disk, &file, place, manifest.tables[&id].proven).await?;
    if let Err(TableError::Version(found)) = contents.bucket {
        return Err(RecoverError::Format(SlotError::Version { found }));
    }
    let mut faults = Vec::new();
    if contents.bucket.is_err() && !contents.entries.is_empty() {
        faults.push(TableFaultKind::Header);
    }
    if contents.missing > 0 {
        faults.push(TableFaultKind::Blocks(contents.missing));
    }
    let whole = contents.missing == 0 && !contents.entries.is_empty();
    let contents = if touch == Touch::Files && !contents.sealed && whole {
        seal(disk, &file, place, contents).await?
    } else {
        contents
    };
    Ok((Some(contents), faults))
}

/// Writes the footer of a table that a crash left open, with the proven values. A table
/// that lacks blocks, or whose header is damaged, stays as it is.
async fn seal<D: Disk>(
    disk: &D,
    file: &D::File,
    place: Place,
    contents: Contents,
) -> Result<Contents, DiskError> {
    let Ok(bucket) = contents.bucket else { return Ok(contents) };
    // At the end of the file, so that bytes behind the proven end are not overwritten.
    let at = block_up(disk.length(file).await?);
    let footer = encode_footer(place, &bucket, at, contents.entries.clone());
    let mut buffer = disk.buffer(footer.len());
    buffer.as_mut().copy_from_slice(&footer);
    match disk.write(file, at, buffer).await {
        Ok(_) => disk.sync(file).await?,
        // A full disk must not keep a store from opening; the next start
        // reads the blocks again.
        Err(DiskError { fault: Fault::NoSpace, .. }) => return Ok(contents),
        Err(error) => return Err(error),
    }
    Ok(Contents { sealed: true, ..contents })
}
