//! Every bound of the readers, with its unit and its reason.
//!
//! What a desk may hold is the desk's to say ([`desk_protocol::limits`]). These
//! bound the memory and the time that hostile files can cost before their notes
//! are known.

/// A file, in bytes: a board of another tool with its pictures inside.
pub const FILE_BYTES_MAX: usize = 64 << 20;

/// Elements, records, nodes, cards or rows of a file: forty full desks. With
/// some 400 bytes each, the list that a reader keeps stays below 80 MiB.
pub const ELEMENTS_MAX: usize = 200_000;

/// Notes of a board: four full desks, so that a desk's own limit is what people meet.
pub const NOTES_MAX: usize = 20_000;

/// What a compressed part of a clipboard may grow to, in UTF-16 code units: four
/// full desks. A hostile part of one megabyte would grow to gigabytes.
pub const INFLATED_UNITS_MAX: usize = 16 << 20;

/// Columns of a table: what a spreadsheet of 1995 had. A hostile `colspan` costs
/// a place a column.
pub const COLUMNS_MAX: usize = 256;

/// Pixels of a picture: 24 MB of colours while it is drawn. A larger board is drawn smaller.
pub const PICTURE_PIXELS_MAX: usize = 8 << 20;

/// Pixels of a picture's longer side: what browsers draw.
pub const PICTURE_SIDE_PIXELS_MAX: usize = 16_384;

/// Pages of paper: a full desk with a note a page would have thousands. What needs more is
/// drawn on one.
pub const PAGES_MAX: usize = 400;

/// Characters of a file's own words that an error shows.
pub const SHOWN_CHARS_MAX: usize = 40;
