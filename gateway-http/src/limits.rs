//! Every bound of the Entry Point, with its unit and its reason.

/// A request's head (request line and header fields), in bytes: sixteen times
/// what a browser sends here, small enough to hold for every connection.
pub const HEAD_BYTES_MAX: usize = 16 << 10;

/// Header fields in a request: browsers send about 20.
pub const HEADER_FIELDS_MAX: usize = 100;

/// A request's body, in bytes: four client frames, or a text to import.
pub const BODY_BYTES_MAX: usize = 1 << 20;

/// One line of chunked framing (size and extensions, or a trailer), in bytes.
pub const CHUNK_LINE_BYTES_MAX: usize = 1 << 10;

/// All trailers of a chunked body, in bytes. They are read and dropped.
pub const TRAILER_BYTES_MAX: usize = 4 << 10;

/// Bytes that a connection takes in while an earlier request of it waits for
/// its answer. Past it [`crate::http::Connection::wants_input`] says no.
pub const PIPELINED_BYTES_MAX: usize = 64 << 10;

/// Time to send a request's head, in microseconds, counted from its first byte
/// (on a fresh connection from its start).
pub const HEAD_TIME_US: u64 = 10_000_000;

/// Time to send a request's body, in microseconds: 1 MiB at 280 kbit/s.
pub const BODY_TIME_US: u64 = 30_000_000;

/// How long a connection may stay open between two requests, in microseconds.
pub const KEEP_ALIVE_TIME_US: u64 = 60_000_000;

/// How long a connection is still read from after its last answer, in
/// microseconds, so that a reset does not overtake that answer.
pub const LINGER_TIME_US: u64 = 2_000_000;

/// A WebSocket message from a client, in bytes: one client frame of the desk
/// protocol and room for a few small ones beside it.
pub const WEBSOCKET_MESSAGE_BYTES_MAX: usize = 512 << 10;

/// A message's buffer kept for the next one, in bytes. Larger ones are given
/// back, so that an idle connection stays small.
pub const MESSAGE_BUFFER_KEPT_BYTES: usize = 4 << 10;

/// The largest wait of a long poll, in seconds: below the 30 s after which
/// many proxies give up.
pub const POLL_WAIT_S_MAX: u8 = 25;
