//! Every bound of the desk and of its frames, with its unit and its reason.
//!
//! Bounds of sessions and connections stand in `engine/core`, bounds of HTTP in
//! `gateway-http`, bounds of files in `storage-lsm`.

/// A sticker's text, in Unicode scalar values: some two printed pages. Binds
/// what an author itself writes.
pub const TEXT_CHARS_MAX: usize = 10_000;

/// A sticker's text after merging what several authors wrote at once, in
/// Unicode scalar values. Twice the author's limit, so that two full texts
/// that were each allowed are never lost in the merge.
pub const MERGED_TEXT_CHARS_MAX: usize = 2 * TEXT_CHARS_MAX;

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

/// Identifiers of purged stickers that a desk remembers, so that a late edit is
/// answered `purged` instead of "no such sticker". Older ones are forgotten
/// behind [`crate::Desk::purge_floor`].
pub const PURGED_IDS_MAX: usize = 4_096;

/// Operations in a batch: the largest selection that moves as one step.
pub const BATCH_OPERATIONS_MAX: usize = 500;

/// Parts of one text delta: bounds the work of a transform.
pub const DELTA_PARTS_MAX: usize = 4_096;

/// Parts of a late text delta times the committed deltas that it is transformed
/// over: some milliseconds of work. Beyond it the author is told to catch up, as
/// if the history were shorter.
pub const TRANSFORM_STEPS_MAX: usize = 1 << 18;

/// A frame from a client, in bytes, its length prefix included.
pub const CLIENT_FRAME_BYTES_MAX: usize = 256 << 10;

/// Bytes of a snapshot carried by one frame: small enough that a commit never
/// waits long behind it.
pub const SNAPSHOT_CHUNK_BYTES_MAX: usize = 64 << 10;

/// A whole encoded snapshot, in bytes. A merge may take texts to twice their
/// limit; deleted stickers and stamps come on top.
pub const SNAPSHOT_BYTES_MAX: usize = 32 << 20;

/// A frame from the server, in bytes, its length prefix included. A commit can
/// be larger than the submit it answers: purges ride along.
pub const SERVER_FRAME_BYTES_MAX: usize = 1 << 20;

/// A user's label (`R-User-ID`), in visible ASCII characters.
pub const USER_LABEL_CHARS_MAX: usize = 64;

/// A person's name in presence, in Unicode scalar values.
pub const PERSON_NAME_CHARS_MAX: usize = 40;

/// Board coordinates, whole units either side of the origin.
pub const COORDINATE_MAX: i32 = 1_000_000;

/// The smallest side of a sticker, in board units.
pub const SIDE_MIN: u32 = 20;

/// The largest side of a sticker, in board units.
pub const SIDE_MAX: u32 = 4_000;

/// Reserved registers of the desk (timer, areas).
pub const DESK_REGISTERS_MAX: usize = 256;

/// Bytes of one reserved register of the desk.
pub const DESK_REGISTER_BYTES_MAX: usize = 64;

/// Edit distance up to which [`crate::text::diff`] looks for the shortest
/// script; beyond it the differing middle is replaced as a whole.
pub const DIFF_DISTANCE_MAX: usize = 512;

/// Flatbuffers tables in one frame: bounds the verifier's work.
pub const FRAME_TABLES_MAX: usize = 4_096;

/// Flatbuffers tables in a snapshot: stickers, deleted ones and their counters.
pub const SNAPSHOT_TABLES_MAX: usize = 65_536;

/// Nesting of flatbuffers tables.
pub const FRAME_DEPTH_MAX: usize = 16;
