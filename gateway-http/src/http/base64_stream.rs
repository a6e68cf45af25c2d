//! Base64 of bytes that come in parts.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Encodes a sequence of parts as if they were one, so that a snapshot's
/// shared frames become the JSON of an init without being joined first.
#[derive(Debug, Default)]
pub struct Base64Stream {
    /// Bytes that do not fill a group of three yet.
    carry: Vec<u8>,
}

impl Base64Stream {
    /// How many characters `bytes` bytes become.
    pub const fn encoded_length(bytes: u64) -> u64 {
        bytes.div_ceil(3) * 4
    }

    /// Appends what `part` adds to `out`.
    pub fn push(&mut self, mut part: &[u8], out: &mut String) {
        if !self.carry.is_empty() {
            let (head, rest) = part.split_at(part.len().min(3 - self.carry.len()));
            self.carry.extend_from_slice(head);
            part = rest;
            if self.carry.len() < 3 {
                return;
            }
            STANDARD.encode_string(&self.carry, out);
            self.carry.clear();
        }
        let (groups, tail) = part.split_at(part.len() - part.len() % 3);
        STANDARD.encode_string(groups, out);
        self.carry.extend_from_slice(tail);
    }

    /// Appends the end, padded.
    pub fn finish(self, out: &mut String) {
        STANDARD.encode_string(&self.carry, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_encode_like_the_whole() {
        let bytes: Vec<u8> = (0..100).collect();
        for length in 0..bytes.len() {
            for cut in 1..8 {
                let (mut stream, mut out) = (Base64Stream::default(), String::new());
                bytes[..length].chunks(cut).for_each(|part| stream.push(part, &mut out));
                stream.finish(&mut out);
                assert_eq!(out, STANDARD.encode(&bytes[..length]));
                assert_eq!(out.len() as u64, Base64Stream::encoded_length(length as u64));
            }
        }
    }
}
