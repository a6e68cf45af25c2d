//! What travels between a client and the desk's owner, as domain types.
//!
//! [`crate::codec`] writes and reads them. Which end may send what, and when,
//! stands in `SPEC.md`.

use std::fmt;

use crate::id::{Author, ClientSeq, Revision, StickerId};
use crate::limits::DeskLimits;
use crate::operation::{CollisionStatus, Commit, Operation};
use crate::sticker::{Color, Point};

/// What a key lets its holder do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Role {
    /// Sees the desk.
    Viewer,
    /// Changes it.
    Editor,
    /// Ends sessions, rotates links and deletes the desk, too.
    Owner,
}

impl Role {
    /// The word for it in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Editor => "editor",
            Self::Owner => "owner",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A frame from a client.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ClientFrame {
    /// The first frame of every connection.
    Hello(Hello),
    /// A batch.
    Submit(Submit),
    /// Where the person is and what it does; kept by nobody.
    Presence(Presence),
    /// Asks for a [`ServerFrame::Pong`]: is the line alive?
    Ping {
        /// Comes back in the pong.
        nonce: u64,
    },
}

/// Opens a connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hello {
    /// As `init` gave it.
    pub session_key: String,
    /// Grows with every connection of this client and is kept by it
    /// (FLIGHT-9). A hello with a number not above the newest is refused.
    pub connection: u64,
    /// The revision that the client has confirmed; `None` if it has no state.
    pub revision: Option<Revision>,
    /// The label that is passed on with commits; empty if none.
    pub user: String,
    /// Commits may come in datagrams, too, ahead of their turn (CARRY-8).
    pub repeats: bool,
}

/// A batch on its way to the desk's owner.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Submit {
    /// The batch's number: last + 1, or the last one again.
    pub client_seq: ClientSeq,
    /// The revision that the operations stand on.
    pub base: Revision,
    /// The revision at which the oldest operation was made: `base`, or below it if
    /// the operations were transformed over others' commits since (LIMIT-6).
    pub made_at: Revision,
    /// What is asked for; brought into normal form by the server.
    pub operations: Vec<Operation>,
}

/// What one person shows the others. Sent whole each time.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Presence {
    /// Shown beside the cursor; cut at the limit by the server.
    pub name: String,
    /// The person's colour.
    pub color: Color,
    /// Where the pointer is; `None` when it is off the board.
    pub cursor: Option<Point>,
    /// The sticker being typed into.
    pub editing: Option<StickerId>,
    /// The caret in that sticker's text, in characters from its start.
    pub caret: Option<u32>,
    /// Stickers being dragged, and by how much.
    pub drag: Option<Drag>,
    /// The person looks at something else: the page is not in sight.
    pub hidden: bool,
}

/// A drag that is not yet an operation.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Drag {
    /// The sticker under the pointer; a larger selection moves at the drop.
    pub sticker: StickerId,
    /// Where its top left corner is now.
    pub to: Point,
}

/// A frame from the server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ServerFrame {
    /// Answers a hello; comes again, unasked, before a snapshot that replaces
    /// what a slow client missed.
    Welcome(Welcome),
    /// A batch in its place: the acknowledgement to its author, news to others.
    Commit(Commit),
    /// A part of a snapshot.
    SnapshotChunk(SnapshotChunk),
    /// The batch was not ordered, because its base lies below a text history. Its
    /// number is not used up. The commits needed to catch up were sent before.
    Stale {
        /// The batch's number.
        client_seq: ClientSeq,
        /// The sticker whose history is gone.
        sticker: StickerId,
    },
    /// The answer that this number got before (a batch sent twice), or a
    /// rejection.
    Answer(BatchResult),
    /// What people show, in the size of a datagram. It replaces the earlier state of
    /// each person in it.
    Presence(Vec<Person>),
    /// The answer to a ping.
    Pong {
        /// The ping's.
        nonce: u64,
    },
    /// The connection ends after this frame.
    Close {
        /// Why.
        code: CloseCode,
        /// In words, for a log or a person.
        detail: String,
    },
}

/// Tells a client where it stands (FLIGHT-10).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Welcome {
    /// The client's own number on this desk.
    pub author: Author,
    /// What its key lets it do.
    pub role: Role,
    /// The desk's revision. Commits or a snapshot up to it follow.
    pub revision: Revision,
    /// What follows: a snapshot, or commits from the client's revision on.
    pub snapshot: bool,
    /// The result of the client's newest number, if it has one.
    pub last: Option<BatchResult>,
    /// When the desk was created, in seconds since the Unix epoch.
    pub created_at: u64,
    /// When the desk is gone, in seconds since the Unix epoch.
    pub expires_at: u64,
    /// What a batch may ask for here and the desk may hold.
    pub limits: DeskLimits,
    /// The server's clock, in milliseconds since the Unix epoch; 0: not told.
    pub now_ms: u64,
}

