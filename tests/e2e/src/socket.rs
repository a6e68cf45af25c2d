//! A WebSocket by hand (RFC 6455), and the frames in it.

use std::io::{Read, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use desk_protocol::codec::{Decoded, decode_server, encode_client};
use desk_protocol::frame::{CloseCode, Hello, Submit, Welcome};
use desk_protocol::{
    ClientFrame, ClientSeq, Color, Commit, Create, Operation, Point, Revision, ServerFrame, Size,
    StickerId,
};

use crate::http::{KEY, Reply, connect, request};
use crate::server::Server;
use crate::wait::now;

/// An open WebSocket.
#[derive(Debug)]
pub struct Socket {
    stream: TcpStream,
    /// The answer to the handshake.
    pub reply: Reply,
    /// Bytes of frames not taken yet.
    frames: Vec<u8>,
}

/// How a WebSocket ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct End {
    /// The code of its close frame; 1006 if there was none.
    pub code: u16,
    /// Its reason.
    pub reason: String,
}

/// The example key of RFC 6455, section 1.3, and the answer to it.
pub const NONCE: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// See [`NONCE`].
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// The fields of a good handshake, but for the key.
pub const HANDSHAKE: [(&str, &str); 4] = [
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", NONCE),
];

impl Socket {
    /// Asks for a WebSocket.
    pub fn ask(server: &Server, fields: &[(&str, &str)]) -> Self {
        let mut stream = connect(server.address());
        let target = "/api/desk/collaboration/init";
        stream.write_all(&request(server, "GET", target, fields, b"")).unwrap();
        let reply = Reply::read(&mut stream);
        Self { stream, reply, frames: Vec::new() }
    }

    /// Opens one, as a program does; no hello yet.
    ///
    /// # Panics
    /// When the server refuses it.
    pub fn open(server: &Server, key: &str) -> Self {
        let mut fields = HANDSHAKE.to_vec();
        fields.push((KEY, key));
        let socket = Self::ask(server, &fields);
        assert_eq!(socket.reply.status, 101, "{:?}", socket.reply);
        socket
    }

    /// Opens one and says hello without a state; the welcome and what brings it
    /// up to date are taken.
    pub fn live(server: &Server, key: &str) -> Self {
        let mut socket = Self::open(server, key);
        socket.hello(key, 1, None, "");
        socket.catch_up();
        socket
    }

    /// Takes the welcome and everything up to its revision.
    ///
    /// # Panics
    /// When something else comes.
    pub fn catch_up(&mut self) -> Welcome {
        let ServerFrame::Welcome(welcome) = self.frame() else { panic!("a welcome comes first") };
        if welcome.snapshot {
            loop {
                let ServerFrame::SnapshotChunk(chunk) = self.frame() else {
                    panic!("a snapshot follows")
                };
                if chunk.offset as usize + chunk.bytes.len() == chunk.total as usize {
                    break;
                }
            }
        }
        welcome
    }

    /// Says hello.
    pub fn hello(&mut self, key: &str, connection: u64, revision: Option<Revision>, user: &str) {
        self.send(&ClientFrame::Hello(Hello {
            session_key: key.to_owned(),
            connection,
            revision,
            user: user.to_owned(),
            repeats: false,
        }));
    }

    /// Submits a batch.
    pub fn submit(&mut self, seq: u64, base: Revision, operations: Vec<Operation>) {
        let client_seq = ClientSeq(seq);
        let submit = Submit { client_seq, base, made_at: base, operations };
        self.send(&ClientFrame::Submit(submit));
    }

    /// Sends a frame as a message of its own.
    pub fn send(&mut self, frame: &ClientFrame) {
        let mut bytes = Vec::new();
        encode_client(frame, &mut bytes);
        self.message(0x82, &bytes);
    }

    /// Sends a WebSocket frame with this first byte.
    pub fn message(&mut self, first: u8, payload: &[u8]) {
        self.try_message(first, payload).unwrap();
    }

