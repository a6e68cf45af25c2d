//! The lanes of a unit merged into one order.
//!
//! Batches are ordered by the epoch and the number within it. An owner publishes a
//! batch again to another lane when the first lane does not answer, so a batch may stand
//! in several lanes, and a copy may have come late, behind batches after it. Each counts
//! once. A batch that stands behind a newer fence counts nowhere: the stream refuses
//! such, and whoever owns the newer fence never saw it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use desk_protocol::Time;
use xxhash_rust::xxh3::xxh3_64;

use crate::ledger::{Entry, Ledger};
use crate::record::{Key, Record, What};
use crate::state::{Assembly, State};
use crate::unit_id::{Epoch, Mark};
use crate::wire::{Batch, DecodeError, Fence};

/// A message as it stands in a lane.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// Its sequence in the stream.
    pub sequence: u64,
    /// Whether its subject is that of fences.
    pub is_fence: bool,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// What is wrong with what the lanes hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Trouble {
    /// A key's records contradict one another or have a gap.
    Key(Key, String),
    /// Something else, which a person should know.
    Notice(String),
}

/// What a batch gives: states or records, as is read.
#[derive(Debug, Default)]
pub(crate) struct Given {
    pub(crate) states: Vec<State>,
    pub(crate) records: Vec<Record>,
    pub(crate) troubles: Vec<Trouble>,
}

/// What stands in a lane behind a message that cannot be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("message {sequence} of the lane cannot be read: {error}")]
pub(crate) struct Unreadable {
    /// The message.
    pub(crate) sequence: u64,
    /// Why.
    #[source]
    pub(crate) error: DecodeError,
}

/// Merges lanes while they are read.
#[derive(Debug)]
pub(crate) struct Merge {
    /// Nothing up to here is wanted.
    from: Mark,
    last: Option<Mark>,
    /// The bytes of each batch that was given out, as a hash.
    given: BTreeMap<Mark, u64>,
    /// Whether states are read, and not the records after them.
    reads_states: bool,
    /// By key: the newest sequence that was given out, and whether it ended the key.
    keys: BTreeMap<Key, (u64, bool)>,
    /// By key: the sequence of the newest state, and the batch of its first piece.
    states: BTreeMap<Key, (u64, Mark)>,
    assembly: Assembly,
    /// The batch of the first piece of the state that is put together.
    piece_at: Mark,
    lanes: Vec<LaneRead>,
    /// Where all batches stand that were read, and which of them it knows: a replica that
    /// is read again may skip what another has shown.
    ledger: Ledger,
    noted: BTreeSet<(usize, u64)>,
    /// The highest floor that was heard of.
    floor: Mark,
    looks_for_floor: bool,
}

/// What was read of one lane.
#[derive(Debug)]
struct LaneRead {
    /// The sequence of the own fence.
    own: u64,
    /// Where reading begins.
    first: u64,
    /// What to read next.
    next: u64,
    newest_fence: Epoch,
    batches: VecDeque<(Mark, u64, Batch)>,
    is_read: bool,
}

impl Merge {
    /// Begins behind the ledger's floor, reading each lane from a sequence up to the own
    /// fence.
    pub(crate) fn new(ledger: Ledger, lanes: impl IntoIterator<Item = (u64, u64)>) -> Self {
        let lanes = lanes.into_iter().map(|(first, own)| LaneRead {
            own,
            first,
            next: first,
            newest_fence: Epoch(0),
            batches: VecDeque::new(),
            is_read: false,
        });
        let (from, lanes) = (ledger.floor(), lanes.collect());
        let (given, keys) = (BTreeMap::new(), BTreeMap::new());
        Self {
            from,
            last: None,
            given,
            reads_states: true,
            keys,
            states: BTreeMap::new(),
            assembly: Assembly::default(),
            piece_at: Mark::default(),
            lanes,
            ledger,
            noted: BTreeSet::new(),
            floor: from,
            looks_for_floor: false,
        }
    }

    /// From which sequence a lane has to be read before more can be given out.
    pub(crate) fn wants(&self, lane: usize) -> Option<u64> {
        let lane = &self.lanes[lane];
        (!lane.is_read && lane.batches.is_empty()).then_some(lane.next)
    }

    /// Whether everything was read and given out.
    pub(crate) fn is_done(&self) -> bool {
        self.lanes.iter().all(|lane| lane.is_read && lane.batches.is_empty())
    }

