//! One line to a client.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use desk_protocol::frame::Role;
use desk_protocol::{Author, ClientId, ClientSeq, LinkId, Revision, Time};

use super::silence::Silence;
use crate::bucket::Bucket;
use crate::copies::Copied;
use crate::identity::SessionKey;
use crate::limits::{CONNECTION_BYTES, ShardLimits};
use crate::output::Way;
use crate::service::EncodedSnapshot;

/// A connection, from its opening to its end.
#[derive(Debug)]
pub(crate) struct Connection {
    /// The key it was opened with, if the transport carried one.
    pub(crate) key: Option<SessionKey>,
    pub(crate) phase: Phase,
    /// When it must have said hello.
    pub(crate) hello_by: Time,
    /// Bytes handed to the shell and not yet sent.
    pub(crate) queued_bytes: usize,
    /// Bytes of frames that are deferred behind missing commits.
    pub(crate) deferred_bytes: usize,
    pub(crate) batches: Bucket,
    pub(crate) presence: Bucket,
    pub(crate) pauses: Pauses,
    pub(crate) silence: Silence,
}

/// Why a connection is not read for a while.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Pauses {
    /// It is over its rate.
    pub(crate) rate: bool,
    /// Its outbound queue is full; it is read again once it has taken some frames.
    pub(crate) queue: bool,
}

impl Pauses {
    pub(crate) const fn any(self) -> bool {
        self.rate || self.queue
    }
}

/// How far a connection has come.
#[derive(Debug)]
pub(crate) enum Phase {
    /// Nothing was said yet.
    Greeting,
    /// Its hello waits for the desk.
    Joining {
        /// The desk's key, once known; the hello may lead to an alias first.
        desk: LinkId,
    },
    /// It takes part.
    Joined(Session),
    /// It was told to close; frames that it still sends are dropped.
    Closing,
}

/// What a connection is on its desk.
#[derive(Debug)]
pub(crate) struct Session {
    /// The desk's key.
    pub(crate) desk: LinkId,
    /// The link joined by.
    pub(crate) link: LinkId,
    pub(crate) client: ClientId,
    pub(crate) author: Author,
    pub(crate) role: Role,
    pub(crate) user: Arc<str>,
    /// How it is sent commits as they come.
    pub(crate) way: Way,
    /// The newest number that a datagram has brought before the stream (CARRY-8).
    pub(crate) ahead: ClientSeq,
    pub(crate) stream: Stream,
}

/// How a connection receives the desk's commits.
#[derive(Debug)]
pub(crate) enum Stream {
    /// Every commit as it comes.
    Live,
    /// It misses some commits. They follow as fast as it reads.
    Behind {
        /// The newest revision it was sent.
        sent: Revision,
        /// Frames that must not overtake the commits.
        deferred: VecDeque<Arc<[u8]>>,
    },
    /// A snapshot replaces the missing commits.
    Snapshot {
        /// The snapshot.
        snapshot: Arc<Copied<EncodedSnapshot>>,
        /// The next of its frames.
        next: usize,
        /// Frames that must not overtake the snapshot.
        deferred: VecDeque<Arc<[u8]>>,
    },
}

impl Connection {
    pub(crate) fn new(key: Option<SessionKey>, limits: &ShardLimits, now: Time) -> Self {
        Self {
            key,
            phase: Phase::Greeting,
            hello_by: now + limits.hello_time,
            queued_bytes: 0,
            deferred_bytes: 0,
            batches: Bucket::new(limits.batches_per_second, SECOND, limits.batch_burst, now),
            presence: Bucket::new(limits.presence_per_second, SECOND, limits.presence_burst, now),
            pauses: Pauses::default(),
            silence: Silence::new(now),
        }
    }

    pub(crate) fn session(&self) -> Option<&Session> {
        match &self.phase {
            Phase::Joined(session) => Some(session),
            _ => None,
        }
    }

    pub(crate) fn session_mut(&mut self) -> Option<&mut Session> {
        match &mut self.phase {
            Phase::Joined(session) => Some(session),
            _ => None,
        }
    }

    /// Bytes that are queued or deferred for it.
    pub(crate) const fn waiting_bytes(&self) -> usize {
        self.queued_bytes + self.deferred_bytes
    }

    /// The desk it is on, or is about to join.
    pub(crate) fn desk(&self) -> Option<LinkId> {
        match &self.phase {
            Phase::Joining { desk } => Some(*desk),
            Phase::Joined(session) => Some(session.desk),
            Phase::Greeting | Phase::Closing => None,
        }
    }
}

const SECOND: Duration = Duration::from_secs(1);

// Twice for its place in the sets of its desk, its timers and its presence.
const _: () = assert!(2 * size_of::<Connection>() + PERSON_BYTES <= CONNECTION_BYTES);

/// The presence of somebody whose name is as long as it may be, roughly.
const PERSON_BYTES: usize = 512;
