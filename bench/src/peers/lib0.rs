//! The binary encoding of Yjs: numbers of seven bits a byte, the lowest first, and values that
//! begin with a byte for their type.

/// An unsigned number: a byte's top bit says that more follow.
pub fn put_uint(mut number: u64, out: &mut Vec<u8>) {
    while number > 0x7f {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// A signed number: the first byte has the sign in its second bit and six bits of the number.
pub fn put_int(number: i64, out: &mut Vec<u8>) {
    let sign = if number < 0 { 0x40 } else { 0 };
    let mut rest = number.unsigned_abs();
    let more = |rest: u64| if rest > 0 { 0x80 } else { 0 };
    let first = (rest & 0x3f) as u8;
    rest >>= 6;
    out.push(first | sign | more(rest));
    while rest > 0 {
        let next = (rest & 0x7f) as u8;
        rest >>= 7;
        out.push(next | more(rest));
    }
}

/// Bytes behind their length; a string is one.
pub fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    put_uint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

/// Takes an unsigned number off the front.
pub fn take_uint(bytes: &mut &[u8]) -> Option<u64> {
    let (mut number, mut shift) = (0, 0);
    loop {
        let (&first, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(first & 0x7f).checked_shl(shift)?;
        if first < 0x80 {
            return Some(number);
        }
        shift += 7;
    }
}

/// Takes bytes behind their length off the front.
pub fn take_bytes<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(take_uint(bytes)?).ok()?;
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

/// A value of a document.
#[derive(Clone, Copy, Debug)]
pub enum Any<'a> {
    /// A whole number.
    Integer(i64),
    /// A string.
    String(&'a str),
    /// Values by their names.
    Object(&'a [(&'a str, Any<'a>)]),
}

impl Any<'_> {
    /// Writes it.
    pub fn put(self, out: &mut Vec<u8>) {
        match self {
            Self::Integer(number) => {
                out.push(125);
                put_int(number, out);
            }
            Self::String(text) => {
                out.push(119);
                put_bytes(text.as_bytes(), out);
            }
            Self::Object(members) => {
                out.push(118);
                put_uint(members.len() as u64, out);
                for (name, value) in members {
                    put_bytes(name.as_bytes(), out);
                    value.put(out);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uint(number: u64) -> Vec<u8> {
        let mut out = Vec::new();
        put_uint(number, &mut out);
        out
    }

    fn int(number: i64) -> Vec<u8> {
        let mut out = Vec::new();
        put_int(number, &mut out);
        out
    }

    // What lib0 0.2.120 writes for the same numbers.
    #[test]
    fn numbers_are_written_as_lib0_writes_them() {
        assert_eq!(uint(0), [0]);
        assert_eq!(uint(127), [127]);
        assert_eq!(uint(128), [128, 1]);
        assert_eq!(uint(300), [172, 2]);
        assert_eq!(uint(4_294_967_295), [255, 255, 255, 255, 15]);
        assert_eq!(int(0), [0]);
        assert_eq!(int(63), [63]);
        assert_eq!(int(64), [128, 1]);
        assert_eq!(int(-1), [65]);
        assert_eq!(int(-64), [192, 1]);
        assert_eq!(int(3_999), [159, 62]);
    }

    #[test]
    fn numbers_and_bytes_come_back() {
        for number in [0, 1, 127, 128, 16_383, 16_384, u64::from(u32::MAX), u64::MAX >> 1] {
            let bytes = uint(number);
            assert_eq!(take_uint(&mut bytes.as_slice()), Some(number));
            assert_eq!(take_uint(&mut &bytes[..bytes.len() - 1]), None, "cut");
        }
        let mut out = Vec::new();
        put_bytes(b"note", &mut out);
        out.push(9);
        let mut rest = out.as_slice();
        assert_eq!(take_bytes(&mut rest), Some(b"note".as_slice()));
        assert_eq!(rest, [9]);
        assert_eq!(take_bytes(&mut [5, 1].as_slice()), None, "shorter than it says");
        assert_eq!(take_uint(&mut [0xff; 12].as_slice()), None, "longer than a number");
    }
}
