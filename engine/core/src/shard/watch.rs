//! Dead lines: who has fallen silent is asked, and leaves the others' view.
//!
//! 1. While the page of somebody on a desk is in sight, the desk is looked after once
//!    a second ([`WATCH_INTERVAL`]).
//! 2. Who shows itself there and was not heard of for `probe-after` is sent a probe. A
//!    transport answers it without the page: browsers stop the timers of pages that
//!    are out of sight, and answer a WebSocket's ping all the same.
//! 3. Who does not answer within `probe-time` is shown to the others as gone. Its
//!    connection stays: a bad line that comes back needs no new one, and any sign of
//!    life brings the person back.
//!
//! A desk that nobody looks at costs nothing, however many pages are open on it.

use desk_protocol::{LinkId, Time};

use super::Shard;
use super::timers::Timer;
use crate::collaboration::{Connection, Look};
use crate::limits::WATCH_INTERVAL;
use crate::names::ConnectionId;
use crate::output::Output;

impl Shard {
    /// A sign of life that is no frame: an answer to a probe, or a part of a frame.
    pub(super) fn heard(&mut self, now: Time, id: ConnectionId) {
        let Some(connection) = self.env.connections.get_mut(&id) else { return };
        if connection.silence.heard(now) {
            self.come_back(now, id);
        }
    }

    /// Somebody is heard of again who was shown as gone.
    pub(super) fn come_back(&mut self, now: Time, id: ConnectionId) {
        let session = self.env.connections.get(&id).and_then(Connection::session);
        let Some((desk, author)) = session.map(|session| (session.desk, session.author)) else {
            return;
        };
        let Some(slot) = self.desks.get_mut(&desk) else { return };
        slot.room.presence.set_away(author, false);
        self.env.arm_presence(now, desk, &mut slot.room);
        self.arm_watch(now, desk);
    }

    /// Somebody on a desk shows itself: the desk is looked after.
    pub(super) fn arm_watch(&mut self, now: Time, desk: LinkId) {
        let Some(slot) = self.desks.get_mut(&desk) else { return };
        if !std::mem::replace(&mut slot.room.watched, true) {
            self.env.timers.arm(now + WATCH_INTERVAL, Timer::Watch(desk));
        }
    }

    /// Looks after everybody who shows itself on a desk.
    pub(super) fn watch(&mut self, now: Time, desk: LinkId) {
        let Some(slot) = self.desks.get_mut(&desk) else { return };
        let room = &mut slot.room;
        room.watched = false;
        // Nobody sees the ghost of another.
        if room.connections.len() < 2 || !room.presence.is_looked_at() {
            return;
        }
        for id in &room.connections {
            let Some(connection) = self.env.connections.get_mut(id) else { continue };
            let Some(author) = connection.session().map(|session| session.author) else {
                continue;
            };
            if !room.presence.is_shown(author) {
                continue;
            }
            match connection.silence.look(now, &self.env.config.limits) {
                Look::Nothing => {}
                Look::Probe => self.env.gate.at_once(Output::Probe { connection: *id }),
                Look::Gone => room.presence.set_away(author, true),
            }
        }
        self.env.arm_presence(now, desk, room);
        self.arm_watch(now, desk);
    }
}
