//! A delta, and a place in a text, as they read after another delta.

use super::chars::count;
use super::cursor::{Cursor, Head};
use super::delta::{Delta, Part};

/// Which of two concurrent deltas the desk's order puts first. Of two insertions
/// at one gap, one that continues its author's own text stands left of one that
/// does not; else the one ordered first stands left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// The delta being transformed is ordered first.
    Before,
    /// The delta being transformed is ordered second.
    After,
    /// It is ordered second, and both are of one author, who did not know the
    /// first one: a sender without a replica. Its insertions go right of the
    /// first one's, and continue them.
    AfterOwn,
}

impl Order {
    /// Whether an insertion of the delta being transformed stands left of one of
    /// the other delta at the same gap.
    const fn stands_left(self, continues: bool, other_continues: bool) -> bool {
        match self {
            Self::Before => continues || !other_continues,
            Self::After => continues && !other_continues,
            Self::AfterOwn => false,
        }
    }
}

/// What a place before a character of a text does when text is inserted there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Anchor {
    /// It keeps to the character at its left: nothing pushes it.
    Left,
    /// It keeps to the character at its right: everything pushes it right.
    Right,
    /// It stands where its author's own text is to go on: only text that
    /// continues pushes it right.
    Run,
}

impl Delta {
    /// This change as it reads after `other`, which was made to the same text.
    ///
    /// An insertion continues as it did, but for one that stood directly right
    /// of a character that `other` deletes.
    #[must_use]
    pub fn transform(&self, other: &Delta, order: Order) -> Delta {
        let mut out = Delta { parts: Vec::with_capacity(self.parts.len() + 2) };
        let mut mine = Cursor::new(&self.parts);
        let mut theirs = Cursor::new(&other.parts);
        // Whether `other` deletes the character at the left.
        let mut cut = false;
        // Whether text of the same author was put at the left.
        let mut own = false;
        loop {
            match (mine.head(), theirs.head()) {
                (Some(Head::Insert(_, continues)), Some(Head::Insert(text, others)))
                    if !order.stands_left(continues, others) =>
                {
                    out.push_retain(count(text));
                    theirs.skip();
                    own = order == Order::AfterOwn;
                }
                (Some(Head::Insert(text, continues)), _) => {
                    out.push_insert(text, own || (continues && !cut));
                    mine.skip();
                    own = false;
                }
                (_, Some(Head::Insert(text, _))) => {
                    out.push_retain(count(text));
                    theirs.skip();
                }
                (None, _) => break,
                (Some(Head::Retain(n)), None) => {
                    out.push_retain(n);
                    mine.skip();
                    cut = false;
                }
                (Some(Head::Delete(n)), None) => {
                    out.push_delete(n);
                    mine.skip();
                    cut = false;
                }
                (Some(Head::Retain(a)), Some(Head::Retain(b))) => {
                    let n = a.min(b);
                    out.push_retain(n);
                    mine.take(n);
                    theirs.take(n);
                    cut = false;
                }
                (Some(Head::Delete(a)), Some(Head::Retain(b))) => {
                    let n = a.min(b);
                    out.push_delete(n);
                    mine.take(n);
                    theirs.take(n);
                    cut = false;
                }
                (Some(Head::Retain(a) | Head::Delete(a)), Some(Head::Delete(b))) => {
                    let n = a.min(b);
                    mine.take(n);
                    theirs.take(n);
                    cut = true;
                }
            }
        }
        out.trim();
        out
    }

    /// Where a place before character `position` stands after this change.
    pub fn transform_position(&self, position: u32, anchor: Anchor) -> u32 {
        let mut read = 0u32;
        let mut moved = position;
        for part in &self.parts {
            match part {
                Part::Retain(n) => read = read.saturating_add(*n),
                Part::Insert { text, continues } => {
                    let pushes = match anchor {
                        Anchor::Left => false,
                        Anchor::Right => true,
                        Anchor::Run => *continues,
                    };
                    if read < position || (read == position && pushes) {
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
