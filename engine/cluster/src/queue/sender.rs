//! The part of a node that asks: it sees that the stream has the request, and waits for
//! the verdict.

use std::collections::BTreeMap;
use std::sync::Arc;

use desk_protocol::Time;

use super::{Place, Post, QueueLine, Stage};
use crate::chance::Chance;
use crate::event::Event;
use crate::io::{Answer, CallId};
use crate::limits::{
    AGAIN_PAUSE, ANSWER_TIME, CLOCKS_APART_MAX, LOOK_PAUSE, REQUEST_BYTES_MAX, REQUEST_TIME,
    REQUESTS_MAX, STORE_PAUSE, STORE_TIME,
};
use crate::request::{Bell, Request, Told, Verdict};
use crate::unit_id::UnitId;

/// Requests of this node that have no verdict, by id.
#[derive(Debug)]
pub(super) struct Sender {
    chance: Chance,
    waiting: BTreeMap<u64, Waiting>,
}

#[derive(Debug)]
struct Waiting {
    unit: UnitId,
    ticket: u64,
    what: String,
    made_at: Time,
    phase: Phase,
    due: Time,
    call: Option<CallId>,
}

#[derive(Debug)]
enum Phase {
    /// The stream has yet to say that it has these bytes.
    Storing(Arc<[u8]>),
    /// The stream has them.
    Stored,
}

impl Sender {
    pub(super) const fn new(seed: u64) -> Self {
        Self { chance: Chance::new(seed), waiting: BTreeMap::new() }
    }

    pub(super) fn send(
        &mut self,
        now: Time,
        post: &mut Post,
        (unit, what, body): (UnitId, String, Vec<u8>),
        ticket: u64,
    ) {
        assert!(body.len() <= REQUEST_BYTES_MAX, "whoever asks counts");
        let id = self.chance.next_u64();
        if self.waiting.len() >= REQUESTS_MAX || self.waiting.contains_key(&id) {
            let verdict = Verdict::GivenUp("too many requests wait at this machine".to_owned());
            post.counts.given_up += 1;
            post.events.push_back(Event::Told { ticket, verdict });
            return;
        }
        let sender = post.name.clone();
        let request = Request { unit, id, made_at: now, sender, what: what.clone(), body };
        let phase = Phase::Storing(request.encode().into());
        let waiting = Waiting { unit, ticket, what, made_at: now, phase, due: now, call: None };
        self.waiting.insert(id, waiting);
        self.handle_timeout(now, post);
    }

    pub(super) fn published(&mut self, now: Time, post: &mut Post, call: CallId, answer: &Answer) {
        let Some(waiting) = self.asked(call) else { return };
        match answer {
            Answer::Stored { sequence, .. } => {
                waiting.call = None;
                waiting.phase = Phase::Stored;
                waiting.due = now + LOOK_PAUSE;
                let (ticket, unit) = (waiting.ticket, waiting.unit);
                post.counts.stored += 1;
                post.events.push_back(Event::Kept { ticket });
                post.ring(Bell { unit, sequence: *sequence });
            }
            Answer::Again => waiting.due = now + AGAIN_PAUSE,
            Answer::Fenced | Answer::Open(_) => waiting.due = now + STORE_PAUSE,
        }
    }

    pub(super) fn looked_up(
        &mut self,
        post: &mut Post,
        call: CallId,
        answer: &Result<Option<Vec<u8>>, String>,
    ) {
        if self.asked(call).is_none() {
            return;
        }
        if let Ok(Some(bytes)) = answer
            && let Ok(told) = Told::decode(bytes)
        {
            self.heard(post, told);
        }
    }

    /// A verdict: the first one counts.
    pub(super) fn heard(&mut self, post: &mut Post, told: Told) {
        let Told { id, verdict } = told;
        let Some(waiting) = self.waiting.remove(&id) else { return };
        let stage = match &verdict {
            Verdict::Acknowledged(_) => {
                post.counts.acknowledged += 1;
                Stage::Acknowledged
            }
            Verdict::Refused(_) => {
                post.counts.refused += 1;
                Stage::Refused
            }
            Verdict::GivenUp(why) => {
                post.counts.given_up += 1;
                Stage::GivenUp(why.clone())
            }
        };
        let sender = post.name.clone();
        post.end(waiting.line(id, &sender, stage));
        post.events.push_back(Event::Told { ticket: waiting.ticket, verdict });
    }

    pub(super) fn due(&self) -> Option<Time> {
        self.waiting.values().map(|waiting| waiting.due).min()
    }

    pub(super) fn handle_timeout(&mut self, now: Time, post: &mut Post) {
        let mut over = Vec::new();
        for (id, waiting) in self.waiting.iter_mut().filter(|(_, waiting)| waiting.due <= now) {
            let age = now.since(waiting.made_at);
            match &waiting.phase {
                Phase::Storing(_) if age >= STORE_TIME => {
                    over.push((*id, "the stream did not say that it has the request"));
                }
                // Whoever owns the unit gives it up earlier, by a clock that may be behind.
                Phase::Stored if age >= REQUEST_TIME + CLOCKS_APART_MAX => {
                    over.push((*id, "nobody has said what became of the request"));
                }
                Phase::Storing(bytes) => {
                    let message = format!("{:016x}", *id);
                    let place = Place::Requests(waiting.unit);
                    waiting.call = Some(post.publish(place, message, Arc::clone(bytes)));
                    waiting.due = now + ANSWER_TIME;
                }
                Phase::Stored => {
                    waiting.call = Some(post.look_up(post.name.clone(), *id));
                    waiting.due = now + LOOK_PAUSE;
                }
            }
        }
        for (id, why) in over {
            self.heard(post, Told { id, verdict: Verdict::GivenUp(why.to_owned()) });
        }
    }

    pub(super) fn lines(&self, sender: &str) -> impl Iterator<Item = QueueLine> {
        self.waiting.iter().map(move |(id, waiting)| {
            let stage = match waiting.phase {
                Phase::Storing(_) => Stage::Sent,
                Phase::Stored => Stage::Stored,
            };
            waiting.line(*id, sender, stage)
        })
    }

    /// The request that the question belongs to.
    fn asked(&mut self, call: CallId) -> Option<&mut Waiting> {
        self.waiting.values_mut().find(|waiting| waiting.call == Some(call))
    }
}

impl Waiting {
    fn line(&self, id: u64, sender: &str, stage: Stage) -> QueueLine {
        let (unit, what, made_at) = (self.unit, self.what.clone(), self.made_at);
        QueueLine { id, sender: sender.to_owned(), unit, what, made_at, stage }
    }
}
