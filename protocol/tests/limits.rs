//! LIMIT, DELETE and the rest of ORDER: what is refused, purged, stale or void.

mod server;

use desk_protocol::limits::*;
use desk_protocol::resolver::{
    BatchError, Invalid, Refusal, RejectionReason, TextHistories, apply, transform,
};
use desk_protocol::text::Part;
use desk_protocol::{
    Author, Batch, CollisionStatus, Color, Create, Desk, Operation, Point, Revision, Stamp,
    StickerId, Write,
};
use server::*;

fn with_bin(bin: BinLimits) -> Server {
    Server { limits: OrderLimits { bin, ..OrderLimits::default() }, ..Server::default() }
}

fn text_of(server: &Server, id: u64) -> &str {
    &server.desk.sticker(StickerId(id)).expect("it is there").text.value
}

#[test]
fn order_4_the_later_write_stands() {
    let mut server = Server::default();
    server.now(9, vec![create(1, "")]);
    server.order(1, 1, vec![move_to(1, 5), recolor(1, 5)]);
    server.order(2, 1, vec![move_to(1, 6)]);
    let sticker = server.desk.sticker(StickerId(1)).expect("created");
    assert_eq!(sticker.position.value, Point { x: 6, y: 0 });
    assert_eq!(sticker.color.value, Color(5));
}

#[test]
fn order_5_stamps_tell_concurrency_for_every_author() {
    // The newest write by anybody else, however the authors take turns.
    let writes = [(1, 1), (2, 1), (3, 2), (4, 2), (5, 1), (6, 3), (7, 3), (8, 1)];
    let mut stamp = Stamp::new(Revision(1), Author(1));
    for upto in 1..writes.len() {
        let (revision, author) = writes[upto];
        stamp = stamp.written(Revision(revision), Author(author));
        for asked in 1..=4 {
            let others = writes[..=upto].iter().filter(|(_, author)| *author != asked);
            let newest = others.map(|(revision, _)| *revision).max().unwrap_or(0);
            assert_eq!(stamp.newest_by_others(Author(asked)), Revision(newest));
            for base in 0..9 {
                assert_eq!(stamp.concurrent(Author(asked), Revision(base)), newest > base);
            }
        }
    }
}

#[test]
fn order_6_yielding_writes_give_way() {
    let mut server = Server::default();
    server.now(1, vec![create(1, ""), create(2, "")]);
    let soft = |x| yielding(1, Write::Position(Point { x, y: 0 }));
    // Nobody wrote: it is a write like any other.
    assert_eq!(server.order(1, 1, vec![soft(5)]).operations.len(), 1);
    // Void after anyone's write of that register, even one's own.
    server.now(1, vec![move_to(1, 6)]);
    assert_eq!(server.order(1, 2, vec![soft(7)]).operations, []);
    // Another register does not matter.
    server.now(2, vec![recolor(1, 1)]);
    assert_eq!(server.order(1, 3, vec![soft(8)]).operations.len(), 1);
    // An undone creation is void if anyone else touched the sticker.
    let undo = yielding(2, Write::Deleted(true));
    server.now(2, vec![recolor(2, 1)]);
    assert_eq!(server.order(1, 1, vec![undo.clone()]).operations, []);
    let head = server.desk.revision().0;
    assert_eq!(server.order(1, head, vec![undo]).operations.len(), 1);
}

#[test]
fn order_6_the_client_finds_void_what_the_server_does() {
    let mut server = Server::default();
    server.now(1, vec![create(1, "")]);
    let undo =
        Batch::from_operations(vec![yielding(1, Write::Deleted(true))], &DeskLimits::default())
            .expect("fine");
    let earlier = server.now(2, vec![recolor(1, 1)]).operations;
    let (moved, over) = transform(&undo, &earlier);
    assert!(moved.is_empty());
    // The queue behind it saw the sticker deleted, and gets it back.
    assert_eq!(over, [recolor(1, 1), restore(1)]);
}

