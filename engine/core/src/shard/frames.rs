//! Frames from connections.

use std::collections::VecDeque;

use desk_protocol::codec::{self, Decoded};
use desk_protocol::frame::{ClientFrame, CloseCode, Hello, Role, ServerFrame, Submit};
use desk_protocol::limits::USER_LABEL_CHARS_MAX;
use desk_protocol::{ClientSeq, LinkId, Time};

use super::Shard;
use super::timers::Timer;
use crate::collaboration::{Connection, Phase, Session, Stream};
use crate::collisions::{Arrival, Ordered};
use crate::identity::SessionKey;
use crate::management::Submitted;
use crate::management::Task;
use crate::names::{ConnectionId, LogPosition};
use crate::output::Way;
use crate::service::{ServiceError, UNSTORABLE};

impl Shard {
    /// Takes the whole frames at the front of a connection's bytes. Returns how many bytes
    /// were used up. The shell keeps the rest and appends the next read to it.
    pub fn receive(&mut self, now: Time, id: ConnectionId, bytes: &[u8]) -> usize {
        let mut used = 0;
        let limit = self.env.config.limits.order.desk.frame_bytes;
        while used < bytes.len() {
            let Some(connection) = self.env.connections.get_mut(&id) else { return bytes.len() };
            if matches!(connection.phase, Phase::Closing) {
                return bytes.len();
            }
            if connection.silence.heard(now) {
                self.come_back(now, id);
            }
            match codec::decode_client_within(&bytes[used..], limit) {
                Ok(Decoded::Incomplete) => break,
                Ok(Decoded::Frame(length, frame)) => {
                    used += length;
                    if let Some(frame) = frame {
                        self.frame(now, id, frame);
                    }
                }
                Err(error) => {
                    self.env.stats.malformed += 1;
                    self.end(now, id, CloseCode::Malformed, &error.to_string());
                    return bytes.len();
                }
            }
        }
        used
    }

    pub(super) fn frame(&mut self, now: Time, id: ConnectionId, frame: ClientFrame) {
        let Some(connection) = self.env.connections.get_mut(&id) else { return };
        match (frame, &connection.phase) {
            (ClientFrame::Hello(hello), Phase::Greeting) => self.greet(now, id, hello),
            (ClientFrame::Hello(_), _) => {
                self.end(now, id, CloseCode::Malformed, "a connection says hello once");
            }
            (_, Phase::Greeting) => {
                self.end(now, id, CloseCode::Malformed, "the first frame must be a hello");
            }
            (ClientFrame::Submit(submit), _) => {
                let debt = connection.batches.take(now);
                self.pause(now, id, debt);
                let Some(desk) = self.env.connections.get(&id).and_then(Connection::desk) else {
                    return;
                };
                // The usual case needs no boxed task.
                if self.use_hot(now, desk) {
                    return self.submit(now, desk, id, submit);
                }
                let submit = Box::new(submit);
                self.with_desk(now, desk, Task::Submit { connection: id, submit });
            }
            (ClientFrame::Presence(presence), _) => {
                let debt = connection.presence.take(now);
                let session = connection.session().map(|session| (session.desk, session.author));
                self.pause(now, id, debt);
                let Some((desk, author)) = session else { return };
                let Some(slot) = self.desks.get_mut(&desk) else { return };
                self.env.stats.presence_received += 1;
                let name_chars = self.env.config.limits.person_name_chars;
                let looks = !presence.hidden;
                slot.room.presence.show(author, presence, name_chars);
                self.env.arm_presence(now, desk, &mut slot.room);
                if looks && !slot.room.watched {
                    self.arm_watch(now, desk);
                }
            }
            (ClientFrame::Ping { nonce }, _) => {
                let debt = connection.presence.take(now);
                self.pause(now, id, debt);
                let frame = self.env.encode(&ServerFrame::Pong { nonce });
                // A pong shows no state and waits for nothing.
                self.env.queue(LogPosition(0), id, frame, Way::Ordered);
            }
        }
    }

    /// Stops reading a connection that is over its rate.
    pub(super) fn pause(&mut self, now: Time, id: ConnectionId, debt: Option<std::time::Duration>) {
        let Some(debt) = debt else { return };
        let Some(connection) = self.env.connections.get(&id) else { return };
        if !connection.pauses.rate {
            self.env.timers.arm(now + debt, Timer::Resume(id));
            self.env.set_pauses(id, |pauses| pauses.rate = true);
        }
    }

