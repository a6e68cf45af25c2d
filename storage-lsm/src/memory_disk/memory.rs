//! Memory of the simulated disk: bytes aligned to 16.

use std::ops::Deref;

/// Bytes aligned to 16, as a buffer to write from and a block that was read.
#[derive(Clone, Debug)]
pub struct Memory {
    words: Vec<u128>,
    length: usize,
}

impl Memory {
    /// `length` bytes of 0xA5, so that a caller who relies on zeros is found.
    pub(crate) fn unspecified(length: usize) -> Self {
        Self { words: vec![u128::from_le_bytes([0xA5; 16]); length.div_ceil(16)], length }
    }

    pub(crate) fn copy_of(bytes: &[u8]) -> Self {
        let mut memory = Self::unspecified(bytes.len());
        memory.as_mut().copy_from_slice(bytes);
        memory
    }
}

impl Deref for Memory {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.words)[..self.length]
    }
}

impl AsRef<[u8]> for Memory {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl AsMut<[u8]> for Memory {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut bytemuck::cast_slice_mut(&mut self.words)[..self.length]
    }
}