#[test]
fn order_7_a_base_below_the_text_history_is_stale() {
    let mut server = Server {
        histories: TextHistories::new(HistoryLimits { deltas_per_sticker: 2, bytes: 1 << 20 }),
        ..Server::default()
    };
    server.now(1, vec![create(1, "a"), create(2, "b")]);
    for _ in 0..3 {
        server.now(1, vec![insert(1, 0, "x")]);
    }
    let late = |server: &mut Server, base, id| {
        let batch =
            Batch::from_operations(vec![move_to(2, 1), insert(id, 0, "y")], &DeskLimits::default())
                .expect("fine");
        let before = server.desk.clone();
        let result = server.submit(2, base, &batch);
        if result.is_err() {
            assert_eq!(server.desk, before, "stale changes nothing");
        }
        result.map(|acceptance| acceptance.commit.operations.len())
    };
    // The first of three deltas is forgotten; registers and other texts do not care.
    assert_eq!(late(&mut server, 1, 1), Err(Refusal::Stale(StickerId(1))));
    assert_eq!(late(&mut server, 1, 2), Ok(2));
    assert_eq!(late(&mut server, 2, 1), Ok(2));
    // FLIGHT-12: a restart forgets everything: only those who miss a text change notice.
    server.histories.clear();
    assert_eq!(late(&mut server, 5, 1), Err(Refusal::Stale(StickerId(1))));
    assert_eq!(late(&mut server, 6, 1), Ok(2));
}

#[test]
fn order_7_too_much_work_is_stale_too() {
    let mut server = Server::default();
    let pieces = 1_000u32;
    server.now(1, vec![create(1, &"ab".repeat(pieces as usize))]);
    for _ in 0..300 {
        server.now(1, vec![insert(1, 0, "x")]);
    }
    let parts = (0..pieces).flat_map(|_| [Part::Retain(1), Part::Delete(1)]);
    let delta = desk_protocol::Delta::from_parts(parts).expect("fits");
    assert!(delta.parts().len() * 300 > TRANSFORM_STEPS_MAX);
    let edit = Operation::EditText { id: StickerId(1), delta };
    let batch = Batch::from_operations(vec![edit], &DeskLimits::default()).expect("fine");
    assert_eq!(server.submit(2, 1, &batch), Err(Refusal::Stale(StickerId(1))));
    assert!(server.submit(2, 200, &batch).is_ok());
}

#[test]
fn order_8_a_sender_without_a_replica_merges_at_the_head() {
    use desk_protocol::resolver::{Submission, accept};
    let mut server = Server::default();
    server.now(1, vec![create(1, "abc")]);
    server.now(2, vec![insert(1, 3, "d"), move_to(1, 4)]);
    server.histories.clear();
    let batch =
        Batch::from_operations(vec![insert(1, 4, "e"), move_to(1, 5)], &DeskLimits::default())
            .expect("fine");
    let submission = Submission {
        author: Author(1),
        client_seq: Default::default(),
        base: Revision(1),
        made_at: Revision(1),
        batch: &batch,
        user: "",
        now_ms: 0,
        text_at_head: &[StickerId(1)],
    };
    let commit = accept(&mut server.desk, &mut server.histories, submission, &server.limits)
        .expect("fine")
        .commit;
    // The text is at the head already; the register still tells its base.
    assert_eq!(commit.status, CollisionStatus::Overrode);
    assert_eq!(text_of(&server, 1), "abcde");
}

#[test]
fn delete_1_edits_apply_under_a_deletion_and_come_back() {
    let mut server = Server::default();
    server.now(1, vec![create(1, "ab")]);
    server.now(1, vec![delete(1)]);
    server.order(2, 1, vec![insert(1, 2, "c"), move_to(1, 7)]);
    assert_eq!((server.desk.live_stickers(), server.desk.deleted_stickers()), (0, 1));
    server.now(1, vec![restore(1)]);
    assert_eq!(text_of(&server, 1), "abc");
}

#[test]
fn delete_2_the_longest_deleted_are_purged_in_the_commit() {
    let mut server = with_bin(BinLimits { stickers: 2, ..BinLimits::default() });
    server.now(1, (1..=5).map(|id| create(id, "x")).collect());
    server.now(1, vec![delete(3)]);
    server.now(1, vec![delete(1)]);
    let mut replica = server.desk.clone();
    // Deleted again: it counts from now.
    apply(&mut replica, &server.now(2, vec![delete(3)])).expect("it follows");
    let commit = server.now(1, vec![delete(2)]);
    assert_eq!(commit.operations, [delete(2), Operation::Purge { id: StickerId(1) }]);
    apply(&mut replica, &commit).expect("it follows");
    assert_eq!(replica, server.desk);
    assert!(server.desk.is_purged(StickerId(1), Revision(0)));
    let purged: Vec<_> = server.desk.purged().collect();
    assert_eq!(purged, [(StickerId(1), commit.revision)]);
    // IDENTITY-2: never again under that id; what was never there is no purged sticker.
    let head = server.desk.revision().0;
    let used = RejectionReason::IdUsed(StickerId(1));
    assert_eq!(server.rejection(1, head, vec![create(1, "")]), used);
    let unknown = RejectionReason::NoSticker(StickerId(77));
    assert_eq!(server.rejection(1, head, vec![move_to(77, 0)]), unknown);
}

