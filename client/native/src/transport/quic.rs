//! Frames over QUIC: on the client's first stream, or on the first of its session of
//! WebTransport, and in datagrams.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{
    AckFrequencyConfig, ClientConfig, ConnectError, Connection, ConnectionId, Endpoint,
    IdleTimeout, ReadError, RecvStream, SendStream, TransportConfig, VarInt, WriteError,
};
use tokio::time::{sleep, timeout};

use super::session::Session;
use super::{Came, Carrier, Line, LineEnd, ended, lost};
use crate::limits::{
    CLOSE_TIME, QUIC_ACK_THRESHOLD, QUIC_IDLE_TIME, QUIC_NEWER_TIME, QUIC_PING_TIME, READ_BYTES,
};
use crate::random;
use crate::trust::Trust;

/// The protocol of programs: frames on a stream.
const ALPN: &[u8] = b"sticker-desk/1";

/// The protocol of browsers.
const ALPN_WEB: &[u8] = b"h3";

/// How frames are spoken on a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Speech {
    /// On its streams.
    Frames,
    /// On those of a session of WebTransport.
    Session,
}

/// Bytes of the first id that a connection is known by.
const FIRST_ID_BYTES: usize = 16;

/// Where QUIC is served, as `init` tells it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct QuicPlace {
    /// `host:port`
    pub(crate) authority: String,
    /// The shard that owns the desk.
    pub(crate) shard_hint: u8,
    /// What certificate is trusted.
    pub(crate) trust: Trust,
}

impl QuicPlace {
    /// Opens a connection and its stream of frames.
    ///
    /// QUIC repeats the first packet after 1, 2, 4 s and so on, which is long to wait for a
    /// network that has just come back. So newer attempts are made beside the first one. The
    /// first one is kept, since a slow line may take longer than they are given.
    ///
    /// # Errors
    /// There is no way to the server, or it is another one.
    pub(super) async fn open(&self, key: &str, speech: Speech) -> Result<QuicLine, LineEnd> {
        let newer = async {
            loop {
                sleep(QUIC_NEWER_TIME).await;
                if let Ok(Ok(line)) = timeout(QUIC_NEWER_TIME, self.attempt(key, speech)).await {
                    return line;
                }
            }
        };
        tokio::select! {
            opened = self.attempt(key, speech) => opened,
            line = newer => Ok(line),
        }
    }

