//! A delta, and a caret, as they read after another delta.

use super::chars::count;
use super::cursor::{Cursor, Head};
use super::delta::{Delta, Part};

/// Which of two concurrent deltas the desk's order puts first. Of two
/// insertions at one gap, the one ordered first stands left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// The delta being transformed is ordered first.
    Before,
    /// The delta being transformed is ordered second.
    After,
}

impl Delta {
    /// This change as it reads after `other`, which was made to the same text.
    #[must_use]
    pub fn transform(&self, other: &Delta, order: Order) -> Delta {
        let mut out = Delta::new();
        let mut mine = Cursor::new(&self.parts);
        let mut theirs = Cursor::new(&other.parts);
        loop {
            match (mine.head(), theirs.head()) {
                (Some(Head::Insert(_)), Some(Head::Insert(text))) if order == Order::After => {
                    out.push_retain(count(text));
                    theirs.skip();
                }
                (Some(Head::Insert(text)), _) => {
                    out.push_insert(text);
                    mine.skip();
                }
                (_, Some(Head::Insert(text))) => {
                    out.push_retain(count(text));
                    theirs.skip();
                }
                (None, _) => break,
                (Some(Head::Retain(n)), None) => {
                    out.push_retain(n);
                    mine.skip();
                }
                (Some(Head::Delete(n)), None) => {
                    out.push_delete(n);
                    mine.skip();
                }
                (Some(Head::Retain(a)), Some(Head::Retain(b))) => {
                    let n = a.min(b);
                    out.push_retain(n);
                    mine.take(n);
                    theirs.take(n);
                }
                (Some(Head::Delete(a)), Some(Head::Retain(b))) => {
                    let n = a.min(b);
                    out.push_delete(n);
                    mine.take(n);
                    theirs.take(n);
                }
                (Some(Head::Retain(a) | Head::Delete(a)), Some(Head::Delete(b))) => {
                    let n = a.min(b);
                    mine.take(n);
                    theirs.take(n);
                }
            }
        }
        out.trim();
        out
    }

    /// Where a caret before character `position` stands after this change. With
    /// [`Order::After`], text inserted at the caret pushes it to the right.
    pub fn transform_position(&self, position: u32, order: Order) -> u32 {
        let mut read = 0u32;
        let mut moved = position;
        for part in &self.parts {
            match part {
                Part::Retain(n) => read = read.saturating_add(*n),
                Part::Insert(text) => {
                    if read < position || (read == position && order == Order::After) {
                        moved = moved.saturating_add(count(text));
                    }
                }
                Part::Delete(n) => {
                    let end = read.saturating_add(*n);
                    moved = moved.saturating_sub(position.min(end).saturating_sub(read));
                    read = end;
                }
            }
            if read > position {
                break;
            }
        }
        moved
    }
}
