//! The small trait that stands between the store and a disk.

use std::ops::Deref;

/// When a write is on the medium.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Writes {
    /// When `write` returns (`O_DSYNC`).
    Durable,
    /// When the next `sync` returns.
    Deferred,
}

/// How the disk makes writes durable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Durability {
    /// Past the page cache (`O_DIRECT`), synchronous where asked.
    Direct,
    /// Through the page cache and `fdatasync`, because the folder has no
    /// `O_DIRECT`. It works, with more latency and CPU a commit.
    Buffered,
}

/// Free and total bytes of the file system.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Space {
    /// Bytes that this process may still use.
    pub free_bytes: u64,
    /// Bytes of the whole file system.
    pub total_bytes: u64,
}

/// Why an access failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Fault {
    /// There is no such file.
    #[error("no such file")]
    NotFound,
    /// There is such a file already.
    #[error("the file exists already")]
    Exists,
    /// The file system is full.
    #[error("no space left on the disk")]
    NoSpace,
    /// A read reached past the end, or a write wrote less than asked.
    #[error("the access ended early")]
    Short,
    /// What is read is not what was just written.
    #[error("the disk has something else than was written")]
    Changed,
    /// The simulated machine has crashed.
    #[error("the machine is down")]
    Down,
    /// Anything else, by the number of the operating system (5 is `EIO`).
    #[error("input/output error {0}")]
    Os(i32),
}

/// An access that failed: what was tried, on which file, and why.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("cannot {operation} `{file}`: {fault}")]
pub struct DiskError {
    /// What was tried: `write`, `sync`, …
    pub operation: &'static str,
    /// The file's name in the store's folder.
    pub file: String,
    /// Why it failed.
    #[source]
    pub fault: Fault,
}

/// One folder of files on a disk, seen by one thread.
///
/// Offsets and lengths of `read` and `write` are multiples of
/// [`BLOCK_BYTES`](crate::limits::BLOCK_BYTES). Implementations need not be
/// `Send`: each shard opens its own handle on the same folder. A future must
/// be driven to its end; dropping one half-way leaves the file unspecified.
#[expect(async_fn_in_trait, reason = "a shard's tasks stay on its thread, nobody needs `Send`")]
pub trait Disk {
    /// An open file.
    type File;
    /// Memory to write from, aligned to 16 bytes at least.
    type Buffer: AsRef<[u8]> + AsMut<[u8]>;
    /// Memory that was read into, aligned to 16 bytes at least.
    type Block: Deref<Target = [u8]>;

    /// How writes become durable on this disk.
    fn durability(&self) -> Durability;

    /// Memory of exactly `bytes`, a multiple of a block; its contents are
    /// unspecified, so fill all of it.
    fn buffer(&self, bytes: usize) -> Self::Buffer;

    /// Makes a file of length 0 that does not exist yet. The name is durable
    /// after [`Disk::sync_folder`].
    async fn create(&self, name: &str, writes: Writes) -> Result<Self::File, DiskError>;

    /// Opens a file to read and write.
    async fn open(&self, name: &str, writes: Writes) -> Result<Self::File, DiskError>;

    /// The file's length in bytes.
    async fn length(&self, file: &Self::File) -> Result<u64, DiskError>;

    /// Fills the file with `bytes` zeros and syncs them, so that later writes
    /// inside change no metadata.
    async fn prewrite(&self, file: &Self::File, bytes: u64) -> Result<(), DiskError>;

    /// Reads exactly `length` bytes; past the end it is [`Fault::Short`].
    async fn read(
        &self,
        file: &Self::File,
        at: u64,
        length: usize,
    ) -> Result<Self::Block, DiskError>;

    /// Writes the whole buffer and gives it back. A durable write to a file whose name is
    /// gone is [`Fault::NotFound`], because no start would find it.
    async fn write(
        &self,
        file: &Self::File,
        at: u64,
        buffer: Self::Buffer,
    ) -> Result<Self::Buffer, DiskError>;

    /// Makes all writes of the file and its length durable.
    async fn sync(&self, file: &Self::File) -> Result<(), DiskError>;

    /// Cuts the file to `bytes`, a multiple of a block and at most its length.
    /// Every handle sees the new length at once; it is durable after
    /// [`Disk::sync`].
    async fn shorten(&self, file: &Self::File, bytes: u64) -> Result<(), DiskError>;

    /// Names of all files of the folder, sorted.
    async fn list(&self) -> Result<Vec<String>, DiskError>;

    /// Removes a name. Open handles stay readable. The removal is durable
    /// after [`Disk::sync_folder`].
    async fn unlink(&self, name: &str) -> Result<(), DiskError>;

    /// Makes creations and removals of names durable.
    async fn sync_folder(&self) -> Result<(), DiskError>;

    /// How much room is left.
    async fn space(&self) -> Result<Space, DiskError>;

    /// Does independent pieces of work, and gives the results in their order. A start
    /// has such work. The disk does it, because the disk of a real machine knows the
    /// cores and the store does not.
    fn on_all_cores<T: Send, R: Send>(
        &self,
        items: Vec<T>,
        work: impl Fn(T) -> R + Sync,
    ) -> Vec<R> {
        items.into_iter().map(work).collect()
    }
}
