//! Load generator and benchmark report of Sticker Desk.
//!
//! One thread drives all clients ([`generator`]); each is the product's own
//! client core over the product's own WebSocket framing ([`desk_client`]), on
//! non-blocking sockets. The server runs alone on another core, and what it
//! costs is read from the kernel's books ([`process`]), not from the clock on
//! the wall. A bare relay ([`relay`]) is measured in the same run, in turns.
//!
//! It is not a test of the product, but it refuses to report figures of a run
//! whose replicas differ at the end.
#![forbid(unsafe_code)]
#![allow(clippy::missing_errors_doc, reason = "a tool whose errors are sentences for a person")]

pub mod alarm;
pub mod brief;
pub mod clock;
pub mod cluster;
pub mod compare;
pub mod desk_client;
pub mod files;
pub mod generator;
pub mod group_log;
pub mod held;
pub mod html;
pub mod idle;
pub mod in_process;
pub mod join;
pub mod latency;
pub mod ledger;
pub mod limits;
pub mod line;
pub mod machines;
pub mod participant;
pub mod peers;
pub mod phases;
pub mod process;
pub mod quic;
pub mod random;
pub mod relay;
pub mod relay_client;
pub mod report;
pub mod shape;
pub mod socket;
pub mod store;
pub mod storm;
pub mod subject;
pub mod ws;
