//! QUIC connections at their home: the shard that their datagrams arrive at.
//!
//! A native client leads its first datagram to its desk's shard, so desk and home are
//! usually the same. A browser cannot. What its connection says then goes to the desk's
//! shard by the message queue, and what the desk's core wants of it comes back that way.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::time::Duration;

use desk_engine_core::{ConnectionId, SessionKey, Source, Way};
use desk_gateway_http::route;
use desk_gateway_http::webtransport::Connect;
use desk_protocol::codec::{self, Decoded};
use desk_protocol::frame::{ClientFrame, CloseCode};

use super::order::{Misrouted, Order, Said};
use super::{Message, Shell};
use crate::budget::Held;
use crate::clock;
use crate::limits::{BUFFERED_BYTES, GUEST_UNTAKEN_BYTES, UDP_RECEIVES};
use crate::net::quic::endpoint::{Endpoint, Received};
use crate::net::quic::{Event, LineId, Way as Carried};
use crate::net::udp::{Batch, Udp};

/// The protocol of frames, as a browser offers it.
const PROTOCOL: &str = "sticker-desk.v1";

/// The QUIC connections whose home is this shard.
pub(crate) struct Guests {
    endpoint: RefCell<Endpoint>,
    /// One of each address family that is served.
    sockets: Vec<Udp>,
    visits: RefCell<BTreeMap<LineId, Visit>>,
    by_connection: RefCell<BTreeMap<u64, LineId>>,
    /// The generation of the certificate that new connections get.
    generation: Cell<u64>,
}

/// One connection.
struct Visit {
    connection: ConnectionId,
    /// The shard of its desk: this one until its hello names another.
    desk: usize,
    /// The address that it began from.
    source: Source,
    /// What came before a whole hello did.
    hello: Option<Vec<u8>>,
    /// What of it counts for the process.
    unread: Held,
    /// Bytes on their way to the desk's shard.
    untaken: usize,
    /// The core does not want it to be read.
    paused: bool,
}

impl Guests {
    /// Guests that arrive at these sockets.
    pub(crate) fn new(endpoint: Endpoint, sockets: Vec<Udp>) -> Self {
        Self {
            endpoint: RefCell::new(endpoint),
            sockets,
            visits: RefCell::default(),
            by_connection: RefCell::default(),
            generation: Cell::new(0),
        }
    }

    /// Connections, those that are ending included.
    pub(crate) fn open(&self) -> usize {
        self.visits.borrow().len()
    }

    /// How many sockets there are to receive on.
    pub(crate) fn sockets(&self) -> usize {
        self.sockets.len()
    }

    fn socket_for(&self, v4: bool) -> Option<&Udp> {
        self.sockets.iter().find(|socket| socket.address().is_ipv4() == v4)
    }
}

impl Shell {
    /// Receives on one socket, for ever.
    pub(crate) async fn receive_datagrams(self: Rc<Self>, socket: usize) {
        let Some(guests) = &self.guests else { return };
        let socket = &guests.sockets[socket];
        loop {
            for _ in 0..UDP_RECEIVES {
                let received = std::future::poll_fn(|context| {
                    self.poll_blocked(context, socket);
                    BATCH.with_borrow_mut(|batch| {
                        let ready = std::task::ready!(socket.poll_receive(context, batch));
                        std::task::Poll::Ready(ready.map(|()| self.take_batch(batch)))
                    })
                })
                .await;
                if let Err(error) = received {
                    // An answer of the network to something sent; the next call goes on.
                    tracing::debug!(%error, "a UDP socket reports an error");
                }
                self.wake();
            }
            glommio::executor().yield_now().await;
        }
    }

    /// Sends what the socket did not take at once.
    fn poll_blocked(&self, context: &mut std::task::Context<'_>, socket: &Udp) {
        let Some(guests) = &self.guests else { return };
        let mut endpoint = guests.endpoint.borrow_mut();
        let Some(blocked) = endpoint.blocked() else { return socket.wait_for_room(context) };
        if blocked.transmit.destination.is_ipv4() != socket.address().is_ipv4() {
            return;
        }
        let transmit = outgoing(&blocked.transmit, &blocked.bytes);
        if socket.poll_send(context, &transmit).is_ready() {
            endpoint.unblock();
            self.wake();
        }
    }

