//! Batches and fences as bytes, as they stand in a lane. All numbers are
//! little-endian.
//!
//! ```text
//! batch  | version u8 | 1 u8 | unit u16 | epoch u64 | number u64 | after | floor | count u32 | records | xxh3 u64 |
//! after  | epoch u64 | number u64 |
//! floor  | epoch u64 | number u64 |
//! record | key [16] | sequence u64 | expires at, µs u64 | bytes u32 | bytes |
//! piece  | key [16] | sequence u64 | expires at, µs u64 | PIECE u32 | at u32 | total u32 | bytes u32 | bytes |
//! fence  | version u8 | 2 u8 | unit u16 | epoch u64 | attempt u64 | text node | text address | xxh3 u64 |
//! text   | bytes u16 | UTF-8 |
//! ```
//!
//! The length of a record that ends its key is [`FORGET`], and [`PIECE`] that of a piece of
//! a state. The checksum covers all
//! bytes before it. Nothing is believed of a message until it is decoded whole.

use desk_protocol::Time;
use xxhash_rust::xxh3::xxh3_64;

use crate::limits::{
    ADDRESS_BYTES_MAX, BATCH_BYTES_MAX, BATCH_HEAD_BYTES, BATCH_RECORDS_MAX, NODE_BYTES_MAX,
    PIECE_HEAD_BYTES, RECORD_HEAD_BYTES, REQUEST_BYTES_MAX, STATE_BYTES_MAX,
};
use crate::record::{Key, Record, What};
use crate::unit_id::{Epoch, Mark, UnitId};

/// The version of batches and fences.
pub const VERSION: u8 = 2;

/// The length that marks the end of a key.
pub const FORGET: u32 = u32::MAX;

/// The length that marks a piece of a state.
pub const PIECE: u32 = u32::MAX - 1;

const BATCH: u8 = 1;
const FENCE: u8 = 2;
const CHECKSUM_BYTES: usize = 8;

/// Records that become part of the truth together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Batch {
    /// The unit.
    pub unit: UnitId,
    /// Whose batch it is.
    pub epoch: Epoch,
    /// Its number among the owner's batches, from 1 without gaps.
    pub number: u64,
    /// The batch before it in the order of the unit, so that none can be missed.
    pub after: Mark,
    /// Nothing up to this batch is needed of the lanes any more: what is gone there was
    /// not lost. The floor only rises.
    pub floor: Mark,
    /// The records; none in a batch that asks whether the owner still is it.
    pub records: Vec<Record>,
}

/// Ends all ownerships before it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fence {
    /// The unit.
    pub unit: UnitId,
    /// The epoch that it begins, if the same attempt fences every lane.
    pub epoch: Epoch,
    /// A random number that one attempt has in all lanes.
    pub attempt: u64,
    /// The name of the node.
    pub node: String,
    /// The node's public address.
    pub address: String,
}

