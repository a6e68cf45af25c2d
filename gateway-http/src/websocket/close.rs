//! Close codes and the payload of a close frame (RFC 6455, section 7.4).

use super::{WebSocketError, frame::CONTROL_BYTES_MAX};

/// Why a connection ends, as the peer is told.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CloseCode(pub u16);

impl CloseCode {
    /// The purpose of the connection is fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// The server stops, or the page is left.
    pub const GOING_AWAY: Self = Self(1001);
    /// The peer broke RFC 6455.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// A kind of message that is not understood here, such as text.
    pub const UNSUPPORTED: Self = Self(1003);
    /// Text that is not UTF-8.
    pub const INVALID_DATA: Self = Self(1007);
    /// Not allowed, for a reason that no other code names.
    pub const POLICY: Self = Self(1008);
    /// The message is larger than the limit.
    pub const TOO_BIG: Self = Self(1009);
    /// The server failed.
    pub const INTERNAL: Self = Self(1011);
    /// The server restarts; come back.
    pub const RESTART: Self = Self(1012);
    /// Too much to do; come back later.
    pub const TRY_AGAIN: Self = Self(1013);

    /// Whether a peer may send this code: defined by the RFC or its registry,
    /// or given to libraries and applications (3000 to 4999).
    pub const fn is_sendable(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }
}

/// What a close frame said.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CloseReason {
    /// The code, if there was one.
    pub code: Option<CloseCode>,
    /// Text for people, often empty.
    pub text: String,
}

impl CloseReason {
    /// Reads a close frame's payload.
    pub(crate) fn parse(payload: &[u8]) -> Result<Self, WebSocketError> {
        match payload {
            [] => Ok(Self::default()),
            [_] => Err(WebSocketError::TruncatedCloseCode),
            [high, low, text @ ..] => {
                let code = CloseCode(u16::from_be_bytes([*high, *low]));
                if !code.is_sendable() {
                    return Err(WebSocketError::InvalidCloseCode(code.0));
                }
                let text = std::str::from_utf8(text).map_err(|_| WebSocketError::InvalidUtf8)?;
                Ok(Self { code: Some(code), text: text.to_owned() })
            }
        }
    }
}

/// A close frame's payload; `reason` is cut at a character so that it fits.
pub(crate) fn payload(code: CloseCode, reason: &str) -> Vec<u8> {
    let longest = reason.len().min(CONTROL_BYTES_MAX - 2);
    let fits = (0..=longest).rev().find(|&at| reason.is_char_boundary(at)).unwrap_or(0);
    let mut payload = code.0.to_be_bytes().to_vec();
    payload.extend_from_slice(&reason.as_bytes()[..fits]);
    payload
}
