//! Every bound and time of the shell, with its unit and its reason. Bounds of
//! the desk, the sessions, HTTP and files stand in their own crates.
//!
//! A limit that an operator may set, by a flag or in the file, stands in `config`, and
//! a constant here is its default. The others are not configurable. Each says whether
//! it tunes work that nobody can see from outside, or keeps the process safe.

use std::time::Duration;

use desk_protocol::limits::{REPEAT_BYTES_MAX, REPEATS_AFTER};

/// The UDP port of QUIC.
pub(crate) const QUIC_PORT: u16 = 8443;

/// How long a new desk lives.
pub(crate) const DESK_TTL: Duration = Duration::from_secs(7 * 86_400);

/// The longest lifetime: a link carries a 32-bit second, and buckets of a
/// year's desks are still few. Safety: the manifest must hold all of them.
pub(crate) const DESK_TTL_MAX: Duration = Duration::from_secs(365 * 86_400);

/// Desks created within this time are stored together.
pub(crate) const BUCKET: Duration = Duration::from_secs(86_400);

/// The least memory for desks and their index. Safety: with less no desk could be made.
pub(crate) const MEMORY_BYTES_MIN: u64 = 64 << 10;

/// How long a session without changes stays in memory.
pub(crate) const SESSION_IDLE: Duration = Duration::from_secs(15 * 60);

/// Connections of the process. Preflight lowers it to what descriptors allow.
pub(crate) const CONNECTIONS_MAX: usize = 100_000;

/// Descriptors that are not for connections: files of the store, rings,
/// listeners, libraries. Safety: with fewer, connections could starve the store;
/// how many connections there are is for the operator to set.
pub(crate) const DESCRIPTORS_RESERVED: usize = 512;

/// Requests and sockets that one shard has under way at another. Past it the
/// connections that ask for more are not read until an answer came. Polls that
/// wait for news are not counted: they are bounded by desk.
pub(crate) const REQUESTS_BETWEEN_SHARDS_MAX: usize = 1_024;

/// Places in a ring between two shards for messages without a reservation: news of
/// the manifest, polls that wait, abandoned requests. Not configurable: a message
/// that finds the ring full is sent next turn.
pub(crate) const RING_CONTROL_MESSAGES: usize = 64;

/// Bytes of one log segment, prewritten and recycled.
pub(crate) const SEGMENT_BYTES: u64 = 64 << 20;

/// The largest default budget of the log, in bytes.
pub(crate) const LOG_BUDGET_BYTES: u64 = 4 << 30;

/// Bytes of records of one shard that are not durable yet, above which changes are
/// refused: a disk that hangs must not fill the memory. A healthy one has some
/// hundred KiB of them at a time.
pub(crate) const LOG_WAITING_BYTES: usize = 64 << 20;

/// Free disk space below which the server refuses to start, in bytes: room for
/// the first segments and some tables.
pub(crate) const FREE_SPACE_BYTES: u64 = 512 << 20;

/// Free disk space below which changes are refused, in bytes. Desks with accepted
/// changes are stored from this reserve, and a start needs some segments.
pub(crate) const DISK_RESERVE_BYTES: u64 = 256 << 20;

/// The part of the connections from which on a machine of a cluster leaves desks to the
/// others, whatever the difference.
pub(crate) const ALMOST_FULL: (usize, usize) = (7, 8);

/// How long the answer to a request may take: longer than the longest poll.
pub(crate) const REQUEST_TIME: Duration = Duration::from_secs(40);

/// How long a planned stop may take; past it the rest is cut off. What was
/// acknowledged is durable long before.
pub(crate) const DRAIN_TIME: Duration = Duration::from_secs(8);

/// How long a closing WebSocket waits for its peer's close.
pub(crate) const CLOSE_TIME: Duration = Duration::from_secs(2);

/// How long a closing WebSocket may take to send what is queued before its
/// close.
pub(crate) const LAST_WORDS_TIME: Duration = Duration::from_secs(30);

/// How long a peer may take nothing of what was sent to it. A phone that sleeps comes back
/// by a new connection; one that stopped reading must not hold its answers for ever.
pub(crate) const READER_STALL: Duration = Duration::from_secs(30);

