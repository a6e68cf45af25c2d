//! What an author typed last, and where it is now (TEXT-11).

use super::chars::count;
use super::delta::{Delta, Part};
use super::transform::Anchor;

/// The run of an author's last insertion in one text: characters from `start`
/// to before `end`. The author's next insertion continues it, if it is made
/// inside or at its end. A client keeps one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Run {
    start: u32,
    end: u32,
}

impl Run {
    /// The first character of it.
    pub const fn start(&self) -> u32 {
        self.start
    }

    /// The first character behind it.
    pub const fn end(&self) -> u32 {
        self.end
    }

    /// Whether an insertion before character `position` continues it.
    pub const fn continues(&self, position: u32) -> bool {
        self.start < position && position <= self.end
    }

    /// What a caret of the author before character `position` keeps to: it goes
    /// where the author's next character would.
    pub const fn anchor(&self, position: u32) -> Anchor {
        if self.continues(position) { Anchor::Run } else { Anchor::Right }
    }

    /// The author made `change` to the text: gives it back with those insertions
    /// marked that continue. The run is then what they made longer, or new.
    #[must_use]
    pub fn typed(&mut self, change: &Delta) -> Delta {
        let mut marked = Delta::new();
        let mut at = 0u32;
        for part in change.parts() {
            match part {
                Part::Retain(n) => {
                    marked.push_retain(*n);
                    at = at.saturating_add(*n);
                }
                Part::Insert { text, .. } => {
                    marked.push_insert(text, self.continues(at));
                    let end = at.saturating_add(count(text));
                    if self.start < self.end && self.start <= at && at <= self.end {
                        self.end = self.end.saturating_add(count(text));
                    } else {
                        *self = Self { start: at, end };
                    }
                    at = end;
                }
                Part::Delete(n) => {
                    marked.push_delete(*n);
                    self.cut(at, at.saturating_add(*n));
                }
            }
        }
        marked
    }

    /// Something else changed the text: text at its start pushes it right, text
    /// at its end leaves it, a deletion makes it shorter.
    pub fn moved(&mut self, change: &Delta) {
        *self = Self {
            start: change.transform_position(self.start, Anchor::Right),
            end: change.transform_position(self.end, Anchor::Left),
        };
        self.forget_if_empty();
    }

    /// Characters from `from` to before `to` are gone.
    fn cut(&mut self, from: u32, to: u32) {
        let moved = |place: u32| place - place.min(to).saturating_sub(from);
        *self = Self { start: moved(self.start), end: moved(self.end) };
        self.forget_if_empty();
    }

    fn forget_if_empty(&mut self) {
        if self.start >= self.end {
            *self = Self::default();
        }
    }
}
