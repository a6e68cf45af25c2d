//! Sizes and times of the benchmark, with their reasons.

use std::time::Duration;

/// Stickers that each client of a room has to move: enough for eight at once
/// and for what piles up in an open loop while a batch is in flight.
pub const STICKERS_PER_CLIENT: usize = 16;

/// Rooms that are filled before everybody in them is looked after.
pub const ROOMS_AT_ONCE: usize = 10;

/// Operations of one batch in the rows named `batch8`.
pub const BATCHED: usize = 8;

/// Operations a second at which everything is compared at an equal rate.
pub const EQUAL_RATE_PER_SECOND: f64 = 1_000.0;

/// Connections whose memory is measured.
pub const IDLE_CONNECTIONS: usize = 1_000;

/// Rounds over all servers and shapes; a median of fewer says little.
pub const ROUNDS: usize = 5;

/// A message of a server, in bytes: what it may queue for one connection.
pub const MESSAGE_BYTES_MAX: usize = 8 << 20;

/// Bytes of one read; a shorter read tells that the socket is drained.
pub const READ_BYTES: usize = 256 << 10;

/// How long starting, joining or settling may take before the run is given up.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Deadlines of the replicas (pings) are looked at this often.
pub const UPKEEP_EVERY: Duration = Duration::from_millis(500);

/// Latencies up to a minute, in microseconds, to three digits.
pub const LATENCY_US_MAX: u64 = 60_000_000;
