//! glommio's errors in the store's words.

use std::io;

use desk_storage_lsm::disk::{DiskError, Fault};
use glommio::GlommioError;

/// The operating system's number for "input/output error".
const EIO: i32 = 5;
/// The operating system's number for "no space left on device".
const ENOSPC: i32 = 28;
/// The operating system's number for "disk quota exceeded".
const EDQUOT: i32 = 122;

pub(crate) fn of_glommio(
    operation: &'static str,
    file: &str,
    error: GlommioError<()>,
) -> DiskError {
    let fault = match &error {
        GlommioError::IoError(source) | GlommioError::EnhancedIoError { source, .. } => {
            fault(source)
        }
        _ => Fault::Os(EIO),
    };
    DiskError { operation, file: file.to_owned(), fault }
}

pub(crate) fn of_io(operation: &'static str, file: &str, error: &io::Error) -> DiskError {
    DiskError { operation, file: file.to_owned(), fault: fault(error) }
}

fn fault(error: &io::Error) -> Fault {
    match (error.kind(), error.raw_os_error()) {
        (io::ErrorKind::NotFound, _) => Fault::NotFound,
        (io::ErrorKind::AlreadyExists, _) => Fault::Exists,
        (_, Some(ENOSPC | EDQUOT)) => Fault::NoSpace,
        (_, number) => Fault::Os(number.unwrap_or(EIO)),
    }
}
