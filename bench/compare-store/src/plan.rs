//! How much of everything is measured, with the reasons.

use crate::load::Load;
use crate::work::Desks;

/// Sizes of a run.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Rounds of the short rows, in which all stores take turns.
    pub rounds: usize,
    /// Rounds of those that take seconds a store.
    pub long_rounds: usize,
    /// Groups of one round, after a fifth as many that do not count.
    pub groups: usize,
    /// Groups that fill the log's largest batch.
    pub full_groups: usize,
    /// The device's file. Longer than what its cache may keep of it.
    pub device_bytes: u64,
    /// Desks that are ingested, written anew and read.
    pub rewrite: Desks,
    /// Of these so many are read.
    pub reads: usize,
    /// Desks of which a seventh expires.
    pub expire: Desks,
    /// Milliseconds before and after the expiry.
    pub window_ms: u64,
    /// Desks that our store opens after a kill. The brief's size is 10 KB; a tenth
    /// keeps the index the same and the disk ten times smaller.
    pub reopen: Desks,
    /// Desks that the others open: they take longer to write them.
    pub reopen_others: Desks,
    /// Payload of the log that is read at a second opening.
    pub log_payload_bytes: u64,
    /// The full load of the brief.
    pub load: Load,
}

const FULL_LOAD: Load = Load {
    desks: 250_000,
    desk_bytes: 10_000,
    rate: 500_000.0,
    seconds: 300.0,
    shards: 2,
    log_budget_bytes: 4 << 30,
    segment_bytes: 64 << 20,
};

const fn desks(count: u64, buckets: u32, bytes: usize) -> Desks {
    Desks { count, buckets, bytes }
}

impl Plan {
    /// For the report: about 35 minutes, and eight for the full load.
    pub const FULL: Self = Self {
        rounds: 10,
        long_rounds: 10,
        groups: 1_000,
        full_groups: 60,
        device_bytes: 1 << 30,
        rewrite: desks(20_000, 1, 10_000),
        reads: 2_000,
        expire: desks(21_000, 7, 10_000),
        window_ms: 3_000,
        reopen: desks(1_000_000, 7, 1_000),
        reopen_others: desks(50_000, 7, 1_000),
        log_payload_bytes: 1 << 30,
        load: FULL_LOAD,
    };

    /// About three minutes.
    pub const QUICK: Self = Self {
        rounds: 3,
        long_rounds: 1,
        groups: 300,
        full_groups: 20,
        device_bytes: 256 << 20,
        rewrite: desks(3_000, 1, 10_000),
        reads: 500,
        expire: desks(7_000, 7, 10_000),
        window_ms: 1_500,
        reopen: desks(100_000, 7, 1_000),
        reopen_others: desks(10_000, 7, 1_000),
        log_payload_bytes: 128 << 20,
        load: Load { seconds: 20.0, ..FULL_LOAD },
    };
}
