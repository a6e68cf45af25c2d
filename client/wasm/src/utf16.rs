//! Offsets into a text: the browser counts UTF-16 units, the core characters.

/// The character offset of a JavaScript string offset (in UTF-16 units); one
/// inside a surrogate pair counts as before it, one past the end as the end.
pub(crate) fn from_utf16(text: &str, offset: usize) -> u32 {
    let mut units = 0;
    let before = text.chars().take_while(|character| {
        units += character.len_utf16();
        units <= offset
    });
    u32::try_from(before.count()).expect("a text field holds fewer than 2^32 characters")
}

/// The JavaScript string offset of a character offset.
pub(crate) fn to_utf16(text: &str, offset: u32) -> usize {
    text.chars().take(offset as usize).map(char::len_utf16).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_count_surrogate_pairs() {
        let text = "a😀b";
        assert_eq!([0, 1, 2, 3, 4, 9].map(|at| from_utf16(text, at)), [0, 1, 1, 2, 3, 3]);
        assert_eq!([0, 1, 2, 3, 4].map(|at| to_utf16(text, at)), [0, 1, 3, 4, 4]);
    }
}
