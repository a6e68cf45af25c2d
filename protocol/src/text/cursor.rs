//! Walking over the parts of a delta, which are consumed piece by piece.

use super::chars::byte_of_char;
use super::delta::Part;

/// What stands next in a list of parts that is being consumed.
pub(super) enum Head<'a> {
    Retain(u32),
    /// What is left of an insertion, and whether it continues.
    Insert(&'a str, bool),
    Delete(u32),
}

pub(super) struct Cursor<'a> {
    parts: std::slice::Iter<'a, Part>,
    current: Option<&'a Part>,
    /// Characters of `current` already consumed, and their bytes in an insertion.
    taken: u32,
    taken_bytes: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(parts: &'a [Part]) -> Self {
        let mut parts = parts.iter();
        let current = parts.next();
        Self { parts, current, taken: 0, taken_bytes: 0 }
    }

    pub(super) fn head(&self) -> Option<Head<'a>> {
        self.current.map(|part| match part {
            Part::Retain(n) => Head::Retain(n - self.taken),
            Part::Delete(n) => Head::Delete(n - self.taken),
            Part::Insert { text, continues } => Head::Insert(&text[self.taken_bytes..], *continues),
        })
    }

    pub(super) fn skip(&mut self) {
        self.current = self.parts.next();
        self.taken = 0;
        self.taken_bytes = 0;
    }

    /// Consumes `n` characters, at most what the head has left.
    pub(super) fn take(&mut self, n: u32) {
        let done = match self.current {
            Some(Part::Retain(total) | Part::Delete(total)) => {
                self.taken += n;
                self.taken == *total
            }
            Some(Part::Insert { text, .. }) => {
                let rest = &text[self.taken_bytes..];
                self.taken_bytes += byte_of_char(rest, n).unwrap_or(rest.len());
                self.taken_bytes == text.len()
            }
            None => false,
        };
        if done {
            self.skip();
        }
    }
}
