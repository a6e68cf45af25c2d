//! What every store under comparison does, in its own way.

use std::time::Duration;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::content::{Stream, Version};

/// A store that is open. Its methods do whole pieces of work, so that each store
/// runs its own loop and none pays for another's form.
pub trait Engine {
    /// Makes `groups` groups of `size` operations durable, one after the other,
    /// and gives each group's time in nanoseconds.
    ///
    /// # Errors
    /// The store fails.
    fn commit(&mut self, stream: &mut Stream, groups: usize, size: usize) -> Result<Vec<u64>>;

    /// Writes whole desks and makes them durable.
    ///
    /// # Errors
    /// The store fails.
    fn store(&mut self, desks: &[Version]) -> Result<()>;

    /// Waits until the store has done what it does by itself after writes:
    /// flushes and compactions.
    ///
    /// # Errors
    /// The store fails.
    fn settle(&mut self) -> Result<()>;

    /// Reads desks one after the other and compares what comes with what was
    /// written, outside the time that is counted; in nanoseconds.
    ///
    /// # Errors
    /// The store fails, or something is missing or wrong.
    fn read(&mut self, desks: &[Version]) -> Result<Vec<u64>>;

    /// The same for desks that are in memory as far as the store keeps any there.
    ///
    /// # Errors
    /// As for [`Self::read`].
    fn read_cached(&mut self, desks: &[Version], times: usize) -> Result<Vec<u64>>;

    /// Drops the first bucket while groups are committed all the time.
    ///
    /// # Errors
    /// The store fails.
    fn expire(&mut self, stream: &mut Stream, plan: Expiry) -> Result<Expired>;

    /// Bytes that the store itself counts.
    fn counted(&self) -> Counted;

    /// Ends in order.
    ///
    /// # Errors
    /// The store fails.
    fn close(self: Box<Self>) -> Result<()>;
}

/// Bytes since the store opened, where it counts them; what it does not is 0.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Counted {
    /// Written to the log.
    pub log_bytes: u64,
    /// Written to prepare segments of the log, once for each in a store's life.
    pub prewritten_bytes: u64,
    /// Written to tables, compaction included.
    pub table_bytes: u64,
    /// Written by compaction.
    pub compacted_bytes: u64,
    /// In the index in memory, now.
    pub index_bytes: u64,
}

impl Counted {
    /// What was added since `before`.
    pub fn since(self, before: Self) -> Self {
        Self {
            log_bytes: self.log_bytes - before.log_bytes,
            prewritten_bytes: self.prewritten_bytes - before.prewritten_bytes,
            table_bytes: self.table_bytes - before.table_bytes,
            compacted_bytes: self.compacted_bytes - before.compacted_bytes,
            index_bytes: self.index_bytes,
        }
    }
}

/// How an expiry is measured.
#[derive(Clone, Copy, Debug)]
pub struct Expiry {
    /// How long groups are committed before, and at least after it began.
    pub window: Duration,
    /// Operations of each group.
    pub size: usize,
    /// The bucket that goes.
    pub bucket: u32,
}

/// What an expiry cost.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Expired {
    /// The caller's time, in microseconds.
    pub caller_us: f64,
    /// Bytes written in the window without the groups' own.
    pub written_bytes: f64,
    /// Times of the groups before, in nanoseconds.
    pub before_ns: Vec<u64>,
    /// Times of the groups from its beginning to its end and to the window's.
    pub during_ns: Vec<u64>,
}
