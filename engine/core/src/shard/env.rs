//! What all desks of a shard share: the log's gate, timers, connections.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use desk_protocol::codec::Encoder;
use desk_protocol::frame::{CloseCode, ServerFrame};
use desk_protocol::{LinkId, Revision, Time};

use super::entropy::Entropy;
use super::io::ShardConfig;
use super::stats::ShardStats;
use super::timers::{Timer, Timers};
use crate::collaboration::{
    Connection, ForViewers, News, Pauses, Phase, Poll, Polls, Room, Stream,
};
use crate::copies::{Accounts, OldCopies};
use crate::gate::Gate;
use crate::identity::Keyring;
use crate::limits::{COPY_RETRY_TIME, STORE_BYTES_MIN};
use crate::management::{Hot, Lifetimes, Slot, Task};
use crate::names::{ConnectionId, LogPosition, RequestId};
use crate::output::{Output, Way};
use crate::service::{Reply, ServiceError, TOO_MANY_COPIES};
use crate::units::Units;

pub(crate) struct Env {
    pub(crate) config: ShardConfig,
    pub(crate) keyring: Keyring,
    pub(crate) lifetimes: Lifetimes,
    pub(crate) entropy: Entropy,
    pub(crate) gate: Gate,
    pub(crate) timers: Timers,
    pub(crate) connections: BTreeMap<ConnectionId, Connection>,
    pub(crate) polls: Polls,
    /// Bytes that are queued for all connections.
    pub(crate) waiting_bytes: usize,
    pub(crate) encoder: Encoder,
    pub(crate) stats: ShardStats,
    /// Whether the store takes writes.
    pub(crate) writable: bool,
    /// In a cluster: the units that are served here.
    pub(crate) units: Option<Units>,
    pub(crate) draining: bool,
    /// Bytes that the store takes in memory for desks that are not in use.
    pub(crate) store_bytes: usize,
    /// Bytes of what waits for desks to be loaded.
    pub(crate) loading_bytes: usize,
    /// What readers keep of desks that have changed since.
    pub(crate) old_copies: OldCopies,
    /// Bytes and desks that the shell was given to store.
    pub(crate) storing_bytes: usize,
    pub(crate) storing_keys: usize,
}

impl Env {
    /// Answers a request. The answer leaves once the log is durable up to `position`.
    pub(crate) fn reply(&mut self, position: LogPosition, request: RequestId, reply: Reply) {
        self.gate.after(position, Output::Reply { request, reply });
    }

    /// Whether a link's desk is served here, and not by another machine.
    pub(crate) fn serves(&self, link: LinkId) -> bool {
        self.units.as_ref().is_none_or(|units| units.serves(link))
    }

    /// Whether another machine may have taken a link's desk unnoticed.
    pub(crate) fn is_suspect(&self, link: LinkId) -> bool {
        self.units.as_ref().is_some_and(|units| units.is_suspect(link))
    }

    /// Whether changes of a link's desk can be stored.
    pub(crate) fn takes(&self, link: LinkId) -> bool {
        self.writable && self.units.as_ref().is_none_or(|units| units.takes(link))
    }

    /// Fails a request. `Unavailable` and `Moved` show no state, so they leave at once, also
    /// while the log is stuck.
    pub(crate) fn fail(&mut self, position: LogPosition, request: RequestId, why: ServiceError) {
        let reply = Reply::Failed(why);
        if let Reply::Failed(ServiceError::Unavailable(_) | ServiceError::Moved) = reply {
            return self.gate.at_once(Output::Reply { request, reply });
        }
        self.reply(position, request, reply);
    }

    /// Whether the desks in use take more memory than the store leaves them.
    pub(crate) fn is_memory_short(&self) -> bool {
        let left = self.config.memory_bytes - self.store_bytes.min(self.config.memory_bytes / 2);
        self.stats.memory_bytes > left
    }

    /// Whether the store has room in memory for one more key.
    ///
    /// # Errors
    /// [`ServiceError::Unavailable`].
    pub(crate) fn has_room_for_keys(&self) -> Result<(), ServiceError> {
        if self.store_bytes <= (self.config.memory_bytes / 2).max(STORE_BYTES_MIN) {
            return Ok(());
        }
        Err(ServiceError::Unavailable("the server's memory has no room for more desks"))
    }

    /// Whether a desk that has no old copies may be copied.
    ///
    /// # Errors
    /// [`ServiceError::Unavailable`].
    pub(crate) fn has_room_for_copies(&self) -> Result<(), ServiceError> {
        Accounts::new(&self.old_copies).has_room().then_some(()).ok_or(TOO_MANY_COPIES)
    }

