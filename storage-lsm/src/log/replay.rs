//! Reading the batches of one segment, and telling a torn tail from damage.

use crate::ahead::Ahead;
use crate::checksum::Place;
use crate::disk::{Disk, DiskError};
use crate::field::block_down;
use crate::limits::{BATCH_BYTES_MAX, BLOCK_BYTES, REPLAY_WINDOW_BYTES, SEGMENT_BYTES_MAX};
use crate::salvage;

use super::batch::{Batch, BatchHeader, LogId, peek};
use super::segment::DATA_START;

const _: () = assert!(REPLAY_WINDOW_BYTES >= 2 * BATCH_BYTES_MAX);

/// What a segment should hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Expected {
    pub(crate) log: LogId,
    pub(crate) incarnation: u64,
    /// The number of its first batch.
    pub(crate) first: u64,
    /// The number after its last batch and the blocks used, when the segment
    /// was closed. The open segment of a log ends where its batches end.
    pub(crate) closed: Option<(u64, u32)>,
}

/// Numbers of the batches of a log that cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LostRange {
    /// The number of the first one lost.
    pub first: u64,
    /// The number after the last one lost.
    pub end: u64,
}

/// How the newest segment of a log ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tail {
    /// After its last batch stand only blocks of earlier uses.
    Clean,
    /// A write was interrupted: the next batch begins and is not whole. A
    /// fault in the very last batch of a log looks the same.
    Torn {
        /// The number of that batch, which was never acknowledged.
        number: u64,
    },
}

/// What the walk over a segment found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Walk {
    /// The number after the last batch.
    pub(crate) end: u64,
    /// Where the last batch begins in the file.
    pub(crate) last: Option<u64>,
    /// Where it ends, or where the first one would begin.
    pub(crate) at: u64,
    pub(crate) batches: u64,
    pub(crate) lost: Vec<LostRange>,
    pub(crate) tail: Tail,
}

/// Calls `visit` with every batch of the segment and its offset, in order.
///
/// After a bad batch the walk looks at every later block. If it finds a valid batch of
/// this use with a later number, the batches between are lost, and the walk goes on
/// there. If it finds none, the log ends here. Blocks of earlier uses have another
/// incarnation and never count.
pub(crate) async fn walk<D: Disk>(
    disk: &D,
    file: &D::File,
    place: Place,
    expected: Expected,
    mut visit: impl FnMut(u64, &Batch<'_>),
) -> Result<Walk, DiskError> {
    let length = block_down(disk.length(file).await?);
    let used = expected.closed.map_or(length, |(_, blocks)| u64::from(blocks) * BLOCK_BYTES as u64);
    let stop = used.min(length).min(SEGMENT_BYTES_MAX);
    let mut walk = Walk {
        end: expected.first,
        last: None,
        at: DATA_START,
        batches: 0,
        lost: Vec::new(),
        tail: Tail::Clean,
    };
    // A window overlaps the next one by the largest batch, so each batch lies whole
    // in one window.
    let step_bytes = (REPLAY_WINDOW_BYTES - BATCH_BYTES_MAX) as u64;
    let window = |at: u64| {
        let bytes = stop.saturating_sub(at).min(REPLAY_WINDOW_BYTES as u64);
        Ahead::begin(salvage::read(disk, file, at, bytes as usize))
    };
    let mut coming = None;
    let walked = async {
        let (mut at, mut start) = (DATA_START, 0);
        while at < stop {
            let this = match coming.take() {
                Some(this) => this,
                None => window(at).await,
            };
            // The next window is read while this one is awaited and walked.
            let next = at + step_bytes;
            if next < stop {
                coming = Some(window(next).await);
            }
            let bytes = this.end().await?;
            while start < bytes.len().min(step_bytes as usize) {
                let here = at + start as u64;
                let front = &bytes[start..];
                if let Some(taken) = step(front, place, here, expected, &mut walk, &mut visit) {
                    start += taken;
                    continue;
                }
                if here == walk.at {
                    // A batch should be here, or the end. Read once more before
                    // calling it lost or torn, in case only the read was bad.
                    let length = (stop - here).min(BATCH_BYTES_MAX as u64);
                    let again = salvage::read(disk, file, here, length as usize).await?;
                    if let Some(taken) = step(&again, place, here, expected, &mut walk, &mut visit)
                    {
                        start += taken;
                        continue;
                    }
                    judge_tail(&again, expected, &mut walk);
                }
                start += BLOCK_BYTES;
            }
            at = next;
            start = start.saturating_sub(step_bytes as usize);
        }
        Ok(())
    };
    let walked = walked.await;
    if let Some(coming) = coming {
        // After an error: an access is driven to its end.
        drop(coming.end().await);
    }
    walked?;
    if let Some((end, _)) = expected.closed
        && walk.end < end
    {
        walk.lost.push(LostRange { first: walk.end, end });
        walk.end = end;
    }
    Ok(walk)
}

/// Whether a header is of the log and the use that are read.
fn is_ours(header: BatchHeader, expected: Expected) -> bool {
    header.log == expected.log && header.incarnation == expected.incarnation
}

/// Takes the batch at `at`, if it is the next one or a later one. Returns its padded
/// length.
fn step(
    bytes: &[u8],
    place: Place,
    at: u64,
    expected: Expected,
    walk: &mut Walk,
    visit: &mut impl FnMut(u64, &Batch<'_>),
) -> Option<usize> {
    let batch = Batch::decode(bytes, place, at).ok()?;
    let number = batch.header.number;
    if !is_ours(batch.header, expected) || number < walk.end {
        return None;
    }
    if number > walk.end {
        walk.lost.push(LostRange { first: walk.end, end: number });
    }
    visit(at, &batch);
    walk.batches += 1;
    walk.end = number + 1;
    let padded = batch.length.next_multiple_of(BLOCK_BYTES);
    (walk.last, walk.at) = (Some(at), at + padded as u64);
    walk.tail = Tail::Clean;
    Some(padded)
}

/// Decides whether the place of the next batch is the end of the log or a torn batch.
fn judge_tail(bytes: &[u8], expected: Expected, walk: &mut Walk) {
    let begins =
        peek(bytes).is_ok_and(|(header, _)| is_ours(header, expected) && header.number == walk.end);
    if begins && expected.closed.is_none() {
        walk.tail = Tail::Torn { number: walk.end };
    }
}
