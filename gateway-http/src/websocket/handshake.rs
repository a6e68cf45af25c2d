//! The opening handshake (RFC 6455, section 4), both sides.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};

use crate::Time;
use crate::http::client::{AnswerError, AnswerReader};
use crate::http::{BodyFraming, Method, RequestHead, Response, Status};
use crate::problem::Problem;

/// The subprotocol of our frames.
pub const SUBPROTOCOL: &str = "sticker-desk.v1";

/// How a browser, which cannot set header fields, offers its session key.
pub const SESSION_PREFIX: &str = "session.";

/// The header field that carries the session key.
pub const SESSION_KEY_FIELD: &str = "WebSocket-Session-Key";

/// The header field that echoes it.
pub const SESSION_ACCEPT_FIELD: &str = "WebSocket-Session-Accept";

/// Why a request is no WebSocket handshake; the peer's fault.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum HandshakeError {
    /// Not a GET of HTTP/1.1.
    #[error("a WebSocket handshake is a GET of HTTP/1.1 without a body")]
    NotGet,
    /// A field that RFC 6455 requires is not there.
    #[error("the header field {field} is missing")]
    Missing {
        /// Its name.
        field: &'static str,
        /// What it has to hold.
        expected: &'static str,
    },
    /// A field that RFC 6455 requires has another value.
    #[error("the header field {field} has a wrong value")]
    Wrong {
        /// Its name.
        field: &'static str,
        /// What it has to hold.
        expected: &'static str,
    },
    /// Another version of the protocol.
    #[error("only version 13 of the WebSocket protocol is spoken here")]
    Version,
    /// Subprotocols are offered, and ours is not among them.
    #[error("none of the offered subprotocols is spoken here")]
    Subprotocol,
    /// The key in the header field and the one among the subprotocols differ.
    #[error("two different session keys are given")]
    TwoSessionKeys,
}

impl HandshakeError {
    /// The answer that says so.
    pub fn problem(&self) -> Problem {
        match self {
            Self::Version => Problem::new(
                Status::UPGRADE_REQUIRED,
                format!("{self}; send Sec-WebSocket-Version: 13."),
            )
            .with("Sec-WebSocket-Version", "13")
            .with("Upgrade", "websocket"),
            Self::Missing { field, expected } | Self::Wrong { field, expected } => {
                Problem::new(Status::BAD_REQUEST, format!("{self}; send {field}: {expected}."))
            }
            Self::Subprotocol => Problem::new(
                Status::BAD_REQUEST,
                format!("{self}; offer {SUBPROTOCOL}, or leave Sec-WebSocket-Protocol out."),
            ),
            Self::TwoSessionKeys => Problem::new(
                Status::BAD_REQUEST,
                format!(
                    "{self}; give it either as {SESSION_KEY_FIELD} or as the subprotocol \
                     {SESSION_PREFIX}KEY."
                ),
            ),
            Self::NotGet => Problem::new(
                Status::BAD_REQUEST,
                format!("{self}; send the handshake of RFC 6455, section 4.1."),
            ),
        }
    }
}

/// A good handshake, to be answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Upgrade {
    accept: String,
    subprotocol: Option<&'static str>,
    /// The session key, from the header field or the subprotocols.
    pub session_key: Option<String>,
}

impl Upgrade {
    /// Checks a request.
    ///
    /// # Errors
    /// What is missing or wrong, by name.
    pub fn check(head: &RequestHead) -> Result<Self, HandshakeError> {
        if head.method() != Method::Get || head.is_http_1_0() || head.body() != BodyFraming::None {
            return Err(HandshakeError::NotGet);
        }
        require_token(head, "Upgrade", "websocket")?;
        require_token(head, "Connection", "Upgrade")?;
        let accept = accept_key(nonce(head)?);
        let expected = "13";
        match head.field("Sec-WebSocket-Version").map(str::trim) {
            None => {
                return Err(HandshakeError::Missing { field: "Sec-WebSocket-Version", expected });
            }
            Some("13") => {}
            Some(_) => return Err(HandshakeError::Version),
        }
        let (subprotocol, session_key) = subprotocols(head)?;
        Ok(Self { accept, subprotocol, session_key })
    }

    /// The `101` as bytes; what follows on the stream are frames.
    pub fn to_bytes(&self, now: Time) -> Vec<u8> {
        let mut response = Response::new(Status::SWITCHING_PROTOCOLS)
            .with("Upgrade", "websocket")
            .with("Sec-WebSocket-Accept", self.accept.clone());
        if let Some(subprotocol) = self.subprotocol {
            response = response.with("Sec-WebSocket-Protocol", subprotocol);
        }
        if let Some(key) = &self.session_key {
            response = response.with(SESSION_ACCEPT_FIELD, key.clone());
        }
        response.to_bytes("Upgrade", now)
    }
}

fn require_token(
    head: &RequestHead,
    field: &'static str,
    expected: &'static str,
) -> Result<(), HandshakeError> {
    if head.values(field).next().is_none() {
        Err(HandshakeError::Missing { field, expected })
    } else if !head.lists(field, expected) {
        Err(HandshakeError::Wrong { field, expected })
    } else {
        Ok(())
    }
}

