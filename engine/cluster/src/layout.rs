//! Which streams are a unit's lanes, and which servers should lead them.
//!
//! Stream `s` is led by server `s mod n`. The lanes of unit `u` are the streams `u` and
//! `u + 1`, modulo the number of streams. So an owner who is near server `u + 2` loses,
//! with its machine, no leader of its lanes, and the next owner waits for no election.

use crate::limits::LANE_PART;
use crate::unit_id::UnitId;

/// Streams and servers of a cluster.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Layout {
    /// How many streams there are; at least one.
    pub streams: usize,
    /// How many of them are a unit's lanes; at least one.
    pub lanes: usize,
    /// The names of the servers, in order.
    pub servers: Vec<String>,
    /// What each stream may hold, in bytes.
    pub stream_bytes: u64,
}

/// The lanes of a unit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lanes {
    /// How many there are; at least one.
    pub count: usize,
    /// What the unit may take in each of them, in bytes.
    pub room: u64,
}

/// A stream as the servers tell of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Led {
    /// The stream.
    pub stream: usize,
    /// Its leader, if it has one.
    pub leader: Option<String>,
    /// The servers that follow and are up to date.
    pub current: Vec<String>,
}

impl Layout {
    /// The stream of a unit's lane.
    #[must_use]
    pub fn stream(&self, unit: UnitId, lane: usize) -> usize {
        (usize::from(unit.number()) + lane) % self.streams
    }

    /// The lanes of a unit. The units of a stream divide it evenly, so that it never is
    /// full.
    #[must_use]
    pub fn lanes(&self) -> Lanes {
        let mut units = vec![0u64; self.streams];
        for unit in UnitId::all() {
            (0..self.lanes).for_each(|lane| units[self.stream(unit, lane)] += 1);
        }
        let most = units.into_iter().max().unwrap_or(1).max(1);
        let (part, of) = LANE_PART;
        Lanes { count: self.lanes, room: self.stream_bytes / of * part / most }
    }

    /// The server that should lead a stream.
    #[must_use]
    pub fn leader(&self, stream: usize) -> Option<&str> {
        let count = self.servers.len();
        (count > 0).then(|| self.servers[stream % count].as_str())
    }

    /// Whether a server should lead none of a unit's lanes.
    #[must_use]
    pub fn is_apart(&self, unit: UnitId, server: &str) -> bool {
        (0..self.lanes).all(|lane| self.leader(self.stream(unit, lane)) != Some(server))
    }

    /// The streams that another server should lead, and could: a server that is not up
    /// to date would lead nobody.
    #[must_use]
    pub fn misplaced(&self, found: &[Led]) -> Vec<(usize, String)> {
        let moved = found.iter().filter_map(|led| {
            let wanted = self.leader(led.stream)?;
            let is_led = led.leader.as_deref().is_some_and(|leader| leader != wanted);
            let can = led.current.iter().any(|server| server == wanted);
            (is_led && can).then(|| (led.stream, wanted.to_owned()))
        });
        moved.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout() -> Layout {
        let servers = ["a", "b", "c"].map(str::to_owned).to_vec();
        Layout { streams: 12, lanes: 2, servers, stream_bytes: 12 << 20 }
    }

    #[test]
    fn each_unit_has_one_server_apart() {
        let layout = layout();
        for unit in UnitId::all() {
            let apart = layout.servers.iter().filter(|server| layout.is_apart(unit, server));
            assert_eq!(
                apart.collect::<Vec<_>>(),
                [&layout.servers[(usize::from(unit.number()) + 2) % 3]]
            );
        }
    }

    #[test]
    fn only_who_is_up_to_date_is_put_back() {
        let led = |stream, leader: Option<&str>, current: &[&str]| Led {
            stream,
            leader: leader.map(str::to_owned),
            current: current.iter().map(|server| (*server).to_owned()).collect(),
        };
        let found = [
            led(0, Some("a"), &["b", "c"]),
            led(1, Some("a"), &["b", "c"]),
            led(2, Some("a"), &["b"]),
            led(3, None, &["a"]),
        ];
        assert_eq!(layout().misplaced(&found), [(1, "b".to_owned())]);
    }
}
