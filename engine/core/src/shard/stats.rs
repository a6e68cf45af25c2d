//! Counters of a shard, for metrics and the load balancer.

/// Totals count from the shard's start; the rest is how things stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ShardStats {
    /// Desks with their content in memory: running collaboration instances.
    pub instances: usize,
    /// Collaboration instances ever started.
    pub instances_started: u64,
    /// Collaboration instances ever ended.
    pub instances_ended: u64,
    /// Links, besides the keys, that are known to lead to a desk.
    pub links: usize,
    /// Open connections.
    pub connections: usize,
    /// Bytes that wait for connections.
    pub waiting_bytes: usize,
    /// Connections that said hello and take part in a desk.
    pub sessions: usize,
    /// Bytes that hot desks take, roughly.
    pub memory_bytes: usize,
    /// Bytes of batches and texts that wait for desks to be loaded.
    pub loading_bytes: usize,
    /// Bytes of copies that readers take of desks that have changed since.
    pub old_copies_bytes: usize,
    /// Desks created.
    pub desks_created: u64,
    /// Batches committed.
    pub batches: u64,
    /// Operations in them.
    pub operations: u64,
    /// Batches rejected.
    pub rejected: u64,
    /// Batches answered `stale`.
    pub stale: u64,
    /// Batches that came twice.
    pub duplicates: u64,
    /// Commits sent to connections.
    pub deliveries: u64,
    /// Presence frames taken in.
    pub presence_received: u64,
    /// Presence frames sent to connections.
    pub presence_sent: u64,
    /// Connections that fell behind.
    pub resyncs: u64,
    /// Connections paused: for their rate, or for what they have not read.
    pub paused: u64,
    /// Frames that could not be read.
    pub malformed: u64,
    /// Outputs that wait for the log.
    pub waiting_outputs: usize,
    /// Desks that wait to be stored, or are being stored.
    pub unstored: usize,
}