    fn greet(&mut self, now: Time, id: ConnectionId, hello: Hello) {
        let Ok(key) = hello.session_key.parse::<SessionKey>() else {
            return self.end(now, id, CloseCode::KeyVoid, "the session key cannot be read");
        };
        let Some(connection) = self.env.connections.get_mut(&id) else { return };
        if connection.key.is_some_and(|opened| opened != key) {
            return self.end(now, id, CloseCode::KeyVoid, "not the key of this connection");
        }
        let label = &hello.user;
        if label.len() > USER_LABEL_CHARS_MAX || !label.bytes().all(|b| (0x20..0x7f).contains(&b)) {
            return self.end(now, id, CloseCode::Malformed, "the user label is not visible ASCII");
        }
        connection.key = Some(key);
        connection.phase = Phase::Joining { desk: key.link };
        let hello = Box::new(hello);
        self.with_desk(now, key.link, Task::Hello { connection: id, hello });
    }

    /// Serves a hello whose desk is in memory.
    pub(super) fn hello(&mut self, now: Time, desk: LinkId, id: ConnectionId, hello: Hello) {
        let Some(connection) = self.env.connections.get(&id) else { return };
        // It may have been told to go while the desk was loaded.
        let (Phase::Joining { .. }, Some(key)) = (&connection.phase, connection.key) else {
            return;
        };
        let Some(slot) = self.desks.get_mut(&desk) else { return };
        let position = slot.position();
        let Some(hot) = slot.hot() else { return };
        let role = match hot.authorize(&self.env.keyring, &key) {
            Ok(role) => role,
            Err(why) => {
                return self.env.close(position, id, why.close_code(), &why.to_string());
            }
        };
        if !slot.room.has_place(key.client, self.env.config.limits.connections_per_desk) {
            let why = ServiceError::DeskFull;
            return self.env.close(position, id, why.close_code(), &why.to_string());
        }
        let Some(hot) = slot.hot() else { return };
        let since = hello.revision.filter(|revision| hot.ring.after(*revision, role).is_some());
        let snapshot = match since.is_none().then(|| hot.snapshot(role)).transpose() {
            Ok(snapshot) => snapshot,
            Err(why) => {
                return self.env.close(position, id, why.close_code(), &why.to_string());
            }
        };
        let known = hot.record.members.get(key.client).is_some();
        let author = match known || self.env.takes(desk) {
            true => hot.join(&mut self.env.gate, key.client),
            false => Err(ServiceError::Unavailable("the server cannot store changes")),
        };
        let author = match author {
            Ok(author) => author,
            Err(why) => {
                return self.env.close(position, id, CloseCode::Overloaded, &why.to_string());
            }
        };
        let position = slot.position();
        match slot.room.enter(key.client, hello.connection, id) {
            Ok(None) => {}
            Ok(Some(older)) => {
                slot.room.connections.remove(&older);
                let detail = "a newer connection of this client took over";
                self.env.close(position, older, CloseCode::Superseded, detail);
            }
            Err(_) => {
                let detail = "a newer connection of this client is open";
                return self.env.close(position, id, CloseCode::Superseded, detail);
            }
        }
        slot.room.active_at = now;
        let frame_bytes = self.env.config.limits.presence_frame_bytes;
        let everybody = slot.room.presence.everybody(frame_bytes, &mut self.env.encoder);
        let Some(hot) = slot.hot() else { return };
        let welcome = hot.welcome(now, key.client, role, snapshot.is_some());
        let stream = match (since, snapshot) {
            (Some(sent), _) => Stream::Behind { sent, deferred: VecDeque::new() },
            (None, Some(snapshot)) => {
                Stream::Snapshot { snapshot, next: 0, deferred: VecDeque::new() }
            }
            (None, None) => unreachable!("either commits or a snapshot follow"),
        };
        let frame = self.env.encode(&ServerFrame::Welcome(welcome));
        self.env.queue(position, id, frame, Way::Ordered);
        let session = Session {
            desk,
            link: key.link,
            client: key.client,
            author,
            role,
            user: hello.user.into(),
            way: if hello.repeats { Way::Repeated } else { Way::Ordered },
            ahead: ClientSeq(0),
            stream,
        };
        self.env.set_phase(id, Phase::Joined(session));
        self.env.pump(now, hot, id);
        for frame in everybody {
            self.env.queue_presence(position, id, &frame);
        }
    }

