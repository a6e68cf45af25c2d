//! The third step: the logs of all former shards.

use std::collections::BTreeMap;

use crate::disk::{Disk, DiskError, Fault, Writes};
use crate::field::block_down;
use crate::file::FileId;
use crate::limits::{BATCH_BYTES_MAX, BLOCK_BYTES};
use crate::log::LogId;
use crate::log::batch::{Batch, BatchHeader, peek};
use crate::log::replay::{Expected, LostRange, Tail, Walk, walk};
use crate::log::segment::{Closed, DATA_START, SegmentError, SegmentHeader, Slot};
use crate::manifest::{Manifest, SegmentUse};
use crate::salvage;

use super::merge::Merge;
use super::report::{LogReport, RecoveryReport};
use super::{RecoverError, Touch, place};

/// What a segment holds.
pub(crate) struct Contents {
    pub(crate) log: LogId,
    pub(crate) closed: Closed,
    pub(crate) batches: u64,
    pub(crate) lost: Vec<LostRange>,
}

/// A segment that is there.
pub(crate) struct Segment {
    pub(crate) bytes: u64,
    pub(crate) next_slot: Slot,
    /// `None` for one whose contents nobody needs.
    pub(crate) contents: Option<Contents>,
}

/// All segments that are there.
#[derive(Default)]
pub(crate) struct Logs {
    pub(crate) segments: BTreeMap<FileId, Segment>,
}

/// A segment's file, opened.
struct Opened<F> {
    file: F,
    bytes: u64,
    header: Result<(SegmentHeader, Slot), SegmentError>,
}

impl<F> Opened<F> {
    /// Whether the file is shorter than it was made, which no crash does.
    fn is_short(&self) -> bool {
        self.bytes < self.header.as_ref().map_or(DATA_START, |(header, _)| header.bytes)
    }

    fn next_slot(&self) -> Slot {
        self.header.as_ref().map_or(Slot::First, |(_, slot)| slot.other())
    }
}

pub(super) async fn read_all<D: Disk>(
    disk: &D,
    manifest: &Manifest,
    touch: Touch,
    merge: &mut Merge,
    report: &mut RecoveryReport,
) -> Result<Logs, RecoverError> {
    let mut opened = BTreeMap::new();
    for id in manifest.segments.keys() {
        match open(disk, manifest, *id).await? {
            Some(segment) => {
                if let Err(SegmentError::Version(found)) = segment.header {
                    let error = crate::manifest::slot::SlotError::Version { found };
                    return Err(RecoverError::Format(error));
                }
                if let Err(SegmentError::Checksum | SegmentError::Chain) = segment.header {
                    report.damaged_segments.push(*id);
                }
                if segment.is_short() {
                    report.missing_segments.push(*id);
                }
                opened.insert(*id, segment);
            }
            None => report.missing_segments.push(*id),
        }
    }
    let (contents, lines) = (BTreeMap::new(), BTreeMap::new());
    let mut reader = Reader { disk, manifest, touch, opened, merge, contents, lines };
    reader.read_retained().await?;
    reader.read_last_run().await?;
    reader.read_headless().await?;
    let Reader { opened, mut contents, lines, .. } = reader;
    let segments = opened.into_iter().map(|(id, segment)| {
        let (bytes, next_slot) = (segment.bytes, segment.next_slot());
        (id, Segment { bytes, next_slot, contents: contents.remove(&id) })
    });
    report.logs = lines.into_values().map(|line| line.report).collect();
    Ok(Logs { segments: segments.collect() })
}

