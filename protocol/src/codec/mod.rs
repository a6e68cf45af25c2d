//! Writing and reading frames and snapshots.
//!
//! A frame is a size-prefixed flatbuffer:
//!
//! ```text
//! byte 0       4            8           12
//!      ┌───────┬────────────┬───────────┬─────────────────────┐
//!      │ size  │ root       │ "DESK"    │ table Frame, …      │
//!      │ u32   │ offset u32 │           │                     │
//!      └───────┴────────────┴───────────┴─────────────────────┘
//!              └──────────── size bytes ──────────────────────┘
//! ```
//!
//! All numbers are little endian. `schema/desk.fbs` is the rest of the layout.
//! Bytes from outside are verified with tight limits before they are used. In
//! flatbuffers many offsets may point at one table, so a small frame can pretend to
//! be a huge one.
//!
//! ```
//! use desk_protocol::codec::{Decoded, decode_client, encode_client};
//! use desk_protocol::ClientFrame;
//!
//! let mut bytes = Vec::new();
//! encode_client(&ClientFrame::Ping { nonce: 7 }, &mut bytes);
//! let length = bytes.len();
//! bytes.extend_from_slice(b"what follows");
//! let ping = decode_client(&bytes)?;
//! assert_eq!(ping, Decoded::Frame(length, Some(ClientFrame::Ping { nonce: 7 })));
//! # Ok::<(), desk_protocol::codec::DecodeError>(())
//! ```

mod decode;
mod encode;
mod operation;
mod snapshot;
mod verify;
#[cfg(test)]
mod worst;

use crate::desk::{Desk, DeskParts};
use crate::frame::{ClientFrame, ServerFrame};
use crate::limits::{CLIENT_FRAME_BYTES_MAX, SERVER_FRAME_BYTES_MAX};
use crate::operation::Commit;
use crate::text::DeltaError;

pub use encode::Encoder;

/// Why bytes are not a frame. Nothing of them may be used.
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
    /// The frame is too short to be one.
    #[error("the frame has {found} bytes, even an empty one has {least}")]
    TooShort {
        /// Its length, prefix included.
        found: usize,
        /// Bytes of the prefix, the root's offset and the identifier.
        least: usize,
    },
    /// It is a flatbuffer of something else, or none.
    #[error("the file identifier is {:?}, expected \"DESK\"", String::from_utf8_lossy(found))]
    Identifier {
        /// The four bytes in its place.
        found: [u8; 4],
    },
    /// The verifier refused the flatbuffer: an offset leads outside, a text is
    /// not UTF-8, a required field is missing, or it is too deep or too large.
    #[error("not a sound flatbuffer: {0}")]
    Structure(String),
    /// The other end sends such frames.
    #[error("a {frame} frame does not come from this end")]
    Direction {
        /// The frame's name.
        frame: &'static str,
    },
    /// A field that this kind needs is not there.
    #[error("{what} needs {field}")]
    Missing {
        /// What kind.
        what: &'static str,
        /// Which field.
        field: &'static str,
    },
    /// A number names no kind that is known.
    #[error("there is no {what} {value}")]
    UnknownKind {
        /// Kind of what.
        what: &'static str,
        /// The number.
        value: u8,
    },
    /// A text delta counts more inserted characters than were sent with it, or
    /// fewer.
    #[error("a text delta inserts {counted} characters, its text has {sent}")]
    Inserted {
        /// The sum of its insertions.
        counted: u64,
        /// Characters of the text.
        sent: u64,
    },
    /// Text deltas share their parts, so that a small frame would read as a huge
    /// one.
    #[error("the text deltas have {found} parts, the frame has room for {limit}")]
    SharedParts {
        /// Parts counted until it was noticed.
        found: usize,
        /// Parts that frame could hold.
        limit: usize,
    },
    /// A text delta counts more characters than any text has.
    #[error(transparent)]
    Delta(#[from] DeltaError),
    /// A reserved register of a snapshot is too long.
    #[error("register {key} has {found} bytes, at most {limit} are allowed")]
    Register {
        /// Its key.
        key: u8,
        /// Its length.
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

/// Appends a size-prefixed frame. [`Encoder`] does it without allocating anew.
pub fn encode_client(frame: &ClientFrame, out: &mut Vec<u8>) {
    Encoder::new().client(frame, out);
}

/// Appends a size-prefixed frame. [`Encoder`] does it without allocating anew.
pub fn encode_server(frame: &ServerFrame, out: &mut Vec<u8>) {
    Encoder::new().server(frame, out);
}

/// Reads the first frame of `bytes`, as a server does: at most
/// [`CLIENT_FRAME_BYTES_MAX`].
///
/// # Errors
/// [`DecodeError`]: the connection must end, since what follows cannot be read.
pub fn decode_client(bytes: &[u8]) -> Result<Decoded<ClientFrame>, DecodeError> {
    decode_client_within(bytes, CLIENT_FRAME_BYTES_MAX)
}

/// [`decode_client`] of a server that takes frames of at most `limit` bytes,
/// refused by their prefix alone.
///
/// # Errors
/// As [`decode_client`].
pub fn decode_client_within(
    bytes: &[u8],
    limit: usize,
) -> Result<Decoded<ClientFrame>, DecodeError> {
    let Some(frame) = verify::first(bytes, limit)? else {
        return Ok(Decoded::Incomplete);
    };
    Ok(Decoded::Frame(frame.len(), decode::client(verify::frame(frame)?, frame.len())?))
}

/// Reads the first frame of `bytes`, as a client does: at most
/// [`SERVER_FRAME_BYTES_MAX`]. Operations of kinds that this version does not know are
/// left out of a commit.
///
/// # Errors
/// [`DecodeError`]: the connection must end, since what follows cannot be read.
pub fn decode_server(bytes: &[u8]) -> Result<Decoded<ServerFrame>, DecodeError> {
    let Some(frame) = verify::first(bytes, SERVER_FRAME_BYTES_MAX)? else {
        return Ok(Decoded::Incomplete);
    };
    Ok(Decoded::Frame(frame.len(), decode::server(verify::frame(frame)?, frame.len())?))
}

/// Reads the commit that `bytes` begin with, and its frame's length in bytes. Every
/// operation of it must be known: a log that is read in part would make another desk.
///
/// # Errors
/// [`DecodeError`]: the bytes are no commit, end early, or are of a later version.
pub fn decode_commit(bytes: &[u8]) -> Result<(usize, Commit), DecodeError> {
    let frame = verify::first(bytes, SERVER_FRAME_BYTES_MAX)?
        .ok_or_else(|| DecodeError::Structure("the commit ends early".to_owned()))?;
    Ok((frame.len(), decode::whole_commit(verify::frame(frame)?, frame.len())?))
}

/// The whole content of a desk, as one flatbuffer; goes out in chunks.
pub fn encode_snapshot(desk: &Desk) -> Vec<u8> {
    snapshot::encode(desk)
}

/// Reads what [`encode_snapshot`] wrote.
///
/// # Errors
/// [`DecodeError`]: the snapshot is not usable; ask for another.
pub fn decode_snapshot(bytes: &[u8]) -> Result<DeskParts, DecodeError> {
    snapshot::decode(verify::snapshot(bytes)?)
}
