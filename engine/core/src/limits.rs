//! Bounds of sessions, connections and queues, with their reasons.
//!
//! An operator may set those with a field in [`ShardLimits`]; the constants are
//! their defaults. The others are not configurable. The limits of storing (`STORE_…`)
//! spread its work so that no commit waits long for it, whatever budget the operator
//! gives the log.

use std::time::Duration;

use desk_protocol::limits::{OrderLimits, PERSON_NAME_CHARS_MAX, SNAPSHOT_CHUNK_BYTES_MAX};

use crate::bucket::Rate;

/// The limits of the desks and connections of one shard. The constants of this module
/// explain each.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ShardLimits {
    /// What batches are ordered by.
    pub order: OrderLimits,
    /// See [`IMPORT_BYTES_MAX`].
    pub import_bytes: usize,
    /// See [`CONNECTIONS_PER_DESK_MAX`].
    pub connections_per_desk: usize,
    /// See [`CLIENTS_PER_DESK_MAX`].
    pub clients_per_desk: usize,
    /// See [`NEWCOMER_RATE`].
    pub newcomers: Rate,
    /// See [`BATCHES_PER_SECOND`].
    pub batches_per_second: u32,
    /// See [`BATCH_BURST`].
    pub batch_burst: u32,
    /// See [`PRESENCE_PER_SECOND`].
    pub presence_per_second: u32,
    /// See [`PRESENCE_BURST`].
    pub presence_burst: u32,
    /// Characters of a person's name; the rest is cut off.
    pub person_name_chars: usize,
    /// See [`OUTBOUND_QUEUE_BYTES_MAX`].
    pub outbound_queue_bytes: usize,
    /// See [`OUTBOUND_QUEUES_BYTES_MAX`].
    pub outbound_queues_bytes: usize,
    /// See [`PRESENCE_QUEUE_BYTES_MAX`].
    pub presence_queue_bytes: usize,
    /// Bytes of a snapshot in one frame.
    pub snapshot_chunk_bytes: usize,
    /// See [`SNAPSHOT_CHUNKS_QUEUED_MAX`].
    pub snapshot_chunks_queued: usize,
    /// See [`RING_COMMITS_MAX`].
    pub ring_commits: usize,
    /// See [`RING_BYTES_MAX`].
    pub ring_bytes: usize,
    /// See [`PRESENCE_INTERVAL`].
    pub presence_interval: Duration,
    /// See [`PRESENCE_INTERVAL_CROWD`].
    pub presence_interval_crowd: Duration,
    /// See [`PRESENCE_CROWD`].
    pub presence_crowd: usize,
    /// See [`PRESENCE_FRAME_BYTES_MAX`].
    pub presence_frame_bytes: usize,
    /// See [`LEAVE_GRACE`].
    pub leave_grace: Duration,
    /// See [`HELLO_TIMEOUT`].
    pub hello_time: Duration,
    /// See [`PROBE_AFTER`].
    pub probe_after: Duration,
    /// See [`PROBE_TIME`].
    pub probe_time: Duration,
    /// See [`POLL_TIME_MAX`].
    pub poll_time: Duration,
    /// See [`POLLS_PER_DESK_MAX`].
    pub polls_per_desk: usize,
    /// See [`LOADING_QUEUE_MAX`].
    pub loading_queue: usize,
    /// See [`HOLD_TIME`].
    pub hold_time: Duration,
}

impl Default for ShardLimits {
    fn default() -> Self {
        Self {
            order: OrderLimits::default(),
            import_bytes: IMPORT_BYTES_MAX,
            connections_per_desk: CONNECTIONS_PER_DESK_MAX,
            clients_per_desk: CLIENTS_PER_DESK_MAX,
            newcomers: NEWCOMER_RATE,
            batches_per_second: BATCHES_PER_SECOND,
            batch_burst: BATCH_BURST,
            presence_per_second: PRESENCE_PER_SECOND,
            presence_burst: PRESENCE_BURST,
            person_name_chars: PERSON_NAME_CHARS_MAX,
            outbound_queue_bytes: OUTBOUND_QUEUE_BYTES_MAX,
            outbound_queues_bytes: OUTBOUND_QUEUES_BYTES_MAX,
            presence_queue_bytes: PRESENCE_QUEUE_BYTES_MAX,
            snapshot_chunk_bytes: SNAPSHOT_CHUNK_BYTES_MAX,
            snapshot_chunks_queued: SNAPSHOT_CHUNKS_QUEUED_MAX,
            ring_commits: RING_COMMITS_MAX,
            ring_bytes: RING_BYTES_MAX,
            presence_interval: PRESENCE_INTERVAL,
            presence_interval_crowd: PRESENCE_INTERVAL_CROWD,
            presence_crowd: PRESENCE_CROWD,
            presence_frame_bytes: PRESENCE_FRAME_BYTES_MAX,
            leave_grace: LEAVE_GRACE,
            hello_time: HELLO_TIMEOUT,
            probe_after: PROBE_AFTER,
            probe_time: PROBE_TIME,
            poll_time: POLL_TIME_MAX,
            polls_per_desk: POLLS_PER_DESK_MAX,
            loading_queue: LOADING_QUEUE_MAX,
            hold_time: HOLD_TIME,
        }
    }
}

