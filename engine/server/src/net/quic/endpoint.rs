//! The QUIC connections of one shard.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use quinn_proto::{
    ConnectionHandle, DatagramEvent, EcnCodepoint, Incoming, ServerConfig, Transmit,
};

use super::allowance::Allowance;
use super::ids::Ids;
use super::line::Line;
use super::settings::QuicKeys;
use super::{Event, LineId, Way};
use crate::limits::{
    QUIC_HANDSHAKES_FREE, QUIC_HANDSHAKES_MAX, QUIC_NEW_FREE, QUIC_RESETS_BURST,
    QUIC_RESETS_PER_SECOND, QUIC_SILENCE_FACTOR, UDP_SEGMENTS,
};

/// A datagram that arrived.
pub(crate) struct Received<'d> {
    /// From where.
    pub(crate) remote: SocketAddr,
    /// At which of our addresses.
    pub(crate) local: Option<IpAddr>,
    /// What the network says of its load.
    pub(crate) ecn: Option<EcnCodepoint>,
    /// What it holds.
    pub(crate) bytes: &'d [u8],
}

/// A send that the socket did not take.
pub(crate) struct Blocked {
    pub(crate) transmit: Transmit,
    pub(crate) bytes: Vec<u8>,
}

/// What an endpoint counts.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Counts {
    /// Connections accepted.
    pub(crate) accepted: u64,
    /// First packets answered by a demand to prove the address.
    pub(crate) retried: u64,
    /// First packets that got no answer, for there were too many.
    pub(crate) ignored: u64,
    /// Datagrams of another shard.
    pub(crate) misrouted: u64,
    /// Peers that were told that their connection is gone.
    pub(crate) resets: u64,
    /// Peers that were not told it, for there were too many.
    pub(crate) resets_held: u64,
}

/// See the module.
pub(crate) struct Endpoint {
    inner: quinn_proto::Endpoint,
    ids: Ids,
    shard: usize,
    /// Boxed: a place of the map that nobody has would take as much as a line.
    lines: BTreeMap<LineId, Box<Line>>,
    by_handle: Vec<Option<LineId>>,
    next: u64,
    /// Lines that something happened to. Each is to be written to and sent from, too.
    to_read: Vec<LineId>,
    /// Lines that may have frames for QUIC. Each is to be sent from, too.
    to_write: Vec<LineId>,
    /// Lines that may have packets for the socket, once no more frames come.
    to_send: Vec<LineId>,
    deadlines: BTreeSet<(Instant, LineId)>,
    events: VecDeque<Event>,
    /// Answers that belong to no connection.
    replies: VecDeque<(Transmit, Vec<u8>)>,
    buffer: Vec<u8>,
    blocked: Option<Blocked>,
    accepts: bool,
    /// How many lines there may be.
    lines_max: usize,
    handshakes: usize,
    /// The present second, and connections that began in it.
    second: Option<(Instant, usize)>,
    counts: Counts,
    /// Answers to packets of connections that are not there.
    resets: Option<Allowance>,
}

impl Endpoint {
    /// An endpoint for `shard` of `shards`, of so many connections. `seed` is random and
    /// of this run alone.
    pub(crate) fn new(
        keys: &QuicKeys,
        server: Arc<ServerConfig>,
        seed: [u8; 32],
        shard: usize,
        shards: usize,
        lines_max: usize,
    ) -> Self {
        let config = keys.endpoint(seed, shard, shards);
        Self {
            inner: quinn_proto::Endpoint::new(config, Some(server), true, None),
            ids: keys.ids(seed, shard, shards),
            shard,
            lines: BTreeMap::new(),
            by_handle: Vec::new(),
            next: 0,
            to_read: Vec::new(),
            to_write: Vec::new(),
            to_send: Vec::new(),
            deadlines: BTreeSet::new(),
            events: VecDeque::new(),
            replies: VecDeque::new(),
            buffer: Vec::new(),
            blocked: None,
            accepts: true,
            lines_max,
            handshakes: 0,
            second: None,
            counts: Counts::default(),
            resets: None,
        }
    }

