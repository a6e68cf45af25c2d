//! BATCH and ORDER: normal form, composition, inversion, transform, heights.

mod generator;
mod server;

use desk_protocol::limits::DeskLimits;
use desk_protocol::resolver::{BatchError, apply, compose, invert, overlay, transform};
use desk_protocol::{
    Author, Batch, ClientSeq, Commit, Create, Desk, Operation, Revision, StickerId, Write,
};
use generator::Random;
use server::*;

/// A desk with a few stickers, some of them deleted.
fn some_desk(random: &mut Random) -> Server {
    let mut server = Server::default();
    let creates = (1..=4).map(|id| Operation::Create(generator::create(random, StickerId(id))));
    server.now(9, creates.collect());
    for id in 1..=4 {
        if random.chance(4) {
            server.now(9, vec![delete(id)]);
        }
    }
    server
}

/// A batch that one author could make on the desk.
fn some_batch(random: &mut Random, desk: &Desk, fresh: &mut u64) -> Batch {
    let mut batch = Batch::default();
    for _ in 0..1 + random.below(4) {
        let mut view = desk.clone();
        overlay(&mut view, &batch, Author(1), 0);
        push(&mut batch, generator::operation(random, &view, fresh));
    }
    batch
}

/// Pushes what an author does; what does not go in this batch would go in the next.
fn push(batch: &mut Batch, operation: Operation) {
    match batch.push(operation) {
        Ok(()) | Err(BatchError::UndoneBehindRestore { .. }) => {}
        Err(error) => panic!("made on the view: {error}"),
    }
}

fn commit(desk: &Desk, operations: Vec<Operation>) -> Commit {
    Commit {
        revision: desk.revision().next(),
        author: Author(7),
        client_seq: ClientSeq(1),
        status: Default::default(),
        user: String::new(),
        accepted_at_ms: 0,
        operations,
    }
}

/// Orders `first` and then `second`, both made at the head, in every way that
/// must come to the same.
fn check_tp1(server: &Server, first: &Batch, second: &Batch, what: &str) {
    let base = server.desk.revision().0;
    // The server transforms.
    let mut ordered = server.clone();
    let earlier = ordered.submit(1, base, first).expect("acceptable").commit.operations;
    let mut rebased = ordered.clone();
    let late = ordered.submit(2, base, second).expect("acceptable").commit;
    // The client transforms, and sends at the head.
    let (over, under) = transform(second, &earlier);
    let fresh = rebased.submit(2, base + 1, &over).expect("acceptable").commit;
    assert_eq!(late.operations, fresh.operations, "{what}: {first:?} | {second:?}");
    assert_eq!(ordered.desk, rebased.desk, "{what}");
    // The client has its own batch first, and the earlier one on top.
    let mut replica = server.clone();
    replica.submit(2, base, second).expect("acceptable");
    let on_top = commit(&replica.desk, under);
    apply(&mut replica.desk, &on_top).expect("it fits");
    assert_eq!(
        content(&replica.desk),
        content(&ordered.desk),
        "{what}: {first:?} | {second:?} -> {on_top:?}"
    );
}

#[test]
fn order_2_tp1_holds_for_every_pair_of_kinds() {
    for seed in 0..40 {
        for one in 0..=generator::KINDS + 2 {
            for other in 0..=generator::KINDS + 2 {
                let mut random = Random::new(seed);
                let server = some_desk(&mut random);
                let sticker = server.desk.sticker(StickerId(1 + seed % 4)).expect("created");
                let mut make = |kind, fresh| match kind {
                    generator::KINDS => {
                        Operation::Create(generator::create(&mut random, StickerId(fresh)))
                    }
                    kind if kind == generator::KINDS + 2 => generator::register(&mut random),
                    kind if kind > generator::KINDS => {
                        Operation::SetTitle { title: fresh.to_string(), yielding: seed % 2 == 0 }
                    }
                    kind => generator::operation_on(&mut random, kind, sticker),
                };
                let [first, second] = [make(one, 100), make(other, 200)].map(|operation| {
                    Batch::from_operations(vec![operation], &DeskLimits::default())
                        .expect("a well-formed batch")
                });
                check_tp1(&server, &first, &second, &format!("{one} {other} seed {seed}"));
            }
        }
    }
}

#[test]
fn order_2_tp1_holds_for_random_batches() {
    for seed in 0..5_000 {
        let mut random = Random::new(seed);
        let server = some_desk(&mut random);
        let first = some_batch(&mut random, &server.desk, &mut 1_000);
        let second = some_batch(&mut random, &server.desk, &mut 2_000);
        check_tp1(&server, &first, &second, &format!("seed {seed}"));
    }
}

