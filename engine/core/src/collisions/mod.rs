//! The Desk Collisions Service: puts a client's batches into the desk's order,
//! each exactly once.
//!
//! It does the middle part of FLIGHT-15: sequence, stale, transform. The Collaboration
//! Service does what comes before (hello and fence). The shard does what comes after
//! (append, durable, acknowledge).

mod memory;

use desk_protocol::frame::{BatchResult, Outcome, Submit};
use desk_protocol::limits::DeskLimits;
use desk_protocol::resolver::{
    self, Acceptance, BatchError, Import, Refusal, Rejection, RejectionReason, Submission,
    TextHistories,
};
use desk_protocol::text::{Order, diff};
use desk_protocol::{
    Author, Batch, ClientId, ClientSeq, Commit, Operation, Revision, StickerId, Time,
};

use crate::limits::ShardLimits;
use crate::members::Member;
use crate::record::DeskRecord;

pub use memory::Memory;

/// A batch and who sent it.
pub struct Arrival<'a> {
    /// The sender; a member of the desk.
    pub client: ClientId,
    /// The sender's label.
    pub user: &'a str,
    /// The batch.
    pub submit: Submit,
    /// Texts that deltas were made against, from senders without a replica.
    pub base_texts: &'a [(StickerId, String)],
}

/// Notes of a file and who adds them.
pub struct Notes<'a> {
    /// Who adds them; a member of the desk.
    pub author: Author,
    /// The sender's label.
    pub user: &'a str,
    /// Creations, from the bottom of the pile to its top.
    pub operations: Vec<Operation>,
}

/// What became of a batch.
#[derive(Debug)]
pub enum Ordered {
    /// It is the desk's newest revision; the record has it already.
    Accepted {
        /// What everyone applies.
        commit: Commit,
        /// Stickers created.
        created: Vec<StickerId>,
    },
    /// It can never be accepted. Its number is used up; the record says so.
    Rejected {
        /// Its number.
        client_seq: ClientSeq,
        /// The operation at fault, in the order that was sent.
        operation: u32,
        /// What was wrong.
        detail: String,
    },
    /// The newest number came again: its first answer, whatever the body.
    Duplicate(BatchResult),
    /// A number before the newest one.
    Old {
        /// The newest.
        newest: ClientSeq,
    },
    /// Numbers in between are missing.
    Gap {
        /// The number that comes next.
        expected: ClientSeq,
    },
    /// The base is above the desk's revision.
    BaseAhead {
        /// The desk's revision.
        head: Revision,
    },
    /// The base lies below the text history of a sticker. Nothing changed.
    Stale(StickerId),
}

/// Puts a batch at the head of the desk's order, if it can be.
///
/// # Panics
/// If the sender is no member: joining comes first.
pub fn order(
    record: &mut DeskRecord,
    memory: &mut Memory,
    limits: &ShardLimits,
    now: Time,
    arrival: Arrival<'_>,
) -> Ordered {
    let Arrival { client, user, submit, base_texts } = arrival;
    let Member { author, newest } =
        record.members.get(client).expect("a client joins before it submits");
    if submit.client_seq == newest
        && let Some(first) = record.members.answer_again(client, &submit.operations)
    {
        return Ordered::Duplicate(first);
    }
    if submit.client_seq <= newest {
        return Ordered::Old { newest };
    }
    if submit.client_seq != newest.next() {
        return Ordered::Gap { expected: newest.next() };
    }
    let head = record.desk.revision();
    if submit.base > head {
        return Ordered::BaseAhead { head };
    }

    let client_seq = submit.client_seq;
    let sent = Sent::of(&submit.operations);
    let made_at = submit.made_at.min(submit.base);
    let order_limits = memory.limits_for(client, &limits.order, now);
    let door = match made_at < submit.base {
        true => order_limits.desk.of_moved(),
        false => order_limits.desk,
    };
    let mut batch = match Batch::from_operations(submit.operations, &door) {
        Ok(batch) => batch,
        Err(error) => {
            let operation = error.operation().unwrap_or(0);
            let detail = match (&error, sent.list().get(operation)) {
                (BatchError::Invalid { reason, .. }, Some((name, _))) => {
                    format!("{name}: {reason}")
                }
                _ => error.to_string(),
            };
            memory.got_through(client);
            return reject(record, client, client_seq, operation as u32, detail);
        }
    };
    let histories = &memory.histories;
    let rebased =
        match rebase_onto_head(record, histories, submit.base, &mut batch, base_texts, &door) {
            Ok(rebased) => rebased,
            Err(rejection) => {
                let operation = sent.position(&rejection);
                let detail = format!("{}: {}", rejection.name, rejection.reason);
                memory.got_through(client);
                return reject(record, client, client_seq, operation, detail);
            }
        };
    let submission = Submission {
        author,
        client_seq,
        base: submit.base,
        made_at,
        batch: &batch,
        user,
        now_ms: now.unix_millis(),
        text_at_head: &rebased,
    };
    let result =
        resolver::accept(&mut record.desk, &mut memory.histories, submission, &order_limits);
    match result {
        Err(Refusal::Stale(_)) => memory.told_stale(client, limits, now),
        Ok(_) | Err(Refusal::Rejected(_)) => memory.got_through(client),
    }
    match result {
        Ok(Acceptance { commit, created }) => {
            let outcome = Outcome::Applied {
                revision: commit.revision,
                status: commit.status,
                created: created.clone(),
            };
            record.members.remember(client, BatchResult { client_seq, outcome });
            Ordered::Accepted { commit, created }
        }
        Err(Refusal::Stale(sticker)) => Ordered::Stale(sticker),
        Err(Refusal::Rejected(rejection)) => {
            let operation = sent.position(&rejection);
            let detail = format!("{}: {}", rejection.name, rejection.reason);
            reject(record, client, client_seq, operation, detail)
        }
    }
}

