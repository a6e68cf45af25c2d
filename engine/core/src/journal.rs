//! Entries of the log: each is one step of one desk's record.
//!
//! ```text
//! entry   := kind u8, body
//! 1 created    expires_at u64, owner link u128, title length u16, title
//! 2 joined     client u128, author u32
//! 3 committed  client u128, commit frame (size-prefixed, as everyone got it)
//! 4 refused    client u128, client_seq u64, operation u32, detail length u16, detail
//! 5 linked     role u8, link u128
//! 6 finished
//! 7 alias      desk u128
//! 8 imported   part u32, parts u32, commit frame
//! ```
//! Numbers are little-endian, links and clients big-endian as they are keys.
//! The store frames and checks entries; a commit frame carries its own length.
//!
//! An import can be longer than an entry may be. Its commit is then written in parts,
//! one entry each, and the last of them applies it (IMPORT-3). A crash may leave the
//! first parts alone: whatever other entry comes next, they are dropped.

use desk_protocol::codec;
use desk_protocol::frame::{BatchResult, Outcome, Role, ServerFrame};
use desk_protocol::resolver::{self, ApplyError};
use desk_protocol::{Author, ClientId, ClientSeq, Commit, Desk, LinkId};

use crate::members::{Members, created};
use crate::record::{Alias, DeskRecord, Links, StoredRecord};

/// One step of a record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Entry {
    /// The first entry of a desk.
    Created {
        /// When the desk is gone, in seconds since the Unix epoch.
        expires_at: u64,
        /// The owner's link.
        owner: LinkId,
        /// The title.
        title: String,
    },
    /// A client joined for the first time.
    Joined {
        /// The client.
        client: ClientId,
        /// Its number on the desk.
        author: Author,
    },
    /// A batch was accepted.
    Committed {
        /// Who sent it.
        client: ClientId,
        /// As everyone applies it.
        commit: Commit,
    },
    /// A batch was rejected; its number is used up.
    Refused {
        /// Who sent it.
        client: ClientId,
        /// Its number.
        client_seq: ClientSeq,
        /// The operation at fault.
        operation: u32,
        /// What was wrong.
        detail: String,
    },
    /// A role has a new link; the one before is void.
    Linked {
        /// Whose.
        role: Role,
        /// The link.
        link: LinkId,
    },
    /// The session was finished: all keys are void.
    Finished,
    /// The only entry of a further link.
    Alias(Alias),
    /// A part of an import.
    Imported {
        /// Its place among the parts, from 0.
        part: u32,
        /// How many there are, at least 1.
        parts: u32,
        /// The whole commit's head, and this part's operations.
        commit: Commit,
    },
}

/// Why an entry cannot be read or does not follow from the entries before it. The
/// store's checksums exclude a faulty disk, so it is a defect or a hostile file.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum JournalError {
    /// The bytes end too early, or are none of the kinds.
    #[error("a journal entry of {0} bytes cannot be read")]
    Unreadable(usize),
    /// It does not belong here.
    #[error("a journal entry ({0}) does not follow from the record before it")]
    OutOfPlace(&'static str),
    /// Its commit does not fit.
    #[error("a journal entry does not fit the desk: {0}")]
    Commit(#[from] ApplyError),
}

/// Writes the entry of an accepted batch. `frame` appends the commit frame, which
/// everyone gets; the second value is where that frame begins.
pub fn encode_commit(client: ClientId, frame: impl FnOnce(&mut Vec<u8>)) -> (Vec<u8>, usize) {
    let mut out = Vec::with_capacity(COMMIT_BYTES);
    out.push(3);
    out.extend_from_slice(&client.to_bytes());
    let start = out.len();
    frame(&mut out);
    (out, start)
}

/// Writes the entry of a part of an import. The second value is as in
/// [`encode_commit`].
pub fn encode_import(part: u32, parts: u32, frame: impl FnOnce(&mut Vec<u8>)) -> (Vec<u8>, usize) {
    let mut out = Vec::with_capacity(COMMIT_BYTES);
    out.push(8);
    out.extend_from_slice(&part.to_le_bytes());
    out.extend_from_slice(&parts.to_le_bytes());
    let start = out.len();
    frame(&mut out);
    (out, start)
}

/// Bytes of an entry of a batch of one or two operations.
const COMMIT_BYTES: usize = 256;

impl Entry {
    /// Writes the entry.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64);
        match self {
            Entry::Created { expires_at, owner, title } => {
                out.push(1);
                out.extend_from_slice(&expires_at.to_le_bytes());
                out.extend_from_slice(&owner.to_bytes());
                put_text(&mut out, title);
            }
            Entry::Joined { client, author } => {
                out.push(2);
                out.extend_from_slice(&client.to_bytes());
                out.extend_from_slice(&author.0.to_le_bytes());
            }
            Entry::Committed { client, commit } => {
                let frame = ServerFrame::Commit(commit.clone());
                return encode_commit(*client, |out| codec::encode_server(&frame, out)).0;
            }
            Entry::Refused { client, client_seq, operation, detail } => {
                out.push(4);
                out.extend_from_slice(&client.to_bytes());
                out.extend_from_slice(&client_seq.0.to_le_bytes());
                out.extend_from_slice(&operation.to_le_bytes());
                put_text(&mut out, detail);
            }
            Entry::Linked { role, link } => {
                out.push(5);
                out.push(*role as u8);
                out.extend_from_slice(&link.to_bytes());
            }
            Entry::Finished => out.push(6),
            Entry::Alias(alias) => {
                out.push(7);
                out.extend_from_slice(&alias.desk.to_bytes());
            }
            Entry::Imported { part, parts, commit } => {
                let frame = ServerFrame::Commit(commit.clone());
                let encode = |out: &mut Vec<u8>| codec::encode_server(&frame, out);
                return encode_import(*part, *parts, encode).0;
            }
        }
        out
    }

    /// Reads an entry.
    ///
    /// # Errors
    /// [`JournalError::Unreadable`] for anything that [`Entry::encode`] does
    /// not write.
    pub fn decode(bytes: &[u8]) -> Result<Self, JournalError> {
        let mut reader = Reader { rest: bytes };
        reader.entry().ok_or(JournalError::Unreadable(bytes.len()))
    }
}

