//! Stored records as bytes, without the server's snapshot format.

use desk_engine_core::StoredRecord;
use desk_storage_lsm::limits::VALUE_BYTES_MAX;

/// Keeps every record that was ever stored, by number; what the disk holds is
/// the number, filled up to a plausible size, under the store's own checksums.
/// Nothing is ever changed here, so that a disk that lost or tore a write is
/// seen for what it is.
#[derive(Default)]
pub(crate) struct Archive {
    records: Vec<StoredRecord>,
}

impl Archive {
    /// `too_large`: a desk is too large for any store. A link never is.
    pub(crate) fn write(&mut self, record: StoredRecord, too_large: bool) -> Vec<u8> {
        if too_large && matches!(record, StoredRecord::Desk(_)) {
            return vec![0; VALUE_BYTES_MAX + 1];
        }
        let filler = match &record {
            StoredRecord::Desk(desk) => 200 + desk.desk.live_bytes(),
            StoredRecord::Alias(_) => 32,
        };
        let mut bytes = (self.records.len() as u64).to_le_bytes().to_vec();
        bytes.resize(8 + filler, 0x5a);
        self.records.push(record);
        bytes
    }

    pub(crate) fn read(&self, bytes: &[u8]) -> StoredRecord {
        let number = bytes[..8].try_into().map(u64::from_le_bytes).expect("a record has a number");
        self.records[number as usize].clone()
    }
}
