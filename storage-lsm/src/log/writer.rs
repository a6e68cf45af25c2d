//! The writer's plan: what waits, where it will go, what is durable. No I/O.

use std::collections::VecDeque;

use crate::file::FileId;
use crate::key::{Key, Position, Sequence};
use crate::limits::{BATCH_BYTES_MAX, BLOCK_BYTES, PAYLOAD_BYTES_MAX};

use super::batch::{HEADER_BYTES, LogId, OpenBatch, RECORD_HEADER_BYTES_MAX, record_bytes};
use super::segment::{DATA_START, Slot};

/// The order in which segments came into use, oldest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Age(pub(crate) u64);

/// A prewritten segment that nobody needs the contents of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Spare {
    pub(crate) file: FileId,
    /// The slot that its next header goes to.
    pub(crate) slot: Slot,
}

/// The segment that batches go to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Active {
    pub(crate) file: FileId,
    pub(crate) age: Age,
    pub(crate) slot: Slot,
    pub(crate) incarnation: u64,
    pub(crate) first: u64,
    pub(crate) at: u64,
}

/// Why a record was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refusal {
    TooLarge { max: usize },
    Full,
}

/// A batch that is ready to be written, and the position of its last record.
#[derive(Clone, Debug)]
pub(crate) struct Ready {
    pub(crate) batch: OpenBatch,
    pub(crate) last: Position,
}

/// One shard's log, as far as memory knows it.
#[derive(Debug)]
pub(crate) struct LogWriter {
    pub(crate) log: LogId,
    pub(crate) segment_bytes: u64,
    pub(crate) active: Option<Active>,
    pub(crate) spares: VecDeque<Spare>,
    pub(crate) appended: Position,
    pub(crate) durable: Position,
    ready: VecDeque<Ready>,
    open: OpenBatch,
    /// An empty batch with the memory of one that was written.
    written: Option<OpenBatch>,
    next_number: u64,
    next_incarnation: u64,
    next_age: u64,
}

/// The shortest segment whose log takes payloads of so many bytes.
pub(crate) const fn segment_bytes_for(payload: usize) -> u64 {
    let batch = HEADER_BYTES + RECORD_HEADER_BYTES_MAX + payload;
    DATA_START + 2 * batch.next_multiple_of(BLOCK_BYTES) as u64
}

impl LogWriter {
    pub(crate) fn new(log: LogId, segment_bytes: u64, spares: Vec<Spare>, next_age: u64) -> Self {
        Self {
            log,
            segment_bytes,
            active: None,
            spares: spares.into(),
            appended: Position(0),
            durable: Position(0),
            ready: VecDeque::new(),
            open: OpenBatch::new(),
            written: None,
            next_number: 1,
            // Grows over all uses of any one file: the epoch above a count.
            next_incarnation: u64::from(log.epoch) << 32,
            next_age,
        }
    }

    /// The largest batch, so that at least two fit a segment.
    pub(crate) fn batch_bytes_max(&self) -> usize {
        let half = (self.segment_bytes - DATA_START) / 2;
        let half = half - half % BLOCK_BYTES as u64;
        BATCH_BYTES_MAX.min(half as usize)
    }

    pub(crate) fn payload_bytes_max(&self) -> usize {
        PAYLOAD_BYTES_MAX.min(self.batch_bytes_max() - HEADER_BYTES - RECORD_HEADER_BYTES_MAX)
    }

    /// Takes records that go into one batch together, or none of them.
    pub(crate) fn append<'a>(
        &mut self,
        records: impl Iterator<Item = (Key, Sequence, &'a [u8])> + Clone,
    ) -> Result<Position, Refusal> {
        let max = self.payload_bytes_max();
        let (mut more, mut longest) = (0, 0);
        for (_, sequence, payload) in records.clone() {
            more += record_bytes(sequence, payload.len());
            longest = payload.len().max(longest);
        }
        if HEADER_BYTES + more > self.batch_bytes_max() || longest > max {
            return Err(Refusal::TooLarge { max });
        }
        let joins = self.open.length() + more <= self.batch_bytes_max();
        if !self.has_room(joins, more) {
            return Err(Refusal::Full);
        }
        if !joins {
            self.close_batch();
        }
        for (key, sequence, payload) in records {
            self.open.push(key, sequence, payload);
            self.appended.0 += 1;
        }
        Ok(self.appended)
    }