/// On a deleted sticker an author takes a deletion back and then a creation. Behind a
/// restore the yielding deletion stays a batch of its own: composed, it would stand on
/// a sticker that is deleted, and be void without bringing the sticker back.
#[test]
fn order_2_an_undone_creation_is_not_composed_behind_a_restore() {
    let limits = DeskLimits::default();
    let one = |operation| Batch::from_operations(vec![operation], &limits).expect("well formed");
    for (seed, kind) in (0..20).flat_map(|seed| (0..generator::KINDS).map(move |kind| (seed, kind)))
    {
        let mut random = Random::new(seed);
        let mut server = some_desk(&mut random);
        server.now(9, vec![delete(1)]);
        let sticker = server.desk.sticker(StickerId(1)).expect("created");
        let other = one(generator::operation_on(&mut random, kind, sticker));
        let what = format!("kind {kind} seed {seed}");
        for back in [yielding(1, Write::Deleted(false)), restore(1)] {
            let mine = [one(back), one(yielding(1, Write::Deleted(true)))];
            let [first, second] = &mine;
            if let Ok(composed) = compose(first, second) {
                check_tp1(&server, &other, &composed, &what);
            }
            // One after the other: the second moves over what the first has made of it.
            let mut ordered = server.clone();
            let base = ordered.desk.revision().0;
            let earlier = ordered.submit(1, base, &other).expect("acceptable").commit.operations;
            let mut replica = server.clone();
            let mut under = earlier;
            for (step, batch) in (0..).zip(&mine) {
                let (over, risen) = transform(batch, &under);
                ordered.submit(2, base + 1 + step, &over).expect("acceptable");
                replica.submit(2, base + step, batch).expect("acceptable");
                under = risen;
            }
            let on_top = commit(&replica.desk, under);
            apply(&mut replica.desk, &on_top).expect("it fits");
            assert_eq!(content(&replica.desk), content(&ordered.desk), "{what}: {other:?}");
        }
    }
}

#[test]
fn order_3_transform_over_several_commits_is_step_by_step() {
    for seed in 0..3_000 {
        let mut random = Random::new(seed);
        let mut server = some_desk(&mut random);
        let mine = some_batch(&mut random, &server.desk, &mut 1_000);
        let mut all = Vec::new();
        let (mut stepwise, mut under) = (mine.clone(), Vec::new());
        for step in 2..4 {
            let theirs = some_batch(&mut random, &server.desk, &mut (step * 1_000));
            let base = server.desk.revision().0;
            let commit = server.submit(2, base, &theirs).expect("acceptable").commit;
            all.extend(commit.operations.clone());
            let over;
            (stepwise, over) = transform(&stepwise, &commit.operations);
            under.extend(over);
        }
        let (at_once, _) = transform(&mine, &all);
        assert_eq!(at_once, stepwise, "seed {seed}");
    }
}

#[test]
fn batch_1_normal_form_does_what_the_list_did() {
    for seed in 0..5_000 {
        let mut random = Random::new(seed);
        let server = some_desk(&mut random);
        let (mut view, mut fresh) = (server.desk.clone(), 1_000);
        let mut edited = Vec::new();
        let mut list: Vec<Operation> = Vec::new();
        for _ in 0..6 {
            let operation = generator::operation(&mut random, &view, &mut fresh);
            if let Operation::EditText { id, .. } = &operation {
                if edited.contains(id) {
                    continue;
                }
                edited.push(*id);
            }
            let alone = Batch::from_operations(vec![operation.clone()], &DeskLimits::default())
                .expect("well formed");
            overlay(&mut view, &alone, Author(1), 0);
            list.push(operation);
        }
        let mut one_by_one = server.clone();
        for operation in &list {
            // On the head, so that nothing yields to what this list wrote.
            one_by_one.now(1, vec![operation.clone()]);
        }
        let mut whole = server.clone();
        whole.now(1, list.clone());
        assert_eq!(content(&whole.desk), content(&one_by_one.desk), "seed {seed}: {list:?}");
        // Writes of plain numbers to heights aside, the pile is the same, too.
        let numbers = |one: &Operation| matches!(one, Operation::Set { write: Write::Z(_), .. });
        if !list.iter().any(numbers) {
            let (one, other) = (order_of_pile(&whole.desk), order_of_pile(&one_by_one.desk));
            assert_eq!(one, other, "seed {seed}: {list:?}");
        }
        assert_normal(&Batch::from_operations(list, &DeskLimits::default()).expect("well formed"));
    }
}

