//! WebTransport over HTTP/3 in the server's role, and what a program needs of the client's,
//! without I/O.
//!
//! What is here reads and writes bytes of single streams; who owns the streams stands
//! outside. [`control_stream`] is what each side says first. [`Head`] is what a stream
//! begins with. [`Connect`] asks for a session, and [`Capsules`] tells when the peer ends
//! it. Everything read is bounded: see [`crate::limits`].
//!
//! ```
//! use desk_gateway_http::webtransport::{Head, control_stream};
//!
//! assert_eq!(control_stream()[..2], [0x00, 0x04]);
//! assert_eq!(Head::read_bidi(&[0x40, 0x41, 0x00, 7])?, Some((Head::Session(0), 3)));
//! # Ok::<(), desk_gateway_http::webtransport::HeadError>(())
//! ```

mod capsule;
mod connect;
mod fields;
mod head;
mod huffman;
mod settings;
mod varint;

pub use capsule::{Capsules, CapsulesError, SessionEnd, session_close};
pub use connect::{Connect, ConnectError, accepted, connect_request, read_status, refused};
pub use fields::FieldsError;
pub use head::{Head, HeadError, datagram, session_bidi_head, session_stream_head, split_datagram};
pub use settings::control_stream;

/// The session, and with it the connection, is over: HTTP/3's `H3_NO_ERROR`.
pub const H3_NO_ERROR: u32 = 0x100;

/// The peer broke a rule of HTTP/3: `H3_GENERAL_PROTOCOL_ERROR`.
pub const H3_GENERAL_PROTOCOL_ERROR: u32 = 0x101;

/// A stream that is not wanted: `H3_STREAM_CREATION_ERROR`.
pub const H3_STREAM_CREATION_ERROR: u32 = 0x103;

/// The peer does too much of what it may: `H3_EXCESSIVE_LOAD`.
pub const H3_EXCESSIVE_LOAD: u32 = 0x107;

/// A request that is none of ours: `H3_REQUEST_REJECTED`.
pub const H3_REQUEST_REJECTED: u32 = 0x10b;

/// A code of a WebTransport stream as HTTP/3 carries it.
pub const fn stream_code(code: u32) -> u64 {
    // Every 31st number is reserved, to exercise that it is ignored.
    0x52e4_a40f_a8db + code as u64 + code as u64 / 0x1e
}