/// Why bytes are no batch or fence of ours.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end too early.
    #[error("the message ends after {found} bytes, within what it announces")]
    Short {
        /// How many there are.
        found: usize,
    },
    /// There is more than the message says.
    #[error("{0} bytes stand behind the end of the message")]
    Trailing(usize),
    /// The message is longer than any of ours.
    #[error("a message of {0} bytes, at most {BATCH_BYTES_MAX}")]
    TooLong(usize),
    /// A version that this program does not know.
    #[error("version {0} of the cluster's format, this program knows {VERSION}: update it")]
    Version(u8),
    /// Neither batch nor fence, or the other of the two.
    #[error("a message of kind {found} where kind {expected} belongs")]
    Kind {
        /// What is there.
        found: u8,
        /// What belongs there.
        expected: u8,
    },
    /// The checksum is another.
    #[error("the checksum does not match")]
    Checksum,
    /// There is no such unit.
    #[error("unit {0} does not exist")]
    Unit(u16),
    /// More units than there are.
    #[error("{0} units, and there are {units}", units = crate::UNITS)]
    Units(u16),
    /// More records than a batch may have.
    #[error("a batch of {0} records, at most {BATCH_RECORDS_MAX}")]
    Records(u32),
    /// A state that is longer than any of ours.
    #[error("a state of {0} bytes, at most {STATE_BYTES_MAX}")]
    State(u32),
    /// A request or verdict that is longer than any of ours.
    #[error("a request of {0} bytes, at most {REQUEST_BYTES_MAX}")]
    Body(u32),
    /// No verdict of ours.
    #[error("verdict {0} is unknown")]
    Verdict(u8),
    /// A number that counts from 1.
    #[error("the {0} is 0, and counts from 1")]
    Zero(&'static str),
    /// A name or address that is too long or no UTF-8.
    #[error("the {0} is too long or no UTF-8")]
    Text(&'static str),
}

impl Batch {
    /// The bytes.
    ///
    /// # Panics
    /// If the batch is longer than a batch may be: whoever fills it counts.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        assert!(self.records.len() <= BATCH_RECORDS_MAX, "whoever fills a batch counts");
        let bytes: usize = self.records.iter().map(Record::batch_bytes).sum();
        let mut out = Vec::with_capacity(bytes + BATCH_HEAD_BYTES);
        head(&mut out, BATCH, self.unit, self.epoch);
        out.extend_from_slice(&self.number.to_le_bytes());
        for mark in [self.after, self.floor] {
            out.extend_from_slice(&mark.epoch.0.to_le_bytes());
            out.extend_from_slice(&mark.number.to_le_bytes());
        }
        out.extend_from_slice(&(self.records.len() as u32).to_le_bytes());
        for record in &self.records {
            out.extend_from_slice(&record.key.0);
            out.extend_from_slice(&record.sequence.to_le_bytes());
            out.extend_from_slice(&record.expires_at.0.to_le_bytes());
            match &record.what {
                What::Entry(bytes) => {
                    out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
                    out.extend_from_slice(bytes);
                }
                What::Forget => out.extend_from_slice(&FORGET.to_le_bytes()),
                What::Piece { at, total, bytes } => {
                    for number in [PIECE, *at, *total, bytes.len() as u32] {
                        out.extend_from_slice(&number.to_le_bytes());
                    }
                    out.extend_from_slice(bytes);
                }
            }
        }
        let out = sealed(out);
        assert!(out.len() <= BATCH_BYTES_MAX, "whoever fills a batch counts");
        out
    }

    /// Reads what [`Batch::encode`] wrote.
    ///
    /// # Errors
    /// The bytes are something else.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::open(bytes, BATCH)?;
        let (unit, epoch) = (reader.unit()?, Epoch(reader.counted("epoch")?));
        let number = reader.counted("number")?;
        let (after, floor) = (reader.mark()?, reader.mark()?);
        let count = u32::from_le_bytes(reader.take()?);
        if count as usize > BATCH_RECORDS_MAX {
            return Err(DecodeError::Records(count));
        }
        let mut records = Vec::new();
        for _ in 0..count {
            let key = Key(reader.take()?);
            let sequence = reader.counted("sequence")?;
            let expires_at = Time(u64::from_le_bytes(reader.take()?));
            let what = match u32::from_le_bytes(reader.take()?) {
                FORGET => What::Forget,
                PIECE => {
                    let (at, total) = (reader.number()?, reader.number()?);
                    let length = reader.number()?;
                    if total as usize > STATE_BYTES_MAX {
                        return Err(DecodeError::State(total));
                    }
                    What::Piece { at, total, bytes: reader.bytes(length as usize)?.to_vec() }
                }
                length => What::Entry(reader.bytes(length as usize)?.to_vec()),
            };
            records.push(Record { key, sequence, expires_at, what });
        }
        reader.end()?;
        Ok(Self { unit, epoch, number, after, floor, records })
    }
}

impl Record {
    /// What it takes in a batch, in bytes.
    #[must_use]
    pub fn batch_bytes(&self) -> usize {
        RECORD_HEAD_BYTES
            + match &self.what {
                What::Entry(bytes) => bytes.len(),
                What::Forget => 0,
                What::Piece { bytes, .. } => PIECE_HEAD_BYTES + bytes.len(),
            }
    }
}

