//! WebSocket (RFC 6455), both roles: handshake and framing, no extensions.
//!
//! [`WebSocket`] is a connection after its handshake. It takes the bytes of a
//! read ([`Input`]), lends whole messages, answers pings and closes, and
//! appends what is to be sent to one output buffer, so that everything of a
//! turn leaves in one write.
//!
//! ```
//! use desk_gateway_http::websocket::{Event, Input, Opcode, Role, WebSocket};
//!
//! let mut client = WebSocket::new(Role::Client(Box::new(|| [1, 2, 3, 4])), 1 << 20);
//! let mut server = WebSocket::new(Role::Server, 1 << 20);
//! let mut wire = Vec::new();
//! client.send(Opcode::Text, b"hello", &mut wire);
//!
//! let mut answer = Vec::new();
//! let mut input = Input::new(&mut wire);
//! while let Some(event) = server.next(&mut input, &mut answer).expect("a good peer") {
//!     assert_eq!(event, Event::Text("hello"));
//! }
//! ```

pub mod close;
pub mod frame;
pub mod handshake;
pub mod mask;
mod receiver;
mod utf8;

pub use close::{CloseCode, CloseReason};
pub use frame::{FrameHeader, Opcode};
pub use receiver::Input;

use receiver::{Receiver, Step};

/// What the peer did wrong; [`WebSocketError::code`] is what it is told.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum WebSocketError {
    /// A reserved bit is set, and no extension was agreed on.
    #[error("a reserved bit is set, but no extension was agreed on")]
    ReservedBits,
    /// The opcode is none of the RFC's.
    #[error("opcode {0} is reserved")]
    ReservedOpcode(u8),
    /// A client's frame without a mask.
    #[error("frames from a client must be masked")]
    NotMasked,
    /// A server's frame with a mask.
    #[error("frames from a server must not be masked")]
    Masked,
    /// A control frame without FIN.
    #[error("a control frame must not be fragmented")]
    FragmentedControl,
    /// A control frame over 125 bytes.
    #[error("a control frame carries at most 125 bytes")]
    LongControl,
    /// A length not in its shortest form, or of 2^63 and more.
    #[error("a length must be in its shortest form and below 2^63")]
    InvalidLength,
    /// A continuation without a message to continue.
    #[error("a continuation frame without a message to continue")]
    NothingToContinue,
    /// A new message inside a fragmented one.
    #[error("a new message began before the last one was finished")]
    UnfinishedMessage,
    /// A close frame of one byte.
    #[error("a close code takes two bytes")]
    TruncatedCloseCode,
    /// A close code that must not be sent.
    #[error("close code {0} must not be sent")]
    InvalidCloseCode(u16),
    /// Text, or a close reason, that is not UTF-8.
    #[error("text must be UTF-8")]
    InvalidUtf8,
    /// A message over the limit.
    #[error("a message has at most {bytes_max} bytes")]
    MessageTooLarge {
        /// The limit.
        bytes_max: usize,
    },
}

impl WebSocketError {
    /// The close code that says so.
    pub const fn code(&self) -> CloseCode {
        match self {
            Self::InvalidUtf8 => CloseCode::INVALID_DATA,
            Self::MessageTooLarge { .. } => CloseCode::TOO_BIG,
            _ => CloseCode::PROTOCOL_ERROR,
        }
    }
}

/// Where a client's masking keys come from: a source that others cannot
/// predict, as RFC 6455 demands. The shell owns it.
pub trait MaskSource: Send {
    /// The next key.
    fn next_key(&mut self) -> [u8; 4];
}

impl<F: FnMut() -> [u8; 4] + Send> MaskSource for F {
    fn next_key(&mut self) -> [u8; 4] {
        self()
    }
}

/// Which end of the connection this is.
pub enum Role {
    /// Frames arrive masked and leave plain.
    Server,
    /// Frames arrive plain and leave masked.
    Client(Box<dyn MaskSource>),
}

impl std::fmt::Debug for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Server => "Server",
            Self::Client(_) => "Client",
        })
    }
}