/// At most one operation of each kind of register a sticker, creations and
/// heights in front.
fn assert_normal(batch: &Batch) {
    let mut seen = Vec::new();
    let mut front = true;
    for operation in batch.operations() {
        let create = matches!(operation, Operation::Create(_));
        let height = operation.register() == Some(desk_protocol::Register::Z);
        assert!(front || !(create || height), "{batch:?}");
        front &= create || height;
        let edit = matches!(operation, Operation::EditText { .. });
        let vote = matches!(operation, Operation::Vote { .. });
        let kept = (vote, operation.desk_register());
        let slot = (operation.sticker(), operation.register(), create, edit, kept);
        assert!(!seen.contains(&slot), "{batch:?}");
        let created = seen.contains(&(operation.sticker(), None, true, false, (false, None)));
        assert!(!created || height || vote, "{batch:?}: not folded into its creation");
        seen.push(slot);
    }
}

#[test]
fn batch_1_many_operations_fold_like_few() {
    // More operations than are searched one by one.
    let mut random = Random::new(1);
    let server = some_desk(&mut random);
    let (mut list, mut batch) = (Vec::new(), Batch::default());
    for round in 0..300u64 {
        let operation = match round % 6 {
            0 => create(1_000 + round, "x"),
            1 => move_to(1_000 + round - 1, round as i32),
            2 => recolor(1 + round % 4, round as u32),
            3 => raise(1 + round % 4),
            4 => lower(1_000 + round - 4),
            _ => title(&round.to_string()),
        };
        list.push(operation.clone());
        batch.push(operation).expect("well formed");
    }
    let folded = Batch::from_operations(list, &DeskLimits::default()).expect("well formed");
    assert_eq!(folded, batch);
    assert_normal(&folded);
    assert_eq!(compose(&batch, &Batch::default()), Ok(batch));
    assert!(folded.len() < 120);
    drop(server);
}

#[test]
fn batch_2_compose_is_one_after_the_other() {
    for seed in 0..5_000 {
        let mut random = Random::new(seed);
        let server = some_desk(&mut random);
        let first = some_batch(&mut random, &server.desk, &mut 1_000);
        let mut view = server.desk.clone();
        overlay(&mut view, &first, Author(1), 0);
        let second = some_batch(&mut random, &view, &mut 2_000);
        let base = server.desk.revision().0;

        let mut one_by_one = server.clone();
        one_by_one.submit(1, base, &first).expect("acceptable");
        one_by_one.submit(1, base + 1, &second).expect("acceptable");
        let composed = match compose(&first, &second) {
            Err(BatchError::UndoneBehindRestore { .. }) => continue,
            composed => composed.expect("second was made after first"),
        };
        assert_normal(&composed);
        let mut at_once = server.clone();
        at_once.submit(1, base, &composed).expect("acceptable");
        assert_eq!(content(&at_once.desk), content(&one_by_one.desk), "seed {seed}");
        // What the author saw of it is what it became.
        overlay(&mut view, &second, Author(1), 0);
        assert_eq!(content(&view), content(&at_once.desk), "seed {seed}");
    }
}

#[test]
fn batch_2_composing_folds() {
    let folded = |list: Vec<Operation>| {
        let mut batch = Batch::default();
        for operation in list {
            batch.push(operation).expect("well formed");
        }
        batch.into_operations()
    };
    assert_eq!(folded(vec![move_to(1, 1), move_to(1, 2)]), [move_to(1, 2)]);
    assert_eq!(folded(vec![delete(1), restore(1)]), [restore(1)]);
    assert_eq!(folded(vec![insert(1, 0, "x"), delete(1)]), [delete(1), insert(1, 0, "x")]);
    assert_eq!(folded(vec![insert(1, 0, "x"), cut(1, 0, 1)]), []);
    assert_eq!(folded(vec![raise(1), raise(2), lower(1)]), [raise(2), lower(1)]);
    let hidden = match create(1, "ab") {
        Operation::Create(create) => Operation::Create(Create { deleted: true, ..create }),
        other => other,
    };
    assert_eq!(folded(vec![create(1, "a"), insert(1, 1, "b"), delete(1)]), [hidden]);
    // A write that insists is not softened by one that yields.
    let soft = yielding(1, Write::Z(4));
    assert_eq!(folded(vec![raise(1), soft.clone()]), [soft]);
    let soft = yielding(1, Write::Deleted(false));
    assert_eq!(folded(vec![delete(1), soft]), [restore(1)]);
}

#[test]
fn batch_3_invert_takes_back() {
    for seed in 0..5_000 {
        let mut random = Random::new(seed);
        let mut server = some_desk(&mut random);
        let batch = some_batch(&mut random, &server.desk, &mut 1_000);
        let before = server.desk.clone();
        let inverse = invert(&batch, &before);
        let base = before.revision().0;
        server.submit(1, base, &batch).expect("acceptable");
        server.submit(1, base + 1, &inverse).expect("acceptable");
        let (title, mut after) = content(&server.desk);
        // What was created stays, deleted.
        after.retain(|seen| before.sticker(seen.id).is_some() || !seen.deleted);
        assert_eq!((title, after), content(&before), "seed {seed}: {batch:?}");
        let heights = |desk: &Desk| {
            before.stickers().map(|s| desk.sticker(s.id).map(|s| s.z.value)).collect::<Vec<_>>()
        };
        assert_eq!(heights(&server.desk), heights(&before), "seed {seed}: {batch:?}");
    }
}