    /// Takes the place of a record that nobody needs.
    pub(crate) fn skip(&mut self) -> Position {
        let newest = self.appended;
        self.appended.0 += 1;
        if self.durable == newest {
            self.durable = self.appended;
        } else if self.open.records.is_empty()
            && let Some(last) = self.ready.back_mut()
        {
            last.last = self.appended;
        }
        // Else the batch that is open, or is being written, covers it.
        self.appended
    }

    /// Whether the waiting batches and the new records fit the active segment and the
    /// spares, in the order in which they will be written.
    fn has_room(&self, joins: bool, more: usize) -> bool {
        let block = |bytes: usize| bytes.next_multiple_of(BLOCK_BYTES) as u64;
        let mut left = self.active.map_or(0, |active| self.segment_bytes - active.at);
        let mut spares = self.spares.len();
        let mut place = |bytes: u64| {
            if bytes > left {
                if spares == 0 {
                    return false;
                }
                spares -= 1;
                left = self.segment_bytes - DATA_START;
            }
            left -= bytes;
            true
        };
        let ready = self.ready.iter().all(|ready| place(ready.batch.padded() as u64));
        let open = self.open.length();
        let last = if joins { block(open + more) } else { block(HEADER_BYTES + more) };
        ready && (joins || place(block(open))) && place(last)
    }

    fn close_batch(&mut self) {
        if !self.open.records.is_empty() {
            let next = self.written.take().unwrap_or_else(OpenBatch::new);
            let batch = std::mem::replace(&mut self.open, next);
            self.ready.push_back(Ready { batch, last: self.appended });
        }
    }

    /// The batch is durable. Its memory is kept for a later batch.
    pub(crate) fn finish(&mut self, ready: Ready) {
        // What was skipped while the newest batch was written is durable with it.
        self.durable = if self.has_uncommitted() { ready.last } else { self.appended };
        let mut batch = ready.batch;
        batch.clear();
        self.written = Some(batch);
    }

    pub(crate) fn has_uncommitted(&self) -> bool {
        !self.ready.is_empty() || !self.open.records.is_empty()
    }

    /// The next batch to write, with the records that have arrived until now.
    pub(crate) fn next_batch(&mut self) -> Option<Ready> {
        if self.ready.is_empty() {
            self.close_batch();
        }
        self.ready.pop_front()
    }

    /// Whether a batch of that size still goes into the active segment.
    pub(crate) fn fits_active(&self, padded: usize) -> bool {
        self.active.is_some_and(|active| active.at + padded as u64 <= self.segment_bytes)
    }

    /// Takes a spare into use; the caller writes its header.
    pub(crate) fn activate(&mut self) -> Option<Active> {
        let spare = self.spares.pop_front()?;
        self.next_incarnation += 1;
        self.next_age += 1;
        let active = Active {
            file: spare.file,
            age: Age(self.next_age),
            slot: spare.slot,
            incarnation: self.next_incarnation,
            first: self.next_number,
            at: DATA_START,
        };
        self.active = Some(active);
        Some(active)
    }

    /// Gives the next batch its place in the active segment, and its number.
    pub(crate) fn place(&mut self, padded: usize) -> Option<(Active, u64)> {
        let active = self.active.as_mut()?;
        let placed = *active;
        active.at += padded as u64;
        self.next_number += 1;
        Some((placed, self.next_number - 1))
    }

