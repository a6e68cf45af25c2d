//! The machine behind the disk: power, the count of accesses, and what each
//! of them comes to.

use std::ops::Range;

use super::chance::Chance;
use super::medium::Medium;
use super::memory::Memory;
use super::misfortune::{Faults, Misfortune, Strike};
use super::{MemoryFile, error};
use crate::disk::{DiskError, Fault, Writes};
use crate::limits::BLOCK_BYTES;

#[derive(Clone, Debug)]
pub(super) struct Machine {
    pub(super) medium: Medium,
    pub(super) chance: Chance,
    pub(super) faults: Faults,
    pub(super) accesses: u64,
    pub(super) strikes: Vec<Strike>,
    /// Places that cannot be read until they are written: inodes and bytes.
    pub(super) bad: Vec<(usize, Range<usize>)>,
    /// The newest write: file, offset and length.
    pub(super) last_write: Option<(String, u64, u64)>,
    pub(super) waits: bool,
    /// Another folder has taken this one's place.
    pub(super) is_replaced: bool,
    pub(super) up: bool,
    pub(super) boots: u64,
}

/// An access: what is tried, and where.
#[derive(Clone, Copy)]
struct Access<'a> {
    operation: &'static str,
    file: &'a str,
    at: u64,
}

impl Access<'_> {
    fn fails(self, fault: Fault) -> DiskError {
        error(self.operation, self.file, fault)
    }
}

impl Machine {
    pub(super) fn with_seed(seed: u64) -> Self {
        Self {
            medium: Medium::default(),
            chance: Chance(seed),
            faults: Faults::default(),
            accesses: 0,
            strikes: Vec::new(),
            bad: Vec::new(),
            last_write: None,
            waits: false,
            is_replaced: false,
            up: true,
            boots: 0,
        }
    }

    pub(super) fn crash(&mut self) {
        self.medium.crash(&mut self.chance);
        self.up = false;
    }

    /// Counts an access and says which misfortune, of those that can befall
    /// it, does.
    fn begin(
        &mut self,
        access: Access<'_>,
        possible: &[Misfortune],
    ) -> Result<Option<Misfortune>, DiskError> {
        if !self.up {
            return Err(access.fails(Fault::Down));
        }
        let number = self.accesses;
        self.accesses += 1;
        let planned = self.faults.at.iter().find(|(at, _)| *at == number).map(|(_, what)| *what);
        let strikes = planned.filter(|what| *what == Misfortune::Crash || possible.contains(what));
        if let Some(misfortune) = strikes {
            self.strikes.push(Strike {
                access: number,
                operation: access.operation,
                file: access.file.to_owned(),
                at: access.at,
                misfortune,
                landed: None,
            });
        }
        Ok(strikes)
    }

    /// An access that only looks, and can fail but not lie.
    pub(super) fn look(&mut self, operation: &'static str, name: &str) -> Result<(), DiskError> {
        let access = Access { operation, file: name, at: 0 };
        match self.begin(access, &[Misfortune::Error])? {
            None => Ok(()),
            Some(Misfortune::Crash) => {
                self.crash();
                Err(access.fails(Fault::Down))
            }
            Some(_) => Err(access.fails(Fault::Os(5))),
        }
    }

    /// The handle is one of this boot's.
    pub(super) fn check(
        &self,
        operation: &'static str,
        file: &MemoryFile,
    ) -> Result<(), DiskError> {
        if self.up && file.boot == self.boots {
            return Ok(());
        }
        Err(error(operation, &file.name, Fault::Down))
    }

    fn room_for(&self, access: Access<'_>, inode: usize, end: u64) -> Result<(), DiskError> {
        let length = self.medium.inode(inode).live().len() as u64;
        let growth = end.saturating_sub(length);
        match self.faults.capacity_bytes {
            Some(capacity) if growth > 0 && self.medium.used_bytes() + growth > capacity => {
                Err(access.fails(Fault::NoSpace))
            }
            _ => Ok(()),
        }
    }

