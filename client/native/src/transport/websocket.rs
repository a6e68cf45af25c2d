//! Frames over WebSocket.

use desk_gateway_http::websocket::handshake::{ClientHandshake, ClientHandshakeError};
use desk_gateway_http::websocket::{
    CloseCode as SocketCode, Event, Input, Opcode, Role, WebSocket,
};
use tokio::time::timeout;

use desk_client_core::Trouble;

use super::{Came, Carrier, Line, LineEnd, lost};
use crate::address::Server;
use crate::limits::{CLOSE_TIME, MESSAGE_BYTES_MAX};
use crate::random::{self, MaskKeys};
use crate::stream::Connector;
use crate::trust::Trust;
use crate::wire::Wire;

/// Opens WebSockets at one address.
#[derive(Clone, Debug)]
pub(super) struct WebSocketTransport {
    connector: Connector,
    target: String,
}

/// The path at a server whose `init` names no address.
const TARGET: &str = "/api/desk/collaboration/init";

impl WebSocketTransport {
    /// For `url` as `init` gave it (`ws://…`), else for `server` itself.
    pub(super) fn new(server: &Server, url: Option<&str>, trust: &Trust) -> Self {
        let given = url.and_then(|url| Server::split(url, ["ws", "wss"]));
        let (server, target) = match given {
            Some((server, "")) => (server, "/".to_owned()),
            Some((server, path)) => (server, path.to_owned()),
            None => (server.clone(), server.target(TARGET)),
        };
        Self { connector: Connector::new(server, trust), target }
    }

    /// Opens one. The core gives up what takes too long: it knows how bad the line is.
    ///
    /// # Errors
    /// The server is not reached, or refuses.
    pub(super) async fn open(&self, session_key: &str) -> Result<WebSocketLine, LineEnd> {
        let stream = self.connector.connect().await.map_err(lost)?;
        let mut wire = Wire::new(stream);
        let mut handshake = ClientHandshake::new(random::bytes(), session_key);
        let host = self.connector.server.authority();
        wire.out = handshake.request(&self.target, &host);
        loop {
            let bytes = wire.read().await.map_err(lost)?;
            if bytes.is_empty() {
                return Err(lost("the server closed it during the handshake"));
            }
            match handshake.handle_bytes(bytes) {
                Ok(None) => {}
                Ok(Some(behind)) => {
                    let role = Role::Client(Box::new(MaskKeys::new()));
                    let socket = WebSocket::new(role, MESSAGE_BYTES_MAX);
                    return Ok(WebSocketLine { wire, socket, behind, end: None });
                }
                Err(ClientHandshakeError::Refused { status, code, detail, .. }) => {
                    let trouble = Trouble::of_answer(status.0, code.as_deref());
                    return Err(LineEnd { trouble, detail });
                }
                Err(error) => return Err(lost(error)),
            }
        }
    }
}

/// An open WebSocket.
pub(crate) struct WebSocketLine {
    wire: Wire,
    socket: WebSocket,
    /// What came with the handshake's answer.
    behind: Vec<u8>,
    /// Told once the frames before it were taken.
    end: Option<LineEnd>,
}

impl Line for WebSocketLine {
    fn carrier(&self) -> Carrier {
        Carrier::WebSocket
    }

    fn queue(&mut self, frames: &[u8]) {
        self.socket.send(Opcode::Binary, frames, &mut self.wire.out);
    }

    async fn turn(&mut self) -> Result<Came, LineEnd> {
        loop {
            if let Some(end) = self.end.take() {
                return Err(end);
            }
            let mut behind = std::mem::take(&mut self.behind);
            let mut answers = Vec::new();
            let (frames, end) = if behind.is_empty() {
                let bytes = self.wire.read().await.map_err(lost)?;
                if bytes.is_empty() {
                    return Err(lost("the server closed it"));
                }
                take(&mut self.socket, bytes, &mut answers)
            } else {
                take(&mut self.socket, &mut behind, &mut answers)
            };
            self.wire.out.append(&mut answers);
            self.end = end;
            if !frames.is_empty() {
                return Ok(Came::Frames(frames));
            }
        }
    }

    async fn close(mut self) {
        let goodbye = async {
            self.socket.close(SocketCode::NORMAL, "", &mut self.wire.out);
            let mut ignored = Vec::new();
            while let Ok(bytes) = self.wire.read().await {
                if bytes.is_empty() || take(&mut self.socket, bytes, &mut ignored).1.is_some() {
                    break;
                }
            }
            let _ = self.wire.shutdown().await;
        };
        let _ = timeout(CLOSE_TIME, goodbye).await;
    }
}

/// The frames among the bytes of a read, and whether the line ends behind them;
/// pongs go to `answers`.
fn take(
    socket: &mut WebSocket,
    bytes: &mut [u8],
    answers: &mut Vec<u8>,
) -> (Vec<u8>, Option<LineEnd>) {
    let mut frames = Vec::new();
    let mut input = Input::new(bytes);
    let end = loop {
        match socket.next(&mut input, answers) {
            Ok(Some(Event::Binary(message))) => frames.extend_from_slice(message),
            Ok(Some(Event::Pong(_))) => {}
            Ok(Some(Event::Text(_))) => break Some(lost("the server sent text")),
            Ok(Some(Event::Closed(reason))) => {
                let trouble = reason.code.map(|code| Trouble::of_websocket(code.0));
                let trouble = trouble.unwrap_or(Trouble::Lost);
                break Some(LineEnd { trouble, detail: reason.text });
            }
            Ok(None) => break None,
            Err(error) => break Some(lost(error)),
        }
    };
    (frames, end)
}
