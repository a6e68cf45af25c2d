//! A disk in memory with faults, all of them from a seed.
//!
//! It keeps live bytes apart from durable ones: a crash drops what was not
//! synced, whole or in sectors, and tears the write it interrupts. Its futures
//! are ready at the first poll, so [`drive`] runs the whole store in a plain
//! loop, and the same seed gives the same run.
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
mod medium;
mod memory;

use std::cell::RefCell;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::disk::{Disk, DiskError, Durability, Fault, Space, Writes};
use crate::limits::BLOCK_BYTES;
use chance::Chance;
use medium::Medium;
pub use memory::Memory;

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

/// What one access does instead of what was asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Misfortune {
    /// The machine loses power during the access; a write is torn.
    Crash,
    /// The access fails with `EIO`; a write may have happened in part.
    Error,
    /// A write, creation or prewrite fails for lack of space.
    NoSpace,
    /// A write reports success and nothing was written.
    Lost,
    /// A write reports success and landed one block further.
    Misdirected,
}

/// The faults to come.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Faults {
    /// What happens at which access, counted from the disk's making.
    pub at: Vec<(u64, Misfortune)>,
    /// The size of the disk in bytes; writes that would exceed it fail with
    /// [`Fault::NoSpace`].
    pub capacity_bytes: Option<u64>,
}

#[derive(Debug)]
struct Machine {
    medium: Medium,
    chance: Chance,
    faults: Faults,
    accesses: u64,
    up: bool,
    boots: u64,
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
        let machine = Machine {
            medium: Medium::default(),
            chance: Chance(seed),
            faults: Faults::default(),
            accesses: 0,
            up: true,
            boots: 0,
        };
        Self { machine: Rc::new(RefCell::new(machine)) }
    }

    /// Replaces the faults to come.
    pub fn set_faults(&self, faults: Faults) {
        self.machine.borrow_mut().faults = faults;
    }

    /// How many accesses there have been; the next one has this number.
    pub fn accesses(&self) -> u64 {
        self.machine.borrow().accesses
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
        let machine = self.machine.borrow();
        let copy = Machine {
            medium: machine.medium.clone(),
            chance: machine.chance.clone(),
            faults: machine.faults.clone(),
            accesses: machine.accesses,
            up: machine.up,
            boots: machine.boots,
        };
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
        machine.medium.unlink(name);
        machine.medium.sync_names();
    }
}

impl Machine {
    fn crash(&mut self) {
        self.medium.crash(&mut self.chance);
        self.up = false;
    }

    /// Counts an access and says what befalls it.
    fn begin(
        &mut self,
        operation: &'static str,
        name: &str,
    ) -> Result<Option<Misfortune>, DiskError> {
        if !self.up {
            return Err(error(operation, name, Fault::Down));
        }
        let number = self.accesses;
        self.accesses += 1;
        Ok(self.faults.at.iter().find(|(at, _)| *at == number).map(|(_, what)| *what))
    }

    /// Like `begin`, for accesses that have no special ways to fail.
    fn begin_plain(&mut self, operation: &'static str, name: &str) -> Result<(), DiskError> {
        match self.begin(operation, name)? {
            None | Some(Misfortune::Lost | Misfortune::Misdirected) => Ok(()),
            Some(Misfortune::Crash) => {
                self.crash();
                Err(error(operation, name, Fault::Down))
            }
            Some(Misfortune::Error) => Err(error(operation, name, Fault::Os(5))),
            Some(Misfortune::NoSpace) => Err(error(operation, name, Fault::NoSpace)),
        }
    }

    fn check(&self, operation: &'static str, file: &MemoryFile) -> Result<(), DiskError> {
        if self.up && file.boot == self.boots {
            return Ok(());
        }
        Err(error(operation, &file.name, Fault::Down))
    }

    fn room_for(
        &self,
        operation: &'static str,
        file: &MemoryFile,
        end: u64,
    ) -> Result<(), DiskError> {
        let length = self.medium.inode(file.inode).live().len() as u64;
        let growth = end.saturating_sub(length);
        match self.faults.capacity_bytes {
            Some(capacity) if growth > 0 && self.medium.used_bytes() + growth > capacity => {
                Err(error(operation, &file.name, Fault::NoSpace))
            }
            _ => Ok(()),
        }
    }

