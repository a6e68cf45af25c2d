//! The integers of QUIC (RFC 9000, section 16): the two highest bits say how many bytes.

/// Reads one from the front: its value and its length.
pub(super) fn read(bytes: &[u8]) -> Option<(u64, usize)> {
    let length = 1 << (bytes.first()? >> 6);
    let bytes = bytes.get(..length)?;
    let first = u64::from(bytes[0] & 0x3f);
    let value = bytes[1..].iter().fold(first, |value, byte| value << 8 | u64::from(*byte));
    Some((value, length))
}

/// Appends one in its shortest form.
///
/// # Panics
/// If the value has more than 62 bits.
pub(super) fn append(value: u64, out: &mut Vec<u8>) {
    let (length, tag) = match value {
        0..0x40 => (1, 0),
        0x40..0x4000 => (2, 0x40),
        0x4000..0x4000_0000 => (4, 0x80),
        _ => (8, 0xc0),
    };
    let mut bytes = value.to_be_bytes();
    assert!(value < 1 << 62, "{value} does not fit");
    bytes[8 - length] |= tag;
    out.extend_from_slice(&bytes[8 - length..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_in_the_shortest_form() {
        for (value, length) in [
            (0, 1),
            (0x3f, 1),
            (0x40, 2),
            (0x3fff, 2),
            (0x4000, 4),
            (0x3fff_ffff, 4),
            (0x4000_0000, 8),
            ((1 << 62) - 1, 8),
        ] {
            let mut bytes = Vec::new();
            append(value, &mut bytes);
            assert_eq!(bytes.len(), length);
            assert_eq!(read(&bytes), Some((value, length)));
            assert_eq!(read(&bytes[..length - 1]), None);
        }
    }
}
