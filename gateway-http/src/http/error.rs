//! What can be wrong with a request before anybody looks at its meaning.

use super::status::Status;
use crate::limits::{CHUNK_LINE_BYTES_MAX, HttpLimits};

/// Why a connection cannot go on with a request. All but the time-outs and
/// limits are the peer's breaches of RFC 9112. The connection ends with the
/// answer, since where the next request begins is then unknown.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RequestError {
    /// The peer: not HTTP/1.1.
    #[error("{0}")]
    Malformed(&'static str),
    /// The peer: another version of HTTP.
    #[error("only HTTP/1.1 and HTTP/1.0 are spoken here")]
    UnknownVersion,
    /// The peer: a transfer coding other than `chunked`.
    #[error("the only transfer coding understood is chunked")]
    UnknownCoding,
    /// The peer: an expectation other than `100-continue`.
    #[error("the only expectation understood is 100-continue")]
    UnknownExpectation,
    /// A limit: the head.
    #[error("a request's head may have {bytes} bytes and {fields} fields")]
    HeadTooLarge {
        /// Bytes that it may have.
        bytes: usize,
        /// Fields that it may have.
        fields: usize,
    },
    /// A limit: the body.
    #[error("a request's body may have {limit} bytes")]
    BodyTooLarge {
        /// Bytes that it may have.
        limit: u64,
    },
    /// A limit: lines of chunked framing.
    #[error("a line of chunked framing may have {CHUNK_LINE_BYTES_MAX} bytes")]
    ChunkLineTooLong,
    /// A time-out.
    #[error("the request's head did not arrive in {} seconds", seconds(*limit_us))]
    HeadTimeout {
        /// Microseconds that it may take.
        limit_us: u64,
    },
    /// A time-out.
    #[error("the request's body did not arrive in {} seconds", seconds(*limit_us))]
    BodyTimeout {
        /// Microseconds that it may take.
        limit_us: u64,
    },
    /// The server: what arrived of the request cannot be kept.
    #[error("the server has no room for this request now")]
    NoRoom,
}

impl RequestError {
    pub(super) const fn head_too_large(limits: &HttpLimits) -> Self {
        Self::HeadTooLarge { bytes: limits.head_bytes, fields: limits.header_fields }
    }

    pub(super) fn from_httparse(error: httparse::Error, limits: &HttpLimits) -> Self {
        use httparse::Error;
        match error {
            Error::HeaderName => Self::Malformed("a header field's name has a wrong character"),
            Error::HeaderValue => Self::Malformed("a header field's value has a wrong character"),
            Error::TooManyHeaders => Self::head_too_large(limits),
            Error::Version => Self::UnknownVersion,
            _ => Self::Malformed("the request line or a line's end is malformed"),
        }
    }

    /// The status that says so.
    pub const fn status(self) -> Status {
        match self {
            Self::Malformed(_) => Status::BAD_REQUEST,
            Self::UnknownVersion => Status::VERSION_NOT_SUPPORTED,
            Self::UnknownCoding => Status::NOT_IMPLEMENTED,
            Self::UnknownExpectation => Status::EXPECTATION_FAILED,
            Self::HeadTooLarge { .. } => Status::HEADER_FIELDS_TOO_LARGE,
            Self::BodyTooLarge { .. } => Status::CONTENT_TOO_LARGE,
            Self::ChunkLineTooLong => Status::BAD_REQUEST,
            Self::HeadTimeout { .. } | Self::BodyTimeout { .. } => Status::REQUEST_TIMEOUT,
            Self::NoRoom => Status::SERVICE_UNAVAILABLE,
        }
    }
}

/// As people write them: `10`, `0.25`.
fn seconds(micros: u64) -> f64 {
    std::time::Duration::from_micros(micros).as_secs_f64()
}
