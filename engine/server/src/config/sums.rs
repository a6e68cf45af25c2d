//! Limits that meet, summed: what must fit into what, and what the process holds at most.

use std::fmt::Write as _;

use desk_engine_core::desk_memory_bytes_max;
use desk_engine_core::limits::{
    LOADING_BYTES_MAX, OLD_COPIES_BYTES_MAX, READERS_PER_DESK_MAX, RECENT_ANSWER_BYTES_MAX,
    RECENT_CLIENTS_MAX, STORE_BYTES_MIN, STORE_FLIGHT_BYTES,
};
use desk_protocol::limits::{
    BATCH_OPERATIONS_CEILING, DELETED_STICKERS_CEILING, DESK_BYTES_CEILING,
    DESK_REGISTER_BYTES_MAX, DESK_REGISTERS_MAX, PURGED_IDS_MAX, STICKERS_CEILING,
    TITLE_CHARS_CEILING,
};
use desk_protocol::sticker_cost;
use desk_storage_lsm::Options;
use desk_storage_lsm::limits::{BACKLOG_BYTES_MAX, BUFFERS_BYTES_MAX};

use super::limits::{CLIENTS_CEILING, Limits};
use super::quantity::Bytes;
use crate::limits::{
    BUDGET_ROOM_PART, CONNECTION_BYTES, EXECUTOR_BYTES, EXPORT_FACTOR, IMPORT_MEMORY_FACTOR,
    JSON_FACTOR, KEY_BYTES, LOADS_MAX, MEMORY_BYTES_MIN, QUIC_CONNECTION_BYTES,
    QUIC_INCOMING_BYTES, QUIC_REPLIES_MAX, TLS_BYTES, UDP_BUFFER_BYTES, UNREAD_BUFFERS_MIN,
};
use crate::snapshot::{CLIENT_BYTES, RECENT_CLIENT_BYTES, STICKER_BYTES};

/// The longest character of UTF-8.
const CHAR_BYTES_MAX: usize = 4;

/// What an entry of the log takes besides the operations of its commit: client, label,
/// tables, and room for what the frame's format adds.
const ENTRY_BYTES: usize = 1 << 10;

/// The longest record of the log. A purge takes 8 bytes a sticker; what is kept deleted
/// may be more than a limit that was lowered since.
pub(crate) const fn record_bytes_max(limits: &Limits) -> usize {
    let desk = &limits.shard.order.desk;
    ENTRY_BYTES + desk.commit_bytes() + 8 * (DELETED_STICKERS_CEILING + desk.batch_operations)
}

/// The shortest segment of the log that takes it.
pub(crate) const fn segment_bytes_min(limits: &Limits) -> u64 {
    Options::segment_bytes_for(record_bytes_max(limits))
}

/// The smallest budget of the log, all shards together.
pub(crate) const fn log_budget_min(limits: &Limits, shards: u16) -> u64 {
    Options::log_budget_min(limits.segment_bytes, shards)
}

/// The largest stored record of a desk at any configuration: what was there stays when a
/// limit is lowered.
pub(crate) const VALUE_BYTES: usize = {
    let stickers = STICKER_BYTES * (STICKERS_CEILING + DELETED_STICKERS_CEILING);
    // Live and deleted; a text takes up to three bytes more for its alignment.
    let texts = 2 * DESK_BYTES_CEILING;
    let clients = CLIENT_BYTES * (CLIENTS_CEILING + READERS_PER_DESK_MAX + RECENT_CLIENTS_MAX);
    // The answer that passes the bound is the last one.
    let answers = RECENT_ANSWER_BYTES_MAX
        + 8 * BATCH_OPERATIONS_CEILING
        + RECENT_CLIENT_BYTES * RECENT_CLIENTS_MAX;
    let purged = 16 * PURGED_IDS_MAX;
    let registers = (16 + DESK_REGISTER_BYTES_MAX) * DESK_REGISTERS_MAX;
    let title = CHAR_BYTES_MAX * TITLE_CHARS_CEILING;
    stickers + texts + clients + answers + purged + registers + title + ENTRY_BYTES
};

/// What must fit into the bounds of the process: which bound, its least, what it is, and
/// what it has to hold.
pub(super) fn least(limits: &Limits) -> [(&'static str, usize, usize, &'static str); 3] {
    let http = &limits.http;
    let longest = http.body_bytes.max(http.import_body_bytes).max(limits.websocket_message_bytes);
    let content = limits.shard.order.desk.desk_bytes + limits.shard.order.bin.bytes;
    let export = EXPORT_FACTOR * content;
    // What of a budget is kept free.
    let with_room = |bytes: usize| bytes + bytes.div_ceil(BUDGET_ROOM_PART - 1);
    let desk = &limits.shard.order.desk;
    [
        (
            "desk-size",
            sticker_cost(CHAR_BYTES_MAX * desk.text_chars),
            desk.desk_bytes,
            "one note whose text is as long as text allows, in characters of four bytes",
        ),
        (
            "unread",
            UNREAD_BUFFERS_MIN * longest,
            limits.unread_bytes,
            "four of body, import-body or websocket-message, whichever is longest",
        ),
        (
            "unsent",
            with_room(export),
            limits.unsent_bytes,
            "the export of a desk of desk-size and deleted-size",
        ),
    ]
}

