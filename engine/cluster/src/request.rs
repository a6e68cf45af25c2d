//! Requests and verdicts as bytes, as they stand in the queue's streams. All numbers are
//! little-endian.
//!
//! ```text
//! request | version u8 | 6 u8 | unit u16 | id u64 | made at, µs u64 | text sender | text what | body | xxh3 u64 |
//! verdict | version u8 | 7 u8 | id u64 | kind u8 | body | xxh3 u64 |
//! bell    | version u8 | 8 u8 | unit u16 | sequence u64 | xxh3 u64 |
//! body    | bytes u32 | bytes |
//! ```

use desk_protocol::Time;

use crate::limits::{NODE_BYTES_MAX, REQUEST_BYTES_MAX, WHAT_BYTES_MAX};
use crate::unit_id::UnitId;
use crate::wire::{DecodeError, Reader, VERSION, sealed, text};

const REQUEST: u8 = 6;
const VERDICT: u8 = 7;
const BELL: u8 = 8;

const ACKNOWLEDGED: u8 = 0;
const REFUSED: u8 = 1;
const GIVEN_UP: u8 = 2;

/// Something that the owner of a unit is asked to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// The unit.
    pub unit: UnitId,
    /// A random number that names the request.
    pub id: u64,
    /// When it was made, by the sender's clock.
    pub made_at: Time,
    /// The node that is told what becomes of it.
    pub sender: String,
    /// What it is, in a word for people.
    pub what: String,
    /// What it says to the owner.
    pub body: Vec<u8>,
}

/// What became of a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It is done.
    Acknowledged(Vec<u8>),
    /// It is not done, and asking again would not help.
    Refused(Vec<u8>),
    /// Nobody tries any more. Why, for people.
    GivenUp(String),
}

/// The verdict on the request of that id.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Told {
    /// The request's.
    pub id: u64,
    /// What became of it.
    pub verdict: Verdict,
}

/// Says to all that the stream has one more request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bell {
    /// For the owner of this unit.
    pub unit: UnitId,
    /// With this sequence.
    pub sequence: u64,
}

impl Request {
    /// The bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION, REQUEST];
        out.extend_from_slice(&self.unit.number().to_le_bytes());
        out.extend_from_slice(&self.id.to_le_bytes());
        out.extend_from_slice(&self.made_at.0.to_le_bytes());
        text(&mut out, &self.sender);
        text(&mut out, &self.what);
        body(&mut out, &self.body);
        sealed(out)
    }

    /// Reads what [`Request::encode`] wrote.
    ///
    /// # Errors
    /// The bytes are something else.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::open(bytes, REQUEST)?;
        let unit = reader.unit()?;
        let id = u64::from_le_bytes(reader.take()?);
        let made_at = Time(u64::from_le_bytes(reader.take()?));
        let sender = reader.text("sender's name", NODE_BYTES_MAX)?;
        let what = reader.text("name of a request", WHAT_BYTES_MAX)?;
        let body = reader.body(REQUEST_BYTES_MAX)?;
        reader.end()?;
        Ok(Self { unit, id, made_at, sender, what, body })
    }
}

impl Told {
    /// The bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION, VERDICT];
        out.extend_from_slice(&self.id.to_le_bytes());
        let (kind, said) = match &self.verdict {
            Verdict::Acknowledged(said) => (ACKNOWLEDGED, said.as_slice()),
            Verdict::Refused(said) => (REFUSED, said.as_slice()),
            Verdict::GivenUp(why) => (GIVEN_UP, why.as_bytes()),
        };
        out.push(kind);
        body(&mut out, said);
        sealed(out)
    }

    /// Reads what [`Told::encode`] wrote.
    ///
    /// # Errors
    /// The bytes are something else.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::open(bytes, VERDICT)?;
        let id = u64::from_le_bytes(reader.take()?);
        let [kind] = reader.take()?;
        let said = reader.body(REQUEST_BYTES_MAX)?;
        reader.end()?;
        let verdict = match kind {
            ACKNOWLEDGED => Verdict::Acknowledged(said),
            REFUSED => Verdict::Refused(said),
            GIVEN_UP => {
                let why = String::from_utf8(said).map_err(|_| DecodeError::Text("reason"))?;
                Verdict::GivenUp(why)
            }
            other => return Err(DecodeError::Verdict(other)),
        };
        Ok(Self { id, verdict })
    }
}

impl Bell {
    /// The bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION, BELL];
        out.extend_from_slice(&self.unit.number().to_le_bytes());
        out.extend_from_slice(&self.sequence.to_le_bytes());
        sealed(out)
    }

    /// Reads what [`Bell::encode`] wrote.
    ///
    /// # Errors
    /// The bytes are something else.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::open(bytes, BELL)?;
        let unit = reader.unit()?;
        let sequence = reader.counted("sequence")?;
        reader.end()?;
        Ok(Self { unit, sequence })
    }
}

fn body(out: &mut Vec<u8>, body: &[u8]) {
    out.extend_from_slice(&(body.len() as u32).to_le_bytes());
    out.extend_from_slice(body);
}
