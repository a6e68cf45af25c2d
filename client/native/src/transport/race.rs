//! Which transport carries a line: QUIC has a head start, HTTP requests come last, and what
//! works is remembered.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use desk_client_core::Trouble;
use desk_protocol::LinkId;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use super::poll::{PollLine, PollTransport};
use super::quic::{QuicLine, QuicPlace, Speech};
use super::websocket::{WebSocketLine, WebSocketTransport};
use super::{Came, Carrier, Line, LineEnd, Transport, lost};
use crate::address::Server;
use crate::api::{Api, Joined};
use crate::limits::{
    POLL_HEAD_START, PROBE_AFTER, PROBE_EVERY, QUIC_AVOIDED_TIME, QUIC_HEAD_START,
};
use crate::trust::Trust;

/// Which transports may be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Carriers {
    /// QUIC if it gets through, else WebSocket, else HTTP requests.
    #[default]
    Auto,
    /// QUIC alone.
    Quic,
    /// WebTransport alone. It takes part in no race: QUIC does the same with less.
    WebTransport,
    /// WebSocket alone.
    WebSocket,
    /// HTTP requests alone.
    Poll,
}

/// Opens lines by whatever transport gets through.
#[derive(Clone)]
pub(crate) struct Race {
    carriers: Carriers,
    api: Api,
    link: LinkId,
    trust: Trust,
    websocket: WebSocketTransport,
    poll: PollTransport,
    memory: Arc<Mutex<Memory>>,
}

#[derive(Default)]
struct Memory {
    place: Place,
    /// QUIC did not get through lately; it is tried again from here on.
    quic_avoided: Option<Instant>,
    /// Nothing came over a WebSocket that had opened. It is tried again from here on.
    websocket_avoided: Option<Instant>,
    /// WebSocket did not open lately: until then requests wait less for it.
    websocket_doubted: Option<Instant>,
    /// What carries a line that nothing was heard on yet.
    unproven: Option<Carrier>,
}

impl Memory {
    /// Judges a line that ended by whether anything came over it.
    fn judge(&mut self) {
        match self.unproven.take() {
            Some(Carrier::Quic | Carrier::WebTransport) => self.quic_avoided = for_a_while(),
            Some(Carrier::WebSocket) => self.websocket_avoided = for_a_while(),
            Some(Carrier::Poll) | None => {}
        }
    }

    /// Notes which transport won a race.
    fn note(&mut self, won: Option<Carrier>) {
        self.unproven = won;
        match won {
            Some(Carrier::Quic | Carrier::WebTransport) => {}
            Some(Carrier::WebSocket) => {
                self.quic_avoided = for_a_while();
                self.websocket_doubted = None;
            }
            Some(Carrier::Poll) => {
                self.quic_avoided = for_a_while();
                self.websocket_doubted = for_a_while();
            }
            // Nothing is known to work any more.
            None => {
                self.quic_avoided = None;
                self.websocket_doubted = None;
            }
        }
    }
}

fn for_a_while() -> Option<Instant> {
    Some(Instant::now() + QUIC_AVOIDED_TIME)
}

fn is_ahead(until: Option<Instant>) -> bool {
    until.is_some_and(|until| Instant::now() < until)
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
            poll: PollTransport::new(server, trust),
            memory: Arc::default(),
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a line over QUIC, asking the server first where it is served.
    async fn quic(&self, session_key: &str, speech: Speech) -> Result<QuicLine, LineEnd> {
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
        let opened = place.open(session_key, speech).await;
        if opened.is_err() {
            // The server may have another certificate or another address by now.
            self.memory().place = Place::Unknown;
        }
        opened
    }

    async fn auto(&self, session_key: &str) -> Result<RaceLine, LineEnd> {
        let doubted = {
            let mut memory = self.memory();
            memory.judge();
            is_ahead(memory.websocket_doubted)
        };
        let (quic_failed, websocket_failed) = (Notify::new(), Notify::new());
        let quic = async {
            let opened = self.quic_unless_avoided(session_key).await;
            quic_failed.notify_one();
            opened
        };
        let websocket = async {
            either(sleep(QUIC_HEAD_START), quic_failed.notified()).await;
            let opened = self.websocket_unless_avoided(session_key).await;
            websocket_failed.notify_one();
            opened
        };
        let poll = async {
            let head_start = if doubted { QUIC_HEAD_START } else { POLL_HEAD_START };
            either(sleep(head_start), websocket_failed.notified()).await;
            let line = self.poll.open(session_key).await?;
            let better = Box::pin(self.clone().look_for_better(session_key.to_owned()));
            Ok(RaceLine::Poll(line, better))
        };
        let opened = first_of(first_of(quic, websocket), poll).await;
        self.memory().note(opened.as_ref().ok().map(RaceLine::carrier));
        opened
    }

    async fn quic_unless_avoided(&self, session_key: &str) -> Result<RaceLine, LineEnd> {
        if is_ahead(self.memory().quic_avoided) {
            return Err(lost("QUIC did not get through lately"));
        }
        self.quic(session_key, Speech::Frames).await.map(RaceLine::Quic)
    }

    async fn websocket_unless_avoided(&self, session_key: &str) -> Result<RaceLine, LineEnd> {
        if is_ahead(self.memory().websocket_avoided) {
            return Err(lost("nothing came over a WebSocket lately"));
        }
        self.websocket.open(session_key).await.map(RaceLine::WebSocket)
    }

    /// Ends when something better than requests gets through.
    async fn look_for_better(self, session_key: String) {
        let mut pause = PROBE_AFTER;
        loop {
            sleep(pause).await;
            pause = (pause * 2).min(PROBE_EVERY);
            let quic = self.quic_unless_avoided(&session_key);
            let websocket = self.websocket_unless_avoided(&session_key);
            if let Ok(line) = first_of(quic, websocket).await {
                // It has said no hello: the server sees a line that changed its mind.
                line.close().await;
                return;
            }
        }
    }
}

