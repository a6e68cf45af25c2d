//! A desk in memory.

use std::sync::Arc;

use desk_protocol::codec::{self, Encoder};
use desk_protocol::frame::{Role, ServerFrame, SnapshotChunk, Welcome};
use desk_protocol::resolver::{self, Acceptance, ViewerCommit};
use desk_protocol::{
    Author, ClientId, ClientSeq, CollisionStatus, Commit, Desk, LinkId, Operation, Revision,
    StickerId, Time,
};

use crate::collaboration::{ForViewers, News, Ring, RingCommit};
use crate::collisions::{self, Arrival, Memory, Notes, Ordered};
use crate::copies::{Accounts, Copied, OldCopies};
use crate::gate::Gate;
use crate::identity::{Keyring, SessionKey};
use crate::journal::{self, Entry};
use crate::limits::{ENDED_EPOCHS_KNOWN, ShardLimits};
use crate::members::Members;
use crate::names::LogPosition;
use crate::output::Output;
use crate::record::{DeskRecord, StoredRecord};
use crate::service::{Content, EncodedSnapshot, ServiceError, TOO_MANY_COPIES};

/// A desk's record, with its caches and its place in the log.
#[derive(Debug)]
pub(crate) struct Hot {
    pub(crate) record: DeskRecord,
    memory: Memory,
    pub(crate) ring: Ring,
    /// The log position of its newest entry.
    pub(crate) position: LogPosition,
    /// The sequence that the store has outside the log.
    pub(crate) stored: u64,
    /// The sequence that is being stored.
    pub(crate) storing: Option<u64>,
    /// Roughly the bytes of the record that is being stored.
    pub(crate) storing_bytes: usize,
    /// Until when the desk takes no changes, because no table takes its record.
    pub(crate) unstorable_until: Time,
    /// Whether the desk leaves memory once it is stored. A use of the desk resets this.
    pub(crate) leaving: bool,
    snapshots: Snapshots,
    /// Its place in the order of use.
    pub(crate) used_at: Time,
    /// The bytes that the shard's memory account has for this desk.
    pub(crate) counted_bytes: usize,
    limits: Arc<ShardLimits>,
}

impl Hot {
    /// A desk that was loaded, or just made (`stored` is 0 then).
    pub(crate) fn new(
        record: DeskRecord,
        stored: u64,
        limits: Arc<ShardLimits>,
        old_copies: &OldCopies,
        now: Time,
    ) -> Self {
        Self {
            memory: Memory::new(&limits.order),
            ring: Ring::new(record.desk.revision(), limits.ring_commits, limits.ring_bytes),
            position: LogPosition(0),
            stored,
            storing: None,
            storing_bytes: 0,
            unstorable_until: Time(0),
            leaving: false,
            snapshots: Snapshots::new(old_copies),
            used_at: now,
            counted_bytes: 0,
            limits,
            record,
        }
    }

    /// Appends one more step of the record to the log. The caller applies the step to the
    /// record.
    pub(crate) fn append(&mut self, gate: &mut Gate, entry: Vec<u8>) {
        self.record.sequence += 1;
        let DeskRecord { key, sequence, .. } = self.record;
        self.position = gate.append(key, sequence, self.expires_at(), entry);
        self.leaving = false;
    }

    /// From when on the desk is gone.
    pub(crate) const fn expires_at(&self) -> Time {
        Time::from_unix_seconds(self.record.expires_at)
    }

    /// The role that a session key grants. The client of the key need not be known.
    ///
    /// # Errors
    /// [`ServiceError::KeyOfReplacedLink`], [`ServiceError::Finished`],
    /// [`ServiceError::KeyVoid`].
    pub(crate) fn authorize(
        &self,
        keyring: &Keyring,
        key: &SessionKey,
    ) -> Result<Role, ServiceError> {
        let role = self.record.links.role(key.link).ok_or(ServiceError::KeyOfReplacedLink)?;
        let epoch = self.record.key_epoch;
        if !keyring.verify(key, role, epoch) {
            let mut ended = (epoch.saturating_sub(ENDED_EPOCHS_KNOWN)..epoch).rev();
            return Err(match ended.any(|ended| keyring.verify(key, role, ended)) {
                true => ServiceError::Finished,
                false => ServiceError::KeyVoid,
            });
        }
        Ok(role)
    }

    /// As [`Hot::authorize`], for something that needs a role.
    ///
    /// # Errors
    /// As [`Hot::authorize`], and [`ServiceError::NotAllowed`].
    pub(crate) fn authorize_as(
        &self,
        keyring: &Keyring,
        key: &SessionKey,
        least: Role,
        action: &'static str,
    ) -> Result<(), ServiceError> {
        let role = self.authorize(keyring, key)?;
        if role >= least {
            return Ok(());
        }
        let needed = match least {
            Role::Owner => "join by the owner link",
            Role::Editor | Role::Viewer => "join by the edit link",
        };
        Err(ServiceError::NotAllowed { role, action, needed })
    }

