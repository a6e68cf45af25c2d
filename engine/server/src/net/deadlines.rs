//! All times that a shard waits for, behind one timer: thousands of timers of
//! the executor would cost 20 µs each to fire.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use desk_protocol::Time;

use super::flag::Flag;

/// The deadlines of one shard, in order.
#[derive(Default)]
pub(crate) struct Deadlines {
    queue: RefCell<BTreeMap<(Time, u64), Rc<Flag>>>,
    next: Cell<u64>,
}

/// One waiter's place; gone with it.
pub(crate) struct Deadline {
    all: Rc<Deadlines>,
    place: Cell<Option<(Time, u64)>>,
    flag: Rc<Flag>,
}

impl Deadlines {
    /// A place for a waiter whose `flag` is set when its time has come.
    pub(crate) fn waiter(self: &Rc<Self>, flag: Rc<Flag>) -> Deadline {
        Deadline { all: Rc::clone(self), place: Cell::new(None), flag }
    }

    /// The next one.
    pub(crate) fn first(&self) -> Option<Time> {
        self.queue.borrow().first_key_value().map(|((time, _), _)| *time)
    }

    /// Sets the flags of all whose time has come.
    pub(crate) fn fire(&self, now: Time) {
        loop {
            let due = match self.queue.borrow_mut().first_entry() {
                Some(first) if first.key().0 <= now => first.remove(),
                _ => return,
            };
            due.set();
        }
    }
}

impl Deadline {
    /// Sets, moves or lifts it. Says whether it is now the shard's first, so
    /// that the timer has to be set anew.
    pub(crate) fn set(&self, time: Option<Time>) -> bool {
        if let Some(place) = self.place.get()
            && Some(place.0) == time
            && self.all.queue.borrow().contains_key(&place)
        {
            return false;
        }
        self.lift();
        let Some(time) = time else { return false };
        let number = self.all.next.get();
        self.all.next.set(number + 1);
        self.place.set(Some((time, number)));
        let mut queue = self.all.queue.borrow_mut();
        queue.insert((time, number), Rc::clone(&self.flag));
        queue.first_key_value().is_some_and(|(first, _)| *first == (time, number))
    }

    fn lift(&self) {
        if let Some(place) = self.place.take() {
            self.all.queue.borrow_mut().remove(&place);
        }
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        self.lift();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::{Context, Poll, Waker};

    fn is_set(flag: &Flag) -> bool {
        flag.poll(&mut Context::from_waker(Waker::noop())) == Poll::Ready(())
    }

    #[test]
    fn deadlines_fire_in_order_and_once() {
        let all = Rc::new(Deadlines::default());
        let flags: Vec<_> = (0..3).map(|_| Rc::new(Flag::default())).collect();
        let waiters: Vec<_> = flags.iter().map(|flag| all.waiter(Rc::clone(flag))).collect();
        assert!(waiters[0].set(Some(Time(30))));
        assert!(waiters[1].set(Some(Time(10))));
        assert!(!waiters[2].set(Some(Time(20))));
        assert_eq!(all.first(), Some(Time(10)));
        all.fire(Time(20));
        assert!(!is_set(&flags[0]) && is_set(&flags[1]) && is_set(&flags[2]));
        assert!(waiters[1].set(Some(Time(25))), "a fired one can be set again");
        drop(waiters);
        assert_eq!(all.first(), None);
    }
}