    /// Uses another certificate for new connections.
    pub(crate) fn set_server(&mut self, server: Arc<ServerConfig>) {
        self.inner.set_server_config(Some(server));
    }

    /// Takes no new connections any more.
    pub(crate) fn stop_accepting(&mut self) {
        self.accepts = false;
    }

    /// What it counted.
    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    /// Connections, those in their handshake and those that still drain included.
    pub(crate) fn open(&self) -> usize {
        self.lines.len()
    }

    /// The shard that a datagram belongs to, if it is another one.
    pub(crate) fn misrouted(&mut self, datagram: &[u8]) -> Option<usize> {
        let id = destination(datagram).filter(|id| !self.ids.is_of(self.shard, id))?;
        let shard = self.ids.shard_of(id)?;
        self.counts.misrouted += 1;
        Some(shard)
    }

    /// Takes a datagram.
    pub(crate) fn receive(&mut self, now: Instant, received: &Received<'_>, has_room: bool) {
        let bytes = BytesMut::from(received.bytes);
        self.buffer.clear();
        let (remote, local, ecn) = (received.remote, received.local, received.ecn);
        match self.inner.handle(now, remote, local, ecn, bytes, &mut self.buffer) {
            None => {}
            Some(DatagramEvent::ConnectionEvent(handle, event)) => {
                let Some(id) = self.by_handle.get(handle.0).copied().flatten() else { return };
                if let Some(line) = self.lines.get_mut(&id) {
                    line.connection.handle_event(event);
                    line.hear();
                    self.list(id, true);
                }
            }
            Some(DatagramEvent::NewConnection(incoming)) => self.admit(now, incoming, has_room),
            // Only a packet with a short header is answered so by a reset.
            Some(DatagramEvent::Response(_)) if is_short(received.bytes) && !self.resets(now) => {}
            Some(DatagramEvent::Response(transmit)) => self.reply(transmit),
        }
    }

    /// Whether one more peer may be told that its connection is gone.
    fn resets(&mut self, now: Instant) -> bool {
        let allowance = self
            .resets
            .get_or_insert_with(|| Allowance::new(now, QUIC_RESETS_BURST, QUIC_RESETS_PER_SECOND));
        let told = allowance.take(now);
        self.counts.resets += u64::from(told);
        self.counts.resets_held += u64::from(!told);
        told
    }

    /// Decides about a first packet.
    fn admit(&mut self, now: Instant, incoming: Incoming, has_room: bool) {
        let second = self.second.get_or_insert((now, 0));
        if now.saturating_duration_since(second.0) >= Duration::from_secs(1) {
            *second = (now, 0);
        }
        second.1 += 1;
        let over = |times: usize| {
            self.handshakes >= times * QUIC_HANDSHAKES_FREE || second.1 > times * QUIC_NEW_FREE
        };
        let (crowded, flooded) = (over(1), over(QUIC_SILENCE_FACTOR));
        let proven = incoming.remote_address_validated();
        self.buffer.clear();
        if !self.accepts || !has_room || self.lines.len() >= self.lines_max {
            let transmit = self.inner.refuse(incoming, &mut self.buffer);
            return self.reply(transmit);
        }
        if self.handshakes >= QUIC_HANDSHAKES_MAX || (flooded && !proven) {
            self.counts.ignored += 1;
            return self.inner.ignore(incoming);
        }
        if crowded && !proven && incoming.may_retry() {
            self.counts.retried += 1;
            if let Ok(transmit) = self.inner.retry(incoming, &mut self.buffer) {
                self.reply(transmit);
            }
            return;
        }
        match self.inner.accept(incoming, now, &mut self.buffer, None) {
            Ok((handle, connection)) => {
                self.next += 1;
                let id = LineId(self.next);
                if self.by_handle.len() <= handle.0 {
                    self.by_handle.resize(handle.0 + 1, None);
                }
                self.by_handle[handle.0] = Some(id);
                self.lines.insert(id, Box::new(Line::new(id, handle, connection, now)));
                self.handshakes += 1;
                self.counts.accepted += 1;
                self.list(id, true);
            }
            Err(error) => {
                tracing::debug!(cause = %error.cause, "a QUIC connection was not accepted");
                if let Some(transmit) = error.response {
                    self.reply(transmit);
                }
            }
        }
    }

