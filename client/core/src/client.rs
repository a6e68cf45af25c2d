//! The client: its parts, its construction, and what it answers.

use std::collections::{BTreeSet, VecDeque};

use desk_protocol::codec::{Decoded, decode_server};
use desk_protocol::frame::{ClientFrame, Presence, Role, ServerFrame};
use desk_protocol::limits::{DeskLimits, SNAPSHOT_BYTES_MAX};
use desk_protocol::{Author, ClientSeq, Desk, Operation, Revision, StickerId, Time};

use crate::batch::Scope;
use crate::drag::Dragging;
use crate::event::{Action, Event, Line, Status, Unsaved, UnsavedReason};
use crate::history::{Arriving, History};
use crate::inbox::{Assembly, Inbox, SnapshotError};
use crate::limits::{UNDO_STEPS_MAX, UNSAVED_MAX};
use crate::line::Connection;
use crate::pending::Pending;
use crate::people::{Own, People};
use crate::random::Random;
use crate::record::Store;
use crate::repeat::Repeat;
use crate::writing::Writing;

/// What a client is started with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// Fresh for every start: ids and jitter come from it.
    pub seed: u64,
    /// As `init` gave it.
    pub session_key: String,
    /// The label shown with commits; may be empty.
    pub user: String,
    /// Whether greetings and batches wait until the state is persisted
    /// (FLIGHT-17). Without it a restart loses what was not acknowledged.
    pub durable: bool,
    /// Steps that can be undone; 0 turns undo off.
    pub undo_steps: usize,
}

impl Config {
    /// Not durable, with undo, without a label.
    pub fn new(seed: u64, session_key: impl Into<String>) -> Self {
        Self {
            seed,
            session_key: session_key.into(),
            user: String::new(),
            durable: false,
            undo_steps: UNDO_STEPS_MAX,
        }
    }
}

/// Why the desk that `init` gave cannot be used. The client is unchanged.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LoadError {
    /// A frame cannot be read.
    #[error(transparent)]
    Frame(#[from] desk_protocol::codec::DecodeError),
    /// The parts do not make a snapshot.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The bytes end before the snapshot does.
    #[error("the snapshot is not whole")]
    Incomplete,
}

/// One client of one desk. See the crate's documentation for how to drive it.
#[derive(Clone, Debug)]
pub struct Client {
    pub(crate) config: Config,
    pub(crate) random: Random,
    /// The newest time told; deadlines start from it.
    pub(crate) now: Time,

    pub(crate) line: Connection,
    /// The number of the current or last connection (FLIGHT-9).
    pub(crate) connection: u64,
    /// The change of the stored state that holds this connection's number,
    /// until the greeting is sent.
    pub(crate) greeting: Option<u64>,
    pub(crate) welcomed: bool,
    /// The revision at which catching up is over.
    pub(crate) target: Revision,
    pub(crate) awaiting_snapshot: bool,
    /// The desk has forgotten this client's former identity. Whether the batch sent
    /// under that identity was applied is still open.
    pub(crate) identity_lost: bool,
    /// A snapshot replaced the commits that would have shown the batch's fate.
    pub(crate) snapshot_seen: bool,
    /// Commits did not fit, or an earlier version kept the desk: ask for a snapshot next
    /// time.
    pub(crate) distrust: bool,
    pub(crate) inbox: Inbox,
    pub(crate) assembly: Assembly,
    pub(crate) outbox: VecDeque<ClientFrame>,
    /// The line that is open has datagrams.
    pub(crate) datagrams: bool,
    pub(crate) repeat: Repeat,

    pub(crate) author: Option<Author>,
    pub(crate) role: Option<Role>,
    pub(crate) lifetime: Option<(u64, u64)>,
    /// What the server's clock showed, and when that was by this client's time.
    pub(crate) server_clock: Option<(Time, Time)>,
    /// What the server takes, as far as it is known.
    pub(crate) limits: DeskLimits,

    pub(crate) ready: bool,
    pub(crate) confirmed: Desk,
    pub(crate) view: Desk,
    pub(crate) pending: Pending,
    pub(crate) next_seq: ClientSeq,
    pub(crate) levels: u64,
    pub(crate) actions: Action,
    pub(crate) history: History,
    pub(crate) arriving: Vec<Arriving>,
    pub(crate) unsaved: Vec<Unsaved>,
    pub(crate) next_unsaved: u64,

    /// Stickers of the view that must be shown anew.
    pub(crate) stale: Scope,
    pub(crate) stale_whole: bool,
    pub(crate) writing: Writing,

    pub(crate) people: People,
    pub(crate) own: Own,
    pub(crate) drag: Option<Dragging>,