async fn open<D: Disk>(
    disk: &D,
    manifest: &Manifest,
    id: FileId,
) -> Result<Option<Opened<D::File>>, DiskError> {
    let file = match disk.open(&id.segment_name(), Writes::Deferred).await {
        Ok(file) => file,
        Err(DiskError { fault: Fault::NotFound, .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let bytes = block_down(disk.length(&file).await?);
    let header = if bytes < DATA_START {
        Err(SegmentError::NoHeader)
    } else {
        let blocks = salvage::read(disk, &file, 0, DATA_START as usize).await?;
        SegmentHeader::newest(&blocks, place(manifest.store, id))
    };
    Ok(Some(Opened { file, bytes, header }))
}

/// What is known of one log.
struct Line {
    report: LogReport,
    /// The number after the last batch seen.
    end: u64,
}

struct Reader<'a, D: Disk> {
    disk: &'a D,
    manifest: &'a Manifest,
    touch: Touch,
    opened: BTreeMap<FileId, Opened<D::File>>,
    merge: &'a mut Merge,
    contents: BTreeMap<FileId, Contents>,
    lines: BTreeMap<LogId, Line>,
}

impl<D: Disk> Reader<'_, D> {
    /// Segments that an earlier start closed: the manifest says what they hold.
    async fn read_retained(&mut self) -> Result<(), RecoverError> {
        let retained = self.manifest.segments.values().filter_map(|used| match used {
            SegmentUse::Retained { log, closed } => Some((*log, *closed)),
            SegmentUse::Current => None,
        });
        let mut retained: Vec<_> = retained.collect();
        // As they were written, so that each key's records come in their order.
        retained.sort_by_key(|(log, closed)| (*log, closed.first));
        for (log, closed) in retained {
            self.read_closed(log, closed).await?;
        }
        Ok(())
    }

    /// The logs of the last run: the newest segment's header names the others.
    async fn read_last_run(&mut self) -> Result<(), RecoverError> {
        let mut newest: BTreeMap<LogId, (u64, FileId)> = BTreeMap::new();
        for (id, segment) in &self.opened {
            let Ok((header, _)) = &segment.header else { continue };
            if header.log.epoch != self.manifest.epoch || self.is_retained(*id) {
                continue;
            }
            let best = newest.entry(header.log).or_insert((header.incarnation, *id));
            *best = (*best).max((header.incarnation, *id));
        }
        for (log, (_, id)) in newest {
            let Some(Ok((header, _))) = self.opened.get(&id).map(|segment| segment.header.clone())
            else {
                continue;
            };
            let mut chain = header.chain.clone();
            chain.sort_by_key(|closed| closed.first);
            for closed in chain {
                if !self.is_used_again(&closed, &header).await? {
                    self.read_closed(log, closed).await?;
                }
            }
            let expected = Expected {
                log,
                incarnation: header.incarnation,
                first: header.first,
                closed: None,
            };
            self.read_open(id, expected).await?;
        }
        Ok(())
    }

    /// Reads segments whose header was damaged after they came into use. The first batch
    /// identifies the log. If one fault took the header and the first batch, the second
    /// batch does.
    async fn read_headless(&mut self) -> Result<(), RecoverError> {
        let rest: Vec<FileId> =
            self.opened.keys().filter(|id| !self.contents.contains_key(*id)).copied().collect();
        let mut headless = Vec::new();
        for id in rest {
            let is_later = |header: &BatchHeader| {
                let line = self.lines.get(&header.log);
                header.log.epoch == self.manifest.epoch
                    && line.is_none_or(|line| header.number >= line.end)
            };
            let headers = self.first_batches(id).await?.into_iter();
            // Batches of earlier uses may stand here as well.
            let newest = headers.filter(is_later).max_by_key(|header| header.incarnation);
            headless.extend(newest.map(|header| (header.number, header, id)));
        }
        headless.sort_by_key(|(number, header, _)| (header.log, *number));
        for (_, header, id) in headless {
            let first = self.lines.get(&header.log).map_or(1, |line| line.end);
            let (log, incarnation) = (header.log, header.incarnation);
            self.read_open(id, Expected { log, incarnation, first, closed: None }).await?;
        }
        Ok(())
    }

    /// The batches at the front of a segment, of whatever use. A segment has at
    /// least two.
    async fn first_batches(&self, id: FileId) -> Result<Vec<BatchHeader>, DiskError> {
        let Some(segment) = self.opened.get(&id) else { return Ok(Vec::new()) };
        let bytes = segment.bytes.saturating_sub(DATA_START).min(2 * BATCH_BYTES_MAX as u64);
        if bytes == 0 {
            return Ok(Vec::new());
        }
        let front = salvage::read(self.disk, &segment.file, DATA_START, bytes as usize).await?;
        let place = place(self.manifest.store, id);
        let headers = (0..front.len()).step_by(BLOCK_BYTES).filter_map(|at| {
            let batch = Batch::decode(&front[at..], place, DATA_START + at as u64).ok()?;
            Some(batch.header)
        });
        Ok(headers.collect())
    }

    /// Whether a segment was reused after `newest` was written. The chain in `newest`
    /// still names the former use, which nothing needs any more. The header of the
    /// reuse is missing.
    async fn is_used_again(
        &self,
        closed: &Closed,
        newest: &SegmentHeader,
    ) -> Result<bool, DiskError> {
        let Some(segment) = self.opened.get(&closed.file) else { return Ok(false) };
        if segment.bytes > DATA_START {
            let front = salvage::read(self.disk, &segment.file, DATA_START, BLOCK_BYTES).await?;
            // As nearly always.
            if peek(&front).is_ok_and(|(header, _)| header.incarnation == closed.incarnation) {
                return Ok(false);
            }
        }
        let batches = self.first_batches(closed.file).await?;
        Ok(batches.iter().any(|batch| {
            batch.log == newest.log
                && batch.incarnation > closed.incarnation
                && batch.number >= newest.first
        }))
    }

    fn is_retained(&self, id: FileId) -> bool {
        matches!(self.manifest.segments.get(&id), Some(SegmentUse::Retained { .. }))
    }

    async fn read_closed(&mut self, log: LogId, closed: Closed) -> Result<(), RecoverError> {
        let expected = Expected {
            log,
            incarnation: closed.incarnation,
            first: closed.first,
            closed: Some((closed.end, closed.blocks)),
        };
        if self.opened.contains_key(&closed.file) {
            return self.read(closed.file, expected).await.map(|_| ());
        }
        let line = self.line(log);
        line.end = line.end.max(closed.end);
        line.report.lost.push(LostRange { first: closed.first, end: closed.end });
        Ok(())
    }

    async fn read_open(&mut self, id: FileId, expected: Expected) -> Result<(), RecoverError> {
        let walk = self.read(id, expected).await?;
        self.line(expected.log).report.tail = Some(walk.tail);
        if self.touch == Touch::Files {
            self.settle(id, &walk).await?;
        }
        Ok(())
    }

    /// Writes the newest batch of a log once more. Every earlier batch was durable
    /// before the next was written. The newest one can be readable without being on the
    /// medium, if its write failed or the process died meanwhile. A later sync does not
    /// make up for a failed write.
    async fn settle(&self, id: FileId, walk: &Walk) -> Result<(), DiskError> {
        let (Some(segment), Some(at)) = (self.opened.get(&id), walk.last) else { return Ok(()) };
        let (file, length) = (&segment.file, (walk.at - at) as usize);
        let place = place(self.manifest.store, id);
        let mut sound = None;
        // Each step has a second try, in case only the first was bad.
        for _ in 0..2 {
            let read = salvage::read(self.disk, file, at, length).await?;
            if Batch::decode(&read, place, at).is_ok() {
                sound = Some(read);
                break;
            }
        }
        for _ in 0..2 {
            let Some(batch) = &sound else { break };
            let mut buffer = self.disk.buffer(length);
            buffer.as_mut().copy_from_slice(batch);
            self.disk.write(file, at, buffer).await?;
            self.disk.sync(file).await?;
            if salvage::read(self.disk, file, at, length).await?[..] == batch[..] {
                return Ok(());
            }
        }
        Err(DiskError { operation: "read back", file: id.segment_name(), fault: Fault::Changed })
    }

    async fn read(&mut self, id: FileId, expected: Expected) -> Result<Walk, RecoverError> {
        let Some(segment) = self.opened.get(&id) else {
            unreachable!("only opened segments are read")
        };
        let place = place(self.manifest.store, id);
        let merge = &mut *self.merge;
        merge.begin_segment(id);
        let visit = |at: u64, batch: &Batch<'_>| merge.add_batch(place, at, batch);
        let walk = walk(self.disk, &segment.file, place, expected, visit).await?;
        let blocks =
            expected.closed.map_or(walk.at / BLOCK_BYTES as u64, |(_, blocks)| u64::from(blocks));
        let closed = Closed {
            file: id,
            blocks: blocks as u32,
            incarnation: expected.incarnation,
            first: expected.first,
            end: walk.end,
        };
        let (log, batches, lost) = (expected.log, walk.batches, walk.lost.clone());
        self.contents.insert(id, Contents { log, closed, batches, lost });
        let line = self.line(expected.log);
        line.end = line.end.max(walk.end);
        line.report.batches += walk.batches;
        line.report.lost.extend(&walk.lost);
        Ok(walk)
    }

    fn line(&mut self, log: LogId) -> &mut Line {
        self.lines.entry(log).or_insert_with(|| Line {
            report: LogReport { log, batches: 0, lost: Vec::new(), tail: None::<Tail> },
            end: 1,
        })
    }
}
