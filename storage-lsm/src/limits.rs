//! Every named limit of the store, with its unit and the reason for its value.
//!
//! What an operator may choose stands in [`crate::Options`]. Nothing here is
//! policy. Most of it is the format's: a folder that one build wrote must be
//! read by every other, and what the decoders refuse is part of that. The rest
//! either keeps a promise, so that no other value would be safe, or tunes work
//! that nobody sees; each says which.

/// Unit of every disk access and the alignment of every buffer, in bytes. No
/// device we know wants more for `O_DIRECT`, and ext4's block is the same. The
/// format's.
pub const BLOCK_BYTES: usize = 4096;

/// What a device writes whole or not at all, in bytes: no disk that is sold has
/// smaller sectors. A write that is interrupted tears between two of them, so what
/// fits one is never torn. Safety: by it damage is told from an interrupted write.
pub const SECTOR_BYTES: usize = 512;

/// The longest payload of one log record, in bytes. A frame of the product is
/// at most 256 KiB, so this leaves room for what the server adds to it. The
/// format's: readers refuse more.
pub const PAYLOAD_BYTES_MAX: usize = 512 * 1024;

/// The largest batch of the log, in bytes with its header. One write of this
/// size takes about a millisecond, which bounds what a commit waits for the
/// one before it. The format's: readers refuse more, and a window of replay holds
/// one.
pub const BATCH_BYTES_MAX: usize = 1024 * 1024;

/// The smallest log segment that may be chosen, in bytes: room for two header
/// slots and some batches. Tests use segments of this size, a server uses 64 MiB.
pub const SEGMENT_BYTES_MIN: u64 = 32 * 1024;

/// The largest log segment that may be chosen, in bytes, so that offsets inside
/// one fit a `u32`. The format's.
pub const SEGMENT_BYTES_MAX: u64 = 1 << 30;

/// The fewest segments of one shard's log: one is written, one waits, and one is freed.
/// Safety: with fewer, changes would be refused while the oldest is freed. A smaller
/// budget is not kept to, so whoever takes it from a person refuses it.
pub const SEGMENTS_PER_SHARD_MIN: usize = 3;

/// The most segments that one shard's log uses at once. The header of a
/// segment lists all others that are still needed, in one block. The format's;
/// how much of the disk the log takes is chosen by its budget.
pub const SEGMENTS_PER_SHARD_MAX: usize = 96;

/// The longest value of a table, in bytes: a desk is at most 4 MiB of text and
/// stickers, merges may pass a text limit twofold, the rest is room. The
/// format's: readers refuse more.
pub const VALUE_BYTES_MAX: usize = 32 * 1024 * 1024;

/// A memtable of a bucket is written as one block of a table when it holds
/// this many bytes: large enough to be near the device's bandwidth. Tuning: a
/// folder may hold blocks of any size up to the next limit, and more would only
/// cost memory.
pub const TABLE_BLOCK_BYTES: usize = 512 * 1024;

/// The most bytes of one block of a table: one value of the largest size and
/// its directory. Safety: decoders refuse more, so hostile bytes cannot ask for
/// it.
pub const TABLE_BLOCK_BYTES_MAX: usize = VALUE_BYTES_MAX + TABLE_BLOCK_BYTES + 64 * 1024;

/// The last place in a table where a record may begin, in bytes: the index in
/// memory has 25 bits for it, in units of 16. Safety: an entry could not say
/// where a record beyond it is.
pub const TABLE_OFFSET_MAX: u64 = (1 << 29) - 16;

/// The largest size at which a table may be chosen to be sealed, in bytes: with
/// the block that passes it, every record still begins before
/// [`TABLE_OFFSET_MAX`].
pub const TABLE_BYTES_MAX: u64 = 384 * 1024 * 1024;

/// The most tables that one shard has at once: the index has 17 bits for them.
/// A manifest slot is full long before. Safety, as the limit on offsets.
pub const TABLES_PER_SHARD_MAX: u32 = 1 << 17;

/// No block and no footer of a table is written with less than this free beside
/// what it takes, in bytes: its header, its directory, the file system's own.
/// Safety: a block that was begun must find its room. What stays free besides is
/// chosen by `disk_reserve_bytes`.
pub const TABLE_ROOM_BYTES: u64 = 64 * 1024;

/// `put` is refused with `Backlog` when this many bytes of values wait for
/// `maintain`, so that memory stays bounded when the disk is slow. Safety: with
/// less than two values of the largest size, one desk could refuse all others;
/// with more a slow disk is only noticed later.
pub const BACKLOG_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Memory of a shard's store in bytes, besides values and what grows with the number of
/// keys: a block that is written and read back, three batches of the log, two parts of a
/// log that are read, and two slots of the manifest.
pub const BUFFERS_BYTES_MAX: usize = 2 * TABLE_BLOCK_BYTES_MAX
    + 3 * BATCH_BYTES_MAX
    + 2 * REPLAY_WINDOW_BYTES
    + 2 * MANIFEST_SLOT_BYTES;

