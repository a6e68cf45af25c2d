//! What viewers get of a desk: everything but its deleted stickers (DELETE-4).

use std::collections::BTreeMap;

use crate::desk::Desk;
use crate::id::StickerId;
use crate::operation::{Commit, Operation, Write};

/// What a commit is to viewers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ViewerCommit {
    /// The commit as everyone gets it.
    Same,
    /// A commit of the same revision, without what is about deleted stickers.
    Other(Commit),
    /// It brings back stickers that viewers do not have: they get a snapshot.
    Snapshot,
}

impl ViewerCommit {
    /// Of a commit. `deleted_before` says which stickers were deleted before it; it
    /// is asked about stickers that the commit names.
    pub fn of(commit: &Commit, deleted_before: impl Fn(StickerId) -> bool) -> Self {
        // Nearly every commit is this case, so it costs no table.
        if !commit.operations.iter().any(|one| is_about_deleted(one, &deleted_before)) {
            return Self::Same;
        }
        let fates = fates(&commit.operations, deleted_before);
        if fates.values().all(|fate| *fate == Fate::Seen) {
            return Self::Same;
        }
        if fates.values().any(|fate| *fate == Fate::Restored) {
            return Self::Snapshot;
        }
        let seen = |operation: &&Operation| {
            operation.sticker().is_none_or(|id| fates.get(&id) == Some(&Fate::Seen))
        };
        let mut operations: Vec<_> = commit.operations.iter().filter(seen).cloned().collect();
        let hidden = fates.iter().filter(|(_, fate)| **fate == Fate::Hidden);
        operations.extend(hidden.map(|(id, _)| Operation::Purge { id: *id }));
        Self::Other(Commit { operations, user: commit.user.clone(), ..*commit })
    }
}

/// What a commit makes of a sticker, seen by viewers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    /// They have it, before (unless it is new) and after.
    Seen,
    /// They have it before, and not after.
    Hidden,
    /// They have it neither before nor after.
    Unseen,
    /// They have it after, and not before.
    Restored,
}

/// Whether an operation names a sticker that is deleted before it or by it, or
/// restores one.
fn is_about_deleted(operation: &Operation, deleted_before: impl Fn(StickerId) -> bool) -> bool {
    match operation {
        Operation::Purge { .. } | Operation::Set { write: Write::Deleted(_), .. } => true,
        Operation::Create(create) => create.deleted,
        other => other.sticker().is_some_and(deleted_before),
    }
}

fn fates(
    operations: &[Operation],
    deleted_before: impl Fn(StickerId) -> bool,
) -> BTreeMap<StickerId, Fate> {
    let mut fates = BTreeMap::new();
    for operation in operations {
        let Some(id) = operation.sticker() else { continue };
        let known = fates.entry(id).or_insert_with(|| match operation {
            // Nobody but the limit purges, and only what is deleted.
            Operation::Purge { .. } => Fate::Unseen,
            _ if deleted_before(id) => Fate::Unseen,
            _ => Fate::Seen,
        });
        *known = match (operation, *known) {
            (Operation::Create(create), _) if create.deleted => Fate::Unseen,
            (Operation::Set { write: Write::Deleted(true), .. }, Fate::Seen) => Fate::Hidden,
            (Operation::Set { write: Write::Deleted(true), .. }, Fate::Restored) => Fate::Unseen,
            (Operation::Set { write: Write::Deleted(false), .. }, Fate::Unseen) => Fate::Restored,
            (Operation::Set { write: Write::Deleted(false), .. }, Fate::Hidden) => Fate::Seen,
            (_, fate) => fate,
        };
    }
    fates
}