    async fn attempt(&self, key: &str, speech: Speech) -> Result<QuicLine, LineEnd> {
        let host = match self.authority.rsplit_once(':') {
            Some((host, _)) => host.trim_start_matches('[').trim_end_matches(']'),
            None => return Err(lost("the address of QUIC has no port")),
        };
        let config = self.config(speech)?;
        let mut failure = lost("the name of the server has no address");
        for address in tokio::net::lookup_host(&self.authority).await.map_err(lost)? {
            let opened = async {
                let mut line = connect(address, host, config.clone()).await?;
                if speech == Speech::Session {
                    line.begin_session(&self.authority, key).await?;
                }
                Ok(line)
            };
            match opened.await {
                Ok(line) => return Ok(line),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    fn config(&self, speech: Speech) -> Result<ClientConfig, LineEnd> {
        let protocol = match speech {
            Speech::Frames => ALPN,
            Speech::Session => ALPN_WEB,
        };
        let tls = self.trust.config(protocol);
        let crypto = QuicClientConfig::try_from(tls).map_err(lost)?;
        let mut config = ClientConfig::new(Arc::new(crypto));
        let shard = self.shard_hint;
        // The first byte leads the first packet to the desk's shard.
        config.initial_dst_cid_provider(Arc::new(move || {
            let mut id: [u8; FIRST_ID_BYTES] = random::bytes();
            // A browser cannot do that.
            if speech == Speech::Frames {
                id[0] = shard;
            }
            ConnectionId::new(&id)
        }));
        let mut acknowledgements = AckFrequencyConfig::default();
        acknowledgements.ack_eliciting_threshold(VarInt::from_u32(QUIC_ACK_THRESHOLD));
        let mut transport = TransportConfig::default();
        let idle = IdleTimeout::try_from(QUIC_IDLE_TIME).map_err(lost)?;
        transport
            .keep_alive_interval(Some(QUIC_PING_TIME))
            .max_idle_timeout(Some(idle))
            .ack_frequency_config(Some(acknowledgements))
            // Frames are short: the server would answer probes that nobody profits by.
            .mtu_discovery_config(None);
        config.transport_config(Arc::new(transport));
        Ok(config)
    }
}

async fn connect(
    address: SocketAddr,
    host: &str,
    config: ClientConfig,
) -> Result<QuicLine, LineEnd> {
    let any = match address {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let endpoint = Endpoint::client(SocketAddr::new(any, 0)).map_err(lost)?;
    let connecting = endpoint.connect_with(config, address, host);
    let connection = connecting.map_err(|error: ConnectError| lost(error))?.await.map_err(ended)?;
    // In a session this is the stream of its request, until the session's first one follows.
    let (send, receive) = connection.open_bi().await.map_err(ended)?;
    Ok(QuicLine {
        endpoint,
        connection,
        session: None,
        send,
        receive,
        out: Vec::new(),
        written: 0,
        inbox: Inbox::default(),
        snapshot: None,
    })
}

/// An open connection.
pub(crate) struct QuicLine {
    endpoint: Endpoint,
    connection: Connection,
    /// `None`: the streams are the connection's own.
    session: Option<Session>,
    send: SendStream,
    receive: RecvStream,
    /// What is to be written; `written` bytes of it already are.
    out: Vec<u8>,
    written: usize,
    inbox: Inbox,
    /// A snapshot on its way.
    snapshot: Option<(RecvStream, Inbox)>,
}

impl QuicLine {
    /// Asks for a session, and goes on with its first stream.
    async fn begin_session(&mut self, authority: &str, key: &str) -> Result<(), LineEnd> {
        let (send, receive) = self.connection.open_bi().await.map_err(ended)?;
        let request = (
            std::mem::replace(&mut self.send, send),
            std::mem::replace(&mut self.receive, receive),
        );
        let session = Session::ask(&self.connection, request, authority, key).await?;
        self.send.write_all(&session.stream_head()).await.map_err(lost)?;
        self.session = Some(session);
        Ok(())
    }
}

/// The beginning of a frame whose rest is still to come. Each stream has one: a frame must
/// not come amid another.
#[derive(Default)]
struct Inbox {
    /// Bytes before the first frame.
    head: usize,
    begun: Vec<u8>,
}

impl Inbox {
    /// What came, up to the end of its last whole frame.
    fn take(&mut self, bytes: &Bytes) -> Vec<u8> {
        let head = self.head.min(bytes.len());
        self.head -= head;
        self.begun.extend_from_slice(&bytes[head..]);
        let mut whole = 0;
        while let Some(size) = self.begun[whole..].first_chunk() {
            let frame = (u32::from_le_bytes(*size) as usize).saturating_add(size.len());
            if frame > desk_protocol::limits::SERVER_FRAME_BYTES_MAX {
                // The core sees that it is none.
                whole = self.begun.len();
                break;
            }
            if self.begun.len() - whole < frame {
                break;
            }
            whole += frame;
        }
        let rest = self.begun.split_off(whole);
        std::mem::replace(&mut self.begun, rest)
    }
}

/// The next frames of a snapshot; `None` at its end.
async fn next_of(snapshot: &mut Option<(RecvStream, Inbox)>) -> Option<Vec<u8>> {
    let Some((stream, inbox)) = snapshot else { return std::future::pending().await };
    // A stream that is cut off is as good as ended: the core waits for the rest in vain,
    // and begins anew.
    let chunk = stream.read_chunk(READ_BYTES, true).await.ok()??;
    Some(inbox.take(&chunk.bytes))
}

impl Line for QuicLine {
    fn carrier(&self) -> Carrier {
        if self.session.is_some() { Carrier::WebTransport } else { Carrier::Quic }
    }

    fn has_datagrams(&self) -> bool {
        true
    }

    fn round_trip(&self) -> Option<Duration> {
        Some(self.connection.rtt())
    }

    fn send_datagram(&mut self, frame: Vec<u8>) {
        let datagram = match &self.session {
            Some(session) => session.datagram(&frame),
            None => frame.clone(),
        };
        if self.connection.send_datagram(datagram.into()).is_err() {
            self.queue(&frame);
        }
    }

    fn queue(&mut self, frames: &[u8]) {
        self.out.extend_from_slice(frames);
    }

    async fn turn(&mut self) -> Result<Came, LineEnd> {
        loop {
            if self.written == self.out.len() {
                self.out.clear();
                self.written = 0;
            }
            let rest = &self.out[self.written..];
            tokio::select! {
                written = self.send.write(rest), if !rest.is_empty() => match written {
                    Ok(bytes) => self.written += bytes,
                    Err(WriteError::ConnectionLost(error)) => return Err(ended(error)),
                    // Its last words say why, if there are any.
                    Err(_) => self.out.clear(),
                },
                read = self.receive.read_chunk(READ_BYTES, true) => match read {
                    Ok(Some(chunk)) => {
                        let frames = self.inbox.take(&chunk.bytes);
                        if !frames.is_empty() {
                            return Ok(Came::Frames(frames));
                        }
                    }
                    Ok(None) => return Err(lost("the server ended the stream")),
                    Err(ReadError::ConnectionLost(error)) => return Err(ended(error)),
                    Err(error) => return Err(lost(error)),
                },
                frames = next_of(&mut self.snapshot) => match frames {
                    Some(frames) if frames.is_empty() => {}
                    Some(frames) => return Ok(Came::Frames(frames)),
                    None => self.snapshot = None,
                },
                // One at a time, in the order in which the server began them.
                begun = self.connection.accept_uni(), if self.snapshot.is_none() => {
                    let head = self.session.as_ref().map_or(0, Session::snapshot_head);
                    let inbox = Inbox { head, begun: Vec::new() };
                    self.snapshot = Some((begun.map_err(ended)?, inbox));
                }
                datagram = self.connection.read_datagram() => {
                    let datagram = datagram.map_err(ended)?;
                    let frame = self.session.as_ref().map_or(Some(&*datagram), |session| {
                        session.frame(&datagram)
                    });
                    if let Some(frame) = frame {
                        return Ok(Came::Datagram(frame.to_vec()));
                    }
                }
            }
        }
    }

    async fn close(mut self) {
        let goodbye = async {
            // The server closes once it has read all of it.
            let rest = self.out.split_off(self.written);
            if self.send.write_all(&rest).await.is_ok() && self.send.finish().is_ok() {
                self.connection.closed().await;
            }
        };
        let _ = timeout(CLOSE_TIME, goodbye).await;
        self.connection.close(VarInt::from_u32(0), b"");
        let _ = timeout(CLOSE_TIME, self.endpoint.wait_idle()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use tokio::net::UdpSocket;

    /// Where the destination id of a first packet begins.
    const ID_AT: usize = 6;

    #[test]
    fn a_stream_of_a_session_begins_behind_its_head() {
        let mut inbox = Inbox { head: 3, begun: Vec::new() };
        let frame = [2, 0, 0, 0, 7, 7];
        let bytes = [&[0x40, 0x54, 0][..], &frame, &frame[..5]].concat();
        let came: Vec<_> = bytes.chunks(2).map(|part| inbox.take(&part.to_vec().into())).collect();
        assert_eq!(came.concat(), frame);
        assert_eq!(inbox.take(&frame[5..].to_vec().into()), frame);
    }

    #[tokio::test]
    async fn a_silent_server_is_asked_by_a_new_attempt() {
        let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let authority = server.local_addr().unwrap().to_string();
        let place = QuicPlace { authority, shard_hint: 0, trust: Trust::Certificate([0; 32]) };
        let asked = async {
            let (mut ids, mut datagram) = (BTreeSet::new(), [0; 2_048]);
            while ids.len() < 2 {
                server.recv_from(&mut datagram).await.unwrap();
                ids.insert(datagram[ID_AT..ID_AT + FIRST_ID_BYTES].to_vec());
            }
        };
        tokio::select! {
            () = asked => {}
            opened = place.open("", Speech::Frames) => panic!("{:?}", opened.err()),
        }
    }
}