/// What became of a number.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BatchResult {
    /// The number.
    pub client_seq: ClientSeq,
    /// What it got.
    pub outcome: Outcome,
}

/// See [`BatchResult`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It was committed.
    Applied {
        /// As this revision.
        revision: Revision,
        /// With this status.
        status: CollisionStatus,
        /// Stickers created, in the order of their creations.
        created: Vec<StickerId>,
    },
    /// It was refused for good.
    Rejected {
        /// The operation at fault, from 0, in the order that the client sent.
        operation: u32,
        /// What was wrong with it.
        detail: String,
    },
}

/// A part of an encoded snapshot.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SnapshotChunk {
    /// The revision of the snapshot; the same in all its chunks.
    pub revision: Revision,
    /// Where these bytes stand.
    pub offset: u32,
    /// Bytes of the whole snapshot.
    pub total: u32,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// Someone in presence.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Person {
    /// Who.
    pub author: Author,
    /// Grows with every change of this person, so that a late datagram is
    /// known to be old.
    pub counter: u32,
    /// What it shows; `None`: it has left.
    pub presence: Option<Presence>,
}

/// Why the server ends a connection.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CloseCode {
    /// A frame could not be read, or came at the wrong time.
    Malformed,
    /// The session key is unknown here.
    KeyVoid,
    /// The role does not allow it.
    NotAllowed,
    /// The owner ended the session that the key is of. Rejoin by the same link, and
    /// only when the person asks to.
    Finished,
    /// The desk's week is over.
    Expired,
    /// The desk was deleted.
    Deleted,
    /// A newer connection of the same client took over.
    Superseded,
    /// The server is shutting down or restarting: come again.
    Draining,
    /// The server cannot serve this now: come again later.
    Overloaded,
    /// A fault of the server.
    Internal,
    /// The owner replaced the link that the client joined by: join by the new one.
    LinkReplaced,
    /// As many people are on the desk as it holds: come again later.
    DeskFull,
    /// The client did not say hello, or all of a message that it began, in time.
    TimedOut,
    /// Another server of the cluster has the desk now: ask `init` where, at once.
    Moved,
}

impl CloseCode {
    /// All of them: whoever looks one up by its word or its number looks here.
    pub const ALL: [Self; 14] = [
        Self::Malformed,
        Self::KeyVoid,
        Self::NotAllowed,
        Self::Finished,
        Self::Expired,
        Self::Deleted,
        Self::Superseded,
        Self::Draining,
        Self::Overloaded,
        Self::Internal,
        Self::LinkReplaced,
        Self::DeskFull,
        Self::TimedOut,
        Self::Moved,
    ];

    /// The word for it in logs, on the page and in a problem's `code` (HTTP).
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::KeyVoid => "key_void",
            Self::NotAllowed => "not_allowed",
            Self::Finished => "finished",
            Self::Expired => "expired",
            Self::Deleted => "deleted",
            Self::Superseded => "superseded",
            Self::Draining => "draining",
            Self::Overloaded => "overloaded",
            Self::Internal => "internal",
            Self::LinkReplaced => "link_replaced",
            Self::DeskFull => "desk_full",
            Self::TimedOut => "timed_out",
            Self::Moved => "moved",
        }
    }

    /// The code of a word, as [`CloseCode::as_str`] gives it.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == word)
    }

    /// The code of a WebSocket's number, as [`CloseCode::websocket`] gives it.
    pub fn of_websocket(number: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.websocket() == number)
    }

    /// Whether the client should connect again by itself.
    pub const fn reconnect(self) -> bool {
        match self {
            Self::Malformed
            | Self::TimedOut
            | Self::Draining
            | Self::Overloaded
            | Self::DeskFull
            | Self::Internal
            | Self::Moved => true,
            Self::KeyVoid
            | Self::NotAllowed
            | Self::Finished
            | Self::LinkReplaced
            | Self::Superseded
            | Self::Deleted
            | Self::Expired => false,
        }
    }

    /// The close code of RFC 6455 that goes with it; 4000 to 4999 are for
    /// applications.
    pub const fn websocket(self) -> u16 {
        match self {
            Self::Malformed => 1007,
            Self::Draining => 1012,
            Self::Overloaded => 1013,
            Self::Internal => 1011,
            Self::KeyVoid => 4001,
            Self::NotAllowed => 4003,
            Self::Finished => 4004,
            Self::Superseded => 4009,
            Self::Deleted => 4010,
            Self::Expired => 4011,
            Self::LinkReplaced => 4012,
            Self::DeskFull => 4013,
            Self::TimedOut => 4008,
            Self::Moved => 4014,
        }
    }
}
