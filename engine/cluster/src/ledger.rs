//! What the lanes hold of a unit, and what of it may go.
//!
//! A *span* is a run of batches in the unit's order. The ledger knows where the batches
//! of each span stand in each lane, what they take, and which keys begin there: with their
//! first record or with their last state. The *floor* rises span by span. What stands below it in a lane is purged once
//! the lanes have a batch that names the floor.

use std::collections::{BTreeSet, VecDeque};

use desk_protocol::Time;

use crate::limits::{EXPIRED_TIME, MESSAGE_HEAD_BYTES, SPANS_MAX};
use crate::record::{Key, What};
use crate::unit_id::Mark;
use crate::wire::Batch;

/// Where batches stand, from the oldest on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Ledger {
    spans: VecDeque<Span>,
    /// Nothing up to here is needed of the lanes.
    floor: Mark,
    lanes: usize,
    /// Bytes from which on a span is not continued.
    span_bytes: u64,
}

/// A run of batches.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Span {
    /// The last batch.
    end: Mark,
    /// The keys that begin here, and when each expires.
    beginnings: Vec<(Key, Time)>,
    has_records: bool,
    /// It takes no more batches.
    is_closed: bool,
    lanes: Vec<Part>,
}

/// A span in one lane.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Part {
    /// The sequences of the first and of the last batch, in the lane's order.
    stands: Option<(u64, u64)>,
    bytes: u64,
}

/// A batch, as far as the ledger keeps it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Entry {
    mark: Mark,
    beginnings: Vec<(Key, Time)>,
    has_records: bool,
    bytes: u64,
}

impl Entry {
    /// What the ledger keeps of a batch that is so long. Keys that are open begin with each
    /// of their records.
    pub(crate) fn of(batch: &Batch, bytes: usize, is_open: impl Fn(&Key) -> bool) -> Self {
        let begin = batch.records.iter().filter(|record| match record.what {
            What::Piece { at, .. } => at == 0,
            What::Entry(_) | What::Forget => record.sequence == 1 || is_open(&record.key),
        });
        Self {
            mark: Mark { epoch: batch.epoch, number: batch.number },
            beginnings: begin.map(|record| (record.key, record.expires_at)).collect(),
            has_records: !batch.records.is_empty(),
            bytes: bytes as u64 + MESSAGE_HEAD_BYTES,
        }
    }
}

impl Span {
    /// When all keys that begin here have expired.
    fn expires_at(&self) -> Time {
        self.beginnings.iter().map(|(_, at)| *at).max().unwrap_or(Time(0))
    }

    fn is_over(&self, now: Time) -> bool {
        self.beginnings.is_empty() || self.expires_at() + EXPIRED_TIME <= now
    }

    fn bytes(&self) -> u64 {
        self.lanes.iter().map(|part| part.bytes).sum()
    }
}

impl Part {
    fn stands_at(&mut self, sequence: u64) {
        let (first, last) = self.stands.unwrap_or((sequence, sequence));
        self.stands = Some((first.min(sequence), last.max(sequence)));
    }
}

impl Ledger {
    /// Empty lanes, of which the unit may use so many bytes each.
    pub(crate) fn new(lanes: usize, room: u64) -> Self {
        let span_bytes = room / SPANS_MAX as u64;
        Self { spans: VecDeque::new(), floor: Mark::default(), lanes, span_bytes }
    }

    /// Lifts the floor to where somebody else has lifted it.
    pub(crate) fn lift(&mut self, floor: Mark) {
        self.floor = self.floor.max(floor);
    }

    pub(crate) const fn floor(&self) -> Mark {
        self.floor
    }

    /// A batch takes room in a lane, whether or not it is known to be stored there.
    pub(crate) fn takes_room(&mut self, entry: &Entry, lane: usize) {
        let span = self.span(entry.mark);
        span.has_records |= entry.has_records;
        span.lanes[lane].bytes += entry.bytes;
        let is_new = |known: &[(Key, Time)]| !known.ends_with(&entry.beginnings);
        if is_new(&span.beginnings) {
            span.beginnings.extend_from_slice(&entry.beginnings);
        }
    }

    /// A batch that takes room stands at that sequence of a lane.
    pub(crate) fn stands(&mut self, entry: &Entry, lane: usize, sequence: u64) {
        self.span(entry.mark).lanes[lane].stands_at(sequence);
    }

