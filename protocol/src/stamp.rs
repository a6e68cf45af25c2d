//! Who wrote a register last, and when in the desk's order.

use crate::id::{Author, Revision};

/// The last write of a register, and the last one by anybody else.
///
/// With both, "did another author write this after my base" is one comparison
/// for every author, however long the author was away: if the last writer is
/// someone else, its revision decides; if it is the author itself, `other` does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stamp {
    /// Revision of the last write.
    pub revision: Revision,
    /// Who made it.
    pub author: Author,
    /// Revision of the last write by an author other than `author`.
    pub other: Revision,
}

impl Stamp {
    /// The stamp of a register first written by `author` at `revision`.
    pub const fn new(revision: Revision, author: Author) -> Self {
        Self { revision, author, other: Revision(0) }
    }

    /// The stamp after a further write.
    #[must_use]
    pub fn written(self, revision: Revision, author: Author) -> Self {
        let other = if author == self.author { self.other } else { self.revision };
        Self { revision, author, other }
    }

    /// Revision of the newest write by an author other than `author`.
    pub fn newest_by_others(self, author: Author) -> Revision {
        if author == self.author { self.other } else { self.revision }
    }

    /// Whether an author other than `author` wrote after `base`.
    pub fn concurrent(self, author: Author, base: Revision) -> bool {
        self.newest_by_others(author) > base
    }
}
