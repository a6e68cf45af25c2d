//! What a stream has not taken yet of a write.

use crate::limits::{BUFFERED_BYTES, WRITE_BYTES};

/// Bytes on their way to a peer. What has left is given back when it is half of what is
/// kept, so that a slow peer holds no more than twice the rest of its answer.
#[derive(Debug, Default)]
pub(crate) struct Unsent {
    bytes: Vec<u8>,
    sent: usize,
}

impl From<Vec<u8>> for Unsent {
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes, sent: 0 }
    }
}

impl Unsent {
    /// Whether all has left.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// What is to be written next. A stream that encrypts keeps another copy of it, so it
    /// is no more than one write.
    pub(crate) fn rest(&self) -> &[u8] {
        let rest = &self.bytes[self.sent..];
        &rest[..rest.len().min(WRITE_BYTES)]
    }

    /// So many bytes more have left.
    pub(crate) fn advance(&mut self, sent: usize) {
        self.sent += sent;
        assert!(self.sent <= self.bytes.len(), "no more has left than there was");
        if self.sent == self.bytes.len() {
            *self = Self::default();
        } else if self.sent * 2 >= self.bytes.len() {
            self.bytes.drain(..self.sent);
            self.bytes.shrink_to_fit();
            self.sent = 0;
        }
    }

    /// Keeps no room for more.
    pub(crate) fn shrink(&mut self) {
        self.bytes.drain(..std::mem::take(&mut self.sent));
        self.bytes.shrink_to_fit();
    }

    /// What of it, and of the stream's own copy, counts for the process: what is kept, but
    /// for what each connection may have.
    pub(crate) fn counted_bytes(&self, unflushed: usize) -> usize {
        (self.bytes.capacity() + unflushed).saturating_sub(BUFFERED_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_kept_and_what_is_kept_is_little_more_than_the_rest() {
        let all: Vec<u8> = (0..3_000_000).map(|at: u32| at as u8).collect();
        let mut unsent = Unsent::from(all.clone());
        let mut taken = Vec::new();
        while !unsent.is_empty() {
            let part = unsent.rest();
            assert!(!part.is_empty() && part.len() <= WRITE_BYTES);
            let part = &part[..part.len().min(50_000)];
            taken.extend_from_slice(part);
            let length = part.len();
            unsent.advance(length);
            let left = all.len() - taken.len();
            let counted = unsent.counted_bytes(0);
            assert_eq!(counted, unsent.bytes.capacity().saturating_sub(BUFFERED_BYTES));
            assert!(counted <= 2 * left, "{counted} bytes for {left}");
        }
        assert_eq!(taken, all);
        assert_eq!(unsent.counted_bytes(0), 0);
    }
}
