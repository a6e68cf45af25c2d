//! Retain, insert, delete: a change of one text.
//!
//! The algebra is that of operational transformation for plain text (Ellis and
//! Gibbs 1989; transform and compose over runs as in the ottypes `text-unicode`
//! type). TP1 holds: for `a` ordered before `b`,
//! `compose(a, b.transform(&a, Order::After))` equals
//! `compose(b, a.transform(&b, Order::Before))`.

use std::fmt;

use crate::limits::REPLICA_TEXT_CHARS_MAX;

/// One part of a [`Delta`], counted in Unicode scalar values.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Part {
    /// Keep this many characters.
    Retain(u32),
    /// Put this text here.
    Insert(String),
    /// Drop this many characters.
    Delete(u32),
}

/// Which of two concurrent deltas the desk's order puts first. Of two
/// insertions at one gap, the one ordered first stands left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// The delta being transformed is ordered first.
    Before,
    /// The delta being transformed is ordered second.
    After,
}

/// Why a delta cannot be applied to a text.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DeltaError {
    /// It counts past the end.
    #[error("the delta counts {needed} characters, the text has {found}")]
    PastEnd {
        /// Characters that the delta retains and deletes.
        needed: u64,
        /// Characters of the text.
        found: u64,
    },
    /// It makes a text longer than any may be.
    #[error("the text would have {found} characters, at most {REPLICA_TEXT_CHARS_MAX} are allowed")]
    TooLong {
        /// Characters of the text after it.
        found: u64,
    },
}

/// A change of one text, always canonical: adjacent parts joined, no part of
/// length zero, no retain at the end, an insertion before the deletion that it
/// touches. The tail of the text that no part names is kept.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Delta {
    parts: Vec<Part>,
}

impl Delta {
    /// The delta that changes nothing.
    pub const fn new() -> Self {
        Self { parts: Vec::new() }
    }

    /// The delta that makes `text` out of nothing.
    pub fn insertion(text: &str) -> Self {
        let mut delta = Self::new();
        delta.push_insert(text);
        delta
    }

    /// Builds the canonical form of any list of parts.
    ///
    /// # Errors
    /// [`DeltaError`] if the characters that the parts count do not fit `u32`.
    pub fn from_parts(parts: impl IntoIterator<Item = Part>) -> Result<Self, DeltaError> {
        let mut builder = Self::builder(0);
        for part in parts {
            match part {
                Part::Retain(n) => builder.retain(n)?,
                Part::Insert(text) => builder.insert(&text),
                Part::Delete(n) => builder.delete(n)?,
            }
        }
        Ok(builder.finish())
    }

    /// For about as many parts.
    pub(crate) fn builder(parts: usize) -> DeltaBuilder {
        DeltaBuilder { delta: Self { parts: Vec::with_capacity(parts) }, counted: 0 }
    }

    /// The parts, in canonical order.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Characters that a text must have for the delta to apply.
    pub fn base_chars(&self) -> u64 {
        self.parts
            .iter()
            .map(|part| match part {
                Part::Retain(n) | Part::Delete(n) => u64::from(*n),
                Part::Insert(_) => 0,
            })
            .sum()
    }

    /// Characters inserted.
    pub fn inserted_chars(&self) -> u64 {
        self.parts
            .iter()
            .map(|part| match part {
                Part::Insert(text) => text.chars().count() as u64,
                Part::Retain(_) | Part::Delete(_) => 0,
            })
            .sum()
    }

    /// Characters deleted.
    pub fn deleted_chars(&self) -> u64 {
        self.parts
            .iter()
            .map(|part| match part {
                Part::Delete(n) => u64::from(*n),
                Part::Retain(_) | Part::Insert(_) => 0,
            })
            .sum()
    }

    /// By how many UTF-8 bytes it makes `text` longer; parts past the end of the
    /// text count for nothing.
    pub fn bytes_grown(&self, text: &str) -> i64 {
        let mut rest = text;
        let mut grown = 0i64;
        for part in &self.parts {
            match part {
                Part::Insert(inserted) => grown += inserted.len() as i64,
                Part::Retain(n) => rest = &rest[byte_of_char(rest, *n).unwrap_or(rest.len())..],
                Part::Delete(n) => {
                    let end = byte_of_char(rest, *n).unwrap_or(rest.len());
                    grown -= end as i64;
                    rest = &rest[end..];
                }
            }
        }
        grown
    }

    /// Bytes that the delta takes in memory, roughly; bounds histories.
    pub fn cost(&self) -> usize {
        self.parts
            .iter()
            .map(|part| match part {
                Part::Insert(text) => 32 + text.len(),
                Part::Retain(_) | Part::Delete(_) => 32,
            })
            .sum()
    }

    /// The text after this change.
    ///
    /// # Errors
    /// [`DeltaError`] if the text is shorter than what the delta counts.
    pub fn apply(&self, text: &str) -> Result<String, DeltaError> {
        let mut out = String::with_capacity(text.len() + 16);
        let mut rest = text;
        for part in &self.parts {
            match part {
                Part::Insert(inserted) => out.push_str(inserted),
                Part::Retain(n) => {
                    let (kept, tail) = self.split(text, rest, *n)?;
                    out.push_str(kept);
                    rest = tail;
                }
                Part::Delete(n) => rest = self.split(text, rest, *n)?.1,
            }
        }
        out.push_str(rest);
        Ok(out)
    }

