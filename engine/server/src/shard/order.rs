//! What a desk's core and the carrier of a connection say to each other.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use desk_engine_core::{SessionKey, Source, Way};
use desk_protocol::frame::CloseCode;

/// What a desk's core wants of a connection.
#[derive(Debug)]
pub(crate) enum Order {
    /// Send a frame.
    Send { frame: Arc<[u8]>, way: Way },
    /// End it once what was sent before has left.
    Close(CloseCode),
    /// Ask it for a sign of life.
    Probe,
    /// Read nothing from it for a while.
    Pause,
    /// Read it again.
    Resume,
    /// So many bytes that its home passed on were taken. No core says it.
    Taken(usize),
}

/// What the home of a guest says to the guest's desk.
#[derive(Debug)]
pub(crate) enum Said {
    /// It is there, from an address; the key, if it had to show one before its hello.
    Opened(Option<SessionKey>, Source),
    /// Bytes of its frames, in order.
    Frames(Vec<u8>),
    /// A frame beside that order.
    Datagram(Vec<u8>),
    /// It is alive.
    Heard,
    /// Bytes of frames that have left.
    Sent(usize),
    /// It is gone.
    Closed,
}

/// A datagram on its way to the shard that it should have reached.
#[derive(Debug)]
pub(crate) struct Misrouted {
    /// From where it came.
    pub(super) remote: SocketAddr,
    /// At which of our addresses it arrived.
    pub(super) local: Option<IpAddr>,
    /// Its mark of the network's load.
    pub(super) ecn: u8,
    /// What it holds.
    pub(super) bytes: Vec<u8>,
}
