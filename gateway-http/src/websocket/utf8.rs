//! Validation of UTF-8 that arrives in parts.

/// Tells an ill-formed text at its first wrong byte, however it is cut.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Utf8Validator {
    /// The beginning of a scalar value whose rest is still to come.
    pending: [u8; 4],
    pending_len: u8,
}

/// The text so far cannot be the beginning of well-formed UTF-8.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct IllFormed;

impl Utf8Validator {
    /// Takes the next part.
    pub(crate) fn push(&mut self, mut bytes: &[u8]) -> Result<(), IllFormed> {
        while self.pending_len > 0 {
            let Some((&byte, rest)) = bytes.split_first() else { return Ok(()) };
            bytes = rest;
            self.pending[usize::from(self.pending_len)] = byte;
            self.pending_len += 1;
            match std::str::from_utf8(&self.pending[..usize::from(self.pending_len)]) {
                Ok(_) => self.pending_len = 0,
                Err(error) if error.error_len().is_some() => return Err(IllFormed),
                Err(_) => {}
            }
        }
        let Err(error) = std::str::from_utf8(bytes) else { return Ok(()) };
        if error.error_len().is_some() {
            return Err(IllFormed);
        }
        let tail = &bytes[error.valid_up_to()..];
        self.pending[..tail.len()].copy_from_slice(tail);
        self.pending_len = tail.len() as u8;
        Ok(())
    }

    /// Ends the text; an unfinished scalar value is ill-formed. Ready for the
    /// next text afterwards.
    pub(crate) fn finish(&mut self) -> Result<(), IllFormed> {
        if std::mem::take(&mut self.pending_len) == 0 { Ok(()) } else { Err(IllFormed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn in_parts(bytes: &[u8], cut: usize) -> bool {
        let mut validator = Utf8Validator::default();
        bytes.chunks(cut).all(|part| validator.push(part).is_ok()) && validator.finish().is_ok()
    }

    #[test]
    fn wrong_bytes_are_told_at_once() {
        for (good, bad) in [
            (&b"\xce\xba"[..], 0xf9),
            (b"\xf4", 0x90),
            (b"\xed", 0xa0),
            (b"\xe0", 0x80),
            (b"\xf0", 0x8f),
            (b"", 0xc0),
            (b"a", 0x80),
        ] {
            let mut validator = Utf8Validator::default();
            for byte in good {
                assert_eq!(validator.push(&[*byte]), Ok(()));
            }
            assert_eq!(validator.push(&[bad]), Err(IllFormed), "{good:x?} {bad:x}");
        }
    }

    proptest! {
        #[test]
        fn cutting_changes_nothing(text in "\\PC{0,40}", noise in prop::collection::vec(any::<u8>(), 0..3), at in 0usize..60, cut in 1usize..7) {
            let mut bytes = text.into_bytes();
            let at = at.min(bytes.len());
            bytes.splice(at..at, noise);
            prop_assert_eq!(in_parts(&bytes, cut), std::str::from_utf8(&bytes).is_ok());
        }
    }
}
