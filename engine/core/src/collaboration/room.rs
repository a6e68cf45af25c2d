//! The people of one desk.

use std::collections::BTreeSet;

use desk_protocol::{ClientId, Time};

use super::fences::{Fences, StaleHello};
use super::polls::DeskPolls;
use super::presence::PresenceRoom;
use crate::names::ConnectionId;

/// Connections, fences, presence and polls of a desk. A room stays while the desk's
/// content is out of memory, because connections stay open then.
#[derive(Debug, Default)]
pub(crate) struct Room {
    pub(crate) connections: BTreeSet<ConnectionId>,
    /// For each client its newest connection.
    pub(crate) fences: Fences,
    pub(crate) presence: PresenceRoom,
    /// Whether a timer is armed that looks for silent connections.
    pub(crate) watched: bool,
    pub(crate) polls: DeskPolls,
    /// When anyone last changed the desk or joined it.
    pub(crate) active_at: Time,
}

impl Room {
    /// Whether nobody is here.
    pub(crate) fn is_empty(&self) -> bool {
        self.connections.is_empty() && self.polls.is_empty()
    }

    /// Whether one more connection of a client finds a place among `connections_max`. A
    /// client whose line broke takes over the place of its older connection, which may not
    /// be known to be dead yet.
    pub(crate) fn has_place(&self, client: ClientId, connections_max: usize) -> bool {
        self.fences.newest(client).is_some() || self.connections.len() < connections_max
    }

    /// Takes a connection in as its client's newest. Gives back the one that it
    /// supersedes.
    ///
    /// # Errors
    /// The number is not above the newest one.
    pub(crate) fn enter(
        &mut self,
        client: ClientId,
        number: u64,
        connection: ConnectionId,
    ) -> Result<Option<ConnectionId>, StaleHello> {
        let superseded = self.fences.enter(client, number, connection)?;
        self.connections.insert(connection);
        Ok(superseded)
    }

    /// Whether a connection is its client's newest.
    pub(crate) fn is_newest(&self, client: ClientId, connection: ConnectionId) -> bool {
        self.fences.newest(client) == Some(connection)
    }

    /// Removes a connection. Returns whether its client has no connection any more.
    pub(crate) fn leave(&mut self, now: Time, client: ClientId, connection: ConnectionId) -> bool {
        self.connections.remove(&connection);
        self.fences.leave(now, client, connection)
    }
}
