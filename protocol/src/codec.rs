//! Writing and reading frames.

use crate::desk::{Desk, DeskParts};
use crate::frame::{ClientFrame, ServerFrame};

/// Why bytes are not a frame.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DecodeError {
    /// The frame is longer than it may be.
    #[error("the frame has {found} bytes, at most {limit} are allowed")]
    TooLong {
        /// Its length, prefix included.
        found: usize,
        /// The limit.
        limit: usize,
    },
}

/// A frame taken off the front of what was received.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Decoded<T> {
    /// The bytes do not hold a whole frame yet.
    Incomplete,
    /// A frame of this length in bytes (prefix included); `None`: of a type
    /// this version does not know, to be skipped.
    Frame(usize, Option<T>),
}

/// Appends a size-prefixed frame.
pub fn encode_client(_frame: &ClientFrame, _out: &mut Vec<u8>) {}

/// Appends a size-prefixed frame.
pub fn encode_server(_frame: &ServerFrame, _out: &mut Vec<u8>) {}

/// Reads the first frame of `bytes`, as a server does: at most
/// [`crate::limits::CLIENT_FRAME_BYTES_MAX`].
pub fn decode_client(_bytes: &[u8]) -> Result<Decoded<ClientFrame>, DecodeError> {
    Ok(Decoded::Incomplete)
}

/// Reads the first frame of `bytes`, as a client does.
pub fn decode_server(_bytes: &[u8]) -> Result<Decoded<ServerFrame>, DecodeError> {
    Ok(Decoded::Incomplete)
}

/// The whole content of a desk, as one flatbuffer; goes out in chunks.
pub fn encode_snapshot(_desk: &Desk) -> Vec<u8> {
    Vec::new()
}

/// Reads what [`encode_snapshot`] wrote.
pub fn decode_snapshot(_bytes: &[u8]) -> Result<DeskParts, DecodeError> {
    Ok(DeskParts::default())
}