    pub(crate) events: VecDeque<Event>,
    pub(crate) changed: BTreeSet<StickerId>,
    pub(crate) changed_title: bool,
    pub(crate) changed_registers: bool,
    pub(crate) changed_whole: bool,
    pub(crate) changed_people: bool,
    pub(crate) reported: Option<Status>,

    pub(crate) store: Store,
}

impl Client {
    /// A client without state. It asks for a connection at once.
    pub fn new(config: Config) -> Self {
        let mut random = Random::new(config.seed);
        let store = Store::new(config.durable, random.next());
        Self {
            config,
            random,
            now: Time(0),
            line: Connection::new(),
            connection: 0,
            greeting: None,
            welcomed: false,
            target: Revision(0),
            awaiting_snapshot: false,
            identity_lost: false,
            snapshot_seen: false,
            distrust: false,
            inbox: Inbox::default(),
            assembly: Assembly::default(),
            outbox: VecDeque::new(),
            datagrams: false,
            repeat: Repeat::default(),
            author: None,
            role: None,
            lifetime: None,
            server_clock: None,
            limits: DeskLimits::default(),
            ready: false,
            confirmed: Desk::default(),
            view: Desk::default(),
            pending: Pending::default(),
            next_seq: ClientSeq(1),
            levels: 0,
            actions: Action(0),
            history: History::default(),
            arriving: Vec::new(),
            unsaved: Vec::new(),
            next_unsaved: 1,
            stale: Scope::default(),
            stale_whole: false,
            writing: Writing::default(),
            people: People::default(),
            own: Own::default(),
            drag: None,
            events: VecDeque::from([Event::Connect { attempt: 0 }]),
            changed: BTreeSet::new(),
            changed_title: false,
            changed_registers: false,
            changed_whole: false,
            changed_people: false,
            reported: None,
            store,
        }
    }

    /// Takes the desk that `init` gave, as frames, so that there is something
    /// to show before the connection is made. A client that has state keeps it.
    ///
    /// # Errors
    /// [`LoadError`]; the client is unchanged. The server sends the desk again
    /// when the client connects.
    pub fn load(&mut self, frames: &[u8]) -> Result<(), LoadError> {
        let mut rest = frames;
        let mut assembly = Assembly::default();
        // Without this bound a mistaken caller could make it loop over gigabytes.
        let limit = 2 * SNAPSHOT_BYTES_MAX;
        while !rest.is_empty() && frames.len() <= limit {
            let Decoded::Frame(length, frame) = decode_server(rest)? else { break };
            rest = &rest[length..];
            let Some(ServerFrame::SnapshotChunk(chunk)) = frame else { continue };
            if let Some(desk) = assembly.add(&chunk)? {
                if !self.ready {
                    self.replace_confirmed(desk);
                    self.refresh();
                }
                return Ok(());
            }
        }
        Err(LoadError::Incomplete)
    }

    /// The view: the confirmed desk with all pending work of this client on top.
    /// It includes deleted stickers.
    pub const fn desk(&self) -> &Desk {
        &self.view
    }

    /// What the server has said.
    pub const fn confirmed(&self) -> &Desk {
        &self.confirmed
    }

    /// Whether there is a desk to show.
    pub const fn ready(&self) -> bool {
        self.ready
    }

    /// Where the connection stands.
    pub const fn line(&self) -> Line {
        self.line.state()
    }

    /// Operations that are not acknowledged yet.
    pub fn pending(&self) -> usize {
        self.pending.operations().count()
    }

    /// Whether the person's work is safe.
    pub fn status(&self) -> Status {
        let pending = self.pending();
        match (self.line.state(), self.line.trouble()) {
            (Line::Ended(code), _) => Status::Ended { code, pending },
            (Line::Live, _) if !self.unsaved.is_empty() => {
                Status::Rejected { unsaved: self.unsaved.len(), pending }
            }
            (Line::Live, _) if pending > 0 => Status::Saving { pending },
            (Line::Live, _) => Status::Saved,
            (_, None) => Status::Connecting { pending },
            (_, Some(trouble)) => Status::Offline { pending, trouble },
        }
    }

    /// Whether a sticker has changes of one's own that are pending or refused.
    pub fn is_unsaved(&self, id: StickerId) -> bool {
        let refused = |one: &Unsaved| {
            let named = one.stickers.iter().any(|sticker| sticker.id == id);
            named || one.operations.iter().any(|operation| operation.sticker() == Some(id))
        };
        self.pending.touches(id) || self.unsaved.iter().any(refused)
    }

    /// Work that could not be saved, oldest first.
    pub fn unsaved(&self) -> &[Unsaved] {
        &self.unsaved
    }

    /// Forgets an entry of [`Client::unsaved`].
    pub fn dismiss_unsaved(&mut self, number: u64) {
        self.unsaved.retain(|one| one.number != number);
        self.store.touch();
    }

    /// The others on this desk who show themselves.
    pub fn people(&self) -> impl Iterator<Item = (Author, &Presence)> {
        self.people.iter()
    }

