//! Keeps a client's state in a folder, so that a program that is stopped or
//! killed goes on as the same client, with what it had not sent.
//!
//! ```text
//! lock      held while the folder is in use
//! base-N    the core's base record, written once
//! state     "DESKKEEP" │ N u64 │ length u32, link │ length u32, WebSocket URL │ queue record
//! ```
//! A new base is on disk before the state that names it, and the state is
//! replaced by rename: both change as one. The records carry checksums of
//! their own.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use desk_client_core::{Records, Token};

use crate::address::DeskLink;

const MAGIC: &[u8; 8] = b"DESKKEEP";

/// A folder in use.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    /// Which link and which WebSocket URL; they head every state.
    place: Arc<Mutex<Place>>,
    /// The lock goes with the last user.
    _lock: Arc<File>,
}

#[derive(Debug)]
struct Place {
    link: String,
    websocket: String,
    /// The base that the state names.
    generation: u64,
}

/// What an earlier run kept.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) link: DeskLink,
    pub(crate) websocket: Option<String>,
    pub(crate) base: Vec<u8>,
    pub(crate) queue: Vec<u8>,
}

impl Folder {
    /// Takes a folder, making it if need be, and reads what is in it.
    ///
    /// # Errors
    /// It cannot be read or written, another program has it, or it holds
    /// something else.
    pub(crate) fn open(path: &Path) -> io::Result<(Self, Option<Kept>)> {
        fs::create_dir_all(path)?;
        let lock =
            OpenOptions::new().create(true).truncate(false).write(true).open(path.join("lock"))?;
        lock.try_lock().map_err(|error| match error {
            fs::TryLockError::WouldBlock => {
                io::Error::new(io::ErrorKind::ResourceBusy, "another program has it in use")
            }
            fs::TryLockError::Error(error) => error,
        })?;
        let place = Place { link: String::new(), websocket: String::new(), generation: 0 };
        let folder = Self {
            path: path.to_owned(),
            place: Arc::new(Mutex::new(place)),
            _lock: Arc::new(lock),
        };
        let kept = match fs::read(path.join("state")) {
            Ok(state) => Some(folder.read(&state)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        Ok((folder, kept))
    }

    fn read(&self, state: &[u8]) -> io::Result<Kept> {
        let foreign = || io::Error::new(io::ErrorKind::InvalidData, "its state is not one of ours");
        let rest = state.strip_prefix(MAGIC).ok_or_else(foreign)?;
        let (generation, rest) = rest.split_first_chunk().ok_or_else(foreign)?;
        let generation = u64::from_le_bytes(*generation);
        let (link, rest) = split_text(rest).ok_or_else(foreign)?;
        let (websocket, queue) = split_text(rest).ok_or_else(foreign)?;
        let kept = Kept {
            link: link.parse().map_err(|_| foreign())?,
            websocket: (!websocket.is_empty()).then(|| websocket.to_owned()),
            base: fs::read(self.base(generation))?,
            queue: queue.to_vec(),
        };
        *self.place() = Place { link: link.into(), websocket: websocket.into(), generation };
        Ok(kept)
    }

    /// Which desk this is for.
    pub(crate) fn belongs_to(&self, link: &DeskLink, websocket: Option<&str>) {
        let mut place = self.place();
        place.link = link.to_string();
        place.websocket = websocket.unwrap_or_default().to_owned();
    }

    /// Writes what the core wants kept, as one change.
    pub(crate) async fn write(self, records: Records) -> io::Result<Token> {
        let token = records.token;
        tokio::task::spawn_blocking(move || self.write_now(&records))
            .await
            .map_err(io::Error::other)??;
        Ok(token)
    }

    fn write_now(&self, records: &Records) -> io::Result<()> {
        let mut place = self.place();
        let old = place.generation;
        if let Some(base) = &records.base {
            write_synced(&self.base(old + 1), base)?;
            place.generation = old + 1;
        }
        let mut state = MAGIC.to_vec();
        state.extend(place.generation.to_le_bytes());
        for text in [&place.link, &place.websocket] {
            let length = u32::try_from(text.len()).map_err(io::Error::other)?;
            state.extend(length.to_le_bytes());
            state.extend(text.as_bytes());
        }
        state.extend(&records.queue);
        let new = self.path.join("state.new");
        write_synced(&new, &state)?;
        fs::rename(&new, self.path.join("state"))?;
        File::open(&self.path)?.sync_all()?;
        if place.generation != old && old != 0 {
            // A leftover costs space and is never read.
            let _ = fs::remove_file(self.base(old));
        }
        Ok(())
    }

    fn base(&self, generation: u64) -> PathBuf {
        self.path.join(format!("base-{generation}"))
    }

    fn place(&self) -> std::sync::MutexGuard<'_, Place> {
        self.place.lock().expect("nothing panics while it holds the place")
    }
}

fn split_text(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (text, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    Some((std::str::from_utf8(text).ok()?, rest))
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: &str = "http://127.0.0.1:8080/d/01ARZ3NDEKTSV4RRFFQ69G5FAV";

    fn records(base: Option<&str>, queue: &str) -> Records {
        let base = base.map(|base| base.as_bytes().to_vec());
        Records { token: Token(1), base, queue: queue.as_bytes().to_vec() }
    }

    #[test]
    fn what_was_written_is_read_by_the_next_run() {
        let path = tempfile::tempdir().unwrap();
        let (folder, kept) = Folder::open(path.path()).unwrap();
        assert!(kept.is_none());
        folder.belongs_to(&LINK.parse().unwrap(), Some("ws://127.0.0.1:8080/x"));
        folder.write_now(&records(Some("base 1"), "queue 1")).unwrap();
        folder.write_now(&records(None, "queue 2")).unwrap();
        folder.write_now(&records(Some("base 2"), "queue 3")).unwrap();
        folder.write_now(&records(None, "queue 4")).unwrap();
        drop(folder);
        let (_folder, kept) = Folder::open(path.path()).unwrap();
        let kept = kept.unwrap();
        assert_eq!((kept.base, kept.queue), (b"base 2".to_vec(), b"queue 4".to_vec()));
        assert_eq!(kept.link.to_string(), LINK);
        assert_eq!(kept.websocket.as_deref(), Some("ws://127.0.0.1:8080/x"));
        let bases = fs::read_dir(path.path()).unwrap().filter(|entry| {
            entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("base-")
        });
        assert_eq!(bases.count(), 1, "older bases are removed");
    }

    #[test]
    fn a_base_without_its_state_changes_nothing() {
        let path = tempfile::tempdir().unwrap();
        let (folder, _) = Folder::open(path.path()).unwrap();
        folder.belongs_to(&LINK.parse().unwrap(), None);
        folder.write_now(&records(Some("base 1"), "queue 1")).unwrap();
        // Killed between the new base and the state that names it.
        write_synced(&folder.base(2), b"half").unwrap();
        drop(folder);
        let (folder, kept) = Folder::open(path.path()).unwrap();
        assert_eq!(kept.unwrap().base, b"base 1");
        folder.write_now(&records(Some("base 2"), "queue 2")).unwrap();
        drop(folder);
        assert_eq!(Folder::open(path.path()).unwrap().1.unwrap().base, b"base 2");
    }

    #[test]
    fn a_folder_has_one_user_and_one_purpose() {
        let path = tempfile::tempdir().unwrap();
        let (folder, _) = Folder::open(path.path()).unwrap();
        let busy = Folder::open(path.path()).map(drop).unwrap_err();
        assert_eq!(busy.kind(), io::ErrorKind::ResourceBusy);
        drop(folder);
        fs::write(path.path().join("state"), b"something else").unwrap();
        let foreign = Folder::open(path.path()).map(drop).unwrap_err();
        assert_eq!(foreign.kind(), io::ErrorKind::InvalidData);
    }
}