#[test]
fn flight_7_the_queue_moves_over_the_inverse() {
    let mut server = Server::default();
    server.now(9, vec![create(1, "abc")]);
    // Refused: its edit, move and deletion. Queued behind it: another edit.
    let list = vec![insert(1, 1, "xx"), move_to(1, 5), delete(1)];
    let refused = Batch::from_operations(list, &DeskLimits::default()).expect("fine");
    let queued =
        Batch::from_operations(vec![insert(1, 5, "!")], &DeskLimits::default()).expect("fine");
    let inverse = invert(&refused, &server.desk);
    let (queued, _) = transform(&queued, inverse.operations());
    let mut view = server.desk.clone();
    overlay(&mut view, &queued, Author(1), 0);
    let sticker = view.sticker(StickerId(1)).expect("it is there");
    assert_eq!((sticker.text.value.as_str(), sticker.deleted.value), ("abc!", false));
}

#[test]
fn batch_4_heights_are_evaluated_in_list_order() {
    let mut server = Server::default();
    let heights = |commit: &Commit| {
        let z = commit.operations.iter().map(|operation| match operation {
            Operation::Create(create) => create.z,
            Operation::Raise { z, .. } | Operation::Lower { z, .. } => *z,
            _ => None,
        });
        z.collect::<Vec<_>>()
    };
    let first = server.now(1, vec![create(1, ""), create(2, ""), lower(1), raise(2)]);
    assert_eq!(heights(&first), [Some(1), Some(2), Some(0), Some(3)]);
    // Hidden ones count.
    server.now(1, vec![delete(2)]);
    assert_eq!(heights(&server.now(1, vec![create(3, "")])), [Some(4)]);
    // A batch's own changes count from where they stand.
    let order = server.now(1, vec![raise(1), raise(3), raise(2), create(4, "")]);
    assert_eq!(heights(&order), [Some(5), Some(6), Some(7), Some(8)]);
    assert_eq!(order_of_pile(&server.desk), [1, 3, 2, 4].map(StickerId));
    let order = server.now(1, vec![lower(4), lower(2)]);
    assert_eq!(heights(&order), [Some(4), Some(3)]);
    // Equal heights stand by id.
    server.now(1, vec![yielding(1, Write::Z(6))]);
    assert_eq!(order_of_pile(&server.desk), [2, 4, 1, 3].map(StickerId));
}

#[test]
fn batch_4_late_raises_go_on_top_of_what_came_first() {
    let mut server = Server::default();
    server.now(1, vec![create(1, ""), create(2, "")]);
    server.now(1, vec![raise(1)]);
    server.order(2, 1, vec![raise(2)]);
    assert_eq!(order_of_pile(&server.desk), [1, 2].map(StickerId));
}

#[test]
fn batch_5_a_batch_applies_whole_or_not_at_all() {
    let mut server = Server::default();
    server.now(1, vec![create(1, "")]);
    server.rejection(1, 1, vec![move_to(1, 5), move_to(2, 5)]);
    assert_eq!(server.desk.revision(), Revision(1));
}

#[test]
fn batch_6_the_door_refuses_what_no_desk_could_take() {
    use desk_protocol::resolver::BatchError::*;
    let refused = |list| Batch::from_operations(list, &DeskLimits::default()).expect_err("refused");
    assert_eq!(refused(vec![]), Empty);
    assert_eq!(refused(vec![raise(1); 501]), TooMany { found: 501, limit: 500 });
    let twice = vec![insert(1, 0, "x"), raise(1), insert(1, 0, "y")];
    assert_eq!(refused(twice), SecondDelta { operation: 2, id: StickerId(1) });
    let after_use = vec![move_to(1, 0), create(1, "")];
    assert_eq!(refused(after_use), CreatedTwice { operation: 1, id: StickerId(1) });
    let far = vec![raise(1), move_to(1, 1_000_001)];
    assert!(matches!(refused(far), Invalid { operation: 1, .. }));
    let purge = vec![Operation::Purge { id: StickerId(1) }];
    assert!(matches!(refused(purge), Invalid { operation: 0, .. }));
    assert!(matches!(refused(vec![create(1, "a"), cut(1, 1, 1)]), Delta { operation: 1, .. }));
    let half = "x".repeat(6_000);
    let long = vec![create(1, &half), insert(1, 0, &half)];
    assert!(matches!(refused(long), Invalid { operation: 1, .. }), "folding passes no limit");
}
