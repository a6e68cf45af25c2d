//! A disk in memory with faults, all of them from a seed.
//!
//! It keeps live bytes apart from durable ones: a crash drops what was not
//! synced, whole or in sectors, and tears the write it interrupts. Its futures
//! are ready at the first poll, unless they are told to wait, so [`drive`] runs
//! the whole store in a plain loop, and the same seed gives the same run.
//!
//! ```
//! use desk_storage_lsm::disk::{Disk, Writes};
//! use desk_storage_lsm::memory_disk::{MemoryDisk, drive};
//!
//! let disk = MemoryDisk::with_seed(7);
//! drive(async {
//!     disk.create("kept", Writes::Durable).await?;
//!     disk.sync_folder().await
//! })
//! .unwrap();
//! disk.crash();
//! disk.restart();
//! assert_eq!(drive(disk.list()).unwrap(), ["kept"]);
//! ```

mod chance;
mod machine;
mod medium;
mod memory;
mod misfortune;

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::ops::Range;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::disk::{Disk, DiskError, Durability, Fault, Space, Writes};
use crate::limits::BLOCK_BYTES;
use machine::Machine;
pub use memory::Memory;
pub use misfortune::{Faults, Misfortune, Strike};

/// Polls a future that never waits, such as any of the store over a
/// [`MemoryDisk`], to its end.
///
/// # Panics
/// If the future does wait: it was not driven by a disk in memory alone.
pub fn drive<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("a future over a disk in memory is ready at the first poll"),
    }
}

/// An open file of a [`MemoryDisk`].
#[derive(Clone, Debug)]
pub struct MemoryFile {
    inode: usize,
    name: String,
    writes: Writes,
    boot: u64,
}

/// A simulated disk. Clones are handles on the same disk.
#[derive(Clone, Debug)]
pub struct MemoryDisk {
    machine: Rc<RefCell<Machine>>,
}

impl MemoryDisk {
    /// An empty disk whose misfortunes follow from the seed.
    pub fn with_seed(seed: u64) -> Self {
        let machine = Machine::with_seed(seed);
        Self { machine: Rc::new(RefCell::new(machine)) }
    }

    /// Replaces the faults to come.
    pub fn set_faults(&self, faults: Faults) {
        self.machine.borrow_mut().faults = faults;
    }

    /// Another folder takes the place of this one, whose files stay open.
    pub fn replace_folder(&self) {
        self.machine.borrow_mut().is_replaced = true;
    }

    /// Whether each access waits once, so that others go on in the meantime.
    /// Nobody is woken: whoever drives them polls in an order of its own.
    pub fn set_waiting(&self, waits: bool) {
        self.machine.borrow_mut().waits = waits;
    }

