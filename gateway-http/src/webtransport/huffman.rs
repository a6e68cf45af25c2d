//! The Huffman code of header fields (RFC 7541, appendix B).
//!
//! The code is canonical: codes of one length count up with their symbols, and a longer
//! code begins where the shorter ones end. So the lengths alone say all of it.

/// Bits of each symbol's code: the bytes, then the end, which must not occur.
#[rustfmt::skip]
const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
    6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
    30,
];

const LONGEST: usize = 30;
const END: u16 = 256;

/// The code, by the lengths of its codes.
struct Code {
    /// Symbols in the order of their codes.
    symbols: [u16; 257],
    /// For each length: its first code, and the place of that code's symbol.
    first: [(u32, u16); LONGEST + 2],
}

const CODE: Code = code();

const fn code() -> Code {
    let mut symbols = [0; 257];
    let mut first = [(0, 0); LONGEST + 2];
    let (mut length, mut code, mut place) = (1, 0, 0);
    while length <= LONGEST {
        first[length] = (code, place);
        let mut symbol = 0;
        while symbol < LENGTHS.len() {
            if LENGTHS[symbol] as usize == length {
                symbols[place as usize] = symbol as u16;
                place += 1;
                code += 1;
            }
            symbol += 1;
        }
        code <<= 1;
        length += 1;
    }
    first[LONGEST + 1] = (code, place);
    Code { symbols, first }
}

/// Decodes a text; `None`: the bytes are no text in this code, or it is longer than
/// `bytes_max`.
pub(super) fn decode(bytes: &[u8], bytes_max: usize) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let (mut code, mut length) = (0_u32, 0);
    for bit in bytes.iter().flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1)) {
        code = code << 1 | u32::from(bit);
        length += 1;
        let (first, place) = *CODE.first.get(length)?;
        let count = CODE.first[length + 1].1 - place;
        let Some(step) = code.checked_sub(first).filter(|step| *step < u32::from(count)) else {
            continue;
        };
        let symbol = CODE.symbols[usize::from(place) + step as usize];
        if symbol == END || out.len() == bytes_max {
            return None;
        }
        out.push(symbol as u8);
        (code, length) = (0, 0);
    }
    // The rest pads the last byte, and begins as the end does: with ones.
    (length < 8 && code == (1 << length) - 1).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_the_standard_are_read() {
        // RFC 7541, appendix C.4 and C.6.
        for (hex, text) in [
            ("f1e3c2e5f23a6ba0ab90f4ff", "www.example.com"),
            ("a8eb10649cbf", "no-cache"),
            ("25a849e95bb8e8b4bf", "custom-value"),
            ("6402", "302"),
            ("d07abe941054d444a8200595040b8166e082a62d1bff", "Mon, 21 Oct 2013 20:13:21 GMT"),
            (
                "94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4e\
                 e5b1063d5007",
                "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
            ),
        ] {
            let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
            let bytes: Vec<u8> = digits
                .chunks(2)
                .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
                .collect();
            assert_eq!(decode(&bytes, 100).as_deref(), Some(text.as_bytes()), "{text}");
            assert_eq!(decode(&bytes, text.len() - 1), None);
        }
    }

    #[test]
    fn the_code_is_complete() {
        let share: u64 =
            LENGTHS.iter().map(|length| 1 << (LONGEST as u64 - u64::from(*length))).sum();
        assert_eq!(share, 1 << LONGEST);
    }

    #[test]
    fn wrong_padding_and_the_end_are_refused() {
        assert_eq!(decode(&[0x00], 9), None, "a zero after the first symbol is no padding");
        assert_eq!(decode(&[0xff, 0xff], 9), None, "a whole byte of padding");
        assert_eq!(decode(&[0xff, 0xff, 0xff, 0xff], 9), None, "the end");
        assert_eq!(decode(&[], 9), Some(Vec::new()));
    }
}
