//! The clients of a desk: which number each has, and what its newest batch got.
//!
//! A client is *recent* when it is among the last that joined or changed
//! something: its newest result is kept whole. All others are *quiet*: 40 bytes
//! each, sorted, in memory as in the stored record. A client that never changed
//! anything is a *reader*: the oldest readers are forgotten first, and take no
//! place of those who change the desk, who are never forgotten.

use std::collections::BTreeMap;

use desk_protocol::frame::{BatchResult, Outcome};
use desk_protocol::limits::BATCH_OPERATIONS_CEILING;
use desk_protocol::{Author, ClientId, ClientSeq, CollisionStatus, Operation, Revision, StickerId};

use crate::limits::{READERS_PER_DESK_MAX, RECENT_ANSWER_BYTES_MAX, RECENT_CLIENTS_MAX};

/// The clients of a desk.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Members {
    /// By client, each once. One that is recent too is outdated here.
    quiet: Vec<QuietClient>,
    recent: BTreeMap<ClientId, RecentClient>,
    /// Bytes of the results in `recent`, besides what each client takes.
    answer_bytes: usize,
    /// Numbers given out so far; none is given twice.
    authors: u32,
    /// Clients that ever changed something.
    changers: usize,
}

/// A client as it is kept for the life of its desk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct QuietClient {
    client: [u64; 2],
    seq: u64,
    /// The revision of an applied batch, or the operation of a refused one.
    at: u64,
    author: u32,
    /// The kind of the outcome in the low 8 bits; of an applied batch a check of
    /// the ids that it created in the others.
    outcome: u32,
}

/// A client with its newest result.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecentClient {
    /// Its number on the desk, from 1.
    pub author: Author,
    /// The result of its newest batch; `None` for a reader.
    pub last: Option<BatchResult>,
}

/// What is known of a client whether it is recent or quiet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Member {
    /// Its number on the desk, from 1.
    pub author: Author,
    /// The number of its newest batch, 0 for a reader.
    pub newest: ClientSeq,
}

/// Why parts do not make the clients of a desk.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MembersError {
    /// Clients must be in order, each once.
    #[error("the clients of the desk are not in order")]
    Order,
    /// A number was given out that was not counted.
    #[error("a client of the desk has a number above those given out")]
    Author,
    /// An outcome that does not exist.
    #[error("a client's newest batch has an outcome that does not exist")]
    Outcome,
}

/// Kinds of outcomes: a reader, applied with one of [`STATUSES`], refused.
const READER: u32 = 0;
const APPLIED: u32 = 1;
const REFUSED: u32 = 255;
const KIND_BITS: u32 = 8;

const STATUSES: [CollisionStatus; 5] = [
    CollisionStatus::Clean,
    CollisionStatus::Merged,
    CollisionStatus::Overrode,
    CollisionStatus::Hidden,
    CollisionStatus::Purged,
];

/// What is said of a refused batch once its reason is no longer kept.
const REFUSED_BEFORE: &str = "this batch was refused before; the reason is no longer kept";

impl Members {
    /// What is known of a client.
    pub fn get(&self, client: ClientId) -> Option<Member> {
        if let Some(recent) = self.recent.get(&client) {
            let newest = recent.last.as_ref().map_or(ClientSeq(0), |last| last.client_seq);
            return Some(Member { author: recent.author, newest });
        }
        let quiet = self.find(client)?;
        Some(Member { author: Author(quiet.author), newest: ClientSeq(quiet.seq) })
    }

    /// How many clients ever changed something.
    pub const fn changers(&self) -> usize {
        self.changers
    }

    /// The number for the next client; `None` once all were given out.
    pub const fn next_author(&self) -> Option<Author> {
        match self.authors.checked_add(1) {
            Some(next) => Some(Author(next)),
            None => None,
        }
    }

    /// A client joins under a number. One that was forgotten may come back under the
    /// number that it had.
    pub fn join(&mut self, client: ClientId, author: Author) {
        self.authors = self.authors.max(author.0);
        if self.get(client).is_none() {
            self.recent.insert(client, RecentClient { author, last: None });
            self.settle_if_many();
        }
    }

    /// Notes what a client's newest batch got.
    ///
    /// # Panics
    /// If the client never joined.
    pub fn remember(&mut self, client: ClientId, result: BatchResult) {
        self.answer_bytes += answer_bytes(&result);
        if let Some(recent) = self.recent.get_mut(&client) {
            match recent.last.replace(result) {
                Some(before) => self.answer_bytes -= answer_bytes(&before),
                None => self.changers += 1,
            }
        } else {
            let quiet = self.find(client).expect("a client joins before it submits");
            let (author, is_reader) = (Author(quiet.author), quiet.is_reader());
            self.changers += usize::from(is_reader);
            self.recent.insert(client, RecentClient { author, last: Some(result) });
        }
        self.settle_if_many();
    }

