//! An open file, direct or buffered, and what is read from one.

use std::ops::Deref;
use std::os::fd::AsRawFd;

use desk_storage_lsm::disk::{DiskError, Fault, Writes};
use glommio::io::{BufferedFile, DmaBuffer, DmaFile, ReadResult};

use crate::error::{of_glommio, of_io};
use crate::link;

/// An open file of a [`Folder`](crate::Folder).
pub struct FolderFile {
    pub(crate) name: String,
    pub(crate) access: Access,
}

pub(crate) enum Access {
    /// `O_DIRECT`, and `O_DSYNC` if writes are durable at once.
    Direct { file: DmaFile, writes: Writes },
    /// Through the page cache.
    Buffered { file: BufferedFile, writes: Writes },
}

/// Bytes that were read, in memory aligned for direct access.
pub struct FolderBlock(Memory);

enum Memory {
    Read(ReadResult),
    Copied(DmaBuffer),
}

impl Deref for FolderBlock {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Memory::Read(read) => read,
            Memory::Copied(buffer) => buffer.as_bytes(),
        }
    }
}

impl FolderFile {
    pub(crate) fn error(
        &self,
        operation: &'static str,
    ) -> impl Fn(glommio::GlommioError<()>) -> DiskError {
        move |error| of_glommio(operation, &self.name, error)
    }

    fn short(&self, operation: &'static str) -> DiskError {
        DiskError { operation, file: self.name.clone(), fault: Fault::Short }
    }

    pub(crate) async fn length(&self) -> Result<u64, DiskError> {
        let length = match &self.access {
            Access::Direct { file, .. } => file.file_size().await,
            Access::Buffered { file, .. } => file.file_size().await,
        };
        length.map_err(self.error("measure"))
    }

    pub(crate) async fn read(&self, at: u64, length: usize) -> Result<FolderBlock, DiskError> {
        let memory = match &self.access {
            Access::Direct { file, .. } => {
                Memory::Read(file.read_at_aligned(at, length).await.map_err(self.error("read"))?)
            }
            Access::Buffered { file, .. } => {
                let read = file.read_at(at, length).await.map_err(self.error("read"))?;
                if read.len() < length {
                    return Err(self.short("read"));
                }
                let mut copy = glommio::allocate_dma_buffer(length);
                copy.as_bytes_mut().copy_from_slice(&read[..length]);
                Memory::Copied(copy)
            }
        };
        let block = FolderBlock(memory);
        if block.len() == length { Ok(block) } else { Err(self.short("read")) }
    }

    pub(crate) async fn write(&self, at: u64, buffer: DmaBuffer) -> Result<DmaBuffer, DiskError> {
        let length = buffer.as_bytes().len();
        let shared = std::rc::Rc::new(buffer);
        let written = match &self.access {
            Access::Direct { file, .. } => file.write_rc_at(shared.clone(), at).await,
            Access::Buffered { file, .. } => file.write_at(shared.as_bytes().to_vec(), at).await,
        };
        if written.map_err(self.error("write"))? < length {
            return Err(self.short("write"));
        }
        match &self.access {
            Access::Direct { file, writes: Writes::Durable } => self.check_name(file)?,
            Access::Buffered { file, writes: Writes::Durable } => {
                self.sync().await?;
                self.check_name(file)?;
            }
            Access::Direct { .. } | Access::Buffered { .. } => {}
        }
        // The kernel is done with it, yet glommio may still hold its count.
        Ok(std::rc::Rc::try_unwrap(shared).unwrap_or_else(|_| glommio::allocate_dma_buffer(length)))
    }

    /// Fails if the name is gone: what was written is lost with this handle. That costs
    /// less than a microsecond a write, and is looked at after it, so that nothing is
    /// acknowledged which was written without a name.
    fn check_name(&self, file: &impl AsRawFd) -> Result<(), DiskError> {
        match link::has_name(file) {
            Ok(true) => Ok(()),
            Ok(false) => {
                let fault = Fault::NotFound;
                Err(DiskError { operation: "write", file: self.name.clone(), fault })
            }
            Err(error) => Err(of_io("write", &self.name, &error.into())),
        }
    }

    pub(crate) async fn shorten(&self, bytes: u64) -> Result<(), DiskError> {
        let cut = match &self.access {
            Access::Direct { file, .. } => file.truncate(bytes).await,
            Access::Buffered { file, .. } => file.truncate(bytes).await,
        };
        cut.map_err(self.error("shorten"))
    }

    pub(crate) async fn sync(&self) -> Result<(), DiskError> {
        let synced = match &self.access {
            Access::Direct { file, .. } => file.fdatasync().await,
            Access::Buffered { file, .. } => file.fdatasync().await,
        };
        synced.map_err(self.error("sync"))
    }
}
