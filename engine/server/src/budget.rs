//! Bytes that many connections hold out of one sum.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many bytes may be held, and how many are. All shards share it.
#[derive(Debug)]
pub(crate) struct Budget {
    most: usize,
    held: AtomicUsize,
}

impl Budget {
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, held: AtomicUsize::new(0) })
    }

    /// Bytes that are held now.
    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }
}

/// What one connection holds. Its bytes are given back with it.
#[derive(Debug)]
pub(crate) struct Held {
    budget: Arc<Budget>,
    bytes: usize,
}

/// All bytes of a budget are held: whoever wanted more has to end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Exhausted;

impl Held {
    /// Nothing yet.
    pub(crate) fn nothing(budget: &Arc<Budget>) -> Self {
        Self { budget: Arc::clone(budget), bytes: 0 }
    }

    /// Whether no bytes are held.
    pub(crate) const fn is_nothing(&self) -> bool {
        self.bytes == 0
    }

    /// Holds so many bytes from now on, instead of those before.
    pub(crate) fn set(&mut self, bytes: usize) -> Result<(), Exhausted> {
        let before = std::mem::replace(&mut self.bytes, bytes);
        if bytes <= before {
            if bytes < before {
                self.budget.held.fetch_sub(before - bytes, Ordering::Relaxed);
            }
            return Ok(());
        }
        let more = bytes - before;
        let held = self.budget.held.fetch_add(more, Ordering::Relaxed) + more;
        if held <= self.budget.most { Ok(()) } else { Err(Exhausted) }
    }

    /// Holds so many bytes, or those before if they are more.
    pub(crate) fn at_least(&mut self, bytes: usize) -> Result<(), Exhausted> {
        self.set(bytes.max(self.bytes))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.budget.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_shared_and_given_back() {
        let budget = Budget::new(10);
        let (mut one, mut two) = (Held::nothing(&budget), Held::nothing(&budget));
        assert_eq!(one.set(6), Ok(()));
        assert_eq!(two.set(5), Err(Exhausted));
        drop(two);
        assert_eq!(one.at_least(4), Ok(()));
        assert_eq!(budget.held(), 6);
        assert_eq!(one.at_least(10), Ok(()));
        assert_eq!(one.set(1), Ok(()));
        assert_eq!(budget.held(), 1);
        drop(one);
        assert_eq!(budget.held(), 0);
    }
}
