//! What the owner of a desk remembers between two batches, in memory alone.

use std::collections::{BTreeMap, BTreeSet};

use desk_protocol::limits::{HELD_STEPS_FACTOR, OrderLimits};
use desk_protocol::resolver::TextHistories;
use desk_protocol::{ClientId, Time};

use crate::limits::{STALE_IN_A_ROW_MAX, ShardLimits};

/// Text histories, and the clients that run behind them.
///
/// A client that is told `stale` catches up and sends again. Under contention others
/// may have filled the history again by then, time after time. So after two such
/// answers in a row the desk keeps more history for a while (ORDER-10). One longer
/// history serves all clients that are waited for.
#[derive(Debug)]
pub struct Memory {
    pub(super) histories: TextHistories,
    told: BTreeMap<ClientId, Told>,
    /// The same by their end.
    ends: BTreeSet<(Time, ClientId)>,
}

/// A client that was told `stale` and has not got through since.
#[derive(Clone, Copy, Debug)]
struct Told {
    in_a_row: u32,
    /// When it is not waited for any more.
    until: Time,
}

impl Memory {
    /// Of a desk that was just loaded or made.
    pub fn new(limits: &OrderLimits) -> Self {
        Self {
            histories: TextHistories::new(limits.history),
            told: BTreeMap::new(),
            ends: BTreeSet::new(),
        }
    }

    /// Bytes of the text histories.
    pub(crate) fn bytes(&self) -> usize {
        self.histories.bytes()
    }

    /// The limits for a batch of a client, now. Forgets clients that were waited for
    /// too long.
    pub(super) fn limits_for(
        &mut self,
        client: ClientId,
        limits: &OrderLimits,
        now: Time,
    ) -> OrderLimits {
        while let Some((until, gone)) = self.ends.first().copied().filter(|end| end.0 <= now) {
            self.ends.remove(&(until, gone));
            self.told.remove(&gone);
        }
        self.release_if_unwanted();
        let mut limits = *limits;
        if self.told.get(&client).is_some_and(Told::is_waited_for) {
            limits.transform_steps = limits.transform_steps.saturating_mul(HELD_STEPS_FACTOR);
        }
        limits
    }

    /// A client is told `stale`.
    pub(super) fn told_stale(&mut self, client: ClientId, limits: &ShardLimits, now: Time) {
        let before = self.told.get(&client).copied();
        if let Some(before) = before {
            self.ends.remove(&(before.until, client));
        }
        let in_a_row = before.map_or(0, |told| told.in_a_row) + 1;
        let told = Told { in_a_row, until: now + limits.hold_time };
        self.told.insert(client, told);
        self.ends.insert((told.until, client));
        if told.is_waited_for() {
            self.histories.hold(limits.order.held);
        }
    }

    /// A client's batch got an answer of its own.
    pub(super) fn got_through(&mut self, client: ClientId) {
        if let Some(told) = self.told.remove(&client) {
            self.ends.remove(&(told.until, client));
            self.release_if_unwanted();
        }
    }

    fn release_if_unwanted(&mut self) {
        if self.histories.is_held() && !self.told.values().any(Told::is_waited_for) {
            self.histories.release();
        }
    }
}

impl Told {
    const fn is_waited_for(&self) -> bool {
        self.in_a_row >= STALE_IN_A_ROW_MAX
    }
}