/// Texts of entries fit 64 KiB: a title has 200 characters, a detail is ours.
fn put_text(out: &mut Vec<u8>, text: &str) {
    let mut end = text.len().min(usize::from(u16::MAX));
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    out.extend_from_slice(&(end as u16).to_le_bytes());
    out.extend_from_slice(&text.as_bytes()[..end]);
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn entry(&mut self) -> Option<Entry> {
        let entry = match self.array::<1>()?[0] {
            1 => Entry::Created {
                expires_at: u64::from_le_bytes(self.array()?),
                owner: LinkId::from_bytes(self.array()?),
                title: self.text()?,
            },
            2 => Entry::Joined {
                client: ClientId::from_bytes(self.array()?),
                author: Author(u32::from_le_bytes(self.array()?)),
            },
            3 => {
                let client = ClientId::from_bytes(self.array()?);
                Entry::Committed { client, commit: self.commit()? }
            }
            4 => Entry::Refused {
                client: ClientId::from_bytes(self.array()?),
                client_seq: ClientSeq(u64::from_le_bytes(self.array()?)),
                operation: u32::from_le_bytes(self.array()?),
                detail: self.text()?,
            },
            5 => Entry::Linked {
                role: match self.array::<1>()?[0] {
                    0 => Role::Viewer,
                    1 => Role::Editor,
                    2 => Role::Owner,
                    _ => return None,
                },
                link: LinkId::from_bytes(self.array()?),
            },
            6 => Entry::Finished,
            7 => Entry::Alias(Alias { desk: LinkId::from_bytes(self.array()?) }),
            8 => Entry::Imported {
                part: u32::from_le_bytes(self.array()?),
                parts: u32::from_le_bytes(self.array()?),
                commit: self.commit()?,
            },
            _ => return None,
        };
        self.rest.is_empty().then_some(entry)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*head)
    }

    fn commit(&mut self) -> Option<Commit> {
        let (length, commit) = codec::decode_commit(self.rest).ok()?;
        self.rest = self.rest.get(length..)?;
        Some(commit)
    }

    fn text(&mut self) -> Option<String> {
        let length = usize::from(u16::from_le_bytes(self.array()?));
        let (head, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        String::from_utf8(head.to_vec()).ok()
    }
}

/// A record that is taken through the entries of the log.
#[derive(Debug, Default)]
pub struct Replay {
    record: Option<StoredRecord>,
    /// The parts of an import whose last is yet to come, as one commit.
    unfinished: Option<(u32, Commit)>,
}

impl Replay {
    /// From what is stored; `None` before the first entry.
    pub fn new(record: Option<StoredRecord>) -> Self {
        Self { record, unfinished: None }
    }

