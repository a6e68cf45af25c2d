//! The streams that there are, and how one changes executors.

use std::io;
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::task::{Context, Poll};

use super::byte_stream::ByteStream;
use super::tcp::Tcp;
use super::tls::{TlsSession, TlsStream};

/// A stream of any kind.
pub(crate) enum Stream {
    /// TCP.
    Plain(Tcp),
    /// TLS over TCP.
    Tls(Box<TlsStream>),
}

/// A stream between two executors.
pub(crate) enum Detached {
    /// TCP.
    Plain(OwnedFd),
    /// TLS over TCP, with its session.
    Tls(OwnedFd, Box<TlsSession>),
}

impl Stream {
    /// Takes it off this executor.
    ///
    /// # Errors
    /// No descriptor is left for the copy.
    pub(crate) fn detach(self) -> io::Result<Detached> {
        match self {
            Self::Plain(tcp) => tcp.detach().map(Detached::Plain),
            Self::Tls(tls) => {
                let (tcp, session) = tls.into_parts();
                Ok(Detached::Tls(tcp.detach()?, session))
            }
        }
    }
}

impl Detached {
    /// Binds it to the executor of this thread.
    ///
    /// # Errors
    /// The kernel takes no more sockets to watch.
    pub(crate) fn attach(self) -> io::Result<Stream> {
        Ok(match self {
            Self::Plain(socket) => Stream::Plain(Tcp::attach(socket)?),
            Self::Tls(socket, session) => {
                Stream::Tls(Box::new(TlsStream::new(Tcp::attach(socket)?, session)))
            }
        })
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
            Self::Tls(tls) => tls.poll_receive(context, buffer),
        }
    }

    fn try_send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.try_send(bytes),
            Self::Tls(tls) => tls.try_send(bytes),
        }
    }

    fn poll_send(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(tcp) => tcp.poll_send(context, bytes),
            Self::Tls(tls) => tls.poll_send(context, bytes),
        }
    }

    fn unflushed_bytes(&self) -> usize {
        match self {
            Self::Plain(tcp) => tcp.unflushed_bytes(),
            Self::Tls(tls) => tls.unflushed_bytes(),
        }
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(tcp) => tcp.poll_flush(context),
            Self::Tls(tls) => tls.poll_flush(context),
        }
    }

    fn end(&mut self, how: Shutdown) {
        match self {
            Self::Plain(tcp) => tcp.end(how),
            Self::Tls(tls) => tls.end(how),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::readiness;
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::sync::mpsc;

    use glommio::{LocalExecutorBuilder, Placement};

    fn executor() -> LocalExecutorBuilder {
        LocalExecutorBuilder::new(Placement::Unbound).io_memory(1 << 16).ring_depth(16)
    }

    async fn receive(stream: &mut Stream) -> Vec<u8> {
        let mut buffer = [0; 64];
        let length =
            std::future::poll_fn(|context| stream.poll_receive(context, &mut buffer)).await;
        buffer[..length.expect("the peer is there")].to_vec()
    }

    /// A socket that is read from on one executor goes on on another, with
    /// nothing lost of what arrives before, between and after.
    #[test]
    fn a_socket_changes_executors() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let accepted = OwnedFd::from(listener.accept().unwrap().0);
        let (send, handed_over) = mpsc::channel();
        client.write_all(b"one").unwrap();
        let first = executor().spawn(move || async move {
            readiness::start().unwrap();
            let mut stream = Detached::Plain(accepted).attach().unwrap();
            assert_eq!(receive(&mut stream).await, b"one");
            // A read is under way when the socket goes.
            let mut buffer = [0; 8];
            let waits = std::future::poll_fn(|context| {
                Poll::Ready(stream.poll_receive(context, &mut buffer).is_pending())
            });
            assert!(waits.await);
            send.send(stream.detach().unwrap()).unwrap();
        });
        first.unwrap().join().unwrap();
        client.write_all(b"two").unwrap();
        let second = executor().spawn(move || async move {
            readiness::start().unwrap();
            let mut stream = handed_over.recv().unwrap().attach().unwrap();
            assert_eq!(receive(&mut stream).await, b"two");
            assert_eq!(stream.try_send(b"three").unwrap(), 5);
            assert_eq!(stream.unflushed_bytes(), 0);
            stream.end(Shutdown::Both);
        });
        second.unwrap().join().unwrap();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).unwrap();
        assert_eq!(answer, b"three");
    }

    /// A commit that takes long keeps nobody from being read.
    #[test]
    fn a_hold_that_does_not_end_is_outwaited() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let accepted = OwnedFd::from(listener.accept().unwrap().0);
        let executor = executor().spawn(move || async move {
            readiness::start().unwrap();
            let hold = readiness::hold_during(std::future::pending::<Vec<u8>>());
            let read = async {
                let mut stream = Detached::Plain(accepted).attach().unwrap();
                client.write_all(b"one").unwrap();
                receive(&mut stream).await
            };
            assert_eq!(futures_lite::future::or(hold, read).await, b"one");
        });
        executor.unwrap().join().unwrap();
    }
}