#[test]
fn delete_2_bytes_bind_too() {
    let mut server = with_bin(BinLimits { bytes: 300, ..BinLimits::default() });
    server.now(1, (1..=3).map(|id| create(id, &"x".repeat(50))).collect());
    server.now(1, vec![delete(1), delete(2)]);
    assert_eq!(server.desk.deleted_bytes(), 2 * 114);
    // An edit under a deletion may be what goes past the limit.
    let commit = server.now(1, vec![insert(2, 0, &"y".repeat(100))]);
    assert_eq!(commit.operations[1..], [Operation::Purge { id: StickerId(1) }]);
}

#[test]
fn delete_3_forgotten_purges_are_known_by_their_floor() {
    let mut server = with_bin(BinLimits { stickers: 0, ..BinLimits::default() });
    let born_deleted = |id| match create(id, "") {
        Operation::Create(create) => Operation::Create(Create { deleted: true, ..create }),
        other => other,
    };
    let ids: Vec<u64> = (1..=PURGED_IDS_MAX as u64 + 500).collect();
    for ids in ids.chunks(500) {
        server.now(1, ids.iter().map(|id| born_deleted(*id)).collect());
    }
    assert_eq!(server.desk.purged().count(), PURGED_IDS_MAX);
    assert!(server.desk.purge_floor() > Revision(0));
    // An old base may have known it, a new one cannot have.
    assert_eq!(server.status(2, 0, vec![move_to(1, 0)]), CollisionStatus::Purged);
    let head = server.desk.revision().0;
    let unknown = RejectionReason::NoSticker(StickerId(1));
    assert_eq!(server.rejection(2, head, vec![move_to(1, 0)]), unknown);
    let rebuilt = Desk::from_parts(server.desk.to_parts()).expect("parts of a desk");
    assert_eq!(rebuilt, server.desk);
}

#[test]
fn limit_1_an_authors_own_text_is_bound() {
    let mut server = Server::default();
    let full = "x".repeat(TEXT_CHARS_MAX);
    server.now(1, vec![create(1, &full)]);
    let long =
        RejectionReason::TextTooLong { found: TEXT_CHARS_MAX as u64 + 1, limit: TEXT_CHARS_MAX };
    assert_eq!(server.rejection(1, 1, vec![insert(1, 0, "y")]), long);
    server.now(1, vec![cut(1, 0, 1)]);
    server.now(1, vec![insert(1, 0, "é")]);
    assert_eq!(text_of(&server, 1).chars().count(), TEXT_CHARS_MAX);
}

#[test]
fn limit_2_a_merge_may_pass_a_text_limit_twofold() {
    let mut server = Server::default();
    server.now(9, vec![create(1, "")]);
    let full = "x".repeat(TEXT_CHARS_MAX);
    server.order(1, 1, vec![insert(1, 0, &full)]);
    server.order(2, 1, vec![insert(1, 0, &full)]);
    assert_eq!(text_of(&server, 1).len(), 2 * TEXT_CHARS_MAX);
    let long = RejectionReason::MergedTextTooLong {
        found: 2 * TEXT_CHARS_MAX as u64 + 1,
        limit: 2 * TEXT_CHARS_MAX,
    };
    assert_eq!(server.rejection(3, 1, vec![insert(1, 0, "y")]), long);
    // Too long a text may still shrink, though not under its author's limit.
    server.now(1, vec![cut(1, 0, 5_000)]);
    let replica = Desk::from_parts(server.desk.to_parts()).expect("parts of a desk");
    assert_eq!(replica, server.desk);
}

