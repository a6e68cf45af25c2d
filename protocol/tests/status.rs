//! STATUS: each row of the table, and who counts as concurrent.

mod server;

use desk_protocol::CollisionStatus::{self, Clean, Hidden, Merged, Overrode, Purged};
use desk_protocol::limits::BinLimits;
use desk_protocol::{Color, Create, Operation, Point, StickerId, StickerKind, Write};
use server::*;

/// Two stickers at revision 1, by author 9; 2 is deleted at revision 2.
fn desk() -> Server {
    let mut server = Server::default();
    server.now(9, vec![create(1, "text"), create(2, "text")]);
    server.now(9, vec![delete(2)]);
    server
}

/// The status of `mine` by author 1 at revision 2, after author 2's batches.
fn after(theirs: &[Vec<Operation>], mine: Vec<Operation>) -> CollisionStatus {
    let mut server = desk();
    for batch in theirs {
        server.now(2, batch.clone());
    }
    server.status(1, 2, mine)
}

fn soft_title() -> Operation {
    Operation::SetTitle { title: "mine".into(), yielding: true }
}

#[test]
fn status_1_nothing_concurrent_is_clean() {
    assert_eq!(after(&[], vec![move_to(1, 5)]), Clean);
    assert_eq!(after(&[], vec![delete(2), restore(2), insert(1, 0, "x")]), Clean);
    // The scope is the sticker.
    assert_eq!(after(&[vec![move_to(2, 5), title("theirs")]], vec![move_to(1, 5)]), Clean);
    assert_eq!(after(&[vec![move_to(1, 5)]], vec![create(3, "")]), Clean);
    assert_eq!(after(&[vec![move_to(1, 5)]], vec![title("mine")]), Clean);
    // What was there at the base is not concurrent, a deletion included.
    assert_eq!(after(&[], vec![move_to(2, 5)]), Clean);
}

#[test]
fn status_1_ones_own_later_commits_do_not_count() {
    let mut server = desk();
    server.now(1, vec![move_to(1, 5), insert(1, 0, "x"), delete(1)]);
    assert_eq!(server.status(1, 2, vec![move_to(1, 6), insert(1, 0, "y")]), Clean);
}

#[test]
fn status_1_void_operations_of_others_do_not_count() {
    let mut server = desk();
    server.now(9, vec![recolor(1, 1)]);
    // Author 2 yields to that, so it has changed nothing.
    server.order(2, 2, vec![yielding(1, Write::Color(Color(2)))]);
    assert_eq!(server.status(1, 3, vec![recolor(1, 3)]), Clean);
}

#[test]
fn status_1_votes_and_desk_registers_meet_nothing() {
    let theirs = vec![vote(1, 1), register(1, b"theirs")];
    assert_eq!(after(std::slice::from_ref(&theirs), vec![register(1, b"mine"), vote(1, 2)]), Clean);
    assert_eq!(after(std::slice::from_ref(&theirs), vec![move_to(1, 5)]), Clean);
    // A vote is no touch: a creation that got one can still be undone.
    assert_eq!(after(&[theirs], vec![yielding(1, Write::Deleted(true))]), Clean);
    assert_eq!(after(&[vec![move_to(1, 5)]], vec![vote(1, 1)]), Clean);
}

#[test]
fn status_4_a_vote_on_what_another_deleted_is_hidden() {
    assert_eq!(after(&[vec![delete(1)]], vec![vote(1, 1)]), Hidden);
}

#[test]
fn status_2_kept_side_by_side_is_merged() {
    assert_eq!(after(&[vec![recolor(1, 1)]], vec![move_to(1, 5)]), Merged);
    assert_eq!(after(&[vec![insert(1, 0, "x")]], vec![insert(1, 4, "y")]), Merged);
    assert_eq!(after(&[vec![raise(1)]], vec![insert(1, 4, "y")]), Merged);
    // Both delete; a deletion over concurrent edits.
    assert_eq!(after(&[vec![delete(1)]], vec![delete(1)]), Merged);
    assert_eq!(after(&[vec![insert(1, 0, "x")]], vec![delete(1)]), Merged);
    assert_eq!(after(&[vec![restore(2)], vec![delete(2)]], vec![delete(2)]), Merged);
    // Both restore.
    assert_eq!(after(&[vec![restore(2)]], vec![restore(2)]), Merged);
    assert_eq!(after(&[vec![delete(1)], vec![restore(1)]], vec![restore(1)]), Merged);
}

#[test]
fn status_2_void_yielding_writes_are_merged() {
    let soft = |x| yielding(1, Write::Position(Point { x, y: 0 }));
    assert_eq!(after(&[vec![move_to(1, 5)]], vec![soft(6)]), Merged);
    assert_eq!(after(&[vec![title("theirs")]], vec![soft_title()]), Merged);
    assert_eq!(after(&[vec![recolor(1, 5)]], vec![yielding(1, Write::Deleted(true))]), Merged);
    // Void under another's deletion: nothing was changed under its cover.
    assert_eq!(after(&[vec![move_to(1, 5), delete(1)]], vec![soft(6)]), Merged);
    let undelete = yielding(1, Write::Deleted(false));
    assert_eq!(after(&[vec![delete(1)]], vec![undelete]), Merged);
}