    /// Takes messages of a lane in order; says what is wrong with them.
    ///
    /// # Errors
    /// A message is none of ours, or of a newer version. Nothing is to be served.
    pub(crate) fn read(
        &mut self,
        lane: usize,
        messages: Vec<Message>,
    ) -> Result<Vec<Trouble>, Unreadable> {
        let (at, ledger) = (lane, &mut self.ledger);
        let lane = &mut self.lanes[lane];
        let mut troubles = Vec::new();
        for message in messages {
            let sequence = message.sequence;
            let unreadable = |error| Unreadable { sequence, error };
            if sequence < lane.next || lane.is_read {
                continue;
            }
            if sequence > lane.own {
                // The replica skips what it surely had: ask again for it.
                break;
            }
            lane.next = sequence + 1;
            if message.is_fence {
                let fence = Fence::decode(&message.bytes).map_err(unreadable)?;
                lane.newest_fence = lane.newest_fence.max(fence.epoch);
                lane.is_read = sequence == lane.own;
                continue;
            }
            let batch = Batch::decode(&message.bytes).map_err(unreadable)?;
            let mark = Mark { epoch: batch.epoch, number: batch.number };
            let entry = Entry::of(&batch, message.bytes.len(), |_| false);
            if mark.epoch < lane.newest_fence {
                troubles.push(Trouble::Notice(format!(
                    "batch {mark} stands behind the fence of epoch {} and does not count",
                    lane.newest_fence
                )));
                continue;
            }
            self.floor = self.floor.max(batch.floor);
            if self.noted.insert((at, sequence)) {
                ledger.takes_room(&entry, at);
                ledger.stands(&entry, at, sequence);
            }
            if mark > self.from && !self.looks_for_floor {
                lane.batches.push_back((mark, xxh3_64(&message.bytes), batch));
            }
        }
        if self.looks_for_floor && self.lanes.iter().all(|lane| lane.is_read) {
            self.looks_for_floor = false;
            self.rewind();
        }
        Ok(troubles)
    }

    /// The next states or records in order; `None` if a lane has to be read before, or all is
    /// given out.
    pub(crate) fn next(&mut self, now: Time) -> Option<Given> {
        let (_, lane) = self.head()?;
        let (mark, hash, batch) = self.lanes[lane].batches.pop_front()?;
        Some(self.give(now, mark, hash, batch))
    }

    /// Reads every lane once more: after the states, the records.
    pub(crate) fn begin_records(&mut self) {
        self.reads_states = false;
        if self.given.is_empty() {
            return;
        }
        self.given.clear();
        (self.from, self.last) = (self.floor, None);
        self.rewind();
    }

    pub(crate) const fn reads_states(&self) -> bool {
        self.reads_states
    }

    /// Whether the next batch does not follow on the last: a replica may have skipped
    /// what its stream has.
    pub(crate) fn has_gap(&self) -> Option<(Mark, Mark)> {
        let (mark, lane) = self.head()?;
        let (_, _, batch) = self.lanes[lane].batches.front()?;
        let last = self.end();
        (mark > last && !self.follows(batch)).then_some((last, mark))
    }

    /// Something is missing: reads every lane anew, behind what was given out. First every
    /// lane is looked through for the highest floor. The newest batch of a lane does not
    /// always name it, because that may be a late copy of an old batch.
    pub(crate) fn again(&mut self, floor: Mark) {
        self.floor = self.floor.max(floor);
        self.looks_for_floor = true;
        self.rewind();
    }

    fn rewind(&mut self) {
        self.from = self.end();
        if self.floor > self.from {
            // What the lanes had in between has expired, or is said again above.
            (self.from, self.last) = (self.floor, None);
            self.assembly = Assembly::default();
            self.keys.clear();
        }
        self.ledger.lift(self.floor);
        for lane in &mut self.lanes {
            lane.next = lane.first;
            lane.newest_fence = Epoch(0);
            lane.batches.clear();
            lane.is_read = false;
        }
    }

    /// The next batch and its lane, once every lane has one or is read.
    fn head(&self) -> Option<(Mark, usize)> {
        if self.looks_for_floor
            || self.lanes.iter().any(|lane| !lane.is_read && lane.batches.is_empty())
        {
            return None;
        }
        let heads = self.lanes.iter().enumerate();
        let heads = heads.filter_map(|(at, lane)| lane.batches.front().map(|head| (head.0, at)));
        heads.min()
    }

