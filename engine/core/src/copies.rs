//! Copies of desks for those who read them, and the bytes of those that are old.
//!
//! A desk keeps its newest copies ready, and they count as memory of the desk. A change
//! outdates them. An outdated copy stays in memory for as long as somebody reads it, and
//! counts here: readers that take their time must not keep a copy of each revision.

use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use crate::limits::{OLD_COPIES_BYTES_MAX, OLD_COPIES_PER_DESK_BYTES_MAX};

/// Bytes of outdated copies that are still read: of a shard, or of one desk.
#[derive(Clone, Debug, Default)]
pub(crate) struct OldCopies(Arc<AtomicUsize>);

impl OldCopies {
    pub(crate) fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// Where the copies of one desk count once they are outdated.
#[derive(Clone, Debug)]
pub(crate) struct Accounts {
    shard: OldCopies,
    desk: OldCopies,
}

impl Accounts {
    /// Of a desk that has no outdated copies.
    pub(crate) fn new(shard: &OldCopies) -> Self {
        Self { shard: shard.clone(), desk: OldCopies::default() }
    }

    /// Whether the desk may be copied once more.
    pub(crate) fn has_room(&self) -> bool {
        self.desk.bytes() < OLD_COPIES_PER_DESK_BYTES_MAX
            && self.shard.bytes() < OLD_COPIES_BYTES_MAX
    }
}

/// A copy of a desk's content that is shared by those who read it.
#[derive(Debug)]
pub struct Copied<T> {
    content: T,
    bytes: usize,
    outdated: OnceLock<Outdated>,
}

impl<T> Copied<T> {
    /// A copy that takes so many bytes.
    pub(crate) fn new(content: T, bytes: usize) -> Arc<Self> {
        Arc::new(Self { content, bytes, outdated: OnceLock::new() })
    }

    /// The bytes that it takes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The desk lets go of the copy. It counts as old until its last reader is done.
    pub(crate) fn outdate(self: Arc<Self>, accounts: &Accounts) {
        if Arc::strong_count(&self) > 1 {
            self.outdated.get_or_init(|| Outdated::new(accounts.clone(), self.bytes));
        }
    }
}

impl<T> Deref for Copied<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.content
    }
}

/// The bytes of one outdated copy.
#[derive(Debug)]
struct Outdated {
    accounts: Accounts,
    bytes: usize,
}

impl Outdated {
    fn new(accounts: Accounts, bytes: usize) -> Self {
        for OldCopies(account) in [&accounts.shard, &accounts.desk] {
            account.fetch_add(bytes, Ordering::Relaxed);
        }
        Self { accounts, bytes }
    }
}

impl Drop for Outdated {
    fn drop(&mut self) {
        for OldCopies(account) in [&self.accounts.shard, &self.accounts.desk] {
            account.fetch_sub(self.bytes, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_counts_from_its_end_to_its_last_reader() {
        let shard = OldCopies::default();
        let accounts = Accounts::new(&shard);
        Copied::new((), 7).outdate(&accounts);
        assert_eq!(shard.bytes(), 0, "nobody reads it");
        let copy = Copied::new((), OLD_COPIES_PER_DESK_BYTES_MAX);
        let readers = [Arc::clone(&copy), Arc::clone(&copy)];
        assert!(accounts.has_room(), "it is the newest");
        copy.outdate(&accounts);
        assert_eq!(shard.bytes(), OLD_COPIES_PER_DESK_BYTES_MAX, "counted once");
        assert!(!accounts.has_room());
        assert!(Accounts::new(&shard).has_room(), "other desks have room");
        drop(readers);
        assert_eq!((shard.bytes(), accounts.desk.bytes()), (0, 0));
    }
}
