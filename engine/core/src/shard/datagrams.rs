//! Frames in datagrams: each may be lost, overtake what was sent before it, or come twice.

use desk_protocol::Time;
use desk_protocol::codec::{self, Decoded};
use desk_protocol::frame::{ClientFrame, Role, Submit};

use super::Shard;
use crate::collaboration::Connection;
use crate::collisions::{Arrival, Ordered};
use crate::management::Submitted;
use crate::names::ConnectionId;

impl Shard {
    /// Takes a datagram, which holds one whole frame (CARRY-2). Says whether it was a frame
    /// that may come so, and now. Any other is dropped, and ends nothing.
    ///
    /// A connection that is paused is not heard either: its datagrams cannot wait.
    pub fn receive_datagram(&mut self, now: Time, id: ConnectionId, bytes: &[u8]) -> bool {
        let limit = self.env.config.limits.order.desk.frame_bytes;
        let Some(connection) = self.env.connections.get_mut(&id) else { return false };
        let heeded = connection.session().is_some() && !connection.pauses.any();
        if connection.silence.heard(now) {
            self.come_back(now, id);
        }
        if !heeded {
            return false;
        }
        let Ok(Decoded::Frame(length, Some(frame))) = codec::decode_client_within(bytes, limit)
        else {
            return false;
        };
        match frame {
            _ if length != bytes.len() => false,
            ClientFrame::Presence(_) | ClientFrame::Ping { .. } => {
                self.frame(now, id, frame);
                true
            }
            ClientFrame::Submit(submit) => {
                self.submit_ahead(now, id, submit);
                true
            }
            ClientFrame::Hello(_) => false,
        }
    }

    /// A batch that is on its way on the stream, too (CARRY-8). It is taken if it can be
    /// now; the copy on the stream is answered in every other case.
    fn submit_ahead(&mut self, now: Time, id: ConnectionId, submit: Submit) {
        let is_next = self.is_next(now, id, &submit);
        let Some(connection) = self.env.connections.get_mut(&id) else { return };
        // Most repeat a batch that the stream has brought, and count as no other one.
        let rate = if is_next { &mut connection.batches } else { &mut connection.presence };
        let debt = rate.take(now);
        self.pause(now, id, debt);
        let session = self.env.connections.get(&id).and_then(Connection::session);
        let Some(session) = session.filter(|_| is_next) else { return };
        let (desk, client, author) = (session.desk, session.client, session.author);
        let (role, user, client_seq) = (session.role, session.user.clone(), submit.client_seq);
        if role < Role::Editor || !self.env.takes(desk) {
            return;
        }
        let Some(slot) = self.desks.get_mut(&desk) else { return };
        if !slot.room.is_newest(client, id) {
            return;
        }
        let Some(hot) = slot.hot() else { return };
        if hot.is_unstorable(now) {
            return;
        }
        if hot.let_change(&mut self.env.gate, client, Some(author)).is_err() {
            return;
        }
        let arrival = Arrival { client, user: &user, submit, base_texts: &[] };
        let ordered = self.order(now, desk, arrival);
        let is_taken = matches!(
            ordered,
            Some(Submitted::Accepted(..) | Submitted::Not(Ordered::Rejected { .. }))
        );
        let connection = self.env.connections.get_mut(&id);
        if let Some(session) = connection.and_then(|one| one.session_mut()).filter(|_| is_taken) {
            session.ahead = client_seq;
        }
        if let Some(Submitted::Not(rejected @ Ordered::Rejected { .. })) = ordered {
            self.answer(now, desk, id, client_seq, rejected);
        }
    }

    /// Whether a batch has the number that its client's next one has.
    fn is_next(&mut self, now: Time, id: ConnectionId, submit: &Submit) -> bool {
        let session = self.env.connections.get(&id).and_then(Connection::session);
        let Some((desk, client)) = session.map(|session| (session.desk, session.client)) else {
            return false;
        };
        if !self.use_hot(now, desk) {
            return false;
        }
        let hot = self.desks.get_mut(&desk).and_then(|slot| slot.hot());
        let newest = hot.and_then(|hot| hot.record.members.get(client));
        newest.is_some_and(|member| member.newest.next() == submit.client_seq)
    }
}
