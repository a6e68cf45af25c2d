//! Which transport carries a line: QUIC has a head start, and what works is remembered.

use std::future::Future;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use desk_client_core::Trouble;
use desk_protocol::LinkId;
use tokio::time::{Instant, sleep};

use super::quic::{QuicLine, QuicPlace};
use super::websocket::{WebSocketLine, WebSocketTransport};
use super::{Carrier, Line, LineEnd, Transport, lost};
use crate::address::Server;
use crate::api::{Api, Joined};
use crate::limits::{QUIC_AVOIDED_TIME, QUIC_HEAD_START};
use crate::trust::Trust;

/// Which transports may be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Carriers {
    /// QUIC if it gets through, else WebSocket.
    #[default]
    Auto,
    /// QUIC alone.
    Quic,
    /// WebSocket alone.
    WebSocket,
}

/// Opens lines by whatever transport gets through.
pub(crate) struct Race {
    carriers: Carriers,
    api: Api,
    link: LinkId,
    trust: Trust,
    websocket: WebSocketTransport,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    place: Place,
    /// QUIC did not get through lately; it is tried again from here on.
    avoid_until: Option<Instant>,
    /// A line over QUIC that nothing was heard on yet.
    unproven: bool,
}

/// What is known of where QUIC is served.
#[derive(Clone, Default)]
enum Place {
    /// The server has not said.
    #[default]
    Unknown,
    /// Nowhere.
    Nowhere,
    At(QuicPlace),
}

impl Place {
    fn of(joined: &Joined, trust: &Trust) -> Self {
        let Some(authority) = joined.quic.clone() else { return Self::Nowhere };
        let trust = match joined.certificates.is_empty() {
            true => trust.clone(),
            false => Trust::Certificates(joined.certificates.clone()),
        };
        Self::At(QuicPlace { authority, shard_hint: joined.shard_hint, trust })
    }
}

impl Race {
    /// For a desk that was joined.
    pub(crate) fn joined(carriers: Carriers, api: &Api, joined: &Joined, trust: &Trust) -> Self {
        let websocket = joined.websocket.as_deref();
        let race = Self::new(carriers, api, joined.link.id, websocket, trust);
        race.memory().place = Place::of(joined, trust);
        race
    }

    /// For a desk that an earlier run joined, at `websocket`.
    pub(crate) fn new(
        carriers: Carriers,
        api: &Api,
        link: LinkId,
        websocket: Option<&str>,
        trust: &Trust,
    ) -> Self {
        let server: &Server = api.server();
        Self {
            carriers,
            api: api.clone(),
            link,
            trust: trust.clone(),
            websocket: WebSocketTransport::new(server, websocket, trust),
            memory: Mutex::default(),
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a line over QUIC, asking the server first where it is served.
    async fn quic(&self, session_key: &str) -> Result<QuicLine, LineEnd> {
        let known = self.memory().place.clone();
        let place = match known {
            Place::Unknown => {
                let joined = self.api.join(self.link, Some(session_key), false).await;
                let place = Place::of(&joined.map_err(lost)?, &self.trust);
                self.memory().place = place.clone();
                place
            }
            known => known,
        };
        let Place::At(place) = place else { return Err(lost("the server does not serve QUIC")) };
        let opened = place.open().await;
        if opened.is_err() {
            // The server may have another certificate or another address by now.
            self.memory().place = Place::Unknown;
        }
        opened
    }

    async fn auto(&self, session_key: &str) -> Result<RaceLine, LineEnd> {
        let avoided = {
            let mut memory = self.memory();
            if std::mem::take(&mut memory.unproven) {
                memory.avoid_until = Some(Instant::now() + QUIC_AVOIDED_TIME);
            }
            memory.avoid_until.is_some_and(|until| Instant::now() < until)
        };
        let websocket = async |start: Duration| {
            sleep(start).await;
            self.websocket.open(session_key).await
        };
        if avoided {
            let opened = websocket(Duration::ZERO).await;
            if opened.is_err() {
                // Nothing is known to work any more.
                self.memory().avoid_until = None;
            }
            return opened.map(RaceLine::WebSocket);
        }
        let quic = async { self.quic(session_key).await.map(RaceLine::Quic) };
        let websocket = async { websocket(QUIC_HEAD_START).await.map(RaceLine::WebSocket) };
        let opened = first_of(quic, websocket).await;
        let mut memory = self.memory();
        match &opened {
            Ok(RaceLine::Quic(_)) => memory.unproven = true,
            Ok(RaceLine::WebSocket(_)) => {
                memory.avoid_until = Some(Instant::now() + QUIC_AVOIDED_TIME);
            }
            Err(_) => {}
        }
        opened
    }
}

impl Transport for Race {
    type Line = RaceLine;

    async fn connect(&self, session_key: String) -> Result<RaceLine, LineEnd> {
        match self.carriers {
            Carriers::Auto => self.auto(&session_key).await,
            Carriers::Quic => self.quic(&session_key).await.map(RaceLine::Quic),
            Carriers::WebSocket => self.websocket.open(&session_key).await.map(RaceLine::WebSocket),
        }
    }

    fn proven(&self) {
        self.memory().unproven = false;
    }
}

/// The first success of two attempts. If both fail, a reason of the server's says more
/// than none.
async fn first_of<L>(
    first: impl Future<Output = Result<L, LineEnd>>,
    second: impl Future<Output = Result<L, LineEnd>>,
) -> Result<L, LineEnd> {
    let (mut first, mut second) = (pin!(first), pin!(second));
    let (failed, other) = tokio::select! {
        done = &mut first => match done {
            Ok(line) => return Ok(line),
            Err(failed) => (failed, second.await),
        },
        done = &mut second => match done {
            Ok(line) => return Ok(line),
            Err(failed) => (failed, first.await),
        },
    };
    other.map_err(|end| match failed.trouble {
        Trouble::Server(_) => failed,
        _ => end,
    })
}

/// An open line of any transport.
pub(crate) enum RaceLine {
    /// Over QUIC.
    Quic(QuicLine),
    /// Over WebSocket.
    WebSocket(WebSocketLine),
}

impl Line for RaceLine {
    fn carrier(&self) -> Carrier {
        match self {
            Self::Quic(_) => Carrier::Quic,
            Self::WebSocket(_) => Carrier::WebSocket,
        }
    }

    fn send_lossy(&mut self, frame: Vec<u8>) {
        match self {
            Self::Quic(line) => line.send_lossy(frame),
            Self::WebSocket(line) => line.send_lossy(frame),
        }
    }

    fn queue(&mut self, frames: &[u8]) {
        match self {
            Self::Quic(line) => line.queue(frames),
            Self::WebSocket(line) => line.queue(frames),
        }
    }

    async fn turn(&mut self) -> Result<Vec<u8>, LineEnd> {
        match self {
            Self::Quic(line) => line.turn().await,
            Self::WebSocket(line) => line.turn().await,
        }
    }

    async fn close(self) {
        match self {
            Self::Quic(line) => line.close().await,
            Self::WebSocket(line) => line.close().await,
        }
    }
}
