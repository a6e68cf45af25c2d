//! Identifiers: what each one names, its width, and its written form.
//!
//! Written identifiers are Crockford base32: the number, most significant digit
//! first, so that the first digits of a link sort by the desk's creation.
//! Reading is lenient as Crockford asks: case is ignored, `O` reads as `0`,
//! `I` and `L` as `1`.

use std::fmt;
use std::str::FromStr;

const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Why a written identifier was not understood.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ParseIdError {
    /// The number of characters is wrong.
    #[error("expected {expected} characters, found {found}")]
    Length {
        /// How many characters this kind of identifier has.
        expected: usize,
        /// How many there were (bytes, when not ASCII).
        found: usize,
    },
    /// A character is no Crockford base32 digit.
    #[error("character {position} is not a Crockford base32 digit")]
    Digit {
        /// Position of the first such byte, from 0.
        position: usize,
    },
    /// The digits say a number that does not fit.
    #[error("the identifier is too large a number")]
    Overflow,
}

fn encode(mut number: u128, digits: usize, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut buffer = [0u8; 26];
    for slot in buffer[..digits].iter_mut().rev() {
        *slot = DIGITS[(number & 31) as usize];
        number >>= 5;
    }
    out.write_str(std::str::from_utf8(&buffer[..digits]).expect("digits are ASCII"))
}

fn decode(text: &str, digits: usize, bits: u32) -> Result<u128, ParseIdError> {
    let bytes = text.as_bytes();
    if bytes.len() != digits {
        return Err(ParseIdError::Length { expected: digits, found: bytes.len() });
    }
    let mut number = 0u128;
    for (position, byte) in bytes.iter().enumerate() {
        let upper = match byte.to_ascii_uppercase() {
            b'O' => b'0',
            b'I' | b'L' => b'1',
            other => other,
        };
        let digit =
            DIGITS.iter().position(|&d| d == upper).ok_or(ParseIdError::Digit { position })?;
        if number >> (bits - 5) != 0 {
            return Err(ParseIdError::Overflow);
        }
        number = number << 5 | digit as u128;
    }
    Ok(number)
}

macro_rules! written_id {
    ($(#[$doc:meta])* $name:ident, $repr:ty, $digits:literal, $bits:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub $repr);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                encode(u128::from(self.0), $digits, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                decode(text, $digits, $bits).map(|number| Self(number as $repr))
            }
        }
    };
}

written_id! {
    /// A sticker of one desk: 64 random bits, 13 characters.
    StickerId, u64, 13, 64
}

written_id! {
    /// A link to a desk: the desk's creation second (32 bits), then 96 random
    /// bits; 26 characters. The edit link given out at creation is also the
    /// desk's storage key.
    LinkId, u128, 26, 128
}

written_id! {
    /// One client of one desk: 128 random bits; 26 characters.
    ClientId, u128, 26, 128
}

impl LinkId {
    /// A link of a desk created in `second`, with the low 96 bits of `random`.
    pub const fn new(created_second: u32, random: u128) -> Self {
        Self((created_second as u128) << 96 | (random & ((1 << 96) - 1)))
    }

    /// The second, since the Unix epoch, in which the desk was created.
    pub const fn created_second(self) -> u32 {
        (self.0 >> 96) as u32
    }

    /// Big-endian bytes: the store's key.
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// The link that [`LinkId::to_bytes`] wrote.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }
}

impl ClientId {
    /// Big-endian bytes.
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// The client that [`ClientId::to_bytes`] wrote.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }
}

/// Counts the accepted batches of a desk; a new desk stands at 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Revision(pub u64);

impl Revision {
    /// The revision of the next accepted batch.
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number of a batch in its client's own order: 1, 2, 3 without gaps.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct ClientSeq(pub u64);

impl ClientSeq {
    /// The number after this one.
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for ClientSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A client as the others of its desk see it: a small number, from 1, that
/// grants nothing. 0 is the desk itself (initial content).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Author(pub u32);

impl fmt::Display for Author {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identity_1_ids_round_trip_and_read_leniently() {
        for number in [0, 1, 31, 32, u64::MAX, 0x0123_4567_89ab_cdef] {
            let id = StickerId(number);
            assert_eq!(id.to_string().len(), 13);
            assert_eq!(id.to_string().parse(), Ok(id));
            assert_eq!(id.to_string().to_lowercase().parse(), Ok(id));
        }
        let link = LinkId::new(1_700_000_000, u128::MAX);
        assert_eq!(link.created_second(), 1_700_000_000);
        assert_eq!(link.to_string().parse(), Ok(link));
        assert_eq!(LinkId::from_bytes(link.to_bytes()), link);
        assert_eq!("OiL0000000000".parse::<StickerId>(), "0110000000000".parse());
    }

    #[test]
    fn identity_1_bad_ids_say_what_is_wrong() {
        let parse = |text: &str| text.parse::<StickerId>().unwrap_err();
        assert_eq!(parse("abc"), ParseIdError::Length { expected: 13, found: 3 });
        assert_eq!(parse("00000000000U0"), ParseIdError::Digit { position: 11 });
        assert_eq!(parse("ZZZZZZZZZZZZZ"), ParseIdError::Overflow);
        assert_eq!("ZZZZZZZZZZZZZZZZZZZZZZZZZZ".parse::<LinkId>(), Err(ParseIdError::Overflow));
    }
}
