//! Byte streams, behind one narrow trait.
//!
//! Everything above needs only these few calls, whatever the bytes pass through
//! and however readiness is learnt ([`super::readiness`]). Sending is tried at
//! once, in the shard's loop; only a stream that is full gets a task that waits
//! for it.

use std::io;
use std::net::Shutdown;
use std::task::{Context, Poll};

/// A connected stream of bytes, on the executor that it was made on.
pub(crate) trait ByteStream {
    /// Reads what is there; 0 is the end.
    fn poll_receive(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>>;

    /// Takes what it can send without waiting, and says how much that is;
    /// `WouldBlock` if it is nothing.
    fn try_send(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Takes a part as soon as it can.
    fn poll_send(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>>;

    /// Bytes that are kept of those that were taken, until all have left for the network.
    fn unflushed_bytes(&self) -> usize;

    /// Waits until everything taken has left.
    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Ends one direction or both; a read that waits sees the end.
    fn end(&mut self, how: Shutdown);
}
