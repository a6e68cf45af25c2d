//! Bytes and when they can move: streams, TLS, readiness, deadlines.
//!
//! It is a leaf: it knows no desk and no request. Streams stand on [`tcp`] and [`tls`],
//! QUIC stands on [`udp`], and what speaks a protocol over them stands above.

pub(crate) mod byte_stream;
pub(crate) mod deadlines;
pub(crate) mod flag;
pub(crate) mod polled;
pub(crate) mod quic;
pub(crate) mod readiness;
pub(crate) mod scratch;
pub(crate) mod stream;
pub(crate) mod tcp;
pub(crate) mod tls;
pub(crate) mod udp;
pub(crate) mod udp_group;
pub(crate) mod unsent;
