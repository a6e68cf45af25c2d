//! ORDER-9: no commit, batch or snapshot makes a replica panic or lie.

mod generator;
mod server;

use desk_protocol::limits::DeskLimits;
use desk_protocol::resolver::{ApplyError, apply, compose, invert, overlay, transform};
use desk_protocol::text::{Delta, DeltaError, Part};
use desk_protocol::{
    Author, Batch, ClientSeq, Color, Commit, Create, Desk, Operation, Point, Revision, Size,
    StickerId, StickerKind, Write,
};
use generator::Random;
use server::*;

fn edge(random: &mut Random) -> i64 {
    *random.pick(&[0, 1, -1, 5, 1 << 52, -(1 << 52), (1 << 52) + 1, i64::MAX, i64::MIN])
}

fn hostile_delta(random: &mut Random) -> Delta {
    let parts = (0..random.below(5)).map(|_| match random.below(3) {
        0 => Part::Insert { text: generator::text(random, 3).into(), continues: random.chance(2) },
        1 => Part::Retain(random.next() as u32 >> random.below(32)),
        _ => Part::Delete(random.next() as u32 >> random.below(32)),
    });
    let parts: Vec<_> = parts.collect();
    Delta::from_parts(parts).unwrap_or_default()
}

fn hostile_operation(random: &mut Random) -> Operation {
    let id = StickerId(1 + random.below(5) as u64);
    let z = [None, Some(edge(random)), Some(3)][random.below(3)];
    match random.below(8) {
        0 => Operation::Create(Create {
            id,
            position: Point { x: edge(random) as i32, y: i32::MIN },
            size: Size { width: edge(random) as u32, height: 0 },
            color: Color(u32::MAX),
            text: generator::text(random, 4),
            kind: StickerKind(random.below(256) as u8),
            deleted: random.chance(2),
            locked: random.chance(2),
            z,
        }),
        1 => Operation::Raise { id, z },
        2 => Operation::Lower { id, z },
        3 => Operation::Purge { id },
        4 => set(id.0, Write::Z(edge(random))),
        5 => set(id.0, Write::Deleted(random.chance(2))),
        6 if random.chance(3) => Operation::SetTitle { title: "t".into(), yielding: true },
        _ => Operation::EditText { id, delta: hostile_delta(random) },
    }
}

fn commit(revision: Revision, operations: Vec<Operation>) -> Commit {
    Commit {
        revision,
        author: Author(7),
        client_seq: ClientSeq(1),
        status: Default::default(),
        user: String::new(),
        accepted_at_ms: 0,
        operations,
    }
}

#[test]
fn order_9_hostile_commits_apply_whole_or_not_at_all() {
    let mut applied = 0;
    for seed in 0..30_000 {
        let mut random = Random::new(seed);
        let mut server = Server::default();
        server.now(1, vec![create(1, "ab"), create(2, "é😀"), create(3, "")]);
        server.now(1, vec![delete(2)]);
        let mut desk = server.desk;
        for _ in 0..3 {
            let count = 1 + random.below(5);
            let operations: Vec<_> = (0..count).map(|_| hostile_operation(&mut random)).collect();
            let before = desk.clone();
            let commit = commit(desk.revision().next(), operations);
            match apply(&mut desk, &commit) {
                Ok(()) => applied += 1,
                Err(_) => assert_eq!(desk, before, "seed {seed}: not applied, not changed"),
            }
            let rebuilt = Desk::from_parts(desk.to_parts()).expect("parts of a desk");
            assert_eq!(rebuilt, desk, "seed {seed}: indexes");
        }
    }
    assert!(applied > 10_000, "{applied}");
}

#[test]
fn order_9_hostile_batches_panic_nowhere() {
    for seed in 0..30_000 {
        let mut random = Random::new(seed);
        let mut server = Server::default();
        server.now(1, vec![create(1, "ab"), create(2, "é😀"), create(3, "")]);
        server.now(1, vec![insert(1, 0, "x"), delete(2)]);
        let mut batches = [Batch::default(), Batch::default()];
        for batch in &mut batches {
            for _ in 0..random.below(6) {
                let _ = batch.push(hostile_operation(&mut random));
            }
        }
        let [first, second] = batches;
        let _ = compose(&first, &second);
        let _ = invert(&first, &server.desk);
        let (moved, over) = transform(&first, second.operations());
        let _ = transform(&moved, &over);
        let mut view = server.desk.clone();
        overlay(&mut view, &first, Author(1), 0);
        overlay(&mut view, &moved, Author(2), 0);
        let base = random.below(3) as u64;
        if server.submit(3, base, &first).is_ok() {
            let _ = server.submit(4, base, &second);
        }
        let list: Vec<_> = (0..4).map(|_| hostile_operation(&mut random)).collect();
        if let Ok(batch) = Batch::from_operations(list, &DeskLimits::default()) {
            let _ = server.submit(5, base, &batch);
        }
        let rebuilt = Desk::from_parts(server.desk.to_parts()).expect("parts of a desk");
        assert_eq!(rebuilt, server.desk, "seed {seed}: indexes");
    }
}

#[test]
fn order_9_commits_that_do_not_follow_are_refused() {
    let mut server = Server::default();
    server.now(1, vec![create(1, "ab")]);
    let desk = &mut server.desk;
    let refused = |desk: &mut Desk, operations| {
        let commit = commit(desk.revision().next(), operations);
        apply(desk, &commit).expect_err("it does not fit")
    };
    let (expected, found) = (Revision(2), Revision(3));
    assert_eq!(
        apply(desk, &commit(Revision(3), vec![])),
        Err(ApplyError::Revision { expected, found })
    );
    let id = StickerId(5);
    assert_eq!(refused(desk, vec![move_to(5, 0)]), ApplyError::NoSticker { operation: 0, id });
    let id = StickerId(1);
    assert_eq!(refused(desk, vec![create(1, "")]), ApplyError::Exists { operation: 0, id });
    assert_eq!(refused(desk, vec![raise(1)]), ApplyError::Height { operation: 0, id });
    let low = set(1, Write::Z(i64::MIN));
    assert_eq!(refused(desk, vec![low]), ApplyError::Height { operation: 0, id });
    // The second delta is measured by what the first leaves.
    let twice = vec![cut(1, 0, 2), cut(1, 0, 1)];
    let reason = DeltaError::PastEnd { needed: 1, found: 0 };
    assert_eq!(refused(desk, twice), ApplyError::Text { operation: 1, reason });
    let long = vec![insert(1, 0, &"x".repeat(100_000))];
    let reason = DeltaError::TooLong { found: 100_002 };
    assert_eq!(refused(desk, long), ApplyError::Text { operation: 0, reason });
}

#[test]
fn order_9_snapshots_that_make_no_desk_are_refused() {
    let mut server = Server::default();
    server.now(1, vec![create(1, "ab")]);
    let good = server.desk.to_parts();
    let mut twice = good.clone();
    twice.stickers.push(twice.stickers[0].clone());
    assert!(Desk::from_parts(twice).is_err());
    let mut future = good.clone();
    future.revision = Revision(0);
    assert!(Desk::from_parts(future).is_err());
    let mut edge = good;
    edge.revision = Revision(u64::MAX);
    edge.stickers[0].z.value = i64::MAX;
    let mut desk = Desk::from_parts(edge).expect("strange, but a desk");
    let next = desk.revision().next();
    let _ = apply(&mut desk, &commit(next, vec![]));
    let batch =
        Batch::from_operations(vec![create(2, ""), raise(1), lower(2)], &DeskLimits::default())
            .expect("fine");
    overlay(&mut desk, &batch, Author(1), 0);
}