/// The largest packet of QUIC that is not sent on a connection.
const PACKET_BYTES: usize = 1_500;

/// What the process is made of, for the sum of its memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Process<'a> {
    pub(crate) limits: &'a Limits,
    /// `--memory`, in bytes.
    pub(crate) memory_bytes: u64,
    pub(crate) shards: u16,
    /// Whether connections are encrypted.
    pub(crate) is_encrypted: bool,
}

/// One part of what the process holds.
struct Part {
    what: &'static str,
    /// Of each shard.
    per_shard: u64,
    /// Of the process besides.
    once: u64,
}

impl Process<'_> {
    /// What the process holds at most, in bytes, when every bound is reached at once.
    pub(crate) fn memory_bytes_max(self) -> u64 {
        let beside: u64 = self.parts().iter().map(|part| self.bytes_of(part)).sum();
        self.memory_bytes.saturating_add(beside)
    }

    fn bytes_of(self, part: &Part) -> u64 {
        part.once.saturating_add(part.per_shard.saturating_mul(self.shards.into()))
    }

    /// Everything besides `--memory`.
    fn parts(self) -> [Part; 16] {
        let limits = self.limits;
        let value = VALUE_BYTES as u64;
        let per_shard = |what, bytes: usize| Part { what, per_shard: bytes as u64, once: 0 };
        let once = |what, bytes: usize| Part { what, per_shard: 0, once: bytes as u64 };
        let desk = &limits.shard.order.desk;
        let content = desk.desk_bytes + limits.shard.order.bin.bytes;
        let connection = CONNECTION_BYTES + if self.is_encrypted { TLS_BYTES } else { 0 };
        [
            per_shard(
                "the one desk that may stay though `--memory` is used up, and the least that the \
                 store may have",
                desk_memory_bytes_max(&limits.shard) + STORE_BYTES_MIN,
            ),
            per_shard(
                "changes that wait for the disk (`log-waiting`, and the `import` that passes it)",
                limits.log_waiting_bytes + limits.shard.import_bytes,
            ),
            per_shard(
                "frames that wait for connections (`outbound-queues`)",
                limits.shard.outbound_queues_bytes,
            ),
            per_shard(
                "copies of desks that slow readers still take, and one that is being made",
                OLD_COPIES_BYTES_MAX + 2 * content,
            ),
            per_shard("copies of desks that are being stored", STORE_FLIGHT_BYTES + VALUE_BYTES),
            per_shard("stored desks that wait for their table", BACKLOG_BYTES_MAX + VALUE_BYTES),
            Part {
                what: "desks that are being read",
                per_shard: LOADS_MAX as u64 * value,
                once: 0,
            },
            per_shard("what waits for desks to be read", LOADING_BYTES_MAX),
            per_shard("one request that is taken apart", JSON_FACTOR * limits.http.body_bytes),
            once(
                "one file that is imported (`import-body`), or one export that is written, and \
                 one on its way to its reader",
                (IMPORT_MEMORY_FACTOR * limits.http.import_body_bytes)
                    .max(2 * EXPORT_FACTOR * content)
                    + EXPORT_FACTOR * content,
            ),
            per_shard(
                "buffers of the store and of the executor",
                BUFFERS_BYTES_MAX + EXECUTOR_BYTES,
            ),
            once("answers that slow peers have not taken (`unsent`)", limits.unsent_bytes),
            once("requests and messages on their way (`unread`)", limits.unread_bytes),
            once(
                "`connections`, each with its state",
                limits.connections.saturating_mul(connection),
            ),
            per_shard(
                "first packets of QUIC, and answers to them",
                QUIC_INCOMING_BYTES as usize + QUIC_REPLIES_MAX * PACKET_BYTES + UDP_BUFFER_BYTES,
            ),
            once(
                "`quic-connections`, each with its windows",
                limits.quic_connections.saturating_mul(QUIC_CONNECTION_BYTES),
            ),
        ]
    }
}

