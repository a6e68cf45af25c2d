//! Whether bytes from outside are a sound flatbuffer of ours.
//!
//! With the default limits of flatbuffers a frame of 184 KB takes a second to verify,
//! because many offsets may share one target. These limits bound the work by the
//! length of the frame.

use flatbuffers::VerifierOptions;

use super::DecodeError;
use crate::generated::wire;
use crate::limits::{FRAME_DEPTH_MAX, FRAME_TABLES_MAX, SNAPSHOT_BYTES_MAX, SNAPSHOT_TABLES_MAX};

/// Length of the size prefix.
const PREFIX_BYTES: usize = 4;

/// The root's offset and the file identifier.
const HEADER_BYTES: usize = 8;

/// The bytes of the first frame, its prefix included; `None` if they are not
/// all there. Tells a frame that is too long by its prefix alone.
pub(super) fn first(bytes: &[u8], limit: usize) -> Result<Option<&[u8]>, DecodeError> {
    let Some((prefix, _)) = bytes.split_first_chunk::<PREFIX_BYTES>() else { return Ok(None) };
    let size = usize::try_from(u32::from_le_bytes(*prefix)).unwrap_or(usize::MAX);
    let found = size.saturating_add(PREFIX_BYTES);
    if found > limit {
        return Err(DecodeError::TooLong { found, limit });
    }
    if size < HEADER_BYTES {
        return Err(DecodeError::TooShort { found, least: PREFIX_BYTES + HEADER_BYTES });
    }
    Ok(bytes.get(..found))
}

/// The verified root of a frame, prefix included, of at least the least length.
pub(super) fn frame(bytes: &[u8]) -> Result<wire::Frame<'_>, DecodeError> {
    check_identifier(bytes, PREFIX_BYTES)?;
    let options = options(bytes.len(), FRAME_TABLES_MAX);
    flatbuffers::size_prefixed_root_with_opts::<wire::Frame<'_>>(&options, bytes).map_err(structure)
}

/// The verified root of a snapshot, which has no prefix.
pub(super) fn snapshot(bytes: &[u8]) -> Result<wire::Frame<'_>, DecodeError> {
    if bytes.len() > SNAPSHOT_BYTES_MAX {
        return Err(DecodeError::TooLong { found: bytes.len(), limit: SNAPSHOT_BYTES_MAX });
    }
    if bytes.len() < HEADER_BYTES {
        return Err(DecodeError::TooShort { found: bytes.len(), least: HEADER_BYTES });
    }
    check_identifier(bytes, 0)?;
    let options = options(bytes.len(), SNAPSHOT_TABLES_MAX);
    flatbuffers::root_with_opts::<wire::Frame<'_>>(&options, bytes).map_err(structure)
}

fn check_identifier(bytes: &[u8], start: usize) -> Result<(), DecodeError> {
    let found = &bytes[start + 4..start + HEADER_BYTES];
    if found == wire::FRAME_IDENTIFIER.as_bytes() {
        return Ok(());
    }
    Err(DecodeError::Identifier { found: found.try_into().expect("four bytes were taken") })
}

fn options(bytes: usize, max_tables: usize) -> VerifierOptions {
    VerifierOptions {
        max_depth: FRAME_DEPTH_MAX,
        max_tables,
        max_apparent_size: 8 * bytes + (64 << 10),
        ignore_missing_null_terminator: false,
    }
}

/// The verifier's words on one line: where, and what.
fn structure(error: flatbuffers::InvalidFlatbuffer) -> DecodeError {
    let text = error.to_string();
    DecodeError::Structure(text.split_whitespace().collect::<Vec<_>>().join(" "))
}
