//! People with the page open: the true client core, and what they do.

use std::time::Duration;

use desk_client_core::{
    Action, Client, Config, Edit, Event as ClientEvent, Line, NewSticker, Status, Trouble,
};
use desk_engine_core::{ConnectionId, Input, Reply, Request, ServiceError, SessionKey};
use desk_protocol::frame::CloseCode;
use desk_protocol::text::Part;
use desk_protocol::{Delta, Point, StickerId, StickerKind, Time};

use crate::check::{Sighting, Typed};
use crate::requester::Asker;
use crate::sentence::Writing;
use crate::world::{Event, World};

/// How often a person finds the desk not there yet and looks again after a pause. Some
/// desks never come: they are full, or gone.
const WAITS_MAX: u64 = 2_000;

/// One tab of one browser.
pub(crate) struct Person {
    pub(crate) desk: usize,
    /// Whether it may only look on.
    pub(crate) viewer: bool,
    pub(crate) client: Client,
    pub(crate) key: SessionKey,
    /// What the device keeps: base and queue.
    records: (Vec<u8>, Vec<u8>),
    line: Option<ConnectionId>,
    /// Guards against answers to an attempt that was given up.
    attempt: u64,
    pub(crate) actions_left: u64,
    /// How many times more it waits for its desk instead of doing something.
    waits_left: u64,
    online: bool,
    /// Characters typed in this run of the tab, by the action that typed them.
    typed: Vec<(u64, char)>,
    /// Those of its runs before: their steps come back with the tab.
    typed_before: Vec<char>,
    timer_at: Option<Time>,
    /// The sentences of this tab, and the one that it goes on with.
    pub(crate) sentences: Vec<usize>,
    pub(crate) writing: Option<Writing>,
}

impl Person {
    pub(crate) fn new(desk: usize, viewer: bool, key: SessionKey, seed: u64, actions: u64) -> Self {
        Self {
            desk,
            viewer,
            client: Client::new(config(seed, &key)),
            key,
            records: (Vec::new(), Vec::new()),
            line: None,
            attempt: 0,
            actions_left: actions,
            waits_left: WAITS_MAX,
            online: true,
            typed: Vec::new(),
            typed_before: Vec::new(),
            timer_at: None,
            sentences: Vec::new(),
            writing: None,
        }
    }

    /// Whether all it did is saved and all that others did is seen.
    pub(crate) fn is_settled(&self) -> bool {
        let done =
            matches!(self.client.status(), Status::Saved | Status::Rejected { pending: 0, .. });
        done && matches!(self.client.line(), Line::Live) && self.client.pending() == 0
    }

    pub(crate) fn is_ended(&self) -> bool {
        matches!(self.client.line(), Line::Ended(_))
    }
}

fn config(seed: u64, key: &SessionKey) -> Config {
    let mut config = Config::new(seed, key.to_string());
    config.durable = true;
    config
}

impl World {
    /// Carries out all that a client core wants.
    pub(crate) fn pump(&mut self, person: usize) {
        loop {
            let now = self.agenda.now;
            let this = &mut self.people[person];
            let mut idle = true;
            if let Some(records) = this.client.persist() {
                idle = false;
                if let Some(base) = records.base {
                    this.records.0 = base;
                }
                this.records.1 = records.queue;
                this.client.persisted(records.token);
                for (_, character) in &this.typed {
                    if let Some(typed) = self.checker.typed.get_mut(character) {
                        typed.kept = true;
                    }
                }
            }
            while let Some(event) = self.people[person].client.poll_event() {
                idle = false;
                self.client_event(person, event);
            }
            let this = &mut self.people[person];
            if let Some(line) = this.line
                && let Some(frame) = this.client.poll_datagram(now)
            {
                idle = false;
                self.cast_up(line, frame);
            }
            let this = &mut self.people[person];
            if let Some(line) = this.line
                && let Some(bytes) = this.client.poll_transmit(now)
            {
                idle = false;
                self.send_up(line, bytes);
            }
            if idle {
                break;
            }
        }
        self.arm_client(person);
    }

