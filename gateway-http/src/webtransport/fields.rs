//! Header fields of HTTP/3 (QPACK, RFC 9204), without a dynamic table.
//!
//! The settings allow none, so a peer that refers to one breaks the rules.

use super::huffman;
use crate::limits::CONNECT_BYTES_MAX;

/// What a field costs besides its name and value (RFC 9114, section 4.2.2).
const FIELD_BYTES: usize = 32;

/// Entries of the static table that a request for a session may refer to. A reference to
/// any other is a field of no interest here.
const STATIC: [(usize, &str, &str); 11] = [
    (0, ":authority", ""),
    (1, ":path", "/"),
    (15, ":method", "CONNECT"),
    (17, ":method", "GET"),
    (18, ":method", "HEAD"),
    (19, ":method", "OPTIONS"),
    (20, ":method", "POST"),
    (22, ":scheme", "http"),
    (23, ":scheme", "https"),
    (24, ":status", "103"),
    (90, "origin", ""),
];

/// The place of `:status` in the static table.
const STATUS: usize = 24;

/// Entries of the static table.
const STATIC_ENTRIES: usize = 99;

/// Bytes that are no header fields, or too many.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FieldsError {
    /// They end amid a field.
    #[error("the header fields end too early")]
    Cut,
    /// They refer to a table that this server does not keep.
    #[error("the header fields refer to a dynamic table, and none is allowed")]
    Dynamic,
    /// They refer to an entry that the static table does not have.
    #[error("the header fields refer to entry {0}, the static table has {STATIC_ENTRIES}")]
    NoEntry(usize),
    /// A text is not in the code, or not UTF-8.
    #[error("a header field is no text")]
    Text,
    /// Decoded they are longer than they may be.
    #[error("the header fields take more than {CONNECT_BYTES_MAX} bytes")]
    TooLong,
}

/// Header fields, the first of each name.
#[derive(Debug, Default)]
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads a whole section.
    pub(super) fn read(section: &[u8]) -> Result<Self, FieldsError> {
        let mut bytes = Reader { rest: section, room: CONNECT_BYTES_MAX };
        let first = bytes.byte()?;
        if bytes.integer(first, 8)? != 0 {
            return Err(FieldsError::Dynamic);
        }
        let first = bytes.byte()?;
        bytes.integer(first, 7)?;
        let mut fields = Vec::new();
        while !bytes.rest.is_empty() {
            bytes.spend(FIELD_BYTES)?;
            let first = bytes.byte()?;
            let (name, value) = match first {
                // An entry of the static table.
                0xc0.. => {
                    let (name, value) = entry(bytes.integer(first, 6)?)?;
                    (name.to_owned(), value.to_owned())
                }
                // A name of the static table, and a value.
                first if first & 0xd0 == 0x50 => {
                    let (name, _) = entry(bytes.integer(first, 4)?)?;
                    (name.to_owned(), bytes.value()?)
                }
                // Both as texts.
                first if first & 0xe0 == 0x20 => {
                    let length = bytes.integer(first, 3)?;
                    (bytes.text(length, first & 0x08 != 0)?, bytes.value()?)
                }
                _ => return Err(FieldsError::Dynamic),
            };
            bytes.spend(name.len() + value.len())?;
            fields.push((name, value));
        }
        Ok(Self(fields))
    }

    /// The value of a field.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }
}

fn entry(place: usize) -> Result<(&'static str, &'static str), FieldsError> {
    let known = STATIC.iter().find(|(at, ..)| *at == place);
    match known {
        Some((_, name, value)) => Ok((name, value)),
        None if place < STATIC_ENTRIES => Ok(("", "")),
        None => Err(FieldsError::NoEntry(place)),
    }
}

/// What is left of a section, and of what it may take decoded.
struct Reader<'b> {
    rest: &'b [u8],
    room: usize,
}