    fn give(&mut self, now: Time, mark: Mark, hash: u64, batch: Batch) -> Given {
        let mut given = Given::default();
        match self.given.get(&mark) {
            Some(known) if *known == hash => return given,
            Some(_) => {
                let why = "two batches with other records have one number";
                let keys = batch.records.iter().map(|r| Trouble::Key(r.key, why.to_owned()));
                given.troubles = keys.collect();
                return given;
            }
            None => {}
        }
        if !self.follows(&batch) {
            let why = format!("batch {mark} follows on {}, not on {}", batch.after, self.end());
            given.troubles.push(Trouble::Notice(why));
        }
        self.given.insert(mark, hash);
        self.last = self.last.max(Some(mark));
        for record in batch.records {
            match (&record.what, self.reads_states) {
                (What::Piece { at, .. }, true) => {
                    if *at == 0 {
                        self.piece_at = mark;
                    }
                    given.states.extend(self.assemble(record));
                }
                (What::Entry(_) | What::Forget, false) => match self.check(mark, &record) {
                    Ok(true) => given.records.push(record),
                    Ok(false) => {}
                    // What was before it may be purged.
                    Err(_) if record.expires_at <= now => {}
                    Err(why) => given.troubles.push(Trouble::Key(record.key, why)),
                },
                (What::Piece { .. }, false) | (What::Entry(_) | What::Forget, true) => {}
            }
        }
        given
    }

    /// Takes a piece of a state; gives the state that it completes.
    fn assemble(&mut self, piece: Record) -> Option<State> {
        let state = self.assembly.take(piece)?;
        // Nothing comes after the end of a key.
        let sequence = if state.bytes.is_some() { state.sequence } else { u64::MAX };
        self.states.insert(state.key, (sequence, self.piece_at));
        Some(state)
    }

    /// Where all batches stand.
    pub(crate) fn into_ledger(self) -> Ledger {
        self.ledger
    }

    /// The last batch that was given out, or behind which reading began.
    pub(crate) fn end(&self) -> Mark {
        self.last.unwrap_or(self.from)
    }

    /// Whether no batch is missing before this one.
    fn follows(&self, batch: &Batch) -> bool {
        batch.after == self.end()
    }

