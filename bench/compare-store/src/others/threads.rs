//! Any blocking store as an engine.

use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use desk_bench::clock::Clock;

use super::{Blocking, OperationKey};
use crate::accounts;
use crate::content::{Content, KEY_BYTES, Stream, Version};
use crate::engine::{Counted, Engine, Expired, Expiry};

/// Whole desks of one durable write: a MB of them.
const DESKS_AT_A_TIME: usize = 100;

/// Flushes and compactions are over when none was seen at this many looks.
pub(super) const QUIET_LOOKS: usize = 10;
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(30);

pub(super) struct Threads<S> {
    store: S,
    content: Rc<Content>,
    /// Bytes of keys and values given, which a log holds once.
    given_bytes: u64,
}

impl<S: Blocking> Threads<S> {
    pub(super) fn new(store: S, content: Rc<Content>) -> Self {
        Self { store, content, given_bytes: 0 }
    }
}

/// Commits one group and says how long it took, in nanoseconds.
fn commit_one(
    store: &impl Blocking,
    content: &Content,
    stream: &mut Stream,
    size: usize,
    clock: &Clock,
) -> Result<u64> {
    let begun = clock.elapsed();
    let mut group: Vec<(OperationKey, &[u8])> = Vec::with_capacity(size);
    for _ in 0..size {
        let operation = stream.draw(content);
        let mut key = [0; KEY_BYTES + 8];
        key[..KEY_BYTES].copy_from_slice(&content.key(operation.desk));
        key[KEY_BYTES..].copy_from_slice(&operation.revision.to_be_bytes());
        group.push((key, operation.payload));
    }
    store.commit(&group)?;
    Ok((clock.elapsed() - begun).as_nanos() as u64)
}

impl<S: Blocking> Engine for Threads<S> {
    fn commit(&mut self, stream: &mut Stream, groups: usize, size: usize) -> Result<Vec<u64>> {
        let clock = Clock::start();
        let one = |_| commit_one(&self.store, &self.content, stream, size, &clock);
        (0..groups).map(one).collect()
    }

    fn store(&mut self, desks: &[Version]) -> Result<()> {
        let bucket = |desk: &Version| self.content.bucket(desk.desk);
        for same in desks.chunk_by(|one, next| bucket(one) == bucket(next)) {
            for some in same.chunks(DESKS_AT_A_TIME) {
                let rows: Vec<_> = some
                    .iter()
                    .map(|desk| (self.content.key(desk.desk), self.content.desk(*desk)))
                    .collect();
                self.store.put(bucket(&same[0]), &rows)?;
                self.given_bytes += (some.len() * (KEY_BYTES + self.content.desk_bytes)) as u64;
            }
        }
        Ok(())
    }

    fn settle(&mut self) -> Result<()> {
        self.store.settle()
    }

    fn read(&mut self, desks: &[Version]) -> Result<Vec<u64>> {
        let clock = Clock::start();
        let mut times = Vec::with_capacity(desks.len());
        for desk in desks {
            let (key, bucket) = (self.content.key(desk.desk), self.content.bucket(desk.desk));
            let expected = self.content.desk(*desk);
            let (mut shown, mut same) = (Duration::ZERO, false);
            let begun = clock.elapsed();
            self.store.get(bucket, &key, &mut |value| {
                shown = clock.elapsed();
                same = value == expected;
            })?;
            ensure!(same, "{desk:?} is missing or has other bytes");
            times.push((shown - begun).as_nanos() as u64);
        }
        Ok(times)
    }

    fn read_cached(&mut self, desks: &[Version], times: usize) -> Result<Vec<u64>> {
        self.read(desks)?;
        let mut all = Vec::with_capacity(desks.len() * times);
        for _ in 0..times {
            all.extend(self.read(desks)?);
        }
        Ok(all)
    }

    fn expire(&mut self, stream: &mut Stream, plan: Expiry) -> Result<Expired> {
        let (store, content) = (&self.store, Content::clone(&self.content));
        let (over, times) = (AtomicBool::new(false), Mutex::new(Vec::new()));
        let take = || std::mem::take(&mut *times.lock().unwrap_or_else(PoisonError::into_inner));
        std::thread::scope(|scope| {
            let foreground = scope.spawn(|| {
                let clock = Clock::start();
                while !over.load(Ordering::SeqCst) {
                    let time = commit_one(store, &content, stream, plan.size, &clock)?;
                    times.lock().unwrap_or_else(PoisonError::into_inner).push(time);
                }
                anyhow::Ok(())
            });
            let measured = (|| {
                rest(plan.window / 4);
                take();
                let begun = accounts::written_bytes()?;
                rest(plan.window);
                let before_ns = take();
                let middle = accounts::written_bytes()?;
                let clock = Clock::start();
                store.drop_bucket(plan.bucket)?;
                let caller_us = clock.elapsed().as_secs_f64() * 1e6;
                rest(plan.window.saturating_sub(clock.elapsed()));
                let during_ns = take();
                let written = (accounts::written_bytes()? - middle) as f64;
                let each = (middle - begun) as f64 / before_ns.len().max(1) as f64;
                let written_bytes = (written - each * during_ns.len() as f64).max(0.0);
                Ok(Expired { caller_us, written_bytes, before_ns, during_ns })
            })();
            over.store(true, Ordering::SeqCst);
            foreground.join().map_err(|_| anyhow!("the foreground has panicked"))??;
            measured
        })
    }

    fn counted(&self) -> Counted {
        let log_bytes = if self.store.has_log() { self.given_bytes } else { 0 };
        Counted { log_bytes, ..Counted::default() }
    }

    fn close(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

#[expect(clippy::disallowed_methods, reason = "the length of a measurement is what is waited for")]
pub(super) fn rest(time: Duration) {
    std::thread::sleep(time);
}
