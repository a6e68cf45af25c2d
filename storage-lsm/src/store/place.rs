//! Where a table has a record, in eight bytes.

use crate::key::Sequence;
use crate::limits::TABLES_PER_SHARD_MAX;
use crate::table::record::{RECORD_HEADER_BYTES, TableEntry};

/// A table, by a small number that its shard uses again when it has gone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct TableNo(pub(crate) u32);

/// Where the index finds a record, and what it knows of it.
///
/// ```text
/// place, 64 bits:  table 17 │ offset in units of 16 bytes 25 │ value in units 22
/// ```
/// The value's units are all ones for a tombstone; no value is that long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Located {
    place: u64,
    /// The low half of the record's checksum.
    pub(crate) checksum: u32,
}

const UNIT: u64 = 16;
const OFFSET_BITS: u32 = 25;
const VALUE_BITS: u32 = 22;
const VALUE_MASK: u64 = (1 << VALUE_BITS) - 1;

const _: () = {
    assert!(TABLES_PER_SHARD_MAX == 1 << (64 - OFFSET_BITS - VALUE_BITS));
    assert!(crate::limits::TABLE_OFFSET_MAX / UNIT < 1 << OFFSET_BITS);
    assert!((crate::limits::VALUE_BYTES_MAX as u64) / UNIT < VALUE_MASK);
    assert!(
        crate::limits::TABLE_BYTES_MAX + crate::limits::TABLE_BLOCK_BYTES_MAX as u64
            <= crate::limits::TABLE_OFFSET_MAX
    );
};

impl Located {
    pub(crate) fn new(table: TableNo, entry: &TableEntry) -> Self {
        assert!(table.0 < TABLES_PER_SHARD_MAX, "tables are numbered below the limit");
        assert!(entry.offset <= crate::limits::TABLE_OFFSET_MAX, "tables are sealed before it");
        let units = if entry.sequence == Sequence::TOMBSTONE {
            VALUE_MASK
        } else {
            u64::from(entry.length).div_ceil(UNIT)
        };
        let file = (u64::from(table.0) << OFFSET_BITS) | (entry.offset / UNIT);
        let place = (file << VALUE_BITS) | units;
        Self { place, checksum: entry.checksum as u32 }
    }

    pub(crate) fn table(&self) -> TableNo {
        TableNo((self.place >> (OFFSET_BITS + VALUE_BITS)) as u32)
    }

    /// Where the record begins in the table, in bytes.
    pub(crate) fn offset(&self) -> u64 {
        ((self.place >> VALUE_BITS) & ((1 << OFFSET_BITS) - 1)) * UNIT
    }

    pub(crate) fn is_tombstone(&self) -> bool {
        self.place & VALUE_MASK == VALUE_MASK
    }

    /// The bytes that the record takes in the file.
    pub(crate) fn stored_bytes(&self) -> u64 {
        let units = if self.is_tombstone() { 0 } else { self.place & VALUE_MASK };
        RECORD_HEADER_BYTES as u64 + units * UNIT
    }

    /// Whether it is the place of that entry of that table.
    pub(crate) fn is_at(&self, table: TableNo, entry: &TableEntry) -> bool {
        self.table() == table && self.offset() == entry.offset
    }

    pub(super) fn place(&self) -> u64 {
        self.place
    }

    pub(super) fn from_parts(place: u64, checksum: u32) -> Self {
        Self { place, checksum }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Key;
    use crate::limits::{TABLE_OFFSET_MAX, VALUE_BYTES_MAX};
    use crate::table::record::stored_bytes;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_part_of_a_place_comes_back(
            table in 0..TABLES_PER_SHARD_MAX,
            offset in 0..=TABLE_OFFSET_MAX / UNIT,
            length in 0..=VALUE_BYTES_MAX as u32,
            checksum: u64,
            deleted: bool,
        ) {
            let (sequence, length) =
                if deleted { (Sequence::TOMBSTONE, 0) } else { (Sequence(1), length) };
            let key = Key::new([1; 16]);
            let entry = TableEntry { key, sequence, offset: offset * UNIT, length, checksum };
            let located = Located::new(TableNo(table), &entry);
            prop_assert_eq!((located.table(), located.offset()), (TableNo(table), offset * UNIT));
            prop_assert_eq!(located.stored_bytes(), stored_bytes(length));
            prop_assert_eq!(located.is_tombstone(), deleted);
            prop_assert_eq!(located.checksum, checksum as u32);
            prop_assert!(located.is_at(TableNo(table), &entry));
        }
    }
}
