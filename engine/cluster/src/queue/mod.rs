//! Requests from node to node that outlive both: the owner of a unit is asked for
//! something, and the sender is told what became of it.
//!
//! A request stands in a stream until it has a verdict. The verdict stands in another
//! stream before the request goes. So a request is carried out at least once if it is
//! acknowledged, also where its first owner dies in between; a request has to bear being
//! carried out twice. Before an owner begins with a request, it asks whether the request
//! has a verdict. What the owner does is safe by the unit's lanes, and not by the queue.
//!
//! `sender` is the part of who asks, and `server` the part of who owns the unit.

mod sender;
mod server;

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use desk_protocol::Time;

use crate::event::Event;
use crate::io::{Answer, CallId, Deadline};
use crate::limits::ENDED_MAX;
use crate::request::{Bell, Told};
use crate::unit_id::UnitId;
use sender::Sender;
use server::Server;

/// Something happened to the queue.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum QueueInput {
    /// A shard asks the owner of a unit for something.
    Send {
        /// The unit.
        unit: UnitId,
        /// Names the request to who asks.
        ticket: u64,
        /// What it is, in a word for people.
        what: String,
        /// What it says to the owner.
        body: Vec<u8>,
    },
    /// What a shard made of [`Event::Asked`].
    Done {
        /// The number that the event named.
        number: u64,
        /// What it made of it.
        outcome: Outcome,
    },
    /// [`QueueOutput::Publish`] was answered.
    Published {
        /// The question.
        call: CallId,
        /// The answer.
        answer: Answer,
    },
    /// [`QueueOutput::Read`] was answered: sequences and bytes of requests, in order.
    Read {
        /// The question.
        call: CallId,
        /// The answer, or why there is none.
        answer: Result<Vec<(u64, Vec<u8>)>, String>,
    },
    /// [`QueueOutput::LookUp`] was answered.
    LookedUp {
        /// The question.
        call: CallId,
        /// The verdict if there is one, or why there is no answer.
        answer: Result<Option<Vec<u8>>, String>,
    },
    /// [`QueueOutput::Remove`] was answered: the request is gone.
    Removed {
        /// The question.
        call: CallId,
        /// Or why there is no answer.
        answer: Result<(), String>,
    },
    /// A [`Bell`] was heard.
    Rung(Vec<u8>),
    /// A verdict for this node was heard.
    Heard(Vec<u8>),
}

/// What a shard made of a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It is done.
    Acknowledged(Vec<u8>),
    /// It is not done, and asking again would not help.
    Refused(Vec<u8>),
    /// It cannot be done now. Why, for people.
    NotNow(String),
}

/// What the queue wants to be done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum QueueOutput {
    /// Publish a message; [`QueueInput::Published`] answers.
    Publish {
        /// The question.
        call: CallId,
        /// Where.
        place: Place,
        /// The message's id: `Nats-Msg-Id`.
        id: String,
        /// The message.
        bytes: Arc<[u8]>,
    },
    /// Read the requests of all units from a sequence on; [`QueueInput::Read`] answers.
    Read {
        /// The question.
        call: CallId,
        /// From this sequence on.
        from: u64,
    },
    /// Look up a verdict where its stream's leader has it; [`QueueInput::LookedUp`]
    /// answers.
    LookUp {
        /// The question.
        call: CallId,
        /// Where.
        place: Place,
    },
    /// Remove a request; [`QueueInput::Removed`] answers. One that is gone is removed.
    Remove {
        /// The question.
        call: CallId,
        /// The request's.
        sequence: u64,
    },
    /// Say to all nodes that the stream has one more request.
    Ring(Vec<u8>),
}

/// A subject of the queue's streams.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// Requests to the owner of a unit.
    Requests(UnitId),
    /// The verdict on one request.
    Verdict {
        /// Who asked.
        sender: String,
        /// The request's id.
        id: u64,
    },
}

/// What the queue has done since the node started.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct QueueCounts {
    /// Requests of this node that the stream has taken.
    pub stored: u64,
    /// Requests of this node that were acknowledged.
    pub acknowledged: u64,
    /// Requests of this node that were refused.
    pub refused: u64,
    /// Requests of this node that were given up.
    pub given_up: u64,
    /// Times that this node began with a request as the owner of its unit.
    pub begun: u64,
}

/// Where a request is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Stage {
    /// The stream has not said that it has it.
    Sent,
    /// The stream has it.
    Stored,
    /// This node owns the unit and looks whether the request has a verdict.
    Looked,
    /// This node does what is asked.
    Begun,
    /// This node tries again later. Why.
    Waits(String),
    /// The stream is given the verdict.
    Told,
    /// It is done.
    Acknowledged,
    /// It was refused.
    Refused,
    /// Nobody tries any more. Why.
    GivenUp(String),
}

impl Stage {
    /// Whether the request has no verdict yet.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        !matches!(self, Self::Acknowledged | Self::Refused | Self::GivenUp(_))
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sent => f.write_str("sent"),
            Self::Stored => f.write_str("stored"),
            Self::Looked => f.write_str("looked at"),
            Self::Begun => f.write_str("begun"),
            Self::Waits(why) => write!(f, "waits: {why}"),
            Self::Told => f.write_str("told"),
            Self::Acknowledged => f.write_str("acknowledged"),
            Self::Refused => f.write_str("refused"),
            Self::GivenUp(why) => write!(f, "given up: {why}"),
        }
    }
}

