//! One WebSocket of the generator: non-blocking, the product's own framing in
//! the client's role.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;

use anyhow::{Context as _, Result, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use desk_gateway_http::websocket::handshake::{ClientHandshake, accept_key};
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
        let mut random = Random::new(seed);
        let mut handshake = ClientHandshake::new(nonce(&mut random), session_key);
        let mut stream = connect(address)?;
        stream.write_all(&handshake.request(target, address))?;
        let mut buffer = [0; 4_096];
        let behind = loop {
            let length = read(&mut stream, &mut buffer)?;
            if let Some(behind) = handshake.handle_bytes(&buffer[..length])? {
                break behind;
            }
        };
        Self::over(stream, behind, random)
    }

    /// The same with a server of others, which does not know our subprotocol.
    pub fn open_plain(address: &str, target: &str, seed: u64) -> Result<Self> {
        let mut random = Random::new(seed);
        let key = STANDARD.encode(nonce(&mut random));
        let mut stream = connect(address)?;
        let request = format!(
            "GET {target} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: \
             Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
        );
        stream.write_all(request.as_bytes())?;
        let (mut answer, mut buffer) = (Vec::new(), [0; 4_096]);
        let head = loop {
            let length = read(&mut stream, &mut buffer)?;
            answer.extend_from_slice(&buffer[..length]);
            if let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
        };
        let behind = answer.split_off(head);
        let answer = String::from_utf8_lossy(&answer);
        ensure!(answer.contains(&accept_key(&key)), "the server does not upgrade: {answer}");
        Self::over(stream, behind, random)
    }

    fn over(stream: TcpStream, behind: Vec<u8>, mut random: Random) -> Result<Self> {
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

    /// Hands the messages that have arrived to `take`; all are to be of one kind.
    pub fn read(
        &mut self,
        scratch: &mut [u8],
        kind: Opcode,
        mut take: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let mut behind = std::mem::take(&mut self.behind);
        if !behind.is_empty() {
            self.take_all(&mut behind, kind, &mut take)?;
        }
        loop {
            let length = match self.stream.read(scratch) {
                Ok(0) => bail!("the server closed a connection"),
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            self.take_all(&mut scratch[..length], kind, &mut take)?;
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
        kind: Opcode,
        take: &mut impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let mut input = Input::new(bytes);
        while let Some(event) = self.framing.next(&mut input, &mut self.out)? {
            match event {
                Event::Binary(message) if kind == Opcode::Binary => take(message)?,
                Event::Text(text) if kind == Opcode::Text => take(text.as_bytes())?,
                Event::Binary(_) => bail!("the server sent bytes"),
                Event::Text(text) => bail!("the server sent text: {text}"),
                Event::Closed(reason) => bail!("the server closed a connection: {reason:?}"),
                Event::Pong(_) => {}
            }
        }
        Ok(())
    }

    /// Queues a message.
    pub fn send(&mut self, opcode: Opcode, message: &[u8]) {
        self.framing.send(opcode, message, &mut self.out);
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

fn connect(address: &str) -> Result<TcpStream> {
    let stream = TcpStream::connect(address).with_context(|| address.to_owned())?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

fn nonce(random: &mut Random) -> [u8; 16] {
    let mut nonce = [0; 16];
    nonce[..8].copy_from_slice(&random.bits().to_le_bytes());
    nonce
}

fn read(stream: &mut TcpStream, buffer: &mut [u8]) -> Result<usize> {
    let length = stream.read(buffer).context("no answer to the handshake")?;
    ensure!(length > 0, "the server closed the connection during the handshake");
    Ok(length)
}
