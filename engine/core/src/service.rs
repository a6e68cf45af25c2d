//! What is asked of a shard by request, and what it answers.

use std::sync::Arc;
use std::time::Duration;

use desk_protocol::frame::{CloseCode, Role, Submit};
use desk_protocol::{
    Author, ClientSeq, CollisionStatus, Commit, Desk, LinkId, Operation, Revision, StickerId,
};

use crate::admission::Source;
use crate::copies::Copied;
use crate::identity::SessionKey;

/// No more copies of desks are made for now.
pub(crate) const TOO_MANY_COPIES: ServiceError =
    ServiceError::Unavailable("slow readers still take too many older copies of desks");

/// What a newcomer is told whom the log cannot take.
pub(crate) const NOBODY_NEW: &str = "the server cannot store anything now, so nobody new can \
     join; who is on the desk reads on";

/// What is said of a desk whose record no table takes.
pub(crate) const UNSTORABLE: &str =
    "this desk has become too large to be stored and takes no changes now; reading goes on";

/// A request to the owner of a desk. Which shard that is follows from the link
/// ([`Request::link`]) by [`crate::Placement`]; a creation goes to the shard
/// with the fewest collaboration instances.
#[derive(Clone, Debug)]
pub enum Request {
    /// Makes a desk and lets its creator join.
    Create {
        /// Its title.
        title: String,
        /// Whether the answer carries the content.
        content: bool,
    },
    /// Joins a desk.
    Join {
        /// By this link.
        link: LinkId,
        /// A key of an earlier session, to go on as the same client.
        old_key: Option<SessionKey>,
        /// Whether the answer carries the content.
        content: bool,
        /// Where the request comes from; `None` where newcomers are not counted.
        source: Option<Source>,
    },
    /// May a connection with this key be opened? Asked before an upgrade.
    Attach {
        /// The key.
        key: SessionKey,
    },
    /// A batch by request.
    Sync {
        /// The sender.
        key: SessionKey,
        /// The label that the sender chose (`R-User-ID`).
        user: String,
        /// The batch.
        submit: Submit,
        /// Texts that deltas were made against, for senders without a replica.
        base_texts: Vec<(StickerId, String)>,
    },
    /// Commits after a revision, at once or as soon as there are any.
    Poll {
        /// The asker.
        key: SessionKey,
        /// Exclusive.
        since: Revision,
        /// How long to wait for the first one, in seconds.
        wait_seconds: u32,
        /// Whether frames are wanted where the whole content answers.
        frames: bool,
    },
    /// Ends the session.
    Finish {
        /// The owner's key.
        key: SessionKey,
        /// A last batch.
        diff: Option<Submit>,
    },
    /// Gives the link of a role, makes it or replaces it.
    Link {
        /// The owner's key.
        key: SessionKey,
        /// The desk, by the link in the path.
        desk: LinkId,
        /// Whose link.
        role: Role,
        /// Whether the present one is disabled and replaced.
        rotate: bool,
    },
    /// Deletes the desk.
    Delete {
        /// The owner's key.
        key: SessionKey,
        /// The desk, by the link in the path.
        desk: LinkId,
    },
    /// May this key import? Asked before the body is read.
    MayImport {
        /// An owner's or editor's key.
        key: SessionKey,
        /// The desk, by the link in the path.
        desk: LinkId,
    },
    /// May this key do what owners do? Asked before the body is read.
    MayOwn {
        /// The owner's key.
        key: SessionKey,
        /// The desk, by the link in the path.
        desk: LinkId,
    },
    /// Adds notes as one step that appears whole or not at all.
    Import {
        /// An owner's or editor's key.
        key: SessionKey,
        /// The desk, by the link in the path.
        desk: LinkId,
        /// The label that the sender chose.
        user: String,
        /// A number that the sender gives this import, so that it counts once if it
        /// comes again; `None`: it counts each time.
        resend: Option<u64>,
        /// The revision of the content beside which the notes were laid. If other notes
        /// have come there since, all are moved beside those (IMPORT-7). `None`: they
        /// may lie over others.
        laid_at: Option<Revision>,
        /// Creations, from the bottom of the pile to its top.
        operations: Vec<Operation>,
    },
    /// The content of a desk.
    Export {
        /// By this link.
        link: LinkId,
        /// Deleted stickers too, if the link or the key is an editor's or owner's;
        /// `None`: without them.
        deleted: Option<Deleted>,
    },
    /// The operator's takedown.
    Remove {
        /// By any of the desk's links.
        link: LinkId,
    },
}

