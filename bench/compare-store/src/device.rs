//! What the device itself can do, measured beside the stores: direct, aligned
//! accesses to one file whose blocks have all been written before.

use std::fs::File;
use std::path::Path;

use anyhow::{Result, ensure};
use desk_bench::clock::Clock;
use desk_bench::random::Random;
use rustix::fs::{Mode, OFlags};
use rustix::io::{pread, pwrite};

/// Alignment of direct accesses, in bytes.
const BLOCK: usize = 4096;
/// Bytes of one access when the file is written or read from end to end.
const STRIDE: usize = 1 << 20;

/// A prewritten file.
#[derive(Debug)]
pub struct Device {
    durable: File,
    plain: File,
    bytes: u64,
    next: u64,
}

impl Device {
    /// Makes the file, `bytes` long, in whole MiB.
    ///
    /// # Errors
    /// The folder has no direct access, or no room.
    pub fn new(path: &Path, bytes: u64) -> Result<Self> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::DIRECT | OFlags::CLOEXEC;
        let open = |more| rustix::fs::open(path, flags | more, Mode::RUSR | Mode::WUSR);
        let (durable, plain) =
            (File::from(open(OFlags::DSYNC)?), File::from(open(OFlags::empty())?));
        let mut random = Random::new(7);
        let mut memory = Aligned::new(STRIDE);
        for word in memory.bytes_mut().chunks_exact_mut(8) {
            word.copy_from_slice(&random.bits().to_le_bytes());
        }
        let bytes = bytes.next_multiple_of(STRIDE as u64);
        for at in (0..bytes).step_by(STRIDE) {
            ensure!(pwrite(&plain, memory.bytes(), at)? == STRIDE, "a write ended early");
        }
        plain.sync_all()?;
        Ok(Self { durable, plain, bytes, next: 0 })
    }

    /// Durable writes of `length` bytes, one after the other and on through the
    /// file; each one's time in nanoseconds.
    ///
    /// # Errors
    /// The device fails.
    pub fn durable_writes(&mut self, count: usize, length: usize) -> Result<Vec<u64>> {
        let memory = Aligned::new(length.next_multiple_of(BLOCK));
        let bytes = memory.bytes();
        let clock = Clock::start();
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            if self.next + bytes.len() as u64 > self.bytes {
                self.next = 0;
            }
            let begun = clock.elapsed();
            ensure!(pwrite(&self.durable, bytes, self.next)? == bytes.len(), "a short write");
            times.push((clock.elapsed() - begun).as_nanos() as u64);
            self.next += bytes.len() as u64;
        }
        Ok(times)
    }

    /// Reads of `length` bytes at random places; each one's time in nanoseconds.
    ///
    /// # Errors
    /// The device fails.
    pub fn random_reads(&self, count: usize, length: usize, seed: u64) -> Result<Vec<u64>> {
        let mut memory = Aligned::new(length.next_multiple_of(BLOCK));
        let mut random = Random::new(seed);
        let places = (self.bytes as usize - length) / BLOCK;
        let clock = Clock::start();
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            let at = (random.below(places) * BLOCK) as u64;
            let begun = clock.elapsed();
            let read = pread(&self.plain, memory.bytes_mut(), at)?;
            times.push((clock.elapsed() - begun).as_nanos() as u64);
            ensure!(read == length.next_multiple_of(BLOCK), "a short read");
        }
        Ok(times)
    }

    /// Nanoseconds for each byte of a read from end to end.
    ///
    /// # Errors
    /// The device fails.
    pub fn sequential_read(&self) -> Result<f64> {
        let mut memory = Aligned::new(STRIDE);
        let clock = Clock::start();
        for at in (0..self.bytes).step_by(STRIDE) {
            ensure!(pread(&self.plain, memory.bytes_mut(), at)? == STRIDE, "a short read");
        }
        Ok(clock.elapsed().as_nanos() as f64 / self.bytes as f64)
    }
}

/// Memory that begins at a block's boundary.
struct Aligned {
    memory: Vec<u8>,
    start: usize,
    length: usize,
}

impl Aligned {
    fn new(length: usize) -> Self {
        let memory = vec![0xa5; length + BLOCK];
        let start = memory.as_ptr().addr().wrapping_neg() % BLOCK;
        Self { memory, start, length }
    }

    fn bytes(&self) -> &[u8] {
        &self.memory[self.start..self.start + self.length]
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..self.start + self.length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_device_is_asked_as_often_as_told() {
        // Beside the build: a folder of temporary files may be memory.
        let own = std::env::current_exe().unwrap();
        let folder = tempfile::tempdir_in(own.parent().unwrap()).unwrap();
        let mut device = Device::new(&folder.path().join("device"), 3 << 20).unwrap();
        assert_eq!(device.durable_writes(400, 8_000).unwrap().len(), 400);
        assert!(device.next < device.bytes, "writes stay inside");
        assert_eq!(device.random_reads(10, 16_384, 1).unwrap().len(), 10);
        assert!(device.sequential_read().unwrap() > 0.0);
    }
}