    pub(crate) fn next_number(&self) -> u64 {
        self.next_number
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::ShardId;
    use crate::limits::SEGMENT_BYTES_MIN;

    fn writer(spares: u32) -> LogWriter {
        let log = LogId { epoch: 1, shard: ShardId(0) };
        let spare = |number| Spare {
            file: FileId { epoch: 1, shard: ShardId(0), number },
            slot: Slot::First,
        };
        LogWriter::new(log, SEGMENT_BYTES_MIN, (0..spares).map(spare).collect(), 0)
    }

    fn append(writer: &mut LogWriter, bytes: usize) -> Result<Position, Refusal> {
        writer.append([(Key::new([1; 16]), Sequence(1), &vec![0; bytes][..])].into_iter())
    }

    #[test]
    fn what_is_taken_always_finds_its_place() {
        for bytes in [1, 3000, 5000, 8100, 12_000] {
            let mut writer = writer(2);
            let mut commits = 0;
            while append(&mut writer, bytes).is_ok() {
                commits += 1;
                // Commit at uneven times, so that batches of all sizes occur.
                if commits % 3 == 0 {
                    continue;
                }
                while let Some(ready) = writer.next_batch() {
                    let padded = ready.batch.padded();
                    if !writer.fits_active(padded) {
                        writer.activate().expect("append promised the room");
                    }
                    assert!(writer.fits_active(padded));
                    writer.place(padded).unwrap();
                }
            }
            assert!(commits >= 2, "{bytes} bytes: {commits}");
        }
    }

    #[test]
    fn the_segment_for_a_payload_takes_it_and_a_shorter_one_does_not() {
        for payload in [1, 3_000, 4_096, 100_000, PAYLOAD_BYTES_MAX] {
            let segment = segment_bytes_for(payload);
            let takes = |segment_bytes| {
                let log = LogId { epoch: 1, shard: ShardId(0) };
                LogWriter::new(log, segment_bytes, Vec::new(), 1).payload_bytes_max()
            };
            assert!(takes(segment) >= payload, "{payload} in {segment}");
            if segment > segment_bytes_for(1) {
                assert!(takes(segment - BLOCK_BYTES as u64) < payload, "{payload} in less");
            }
        }
    }

    #[test]
    fn records_that_cannot_share_a_batch_are_refused_whole() {
        let mut writer = writer(2);
        let max = writer.payload_bytes_max();
        assert_eq!(append(&mut writer, max + 1), Err(Refusal::TooLarge { max }));
        let half = vec![0; max / 2 + 1];
        let key = Key::new([1; 16]);
        let group = [(key, Sequence(1), &half[..]), (key, Sequence(2), &half[..])];
        assert_eq!(writer.append(group.into_iter()), Err(Refusal::TooLarge { max }));
        assert!(!writer.has_uncommitted());
        assert_eq!(append(&mut writer, max), Ok(Position(1)));
    }

    #[test]
    fn positions_count_records() {
        let mut writer = writer(2);
        assert_eq!(append(&mut writer, 1), Ok(Position(1)));
        assert_eq!(append(&mut writer, 12_209), Ok(Position(2)));
        assert_eq!(writer.next_batch().unwrap().last, Position(1));
        assert_eq!(append(&mut writer, 1), Ok(Position(3)));
        assert_eq!(writer.next_batch().unwrap().last, Position(2));
        assert_eq!(writer.next_batch().unwrap().last, Position(3));
        assert!(writer.next_batch().is_none());
    }

    #[test]
    fn a_skipped_position_is_durable_with_the_record_before_it() {
        let mut writer = writer(2);
        assert_eq!((writer.skip(), writer.durable), (Position(1), Position(1)));
        assert_eq!(append(&mut writer, 1), Ok(Position(2)));
        assert_eq!(writer.skip(), Position(3));
        let first = writer.next_batch().unwrap();
        assert_eq!((first.last, writer.durable), (Position(3), Position(1)));
        // While the first batch is written nothing waits behind it.
        assert_eq!(writer.skip(), Position(4));
        writer.finish(first);
        assert_eq!(writer.durable, Position(4));
        // Behind a batch that waits, with another one open after it.
        assert_eq!(append(&mut writer, 1), Ok(Position(5)));
        let second = writer.next_batch().unwrap();
        assert_eq!(append(&mut writer, 12_209), Ok(Position(6)));
        assert_eq!(writer.skip(), Position(7));
        assert_eq!(append(&mut writer, 1), Ok(Position(8)));
        writer.finish(second);
        assert_eq!(writer.durable, Position(5));
        let third = writer.next_batch().unwrap();
        writer.finish(third);
        assert_eq!(writer.durable, Position(7));
        let fourth = writer.next_batch().unwrap();
        assert_eq!(writer.skip(), Position(9));
        writer.finish(fourth);
        assert_eq!(writer.durable, Position(9));
    }
}
