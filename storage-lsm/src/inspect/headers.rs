//! The header slots of log segments: which of them are damaged.
//!
//! A missing header may be due to a crash only while the first batch of its use is the
//! newest of the log: the second batch is written after both.

use std::collections::BTreeMap;

use crate::checksum::Place;
use crate::disk::{Disk, DiskError, Writes};
use crate::file::FileKind;
use crate::limits::{BLOCK_BYTES, SECTOR_BYTES};
use crate::log::LogId;
use crate::log::segment::{DATA_START, SegmentHeader, Slot};
use crate::recover::logs::{Contents, Logs};
use crate::salvage::{self, Salvaged};

use super::flaw::{Cause, Flaw, Part};

/// What stands in a slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mark {
    /// Zeros: it was never used.
    Blank,
    /// The header of this use.
    Whole(u64),
    /// Parts of two headers, or damage.
    Torn,
    Damaged,
}

const SLOTS: [Slot; 2] = [Slot::First, Slot::Second];

/// Looks at both slots of every segment that is there.
pub(super) async fn flaws<D: Disk>(
    disk: &D,
    place: impl Fn(crate::file::FileId) -> Place,
    logs: &Logs,
) -> Result<Vec<Flaw>, DiskError> {
    let mut ends: BTreeMap<LogId, u64> = BTreeMap::new();
    for contents in logs.segments.values().filter_map(|segment| segment.contents.as_ref()) {
        let end = ends.entry(contents.log).or_default();
        *end = contents.closed.end.max(*end);
    }
    let mut flaws = Vec::new();
    for (id, segment) in &logs.segments {
        if segment.bytes < DATA_START {
            continue;
        }
        let file = disk.open(&id.segment_name(), Writes::Deferred).await?;
        let mut marks = [Mark::Blank; 2];
        for (slot, mark) in SLOTS.into_iter().zip(&mut marks) {
            let block = salvage::read(disk, &file, slot.offset(), BLOCK_BYTES).await?;
            *mark = mark_of(&block, place(*id), slot);
        }
        let contents = segment.contents.as_ref();
        let needed = contents.map(|contents| Needed {
            incarnation: contents.closed.incarnation,
            is_proven: went_on(contents, ends[&contents.log]),
        });
        flaws.extend(judge(marks, needed).into_iter().map(|(slot, cause)| Flaw {
            file: FileKind::Segment(*id),
            offset: slot.offset(),
            part: Part::SegmentHeader,
            cause,
        }));
    }
    Ok(flaws)
}

/// Whether the log went on after the first batch of this use.
fn went_on(contents: &Contents, log_end: u64) -> bool {
    contents.closed.end > contents.closed.first + 1 || log_end > contents.closed.end
}

/// The use whose batches are still needed.
#[derive(Clone, Copy)]
struct Needed {
    incarnation: u64,
    /// Whether its header was durable for sure.
    is_proven: bool,
}

fn mark_of<B: std::ops::Deref<Target = [u8]>>(
    block: &Salvaged<B>,
    place: Place,
    slot: Slot,
) -> Mark {
    match SegmentHeader::decode(block, place, slot) {
        _ if !block.is_whole() => Mark::Damaged,
        Ok(header) => Mark::Whole(header.incarnation),
        Err(_) if block.iter().all(|byte| *byte == 0) => Mark::Blank,
        // All of the content lies in one sector, so it belongs to one write.
        Err(_) if block[SECTOR_BYTES..].iter().all(|byte| *byte == 0) => Mark::Damaged,
        Err(_) => Mark::Torn,
    }
}

/// Which slots are not as they were written.
fn judge(marks: [Mark; 2], needed: Option<Needed>) -> Vec<(Slot, Cause)> {
    let mut found = Vec::new();
    for (slot, mark) in SLOTS.into_iter().zip(marks) {
        match mark {
            Mark::Whole(_) => {}
            Mark::Torn => found.push((slot, Cause::Interrupted)),
            Mark::Damaged => found.push((slot, Cause::Damage)),
            // The second slot is used only after the first.
            Mark::Blank if slot == Slot::First && marks[1] != Mark::Blank => {
                found.push((slot, Cause::Damage));
            }
            Mark::Blank => {}
        }
    }
    let Some(needed) = needed else { return found };
    if marks.contains(&Mark::Whole(needed.incarnation)) {
        return found;
    }
    let cause = if needed.is_proven { Cause::Damage } else { Cause::Interrupted };
    if found.is_empty() {
        let blank = marks.iter().position(|mark| *mark == Mark::Blank);
        found.push((SLOTS[blank.unwrap_or(0)], cause));
    } else if let Some(torn) = found.iter_mut().find(|(_, cause)| *cause == Cause::Interrupted) {
        torn.1 = cause;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_crash_leaves_is_told_from_damage() {
        use Cause::{Damage, Interrupted};
        use Mark::{Blank, Damaged, Torn, Whole};
        use Slot::{First, Second};
        let of = |incarnation, is_proven| Some(Needed { incarnation, is_proven });
        for (marks, needed, expected) in [
            ([Blank, Blank], None, vec![]),
            ([Whole(1), Blank], of(1, true), vec![]),
            ([Whole(3), Whole(2)], of(3, true), vec![]),
            ([Torn, Whole(2)], None, vec![(First, Interrupted)]),
            ([Torn, Whole(2)], of(2, true), vec![(First, Interrupted)]),
            ([Whole(1), Damaged], None, vec![(Second, Damage)]),
            ([Blank, Whole(2)], None, vec![(First, Damage)]),
            // The batches are there, their header is not.
            ([Blank, Blank], of(1, false), vec![(First, Interrupted)]),
            ([Blank, Blank], of(1, true), vec![(First, Damage)]),
            ([Whole(1), Blank], of(2, false), vec![(Second, Interrupted)]),
            ([Whole(1), Torn], of(2, false), vec![(Second, Interrupted)]),
            ([Whole(1), Torn], of(2, true), vec![(Second, Damage)]),
            ([Whole(1), Damaged], of(2, false), vec![(Second, Damage)]),
            ([Whole(1), Whole(2)], of(3, true), vec![(First, Damage)]),
        ] {
            assert_eq!(judge(marks, needed), expected, "{marks:?}");
        }
    }
}
