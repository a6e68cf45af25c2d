//! TLS over TCP, by rustls, which does no I/O of its own.

use std::io::{self, Read as _, Write as _};
use std::net::Shutdown;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::{ServerConfig, ServerConnection};

use super::byte_stream::ByteStream;
use super::scratch;
use super::tcp::Tcp;

/// The state of a TLS connection, which may change executors.
pub(crate) struct TlsSession {
    connection: ServerConnection,
    /// Encrypted and not yet taken by TCP.
    out: Vec<u8>,
}

/// A TLS stream on this executor.
pub(crate) struct TlsStream {
    tcp: Tcp,
    session: Box<TlsSession>,
}

impl TlsSession {
    /// A connection that was just accepted.
    ///
    /// # Errors
    /// The configuration cannot be used.
    pub(crate) fn new(config: Arc<ServerConfig>) -> Result<Self, rustls::Error> {
        let mut connection = ServerConnection::new(config)?;
        // What is written is bounded above; here it only passes through.
        connection.set_buffer_limit(None);
        Ok(Self { connection, out: Vec::new() })
    }

    /// Takes what is to be sent out of the connection.
    fn collect(&mut self) -> io::Result<()> {
        while self.connection.wants_write() {
            self.connection.write_tls(&mut self.out)?;
        }
        Ok(())
    }

    /// Decrypts what arrived into `buffer`; how much came of it.
    fn decrypt(&mut self, mut cipher: &[u8], buffer: &mut [u8]) -> io::Result<usize> {
        let mut length = 0;
        while !cipher.is_empty() {
            self.connection.read_tls(&mut cipher)?;
            let processed = self.connection.process_new_packets();
            // An alert that says what was wrong may have to go out.
            self.collect()?;
            processed.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            length += self.take_plain(&mut buffer[length..])?;
        }
        Ok(length)
    }

    fn take_plain(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut length = 0;
        while length < buffer.len() {
            match self.connection.reader().read(&mut buffer[length..]) {
                Ok(0) => break,
                Ok(more) => length += more,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(length)
    }
}

impl TlsStream {
    /// A session over its TCP connection.
    pub(crate) fn new(tcp: Tcp, session: Box<TlsSession>) -> Self {
        Self { tcp, session }
    }

    /// Its parts, for another executor.
    pub(crate) fn into_parts(self) -> (Tcp, Box<TlsSession>) {
        (self.tcp, self.session)
    }

    /// Sends what TCP takes now.
    fn flush_some(&mut self) -> io::Result<()> {
        let out = &mut self.session.out;
        while !out.is_empty() {
            match self.tcp.try_send(out) {
                Ok(sent) => drop(out.drain(..sent)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        *out = Vec::new();
        Ok(())
    }

    fn encrypt(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.session.connection.writer().write_all(bytes)?;
        self.session.collect()?;
        self.flush_some()?;
        Ok(bytes.len())
    }
}

impl ByteStream for TlsStream {
    fn poll_receive(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            // The answer of a handshake must be sent before more is read.
            self.session.collect()?;
            self.flush_some()?;
            if self.unflushed_bytes() > 0 && self.session.connection.is_handshaking() {
                std::task::ready!(self.poll_flush(context))?;
            }
            let read = scratch::cipher(|cipher| {
                let tcp = std::task::ready!(self.tcp.poll_receive(context, cipher))?;
                let plain = self.session.decrypt(&cipher[..tcp], buffer)?;
                Poll::Ready(Ok::<_, io::Error>((tcp, plain)))
            });
            match std::task::ready!(read) {
                Ok((0, _)) => return Poll::Ready(Ok(0)),
                Ok((_, 0)) => {}
                Ok((_, plain)) => return Poll::Ready(Ok(plain)),
                Err(error) => {
                    self.flush_some()?;
                    return Poll::Ready(Err(error));
                }
            }
        }
    }

    fn try_send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.flush_some()?;
        if self.unflushed_bytes() > 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.encrypt(bytes)
    }

    fn poll_send(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        std::task::ready!(self.poll_flush(context))?;
        Poll::Ready(self.encrypt(bytes))
    }

    fn unflushed_bytes(&self) -> usize {
        // What has left stays allocated until the last byte has.
        self.session.out.capacity()
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.session.out.is_empty() {
            let sent = std::task::ready!(self.tcp.poll_send(context, &self.session.out))?;
            self.session.out.drain(..sent);
        }
        self.session.out = Vec::new();
        Poll::Ready(Ok(()))
    }

    fn end(&mut self, how: Shutdown) {
        if how != Shutdown::Read {
            self.session.connection.send_close_notify();
            // The peer may be gone; there is nobody to tell then.
            let _ = self.session.collect().and_then(|()| self.flush_some());
        }
        self.tcp.end(how);
    }
}
