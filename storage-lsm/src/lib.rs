//! The Desk DB: a time-bucketed log-structured store that drops whole buckets.
#![forbid(unsafe_code)]
