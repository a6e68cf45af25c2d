//! Counters and latencies, and their Prometheus text.
//!
//! Each shard writes its own cache lines; whoever is asked for `/metrics`
//! reads them all.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crossbeam_utils::CachePadded;
use desk_nats::{QueueCounts, QueueView, View};

use crate::beside::Beside;

/// A number that one thread writes and others read.
#[derive(Default)]
pub(crate) struct Number(AtomicU64);

impl Number {
    /// Adds to it.
    pub(crate) fn add(&self, more: u64) {
        // One writer: a plain load and store do, and cost no lock prefix.
        self.set(self.get().wrapping_add(more));
    }

    /// Sets it.
    pub(crate) fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// Reads it.
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Upper bounds of the buckets, in microseconds: 50 µs doubled up to 26 s.
const BOUNDS: usize = 20;

/// Counts of durations.
#[derive(Default)]
pub(crate) struct Histogram {
    buckets: [Number; BOUNDS],
    count: Number,
    sum_us: Number,
}

impl Histogram {
    const fn bound_us(bucket: usize) -> u64 {
        50 << bucket
    }

    /// Counts one duration.
    pub(crate) fn record(&self, duration: Duration) {
        let us = duration.as_micros() as u64;
        if let Some(bucket) = (0..BOUNDS).find(|&bucket| us <= Self::bound_us(bucket)) {
            self.buckets[bucket].add(1);
        }
        self.count.add(1);
        self.sum_us.add(us);
    }

