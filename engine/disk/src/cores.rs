//! Work on all cores, for a start: no shard runs yet.

use std::num::NonZero;
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Does the work on as many threads as there are cores for; the results come in
/// the order of the items.
pub(crate) fn on_all<T: Send, R: Send>(items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get).min(items.len());
    let mut results: Vec<Option<R>> = items.iter().map(|_| None).collect();
    let queue = Mutex::new(items.into_iter().zip(&mut results));
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let help = || {
        while let Some((item, result)) = next() {
            *result = Some(work(item));
        }
    };
    thread::scope(|scope| {
        (1..cores).for_each(|_| drop(scope.spawn(help)));
        help();
    });
    results.into_iter().map(|result| result.expect("a scope waits for its threads")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_result_is_that_of_its_item() {
        for items in [0, 1, 2, 1000] {
            let squares = on_all((0..items).collect(), |item: u64| item * item);
            assert!(squares.into_iter().eq((0..items).map(|item| item * item)));
        }
    }
}
