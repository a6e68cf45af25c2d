//! What a store counts.

/// Counts since the store opened, and sizes now.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StoreCounters {
    /// Records appended.
    pub records: u64,
    /// Bytes of their payloads.
    pub payload_bytes: u64,
    /// Batches written.
    pub batches: u64,
    /// Bytes written to the log, with padding and headers.
    pub log_bytes: u64,
    /// Bytes written to tables, with headers, footers and padding.
    pub table_bytes: u64,
    /// Bytes of values among them that compaction moved.
    pub compacted_bytes: u64,
    /// Bytes of footers among them.
    pub footer_bytes: u64,
    /// Syncs of tables.
    pub syncs: u64,
    /// Segments made.
    pub segments_made: u64,
    /// Tables made.
    pub tables_made: u64,
    /// Keys in the index now.
    pub keys: u64,
    /// Bytes of memory that the index takes, now.
    pub index_bytes: u64,
    /// Bytes of memory for the directories of tables that are written, now.
    pub directory_bytes: u64,
    /// Bytes of memory that grow with the number of keys and of records in the logs, now:
    /// the two before, and what the store knows of the logs.
    pub memory_bytes: u64,
    /// Keys whose log records no durable snapshot covers, now.
    pub held_keys: u64,
    /// Bytes of values that wait to be written, now.
    pub backlog_bytes: u64,
    /// Keys in quarantine, now.
    pub quarantined: u64,
}
