//! Notes of a file, added as one step: whole or not at all, above the limits of one batch.

mod harness;

use std::sync::Arc;

use desk_engine_core::limits::ShardLimits;
use desk_engine_core::*;
use desk_protocol::frame::ServerFrame;
use desk_protocol::*;
use harness::*;

/// A shard whose batches, and so the parts of an import, have so few operations.
fn narrow(operations: usize) -> ShardConfig {
    let mut limits = ShardLimits::default();
    limits.order.desk.batch_operations = operations;
    ShardConfig { limits: Arc::new(limits), ..config() }
}

/// Notes whose ids the server chooses.
fn notes(count: usize) -> Vec<Operation> {
    let unnamed = |number: usize| match create(1, &format!("note {number}")) {
        Operation::Create(note) => Operation::Create(Create { id: StickerId(0), ..note }),
        other => other,
    };
    (0..count).map(unnamed).collect()
}

fn import(key: SessionKey, desk: LinkId, operations: Vec<Operation>) -> Request {
    laid(key, desk, None, operations)
}

/// Notes that were laid beside what stood on the desk at a revision.
fn laid(
    key: SessionKey,
    desk: LinkId,
    laid_at: Option<Revision>,
    operations: Vec<Operation>,
) -> Request {
    Request::Import { key, desk, user: "ann".to_owned(), resend: None, laid_at, operations }
}

fn texts(desk: &Desk) -> Vec<String> {
    desk.pile().map(|sticker| sticker.text.value.clone()).collect()
}

#[test]
fn import_1_notes_are_their_importers_and_take_no_number() {
    let mut world = World::new();
    let desk = world.create();
    let tab = world.connect(desk.key, 1, None);
    world.take(tab);
    let reply = world.ask(import(desk.key, desk.link, notes(3)));
    let Reply::Synced { revision: Revision(1), created, .. } = reply else { panic!("{reply:?}") };
    assert_eq!(created.len(), 3);
    let frames = world.take(tab);
    let [ServerFrame::Commit(commit)] = &*frames else { panic!("{frames:?}") };
    assert_eq!((commit.author, commit.client_seq), (desk.author, ClientSeq::NONE));
    world.submit(tab, 1, 0, vec![create(9, "mine")]);
    let content = world.restart(config()).content(desk.link);
    assert_eq!(texts(&content), ["note 0", "note 1", "note 2", "mine"]);
    assert!(content.stickers().all(|sticker| sticker.author == desk.author));
}

#[test]
fn import_2_a_long_one_comes_whole_and_once_it_is_durable() {
    let mut world = World::with(narrow(100));
    let desk = world.create();
    let tab = world.connect(desk.key, 1, None);
    let poll = Request::Poll { key: desk.key, since: Revision(0), wait_seconds: 5, frames: true };
    let waiting = world.ask_later(poll);
    world.take(tab);
    world.auto_commit = false;
    let request = world.ask_later(import(desk.key, desk.link, notes(950)));
    assert!(world.take(tab).is_empty() && !world.replies.contains_key(&request));
    world.commit();
    assert!(matches!(world.replies[&request], Reply::Synced { revision: Revision(1), .. }));
    let frames = world.take(tab);
    assert!(matches!(&frames[0], ServerFrame::Welcome(welcome) if welcome.snapshot));
    let seen = assemble(&frames).expect("a snapshot");
    assert_eq!(seen.stickers().count(), 950);
    assert!(commits(&frames).is_empty());
    let polled = &world.replies[&waiting];
    let Reply::Polled(service::Polled::Snapshot(snapshot)) = polled else { panic!("{polled:?}") };
    assert_eq!(assemble(&frames_of(&snapshot.frames)).as_ref(), Some(&seen));
    // From here on it goes on by commits.
    world.auto_commit = true;
    world.submit(tab, 1, 1, vec![create(9, "mine")]);
    assert_eq!(commits(&world.take(tab)), [2]);
}

