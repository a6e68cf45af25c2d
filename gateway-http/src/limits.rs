//! Every bound of the Entry Point, with its unit and its reason.
//!
//! An operator may set those in [`HttpLimits`]; the constants are their
//! defaults. The others bound what a parser stores before it knows what it
//! reads, or are promised by the interface.

/// What an operator may set of one HTTP connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HttpLimits {
    /// See [`HEAD_BYTES_MAX`].
    pub head_bytes: usize,
    /// See [`HEADER_FIELDS_MAX`]; at most that.
    pub header_fields: usize,
    /// See [`BODY_BYTES_MAX`].
    pub body_bytes: usize,
    /// See [`IMPORT_BODY_BYTES_MAX`].
    pub import_body_bytes: usize,
    /// See [`PIPELINED_BYTES_MAX`].
    pub pipelined_bytes: usize,
    /// See [`HEAD_TIME_US`].
    pub head_us: u64,
    /// See [`BODY_TIME_US`].
    pub body_us: u64,
    /// See [`KEEP_ALIVE_TIME_US`].
    pub keep_alive_us: u64,
    /// See [`LINGER_TIME_US`].
    pub linger_us: u64,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            head_bytes: HEAD_BYTES_MAX,
            header_fields: HEADER_FIELDS_MAX,
            body_bytes: BODY_BYTES_MAX,
            import_body_bytes: IMPORT_BODY_BYTES_MAX,
            pipelined_bytes: PIPELINED_BYTES_MAX,
            head_us: HEAD_TIME_US,
            body_us: BODY_TIME_US,
            keep_alive_us: KEEP_ALIVE_TIME_US,
            linger_us: LINGER_TIME_US,
        }
    }
}

/// A request's head (request line and header fields), in bytes: sixteen times
/// what a browser sends here, small enough to hold for every connection.
pub const HEAD_BYTES_MAX: usize = 16 << 10;

/// Header fields in a request: browsers send about 20. More cannot be set: the
/// parser has places for so many on its stack.
pub const HEADER_FIELDS_MAX: usize = 100;

/// A request's body, in bytes: four client frames.
pub const BODY_BYTES_MAX: usize = 1 << 20;

/// The body of an import, in bytes: a full desk whose texts need six bytes a character in
/// JSON. The time for a body grows with it.
pub const IMPORT_BODY_BYTES_MAX: usize = 32 << 20;

/// One line of chunked framing (size and extensions, or a trailer), in bytes. No
/// policy: a size has 16 digits, and the rest is dropped.
pub const CHUNK_LINE_BYTES_MAX: usize = 1 << 10;

/// All trailers of a chunked body, in bytes. No policy: they are read and dropped.
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

/// Bytes that are still read from a connection after its last answer. No policy: whoever
/// was refused reads the answer long before, and each more only costs.
pub const LINGER_BYTES_MAX: usize = 1 << 20;

/// A WebSocket message from a client, in bytes: one client frame of the desk
/// protocol and room for a few small ones beside it.
pub const WEBSOCKET_MESSAGE_BYTES_MAX: usize = 512 << 10;

/// A message's buffer kept for the next one, in bytes. Larger ones are given
/// back, so that an idle connection stays small. No policy: nobody can tell.
pub const MESSAGE_BUFFER_KEPT_BYTES: usize = 4 << 10;

/// The largest wait of a long poll, in seconds: below the 30 s after which
/// many proxies give up. The interface promises it; the shard may end a poll
/// earlier.
pub const POLL_WAIT_S_MAX: u8 = 25;

/// A request for WebTransport, in bytes, its header fields decoded. No policy: it is one
/// address and a key, and a browser adds some hundred bytes.
pub const CONNECT_BYTES_MAX: usize = 16 << 10;

/// A capsule that closes a WebTransport session, in bytes: a code and 1024 bytes of a
/// reason. The standard says so.
pub const CAPSULE_BYTES_MAX: usize = 4 + 1_024;

/// Seconds after which a request that the server had no room for may come again. No policy:
/// room is there as soon as others were ended.
pub const NO_ROOM_RETRY_S: u32 = 2;
