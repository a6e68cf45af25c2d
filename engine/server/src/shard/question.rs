//! What one shard asks another, and what it gets.

use std::time::Duration;

use desk_engine_core::{Reply, Request, SessionKey, Source};
use desk_nats::Verdict;

/// What a shard is asked.
pub(crate) enum Question {
    /// Something of a desk: its core answers.
    Desk(Box<Request>),
    /// To carry frames of a line over HTTP requests.
    Line(Box<LineQuestion>),
}

/// What it answers.
pub(crate) enum Answer {
    /// To [`Question::Desk`].
    Desk(Reply),
    /// To [`Question::Line`].
    Line(LineAnswer),
    /// Of the cluster's queue, to what another machine was asked.
    Carried(Verdict),
}

impl Question {
    /// Whether the answer may wait for news, and not only for work.
    pub(crate) fn waits(&self) -> bool {
        match self {
            Self::Desk(request) => matches!(**request, Request::Poll { wait_seconds: 1.., .. }),
            Self::Line(question) => question.waits(),
        }
    }
}

/// What a request asks of a line.
pub(crate) struct LineQuestion {
    /// The key that the request showed.
    pub(crate) key: SessionKey,
    /// The address that it came from.
    pub(crate) source: Source,
    /// The number that the client gave the line.
    pub(crate) line: u32,
    /// Which of its parts, from 0.
    pub(crate) number: u64,
    /// What is asked.
    pub(crate) what: LineAsk,
}

/// See [`LineQuestion`].
pub(crate) enum LineAsk {
    /// To take these bytes of frames. The first part opens the line.
    Say(Vec<u8>),
    /// To give frames, once there are some, or after this time.
    Hear(Duration),
}

/// What a request gets.
pub(crate) enum LineAnswer {
    /// The frames were taken.
    Taken,
    /// Bytes of frames; none came in time if there are none.
    Frames(Vec<u8>),
    /// There is no such line, or no more.
    Gone,
    /// The server has no room for another line.
    Full,
}

impl LineQuestion {
    /// Whether the answer may wait for news.
    pub(crate) const fn waits(&self) -> bool {
        matches!(self.what, LineAsk::Hear(_))
    }
}
