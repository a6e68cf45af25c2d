//! Numbers in 1 to 10 bytes: 7 bits each, the least first, the high bit set in
//! all but the last (LEB128). Every number has one form: longer ones are refused,
//! so what was decoded encodes to the bytes that it came from.

/// The longest form, in bytes.
pub(super) const BYTES_MAX: usize = 10;

/// How many bytes the number takes.
pub(super) const fn length(number: u64) -> usize {
    // Each byte has 7 of the significant bits; 0 takes one byte as well.
    (64 - (number | 1).leading_zeros()).div_ceil(7) as usize
}

/// Appends the number.
pub(super) fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// The number at the front, and how many bytes it takes; `None` if the bytes
/// end in it, if it is none of 64 bits, or if it is longer than it need be.
pub(super) fn take(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut number = 0;
    for (index, byte) in bytes.iter().take(BYTES_MAX).enumerate() {
        let part = u64::from(byte & 0x7F);
        if index == BYTES_MAX - 1 && part > 1 {
            return None;
        }
        number |= part << (7 * index);
        if byte & 0x80 == 0 {
            let longer_than_needed = part == 0 && index > 0;
            return (!longer_than_needed).then_some((number, index + 1));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lengths_change_where_seven_bits_are_full() {
        let ends = [(0, 1), (127, 1), (128, 2), (16_383, 2), (16_384, 3), (u64::MAX >> 1, 9)];
        for (number, bytes) in ends.into_iter().chain([((u64::MAX >> 1) + 1, 10), (u64::MAX, 10)]) {
            let mut out = Vec::new();
            put(&mut out, number);
            assert_eq!((out.len(), length(number)), (bytes, bytes), "{number}");
            assert_eq!(take(&out), Some((number, bytes)));
        }
    }

    #[test]
    fn other_forms_are_refused() {
        let eleven = [&[0x80; 10][..], &[1]].concat();
        let past_64_bits = [&[0x80; 9][..], &[2]].concat();
        for bytes in [&[][..], &[0x80], &[0x80, 0], &[0xFF, 0x80, 0], &eleven, &past_64_bits] {
            assert_eq!(take(bytes), None, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_taken_is_the_only_form(bytes in proptest::collection::vec(any::<u8>(), 0..12)) {
            if let Some((number, length)) = take(&bytes) {
                let mut out = Vec::new();
                put(&mut out, number);
                prop_assert_eq!(&out[..], &bytes[..length]);
            }
        }

        #[test]
        fn every_number_comes_back(number: u64, shift in 0_u32..64, after: u8) {
            let mut out = Vec::new();
            put(&mut out, number >> shift);
            let bytes = out.len();
            out.push(after);
            prop_assert_eq!(take(&out), Some((number >> shift, bytes)));
        }
    }
}