/// Bytes of the notes of one import, by [`desk_protocol::Operation::encoded_bytes_max`]: a
/// full desk with its deleted notes. All of it has to fit the log at once.
pub const IMPORT_BYTES_MAX: usize = 8 << 20;

/// Connections of one desk. A crowd beyond it is refused with `429`.
pub const CONNECTIONS_PER_DESK_MAX: usize = 2_000;

/// Clients that changed a desk, which remembers each for exactly-once resend: in 40
/// bytes, so that a desk's record is bounded.
pub const CLIENTS_PER_DESK_MAX: usize = 20_000;

/// Clients of a desk that never changed anything and keep their number: as many again
/// as may be connected, twice. The oldest are forgotten, and get a new number if they
/// come back. No policy: a record is read by servers of any configuration.
pub const READERS_PER_DESK_MAX: usize = 4_096;

/// Clients of a desk whose newest answers are kept whole: those that acted last. No
/// policy, as the next: a quiet client gets its first answer again all the same.
pub const RECENT_CLIENTS_MAX: usize = 256;

/// Bytes of their answers besides 40 for each client: ids of created stickers, and
/// reasons of refusals.
pub const RECENT_ANSWER_BYTES_MAX: usize = 64 << 10;

/// How often one address brings one desk a new client. A class of 200 joins at once, and
/// again after a mistake; in a week one script brings half of [`CLIENTS_PER_DESK_MAX`].
pub const NEWCOMER_RATE: Rate = Rate { per_minute: 1, burst: 400 };

/// How often one address makes a desk: each of a class makes one.
pub const CREATE_RATE: Rate = Rate { per_minute: 10, burst: 200 };

/// How often one address joins any desk, reloads included: some classes at once.
pub const JOIN_RATE: Rate = Rate { per_minute: 600, burst: 2_000 };

/// How often one address replaces links: each leaves a record that stays as long as the
/// desk.
pub const ROTATE_RATE: Rate = Rate { per_minute: 10, burst: 60 };

/// Addresses whose rate is known at a time, in about 200 bytes each. No policy: the
/// longest unused is forgotten, and has a full burst again.
pub const RATED_ADDRESSES_MAX: usize = 16_384;

/// Polls of one client that wait on a desk. No policy: a page has one, and the oldest
/// makes room for one more.
pub const POLLS_PER_CLIENT_MAX: usize = 8;

/// Batches a second of one connection; past it the connection is not read.
pub const BATCHES_PER_SECOND: u32 = 60;

/// Batches that a connection may send at once.
pub const BATCH_BURST: u32 = 120;

/// Presence and ping frames a second of one connection.
pub const PRESENCE_PER_SECOND: u32 = 120;

/// Presence and ping frames that a connection may send at once.
pub const PRESENCE_BURST: u32 = 240;

/// Bytes queued for one connection. Past it the connection gets no commits until it
/// reads again, and is then brought up to date from its revision. If answers to its
/// own frames fill the queue, it is not read meanwhile.
pub const OUTBOUND_QUEUE_BYTES_MAX: usize = 1 << 20;

/// Bytes queued for all connections of a shard: a hundred that are as full as they may be.
/// Past it each has one frame at a time, so that all go on.
pub const OUTBOUND_QUEUES_BYTES_MAX: usize = 128 << 20;

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

/// Silence of somebody whom others see, after which it is asked for a sign of life.
/// With [`PROBE_TIME`] and [`WATCH_INTERVAL`] the ghost of a dead line is gone within
/// 5 s. Pages in sight ask the server as often, so what is probed are the others: a
/// ping of 2 bytes and its answer every 2 to 3 s for each, while somebody looks.
pub const PROBE_AFTER: Duration = Duration::from_secs(2);

