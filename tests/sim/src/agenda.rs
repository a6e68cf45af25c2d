//! What happens when.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use desk_protocol::Time;

/// Events by time; those of one moment in the order they were added.
pub(crate) struct Agenda<E> {
    pub(crate) now: Time,
    added: u64,
    heap: BinaryHeap<Reverse<Entry<E>>>,
}

struct Entry<E> {
    at: Time,
    number: u64,
    event: E,
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl<E> Eq for Entry<E> {}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> Ord for Entry<E> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

impl<E> Agenda<E> {
    pub(crate) fn new(now: Time) -> Self {
        Self { now, added: 0, heap: BinaryHeap::new() }
    }

    pub(crate) fn at(&mut self, at: Time, event: E) {
        self.added += 1;
        let at = at.max(self.now);
        self.heap.push(Reverse(Entry { at, number: self.added, event }));
    }

    pub(crate) fn after(&mut self, delay: Duration, event: E) {
        self.at(self.now + delay, event);
    }

    /// The next event, if it comes before `until`; time moves there.
    pub(crate) fn next(&mut self, until: Time) -> Option<E> {
        if self.heap.peek().is_none_or(|Reverse(entry)| entry.at > until) {
            return None;
        }
        let Reverse(entry) = self.heap.pop()?;
        self.now = entry.at;
        Some(entry.event)
    }
}
