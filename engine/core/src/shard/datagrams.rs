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
        let Some(connection) = self.env.connections.get_mut(&id) else { return };
        let debt = connection.batches.take(now);
        self.pause(now, id, debt);
        let session = self.env.connections.get(&id).and_then(Connection::session);
        let Some(session) = session else { return };
        let (desk, client, author) = (session.desk, session.client, session.author);
        let (role, user, client_seq) = (session.role, session.user.clone(), submit.client_seq);
        if role < Role::Editor || !self.env.writable {
            return;
        }
        if !self.use_hot(now, desk) {
            return;
        }
        let Some(slot) = self.desks.get_mut(&desk) else { return };
        if !slot.room.is_newest(client, id) {
            return;
        }
        let Some(hot) = slot.hot() else { return };
        let newest = hot.record.members.get(client).map(|member| member.newest);
        let is_next = newest.is_some_and(|newest| newest.next() == client_seq);
        if !is_next || hot.is_unstorable(now) {
            return;
        }
        if hot.let_change(&mut self.env.gate, client, Some(author)).is_err() {
            return;
        }
        let arrival = Arrival { client, user: &user, submit, base_texts: &[] };
        match self.order(now, desk, arrival) {
            Some(Submitted::Not(rejected @ Ordered::Rejected { .. })) => {
                self.answer(now, desk, id, client_seq, rejected);
            }
            Some(Submitted::Accepted(..) | Submitted::Not(_)) | None => {}
        }
    }
}