/// How long it has for that. A telephone's radio wakes within it.
pub const PROBE_TIME: Duration = Duration::from_secs(2);

/// How often the silent are looked for on a desk that somebody looks at. No policy: it
/// is how exactly the two times above are kept.
pub const WATCH_INTERVAL: Duration = Duration::from_secs(1);

/// The longest wait of a poll. The interface promises up to 25 seconds, so an
/// operator can only shorten it.
pub const POLL_TIME_MAX: Duration = Duration::from_secs(25);

/// How long a desk remembers the newest connection of a client that has left, in
/// memory. No policy, as the next: it only keeps a late hello from taking over.
pub const FENCE_TIME: Duration = Duration::from_secs(600);

/// Clients that have left a desk and whose newest connection it remembers.
pub const FENCES_MAX: usize = 1_024;

/// Polls waiting on one desk.
pub const POLLS_PER_DESK_MAX: usize = 2_000;

/// How long more text history is kept for a client that was told `stale` twice
/// in a row: many round trips of a bad line.
pub const HOLD_TIME: Duration = Duration::from_secs(10);

/// Ended sessions of a desk whose keys are still known for what they are. A key of
/// an older one is answered as unknown. To look for one takes a hash.
pub const ENDED_EPOCHS_KNOWN: u32 = 32;

/// Answers of `stale` in a row after which history is held for the client. No
/// policy: once may be a restart of the server, twice is contention.
pub const STALE_IN_A_ROW_MAX: u32 = 2;

/// Desks that are stored in one step, at the most: each costs a copy, however
/// small, and one that is not in memory a read.
pub const STORE_STEP_KEYS: usize = 16;

/// Bytes of desks stored in one step; the one that passes it is the last. To
/// copy, write and check them takes about a millisecond of a core.
pub const STORE_STEP_BYTES: usize = 256 << 10;

/// Bytes of desks that the shell may have in hand at a time.
pub const STORE_FLIGHT_BYTES: usize = 16 << 20;

/// Time between two steps while the log has room: up to 25 MB a second, and a
/// tenth of a core.
pub const STORE_PAUSE_CALM: Duration = Duration::from_millis(10);

/// The same when it has hardly any, memory is short, or the server goes down.
pub const STORE_PAUSE_URGENT: Duration = Duration::from_millis(1);

/// How long a key that the log asks for is left alone when it cannot be loaded or
/// stored. It is damaged, too large, or has expired, and none of these passes soon.
/// Each attempt costs a read. A desk that cannot be stored takes no changes meanwhile.
pub const STORE_PUT_OFF_TIME: Duration = Duration::from_secs(60);

/// How many such keys are known at a time; more are looked at again sooner.
pub const STORE_PUT_OFF_KEYS_MAX: usize = 4_096;

/// Links that are known to lead to one desk in memory: its good ones, and void ones
/// that somebody still asks for. No policy: one that is forgotten is looked up again.
pub const LINKS_PER_DESK_MAX: usize = 16;

/// Bytes of memory that the store of a shard may always take for desks at rest: ten
/// thousand desks, however little memory the operator gives. No policy; with more memory
/// half of it is what counts.
pub const STORE_BYTES_MIN: usize = 1 << 20;

/// Inputs that wait for a desk to be loaded; past it the request is refused.
pub const LOADING_QUEUE_MAX: usize = 4_000;

/// Bytes of batches and texts that wait for desks of a shard to be loaded; past it they are
/// refused. A disk that hangs must not fill the memory; a healthy one has some KiB of them
/// at a time. No policy.
pub const LOADING_BYTES_MAX: usize = 16 << 20;

/// Bytes of copies of a shard's desks that readers still take although the desks have
/// changed since. Past it nobody gets one more copy; who comes again soon finds room. No
/// policy, as the next: a usual desk has 100 KiB, so that hundreds of readers on slow
/// lines may each have a copy of its own.
pub const OLD_COPIES_BYTES_MAX: usize = 128 << 20;

/// The same of one desk, so that the readers of one desk take no room of all others.
pub const OLD_COPIES_PER_DESK_BYTES_MAX: usize = 32 << 20;

/// When a reader that has missed too much looks again for room for its copy. No policy:
/// room comes when others have read theirs.
pub const COPY_RETRY_TIME: Duration = Duration::from_secs(1);

/// Memory that a connection takes at the core, in bytes, besides what waits for it: its
/// state, its presence, its place in the sets of its desk and its timers.
pub const CONNECTION_BYTES: usize = 2 << 10;