/// Bytes of answers that peers have not taken yet, in the process: some dozens of exports
/// of the largest desk on slow lines.
pub(crate) const UNSENT_BYTES: usize = 256 << 20;

/// Bytes of requests and messages that have not arrived whole or are being served, in the
/// process: two hundred of the largest bodies at a time.
pub(crate) const UNREAD_BYTES: usize = 256 << 20;

/// The part of `unsent` and of `unread` that is kept free: holders are ended before it is
/// used. Safety: bytes arrive until the shard of the heaviest holder has turned.
pub(crate) const BUDGET_ROOM_PART: usize = 8;

/// Buffers of a request or message that must fit into `unread`. Safety: a buffer doubles as
/// it grows, and another request must have room beside it.
pub(crate) const UNREAD_BUFFERS_MIN: usize = 4;

/// How long a shard logs nothing more of the same kind, where a kind may happen thousands of
/// times. Tuning: an attack must not fill the log.
pub(crate) const LOG_PAUSE: Duration = Duration::from_secs(10);

/// Characters of a name from outside that the log shows.
pub(crate) const LOGGED_NAME_CHARS: usize = 80;

/// Bytes of requests, and of answers, that each connection may have without being counted:
/// the head of a usual request, and a small answer. Tuning: the count is shared by all
/// shards.
pub(crate) const BUFFERED_BYTES: usize = 4 << 10;

/// Memory of a connection in bytes, besides what waits to be sent and what of its requests
/// is counted. An idle WebSocket takes 2 KiB, a request under way some more.
pub(crate) const CONNECTION_BYTES: usize = 16 << 10;

/// The same of its encryption: a greeting of 64 KiB, the longest that is taken, and one
/// record. An idle one takes a tenth.
pub(crate) const TLS_BYTES: usize = 88 << 10;

/// Times that a request of JSON is larger in memory than it is in bytes, while a shard
/// reads it: a number of one digit and its comma.
pub(crate) const JSON_FACTOR: usize = 32;

/// Times that a desk is larger in an export than in the limits of a desk: text of control
/// characters alone, in JSON.
pub(crate) const EXPORT_FACTOR: usize = 6;

/// Seconds that the clock may be behind the last run before the operator is told. Less is
/// what corrections by NTP and a battery of the machine do.
pub(crate) const CLOCK_BEHIND_SECONDS: u64 = 600;

/// Bytes of new log segments from which on a start says that it writes them: some seconds
/// of a slow disk.
pub(crate) const LONG_PREWRITE_BYTES: u64 = 256 << 20;

/// Bytes of memory that a key takes in the index of the store, without spare room.
pub(crate) const KEY_BYTES: u64 = 17;

/// Memory of an executor in bytes, besides the store's buffers: its rings, its scratch
/// buffers, its stack, and the messages to other shards.
pub(crate) const EXECUTOR_BYTES: usize = 16 << 20;

/// A silent peer is probed after this time, so that connections of machines
/// that vanished end. Browsers' pages ping more often by themselves.
pub(crate) const KEEPALIVE_TIME: Duration = Duration::from_secs(60);

/// Time between two probes. Tuning, as the next: when probing begins is what
/// matters, and is for the operator to set.
pub(crate) const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// Probes without an answer that end a connection.
pub(crate) const KEEPALIVE_PROBES: u32 = 4;

/// Sockets that one look at the epoll set tells of: 12 KiB a shard. Tuning: the
/// next look tells of the rest.
pub(crate) const READY_SOCKETS: usize = 1_024;

/// The longest time that sockets wait for a commit in flight. Tuning: most commits
/// take less, and frames that need no commit, such as cursors, must not wait for a
/// slow disk.
pub(crate) const READINESS_HOLD: Duration = Duration::from_millis(1);

/// How often the epoll set is looked at while no descriptor is left to wait for it.
/// Tuning: that is rare, and ends when the next descriptor is closed.
pub(crate) const READINESS_PAUSE: Duration = Duration::from_millis(1);

/// Bytes of one read: the shard's scratch, lent to one connection at a time.
/// Tuning: more is read in the next turn.
pub(crate) const READ_BYTES: usize = 64 << 10;

