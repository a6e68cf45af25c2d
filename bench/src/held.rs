//! Many idle QUIC connections at once: what each takes of the server's memory, and that all
//! are still there at the end.
//!
//! They share one socket and are no whole clients: so many of those would need more
//! descriptors than a machine gives one process.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use desk_client_native::rig;
use desk_protocol::codec::{Decoded, decode_server, encode_client};
use desk_protocol::frame::{ClientFrame, Hello, ServerFrame};
use quinn::{ClientConfig, Connection, Endpoint, RecvStream, SendStream, TransportConfig};
use tokio::time::timeout;

use crate::idle::IdleCost;
use crate::join::Reception;
use crate::limits::PATIENCE;
use crate::subject::DeskServer;

/// Connections that are held at once.
pub const HELD: usize = 20_000;

/// Connections between two looks at the memory.
const STEP: usize = HELD / 10;

/// Connections of a desk, of which the server takes 2,000.
const PER_DESK: usize = 1_000;

/// A router would forget a silent connection, and the server ends it after 30 s.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// One connection that has been welcomed; dropped, it ends.
struct Idle {
    connection: Connection,
    _streams: (SendStream, RecvStream),
}

/// The heap of the server for each of [`HELD`] connections, from the slope.
///
/// # Errors
/// One of them is not welcomed, or is gone at the end.
pub async fn hold(server: &DeskServer) -> Result<IdleCost> {
    let mut endpoint = Endpoint::client(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0))?;
    endpoint.set_default_client_config(config());
    let mut reception = Reception::open(&server.process.address)?;
    let (mut all, mut points) = (Vec::new(), Vec::new());
    let mut desk = String::new();
    while all.len() < HELD {
        if all.len() % PER_DESK == 0 {
            desk = reception.create("held")?.0;
        }
        let key = reception.join(&desk)?;
        all.push(timeout(PATIENCE, join(&endpoint, server.quic()?, key)).await??);
        if all.len() % STEP == 0 {
            points.push((all.len(), server.process.memory()?));
        }
    }
    let gone = all.iter().filter(|idle| idle.connection.close_reason().is_some()).count();
    ensure!(gone == 0, "{gone} of {HELD} connections have ended");
    Ok(IdleCost::slope(&points))
}

async fn join(endpoint: &Endpoint, server: SocketAddr, session_key: String) -> Result<Idle> {
    let connection = endpoint.connect(server, "localhost")?.await?;
    let (mut send, mut receive) = connection.open_bi().await?;
    let hello =
        Hello { session_key, connection: 1, revision: None, user: String::new(), repeats: false };
    let mut bytes = Vec::new();
    encode_client(&ClientFrame::Hello(hello), &mut bytes);
    send.write_all(&bytes).await?;
    let mut inbox = Vec::new();
    loop {
        match decode_server(&inbox)? {
            Decoded::Frame(_, Some(ServerFrame::Welcome(_))) => {
                return Ok(Idle { connection, _streams: (send, receive) });
            }
            Decoded::Frame(_, other) => bail!("no welcome, but {other:?}"),
            Decoded::Incomplete => {
                let chunk = receive.read_chunk(usize::MAX, true).await?;
                inbox.extend_from_slice(&chunk.context("the stream ended")?.bytes);
            }
        }
    }
}

fn config() -> ClientConfig {
    let mut config = rig::quic(b"sticker-desk/1");
    let mut transport = TransportConfig::default();
    transport.keep_alive_interval(Some(KEEP_ALIVE)).mtu_discovery_config(None);
    config.transport_config(Arc::new(transport));
    config
}
