//! Group commit: one write in flight, the next batch is what arrived meanwhile.

use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use crate::checksum::Kind;
use crate::disk::{Disk, DiskError, Writes};
use crate::key::{Position, Sequence};
use crate::log::batch::{BatchHeader, BatchRecord, OpenBatch};
use crate::log::segment::{Closed, DATA_START, SegmentHeader, Slot};
use crate::log::writer::{Active, Ready};

use super::record_ref::RecordRef;
use super::state::{InUse, State};
use super::{Store, StoreError, Turn};

impl<D: Disk> Store<D> {
    /// Writes what has been appended until now and returns up to where records
    /// are durable. It has one caller at a time, the shard's commit loop. Records
    /// that arrive during the write go with the next call.
    ///
    /// # Errors
    /// [`StoreError::Poisoned`] if a write or a sync failed, now or before.
    /// [`StoreError::Busy`] if another call is in flight.
    pub async fn commit(&self) -> Result<Position, StoreError> {
        let _turn = Turn::take(&self.committing)?;
        self.check()?;
        let target = self.position();
        while self.durable() < target {
            let Some(ready) = self.state.borrow_mut().log.next_batch() else { break };
            self.write_batch(ready).await.map_err(|error| self.poison(error))?;
        }
        Ok(self.durable())
    }

    async fn write_batch(&self, mut ready: Ready) -> Result<(), DiskError> {
        let padded = ready.batch.padded();
        let mut header = None;
        if !self.state.borrow().log.fits_active(padded) {
            header = Some(self.change_segment().await?);
        }
        let mut buffer = self.disk.buffer(padded);
        let (file, active, at) = {
            let mut state = self.state.borrow_mut();
            let state = &mut *state;
            let (active, number) = state.log.place(padded).expect("a segment was just activated");
            // The keys hold the segment from before the write, so that it cannot be
            // freed while its records become durable.
            state.holds.hold(&state.buckets, active.age, &ready.batch.records);
            let header =
                BatchHeader { log: state.log.log, incarnation: active.incarnation, number };
            let at = active.at;
            ready.batch.seal(header, state.place(active.file), at, buffer.as_mut());
            let segment = state.segments.get(&active.age).expect("the active segment is in use");
            (segment.handle.clone().expect("the active segment is open"), active, at)
        };
        let batch = self.disk.write(&file, at, buffer);
        match header {
            None => {
                batch.await?;
            }
            Some((slot, block)) => {
                // Both in flight at once, so that the first batch of a segment takes
                // no longer than others. Recovery finds a batch without the segment's
                // header by the header of the batch. A header without a batch means an
                // unused segment.
                let header = self.disk.write(&file, slot.offset(), block);
                let (batch, header) = both(batch, header).await;
                batch?;
                header?;
            }
        }
        let mut state = self.state.borrow_mut();
        if state.options.index_log {
            state.index_records(&ready.batch, &active);
        }
        state.log.finish(ready);
        state.counters.batches += 1;
        state.counters.log_bytes += padded as u64;
        Ok(())
    }

    /// Closes the active segment and takes a spare into use. Its header is to
    /// be written with the first batch.
    async fn change_segment(&self) -> Result<(Slot, D::Buffer), DiskError> {
        let (header, active, place, opened) = {
            let mut state = self.state.borrow_mut();
            let state = &mut *state;
            if let Some(old) = state.log.active.take() {
                let closed = closed(&old, state.log.next_number());
                if let Some(segment) = state.segments.get_mut(&old.age) {
                    segment.closed = Some(closed);
                    // Open for its next use.
                    let handle = segment.handle.take().expect("the active segment is open");
                    state.own_files.insert(old.file, handle);
                }
                state.free_segments();
            }
            let own = |segment: &&InUse<D::File>| segment.slot.is_some();
            let chain = state.segments.values().filter(own).filter_map(|segment| segment.closed);
            let chain = chain.collect();
            let active = state.log.activate().expect("`append` refuses what no segment can take");
            let header = SegmentHeader {
                log: state.log.log,
                incarnation: active.incarnation,
                first: active.first,
                bytes: state.options.segment_bytes,
                chain,
            };
            (header, active, state.place(active.file), state.own_files.remove(&active.file))
        };
        let file = match opened {
            Some(file) => file,
            None => Rc::new(self.disk.open(&active.file.segment_name(), Writes::Durable).await?),
        };
        let block = header.encode(place, active.slot);
        let mut buffer = self.disk.buffer(block.len());
        buffer.as_mut().copy_from_slice(&block);
        let mut state = self.state.borrow_mut();
        state.counters.log_bytes += block.len() as u64;
        let segment =
            InUse { file: active.file, slot: Some(active.slot), closed: None, handle: Some(file) };
        state.segments.insert(active.age, segment);
        Ok((active.slot, buffer))
    }
}

impl<F> State<F> {
    /// Notes where the log has the records of a batch that was written, but for those
    /// that a snapshot covers already.
    fn index_records(&mut self, batch: &OpenBatch, active: &Active) {
        let place = self.place(active.file);
        for BatchRecord { key, sequence, offset, payload } in batch.entries() {
            if sequence == Sequence::TOMBSTONE {
                continue;
            }
            let Some(share) = self.share_mut(&key) else { continue };
            if share.covers(&key, sequence) {
                continue;
            }
            let offset = active.at + offset as u64;
            let checksum = place.checksum(Kind::Value, sequence.0, offset, payload) as u32;
            let (offset, length) = (offset as u32, payload.len() as u32);
            let record = RecordRef::new(active.age, sequence, offset, length, checksum);
            share.recovered.add(key, record);
        }
    }
}

/// Drives both to their ends, however the other one ends.
async fn both<A, B>(first: impl Future<Output = A>, second: impl Future<Output = B>) -> (A, B) {
    let (mut first, mut second) = (pin!(first), pin!(second));
    let (mut of_first, mut of_second) = (None, None);
    poll_fn(|context| {
        if of_first.is_none()
            && let Poll::Ready(output) = first.as_mut().poll(context)
        {
            of_first = Some(output);
        }
        if of_second.is_none()
            && let Poll::Ready(output) = second.as_mut().poll(context)
        {
            of_second = Some(output);
        }
        match (of_first.take(), of_second.take()) {
            (Some(first), Some(second)) => Poll::Ready((first, second)),
            pending => {
                (of_first, of_second) = pending;
                Poll::Pending
            }
        }
    })
    .await
}

fn closed(active: &Active, end: u64) -> Closed {
    let blocks = (active.at.max(DATA_START) / crate::limits::BLOCK_BYTES as u64) as u32;
    Closed { file: active.file, blocks, incarnation: active.incarnation, first: active.first, end }
}
