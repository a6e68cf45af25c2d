//! TCP connections.

use std::io;
use std::net::{Shutdown, TcpStream as StdStream};
use std::os::fd::OwnedFd;
use std::task::{Context, Poll};
use std::time::Duration;

use glommio::net::TcpStream;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use socket2::{SockRef, TcpKeepalive};

use super::byte_stream::ByteStream;
use super::readiness::Watched;
use crate::limits::{KEEPALIVE_INTERVAL, KEEPALIVE_PROBES};

/// A TCP connection in the executor's epoll set.
pub(crate) struct Tcp {
    watched: Watched,
}

impl Tcp {
    /// Takes a connection just accepted on this executor.
    ///
    /// # Errors
    /// Descriptors have run out.
    pub(crate) fn accepted(
        stream: &TcpStream,
        probe_time: Duration,
        reader_stall: Duration,
    ) -> io::Result<Self> {
        let socket = SockRef::from(stream).try_clone()?;
        // Everything is gathered into one write already; Nagle only delays it.
        let probes = TcpKeepalive::new()
            .with_time(probe_time)
            .with_interval(KEEPALIVE_INTERVAL)
            .with_retries(KEEPALIVE_PROBES);
        // The kernel alone sees whether a peer takes bytes that were sent long ago: its
        // buffer may hold as much as a slow line carries in minutes.
        let set = socket
            .set_nodelay(true)
            .and_then(|()| socket.set_tcp_keepalive(&probes))
            .and_then(|()| socket.set_tcp_user_timeout(Some(reader_stall)));
        if let Err(error) = set {
            tracing::debug!(%error, "a socket's options cannot be set");
        }
        Self::attach(StdStream::from(socket).into())
    }

    /// Binds a detached socket to the executor of this thread.
    pub(super) fn attach(socket: OwnedFd) -> io::Result<Self> {
        Ok(Self { watched: Watched::new(socket)? })
    }

    /// A copy of the descriptor that belongs to no executor.
    pub(super) fn detach(self) -> io::Result<OwnedFd> {
        self.watched.into_socket()
    }
}

/// A call never waits, whatever the socket's own flags are, and a peer that is
/// gone is an error, not a signal.
const SEND: SendFlags = SendFlags::DONTWAIT.union(SendFlags::NOSIGNAL);

impl ByteStream for Tcp {
    fn poll_receive(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.watched.poll_read(context, buffer.len(), || {
            recv(self.watched.socket(), &mut *buffer, RecvFlags::DONTWAIT).map(|(length, _)| length)
        })
    }

    fn try_send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(send(self.watched.socket(), bytes, SEND)?)
    }

    fn poll_send(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.watched.poll_write(context, || send(self.watched.socket(), bytes, SEND))
    }

    fn unflushed_bytes(&self) -> usize {
        0
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn end(&mut self, how: Shutdown) {
        // Fails only when the peer has ended the connection already.
        let _ = SockRef::from(self.watched.socket()).shutdown(how);
    }
}
