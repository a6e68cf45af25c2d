//! Reading in spite of places that cannot be read.
//!
//! A bad sector makes an access fail; it gives no wrong bytes. A start must not fail
//! for one. So the blocks beside it are read, and the unreadable block becomes zeros,
//! which no checksum accepts.

use std::ops::Deref;

use crate::disk::{Disk, DiskError, Fault};
use crate::limits::BLOCK_BYTES;

/// What a failing medium is reported as, by the numbers of Linux: `EIO`,
/// `ENODATA`, `EBADMSG`, `EILSEQ`, `EREMOTEIO`.
const MEDIUM_ERRORS: [i32; 5] = [5, 61, 74, 84, 121];

/// Bytes that were read.
pub(crate) enum Salvaged<B> {
    Whole(B),
    /// With zeros for what cannot be read.
    Part(Vec<u8>),
}

impl<B> Salvaged<B> {
    /// Whether all of it could be read.
    pub(crate) fn is_whole(&self) -> bool {
        matches!(self, Self::Whole(_))
    }
}

impl<B: Deref<Target = [u8]>> Deref for Salvaged<B> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Whole(block) => block,
            Self::Part(bytes) => bytes,
        }
    }
}

/// Whether an access failed because of the medium: another place of the same
/// file may be read.
pub(crate) fn is_of_medium(error: &DiskError) -> bool {
    match error.fault {
        // A read that meets a bad sector may end before it.
        Fault::Short => true,
        Fault::Os(number) => MEDIUM_ERRORS.contains(&number),
        _ => false,
    }
}

/// Reads like [`Disk::read`], twice if need be, and then block by block.
pub(crate) async fn read<D: Disk>(
    disk: &D,
    file: &D::File,
    at: u64,
    length: usize,
) -> Result<Salvaged<D::Block>, DiskError> {
    for _ in 0..2 {
        match disk.read(file, at, length).await {
            Ok(block) => return Ok(Salvaged::Whole(block)),
            Err(error) if is_of_medium(&error) => {}
            Err(error) => return Err(error),
        }
    }
    let mut bytes = vec![0; length];
    for (block, at) in bytes.chunks_mut(BLOCK_BYTES).zip((at..).step_by(BLOCK_BYTES)) {
        match disk.read(file, at, block.len()).await {
            Ok(read) => block.copy_from_slice(&read),
            Err(error) if is_of_medium(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Salvaged::Part(bytes))
}