    fn write(&mut self, file: &MemoryFile, at: u64, bytes: &[u8]) -> Result<(), DiskError> {
        self.check("write", file)?;
        let misfortune = self.begin("write", &file.name)?;
        self.room_for("write", file, at + bytes.len() as u64)?;
        let durable = file.writes == Writes::Durable;
        let inode = self.medium.inode_mut(file.inode);
        let at = at as usize;
        match misfortune {
            None => inode.write(at, bytes, durable),
            Some(Misfortune::Lost) => {}
            Some(Misfortune::Misdirected) => inode.write(at + BLOCK_BYTES, bytes, durable),
            Some(Misfortune::Crash) => {
                inode.tear(at, bytes, &mut self.chance);
                self.crash();
                return Err(error("write", &file.name, Fault::Down));
            }
            Some(Misfortune::Error) => {
                inode.tear(at, bytes, &mut self.chance);
                return Err(error("write", &file.name, Fault::Os(5)));
            }
            Some(Misfortune::NoSpace) => return Err(error("write", &file.name, Fault::NoSpace)),
        }
        Ok(())
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
        let mut machine = self.machine.borrow_mut();
        machine.begin_plain("create", name)?;
        if machine.medium.find(name).is_some() {
            return Err(error("create", name, Fault::Exists));
        }
        let inode = machine.medium.create(name);
        Ok(MemoryFile { inode, name: name.to_owned(), writes, boot: machine.boots })
    }

    async fn open(&self, name: &str, writes: Writes) -> Result<MemoryFile, DiskError> {
        let mut machine = self.machine.borrow_mut();
        machine.begin_plain("open", name)?;
        let inode =
            machine.medium.find(name).ok_or_else(|| error("open", name, Fault::NotFound))?;
        Ok(MemoryFile { inode, name: name.to_owned(), writes, boot: machine.boots })
    }

    async fn length(&self, file: &MemoryFile) -> Result<u64, DiskError> {
        let mut machine = self.machine.borrow_mut();
        machine.check("measure", file)?;
        machine.begin_plain("measure", &file.name)?;
        Ok(machine.medium.inode(file.inode).live().len() as u64)
    }

    async fn prewrite(&self, file: &MemoryFile, bytes: u64) -> Result<(), DiskError> {
        let mut machine = self.machine.borrow_mut();
        machine.check("prewrite", file)?;
        machine.begin_plain("prewrite", &file.name)?;
        machine.room_for("prewrite", file, bytes)?;
        machine.medium.inode_mut(file.inode).write(0, &vec![0; bytes as usize], true);
        Ok(())
    }

    async fn read(&self, file: &MemoryFile, at: u64, length: usize) -> Result<Memory, DiskError> {
        assert_aligned(at);
        assert_aligned(length as u64);
        let mut machine = self.machine.borrow_mut();
        machine.check("read", file)?;
        machine.begin_plain("read", &file.name)?;
        let at = at as usize;
        let live = machine.medium.inode(file.inode).live();
        let bytes = live.get(at..at.saturating_add(length));
        bytes.map(Memory::copy_of).ok_or_else(|| error("read", &file.name, Fault::Short))
    }

    async fn write(&self, file: &MemoryFile, at: u64, buffer: Memory) -> Result<Memory, DiskError> {
        assert_aligned(at);
        assert_aligned(buffer.len() as u64);
        self.machine.borrow_mut().write(file, at, &buffer)?;
        Ok(buffer)
    }

    async fn sync(&self, file: &MemoryFile) -> Result<(), DiskError> {
        let mut machine = self.machine.borrow_mut();
        machine.check("sync", file)?;
        machine.begin_plain("sync", &file.name)?;
        machine.medium.inode_mut(file.inode).sync();
        Ok(())
    }

    async fn shorten(&self, file: &MemoryFile, bytes: u64) -> Result<(), DiskError> {
        assert_aligned(bytes);
        let mut machine = self.machine.borrow_mut();
        machine.check("shorten", file)?;
        machine.begin_plain("shorten", &file.name)?;
        machine.medium.inode_mut(file.inode).shorten(bytes as usize);
        Ok(())
    }

    async fn list(&self) -> Result<Vec<String>, DiskError> {
        let mut machine = self.machine.borrow_mut();
        machine.begin_plain("list", "")?;
        Ok(machine.medium.names())
    }

    async fn unlink(&self, name: &str) -> Result<(), DiskError> {
        let mut machine = self.machine.borrow_mut();
        machine.begin_plain("unlink", name)?;
        if machine.medium.unlink(name) {
            return Ok(());
        }
        Err(error("unlink", name, Fault::NotFound))
    }

    async fn sync_folder(&self) -> Result<(), DiskError> {
        let mut machine = self.machine.borrow_mut();
        machine.begin_plain("sync the folder", "")?;
        machine.medium.sync_names();
        Ok(())
    }

    async fn space(&self) -> Result<Space, DiskError> {
        let machine = self.machine.borrow();
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