    pub(crate) fn encode(&mut self, frame: &ServerFrame) -> Arc<[u8]> {
        let mut bytes = Vec::new();
        self.encoder.server(frame, &mut bytes);
        bytes.into()
    }

    /// Sets the phase of a connection, and counts connections that have a session.
    pub(crate) fn set_phase(&mut self, id: ConnectionId, phase: Phase) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let before = connection.session().map(|session| session.desk);
        connection.phase = phase;
        let after = connection.session().map(|session| session.desk);
        self.count_session(before, after);
    }

    /// A connection had a session on a desk and has one on another.
    fn count_session(&mut self, before: Option<LinkId>, after: Option<LinkId>) {
        self.stats.sessions -= usize::from(before.is_some());
        self.stats.sessions += usize::from(after.is_some());
        if let Some(units) = &mut self.units {
            before.into_iter().for_each(|desk| units.left(desk));
            after.into_iter().for_each(|desk| units.entered(desk));
        }
    }

    /// Forgets a connection that the shell has ended.
    pub(crate) fn remove_connection(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.remove(&id) else { return };
        self.timers.disarm(connection.hello_by, Timer::Hello(id));
        self.waiting_bytes -= connection.waiting_bytes();
        self.count_session(connection.session().map(|session| session.desk), None);
    }

    /// Queues a frame on a connection, whatever its stream.
    pub(crate) fn queue(
        &mut self,
        position: LogPosition,
        to: ConnectionId,
        frame: Arc<[u8]>,
        way: Way,
    ) {
        let Some(connection) = self.connections.get_mut(&to) else { return };
        connection.queued_bytes += frame.len();
        self.waiting_bytes += frame.len();
        let full = self.is_full(to);
        self.gate.after(position, Output::Send { connection: to, frame, way });
        if full {
            self.bound_queue(to);
        }
    }

    /// Pauses reading from a connection while its outbound queue is full, and resumes it
    /// after that. A client that reads no answers can thus ask for no more of them.
    pub(crate) fn bound_queue(&mut self, id: ConnectionId) {
        let full = self.is_full(id);
        self.set_pauses(id, |pauses| pauses.queue = full);
    }

    fn is_full(&self, id: ConnectionId) -> bool {
        let limits = &self.config.limits;
        let waiting = self.connections.get(&id).map_or(0, Connection::waiting_bytes);
        waiting > limits.outbound_queue_bytes || (waiting > 0 && self.is_crowded())
    }

    /// Whether the queues of all connections together are full. Then each connection gets
    /// one frame at a time.
    fn is_crowded(&self) -> bool {
        self.waiting_bytes > self.config.limits.outbound_queues_bytes
    }

    /// Changes the reasons to pause a connection, and tells the shell when the first one
    /// comes or the last one goes.
    pub(crate) fn set_pauses(&mut self, id: ConnectionId, change: impl FnOnce(&mut Pauses)) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let before = connection.pauses.any();
        change(&mut connection.pauses);
        match (before, connection.pauses.any()) {
            (false, true) => {
                self.stats.paused += 1;
                self.gate.at_once(Output::Pause { connection: id });
            }
            (true, false) => self.gate.at_once(Output::Resume { connection: id }),
            _ => {}
        }
    }

    /// Sends a frame that must not overtake the commits before it.
    pub(crate) fn send(&mut self, position: LogPosition, to: ConnectionId, frame: Arc<[u8]>) {
        let Some(connection) = self.connections.get_mut(&to) else { return };
        let Some(session) = connection.session_mut() else { return };
        match &mut session.stream {
            Stream::Live => self.queue(position, to, frame, Way::Ordered),
            Stream::Behind { deferred, .. } | Stream::Snapshot { deferred, .. } => {
                let bytes = frame.len();
                deferred.push_back(frame);
                connection.deferred_bytes += bytes;
                self.waiting_bytes += bytes;
                self.bound_queue(to);
            }
        }
    }

    /// Sends a commit to every connection that is up to date. A connection whose queue is
    /// full falls behind, and gets the rest as it reads. So does a viewer whom only a
    /// snapshot brings up to date, and everybody after a commit that is no news.
    pub(crate) fn broadcast(&mut self, now: Time, hot: &mut Hot, room: &Room, news: Option<&News>) {
        let position = hot.position;
        let before = Revision(hot.record.desk.revision().0 - 1);
        let crowded = self.is_crowded();
        for id in &room.connections {
            let Some(connection) = self.connections.get_mut(id) else { continue };
            let queued = connection.queued_bytes;
            let Some(session) = connection.session_mut() else { continue };
            let Stream::Live = session.stream else { continue };
            let way = session.way;
            let most =
                if crowded && queued > 0 { 0 } else { self.config.limits.outbound_queue_bytes };
            let fits = |frame: &[u8]| queued + frame.len() <= most;
            let commit = news.and_then(|news| news.of(session.role));
            let Some(commit) = commit.filter(|commit| fits(&commit.frame)) else {
                session.stream = Stream::Behind { sent: before, deferred: VecDeque::new() };
                self.stats.resyncs += 1;
                continue;
            };
            connection.queued_bytes = queued + commit.frame.len();
            self.waiting_bytes += commit.frame.len();
            self.stats.deliveries += 1;
            let frame = commit.frame.clone();
            self.gate.after(position, Output::Send { connection: *id, frame, way });
        }
        if news.is_none_or(|news| matches!(news.viewers, ForViewers::Snapshot)) {
            // A connection without queued bytes gets no `Sent` that would pump it later.
            for id in &room.connections {
                self.pump(now, hot, *id);
            }
        }
    }

    /// Asks for a desk to be stored, unless that is under way.
    pub(crate) fn store(&mut self, hot: &mut Hot) {
        if hot.store(&mut self.gate) {
            self.storing_bytes += hot.storing_bytes;
            self.storing_keys += 1;
        }
    }

    /// The shell has stored a desk, or the desk is gone.
    pub(crate) fn store_ended(&mut self, hot: &mut Hot) {
        if hot.storing.take().is_some() {
            self.storing_bytes -= std::mem::take(&mut hot.storing_bytes);
            self.storing_keys -= 1;
        }
    }

    /// Queues missing commits or snapshot chunks for a connection that is behind, as far as
    /// its queue allows.
    pub(crate) fn pump(&mut self, now: Time, hot: &mut Hot, id: ConnectionId) {
        let limits = Arc::clone(&self.config.limits);
        loop {
            let crowded = self.is_crowded();
            let Some(connection) = self.connections.get_mut(&id) else { return };
            let queued = connection.queued_bytes;
            if crowded && queued > 0 {
                return;
            }
            let Some(session) = connection.session_mut() else { return };
            let role = session.role;
            match &mut session.stream {
                Stream::Live => return,
                Stream::Snapshot { snapshot, next, deferred } => {
                    if *next == snapshot.frames.len() {
                        session.stream = Stream::Behind {
                            sent: snapshot.revision,
                            deferred: std::mem::take(deferred),
                        };
                        continue;
                    }
                    if queued >= limits.snapshot_chunks_queued * limits.snapshot_chunk_bytes {
                        return;
                    }
                    let frame = snapshot.frames[*next].clone();
                    let first = *next == 0;
                    *next += 1;
                    let last = *next == snapshot.frames.len();
                    self.queue(hot.position, id, frame, Way::Snapshot { first, last });
                }
                Stream::Behind { sent, deferred } => {
                    let room = limits.outbound_queue_bytes / 2;
                    if queued > room {
                        return;
                    }
                    if *sent == hot.record.desk.revision() {
                        let deferred = std::mem::take(deferred);
                        session.stream = Stream::Live;
                        self.waiting_bytes -= std::mem::take(&mut connection.deferred_bytes);
                        for frame in deferred {
                            self.queue(hot.position, id, frame, Way::Ordered);
                        }
                        return;
                    }
                    let Some(missed) = hot.ring.after(*sent, role) else {
                        if self.replace(now, hot, id).is_err() {
                            self.timers.arm(now + COPY_RETRY_TIME, Timer::Pump(id));
                            return;
                        }
                        continue;
                    };
                    let mut total = queued;
                    let mut frames = Vec::new();
                    for commit in missed {
                        if total > room {
                            break;
                        }
                        total += commit.frame.len();
                        *sent = commit.commit.revision;
                        frames.push(commit.frame.clone());
                    }
                    for frame in frames {
                        self.stats.deliveries += 1;
                        self.queue(hot.position, id, frame, Way::Ordered);
                    }
                }
            }
        }
    }

    /// Begins a snapshot for a connection whose missing commits are no longer kept. A new
    /// `Welcome` precedes it.
    ///
    /// # Errors
    /// No snapshot can be had now.
    fn replace(&mut self, now: Time, hot: &mut Hot, id: ConnectionId) -> Result<(), ServiceError> {
        let Some(session) = self.connections.get(&id).and_then(Connection::session) else {
            return Ok(());
        };
        let role = session.role;
        let snapshot = hot.snapshot(role)?;
        let newest = hot.record.desk.revision();
        assert!(snapshot.revision == newest, "a connection is brought to the newest revision");
        let welcome = hot.welcome(now, session.client, role, true);
        let frame = self.encode(&ServerFrame::Welcome(welcome));
        self.queue(hot.position, id, frame, Way::Ordered);
        let Some(session) = self.connections.get_mut(&id).and_then(Connection::session_mut) else {
            return Ok(());
        };
        let deferred = match &mut session.stream {
            Stream::Behind { deferred, .. } | Stream::Snapshot { deferred, .. } => {
                std::mem::take(deferred)
            }
            Stream::Live => VecDeque::new(),
        };
        session.stream = Stream::Snapshot { snapshot, next: 0, deferred };
        Ok(())
    }

    /// Sends presence to every connection of the room whose queue is short.
    pub(crate) fn send_presence(&mut self, position: LogPosition, room: &mut Room) {
        let frame_bytes = self.config.limits.presence_frame_bytes;
        for frame in room.presence.news(frame_bytes, &mut self.encoder) {
            for id in &room.connections {
                self.queue_presence(position, *id, &frame);
            }
        }
    }

    pub(crate) fn queue_presence(
        &mut self,
        position: LogPosition,
        to: ConnectionId,
        frame: &Arc<[u8]>,
    ) {
        let Some(connection) = self.connections.get(&to) else { return };
        let live = connection.session().is_some_and(|s| matches!(s.stream, Stream::Live));
        let room = connection.queued_bytes <= self.config.limits.presence_queue_bytes;
        if live && room && !self.is_crowded() {
            self.stats.presence_sent += 1;
            self.queue(position, to, frame.clone(), Way::Lossy);
        }
    }

    /// Arms the timer for the next presence frame.
    pub(crate) fn arm_presence(&mut self, now: Time, desk: LinkId, room: &mut Room) {
        if room.presence.armed || !room.presence.has_news() {
            return;
        }
        let limits = &self.config.limits;
        let crowd = room.connections.len() > limits.presence_crowd;
        let interval =
            if crowd { limits.presence_interval_crowd } else { limits.presence_interval };
        room.presence.armed = true;
        let at = (room.presence.sent_at + interval).max(now);
        self.timers.arm(at, Timer::Presence(desk));
    }

    /// Tells a connection once that it ends, and why. The caller takes it out of its room.
    pub(crate) fn close(
        &mut self,
        position: LogPosition,
        id: ConnectionId,
        code: CloseCode,
        detail: &str,
    ) {
        let phase = self.connections.get(&id).map(|connection| &connection.phase);
        if phase.is_none_or(|phase| matches!(phase, Phase::Closing)) {
            return;
        }
        let frame = self.encode(&ServerFrame::Close { code, detail: detail.to_owned() });
        self.queue(position, id, frame, Way::Ordered);
        self.set_phase(id, Phase::Closing);
        self.gate.after(position, Output::Close { connection: id, code });
    }

    /// Ends every connection of a room.
    pub(crate) fn close_all(
        &mut self,
        now: Time,
        position: LogPosition,
        room: &mut Room,
        code: CloseCode,
        detail: &str,
    ) {
        for id in std::mem::take(&mut room.connections) {
            self.close(position, id, code, detail);
        }
        room.fences.leave_all(now);
        room.presence = Default::default();
    }

    /// Takes all that waits for a desk to be loaded.
    pub(crate) fn take_waiting(&mut self, slot: &mut Slot) -> VecDeque<Task> {
        let waiting = std::mem::take(&mut slot.waiting);
        self.loading_bytes -= waiting.iter().map(Task::bytes).sum::<usize>();
        waiting
    }

    /// Lets a request wait for the next commit of its desk.
    pub(crate) fn add_poll(&mut self, room: &mut Room, request: RequestId, poll: Poll) {
        self.timers.arm(poll.until, Timer::Poll(request));
        self.polls.add(&mut room.polls, request, poll);
    }

    /// Takes a waiting poll off its desk, if there is one under this request.
    pub(crate) fn take_poll(&mut self, room: &mut Room, request: RequestId) -> Option<Poll> {
        let poll = self.polls.take(&mut room.polls, request)?;
        self.timers.disarm(poll.until, Timer::Poll(request));
        Some(poll)
    }

    /// Answers every poll that waits in a room.
    pub(crate) fn fail_polls(
        &mut self,
        position: LogPosition,
        room: &mut Room,
        why: &ServiceError,
    ) {
        for request in room.polls.requests() {
            self.take_poll(room, request);
            self.fail(position, request, why.clone());
        }
    }
}
