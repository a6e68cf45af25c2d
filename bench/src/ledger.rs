//! What became of a room's operations: who has which, and how long it took.

use std::collections::VecDeque;
use std::ops::Range;

use desk_protocol::Time;

use crate::latency::Latency;

/// The batches of one room, by a number that has no gaps: the desk's revision,
/// or the relay's own count.
///
/// An operation counts once every other client of the room has it.
#[derive(Debug)]
pub struct Ledger {
    /// Clients besides the author.
    others: usize,
    /// The number of the first slot.
    first: u64,
    slots: VecDeque<Slot>,
    completed: u64,
    batches: u64,
    delivered: u64,
    /// Operations that were due in it are timed.
    window: Range<Time>,
    latency: Latency,
}

#[derive(Debug, Default)]
struct Slot {
    operations: u64,
    receipts: usize,
    /// When the operations were due, once the author knows the batch's number.
    intended: Option<Vec<Time>>,
    /// Receipts from before that.
    early: Vec<Time>,
}

impl Ledger {
    /// A room of `clients`; batches below number `first` are not looked at.
    pub fn new(clients: usize, first: u64) -> Self {
        Self {
            others: clients - 1,
            first,
            slots: VecDeque::new(),
            completed: 0,
            batches: 0,
            delivered: 0,
            window: Time(0)..Time(0),
            latency: Latency::default(),
        }
    }

    /// One of the others received batch `number`.
    pub fn received(&mut self, number: u64, operations: u64, at: Time) {
        let (others, window) = (self.others, self.window.clone());
        let Some(slot) = self.slot(number) else { return };
        slot.operations = operations;
        slot.receipts += 1;
        assert!(slot.receipts <= others, "batch {number} came to a client twice");
        let complete = slot.receipts == others;
        match slot.intended.take() {
            Some(intended) => {
                self.clock_receipt(&intended, &window, at);
                self.slot(number).expect("it was there").intended = Some(intended);
            }
            None => slot.early.push(at),
        }
        self.delivered += operations;
        if complete {
            self.completed += operations;
            self.batches += 1;
            self.retire();
        }
    }

    /// The author learnt that what was due at these times is batch `number`.
    pub fn authored(&mut self, number: u64, intended: Vec<Time>) {
        let window = self.window.clone();
        let Some(slot) = self.slot(number) else { return };
        for at in std::mem::take(&mut slot.early) {
            self.clock_receipt(&intended, &window, at);
        }
        if let Some(slot) = self.slot(number) {
            slot.intended = Some(intended);
        }
        self.retire();
    }

    /// Whether every other client has batch `number`.
    pub fn is_complete(&self, number: u64) -> bool {
        let Some(index) = number.checked_sub(self.first) else { return true };
        let slot = usize::try_from(index).ok().and_then(|index| self.slots.get(index));
        slot.is_some_and(|slot| slot.receipts == self.others)
    }

    /// Operations that every other client has.
    pub const fn completed(&self) -> u64 {
        self.completed
    }

    /// The batches that [`Ledger::completed`] were in.
    pub const fn batches(&self) -> u64 {
        self.batches
    }

    /// Operations times the clients that they came to.
    pub const fn delivered(&self) -> u64 {
        self.delivered
    }

    /// Batches that are not with everybody yet.
    pub fn under_way(&self) -> usize {
        self.slots.len()
    }

    /// From now on operations that are due within `window` are timed.
    pub fn time(&mut self, window: Range<Time>) {
        self.window = window;
        self.latency = Latency::default();
    }

    /// What was timed since [`Ledger::time`].
    pub const fn latency(&self) -> &Latency {
        &self.latency
    }

    fn clock_receipt(&mut self, intended: &[Time], window: &Range<Time>, at: Time) {
        for &due in intended.iter().filter(|due| window.contains(due)) {
            self.latency.record(due, at);
        }
    }

    fn slot(&mut self, number: u64) -> Option<&mut Slot> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        while self.slots.len() <= index {
            self.slots.push_back(Slot::default());
        }
        self.slots.get_mut(index)
    }

    fn retire(&mut self) {
        let others = self.others;
        let done = |slot: &Slot| slot.receipts == others && slot.intended.is_some();
        while self.slots.front().is_some_and(done) {
            self.slots.pop_front();
            self.first += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_counts_once_everybody_else_has_it() {
        let mut ledger = Ledger::new(3, 10);
        ledger.received(9, 1, Time(1));
        ledger.received(10, 8, Time(2));
        assert_eq!((ledger.completed(), ledger.delivered()), (0, 8));
        ledger.received(11, 1, Time(3));
        ledger.received(11, 1, Time(4));
        assert_eq!((ledger.completed(), ledger.delivered()), (1, 10));
        assert!(ledger.is_complete(11) && !ledger.is_complete(10) && ledger.is_complete(9));
        ledger.received(10, 8, Time(5));
        assert_eq!((ledger.completed(), ledger.delivered()), (9, 18));
        assert_eq!(ledger.under_way(), 2);
        ledger.authored(10, vec![]);
        ledger.authored(11, vec![]);
        assert_eq!(ledger.under_way(), 0);
    }

    #[test]
    fn latency_counts_from_the_intended_time_in_either_order() {
        let mut ledger = Ledger::new(3, 1);
        ledger.time(Time(100)..Time(200));
        ledger.received(1, 2, Time(1_100));
        ledger.authored(1, vec![Time(100), Time(199)]);
        ledger.received(1, 2, Time(2_100));
        assert_eq!(ledger.latency().count(), 4);
        assert!(ledger.latency().at(1.0) >= 2_000.0);
        ledger.authored(2, vec![Time(200)]);
        ledger.received(2, 1, Time(9_000));
        assert_eq!(ledger.latency().count(), 4, "it was due after the window");
    }

    #[test]
    #[should_panic(expected = "twice")]
    fn a_batch_that_comes_twice_is_told() {
        let mut ledger = Ledger::new(2, 1);
        ledger.received(1, 1, Time(1));
        ledger.received(1, 1, Time(2));
    }
}
