//! The Collaboration Service: sessions of a desk, fan-out, presence.
//!
//! A `Room` is the people of one desk, whether its content is in memory or
//! not: connections, who of a client's connections is the newest, who is where.
//! A `Connection` is one line to a client: what it was sent, what is queued
//! for it, how fast it may talk.

mod connection;
mod presence;
mod ring;
mod room;

pub(crate) use connection::{Connection, Pauses, Phase, Session, Stream};
pub(crate) use ring::{Ring, RingCommit};
pub(crate) use room::{Poll, Room};
