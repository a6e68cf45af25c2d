//! One connection: a stream of frames both ways, datagrams, and streams of snapshots.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;
use desk_gateway_http::webtransport::{self, H3_EXCESSIVE_LOAD, H3_NO_ERROR};
use quinn_proto::crypto::rustls::HandshakeData;
use quinn_proto::{
    Connection, ConnectionError, ConnectionHandle, Dir, Event as Happened, ReadError, StreamEvent,
    StreamId, VarInt,
};

use super::allowance::Allowance;
use super::ending::{Ending, Next};
use super::outbox::Outbox;
use super::repeats::Repeats;
use super::settings::ALPN_WEB;
use super::web::{Broken, Told, Web};
use super::{Event, LineId, Way};
use crate::limits::{QUIC_HANDSHAKE_TIME, QUIC_STREAMS_BURST, QUIC_STREAMS_PER_SECOND};

/// What a program's connection is closed with when nobody is to learn a reason.
const DONE: u32 = 0;

/// What a program's connection is closed with that began too many streams: as a WebSocket
/// that carried too much of what it must not.
const EXCESSIVE: u32 = 1_007;

/// Bytes of one read. Tuning: a chunk is what one packet brought.
const READ_BYTES: usize = 64 << 10;

pub(super) struct Line {
    id: LineId,
    pub(super) handle: ConnectionHandle,
    pub(super) connection: Connection,
    stage: Stage,
    /// A browser's side of it; `None` for a program.
    web: Option<Box<Web>>,
    /// The peer's first stream in both directions.
    frames: Option<StreamId>,
    out: Outbox,
    repeats: Repeats,
    /// Streams that the peer may begin.
    streams: Allowance,
    paused: bool,
    heard: bool,
    /// Which of the endpoint's lists it is in.
    pub(super) listed: Listed,
    /// Its place among the endpoint's deadlines.
    pub(super) deadline: Option<Instant>,
}

#[derive(Debug)]
enum Stage {
    /// Until the peer may be heard: its handshake is over, and it was granted a session
    /// if it is a browser.
    Begun {
        by: Instant,
        connected: bool,
    },
    Open,
    Ending(Ending),
    Over,
}

/// The endpoint's lists that a line is in.
#[derive(Default)]
pub(super) struct Listed {
    pub(super) read: bool,
    pub(super) write: bool,
    pub(super) send: bool,
}

impl Line {
    pub(super) fn new(
        id: LineId,
        handle: ConnectionHandle,
        connection: Connection,
        now: Instant,
    ) -> Self {
        Self {
            id,
            handle,
            connection,
            stage: Stage::Begun { by: now + QUIC_HANDSHAKE_TIME, connected: false },
            web: None,
            frames: None,
            out: Outbox::default(),
            repeats: Repeats::default(),
            streams: Allowance::new(now, QUIC_STREAMS_BURST, QUIC_STREAMS_PER_SECOND),
            paused: false,
            heard: false,
            listed: Listed::default(),
            deadline: None,
        }
    }

    /// Whether its handshake is under way.
    pub(super) fn is_handshaking(&self) -> bool {
        matches!(self.stage, Stage::Begun { connected: false, .. })
    }

    fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over)
    }

    /// Something came from the peer.
    pub(super) fn hear(&mut self) {
        self.heard = true;
    }

    /// Takes a frame that is to be sent.
    pub(super) fn push(
        &mut self,
        now: Instant,
        frame: Bytes,
        way: Way,
        events: &mut VecDeque<Event>,
    ) {
        let bytes = frame.len();
        let gone = self.is_over() || (way == Way::Datagram && self.send_datagram(&frame));
        if gone {
            return events.push_back(Event::Sent(self.id, bytes));
        }
        if way == Way::Repeated {
            self.repeats.push(now, self.connection.rtt(), &frame);
        }
        self.out.push(frame, way);
    }

    /// Sends a frame as a datagram if it fits the path as it is now.
    fn send_datagram(&mut self, frame: &Bytes) -> bool {
        let datagram = match self.web.as_ref().map(|web| web.session()) {
            None => frame.clone(),
            Some(Some(session)) => webtransport::datagram(session, frame).into(),
            Some(None) => return false,
        };
        let mut datagrams = self.connection.datagrams();
        // Older ones make room: they are outdated.
        datagrams.max_size().is_some_and(|most| datagram.len() <= most)
            && datagrams.send(datagram, true).is_ok()
    }

    /// Begins the end: what was pushed leaves first.
    pub(super) fn end(
        &mut self,
        now: Instant,
        code: u32,
        reason: &'static str,
        patience: Duration,
    ) {
        match &mut self.stage {
            Stage::Open | Stage::Begun { .. } => {
                self.stage = Stage::Ending(Ending::new(code, reason, now + patience));
            }
            // A planned stop cannot wait, also for a peer that was told to go before.
            Stage::Ending(ending) => ending.hurry(now + patience),
            Stage::Over => {}
        }
    }

    pub(super) fn set_paused(&mut self, paused: bool) {
        self.paused = paused;
    }

    /// Takes what QUIC tells, reads, and tells what came of it.
    pub(super) fn process(&mut self, now: Instant, events: &mut VecDeque<Event>) {
        while let Some(happened) = self.connection.poll() {
            self.take(now, happened, events);
        }
        if self.is_over() {
            return;
        }
        self.read_web(now, events);
        let quiet = !self.read(now, events);
        if std::mem::take(&mut self.heard) && quiet && matches!(self.stage, Stage::Open) {
            events.push_back(Event::Heard(self.id));
        }
    }

    fn take(&mut self, now: Instant, happened: Happened, events: &mut VecDeque<Event>) {
        match happened {
            Happened::HandshakeDataReady => {
                let data = self.connection.crypto_session().handshake_data();
                let data = data.and_then(|data| data.downcast::<HandshakeData>().ok());
                if data.is_some_and(|data| data.protocol.as_deref() == Some(ALPN_WEB)) {
                    // One round trip of three is saved by not waiting for the handshake.
                    self.web = Some(Box::new(Web::begin(&mut self.connection)));
                }
            }
            Happened::Connected => {
                if let Stage::Begun { connected, .. } = &mut self.stage {
                    *connected = true;
                    if self.web.is_none() {
                        self.stage = Stage::Open;
                        events.push_back(Event::Opened(self.id));
                    }
                }
            }
            Happened::ConnectionLost { reason } => {
                self.log_end(&reason);
                self.over(events);
            }
            Happened::DatagramReceived => {
                while let Some(datagram) = self.connection.datagrams().recv() {
                    self.take_datagram(datagram, events);
                }
            }
            Happened::Stream(StreamEvent::Opened { dir }) => self.accept(now, dir, events),
            // The peer takes no more frames: it is leaving.
            Happened::Stream(StreamEvent::Stopped { id, .. }) if self.frames == Some(id) => {
                self.answer();
            }
            // All streams are looked at anyway.
            Happened::Stream(_) | Happened::DatagramsUnblocked => {}
        }
    }

    fn take_datagram(&mut self, datagram: Bytes, events: &mut VecDeque<Event>) {
        if !matches!(self.stage, Stage::Open) {
            return;
        }
        let frame = match self.web.as_ref().map(|web| web.session()) {
            None => datagram,
            Some(session) => match webtransport::split_datagram(&datagram) {
                Some((named, frame)) if session == Some(named) => datagram.slice_ref(frame),
                _ => return,
            },
        };
        events.push_back(Event::Datagram(self.id, frame));
    }

    fn accept(&mut self, now: Instant, dir: Dir, events: &mut VecDeque<Event>) {
        while let Some(stream) = self.connection.streams().accept(dir) {
            if !self.streams.take(now) {
                let code = if self.web.is_some() { H3_EXCESSIVE_LOAD } else { EXCESSIVE };
                return self.close(now, code, "too many streams", events);
            }
            if let Some(web) = &mut self.web {
                web.accept(stream);
                continue;
            }
            if dir == Dir::Bi && self.frames.is_none() {
                self.frames = Some(stream);
                continue;
            }
            // Nobody reads a second one. Its peer is told, and may open no other for it.
            let _ = self.connection.recv_stream(stream).stop(VarInt::from_u32(DONE));
            if dir == Dir::Bi {
                let _ = self.connection.send_stream(stream).reset(VarInt::from_u32(DONE));
            }
        }
    }

    /// Reads what a browser has beside its frames.
    fn read_web(&mut self, now: Instant, events: &mut VecDeque<Event>) {
        if let Stage::Begun { connected: false, .. } = self.stage {
            return;
        }
        let Some(web) = &mut self.web else { return };
        let told = match web.read(&mut self.connection, self.frames.is_some()) {
            Ok(told) => told,
            Err(Broken(code)) => return self.close(now, code, "", events),
        };
        for told in told {
            match told {
                Told::Asks(connect) => events.push_back(Event::Asks(self.id, connect)),
                Told::Frames(stream, begun) => self.begin_frames(stream, begun, events),
                // A browser ends no connection by itself, and a dead one would stay.
                Told::Left => return self.close(now, H3_NO_ERROR, "", events),
            }
        }
    }

    fn begin_frames(&mut self, stream: StreamId, begun: Vec<u8>, events: &mut VecDeque<Event>) {
        self.frames = Some(stream);
        if !begun.is_empty() {
            events.push_back(Event::Frames(self.id, begun.into()));
        }
    }

    /// Grants a browser the session that it asked for.
    pub(super) fn grant(&mut self, protocol: Option<&str>, events: &mut VecDeque<Event>) {
        let Some(web) = &mut self.web else { return };
        if !matches!(self.stage, Stage::Begun { connected: true, .. }) {
            return;
        }
        let early = web.grant(&mut self.connection, protocol);
        self.stage = Stage::Open;
        if let Some((stream, begun)) = early {
            self.begin_frames(stream, begun, events);
        }
    }

    /// Refuses a browser's request.
    pub(super) fn refuse(&mut self, now: Instant, status: u16) {
        if let Some(web) = &mut self.web {
            web.refuse(&mut self.connection, status);
            self.stage = Stage::Ending(Ending::refused(now));
        }
    }

    /// Reads frames. Says whether there were any.
    fn read(&mut self, now: Instant, events: &mut VecDeque<Event>) -> bool {
        let Some(id) = self.frames else { return false };
        let passes = matches!(self.stage, Stage::Open);
        // At the end only the peer's own end is of interest.
        if !(passes && !self.paused || matches!(self.stage, Stage::Ending(_))) {
            return false;
        }
        let (mut any, mut ended) = (false, false);
        let mut stream = self.connection.recv_stream(id);
        if let Ok(mut chunks) = stream.read(true) {
            loop {
                match chunks.next(READ_BYTES) {
                    Ok(Some(chunk)) => {
                        any = true;
                        if passes {
                            events.push_back(Event::Frames(self.id, chunk.bytes));
                        }
                    }
                    Ok(None) | Err(ReadError::Reset(_)) => {
                        ended = true;
                        break;
                    }
                    Err(ReadError::Blocked) => break,
                }
            }
            // What was read makes room; the next datagrams tell the peer.
            let _ = chunks.finalize();
        }
        if ended {
            self.answer();
            if passes {
                // The peer has said all it had to say, and waits for this.
                let code = if self.web.is_some() { H3_NO_ERROR } else { DONE };
                self.close(now, code, "", events);
            }
        }
        any
    }

    /// The peer ends its direction, or does not listen any more.
    fn answer(&mut self) {
        if let Stage::Ending(ending) = &mut self.stage {
            ending.answered();
        }
    }

    /// Writes what QUIC takes, and goes on with an end that has begun.
    pub(super) fn write(&mut self, now: Instant, events: &mut VecDeque<Event>) {
        if self.is_over() {
            return;
        }
        let head = self.web.as_ref().map_or_else(Bytes::new, |web| web.stream_head());
        let written = self.out.write(&mut self.connection, self.frames, &head);
        if written.bytes > 0 {
            events.push_back(Event::Sent(self.id, written.bytes));
        }
        if written.stopped {
            self.answer();
        }
        while let Some(frame) = self.repeats.due(now) {
            self.send_datagram(&frame);
        }
        self.go_on_ending(now, events);
    }

    fn go_on_ending(&mut self, now: Instant, events: &mut VecDeque<Event>) {
        loop {
            let Stage::Ending(ending) = &mut self.stage else { return };
            let (code, reason) = (ending.code, ending.reason);
            let said = self.frames.is_none() || self.out.is_empty();
            match ending.next(now, said) {
                Next::Wait => return,
                Next::FinishFrames => {
                    if let Some(frames) = self.frames {
                        // It fails only where the peer has stopped it.
                        let _ = self.connection.send_stream(frames).finish();
                    }
                }
                Next::Close => {
                    let closes = match &mut self.web {
                        Some(web) => web.close(&mut self.connection, code, reason),
                        None => return self.close(now, code, reason, events),
                    };
                    if !closes {
                        return self.close(now, H3_NO_ERROR, "", events);
                    }
                }
                Next::Leave => return self.close(now, H3_NO_ERROR, "", events),
            }
        }
    }

    /// Acts on what is due.
    pub(super) fn handle_timeout(&mut self, now: Instant, events: &mut VecDeque<Event>) {
        if self.connection.poll_timeout().is_some_and(|at| at <= now) {
            self.connection.handle_timeout(now);
        }
        match &self.stage {
            Stage::Begun { by, .. } if *by <= now => {
                self.close(now, DONE, "the handshake took too long", events);
            }
            Stage::Ending(_) => self.go_on_ending(now, events),
            _ => {}
        }
    }

    /// When [`Line::handle_timeout`] is due next.
    pub(super) fn poll_timeout(&mut self) -> Option<Instant> {
        let own = match &self.stage {
            Stage::Begun { by, .. } => Some(*by),
            Stage::Ending(ending) => Some(ending.by()),
            Stage::Open | Stage::Over => None,
        };
        let repeat = self.repeats.deadline();
        self.connection.poll_timeout().into_iter().chain(own).chain(repeat).min()
    }

    fn close(&mut self, now: Instant, code: u32, reason: &str, events: &mut VecDeque<Event>) {
        let reason = Bytes::copy_from_slice(reason.as_bytes());
        self.connection.close(now, VarInt::from_u32(code), reason);
        self.log_end(&ConnectionError::LocallyClosed);
        self.over(events);
    }

    fn over(&mut self, events: &mut VecDeque<Event>) {
        if !self.is_over() {
            self.stage = Stage::Over;
            self.out = Outbox::default();
            self.repeats = Repeats::default();
            self.web = None;
            events.push_back(Event::Ended(self.id));
        }
    }

    fn log_end(&self, reason: &ConnectionError) {
        if self.is_over() {
            return;
        }
        let path = self.connection.stats().path;
        tracing::debug!(
            line = self.id.0,
            remote = %self.connection.remote_address(),
            browser = self.web.is_some(),
            stage = ?self.stage,
            rtt_us = path.rtt.as_micros() as u64,
            mtu = path.current_mtu,
            lost = path.lost_packets,
            sent = path.sent_packets,
            %reason,
            "a QUIC connection ended"
        );
    }
}
