//! Decompression of lz-string (P. Le Couteur's, the form `compressToBase64`), as
//! tldraw's clipboard has it.
//!
//! Every entry of the format's dictionary is a part of the output that is already
//! there, so an entry is a place and a length, and the only memory that grows is
//! the output, which is bounded.

/// Why a part cannot be decompressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LzError {
    /// Not what the compression writes.
    Malformed,
    /// It would be longer than the bound.
    TooLong,
}

/// The text, if it has at most `units_max` UTF-16 code units.
pub(crate) fn decompress_base64(input: &str, units_max: usize) -> Result<String, LzError> {
    let mut bits = Bits { input: input.as_bytes(), byte: 0, left: 0 };
    let mut output: Vec<u16> = Vec::new();
    // The first three codes are no entries but say what follows.
    let mut entries: Vec<(usize, usize)> = vec![(0, 0); 3];
    let mut width: u32 = 2;
    let mut previous: Option<(usize, usize)> = None;
    loop {
        let code = bits.take(width)? as usize;
        let start = output.len();
        let entry = match code {
            0 | 1 => {
                let unit = bits.take(if code == 0 { 8 } else { 16 })?;
                push(&mut output, unit as u16, units_max)?;
                entries.push((start, 1));
                (start, 1)
            }
            2 => return String::from_utf16(&output).map_err(|_| LzError::Malformed),
            code => {
                let known = entries.get(code).copied();
                let (from, length) = match (known, previous) {
                    (Some(known), _) => known,
                    // The entry that is about to be made: the previous one and its
                    // own first unit again.
                    (None, Some((from, length))) if code == entries.len() => (from, length + 1),
                    _ => return Err(LzError::Malformed),
                };
                if start + length > units_max {
                    return Err(LzError::TooLong);
                }
                for at in from..from + length {
                    // The last unit may be the first that this loop wrote.
                    let unit = *output.get(at).ok_or(LzError::Malformed)?;
                    output.push(unit);
                }
                (start, length)
            }
        };
        if let Some((from, length)) = previous {
            // The previous output and the first unit of this one stand side by side.
            entries.push((from, length + 1));
        }
        // Codes are as wide as the largest that may come next.
        while entries.len() >= 1 << width {
            width += 1;
        }
        previous = Some(entry);
    }
}

fn push(output: &mut Vec<u16>, unit: u16, units_max: usize) -> Result<(), LzError> {
    if output.len() == units_max {
        return Err(LzError::TooLong);
    }
    output.push(unit);
    Ok(())
}

/// The bits of base64 digits, from each digit's highest; a code's lowest first.
struct Bits<'a> {
    input: &'a [u8],
    byte: u8,
    left: u32,
}

impl Bits<'_> {
    fn take(&mut self, count: u32) -> Result<u32, LzError> {
        if count > 32 {
            return Err(LzError::Malformed);
        }
        let mut value = 0;
        for at in 0..count {
            if self.left == 0 {
                let (first, rest) = self.input.split_first().ok_or(LzError::Malformed)?;
                self.byte = digit(*first)?;
                self.input = rest;
                self.left = 6;
            }
            self.left -= 1;
            value |= u32::from(self.byte >> self.left & 1) << at;
        }
        Ok(value)
    }
}

fn digit(byte: u8) -> Result<u8, LzError> {
    match byte {
        b'A'..=b'Z' => Ok(byte - b'A'),
        b'a'..=b'z' => Ok(byte - b'a' + 26),
        b'0'..=b'9' => Ok(byte - b'0' + 52),
        b'+' => Ok(62),
        b'/' => Ok(63),
        b'=' => Ok(0),
        _ => Err(LzError::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn compressed(text: &str) -> String {
        lz_str::compress_to_base64(text)
    }

    #[test]
    fn a_part_that_would_grow_without_end_is_refused() {
        let long = "a".repeat(1 << 16);
        let small = compressed(&long);
        assert!(small.len() < 4_000, "{}", small.len());
        assert_eq!(decompress_base64(&small, 1 << 16), Ok(long));
        assert_eq!(decompress_base64(&small, (1 << 16) - 1), Err(LzError::TooLong));
    }

    #[test]
    fn what_is_cut_or_never_was_compressed_is_malformed() {
        let whole = compressed("Book the hall, book the tent, book the band");
        for end in 0..whole.trim_end_matches('=').len() - 1 {
            assert_eq!(decompress_base64(&whole[..end], 1_000), Err(LzError::Malformed), "{end}");
        }
        assert_eq!(decompress_base64("%%", 1_000), Err(LzError::Malformed));
    }

    proptest! {
        #[test]
        fn what_others_compressed_comes_back(text in "[ab]{0,400}|\\PC{0,60}|[ -~\u{e4}\u{1f388}]{0,200}") {
            prop_assert_eq!(decompress_base64(&compressed(&text), 100_000), Ok(text));
        }

        #[test]
        fn any_digits_end(digits in "[A-Za-z0-9+/]{0,300}") {
            let _ = decompress_base64(&digits, 10_000);
        }
    }
}