    fn render(&self, name: &str, shard: usize, out: &mut String) {
        let mut below = 0;
        for (bucket, count) in self.buckets.iter().enumerate() {
            below += count.get();
            let bound = Self::bound_us(bucket) as f64 / 1e6;
            line(out, format_args!("{name}_bucket{{shard=\"{shard}\",le=\"{bound}\"}} {below}"));
        }
        let count = self.count.get();
        line(out, format_args!("{name}_bucket{{shard=\"{shard}\",le=\"+Inf\"}} {count}"));
        let sum = self.sum_us.get() as f64 / 1e6;
        line(out, format_args!("{name}_sum{{shard=\"{shard}\"}} {sum}"));
        line(out, format_args!("{name}_count{{shard=\"{shard}\"}} {count}"));
    }
}

macro_rules! shard_metrics {
    (
        counters { $($counter:ident $counter_name:literal $counter_help:literal,)* }
        gauges { $($gauge:ident $gauge_name:literal $gauge_help:literal,)* }
        histograms { $($histogram:ident $histogram_name:literal $histogram_help:literal,)* }
    ) => {
        /// What one shard counts.
        #[derive(Default)]
        pub(crate) struct ShardMetrics {
            $(#[doc = $counter_help] pub(crate) $counter: Number,)*
            $(#[doc = $gauge_help] pub(crate) $gauge: Number,)*
            $(#[doc = $histogram_help] pub(crate) $histogram: Histogram,)*
        }

        /// The Prometheus text of all shards, and of the thread beside them.
        pub(crate) fn render(shards: &[CachePadded<ShardMetrics>], beside: &Beside) -> String {
            let mut out = String::new();
            let begun = "sticker_desk_beside_jobs_total";
            head(&mut out, begun, "Imports, exports and polls begun beside the shards.", "counter");
            line(&mut out, format_args!("{begun} {}", beside.begun()));
            $(
                head(&mut out, $counter_name, $counter_help, "counter");
                for (shard, metrics) in shards.iter().enumerate() {
                    let value = metrics.$counter.get();
                    line(&mut out, format_args!("{}{{shard=\"{shard}\"}} {value}", $counter_name));
                }
            )*
            $(
                head(&mut out, $gauge_name, $gauge_help, "gauge");
                for (shard, metrics) in shards.iter().enumerate() {
                    let value = metrics.$gauge.get();
                    line(&mut out, format_args!("{}{{shard=\"{shard}\"}} {value}", $gauge_name));
                }
            )*
            $(
                head(&mut out, $histogram_name, $histogram_help, "histogram");
                for (shard, metrics) in shards.iter().enumerate() {
                    metrics.$histogram.render($histogram_name, shard, &mut out);
                }
            )*
            out
        }
    };
}

shard_metrics! {
    counters {
        connections_accepted "sticker_desk_connections_accepted_total" "TCP connections accepted.",
        connections_refused "sticker_desk_connections_refused_total" "TCP connections closed at once, for want of descriptors.",
        handovers "sticker_desk_handovers_total" "Sockets given to the core of their desk.",
        quic_accepted "sticker_desk_quic_accepted_total" "QUIC connections begun.",
        quic_retried "sticker_desk_quic_retried_total" "First packets answered by a demand to prove the address.",
        quic_ignored "sticker_desk_quic_ignored_total" "First packets that got no answer, for there were too many.",
        quic_misrouted "sticker_desk_quic_misrouted_total" "QUIC datagrams that arrived at another shard than their connection's.",
        quic_resets "sticker_desk_quic_resets_total" "Peers that were told that their QUIC connection is gone.",
        quic_resets_held "sticker_desk_quic_resets_held_total" "Peers that were not told it, for there were too many.",
        quic_datagrams_unusable "sticker_desk_quic_datagrams_unusable_total" "QUIC datagrams that held no frame of use.",
        guests_elsewhere "sticker_desk_quic_elsewhere_total" "QUIC connections whose desk is another shard's.",
        requests "sticker_desk_http_requests_total" "HTTP requests answered.",
        requests_failed "sticker_desk_http_requests_failed_total" "HTTP requests answered with a server error.",
        connection_panics "sticker_desk_connection_panics_total" "Connections ended by a defect in their task.",
        turns "sticker_desk_turns_total" "Turns of the shard's loop.",
        units_lost "sticker_desk_cluster_units_lost_total" "Units that another machine of the cluster took, or was given.",
        states_absorbed "sticker_desk_cluster_states_absorbed_total" "Desks of other machines that were put into the store as a whole.",
        states_shown "sticker_desk_cluster_states_shown_total" "Desks that were written to the streams as a whole, so that these forget what was before.",
        records_absorbed "sticker_desk_cluster_records_absorbed_total" "Records of other machines that were put into the store.",
        appends "sticker_desk_log_records_total" "Records appended to the log.",
        appended_bytes "sticker_desk_log_bytes_total" "Bytes of records appended to the log.",
        appends_refused "sticker_desk_log_refused_total" "Times that the log took no record.",
        commits "sticker_desk_log_commits_total" "Group commits.",
        loads "sticker_desk_desk_loads_total" "Desks read from the store.",
        loads_failed "sticker_desk_desk_loads_failed_total" "Desks that could not be read: damaged, or the disk failed.",
        snapshots "sticker_desk_desk_snapshots_total" "Desks written to the store.",
        snapshot_bytes "sticker_desk_desk_snapshot_bytes_total" "Bytes of desks written to the store.",
        unstorable "sticker_desk_desks_unstorable_total" "Times that a desk was too large for the store, or damaged there.",
        unlinks_failed "sticker_desk_unlinks_failed_total" "Times that a file that nobody needs could not be removed.",
        writes "sticker_desk_socket_writes_total" "Writes to WebSockets.",
        written_bytes "sticker_desk_socket_written_bytes_total" "Bytes written to WebSockets.",
        read_bytes "sticker_desk_socket_read_bytes_total" "Bytes read from WebSockets.",
        desks_created "sticker_desk_desks_created_total" "Desks created.",
        batches "sticker_desk_batches_total" "Batches accepted.",
        operations "sticker_desk_operations_total" "Operations in accepted batches.",
        stale "sticker_desk_batches_stale_total" "Batches answered stale.",
        duplicates "sticker_desk_batches_duplicate_total" "Batches that came twice.",
        presence_received "sticker_desk_presence_received_total" "Presence frames taken in.",
        presence_sent "sticker_desk_presence_sent_total" "Presence frames queued for connections.",
        paused "sticker_desk_connections_paused_total" "Times that a connection was not read for its rate or a full queue.",
        malformed "sticker_desk_frames_malformed_total" "Frames that could not be read.",
        rejected "sticker_desk_batches_rejected_total" "Batches rejected.",
        deliveries "sticker_desk_deliveries_total" "Commits queued for connections.",
        resyncs "sticker_desk_resyncs_total" "Slow connections brought up to date from their revision.",
    }
    gauges {
        units "sticker_desk_cluster_units" "Units of the cluster that the shard serves.",
        stream_lag "sticker_desk_cluster_waiting_records" "Records that the cluster's streams have yet to acknowledge.",
        connections "sticker_desk_connections" "Open TCP connections.",
        quic_connections "sticker_desk_quic_connections" "Open QUIC connections, those that are ending included.",
        websockets "sticker_desk_websockets" "Open WebSockets.",
        polled_lines "sticker_desk_polled_lines" "Open lines over HTTP requests.",
        sessions "sticker_desk_sessions" "Sessions: connections that said hello and take part in a desk.",
        instances "sticker_desk_collaboration_instances" "Collaboration instances: desks in use, in memory.",
        queue_waiting "sticker_desk_queue_waiting" "Messages and requests that wait for another shard.",
        log_used_bytes "sticker_desk_log_used_bytes" "Bytes of log in use.",
        log_budget_bytes "sticker_desk_log_budget_bytes" "Bytes of log allowed.",
        log_written_bytes "sticker_desk_log_written_bytes" "Bytes written to the log since the start, with padding.",
        table_written_bytes "sticker_desk_table_written_bytes" "Bytes written to tables since the start.",
        stored_keys "sticker_desk_store_keys" "Keys in the store's index.",
        quarantined "sticker_desk_store_quarantined" "Damaged keys that are kept and not served.",
        log_pressure "sticker_desk_log_pressure" "0 low, 1 snapshots asked for, 2 urgent, 3 full.",
        log_lag "sticker_desk_log_uncommitted" "Records appended and not yet durable.",
        memory_bytes "sticker_desk_memory_bytes" "Bytes of desks in memory, roughly.",
        store_memory_bytes "sticker_desk_store_memory_bytes" "Bytes of memory that the store takes for desks at rest, roughly.",
        waiting_outputs "sticker_desk_outputs_waiting" "Outputs that wait for the log.",
        unwritable "sticker_desk_store_unwritable" "1 while the store takes no records.",
        poisoned "sticker_desk_store_poisoned" "1 if a write failed and the store takes none until restart.",
    }
    histograms {
        commit_time "sticker_desk_log_commit_seconds" "How long a group commit takes.",
        request_time "sticker_desk_http_request_seconds" "From a request's head to its answer, long polls apart.",
        turn_time "sticker_desk_turn_seconds" "How long a turn of the shard's loop takes.",
    }
}

/// Appends what this machine counts of its cluster as a whole.
pub(crate) fn render_cluster(queue: &QueueView, view: &View, out: &mut String) {
    let QueueCounts { stored, acknowledged, refused, given_up, begun } = queue.counts;
    let mut one = |name: &str, help: &str, kind: &str, value: u64| {
        head(out, name, help, kind);
        line(out, format_args!("{name} {value}"));
    };
    let mut count = |name: &str, help: &str, value| one(name, help, "counter", value);
    count(
        "sticker_desk_cluster_requests_stored_total",
        "Requests to other machines that the queue has taken.",
        stored,
    );
    count(
        "sticker_desk_cluster_requests_acknowledged_total",
        "Requests to other machines that were done.",
        acknowledged,
    );
    count(
        "sticker_desk_cluster_requests_refused_total",
        "Requests to other machines that were refused.",
        refused,
    );
    count(
        "sticker_desk_cluster_requests_given_up_total",
        "Requests to other machines that nobody tries any more.",
        given_up,
    );
    count(
        "sticker_desk_cluster_requests_begun_total",
        "Times that this machine began with a request of the queue.",
        begun,
    );
    count(
        "sticker_desk_cluster_units_handed_over_total",
        "Units that were given to a machine that has less to do.",
        view.lightened,
    );
    let open = queue.lines.iter().filter(|line| line.stage.is_open()).count() as u64;
    one(
        "sticker_desk_cluster_requests_open",
        "Requests without a verdict that this machine has sent or is asked by.",
        "gauge",
        open,
    );
}

fn head(out: &mut String, name: &str, help: &str, kind: &str) {
    line(out, format_args!("# HELP {name} {help}"));
    line(out, format_args!("# TYPE {name} {kind}"));
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("writing to memory does not fail");
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_has_every_shard_and_cumulative_buckets() {
        let shards: Vec<CachePadded<ShardMetrics>> = (0..2).map(|_| Default::default()).collect();
        shards[1].requests.add(3);
        shards[0].commit_time.record(Duration::from_micros(40));
        shards[0].commit_time.record(Duration::from_micros(120));
        shards[0].commit_time.record(Duration::from_secs(100));
        let text = render(&shards, &Beside::start().unwrap());
        assert!(text.contains("sticker_desk_http_requests_total{shard=\"1\"} 3\n"));
        let bucket =
            |le: &str| format!("sticker_desk_log_commit_seconds_bucket{{shard=\"0\",le=\"{le}\"}}");
        assert!(text.contains(&format!("{} 1\n", bucket("0.00005"))));
        assert!(text.contains(&format!("{} 2\n", bucket("0.0002"))));
        assert!(text.contains(&format!("{} 3\n", bucket("+Inf"))));
        assert!(text.contains("sticker_desk_log_commit_seconds_count{shard=\"0\"} 3\n"));
    }
}
