//! A stored record as bytes: what the store's tables hold.
//!
//! ```text
//! 0   "DESKSNAP"
//! 8   version, u32 little-endian
//! 12  zero, u32
//! 16  the archive of that version (rkyv; its root stands at its end)
//! ```
//! The archive is checked once ([`read`]) and then read in place. rkyv has no
//! way to change a type that was written, so a version's types are never
//! changed: a new version gets a module of its own beside [`version_3`], and a fixture
//! of each version stays in `fixtures/` and stays readable.

mod v1;
mod version_2;
mod version_3;

use desk_engine_core::StoredRecord;
use desk_engine_core::members::MembersError;
use desk_protocol::desk::DeskPartsError;
use rkyv::util::AlignedVec;

const MAGIC: [u8; 8] = *b"DESKSNAP";
const HEADER_BYTES: usize = 16;

/// Why bytes are no record. The store checks what a disk does to them, so this
/// is a defect, a hostile file, or a newer version's.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SnapshotError {
    /// No header.
    #[error("{0} bytes do not begin like a snapshot")]
    Header(usize),
    /// Written by a newer program.
    #[error("snapshot version {found} is newer than {newest}, the newest that this program knows")]
    Version {
        /// The version.
        found: u32,
        /// The newest known.
        newest: u32,
    },
    /// The archive is damaged.
    #[error("the snapshot's archive is damaged: {0}")]
    Archive(rkyv::rancor::Error),
    /// A value that its type does not have.
    #[error("the snapshot's {0} has a value that does not exist")]
    Value(&'static str),
    /// The desk does not hold together.
    #[error("the snapshot's desk does not hold together: {0}")]
    Desk(#[from] DeskPartsError),
    /// Its clients do not hold together.
    #[error("the snapshot's clients do not hold together: {0}")]
    Members(#[from] MembersError),
}

/// What a sticker takes in a record besides its text, in bytes.
pub(crate) const STICKER_BYTES: usize = version_3::STICKER_BYTES;

/// What a quiet client takes.
pub(crate) const CLIENT_BYTES: usize = version_2::CLIENT_BYTES;

/// What a recent client takes besides its quiet record and its answer.
pub(crate) const RECENT_CLIENT_BYTES: usize = v1::MEMBER_BYTES;

/// Writes a record, in the newest version.
pub(crate) fn write(record: &StoredRecord) -> AlignedVec<16> {
    let mut bytes = AlignedVec::new();
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&version_3::VERSION.to_le_bytes());
    bytes.extend_from_slice(&[0; 4]);
    version_3::write(record, bytes)
}

/// Reads a record of any version. `bytes` should be aligned to 16, as the
/// store's values are; if they are not, they are copied.
pub(crate) fn read(bytes: &[u8]) -> Result<StoredRecord, SnapshotError> {
    if bytes.len() < HEADER_BYTES || bytes[..8] != MAGIC {
        return Err(SnapshotError::Header(bytes.len()));
    }
    if !bytes.as_ptr().addr().is_multiple_of(16) {
        let mut aligned = AlignedVec::<16>::with_capacity(bytes.len());
        aligned.extend_from_slice(bytes);
        return read(&aligned);
    }
    let version = u32::from_le_bytes(bytes[8..12].try_into().expect("four bytes"));
    match version {
        v1::VERSION => v1::read(&bytes[HEADER_BYTES..]),
        version_2::VERSION => version_2::read(&bytes[HEADER_BYTES..]),
        version_3::VERSION => version_3::read(&bytes[HEADER_BYTES..]),
        found => Err(SnapshotError::Version { found, newest: version_3::VERSION }),
    }
}

#[cfg(test)]
mod tests;