/// Bytes of one read of an encrypted stream: what comes out of it, with the
/// record that was begun before, fits [`READ_BYTES`]. Safety.
pub(crate) const CIPHER_BYTES: usize = 16 << 10;

/// Days that a self-made certificate lasts: browsers refuse more than 398. Who
/// wants another one gives it by `--tls-cert`.
pub(crate) const CERTIFICATE_DAYS: u64 = 365;

/// Days before its end in which a self-made certificate is made anew: a server
/// that is started once a month never shows an old one.
pub(crate) const CERTIFICATE_RENEWAL_DAYS: u64 = 30;

/// Days that a certificate lasts that clients trust by its hash: browsers take at most 14.
/// One day before its making is added, for clocks that are behind.
pub(crate) const PINNED_DAYS: u64 = 12;

/// Days that it is in use. It is made as long before, and so told in time.
pub(crate) const PINNED_TURN_DAYS: u64 = 5;

/// How often the server looks whether a certificate is to be renewed. Tuning.
pub(crate) const RENEWAL_LOOK: Duration = Duration::from_secs(3_600);

/// Bytes of the WebSocket's own answers (pongs) that wait for a peer; past it
/// the peer is not read until they have left, as after one read full of pings.
/// No policy: nobody can tell.
pub(crate) const PONGS_BYTES: usize = 32 << 10;

/// Bytes that are gathered into one write, and into one WebSocket message.
/// Tuning: more follows in the next.
pub(crate) const WRITE_BYTES: usize = 256 << 10;

/// How long accepting rests when descriptors have run out. Tuning: it keeps the
/// shard from spinning, and those who wait do so in the kernel.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long the start looks for another server at its address. Safety: one that
/// is busy must have had the time to answer.
pub(crate) const PROBE_TIME: Duration = Duration::from_millis(1_500);

/// How often the manifest's owner looks at the clock. Safety: buckets end to the
/// second.
pub(crate) const MANIFEST_TICK: Duration = Duration::from_secs(1);

/// Steps of removing files that nobody needs in one round of the manifest's owner.
/// Tuning: one a round would be slow while nothing else happens, and all at once
/// would hold the executor.
pub(crate) const UNLINK_STEPS: usize = 8;

/// Files that are named in the log because they cannot be removed, each once.
/// Tuning: more are only counted.
pub(crate) const UNREMOVED_NAMED_MAX: usize = 1_024;

/// Desks that a shard reads at a time; more wait their turn. Safety: each may take as much
/// memory as the largest record, and a few keep a disk busy.
pub(crate) const LOADS_MAX: usize = 8;

/// Desks of a shard that are named in the log because they cannot be read, each
/// once: whoever asks again would fill it. Tuning: more are only counted.
pub(crate) const UNREADABLE_NAMED_MAX: usize = 1_024;

/// Desks of a shard that are not served because their records in the cluster's streams
/// contradict each other. Tuning: there is none unless software is at fault.
pub(crate) const QUARANTINED_KEYS_MAX: usize = 1_024;

/// Bytes of records of one desk above which its core is asked for a snapshot before the
/// streams get the desk as a whole. Tuning: below that a snapshot saves little.
pub(crate) const STATE_TAIL_BYTES: usize = 32 << 10;

/// The part of the snapshot that these records may be long instead, if that is more. Tuning.
pub(crate) const STATE_TAIL_PART: usize = 4;

/// The pause between two looks whether that snapshot is there. Tuning.
pub(crate) const STATE_LOOK_PAUSE: Duration = Duration::from_millis(20);

/// How often it is looked for. Tuning: without it the records go as they are.
pub(crate) const STATE_LOOKS_MAX: u32 = 5;

/// The pause before the store is read again for what another machine made. Tuning: the
/// unit is not served meanwhile.
pub(crate) const READ_AGAIN: Duration = Duration::from_millis(100);

/// Seconds after which a request may come again for a desk between two machines. Tuning:
/// most desks are there by then.
pub(crate) const MOVED_RETRY_S: u32 = 1;

/// Seconds for which a browser may remember that a page of another machine may ask.
/// Tuning: the machines of a cluster stay the same while it runs.
pub(crate) const PREFLIGHT_S: u32 = 600;

/// How long a planned stop waits for the units to be given to other machines. Safety: it
/// comes before `drain-time`, and both together end within 10 s.
pub(crate) const RELEASE_TIME: Duration = Duration::from_secs(1);

