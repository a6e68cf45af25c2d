//! Identifiers: what each one names, its width, and its written form.
//!
//! Written identifiers are Crockford base32: the number, most significant digit
//! first, so that the first digits of a link sort by the desk's creation.
//! Reading is lenient as Crockford asks: case is ignored, `O` reads as `0`,
//! `I` and `L` as `1`.

use std::fmt;
use std::str::FromStr;

const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// What each byte stands for as a digit.
const VALUES: [u8; 256] = {
    let mut values = [NO_DIGIT; 256];
    let mut digit = 0;
    while digit < DIGITS.len() {
        values[DIGITS[digit] as usize] = digit as u8;
        values[DIGITS[digit].to_ascii_lowercase() as usize] = digit as u8;
        digit += 1;
    }
    values[b'O' as usize] = 0;
    values[b'o' as usize] = 0;
    values[b'I' as usize] = 1;
    values[b'i' as usize] = 1;
    values[b'L' as usize] = 1;
    values[b'l' as usize] = 1;
    values
};

const NO_DIGIT: u8 = 255;

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
    #[error(
        "character {position} is not a Crockford base32 digit: those are 0 to 9 and A to Z \
         without U"
    )]
    Digit {
        /// Position of the first such byte, from 1.
        position: usize,
    },
    /// The characters have more bits than the identifier, so not every digit may come
    /// first.
    #[error("the first of the {digits} characters is 0 to {most}: an id has {bits} bits")]
    Overflow {
        /// How many characters this kind of identifier has.
        digits: usize,
        /// How many bits.
        bits: u32,
        /// The largest digit that may come first.
        most: char,
    },
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
        let digit = VALUES[usize::from(*byte)];
        if digit == NO_DIGIT {
            return Err(ParseIdError::Digit { position: position + 1 });
        }
        if number >> (bits - 5) != 0 {
            let others = 5 * (digits as u32 - 1);
            let most = char::from(DIGITS[(1 << (bits - others)) - 1]);
            return Err(ParseIdError::Overflow { digits, bits, most });
        }
        number = number << 5 | u128::from(digit);
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

    /// The link that a text begins with. Mail and chat hang a full stop, a bracket or a
    /// slash on it: what stands behind it is ignored, unless it goes on like an id.
    ///
    /// # Errors
    /// [`ParseIdError`] if the text does not begin with a link.
    pub fn leading(text: &str) -> Result<Self, ParseIdError> {
        let end = text.find(|char: char| !char.is_ascii_alphanumeric()).unwrap_or(text.len());
        text[..end].parse()
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
    /// Stands in commits that are no batch of a client: imports.
    pub const NONE: Self = Self(0);

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
        assert_eq!(parse("00000000000U0"), ParseIdError::Digit { position: 12 });
        let says = "the first of the 13 characters is 0 to F: an id has 64 bits";
        assert_eq!(parse("G000000000000").to_string(), says);
        assert_eq!("F000000000000".parse(), Ok(StickerId(0xf << 60)));
        let link = "8".to_owned() + &"0".repeat(25);
        let says = "the first of the 26 characters is 0 to 7: an id has 128 bits";
        assert_eq!(link.parse::<LinkId>().unwrap_err().to_string(), says);
    }

    #[test]
    fn identity_3_what_stands_behind_a_link_is_ignored() {
        let id = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
        let link = id.parse();
        for behind in ["", ".", ")", "/", "/?utm=x", ">,", "\u{201d}", "%E2%80%9D"] {
            assert_eq!(LinkId::leading(&format!("{id}{behind}")), link, "{behind}");
        }
        let longer = LinkId::leading(&format!("{id}0"));
        assert_eq!(longer, Err(ParseIdError::Length { expected: 26, found: 27 }));
        assert_eq!(LinkId::leading("x."), Err(ParseIdError::Length { expected: 26, found: 1 }));
        assert_eq!(LinkId::leading("é"), Err(ParseIdError::Length { expected: 26, found: 0 }));
    }
}
