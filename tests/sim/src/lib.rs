//! The seeded simulator: servers, clients, network and disks in one thread.
#![forbid(unsafe_code)]
