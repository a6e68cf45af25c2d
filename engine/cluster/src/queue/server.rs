//! The part of a node that owns units: it finds their requests, lets the shards do what
//! is asked, and sees that the verdict stands before the request goes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use desk_protocol::Time;

use super::{Outcome, Place, Post, QueueLine, QueueOutput, Stage};
use crate::event::Event;
use crate::io::{Answer, CallId};
use crate::limits::{
    AGAIN_PAUSE, ANSWER_TIME, LAG_PAUSE, LAG_READS, OPEN_MAX, READ_ALL_PAUSE, REQUEST_TIME,
    RUN_TIME, RUNS_MAX, STORE_PAUSE, TRY_AGAIN_PAUSE,
};
use crate::request::{Bell, Request, Told, Verdict};
use crate::unit_id::UnitId;

/// Requests to the units that this node owns, by their sequence in the stream.
#[derive(Debug)]
pub(super) struct Server {
    owned: BTreeSet<UnitId>,
    open: BTreeMap<u64, Open>,
    /// What was read up to, of all units.
    read_to: u64,
    /// The stream has requests of own units up to here.
    rung_to: u64,
    /// Pages that ended before that.
    short_reads: u32,
    reading: Option<CallId>,
    read_at: Time,
    read_all_at: Time,
}

#[derive(Debug)]
struct Open {
    request: Request,
    phase: Phase,
    due: Time,
    call: Option<CallId>,
    runs: u32,
}

#[derive(Debug)]
enum Phase {
    /// Whether it has a verdict is asked.
    Looking,
    /// A shard has it.
    Running,
    /// It is begun with again later.
    Waiting(String),
    /// The stream is given the verdict.
    Telling(Arc<[u8]>),
    /// The verdict stands, and the request is removed.
    Removing,
}

impl Server {
    pub(super) const fn new(now: Time) -> Self {
        Self {
            owned: BTreeSet::new(),
            open: BTreeMap::new(),
            read_to: 0,
            rung_to: 0,
            short_reads: 0,
            reading: None,
            read_at: now,
            read_all_at: now,
        }
    }

    pub(super) fn own(&mut self, now: Time, unit: UnitId) {
        if self.owned.insert(unit) {
            // Its requests may stand anywhere. Many units come at once, and one look does.
            self.read_all_at = now;
        }
    }

    pub(super) fn lose(&mut self, unit: UnitId) {
        self.owned.remove(&unit);
        self.open.retain(|_, open| open.request.unit != unit);
    }

    pub(super) fn rung(&mut self, now: Time, post: &mut Post, bell: &Bell) {
        if self.owned.contains(&bell.unit) && bell.sequence > self.rung_to {
            self.rung_to = bell.sequence;
            self.short_reads = 0;
            self.read_at = now;
            self.handle_timeout(now, post);
        }
    }

    pub(super) fn read(
        &mut self,
        now: Time,
        post: &mut Post,
        call: CallId,
        answer: Result<Vec<(u64, Vec<u8>)>, String>,
    ) {
        if self.reading != Some(call) {
            return;
        }
        self.reading = None;
        let messages = match answer {
            Ok(messages) => messages,
            Err(_) => {
                self.read_at = now + STORE_PAUSE;
                return;
            }
        };
        let has_some = !messages.is_empty();
        for (sequence, bytes) in messages {
            if self.open.len() >= OPEN_MAX {
                // The rest is found when these are done.
                self.read_all_at = now + TRY_AGAIN_PAUSE;
                self.read_at = self.read_all_at;
                return;
            }
            self.read_to = self.read_to.max(sequence);
            self.found(now, post, sequence, &bytes);
        }
        let is_short = self.read_to < self.rung_to;
        self.short_reads = if has_some { 0 } else { self.short_reads + 1 };
        self.read_at = match (has_some, is_short) {
            (true, _) => now,
            // A replica that lags. Another owner may have removed the request as well.
            (false, true) if self.short_reads < LAG_READS => now + LAG_PAUSE,
            (false, _) => self.read_all_at,
        };
        self.handle_timeout(now, post);
    }

    fn found(&mut self, now: Time, post: &mut Post, sequence: u64, bytes: &[u8]) {
        let request = match Request::decode(bytes) {
            Ok(request) => request,
            Err(error) => {
                post.notice(format!("a request in the queue cannot be read: {error}"));
                return;
            }
        };
        if self.owned.contains(&request.unit) && !self.open.contains_key(&sequence) {
            let open = Open { request, phase: Phase::Looking, due: now, call: None, runs: 0 };
            self.open.insert(sequence, open);
        }
    }

    pub(super) fn looked_up(
        &mut self,
        now: Time,
        post: &mut Post,
        call: CallId,
        answer: &Result<Option<Vec<u8>>, String>,
    ) {
        let Some((sequence, open)) = asked(&mut self.open, call) else { return };
        let Phase::Looking = open.phase else { return };
        open.call = None;
        match answer {
            Err(_) => open.due = now + STORE_PAUSE,
            Ok(Some(_)) => {
                open.phase = Phase::Removing;
                open.due = now;
            }
            Ok(None) => open.begin(now, post, sequence),
        }
        self.handle_timeout(now, post);
    }

