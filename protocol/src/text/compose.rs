//! Two deltas in one.

use super::chars::prefix;
use super::cursor::{Cursor, Head};
use super::delta::Delta;

impl Delta {
    /// One delta that does what this one and then `next` do. `next` must apply
    /// to what this one makes of its text.
    ///
    /// An insertion continues as it did, but for one of this delta that stood
    /// directly right of a character that `next` deletes.
    #[must_use]
    pub fn compose(&self, next: &Delta) -> Delta {
        let parts = self.parts.len().max(next.parts.len()) + 2;
        let mut out = Delta { parts: Vec::with_capacity(parts) };
        let mut first = Cursor::new(&self.parts);
        let mut second = Cursor::new(&next.parts);
        // Whether `next` deletes the character of the text at the left.
        let mut cut = false;
        loop {
            match (first.head(), second.head()) {
                (_, Some(Head::Insert(text, continues))) => {
                    out.push_insert(text, continues);
                    second.skip();
                }
                (Some(Head::Delete(n)), _) => {
                    out.push_delete(n);
                    first.skip();
                }
                (None, None) => break,
                (None, Some(Head::Retain(n))) => {
                    out.push_retain(n);
                    second.skip();
                }
                (None, Some(Head::Delete(n))) => {
                    out.push_delete(n);
                    second.skip();
                }
                (Some(Head::Retain(n)), None) => {
                    out.push_retain(n);
                    first.skip();
                    cut = false;
                }
                (Some(Head::Insert(text, continues)), None) => {
                    out.push_insert(text, continues && !cut);
                    first.skip();
                }
                (Some(Head::Retain(a)), Some(Head::Retain(b))) => {
                    let n = a.min(b);
                    out.push_retain(n);
                    first.take(n);
                    second.take(n);
                    cut = false;
                }
                (Some(Head::Retain(a)), Some(Head::Delete(b))) => {
                    let n = a.min(b);
                    out.push_delete(n);
                    first.take(n);
                    second.take(n);
                    cut = true;
                }
                (Some(Head::Insert(text, continues)), Some(Head::Retain(b))) => {
                    let (head, n) = prefix(text, b);
                    out.push_insert(head, continues && !cut);
                    first.take(n);
                    second.take(n);
                }
                (Some(Head::Insert(text, _)), Some(Head::Delete(b))) => {
                    let (_, n) = prefix(text, b);
                    first.take(n);
                    second.take(n);
                }
            }
        }
        out.trim();
        out
    }
}