impl Fence {
    /// The bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        head(&mut out, FENCE, self.unit, self.epoch);
        out.extend_from_slice(&self.attempt.to_le_bytes());
        text(&mut out, &self.node);
        text(&mut out, &self.address);
        sealed(out)
    }

    /// Reads what [`Fence::encode`] wrote.
    ///
    /// # Errors
    /// The bytes are something else.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::open(bytes, FENCE)?;
        let (unit, epoch) = (reader.unit()?, Epoch(reader.counted("epoch")?));
        let attempt = u64::from_le_bytes(reader.take()?);
        let node = reader.text("node's name", NODE_BYTES_MAX)?;
        let address = reader.text("node's address", ADDRESS_BYTES_MAX)?;
        reader.end()?;
        Ok(Self { unit, epoch, attempt, node, address })
    }
}

fn head(out: &mut Vec<u8>, kind: u8, unit: UnitId, epoch: Epoch) {
    out.extend_from_slice(&[VERSION, kind]);
    out.extend_from_slice(&unit.number().to_le_bytes());
    out.extend_from_slice(&epoch.0.to_le_bytes());
}

/// A text with its length. What is too long is cut: settings are checked before.
pub(crate) fn text(out: &mut Vec<u8>, text: &str) {
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&text.as_bytes()[..usize::from(length)]);
}

/// The bytes with their checksum.
pub(crate) fn sealed(mut out: Vec<u8>) -> Vec<u8> {
    let checksum = xxh3_64(&out);
    out.extend_from_slice(&checksum.to_le_bytes());
    out
}

/// Takes a message apart from its front.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    length: usize,
}

impl<'a> Reader<'a> {
    /// Checks version, kind and checksum.
    pub(crate) fn open(bytes: &'a [u8], kind: u8) -> Result<Self, DecodeError> {
        if bytes.len() > BATCH_BYTES_MAX {
            return Err(DecodeError::TooLong(bytes.len()));
        }
        // A newer version may have another checksum, so the version is looked at first.
        match bytes.first() {
            None => return Err(DecodeError::Short { found: 0 }),
            Some(&VERSION) => {}
            Some(&version) => return Err(DecodeError::Version(version)),
        }
        let short = DecodeError::Short { found: bytes.len() };
        let (body, checksum) = bytes.split_last_chunk::<CHECKSUM_BYTES>().ok_or(short)?;
        if xxh3_64(body).to_le_bytes() != *checksum {
            return Err(DecodeError::Checksum);
        }
        let mut reader = Self { rest: body, length: bytes.len() };
        let [_, found] = reader.take()?;
        if found != kind {
            return Err(DecodeError::Kind { found, expected: kind });
        }
        Ok(reader)
    }

    pub(crate) fn take<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let short = DecodeError::Short { found: self.length };
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(short)?;
        self.rest = rest;
        Ok(*taken)
    }

    fn bytes(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let short = DecodeError::Short { found: self.length };
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(short)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn unit(&mut self) -> Result<UnitId, DecodeError> {
        let number = u16::from_le_bytes(self.take()?);
        UnitId::new(number).ok_or(DecodeError::Unit(number))
    }

    fn number(&mut self) -> Result<u32, DecodeError> {
        Ok(u32::from_le_bytes(self.take()?))
    }

    /// Bytes with their length.
    pub(crate) fn body(&mut self, most: usize) -> Result<Vec<u8>, DecodeError> {
        let length = self.number()?;
        if length as usize > most {
            return Err(DecodeError::Body(length));
        }
        self.bytes(length as usize).map(<[u8]>::to_vec)
    }

    fn mark(&mut self) -> Result<Mark, DecodeError> {
        let epoch = Epoch(u64::from_le_bytes(self.take()?));
        Ok(Mark { epoch, number: u64::from_le_bytes(self.take()?) })
    }

    pub(crate) fn counted(&mut self, what: &'static str) -> Result<u64, DecodeError> {
        match u64::from_le_bytes(self.take()?) {
            0 => Err(DecodeError::Zero(what)),
            number => Ok(number),
        }
    }

    pub(crate) fn text(&mut self, what: &'static str, most: usize) -> Result<String, DecodeError> {
        let length = usize::from(u16::from_le_bytes(self.take()?));
        if length > most {
            return Err(DecodeError::Text(what));
        }
        let text = std::str::from_utf8(self.bytes(length)?).map_err(|_| DecodeError::Text(what))?;
        Ok(text.to_owned())
    }

    pub(crate) fn end(self) -> Result<(), DecodeError> {
        if self.rest.is_empty() { Ok(()) } else { Err(DecodeError::Trailing(self.rest.len())) }
    }
}
