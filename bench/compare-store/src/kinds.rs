//! The rows of the report, with their targets.

use desk_bench::report::Goal;

use crate::samples::Kind;

const fn at_most(id: &'static str, target: f64, unit: &'static str, what: &'static str) -> Kind {
    Kind { id, what, unit, goal: Goal::at_most(target) }
}

const fn at_least(id: &'static str, target: f64, unit: &'static str, what: &'static str) -> Kind {
    Kind { id, what, unit, goal: Goal::at_least(target) }
}

/// All of them, in the order of the report.
pub const KINDS: &[Kind] = &[
    at_most(
        "commit64.p50_vs_limit",
        1.3,
        "×",
        "Commit of 64 operations of 100 bytes, half of all, against a durable direct write of as \
         many bytes into a prewritten file in the same seconds",
    ),
    at_most("commit64.p99_vs_limit", 2.0, "×", "The same, 99 of 100"),
    at_most(
        "commit64.p50_vs_best",
        0.333,
        "×",
        "The same commit, half of all, against the best of the other stores",
    ),
    at_most(
        "commit64.cpu_us_per_op",
        1.0,
        "µs",
        "Processor time of one durable operation in such commits, all threads and the kernel's \
         work for them included",
    ),
    at_most(
        "commit64.cpu_vs_best",
        0.143,
        "×",
        "The same processor time against the best of the other stores",
    ),
    at_most(
        "log.full_bytes_vs_user",
        1.1,
        "×",
        "Bytes that commits of 7,000 operations wrote, by the kernel's books, against 16 bytes of \
         key and 100 of payload each",
    ),
    at_most(
        "log.full_bytes_vs_payload",
        1.276,
        "×",
        "The same bytes against the payload alone (the target is the same one)",
    ),
    at_most(
        "ingest.bytes_vs_user",
        1.05,
        "×",
        "Bytes written while desks of 10 KB were ingested, after the log: by the kernel's books, \
         without what the log and its \
         prewriting took (others' with a log of values: once what was given)",
    ),
    at_most(
        "rewrite20.bytes_vs_user",
        1.1,
        "×",
        "The same while a fifth of the desks was written anew, compaction included",
    ),
    at_most(
        "rewrite_heavy.bytes_vs_user",
        2.0,
        "×",
        "The same while every desk was written anew three times in random order",
    ),
    at_most(
        "cold_get.p50_vs_limit",
        1.3,
        "×",
        "Get of a 10 KB desk that no cache has, half of all, against a direct read of 16 KiB at a \
         random place in the same seconds",
    ),
    at_most(
        "cached_get.us",
        2.0,
        "µs",
        "Get of a 10 KB desk that is in memory, half of all; here with a checksum of the value, which \
         stands for its validation",
    ),
    at_most(
        "expire.caller_ms",
        1.0,
        "ms",
        "Dropping the first of seven buckets: until the caller can go on",
    ),
    at_most("expire.written_mb", 1.0, "MB", "Bytes written for it, the commits beside it left out"),
    at_most(
        "expire.p99_vs_before",
        1.2,
        "×",
        "Commits of 64 operations meanwhile, 99 of 100, against the same before",
    ),
    at_most(
        "reopen.s",
        1.0,
        "s",
        "Opening a killed store of desks in seven buckets, until the first desk is read",
    ),
    at_most(
        "reopen.log_vs_limit",
        2.0,
        "×",
        "What each byte of log adds to it, against a direct read of a file from end to end",
    ),
    at_most(
        "memory.index_mb_per_million",
        25.0,
        "MB",
        "Memory of a million desks in the index, by the store's own count: the slope between few \
         desks and many",
    ),
    at_most(
        "memory.mb_per_million",
        25.0,
        "MB",
        "The same slope of all anonymous memory after an opening, by the kernel's books",
    ),
    at_least(
        "load.ops_per_s",
        499_000.0,
        "1/s",
        "Full load of the brief: operations of 100 bytes made durable each second over 250,000 \
         desks on two shards, snapshots of 10 KB as the log asks for them",
    ),
    at_most(
        "load.p99_ms",
        10.0,
        "ms",
        "From when an operation of it was due to when it was durable, 99 of 100",
    ),
    at_most("load.snapshot_mb_per_s", 36.0, "MB/s", "Bytes of snapshots each second of it"),
    at_most(
        "load.bytes_vs_user",
        1.8,
        "×",
        "Bytes that it wrote to all files, by the kernel's books, against keys and payloads",
    ),
    at_most(
        "load.replay_vs_limit",
        2.0,
        "×",
        "Opening what it left, the log at its fullest, against a direct read of as many bytes as \
         the log's budget has",
    ),
];
