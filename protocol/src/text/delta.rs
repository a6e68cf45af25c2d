//! Retain, insert, delete: a change of one text.
//!
//! The algebra is that of operational transformation for plain text (Ellis and
//! Gibbs 1989; transform and compose over runs as in the ottypes `text-unicode`
//! type). TP1 holds: for `a` ordered before `b`,
//! `compose(a, b.transform(&a, Order::After))` equals
//! `compose(b, a.transform(&b, Order::Before))`.

use std::fmt;

use super::chars::{byte_of_char, count};
use crate::limits::REPLICA_TEXT_CHARS_MAX;

/// One part of a [`Delta`], counted in Unicode scalar values.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Part {
    /// Keep this many characters.
    Retain(u32),
    /// Put this text here.
    Insert {
        /// What is inserted. In a box, since the mark fits where a string keeps
        /// its capacity: a part has 24 bytes.
        text: Box<str>,
        /// Whether the character directly left of it was its author's own where
        /// it was typed. Of two insertions at one gap, one that continues stands
        /// left of one that does not (TEXT-3).
        continues: bool,
    },
    /// Drop this many characters.
    Delete(u32),
}

impl Part {
    /// An insertion that continues nothing.
    pub fn insert(text: impl Into<Box<str>>) -> Self {
        Self::Insert { text: text.into(), continues: false }
    }

    /// An insertion that continues its author's own text.
    pub fn continuing(text: impl Into<Box<str>>) -> Self {
        Self::Insert { text: text.into(), continues: true }
    }
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
/// touches. The tail of the text that no part names is kept. Insertions that are
/// joined continue if the first of them does.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Delta {
    pub(super) parts: Vec<Part>,
}

impl Delta {
    /// The delta that changes nothing.
    pub const fn new() -> Self {
        Self { parts: Vec::new() }
    }

    /// The delta that makes `text` out of nothing.
    pub fn insertion(text: &str) -> Self {
        let mut delta = Self::new();
        delta.push_insert(text, false);
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
                Part::Insert { text, continues } => builder.insert(&text, continues),
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
                Part::Insert { .. } => 0,
            })
            .sum()
    }

    /// Characters inserted.
    pub fn inserted_chars(&self) -> u64 {
        self.parts
            .iter()
            .map(|part| match part {
                Part::Insert { text, .. } => text.chars().count() as u64,
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
                Part::Retain(_) | Part::Insert { .. } => 0,
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
                Part::Insert { text, .. } => grown += text.len() as i64,
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
                Part::Insert { text, .. } => 32 + text.len(),
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
                Part::Insert { text, .. } => out.push_str(text),
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

    /// The same change with insertions that continue nothing.
    #[must_use]
    pub fn unmarked(mut self) -> Self {
        for part in &mut self.parts {
            if let Part::Insert { continues, .. } = part {
                *continues = false;
            }
        }
        self
    }

    /// The change that undoes this one. `text` is what this one applies to. What it
    /// puts back continues nothing.
    ///
    /// # Errors
    /// [`DeltaError`] if the text is shorter than what the delta counts.
    pub fn invert(&self, text: &str) -> Result<Delta, DeltaError> {
        let mut inverse = Delta::new();
        let mut rest = text;
        for part in &self.parts {
            match part {
                Part::Insert { text, .. } => inverse.push_delete(count(text)),
                Part::Retain(n) => {
                    rest = self.split(text, rest, *n)?.1;
                    inverse.push_retain(*n);
                }
                Part::Delete(n) => {
                    let (dropped, tail) = self.split(text, rest, *n)?;
                    inverse.push_insert(dropped, false);
                    rest = tail;
                }
            }
        }
        inverse.trim();
        Ok(inverse)
    }

    // Each keeps the form canonical but for a retain at the end.
    pub(super) fn push_retain(&mut self, n: u32) {
        match self.parts.last_mut() {
            _ if n == 0 => {}
            Some(Part::Retain(last)) => *last = last.saturating_add(n),
            _ => self.parts.push(Part::Retain(n)),
        }
    }

    pub(super) fn push_delete(&mut self, n: u32) {
        match self.parts.last_mut() {
            _ if n == 0 => {}
            Some(Part::Delete(last)) => *last = last.saturating_add(n),
            _ => self.parts.push(Part::Delete(n)),
        }
    }

    /// Insertions joined at one gap continue if the first one does.
    pub(super) fn push_insert(&mut self, text: &str, continues: bool) {
        if text.is_empty() {
            return;
        }
        let at = match self.parts.last() {
            Some(Part::Delete(_)) => self.parts.len() - 1,
            _ => self.parts.len(),
        };
        match at.checked_sub(1).map(|before| &mut self.parts[before]) {
            Some(Part::Insert { text: last, .. }) => *last = [last, text].concat().into(),
            _ => self.parts.insert(at, Part::Insert { text: text.into(), continues }),
        }
    }

    pub(super) fn trim(&mut self) {
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

    pub(crate) fn insert(&mut self, text: &str, continues: bool) {
        self.delta.push_insert(text, continues);
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
    /// A short form for tests and logs: `=3 +"x" -2`; `+·"x"` continues.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, part) in self.parts.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            match part {
                Part::Retain(n) => write!(f, "={n}")?,
                Part::Insert { text, continues: false } => write!(f, "+{text:?}")?,
                Part::Insert { text, continues: true } => write!(f, "+·{text:?}")?,
                Part::Delete(n) => write!(f, "-{n}")?,
            }
        }
        Ok(())
    }
}