#[test]
fn limit_6_a_moved_edit_is_bound_by_the_merge() {
    let mut server = Server::default();
    server.now(9, vec![create(1, "")]);
    // Author 1 makes 9,000 characters offline, meanwhile 2 makes 4,000.
    server.now(2, vec![insert(1, 0, &"y".repeat(4_000))]);
    let moved =
        Batch::from_operations(vec![insert(1, 4_000, &"x".repeat(9_000))], &server.limits.desk)
            .expect("within the author's limit");
    // Caught up and sent at the head, as if made there, it is too long; as made before, not.
    let long = RejectionReason::TextTooLong { found: 13_000, limit: TEXT_CHARS_MAX };
    let refused = |refusal: Result<_, Refusal>| match refusal {
        Err(Refusal::Rejected(why)) => why.reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(server.clone().submit_made(1, 2, 2, &moved).map(|_| ())), long);
    assert!(server.clone().submit_made(1, 1, 2, &moved).is_ok());
    // Nobody else wrote since: the claim of an old base gains nothing.
    let own = |from: u64| {
        let mut server = server.clone();
        server.now(1, vec![insert(1, 0, &"z".repeat(5_000))]);
        refused(server.submit_made(1, from, 3, &moved).map(|_| ()))
    };
    assert_eq!(own(2), RejectionReason::TextTooLong { found: 18_000, limit: TEXT_CHARS_MAX });
    // With a true claim and a false one alike, the merge's limit holds.
    let mut full = server.clone();
    full.submit_made(1, 1, 2, &moved).expect("a merge");
    let much = Batch::from_operations(vec![insert(1, 0, &"w".repeat(8_000))], &server.limits.desk)
        .expect("well formed");
    let long = RejectionReason::MergedTextTooLong { found: 21_000, limit: 2 * TEXT_CHARS_MAX };
    assert_eq!(refused(full.submit_made(3, 0, 3, &much).map(|_| ())), long);
    // At its own base an author is bound however much others write behind its back.
    let all = Batch::from_operations(vec![insert(1, 0, &"v".repeat(10_001))], &server.limits.desk)
        .expect("a merged text may have as many");
    let own = RejectionReason::TextTooLong { found: 10_001, limit: TEXT_CHARS_MAX };
    assert_eq!(refused(server.submit_made(3, 1, 1, &all).map(|_| ())), own);
}

#[test]
fn limit_7_a_moved_delta_may_have_more_parts() {
    let mut server = Server::default();
    server.limits.desk.delta_parts = 4;
    let batch = |limits: &DeskLimits| {
        let cuts = (0..3).flat_map(|_| [Part::Retain(1), Part::Delete(1)]);
        let delta = desk_protocol::Delta::from_parts(cuts).expect("fits");
        Batch::from_operations(vec![Operation::EditText { id: StickerId(1), delta }], limits)
    };
    let many = Invalid::DeltaParts { found: 6, limit: 4 };
    assert_eq!(batch(&server.limits.desk), Err(BatchError::Invalid { operation: 0, reason: many }));
    let moved = batch(&server.limits.desk.of_moved()).expect("moved over others'");
    server.now(9, vec![create(1, "abcdef")]);
    assert!(server.submit_made(1, 0, 1, &moved).is_ok());
    assert_eq!(text_of(&server, 1), "ace");
}

#[test]
fn limit_8_every_limit_of_a_desk_acts_as_it_is_set() {
    let small = DeskLimits {
        text_chars: 5,
        title_chars: 4,
        stickers: 3,
        desk_bytes: 300,
        batch_operations: 6,
        delta_parts: 2,
        ..DeskLimits::default()
    };
    let door = |list| Batch::from_operations(list, &small).expect_err("refused").to_string();
    assert_eq!(
        door(vec![create(1, "abcdef")]),
        "operation 0: the text has 6 characters, at most 5 are allowed"
    );
    assert_eq!(
        door(vec![create(1, "abc"), insert(1, 0, "def")]),
        "operation 1: the text has 6 characters, at most 5 are allowed"
    );
    assert_eq!(
        door(vec![title("title")]),
        "operation 0: the title has 5 characters, at most 4 are allowed"
    );
    assert_eq!(
        door((0..7).map(raise).collect()),
        "the batch has 7 operations, at most 6 are allowed"
    );
    let delta = [Part::Delete(1), Part::Retain(1), Part::Delete(1)];
    let delta = desk_protocol::Delta::from_parts(delta).expect("fits");
    assert_eq!(
        door(vec![Operation::EditText { id: StickerId(1), delta }]),
        "operation 0: the delta has 3 parts, at most 2 are allowed"
    );
    let limits = OrderLimits { desk: small, ..OrderLimits::default() };
    let mut server = Server { limits, ..Server::default() };
    server.now(1, vec![create(1, ""), create(2, "abc")]);
    let mut refused = |list| server.rejection(1, 1, list).to_string();
    assert_eq!(
        refused(vec![insert(2, 0, "def")]),
        "the text would have 6 characters, at most 5 are allowed"
    );
    assert_eq!(
        refused(vec![create(3, ""), create(4, "")]),
        "the desk would have 4 stickers, at most 3 are allowed"
    );
    server.limits.desk.desk_bytes = 200;
    assert_eq!(
        server.rejection(1, 1, vec![create(3, "abcdé")]).to_string(),
        "the desk would take 201 bytes, at most 200 are allowed"
    );
    server.limits.transform_steps = 0;
    server.now(2, vec![insert(1, 0, "x")]);
    let late = Batch::from_operations(vec![insert(1, 0, "y")], &small).expect("well formed");
    assert_eq!(server.submit(1, 1, &late), Err(Refusal::Stale(StickerId(1))));
}