    /// A key begins at a batch that is noted, too.
    pub(crate) fn begins(&mut self, mark: Mark, key: Key, expires_at: Time) {
        let beginnings = &mut self.span(mark).beginnings;
        if beginnings.last() != Some(&(key, expires_at)) {
            beginnings.push((key, expires_at));
        }
    }

    /// Bytes that the unit takes in a lane.
    pub(crate) fn bytes(&self, lane: usize) -> u64 {
        self.spans.iter().map(|span| span.lanes[lane].bytes).sum()
    }

    /// When the floor can rise because what is oldest has expired; `None` if there is
    /// nothing that would make room.
    pub(crate) fn expires_at(&self) -> Option<Time> {
        let mut at = Time(0);
        for span in self.spans.iter().filter(|span| span.end > self.floor) {
            at = at.max(span.expires_at());
            if span.has_records {
                return Some(at + EXPIRED_TIME);
            }
        }
        None
    }

    /// Lifts the floor over all that has expired.
    pub(crate) fn rise(&mut self, now: Time) {
        let is_over = |span: &&Span| span.is_over(now);
        let over = self.spans.iter().take_while(is_over).last().map(|span| span.end);
        self.floor = self.floor.max(over.unwrap_or_default());
    }

    /// The oldest span above the floor, if all its batches are among those up to
    /// `told`: its end, its bytes, and the keys that begin there and have not
    /// expired. It takes no more batches from then on.
    pub(crate) fn oldest(&mut self, now: Time, told: Mark) -> Option<(Mark, u64, Vec<Key>)> {
        let floor = self.floor;
        let oldest = self.spans.iter_mut().find(|span| span.end > floor)?;
        if oldest.end > told {
            return None;
        }
        oldest.is_closed = true;
        let keys = oldest.beginnings.iter().filter(|(_, at)| *at + EXPIRED_TIME > now);
        let keys: BTreeSet<Key> = keys.map(|(key, _)| *key).collect();
        Some((oldest.end, oldest.bytes(), keys.into_iter().collect()))
    }

    /// States of these keys stand behind that batch and cover all before.
    pub(crate) fn said(&mut self, keys: &BTreeSet<Key>, upto: Mark) {
        for span in self.spans.iter_mut().take_while(|span| span.end <= upto) {
            span.beginnings.retain(|(key, _)| !keys.contains(key));
        }
    }

    /// No key begins in the span that ends there any more.
    pub(crate) fn cleaned(&mut self, end: Mark) {
        let cleaned = self.spans.iter_mut().filter(|span| span.end <= end);
        cleaned.for_each(|span| span.beginnings.clear());
    }

    /// The last batch of a lane, in the lane's order, before which the lane holds nothing
    /// above the floor; 0 if there is none.
    pub(crate) fn below(&self, floor: Mark, lane: usize) -> u64 {
        let parts = |is_below: bool| {
            let spans = self.spans.iter().filter(move |span| (span.end <= floor) == is_below);
            spans.filter_map(|span| span.lanes[lane].stands)
        };
        let last = parts(true).map(|(_, last)| last).max().unwrap_or(0);
        // A copy of an old batch may stand behind newer ones.
        let first_above = parts(false).map(|(first, _)| first).min().unwrap_or(u64::MAX);
        last.min(first_above - 1)
    }

    /// What stood below the floor in a lane has gone, up to that sequence.
    pub(crate) fn purged(&mut self, floor: Mark, lane: usize, upto: u64) {
        for span in self.spans.iter_mut().take_while(|span| span.end <= floor) {
            let part = &mut span.lanes[lane];
            if part.stands.is_none_or(|(_, last)| last <= upto) {
                *part = Part::default();
            }
        }
        let is_gone = |span: &Span| span.lanes.iter().all(|part| *part == Part::default());
        while self.spans.front().is_some_and(|span| span.end <= floor && is_gone(span)) {
            self.spans.pop_front();
        }
    }

