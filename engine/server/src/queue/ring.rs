//! A bounded ring from one thread to one other.
//!
//! `head` counts what was taken, `tail` what was put; both only grow. The slot
//! of count `n` is `n & mask`. The producer owns the slots from `tail` to
//! `head + capacity`, the consumer those from `head` to `tail`; moving a
//! counter, with release, hands a slot over. This is Lamport's queue ("Proving
//! the Correctness of Multiprocess Programs", 1977); each side keeps a copy of
//! the other's counter, so that a batch touches the shared one once.
#![expect(unsafe_code, reason = "slots are handed between two threads without a lock")]

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crossbeam_utils::CachePadded;

struct Shared<T> {
    slots: Box<[UnsafeCell<MaybeUninit<T>>]>,
    mask: usize,
    head: CachePadded<AtomicUsize>,
    tail: CachePadded<AtomicUsize>,
}

// SAFETY: a slot is only touched by the side that owns it, as the module's
// text says, and ownership passes with a release store that the other side
// acquires. So sharing the ring moves values of `T` between threads and never
// shares one, which is what `T: Send` allows.
unsafe impl<T: Send> Sync for Shared<T> {}

// SAFETY: the ring owns its values; sending it sends them.
unsafe impl<T: Send> Send for Shared<T> {}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        let (mut head, tail) = (*self.head.get_mut(), *self.tail.get_mut());
        while head != tail {
            // SAFETY: `&mut self` says that both sides are gone, and the slots
            // from head to tail were put and not taken.
            unsafe { self.slots[head & self.mask].get_mut().assume_init_drop() };
            head = head.wrapping_add(1);
        }
    }
}

/// The side that puts.
pub(crate) struct Producer<T> {
    shared: Arc<Shared<T>>,
    tail: usize,
    head_seen: usize,
}

/// The side that takes.
pub(crate) struct Consumer<T> {
    shared: Arc<Shared<T>>,
    head: usize,
    tail_seen: usize,
}

/// A ring with room for at least `capacity` values.
pub(crate) fn ring<T: Send>(capacity: usize) -> (Producer<T>, Consumer<T>) {
    let capacity = capacity.max(1).next_power_of_two();
    let shared = Arc::new(Shared {
        slots: (0..capacity).map(|_| UnsafeCell::new(MaybeUninit::uninit())).collect(),
        mask: capacity - 1,
        head: CachePadded::new(AtomicUsize::new(0)),
        tail: CachePadded::new(AtomicUsize::new(0)),
    });
    let producer = Producer { shared: Arc::clone(&shared), tail: 0, head_seen: 0 };
    (producer, Consumer { shared, head: 0, tail_seen: 0 })
}

impl<T: Send> Producer<T> {
    /// Puts a value, or gives it back when the ring is full.
    pub(crate) fn push(&mut self, value: T) -> Result<(), T> {
        let capacity = self.shared.slots.len();
        if self.tail.wrapping_sub(self.head_seen) == capacity {
            self.head_seen = self.shared.head.load(Ordering::Acquire);
            if self.tail.wrapping_sub(self.head_seen) == capacity {
                return Err(value);
            }
        }
        let slot = self.shared.slots[self.tail & self.shared.mask].get();
        // SAFETY: the check above says that the slot of count `tail` was taken
        // (or never put), so it belongs to this side, of which there is one:
        // `push` takes `&mut self` and the producer cannot be cloned. The
        // consumer reads it only after the store below.
        unsafe { (*slot).write(value) };
        self.tail = self.tail.wrapping_add(1);
        self.shared.tail.store(self.tail, Ordering::Release);
        Ok(())
    }
}

impl<T: Send> Consumer<T> {
    /// Takes the oldest value.
    pub(crate) fn pop(&mut self) -> Option<T> {
        if self.head == self.tail_seen {
            self.tail_seen = self.shared.tail.load(Ordering::Acquire);
            if self.head == self.tail_seen {
                return None;
            }
        }
        let slot = self.shared.slots[self.head & self.shared.mask].get();
        // SAFETY: `head` is below a tail that was acquired, so the producer
        // has initialised the slot and left it; this side, of which there is
        // one, takes the value out once, since `head` moves past it here.
        let value = unsafe { (*slot).assume_init_read() };
        self.head = self.head.wrapping_add(1);
        self.shared.head.store(self.head, Ordering::Release);
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_kept_and_room_is_bounded() {
        let (mut producer, mut consumer) = ring(3);
        for round in 0..10 {
            for value in 0..4 {
                assert_eq!(producer.push(round * 10 + value), Ok(()));
            }
            assert_eq!(producer.push(99), Err(99), "3 is rounded up to 4");
            for value in 0..4 {
                assert_eq!(consumer.pop(), Some(round * 10 + value));
            }
            assert_eq!(consumer.pop(), None);
        }
    }

    #[test]
    fn what_was_not_taken_is_dropped_once() {
        let value = Arc::new(());
        let (mut producer, mut consumer) = ring(8);
        for _ in 0..5 {
            producer.push(Arc::clone(&value)).unwrap();
        }
        drop(consumer.pop());
        drop(consumer);
        assert_eq!(Arc::strong_count(&value), 5);
        drop(producer);
        assert_eq!(Arc::strong_count(&value), 1);
    }

    #[test]
    fn two_threads_lose_and_double_nothing() {
        const COUNT: u64 = 200_000;
        let (mut producer, mut consumer) = ring::<Box<u64>>(16);
        let thread = std::thread::spawn(move || {
            let mut next = 0;
            while next < COUNT {
                match consumer.pop() {
                    Some(value) => {
                        assert_eq!(*value, next);
                        next += 1;
                    }
                    None => std::thread::yield_now(),
                }
            }
        });
        for value in 0..COUNT {
            let mut value = Box::new(value);
            while let Err(back) = producer.push(value) {
                value = back;
                std::thread::yield_now();
            }
        }
        thread.join().unwrap();
    }
}
