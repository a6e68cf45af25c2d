//! What nodes say to all others: that they are there, and whom a unit is given to.
//!
//! ```text
//! beat   | version u8 | 3 u8 | instance u64 | clock, µs u64 | sessions u32 | leaving u8 | text node | text address | text QUIC | text home | count u16 | units | xxh3 u64 |
//! unit   | unit u16 | epoch u64 |
//! invite | version u8 | 4 u8 | unit u16 | text to | xxh3 u64 |
//! ```
//!
//! An invitation for the load's sake has a 5 in the place of the 4.

use desk_protocol::Time;

use crate::limits::{ADDRESS_BYTES_MAX, NODE_BYTES_MAX};
use crate::unit_id::{Epoch, UNITS, UnitId};
use crate::wire::{DecodeError, Reader, VERSION, sealed, text};

const BEAT: u8 = 3;
const INVITE: u8 = 4;
const INVITE_FOR_LOAD: u8 = 5;

/// A heartbeat.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Beat {
    /// The node's name.
    pub node: String,
    /// A random number of the process.
    pub instance: u64,
    /// The node's clock.
    pub clock: Time,
    /// Sessions that it serves.
    pub sessions: u32,
    /// Whether it gives its units away and takes none.
    pub is_leaving: bool,
    /// Its public address.
    pub advertise: String,
    /// Host and port of its QUIC; empty without.
    pub quic: String,
    /// The server that is nearest to the node.
    pub home: String,
    /// The units that it owns.
    pub units: Vec<(UnitId, Epoch)>,
}

/// Asks a node to take a unit that was given away.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Invite {
    /// The unit.
    pub unit: UnitId,
    /// The node.
    pub to: String,
    /// Whether it is to keep the unit although the unit falls to another: that one has more
    /// to do.
    pub is_for_load: bool,
}

impl Beat {
    /// The bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION, BEAT];
        out.extend_from_slice(&self.instance.to_le_bytes());
        out.extend_from_slice(&self.clock.0.to_le_bytes());
        out.extend_from_slice(&self.sessions.to_le_bytes());
        out.push(u8::from(self.is_leaving));
        text(&mut out, &self.node);
        text(&mut out, &self.advertise);
        text(&mut out, &self.quic);
        text(&mut out, &self.home);
        out.extend_from_slice(&(self.units.len() as u16).to_le_bytes());
        for (unit, epoch) in &self.units {
            out.extend_from_slice(&unit.number().to_le_bytes());
            out.extend_from_slice(&epoch.0.to_le_bytes());
        }
        sealed(out)
    }

    /// Reads what [`Beat::encode`] wrote.
    ///
    /// # Errors
    /// The bytes are something else.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::open(bytes, BEAT)?;
        let instance = u64::from_le_bytes(reader.take()?);
        let clock = Time(u64::from_le_bytes(reader.take()?));
        let sessions = u32::from_le_bytes(reader.take()?);
        let [is_leaving] = reader.take()?;
        let node = reader.text("node's name", NODE_BYTES_MAX)?;
        let advertise = reader.text("node's address", ADDRESS_BYTES_MAX)?;
        let quic = reader.text("QUIC address", ADDRESS_BYTES_MAX)?;
        let home = reader.text("server's name", NODE_BYTES_MAX)?;
        let count = u16::from_le_bytes(reader.take()?);
        if count > UNITS {
            return Err(DecodeError::Units(count));
        }
        let mut units = Vec::new();
        for _ in 0..count {
            units.push((reader.unit()?, Epoch(reader.counted("epoch")?)));
        }
        reader.end()?;
        let is_leaving = is_leaving != 0;
        Ok(Self { node, instance, clock, sessions, is_leaving, advertise, quic, home, units })
    }
}

impl Invite {
    /// The bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let kind = if self.is_for_load { INVITE_FOR_LOAD } else { INVITE };
        let mut out = vec![VERSION, kind];
        out.extend_from_slice(&self.unit.number().to_le_bytes());
        text(&mut out, &self.to);
        sealed(out)
    }

    /// Reads what [`Invite::encode`] wrote.
    ///
    /// # Errors
    /// The bytes are something else.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let is_for_load = bytes.get(1) == Some(&INVITE_FOR_LOAD);
        let kind = if is_for_load { INVITE_FOR_LOAD } else { INVITE };
        let mut reader = Reader::open(bytes, kind)?;
        let unit = reader.unit()?;
        let to = reader.text("node's name", NODE_BYTES_MAX)?;
        reader.end()?;
        Ok(Self { unit, to, is_for_load })
    }
}
