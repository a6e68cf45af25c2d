//! What making a group of messages durable costs by itself.
//!
//! One write for all messages of a turn, past the page cache, into a file that was
//! written before: the product's log without its content.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use anyhow::{Context as _, Result};
use rustix::fs::OFlags;

/// What a direct write is a multiple of, in bytes.
const BLOCK_BYTES: usize = 4_096;

/// The file, in bytes: one segment of the product's log, which is begun anew at its end.
const FILE_BYTES: usize = 64 << 20;

/// The most that one write takes, in bytes. More is written by several.
const WRITE_BYTES_MAX: usize = 1 << 20;

/// A file that groups of messages are written to.
#[derive(Debug)]
pub struct GroupLog {
    file: File,
    /// More than the longest write, for a part of it that begins at a block.
    buffer: Vec<u8>,
    /// Where the part begins.
    begin: usize,
    /// Bytes of messages that wait for the write.
    waiting: usize,
    /// Where the next write goes.
    at: usize,
}

impl GroupLog {
    /// Makes the file and writes it once, since growing it would cost more than a write.
    pub fn create(path: &Path) -> Result<Self> {
        let flags = OFlags::DIRECT | OFlags::DSYNC;
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .custom_flags(flags.bits().cast_signed())
            .open(path)
            .with_context(|| path.display().to_string())?;
        let buffer = vec![0x5a; WRITE_BYTES_MAX + BLOCK_BYTES];
        let begin = buffer.as_ptr().align_offset(BLOCK_BYTES);
        let mut log = Self { file, buffer, begin, waiting: 0, at: 0 };
        for _ in 0..FILE_BYTES / WRITE_BYTES_MAX {
            log.write(WRITE_BYTES_MAX)?;
        }
        Ok(log)
    }

    /// A message belongs to the next group.
    pub fn take(&mut self, message: &[u8]) {
        self.waiting += message.len();
    }

    /// Writes the group, if there is one, and returns when it is durable.
    pub fn commit(&mut self) -> Result<()> {
        let mut left = std::mem::take(&mut self.waiting).next_multiple_of(BLOCK_BYTES);
        while left > 0 {
            let bytes = left.min(WRITE_BYTES_MAX);
            self.write(bytes)?;
            left -= bytes;
        }
        Ok(())
    }

    fn write(&mut self, bytes: usize) -> Result<()> {
        if self.at + bytes > FILE_BYTES {
            self.at = 0;
        }
        let part = &self.buffer[self.begin..self.begin + bytes];
        self.file.write_all_at(part, self.at as u64)?;
        self.at += bytes;
        Ok(())
    }
}