#[test]
fn status_3_a_concurrent_write_overwritten_is_overrode() {
    assert_eq!(after(&[vec![move_to(1, 5)]], vec![move_to(1, 6)]), Overrode);
    assert_eq!(after(&[vec![recolor(1, 1)]], vec![recolor(1, 2)]), Overrode);
    assert_eq!(after(&[vec![raise(1)]], vec![lower(1)]), Overrode);
    assert_eq!(after(&[vec![title("theirs")]], vec![title("mine")]), Overrode);
    // A write of the same value counts.
    assert_eq!(after(&[vec![move_to(1, 5)]], vec![move_to(1, 5)]), Overrode);
    // Deletion against restore, either way.
    assert_eq!(after(&[vec![delete(1)]], vec![restore(1)]), Overrode);
    assert_eq!(after(&[vec![restore(2)]], vec![delete(2)]), Overrode);
    // Someone wrote it even though the author did, too, later.
    let mut server = desk();
    server.now(2, vec![move_to(1, 5)]);
    server.order(1, 2, vec![move_to(1, 6)]);
    assert_eq!(server.status(1, 2, vec![move_to(1, 7)]), Overrode);
    assert_eq!(server.status(1, 3, vec![move_to(1, 8)]), Clean);
}

#[test]
fn status_4_changes_under_anothers_deletion_are_hidden() {
    let gone = [vec![delete(1)]];
    assert_eq!(after(&gone, vec![move_to(1, 5)]), Hidden);
    assert_eq!(after(&gone, vec![insert(1, 0, "x")]), Hidden);
    assert_eq!(after(&gone, vec![raise(1)]), Hidden);
    assert_eq!(after(&gone, vec![delete(1), insert(1, 0, "x")]), Hidden);
    // Restored with it, or by the other again: visible.
    assert_eq!(after(&gone, vec![restore(1), move_to(1, 5)]), Overrode);
    assert_eq!(after(&[vec![delete(1)], vec![restore(1)]], vec![move_to(1, 5)]), Merged);
    // A restore that yields to the deletion restores nothing.
    let soft = vec![yielding(1, Write::Deleted(false)), move_to(1, 5)];
    assert_eq!(after(&gone, soft), Hidden);
}

#[test]
fn status_5_anything_on_a_purged_sticker_is_purged() {
    let mut server = desk();
    server.limits.bin = BinLimits { stickers: 1, ..BinLimits::default() };
    server.now(2, vec![delete(1)]);
    assert!(server.desk.sticker(StickerId(2)).is_none(), "the longer deleted one went");
    let commit = server.order(1, 2, vec![move_to(2, 5), insert(2, 0, "x"), delete(2)]);
    assert_eq!((commit.status, commit.operations.len()), (Purged, 0));
}

#[test]
fn status_6_the_strongest_of_a_batch_wins() {
    let theirs = [vec![recolor(1, 1)], vec![restore(2)]];
    assert_eq!(after(&theirs, vec![move_to(1, 5)]), Merged);
    assert_eq!(after(&theirs, vec![move_to(1, 5), delete(2)]), Overrode);
    assert_eq!(after(&[vec![delete(1)]], vec![restore(2), move_to(1, 5)]), Hidden);
    assert!(Clean < Merged && Merged < Overrode && Overrode < Hidden && Hidden < Purged);
}

/// A lock is for hands: what arrives applies, and meets it as any other register.
#[test]
fn lock_2_a_locked_sticker_takes_what_arrives() {
    let lock =
        |locked| Operation::Set { id: StickerId(1), write: Write::Locked(locked), yielding: false };
    assert_eq!(after(&[vec![lock(true)]], vec![move_to(1, 5)]), Merged);
    assert_eq!(after(&[vec![lock(true)]], vec![lock(false)]), Overrode);
    let mut server = desk();
    server.now(2, vec![lock(true)]);
    server.now(1, vec![move_to(1, 5), insert(1, 0, "x"), recolor(1, 1)]);
    let sticker = server.desk.sticker(StickerId(1)).unwrap();
    assert!(sticker.locked.value);
    assert_eq!((sticker.position.value.x, sticker.text.value.as_str()), (5, "xtext"));
    server.now(1, vec![delete(1)]);
    assert!(server.desk.sticker(StickerId(1)).unwrap().deleted.value);
}

/// Undo of a lock gives way, and the later lock stands, as with every register.
#[test]
fn lock_1_a_lock_is_a_register_like_any_other() {
    let mut server = desk();
    let lock = |locked, yielding| Operation::Set {
        id: StickerId(1),
        write: Write::Locked(locked),
        yielding,
    };
    server.now(1, vec![lock(true, false)]);
    server.now(2, vec![lock(true, false)]);
    server.order(1, 3, vec![lock(false, true)]);
    let locked = |server: &Server| server.desk.sticker(StickerId(1)).unwrap().locked.clone();
    assert!(locked(&server).value, "another wrote it after the base");
    server.now(1, vec![lock(false, true)]);
    assert!(!locked(&server).value);
    assert_eq!(locked(&server).stamp.revision, server.desk.revision());
}

#[test]
fn area_1_a_kind_is_kept_and_changes_no_merging() {
    let mut server = desk();
    let made = |id, kind| match create(id, "heading") {
        Operation::Create(create) => {
            Operation::Create(Create { kind: StickerKind(kind), ..create })
        }
        other => other,
    };
    server.now(1, vec![made(7, 1), made(8, 200)]);
    assert_eq!(server.status(1, 3, vec![move_to(7, 5), insert(8, 0, "x")]), Clean);
    let kind = |id| server.desk.sticker(StickerId(id)).unwrap().kind;
    assert_eq!(
        [kind(1), kind(7), kind(8)],
        [StickerKind::NOTE, StickerKind::AREA, StickerKind(200)]
    );
}
