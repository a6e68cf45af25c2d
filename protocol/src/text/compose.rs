//! Two deltas in one.

use super::chars::prefix;
use super::cursor::{Cursor, Head};
use super::delta::Delta;

impl Delta {
    /// One delta that does what this one and then `next` do. `next` must apply
    /// to what this one makes of its text.
    #[must_use]
    pub fn compose(&self, next: &Delta) -> Delta {
        let mut out = Delta::new();
        let mut first = Cursor::new(&self.parts);
        let mut second = Cursor::new(&next.parts);
        loop {
            match (first.head(), second.head()) {
                (_, Some(Head::Insert(text))) => {
                    out.push_insert(text);
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
                }
                (Some(Head::Insert(text)), None) => {
                    out.push_insert(text);
                    first.skip();
                }
                (Some(Head::Retain(a)), Some(Head::Retain(b))) => {
                    let n = a.min(b);
                    out.push_retain(n);
                    first.take(n);
                    second.take(n);
                }
                (Some(Head::Retain(a)), Some(Head::Delete(b))) => {
                    let n = a.min(b);
                    out.push_delete(n);
                    first.take(n);
                    second.take(n);
                }
                (Some(Head::Insert(text)), Some(Head::Retain(b))) => {
                    let (head, n) = prefix(text, b);
                    out.push_insert(head);
                    first.take(n);
                    second.take(n);
                }
                (Some(Head::Insert(text)), Some(Head::Delete(b))) => {
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
