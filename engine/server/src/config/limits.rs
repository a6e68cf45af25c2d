//! The limits that an operator may set, below `[limits]` of the TOML file.
//!
//! [`LIMITS`] is the one list of them: it reads the file, checks the ranges,
//! and is what `serve --help` and `docs/limits.md` show.

use std::fmt::Write as _;
use std::time::Duration;

use desk_engine_core::AdmissionLimits;
use desk_engine_core::limits::ShardLimits;
use desk_gateway_http::limits::{HttpLimits, WEBSOCKET_MESSAGE_BYTES_MAX};
use desk_protocol::limits::{
    BATCH_OPERATIONS_CEILING, DELETED_STICKERS_CEILING, DESK_BYTES_CEILING, STICKERS_CEILING,
    TEXT_CHARS_CEILING, TITLE_CHARS_CEILING,
};
use serde::de::{self, DeserializeSeed, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::quantity::{Bytes, Span};
use crate::limits;

/// Limits of this process.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Limits {
    pub(crate) shard: ShardLimits,
    pub(crate) admission: AdmissionLimits,
    pub(crate) http: HttpLimits,
    pub(crate) websocket_message_bytes: usize,
    pub(crate) connections: usize,
    pub(crate) quic_connections: usize,
    pub(crate) requests_between_shards: usize,
    pub(crate) segment_bytes: u64,
    pub(crate) log_waiting_bytes: usize,
    pub(crate) request_time: Duration,
    pub(crate) drain_time: Duration,
    pub(crate) close_time: Duration,
    pub(crate) last_words_time: Duration,
    pub(crate) probe_time: Duration,
    pub(crate) reader_stall: Duration,
    pub(crate) unsent_bytes: usize,
    pub(crate) unread_bytes: usize,
    pub(crate) free_space_bytes: u64,
    pub(crate) disk_reserve_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            shard: ShardLimits::default(),
            admission: AdmissionLimits::default(),
            http: HttpLimits::default(),
            websocket_message_bytes: WEBSOCKET_MESSAGE_BYTES_MAX,
            connections: limits::CONNECTIONS_MAX,
            quic_connections: limits::QUIC_CONNECTIONS_MAX,
            requests_between_shards: limits::REQUESTS_BETWEEN_SHARDS_MAX,
            segment_bytes: limits::SEGMENT_BYTES,
            log_waiting_bytes: limits::LOG_WAITING_BYTES,
            request_time: limits::REQUEST_TIME,
            drain_time: limits::DRAIN_TIME,
            close_time: limits::CLOSE_TIME,
            last_words_time: limits::LAST_WORDS_TIME,
            probe_time: limits::KEEPALIVE_TIME,
            reader_stall: limits::READER_STALL,
            unsent_bytes: limits::UNSENT_BYTES,
            unread_bytes: limits::UNREAD_BYTES,
            free_space_bytes: limits::FREE_SPACE_BYTES,
            disk_reserve_bytes: limits::DISK_RESERVE_BYTES,
        }
    }
}

/// One limit: how it is called, where it stands, what it may be, and why it is
/// what it is.
pub(crate) struct Limit {
    pub(crate) group: &'static str,
    pub(crate) key: &'static str,
    place: for<'a> fn(&'a mut Limits) -> Place<'a>,
    least: u64,
    most: u64,
    why: &'static str,
}

