//! Every bound of the desk and of its frames, with its unit and its reason.
//!
//! [`DeskLimits`] and [`OrderLimits`] have the limits that an operator may set; a
//! constant of the same name is the default. The server's values bind. `Welcome`
//! tells a client those that it needs. A client with other values is refused at
//! worst and never gets a different result, because no replica decides by them.
//!
//! The remaining constants are no policy. Either both ends must agree on them (what a
//! frame or an id is, what a replica remembers), or they bound the work that hostile
//! bytes can cause before they are verified.
//!
//! Bounds of sessions and connections stand in `engine/core`, bounds of HTTP in
//! `gateway-http`, bounds of files in `storage-lsm`.

use std::time::Duration;

/// What a batch may ask for and a desk may hold. The server decides by it, and the
/// client warns its person by it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DeskLimits {
    /// A sticker's text by its author's own intent, in Unicode scalar values.
    pub text_chars: usize,
    /// A title, in Unicode scalar values.
    pub title_chars: usize,
    /// Stickers that are not deleted.
    pub stickers: usize,
    /// Their size, in bytes by [`crate::Sticker::cost`].
    pub desk_bytes: usize,
    /// Operations in a batch.
    pub batch_operations: usize,
    /// Parts of a text delta as its author made it.
    pub delta_parts: usize,
    /// A frame from a client, in bytes, prefix included.
    pub frame_bytes: usize,
}

impl DeskLimits {
    /// A sticker's text after a merge, in Unicode scalar values: twice the author's
    /// limit, so that a merge of two allowed texts loses neither.
    pub const fn merged_text_chars(&self) -> usize {
        2 * self.text_chars
    }

    /// What a commit may take by [`crate::Operation::encoded_bytes_max`], without the ids
    /// that it purges: in proportion to a frame, [`COMMIT_BYTES_MAX`] for the largest.
    pub const fn commit_bytes(&self) -> usize {
        (COMMIT_BYTES_MAX >> 10) * self.frame_bytes / (CLIENT_FRAME_BYTES_MAX >> 10)
    }

    /// The limits for the notes of a file, of which no client's frame has to hold all.
    #[must_use]
    pub const fn of_import(self) -> Self {
        Self { batch_operations: IMPORT_OPERATIONS_MAX, ..self }
    }

    /// The limits for operations that were transformed over others' commits. Their
    /// author could not foresee into how many parts a delta would be split (LIMIT-7).
    #[must_use]
    pub const fn of_moved(self) -> Self {
        Self { delta_parts: usize::MAX, ..self }
    }
}

impl Default for DeskLimits {
    fn default() -> Self {
        Self {
            text_chars: TEXT_CHARS_MAX,
            title_chars: TITLE_CHARS_MAX,
            stickers: STICKERS_MAX,
            desk_bytes: DESK_BYTES_MAX,
            batch_operations: BATCH_OPERATIONS_MAX,
            delta_parts: DELTA_PARTS_MAX,
            frame_bytes: CLIENT_FRAME_BYTES_MAX,
        }
    }
}

/// The limits by which the desk's owner orders batches: those that both ends know,
/// and those of the owner alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OrderLimits {
    /// What is told to clients.
    pub desk: DeskLimits,
    /// How much of the deleted stickers is kept.
    pub bin: BinLimits,
    /// How much text history is kept.
    pub history: HistoryLimits,
    /// How much more of it is kept while a client is waited for (ORDER-10).
    pub held: HistoryLimits,
    /// Parts of a late delta times the deltas that it is moved over.
    pub transform_steps: usize,
}

impl Default for OrderLimits {
    fn default() -> Self {
        Self {
            desk: DeskLimits::default(),
            bin: BinLimits::default(),
            history: HistoryLimits::default(),
            held: HistoryLimits {
                deltas_per_sticker: HELD_DELTAS_MAX,
                bytes: HELD_HISTORY_BYTES_MAX,
            },
            transform_steps: TRANSFORM_STEPS_MAX,
        }
    }
}

/// How much of the deleted stickers a desk keeps for restoring.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BinLimits {
    /// Deleted stickers.
    pub stickers: usize,
    /// Their size in bytes, by [`crate::Sticker::cost`].
    pub bytes: usize,
}

