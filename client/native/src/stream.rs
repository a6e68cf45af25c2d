//! A byte stream to a server: TCP, with TLS on top where the address says so.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::address::Server;
use crate::limits::CONNECT_TIME;
use crate::trust::Trust;

/// Opens streams to one server.
#[derive(Clone)]
pub(crate) struct Connector {
    pub(crate) server: Server,
    tls: Option<TlsConnector>,
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Connector").field(&self.server).finish()
    }
}

impl Connector {
    pub(crate) fn new(server: Server, trust: &Trust) -> Self {
        let tls =
            server.is_secure().then(|| TlsConnector::from(Arc::new(trust.config(b"http/1.1"))));
        Self { server, tls }
    }

    /// For another server that is trusted as this one is; `None`: it asks for TLS, which
    /// this one does not.
    pub(crate) fn to(&self, server: Server) -> Option<Self> {
        let tls = self.tls.clone().filter(|_| server.is_secure());
        (tls.is_some() == server.is_secure()).then_some(Self { server, tls })
    }

    /// Opens one.
    pub(crate) async fn connect(&self) -> io::Result<Stream> {
        match timeout(CONNECT_TIME, self.open()).await {
            Ok(opened) => opened,
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "no answer in time")),
        }
    }

    async fn open(&self) -> io::Result<Stream> {
        let tcp = TcpStream::connect((self.server.host(), self.server.port())).await?;
        // Batches are whole when they are written: waiting for more only delays.
        tcp.set_nodelay(true)?;
        let Some(tls) = &self.tls else { return Ok(Stream::Plain(tcp)) };
        let name = ServerName::try_from(self.server.host().to_owned())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        Ok(Stream::Secure(Box::new(tls.connect(name, tcp).await?)))
    }
}

/// An open stream.
pub(crate) enum Stream {
    Plain(TcpStream),
    Secure(Box<TlsStream<TcpStream>>),
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Secure(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Secure(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Secure(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Secure(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
