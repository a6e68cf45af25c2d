//! What goes into a unit and what comes out of it.

use std::sync::Arc;

use desk_protocol::Time;

use crate::event::Event;
use crate::merge::Message;
use crate::record::Record;
use crate::state::State;
use crate::unit_id::Epoch;

/// Names one question to a lane; its answer names it again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CallId(pub u64);

/// Why a deadline was set, for logs and tests.
pub type Deadline = (Time, &'static str);

/// Something happened to a unit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    /// The node wants to own the unit.
    Take,
    /// The node gives the unit away once all that was appended is acknowledged.
    Release,
    /// The node's desks append records.
    Append {
        /// The ownership that they belong to.
        epoch: Epoch,
        /// The records.
        records: Vec<Record>,
        /// What to say when they are durable.
        ticket: u64,
    },
    /// What the last [`Event::Records`] or [`Event::States`] told is in the node's store.
    Absorbed {
        /// The epoch that the event named.
        epoch: Epoch,
    },
    /// The answer to [`Event::Show`].
    Shown {
        /// The epoch that the event named.
        epoch: Epoch,
        /// The states; `None` if they cannot be told now.
        states: Option<Vec<State>>,
    },
    /// This process did not run for a while or heard nobody: somebody else may own the
    /// unit.
    Suspect,
    /// [`Output::Publish`] was answered.
    Published {
        /// The question.
        call: CallId,
        /// The answer.
        answer: Answer,
    },
    /// [`Output::LookUp`] was answered.
    LookedUp {
        /// The question.
        call: CallId,
        /// The newest fence or batch: its sequence and bytes, if there is one. Else why
        /// there is no answer.
        answer: Result<Option<(u64, Vec<u8>)>, String>,
    },
    /// [`Output::Read`] was answered.
    Read {
        /// The question.
        call: CallId,
        /// Messages from the asked sequence on, in order and without a gap; none if the
        /// replica has no more. Else why there is no answer.
        answer: Result<Vec<Message>, String>,
    },
    /// [`Output::Purge`] was answered.
    Purged {
        /// The question.
        call: CallId,
        /// The batches have gone. Else why there is no answer.
        answer: Result<(), String>,
    },
}

/// What a stream answers to a publish.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// The message is durable.
    Stored {
        /// Its sequence in the stream.
        sequence: u64,
        /// Whether it was so before. Such an answer is given before the fence is looked
        /// at, so it says nothing of ownership.
        duplicate: bool,
    },
    /// The newest fence is another than the one that was named; nothing is stored.
    Fenced,
    /// Nothing is stored, or the same message is under way: the same again.
    Again,
    /// Nobody knows, in words for people.
    Open(String),
}

impl Answer {
    /// What an error number of JetStream means. The numbers are those of nats-server's
    /// `errors.json`.
    #[must_use]
    pub fn of_error(number: u64, text: &str) -> Self {
        match number {
            // JSStreamWrongLastSequenceErrF: the expected last sequence is another.
            10_071 => Self::Fenced,
            // JSStreamWrongLastSequenceConstantErr: a message of that subject is under
            // way. JSStreamDuplicateMessageConflict: a message of that id is.
            10_164 | 10_158 => Self::Again,
            _ => Self::Open(format!("{text} ({number})")),
        }
    }
}

/// What a unit wants to be done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// Publish a message; [`Input::Published`] answers. An answer that never comes is
    /// missed by a deadline.
    Publish {
        /// The question.
        call: CallId,
        /// The lane.
        lane: usize,
        /// Whether the subject is that of the unit's fences, else that of its batches.
        is_fence: bool,
        /// The message's id: `Nats-Msg-Id`.
        id: String,
        /// The newest fence has to have this sequence, or there is none and this is 0:
        /// `Nats-Expected-Last-Subject-Sequence` with the subject of the fences.
        newest_fence: u64,
        /// The message.
        bytes: Arc<[u8]>,
    },
    /// Look up the newest fence or batch of a lane where the stream's leader has it;
    /// [`Input::LookedUp`] answers.
    LookUp {
        /// The question.
        call: CallId,
        /// The lane.
        lane: usize,
        /// Whether a fence is meant, else a batch.
        is_fence: bool,
    },
    /// Read the unit's fences and batches of a lane; [`Input::Read`] answers.
    Read {
        /// The question.
        call: CallId,
        /// The lane.
        lane: usize,
        /// From this sequence on.
        from: u64,
    },
    /// Remove the unit's batches of a lane, and none of its fences; [`Input::Purged`]
    /// answers.
    Purge {
        /// The question.
        call: CallId,
        /// The lane.
        lane: usize,
        /// Up to this sequence.
        upto: u64,
    },
    /// Make the connection anew: this one leads to nobody who answers.
    Reconnect,
    /// Tell the node.
    Tell(Event),
}