/// What arrived.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event<'a> {
    /// A text message.
    Text(&'a str),
    /// A binary message.
    Binary(&'a [u8]),
    /// The answer to a ping of ours, or a sign of life.
    Pong(&'a [u8]),
    /// The peer closes; nothing follows. The answer is already in the output.
    Closed(CloseReason),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Open,
    /// We sent a close and wait for the peer's.
    Closing,
    /// Both sides closed, or the peer broke the protocol.
    Closed,
}

/// A connection after its handshake.
#[derive(Debug)]
pub struct WebSocket {
    role: Role,
    receiver: Receiver,
    state: State,
}

impl WebSocket {
    /// An open connection; messages of the peer may have `message_bytes_max` bytes.
    pub fn new(role: Role, message_bytes_max: usize) -> Self {
        let receiver = Receiver::new(matches!(role, Role::Server), message_bytes_max);
        Self { role, receiver, state: State::Open }
    }

    /// Consumes `input` up to the next event; `None` when it is consumed.
    /// Pongs and the answer to a close are appended to `out`.
    ///
    /// # Errors
    /// What the peer did wrong. A close frame that says so is then in `out`,
    /// and the connection is closed: send what is there and end the stream.
    pub fn next<'a>(
        &'a mut self,
        input: &'a mut Input<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Option<Event<'a>>, WebSocketError> {
        loop {
            if self.state == State::Closed {
                return Ok(None);
            }
            let opcode = match self.receiver.step(input) {
                Ok(Step::NeedMore) => return Ok(None),
                Ok(Step::InPlace(kind, range)) => return data(kind, input.bytes(range)).map(Some),
                Ok(Step::Assembled(kind)) => return data(kind, self.receiver.message()).map(Some),
                Ok(Step::Control(opcode)) => opcode,
                Err(error) => return Err(self.fail(error, out)),
            };
            match opcode {
                Opcode::Ping if self.state == State::Open => {
                    let payload = self.receiver.control();
                    append(&mut self.role, Opcode::Pong, payload, out);
                }
                Opcode::Pong => return Ok(Some(Event::Pong(self.receiver.control()))),
                Opcode::Close => {
                    let reason = match CloseReason::parse(self.receiver.control()) {
                        Ok(reason) => reason,
                        Err(error) => return Err(self.fail(error, out)),
                    };
                    self.answer_close(&reason, out);
                    return Ok(Some(Event::Closed(reason)));
                }
                _ => {}
            }
        }
    }

    /// Appends a whole message, ping or pong to `out`. Nothing is sent once a
    /// close was.
    pub fn send(&mut self, opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) {
        if self.state == State::Open {
            append(&mut self.role, opcode, payload, out);
        }
    }

    /// Begins to close, telling the peer why; `reason` is cut to 123 bytes.
    /// The connection is over when the peer's close arrives, or when the
    /// caller has waited long enough.
    pub fn close(&mut self, code: CloseCode, reason: &str, out: &mut Vec<u8>) {
        if self.state == State::Open {
            append(&mut self.role, Opcode::Close, &close::payload(code, reason), out);
            self.state = State::Closing;
        }
    }

    /// Whether messages can be sent.
    pub fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// Bytes of a message that has not arrived whole.
    pub fn buffered_bytes(&self) -> usize {
        self.receiver.buffered_bytes()
    }

    /// Whether the beginning of a message has arrived and its end has not.
    pub fn is_within_message(&self) -> bool {
        self.receiver.is_within_message()
    }

    /// Keeps nothing of messages from now on: the peer's close is still understood, and
    /// what its messages hold is not.
    pub fn discard(&mut self) {
        self.receiver.discard();
    }

    /// Whether nothing more will be sent or understood: flush and end the stream.
    pub fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    fn answer_close(&mut self, reason: &CloseReason, out: &mut Vec<u8>) {
        if self.state == State::Open {
            let payload = reason.code.map(|code| close::payload(code, "")).unwrap_or_default();
            append(&mut self.role, Opcode::Close, &payload, out);
        }
        self.state = State::Closed;
    }

    fn fail(&mut self, error: WebSocketError, out: &mut Vec<u8>) -> WebSocketError {
        self.close(error.code(), &error.to_string(), out);
        self.state = State::Closed;
        error
    }
}

fn data(kind: Opcode, bytes: &[u8]) -> Result<Event<'_>, WebSocketError> {
    Ok(match kind {
        Opcode::Text => {
            Event::Text(std::str::from_utf8(bytes).map_err(|_| WebSocketError::InvalidUtf8)?)
        }
        _ => Event::Binary(bytes),
    })
}

fn append(role: &mut Role, opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) {
    let mut header = FrameHeader::whole(opcode, payload.len());
    out.reserve(payload.len() + frame::HEADER_BYTES_MAX);
    if let Role::Client(keys) = role {
        header.mask = Some(keys.next_key());
    }
    header.append(out);
    let start = out.len();
    out.extend_from_slice(payload);
    if let Some(key) = header.mask {
        mask::apply(&mut out[start..], key, 0);
    }
}