    fn reply(&mut self, transmit: Transmit) {
        // Under a flood the newest wait for nobody.
        if self.replies.len() < crate::limits::QUIC_REPLIES_MAX {
            let bytes = self.buffer[..transmit.size].to_vec();
            self.replies.push_back((transmit, bytes));
        }
    }

    /// A line is to be written to and sent from, and before that to be read if `read`.
    fn list(&mut self, id: LineId, read: bool) {
        let Some(line) = self.lines.get_mut(&id) else { return };
        let listed = &mut line.listed;
        if read && !std::mem::replace(&mut listed.read, true) {
            self.to_read.push(id);
        }
        if !std::mem::replace(&mut listed.write, true) {
            self.to_write.push(id);
        }
        if !std::mem::replace(&mut listed.send, true) {
            self.to_send.push(id);
        }
    }

    /// Reads from the lines that something happened to.
    pub(crate) fn process(&mut self, now: Instant) {
        for id in std::mem::take(&mut self.to_read) {
            let Some(line) = self.lines.get_mut(&id) else { continue };
            line.listed.read = false;
            let before = line.is_handshaking();
            line.process(now, &mut self.events);
            self.handshakes -= usize::from(before && !line.is_handshaking());
            self.exchange(id);
        }
    }

    /// Hands frames to QUIC, which sends nothing yet: what the next frames are, may depend
    /// on how many were taken.
    pub(crate) fn write(&mut self, now: Instant) {
        for id in std::mem::take(&mut self.to_write) {
            let Some(line) = self.lines.get_mut(&id) else { continue };
            line.listed.write = false;
            let before = line.is_handshaking();
            line.write(now, &mut self.events);
            self.handshakes -= usize::from(before && !line.is_handshaking());
        }
    }

    /// Passes news between a connection and QUIC's endpoint.
    fn exchange(&mut self, id: LineId) {
        let Some(line) = self.lines.get_mut(&id) else { return };
        let handle: ConnectionHandle = line.handle;
        let mut drained = false;
        while let Some(event) = line.connection.poll_endpoint_events() {
            drained |= event.is_drained();
            if let Some(event) = self.inner.handle_event(handle, event) {
                line.connection.handle_event(event);
            }
        }
        if drained {
            if let Some(at) = line.deadline.take() {
                self.deadlines.remove(&(at, id));
            }
            self.handshakes -= usize::from(line.is_handshaking());
            self.by_handle[handle.0] = None;
            self.lines.remove(&id);
        }
    }

    /// What happened.
    pub(crate) fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Sends what QUIC has, until `send` says `false` or nothing is left.
    pub(crate) fn transmit(
        &mut self,
        now: Instant,
        segments_max: usize,
        send: &mut dyn FnMut(&Transmit, &[u8]) -> bool,
    ) {
        while self.blocked.is_none()
            && let Some((transmit, bytes)) = self.replies.pop_front()
        {
            if !send(&transmit, &bytes) {
                self.blocked = Some(Blocked { transmit, bytes });
            }
        }
        for id in std::mem::take(&mut self.to_send) {
            let Some(line) = self.lines.get_mut(&id) else { continue };
            while self.blocked.is_none() {
                self.buffer.clear();
                let segments = segments_max.min(UDP_SEGMENTS);
                let transmit = line.connection.poll_transmit(now, segments, &mut self.buffer);
                let Some(transmit) = transmit else { break };
                if !send(&transmit, &self.buffer[..transmit.size]) {
                    let bytes = self.buffer[..transmit.size].to_vec();
                    self.blocked = Some(Blocked { transmit, bytes });
                }
            }
            line.listed.send = self.blocked.is_some();
            if line.listed.send {
                self.to_send.push(id);
            }
            let deadline = line.poll_timeout();
            if deadline != line.deadline {
                if let Some(at) = line.deadline.take() {
                    self.deadlines.remove(&(at, id));
                }
                line.deadline = deadline;
                self.deadlines.extend(deadline.map(|at| (at, id)));
            }
            self.exchange(id);
        }
    }

