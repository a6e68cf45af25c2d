//! QUIC as a program of somebody else speaks it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use desk_client_native::rig;
use desk_protocol::codec::{Decoded, decode_server, encode_client};
use desk_protocol::frame::{ClientFrame, Hello, ServerFrame, Submit};
use desk_protocol::{ClientSeq, Operation, Revision};
use quinn::{ClientConfig, Connection, ConnectionId, Endpoint, RecvStream, SendStream};

use crate::desk::Joined;
use crate::server::Server;

/// The protocol of frames.
pub const ALPN: &[u8] = b"sticker-desk/1";

/// A connection and its stream of frames.
pub struct Quic {
    /// The socket's.
    pub endpoint: Endpoint,
    /// QUIC's.
    pub connection: Connection,
    /// Frames to the server.
    pub send: SendStream,
    /// Frames from the server.
    pub receive: RecvStream,
    inbox: Vec<u8>,
}

/// A client's configuration that offers a protocol and trusts any certificate. `first` is
/// the first byte of its first connection id.
pub fn config(protocol: &[u8], first: u8) -> ClientConfig {
    let mut config = rig::quic(protocol);
    config.initial_dst_cid_provider(Arc::new(move || {
        let mut id: Vec<u8> = (0..8).map(|_| fastrand()).collect();
        id[0] = first;
        ConnectionId::new(&id)
    }));
    config
}

/// A byte of no importance, new each time.
fn fastrand() -> u8 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static COUNT: AtomicU64 = AtomicU64::new(0x9e37_79b9_7f4a_7c15);
    let count = COUNT.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
    (count ^ u64::from(std::process::id()).rotate_left(24)).rotate_right(29) as u8
}

impl Quic {
    /// Connects. `first` leads the connection to shard `first` modulo their number.
    pub async fn connect(server: &Server, first: u8) -> Self {
        Self::connect_to(server.quic(), first).await
    }

    /// The same, to an address that leads to the server.
    pub async fn connect_to(address: SocketAddr, first: u8) -> Self {
        let endpoint = Endpoint::client(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0)).unwrap();
        let connecting = endpoint.connect_with(config(ALPN, first), address, "localhost");
        let connection = connecting.unwrap().await.unwrap();
        let (send, receive) = connection.open_bi().await.unwrap();
        Self { endpoint, connection, send, receive, inbox: Vec::new() }
    }

    /// Connects and says hello.
    pub async fn join(server: &Server, joined: &Joined, first: u8) -> Self {
        let mut line = Self::connect(server, first).await;
        line.hello(joined, 1).await;
        line
    }

    /// Says hello without any state.
    pub async fn hello(&mut self, joined: &Joined, connection: u64) {
        self.greet(joined, connection, false).await;
    }

    /// The same; `repeats`: commits may come in datagrams, too.
    pub async fn greet(&mut self, joined: &Joined, connection: u64, repeats: bool) {
        let session_key = joined.key.clone();
        let (user, revision) = ("tester".to_owned(), None);
        let hello = Hello { session_key, connection, revision, user, repeats };
        self.say(&ClientFrame::Hello(hello)).await;
    }

    /// Sends a frame on the stream.
    pub async fn say(&mut self, frame: &ClientFrame) {
        let mut bytes = Vec::new();
        encode_client(frame, &mut bytes);
        self.send.write_all(&bytes).await.unwrap();
    }

    /// Sends a batch.
    pub async fn submit(&mut self, seq: u64, base: Revision, operations: Vec<Operation>) {
        let client_seq = ClientSeq(seq);
        self.say(&ClientFrame::Submit(Submit { client_seq, base, made_at: base, operations }))
            .await;
    }

    /// The next frame on the stream; `None` at its end.
    pub async fn next(&mut self) -> Option<ServerFrame> {
        next_frame(&mut self.receive, &mut self.inbox).await
    }

    /// The snapshot that comes on a stream of the server's: its bytes, and its revision.
    pub async fn snapshot(&mut self) -> (Vec<u8>, Revision) {
        let mut stream = self.connection.accept_uni().await.unwrap();
        let (mut inbox, mut bytes, mut revision) = (Vec::new(), Vec::new(), Revision(0));
        while let Some(frame) = next_frame(&mut stream, &mut inbox).await {
            let ServerFrame::SnapshotChunk(chunk) = frame else { panic!("no part: {frame:?}") };
            assert_eq!(chunk.offset as usize, bytes.len());
            bytes.extend_from_slice(&chunk.bytes);
            revision = chunk.revision;
        }
        (bytes, revision)
    }

    /// The next frame that comes in a datagram.
    pub async fn datagram(&mut self) -> ServerFrame {
        let bytes = self.connection.read_datagram().await.unwrap();
        match decode_server(&bytes).expect("a sound frame") {
            Decoded::Frame(length, Some(frame)) if length == bytes.len() => frame,
            other => panic!("not one whole frame: {other:?}"),
        }
    }

    /// Sends a frame in a datagram.
    pub fn cast(&self, frame: &ClientFrame) {
        let mut bytes = Vec::new();
        encode_client(frame, &mut bytes);
        self.connection.send_datagram(bytes.into()).unwrap();
    }

    /// The next frame that `wanted` takes something from.
    ///
    /// # Panics
    /// When the stream ends first.
    pub async fn find<T>(&mut self, mut wanted: impl FnMut(&ServerFrame) -> Option<T>) -> T {
        loop {
            let frame = self.next().await.expect("the stream goes on");
            if let Some(found) = wanted(&frame) {
                return found;
            }
        }
    }
}

/// The next frame of a stream; `None` at its end.
pub async fn next_frame(stream: &mut RecvStream, inbox: &mut Vec<u8>) -> Option<ServerFrame> {
    loop {
        match decode_server(inbox).expect("a sound frame") {
            Decoded::Frame(length, frame) => {
                inbox.drain(..length);
                if frame.is_some() {
                    return frame;
                }
            }
            Decoded::Incomplete => {
                let chunk = stream.read_chunk(64 << 10, true).await.ok()??;
                inbox.extend_from_slice(&chunk.bytes);
            }
        }
    }
}