    /// The result of a client's newest batch. The ids that a quiet client's batch
    /// created are gone.
    pub fn last(&self, client: ClientId) -> Option<BatchResult> {
        match self.recent.get(&client) {
            Some(recent) => recent.last.clone(),
            None => self.find(client)?.result(),
        }
    }

    /// The answer to a client's newest batch, which came again with these operations.
    /// Of a quiet client the ids that it created are taken from them, if they are
    /// those of the first time.
    pub fn answer_again(&self, client: ClientId, operations: &[Operation]) -> Option<BatchResult> {
        if self.recent.contains_key(&client) {
            return self.last(client);
        }
        let quiet = self.find(client)?;
        let mut result = quiet.result()?;
        if let Outcome::Applied { created: ids, .. } = &mut result.outcome {
            let again = created(operations);
            if check(&again) == quiet.outcome >> KIND_BITS {
                *ids = again;
            }
        }
        Some(result)
    }

    /// Bytes that all this takes in memory, at the most.
    pub fn bytes(&self) -> usize {
        size_of::<QuietClient>() * self.quiet.capacity()
            + RECENT_BYTES * self.recent.len()
            + self.answer_bytes
    }

    /// The most that [`Members::bytes`] says of a desk that so many clients may change.
    pub(crate) const fn bytes_max(changers: usize) -> usize {
        // A list doubles as it grows, and the answer that passes the bound is the last.
        let quiet = 2 * (changers + READERS_PER_DESK_MAX + RECENT_CLIENTS_MAX);
        size_of::<QuietClient>() * quiet
            + RECENT_BYTES * (RECENT_CLIENTS_MAX + 1)
            + RECENT_ANSWER_BYTES_MAX
            + 8 * BATCH_OPERATIONS_CEILING
    }

    /// The quiet clients, for formats; one that is in [`Members::recent`] too is
    /// outdated here.
    pub fn quiet(&self) -> &[QuietClient] {
        &self.quiet
    }

    /// The recent clients, for formats.
    pub const fn recent(&self) -> &BTreeMap<ClientId, RecentClient> {
        &self.recent
    }

    /// How many numbers were given out, for formats.
    pub const fn authors(&self) -> u32 {
        self.authors
    }

    /// From what a format wrote down.
    ///
    /// # Errors
    /// [`MembersError`].
    pub fn from_parts(
        quiet: Vec<QuietClient>,
        recent: BTreeMap<ClientId, RecentClient>,
        authors: u32,
    ) -> Result<Self, MembersError> {
        if !quiet.is_sorted_by(|a, b| a.client < b.client) {
            return Err(MembersError::Order);
        }
        if !quiet.iter().all(QuietClient::is_valid) {
            return Err(MembersError::Outcome);
        }
        let of_recent = recent.values().map(|recent| recent.author.0);
        if quiet.iter().map(|quiet| quiet.author).chain(of_recent).any(|author| author > authors) {
            return Err(MembersError::Author);
        }
        let results = || recent.values().filter_map(|recent| recent.last.as_ref());
        let outdated = |quiet: &&QuietClient| {
            let recent = recent.get(&quiet.client());
            recent.is_some_and(|recent| recent.last.is_some())
        };
        let quiet_changers = quiet.iter().filter(|quiet| !quiet.is_reader() && !outdated(quiet));
        let changers = quiet_changers.count() + results().count();
        let answer_bytes = results().map(answer_bytes).sum();
        let mut members = Self { quiet, recent, answer_bytes, authors, changers };
        members.settle_if_many();
        Ok(members)
    }

    fn find(&self, client: ClientId) -> Option<&QuietClient> {
        let client = halves(client);
        let found = self.quiet.binary_search_by(|quiet| quiet.client.cmp(&client));
        found.ok().map(|at| &self.quiet[at])
    }

    fn settle_if_many(&mut self) {
        if self.recent.len() > RECENT_CLIENTS_MAX || self.answer_bytes > RECENT_ANSWER_BYTES_MAX {
            self.settle();
        }
    }