#[test]
fn import_3_a_crash_between_its_parts_leaves_nothing() {
    for durable in 0..=10 {
        let mut world = World::with(narrow(100));
        let desk = world.create();
        world.sync(desk.key, 1, 0, vec![create(9, "before")]);
        let before = world.log[&desk.link].len();
        world.ask(import(desk.key, desk.link, notes(950)));
        let log = world.log.get_mut(&desk.link).expect("the desk's entries");
        assert_eq!(log.len(), before + 10);
        log.truncate(before + durable);
        let mut world = world.restart(narrow(100));
        let expected = if durable == 10 { 951 } else { 1 };
        assert_eq!(world.content(desk.link).stickers().count(), expected, "{durable} parts");
        // What was left of it joins nothing that comes later, of whatever kind.
        world.sync(desk.key, 2, 1, vec![create(8, "after")]);
        world.ask(import(desk.key, desk.link, notes(250)));
        let content = world.restart(narrow(100)).content(desk.link);
        assert_eq!(content.stickers().count(), expected + 251, "{durable} parts");
    }
}

#[test]
fn import_3_two_that_were_cut_do_not_mix() {
    let mut world = World::with(narrow(100));
    let desk = world.create();
    for parts in [3, 2] {
        let before = world.log[&desk.link].len();
        world.ask(import(desk.key, desk.link, notes(950)));
        world.log.get_mut(&desk.link).expect("the desk's entries").truncate(before + parts);
        world = world.restart(narrow(100));
        assert_eq!(world.content(desk.link).stickers().count(), 0);
    }
    world.ask(import(desk.key, desk.link, notes(350)));
    assert_eq!(world.restart(narrow(100)).content(desk.link).stickers().count(), 350);
}

#[test]
fn import_5_one_with_a_number_counts_once() {
    let mut world = World::with(narrow(100));
    let desk = world.create();
    let numbered = |number| Request::Import {
        key: desk.key,
        desk: desk.link,
        user: String::new(),
        resend: Some(number),
        laid_at: None,
        operations: notes(250),
    };
    let created = |reply| match reply {
        Reply::Synced { created, .. } => created,
        other => panic!("{other:?}"),
    };
    let first = created(world.ask(numbered(7)));
    assert_eq!(created(world.ask(numbered(7))), first);
    let mut world = world.restart(narrow(100));
    assert_eq!(created(world.ask(numbered(7))), first);
    assert_eq!(world.content(desk.link).stickers().count(), 250);
    assert_ne!(created(world.ask(numbered(8))), first);
    assert_eq!(world.content(desk.link).stickers().count(), 500);
}

#[test]
fn import_6_what_does_not_fit_is_named_and_adds_nothing() {
    let mut limits = ShardLimits { import_bytes: 64 << 10, ..Default::default() };
    limits.order.desk.stickers = 300;
    let mut world = World::with(ShardConfig { limits: Arc::new(limits), ..config() });
    let desk = world.create();
    let mut far = notes(3);
    if let Operation::Create(note) = &mut far[1] {
        note.position.x = 2_000_000;
    }
    let long = (1..=8).map(|id| create(id, &"x".repeat(9_000)));
    for (operations, says) in [
        (far, "note 2: "),
        (notes(301), "note 301: the desk would have 301 stickers"),
        (long.collect(), "note 8: the batch would take"),
    ] {
        let why = world.failure(import(desk.key, desk.link, operations)).to_string();
        assert!(why.starts_with(says), "{why}");
    }
    assert_eq!(world.content(desk.link).revision(), Revision(0));
}

#[test]
fn import_7_notes_give_way_to_what_came_meanwhile() {
    let mut world = World::new();
    let desk = world.create();
    world.ask(import(desk.key, desk.link, notes(1)));
    let laid = |at| laid(desk.key, desk.link, at, notes(1));
    let mut places = |at| {
        world.ask(laid(at));
        let content = world.content(desk.link);
        let newest = content.pile().last().expect("a note").clone();
        (newest.position.value, newest.size.value.width)
    };
    // What stood there when they were laid is no reason to move; what came since is one.
    let (first, width) = places(Some(Revision(1)));
    let (second, _) = places(Some(Revision(1)));
    assert_eq!(second.y, first.y);
    assert!(i64::from(second.x) >= i64::from(first.x) + i64::from(width), "{first:?} {second:?}");
    let (third, _) = places(Some(Revision(3)));
    assert_eq!(third, first);
    let (fourth, _) = places(None);
    assert_eq!(fourth, first);
}