    /// The span of a batch.
    fn span(&mut self, mark: Mark) -> &mut Span {
        let at = self.spans.partition_point(|span| span.end < mark);
        if at == self.spans.len() {
            let (floor, most) = (self.floor, self.span_bytes);
            let grows = |span: &Span| span.end > floor && !span.is_closed && span.bytes() < most;
            match self.spans.back_mut() {
                Some(last) if grows(last) => last.end = mark,
                _ => self.spans.push_back(Span {
                    end: mark,
                    beginnings: Vec::new(),
                    has_records: false,
                    is_closed: false,
                    lanes: vec![Part::default(); self.lanes],
                }),
            }
        }
        let at = at.min(self.spans.len() - 1);
        &mut self.spans[at]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unit_id::Epoch;

    fn mark(number: u64) -> Mark {
        Mark { epoch: Epoch(1), number }
    }

    fn key(number: u64) -> Key {
        Key([number as u8; 16])
    }

    fn at(second: u64) -> Time {
        Time::from_unix_seconds(second) + EXPIRED_TIME
    }

    /// A ledger of two lanes whose spans have one batch each, at `(number, lane, sequence)`
    /// and expiring at the second of its number.
    fn ledger(batches: &[(u64, usize, u64)]) -> Ledger {
        let mut ledger = Ledger::new(2, 0);
        for (number, lane, sequence) in batches {
            let beginnings = vec![(key(*number), Time::from_unix_seconds(*number))];
            let entry = Entry { mark: mark(*number), beginnings, has_records: true, bytes: 10 };
            ledger.takes_room(&entry, *lane);
            ledger.stands(&entry, *lane, *sequence);
        }
        ledger
    }

    #[test]
    fn the_floor_rises_over_what_has_expired() {
        let mut ledger = ledger(&[(1, 0, 11), (2, 1, 21), (3, 0, 12)]);
        assert_eq!(ledger.expires_at(), Some(at(1)));
        ledger.rise(at(2));
        assert_eq!((ledger.floor(), ledger.expires_at()), (mark(2), Some(at(3))));
        assert_eq!((ledger.below(mark(2), 0), ledger.below(mark(2), 1)), (11, 21));
        assert_eq!((ledger.bytes(0), ledger.bytes(1)), (20, 10));
        ledger.purged(mark(2), 0, 11);
        ledger.purged(mark(2), 1, 21);
        assert_eq!((ledger.bytes(0), ledger.bytes(1)), (10, 0));
        assert_eq!((ledger.below(mark(2), 0), ledger.spans.len()), (0, 1));
    }

    #[test]
    fn what_lasts_holds_back_what_expires() {
        let mut ledger = ledger(&[(5, 0, 1)]);
        let beginnings = vec![(key(6), Time(0))];
        let entry = Entry { mark: mark(6), beginnings, has_records: true, bytes: 10 };
        ledger.takes_room(&entry, 0);
        assert_eq!(ledger.expires_at(), Some(at(5)));
        ledger.rise(at(4));
        assert_eq!(ledger.floor(), Mark::default());
    }

    #[test]
    fn the_floor_rises_over_a_span_that_was_cleaned() {
        let mut ledger = ledger(&[(500, 0, 1), (501, 0, 2)]);
        let now = Time::from_unix_seconds(400);
        assert_eq!(ledger.oldest(now, mark(499)), None, "the node does not know of it");
        assert_eq!(ledger.oldest(now, mark(501)), Some((mark(500), 10, vec![key(500)])));
        ledger.cleaned(mark(500));
        ledger.rise(now);
        assert_eq!(ledger.floor(), mark(500));
        assert_eq!(ledger.oldest(at(501), mark(501)), Some((mark(501), 10, vec![])));
    }

    #[test]
    fn a_late_copy_takes_no_newer_batch_along() {
        let ledger = ledger(&[(1, 0, 1), (2, 1, 1), (4, 0, 2), (2, 0, 3)]);
        assert_eq!(ledger.below(mark(2), 0), 1, "batch 4 stands before the copy");
        assert_eq!(ledger.below(mark(4), 0), 3);
    }

    #[test]
    fn what_asks_only_makes_no_room() {
        let mut ledger = Ledger::new(1, 0);
        let entry = Entry { mark: mark(1), beginnings: vec![], has_records: false, bytes: 10 };
        ledger.takes_room(&entry, 0);
        ledger.stands(&entry, 0, 1);
        assert_eq!(ledger.expires_at(), None);
    }
}
