//! What the simulated medium holds: live bytes, durable bytes, and what a
//! crash makes of the difference.

use std::collections::BTreeMap;

use super::chance::Chance;
use crate::disk::Fault;
use crate::limits::{BLOCK_BYTES, SECTOR_BYTES};

/// A write that is not synced yet.
#[derive(Clone, Debug)]
struct Unsynced {
    at: usize,
    bytes: Vec<u8>,
}

/// One file's bytes, as a reader sees them and as they survive a crash.
#[derive(Clone, Debug, Default)]
pub(super) struct Inode {
    live: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<Unsynced>,
    /// Whether live and durable bytes may differ, so that a crash need not
    /// copy files that nobody touched.
    diverged: bool,
    /// Whether it has a name.
    linked: bool,
}

impl Inode {
    pub(super) fn live(&self) -> &[u8] {
        &self.live
    }

    pub(super) fn is_linked(&self) -> bool {
        self.linked
    }

    pub(super) fn write(&mut self, at: usize, bytes: &[u8], durable: bool) {
        overlay(&mut self.live, at, bytes);
        if durable {
            overlay(&mut self.durable, at, bytes);
        } else {
            self.unsynced.push(Unsynced { at, bytes: bytes.to_vec() });
            self.diverged = true;
        }
    }

    /// A write that the crash interrupts: any of its sectors may be there.
    pub(super) fn tear(&mut self, at: usize, bytes: &[u8], chance: &mut Chance) {
        keep_some_sectors(&mut self.durable, at, bytes, chance);
        self.diverged = true;
    }

    /// A write that failed, and that readers see all the same until the power
    /// goes. No sync makes it durable.
    pub(super) fn pretend(&mut self, at: usize, bytes: &[u8]) {
        overlay(&mut self.live, at, bytes);
        self.diverged = true;
    }

    /// A write of which at least one sector does not arrive.
    pub(super) fn write_some(
        &mut self,
        at: usize,
        bytes: &[u8],
        durable: bool,
        chance: &mut Chance,
    ) {
        let sectors = bytes.len().div_ceil(SECTOR_BYTES).max(1);
        let missing = chance.below(sectors as u64) as usize;
        for (index, sector) in bytes.chunks(SECTOR_BYTES).enumerate() {
            if index != missing && chance.below(2) == 0 {
                self.write(at + index * SECTOR_BYTES, sector, durable);
            }
        }
    }

    /// A sync that failed: some of what it was to save is saved, the rest never
    /// will be, although readers go on to see it until the power goes.
    pub(super) fn fail_sync(&mut self, chance: &mut Chance) {
        for write in self.unsynced.drain(..) {
            keep_some_sectors(&mut self.durable, write.at, &write.bytes, chance);
        }
    }

    pub(super) fn sync(&mut self) {
        for write in self.unsynced.drain(..) {
            overlay(&mut self.durable, write.at, &write.bytes);
        }
        self.durable.truncate(self.live.len());
    }

    /// Cuts the file; until the next sync a crash may bring the rest back.
    pub(super) fn shorten(&mut self, length: usize) {
        self.live.truncate(length);
        self.diverged = true;
    }

    /// Power goes: of each unsynced write all, nothing or some sectors stay,
    /// in no particular order.
    pub(super) fn crash(&mut self, chance: &mut Chance) {
        let mut writes = std::mem::take(&mut self.unsynced);
        if self.durable.len() > self.live.len() && chance.below(2) == 0 {
            self.durable.truncate(self.live.len());
        }
        while !writes.is_empty() {
            let write = writes.swap_remove(chance.below(writes.len() as u64) as usize);
            match chance.below(3) {
                0 => {}
                1 => overlay(&mut self.durable, write.at, &write.bytes),
                _ => keep_some_sectors(&mut self.durable, write.at, &write.bytes, chance),
            }
        }
        if std::mem::replace(&mut self.diverged, false) {
            self.live.clone_from(&self.durable);
        }
    }

