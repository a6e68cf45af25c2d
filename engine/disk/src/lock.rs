//! The lock that keeps a second process out of a folder.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::root;

/// The name of the lock's file. It stays when the lock goes; only the lock on
/// it counts, and the kernel drops that with the process.
const LOCK: &str = "lock";

/// The right to use a folder. It ends when it is dropped or the process ends.
#[derive(Debug)]
pub struct FolderLock {
    _file: File,
}

/// Why a folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process uses it.
    #[error("another process uses the data folder `{}`: stop it, or choose another folder with --data", .0.display())]
    Held(PathBuf),
    /// The folder cannot be made, or the lock's file cannot be opened.
    #[error("cannot use the data folder `{}`: {error}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

impl FolderLock {
    /// Takes the lock on a folder, which is made if it is missing.
    ///
    /// # Errors
    /// [`LockError::Held`] if another process has it. [`LockError::Folder`] if the
    /// folder cannot be made or the lock's file cannot be opened.
    pub fn take(path: &Path) -> Result<Self, LockError> {
        let folder = |error| LockError::Folder { path: path.to_owned(), error };
        root::make(path).map_err(folder)?;
        let options =
            OpenOptions::new().write(true).create(true).truncate(false).open(path.join(LOCK));
        let file = options.map_err(folder)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(LockError::Held(path.to_owned())),
            Err(TryLockError::Error(error)) => Err(folder(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_lock_is_refused_until_the_first_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        let first = FolderLock::take(&path).unwrap();
        let second = FolderLock::take(&path).unwrap_err();
        assert!(matches!(&second, LockError::Held(held) if *held == path), "{second}");
        drop(first);
        FolderLock::take(&path).unwrap();
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let error = FolderLock::take(Path::new("/proc/nowhere")).unwrap_err().to_string();
        assert!(error.contains("/proc/nowhere"), "{error}");
    }
}
