//! The questions that are open, and what their answers mean.

use std::collections::{BTreeMap, VecDeque};

use async_nats::Message as Answered;
use desk_cluster::{Answer, CallId, Input, Message, UnitId};
use tokio::time::Instant;

use crate::api::{newest_found, published, purged};
use crate::limits::{QUESTION_TIME, QUESTIONS_MAX};

/// What was asked.
#[derive(Debug)]
pub(crate) enum Question {
    Publish,
    Purge,
    LookUp,
    /// A page, with what has come of it.
    Read(Vec<Message>),
}

/// Open questions by their number, which is the end of the subject of the answer.
#[derive(Debug, Default)]
pub(crate) struct Questions {
    last: u64,
    open: BTreeMap<u64, (UnitId, CallId, Question)>,
    asked: VecDeque<(Instant, u64)>,
}

impl Questions {
    /// Notes a question; says its number.
    pub(crate) fn ask(&mut self, unit: UnitId, call: CallId, question: Question) -> u64 {
        let now = Instant::now();
        let is_old = |(at, _): &(Instant, u64)| now - *at > QUESTION_TIME;
        while self.asked.len() >= QUESTIONS_MAX || self.asked.front().is_some_and(is_old) {
            let oldest = self.asked.pop_front();
            oldest.map(|(_, number)| self.open.remove(&number));
        }
        self.last += 1;
        self.open.insert(self.last, (unit, call, question));
        self.asked.push_back((now, self.last));
        self.last
    }

    /// What an answer says to which unit, when it is whole.
    pub(crate) fn answered(&mut self, number: u64, answer: Answered) -> Option<(UnitId, Input)> {
        let status = answer.status.map_or(200, |status| status.as_u16());
        let (unit, call, question) = self.open.get_mut(&number)?;
        let (unit, call) = (*unit, *call);
        let no_responders = || "no stream answers there".to_owned();
        let input = match question {
            Question::Publish if status == 503 => {
                Input::Published { call, answer: Answer::Open(no_responders()) }
            }
            Question::Publish => Input::Published { call, answer: published(&answer.payload) },
            Question::Purge if status == 503 => {
                Input::Purged { call, answer: Err(no_responders()) }
            }
            Question::Purge => {
                let answer = purged(&answer.payload).map_err(|error| error.to_string());
                Input::Purged { call, answer }
            }
            Question::LookUp if status == 503 => {
                Input::LookedUp { call, answer: Err(no_responders()) }
            }
            Question::LookUp => {
                let found = newest_found(&answer.payload).map_err(|error| error.to_string());
                Input::LookedUp { call, answer: found }
            }
            Question::Read(messages) => match status {
                200 => match message(answer, messages.last()) {
                    Ok(message) => {
                        messages.push(message);
                        return None;
                    }
                    Err(why) => Input::Read { call, answer: Err(why) },
                },
                // The end of the page, or nothing from there on.
                204 | 404 => Input::Read { call, answer: Ok(std::mem::take(messages)) },
                503 => Input::Read { call, answer: Err(no_responders()) },
                other => Input::Read { call, answer: Err(format!("status {other}")) },
            },
        };
        self.open.remove(&number);
        Some((unit, input))
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