/// Where a limit stands, and in which unit it is written.
enum Place<'a> {
    Count(&'a mut usize),
    Rate(&'a mut u32),
    Bytes(&'a mut usize),
    Bytes64(&'a mut u64),
    Time(&'a mut Duration),
    Micros(&'a mut u64),
}

/// The most clients that a desk may be set to remember: with them its record is still a
/// value of the store.
pub(crate) const CLIENTS_CEILING: usize = 100_000;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// A row of [`LIMITS`].
macro_rules! limit {
    ($group:literal, $key:literal, $unit:ident $($field:ident).+, $least:expr, $most:expr, $why:literal) => {
        Limit {
            group: $group,
            key: $key,
            place: |limits| Place::$unit(&mut limits.$($field).+),
            least: $least,
            most: $most,
            why: $why,
        }
    };
}

/// Every limit, by what it is about. Times are in milliseconds here.
#[rustfmt::skip]
pub(crate) const LIMITS: &[Limit] = &[
    limit!("A desk", "text", Count shard.order.desk.text_chars, 1, TEXT_CHARS_CEILING as u64,
        "characters of a note, as its author means it: two printed pages; a merge may take it to twice that"),
    limit!("A desk", "title", Count shard.order.desk.title_chars, 1, TITLE_CHARS_CEILING as u64,
        "characters of a desk's title: one line of a page"),
    limit!("A desk", "stickers", Count shard.order.desk.stickers, 1, STICKERS_CEILING as u64,
        "notes on a desk that are not deleted: the page stays fluent"),
    limit!("A desk", "desk-size", Bytes shard.order.desk.desk_bytes, 4 * KIB, DESK_BYTES_CEILING as u64,
        "their texts, 64 bytes each and 24 a vote: a desk loads and is stored in one piece"),
    limit!("A desk", "deleted-stickers", Count shard.order.bin.stickers, 0, DELETED_STICKERS_CEILING as u64,
        "deleted notes that can be restored; the oldest go first"),
    limit!("A desk", "deleted-size", Bytes shard.order.bin.bytes, 0, DESK_BYTES_CEILING as u64,
        "their texts, 64 bytes each and 24 a vote"),
    limit!("A desk", "clients-per-desk", Count shard.clients_per_desk, 1, CLIENTS_CEILING as u64,
        "clients that changed a desk, which remembers each in 40 bytes so that its batches count once"),
    limit!("A desk", "history-commits", Count shard.ring_commits, 0, 1_000_000,
        "commits that a desk in use keeps for polls and for clients that come back; older ones cost a snapshot"),
    limit!("A desk", "history-size", Bytes shard.ring_bytes, 0, 64 * MIB,
        "bytes of them"),
    limit!("A desk", "text-history-deltas", Count shard.order.history.deltas_per_sticker, 0, 100_000,
        "changes of a note's text that a late edit can be moved over: minutes of typing"),
    limit!("A desk", "text-history-size", Bytes shard.order.history.bytes, 0, 64 * MIB,
        "bytes of them, all notes of a desk"),
    limit!("A desk", "held-text-deltas", Count shard.order.held.deltas_per_sticker, 0, 1_000_000,
        "the same while a client is waited for that was told to catch up twice in a row"),
    limit!("A desk", "held-text-size", Bytes shard.order.held.bytes, 0, 64 * MIB,
        "bytes of them"),
    limit!("A desk", "held-time", Time shard.hold_time, 100, 600_000,
        "how long such a client is waited for: many round trips of a bad line"),
    limit!("A desk", "transform-steps", Count shard.order.transform_steps, 1_000, 100_000_000,
        "parts of a late delta times the changes that it is moved over: some milliseconds of work"),
    limit!("A batch", "batch-operations", Count shard.order.desk.batch_operations, 1, BATCH_OPERATIONS_CEILING as u64,
        "operations of a batch: the largest selection that moves as one step"),
    limit!("A batch", "delta-parts", Count shard.order.desk.delta_parts, 8, 16_384,
        "parts of a text change as its author made it: bounds the work of merging"),
    limit!("A batch", "import", Bytes shard.import_bytes, 64 * KIB, 32 * MIB,
        "bytes of the notes of one import, 128 more for each: a full desk with its deleted notes; half of segment binds as well"),
    limit!("A batch", "frame", Bytes shard.order.desk.frame_bytes, 4 * KIB, 256 * KIB,
        "bytes of a client's frame: one record of the log holds what comes of it"),
    limit!("A connection", "batches-per-second", Rate shard.batches_per_second, 1, 1_000_000,
        "batches of one connection; past it the connection is not read, and nothing is refused"),
    limit!("A connection", "batch-burst", Rate shard.batch_burst, 0, 1_000_000,
        "batches that it may send at once"),
    limit!("A connection", "presence-per-second", Rate shard.presence_per_second, 1, 1_000_000,
        "cursors and pings of one connection; past it the connection is not read"),
    limit!("A connection", "presence-burst", Rate shard.presence_burst, 0, 1_000_000,
        "cursors and pings that it may send at once"),
    limit!("A connection", "outbound-queue", Bytes shard.outbound_queue_bytes, 64 * KIB, 64 * MIB,
        "bytes queued for a slow reader; past it it is brought up to date once it reads, and is not read itself while answers fill it"),
    limit!("A connection", "outbound-queues", Bytes shard.outbound_queues_bytes, MIB, 1_048_576 * MIB,
        "bytes queued for all connections of a shard; past it each gets one frame at a time"),
    limit!("A connection", "presence-queue", Bytes shard.presence_queue_bytes, 0, 64 * MIB,
        "bytes queued for a reader above which it gets no cursors"),
    limit!("A connection", "snapshot-chunk", Bytes shard.snapshot_chunk_bytes, KIB, 512 * KIB,
        "bytes of a snapshot in one frame: a commit never waits long behind it"),
    limit!("A connection", "snapshot-chunks-queued", Count shard.snapshot_chunks_queued, 1, 1_024,
        "such frames queued for one connection"),
    limit!("A connection", "websocket-message", Bytes websocket_message_bytes, 4 * KIB, 4 * MIB,
        "bytes of a WebSocket message from a client: one frame and some small ones"),
    limit!("A connection", "hello-time", Time shard.hello_time, 100, 600_000,
        "until a connection has said who it is"),
    limit!("A connection", "probe-after", Time shard.probe_after, 100, 3_600_000,
        "silence of somebody whom others see, after which it is pinged while one of them looks; with probe-time and a second for looking, a ghost stays 5 s at most"),
    limit!("A connection", "probe-time", Time shard.probe_time, 100, 3_600_000,
        "until one that was pinged is shown as gone; its connection stays, and any sign of life brings it back"),
    limit!("A connection", "close-time", Time close_time, 0, 60_000,
        "until a peer has answered a WebSocket's close"),
    limit!("A connection", "last-words-time", Time last_words_time, 0, 600_000,
        "until a closing WebSocket has sent what is queued"),
    limit!("People", "connections-per-desk", Count shard.connections_per_desk, 1, 100_000,
        "connections of a desk; more are refused with 429"),
    limit!("People", "person-name", Count shard.person_name_chars, 1, 200,
        "characters of a person's name; the rest is cut off"),
    limit!("People", "presence-interval", Time shard.presence_interval, 1, 10_000,
        "between two frames of cursors: thirty a second look smooth"),
    limit!("People", "presence-crowd", Count shard.presence_crowd, 0, 100_000,
        "connections above which a desk counts as crowded"),
    limit!("People", "presence-interval-crowd", Time shard.presence_interval_crowd, 1, 10_000,
        "between two frames of cursors in a crowd"),
    limit!("People", "presence-frame", Bytes shard.presence_frame_bytes, 512, 64 * KIB,
        "bytes of a frame of cursors: a datagram on any path"),
    limit!("People", "poll-time", Time shard.poll_time, 0, 25_000,
        "the longest wait of a poll"),
    limit!("People", "polls-per-desk", Count shard.polls_per_desk, 0, 100_000,
        "polls that wait on a desk; more are refused with 429"),
    limit!("People", "leave-grace", Time shard.leave_grace, 0, 3_600_000,
        "how long a desk stays in memory after its last connection: a reload finds it there"),
    limit!("An address", "newcomers-per-minute", Rate shard.newcomers.per_minute, 1, 1_000_000,
        "new people that one address brings to one desk; more are refused with 429: in a week half of clients-per-desk"),
    limit!("An address", "newcomer-burst", Rate shard.newcomers.burst, 1, 1_000_000,
        "the same at once: a class of 200, twice"),
    limit!("An address", "desks-per-minute", Rate admission.create.per_minute, 1, 1_000_000,
        "desks that one address makes; more are refused with 429"),
    limit!("An address", "desk-burst", Rate admission.create.burst, 1, 1_000_000,
        "the same at once: one for each of a class"),
    limit!("An address", "joins-per-minute", Rate admission.join.per_minute, 1, 1_000_000,
        "times that one address joins any desk, also again; more are refused with 429"),
    limit!("An address", "join-burst", Rate admission.join.burst, 1, 1_000_000,
        "the same at once: some classes that reload"),
    limit!("An address", "links-per-minute", Rate admission.rotate.per_minute, 1, 1_000_000,
        "links that one address makes or replaces; more are refused with 429"),
    limit!("An address", "link-burst", Rate admission.rotate.burst, 1, 1_000_000,
        "the same at once"),
    limit!("HTTP", "head", Bytes http.head_bytes, KIB, MIB,
        "bytes of a request's head: sixteen times what a browser sends"),
    limit!("HTTP", "header-fields", Count http.header_fields, 16, 100,
        "header fields of a request: browsers send about 20"),
    limit!("HTTP", "body", Bytes http.body_bytes, 4 * KIB, 64 * MIB,
        "bytes of a request's body: four frames"),
    limit!("HTTP", "import-body", Bytes http.import_body_bytes, 4 * KIB, 64 * MIB,
        "bytes of a file to import: a full desk in JSON; files are read one at a time"),
    limit!("HTTP", "pipelined", Bytes http.pipelined_bytes, KIB, MIB,
        "bytes taken in while an earlier request waits for its answer"),
    limit!("HTTP", "head-time", Micros http.head_us, 100, 600_000,
        "until a request's head is there"),
    limit!("HTTP", "body-time", Micros http.body_us, 100, 3_600_000,
        "until a request's body is there (of a longer file, each further part as long as `body`), or a message or frame that has begun: 1 MiB at 280 kbit/s"),
    limit!("HTTP", "keep-alive-time", Micros http.keep_alive_us, 0, 3_600_000,
        "between two requests of a connection"),
    limit!("HTTP", "linger-time", Micros http.linger_us, 0, 60_000,
        "how long is read on after the last answer, so that a reset does not overtake it"),
    limit!("HTTP", "request-time", Time request_time, 1_000, 3_600_000,
        "until the owner of a desk has answered a request: longer than the longest poll"),
    limit!("The process", "connections", Count connections, 1, 10_000_000,
        "connections of the process; fewer if descriptors do not suffice"),
    limit!("The process", "quic-connections", Count quic_connections, 1, 10_000_000,
        "those by QUIC, spread over the shards; more are refused and come by WebSocket"),
    limit!("The process", "requests-between-shards", Count requests_between_shards, 1, 1_000_000,
        "requests that one shard has under way at another, without polls that wait; past it connections are not read"),
    limit!("The process", "loading-queue", Count shard.loading_queue, 1, 1_000_000,
        "inputs that wait for a desk to load; more are refused with 503"),
    limit!("The process", "segment", Bytes64 segment_bytes, 184 * KIB, 1_024 * MIB,
        "bytes of a log segment, written ahead and used again; two records of the longest fit one"),
    limit!("The process", "log-waiting", Bytes log_waiting_bytes, 16 * KIB, 1_024 * MIB,
        "bytes of changes of one shard that wait for the disk, past which more are refused with 503 until half of it is free"),
    limit!("The process", "free-space", Bytes64 free_space_bytes, 0, 1_048_576 * MIB,
        "free disk space below which the server does not start"),
    limit!("The process", "disk-reserve", Bytes64 disk_reserve_bytes, 0, 1_048_576 * MIB,
        "free disk space below which changes are refused with 503 and desks are still stored"),
    limit!("The process", "drain-time", Time drain_time, 0, 600_000,
        "how long a planned stop may take"),
    limit!("The process", "reader-stall", Time reader_stall, 1_000, 3_600_000,
        "how long a peer may take nothing of what is sent to it, or not acknowledge it, before its connection ends"),
    limit!("The process", "unsent", Bytes unsent_bytes, MIB, 1_048_576 * MIB,
        "bytes of answers that wait for slow peers; before it is used up, the slow peers of the address that holds most of it are cut off"),
    limit!("The process", "unread", Bytes unread_bytes, MIB, 1_048_576 * MIB,
        "bytes of requests and messages that have not arrived whole or are being served; before it is used up, those of the address that holds most of it are refused with 503 or 1013"),
    limit!("The process", "keep-alive-probe-time", Time probe_time, 1_000, 86_400_000,
        "silence of a peer after which it is probed, so that connections of vanished machines end"),
];

impl Limit {
    /// The value, in its unit: a count, bytes or milliseconds.
    fn get(&self, limits: &mut Limits) -> u64 {
        match (self.place)(limits) {
            Place::Count(value) | Place::Bytes(value) => *value as u64,
            Place::Rate(value) => u64::from(*value),
            Place::Bytes64(value) => *value,
            Place::Time(value) => u64::try_from(value.as_millis()).unwrap_or(u64::MAX),
            Place::Micros(value) => *value / 1_000,
        }
    }

    /// # Errors
    /// The value is out of range: which limit, and what it may be.
    fn set(&self, limits: &mut Limits, value: u64) -> Result<(), String> {
        if !(self.least..=self.most).contains(&value) {
            let (least, most) = (self.written(self.least), self.written(self.most));
            return Err(format!(
                "limits.{} may be {least} to {most}, not {}",
                self.key,
                self.written(value)
            ));
        }
        match (self.place)(limits) {
            Place::Count(place) | Place::Bytes(place) => *place = value as usize,
            Place::Rate(place) => *place = value as u32,
            Place::Bytes64(place) => *place = value,
            Place::Time(place) => *place = Duration::from_millis(value),
            Place::Micros(place) => *place = value * 1_000,
        }
        Ok(())
    }

    /// As a person writes it.
    fn written(&self, value: u64) -> String {
        match (self.place)(&mut Limits::default()) {
            Place::Count(_) | Place::Rate(_) => value.to_string(),
            Place::Bytes(_) | Place::Bytes64(_) => Bytes(value).to_string(),
            Place::Time(_) | Place::Micros(_) => Span(Duration::from_millis(value)).to_string(),
        }
    }

    fn default_written(&self) -> String {
        self.written(self.get(&mut Limits::default()))
    }
}

impl<'de> Deserialize<'de> for Limits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Table)
    }
}

struct Table;

impl<'de> Visitor<'de> for Table {
    type Value = Limits;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a table of limits")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Limits, A::Error> {
        let mut limits = Limits::default();
        while let Some(key) = map.next_key_seed(Key)? {
            let value = map.next_value_seed(Value(key))?;
            key.set(&mut limits, value).map_err(de::Error::custom)?;
        }
        Ok(limits)
    }
}

/// Finds a limit by its key.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = &'static Limit;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        let key = String::deserialize(deserializer)?;
        LIMITS.iter().find(|limit| limit.key == key).ok_or_else(|| {
            de::Error::custom(format!("there is no limit {key:?}; docs/limits.md lists them"))
        })
    }
}

