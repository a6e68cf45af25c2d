//! WebTransport as a browser speaks it.

use std::net::{Ipv4Addr, SocketAddr};

use desk_protocol::codec::encode_client;
use desk_protocol::frame::{ClientFrame, Hello, ServerFrame};
use quinn::{Connection, Endpoint, RecvStream, SendStream};

use crate::desk::Joined;
use crate::quic::{config, next_frame};
use crate::server::Server;

/// The address of sessions, without a key.
pub const PATH: &str = "/api/desk/collaboration/webtransport";

/// A connection that speaks HTTP/3, and its request for a session.
pub struct Web {
    /// The socket's.
    pub endpoint: Endpoint,
    /// QUIC's.
    pub connection: Connection,
    /// The stream of the request.
    pub session: (SendStream, RecvStream),
    /// The stream of frames, once it was opened.
    pub frames: Option<(SendStream, RecvStream)>,
    inbox: Vec<u8>,
}

impl Web {
    /// Connects, waits for the server's settings, and asks for a session. `target` is a
    /// path with its query.
    pub async fn ask(server: &Server, first: u8, target: &str, origin: Option<&str>) -> Self {
        let endpoint = Endpoint::client(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0)).unwrap();
        let connecting = endpoint.connect_with(config(b"h3", first), server.quic(), "localhost");
        let connection = connecting.unwrap().await.unwrap();
        let mut control = connection.open_uni().await.unwrap();
        // A control stream without settings of interest.
        control.write_all(&[0x00, 0x04, 0x00]).await.unwrap();
        let mut theirs = connection.accept_uni().await.unwrap();
        let mut head = [0; 3];
        theirs.read_exact(&mut head).await.unwrap();
        assert_eq!(head[..2], [0x00, 0x04], "a control stream that begins with settings");
        let mut settings = vec![0; head[2].into()];
        theirs.read_exact(&mut settings).await.unwrap();
        let draft_02 = [0xab, 0x60, 0x37, 0x42, 0x01];
        assert!(settings.windows(5).any(|setting| setting == draft_02), "{settings:x?}");
        // To end the control stream would be an error.
        std::mem::forget(control);

        let mut section = vec![0, 0];
        let authority = server.quic().to_string();
        for (name, value) in [
            (":method", "CONNECT"),
            (":scheme", "https"),
            (":authority", &*authority),
            (":path", target),
            (":protocol", "webtransport"),
            ("wt-available-protocols", "\"sticker-desk.v1\""),
        ]
        .into_iter()
        .chain(origin.map(|origin| ("origin", origin)))
        {
            text(name, 0x20, 0x07, &mut section);
            text(value, 0x00, 0x7f, &mut section);
        }
        let mut session = connection.open_bi().await.unwrap();
        let mut bytes = vec![0x01];
        bytes.extend_from_slice(&(0x4000 | section.len() as u16).to_be_bytes());
        bytes.extend_from_slice(&section);
        session.0.write_all(&bytes).await.unwrap();
        Self { endpoint, connection, session, frames: None, inbox: Vec::new() }
    }

    /// The answer to the request: its status, and whether it names the protocol.
    pub async fn answer(&mut self) -> (u16, bool) {
        let mut head = [0; 2];
        self.session.1.read_exact(&mut head).await.unwrap();
        let length = match head {
            [0x01, long @ 0x40..=0x7f] => {
                let mut low = [0];
                self.session.1.read_exact(&mut low).await.unwrap();
                usize::from(long & 0x3f) << 8 | usize::from(low[0])
            }
            [0x01, short] => short.into(),
            other => panic!("no answer begins with {other:x?}"),
        };
        let mut section = vec![0; length];
        self.session.1.read_exact(&mut section).await.unwrap();
        // The status comes first: a name of the static table, and three digits.
        assert_eq!(section[..5], [0, 0, 0x5f, 24 - 15, 3]);
        let status = std::str::from_utf8(&section[5..8]).unwrap().parse().unwrap();
        let named = b"\"sticker-desk.v1\"";
        (status, section.windows(named.len()).any(|part| part == named))
    }

    /// Opens a session and says hello.
    pub async fn join(server: &Server, joined: &Joined, first: u8) -> Self {
        let origin = server.url();
        let target = format!("{PATH}?session_key={}", joined.key);
        let mut web = Self::ask(server, first, &target, Some(&origin)).await;
        assert_eq!(web.answer().await, (200, true));
        let (mut send, receive) = web.connection.open_bi().await.unwrap();
        // Of the session whose request is on stream 0.
        send.write_all(&[0x40, 0x41, 0x00]).await.unwrap();
        web.frames = Some((send, receive));
        let session_key = joined.key.clone();
        let (connection, revision, user) = (1, None, "page".to_owned());
        let hello = Hello { session_key, connection, revision, user, repeats: false };
        web.say(&ClientFrame::Hello(hello)).await;
        web
    }

    /// Sends a frame.
    pub async fn say(&mut self, frame: &ClientFrame) {
        let mut bytes = Vec::new();
        encode_client(frame, &mut bytes);
        self.frames.as_mut().unwrap().0.write_all(&bytes).await.unwrap();
    }

    /// The next frame on the stream of frames; `None` at its end.
    pub async fn next(&mut self) -> Option<ServerFrame> {
        next_frame(&mut self.frames.as_mut().unwrap().1, &mut self.inbox).await
    }

    /// Reads a snapshot's stream to its end.
    pub async fn snapshot(&mut self) -> Vec<ServerFrame> {
        let mut stream = self.connection.accept_uni().await.unwrap();
        let mut head = [0; 3];
        stream.read_exact(&mut head).await.unwrap();
        assert_eq!(head, [0x40, 0x54, 0x00], "of the session whose request is on stream 0");
        let (mut inbox, mut frames) = (Vec::new(), Vec::new());
        while let Some(frame) = next_frame(&mut stream, &mut inbox).await {
            frames.push(frame);
        }
        frames
    }

    /// How the server ends the session: what its capsule says.
    pub async fn end(&mut self) -> (u32, String) {
        let rest = self.session.1.read_to_end(64 << 10).await.unwrap();
        // A frame of data around a capsule: kind, length, and code.
        let [0x00, frame, 0x68, 0x43, capsule, code @ ..] = &rest[..] else {
            panic!("no capsule that closes: {rest:x?}")
        };
        assert_eq!((usize::from(*frame), usize::from(*capsule)), (rest.len() - 2, rest.len() - 5));
        let (code, reason) = code.split_at(4);
        let reason = String::from_utf8(reason.to_vec()).unwrap();
        (u32::from_be_bytes(code.try_into().unwrap()), reason)
    }
}

/// A text of QPACK behind its length, whose first byte holds up to `most` beside `kind`.
fn text(text: &str, kind: u8, most: u8, out: &mut Vec<u8>) {
    match text.len().checked_sub(most.into()) {
        None => out.push(kind | text.len() as u8),
        Some(rest) => {
            assert!(rest < 0x80, "the rig writes lengths of two bytes at the most");
            out.extend([kind | most, rest as u8]);
        }
    }
    out.extend_from_slice(text.as_bytes());
}