    fn take_batch(&self, batch: &Batch) {
        let Some(guests) = &self.guests else { return };
        let now = clock::instant();
        let mut endpoint = guests.endpoint.borrow_mut();
        for (meta, bytes) in batch.datagrams() {
            // Port 0 cannot be answered.
            if meta.addr.port() == 0 {
                continue;
            }
            let ecn = meta.ecn.and_then(|ecn| quinn_proto::EcnCodepoint::from_bits(ecn as u8));
            let received = Received { remote: meta.addr, local: meta.dst_ip, ecn, bytes };
            if let Some(shard) = endpoint.misrouted(bytes) {
                let datagram = Misrouted {
                    remote: received.remote,
                    local: received.local,
                    ecn: received.ecn.map_or(0, |ecn| ecn as u8),
                    bytes: bytes.to_vec(),
                };
                let message = Message::Datagram(Box::new(datagram));
                if shard < self.shared.shards.len() {
                    self.mesh.borrow_mut().send(shard, message);
                }
                continue;
            }
            endpoint.receive(now, &received, self.shared.has_room_for_guest());
        }
    }

    /// Takes a datagram that arrived at another shard.
    pub(super) fn take_misrouted(&self, datagram: &Misrouted) {
        let Some(guests) = &self.guests else { return };
        let received = Received {
            remote: datagram.remote,
            local: datagram.local,
            ecn: quinn_proto::EcnCodepoint::from_bits(datagram.ecn),
            bytes: &datagram.bytes,
        };
        let has_room = self.shared.has_room_for_guest();
        guests.endpoint.borrow_mut().receive(clock::instant(), &received, has_room);
    }

    /// How long until QUIC wants a turn.
    pub(super) fn quic_timeout(&self) -> Option<Duration> {
        let at = self.guests.as_ref()?.endpoint.borrow().poll_timeout()?;
        Some(at.saturating_duration_since(clock::instant()))
    }

    /// Takes what arrived, and acts on what is due.
    pub(super) fn hear_guests(self: &Rc<Self>) {
        let Some(guests) = &self.guests else { return };
        let now = clock::instant();
        {
            let mut endpoint = guests.endpoint.borrow_mut();
            if self.is_stopping() {
                endpoint.stop_accepting();
            }
            if let Some(quic) = &self.shared.quic
                && guests.generation.replace(quic.generation()) != quic.generation()
            {
                endpoint.set_server(quic.server());
            }
            endpoint.handle_timeout(now);
            endpoint.process(now);
        }
        self.take_guest_events(guests);
    }

    /// Hands frames to QUIC. Says whether the core was told of it, and may have more.
    pub(super) fn write_guests(self: &Rc<Self>) -> bool {
        let Some(guests) = &self.guests else { return false };
        let now = clock::instant();
        {
            let mut endpoint = guests.endpoint.borrow_mut();
            endpoint.process(now);
            endpoint.write(now);
        }
        self.take_guest_events(guests)
    }

    /// Sends what QUIC has. One packet carries all that a turn had for its peer.
    pub(super) fn send_guests(&self) {
        let Some(guests) = &self.guests else { return };
        let segments = guests.sockets.iter().map(Udp::segments_max).min().unwrap_or(1);
        let mut endpoint = guests.endpoint.borrow_mut();
        endpoint.transmit(clock::instant(), segments, &mut |transmit, bytes| {
            match guests.socket_for(transmit.destination.is_ipv4()) {
                Some(socket) => socket.try_send(&outgoing(transmit, bytes)),
                // Nothing came from such an address.
                None => true,
            }
        });
    }

    /// Tells what happened. Says whether something did.
    fn take_guest_events(self: &Rc<Self>, guests: &Guests) -> bool {
        let mut any = false;
        loop {
            let event = guests.endpoint.borrow_mut().poll_event();
            let Some(event) = event else { return any };
            any = true;
            self.take_event(guests, event);
        }
    }

    fn take_event(self: &Rc<Self>, guests: &Guests, event: Event) {
        match event {
            Event::Asks(line, connect) => self.answer_browser(guests, line, &connect),
            Event::Opened(line) => {
                let connection = self.name_connection();
                let visit = self.visit(guests, line, connection, self.index);
                let source = visit.source;
                let visit = Visit { hello: Some(Vec::new()), ..visit };
                guests.visits.borrow_mut().insert(line, visit);
                guests.by_connection.borrow_mut().insert(connection.0, line);
                self.metrics().connections.set(self.state().guest_opened());
                self.hear_in_turn(connection, Said::Opened(None, source));
            }
            Event::Frames(line, bytes) => self.pass_frames(guests, line, &bytes),
            Event::Datagram(line, bytes) => self.say(guests, line, Said::Datagram(bytes.to_vec())),
            Event::Heard(line) => self.say(guests, line, Said::Heard),
            Event::Sent(line, bytes) => self.say(guests, line, Said::Sent(bytes)),
            Event::Ended(line) => {
                self.say(guests, line, Said::Closed);
                if let Some(visit) = guests.visits.borrow_mut().remove(&line) {
                    guests.by_connection.borrow_mut().remove(&visit.connection.0);
                    self.metrics().connections.set(self.state().guest_closed());
                }
            }
        }
    }