    /// The author number of a client. A client that is not known joins by this.
    ///
    /// # Errors
    /// [`ServiceError::NoMoreEditors`].
    pub(crate) fn join(
        &mut self,
        gate: &mut Gate,
        client: ClientId,
    ) -> Result<Author, ServiceError> {
        if let Some(member) = self.record.members.get(client) {
            return Ok(member.author);
        }
        let next = self.record.members.next_author();
        let author = next.ok_or(ServiceError::NoMoreEditors)?;
        self.join_as(gate, client, author);
        Ok(author)
    }

    fn join_as(&mut self, gate: &mut Gate, client: ClientId, author: Author) {
        self.record.members.join(client, author);
        self.append(gate, Entry::Joined { client, author }.encode());
    }

    /// Whether one more client may change the desk.
    ///
    /// # Errors
    /// [`ServiceError::NoMoreEditors`].
    pub(crate) fn has_place(&self) -> Result<(), ServiceError> {
        if self.record.members.changers() < self.limits.clients_per_desk {
            return Ok(());
        }
        Err(ServiceError::NoMoreEditors)
    }

    /// Lets a client change the desk. A connection keeps its client's number, also of
    /// a reader that was forgotten meanwhile.
    ///
    /// # Errors
    /// [`ServiceError::NoMoreEditors`].
    pub(crate) fn let_change(
        &mut self,
        gate: &mut Gate,
        client: ClientId,
        author: Option<Author>,
    ) -> Result<(), ServiceError> {
        let known = self.record.members.get(client);
        if known.is_some_and(|member| member.newest > ClientSeq(0)) {
            return Ok(());
        }
        self.has_place()?;
        match (known, author) {
            (Some(_), _) => {}
            (None, Some(author)) => self.join_as(gate, client, author),
            (None, None) => _ = self.join(gate, client)?,
        }
        Ok(())
    }

    /// Orders a batch, appends the result to the log, and encodes the commit once for all
    /// recipients.
    pub(crate) fn submit(
        &mut self,
        gate: &mut Gate,
        encoder: &mut Encoder,
        now: Time,
        arrival: Arrival<'_>,
    ) -> Submitted {
        let client = arrival.client;
        let deleted = deleted_of(&self.record.desk, &arrival.submit.operations);
        match collisions::order(&mut self.record, &mut self.memory, &self.limits, now, arrival) {
            Ordered::Accepted { commit, created } => {
                let commit = Arc::new(commit);
                let (entry, start) =
                    journal::encode_commit(client, |out| encoder.commit(&commit, out));
                let viewers = for_viewers(&commit, &deleted, encoder);
                let editors = RingCommit { commit, frame: entry[start..].into() };
                self.append(gate, entry);
                let news = News { editors, viewers };
                self.ring.push(news.clone());
                self.snapshots.outdate();
                Submitted::Accepted(news, created)
            }
            Ordered::Rejected { client_seq, operation, detail } => {
                let entry =
                    Entry::Refused { client, client_seq, operation, detail: detail.clone() };
                self.append(gate, entry.encode());
                Submitted::Not(Ordered::Rejected { client_seq, operation, detail })
            }
            other => Submitted::Not(other),
        }
    }

    /// Adds the notes of a file as one commit and logs it: in parts, if it is longer than
    /// an entry may be. Everyone then gets the desk anew, since a frame with all of it
    /// would hold up whatever else goes to a connection.
    ///
    /// # Errors
    /// [`ServiceError::NotImported`]; nothing changed.
    pub(crate) fn import(
        &mut self,
        gate: &mut Gate,
        encoder: &mut Encoder,
        now: Time,
        notes: Notes<'_>,
    ) -> Result<Imported, ServiceError> {
        let limits = Arc::clone(&self.limits);
        let accepted = collisions::import(&mut self.record, &mut self.memory, &limits, now, notes);
        let Acceptance { commit, created } =
            accepted.map_err(|(note, detail)| ServiceError::NotImported { note, detail })?;
        self.snapshots.outdate();
        let parts = resolver::parts(&commit, &limits.order.desk);
        let count = parts.len() as u32;
        let mut only = None;
        for (number, part) in (0..).zip(&parts) {
            let (entry, start) =
                journal::encode_import(number, count, |out| encoder.commit(part, out));
            if count == 1 {
                only = Some(entry[start..].into());
            }
            self.append(gate, entry);
        }
        let (revision, status) = (commit.revision, commit.status);
        let news = only.map(|frame| News {
            viewers: for_viewers(&commit, &[], encoder),
            editors: RingCommit { commit: Arc::new(commit), frame },
        });
        match &news {
            Some(news) => self.ring.push(news.clone()),
            None => self.ring.skip_to(revision),
        }
        Ok(Imported { revision, status, created, news })
    }