impl Default for BinLimits {
    fn default() -> Self {
        Self { stickers: DELETED_STICKERS_MAX, bytes: DELETED_BYTES_MAX }
    }
}

/// How much text history a desk keeps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HistoryLimits {
    /// Deltas of one sticker.
    pub deltas_per_sticker: usize,
    /// Bytes of all deltas of the desk, by [`crate::Delta::cost`].
    pub bytes: usize,
}

impl Default for HistoryLimits {
    fn default() -> Self {
        Self { deltas_per_sticker: TEXT_HISTORY_DELTAS_MAX, bytes: TEXT_HISTORY_BYTES_MAX }
    }
}

/// A sticker's text, in Unicode scalar values: some two printed pages. Binds
/// what an author itself writes.
pub const TEXT_CHARS_MAX: usize = 10_000;

/// The highest limit of a text that an operator may set, in Unicode scalar
/// values: at four bytes each, such a text still fits a client's frame.
pub const TEXT_CHARS_CEILING: usize = 50_000;

/// A sticker's text on any replica, in Unicode scalar values. No policy: a replica
/// applies every commit, whatever the server's limit is. This bound keeps hostile
/// commits from growing a text without end.
pub const REPLICA_TEXT_CHARS_MAX: usize = 2 * TEXT_CHARS_CEILING;

/// A desk's title, in Unicode scalar values.
pub const TITLE_CHARS_MAX: usize = 200;

/// Stickers on a desk that are not deleted. The page stays fluent at this size.
pub const STICKERS_MAX: usize = 5_000;

/// Size of the stickers that are not deleted, in bytes by [`crate::Sticker::cost`].
pub const DESK_BYTES_MAX: usize = 4 << 20;

/// Deleted stickers kept for restoring; the oldest beyond it are purged.
pub const DELETED_STICKERS_MAX: usize = 5_000;

/// Size of the deleted stickers kept, in bytes by [`crate::Sticker::cost`].
pub const DELETED_BYTES_MAX: usize = 1 << 20;

/// The highest limit of deleted stickers that an operator may set. One commit purges no
/// more than these and those that it deletes itself.
pub const DELETED_STICKERS_CEILING: usize = 10_000;

/// The highest limit of the stickers that are not deleted, and of their size and that of
/// the deleted ones in bytes, that an operator may set: the record of a desk at all of
/// them is a value of the store.
pub const STICKERS_CEILING: usize = 20_000;

/// See [`STICKERS_CEILING`].
pub const DESK_BYTES_CEILING: usize = 8 << 20;

/// The highest limit of a title that an operator may set, in Unicode scalar values.
pub const TITLE_CHARS_CEILING: usize = 1_000;

/// The most operations of a batch that an operator may allow.
pub const BATCH_OPERATIONS_CEILING: usize = 2_000;

/// Identifiers of purged stickers that a desk remembers, so that a late edit is
/// answered `purged` instead of "no such sticker". Older ones are forgotten
/// behind [`crate::Desk::purge_floor`]. No policy: replicas at one revision must
/// remember the same ids.
pub const PURGED_IDS_MAX: usize = 4_096;

/// Operations in a batch: the largest selection that moves as one step.
pub const BATCH_OPERATIONS_MAX: usize = 500;

/// Notes of an import: a desk at the highest limits, with its deleted stickers. No
/// policy: what the desk may hold refuses more.
pub const IMPORT_OPERATIONS_MAX: usize = STICKERS_CEILING + DELETED_STICKERS_CEILING;

/// Parts of one text delta as its author made it: bounds the work of a
/// transform. A delta that was transformed over others' commits may have as many
/// parts as fit its frame, because its author could not foresee what splits it.
pub const DELTA_PARTS_MAX: usize = 4_096;

/// Parts of a late text delta times the committed deltas that it is transformed
/// over: some milliseconds of work. Beyond it the author is told to catch up, as
/// if the history were shorter.
pub const TRANSFORM_STEPS_MAX: usize = 1 << 18;

/// How many times more transform steps a batch may cost if its client was told
/// `stale` twice in a row (ORDER-10): some 20 milliseconds, at most for one in three
/// batches of that client.
pub const HELD_STEPS_FACTOR: usize = 4;

