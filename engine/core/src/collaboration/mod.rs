//! The Collaboration Service: sessions of a desk, fan-out, presence.
//!
//! A `Room` has the people of one desk, whether its content is in memory or not: its
//! connections, the newest connection of each client, and presence. A `Connection`
//! is one line to a client: what was sent, what is queued, and its rate.

mod connection;
mod fences;
mod polls;
mod presence;
mod ring;
mod room;
mod silence;

pub(crate) use connection::{Connection, Pauses, Phase, Session, Stream};
#[cfg(test)]
pub(crate) use polls::LOOKS;
pub(crate) use polls::{Poll, Polls};
pub(crate) use ring::{ForViewers, News, Ring, RingCommit};
pub(crate) use room::Room;
pub(crate) use silence::Look;