    /// This client's own number on the desk, once it is known.
    pub const fn author(&self) -> Option<Author> {
        self.author
    }

    /// The role that its key grants, once it is known.
    pub const fn role(&self) -> Option<Role> {
        self.role
    }

    /// When the desk was created, in seconds since the Unix epoch.
    pub fn created_at(&self) -> Option<u64> {
        self.lifetime.map(|(created, _)| created)
    }

    /// When the desk is gone, in seconds since the Unix epoch.
    pub fn expires_at(&self) -> Option<u64> {
        self.lifetime.map(|(_, expires)| expires)
    }

    /// The server's time, as far as it has told it: what expires is judged by it, since
    /// this device's clock may be wrong by days.
    pub fn server_time(&self, now: Time) -> Option<Time> {
        let (said, at) = self.server_clock?;
        Some(said + now.since(at))
    }

    /// What the server takes: as it said on joining, before that the defaults.
    pub const fn limits(&self) -> &DeskLimits {
        &self.limits
    }

    /// The key in use.
    pub fn session_key(&self) -> &str {
        &self.config.session_key
    }

    /// What happened, oldest first.
    pub fn poll_event(&mut self) -> Option<Event> {
        if let Some(event) = self.events.pop_front() {
            return Some(event);
        }
        if std::mem::take(&mut self.changed_whole) {
            self.changed.clear();
            self.changed_title = false;
            self.changed_registers = false;
            return Some(Event::Reset);
        }
        let title = std::mem::take(&mut self.changed_title);
        let registers = std::mem::take(&mut self.changed_registers);
        if title || registers || !self.changed.is_empty() {
            let ids = std::mem::take(&mut self.changed).into_iter().collect();
            return Some(Event::Changed { ids, title, registers });
        }
        if std::mem::take(&mut self.changed_people) {
            return Some(Event::People);
        }
        let status = self.status();
        if self.reported != Some(status) {
            self.reported = Some(status);
            return Some(Event::Status(status));
        }
        None
    }

    pub(crate) fn me(&self) -> Author {
        self.author.unwrap_or_default()
    }

    pub(crate) fn tell_time(&mut self, now: Time) {
        self.now = self.now.max(now);
        self.line.tell_time(self.now);
    }

    /// Keeps work that cannot be saved.
    pub(crate) fn keep_unsaved(
        &mut self,
        reason: UnsavedReason,
        operations: Vec<Operation>,
        ids: impl IntoIterator<Item = StickerId>,
    ) {
        let number = self.next_unsaved;
        self.next_unsaved += 1;
        let stickers = ids.into_iter().filter_map(|id| self.view.sticker(id).cloned()).collect();
        self.unsaved.push(Unsaved { number, reason, operations, stickers });
        if self.unsaved.len() > UNSAVED_MAX {
            self.unsaved.remove(0);
        }
        self.events.push_back(Event::Unsaved { number });
        self.store.touch();
    }

    /// Marks the stickers of a scope as stale in the view.
    pub(crate) fn mark(&mut self, scope: &Scope) {
        self.stale.stickers.extend(&scope.stickers);
        self.stale.title |= scope.title;
        self.stale.registers |= scope.registers;
    }

    /// Brings the view up to date: stale stickers are reset to their confirmed
    /// state, then all pending batches are applied to them.
    pub(crate) fn refresh(&mut self) {
        let stale = std::mem::take(&mut self.stale);
        let whole = std::mem::take(&mut self.stale_whole);
        if !whole && stale.is_empty() {
            return;
        }
        let before = self.field_before(|id| whole || stale.stickers.contains(&id));
        let (author, now) = (self.me(), self.now);
        if whole {
            self.view.clone_from(&self.confirmed);
            self.pending.overlay(&mut self.view, author, now);
            self.changed_whole = true;
        } else {
            let mut scope = stale;
            let covered = self.pending.batches().any(|batch| scope.meets(batch));
            if covered {
                let pending = self.pending.scope();
                scope.stickers.extend(pending.stickers);
                scope.title |= pending.title;
                scope.registers |= pending.registers;
            }
            self.view.mirror(&self.confirmed, scope.stickers.iter().copied());
            if scope.title {
                self.view.mirror_title(&self.confirmed);
            }
            if scope.registers {
                self.view.mirror_registers(&self.confirmed);
            }
            if covered {
                self.pending.overlay(&mut self.view, author, now);
            }
            self.changed.extend(&scope.stickers);
            self.changed_title |= scope.title;
            self.changed_registers |= scope.registers;
        }
        self.pass_to_field(before);
    }

    pub(crate) fn text_shown(&self, id: StickerId) -> Option<&str> {
        self.view.sticker(id).map(|sticker| sticker.text.value.as_str())
    }
}