/// Committed deltas that a sticker's text history keeps: several minutes of
/// typing.
pub const TEXT_HISTORY_DELTAS_MAX: usize = 1_000;

/// Bytes of all text histories of a desk, by [`crate::Delta::cost`].
pub const TEXT_HISTORY_BYTES_MAX: usize = 256 << 10;

/// Committed deltas of a sticker that are kept while a client is waited for:
/// what a hundred fast typists write in half a minute.
pub const HELD_DELTAS_MAX: usize = 8_192;

/// Bytes of all text histories that are kept while a client is waited for.
pub const HELD_HISTORY_BYTES_MAX: usize = 1 << 20;

/// A frame from a client, in bytes, its length prefix included.
pub const CLIENT_FRAME_BYTES_MAX: usize = 256 << 10;

/// Bytes of a snapshot carried by one frame: small enough that a commit never
/// waits long behind it.
pub const SNAPSHOT_CHUNK_BYTES_MAX: usize = 64 << 10;

/// A whole encoded snapshot, in bytes. A merge may take texts to twice their
/// limit; deleted stickers and stamps come on top. No policy: readers refuse
/// more before they look into it.
pub const SNAPSHOT_BYTES_MAX: usize = 32 << 20;

/// A frame from the server, in bytes, its length prefix included. A commit can
/// be larger than the submit it answers: purges ride along. No policy: readers
/// refuse more by the prefix alone.
pub const SERVER_FRAME_BYTES_MAX: usize = 1 << 20;

/// The bytes of a commit by [`crate::Operation::encoded_bytes_max`], without the
/// ids that it purges. With the ids of the largest bin it stays below 512 KiB, the
/// longest record of the log. A request's body can ask for more than a client's
/// frame, and so can a text delta that was transformed over many others. No policy:
/// a larger commit could not be stored.
pub const COMMIT_BYTES_MAX: usize = 416 << 10;

/// How long after a frame was sent it is repeated in datagrams, while its answer is not here
/// (CARRY-8). No policy: the first is longer than a burst of losses, and a fraction of what
/// a retransmission takes. On a line that loses a tenth of its packets, one in a hundred
/// frames would be lost with a single repetition, and one in a thousand is with two.
pub const REPEATS_AFTER: [Duration; 2] = [Duration::from_millis(20), Duration::from_millis(60)];

/// Bytes of a frame that is repeated: it fits a datagram on any path. No policy: a longer
/// frame takes several packets anyway.
pub const REPEAT_BYTES_MAX: usize = 1_100;

/// A user's label (`R-User-ID`), in visible ASCII characters. No policy: the
/// interface promises it to clients that never ask.
pub const USER_LABEL_CHARS_MAX: usize = 64;

/// A person's name in presence, in Unicode scalar values.
pub const PERSON_NAME_CHARS_MAX: usize = 40;

/// Board coordinates, whole units either side of the origin. No policy, as the
/// sides below: every page draws the same board.
pub const COORDINATE_MAX: i32 = 1_000_000;

/// The smallest side of a sticker, in board units.
pub const SIDE_MIN: u32 = 20;

/// The largest side of a sticker, in board units.
pub const SIDE_MAX: u32 = 4_000;

/// Registers of the desk: as many as there are keys.
pub const DESK_REGISTERS_MAX: usize = 256;

/// Bytes of one register of the desk. No policy: what stands there is as long as the
/// specification says, and all of them stand in every snapshot.
pub const DESK_REGISTER_BYTES_MAX: usize = 64;

/// Edit distance up to which [`crate::text::diff`] looks for the shortest
/// script; beyond it the differing middle is replaced as a whole. It bounds the
/// work of an algorithm, not what anybody may do.
pub const DIFF_DISTANCE_MAX: usize = 512;

/// Flatbuffers tables in one frame: bounds the verifier's work, as the two
/// below, before anything in the bytes is believed.
pub const FRAME_TABLES_MAX: usize = 4_096;

/// Flatbuffers tables in a snapshot: stickers, deleted ones and their counters.
pub const SNAPSHOT_TABLES_MAX: usize = 65_536;

/// Nesting of flatbuffers tables.
pub const FRAME_DEPTH_MAX: usize = 16;