    fn arm_client(&mut self, person: usize) {
        let now = self.agenda.now;
        let this = &mut self.people[person];
        let Some((at, _)) = this.client.poll_timeout() else { return };
        let at = at.max(now);
        if this.timer_at.is_none_or(|armed| at < armed || armed < now) {
            this.timer_at = Some(at);
            self.agenda.at(at, Event::ClientTimer { person });
        }
    }

    pub(crate) fn client_timer(&mut self, person: usize) {
        let now = self.agenda.now;
        let this = &mut self.people[person];
        // An earlier timer took the place of this one; each that went on would make
        // two of them.
        if this.timer_at != Some(now) {
            return;
        }
        this.timer_at = None;
        if this.client.poll_timeout().is_some_and(|(at, _)| at <= now) {
            this.client.handle_timeout(now);
        }
        self.pump(person);
    }

    fn client_event(&mut self, person: usize, event: ClientEvent) {
        match event {
            ClientEvent::Connect { .. } => self.dial(person),
            ClientEvent::LineDead { .. } => {
                if let Some(line) = self.people[person].line.take() {
                    self.cut(line);
                }
            }
            ClientEvent::Closed { .. } => self.people[person].line = None,
            ClientEvent::Acknowledged { through, .. } => {
                let done = |(action, _): &(u64, char)| *action <= through.0;
                for (_, character) in self.people[person].typed.iter().filter(|typed| done(typed)) {
                    if let Some(typed) = self.checker.typed.get_mut(character) {
                        typed.acknowledged = true;
                    }
                }
            }
            ClientEvent::Committed { revision, author, accepted_at_ms, operations, .. } => {
                let seen = Sighting { author, accepted_at_ms };
                let Person { desk, viewer, .. } = self.people[person];
                if let Err(why) = self.checker.commit(desk, revision, seen, operations, viewer) {
                    self.fail(why);
                }
                self.check_imports(person);
            }
            ClientEvent::Reset => self.check_imports(person),
            _ => {}
        }
    }

    /// Opens a line: asks for the upgrade first, as the shell does.
    fn dial(&mut self, person: usize) {
        let this = &mut self.people[person];
        this.attempt += 1;
        let (attempt, key) = (this.attempt, this.key);
        let asker = Asker::Upgrade { person, attempt };
        if !this.online {
            return self.agenda.after(Duration::from_millis(5), Event::Unanswered { asker });
        }
        let delay = self.delay();
        let body = Box::new(Request::Attach { key });
        self.agenda.after(delay, Event::RequestArrives { asker, body });
    }

    pub(crate) fn upgraded(&mut self, person: usize, attempt: u64, reply: Option<Reply>) {
        let now = self.agenda.now;
        let this = &mut self.people[person];
        if this.attempt != attempt {
            return;
        }
        match reply.filter(|_| this.online) {
            Some(Reply::Allowed) => {
                let key = this.key;
                let Some(shard) = self.owner_of(key.link) else {
                    self.people[person].client.disconnected(now);
                    return self.pump(person);
                };
                self.connections += 1;
                let id = ConnectionId(self.connections);
                self.open_line(id, person, shard);
                self.feed(shard, Input::Opened { connection: id, key: Some(key) });
                let this = &mut self.people[person];
                this.line = Some(id);
                this.client.connected(now);
                if self.plan.datagram_lost_once_in > 0 {
                    this.client.has_datagrams();
                }
            }
            Some(Reply::Failed(ServiceError::Expired)) => {
                let expired = Trouble::Server(CloseCode::Expired);
                this.client.closed(now, expired, "the desk has expired");
            }
            Some(Reply::Failed(
                ServiceError::KeyVoid
                | ServiceError::Finished
                | ServiceError::KeyOfReplacedLink
                | ServiceError::NoDesk,
            )) => {
                self.fail(format!("person {person}: a good key was refused"));
            }
            _ => this.client.disconnected(now),
        }
        self.pump(person);
    }

