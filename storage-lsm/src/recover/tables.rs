//! The second step: what every table holds.

use crate::disk::{Disk, DiskError, Fault, Writes};
use crate::field::block_up;
use crate::manifest::Manifest;
use crate::manifest::slot::SlotError;
use crate::table::block::TableError;
use crate::table::footer::encode_footer;
use crate::table::reader::{Contents, Depth, read_table};

use super::merge::Merge;
use super::report::{RecoveryReport, TableFault, TableFaultKind};
use super::{RecoverError, Touch, place};

pub(super) async fn read_all<D: Disk>(
    disk: &D,
    manifest: &Manifest,
    touch: Touch,
    merge: &mut Merge,
    report: &mut RecoveryReport,
) -> Result<(), RecoverError> {
    for (id, bucket) in &manifest.tables {
        let mut fault = |kind| report.tables.push(TableFault { file: *id, kind });
        let file = match disk.open(&id.table_name(), Writes::Deferred).await {
            Ok(file) => file,
            Err(DiskError { fault: Fault::NotFound, .. }) => {
                fault(TableFaultKind::Missing);
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        // What is read now must stay, so it is made durable before anything
        // is built on it.
        if touch == Touch::Files {
            disk.sync(&file).await?;
        }
        let place = place(manifest.store, *id);
        let contents = read_table(disk, &file, place, Depth::Unsealed).await?;
        if let Err(TableError::Version(found)) = contents.bucket {
            return Err(RecoverError::Format(SlotError::Version { found }));
        }
        if let Err(TableError::NoTable | TableError::Checksum | TableError::Length) =
            contents.bucket
            && !contents.entries.is_empty()
        {
            fault(TableFaultKind::Header);
        }
        if !contents.broken.is_empty() {
            fault(TableFaultKind::Values(contents.broken.len() as u64));
        }
        let whole = contents.broken.is_empty() && !contents.entries.is_empty();
        if touch == Touch::Files && !contents.sealed && whole {
            seal(disk, &file, place, &contents).await?;
        }
        merge.add_table(*id, *bucket, &contents);
    }
    Ok(())
}

/// Gives a table that a crash left open its footer. One with broken values
/// stays as it is: its directory is the proof of what is missing.
async fn seal<D: Disk>(
    disk: &D,
    file: &D::File,
    place: crate::checksum::Place,
    contents: &Contents,
) -> Result<(), DiskError> {
    // After whatever torn blocks stand at the end, so nothing is overwritten.
    let at = block_up(disk.length(file).await?);
    let footer = encode_footer(place, at, contents.entries.clone());
    let mut buffer = disk.buffer(footer.len());
    buffer.as_mut().copy_from_slice(&footer);
    match disk.write(file, at, buffer).await {
        Ok(_) => disk.sync(file).await,
        // A full disk must not keep a store from opening; the next start
        // reads the blocks again.
        Err(DiskError { fault: Fault::NoSpace, .. }) => Ok(()),
        Err(error) => Err(error),
    }
}
