//! The write-ahead log: its byte formats, the writer's plan and the replay.

pub mod batch;
pub mod segment;

pub(crate) mod replay;
mod varint;
pub(crate) mod writer;

pub use batch::LogId;
