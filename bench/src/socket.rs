//! One WebSocket of the generator: non-blocking, the product's own framing in
//! the client's role.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;

use anyhow::{Context as _, Result, bail};
use desk_gateway_http::websocket::handshake::ClientHandshake;
use desk_gateway_http::websocket::{Event, Input, Opcode, Role, WebSocket};
use mio::net::TcpStream as PolledStream;
use mio::{Interest, Registry, Token};

use crate::limits::{MESSAGE_BYTES_MAX, PATIENCE};
use crate::random::Random;

/// An open WebSocket.
#[derive(Debug)]
pub struct Socket {
    stream: PolledStream,
    framing: WebSocket,
    out: Vec<u8>,
    /// What came with the handshake's answer.
    behind: Vec<u8>,
}

impl Socket {
    /// Connects and shakes hands, waiting for it.
    pub fn open(address: &str, target: &str, session_key: &str, seed: u64) -> Result<Self> {
        let mut stream = TcpStream::connect(address).with_context(|| address.to_owned())?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut random = Random::new(seed);
        let mut nonce = [0; 16];
        nonce[..8].copy_from_slice(&random.bits().to_le_bytes());
        let mut handshake = ClientHandshake::new(nonce, session_key);
        stream.write_all(&handshake.request(target, address))?;
        let mut buffer = [0; 4_096];
        let behind = loop {
            let length = stream.read(&mut buffer).context("no answer to the handshake")?;
            if length == 0 {
                bail!("the server closed the connection during the handshake");
            }
            if let Some(behind) = handshake.handle_bytes(&buffer[..length])? {
                break behind;
            }
        };
        stream.set_nonblocking(true)?;
        // Nobody is to be protected from these keys.
        let keys = move || (random.bits() as u32).to_le_bytes();
        let framing = WebSocket::new(Role::Client(Box::new(keys)), MESSAGE_BYTES_MAX);
        Ok(Self { stream: PolledStream::from_std(stream), framing, out: Vec::new(), behind })
    }

    /// Has the poller watch it.
    pub fn register(&mut self, registry: &Registry, token: Token) -> Result<()> {
        Ok(registry.register(&mut self.stream, token, Interest::READABLE | Interest::WRITABLE)?)
    }

    /// Hands the binary messages that have arrived to `take`.
    pub fn read(
        &mut self,
        scratch: &mut [u8],
        mut take: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let mut behind = std::mem::take(&mut self.behind);
        if !behind.is_empty() {
            self.take_all(&mut behind, &mut take)?;
        }
        loop {
            let length = match self.stream.read(scratch) {
                Ok(0) => bail!("the server closed a connection"),
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            self.take_all(&mut scratch[..length], &mut take)?;
            // A short read of a stream means that nothing is left; the poller
            // tells when more comes.
            if length < scratch.len() {
                return Ok(());
            }
        }
    }

    fn take_all(
        &mut self,
        bytes: &mut [u8],
        take: &mut impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let mut input = Input::new(bytes);
        while let Some(event) = self.framing.next(&mut input, &mut self.out)? {
            match event {
                Event::Binary(message) => take(message)?,
                Event::Text(text) => bail!("the server sent text: {text}"),
                Event::Closed(reason) => bail!("the server closed a connection: {reason:?}"),
                Event::Pong(_) => {}
            }
        }
        Ok(())
    }

    /// Queues a message.
    pub fn send(&mut self, message: &[u8]) {
        self.framing.send(Opcode::Binary, message, &mut self.out);
    }

    /// Writes what the kernel takes; the rest goes when it is writable again.
    pub fn flush(&mut self) -> Result<()> {
        while !self.out.is_empty() {
            match self.stream.write(&self.out) {
                Ok(length) if length == self.out.len() => self.out.clear(),
                Ok(length) => drop(self.out.drain(..length)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}