impl Reader<'_> {
    fn spend(&mut self, bytes: usize) -> Result<(), FieldsError> {
        self.room = self.room.checked_sub(bytes).ok_or(FieldsError::TooLong)?;
        Ok(())
    }

    fn byte(&mut self) -> Result<u8, FieldsError> {
        let (byte, rest) = self.rest.split_first().ok_or(FieldsError::Cut)?;
        self.rest = rest;
        Ok(*byte)
    }

    /// An integer that begins in the lowest `bits` of `first` (RFC 7541, section 5.1).
    fn integer(&mut self, first: u8, bits: u32) -> Result<usize, FieldsError> {
        let most = (1_usize << bits) - 1;
        let mut value = usize::from(first) & most;
        if value < most {
            return Ok(value);
        }
        // Three more bytes are 2 MiB: past all that is allowed.
        for shift in [0, 7, 14] {
            let byte = self.byte()?;
            value += usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(FieldsError::TooLong)
    }

    fn value(&mut self) -> Result<String, FieldsError> {
        let first = self.byte()?;
        let length = self.integer(first, 7)?;
        self.text(length, first & 0x80 != 0)
    }

    fn text(&mut self, length: usize, coded: bool) -> Result<String, FieldsError> {
        let (text, rest) = self.rest.split_at_checked(length).ok_or(FieldsError::Cut)?;
        self.rest = rest;
        let text = match coded {
            true => huffman::decode(text, self.room).ok_or(FieldsError::Text)?,
            false => text.to_vec(),
        };
        String::from_utf8(text).map_err(|_| FieldsError::Text)
    }
}

/// Writes the section of an answer: the status, and further fields.
pub(super) fn write(status: u16, fields: &[(&str, &str)]) -> Vec<u8> {
    let mut out = vec![0, 0];
    integer(STATUS, 0x50, 4, &mut out);
    text(&status.to_string(), 0, 7, &mut out);
    append(fields, &mut out);
    out
}

/// Writes the section of a request.
pub(super) fn write_request(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut out = vec![0, 0];
    append(fields, &mut out);
    out
}

fn append(fields: &[(&str, &str)], out: &mut Vec<u8>) {
    for (name, value) in fields {
        text(name, 0x20, 3, out);
        text(value, 0, 7, out);
    }
}

fn text(text: &str, flags: u8, bits: u32, out: &mut Vec<u8>) {
    integer(text.len(), flags, bits, out);
    out.extend_from_slice(text.as_bytes());
}

fn integer(value: usize, flags: u8, bits: u32, out: &mut Vec<u8>) {
    let most = (1 << bits) - 1;
    if value < most {
        return out.push(flags | value as u8);
    }
    out.push(flags | most as u8);
    let mut rest = value - most;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let long = "x".repeat(300);
        let section = write(421, &[("wt-protocol", "\"a\""), ("other", &long)]);
        let fields = Fields::read(&section).unwrap();
        assert_eq!(fields.get(":status"), Some("421"));
        assert_eq!(fields.get("wt-protocol"), Some("\"a\""));
        assert_eq!(fields.get("other"), Some(&*long));
        for cut in 0..section.len() {
            // Cut between two fields it is a shorter section.
            let _ = Fields::read(&section[..cut]);
        }
    }

    #[test]
    fn entries_and_coded_texts_are_read() {
        // :method CONNECT, :scheme https, :path with a coded value, an entry of no interest.
        let section = [0, 0, 0xcf, 0xd7, 0x51, 0x82, 0x64, 0x02, 0xdd];
        let fields = Fields::read(&section).unwrap();
        assert_eq!(fields.get(":method"), Some("CONNECT"));
        assert_eq!(fields.get(":scheme"), Some("https"));
        assert_eq!(fields.get(":path"), Some("302"));
        assert_eq!(fields.get("accept"), None);
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (section, error) in [
            (&[][..], FieldsError::Cut),
            (&[1, 0], FieldsError::Dynamic),
            (&[0, 0, 0x80], FieldsError::Dynamic),
            (&[0, 0, 0x10], FieldsError::Dynamic),
            (&[0, 0, 0x40, 0], FieldsError::Dynamic),
            (&[0, 0, 0xff, 0x24], FieldsError::NoEntry(99)),
            (&[0, 0, 0x51, 5, b'a'], FieldsError::Cut),
            (&[0, 0, 0x51, 1, 0xff], FieldsError::Text),
            (&[0, 0, 0x51, 0x81, 0x00], FieldsError::Text),
            (&[0, 0, 0x51, 0x7f, 0xff, 0xff, 0xff], FieldsError::TooLong),
        ] {
            assert_eq!(Fields::read(section).map(|_| ()), Err(error), "{section:x?}");
        }
        // Short references to long entries add up.
        let many = [&[0, 0][..], &[0xcf; 1_000]].concat();
        assert_eq!(Fields::read(&many).map(|_| ()), Err(FieldsError::TooLong));
    }
}
