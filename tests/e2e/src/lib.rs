//! End-to-end tests of the real binary over real sockets.
//!
//! The tests stand in `tests/`, by theme; this is their rig. [`Server`] starts,
//! kills and restarts the binary; [`http`], [`socket`], [`quic`] and [`web`] speak to it byte
//! by byte, on code of their own, so that a mistake that server and product client
//! share is seen; [`desk`] has the requests that most tests begin with, [`programs`] edit through
//! the product's client, [`cluster`] is three of all, and a
//! [`Witness`] must not notice what a test does to its desk.
//! Nothing here waits for time: [`eventually`] waits for a condition.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a rig fails by panicking")]

pub mod cluster;
pub mod desk;
pub mod http;
pub mod islands;
pub mod ledger;
pub mod programs;
mod proxy;
pub mod quic;
mod relay;
pub mod server;
pub mod socket;
pub mod volume;
mod wait;
pub mod web;
mod witness;

pub use desk::{Joined, create, join};
pub use http::{Reply, delete, get, patch, post};
pub use ledger::Ledger;
pub use proxy::Proxy;
pub use quic::Quic;
pub use relay::Relay;
pub use server::{Server, Setup};
pub use socket::Socket;
pub use volume::Volume;
pub use wait::{PATIENCE, eventually, now, unix_seconds};
pub use web::Web;
pub use witness::Witness;