    /// A change of the folder or of a length. When it fails it may have happened all the same.
    pub(super) fn change(
        &mut self,
        operation: &'static str,
        name: &str,
        change: impl FnOnce(&mut Medium) -> Result<usize, Fault>,
    ) -> Result<usize, DiskError> {
        let access = Access { operation, file: name, at: 0 };
        let possible: &[Misfortune] = match operation {
            "create" => &[Misfortune::Error, Misfortune::NoSpace],
            _ => &[Misfortune::Error],
        };
        let fault = match self.begin(access, possible)? {
            None => return change(&mut self.medium).map_err(|fault| access.fails(fault)),
            Some(Misfortune::NoSpace) => return Err(access.fails(Fault::NoSpace)),
            Some(Misfortune::Crash) => Fault::Down,
            Some(_) => Fault::Os(5),
        };
        if self.chance.below(2) == 0 {
            // Whether it could be done is nobody's business any more.
            let _ = change(&mut self.medium);
        }
        if fault == Fault::Down {
            self.crash();
        }
        Err(access.fails(fault))
    }

    pub(super) fn sync_names(&mut self) -> Result<(), DiskError> {
        let access = Access { operation: "sync the folder", file: "", at: 0 };
        match self.begin(access, &[Misfortune::Error, Misfortune::NoSpace])? {
            None => self.medium.sync_names(),
            Some(Misfortune::Crash) => {
                self.crash();
                return Err(access.fails(Fault::Down));
            }
            Some(Misfortune::NoSpace) => return Err(access.fails(Fault::NoSpace)),
            Some(_) => return Err(access.fails(Fault::Os(5))),
        }
        Ok(())
    }

    pub(super) fn prewrite(&mut self, file: &MemoryFile, bytes: u64) -> Result<(), DiskError> {
        self.check("prewrite", file)?;
        let access = Access { operation: "prewrite", file: &file.name, at: 0 };
        let possible = [Misfortune::Error, Misfortune::NoSpace, Misfortune::Lost];
        let misfortune = self.begin(access, &possible)?;
        self.room_for(access, file.inode, bytes)?;
        let zeros = vec![0; bytes as usize];
        let inode = self.medium.inode_mut(file.inode);
        let fault = match misfortune {
            None => {
                inode.write(0, &zeros, true);
                return Ok(());
            }
            Some(Misfortune::Lost) => return Ok(()),
            Some(Misfortune::Crash) => Fault::Down,
            Some(Misfortune::NoSpace) => Fault::NoSpace,
            Some(_) => Fault::Os(5),
        };
        inode.tear(0, &zeros, &mut self.chance);
        if fault == Fault::Down {
            self.crash();
        }
        Err(access.fails(fault))
    }

    pub(super) fn read(
        &mut self,
        file: &MemoryFile,
        at: u64,
        length: usize,
    ) -> Result<Memory, DiskError> {
        self.check("read", file)?;
        let access = Access { operation: "read", file: &file.name, at };
        let possible =
            [Misfortune::Error, Misfortune::Short, Misfortune::Misdirected, Misfortune::Flipped];
        let misfortune = self.begin(access, &possible)?;
        let wanted = at as usize..(at as usize).saturating_add(length);
        if self.bad.iter().any(|(inode, bad)| *inode == file.inode && meet(bad, &wanted)) {
            return Err(access.fails(Fault::Os(5)));
        }
        let live = self.medium.inode(file.inode).live();
        let bytes = |from: usize| live.get(from..from.saturating_add(length)).map(Memory::copy_of);
        let at = at as usize;
        let mut memory = bytes(at).ok_or_else(|| access.fails(Fault::Short))?;
        match misfortune {
            None => {}
            Some(Misfortune::Crash) => {
                self.crash();
                return Err(access.fails(Fault::Down));
            }
            Some(Misfortune::Short) => return Err(access.fails(Fault::Short)),
            Some(Misfortune::Misdirected) => {
                if let Some(elsewhere) = bytes(at + BLOCK_BYTES) {
                    memory = elsewhere;
                }
            }
            Some(Misfortune::Flipped) => flip_any_bit(memory.as_mut(), &mut self.chance),
            Some(_) => return Err(access.fails(Fault::Os(5))),
        }
        Ok(memory)
    }

