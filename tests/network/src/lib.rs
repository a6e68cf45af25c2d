//! A bad line: two network namespaces, joined by a router in this process that delays,
//! drops, reorders, doubles and cuts IP packets.
//!
//! UDP and TCP get the same, since the router sees packets alone. [`Fates`] decides what
//! becomes of each packet, from a seed and without I/O; [`Network`] is the shell around it.
//! It is **not** a simulator: real kernels, sockets and clocks run on both sides, so a seed
//! repeats the fates of packets and not the run.
//!
//! ```
//! use std::time::Duration;
//! use desk_network::{Fates, Quality, Way};
//!
//! let bad = Quality { delay: Duration::from_millis(10), loss: 0.5, ..Quality::default() };
//! let fates = |seed| -> Vec<_> {
//!     let mut fates = Fates::new(seed, bad);
//!     (0..20).map(|_| fates.next(Duration::ZERO, Way::There)).collect()
//! };
//! assert_eq!(fates(1), fates(1));
//! assert_ne!(fates(1), fates(2));
//! ```
#![deny(unsafe_code)]

mod fates;
mod network;
mod place;
mod router;
mod tun;

pub use fates::{Fate, Fates, Quality, Way};
pub use network::{FAR, NEAR, NEAR_NEXT, Network};
pub use place::Place;
