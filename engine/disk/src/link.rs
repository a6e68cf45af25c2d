//! Whether an open file still has a name.

#![expect(unsafe_code, reason = "glommio lends no descriptor that the compiler can check")]

use std::os::fd::{AsRawFd, BorrowedFd};

/// Whether a start would find the file. The kernel answers from memory.
pub(crate) fn has_name(file: &impl AsRawFd) -> rustix::io::Result<bool> {
    // SAFETY: the descriptor is open while `file` is borrowed, and is not kept.
    let descriptor = unsafe { BorrowedFd::borrow_raw(file.as_raw_fd()) };
    rustix::fs::fstat(descriptor).map(|stat| stat.st_nlink > 0)
}
