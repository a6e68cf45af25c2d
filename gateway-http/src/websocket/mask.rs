//! Masking of payloads (RFC 6455, section 5.3).

/// Applies `key` to `bytes` in place; applying it twice restores them.
/// `offset` is how many bytes of the payload went before, so that a payload
/// can be treated in parts.
pub fn apply(bytes: &mut [u8], key: [u8; 4], offset: u64) {
    let mut key = key;
    key.rotate_left((offset & 3) as usize);
    let word = u64::from(u32::from_ne_bytes(key));
    let word = word << 32 | word;
    // Blocks of four words are what the compiler turns into vector code.
    let mut blocks = bytes.chunks_exact_mut(32);
    for block in &mut blocks {
        for eight in block.chunks_exact_mut(8) {
            xor_word(eight, word);
        }
    }
    let mut words = blocks.into_remainder().chunks_exact_mut(8);
    for eight in &mut words {
        xor_word(eight, word);
    }
    for (byte, key) in words.into_remainder().iter_mut().zip(key.iter().cycle()) {
        *byte ^= key;
    }
}

fn xor_word(eight: &mut [u8], word: u64) {
    let eight: &mut [u8; 8] = eight.try_into().expect("chunks of eight");
    *eight = (u64::from_ne_bytes(*eight) ^ word).to_ne_bytes();
}

#[cfg(test)]
mod tests {
    use super::apply;

    /// The definition, one byte at a time.
    fn plain(bytes: &[u8], key: [u8; 4], offset: u64) -> Vec<u8> {
        (offset as usize..).zip(bytes).map(|(at, byte)| byte ^ key[at % 4]).collect()
    }

    #[test]
    fn equals_the_definition_at_every_length_and_offset() {
        let source: Vec<u8> = (0..=255).collect();
        let key = [0x12, 0xfe, 0x00, 0x9c];
        for length in 0..200 {
            for offset in 0..8 {
                let mut bytes = source[..length].to_vec();
                apply(&mut bytes, key, offset);
                assert_eq!(bytes, plain(&source[..length], key, offset), "{length} {offset}");
            }
        }
    }
}
