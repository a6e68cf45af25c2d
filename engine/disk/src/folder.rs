//! A folder of files, seen by one executor.

use std::os::unix::fs::{FileExt, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use desk_storage_lsm::disk::{Disk, DiskError, Durability, Fault, Space, Writes};
use desk_storage_lsm::limits::BLOCK_BYTES;
use glommio::io::{Directory, DmaBuffer, OpenOptions};
use rustix::fs::{Mode, OFlags};

use crate::cores;
use crate::error::{of_glommio, of_io};
use crate::file::{Access, FolderBlock, FolderFile};
use crate::root;

/// Files are prewritten in pieces of this many bytes, so that a large segment
/// does not take its size in memory.
const PREWRITE_BYTES: u64 = 1024 * 1024;

/// The file that `settle_polling` reads; it stays, and is not listed.
const PROBE: &str = ".probe";

/// A folder of files. Open one on each executor that uses it; clones of one
/// stay on theirs.
#[derive(Clone, Debug)]
pub struct Folder {
    path: Rc<PathBuf>,
    durability: Durability,
    read_only: bool,
    /// Device and number of the folder that was opened.
    id: (u64, u64),
}

impl Folder {
    /// Opens a folder, which is made if it is missing, and finds out whether
    /// it has `O_DIRECT`. Call it inside a glommio executor.
    ///
    /// # Errors
    /// [`DiskError`] if the folder cannot be found, made, or probed with a file.
    pub async fn open(path: &Path) -> Result<Self, DiskError> {
        let shown = path.display().to_string();
        // glommio opens folders relative to no folder at all: only a whole path will do.
        let path = &std::path::absolute(path).map_err(|error| of_io("find", &shown, &error))?;
        root::make(path).map_err(|error| of_io("create", &shown, &error))?;
        let durability = probe(path).map_err(|error| of_io("probe", &shown, &error.into()))?;
        if durability == Durability::Direct {
            settle_polling(path).await?;
        }
        let id = id(path)?;
        Ok(Self { path: Rc::new(path.to_owned()), durability, read_only: false, id })
    }

    /// Opens a folder without `O_DIRECT`, even if it has it.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn open_buffered(path: &Path) -> Result<Self, DiskError> {
        Ok(Self { durability: Durability::Buffered, ..Self::open(path).await? })
    }

    /// Opens an existing folder for reading, through the page cache. Nothing is made
    /// or changed, and an access that would do so fails.
    ///
    /// # Errors
    /// [`DiskError`] if the folder cannot be found.
    pub fn open_read_only(path: &Path) -> Result<Self, DiskError> {
        let whole = std::path::absolute(path);
        let whole = whole.map_err(|error| of_io("find", &path.display().to_string(), &error))?;
        let id = id(&whole)?;
        Ok(Self { path: Rc::new(whole), durability: Durability::Buffered, read_only: true, id })
    }

    /// Fails in a folder that was opened to look at it only.
    fn check_writable(&self, operation: &'static str, name: &str) -> Result<(), DiskError> {
        if self.read_only {
            return Err(of_io(operation, name, &rustix::io::Errno::ROFS.into()));
        }
        Ok(())
    }

    /// How writes become durable here; the same as [`Disk::durability`].
    pub fn durability(&self) -> Durability {
        self.durability
    }

    async fn access(
        &self,
        name: &str,
        options: &OpenOptions,
        writes: Writes,
    ) -> glommio::Result<FolderFile, ()> {
        let path = self.path.join(name);
        let mut options = options.clone();
        options.read(true).write(!self.read_only);
        let access = match self.durability {
            Durability::Direct => {
                if writes == Writes::Durable {
                    options.custom_flags(OFlags::DSYNC.bits() as i32);
                }
                Access::Direct { file: options.dma_open(&path).await?, writes }
            }
            Durability::Buffered => {
                Access::Buffered { file: options.buffered_open(&path).await?, writes }
            }
        };
        Ok(FolderFile { name: name.to_owned(), access })
    }
}

/// Device and number of a folder.
fn id(path: &Path) -> Result<(u64, u64), DiskError> {
    let stat = rustix::fs::stat(path);
    let stat = stat.map_err(|error| of_io("find", &path.display().to_string(), &error.into()))?;
    Ok((stat.st_dev, stat.st_ino))
}

/// Whether a file of the folder opens with `O_DIRECT`. The file has no name,
/// so nothing is left behind; where that is not possible either, the cache is
/// the safe answer.
fn probe(path: &Path) -> rustix::io::Result<Durability> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    match rustix::fs::open(path, flags | OFlags::DIRECT, Mode::RUSR | Mode::WUSR) {
        Ok(_) => Ok(Durability::Direct),
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::ISDIR) => {
            Ok(Durability::Buffered)
        }
        Err(error) => Err(error),
    }
}

