//! Where a former run's log has a record.

use crate::key::Sequence;
use crate::log::writer::Age;

/// One record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct RecordRef {
    pub(crate) sequence: Sequence,
    /// The age of the segment; those of former runs are numbered from 1.
    segment: u32,
    /// Where the payload begins in the segment, in bytes.
    pub(crate) offset: u32,
    pub(crate) length: u32,
    /// The low half of the payload's checksum.
    pub(crate) checksum: u32,
}

const _: () = assert!(crate::limits::SEGMENT_BYTES_MAX <= u32::MAX as u64);

impl RecordRef {
    pub(crate) fn new(
        segment: Age,
        sequence: Sequence,
        offset: u32,
        length: u32,
        checksum: u32,
    ) -> Self {
        let segment = u32::try_from(segment.0).expect("a folder has fewer than 2^32 segments");
        Self { sequence, segment, offset, length, checksum }
    }

    pub(crate) fn segment(&self) -> Age {
        Age(u64::from(self.segment))
    }
}
