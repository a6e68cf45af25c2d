//! The server's secrets, in the data folder, readable by their owner only.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use desk_engine_core::Keyring;

/// The file of the key that session keys are made with: 32 random bytes.
const SESSION_FILE: &str = "session.key";

/// The file of the secret that QUIC's keys are derived from: 32 random bytes.
const QUIC_FILE: &str = "quic.key";

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    /// The file cannot be read or made.
    #[error("cannot read or make the key {path}: {error}", path = .path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The file is not ours.
    #[error(
        "{path} is no key of this server ({found} bytes instead of 32); restore it from a backup, \
         or delete it: then all session keys become void and people join again by their links",
        path = .path.display()
    )]
    Damaged {
        /// Which.
        path: PathBuf,
        /// How many bytes it has.
        found: usize,
    },
    /// The system gives no random bytes.
    #[error("the system gives no random bytes: {0}")]
    Random(getrandom::Error),
}

/// Random bytes from the system.
///
/// # Errors
/// The system has none.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], KeyError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(KeyError::Random)?;
    Ok(bytes)
}

/// Reads the key of the data folder, or makes one. Call it under the folder's
/// lock.
///
/// # Errors
/// It cannot be read, is damaged, or cannot be made.
pub(crate) fn keyring(folder: &Path) -> Result<Keyring, KeyError> {
    Ok(Keyring::new(session_secret(folder)?))
}

/// The key that session keys are made with, made if it is not there.
///
/// # Errors
/// As [`keyring`].
pub(crate) fn session_secret(folder: &Path) -> Result<[u8; 32], KeyError> {
    secret(folder.join(SESSION_FILE))
}

/// Keeps the key of a cluster in place of this machine's own.
///
/// # Errors
/// The file cannot be written.
pub(crate) fn adopt(folder: &Path, session: &[u8; 32]) -> Result<(), KeyError> {
    let path = folder.join(SESSION_FILE);
    if fs::read(&path).is_ok_and(|own| own == session) {
        return Ok(());
    }
    write_private(&path, session).map_err(|error| KeyError::Io { path, error })
}

/// Reads the secret that QUIC's keys are derived from, or makes one. Call it under the
/// folder's lock.
///
/// # Errors
/// It cannot be read, is damaged, or cannot be made.
pub(crate) fn quic_secret(folder: &Path) -> Result<[u8; 32], KeyError> {
    secret(folder.join(QUIC_FILE))
}

fn secret(path: PathBuf) -> Result<[u8; 32], KeyError> {
    let bytes = read_or_make(&path, || Ok(random::<32>()?.to_vec()))?;
    let found = bytes.len();
    bytes.try_into().map_err(|_| KeyError::Damaged { path, found })
}

/// Reads a secret file, and makes it first if it is not there. What others may
/// read becomes private again.
pub(crate) fn read_or_make(
    path: &Path,
    make: impl FnOnce() -> Result<Vec<u8>, KeyError>,
) -> Result<Vec<u8>, KeyError> {
    let failed = |error| KeyError::Io { path: path.to_owned(), error };
    let mut file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let bytes = make()?;
            write_private(path, &bytes).map_err(failed)?;
            return Ok(bytes);
        }
        Err(error) => return Err(failed(error)),
    };
    let mode = file.metadata().map_err(failed)?.permissions().mode();
    if mode & 0o077 != 0 {
        tracing::warn!(path = %path.display(), "others could read this key; its mode is now 0600");
        file.set_permissions(fs::Permissions::from_mode(0o600)).map_err(failed)?;
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// Writes a file so that it is there as a whole or not at all, mode 0600.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let unfinished = path.with_extension("new");
    // Left by a start that was cut off.
    let _ = fs::remove_file(&unfinished);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use desk_protocol::frame::Role;
    use desk_protocol::{ClientId, LinkId};

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("keys-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn the_key_is_made_once_and_kept_private() {
        let folder = folder("made");
        let key = keyring(&folder).unwrap().issue(LinkId(1), ClientId(2), Role::Editor, 0);
        let path = folder.join(SESSION_FILE);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(keyring(&folder).unwrap().verify(&key, Role::Editor, 0));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_damaged_key_is_not_replaced() {
        let folder = folder("damaged");
        fs::write(folder.join(SESSION_FILE), b"short").unwrap();
        assert!(matches!(keyring(&folder), Err(KeyError::Damaged { found: 5, .. })));
        assert_eq!(fs::read(folder.join(SESSION_FILE)).unwrap(), b"short");
        fs::remove_dir_all(&folder).unwrap();
    }
}