    pub(super) fn write(
        &mut self,
        file: &MemoryFile,
        at: u64,
        bytes: &[u8],
    ) -> Result<(), DiskError> {
        self.check("write", file)?;
        let access = Access { operation: "write", file: &file.name, at };
        if file.writes == Writes::Durable && !self.medium.inode(file.inode).is_linked() {
            return Err(access.fails(Fault::NotFound));
        }
        let misfortune = self.begin(access, &Misfortune::ALL)?;
        self.room_for(access, file.inode, at + bytes.len() as u64)?;
        self.last_write = Some((file.name.clone(), at, bytes.len() as u64));
        let durable = file.writes == Writes::Durable;
        let at = at as usize;
        let written = at..at + bytes.len();
        self.bad.retain(|(inode, bad)| *inode != file.inode || !meet(bad, &written));
        let Self { medium, chance, .. } = self;
        let inode = medium.inode_mut(file.inode);
        let fault = match misfortune {
            None => {
                inode.write(at, bytes, durable);
                return Ok(());
            }
            Some(Misfortune::Torn) => {
                inode.write_some(at, bytes, durable, chance);
                return Ok(());
            }
            Some(Misfortune::Lost) => return Ok(()),
            Some(Misfortune::Misdirected) => {
                inode.write(at + BLOCK_BYTES, bytes, durable);
                return Ok(());
            }
            Some(Misfortune::Astray) => {
                let landed = medium.write_astray(file.inode, bytes, chance);
                if let Some(strike) = self.strikes.last_mut() {
                    strike.landed = landed;
                }
                return Ok(());
            }
            Some(Misfortune::Flipped) => {
                let mut wrong = bytes.to_vec();
                flip_any_bit(&mut wrong, chance);
                inode.write(at, &wrong, durable);
                return Ok(());
            }
            Some(Misfortune::NoSpace) => return Err(access.fails(Fault::NoSpace)),
            Some(Misfortune::Crash) => Fault::Down,
            Some(Misfortune::Error) => Fault::Os(5),
            Some(Misfortune::Short) => Fault::Short,
        };
        inode.tear(at, bytes, chance);
        if fault == Fault::Down {
            self.crash();
        } else if chance.below(2) == 0 {
            inode.pretend(at, bytes);
        }
        Err(access.fails(fault))
    }

    pub(super) fn sync(&mut self, file: &MemoryFile) -> Result<(), DiskError> {
        self.check("sync", file)?;
        let access = Access { operation: "sync", file: &file.name, at: 0 };
        let misfortune = self.begin(access, &[Misfortune::Error, Misfortune::NoSpace])?;
        let inode = self.medium.inode_mut(file.inode);
        let fault = match misfortune {
            None => {
                inode.sync();
                return Ok(());
            }
            Some(Misfortune::Crash) => {
                self.crash();
                return Err(access.fails(Fault::Down));
            }
            Some(Misfortune::NoSpace) => Fault::NoSpace,
            Some(_) => Fault::Os(5),
        };
        inode.fail_sync(&mut self.chance);
        Err(access.fails(fault))
    }
}

fn meet(one: &Range<usize>, other: &Range<usize>) -> bool {
    one.start < other.end && other.start < one.end
}

fn flip_any_bit(bytes: &mut [u8], chance: &mut Chance) {
    let bit = chance.below(bytes.len().max(1) as u64 * 8) as usize;
    if let Some(byte) = bytes.get_mut(bit / 8) {
        *byte ^= 1 << (bit % 8);
    }
}