    /// The change that undoes this one. `text` is what this one applies to.
    ///
    /// # Errors
    /// [`DeltaError`] if the text is shorter than what the delta counts.
    pub fn invert(&self, text: &str) -> Result<Delta, DeltaError> {
        let mut inverse = Delta::new();
        let mut rest = text;
        for part in &self.parts {
            match part {
                Part::Insert(inserted) => inverse.push_delete(count(inserted)),
                Part::Retain(n) => {
                    rest = self.split(text, rest, *n)?.1;
                    inverse.push_retain(*n);
                }
                Part::Delete(n) => {
                    let (dropped, tail) = self.split(text, rest, *n)?;
                    inverse.push_insert(dropped);
                    rest = tail;
                }
            }
        }
        inverse.trim();
        Ok(inverse)
    }

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

    // Each keeps the form canonical but for a retain at the end.
    fn push_retain(&mut self, n: u32) {
        match self.parts.last_mut() {
            _ if n == 0 => {}
            Some(Part::Retain(last)) => *last = last.saturating_add(n),
            _ => self.parts.push(Part::Retain(n)),
        }
    }

    fn push_delete(&mut self, n: u32) {
        match self.parts.last_mut() {
            _ if n == 0 => {}
            Some(Part::Delete(last)) => *last = last.saturating_add(n),
            _ => self.parts.push(Part::Delete(n)),
        }
    }

    fn push_insert(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        let at = match self.parts.last() {
            Some(Part::Delete(_)) => self.parts.len() - 1,
            _ => self.parts.len(),
        };
        match at.checked_sub(1).map(|before| &mut self.parts[before]) {
            Some(Part::Insert(last)) => last.push_str(text),
            _ => self.parts.insert(at, Part::Insert(text.to_owned())),
        }
    }

    fn trim(&mut self) {
        if let Some(Part::Retain(_)) = self.parts.last() {
            self.parts.pop();
        }
    }

    fn split<'a>(
        &self,
        whole: &str,
        rest: &'a str,
        n: u32,
    ) -> Result<(&'a str, &'a str), DeltaError> {
        let past_end = || DeltaError::PastEnd {
            needed: self.base_chars(),
            found: whole.chars().count() as u64,
        };
        byte_of_char(rest, n).map(|at| rest.split_at(at)).ok_or_else(past_end)
    }
}

/// Makes a delta canonical while its parts come in.
pub(crate) struct DeltaBuilder {
    delta: Delta,
    counted: u64,
}

impl DeltaBuilder {
    pub(crate) fn retain(&mut self, n: u32) -> Result<(), DeltaError> {
        self.count(n)?;
        self.delta.push_retain(n);
        Ok(())
    }

    pub(crate) fn delete(&mut self, n: u32) -> Result<(), DeltaError> {
        self.count(n)?;
        self.delta.push_delete(n);
        Ok(())
    }

    pub(crate) fn insert(&mut self, text: &str) {
        self.delta.push_insert(text);
    }

    pub(crate) fn finish(mut self) -> Delta {
        self.delta.trim();
        self.delta
    }

    fn count(&mut self, n: u32) -> Result<(), DeltaError> {
        self.counted += u64::from(n);
        let found = u64::from(u32::MAX);
        if self.counted > found {
            return Err(DeltaError::PastEnd { needed: self.counted, found });
        }
        Ok(())
    }
}

impl fmt::Display for Delta {
    /// A short form for tests and logs: `=3 +"x" -2`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, part) in self.parts.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            match part {
                Part::Retain(n) => write!(f, "={n}")?,
                Part::Insert(text) => write!(f, "+{text:?}")?,
                Part::Delete(n) => write!(f, "-{n}")?,
            }
        }
        Ok(())
    }
}

/// Length of an inserted text. Frames bound it far below `u32::MAX`.
fn count(text: &str) -> u32 {
    u32::try_from(text.chars().count()).unwrap_or(u32::MAX)
}

/// Byte offset of character `n`, or of the end; `None` past the end.
fn byte_of_char(text: &str, n: u32) -> Option<usize> {
    let n = n as usize;
    // Plain ASCII up to there: characters are bytes.
    if let Some(head) = text.as_bytes().get(..n)
        && head.is_ascii()
    {
        return Some(n);
    }
    let mut chars = text.char_indices();
    for _ in 0..n {
        chars.next()?;
    }
    Some(text.len() - chars.as_str().len())
}

/// The first `n` characters, or all if there are fewer; and how many they are.
fn prefix(text: &str, n: u32) -> (&str, u32) {
    match byte_of_char(text, n) {
        Some(end) => (&text[..end], n),
        None => (text, count(text)),
    }
}

/// What stands next in a list of parts that is being consumed.
enum Head<'a> {
    Retain(u32),
    Insert(&'a str),
    Delete(u32),
}

struct Cursor<'a> {
    parts: std::slice::Iter<'a, Part>,
    current: Option<&'a Part>,
    /// Characters of `current` already consumed, and their bytes in an insertion.
    taken: u32,
    taken_bytes: usize,
}

impl<'a> Cursor<'a> {
    fn new(parts: &'a [Part]) -> Self {
        let mut parts = parts.iter();
        let current = parts.next();
        Self { parts, current, taken: 0, taken_bytes: 0 }
    }

    fn head(&self) -> Option<Head<'a>> {
        self.current.map(|part| match part {
            Part::Retain(n) => Head::Retain(n - self.taken),
            Part::Delete(n) => Head::Delete(n - self.taken),
            Part::Insert(text) => Head::Insert(&text[self.taken_bytes..]),
        })
    }

    fn skip(&mut self) {
        self.current = self.parts.next();
        self.taken = 0;
        self.taken_bytes = 0;
    }

    /// Consumes `n` characters, at most what the head has left.
    fn take(&mut self, n: u32) {
        let done = match self.current {
            Some(Part::Retain(total) | Part::Delete(total)) => {
                self.taken += n;
                self.taken == *total
            }
            Some(Part::Insert(text)) => {
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
