//! The questions that are open, and what their answers mean.

use std::collections::{BTreeMap, VecDeque};

use async_nats::Message as Answered;
use desk_cluster::{Answer, CallId, Input, Message, NodeInput, QueueInput, UnitId};
use tokio::time::Instant;

use crate::api::{newest_found, published, purged, removed};
use crate::limits::{QUESTION_TIME, QUESTIONS_MAX};

/// What was asked.
#[derive(Debug)]
pub(crate) enum Question {
    Publish,
    /// To remove what stands below a sequence, or, by the queue, one message.
    Purge,
    LookUp,
    /// A page, with what has come of it.
    Read(Vec<Message>),
}

/// Which part of the node asks.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Asker {
    /// A unit, at its lanes.
    Unit(UnitId),
    /// The queue, at its streams.
    Queue,
}

/// What came of a question.
#[derive(Debug)]
pub(crate) enum Found {
    Published(Answer),
    Purged(Result<(), String>),
    LookedUp(Result<Option<(u64, Vec<u8>)>, String>),
    Read(Result<Vec<Message>, String>),
}

impl Asker {
    /// Says to who asked what came of it.
    pub(crate) fn input(self, call: CallId, found: Found) -> NodeInput {
        match self {
            Self::Unit(unit) => NodeInput::Unit(
                unit,
                match found {
                    Found::Published(answer) => Input::Published { call, answer },
                    Found::Purged(answer) => Input::Purged { call, answer },
                    Found::LookedUp(answer) => Input::LookedUp { call, answer },
                    Found::Read(answer) => Input::Read { call, answer },
                },
            ),
            Self::Queue => NodeInput::Queue(match found {
                Found::Published(answer) => QueueInput::Published { call, answer },
                Found::Purged(answer) => QueueInput::Removed { call, answer },
                Found::LookedUp(answer) => {
                    let answer = answer.map(|found| found.map(|(_, bytes)| bytes));
                    QueueInput::LookedUp { call, answer }
                }
                Found::Read(answer) => {
                    let plain = |message: Message| (message.sequence, message.bytes);
                    let answer = answer.map(|found| found.into_iter().map(plain).collect());
                    QueueInput::Read { call, answer }
                }
            }),
        }
    }
}

impl Question {
    /// That nobody knows.
    pub(crate) fn unanswered(&self, why: String) -> Found {
        match self {
            Self::Publish => Found::Published(Answer::Open(why)),
            Self::Purge => Found::Purged(Err(why)),
            Self::LookUp => Found::LookedUp(Err(why)),
            Self::Read(_) => Found::Read(Err(why)),
        }
    }
}

/// Open questions by their number, which is the end of the subject of the answer.
#[derive(Debug, Default)]
pub(crate) struct Questions {
    last: u64,
    open: BTreeMap<u64, (Asker, CallId, Question)>,
    asked: VecDeque<(Instant, u64)>,
}

impl Questions {
    /// Notes a question; says its number.
    pub(crate) fn ask(&mut self, asker: Asker, call: CallId, question: Question) -> u64 {
        let now = Instant::now();
        let is_old = |(at, _): &(Instant, u64)| now - *at > QUESTION_TIME;
        while self.asked.len() >= QUESTIONS_MAX || self.asked.front().is_some_and(is_old) {
            let oldest = self.asked.pop_front();
            oldest.map(|(_, number)| self.open.remove(&number));
        }
        self.last += 1;
        self.open.insert(self.last, (asker, call, question));
        self.asked.push_back((now, self.last));
        self.last
    }

    /// What an answer says to the node, when it is whole.
    pub(crate) fn answered(&mut self, number: u64, answer: Answered) -> Option<NodeInput> {
        let status = answer.status.map_or(200, |status| status.as_u16());
        let (asker, call, question) = self.open.get_mut(&number)?;
        let (asker, call) = (*asker, *call);
        let found = match question {
            question if status == 503 => question.unanswered("no stream answers there".to_owned()),
            Question::Publish => Found::Published(published(&answer.payload)),
            Question::Purge => Found::Purged(match asker {
                Asker::Unit(_) => purged(&answer.payload).map_err(|error| error.to_string()),
                Asker::Queue => removed(&answer.payload).map_err(|error| error.to_string()),
            }),
            Question::LookUp => {
                let found = newest_found(&answer.payload).map_err(|error| error.to_string());
                Found::LookedUp(found)
            }
            Question::Read(messages) => match status {
                200 => match message(answer, messages.last()) {
                    Ok(message) => {
                        messages.push(message);
                        return None;
                    }
                    Err(why) => Found::Read(Err(why)),
                },
                // The end of the page, or nothing from there on.
                204 | 404 => Found::Read(Ok(std::mem::take(messages))),
                other => Found::Read(Err(format!("status {other}"))),
            },
        };
        self.open.remove(&number);
        Some(asker.input(call, found))
    }
}

/// A message of a page. Each names the one before it, so that none is missed.
fn message(answer: Answered, before: Option<&Message>) -> Result<Message, String> {
    let headers = answer.headers.ok_or("a message without headers")?;
    let text = |name: &str| headers.get(name).map(|value| value.as_str());
    let number = |name: &str| text(name).and_then(|text| text.parse::<u64>().ok());
    let sequence = number("Nats-Sequence").ok_or("a message without a sequence")?;
    let named = number("Nats-Last-Sequence").unwrap_or_default();
    if before.is_some_and(|before| before.sequence != named) {
        return Err("a message of the page is missing".to_owned());
    }
    let subject = text("Nats-Subject").ok_or("a message without a subject")?;
    let is_fence = subject.ends_with(".f");
    Ok(Message { sequence, is_fence, bytes: answer.payload.to_vec() })
}