/// How often a planned stop looks whether all units are given. Tuning.
pub(crate) const RELEASE_LOOK: Duration = Duration::from_millis(10);

/// Bytes of memory that each of an executor's rings registers. Small: memory
/// that may be locked is often limited to 8 MiB. Safety.
pub(crate) const RING_IO_MEMORY_BYTES: usize = 1 << 20;

/// Entries of each of an executor's rings. Tuning: only files, new
/// connections and wakes go through them.
pub(crate) const RING_DEPTH: usize = 128;

/// Memory that must be lockable for the rings, in bytes: what the kernel asks for
/// them, as they are made here.
pub(crate) const MEMLOCK_BYTES: u64 = 512 << 10;

/// Buffers of one receive of UDP. Tuning: more is received in the next.
pub(crate) const UDP_BATCH: usize = 8;

/// Bytes of each of these buffers: the largest batch of datagrams that the kernel gives as
/// one. Safety: a shorter buffer would cut it.
pub(crate) const UDP_BUFFER_BYTES: usize = 64 << 10;

/// Receives of UDP in a row before other tasks of the shard run. Tuning.
pub(crate) const UDP_RECEIVES: usize = 8;

/// Datagrams that one send may hold. Tuning: more gives no gain, and a burst that a
/// router drops.
pub(crate) const UDP_SEGMENTS: usize = 10;

/// How long nothing may come from the peer of a QUIC connection. A browser asks for a
/// sign of life each 15 s and counts one second less, so it must not be under 17 s.
pub(crate) const QUIC_IDLE_TIME: Duration = Duration::from_secs(30);

/// How long a handshake of QUIC may take, until the peer's hello can be read. Safety: half
/// a connection is memory that nobody uses.
pub(crate) const QUIC_HANDSHAKE_TIME: Duration = Duration::from_secs(10);

/// Handshakes of a shard under way from which on new addresses must prove themselves.
pub(crate) const QUIC_HANDSHAKES_FREE: usize = 64;

/// Connections of a shard that begin in one second from which on new addresses must prove
/// themselves.
pub(crate) const QUIC_NEW_FREE: usize = 200;

/// How many times [`QUIC_HANDSHAKES_FREE`] and [`QUIC_NEW_FREE`] lead to silence: whoever
/// is real asks again.
pub(crate) const QUIC_SILENCE_FACTOR: usize = 4;

/// Streams in both directions that a peer may have open. A client of ours has one, and a
/// browser one more. Safety: each may fill [`QUIC_RECEIVE_WINDOW`].
pub(crate) const QUIC_BIDI_STREAMS: u32 = 8;

/// Streams in one direction that a peer may have open. A browser ends a handshake that
/// allows fewer than 3.
pub(crate) const QUIC_UNI_STREAMS: u32 = 16;

/// Packets of ours that a program may leave without an acknowledgement until 25 ms or a
/// round trip have passed; a gap among them is told at once. Its next batch carries the
/// acknowledgement. Tuning: QUIC's usual 1 makes a packet of its own for most. With more, a
/// large snapshot waits longer where few packets may be under way.
pub(crate) const QUIC_ACK_THRESHOLD: u32 = 4;

/// Bytes of a connection's streams that may wait to be read. Tuning: the largest frame
/// takes few round trips. Safety: a peer that leaves out the first byte fills it.
pub(crate) const QUIC_RECEIVE_WINDOW: u32 = 128 << 10;

/// Bytes that a connection may have sent without an acknowledgement. Tuning: 1.3 MB a
/// second at 200 ms. Safety: a peer that acknowledges nothing fills it.
pub(crate) const QUIC_SEND_WINDOW: u64 = 256 << 10;

/// Bytes of datagrams that a connection may hold in each direction. Newer presence
/// replaces older.
pub(crate) const QUIC_DATAGRAM_BUFFER_BYTES: usize = 16 << 10;

/// Streams that a peer may begin at once, besides those that are open. A client of ours
/// begins one, and a browser five. Safety: one that is begun and given up costs work, but
/// counts for no limit of open streams.
pub(crate) const QUIC_STREAMS_BURST: u32 = 128;

