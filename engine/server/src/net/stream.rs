//! Byte streams, behind one narrow trait.
//!
//! Everything above needs only these few calls, so that the executor's sockets
//! can give way to a ring of our own without a change elsewhere. Sending is
//! tried at once, in the shard's loop; only a stream that is full gets a task
//! that waits for it.

use std::io;
use std::net::Shutdown;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_lite::io::{AsyncRead as _, AsyncWrite as _};
use glommio::net::TcpStream;
use rustix::net::SendFlags;
use socket2::{SockRef, Socket};

/// A connected stream of bytes, on the executor that it was made on.
pub(crate) trait ByteStream {
    /// Reads what is there; 0 is the end.
    fn poll_receive(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>>;

    /// Sends what fits without waiting; `WouldBlock` if nothing does.
    fn try_send(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Sends a part as soon as something fits.
    fn poll_send(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>>;

    /// Ends one direction or both; a read that waits sees the end.
    fn end(&mut self, how: Shutdown);
}

/// The streams that there are.
pub(crate) enum Stream {
    /// TCP.
    Plain(Tcp),
}

/// A stream between two executors.
pub(crate) enum Detached {
    /// TCP.
    Plain(Socket),
}

impl Stream {
    /// Takes it off this executor.
    ///
    /// # Errors
    /// No descriptor is left for the copy.
    pub(crate) fn detach(self) -> io::Result<Detached> {
        match self {
            Self::Plain(tcp) => tcp.detach().map(Detached::Plain),
        }
    }
}

impl Detached {
    /// Binds it to the executor of this thread.
    pub(crate) fn attach(self) -> Stream {
        match self {
            Self::Plain(socket) => Stream::Plain(Tcp::attach(socket)),
        }
    }
}

impl ByteStream for Stream {
    fn poll_receive(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(tcp) => tcp.poll_receive(context, buffer),
        }
    }

    fn try_send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.try_send(bytes),
        }
    }

    fn poll_send(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(tcp) => tcp.poll_send(context, bytes),
        }
    }

    fn end(&mut self, how: Shutdown) {
        match self {
            Self::Plain(tcp) => tcp.end(how),
        }
    }
}

/// A TCP connection on glommio.
pub(crate) struct Tcp {
    stream: TcpStream,
}

impl Tcp {
    /// Takes a connection just accepted on this executor.
    pub(crate) fn accepted(stream: TcpStream) -> Self {
        let socket = SockRef::from(&stream);
        // Everything is gathered into one write already; Nagle only delays it.
        let set = socket.set_nodelay(true).and_then(|()| socket.set_keepalive(true));
        if let Err(error) = set {
            tracing::debug!(%error, "a socket's options cannot be set");
        }
        Self { stream }
    }

    /// Binds a detached socket to the executor of this thread.
    fn attach(socket: Socket) -> Self {
        Self { stream: TcpStream::from(socket) }
    }

    /// A copy of the descriptor (`F_DUPFD_CLOEXEC`) that belongs to no
    /// executor; the original is dropped with what it has under way.
    fn detach(self) -> io::Result<Socket> {
        SockRef::from(&self.stream).try_clone()
    }
}

impl ByteStream for Tcp {
    fn poll_receive(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }

    fn try_send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        SockRef::from(&self.stream).send_with_flags(bytes, flags.bits() as i32)
    }

    fn poll_send(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn end(&mut self, how: Shutdown) {
        // Fails only when the peer has ended the connection already.
        let _ = SockRef::from(&self.stream).shutdown(how);
    }
}