    pub(super) fn done(&mut self, now: Time, post: &mut Post, number: u64, outcome: Outcome) {
        let Some(open) = self.open.get_mut(&number) else { return };
        let Phase::Running = open.phase else { return };
        match outcome {
            Outcome::Acknowledged(said) => open.tell(now, Verdict::Acknowledged(said)),
            Outcome::Refused(said) => open.tell(now, Verdict::Refused(said)),
            Outcome::NotNow(why) => open.again(now, why),
        }
        self.handle_timeout(now, post);
    }

    pub(super) fn published(&mut self, now: Time, post: &mut Post, call: CallId, answer: &Answer) {
        let Some((_, open)) = asked(&mut self.open, call) else { return };
        let Phase::Telling(_) = open.phase else { return };
        open.call = None;
        match answer {
            Answer::Stored { .. } => {
                open.phase = Phase::Removing;
                open.due = now;
            }
            Answer::Again => open.due = now + AGAIN_PAUSE,
            Answer::Fenced | Answer::Open(_) => open.due = now + STORE_PAUSE,
        }
        self.handle_timeout(now, post);
    }

    pub(super) fn removed(&mut self, call: CallId, is_gone: bool) {
        if let Some((sequence, _)) = asked(&mut self.open, call)
            && is_gone
        {
            self.open.remove(&sequence);
        }
    }

    pub(super) fn due(&self) -> Option<Time> {
        let read = (!self.owned.is_empty()).then(|| self.read_at.min(self.read_all_at));
        self.open.values().map(|open| open.due).chain(read).min()
    }

    pub(super) fn handle_timeout(&mut self, now: Time, post: &mut Post) {
        for (sequence, open) in self.open.iter_mut().filter(|(_, open)| open.due <= now) {
            open.act(now, post, *sequence);
        }
        if self.owned.is_empty() {
            return;
        }
        if self.read_all_at <= now {
            self.read_all_at = now + READ_ALL_PAUSE;
            self.read_at = now;
            self.read_to = 0;
        }
        if self.read_at <= now {
            let call = post.call();
            self.reading = Some(call);
            self.read_at = now + ANSWER_TIME;
            post.outputs.push_back(QueueOutput::Read { call, from: self.read_to + 1 });
        }
    }

    pub(super) fn lines(&self) -> impl Iterator<Item = QueueLine> {
        self.open.values().map(|open| {
            let Request { id, sender, unit, what, made_at, .. } = &open.request;
            let stage = match &open.phase {
                Phase::Looking => Stage::Looked,
                Phase::Running => Stage::Begun,
                Phase::Waiting(why) => Stage::Waits(why.clone()),
                Phase::Telling(_) | Phase::Removing => Stage::Told,
            };
            let (id, unit, made_at) = (*id, *unit, *made_at);
            QueueLine { id, sender: sender.clone(), unit, what: what.clone(), made_at, stage }
        })
    }
}

impl Open {
    /// Does what is due.
    fn act(&mut self, now: Time, post: &mut Post, sequence: u64) {
        if let Phase::Waiting(_) = self.phase {
            self.phase = Phase::Looking;
        }
        match &self.phase {
            Phase::Looking | Phase::Waiting(_) => {
                self.call = Some(post.look_up(self.request.sender.clone(), self.request.id));
                self.due = now + ANSWER_TIME;
            }
            Phase::Running => self.again(now, "the desk's shard has not answered".to_owned()),
            Phase::Telling(bytes) => {
                let Request { sender, id, .. } = &self.request;
                let place = Place::Verdict { sender: sender.clone(), id: *id };
                let message = format!("{id:016x}.v");
                self.call = Some(post.publish(place, message, Arc::clone(bytes)));
                self.due = now + ANSWER_TIME;
            }
            Phase::Removing => {
                let call = post.call();
                self.call = Some(call);
                self.due = now + ANSWER_TIME;
                post.outputs.push_back(QueueOutput::Remove { call, sequence });
            }
        }
    }

    /// Lets a shard do what is asked, unless the request is too old.
    fn begin(&mut self, now: Time, post: &mut Post, sequence: u64) {
        if now.since(self.request.made_at) >= REQUEST_TIME {
            return self.tell(now, Verdict::GivenUp("nobody could do it in time".to_owned()));
        }
        self.runs += 1;
        self.phase = Phase::Running;
        self.due = now + RUN_TIME;
        post.counts.begun += 1;
        let (unit, body) = (self.request.unit, self.request.body.clone());
        post.events.push_back(Event::Asked { unit, number: sequence, body });
    }

    fn again(&mut self, now: Time, why: String) {
        if self.runs >= RUNS_MAX {
            return self.tell(now, Verdict::GivenUp(why));
        }
        self.due = now + TRY_AGAIN_PAUSE * (1 << self.runs.min(8));
        self.phase = Phase::Waiting(why);
    }

    fn tell(&mut self, now: Time, verdict: Verdict) {
        let told = Told { id: self.request.id, verdict };
        self.phase = Phase::Telling(told.encode().into());
        self.due = now;
    }
}

/// The request that the question belongs to.
fn asked(open: &mut BTreeMap<u64, Open>, call: CallId) -> Option<(u64, &mut Open)> {
    let found = open.iter_mut().find(|(_, open)| open.call == Some(call));
    found.map(|(sequence, open)| (*sequence, open))
}