/// A request as an operator sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QueueLine {
    /// Its id.
    pub id: u64,
    /// Who asked.
    pub sender: String,
    /// Whose owner is asked.
    pub unit: UnitId,
    /// What for.
    pub what: String,
    /// When it was made.
    pub made_at: Time,
    /// Where it is.
    pub stage: Stage,
}

/// What one node knows of the queue.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct QueueView {
    /// Counts since the start.
    pub counts: QueueCounts,
    /// Requests without a verdict that this node has sent or is asked by, and the last
    /// ones of its own that have one.
    pub lines: Vec<QueueLine>,
}

/// The parts of the queue that one node plays.
#[derive(Debug)]
pub struct Queue {
    sender: Sender,
    server: Server,
    post: Post,
}

/// What both parts share.
#[derive(Debug)]
struct Post {
    name: String,
    outputs: VecDeque<QueueOutput>,
    events: VecDeque<Event>,
    calls: u64,
    counts: QueueCounts,
    /// The newest last.
    ended: VecDeque<QueueLine>,
}

impl Post {
    fn call(&mut self) -> CallId {
        self.calls += 1;
        CallId(self.calls)
    }

    fn publish(&mut self, place: Place, id: String, bytes: Arc<[u8]>) -> CallId {
        let call = self.call();
        self.outputs.push_back(QueueOutput::Publish { call, place, id, bytes });
        call
    }

    fn look_up(&mut self, sender: String, id: u64) -> CallId {
        let call = self.call();
        let place = Place::Verdict { sender, id };
        self.outputs.push_back(QueueOutput::LookUp { call, place });
        call
    }

    fn ring(&mut self, bell: Bell) {
        self.outputs.push_back(QueueOutput::Ring(bell.encode()));
    }

    fn notice(&mut self, why: String) {
        self.events.push_back(Event::Notice(why));
    }

    fn end(&mut self, line: QueueLine) {
        if self.ended.len() == ENDED_MAX {
            self.ended.pop_front();
        }
        self.ended.push_back(line);
    }
}

impl Queue {
    /// The queue of a node that owns nothing.
    #[must_use]
    pub fn new(now: Time, name: &str, seed: u64) -> Self {
        let post = Post {
            name: name.to_owned(),
            outputs: VecDeque::new(),
            events: VecDeque::new(),
            calls: 0,
            counts: QueueCounts::default(),
            ended: VecDeque::new(),
        };
        Self { sender: Sender::new(seed), server: Server::new(now), post }
    }

    /// Takes an input.
    pub fn handle(&mut self, now: Time, input: QueueInput) {
        let Self { sender, server, post } = self;
        match input {
            QueueInput::Send { unit, ticket, what, body } => {
                sender.send(now, post, (unit, what, body), ticket);
            }
            QueueInput::Done { number, outcome } => server.done(now, post, number, outcome),
            QueueInput::Published { call, answer } => {
                sender.published(now, post, call, &answer);
                server.published(now, post, call, &answer);
            }
            QueueInput::Read { call, answer } => server.read(now, post, call, answer),
            QueueInput::LookedUp { call, answer } => {
                sender.looked_up(post, call, &answer);
                server.looked_up(now, post, call, &answer);
            }
            QueueInput::Removed { call, answer } => server.removed(call, answer.is_ok()),
            QueueInput::Rung(bytes) => match Bell::decode(&bytes) {
                Ok(bell) => server.rung(now, post, &bell),
                Err(error) => post.notice(format!("a bell of the queue cannot be read: {error}")),
            },
            QueueInput::Heard(bytes) => match Told::decode(&bytes) {
                Ok(told) => sender.heard(post, told),
                Err(error) => post.notice(format!("a verdict cannot be read: {error}")),
            },
        }
    }

    /// The node owns a unit from now on.
    pub fn own(&mut self, now: Time, unit: UnitId) {
        self.server.own(now, unit);
    }

    /// The node owns a unit no more.
    pub fn lose(&mut self, unit: UnitId) {
        self.server.lose(unit);
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<QueueOutput> {
        self.post.outputs.pop_front()
    }

    /// The next thing to tell the node's shards.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.post.events.pop_front()
    }

    /// When [`Queue::handle_timeout`] is due, and what for.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Deadline> {
        let sender = self.sender.due().map(|at| (at, "a request is looked after"));
        let server = self.server.due().map(|at| (at, "requests are looked for"));
        sender.into_iter().chain(server).min()
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Time) {
        self.sender.handle_timeout(now, &mut self.post);
        self.server.handle_timeout(now, &mut self.post);
    }

    /// What an operator sees.
    #[must_use]
    pub fn view(&self) -> QueueView {
        let mut lines: Vec<QueueLine> = self.post.ended.iter().cloned().collect();
        lines.extend(self.sender.lines(&self.post.name));
        lines.extend(self.server.lines());
        QueueView { counts: self.post.counts, lines }
    }
}
