//! Frames out of the byte stream, and a snapshot out of its parts.

use desk_protocol::codec::{DecodeError, Decoded, decode_server, decode_snapshot};
use desk_protocol::desk::DeskPartsError;
use desk_protocol::frame::SnapshotChunk;
use desk_protocol::limits::SNAPSHOT_BYTES_MAX;
use desk_protocol::{Commit, Desk, Revision, ServerFrame};

/// Why a snapshot could not be put together.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SnapshotError {
    /// A part does not follow the one before it, or is of another snapshot.
    #[error("a part at byte {found}, expected one at byte {expected}")]
    Order {
        /// Where it should have stood.
        expected: usize,
        /// Where it stands.
        found: usize,
    },
    /// It is too large.
    #[error("the snapshot has {0} bytes, at most {SNAPSHOT_BYTES_MAX} are allowed")]
    TooLarge(usize),
    /// Its bytes are not a snapshot.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// What it says is not a desk.
    #[error(transparent)]
    Desk(#[from] DeskPartsError),
}

/// Reads a desk from the bytes of a whole snapshot.
pub(crate) fn desk_from(bytes: &[u8]) -> Result<Desk, SnapshotError> {
    Ok(Desk::from_parts(decode_snapshot(bytes)?)?)
}

/// Bytes received that are not a whole frame yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inbox {
    bytes: Vec<u8>,
    /// How many of them were read.
    read: usize,
}

impl Inbox {
    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.read = 0;
    }

    /// The next frame of a known type.
    pub(crate) fn next(&mut self) -> Result<Option<ServerFrame>, DecodeError> {
        loop {
            match decode_server(&self.bytes[self.read..])? {
                Decoded::Frame(length, frame) => {
                    self.read += length;
                    if frame.is_some() {
                        return Ok(frame);
                    }
                }
                Decoded::Incomplete => {
                    self.bytes.drain(..self.read);
                    self.read = 0;
                    return Ok(None);
                }
            }
        }
    }
}

/// A snapshot on its way, and the commits that came ahead of its end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Assembly {
    /// Parts of a snapshot whose welcome is still to come, where the two travel apart.
    ahead: Vec<SnapshotChunk>,
    bytes: Vec<u8>,
    revision: Option<Revision>,
    pub(crate) early: Vec<Commit>,
}

impl Assembly {
    /// Keeps a part until the welcome that it belongs to has come.
    pub(crate) fn keep(&mut self, chunk: SnapshotChunk) -> Result<(), SnapshotError> {
        let kept: usize = self.ahead.iter().map(|chunk| chunk.bytes.len()).sum();
        let bytes = kept + chunk.bytes.len();
        if bytes > SNAPSHOT_BYTES_MAX {
            return Err(SnapshotError::TooLarge(bytes));
        }
        self.ahead.push(chunk);
        Ok(())
    }

    /// Begins anew, and gives the parts that were kept.
    pub(crate) fn restart(&mut self) -> Vec<SnapshotChunk> {
        std::mem::take(self).ahead
    }

    /// Takes the next part; the desk, once it is whole.
    pub(crate) fn add(&mut self, chunk: &SnapshotChunk) -> Result<Option<Desk>, SnapshotError> {
        let total = chunk.total as usize;
        if total > SNAPSHOT_BYTES_MAX {
            return Err(SnapshotError::TooLarge(total));
        }
        let found = chunk.offset as usize;
        // The first byte again: the server began anew.
        if found == 0 {
            self.bytes.clear();
            self.revision = Some(chunk.revision);
        }
        let expected = self.bytes.len();
        let fits = expected + chunk.bytes.len() <= total;
        if found != expected || self.revision != Some(chunk.revision) || !fits {
            return Err(SnapshotError::Order { expected, found });
        }
        self.bytes.extend_from_slice(&chunk.bytes);
        if self.bytes.len() < total {
            return Ok(None);
        }
        let desk = desk_from(&self.bytes)?;
        self.bytes = Vec::new();
        self.revision = None;
        Ok(Some(desk))
    }
}
