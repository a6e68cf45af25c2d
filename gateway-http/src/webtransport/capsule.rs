//! The rest of a session's CONNECT stream: capsules in frames of data.

use super::varint;
use crate::limits::CAPSULE_BYTES_MAX;

/// A frame of data.
const DATA: u64 = 0x00;

/// The capsule that closes a session.
const CLOSE_SESSION: u64 = 0x2843;

/// Bytes of the reason in it, at most (WebTransport over HTTP/3, section 6).
const REASON_BYTES_MAX: usize = 1_024;

/// How the peer ended the session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SessionEnd {
    /// Its code; 0 if it gave none.
    pub code: u32,
    /// In its words.
    pub reason: String,
}

/// Bytes that break the rules. The connection must end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CapsulesError {
    /// The close says more than it may.
    #[error("a capsule that closes the session has {0} bytes, at most {CAPSULE_BYTES_MAX}")]
    TooLong(u64),
    /// The close says less than it must.
    #[error("a capsule that closes the session has {0} bytes, expected at least 4")]
    TooShort(u64),
}

/// Reads the CONNECT stream behind its request. Frames and capsules of other kinds are
/// skipped, however long they are.
#[derive(Clone, Debug, Default)]
pub struct Capsules {
    /// The beginning of a frame's head.
    frame: Vec<u8>,
    /// Bytes that are left of the frame, and whether they are data.
    left: u64,
    data: bool,
    /// The beginning of a capsule: its head, and all of it if it closes the session.
    capsule: Vec<u8>,
    /// Bytes that are left of a capsule that is skipped.
    skip: u64,
}

impl Capsules {
    /// Takes bytes of the stream. Says how the peer ended the session, once it did.
    ///
    /// # Errors
    /// [`CapsulesError`]
    pub fn read(&mut self, mut bytes: &[u8]) -> Result<Option<SessionEnd>, CapsulesError> {
        while !bytes.is_empty() {
            if self.left == 0 {
                let (byte, rest) = bytes.split_at(1);
                self.frame.extend_from_slice(byte);
                bytes = rest;
                if let Some((kind, length)) = two(&self.frame) {
                    (self.data, self.left) = (kind == DATA, length);
                    self.frame.clear();
                }
                continue;
            }
            let length = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
            let (part, rest) = bytes.split_at(length);
            self.left -= length as u64;
            bytes = rest;
            if self.data
                && let Some(end) = self.read_data(part)?
            {
                return Ok(Some(end));
            }
        }
        Ok(None)
    }

    fn read_data(&mut self, mut bytes: &[u8]) -> Result<Option<SessionEnd>, CapsulesError> {
        while !bytes.is_empty() {
            if self.skip > 0 {
                let length = usize::try_from(self.skip).unwrap_or(usize::MAX).min(bytes.len());
                self.skip -= length as u64;
                bytes = &bytes[length..];
                continue;
            }
            let (byte, rest) = bytes.split_at(1);
            self.capsule.extend_from_slice(byte);
            bytes = rest;
            let Some((kind, length)) = two(&self.capsule) else { continue };
            if kind != CLOSE_SESSION {
                self.capsule.clear();
                self.skip = length;
                continue;
            }
            if length > CAPSULE_BYTES_MAX as u64 {
                return Err(CapsulesError::TooLong(length));
            }
            if length < 4 {
                return Err(CapsulesError::TooShort(length));
            }
            let head = head_length(&self.capsule);
            let Some(payload) = self.capsule.get(head..head + length as usize) else { continue };
            let (code, reason) = payload.split_at(4);
            let code = u32::from_be_bytes(*code.first_chunk().expect("four bytes"));
            let reason = String::from_utf8_lossy(reason).into_owned();
            return Ok(Some(SessionEnd { code, reason }));
        }
        Ok(None)
    }
}

/// The two integers that a frame and a capsule begin with.
fn two(bytes: &[u8]) -> Option<(u64, u64)> {
    let (first, length) = varint::read(bytes)?;
    let (second, _) = varint::read(&bytes[length..])?;
    Some((first, second))
}

fn head_length(bytes: &[u8]) -> usize {
    let first = varint::read(bytes).map_or(0, |(_, length)| length);
    first + varint::read(&bytes[first..]).map_or(0, |(_, length)| length)
}

/// The bytes that end a session, for its CONNECT stream; the stream's end follows them. A
/// longer reason is cut.
pub fn session_close(code: u32, reason: &str) -> Vec<u8> {
    let cut =
        (0..=reason.len().min(REASON_BYTES_MAX)).rev().find(|at| reason.is_char_boundary(*at));
    let reason = &reason[..cut.unwrap_or(0)];
    let mut capsule = Vec::new();
    varint::append(CLOSE_SESSION, &mut capsule);
    varint::append(4 + reason.len() as u64, &mut capsule);
    capsule.extend_from_slice(&code.to_be_bytes());
    capsule.extend_from_slice(reason.as_bytes());
    let mut frame = Vec::new();
    varint::append(DATA, &mut frame);
    varint::append(capsule.len() as u64, &mut frame);
    frame.extend_from_slice(&capsule);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(code: u32, reason: &str) -> Option<SessionEnd> {
        Some(SessionEnd { code, reason: reason.to_owned() })
    }

    #[test]
    fn a_close_is_read_in_any_parts_and_behind_anything() {
        // A reserved frame, and data with a capsule of another kind before the close.
        let mut bytes = vec![0x21, 3, 1, 2, 3, 0x00, 4, 0x17, 2, 9, 9];
        bytes.extend(session_close(4_004, "done — all"));
        for size in [1, 2, 3, 7, 100] {
            let mut capsules = Capsules::default();
            let mut found = None;
            for part in bytes.chunks(size) {
                assert_eq!(found, None);
                found = capsules.read(part).unwrap();
            }
            assert_eq!(found, end(4_004, "done — all"), "in parts of {size}");
        }
    }

    #[test]
    fn a_close_that_is_wrong_is_told() {
        let mut long = vec![0x00, 8, 0x68, 0x43];
        varint::append(CAPSULE_BYTES_MAX as u64 + 1, &mut long);
        let mut capsules = Capsules::default();
        assert!(matches!(capsules.read(&long), Err(CapsulesError::TooLong(_))));
        let short = [0x00, 5, 0x68, 0x43, 2, 0, 0];
        assert_eq!(Capsules::default().read(&short), Err(CapsulesError::TooShort(2)));
    }

    #[test]
    fn a_long_reason_is_cut_between_two_characters() {
        let bytes = session_close(7, &"€".repeat(1_000));
        let found = Capsules::default().read(&bytes).unwrap();
        assert_eq!(found, end(7, &"€".repeat(341)));
    }
}
