//! Every bound and delay of the client, with its unit and its reason.
//!
//! They are the client's own: nobody else suffers from them, so a server cannot
//! set them. What a batch and a desk may hold is the server's to say; until its
//! first `Welcome` a client believes [`DeskLimits::default`].

use std::time::Duration;

use desk_protocol::limits::DeskLimits;

/// Steps that can be undone; older ones stay done. Two hundred is more than a
/// person retraces, and bounds what foreign commits are passed through.
pub const UNDO_STEPS_MAX: usize = 200;

/// Bytes of undo and redo steps that are kept across a restart; the newest stay. They
/// are written again with every keystroke. A text of 10,000 characters that was deleted
/// fits.
pub(crate) const UNDO_STEPS_BYTES_MAX: usize = 48 << 10;

/// What a batch may cost by the client's estimate, in bytes: 200 of a frame's
/// 256 KiB. The estimate lies above the encoded size; the rest is for what
/// transforming over others' changes adds.
pub(crate) const fn batch_bytes_max(limits: &DeskLimits) -> usize {
    limits.frame_bytes / 32 * 25
}

/// Parts of a text delta that is still to be sent: a quarter of what the
/// server takes, since deltas of several actions are composed.
pub(crate) const fn delta_parts_queued_max(limits: &DeskLimits) -> usize {
    limits.delta_parts / 4
}

/// Refused batches and purged stickers kept for copying; the oldest go first.
pub const UNSAVED_MAX: usize = 64;

/// Changes by others that a text field is behind by, one after the other. More
/// come only while an input method composes for minutes; the oldest are joined
/// then, and a caret may end up beside the wrong one of two at its place.
pub(crate) const FIELD_CHANGES_MAX: usize = 256;

/// A pause in typing after which the next character begins a new undo step.
pub const TYPING_PAUSE: Duration = Duration::from_secs(1);

/// The least time between two attempts while the server knows no desk at the link.
pub const NO_DESK_PAUSE: Duration = Duration::from_secs(30);

/// Between two durable moves of one drag.
pub const DRAG_MOVE_EVERY: Duration = Duration::from_millis(250);

/// Between two frames of presence: the rate at which the server passes it on.
pub const PRESENCE_EVERY: Duration = Duration::from_millis(33);

/// Presence is repeated after this time, so that one who is still there can be
/// told from one whose leaving was lost on the way.
pub const PRESENCE_REFRESH: Duration = Duration::from_secs(20);

/// A person not heard of for this long has left. Browsers let a hidden page's
/// timers fire once a minute, which must still count as being there.
pub const PERSON_STALE: Duration = Duration::from_secs(75);

/// A datagram is not under way for longer than this.
pub(crate) const LATE_DATAGRAM: Duration = Duration::from_secs(2);

/// Datagrams of one person that can be under way at once: two seconds of them.
pub(crate) const LATE_DATAGRAMS_MAX: i32 = 64;

/// People kept; a desk has at most 2,000 connections.
pub(crate) const PEOPLE_MAX: usize = 2_000;

/// From the begin of an attempt until the line is open: then the attempt is given up.
/// TLS and WebSocket take four round trips; a proxy that takes connections and
/// answers none would hold the client for ever.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// From hello to the end of catching up without a byte received: the line is dead.
pub const HELLO_TIMEOUT: Duration = Duration::from_secs(10);

/// How often both of these double, once for each attempt that failed: a line so bad
/// that it needs more time gets it, up to four times as much.
pub const PATIENCE_DOUBLINGS_MAX: u32 = 2;

/// With nothing received for this long, the client asks whether the line is alive:
/// while somebody looks at the status, or a batch is in flight. With
/// [`PONG_TIMEOUT`] a dead line shows within 5 s, which is as long as people trust
/// "saved". It costs the server a ping every 2 s for a page in sight on a quiet desk.
pub const PING_AFTER: Duration = Duration::from_secs(2);

/// The same while nobody looks and nothing is in flight. Browsers run the timers of
/// hidden pages once a minute, so less would not be kept anyway.
pub const PING_AFTER_UNWATCHED: Duration = Duration::from_secs(15);

/// A ping without an answer, or any other byte, for this long: the line is dead. It
/// leaves room for two retransmissions of a lost packet.
pub const PONG_TIMEOUT: Duration = Duration::from_millis(2_500);

/// The slowest line that is served, in bytes a second: 64 kbit/s. An answer is
/// waited for until what was sent before it can have arrived over such a line; a
/// frame of 256 KiB takes 32 s.
pub(crate) const SLOW_LINE_RATE: u64 = 8_192;

/// A deadline that is noticed so late was slept through, by the machine or by a busy
/// page: what the server said meanwhile may still wait to be read.
pub(crate) const OVERSLEPT: Duration = Duration::from_millis(500);

/// The first delay before connecting again; doubles with each failed attempt.
pub const RECONNECT_DELAY_MIN: Duration = Duration::from_millis(250);

/// The longest delay before connecting again.
pub const RECONNECT_DELAY_MAX: Duration = Duration::from_secs(15);

/// The shortest delay before connecting again to a server that said it cannot
/// serve now.
pub const OVERLOADED_DELAY_MIN: Duration = Duration::from_secs(2);

/// A connection that lasted this long was a success: the next loss starts with
/// the shortest delay again.
pub const STABLE_AFTER: Duration = Duration::from_secs(5);

/// Others' commits are persisted at the latest after this delay; one's own
/// changes at once.
pub const PERSIST_DELAY: Duration = Duration::from_secs(3);

/// Bytes of commits kept beside the persisted snapshot, at least, however small
/// the snapshot is.
pub(crate) const COMMITS_BYTES_MIN: usize = 8 << 10;

/// Bytes of commits kept beside the persisted snapshot, at most: they are
/// written again with every keystroke, the snapshot only when they pass this.
pub(crate) const COMMITS_BYTES_MAX: usize = 64 << 10;

/// Commits held back while a snapshot arrives in parts. Past it the line is
/// dropped: a server does not send that much ahead of its own snapshot.
pub(crate) const EARLY_COMMITS_MAX: usize = 10_000;