    /// A client learns that its line is gone.
    pub(crate) fn line_lost(&mut self, person: usize, line: ConnectionId) {
        let now = self.agenda.now;
        let this = &mut self.people[person];
        if this.line != Some(line) {
            return;
        }
        this.line = None;
        this.client.disconnected(now);
        self.pump(person);
    }

    /// One thing that a person does.
    pub(crate) fn act(&mut self, person: usize) {
        let plan = self.plan.clone();
        let this = &mut self.people[person];
        if self.settling || this.actions_left == 0 || this.is_ended() {
            return;
        }
        if !this.client.ready() && this.waits_left > 0 {
            this.waits_left -= 1;
            return self.act_after_a_pause(person);
        }
        this.actions_left -= 1;
        if this.client.ready() && !this.viewer {
            self.edit(person);
        }
        if self.chance.once_in(plan.client_crash_once_in) {
            self.rebirth(person);
        } else {
            self.pump(person);
        }
        if self.chance.once_in(plan.offline_once_in) && self.people[person].online {
            self.go_offline(person);
        }
        self.act_after_a_pause(person);
    }

    fn act_after_a_pause(&mut self, person: usize) {
        let pause = self.chance.between(1, 2 * self.plan.pause.as_micros() as u64);
        self.agenda.after(Duration::from_micros(pause), Event::Act { person });
    }

    fn go_offline(&mut self, person: usize) {
        let now = self.agenda.now;
        let this = &mut self.people[person];
        this.online = false;
        if let Some(line) = this.line.take() {
            self.cut(line);
            self.people[person].client.disconnected(now);
            self.pump(person);
        }
        let away = self.chance.between(1, self.plan.offline_max.as_millis() as u64);
        self.agenda.after(Duration::from_millis(away), Event::Online { person });
    }

    pub(crate) fn go_online(&mut self, person: usize) {
        let now = self.agenda.now;
        self.people[person].online = true;
        self.people[person].client.retry_now(now);
        self.pump(person);
    }

    /// The tab dies, before or after its device kept the last action, and is
    /// opened again on what the device has.
    fn rebirth(&mut self, person: usize) {
        if self.chance.once_in(2) {
            self.pump(person);
        }
        if let Some(line) = self.people[person].line.take() {
            self.cut(line);
        }
        let seed = self.chance.next();
        let this = &mut self.people[person];
        this.attempt += 1;
        this.typed_before.extend(this.typed.drain(..).map(|(_, character)| character));
        this.writing = None;
        this.timer_at = None;
        let config = config(seed, &this.key);
        this.client = if this.records.1.is_empty() {
            Client::new(config)
        } else {
            match Client::restore(config, &this.records.0, &this.records.1) {
                Ok(client) => client,
                Err(error) => return self.fail(format!("a client could not restore: {error}")),
            }
        };
        self.pump(person);
    }