    /// [`Socket::message`], where the server may have closed already.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn try_message(&mut self, first: u8, payload: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(&masked(first, payload))
    }

    /// The next frame.
    ///
    /// # Panics
    /// When the WebSocket ends.
    pub fn frame(&mut self) -> ServerFrame {
        self.receive().unwrap_or_else(|end| panic!("a frame, not the end: {end:?}"))
    }

    /// The next frame that is a commit.
    pub fn commit(&mut self) -> Commit {
        loop {
            match self.frame() {
                ServerFrame::Commit(commit) => return commit,
                ServerFrame::Presence(_) | ServerFrame::Pong { .. } => {}
                other => panic!("a commit, not {other:?}"),
            }
        }
    }

    /// The reason that the server gives in a close frame of the desk protocol,
    /// and the WebSocket's end behind it.
    pub fn closed(&mut self) -> (CloseCode, String, End) {
        let mut given = None;
        loop {
            match self.receive() {
                Ok(ServerFrame::Close { code, detail }) => given = Some((code, detail)),
                Ok(_) => {}
                Err(end) => {
                    let (code, detail) = given.unwrap_or_else(|| panic!("no reason: {end:?}"));
                    return (code, detail, end);
                }
            }
        }
    }

    /// The next frame. Pings are answered on the way.
    ///
    /// # Errors
    /// The end of the WebSocket, if it comes first.
    pub fn receive(&mut self) -> Result<ServerFrame, End> {
        loop {
            match decode_server(&self.frames).expect("the server's frames are sound") {
                Decoded::Frame(length, frame) => {
                    self.frames.drain(..length);
                    if let Some(frame) = frame {
                        return Ok(frame);
                    }
                }
                Decoded::Incomplete => match self.read_message() {
                    Some((0x82, payload)) => self.frames.extend(payload),
                    Some((0x88, payload)) => return Err(end(&payload)),
                    // A peer that is gone meanwhile is the next read's news.
                    Some((0x89, payload)) => drop(self.try_message(0x8a, &payload)),
                    Some((0x8a, _)) => {}
                    Some((first, _)) => panic!("unexpected opcode {first:#x}"),
                    None => return Err(End { code: 1006, reason: String::new() }),
                },
            }
        }
    }

    fn read_message(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut head = [0; 2];
        self.stream.read_exact(&mut head).ok()?;
        assert_eq!(head[1] & 0x80, 0, "a server does not mask");
        let length = match head[1] {
            126 => u64::from(u16::from_be_bytes(self.read_array()?)),
            127 => u64::from_be_bytes(self.read_array()?),
            short => u64::from(short),
        };
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        self.stream.read_exact(&mut payload).ok()?;
        Some((head[0], payload))
    }

    fn read_array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        self.stream.read_exact(&mut bytes).ok().map(|()| bytes)
    }

    /// Answers a close that was received, and waits for the end of the
    /// connection; whether that came in order, and not as a reset.
    pub fn hang_up(&mut self) -> bool {
        let _ = self.try_message(0x88, &1000u16.to_be_bytes());
        loop {
            match self.stream.read(&mut [0; 4_096]) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(_) => return false,
            }
        }
    }

    /// The stream below, for what no client should do.
    pub fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// The first message that is no ping or pong and arrives within `time`: its first
    /// byte and its payload. Pings are answered on the way.
    ///
    /// # Panics
    /// When the connection ends.
    pub fn told_within(&mut self, time: Duration) -> Option<(u8, Vec<u8>)> {
        let end = now() + time;
        while let left = end.saturating_duration_since(now())
            && !left.is_zero()
            && !self.is_silent(left)
        {
            match self.read_message().expect("the connection stands") {
                (0x89, payload) => self.message(0x8a, &payload),
                (0x8a, _) => {}
                told => return Some(told),
            }
        }
        None
    }

    /// Whether nothing arrives within `time`.
    pub fn is_silent(&mut self, time: Duration) -> bool {
        self.stream.set_read_timeout(Some(time)).unwrap();
        let mut byte = [0];
        let silent = self.stream.peek(&mut byte).is_err();
        self.stream.set_read_timeout(Some(crate::PATIENCE * 2)).unwrap();
        silent
    }
}

fn end(payload: &[u8]) -> End {
    match payload {
        [high, low, reason @ ..] => End {
            code: u16::from_be_bytes([*high, *low]),
            reason: String::from_utf8(reason.to_vec()).unwrap(),
        },
        _ => End { code: 1005, reason: String::new() },
    }
}

/// A creation.
pub fn creation(id: u64, text: &str) -> Operation {
    Operation::Create(Create {
        id: StickerId(id),
        position: Point::default(),
        size: Size::default(),
        color: Color::default(),
        text: text.to_owned(),
        ..Create::default()
    })
}

/// A submit as a frame's bytes.
pub fn submit_frame(seq: u64, base: u64, operations: Vec<Operation>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let base = Revision(base);
    let submit = Submit { client_seq: ClientSeq(seq), base, made_at: base, operations };
    encode_client(&ClientFrame::Submit(submit), &mut bytes);
    bytes
}

/// A client's WebSocket frame: first byte, length, mask, payload.
pub fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x37, 0xfa, 0x21, 0x3d];
    let mut bytes = vec![first];
    match payload.len() {
        short @ ..126 => bytes.push(0x80 | u8::try_from(short).unwrap()),
        medium @ 126..=0xffff => {
            bytes.push(0x80 | 126);
            bytes.extend(u16::try_from(medium).unwrap().to_be_bytes());
        }
        long => {
            bytes.push(0x80 | 127);
            bytes.extend((long as u64).to_be_bytes());
        }
    }
    bytes.extend(mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}
