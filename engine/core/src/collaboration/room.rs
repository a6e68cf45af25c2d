//! The people of one desk.

use std::collections::{BTreeMap, BTreeSet};

use desk_protocol::frame::Role;
use desk_protocol::{ClientId, Revision, Time};

use super::presence::PresenceRoom;
use crate::identity::SessionKey;
use crate::names::{ConnectionId, RequestId};

/// A request that waits for the next commit.
#[derive(Debug)]
pub(crate) struct Poll {
    pub(crate) key: SessionKey,
    pub(crate) role: Role,
    pub(crate) since: Revision,
}

/// Connections, fences, presence and polls of a desk. It outlives the desk's
/// content in memory: parked connections stay in it.
#[derive(Debug, Default)]
pub(crate) struct Room {
    pub(crate) connections: BTreeSet<ConnectionId>,
    /// For each client its newest connection, and that one's number
    /// (FLIGHT-9). Kept while the desk is known to the shard.
    pub(crate) newest: BTreeMap<ClientId, (u64, Option<ConnectionId>)>,
    pub(crate) presence: PresenceRoom,
    pub(crate) polls: BTreeMap<RequestId, Poll>,
    /// When anyone last changed the desk or joined it.
    pub(crate) active_at: Time,
}

impl Room {
    /// Whether nobody is here.
    pub(crate) fn is_empty(&self) -> bool {
        self.connections.is_empty() && self.polls.is_empty()
    }

    /// Whether one more connection of a client finds a place, where so many may be
    /// here. A client whose line broke takes over the place of its older
    /// connection, which may long not be known to be dead.
    pub(crate) fn has_place(&self, client: ClientId, connections_max: usize) -> bool {
        let takes_over = self.newest.get(&client).is_some_and(|(_, newest)| newest.is_some());
        takes_over || self.connections.len() < connections_max
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
        let known = self.newest.get(&client).copied();
        if known.is_some_and(|(newest, _)| number <= newest) {
            return Err(StaleHello);
        }
        self.newest.insert(client, (number, Some(connection)));
        self.connections.insert(connection);
        Ok(known.and_then(|(_, superseded)| superseded))
    }

    /// Whether a connection is its client's newest.
    pub(crate) fn is_newest(&self, client: ClientId, connection: ConnectionId) -> bool {
        self.newest.get(&client).is_some_and(|(_, newest)| *newest == Some(connection))
    }

    /// Lets a connection go. Says whether its client is gone with it.
    pub(crate) fn leave(&mut self, client: ClientId, connection: ConnectionId) -> bool {
        self.connections.remove(&connection);
        match self.newest.get_mut(&client) {
            Some((_, newest)) if *newest == Some(connection) => {
                *newest = None;
                true
            }
            _ => false,
        }
    }
}

/// A hello older than the client's newest connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct StaleHello;
