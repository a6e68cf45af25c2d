/// Cuts `stream` into reads whose lengths follow from `seed`, most of them short.
pub(crate) fn reads(stream: &[u8], seed: u8) -> Vec<&[u8]> {
    let mut reads = Vec::new();
    let mut state = u32::from(seed) | 0x9E00;
    let mut rest = stream;
    while !rest.is_empty() {
        // A linear congruence (Knuth) is enough to vary the lengths.
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let length = match state >> 30 {
            0 => 1,
            1 | 2 => 1 + (state >> 24) as usize % 16,
            _ => 1 + (state >> 16) as usize % 4096,
        };
        let (read, tail) = rest.split_at(length.min(rest.len()));
        reads.push(read);
        rest = tail;
    }
    reads
}
