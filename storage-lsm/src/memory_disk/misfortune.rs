//! What can go wrong with one access, and what is planned to.

/// What one access does instead of what was asked. Where a kind has no meaning
/// for an access (a folder cannot be listed one bit off), nothing happens.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Misfortune {
    /// The machine loses power during the access; a write is torn.
    Crash,
    /// The access fails with `EIO`; what it was to do may have happened in
    /// part. What a failed write or sync was to save may be seen until power
    /// goes and then be lost for good, even if the next sync succeeds.
    Error,
    /// A write, creation, prewrite or sync fails for lack of space.
    NoSpace,
    /// A read or a write says that it ended early; a write did in part.
    Short,
    /// A write reports success and some of its sectors did not arrive.
    Torn,
    /// A write or prewrite reports success and did nothing. A sync that does
    /// so is not among these: if power goes later, nothing can tell.
    Lost,
    /// A write or a read reports success and was one block too far.
    Misdirected,
    /// A write reports success and landed on a block of any other file.
    Astray,
    /// One bit of what is written, or of what a read returns, is wrong.
    Flipped,
}

impl Misfortune {
    /// All kinds.
    pub const ALL: [Self; 9] = [
        Self::Crash,
        Self::Error,
        Self::NoSpace,
        Self::Short,
        Self::Torn,
        Self::Lost,
        Self::Misdirected,
        Self::Astray,
        Self::Flipped,
    ];

    /// Whether the access tells that it failed. What does not tell is found
    /// out by checksums, or never.
    pub fn is_told(self) -> bool {
        matches!(self, Self::Crash | Self::Error | Self::NoSpace | Self::Short)
    }
}

/// The faults to come.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Faults {
    /// What happens at which access, counted from the disk's making.
    pub at: Vec<(u64, Misfortune)>,
    /// The size of the disk in bytes; writes that would exceed it fail with
    /// [`Fault::NoSpace`](crate::disk::Fault::NoSpace).
    pub capacity_bytes: Option<u64>,
}

/// A misfortune that happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Strike {
    /// The number of the access.
    pub access: u64,
    /// What was tried.
    pub operation: &'static str,
    /// On which file; empty for the folder.
    pub file: String,
    /// Where in the file, in bytes.
    pub at: u64,
    /// What happened to it.
    pub misfortune: Misfortune,
    /// Where a write that went astray landed: file, offset and length in bytes.
    pub landed: Option<(String, u64, u64)>,
}
