//! Bytes and when they can move: streams, TLS, readiness, deadlines.
//!
//! It is a leaf: it knows no desk, no shard and no request. Another transport
//! stands beside [`tcp`] and [`tls`], and what speaks a protocol over it stands above.

pub(crate) mod byte_stream;
pub(crate) mod deadlines;
pub(crate) mod flag;
pub(crate) mod readiness;
pub(crate) mod scratch;
pub(crate) mod stream;
pub(crate) mod tcp;
pub(crate) mod tls;