#[test]
fn order_10_a_held_history_outlasts_the_usual_one() {
    let few = HistoryLimits { deltas_per_sticker: 2, bytes: 1 << 20 };
    let more = HistoryLimits { deltas_per_sticker: 5, bytes: 1 << 20 };
    let mut server = Server { histories: TextHistories::new(few), ..Server::default() };
    server.now(1, vec![create(1, "")]);
    server.histories.hold(more);
    for _ in 0..5 {
        server.now(1, vec![insert(1, 0, "x")]);
    }
    let late = Batch::from_operations(vec![insert(1, 0, "y")], &server.limits.desk).expect("fine");
    let submit = |server: &Server, base| server.clone().submit(2, base, &late).map(|_| ());
    assert_eq!(submit(&server, 1), Ok(()));
    let mut ordered = server.clone();
    ordered.submit(2, 1, &late).expect("held");
    assert_eq!(text_of(&ordered, 1), "xxxxxy");
    // Its own limits bind it, and it ends.
    let mut longer = server.clone();
    longer.now(1, vec![insert(1, 0, "x")]);
    assert_eq!(submit(&longer, 1), Err(Refusal::Stale(StickerId(1))));
    server.histories.release();
    assert_eq!(submit(&server, 1), Err(Refusal::Stale(StickerId(1))));
    assert_eq!(submit(&server, 4), Ok(()));
    // What is purged is forgotten by both.
    longer.limits.bin.stickers = 0;
    longer.now(1, vec![delete(1)]);
    assert_eq!(longer.histories.count_after(StickerId(1), Revision(0)), 0);
}

#[test]
fn limit_3_a_full_desk_refuses_more_and_may_shrink() {
    let mut server = Server::default();
    for from in (0..STICKERS_MAX as u64).step_by(500) {
        server.now(1, (from..from + 500).map(|id| create(id + 1, "")).collect());
    }
    let head = server.desk.revision().0;
    let full = RejectionReason::TooManyStickers { found: STICKERS_MAX + 1, limit: STICKERS_MAX };
    assert_eq!(server.rejection(1, head, vec![create(9_999, "")]), full);
    server.now(1, vec![move_to(1, 5), raise(2)]);
    // One out, one in.
    server.now(1, vec![delete(1), create(9_999, "")]);
    let head = server.desk.revision().0;
    assert_eq!(server.rejection(1, head, vec![restore(1)]), full);
}

#[test]
fn limit_4_a_desks_bytes_are_bound() {
    let mut server = Server::default();
    let text = "😀".repeat(TEXT_CHARS_MAX);
    let cost = text.len() + 64;
    let fit = (DESK_BYTES_MAX / cost) as u64;
    for id in 1..=fit {
        server.now(1, vec![create(id, &text)]);
    }
    assert_eq!(server.desk.live_bytes(), fit as usize * cost);
    let head = server.desk.revision().0;
    let large =
        RejectionReason::DeskTooLarge { found: (fit as usize + 1) * cost, limit: DESK_BYTES_MAX };
    assert_eq!(server.rejection(1, head, vec![create(999, &text)]), large);
    server.now(1, vec![cut(1, 0, 9_000)]);
    server.now(1, vec![create(998, "a few")]);
}

#[test]
fn limit_5_impossible_operations_name_themselves() {
    let mut server = Server::default();
    server.now(1, vec![create(1, "ab")]);
    let unknown = RejectionReason::NoSticker(StickerId(5));
    for operation in [move_to(5, 0), raise(5), insert(5, 0, "x"), insert(5, 0, ""), delete(5)] {
        assert_eq!(server.rejection(1, 1, vec![operation]), unknown);
    }
    let used = RejectionReason::IdUsed(StickerId(1));
    assert_eq!(server.rejection(1, 1, vec![create(1, "")]), used);
    // Told by the text at the base, whatever has happened since.
    server.now(1, vec![insert(1, 2, "cdef")]);
    let past = RejectionReason::PastEnd { needed: 3, found: 2 };
    assert_eq!(server.rejection(2, 1, vec![cut(1, 0, 3)]), past);
    let batch = Batch::from_operations(vec![move_to(1, 0), cut(1, 0, 3)], &DeskLimits::default())
        .expect("fine");
    let refusal = server.submit(2, 1, &batch).expect_err("impossible");
    assert_eq!(
        refusal.to_string(),
        "operation 1 (edit_text): the delta counts 3 characters, the text at its base had 2"
    );
}
