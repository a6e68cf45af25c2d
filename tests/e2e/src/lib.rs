//! End-to-end tests of the real binary over real sockets.
#![forbid(unsafe_code)]