impl Request {
    /// The link that decides which shard serves the request; `None` for a
    /// creation, which any shard serves.
    pub fn link(&self) -> Option<LinkId> {
        match self {
            Request::Create { .. } => None,
            Request::Join { link, .. }
            | Request::Export { link, .. }
            | Request::Remove { link } => Some(*link),
            Request::Attach { key }
            | Request::Sync { key, .. }
            | Request::Poll { key, .. }
            | Request::Finish { key, .. }
            | Request::Link { key, .. }
            | Request::Delete { key, .. }
            | Request::MayImport { key, .. }
            | Request::MayOwn { key, .. }
            | Request::Import { key, .. } => Some(key.link),
        }
    }
}

/// Who asks for deleted stickers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Deleted {
    /// A key of the desk, if one was shown.
    pub key: Option<SessionKey>,
}

/// A snapshot of a desk's content at one revision, encoded once and shared.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EncodedSnapshot {
    /// At this revision.
    pub revision: Revision,
    /// Its frames ([`desk_protocol::frame::SnapshotChunk`]), size-prefixed, in
    /// order; each is sent, or written into a body, as it is.
    pub frames: Vec<Arc<[u8]>>,
}

/// Joining went well.
#[derive(Clone, Debug)]
pub struct Joined {
    /// The content, if asked for.
    pub content: Option<Arc<Copied<EncodedSnapshot>>>,
    /// The session key.
    pub key: SessionKey,
    /// The link joined by; at creation the edit link.
    pub link: LinkId,
    /// The owner's link, at creation only.
    pub owner_link: Option<LinkId>,
    /// Whether the old key was good and the client goes on as itself.
    pub resumed: bool,
    /// What the key grants.
    pub role: Role,
    /// The client's number on the desk.
    pub author: Author,
    /// The desk's revision.
    pub revision: Revision,
    /// When the desk is gone, in seconds since the Unix epoch.
    pub expires_at: u64,
}

/// The content of a desk, for exports.
#[derive(Clone, Debug)]
pub struct Content {
    /// The content, copied once a revision and shared.
    pub desk: Arc<Copied<Desk>>,
    /// In seconds since the Unix epoch.
    pub created_at: u64,
    /// In seconds since the Unix epoch.
    pub expires_at: u64,
}

/// The answer to a poll.
#[derive(Clone, Debug)]
pub enum Polled {
    /// The commits after the revision asked for; none if nothing came in time.
    Commits {
        /// The desk's revision.
        revision: Revision,
        /// Oldest first.
        commits: Vec<Arc<Commit>>,
        /// The same commits as frames.
        frames: Vec<Arc<[u8]>>,
    },
    /// The revision is older than what is kept.
    Content(Box<Content>),
    /// The same, where frames were wanted.
    Snapshot(Arc<Copied<EncodedSnapshot>>),
}

/// What a request got.
#[derive(Clone, Debug)]
pub enum Reply {
    /// To [`Request::Create`] and [`Request::Join`].
    Joined(Box<Joined>),
    /// To [`Request::Attach`], [`Request::MayImport`] and [`Request::MayOwn`].
    Allowed,
    /// To [`Request::Sync`] and [`Request::Import`].
    Synced {
        /// How the batch met others' changes.
        status: CollisionStatus,
        /// Its revision.
        revision: Revision,
        /// Stickers created, in the order of their creations.
        created: Vec<StickerId>,
    },
    /// To [`Request::Poll`].
    Polled(Polled),
    /// To [`Request::Finish`].
    Finished,
    /// To [`Request::Link`].
    Link {
        /// Whose link it is.
        role: Role,
        /// The link.
        link: LinkId,
    },
    /// To [`Request::Delete`] and [`Request::Remove`].
    Deleted,
    /// To [`Request::Export`].
    Content(Box<Content>),
    /// To any of them.
    Failed(ServiceError),
}

