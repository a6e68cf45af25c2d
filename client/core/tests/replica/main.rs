//! Clients against a tiny server, in one thread and made-up time.
#![forbid(unsafe_code)]

mod apart;
mod datagrams;
mod disk;
mod example;
mod field;
mod imports;
mod limits;
mod line;
mod net;
mod random;
mod roles;
mod stories;
mod undo;
