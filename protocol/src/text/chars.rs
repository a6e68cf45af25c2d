//! Characters of a text: Unicode scalar values.

/// Length of an inserted text. Frames bound it far below `u32::MAX`.
pub(super) fn count(text: &str) -> u32 {
    u32::try_from(text.chars().count()).unwrap_or(u32::MAX)
}

/// Byte offset of character `n`, or of the end; `None` past the end.
pub(super) fn byte_of_char(text: &str, n: u32) -> Option<usize> {
    let n = n as usize;
    // Plain ASCII up to there: characters are bytes.
    if let Some(head) = text.as_bytes().get(..n)
        && head.is_ascii()
    {
        return Some(n);
    }
    let mut chars = text.char_indices();
    for _ in 0..n {
        chars.next()?;
    }
    Some(text.len() - chars.as_str().len())
}

/// The first `n` characters, or all if there are fewer; and how many they are.
pub(super) fn prefix(text: &str, n: u32) -> (&str, u32) {
    match byte_of_char(text, n) {
        Some(end) => (&text[..end], n),
        None => (text, count(text)),
    }
}
