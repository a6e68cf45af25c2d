//! The second step: what every table holds.

use std::collections::BTreeMap;

use crate::bucket::BucketId;
use crate::checksum::Place;
use crate::disk::{Disk, DiskError, Fault, Writes};
use crate::field::block_up;
use crate::file::FileId;
use crate::manifest::slot::SlotError;
use crate::manifest::{Manifest, Proven};
use crate::table::block::TableError;
use crate::table::footer::encode_footer;
use crate::table::reader::{Contents, read_open, read_sealed};

use super::merge::Merge;
use super::report::{RecoveryReport, TableFault, TableFaultKind};
use super::{RecoverError, Touch, place};

/// Reads all tables, bucket by bucket, so that no more than one bucket's
/// superseded values are in memory at once. Returns what tables without a
/// footer were found to hold.
pub(super) async fn read_all<D: Disk>(
    disk: &D,
    manifest: &Manifest,
    touch: Touch,
    merge: &mut Merge,
    report: &mut RecoveryReport,
) -> Result<BTreeMap<FileId, Proven>, RecoverError> {
    let mut proven = BTreeMap::new();
    let mut tables: Vec<(BucketId, FileId)> =
        manifest.tables.iter().map(|(id, table)| (table.bucket, *id)).collect();
    tables.sort_unstable();
    for tables in tables.chunk_by(|one, two| one.0 == two.0) {
        for (bucket, id) in tables {
            if let Some(contents) = read_one(disk, manifest, *id, touch, report).await? {
                merge.add_table(*id, *bucket, &contents);
                if contents.proven().blocks > 0 {
                    proven.insert(*id, contents.proven());
                }
            }
        }
        merge.close_bucket(tables[0].0);
    }
    Ok(proven)
}

async fn read_one<D: Disk>(
    disk: &D,
    manifest: &Manifest,
    id: FileId,
    touch: Touch,
    report: &mut RecoveryReport,
) -> Result<Option<Contents>, RecoverError> {
    let mut fault = |kind| report.tables.push(TableFault { file: id, kind });
    let file = match disk.open(&id.table_name(), Writes::Deferred).await {
        Ok(file) => file,
        Err(DiskError { fault: Fault::NotFound, .. }) => {
            fault(TableFaultKind::Missing);
            return Ok(None);
        }
        Err(error) => return Err(error.into()),
    };
    let place = place(manifest.store, id);
    // A footer proves that the values were synced before it was written. If
    // power takes the footer itself, the next start finds the same values.
    let contents = match read_sealed(disk, &file, place).await? {
        Some(contents) => contents,
        None => {
            // What is read now must stay, so it is made durable before
            // anything is built on it.
            if touch == Touch::Files {
                disk.sync(&file).await?;
            }
            read_open(disk, &file, place).await?
        }
    };
    if let Err(TableError::Version(found)) = contents.bucket {
        return Err(RecoverError::Format(SlotError::Version { found }));
    }
    if contents.bucket.is_err() && !contents.entries.is_empty() {
        fault(TableFaultKind::Header);
    }
    if !contents.broken.is_empty() {
        fault(TableFaultKind::Values(contents.broken.len() as u64));
    }
    let missing = contents.missing(manifest.tables[&id].proven);
    if missing > 0 {
        fault(TableFaultKind::Blocks(missing));
    }
    let whole = contents.broken.is_empty() && missing == 0 && !contents.entries.is_empty();
    if touch == Touch::Files && !contents.sealed && whole {
        return seal(disk, &file, place, contents).await.map(Some).map_err(Into::into);
    }
    Ok(Some(contents))
}

/// Gives a table that a crash left open its footer. One with broken values
/// stays as it is: its directory is the proof of what is missing. So does one
/// that lacks blocks, or whose header is damaged.
async fn seal<D: Disk>(
    disk: &D,
    file: &D::File,
    place: Place,
    contents: Contents,
) -> Result<Contents, DiskError> {
    let Ok(bucket) = contents.bucket else { return Ok(contents) };
    // After whatever torn blocks stand at the end, so nothing is overwritten.
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