    /// Lets others go on before an access.
    async fn wait(&self) {
        let mut is_ready = !self.machine.borrow().waits;
        poll_fn(|_| {
            if std::mem::replace(&mut is_ready, true) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// How many accesses there have been; the next one has this number.
    pub fn accesses(&self) -> u64 {
        self.machine.borrow().accesses
    }

    /// The misfortunes that happened, oldest first.
    pub fn strikes(&self) -> Vec<Strike> {
        self.machine.borrow().strikes.clone()
    }

    /// The newest write that was asked for: file, offset and length in bytes.
    pub fn last_write(&self) -> Option<(String, u64, u64)> {
        self.machine.borrow().last_write.clone()
    }

    /// The machine loses power now: only durable bytes stay, and every access
    /// fails until [`Self::restart`].
    pub fn crash(&self) {
        self.machine.borrow_mut().crash();
    }

    /// Power is back. Handles from before stay unusable.
    pub fn restart(&self) {
        let mut machine = self.machine.borrow_mut();
        machine.up = true;
        machine.boots += 1;
    }

    /// Whether the machine is up.
    pub fn is_up(&self) -> bool {
        self.machine.borrow().up
    }

    /// An independent copy of the disk as it is.
    pub fn fork(&self) -> Self {
        let copy = self.machine.borrow().clone();
        Self { machine: Rc::new(RefCell::new(copy)) }
    }

    /// The live bytes of a file.
    pub fn contents(&self, name: &str) -> Option<Vec<u8>> {
        let machine = self.machine.borrow();
        let inode = machine.medium.find(name)?;
        Some(machine.medium.inode(inode).live().to_vec())
    }

    /// Flips one bit of a file, in the medium itself. Nothing happens when the
    /// file or the bit does not exist.
    pub fn flip_bit(&self, name: &str, bit: usize) {
        let mut machine = self.machine.borrow_mut();
        if let Some(inode) = machine.medium.find(name) {
            machine.medium.inode_mut(inode).flip_bit(bit);
        }
    }

    /// Makes a place of a file a bad one: it cannot be read until it is written.
    pub fn spoil(&self, name: &str, bytes: Range<usize>) {
        let mut machine = self.machine.borrow_mut();
        if let Some(inode) = machine.medium.find(name) {
            machine.bad.push((inode, bytes));
        }
    }

    /// Puts bytes into a file, durable at once; the file is made if missing.
    pub fn overwrite(&self, name: &str, at: usize, bytes: &[u8]) {
        let mut machine = self.machine.borrow_mut();
        let inode = machine.medium.find(name).unwrap_or_else(|| machine.medium.create(name));
        machine.medium.inode_mut(inode).overwrite(at, bytes);
        machine.medium.sync_names();
    }

    /// Cuts a file.
    pub fn truncate(&self, name: &str, length: usize) {
        let mut machine = self.machine.borrow_mut();
        if let Some(inode) = machine.medium.find(name) {
            machine.medium.inode_mut(inode).truncate(length);
        }
    }

    /// Takes a file away, durable at once.
    pub fn lose(&self, name: &str) {
        let mut machine = self.machine.borrow_mut();
        let _ = machine.medium.unlink(name);
        machine.medium.sync_names();
    }
}

fn error(operation: &'static str, file: &str, fault: Fault) -> DiskError {
    DiskError { operation, file: file.to_owned(), fault }
}

fn assert_aligned(value: u64) {
    assert!(value.is_multiple_of(BLOCK_BYTES as u64), "an access of {value} is not aligned");
}

impl Disk for MemoryDisk {
    type File = MemoryFile;
    type Buffer = Memory;
    type Block = Memory;

    fn durability(&self) -> Durability {
        Durability::Direct
    }

    fn buffer(&self, bytes: usize) -> Memory {
        assert_aligned(bytes as u64);
        Memory::unspecified(bytes)
    }

    async fn create(&self, name: &str, writes: Writes) -> Result<MemoryFile, DiskError> {
        self.wait().await;
        let mut machine = self.machine.borrow_mut();
        let inode = machine.change("create", name, |medium| match medium.find(name) {
            Some(_) => Err(Fault::Exists),
            None => Ok(medium.create(name)),
        })?;
        Ok(MemoryFile { inode, name: name.to_owned(), writes, boot: machine.boots })
    }

    async fn open(&self, name: &str, writes: Writes) -> Result<MemoryFile, DiskError> {
        self.wait().await;
        let mut machine = self.machine.borrow_mut();
        machine.look("open", name)?;
        let inode =
            machine.medium.find(name).ok_or_else(|| error("open", name, Fault::NotFound))?;
        Ok(MemoryFile { inode, name: name.to_owned(), writes, boot: machine.boots })
    }

    async fn length(&self, file: &MemoryFile) -> Result<u64, DiskError> {
        self.wait().await;
        let mut machine = self.machine.borrow_mut();
        machine.check("measure", file)?;
        machine.look("measure", &file.name)?;
        Ok(machine.medium.inode(file.inode).live().len() as u64)
    }

    async fn prewrite(&self, file: &MemoryFile, bytes: u64) -> Result<(), DiskError> {
        self.wait().await;
        self.machine.borrow_mut().prewrite(file, bytes)
    }

    async fn read(&self, file: &MemoryFile, at: u64, length: usize) -> Result<Memory, DiskError> {
        self.wait().await;
        assert_aligned(at);
        assert_aligned(length as u64);
        self.machine.borrow_mut().read(file, at, length)
    }

    async fn write(&self, file: &MemoryFile, at: u64, buffer: Memory) -> Result<Memory, DiskError> {
        self.wait().await;
        assert_aligned(at);
        assert_aligned(buffer.len() as u64);
        self.machine.borrow_mut().write(file, at, &buffer)?;
        Ok(buffer)
    }

    async fn sync(&self, file: &MemoryFile) -> Result<(), DiskError> {
        self.wait().await;
        self.machine.borrow_mut().sync(file)
    }

    async fn shorten(&self, file: &MemoryFile, bytes: u64) -> Result<(), DiskError> {
        self.wait().await;
        assert_aligned(bytes);
        let mut machine = self.machine.borrow_mut();
        machine.check("shorten", file)?;
        let inode = file.inode;
        let shortened = machine.change("shorten", &file.name, |medium| {
            medium.inode_mut(inode).shorten(bytes as usize);
            Ok(inode)
        });
        shortened.map(|_| ())
    }

    async fn list(&self) -> Result<Vec<String>, DiskError> {
        self.wait().await;
        let mut machine = self.machine.borrow_mut();
        machine.look("list", "")?;
        Ok(machine.medium.names())
    }

    async fn unlink(&self, name: &str) -> Result<(), DiskError> {
        self.wait().await;
        let mut machine = self.machine.borrow_mut();
        let unlinked = machine.change("unlink", name, |medium| medium.unlink(name));
        unlinked.map(|_| ())
    }

    async fn sync_folder(&self) -> Result<(), DiskError> {
        self.wait().await;
        self.machine.borrow_mut().sync_names()
    }

    async fn space(&self) -> Result<Space, DiskError> {
        self.wait().await;
        let machine = self.machine.borrow();
        if machine.is_replaced {
            let fault = Fault::Changed;
            return Err(DiskError { operation: "find again", file: String::new(), fault });
        }
        let total_bytes = machine.faults.capacity_bytes.unwrap_or(u64::MAX / 2);
        Ok(Space {
            free_bytes: total_bytes.saturating_sub(machine.medium.used_bytes()),
            total_bytes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_passes_the_contract() {
        let mut seed = 0;
        drive(crate::contract::run(async || {
            seed += 1;
            MemoryDisk::with_seed(seed)
        }));
    }

    #[test]
    fn a_crash_keeps_what_was_synced_and_only_that_for_sure() {
        let mut kept = 0;
        for seed in 0..50 {
            let disk = MemoryDisk::with_seed(seed);
            drive(async {
                let file = disk.create("file", Writes::Deferred).await.unwrap();
                disk.sync_folder().await.unwrap();
                let mut buffer = disk.buffer(BLOCK_BYTES);
                buffer.as_mut().fill(1);
                let mut buffer = disk.write(&file, 0, buffer).await.unwrap();
                disk.sync(&file).await.unwrap();
                buffer.as_mut().fill(2);
                disk.write(&file, BLOCK_BYTES as u64, buffer).await.unwrap();
                disk.crash();
                assert!(disk.read(&file, 0, BLOCK_BYTES).await.is_err());
                disk.restart();
                assert!(disk.read(&file, 0, BLOCK_BYTES).await.is_err(), "old handles are dead");
            });
            let bytes = disk.contents("file").unwrap();
            assert!(bytes[..BLOCK_BYTES].iter().all(|byte| *byte == 1));
            kept += usize::from(bytes.get(BLOCK_BYTES..).is_some_and(|tail| tail.contains(&2)));
        }
        assert!((10..45).contains(&kept), "unsynced bytes stay sometimes: {kept}");
    }
}