    /// Serves a batch whose desk is in memory.
    pub(super) fn submit(&mut self, now: Time, desk: LinkId, id: ConnectionId, submit: Submit) {
        let Some(session) = self.env.connections.get(&id).and_then(Connection::session) else {
            return;
        };
        let (client, author, role) = (session.client, session.author, session.role);
        let (user, ahead) = (session.user.clone(), session.ahead);
        let Some(slot) = self.desks.get_mut(&desk) else { return };
        if !slot.room.is_newest(client, id) {
            return;
        }
        if role < Role::Editor {
            let detail = "a viewer may not change the desk: join by the edit link";
            return self.end(now, id, CloseCode::NotAllowed, detail);
        }
        if !self.env.takes(desk) {
            let detail = "the server cannot store changes now, come again later";
            return self.end(now, id, CloseCode::Overloaded, detail);
        }
        if slot.hot().is_some_and(|hot| hot.is_unstorable(now)) {
            return self.end(now, id, CloseCode::Overloaded, UNSTORABLE);
        }
        let Some(hot) = slot.hot() else { return };
        if let Err(why) = hot.let_change(&mut self.env.gate, client, Some(author)) {
            return self.end(now, id, why.close_code(), &why.to_string());
        }
        let client_seq = submit.client_seq;
        let arrival = Arrival { client, user: &user, submit, base_texts: &[] };
        match self.order(now, desk, arrival) {
            None | Some(Submitted::Accepted(..)) => {}
            // The client knows what became of it, since it has sent a newer one.
            Some(Submitted::Not(Ordered::Old { .. })) if client_seq <= ahead => {}
            Some(Submitted::Not(ordered)) => self.answer(now, desk, id, client_seq, ordered),
        }
    }

    pub(super) fn answer(
        &mut self,
        now: Time,
        desk: LinkId,
        id: ConnectionId,
        client_seq: ClientSeq,
        ordered: Ordered,
    ) {
        use desk_protocol::frame::{BatchResult, Outcome};
        let position = self.position(desk);
        let frame = match ordered {
            Ordered::Accepted { .. } => return,
            Ordered::Rejected { client_seq, operation, detail } => {
                ServerFrame::Answer(BatchResult {
                    client_seq,
                    outcome: Outcome::Rejected { operation, detail },
                })
            }
            Ordered::Duplicate(result) => ServerFrame::Answer(result),
            Ordered::Stale(sticker) => ServerFrame::Stale { client_seq, sticker },
            Ordered::Old { newest } => {
                let why = ServiceError::OldSequence { found: client_seq, newest };
                return self.end(now, id, CloseCode::Malformed, &why.to_string());
            }
            Ordered::Gap { expected } => {
                let why = ServiceError::SequenceGap { found: client_seq, expected };
                return self.end(now, id, CloseCode::Malformed, &why.to_string());
            }
            Ordered::BaseAhead { head } => {
                let detail = format!("the base is above the desk's revision {head}");
                return self.end(now, id, CloseCode::Malformed, &detail);
            }
        };
        let frame = self.env.encode(&frame);
        self.env.send(position, id, frame);
    }

    /// Ends a connection in any phase.
    pub(super) fn end(&mut self, now: Time, id: ConnectionId, code: CloseCode, detail: &str) {
        let Some(connection) = self.env.connections.get(&id) else { return };
        let position = connection.desk().map_or(LogPosition(0), |desk| self.position(desk));
        self.leave(now, id);
        self.env.close(position, id, code, detail);
    }

    /// Takes a connection out of its room.
    pub(super) fn leave(&mut self, now: Time, id: ConnectionId) {
        let Some(session) = self.env.connections.get(&id).and_then(Connection::session) else {
            return;
        };
        let (desk, client, author) = (session.desk, session.client, session.author);
        let Some(slot) = self.desks.get_mut(&desk) else { return };
        if slot.room.leave(now, client, id) {
            slot.room.presence.leave(author);
            self.env.arm_presence(now, desk, &mut slot.room);
        }
        if slot.room.is_empty() {
            slot.room.active_at = now;
            self.arm_idle(now, desk);
        }
    }

    pub(super) fn opened(&mut self, now: Time, id: ConnectionId, key: Option<SessionKey>) {
        let connection = Connection::new(key, &self.env.config.limits, now);
        self.env.timers.arm(connection.hello_by, Timer::Hello(id));
        self.env.connections.insert(id, connection);
        if self.env.draining {
            self.end(now, id, CloseCode::Draining, "the server is going down");
        }
    }

    pub(super) fn closed(&mut self, now: Time, id: ConnectionId) {
        self.leave(now, id);
        self.env.remove_connection(id);
    }

    pub(super) fn sent(&mut self, now: Time, id: ConnectionId, bytes: usize) {
        let Some(connection) = self.env.connections.get_mut(&id) else { return };
        let left = bytes.min(connection.queued_bytes);
        connection.queued_bytes -= left;
        self.env.waiting_bytes -= left;
        let was_full = connection.pauses.queue;
        let session = connection.session();
        let behind = session.filter(|session| !matches!(session.stream, Stream::Live));
        let behind = behind.map(|session| session.desk);
        if was_full {
            self.env.bound_queue(id);
        }
        if let Some(desk) = behind {
            self.with_desk(now, desk, Task::Pump { connection: id });
        }
    }
}
