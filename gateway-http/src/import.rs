//! Notes out of a file.

/// What the file is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// Our own export.
    Json,
    /// A table with a header line.
    Csv,
    /// A note a line.
    Lines,
}