impl Desk {
    /// The desk as viewers have it: without deleted stickers, and without a memory of
    /// purged ones.
    pub fn for_viewers(&self) -> Desk {
        let mut desk = self.clone();
        for sticker in self.bin() {
            desk.remove(sticker.id);
        }
        desk.purged.clear();
        desk.purged_ids.clear();
        desk.purge_floor = Default::default();
        desk
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{Author, ClientSeq, Revision};
    use crate::operation::{CollisionStatus, Create};
    use crate::resolver::apply;
    use crate::text::{Delta, Part};

    fn create(id: u64, deleted: bool) -> Operation {
        Operation::Create(Create {
            id: StickerId(id),
            kind: Default::default(),
            position: Default::default(),
            size: Default::default(),
            color: Default::default(),
            text: format!("text {id}"),
            deleted,
            locked: false,
            z: Some(id as i64),
        })
    }

    fn delete(id: u64, deleted: bool) -> Operation {
        let write = Write::Deleted(deleted);
        Operation::Set { id: StickerId(id), write, yielding: false }
    }

    fn purge(id: u64) -> Operation {
        Operation::Purge { id: StickerId(id) }
    }

    fn edit(id: u64) -> Operation {
        let delta = Delta::from_parts([Part::insert("secret ")]).unwrap();
        Operation::EditText { id: StickerId(id), delta }
    }

    fn commit(at: u64, operations: Vec<Operation>) -> Commit {
        Commit {
            revision: Revision(at),
            author: Author(1),
            client_seq: ClientSeq(at),
            status: CollisionStatus::Clean,
            user: "ann".to_owned(),
            accepted_at_ms: at,
            operations,
        }
    }

    /// 1 is seen, 2 is deleted.
    fn desk() -> Desk {
        let mut desk = Desk::new("Retro".to_owned());
        apply(&mut desk, &commit(1, vec![create(1, false), create(2, true)])).unwrap();
        desk
    }

    /// A viewer's replica and the desk go through a commit, and then agree.
    #[track_caller]
    fn check(operations: Vec<Operation>, expected: Option<Vec<Operation>>) {
        let mut desk = desk();
        let mut replica = desk.for_viewers();
        let commit = commit(2, operations);
        let deleted = |id| desk.sticker(id).is_some_and(|sticker| sticker.deleted.value);
        let seen = match ViewerCommit::of(&commit, deleted) {
            ViewerCommit::Same => commit.clone(),
            ViewerCommit::Other(other) => other,
            ViewerCommit::Snapshot => {
                assert_eq!(expected, None, "a snapshot was not called for");
                return;
            }
        };
        assert_eq!(Some(&seen.operations), expected.as_ref());
        apply(&mut desk, &commit).unwrap();
        apply(&mut replica, &seen).unwrap();
        assert_eq!(replica.for_viewers(), desk.for_viewers());
        assert!(replica.stickers().all(|sticker| !sticker.deleted.value));
    }

    #[test]
    fn delete_4_viewers_get_no_deleted_sticker() {
        let viewed = desk().for_viewers();
        assert_eq!(viewed.stickers().map(|one| one.id.0).collect::<Vec<_>>(), [1]);
        assert_eq!(viewed.deleted_bytes(), 0);
    }

    #[test]
    fn delete_4_what_is_not_about_deleted_stickers_is_the_same() {
        let same = vec![edit(1), create(3, false)];
        check(same.clone(), Some(same));
    }

    #[test]
    fn delete_4_a_deletion_is_a_purge() {
        check(vec![edit(1), delete(1, true)], Some(vec![purge(1)]));
        check(vec![create(3, false), delete(1, true)], Some(vec![create(3, false), purge(1)]));
        // What the limit purges at once was deleted before the viewers' eyes.
        check(vec![delete(1, true), purge(1)], Some(vec![purge(1)]));
    }

    #[test]
    fn delete_4_changes_of_deleted_stickers_are_left_out() {
        check(vec![edit(2), edit(1)], Some(vec![edit(1)]));
        check(vec![edit(2)], Some(vec![]));
        check(vec![delete(2, true)], Some(vec![]));
        check(vec![create(3, true)], Some(vec![]));
        check(vec![edit(1), purge(2)], Some(vec![edit(1)]));
    }

    #[test]
    fn delete_4_a_restore_needs_a_snapshot() {
        check(vec![delete(2, false)], None);
        check(vec![edit(2), delete(2, false), edit(1)], None);
    }

    #[test]
    fn delete_4_a_restore_of_what_is_there_is_the_same() {
        check(vec![delete(1, false)], Some(vec![delete(1, false)]));
    }
}