    fn edit(&mut self, person: usize) {
        let now = self.agenda.now;
        let desk = self.people[person].client.desk();
        let notes: Vec<(StickerId, u32)> = desk
            .stickers()
            .filter(|sticker| !sticker.deleted.value)
            .map(|sticker| (sticker.id, sticker.text.value.chars().count() as u32))
            .collect();
        let gone: Vec<StickerId> =
            desk.stickers().filter(|sticker| sticker.deleted.value).map(|s| s.id).collect();
        let Some((id, length)) = self.chance.pick(&notes).copied() else {
            let _ = self.people[person].client.create(now, NewSticker::default());
            return;
        };
        if self.chance.below(100) < self.plan.typing_percent {
            if self.plan.sentences {
                let notes: Vec<StickerId> = notes.iter().map(|(id, _)| *id).collect();
                return self.write_on(person, &notes);
            }
            return self.type_into(person, id, length);
        }
        let to = Point { x: self.chance.below(500) as i32, y: self.chance.below(500) as i32 };
        let edits = match self.chance.below(12) {
            0 | 1 if notes.len() < 20 => {
                let kind = StickerKind(self.chance.below(3) as u8);
                vec![Edit::Create { id: None, note: NewSticker { kind, ..NewSticker::default() } }]
            }
            2 => vec![Edit::Raise { id }],
            3 => vec![Edit::Lower { id }, Edit::Move { id, to }],
            4 => vec![Edit::SetTitle { title: format!("title {}", self.chance.below(100)) }],
            5 if self.plan.deleting => vec![Edit::Delete { id }],
            6 if !gone.is_empty() => vec![Edit::Restore { id: gone[0] }],
            7 if self.plan.undoing => return self.undo_or_redo(person),
            8 if self.plan.deleting && length > 0 => return self.cut_text(person, id, length),
            9 => vec![Edit::Vote { id, count: self.chance.below(4) as u32 }],
            10 => {
                let value = vec![self.chance.below(100) as u8; self.chance.below(3) as usize];
                vec![Edit::SetRegister { key: self.chance.below(3) as u8, value }]
            }
            11 => vec![Edit::SetLocked { id, locked: self.chance.once_in(2) }],
            _ => vec![Edit::Move { id, to }],
        };
        let _ = self.people[person].client.act(now, edits);
    }

    fn type_into(&mut self, person: usize, id: StickerId, length: u32) {
        let now = self.agenda.now;
        let character = self.fresh_character();
        let at = self.chance.below(u64::from(length) + 1) as u32;
        let parts = [Part::Retain(at), Part::insert(character.to_string())];
        let Ok(delta) = Delta::from_parts(parts) else { return };
        if let Ok(action) = self.people[person].client.edit_text(now, id, delta) {
            self.has_typed(person, id, action, character);
        }
    }

    pub(crate) fn has_typed(&mut self, person: usize, id: StickerId, action: Action, letter: char) {
        let this = &mut self.people[person];
        let desk = this.desk;
        this.typed.push((action.0, letter));
        let typed = Typed { desk, sticker: id, acknowledged: false, kept: false, unsure: false };
        self.checker.typed.insert(letter, typed);
    }

    fn cut_text(&mut self, person: usize, id: StickerId, length: u32) {
        let now = self.agenda.now;
        let at = self.chance.below(u64::from(length)) as u32;
        let count = self.chance.between(1, u64::from(length - at).min(5)) as u32;
        self.checker.disturb(id);
        let this = &mut self.people[person];
        let Some(sticker) = this.client.desk().sticker(id) else { return };
        let cut = sticker.text.value.chars().skip(at as usize).take(count as usize);
        for character in cut {
            if let Some(typed) = self.checker.typed.get_mut(&character) {
                typed.unsure = true;
            }
        }
        if let Ok(delta) = Delta::from_parts([Part::Retain(at), Part::Delete(count)]) {
            let _ = this.client.edit_text(now, id, delta);
        }
    }

    fn undo_or_redo(&mut self, person: usize) {
        let now = self.agenda.now;
        let this = &mut self.people[person];
        // What was typed in this tab may now be taken back, or put back.
        let typed = this.typed.iter().map(|(_, character)| character);
        for character in typed.chain(&this.typed_before) {
            if let Some(typed) = self.checker.typed.get_mut(character) {
                typed.unsure = true;
            }
        }
        for sentence in this.sentences.drain(..) {
            self.checker.sentences[sentence].unsure = true;
        }
        this.writing = None;
        if self.chance.once_in(3) {
            this.client.redo(now);
        } else {
            this.client.undo(now);
        }
    }

    /// A character that nothing else in the run types, from the private planes.
    pub(crate) fn fresh_character(&mut self) -> char {
        self.characters += 1;
        char::from_u32(0xf_0000 + self.characters).unwrap_or('?')
    }
}
