//! A desk as a file.

/// The formats.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// Everything; comes back by import.
    Json,
    /// A table; comes back by import.
    Csv,
    /// For people.
    Markdown,
    /// A picture.
    Svg,
}

impl Format {
    /// Their names in a query.
    pub const NAMES: [(&'static str, Self); 4] =
        [("json", Self::Json), ("csv", Self::Csv), ("md", Self::Markdown), ("svg", Self::Svg)];
}
