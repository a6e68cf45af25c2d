//! Long computations for requests, on one thread beside the shards.
//!
//! A picture of a large desk takes most of a second, and a shard that drew it would hold up
//! everybody on its desks. One thread bounds the memory and the processor that such requests
//! take together. Addresses take turns, so that whoever asks for much waits for himself.

use std::any::Any;
use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound::{Excluded, Unbounded};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use desk_engine_core::Source;

use crate::limits::BESIDE_PER_ADDRESS_MAX;

/// The thread, and what waits for it.
pub(crate) struct Beside {
    queue: Mutex<Queue>,
    more: Condvar,
    begun: Arc<AtomicU64>,
}

type Job = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Queue {
    waiting: BTreeMap<Source, VecDeque<Job>>,
    /// Whose turn it was.
    last: Option<Source>,
}

/// What is computed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// The answer to a poll: it takes milliseconds, and goes ahead of the files of its
    /// address. Polls are bounded where they wait for news.
    Poll,
    /// An import or an export.
    File,
}

/// Too much waits already for the address that asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Busy;

impl Queue {
    fn push(&mut self, source: Source, kind: Kind, job: Job) -> Result<(), Busy> {
        let jobs = self.waiting.entry(source).or_default();
        match kind {
            Kind::Poll => jobs.push_front(job),
            Kind::File if jobs.len() >= BESIDE_PER_ADDRESS_MAX => return Err(Busy),
            Kind::File => jobs.push_back(job),
        }
        Ok(())
    }

    /// The first job of the address behind the one whose turn it was.
    fn pop(&mut self) -> Option<Job> {
        let behind = self.last.map_or(Unbounded, Excluded);
        let next = self.waiting.range((behind, Unbounded)).next();
        let (source, _) = next.or_else(|| self.waiting.first_key_value())?;
        let source = *source;
        self.last = Some(source);
        let jobs = self.waiting.get_mut(&source).expect("it was just found");
        let job = jobs.pop_front();
        if jobs.is_empty() {
            self.waiting.remove(&source);
        }
        job
    }
}

impl Beside {
    /// Starts the thread, which lives as long as the process.
    ///
    /// # Errors
    /// The system starts no thread.
    pub(crate) fn start() -> std::io::Result<Arc<Self>> {
        let beside =
            Arc::new(Self { queue: Mutex::default(), more: Condvar::new(), begun: Arc::default() });
        let working = Arc::clone(&beside);
        let thread = std::thread::Builder::new().name("beside".to_owned());
        thread.spawn(move || working.work())?;
        Ok(beside)
    }

    fn work(&self) {
        loop {
            let mut queue = locked(&self.queue);
            let job = loop {
                match queue.pop() {
                    Some(job) => break job,
                    None => queue = self.more.wait(queue).unwrap_or_else(PoisonError::into_inner),
                }
            };
            drop(queue);
            job();
        }
    }

    /// Computes something for an address. A job whose result was dropped is not begun.
    ///
    /// # Errors
    /// Too much waits for that address.
    pub(crate) fn begin<T: Send + 'static>(
        &self,
        source: Source,
        kind: Kind,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Awaited<T>, Busy> {
        let result = Awaited(Arc::new(Mutex::new(Progress::Waiting(None))));
        let told = Arc::clone(&result.0);
        let begun = Arc::clone(&self.begun);
        let job = move || {
            if !matches!(*locked(&told), Progress::Waiting(_)) {
                return;
            }
            begun.fetch_add(1, Ordering::Relaxed);
            let done = catch_unwind(AssertUnwindSafe(job));
            let before = std::mem::replace(&mut *locked(&told), Progress::Done(done));
            if let Progress::Waiting(Some(waiter)) = before {
                waiter.wake();
            }
        };
        locked(&self.queue).push(source, kind, Box::new(job))?;
        self.more.notify_one();
        Ok(result)
    }

    /// How many jobs were begun since the start.
    pub(crate) fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }
}

enum Progress<T> {
    Waiting(Option<Waker>),
    Done(Result<T, Box<dyn Any + Send>>),
    Taken,
}

/// A result that somebody waits for. Dropped, nobody does.
pub(crate) struct Awaited<T>(Arc<Mutex<Progress<T>>>);

