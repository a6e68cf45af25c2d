//! What a client keeps across restarts (FLIGHT-17): two records, written in
//! one transaction.
//!
//! The *base* holds a confirmed desk and is written rarely. The *queue* holds all
//! else, and also the commits since the base. It is small, because it is written
//! with every action and before every send. Both are little endian:
//!
//! ```text
//! base:  "SDCB" version u16 generation u64 desk (u32 length, snapshot)  xxh3 u64
//! queue: "SDCQ" version u16 generation u64 fields … (see `Client::queue_record`)
//!        steps of undo and redo (see `steps.rs`) xxh3 u64
//! ```
//!
//! A queue belongs to the base of its generation. The checksum is over all that
//! stands before it.

use desk_protocol::codec::{DecodeError, encode_server, encode_snapshot};
use desk_protocol::desk::DeskPartsError;
use desk_protocol::resolver::ApplyError;
use desk_protocol::{Commit, Desk, ServerFrame, Time};
use xxhash_rust::xxh3::xxh3_64;

use crate::inbox::SnapshotError;
use crate::limits::{COMMITS_BYTES_MAX, COMMITS_BYTES_MIN, PERSIST_DELAY};

pub(crate) const BASE_MAGIC: &[u8; 4] = b"SDCB";
pub(crate) const QUEUE_MAGIC: &[u8; 4] = b"SDCQ";
/// The layout is that of version 1. Whoever wrote that one knew nothing of locks, and may
/// have passed over operations (FRAME-8): its desk is replaced by a snapshot.
pub(crate) const VERSION: u16 = 2;

/// The version of a record whose desk is to be replaced.
pub(crate) const VERSION_BEHIND: u16 = 1;

/// Names a state that was handed out for writing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Token(pub u64);

/// What to write, in one transaction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Records {
    /// To be told to [`crate::Client::persisted`] once it is written.
    pub token: Token,
    /// The large record; `None`: the one written before stays.
    pub base: Option<Vec<u8>>,
    /// The small record.
    pub queue: Vec<u8>,
}

/// Why records cannot be restored. A client without state can always be made
/// instead. The content of the records is lost then.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RestoreError {
    /// They are not records of a client.
    #[error("not a record of a client")]
    NotARecord,
    /// They were written by a newer version.
    #[error("the record has version {found}, at most {VERSION} is known")]
    Version {
        /// The record's.
        found: u16,
    },
    /// They were damaged.
    #[error("the checksum of the record does not match")]
    Checksum,
    /// The two were not written together.
    #[error("the records are of different generations")]
    Mismatch,
    /// A record ends early.
    #[error("the record ends early")]
    Truncated,
    /// A frame in it cannot be read.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// Its desk cannot be read.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// Its stickers cannot be read.
    #[error(transparent)]
    Desk(#[from] DeskPartsError),
    /// Its commits do not fit its desk.
    #[error(transparent)]
    Apply(#[from] ApplyError),
}

/// What was changed, what was handed out for writing, and what is written.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    durable: bool,
    /// Counts changes of the stored state.
    change: u64,
    handed_out: u64,
    persisted: u64,
    pub(crate) generation: u64,
    /// The base is to be written anew.
    stale_base: bool,
    /// Bytes of the base when it was written.
    base_bytes: usize,
    /// Commits since the base, as frames.
    pub(crate) commits: Vec<u8>,
    /// When others' commits are to be written at the latest.
    delayed: Option<Time>,
}

impl Store {
    pub(crate) const fn new(durable: bool, generation: u64) -> Self {
        Self {
            durable,
            change: 0,
            handed_out: 0,
            persisted: 0,
            generation,
            stale_base: true,
            base_bytes: 0,
            commits: Vec::new(),
            delayed: None,
        }
    }

    /// Notes a change that must be written at once; its number.
    pub(crate) const fn touch(&mut self) -> u64 {
        self.change += 1;
        self.delayed = None;
        self.change
    }

    /// Asks for a write if a delayed change waits for one.
    pub(crate) fn touch_if_behind(&mut self) {
        if self.delayed.is_some() {
            self.touch();
        }
    }

    /// Whether a change may be relied on.
    pub(crate) const fn holds(&self, change: u64) -> bool {
        !self.durable || self.persisted >= change
    }

    /// The desk was replaced as a whole.
    pub(crate) fn rewrite(&mut self) {
        self.stale_base = true;
        self.commits.clear();
        self.touch();
    }

    pub(crate) fn commit(&mut self, commit: &Commit, now: Time) {
        if !self.durable {
            return;
        }
        self.delayed.get_or_insert(now + PERSIST_DELAY);
        if !self.stale_base {
            encode_server(&ServerFrame::Commit(commit.clone()), &mut self.commits);
            let most = self.base_bytes.clamp(COMMITS_BYTES_MIN, COMMITS_BYTES_MAX);
            if self.commits.len() > most {
                self.stale_base = true;
                self.commits.clear();
            }
        }
    }

    pub(crate) const fn deadline(&self) -> Option<Time> {
        self.delayed
    }

    pub(crate) fn expire_delay(&mut self, now: Time) {
        if self.delayed.is_some_and(|at| at <= now) {
            self.touch();
        }
    }