fn nonce(head: &RequestHead) -> Result<&str, HandshakeError> {
    let field = "Sec-WebSocket-Key";
    let expected = "16 random bytes in base64";
    match head.values(field).count() {
        0 => return Err(HandshakeError::Missing { field, expected }),
        1 => {}
        _ => return Err(HandshakeError::Wrong { field, expected }),
    }
    let nonce = head.field(field).unwrap_or_default();
    let decoded = STANDARD.decode(nonce).ok().filter(|bytes| bytes.len() == 16);
    decoded.map(|_| nonce).ok_or(HandshakeError::Wrong { field, expected })
}

type Offer = (Option<&'static str>, Option<String>);

fn subprotocols(head: &RequestHead) -> Result<Offer, HandshakeError> {
    let mut offered = false;
    let mut selected = None;
    let mut key = head.field(SESSION_KEY_FIELD).map(|key| key.trim().to_owned());
    for element in head.elements("Sec-WebSocket-Protocol") {
        offered = true;
        if element == SUBPROTOCOL {
            selected = Some(SUBPROTOCOL);
        } else if let Some(offer) = element.strip_prefix(SESSION_PREFIX) {
            if key.as_deref().is_some_and(|key| key != offer) {
                return Err(HandshakeError::TwoSessionKeys);
            }
            key = Some(offer.to_owned());
        }
    }
    if offered && selected.is_none() {
        return Err(HandshakeError::Subprotocol);
    }
    Ok((selected, key))
}

/// What the server answers to `Sec-WebSocket-Key`.
pub fn accept_key(nonce: &str) -> String {
    let mut hash = Sha1::new();
    hash.update(nonce);
    hash.update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    STANDARD.encode(hash.finalize())
}

/// Why a client did not get its connection; the server's doing.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ClientHandshakeError {
    /// The server answered something else than `101`.
    #[error("the server answered {}: {detail}", .status.0)]
    Refused {
        /// Its status.
        status: Status,
        /// The `code` of its problem, if it has one.
        code: Option<String>,
        /// What it says to do.
        detail: String,
        /// When to come back, in seconds, if it says so.
        retry_after_s: Option<u32>,
    },
    /// A `101` that RFC 6455 tells a client to reject.
    #[error("the server's 101 is not one of RFC 6455: {0}")]
    Wrong(&'static str),
    /// Not HTTP.
    #[error(transparent)]
    Answer(#[from] AnswerError),
}

/// The client's side of one handshake.
#[derive(Debug)]
pub struct ClientHandshake {
    nonce: String,
    session_key: String,
    reader: AnswerReader,
}

/// An error's body is read up to this size, in bytes.
const REFUSAL_BYTES_MAX: usize = 16 << 10;

impl ClientHandshake {
    /// A handshake with 16 random bytes of the caller's.
    pub fn new(random: [u8; 16], session_key: &str) -> Self {
        Self {
            nonce: STANDARD.encode(random),
            session_key: session_key.to_owned(),
            reader: AnswerReader::new(REFUSAL_BYTES_MAX),
        }
    }

    /// The request to send, for `target` (a path) on `host` (with its port).
    pub fn request(&self, target: &str, host: &str) -> Vec<u8> {
        let fields = [
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", &self.nonce),
            ("Sec-WebSocket-Protocol", SUBPROTOCOL),
            (SESSION_KEY_FIELD, &self.session_key),
        ];
        crate::http::client::request("GET", target, host, &fields, b"")
    }

    /// Takes the bytes of a read; once the handshake is complete, the bytes
    /// that came behind it, which are frames.
    ///
    /// # Errors
    /// The server refused, or did not answer as RFC 6455 says.
    pub fn handle_bytes(&mut self, bytes: &[u8]) -> Result<Option<Vec<u8>>, ClientHandshakeError> {
        let Some(answer) = self.reader.handle_bytes(bytes)? else { return Ok(None) };
        if answer.status != Status::SWITCHING_PROTOCOLS {
            return Err(ClientHandshakeError::Refused {
                status: answer.status,
                code: answer.code(),
                detail: answer.detail(),
                retry_after_s: answer.field("retry-after").and_then(|value| value.parse().ok()),
            });
        }
        let is = |field: &str, value: &str| {
            answer.field(field).is_some_and(|found| found.eq_ignore_ascii_case(value))
        };
        if !is("upgrade", "websocket") {
            return Err(ClientHandshakeError::Wrong("Upgrade is not websocket"));
        }
        let connection = answer.field("connection").unwrap_or_default();
        if !connection.split(',').any(|token| token.trim().eq_ignore_ascii_case("upgrade")) {
            return Err(ClientHandshakeError::Wrong("Connection is not Upgrade"));
        }
        if answer.field("sec-websocket-accept") != Some(&accept_key(&self.nonce)) {
            return Err(ClientHandshakeError::Wrong("Sec-WebSocket-Accept is not for this key"));
        }
        if answer.field("sec-websocket-extensions").is_some() {
            return Err(ClientHandshakeError::Wrong("an extension that was not offered"));
        }
        if answer.field("sec-websocket-protocol") != Some(SUBPROTOCOL) {
            return Err(ClientHandshakeError::Wrong("another subprotocol than the one offered"));
        }
        let reader = std::mem::replace(&mut self.reader, AnswerReader::new(0));
        Ok(Some(reader.into_leftover()))
    }
}