impl<T> Awaited<T> {
    /// The result, once. A panic of the job goes on in the task that waits for it.
    pub(crate) fn poll(&self, context: &mut Context<'_>) -> Poll<T> {
        let mut progress = locked(&self.0);
        match std::mem::replace(&mut *progress, Progress::Taken) {
            Progress::Done(done) => {
                drop(progress);
                Poll::Ready(done.unwrap_or_else(|panic| resume_unwind(panic)))
            }
            Progress::Waiting(_) => {
                *progress = Progress::Waiting(Some(context.waker().clone()));
                Poll::Pending
            }
            Progress::Taken => unreachable!("a result is taken once"),
        }
    }
}

impl<T> Drop for Awaited<T> {
    fn drop(&mut self) {
        *locked(&self.0) = Progress::Taken;
    }
}

/// Nothing panics while it holds one of these locks.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_lite::future::block_on;
    use std::net::IpAddr;
    use std::sync::mpsc;

    fn from(host: u8) -> Source {
        Source::from(IpAddr::from([192, 0, 2, host]))
    }

    /// A thread that is held up until the sender is dropped.
    fn held_up() -> (Arc<Beside>, mpsc::Sender<()>) {
        let beside = Beside::start().unwrap();
        let (sender, receiver) = mpsc::channel::<()>();
        let (begun, beginning) = mpsc::channel();
        let first = move || {
            begun.send(()).unwrap();
            let _ = receiver.recv();
        };
        locked(&beside.queue).push(from(0), Kind::File, Box::new(first)).unwrap();
        beside.more.notify_one();
        beginning.recv().unwrap();
        (beside, sender)
    }

    fn run<T: Send + 'static>(beside: &Beside, job: impl FnOnce() -> T + Send + 'static) -> T {
        let result = beside.begin(from(1), Kind::File, job).expect("there is room");
        block_on(std::future::poll_fn(|context| result.poll(context)))
    }

    #[test]
    fn a_result_comes_back_and_wakes_who_waits() {
        let beside = Beside::start().unwrap();
        assert_eq!(run(&beside, || 6 * 7), 42);
    }

    #[test]
    fn addresses_take_turns_and_a_poll_passes_files() {
        let (beside, hold) = held_up();
        let (sender, order) = mpsc::channel();
        let file = |host, job| (host, Kind::File, job);
        let files = [file(1, 10), file(1, 11), file(1, 12), file(2, 20), file(3, 30)];
        for (host, kind, job) in files.into_iter().chain([(3, Kind::Poll, 31)]) {
            let sender = sender.clone();
            let told = Box::new(move || sender.send(job).unwrap());
            locked(&beside.queue).push(from(host), kind, told).unwrap();
        }
        drop((hold, sender));
        assert_eq!(order.iter().collect::<Vec<_>>(), [10, 20, 31, 11, 30, 12]);
    }

    #[test]
    fn an_address_that_asks_for_too_much_is_told() {
        let (beside, _hold) = held_up();
        for _ in 0..BESIDE_PER_ADDRESS_MAX {
            locked(&beside.queue).push(from(1), Kind::File, Box::new(|| {})).unwrap();
        }
        assert!(beside.begin(from(1), Kind::File, || ()).is_err());
        assert!(beside.begin(from(2), Kind::File, || ()).is_ok());
        assert!(
            beside.begin(from(1), Kind::Poll, || ()).is_ok(),
            "polls have a bound of their own"
        );
    }

    #[test]
    fn what_nobody_waits_for_is_not_begun() {
        let (beside, hold) = held_up();
        let (sender, begun) = mpsc::channel();
        let job = |number: u32| {
            let sender = sender.clone();
            let tell = move || sender.send(number).unwrap();
            beside.begin(from(1), Kind::File, tell).expect("there is room")
        };
        drop(job(1));
        let awaited = job(2);
        drop((hold, sender));
        block_on(std::future::poll_fn(|context| awaited.poll(context)));
        assert_eq!(begun.iter().collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn a_panic_is_one_of_who_waits_and_the_thread_goes_on() {
        let beside = Beside::start().unwrap();
        let panicking = || run(&beside, || panic!("a defect of the test"));
        assert!(catch_unwind(AssertUnwindSafe(panicking)).is_err());
        assert_eq!(run(&beside, || 1), 1);
    }
}