/// The sums at the defaults, for `serve --help` and `docs/limits.md`.
pub(super) fn help() -> String {
    let limits = Limits::default();
    let mut out = String::from(
        "Limits that meet are summed at the start, and a configuration that cannot hold is \
         refused.\n\n",
    );
    let (record, segment) = (record_bytes_max(&limits) as u64, segment_bytes_min(&limits));
    let _ = write!(
        out,
        "- The longest record of the log takes {record} bytes, so `segment` is at least {segment} \
         bytes. Both shrink with `frame` and `batch-operations`.\n\
         - `--log-budget` is at least three segments a shard.\n\
         - `desk-size` is at least {} bytes and {CHAR_BYTES_MAX} for each character of \
         `text`.\n\
         - `unread` is at least {UNREAD_BUFFERS_MIN} times `body`, `import-body` and \
         `websocket-message`, and `unsent` at least {} times `desk-size` and `deleted-size` \
         together.\n\
         - `--memory` is at least {}.\n\
         - The largest desk that the ranges above allow is stored in {VALUE_BYTES} bytes; a value \
         of the store has at most {}.\n\
         - `--memory` is for the desks in use and for the store's index of all desks. The index \
         takes at most half of it; {KEY_BYTES} bytes a desk at rest, and as much for each further \
         link. Past that no desk is made (503), and a start is refused.\n\
         - The process holds at most `--memory` and these bytes:\n\n\
         | what | each shard | once |\n|---|---|---|\n",
        sticker_cost(0),
        EXPORT_FACTOR + 1,
        Bytes(MEMORY_BYTES_MIN),
        desk_storage_lsm::limits::VALUE_BYTES_MAX
    );
    let defaults =
        |shards| Process { limits: &limits, memory_bytes: 0, shards, is_encrypted: false };
    let written = |bytes: u64| match bytes {
        0 => String::new(),
        bytes => Bytes(bytes).to_string(),
    };
    let parts = defaults(1).parts();
    for Part { what, per_shard, once } in &parts {
        let _ = writeln!(out, "| {what} | {} | {} |", written(*per_shard), written(*once));
    }
    let each: u64 = parts.iter().map(|part| part.per_shard).sum();
    let once: u64 = parts.iter().map(|part| part.once).sum();
    let _ = write!(
        out,
        "\nThat is `--memory`, {} MiB a shard and {} MiB once; with two shards {} MiB beside \
         `--memory`. With https each connection may take {} KiB more. All bounds at once are far \
         from what a server sees. A configuration that raises the sum above the machine's memory \
         is refused; the defaults start anywhere, with a warning. The sum leaves out what one \
         turn of a shard holds for milliseconds.\n",
        each >> 20,
        once >> 20,
        defaults(2).memory_bytes_max() >> 20,
        TLS_BYTES >> 10,
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `docs/limits.md`: the list of limits, then their sums.
    fn document() -> String {
        crate::config::limits::document() + "\n## Sums\n" + &help()
    }

    use desk_storage_lsm::limits::{PAYLOAD_BYTES_MAX, VALUE_BYTES_MAX};

    const _: () = assert!(VALUE_BYTES <= VALUE_BYTES_MAX, "a desk could not be stored");

    /// The limits whose records are longest.
    fn widest() -> Limits {
        let mut limits = Limits::default();
        limits.shard.order.desk.batch_operations = BATCH_OPERATIONS_CEILING;
        limits
    }

    #[test]
    fn the_longest_record_fits_the_log() {
        let limits = widest();
        assert!(record_bytes_max(&limits) <= PAYLOAD_BYTES_MAX);
        assert!(segment_bytes_min(&limits) <= Limits::default().segment_bytes);
    }

    #[test]
    fn the_parts_of_memory_add_up_to_what_is_said() {
        let limits = Limits::default();
        let of = |memory_bytes, shards, is_encrypted| {
            Process { limits: &limits, memory_bytes, shards, is_encrypted }.memory_bytes_max()
        };
        let (one, two) = (of(0, 1, false), of(0, 2, false));
        assert_eq!(of(7 << 30, 2, false), (7 << 30) + two, "`--memory` and a constant");
        assert_eq!(two - one, of(0, 3, false) - two, "each shard adds the same");
        let encryption = (limits.connections * TLS_BYTES) as u64;
        assert_eq!(of(0, 2, true) - two, encryption);
        let said = format!(
            "{} MiB a shard and {} MiB once; with two shards {} MiB",
            (two - one) >> 20,
            (one - (two - one)) >> 20,
            two >> 20
        );
        assert!(document().contains(&said), "{said}");
    }

    /// Every limit that makes the process larger is in the sum.
    #[test]
    fn whatever_is_raised_is_in_the_sum_of_memory() {
        let total = |limits: &Limits| {
            let process = Process { limits, memory_bytes: 0, shards: 1, is_encrypted: false };
            process.memory_bytes_max()
        };
        let before = total(&Limits::default());
        for key in [
            "desk-size",
            "deleted-size",
            "clients-per-desk",
            "history-size",
            "text-history-size",
            "held-text-size",
            "outbound-queues",
            "body",
            "import",
            "import-body",
            "connections",
            "quic-connections",
            "log-waiting",
            "unsent",
            "unread",
        ] {
            let limits = crate::config::limits::at_most(key);
            assert!(total(&limits) > before, "{key} is not in the sum");
        }
    }

    #[test]
    fn the_document_is_what_the_code_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/limits.md");
        let said = std::fs::read_to_string(path).unwrap_or_default();
        let wanted = document();
        if said != wanted {
            let made = std::env::temp_dir().join("limits.md");
            std::fs::write(&made, wanted).unwrap();
            panic!("docs/limits.md is not current; copy {} over it", made.display());
        }
    }
}