    /// Whether a record says something new.
    fn check(&mut self, mark: Mark, record: &Record) -> Result<bool, String> {
        let state = self.states.get(&record.key).copied();
        if let Some((state, at)) = state {
            if record.sequence <= state {
                return Ok(false);
            }
            if mark < at {
                self.ledger.begins(mark, record.key, record.expires_at);
            }
        }
        let state = state.map(|(state, _)| state);
        let known = self.keys.get(&record.key).copied().or_else(|| Some((state?, false)));
        let ends = record.what == What::Forget;
        match known {
            Some((_, true)) => return Err("a record stands behind the key's end".to_owned()),
            Some((last, _)) if record.sequence - 1 != last => {
                return Err(format!("record {} follows on record {last}", record.sequence));
            }
            _ => {}
        }
        self.keys.insert(record.key, (record.sequence, ends));
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unit_id::UnitId;

    const NOW: Time = Time(0);

    fn unit() -> UnitId {
        UnitId::new(3).unwrap()
    }

    fn record(sequence: u64, text: &str) -> Record {
        let what = What::Entry(text.as_bytes().to_vec());
        Record { key: Key([1; 16]), sequence, expires_at: Time(9), what }
    }

    fn batch(sequence: u64, epoch: u64, number: u64, records: &[Record]) -> Message {
        let after = match number {
            1 => Mark::default(),
            _ => Mark { epoch: Epoch(epoch), number: number - 1 },
        };
        let records = records.to_vec();
        let (unit, epoch, floor) = (unit(), Epoch(epoch), Mark::default());
        let batch = Batch { unit, epoch, number, after, floor, records };
        Message { sequence, is_fence: false, bytes: batch.encode() }
    }

    fn fence(sequence: u64, epoch: u64) -> Message {
        let fence = Fence {
            unit: unit(),
            epoch: Epoch(epoch),
            attempt: epoch,
            node: "a".to_owned(),
            address: "https://a".to_owned(),
        };
        Message { sequence, is_fence: true, bytes: fence.encode() }
    }

    /// All that comes out of lanes that are read whole.
    fn merged(lanes: Vec<Vec<Message>>) -> (Vec<u64>, Vec<Trouble>) {
        let ends = lanes.iter().map(|lane| (1, lane.last().expect("a fence").sequence));
        let mut merge = Merge::new(Ledger::new(lanes.len(), 0), ends.collect::<Vec<_>>());
        merge.begin_records();
        let mut troubles = Vec::new();
        for (at, lane) in lanes.into_iter().enumerate() {
            troubles.extend(merge.read(at, lane).unwrap());
        }
        let mut sequences = Vec::new();
        while let Some(given) = merge.next(NOW) {
            sequences.extend(given.records.iter().map(|record| record.sequence));
            troubles.extend(given.troubles);
        }
        assert!(merge.is_done());
        (sequences, troubles)
    }

    #[test]
    fn a_batch_in_both_lanes_counts_once() {
        let one = [record(1, "one")];
        let two = [record(2, "two")];
        let a = vec![fence(1, 1), batch(2, 1, 1, &one), fence(3, 2)];
        let b = vec![fence(1, 1), batch(2, 1, 1, &one), batch(3, 1, 2, &two), fence(4, 2)];
        assert_eq!(merged(vec![a, b]), (vec![1, 2], vec![]));
    }

    #[test]
    fn a_copy_that_came_late_counts_nothing() {
        let records: Vec<Record> = (1..=4).map(|n| record(n, "text")).collect();
        let each = |n: usize| &records[n - 1..n];
        // The owner turned from the first lane to the second, and back.
        let a = vec![
            fence(1, 1),
            batch(2, 1, 1, each(1)),
            batch(3, 1, 4, each(4)),
            batch(4, 1, 2, each(2)),
            fence(5, 2),
        ];
        let b = vec![fence(1, 1), batch(2, 1, 2, each(2)), batch(3, 1, 3, each(3)), fence(4, 2)];
        assert_eq!(merged(vec![a, b]), (vec![1, 2, 3, 4], vec![]));
    }

    #[test]
    fn what_stands_behind_a_newer_fence_does_not_count() {
        let a = vec![
            fence(1, 1),
            fence(2, 2),
            batch(3, 1, 1, &[record(1, "late")]),
            batch(4, 2, 1, &[record(1, "first")]),
            fence(5, 3),
        ];
        let (sequences, troubles) = merged(vec![a, vec![fence(1, 3)]]);
        assert_eq!(sequences, [1]);
        assert!(matches!(&troubles[..], [Trouble::Notice(_)]), "{troubles:?}");
    }

    #[test]
    fn gaps_and_two_contents_are_found() {
        let (first, third) = (record(1, "one"), record(3, "three"));
        let a = vec![fence(1, 1), batch(2, 1, 1, &[first.clone(), third.clone()]), fence(3, 2)];
        let (sequences, troubles) = merged(vec![a, vec![fence(1, 2)]]);
        assert_eq!(sequences, [1]);
        assert!(matches!(&troubles[..], [Trouble::Key(key, _)] if *key == first.key));

        let a = vec![fence(1, 1), batch(2, 1, 1, &[first]), fence(3, 2)];
        let b = vec![fence(1, 1), batch(2, 1, 1, &[record(1, "another")]), fence(3, 2)];
        let (sequences, troubles) = merged(vec![a, b]);
        assert_eq!(sequences, [1]);
        assert!(matches!(&troubles[..], [Trouble::Key(..)]), "{troubles:?}");

        let a = vec![fence(1, 1), batch(2, 1, 2, &[record(1, "one")]), fence(3, 2)];
        let (_, troubles) = merged(vec![a, vec![fence(1, 2)]]);
        assert!(matches!(&troubles[..], [Trouble::Notice(_)]), "{troubles:?}");
        let a = vec![
            fence(1, 1),
            batch(2, 1, 1, &[record(1, "one")]),
            batch(3, 1, 3, &[record(2, "two")]),
            fence(4, 2),
        ];
        let (_, troubles) = merged(vec![a, vec![fence(1, 2)]]);
        assert!(matches!(&troubles[..], [Trouble::Notice(_)]), "{troubles:?}");
    }

    #[test]
    fn a_lane_without_its_own_fence_gives_nothing_out() {
        let mut merge = Merge::new(Ledger::new(2, 0), [(1, 4), (1, 2)]);
        merge.begin_records();
        merge.read(0, vec![fence(1, 1), batch(2, 1, 1, &[record(1, "one")])]).unwrap();
        merge.read(1, vec![fence(1, 1)]).unwrap();
        assert!(merge.next(NOW).is_none());
        assert_eq!((merge.wants(0), merge.wants(1)), (None, Some(2)));
        merge.read(1, vec![fence(2, 2)]).unwrap();
        assert_eq!(merge.next(NOW).map(|given| given.records.len()), Some(1));
        assert!(merge.next(NOW).is_none());
        assert_eq!(merge.wants(0), Some(3));
        assert!(!merge.is_done());
        // A newer fence without the own one: the replica skips something.
        merge.read(0, vec![fence(5, 3)]).unwrap();
        assert_eq!(merge.wants(0), Some(3));
        merge.read(0, vec![batch(3, 1, 2, &[record(2, "two")]), fence(4, 2)]).unwrap();
        assert_eq!(merge.next(NOW).map(|given| given.records.len()), Some(1));
        assert!(merge.is_done());
    }
}