    pub(super) fn flip_bit(&mut self, bit: usize) {
        let (byte, mask) = (bit / 8, 1 << (bit % 8));
        for bytes in [&mut self.live, &mut self.durable] {
            if let Some(byte) = bytes.get_mut(byte) {
                *byte ^= mask;
            }
        }
    }

    pub(super) fn overwrite(&mut self, at: usize, bytes: &[u8]) {
        self.write(at, bytes, true);
    }

    pub(super) fn truncate(&mut self, length: usize) {
        self.live.truncate(length);
        self.durable.truncate(length);
    }
}

fn overlay(target: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    let end = at + bytes.len();
    if target.len() < end {
        target.resize(end, 0);
    }
    target[at..end].copy_from_slice(bytes);
}

fn keep_some_sectors(target: &mut Vec<u8>, at: usize, bytes: &[u8], chance: &mut Chance) {
    for (index, sector) in bytes.chunks(SECTOR_BYTES).enumerate() {
        if chance.below(2) == 0 {
            overlay(target, at + index * SECTOR_BYTES, sector);
        }
    }
}

/// The folder: names and inodes, live and durable.
#[derive(Clone, Debug, Default)]
pub(super) struct Medium {
    inodes: Vec<Inode>,
    live: BTreeMap<String, usize>,
    durable: BTreeMap<String, usize>,
}

impl Medium {
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.live.get(name).copied()
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.live.keys().cloned().collect()
    }

    pub(super) fn create(&mut self, name: &str) -> usize {
        self.inodes.push(Inode { linked: true, ..Inode::default() });
        let inode = self.inodes.len() - 1;
        self.live.insert(name.to_owned(), inode);
        inode
    }

    pub(super) fn unlink(&mut self, name: &str) -> Result<usize, Fault> {
        let inode = self.live.remove(name).ok_or(Fault::NotFound)?;
        self.inodes[inode].linked = false;
        Ok(inode)
    }

    pub(super) fn sync_names(&mut self) {
        self.durable = self.live.clone();
    }

    pub(super) fn inode(&self, inode: usize) -> &Inode {
        &self.inodes[inode]
    }

    pub(super) fn inode_mut(&mut self, inode: usize) -> &mut Inode {
        &mut self.inodes[inode]
    }

    /// A write that lands on a block of another file.
    pub(super) fn write_astray(
        &mut self,
        from: usize,
        bytes: &[u8],
        chance: &mut Chance,
    ) -> Option<(String, u64, u64)> {
        let others: Vec<_> = self.live.iter().filter(|(_, inode)| **inode != from).collect();
        if others.is_empty() {
            return None;
        }
        let (name, inode) = others[chance.below(others.len() as u64) as usize];
        let inode = &mut self.inodes[*inode];
        let blocks = (inode.live.len() / BLOCK_BYTES).max(1) as u64;
        let at = chance.below(blocks) as usize * BLOCK_BYTES;
        // A block that goes astray makes no file longer.
        let room = inode.live.len().saturating_sub(at).min(bytes.len());
        inode.write(at, &bytes[..room], true);
        Some((name.clone(), at as u64, room as u64))
    }

    pub(super) fn used_bytes(&self) -> u64 {
        self.live.values().map(|inode| self.inodes[*inode].live.len() as u64).sum()
    }

    pub(super) fn crash(&mut self, chance: &mut Chance) {
        // Unsynced creations and removals of names each happened or not.
        let mut names = self.durable.clone();
        for (name, inode) in &self.live {
            if self.durable.get(name) != Some(inode) && chance.below(2) == 0 {
                names.insert(name.clone(), *inode);
            }
        }
        for name in self.durable.keys() {
            if !self.live.contains_key(name) && chance.below(2) == 0 {
                names.remove(name);
            }
        }
        for inode in &mut self.inodes {
            inode.crash(chance);
            inode.linked = false;
        }
        for inode in names.values() {
            self.inodes[*inode].linked = true;
        }
        self.live = names.clone();
        self.durable = names;
    }
}