/// Waits for the first of two.
async fn either(first: impl Future<Output = ()>, second: impl Future<Output = ()>) {
    tokio::select! {
        () = first => {}
        () = second => {}
    }
}

impl Transport for Race {
    type Line = RaceLine;

    async fn connect(&self, session_key: String) -> Result<RaceLine, LineEnd> {
        match self.carriers {
            Carriers::Auto => self.auto(&session_key).await,
            Carriers::Quic => self.quic(&session_key, Speech::Frames).await.map(RaceLine::Quic),
            Carriers::WebTransport => {
                self.quic(&session_key, Speech::Session).await.map(RaceLine::Quic)
            }
            Carriers::WebSocket => self.websocket.open(&session_key).await.map(RaceLine::WebSocket),
            Carriers::Poll => {
                let never = Box::pin(std::future::pending());
                self.poll.open(&session_key).await.map(|line| RaceLine::Poll(line, never))
            }
        }
    }

    fn proven(&self) {
        self.memory().unproven = None;
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
    /// Over QUIC, or WebTransport.
    Quic(QuicLine),
    /// Over WebSocket.
    WebSocket(WebSocketLine),
    /// Over requests, and what ends when something better gets through.
    Poll(PollLine, Pin<Box<dyn Future<Output = ()> + Send>>),
}

impl Line for RaceLine {
    fn carrier(&self) -> Carrier {
        match self {
            Self::Quic(line) => line.carrier(),
            Self::WebSocket(_) => Carrier::WebSocket,
            Self::Poll(..) => Carrier::Poll,
        }
    }

    fn has_datagrams(&self) -> bool {
        match self {
            Self::Quic(line) => line.has_datagrams(),
            Self::WebSocket(line) => line.has_datagrams(),
            Self::Poll(line, _) => line.has_datagrams(),
        }
    }

    fn round_trip(&self) -> Option<Duration> {
        match self {
            Self::Quic(line) => line.round_trip(),
            Self::WebSocket(line) => line.round_trip(),
            Self::Poll(line, _) => line.round_trip(),
        }
    }

    fn send_datagram(&mut self, frame: Vec<u8>) {
        match self {
            Self::Quic(line) => line.send_datagram(frame),
            Self::WebSocket(line) => line.send_datagram(frame),
            Self::Poll(line, _) => line.send_datagram(frame),
        }
    }

    fn queue(&mut self, frames: &[u8]) {
        match self {
            Self::Quic(line) => line.queue(frames),
            Self::WebSocket(line) => line.queue(frames),
            Self::Poll(line, _) => line.queue(frames),
        }
    }

    async fn turn(&mut self) -> Result<Came, LineEnd> {
        match self {
            Self::Quic(line) => line.turn().await,
            Self::WebSocket(line) => line.turn().await,
            Self::Poll(line, better) => tokio::select! {
                frames = line.turn() => frames,
                () = better => Err(lost("something better gets through")),
            },
        }
    }

    async fn close(self) {
        match self {
            Self::Quic(line) => line.close().await,
            Self::WebSocket(line) => line.close().await,
            Self::Poll(line, _) => line.close().await,
        }
    }
}