    /// What the socket has yet to take before anything else goes.
    pub(crate) fn blocked(&self) -> Option<&Blocked> {
        self.blocked.as_ref()
    }

    /// The socket has taken it.
    pub(crate) fn unblock(&mut self) {
        self.blocked = None;
    }

    /// When [`Endpoint::handle_timeout`] is due next.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Acts on all that is due.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        while let Some((at, id)) = self.deadlines.first().copied()
            && at <= now
        {
            self.deadlines.pop_first();
            let Some(line) = self.lines.get_mut(&id) else { continue };
            line.deadline = None;
            let before = line.is_handshaking();
            line.handle_timeout(now, &mut self.events);
            self.handshakes -= usize::from(before && !line.is_handshaking());
            self.list(id, true);
        }
    }

    fn on_line(
        &mut self,
        id: LineId,
        read: bool,
        act: impl FnOnce(&mut Line, &mut VecDeque<Event>),
    ) {
        if let Some(line) = self.lines.get_mut(&id) {
            act(line, &mut self.events);
            self.list(id, read);
        }
    }

    /// Takes a frame that is to be sent.
    pub(crate) fn push(&mut self, id: LineId, now: Instant, frame: Arc<[u8]>, way: Way) {
        let frame = Bytes::from_owner(frame);
        self.on_line(id, false, |line, events| line.push(now, frame, way, events));
    }

    /// Grants a browser its session. `protocol` is one that it offered.
    pub(crate) fn grant(&mut self, id: LineId, protocol: Option<&str>) {
        self.on_line(id, true, |line, events| line.grant(protocol, events));
    }

    /// Refuses a browser's session by a status, and ends the line.
    pub(crate) fn refuse(&mut self, id: LineId, now: Instant, status: u16) {
        self.on_line(id, true, |line, _| line.refuse(now, status));
    }

    /// The address that a line comes from.
    pub(crate) fn remote(&self, id: LineId) -> Option<SocketAddr> {
        self.lines.get(&id).map(|line| line.connection.remote_address())
    }

    /// Ends a line once what was pushed has left, or when `patience` is over.
    pub(crate) fn end(
        &mut self,
        id: LineId,
        now: Instant,
        code: u32,
        reason: &'static str,
        patience: Duration,
    ) {
        self.on_line(id, true, |line, _| line.end(now, code, reason, patience));
    }

    /// Asks the peer for a sign of life.
    pub(crate) fn probe(&mut self, id: LineId) {
        self.on_line(id, true, |line, _| line.connection.ping());
    }

    /// Reads nothing from a line, or reads again.
    pub(crate) fn set_paused(&mut self, id: LineId, paused: bool) {
        self.on_line(id, true, |line, _| line.set_paused(paused));
    }
}

/// Whether a datagram begins with a short header: it is of a connection that was open.
fn is_short(datagram: &[u8]) -> bool {
    datagram.first().is_some_and(|first| first & 0x80 == 0)
}

/// The destination id of a datagram's first packet, if it has the length of ours.
fn destination(datagram: &[u8]) -> Option<&[u8]> {
    let first = *datagram.first()?;
    if first & 0x80 == 0 {
        return datagram.get(1..1 + super::ids::ID_BYTES);
    }
    let length = usize::from(*datagram.get(5)?);
    datagram.get(6..6 + length)
}
