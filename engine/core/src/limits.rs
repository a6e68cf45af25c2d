//! Bounds of sessions, connections and queues, with their reasons.

use std::time::Duration;

/// Connections of one desk. A crowd beyond it is refused with `429`.
pub const CONNECTIONS_PER_DESK_MAX: usize = 2_000;

/// Clients that a desk remembers for exactly-once resend.
pub const CLIENTS_PER_DESK_MAX: usize = 20_000;

/// Batches a second of one connection; past it the connection is not read.
pub const BATCHES_PER_SECOND: u32 = 60;

/// Batches that a connection may send at once.
pub const BATCH_BURST: u32 = 120;

/// Presence and ping frames a second of one connection.
pub const PRESENCE_PER_SECOND: u32 = 120;

/// Presence and ping frames that a connection may send at once.
pub const PRESENCE_BURST: u32 = 240;

/// Bytes queued for one connection. Past it the connection is brought up to
/// date from its revision once it reads again.
pub const OUTBOUND_QUEUE_BYTES_MAX: usize = 1 << 20;

/// Bytes queued for one connection above which presence is not added.
pub const PRESENCE_QUEUE_BYTES_MAX: usize = 64 << 10;

/// Snapshot chunks queued for one connection at a time.
pub const SNAPSHOT_CHUNKS_QUEUED_MAX: usize = 2;

/// Commits that a hot desk keeps, for polls and resync.
pub const RING_COMMITS_MAX: usize = 1_000;

/// Bytes of commits that a hot desk keeps.
pub const RING_BYTES_MAX: usize = 256 << 10;

/// How often presence goes out at the most.
pub const PRESENCE_INTERVAL: Duration = Duration::from_millis(33);

/// The same, in a crowd.
pub const PRESENCE_INTERVAL_CROWD: Duration = Duration::from_millis(100);

/// Connections above which a desk counts as a crowd.
pub const PRESENCE_CROWD: usize = 100;

/// Bytes of one presence frame: fits a datagram on any path.
pub const PRESENCE_FRAME_BYTES_MAX: usize = 1_100;

/// How long a desk stays in memory after its last connection is gone.
pub const LEAVE_GRACE: Duration = Duration::from_secs(30);

/// How long a connection may take to say hello.
pub const HELLO_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest wait of a poll, in seconds.
pub const POLL_SECONDS_MAX: u32 = 25;

/// Polls waiting on one desk.
pub const POLLS_PER_DESK_MAX: usize = 2_000;

/// Inputs that wait for a desk to be loaded; past it the request is refused.
pub const LOADING_QUEUE_MAX: usize = 4_000;
