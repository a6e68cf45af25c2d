//! What waits for the streams of a cluster before it goes into the store.
//!
//! In a cluster the streams are the truth and the store is a copy of them. So a record
//! goes to its unit's stream first, and into the store once the stream has it. What the
//! stream does not acknowledge never reaches the store: another machine decides about it.

use std::collections::{BTreeMap, VecDeque};

use desk_protocol::Time;
use desk_storage_lsm::{Key, Position, Sequence};

use crate::io::Input;
use crate::limits::{BEHIND_UNTIL_PART, RECORD_BYTES};

/// A record on its way to its unit's stream, or from it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Streamed {
    /// The key it belongs to.
    pub key: Key,
    /// Its number among the key's records, from 1 without gaps.
    pub sequence: Sequence,
    /// From when on nobody can ask for what it says.
    pub expires_at: Time,
    /// What it says; `None`: the key is dropped for good.
    pub entry: Option<Vec<u8>>,
}

impl Streamed {
    fn bytes(&self) -> usize {
        RECORD_BYTES + self.entry.as_ref().map_or(0, Vec::len)
    }
}

/// The records of one shard between its core and its keeper.
#[derive(Debug, Default)]
pub struct Stream {
    units: BTreeMap<u16, Unit>,
    /// The newest place in the store's log.
    stored: Position,
    bytes: usize,
    behind: bool,
}

/// A unit that is served here.
#[derive(Debug, Default)]
struct Unit {
    /// In the core's order, each with the core's position.
    waiting: VecDeque<(Position, Streamed)>,
    /// How many of these the stream was given.
    given: usize,
}

impl Stream {
    /// The unit is served here from now on.
    pub fn own(&mut self, unit: u16) {
        self.units.insert(unit, Unit::default());
    }

    /// The unit is another machine's: what waits for its stream is dropped.
    pub fn lose(&mut self, unit: u16) {
        let lost = self.units.remove(&unit).unwrap_or_default();
        self.bytes -= lost.waiting.iter().map(|(_, record)| record.bytes()).sum::<usize>();
    }

    /// Takes a record that the core appends at a position of its own. One of a unit that
    /// is not served here is dropped.
    pub fn append(&mut self, unit: u16, position: Position, record: Streamed) {
        let Some(unit) = self.units.get_mut(&unit) else { return };
        self.bytes += record.bytes();
        unit.waiting.push_back((position, record));
    }

    /// What the streams are to be given: a unit, its records, and the core's position of
    /// the last one.
    pub fn poll_append(&mut self) -> Option<(u16, Vec<Streamed>, Position)> {
        let (number, unit) =
            self.units.iter_mut().find(|(_, unit)| unit.given < unit.waiting.len())?;
        let records = unit.waiting.iter().skip(unit.given).map(|(_, record)| record.clone());
        let records = records.collect();
        unit.given = unit.waiting.len();
        let (last, _) = unit.waiting.back().expect("there is one to give");
        Some((*number, records, *last))
    }

    /// The unit's stream has all up to the core's position. Gives what goes to the keeper,
    /// in this order, before the core is told.
    pub fn acknowledged<V>(&mut self, unit: u16, upto: Position) -> Vec<Input<V>> {
        let mut inputs = Vec::new();
        let Some(unit) = self.units.get_mut(&unit) else { return inputs };
        while unit.waiting.front().is_some_and(|(at, _)| *at <= upto) {
            let (_, record) = unit.waiting.pop_front().expect("there is a front");
            assert!(unit.given > 0, "only what the stream was given is acknowledged");
            unit.given -= 1;
            self.bytes -= record.bytes();
            inputs.push(input(&mut self.stored, record));
        }
        inputs
    }

    /// A record that another machine made: what goes to the keeper for it.
    pub fn absorb<V>(&mut self, record: Streamed) -> Input<V> {
        input(&mut self.stored, record)
    }

    /// The place in the store's log of the newest record that the keeper was given.
    #[must_use]
    pub const fn stored(&self) -> Position {
        self.stored
    }

