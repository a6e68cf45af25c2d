//! What streams and datagrams begin with.

use super::varint;

/// A stream that belongs to a session, in both directions and in one.
const SESSION_BIDI: u64 = 0x41;
const SESSION_UNI: u64 = 0x54;

/// The type of a frame of header fields, with which a request begins.
const HEADERS: u64 = 0x01;

/// Bytes of a head at most: two integers.
pub(super) const HEAD_BYTES_MAX: usize = 16;

/// What a stream is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Head {
    /// It belongs to the session of this CONNECT stream.
    Session(u64),
    /// A request; its bytes begin with the head.
    Request,
    /// It carries what may be read and forgotten: settings, header compression.
    Ignored,
    /// It is of an unknown kind, and nobody reads it.
    Unknown,
}

/// A stream that breaks the rules of HTTP/3. The connection must end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum HeadError {
    /// No request begins so.
    #[error("a stream in both directions begins with type {0:#x}, expected a request")]
    Type(u64),
    /// A session is named by the stream of its request.
    #[error("{0} is no stream of a request, and names no session")]
    Session(u64),
}

impl Head {
    /// Reads the head of a stream in both directions, and its length; `None`: it is not
    /// whole.
    ///
    /// # Errors
    /// [`HeadError`]
    pub fn read_bidi(bytes: &[u8]) -> Result<Option<(Self, usize)>, HeadError> {
        match varint::read(bytes) {
            None => Ok(None),
            Some((SESSION_BIDI, length)) => Self::session(bytes, length),
            Some((HEADERS, _)) => Ok(Some((Self::Request, 0))),
            // Reserved types exercise that they are ignored (RFC 9114, section 7.2.8).
            Some((kind, _)) if is_reserved(kind) => Ok(Some((Self::Request, 0))),
            Some((kind, _)) => Err(HeadError::Type(kind)),
        }
    }

    /// Reads the head of a stream in one direction, and its length; `None`: it is not
    /// whole.
    ///
    /// # Errors
    /// [`HeadError`]
    pub fn read_uni(bytes: &[u8]) -> Result<Option<(Self, usize)>, HeadError> {
        match varint::read(bytes) {
            None => Ok(None),
            Some((SESSION_UNI, length)) => Self::session(bytes, length),
            Some((0x00 | 0x02 | 0x03, length)) => Ok(Some((Self::Ignored, length))),
            Some((_, length)) => Ok(Some((Self::Unknown, length))),
        }
    }

    fn session(bytes: &[u8], at: usize) -> Result<Option<(Self, usize)>, HeadError> {
        let Some((session, length)) = varint::read(&bytes[at..]) else { return Ok(None) };
        if session % 4 != 0 {
            return Err(HeadError::Session(session));
        }
        Ok(Some((Self::Session(session), at + length)))
    }
}

/// A type that means nothing, and is sent to see that it is ignored.
pub(super) const fn is_reserved(kind: u64) -> bool {
    kind >= 0x21 && (kind - 0x21).is_multiple_of(0x1f)
}

/// What a stream in one direction of a session begins with.
pub fn session_stream_head(session: u64) -> Vec<u8> {
    let mut head = Vec::with_capacity(HEAD_BYTES_MAX);
    varint::append(SESSION_UNI, &mut head);
    varint::append(session, &mut head);
    head
}

/// What a stream in both directions of a session begins with.
pub fn session_bidi_head(session: u64) -> Vec<u8> {
    let mut head = Vec::with_capacity(HEAD_BYTES_MAX);
    varint::append(SESSION_BIDI, &mut head);
    varint::append(session, &mut head);
    head
}

/// A datagram of a session.
pub fn datagram(session: u64, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(payload.len() + HEAD_BYTES_MAX);
    varint::append(session / 4, &mut bytes);
    bytes.extend_from_slice(payload);
    bytes
}

/// The session of a datagram, and what it holds; `None`: it is none of HTTP/3.
pub fn split_datagram(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (quarter, length) = varint::read(bytes)?;
    // Streams have numbers of 62 bits.
    (quarter < 1 << 60).then(|| (quarter * 4, &bytes[length..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_read_whole_or_not_at_all() {
        for whole in [&[0x40, 0x41, 0x04][..], &[0x40, 0x41, 0x40, 0x44]] {
            for cut in 0..whole.len() {
                assert_eq!(Head::read_bidi(&whole[..cut]), Ok(None));
            }
        }
        assert_eq!(Head::read_bidi(&[0x01, 9, 9]), Ok(Some((Head::Request, 0))));
        assert_eq!(Head::read_bidi(&[0x21]), Ok(Some((Head::Request, 0))));
        assert_eq!(Head::read_bidi(&[0x04]), Err(HeadError::Type(4)));
        assert_eq!(Head::read_bidi(&[0x40, 0x41, 0x01]), Err(HeadError::Session(1)));
        assert_eq!(Head::read_uni(&[0x00]), Ok(Some((Head::Ignored, 1))));
        assert_eq!(Head::read_uni(&session_stream_head(8)), Ok(Some((Head::Session(8), 3))));
        assert_eq!(Head::read_bidi(&session_bidi_head(8)), Ok(Some((Head::Session(8), 3))));
        assert_eq!(Head::read_uni(&[0x3f]), Ok(Some((Head::Unknown, 1))));
    }

    #[test]
    fn datagrams_name_their_session_by_a_quarter() {
        let bytes = datagram(4 * 1_000, b"frame");
        assert_eq!(split_datagram(&bytes), Some((4_000, &b"frame"[..])));
        assert_eq!(split_datagram(&[]), None);
        assert_eq!(split_datagram(&[0xff; 8]), None, "no stream has this number");
    }
}