    /// The `Welcome` for a client. `snapshot` says whether a snapshot follows it.
    pub(crate) fn welcome(
        &self,
        now: Time,
        client: ClientId,
        role: Role,
        snapshot: bool,
    ) -> Welcome {
        let member = self.record.members.get(client);
        Welcome {
            author: member.map_or(Author(0), |member| member.author),
            role,
            revision: self.record.desk.revision(),
            snapshot,
            last: self.record.members.last(client),
            created_at: u64::from(self.record.key.created_second()),
            expires_at: self.record.expires_at,
            limits: self.limits.order.desk,
            now_ms: now.unix_millis(),
        }
    }

    /// The content as a role gets it, encoded once a revision.
    ///
    /// # Errors
    /// [`ServiceError::Unavailable`]: too many old copies are still read.
    pub(crate) fn snapshot(
        &mut self,
        role: Role,
    ) -> Result<Arc<Copied<EncodedSnapshot>>, ServiceError> {
        let desk = &self.record.desk;
        let viewers = role == Role::Viewer && desk.deleted_stickers() > 0;
        let has_room = self.snapshots.has_room();
        let known = match viewers {
            true => &mut self.snapshots.viewers,
            false => &mut self.snapshots.editors,
        };
        let chunk_bytes = self.limits.snapshot_chunk_bytes;
        if known.is_none() {
            has_room?;
        }
        let snapshot = known.get_or_insert_with(|| {
            let bytes = match viewers {
                true => codec::encode_snapshot(&desk.for_viewers()),
                false => codec::encode_snapshot(desk),
            };
            let revision = desk.revision();
            let frames = chunks(revision, &bytes, chunk_bytes);
            Copied::new(EncodedSnapshot { revision, frames }, bytes.len())
        });
        Ok(Arc::clone(snapshot))
    }

    /// The content as a role gets it, for exports: copied once a revision.
    ///
    /// # Errors
    /// [`ServiceError::Unavailable`]: too many old copies are still read.
    pub(crate) fn content(&mut self, role: Role) -> Result<Content, ServiceError> {
        let desk = &self.record.desk;
        let viewers = role == Role::Viewer && desk.deleted_stickers() > 0;
        let has_room = self.snapshots.has_room();
        let copy = match viewers {
            true => &mut self.snapshots.viewers_copy,
            false => &mut self.snapshots.editors_copy,
        };
        if copy.is_none() {
            has_room?;
        }
        let copied = copy.get_or_insert_with(|| {
            let copied = if viewers { desk.for_viewers() } else { desk.clone() };
            let bytes = COPY_FACTOR * (copied.live_bytes() + copied.deleted_bytes());
            Copied::new(copied, bytes)
        });
        Ok(Content {
            desk: Arc::clone(copied),
            created_at: u64::from(self.record.key.created_second()),
            expires_at: self.record.expires_at,
        })
    }

    /// Whether a table has refused the record a short time ago.
    pub(crate) fn is_unstorable(&self, now: Time) -> bool {
        now < self.unstorable_until
    }

    /// Whether the log holds steps that no stored record has.
    pub(crate) const fn is_dirty(&self) -> bool {
        self.record.sequence > self.stored
    }

    /// Asks for the record to be stored, unless that is under way or the store has it.
    /// Returns whether it asked.
    pub(crate) fn store(&mut self, gate: &mut Gate) -> bool {
        if self.storing.is_some() || !self.is_dirty() {
            return false;
        }
        self.storing = Some(self.record.sequence);
        let content = self.record.desk.live_bytes() + self.record.desk.deleted_bytes();
        self.storing_bytes = RECORD_BYTES + content + self.record.members.bytes();
        let store = Output::Store {
            key: self.record.key,
            sequence: self.record.sequence,
            record: Box::new(StoredRecord::Desk(self.record.clone())),
        };
        gate.after(self.position, store);
        true
    }

    /// Roughly what the desk takes in memory.
    pub(crate) fn memory_bytes(&self) -> usize {
        let content = self.record.desk.live_bytes() + self.record.desk.deleted_bytes();
        let copies = [&self.snapshots.editors_copy, &self.snapshots.viewers_copy];
        let copied = COPY_FACTOR * content * copies.iter().filter(|copy| copy.is_some()).count();
        HOT_BYTES
            + 4 * content
            + copied
            + 2 * self.ring.bytes()
            + self.memory.bytes()
            + self.record.members.bytes()
    }