/// Streams that it may begin in each second after that.
pub(crate) const QUIC_STREAMS_PER_SECOND: u32 = 8;

/// Times that a shard tells a peer that its connection is gone, at once. After a restart all
/// clients ask within a second or two.
pub(crate) const QUIC_RESETS_BURST: u32 = 5_000;

/// The same in each second after that. Safety: whoever forges addresses would have the
/// answers sent to others.
pub(crate) const QUIC_RESETS_PER_SECOND: u32 = 5_000;

/// Frames of a connection that wait to be repeated in datagrams, each time. Tuning: more at
/// a time tell of a loss by their acknowledgements. Safety: a frame is held until then,
/// though all who get it share its bytes.
pub(crate) const QUIC_REPEATS_MAX: usize = 8;

const _: () = assert!(REPEATS_AFTER.len() * QUIC_REPEATS_MAX * REPEAT_BYTES_MAX <= 18 << 10);

/// Bytes that a QUIC connection may take, for the sum of memory: what its windows allow,
/// twice what is received since the pieces keep their packets, and its state with what it
/// repeats.
pub(crate) const QUIC_CONNECTION_BYTES: usize = 2 * QUIC_RECEIVE_WINDOW as usize
    + QUIC_SEND_WINDOW as usize
    + 2 * QUIC_DATAGRAM_BUFFER_BYTES
    + (32 << 10);

/// QUIC connections of the process. Whoever is refused comes by WebSocket, whose buffers
/// are the kernel's.
pub(crate) const QUIC_CONNECTIONS_MAX: usize = 10_000;

/// First packets of a shard that wait to be looked at. They are looked at once.
pub(crate) const QUIC_INCOMING_MAX: usize = 512;

/// Bytes that wait for each of them.
pub(crate) const QUIC_INCOMING_BYTES_EACH: u64 = 64 << 10;

/// Bytes that wait for all of them.
pub(crate) const QUIC_INCOMING_BYTES: u64 = 4 << 20;

/// How long an ending QUIC connection waits for its peer's answer to the last words.
pub(crate) const QUIC_FAREWELL_TIME: Duration = Duration::from_secs(1);

/// Bytes of a QUIC guest's frames that its desk's shard has yet to take. The guest is not
/// read meanwhile. Safety: the ring between shards holds them.
pub(crate) const GUEST_UNTAKEN_BYTES: usize = 256 << 10;

/// Handshakes of a shard under way, proven addresses or not. Safety: about 64 MiB.
pub(crate) const QUIC_HANDSHAKES_MAX: usize = 2_048;

/// Answers of a shard that belong to no connection and wait to be sent. Safety: more of
/// them come of a flood, and whoever is real asks again.
pub(crate) const QUIC_REPLIES_MAX: usize = 1_024;

/// Shards that the first byte of a connection id can name.
pub(crate) const QUIC_SHARDS_MAX: usize = 255;

/// How long a write to the log takes before the operator is told that the disk hangs.
/// Tuning: disks that are only busy take less than a second.
pub(crate) const WRITE_HANGS_TIME: Duration = Duration::from_secs(5);

/// Exports and imports of one address that wait for the thread beside the shards. Safety:
/// each keeps a connection and what it is made from. A class behind one address exports at
/// once.
pub(crate) const BESIDE_PER_ADDRESS_MAX: usize = 256;

/// The content of a desk, in bytes, that a shard writes itself as the answer to a poll.
/// Tuning: the way to another thread and back takes as long as some KiB of JSON.
pub(crate) const WRITTEN_AT_ONCE_BYTES: usize = 16 << 10;

/// The memory of an import by the bytes of its file, at the most: the file, its text, what
/// is read of it and the notes. Safety: `make bench ONLY=files` measures it.
pub(crate) const IMPORT_MEMORY_FACTOR: usize = 8;

/// How long a polled line lives between two requests for its frames. A client asks again
/// at once, and a slow network takes seconds.
pub(crate) const POLLED_GAP: Duration = Duration::from_secs(10);

/// How long presence waits for more, before it ends the wait of a poll. Each answer costs
/// its client a request: ten a second still look alive.
pub(crate) const POLLED_LOSSY_TIME: Duration = Duration::from_millis(100);