    /// Answers a browser that asks for a session. What is none of ours is refused by a
    /// status. A page sees no status, so a key that cannot be used is told as the reason of
    /// a session that ends at once.
    fn answer_browser(self: &Rc<Self>, guests: &Guests, line: LineId, connect: &Connect) {
        let mut endpoint = guests.endpoint.borrow_mut();
        let origin = connect.origin.as_deref().filter(|at| !self.shared.is_of_cluster(at));
        let allowed = self
            .shared
            .origins
            .check_session(&connect.authority, origin)
            .map_err(|problem| {
                self.turned_away(Some(&connect.authority), connect.origin.as_deref(), problem)
            })
            .and_then(|()| route::session_of(&connect.path, connect.query.as_deref()));
        let key = match allowed {
            Ok(key) => key,
            Err(problem) => {
                return endpoint.refuse(line, clock::instant(), problem.status.0);
            }
        };
        let mut offered = connect.protocols.iter().map(String::as_str);
        let protocol = offered.find(|offered| *offered == PROTOCOL);
        endpoint.grant(line, protocol);
        let Ok(key) = key.parse::<SessionKey>() else {
            let code = CloseCode::KeyVoid;
            let patience = self.shared.config.limits.close_time;
            let number = u32::from(code.websocket());
            return endpoint.end(line, clock::instant(), number, code.as_str(), patience);
        };
        drop(endpoint);
        let desk = usize::from(self.shared.placement.shard(key.link));
        self.metrics().guests_elsewhere.add(u64::from(desk != self.index));
        let connection = self.name_connection();
        let visit = self.visit(guests, line, connection, desk);
        let source = visit.source;
        guests.visits.borrow_mut().insert(line, visit);
        guests.by_connection.borrow_mut().insert(connection.0, line);
        self.metrics().connections.set(self.state().guest_opened());
        self.say(guests, line, Said::Opened(Some(key), source));
    }

    /// A connection that has begun, which needs no hello to find its desk.
    fn visit(&self, guests: &Guests, line: LineId, connection: ConnectionId, desk: usize) -> Visit {
        let remote = guests.endpoint.borrow().remote(line);
        let source = Source::from(remote.map_or(Ipv4Addr::UNSPECIFIED.into(), |at| at.ip()));
        let unread = Held::nothing(&self.unread, source, &self.guests_changed);
        Visit { connection, desk, source, hello: None, unread, untaken: 0, paused: false }
    }

    /// Ends connections that were chosen to end before their hello was whole.
    pub(super) fn end_visits(&self) {
        let Some(guests) = &self.guests else { return };
        let patience = self.shared.config.limits.close_time;
        let code = CloseCode::Overloaded;
        for (line, visit) in guests.visits.borrow_mut().iter_mut() {
            if visit.unread.is_ended() {
                visit.hello = visit.hello.take().map(|_| Vec::new());
                let (number, now) = (u32::from(code.websocket()), clock::instant());
                guests.endpoint.borrow_mut().end(*line, now, number, code.as_str(), patience);
            }
        }
    }

