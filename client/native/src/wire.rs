//! A stream with what is still to be written to it: one cancel-safe turn reads
//! and writes at once.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};

use crate::limits::READ_BYTES;
use crate::stream::Stream;

/// See the module.
pub(crate) struct Wire {
    stream: Stream,
    /// What is to be written; `written` bytes of it already are.
    pub(crate) out: Vec<u8>,
    written: usize,
    /// Where a read goes.
    buffer: Vec<u8>,
}

impl Wire {
    pub(crate) fn new(stream: Stream) -> Self {
        Self { stream, out: Vec::new(), written: 0, buffer: vec![0; READ_BYTES] }
    }

    /// How many bytes of what there is were written.
    pub(crate) const fn written(&self) -> usize {
        self.written
    }

    /// Writes what there is and waits for bytes, which may be changed in place;
    /// none: the peer has ended the stream. Dropping the future loses nothing.
    pub(crate) async fn read(&mut self) -> io::Result<&mut [u8]> {
        let length = poll_fn(|cx| self.poll_read(cx)).await?;
        Ok(&mut self.buffer[..length])
    }

    /// Writes all there is and ends the stream.
    pub(crate) async fn shutdown(&mut self) -> io::Result<()> {
        poll_fn(|cx| {
            if self.poll_write(cx)?.is_pending() {
                return Poll::Pending;
            }
            Pin::new(&mut self.stream).poll_shutdown(cx)
        })
        .await
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let written = self.poll_write(cx);
        let mut buffer = ReadBuf::new(&mut self.buffer);
        match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
            // A server may refuse what it has not read to the end; then its
            // answer says more than the broken write does.
            Poll::Ready(Ok(())) if written.is_ok() || !buffer.filled().is_empty() => {
                Poll::Ready(Ok(buffer.filled().len()))
            }
            Poll::Ready(Ok(())) | Poll::Pending => match written {
                Ok(_) => Poll::Pending,
                Err(error) => Poll::Ready(Err(error)),
            },
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
        }
    }

    /// Ready when everything is written and flushed.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> io::Result<Poll<()>> {
        while self.written < self.out.len() {
            match Pin::new(&mut self.stream).poll_write(cx, &self.out[self.written..]) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(length)) => self.written += length,
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => return Ok(Poll::Pending),
            }
        }
        self.out.clear();
        self.written = 0;
        match Pin::new(&mut self.stream).poll_flush(cx) {
            Poll::Ready(flushed) => flushed.map(Poll::Ready),
            Poll::Pending => Ok(Poll::Pending),
        }
    }
}