    /// Whether anything is written at all.
    pub(crate) const fn is_durable(&self) -> bool {
        self.durable
    }

    /// Names what has changed since the last time, if anything, with the base if
    /// that is to be written anew.
    pub(crate) fn hand_out(&mut self, confirmed: &Desk) -> Option<(Token, Option<Vec<u8>>)> {
        if self.change == self.handed_out {
            return None;
        }
        self.handed_out = self.change;
        self.delayed = None;
        let token = Token(self.change);
        Some((token, self.next_base(confirmed)))
    }

    /// The records of a token, and so of all before it, are written.
    pub(crate) fn written(&mut self, token: Token) {
        self.persisted = self.persisted.max(token.0);
    }

    /// There is nowhere to write to.
    pub(crate) fn stop(&mut self) {
        self.durable = false;
        self.commits.clear();
        self.delayed = None;
    }

    /// The base, if it is to be written anew.
    fn next_base(&mut self, confirmed: &Desk) -> Option<Vec<u8>> {
        if !std::mem::take(&mut self.stale_base) {
            return None;
        }
        self.generation = self.generation.wrapping_add(1);
        self.commits.clear();
        let mut writer = Writer::new(BASE_MAGIC, self.generation, false);
        writer.bytes(&encode_snapshot(confirmed));
        let base = writer.finish();
        self.base_bytes = base.len();
        Some(base)
    }

    /// Goes on from records that were read.
    pub(crate) fn resume(&mut self, generation: u64, base_bytes: usize, commits: Vec<u8>) {
        self.generation = generation;
        self.base_bytes = base_bytes;
        self.commits = commits;
        self.stale_base = false;
    }
}

/// Appends fields of a record.
pub(crate) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// A record; `behind`: its desk is to be replaced by a snapshot.
    pub(crate) fn new(magic: &[u8; 4], generation: u64, behind: bool) -> Self {
        let mut bytes = magic.to_vec();
        let version = if behind { VERSION_BEHIND } else { VERSION };
        bytes.extend_from_slice(&version.to_le_bytes());
        bytes.extend_from_slice(&generation.to_le_bytes());
        Self { bytes }
    }

    /// A part of a record, for [`Writer::plain`].
    pub(crate) const fn part() -> Self {
        Self { bytes: Vec::new() }
    }

    pub(crate) fn number(&mut self, number: u64) {
        self.bytes.extend_from_slice(&number.to_le_bytes());
    }

    pub(crate) fn flag(&mut self, flag: bool) {
        self.bytes.push(u8::from(flag));
    }

    pub(crate) fn optional(&mut self, number: Option<u64>) {
        self.flag(number.is_some());
        self.number(number.unwrap_or(0));
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        let length = u32::try_from(bytes.len()).expect("a desk is far below 4 GiB");
        self.bytes.extend_from_slice(&length.to_le_bytes());
        self.bytes.extend_from_slice(bytes);
    }

    pub(crate) fn plain(&mut self, part: &[u8]) {
        self.bytes.extend_from_slice(part);
    }

    pub(crate) const fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn truncate(&mut self, length: usize) {
        self.bytes.truncate(length);
    }

    pub(crate) fn into_part(self) -> Vec<u8> {
        self.bytes
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        let checksum = xxh3_64(&self.bytes);
        self.number(checksum);
        self.bytes
    }
}

/// Takes fields off a record whose checksum matched.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    pub(crate) generation: u64,
    /// An earlier version wrote it.
    pub(crate) is_behind: bool,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(magic: &[u8; 4], record: &'a [u8]) -> Result<Self, RestoreError> {
        let body = record.strip_prefix(magic).ok_or(RestoreError::NotARecord)?;
        let end = record.len().checked_sub(8).ok_or(RestoreError::Truncated)?;
        let checksum = record[end..].try_into().map_or(0, u64::from_le_bytes);
        let mut reader = Self { rest: body, generation: 0, is_behind: false };
        let found = u16::from_le_bytes(reader.array()?);
        if found > VERSION {
            return Err(RestoreError::Version { found });
        }
        reader.is_behind = found < VERSION;
        if xxh3_64(&record[..end]) != checksum {
            return Err(RestoreError::Checksum);
        }
        reader.generation = reader.number()?;
        let left = reader.rest.len().checked_sub(8).ok_or(RestoreError::Truncated)?;
        reader.rest = &reader.rest[..left];
        Ok(reader)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], RestoreError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(RestoreError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], RestoreError> {
        self.take(N)?.try_into().map_err(|_| RestoreError::Truncated)
    }

    pub(crate) fn number(&mut self) -> Result<u64, RestoreError> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn flag(&mut self) -> Result<bool, RestoreError> {
        self.array::<1>().map(|[byte]| byte != 0)
    }

    pub(crate) fn optional(&mut self) -> Result<Option<u64>, RestoreError> {
        let there = self.flag()?;
        self.number().map(|number| there.then_some(number))
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], RestoreError> {
        let length = u32::from_le_bytes(self.array()?);
        self.take(length as usize)
    }

    pub(crate) fn text(&mut self) -> Result<String, RestoreError> {
        Ok(String::from_utf8_lossy(self.bytes()?).into_owned())
    }
}
