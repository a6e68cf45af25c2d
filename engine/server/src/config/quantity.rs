//! Durations and sizes as people write them: `7d`, `15m`, `4GiB`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

/// A text is no duration or size.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum QuantityError {
    /// It does not begin with a number.
    #[error("expected a number and a unit, like {example}")]
    Number {
        /// A good one.
        example: &'static str,
    },
    /// The unit is unknown.
    #[error("unknown unit {unit:?}; expected one of {known}")]
    Unit {
        /// What was found.
        unit: String,
        /// What would do.
        known: &'static str,
    },
    /// It does not fit.
    #[error("the value is too large")]
    TooLarge,
}

/// A length of time: a whole number and `ms`, `s`, `m`, `h`, `d` or `w`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Span(pub(crate) Duration);

/// An amount of bytes: a whole number and `B`, `KiB`, `MiB`, `GiB`, `TiB`, or
/// `KB`, `MB`, `GB`, `TB`; without a unit, bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Bytes(pub(crate) u64);

fn split(text: &str, example: &'static str) -> Result<(u64, String), QuantityError> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    if digits == 0 {
        return Err(QuantityError::Number { example });
    }
    let number = text[..digits].parse().map_err(|_| QuantityError::TooLarge)?;
    Ok((number, text[digits..].trim().to_ascii_lowercase()))
}

impl FromStr for Span {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let (number, unit) = split(text, "15m or 7d")?;
        let unit_ms = match unit.as_str() {
            "ms" => 1,
            "s" => 1_000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 604_800_000,
            _ => return Err(QuantityError::Unit { unit, known: "ms, s, m, h, d, w" }),
        };
        number
            .checked_mul(unit_ms)
            .map(|ms| Self(Duration::from_millis(ms)))
            .ok_or(QuantityError::TooLarge)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0.as_millis();
        // No weeks: a lifetime of seven days is written as it is talked of.
        let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")];
        for (unit_ms, unit) in units {
            if ms != 0 && ms.is_multiple_of(unit_ms) {
                return write!(f, "{}{unit}", ms / unit_ms);
            }
        }
        write!(f, "{ms}ms")
    }
}

impl FromStr for Bytes {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let (number, unit) = split(text, "512MiB or 4GiB")?;
        let unit_bytes: u64 = match unit.as_str() {
            "" | "b" => 1,
            "kib" | "k" => 1 << 10,
            "mib" | "m" => 1 << 20,
            "gib" | "g" => 1 << 30,
            "tib" | "t" => 1 << 40,
            "kb" => 1_000,
            "mb" => 1_000_000,
            "gb" => 1_000_000_000,
            "tb" => 1_000_000_000_000,
            _ => {
                return Err(QuantityError::Unit {
                    unit,
                    known: "B, KiB, MiB, GiB, TiB, KB, MB, GB",
                });
            }
        };
        number.checked_mul(unit_bytes).map(Self).ok_or(QuantityError::TooLarge)
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (shift, unit) in [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")] {
            if self.0 != 0 && self.0.is_multiple_of(1 << shift) {
                return write!(f, "{}{unit}", self.0 >> shift);
            }
        }
        write!(f, "{}B", self.0)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(u64),
            Text(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Number(bytes) => Ok(Self(bytes)),
            Written::Text(text) => text.parse().map_err(de::Error::custom),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_sizes_read_and_show() {
        for (text, seconds) in [("7d", 604_800), ("15m", 900), ("90 s", 90), ("1w", 604_800)] {
            assert_eq!(text.parse::<Span>().unwrap().0, Duration::from_secs(seconds), "{text}");
        }
        for (text, bytes) in
            [("4GiB", 4 << 30), ("17", 17), ("64 mib", 64 << 20), ("2MB", 2_000_000)]
        {
            assert_eq!(text.parse::<Bytes>().unwrap().0, bytes, "{text}");
        }
        for shown in ["7d", "15m", "90s", "2h", "250ms"] {
            assert_eq!(shown.parse::<Span>().unwrap().to_string(), shown);
        }
        for shown in ["4GiB", "17B", "1536KiB"] {
            assert_eq!(shown.parse::<Bytes>().unwrap().to_string(), shown);
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert!(matches!("week".parse::<Span>(), Err(QuantityError::Number { .. })));
        assert!(matches!("7x".parse::<Span>(), Err(QuantityError::Unit { .. })));
        assert!(matches!("-1d".parse::<Span>(), Err(QuantityError::Number { .. })));
        assert_eq!("99999999999999999999d".parse::<Span>(), Err(QuantityError::TooLarge));
        assert_eq!("99999999999TiB".parse::<Bytes>(), Err(QuantityError::TooLarge));
    }
}
