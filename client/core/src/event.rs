//! What the client tells whoever drives it.

use desk_protocol::frame::{CloseCode, Role};
use desk_protocol::{Author, ClientSeq, CollisionStatus, Operation, Revision, Sticker, StickerId};

use crate::trouble::Trouble;

/// Counts the user actions of one run, from 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Action(pub u64);

/// Something that whoever drives the client should know or do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// Open a line now, then call `connected` or `disconnected`.
    Connect {
        /// Failed attempts before this one.
        attempt: u32,
    },
    /// Close the line. The client already behaves as disconnected.
    LineDead {
        /// What was wrong with it.
        trouble: Trouble,
    },
    /// The server greeted this connection.
    Joined {
        /// The client's own number on the desk.
        author: Author,
        /// What its key lets it do.
        role: Role,
    },
    /// These stickers of the view may have changed, or gone.
    Changed {
        /// Which ones, by id.
        ids: Vec<StickerId>,
        /// Whether the title did.
        title: bool,
        /// Whether the registers of the desk did.
        registers: bool,
    },
    /// Anything of the view may have changed.
    Reset,
    /// The text under the open field was changed by something else: see
    /// [`crate::Client::field_catch_up`]. Comes before its `Changed`.
    FieldBehind,
    /// A batch of this client is durable.
    Acknowledged {
        /// Its number.
        seq: ClientSeq,
        /// The revision it became.
        revision: Revision,
        /// How it met the changes of others.
        status: CollisionStatus,
        /// The newest action in it: this one and all before it are settled.
        through: Action,
    },
    /// A commit was applied, one's own too.
    Committed {
        /// The desk's revision after it.
        revision: Revision,
        /// Who made it.
        author: Author,
        /// The author's label.
        user: String,
        /// How it met the changes of others.
        status: CollisionStatus,
        /// When the server accepted it, in milliseconds since the Unix epoch.
        accepted_at_ms: u64,
        /// How many operations it has.
        operations: usize,
        /// Whether it is this client's.
        mine: bool,
    },
    /// Work of this client cannot be saved; it is kept for copying.
    Unsaved {
        /// Which one of [`crate::Client::unsaved`].
        number: u64,
    },
    /// Others came, moved or left.
    People,
    /// The status changed.
    Status(Status),
    /// The connection ended for good, or until [`crate::Client::rejoin`]. Close
    /// the line.
    Closed {
        /// Why; [`Trouble::words`] has what a person reads.
        code: CloseCode,
        /// The server's own text, for logs.
        detail: String,
    },
}

/// Whether the person's work is safe, in one word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// The line is there and everything is durable.
    Saved,
    /// The line is there, operations are on their way.
    Saving {
        /// How many.
        pending: usize,
    },
    /// An attempt is under way, and none has failed since the client began, was live,
    /// or was asked to try.
    Connecting {
        /// Operations that wait for the line.
        pending: usize,
    },
    /// The line is not there.
    Offline {
        /// Operations that wait for it.
        pending: usize,
        /// What went wrong.
        trouble: Trouble,
    },
    /// The line is there; some work was refused and waits to be copied or dismissed.
    Rejected {
        /// How many entries of [`crate::Client::unsaved`].
        unsaved: usize,
        /// Operations on their way besides.
        pending: usize,
    },
    /// The connection ended; see [`Event::Closed`].
    Ended {
        /// Why.
        code: CloseCode,
        /// Operations that were not saved.
        pending: usize,
    },
}

/// Where the connection stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Line {
    /// Until the next attempt.
    Waiting,
    /// An attempt is under way.
    Connecting,
    /// Greeting and catching up.
    Joining,
    /// Up to date; batches go out.
    Live,
    /// Ended by the server for good, or until a rejoin.
    Ended(CloseCode),
}

/// Work that could not be saved, kept until it is dismissed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unsaved {
    /// Names it for [`crate::Client::dismiss_unsaved`].
    pub number: u64,
    /// Why.
    pub reason: UnsavedReason,
    /// What was asked for; empty for a purged sticker.
    pub operations: Vec<Operation>,
    /// The stickers concerned as the person last saw them.
    pub stickers: Vec<Sticker>,
}

/// Why work could not be saved.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum UnsavedReason {
    /// The server refused the batch.
    Rejected {
        /// The operation at fault, from 0.
        operation: u32,
        /// What was wrong with it.
        detail: String,
    },
    /// The sticker was dropped for good, under pending changes.
    Purged,
    /// Nobody can tell any more whether the batch was applied.
    Unknown,
}
