//! How frames travel. [`quic`], [`websocket`] and [`poll`] each open lines, and [`race`]
//! chooses between them, and [`machines`] between the machines of a cluster. [`session`] is
//! what WebTransport adds to QUIC. The driver knows [`Transport`] and [`Line`] alone.

mod machines;
mod poll;
mod quic;
mod race;
mod session;
mod websocket;

use std::future::Future;
use std::time::Duration;

use desk_client_core::Trouble;
use quinn::ConnectionError;

pub(crate) use machines::Machines;
pub use race::Carriers;

/// A transport in use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Carrier {
    /// QUIC.
    Quic,
    /// WebTransport, as pages have it.
    WebTransport,
    /// WebSocket.
    WebSocket,
    /// HTTP requests.
    Poll,
}

impl Carrier {
    /// Its name, as people read it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Quic => "QUIC",
            Self::WebTransport => "WebTransport",
            Self::WebSocket => "WebSocket",
            Self::Poll => "HTTP requests",
        }
    }
}

/// Opens lines to one server.
pub(crate) trait Transport: Send + Sync + 'static {
    /// What it opens.
    type Line: Line;

    /// Opens a line for the holder of a session key.
    fn connect(
        &self,
        session_key: String,
    ) -> impl Future<Output = Result<Self::Line, LineEnd>> + Send;

    /// Something came over the newest line: its transport gets through.
    fn proven(&self);

    /// The newest line has ended: the desk may be elsewhere.
    fn ended(&self) {}
}

/// What comes over a line.
#[derive(Debug)]
pub(crate) enum Came {
    /// Bytes of frames, in order.
    Frames(Vec<u8>),
    /// A datagram.
    Datagram(Vec<u8>),
}

/// An open line: frames in order, both ways.
pub(crate) trait Line: Send + 'static {
    /// What carries it.
    fn carrier(&self) -> Carrier;

    /// Whether it has datagrams beside its frames in order.
    fn has_datagrams(&self) -> bool {
        false
    }

    /// The round trip, if the transport measures it.
    fn round_trip(&self) -> Option<Duration> {
        None
    }

    /// Sends one frame as a datagram. A line that has none now queues it.
    fn send_datagram(&mut self, frame: Vec<u8>) {
        self.queue(&frame);
    }

    /// Takes whole frames that are to be sent; the next [`Line::turn`] does.
    fn queue(&mut self, frames: &[u8]);

    /// Sends what is queued and waits for something to come. Dropping the future
    /// loses nothing.
    fn turn(&mut self) -> impl Future<Output = Result<Came, LineEnd>> + Send;

    /// Sends what is queued, says goodbye and ends the line.
    fn close(self) -> impl Future<Output = ()> + Send;
}

/// A line ended, or could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("{}: {detail}", .trouble.as_str())]
pub(crate) struct LineEnd {
    /// Why.
    pub(crate) trouble: Trouble,
    /// In the words of whoever ended it, for logs.
    pub(crate) detail: String,
}

/// A line that is not there, for a reason that says nothing of the desk.
fn lost(reason: impl std::fmt::Display) -> LineEnd {
    LineEnd { trouble: Trouble::Lost, detail: reason.to_string() }
}

/// What the end of a connection of QUIC means.
fn ended(error: ConnectionError) -> LineEnd {
    match &error {
        ConnectionError::ApplicationClosed(close) => {
            let number = u16::try_from(close.error_code.into_inner());
            let trouble = number.map_or(Trouble::Lost, Trouble::of_websocket);
            LineEnd { trouble, detail: String::from_utf8_lossy(&close.reason).into_owned() }
        }
        _ => lost(error),
    }
}