/// Adds notes at the head of the desk's order, all of them or none. It is no batch: no
/// number is used up, and nothing is remembered of a refusal.
///
/// # Errors
/// The note at fault, from 0, and what was wrong.
pub fn import(
    record: &mut DeskRecord,
    memory: &mut Memory,
    limits: &ShardLimits,
    now: Time,
    notes: Notes<'_>,
) -> Result<Acceptance, (u32, String)> {
    let Notes { author, user, operations } = notes;
    let door = limits.order.desk.of_import();
    let notes = Batch::from_operations(operations, &door).map_err(|error| {
        let detail = match &error {
            BatchError::Invalid { reason, .. } => reason.to_string(),
            other => other.to_string(),
        };
        (error.operation().unwrap_or(0) as u32, detail)
    })?;
    let import = Import {
        author,
        notes: &notes,
        user,
        now_ms: now.unix_millis(),
        bytes_max: limits.import_bytes,
    };
    resolver::import(&mut record.desk, &mut memory.histories, import, &limits.order)
        .map_err(|rejection| (rejection.operation as u32, rejection.reason.to_string()))
}

/// Rebases deltas onto the desk's present text by a three-way merge (FLIGHT-14), if
/// they came with their base text and the history no longer reaches that base. The
/// author's limit is counted on the text that the author gave (LIMIT-1). The
/// difference may hold the author's own text, so the author's insertions continue
/// nothing (TEXT-3).
fn rebase_onto_head(
    record: &DeskRecord,
    histories: &TextHistories,
    base: Revision,
    batch: &mut Batch,
    base_texts: &[(StickerId, String)],
    limits: &DeskLimits,
) -> Result<Vec<StickerId>, Rejection> {
    let mut rebased = Vec::new();
    for (operation, id, delta) in batch.deltas_mut() {
        let reject =
            |reason| Err(Rejection { operation, name: "edit_text", sticker: Some(id), reason });
        let Some(sticker) = record.desk.sticker(id) else { continue };
        if base >= histories.floor(&record.desk, id) {
            continue;
        }
        let Some((_, base_text)) = base_texts.iter().find(|(known, _)| *known == id) else {
            continue;
        };
        let found = base_text.chars().count() as u64;
        if delta.base_chars() > found {
            return reject(RejectionReason::PastEnd { needed: delta.base_chars(), found });
        }
        let intended = found + delta.inserted_chars() - delta.deleted_chars();
        let limit = limits.text_chars;
        if intended > limit as u64 && intended > found {
            return reject(RejectionReason::TextTooLong { found: intended, limit });
        }
        let since = diff(base_text, &sticker.text.value);
        *delta = std::mem::take(delta).unmarked().transform(&since, Order::After);
        rebased.push(id);
    }
    Ok(rebased)
}

fn reject(
    record: &mut DeskRecord,
    client: ClientId,
    client_seq: ClientSeq,
    operation: u32,
    detail: String,
) -> Ordered {
    let outcome = Outcome::Rejected { operation, detail: detail.clone() };
    record.members.remember(client, BatchResult { client_seq, outcome });
    Ordered::Rejected { client_seq, operation, detail }
}

/// The operations of a batch in the order that was sent, for its rejection. A batch of
/// one operation, the usual one, takes no list.
enum Sent {
    One([SentOperation; 1]),
    Many(Vec<SentOperation>),
}

/// Its name and its sticker.
type SentOperation = (&'static str, Option<StickerId>);

impl Sent {
    fn of(operations: &[Operation]) -> Self {
        let sent = |operation: &Operation| (operation.name(), operation.sticker());
        match operations {
            [only] => Self::One([sent(only)]),
            many => Self::Many(many.iter().map(sent).collect()),
        }
    }

    fn list(&self) -> &[SentOperation] {
        match self {
            Self::One(one) => one,
            Self::Many(many) => many,
        }
    }

    /// The index of the rejected operation. The normal form has another order, so the
    /// sticker identifies the operation.
    fn position(&self, rejection: &Rejection) -> u32 {
        let same_sticker = |at: &SentOperation| at.1 == rejection.sticker;
        let sent = self.list();
        let position = sent
            .iter()
            .position(|at| same_sticker(at) && at.0 == rejection.name)
            .or_else(|| sent.iter().position(same_sticker));
        position.unwrap_or(rejection.operation) as u32
    }
}
