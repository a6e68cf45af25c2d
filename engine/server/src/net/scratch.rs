//! Buffers that a thread lends to its connections, one at a time, so that an
//! idle connection holds none.

use std::cell::RefCell;

use crate::limits::{CIPHER_BYTES, READ_BYTES, WRITE_BYTES};

thread_local! {
    static READ: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
    static CIPHER: RefCell<Vec<u8>> = RefCell::new(vec![0; CIPHER_BYTES]);
    static WRITE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Lends the buffer for reads.
pub(crate) fn read<R>(call: impl FnOnce(&mut [u8]) -> R) -> R {
    READ.with_borrow_mut(|buffer| call(buffer))
}

/// Lends the buffer for what arrives encrypted.
pub(crate) fn cipher<R>(call: impl FnOnce(&mut [u8]) -> R) -> R {
    CIPHER.with_borrow_mut(|buffer| call(buffer))
}

/// Lends an empty buffer for a write.
pub(crate) fn write<R>(call: impl FnOnce(&mut Vec<u8>) -> R) -> R {
    WRITE.with_borrow_mut(|buffer| {
        buffer.clear();
        let result = call(buffer);
        // One frame may be larger than a write should be; that stays rare.
        buffer.shrink_to(2 * WRITE_BYTES);
        result
    })
}
