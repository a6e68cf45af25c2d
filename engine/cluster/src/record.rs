//! What the owner of a unit appends, as bytes.

use std::fmt;

use desk_protocol::Time;
use xxhash_rust::xxh3::xxh3_64;

/// What a record belongs to: the store's key of a desk. `Debug` shows a short hash,
/// because a key may be the secret that opens what it names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub [u8; 16]);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key#{:08x}", xxh3_64(&self.0) as u32)
    }
}

/// One record of one key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// The key.
    pub key: Key,
    /// Its number among the key's records, from 1 without gaps. The end of a key takes
    /// the number after the key's last.
    pub sequence: u64,
    /// From when on nobody can ask for what it says.
    pub expires_at: Time,
    /// What it says.
    pub what: What,
}

/// What a record says.
#[derive(Clone, PartialEq, Eq)]
pub enum What {
    /// An entry of the key's journal. The cluster does not look into it.
    Entry(Vec<u8>),
    /// The key is dropped for good.
    Forget,
    /// A piece of the key's state at this sequence. A state of no bytes says that the key
    /// was dropped.
    Piece {
        /// Where in the state it begins, in bytes.
        at: u32,
        /// The length of the state, in bytes.
        total: u32,
        /// The piece.
        bytes: Vec<u8>,
    },
}

impl fmt::Debug for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entry(bytes) => write!(f, "Entry({} bytes)", bytes.len()),
            Self::Forget => f.write_str("Forget"),
            Self::Piece { at, total, bytes } => {
                write!(f, "Piece({} bytes at {at} of {total})", bytes.len())
            }
        }
    }
}