    /// All that are recent become quiet. It copies all clients, once for as many
    /// that acted as may be recent.
    fn settle(&mut self) {
        self.answer_bytes = 0;
        let recent = std::mem::take(&mut self.recent);
        let mut merged = Vec::with_capacity(self.quiet.len() + recent.len());
        let mut before = self.quiet.iter().copied().peekable();
        for (client, recent) in recent {
            let quiet = QuietClient::new(client, &recent);
            while let Some(next) = before.next_if(|next| next.client <= quiet.client) {
                if next.client < quiet.client {
                    merged.push(next);
                }
            }
            merged.push(quiet);
        }
        merged.extend(before);
        forget_readers(&mut merged);
        merged.shrink_to_fit();
        self.quiet = merged;
    }
}

/// Forgets the oldest readers beyond those that are remembered.
fn forget_readers(quiet: &mut Vec<QuietClient>) {
    let readers = quiet.iter().filter(|quiet| quiet.is_reader()).map(|quiet| quiet.author);
    let mut authors: Vec<u32> = readers.collect();
    let Some(forgotten) = authors.len().checked_sub(READERS_PER_DESK_MAX + 1) else { return };
    let (_, newest_forgotten, _) = authors.select_nth_unstable(forgotten);
    let newest_forgotten = *newest_forgotten;
    quiet.retain(|quiet| !quiet.is_reader() || quiet.author > newest_forgotten);
}

impl QuietClient {
    fn new(client: ClientId, recent: &RecentClient) -> Self {
        let (seq, at, outcome) = match &recent.last {
            None => (0, 0, READER),
            Some(BatchResult { client_seq, outcome }) => match outcome {
                Outcome::Applied { revision, status, created } => {
                    let number = STATUSES.iter().position(|known| known == status);
                    let kind = APPLIED + number.expect("all statuses are listed") as u32;
                    (client_seq.0, revision.0, check(created) << KIND_BITS | kind)
                }
                Outcome::Rejected { operation, .. } => {
                    (client_seq.0, u64::from(*operation), REFUSED)
                }
            },
        };
        Self { client: halves(client), seq, at, author: recent.author.0, outcome }
    }

    /// From its fields as a format wrote them.
    pub const fn from_fields(
        client: ClientId,
        author: Author,
        seq: u64,
        at: u64,
        outcome: u32,
    ) -> Self {
        Self { client: halves(client), seq, at, author: author.0, outcome }
    }

    /// The client.
    pub const fn client(&self) -> ClientId {
        ClientId((self.client[0] as u128) << 64 | self.client[1] as u128)
    }

    /// Its number on the desk.
    pub const fn author(&self) -> Author {
        Author(self.author)
    }

    /// The number of its newest batch, the revision or the operation that it got, and
    /// the outcome, as formats write them.
    pub const fn fields(&self) -> (u64, u64, u32) {
        (self.seq, self.at, self.outcome)
    }

    const fn kind(&self) -> u32 {
        self.outcome & ((1 << KIND_BITS) - 1)
    }

    const fn is_reader(&self) -> bool {
        self.kind() == READER
    }

    fn is_valid(&self) -> bool {
        match self.kind() {
            READER => self.seq == 0,
            REFUSED => u32::try_from(self.at).is_ok(),
            kind => STATUSES.get((kind - APPLIED) as usize).is_some(),
        }
    }

    fn result(&self) -> Option<BatchResult> {
        let outcome = match self.kind() {
            READER => return None,
            REFUSED => {
                Outcome::Rejected { operation: self.at as u32, detail: REFUSED_BEFORE.to_owned() }
            }
            kind => Outcome::Applied {
                revision: Revision(self.at),
                status: STATUSES[(kind - APPLIED) as usize],
                created: Vec::new(),
            },
        };
        Some(BatchResult { client_seq: ClientSeq(self.seq), outcome })
    }
}

const fn halves(client: ClientId) -> [u64; 2] {
    [(client.0 >> 64) as u64, client.0 as u64]
}

/// A check of created ids in 24 bits: FNV-1a over their bytes, folded.
fn check(created: &[StickerId]) -> u32 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in created.iter().flat_map(|id| id.0.to_le_bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    (hash >> 40) as u32
}

/// Stickers that operations create, in order.
pub fn created(operations: &[Operation]) -> Vec<StickerId> {
    operations
        .iter()
        .filter_map(|operation| match operation {
            Operation::Create(create) => Some(create.id),
            _ => None,
        })
        .collect()
}

/// What a result takes besides its place.
fn answer_bytes(result: &BatchResult) -> usize {
    match &result.outcome {
        Outcome::Applied { created, .. } => size_of::<StickerId>() * created.len(),
        Outcome::Rejected { detail, .. } => detail.len(),
    }
}

/// What a recent client takes in a tree that is two thirds full.
const RECENT_BYTES: usize = 3 * (size_of::<ClientId>() + size_of::<RecentClient>()) / 2;

const _: () = assert!(size_of::<QuietClient>() == 40);