/// Reads a value in a limit's unit, and checks it where it stands.
struct Value(&'static Limit);

impl<'de> DeserializeSeed<'de> for Value {
    type Value = u64;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<u64, D::Error> {
        let mut scratch = Limits::default();
        let value = match (self.0.place)(&mut scratch) {
            Place::Count(_) | Place::Rate(_) => u64::deserialize(deserializer)?,
            Place::Bytes(_) | Place::Bytes64(_) => Bytes::deserialize(deserializer)?.0,
            Place::Time(_) | Place::Micros(_) => {
                let span = Span::deserialize(deserializer)?.0;
                u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
            }
        };
        self.0.set(&mut scratch, value).map_err(de::Error::custom)?;
        Ok(value)
    }
}

/// What `serve --help` adds to the flags.
pub(crate) fn help() -> String {
    let mut out = String::from("Limits, below [limits] of the TOML file [default; range]:\n");
    let mut group = "";
    for limit in LIMITS {
        if limit.group != group {
            group = limit.group;
            let _ = writeln!(out, "\n{group}:");
        }
        let (least, most) = (limit.written(limit.least), limit.written(limit.most));
        let _ = writeln!(
            out,
            "  {} [{}; {least} to {most}]\n          {}",
            limit.key,
            limit.default_written(),
            limit.why
        );
    }
    out
}

/// `docs/limits.md`.
#[cfg(test)]
pub(crate) fn document() -> String {
    let mut out = String::from(
        "# Limits\n\nEach can be set in the TOML file that `sticker-desk serve --config FILE` reads, below\n\
         `[limits]`: `text = 20000`, `frame = \"128KiB\"`, `head-time = \"5s\"`. A value out of its\n\
         range stops the start with a line that says so. `sticker-desk serve --help` prints\n\
         the same list; both are made from `engine/server/src/config/limits.rs`.\n\n\
         The server's values bind. It tells them to clients that connect by WebSocket; what a\n\
         client did before under the belief in a higher one is refused, stays with it and is\n\
         offered to copy. Content that is there already when a limit is lowered stays, and may\n\
         shrink. Constants that are not here are no policy: the `limits.rs` files say why.\n",
    );
    let mut group = "";
    for limit in LIMITS {
        if limit.group != group {
            group = limit.group;
            let _ = write!(
                out,
                "\n## {group}\n| limit | default | range | what, and why so |\n|---|---|---|---|\n"
            );
        }
        let (least, most) = (limit.written(limit.least), limit.written(limit.most));
        let _ = writeln!(
            out,
            "| `{}` | {} | {least} to {most} | {} |",
            limit.key,
            limit.default_written(),
            limit.why
        );
    }
    out
}

/// The defaults, but for one limit that is as high as it may be.
#[cfg(test)]
pub(super) fn at_most(key: &str) -> Limits {
    let limit = LIMITS.iter().find(|limit| limit.key == key).expect("there is such a limit");
    let mut limits = Limits::default();
    limit.set(&mut limits, limit.most).expect("it lies in the range");
    limits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(toml: &str) -> Result<Limits, String> {
        toml::from_str(toml).map_err(|error| error.message().to_owned())
    }

    fn toml_value(limit: &Limit, value: u64) -> String {
        match (limit.place)(&mut Limits::default()) {
            Place::Count(_) | Place::Rate(_) | Place::Bytes(_) | Place::Bytes64(_) => {
                value.to_string()
            }
            Place::Time(_) | Place::Micros(_) => format!("\"{value}ms\""),
        }
    }

    #[test]
    fn every_limit_is_set_by_the_file_and_moves_nothing_else() {
        for limit in LIMITS {
            let default = limit.get(&mut Limits::default());
            for value in [limit.least, limit.most] {
                let toml = format!("{} = {}", limit.key, toml_value(limit, value));
                let mut set = read(&toml).unwrap();
                assert_eq!(limit.get(&mut set), value, "{toml}");
                for other in LIMITS.iter().filter(|other| other.key != limit.key) {
                    let untouched = other.get(&mut Limits::default());
                    assert_eq!(other.get(&mut set), untouched, "{toml} moved {}", other.key);
                }
                limit.set(&mut set, default).unwrap();
                assert_eq!(set, Limits::default(), "{toml} moved something else");
            }
        }
    }

    #[test]
    fn a_limit_out_of_range_is_refused_by_name() {
        for limit in LIMITS {
            let range = format!(
                "limits.{} may be {} to {}",
                limit.key,
                limit.written(limit.least),
                limit.written(limit.most)
            );
            let over = format!("{} = {}", limit.key, toml_value(limit, limit.most + 1));
            let said = read(&over).unwrap_err();
            assert!(said.contains(&range), "{over}: {said}");
            if let Some(under) = limit.least.checked_sub(1) {
                let under = format!("{} = {}", limit.key, toml_value(limit, under));
                let said = read(&under).unwrap_err();
                assert!(said.contains(&range), "{under}: {said}");
            }
        }
        assert!(read("stickrs = 5").unwrap_err().contains("stickrs"));
        assert!(read("stickers = \"many\"").is_err());
    }

    #[test]
    fn keys_are_there_once_and_the_defaults_lie_in_their_ranges() {
        let keys: std::collections::BTreeSet<_> = LIMITS.iter().map(|limit| limit.key).collect();
        assert_eq!(keys.len(), LIMITS.len());
        for limit in LIMITS {
            let default = limit.get(&mut Limits::default());
            assert!((limit.least..=limit.most).contains(&default), "{}", limit.key);
            assert!(help().contains(limit.key) && help().contains(limit.why));
        }
    }
}
