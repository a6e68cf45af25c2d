//! Tables: values of one bucket in a file that is written once.
//!
//! ```text
//! block 0         header
//! then            blocks, each a multiple of 4,096 bytes: a directory sorted
//!                 by key, then its records, each aligned to 16
//! when sealed     footer: the directory of the whole table, sorted by key,
//!                 padded to 4,096; then one block with the trailer
//! ```
//!
//! For values of 10 KiB a table has 1.5% more bytes than its values: 48 each
//! in the record's header, the block's directory and the footer, and padding.

pub mod block;
pub mod error;
pub mod footer;
pub mod record;

pub(crate) mod reader;

/// The version of the format.
const VERSION: u16 = 2;
