//! The client's replica, pending queue, rebase, undo and resume, sans-I/O.
#![forbid(unsafe_code)]