/// The size of one manifest slot, in bytes: room for about 40,000 tables. The
/// format's.
pub const MANIFEST_SLOT_BYTES: usize = 1024 * 1024;

/// How many tables of each bucket a shard is given room for in a manifest: the
/// one that is written and one of the run before. Safety: choices whose buckets
/// and shards need more are refused when the store opens. It is what is usual and
/// no bound: joining small tables and stops that seal can leave more, and a slot
/// has room for 40,000 in all.
pub const TABLES_PER_BUCKET: u64 = 2;

/// Buckets are stamped at least this many seconds ahead, so that creating a
/// desk never waits for the manifest. Safety: a manifest is written in far less
/// time, also by a disk that hangs for a minute.
pub const STAMP_AHEAD_SECONDS: u64 = 90;

/// Buckets are stamped this many seconds back as well, for a clock that was
/// set back a little between drawing a key and appending its first record.
/// Safety: such a key would have no bucket.
pub const STAMP_BEHIND_SECONDS: u64 = 60;

/// A clock further than this past the last recorded time is suspect, in
/// seconds: nothing is dropped until somebody vouches for it. Safety: a machine
/// that was off for longer is vouched for at its start (`accept_clock`), and a
/// higher limit would let a wrong clock drop desks.
pub const CLOCK_JUMP_SECONDS_MAX: u64 = 24 * 3600;

/// The manifest records the time at least this often, in seconds: a small part of
/// the jump that is believed. Tuning: it is one write.
pub const CLOCK_RECORD_SECONDS: u64 = 600;

/// Compaction joins no small tables of a bucket in its last day, in seconds: the
/// bucket goes as a whole soon, and rewriting it would be wasted. What is under
/// half live is rewritten all the same, or the disk could fill. Tuning: it decides
/// about work, never about what is kept.
pub const COMPACTION_QUIET_SECONDS: u64 = 24 * 3600;

/// A bucket that goes within so many seconds may be gone already, by the clock
/// of the shard that owns the manifest: its files are left alone. Safety: a long
/// step of upkeep may lie between another shard's looks at its own clock.
pub const GOING_SECONDS: u64 = 600;

/// When less is free than so many times `disk_reserve_bytes`, a table that is
/// still written is closed if most of it is outdated, so that compaction can free
/// it while there is room for what it moves. Safety: what is served from the
/// reserve would fill the disk with outdated values instead.
pub const SHORT_OF_SPACE_RESERVES: u64 = 2;

/// Compaction joins small tables of a bucket when there are more than this.
/// Tuning: each costs an open file and a read at a start.
pub const SMALL_TABLES_MAX: usize = 16;

/// How many bytes compaction moves in one step of upkeep: some milliseconds of
/// the device. Tuning.
pub const COMPACTION_STEP_BYTES: u64 = 1024 * 1024;

/// One read of replay, in bytes. The next one begins a whole batch before its
/// end, so of 8 MiB an eighth is read twice; two are in memory. Tuning.
pub const REPLAY_WINDOW_BYTES: usize = 8 * 1024 * 1024;

/// One read of a recovered desk's log records, in bytes, so that neighbours in
/// the log cost one read together. Tuning.
pub const RECORD_WINDOW_BYTES: u64 = 64 * 1024;

/// How many bytes of a file go at once. Freeing takes about 0.3 ms a MiB on
/// ext4 and holds up writes of other files meanwhile, so a table of 256 MiB
/// goes in pieces. Tuning.
pub const UNLINK_STEP_BYTES: u64 = 8 * 1024 * 1024;

/// So many seconds after the end of a bucket no new key comes to it, so that
/// only changes are left. Tuning: a clock that was set back may bring some.
pub const OLD_TABLE_SECONDS: u64 = 600;

/// A table of such a bucket is sealed when it has so many values, although it
/// could take more. Memory has 48 bytes for each value of a table that is
/// written, so fewer are not worth a table of their own. Tuning.
pub const OLD_TABLE_VALUES_MIN: usize = 4096;

/// How many keys of a dropped bucket are freed in one step of upkeep. Each
/// takes about 0.1 µs. Tuning.
pub const SHED_KEYS: usize = 4096;

/// A start reads the tail of a table in one access: this part of the file …
/// Tuning: a directory that is longer costs a second access.
pub const TAIL_READ_PART: u64 = 128;

/// … and at least this many bytes. Tuning.
pub const TAIL_READ_BYTES_MIN: u64 = 64 * 1024;