/// Why a request was not served. The gateway renders these.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ServiceError {
    /// 401
    #[error("the session key is unknown here: join the desk again with POST /api/desk/init")]
    KeyVoid,
    /// 401
    #[error(
        "the owner has finished this session: the desk is still there, join it again by the \
         same link"
    )]
    Finished,
    /// 401
    #[error("the owner has replaced the link that this session came by: ask for the new one")]
    KeyOfReplacedLink,
    /// 404
    #[error("the owner has replaced this link: ask for the new one")]
    LinkReplaced,
    /// 403
    #[error("a {role} may not {action}: {needed}")]
    NotAllowed {
        /// What the key grants.
        role: Role,
        /// What was asked.
        action: &'static str,
        /// What would do.
        needed: &'static str,
    },
    /// 404
    #[error(
        "the session key is of another desk than the path names, or the owner has replaced that \
         link: use the link by which the key was given"
    )]
    OtherDesk,
    /// 404
    #[error("there is no such desk: check the link, or ask for a new one")]
    NoDesk,
    /// 410
    #[error("the desk has expired: a desk lives for a limited time after its creation")]
    Expired,
    /// 409
    #[error(
        "the client_seq {found} is older than the newest, {newest}; its answer is no longer kept"
    )]
    OldSequence {
        /// What was sent.
        found: ClientSeq,
        /// The newest number of this client.
        newest: ClientSeq,
    },
    /// 422
    #[error("the client_seq is {found}, expected {expected}: numbers start at 1 and leave no gap")]
    SequenceGap {
        /// What was sent.
        found: ClientSeq,
        /// What comes next.
        expected: ClientSeq,
    },
    /// 422
    #[error("base revision {found} is above the desk's revision {head}")]
    BaseAhead {
        /// What was sent.
        found: Revision,
        /// The desk's.
        head: Revision,
    },
    /// 422, uses up no number
    #[error(
        "the text of sticker {0} has changed too much since base_revision: \
         send the text that the delta was made against as base_text"
    )]
    NeedsBaseText(StickerId),
    /// 422, uses up its number
    #[error("{detail}")]
    Rejected {
        /// The operation at fault, from 0, in the order that was sent.
        operation: u32,
        /// What was wrong.
        detail: String,
    },
    /// 422
    #[error("note {}: {detail}", .note + 1)]
    NotImported {
        /// The note at fault, from 0.
        note: u32,
        /// What was wrong.
        detail: String,
    },
    /// 307, to the machine of the cluster that has the desk
    #[error("another server of the cluster has the desk: it is asked there")]
    Moved,
    /// 429
    #[error("as many people are on this desk as it takes: come again when somebody has left")]
    DeskFull,
    /// 403: waiting does not help
    #[error(
        "this desk remembers no more clients that change it: it can still be looked at by a view \
         link, and a new desk takes changes"
    )]
    NoMoreEditors,
    /// 429
    #[error("too many {0}: wait and try again")]
    TooMany(&'static str),
    /// 429
    #[error("too many {what} from your address: try again in {} s", .wait.as_secs() + 1)]
    TooOften {
        /// Of what.
        what: &'static str,
        /// How long it takes until one more is let in.
        wait: Duration,
    },
    /// 503
    #[error("the desk cannot be served now: {0}")]
    Unavailable(&'static str),
}

impl ServiceError {
    /// The reason for which a connection ends that needs what was not served.
    pub const fn close_code(&self) -> CloseCode {
        match self {
            Self::KeyVoid => CloseCode::KeyVoid,
            Self::Finished => CloseCode::Finished,
            Self::KeyOfReplacedLink | Self::LinkReplaced => CloseCode::LinkReplaced,
            Self::NotAllowed { .. } | Self::OtherDesk | Self::NoMoreEditors => {
                CloseCode::NotAllowed
            }
            Self::NoDesk => CloseCode::Deleted,
            Self::Expired => CloseCode::Expired,
            Self::DeskFull => CloseCode::DeskFull,
            Self::Moved => CloseCode::Moved,
            Self::OldSequence { .. }
            | Self::SequenceGap { .. }
            | Self::BaseAhead { .. }
            | Self::NeedsBaseText(_)
            | Self::Rejected { .. }
            | Self::NotImported { .. } => CloseCode::Malformed,
            Self::TooMany(_) | Self::TooOften { .. } | Self::Unavailable(_) => {
                CloseCode::Overloaded
            }
        }
    }
}
