//! Random numbers of the system.

use desk_gateway_http::websocket::MaskSource;

use crate::limits::RANDOM_BYTES;

/// `N` random bytes.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system's random source does not fail once it runs");
    bytes
}

/// A seed for the core.
pub(crate) fn seed() -> u64 {
    u64::from_le_bytes(bytes())
}

/// Masking keys that nobody can predict, drawn many at a time.
#[derive(Debug)]
pub(crate) struct MaskKeys {
    drawn: [u8; RANDOM_BYTES],
    used: usize,
}

impl MaskKeys {
    pub(crate) fn new() -> Self {
        Self { drawn: [0; RANDOM_BYTES], used: RANDOM_BYTES }
    }
}

impl MaskSource for MaskKeys {
    fn next_key(&mut self) -> [u8; 4] {
        if self.used == RANDOM_BYTES {
            self.drawn = bytes();
            self.used = 0;
        }
        let key = &self.drawn[self.used..self.used + 4];
        self.used += 4;
        key.try_into().expect("four bytes were taken")
    }
}
