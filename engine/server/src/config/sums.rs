//! Limits that meet, summed: what must fit into what, and what the process holds at most.

use std::fmt::Write as _;

use desk_engine_core::limits::{
    READERS_PER_DESK_MAX, RECENT_ANSWER_BYTES_MAX, RECENT_CLIENTS_MAX, STORE_FLIGHT_BYTES,
};
use desk_protocol::limits::{
    BATCH_OPERATIONS_CEILING, DELETED_STICKERS_CEILING, DESK_BYTES_CEILING,
    DESK_REGISTER_BYTES_MAX, DESK_REGISTERS_MAX, PURGED_IDS_MAX, STICKERS_CEILING,
    TITLE_CHARS_CEILING,
};
use desk_storage_lsm::Options;
use desk_storage_lsm::limits::BACKLOG_BYTES_MAX;

use super::limits::{CLIENTS_CEILING, Limits};
use super::quantity::Bytes;
use crate::limits::LOADS_MAX;
use crate::snapshot::{CLIENT_BYTES, RECENT_CLIENT_BYTES, STICKER_BYTES};

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
    let title = 4 * TITLE_CHARS_CEILING;
    stickers + texts + clients + answers + purged + registers + title + ENTRY_BYTES
};

/// One part of what the process holds.
struct Part {
    what: &'static str,
    /// Of each shard.
    per_shard: u64,
    /// Of the process besides.
    once: u64,
}

/// What the process holds at most besides `--memory`, which the desks in use share.
fn parts(limits: &Limits) -> [Part; 6] {
    let value = VALUE_BYTES as u64;
    let per_shard = |what, per_shard| Part { what, per_shard, once: 0 };
    [
        per_shard(
            "changes that wait for the disk (`log-waiting`)",
            limits.log_waiting_bytes as u64,
        ),
        per_shard("frames that wait for connections (`outbound-queues`)", {
            limits.shard.outbound_queues_bytes as u64
        }),
        per_shard("copies of desks that are being stored", STORE_FLIGHT_BYTES as u64 + value),
        per_shard("stored desks that wait for their table", BACKLOG_BYTES_MAX as u64 + value),
        per_shard("desks that are being read", LOADS_MAX as u64 * value),
        Part {
            what: "answers that slow peers have not taken (`unsent`)",
            per_shard: 0,
            once: limits.unsent_bytes as u64,
        },
    ]
}

/// What the process holds at most besides `--memory`, with so many shards.
pub(crate) fn beside_memory(limits: &Limits, shards: u16) -> u64 {
    let shards = u64::from(shards);
    parts(limits).iter().map(|part| part.per_shard * shards + part.once).sum()
}

/// The sums at the defaults, for `serve --help` and `docs/limits.md`.
pub(super) fn help() -> String {
    let limits = Limits::default();
    let mut out = String::from(
        "Limits that meet are summed at the start, and a configuration that cannot hold is \
         refused.\n\n",
    );
    let written = |bytes: u64| Bytes(bytes).to_string();
    let (record, segment) = (record_bytes_max(&limits) as u64, segment_bytes_min(&limits));
    let _ = write!(
        out,
        "- The longest record of the log takes {record} bytes, so `segment` is at least {segment} \
         bytes. Both shrink with `frame` and `batch-operations`.\n\
         - The largest desk that the ranges above allow is stored in {VALUE_BYTES} bytes; a value \
         of the store has at most {}.\n\
         - Desks in use share `--memory`. The process holds at most this besides:\n\n\
         | what | each shard | once |\n|---|---|---|\n",
        desk_storage_lsm::limits::VALUE_BYTES_MAX
    );
    for part in parts(&limits) {
        let _ = writeln!(
            out,
            "| {} | {} | {} |",
            part.what,
            if part.per_shard == 0 { "".to_owned() } else { written(part.per_shard) },
            if part.once == 0 { "".to_owned() } else { written(part.once) },
        );
    }
    let _ = write!(
        out,
        "\nWith two shards that is {} MiB at the very most, when every bound is reached at once. \
         A desk at rest takes 17 bytes of the index, and each connection some KiB.\n",
        beside_memory(&limits, 2) >> 20
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
        let of = |shards| beside_memory(&limits, shards);
        assert_eq!(of(2) - of(1), of(3) - of(2), "each shard adds the same");
        assert!(document().contains(&format!("{} MiB", of(2) >> 20)));
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
