//! For each client of a desk its newest connection (FLIGHT-9).

use std::collections::{BTreeMap, VecDeque};

use desk_protocol::{ClientId, Time};

use crate::limits::{FENCE_TIME, FENCES_MAX};
use crate::names::ConnectionId;

/// The newest connection number of each client that is here, or was lately.
#[derive(Debug, Default)]
pub(crate) struct Fences {
    newest: BTreeMap<ClientId, (u64, Option<ConnectionId>)>,
    /// Who left, when, with which number; the first goes first.
    gone: VecDeque<(Time, ClientId, u64)>,
}

/// A hello older than the client's newest connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct StaleHello;

impl Fences {
    /// Takes a connection as its client's newest. Gives back the one that it
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
        Ok(known.and_then(|(_, superseded)| superseded))
    }

    /// The newest connection of a client that is here.
    pub(crate) fn newest(&self, client: ClientId) -> Option<ConnectionId> {
        self.newest.get(&client).and_then(|(_, newest)| *newest)
    }

    /// Lets a connection go. Says whether its client is gone with it.
    pub(crate) fn leave(&mut self, now: Time, client: ClientId, connection: ConnectionId) -> bool {
        match self.newest.get_mut(&client) {
            Some((number, newest)) if *newest == Some(connection) => {
                *newest = None;
                self.gone.push_back((now, client, *number));
                self.forget(now);
                true
            }
            _ => false,
        }
    }

    /// Lets all connections go.
    pub(crate) fn leave_all(&mut self, now: Time) {
        for (client, (number, newest)) in &mut self.newest {
            if newest.take().is_some() {
                self.gone.push_back((now, *client, *number));
            }
        }
        self.forget(now);
    }

    /// Forgets who has been gone for long. What an old connection still sends is by
    /// then no danger: numbers of batches keep each from counting twice (FLIGHT-16).
    fn forget(&mut self, now: Time) {
        while let Some((at, client, number)) = self.gone.front().copied() {
            if now < at + FENCE_TIME && self.gone.len() <= FENCES_MAX {
                return;
            }
            self.gone.pop_front();
            if self.newest.get(&client) == Some(&(number, None)) {
                self.newest.remove(&client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flight_9_who_left_is_remembered_for_a_while_and_not_for_ever() {
        let mut fences = Fences::default();
        let (old, new) = (ClientId(1), ClientId(2));
        let line = ConnectionId(7);
        assert_eq!(fences.enter(old, 5, line), Ok(None));
        assert!(fences.leave(Time(0), old, line));
        assert_eq!(fences.enter(old, 5, line), Err(StaleHello));
        assert_eq!(fences.enter(new, 1, line), Ok(None));
        fences.leave(Time(0) + FENCE_TIME, new, line);
        assert_eq!(fences.enter(old, 5, line), Ok(None));
        for client in 100..100 + 2 * FENCES_MAX as u128 {
            fences.enter(ClientId(client), 1, line).expect("a new client");
            fences.leave(Time(0) + FENCE_TIME, ClientId(client), line);
        }
        assert!(fences.newest.len() <= FENCES_MAX + 1, "{} fences", fences.newest.len());
        assert_eq!(fences.newest(old), Some(line), "who is here is not forgotten");
    }
}
