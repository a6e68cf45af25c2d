//! A desk as the shard knows it: its people, and its content if that is here.

use std::collections::VecDeque;
use std::time::Duration;

use desk_protocol::frame::{Hello, Submit};
use desk_protocol::{LinkId, Operation, Time};

use super::hot::Hot;
use crate::collaboration::Room;
use crate::limits::ShardLimits;
use crate::names::{ConnectionId, LogPosition, RequestId};
use crate::service::Request;

/// A desk, or a link whose desk is being looked up.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    pub(crate) content: Content,
    pub(crate) room: Room,
    /// Links that are known to lead here besides the key, in the order in which they
    /// were learnt. They go with the slot.
    pub(crate) links: Vec<LinkId>,
    /// What waits for the content, in order.
    pub(crate) waiting: VecDeque<Task>,
    /// When the desk is gone; known once it was loaded.
    pub(crate) expires_at: Option<Time>,
    /// Whether an idle timer is on its way.
    pub(crate) idle_armed: bool,
}

/// Where the content is.
#[derive(Debug, Default)]
pub(crate) enum Content {
    /// In the store.
    #[default]
    Absent,
    /// On its way.
    Loading,
    /// Here.
    Hot(Box<Hot>),
}

/// Work that needs a desk's content.
#[derive(Debug)]
pub(crate) enum Task {
    Request {
        request: RequestId,
        body: Box<Request>,
    },
    Hello {
        connection: ConnectionId,
        hello: Box<Hello>,
    },
    Submit {
        connection: ConnectionId,
        submit: Box<Submit>,
    },
    /// Give a connection that is behind what it misses.
    Pump {
        connection: ConnectionId,
    },
    /// The log is under pressure.
    Store,
}

impl Task {
    /// Roughly the bytes of the batch or the texts in it; 0 for what is small.
    pub(crate) fn bytes(&self) -> usize {
        let of = |operations: &[Operation]| operations.iter().map(Operation::memory_bytes).sum();
        match self {
            Self::Submit { submit, .. } => of(&submit.operations),
            Self::Request { body, .. } => match &**body {
                Request::Sync { submit, base_texts, .. } => {
                    let texts: usize = base_texts.iter().map(|(_, text)| text.len()).sum();
                    of(&submit.operations) + texts
                }
                Request::Finish { diff: Some(submit), .. } => of(&submit.operations),
                Request::Import { operations, .. } => of(operations),
                _ => 0,
            },
            Self::Hello { .. } | Self::Pump { .. } | Self::Store => 0,
        }
    }
}

impl Slot {
    pub(crate) fn hot(&mut self) -> Option<&mut Hot> {
        match &mut self.content {
            Content::Hot(hot) => Some(hot),
            Content::Absent | Content::Loading => None,
        }
    }

    /// The log position that outputs of this desk wait for.
    pub(crate) fn position(&self) -> LogPosition {
        match &self.content {
            Content::Hot(hot) => hot.position,
            Content::Absent | Content::Loading => LogPosition(0),
        }
    }

    /// When the content may leave memory for want of use.
    pub(crate) fn idle_at(&self, session_idle: Duration, limits: &ShardLimits) -> Time {
        let empty = self.room.is_empty();
        let grace = if empty { limits.leave_grace.min(session_idle) } else { session_idle };
        self.room.active_at + grace
    }

    /// Whether the shard can forget that it ever saw this desk.
    pub(crate) fn is_unused(&self) -> bool {
        matches!(self.content, Content::Absent) && self.room.is_empty() && self.waiting.is_empty()
    }
}
