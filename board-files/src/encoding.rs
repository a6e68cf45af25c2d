//! Bytes as text: UTF-8, UTF-16 with its mark, or Windows-1252 by default.

use std::borrow::Cow;

use crate::error::ReadError;

/// A file's text.
#[derive(Debug)]
pub(crate) struct Decoded<'a> {
    pub(crate) text: Cow<'a, str>,
    /// Nothing said so: it was no UTF-8.
    pub(crate) windows_1252: bool,
}

/// Decodes by the byte order mark; without one, UTF-8; failing that, and if
/// `lenient`, Windows-1252.
pub(crate) fn decode(bytes: &[u8], lenient: bool) -> Result<Decoded<'_>, ReadError> {
    let plain = |text| Decoded { text, windows_1252: false };
    match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => utf8(rest, 3).map(plain),
        [0xff, 0xfe, rest @ ..] => utf16(rest, "UTF-16LE", u16::from_le_bytes).map(plain),
        [0xfe, 0xff, rest @ ..] => utf16(rest, "UTF-16BE", u16::from_be_bytes).map(plain),
        _ => match utf8(bytes, 0) {
            Err(error) if lenient => windows_1252(bytes).ok_or(error),
            decoded => decoded.map(plain),
        },
    }
}

fn utf8(bytes: &[u8], before: usize) -> Result<Cow<'_, str>, ReadError> {
    std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|error| ReadError::NotText {
        byte: before + error.valid_up_to(),
        encoding: "UTF-8",
    })
}

fn utf16<'a>(
    bytes: &'a [u8],
    encoding: &'static str,
    unit: fn([u8; 2]) -> u16,
) -> Result<Cow<'a, str>, ReadError> {
    let not_text = |byte| ReadError::NotText { byte, encoding };
    if bytes.len() % 2 == 1 {
        return Err(not_text(bytes.len() + 1));
    }
    let units = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
    let mut text = String::with_capacity(bytes.len() / 2);
    for char in char::decode_utf16(units) {
        // A lone surrogate: two bytes a unit, three a unit in UTF-8, so the
        // length of the text says nothing; its place is counted again.
        let Ok(char) = char else {
            let units: usize = text.chars().map(char::len_utf16).sum();
            return Err(not_text(2 + 2 * units));
        };
        text.push(char);
    }
    Ok(Cow::Owned(text))
}

/// What 0x80 to 0x9F stand for (the WHATWG's index); the five that Windows
/// leaves undefined are none: such bytes are no text of a person.
const HIGH: [Option<char>; 32] = [
    Some('€'),
    None,
    Some('‚'),
    Some('ƒ'),
    Some('„'),
    Some('…'),
    Some('†'),
    Some('‡'),
    Some('ˆ'),
    Some('‰'),
    Some('Š'),
    Some('‹'),
    Some('Œ'),
    None,
    Some('Ž'),
    None,
    None,
    Some('‘'),
    Some('’'),
    Some('“'),
    Some('”'),
    Some('•'),
    Some('–'),
    Some('—'),
    Some('˜'),
    Some('™'),
    Some('š'),
    Some('›'),
    Some('œ'),
    None,
    Some('ž'),
    Some('Ÿ'),
];

/// What a byte stands for in Windows-1252.
pub(crate) fn windows_1252_char(byte: u8) -> Option<char> {
    match byte {
        0 => None,
        0x80..=0x9f => HIGH[usize::from(byte - 0x80)],
        byte => Some(char::from(byte)),
    }
}

fn windows_1252(bytes: &[u8]) -> Option<Decoded<'_>> {
    let text: Option<String> = bytes.iter().map(|byte| windows_1252_char(*byte)).collect();
    Some(Decoded { text: Cow::Owned(text?), windows_1252: true })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(bytes: &[u8]) -> Result<String, usize> {
        decode(bytes, true).map(|decoded| decoded.text.into_owned()).map_err(|error| match error {
            ReadError::NotText { byte, .. } => byte,
            other => panic!("{other}"),
        })
    }

    #[test]
    fn each_mark_is_believed() {
        assert_eq!(decoded(b"\xef\xbb\xbfGr\xc3\xb6\xc3\x9fe").as_deref(), Ok("Größe"));
        assert_eq!(decoded(b"\xff\xfe\xf6\x00\x3d\xd8\x00\xde").as_deref(), Ok("ö😀"));
        assert_eq!(decoded(b"\xfe\xff\x00\xf6").as_deref(), Ok("ö"));
        assert_eq!(decoded(b"Gr\xf6\xdfe \x80\x93").as_deref(), Ok("Größe €“"));
    }

    #[test]
    fn what_is_no_text_is_placed() {
        assert_eq!(decoded(b"\xef\xbb\xbfab\xff"), Err(5));
        assert_eq!(decoded(b"\xff\xfea\x00b"), Err(4));
        assert_eq!(decoded(b"\xff\xfea\x00\x00\xd8b\x00"), Err(4));
        assert_eq!(decoded(b"a\x81"), Err(1));
        assert!(decode(b"a\xf6", false).is_err());
    }
}