    /// The links that lead here besides the key.
    pub(crate) fn aliases(&self) -> impl Iterator<Item = LinkId> {
        let links = self.record.links;
        let key = self.record.key;
        [Some(links.edit), Some(links.owner), links.view]
            .into_iter()
            .flatten()
            .filter(move |link| *link != key)
    }
}

/// What an empty record takes.
const RECORD_BYTES: usize = 512;

/// What an empty desk takes in memory.
const HOT_BYTES: usize = 4 << 10;

/// What a sticker takes in memory, in parts of what it counts in the limits of a desk.
const COPY_FACTOR: usize = 2;

/// The most that one desk takes in memory within these limits.
pub const fn desk_memory_bytes_max(limits: &ShardLimits) -> usize {
    let order = &limits.order;
    let content = order.desk.desk_bytes + order.bin.bytes;
    let histories = order.history.bytes + order.held.bytes;
    let members = Members::bytes_max(limits.clients_per_desk);
    // Itself and its encoded snapshots, then two copies for exports.
    HOT_BYTES + (4 + 2 * COPY_FACTOR) * content + 2 * limits.ring_bytes + histories + members
}

/// What came of a batch.
pub(crate) enum Submitted {
    Accepted(News, Vec<StickerId>),
    /// Any other outcome; never [`Ordered::Accepted`].
    Not(Ordered),
}

/// What came of an import.
pub(crate) struct Imported {
    pub(crate) revision: Revision,
    pub(crate) status: CollisionStatus,
    pub(crate) created: Vec<StickerId>,
    /// None if everyone gets the desk anew.
    pub(crate) news: Option<News>,
}

/// Copies of the content at the desk's revision, each made when somebody first asks.
#[derive(Debug)]
struct Snapshots {
    editors: Option<Arc<Copied<EncodedSnapshot>>>,
    /// None where the two are the same, because nothing is deleted.
    viewers: Option<Arc<Copied<EncodedSnapshot>>>,
    /// The same as desks, for JSON and exports.
    editors_copy: Option<Arc<Copied<Desk>>>,
    viewers_copy: Option<Arc<Copied<Desk>>>,
    accounts: Accounts,
}

impl Snapshots {
    fn new(old_copies: &OldCopies) -> Self {
        let accounts = Accounts::new(old_copies);
        Self { editors: None, viewers: None, editors_copy: None, viewers_copy: None, accounts }
    }

    fn has_room(&self) -> Result<(), ServiceError> {
        self.accounts.has_room().then_some(()).ok_or(TOO_MANY_COPIES)
    }

    /// The desk has changed, or leaves memory.
    fn outdate(&mut self) {
        for snapshot in [self.editors.take(), self.viewers.take()].into_iter().flatten() {
            snapshot.outdate(&self.accounts);
        }
        for copy in [self.editors_copy.take(), self.viewers_copy.take()].into_iter().flatten() {
            copy.outdate(&self.accounts);
        }
    }
}

impl Drop for Snapshots {
    fn drop(&mut self) {
        self.outdate();
    }
}

/// Which of the stickers that a batch names are deleted.
fn deleted_of(desk: &Desk, operations: &[Operation]) -> Vec<StickerId> {
    if desk.deleted_stickers() == 0 {
        return Vec::new();
    }
    let deleted = |id: &StickerId| desk.sticker(*id).is_some_and(|sticker| sticker.deleted.value);
    operations.iter().filter_map(Operation::sticker).filter(deleted).collect()
}

/// A commit as viewers get it.
fn for_viewers(commit: &Commit, deleted: &[StickerId], encoder: &mut Encoder) -> ForViewers {
    match ViewerCommit::of(commit, |id| deleted.contains(&id)) {
        ViewerCommit::Same => ForViewers::Same,
        ViewerCommit::Snapshot => ForViewers::Snapshot,
        ViewerCommit::Other(commit) => {
            let mut frame = Vec::new();
            encoder.commit(&commit, &mut frame);
            ForViewers::Other(RingCommit { commit: Arc::new(commit), frame: frame.into() })
        }
    }
}

fn chunks(revision: Revision, bytes: &[u8], chunk_bytes: usize) -> Vec<Arc<[u8]>> {
    let total = u32::try_from(bytes.len()).expect("a snapshot is far below 4 GiB");
    let mut offset = 0;
    let mut frames = Vec::new();
    for part in bytes.chunks(chunk_bytes) {
        let chunk = SnapshotChunk { revision, offset, total, bytes: part.to_vec() };
        let mut frame = Vec::with_capacity(part.len() + 64);
        codec::encode_server(&ServerFrame::SnapshotChunk(chunk), &mut frame);
        frames.push(frame.into());
        offset += part.len() as u32;
    }
    frames
}
