//! Tables: values of one bucket in a file that is written once.
//!
//! ```text
//! block 0         header
//! then            blocks, each a multiple of 4,096 bytes: a directory sorted
//!                 by key, then its values, each aligned to 16
//! when sealed     footer: the directory of the whole table, sorted by key,
//!                 padded to 4,096; then one block with the trailer
//! ```

pub mod block;
pub mod footer;

pub(crate) mod reader;
