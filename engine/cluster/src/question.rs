//! A question to one lane, until it has its answer.

use desk_protocol::Time;

use crate::io::CallId;

/// A question to one lane.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Question<A> {
    call: Option<CallId>,
    /// Without an answer by then it is asked again; a question that waits is asked then.
    due: Time,
    /// Whether only a look at the lane tells what became of a message.
    is_unclear: bool,
    answer: Option<A>,
}

impl<A: Clone> Question<A> {
    /// To be asked at that time.
    pub(crate) const fn at(due: Time) -> Self {
        Self { call: None, due, is_unclear: false, answer: None }
    }

    /// Asked; the answer is waited for until then.
    pub(crate) const fn asked(call: CallId, until: Time) -> Self {
        Self { call: Some(call), due: until, is_unclear: false, answer: None }
    }

    /// What became of the message is to be asked at that time.
    pub(crate) const fn unclear_at(due: Time) -> Self {
        Self { call: None, due, is_unclear: true, answer: None }
    }

    /// What became of the message was asked.
    pub(crate) const fn unclear(call: CallId, until: Time) -> Self {
        Self { call: Some(call), due: until, is_unclear: true, answer: None }
    }

    /// Whether this is the open question of that number.
    pub(crate) fn is(&self, call: CallId) -> bool {
        self.answer.is_none() && self.call == Some(call)
    }

    /// When it is asked, or asked again.
    pub(crate) fn due(&self) -> Option<Time> {
        self.answer.is_none().then_some(self.due)
    }

    pub(crate) fn is_asked(&self) -> bool {
        self.answer.is_none() && self.call.is_some()
    }

    pub(crate) const fn is_unclear(&self) -> bool {
        self.is_unclear
    }

    pub(crate) fn is_due(&self, now: Time) -> bool {
        self.answer.is_none() && self.due <= now
    }

    /// Takes the answer, if it is to this question.
    pub(crate) fn answer(&mut self, call: CallId, answer: &A) {
        if self.is(call) {
            self.answer = Some(answer.clone());
        }
    }
}

/// Puts another question in the place of that one.
pub(crate) fn replace<A: Clone>(lanes: &mut [Question<A>], call: CallId, with: Question<A>) {
    if let Some(lane) = lanes.iter_mut().find(|lane| lane.is(call)) {
        *lane = with;
    }
}

/// The answers of all lanes, when they are all there.
pub(crate) fn answers<A: Clone>(lanes: &[Question<A>]) -> Option<Vec<A>> {
    lanes.iter().map(|lane| lane.answer.clone()).collect()
}

/// When the next question is due.
pub(crate) fn due<A: Clone>(lanes: &[Question<A>]) -> Option<Time> {
    lanes.iter().filter_map(Question::due).min()
}
