//! Why bytes are not a part of a table.

use super::VERSION;
use crate::field::Short;

/// Why bytes are not a part of a table.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TableError {
    /// They do not begin like one.
    #[error("no part of a table begins here")]
    NoTable,
    /// The format is not known to this program.
    #[error("table format {0} is unknown, expected {VERSION}")]
    Version(u16),
    /// A length or an offset is impossible.
    #[error("a length or an offset of the table is impossible")]
    Length,
    /// The checksum is not that of the bytes in this place.
    #[error("the checksum does not fit the bytes or the place")]
    Checksum,
}

impl From<Short> for TableError {
    fn from(_: Short) -> Self {
        Self::Length
    }
}