    /// Passes bytes on. Those before a whole hello wait, since the hello says where to.
    fn pass_frames(self: &Rc<Self>, guests: &Guests, line: LineId, bytes: &[u8]) {
        let mut visits = guests.visits.borrow_mut();
        let Some(visit) = visits.get_mut(&line) else { return };
        let Some(waiting) = &mut visit.hello else {
            drop(visits);
            return self.say(guests, line, Said::Frames(bytes.to_vec()));
        };
        waiting.extend_from_slice(bytes);
        let kept = waiting.capacity().saturating_sub(BUFFERED_BYTES);
        if visit.unread.set(kept).is_err() {
            // `end_visits` tells it.
            *waiting = Vec::new();
            return;
        }
        let limit = self.shared.config.limits.shard.order.desk.frame_bytes;
        let frame = codec::decode_client_within(waiting, limit);
        if matches!(frame, Ok(Decoded::Incomplete)) {
            return;
        }
        let waiting = visit.hello.take().unwrap_or_default();
        let source = visit.source;
        // It counts where it is taken from now on.
        let _ = visit.unread.set(0);
        let key = match frame {
            Ok(Decoded::Frame(_, Some(ClientFrame::Hello(hello)))) => {
                hello.session_key.parse().ok()
            }
            // The core says what is wrong.
            _ => None,
        };
        let desk = key.map_or(self.index, |key: SessionKey| {
            usize::from(self.shared.placement.shard(key.link))
        });
        let moves = desk != visit.desk;
        let connection = visit.connection;
        visit.desk = desk;
        drop(visits);
        if moves {
            self.metrics().guests_elsewhere.add(1);
            self.hear_in_turn(connection, Said::Closed);
            self.say(guests, line, Said::Opened(None, source));
        }
        self.say(guests, line, Said::Frames(waiting));
    }

    /// Says something to the shard of a guest's desk.
    fn say(self: &Rc<Self>, guests: &Guests, line: LineId, said: Said) {
        let mut visits = guests.visits.borrow_mut();
        let Some(visit) = visits.get_mut(&line) else { return };
        let connection = visit.connection;
        if visit.desk == self.index {
            drop(visits);
            return self.hear_in_turn(connection, said);
        }
        if let Said::Frames(bytes) = &said {
            visit.untaken += bytes.len();
            let paused = visit.paused || visit.untaken >= GUEST_UNTAKEN_BYTES;
            guests.endpoint.borrow_mut().set_paused(line, paused);
        }
        self.mesh.borrow_mut().send(visit.desk, Message::Said { connection, said });
    }

    /// Does what the core of a guest's desk wants.
    pub(super) fn obey_as_home(&self, connection: ConnectionId, order: Order) {
        let Some(guests) = &self.guests else { return };
        let line = guests.by_connection.borrow().get(&connection.0).copied();
        let mut visits = guests.visits.borrow_mut();
        let Some(line) = line else { return };
        let Some(visit) = visits.get_mut(&line) else { return };
        let mut endpoint = guests.endpoint.borrow_mut();
        match order {
            Order::Send { frame, way } => {
                return endpoint.push(line, clock::instant(), frame, carried(way));
            }
            Order::Close(code) => {
                let limits = &self.shared.config.limits;
                let patience =
                    if self.is_stopping() { limits.close_time } else { limits.last_words_time };
                let number = u32::from(code.websocket());
                return endpoint.end(line, clock::instant(), number, code.as_str(), patience);
            }
            Order::Probe => return endpoint.probe(line),
            Order::Pause => visit.paused = true,
            Order::Resume => visit.paused = false,
            Order::Taken(bytes) => visit.untaken = visit.untaken.saturating_sub(bytes),
        }
        endpoint.set_paused(line, visit.paused || visit.untaken >= GUEST_UNTAKEN_BYTES);
    }
}

impl Shell {
    /// Tells the metrics of QUIC.
    pub(super) fn count_guests(&self) {
        let Some(guests) = &self.guests else { return };
        let endpoint = guests.endpoint.borrow();
        let (metrics, counts) = (self.metrics(), endpoint.counts());
        metrics.quic_connections.set(endpoint.open() as u64);
        metrics.quic_accepted.set(counts.accepted);
        metrics.quic_retried.set(counts.retried);
        metrics.quic_ignored.set(counts.ignored);
        metrics.quic_misrouted.set(counts.misrouted);
        metrics.quic_resets.set(counts.resets);
        metrics.quic_resets_held.set(counts.resets_held);
    }
}

fn carried(way: Way) -> Carried {
    match way {
        Way::Ordered => Carried::Ordered,
        Way::Repeated => Carried::Repeated,
        Way::Lossy => Carried::Datagram,
        Way::Snapshot { first, last } => Carried::Snapshot { first, last },
    }
}

thread_local! {
    /// Where this thread receives: one batch for all its sockets.
    static BATCH: RefCell<Batch> = RefCell::default();
}

fn outgoing<'b>(transmit: &quinn_proto::Transmit, bytes: &'b [u8]) -> quinn_udp::Transmit<'b> {
    quinn_udp::Transmit {
        destination: transmit.destination,
        ecn: transmit.ecn.and_then(|ecn| quinn_udp::EcnCodepoint::from_bits(ecn as u8)),
        contents: bytes,
        segment_size: transmit.segment_size,
        src_ip: transmit.src_ip,
    }
}