    /// Records that wait for the streams.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.units.values().map(|unit| unit.waiting.len()).sum()
    }

    /// Whether more than so many bytes wait, which holds until a part of them has gone.
    pub fn is_behind(&mut self, most: usize) -> bool {
        self.behind = self.bytes > if self.behind { most / BEHIND_UNTIL_PART } else { most };
        self.behind
    }
}

/// Numbers a record as the store's log does, whose order is not the core's.
fn input<V>(stored: &mut Position, record: Streamed) -> Input<V> {
    stored.0 += 1;
    let Streamed { key, sequence, expires_at, entry } = record;
    match entry {
        Some(entry) => Input::Append { position: *stored, key, sequence, expires_at, entry },
        None => Input::Forget { position: *stored, key, expires_at },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(key: u8, sequence: u64) -> Streamed {
        let (key, sequence) = (Key::new([key; 16]), Sequence(sequence));
        Streamed { key, sequence, expires_at: Time(9), entry: Some(vec![key.bytes()[0]; 10]) }
    }

    /// Keys and places of what goes to the keeper.
    fn kept(inputs: Vec<Input<Vec<u8>>>) -> Vec<(u8, u64)> {
        let place = |input| match input {
            Input::Append { position, key, .. } | Input::Forget { position, key, .. } => {
                (key.bytes()[0], position.0)
            }
            other => panic!("{other:?}"),
        };
        inputs.into_iter().map(place).collect()
    }

    #[test]
    fn the_store_gets_what_a_stream_has_in_the_streams_order() {
        let mut stream = Stream::default();
        stream.own(1);
        stream.own(2);
        for (position, unit) in [(1, 1), (2, 2), (3, 1), (4, 2)] {
            stream.append(unit, Position(position), record(unit as u8, position));
        }
        let (unit, records, last) = stream.poll_append().unwrap();
        assert_eq!((unit, records.len(), last), (1, 2, Position(3)));
        stream.append(1, Position(5), record(1, 5));
        assert_eq!(stream.poll_append().unwrap().1, [record(1, 5)]);
        assert_eq!(stream.poll_append().unwrap().0, 2);
        assert_eq!(stream.poll_append(), None);
        // The second unit's stream is the faster one: places follow that.
        assert_eq!(kept(stream.acknowledged(2, Position(4))), [(2, 1), (2, 2)]);
        assert_eq!(kept(stream.acknowledged(1, Position(3))), [(1, 3), (1, 4)]);
        assert_eq!(kept(vec![stream.absorb(record(7, 1))]), [(7, 5)]);
        assert_eq!(kept(stream.acknowledged(1, Position(5))), [(1, 6)]);
        assert_eq!((stream.bytes, stream.waiting()), (0, 0));
    }

    #[test]
    fn what_a_lost_unit_had_under_way_never_reaches_the_store() {
        let mut stream = Stream::default();
        stream.append(1, Position(1), record(1, 1));
        assert_eq!(stream.poll_append(), None, "it is not served here");
        stream.own(1);
        stream.append(1, Position(2), record(1, 1));
        stream.poll_append().unwrap();
        stream.lose(1);
        stream.own(1);
        assert!(kept(stream.acknowledged(1, Position(2))).is_empty());
        assert_eq!((stream.stored(), stream.bytes), (Position(0), 0));
    }

    #[test]
    fn a_stream_is_behind_until_half_of_what_may_wait_has_gone() {
        let mut stream = Stream::default();
        stream.own(1);
        let most = 4 * record(1, 1).bytes();
        for position in 1..=5 {
            assert!(!stream.is_behind(most));
            stream.append(1, Position(position), record(1, position));
        }
        assert!(stream.is_behind(most));
        stream.poll_append().unwrap();
        stream.acknowledged::<Vec<u8>>(1, Position(2));
        assert!(stream.is_behind(most));
        stream.acknowledged::<Vec<u8>>(1, Position(3));
        assert!(!stream.is_behind(most));
    }
}