/// Lets glommio find out whether the device can poll for completions.
///
/// It asks once a device, by reading the first file that it opens there. An
/// empty file, as most of ours are at first, answers without the device: then
/// glommio takes polling for granted and every later access fails. So the
/// first file is one whose first block is on the medium.
async fn settle_polling(path: &Path) -> Result<(), DiskError> {
    let known = path.join(PROBE);
    let failed = |error: std::io::Error| of_io("write", PROBE, &error);
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(false).mode(0o600).open(&known);
    let file = file.map_err(failed)?;
    file.write_all_at(&[b'\n'; BLOCK_BYTES], 0).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    let opened = OpenOptions::new().read(true).dma_open(&known).await;
    let opened = opened.map_err(|error| of_glommio("open", PROBE, error))?;
    opened.close().await.map_err(|error| of_glommio("close", PROBE, error))
}

impl Disk for Folder {
    type File = FolderFile;
    type Buffer = Buffer;
    type Block = FolderBlock;

    fn durability(&self) -> Durability {
        self.durability
    }

    fn buffer(&self, bytes: usize) -> Buffer {
        Buffer(glommio::allocate_dma_buffer(bytes))
    }

    async fn create(&self, name: &str, writes: Writes) -> Result<FolderFile, DiskError> {
        self.check_writable("create", name)?;
        let mut options = OpenOptions::new();
        options.create_new(true).mode(0o600);
        let opened = self.access(name, &options, writes).await;
        opened.map_err(|error| of_glommio("create", name, error))
    }

    async fn open(&self, name: &str, writes: Writes) -> Result<FolderFile, DiskError> {
        let opened = self.access(name, &OpenOptions::new(), writes).await;
        opened.map_err(|error| of_glommio("open", name, error))
    }

    async fn length(&self, file: &FolderFile) -> Result<u64, DiskError> {
        file.length().await
    }

    async fn prewrite(&self, file: &FolderFile, bytes: u64) -> Result<(), DiskError> {
        let mut at = 0;
        while at < bytes {
            let piece = (bytes - at).min(PREWRITE_BYTES);
            let mut zeros = glommio::allocate_dma_buffer(piece as usize);
            zeros.as_bytes_mut().fill(0);
            file.write(at, zeros).await?;
            at += piece;
        }
        file.sync().await
    }

    async fn read(
        &self,
        file: &FolderFile,
        at: u64,
        length: usize,
    ) -> Result<FolderBlock, DiskError> {
        file.read(at, length).await
    }

    async fn write(&self, file: &FolderFile, at: u64, buffer: Buffer) -> Result<Buffer, DiskError> {
        file.write(at, buffer.0).await.map(Buffer)
    }

    async fn sync(&self, file: &FolderFile) -> Result<(), DiskError> {
        file.sync().await
    }

    async fn shorten(&self, file: &FolderFile, bytes: u64) -> Result<(), DiskError> {
        file.shorten(bytes).await
    }

    async fn list(&self) -> Result<Vec<String>, DiskError> {
        let failed =
            |error: std::io::Error| of_io("list", &self.path.display().to_string(), &error);
        let mut names = Vec::new();
        for entry in std::fs::read_dir(self.path.as_path()).map_err(failed)? {
            // A name that is not text is none of the store's.
            names.extend(entry.map_err(failed)?.file_name().into_string());
        }
        names.retain(|name| name != PROBE);
        names.sort_unstable();
        Ok(names)
    }

    async fn unlink(&self, name: &str) -> Result<(), DiskError> {
        self.check_writable("unlink", name)?;
        let removed = glommio::io::remove(self.path.join(name)).await;
        removed.map_err(|error| of_glommio("unlink", name, error))
    }

    async fn sync_folder(&self) -> Result<(), DiskError> {
        let shown = self.path.display().to_string();
        let failed = |error| of_glommio("sync", &shown, error);
        let folder = Directory::open(self.path.as_path()).await.map_err(failed)?;
        folder.sync().await.map_err(failed)?;
        folder.close().await.map_err(failed)
    }

    /// Fails as well when another folder has taken this one's place: files are
    /// opened by their paths, and what is written would be torn apart.
    async fn space(&self) -> Result<Space, DiskError> {
        let shown = self.path.display().to_string();
        let path = self.path.to_path_buf();
        // Both calls wait for a file system that hangs, and the executor must not.
        let look = move || (id(&path), rustix::fs::statvfs(path.as_path()));
        let (found, stat) = glommio::executor().spawn_blocking(look).await;
        if found? != self.id {
            let fault = Fault::Changed;
            return Err(DiskError { operation: "find again", file: shown, fault });
        }
        let stat = stat.map_err(|error| of_io("measure", &shown, &error.into()))?;
        let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
        Ok(Space { free_bytes: bytes(stat.f_bavail), total_bytes: bytes(stat.f_blocks) })
    }

    fn on_all_cores<T: Send, R: Send>(
        &self,
        items: Vec<T>,
        work: impl Fn(T) -> R + Sync,
    ) -> Vec<R> {
        cores::on_all(items, work)
    }
}

/// Memory to write from.
#[derive(Debug)]
pub struct Buffer(DmaBuffer);

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl AsMut<[u8]> for Buffer {
    fn as_mut(&mut self) -> &mut [u8] {
        self.0.as_bytes_mut()
    }
}