    /// Takes the record one step on.
    ///
    /// # Errors
    /// [`JournalError`]; the record must not be served then.
    pub fn step(&mut self, key: LinkId, entry: Entry) -> Result<(), JournalError> {
        let name = entry.name();
        let out_of_place = JournalError::OutOfPlace(name);
        let unfinished = self.unfinished.take();
        match (&mut self.record, entry) {
            (record @ None, Entry::Alias(alias)) => *record = Some(StoredRecord::Alias(alias)),
            (record @ None, Entry::Created { expires_at, owner, title }) => {
                let desk = DeskRecord::new(key, owner, expires_at, title);
                *record = Some(StoredRecord::Desk(desk));
            }
            (Some(StoredRecord::Desk(record)), Entry::Imported { part, parts, commit }) => {
                let whole = joined(unfinished, part, commit).ok_or(out_of_place)?;
                match part.checked_add(1) {
                    Some(next) if next == parts => resolver::apply(&mut record.desk, &whole)?,
                    Some(next) if next < parts => self.unfinished = Some((next, whole)),
                    _ => return Err(JournalError::OutOfPlace(name)),
                }
                record.sequence += 1;
            }
            (Some(StoredRecord::Desk(record)), entry) => record.step(entry)?,
            (_, _) => return Err(out_of_place),
        }
        Ok(())
    }

    /// The record; `None` if there was no entry.
    pub fn into_record(self) -> Option<StoredRecord> {
        self.record
    }
}

/// The parts of an import so far, and its next one.
fn joined(unfinished: Option<(u32, Commit)>, part: u32, commit: Commit) -> Option<Commit> {
    if part == 0 {
        return Some(commit);
    }
    let (next, mut whole) = unfinished?;
    if next != part || whole.revision != commit.revision {
        return None;
    }
    whole.operations.extend(commit.operations);
    Some(whole)
}

impl DeskRecord {
    /// A desk just created.
    pub fn new(key: LinkId, owner: LinkId, expires_at: u64, title: String) -> Self {
        Self {
            key,
            sequence: 1,
            expires_at,
            key_epoch: 0,
            links: Links { edit: key, owner, view: None },
            members: Members::default(),
            desk: Desk::new(title),
        }
    }

    fn step(&mut self, entry: Entry) -> Result<(), JournalError> {
        let name = entry.name();
        let out_of_place = || JournalError::OutOfPlace(name);
        match entry {
            Entry::Joined { client, author } => {
                self.members.join(client, author);
            }
            Entry::Committed { client, commit } => {
                self.members.get(client).ok_or_else(out_of_place)?;
                resolver::apply(&mut self.desk, &commit)?;
                let outcome = Outcome::Applied {
                    revision: commit.revision,
                    status: commit.status,
                    created: created(&commit.operations),
                };
                let result = BatchResult { client_seq: commit.client_seq, outcome };
                self.members.remember(client, result);
            }
            Entry::Refused { client, client_seq, operation, detail } => {
                self.members.get(client).ok_or_else(out_of_place)?;
                let outcome = Outcome::Rejected { operation, detail };
                self.members.remember(client, BatchResult { client_seq, outcome });
            }
            Entry::Linked { role, link } => match role {
                Role::Viewer => self.links.view = Some(link),
                Role::Editor => self.links.edit = link,
                Role::Owner => self.links.owner = link,
            },
            Entry::Finished => self.key_epoch += 1,
            Entry::Created { .. } | Entry::Alias(_) | Entry::Imported { .. } => {
                return Err(out_of_place());
            }
        }
        self.sequence += 1;
        Ok(())
    }
}

impl Entry {
    const fn name(&self) -> &'static str {
        match self {
            Entry::Created { .. } => "created",
            Entry::Joined { .. } => "joined",
            Entry::Committed { .. } => "committed",
            Entry::Refused { .. } => "refused",
            Entry::Linked { .. } => "linked",
            Entry::Finished => "finished",
            Entry::Alias(_) => "alias",
            Entry::Imported { .. } => "imported",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use desk_protocol::{CollisionStatus, Operation, Revision, StickerId};

    fn entry(operation: Operation) -> Vec<u8> {
        let commit = Commit {
            revision: Revision(1),
            author: Author(1),
            client_seq: ClientSeq(1),
            status: CollisionStatus::Clean,
            user: String::new(),
            accepted_at_ms: 1,
            operations: vec![operation],
        };
        Entry::Committed { client: ClientId(1), commit }.encode()
    }

    /// An older server must not serve a desk that it understands in part.
    #[test]
    fn frame_8_an_entry_with_a_later_kind_is_unreadable() {
        let id = StickerId(7);
        let mut bytes = entry(Operation::Raise { id, z: Some(1) });
        let other = entry(Operation::Lower { id, z: Some(1) });
        assert!(Entry::decode(&bytes).is_ok());
        let kind = bytes.iter().zip(&other).position(|(one, two)| one != two);
        bytes[kind.expect("the kinds differ")] = 200;
        assert_eq!(Entry::decode(&bytes), Err(JournalError::Unreadable(bytes.len())));
    }
}
