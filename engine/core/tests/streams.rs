//! Stories of slow readers, long absences and what is kept for them.

mod harness;

use std::time::Duration;

use desk_engine_core::service::Polled;
use desk_engine_core::{limits, *};
use desk_protocol::frame::ServerFrame;
use desk_protocol::resolver;
use desk_protocol::*;
use harness::*;

/// Applies what a connection was sent to a replica.
fn follow(desk: &mut Option<Desk>, frames: &[ServerFrame]) {
    if let Some(snapshot) = assemble(frames) {
        *desk = Some(snapshot);
    }
    for frame in frames {
        if let (ServerFrame::Commit(commit), Some(desk)) = (frame, desk.as_mut())
            && commit.revision > desk.revision()
        {
            resolver::apply(desk, commit).expect("commits follow one another");
        }
    }
}

#[test]
fn a_slow_reader_slows_nobody_and_is_brought_up_to_date() {
    let mut world = World::new();
    let ann = world.create();
    let bob = world.join(ann.link);
    let slow = world.connect(bob.key, 1, None);
    let mut replica = None;
    follow(&mut replica, &world.take(slow));
    world.reading = false;
    let text = "word ".repeat(1_000);
    for seq in 1..=400 {
        let reply = world.sync(ann.key, seq, seq - 1, vec![create(seq, &text)]);
        assert!(matches!(reply, Reply::Synced { .. }));
    }
    let queued: Vec<_> = world.take(slow);
    let bytes = queued.len() * text.len();
    assert!(
        bytes <= desk_engine_core::limits::OUTBOUND_QUEUE_BYTES_MAX,
        "{bytes} bytes wait for a slow reader"
    );
    assert!(world.shard.stats().resyncs == 1);
    follow(&mut replica, &queued);
    // It reads at last: a snapshot replaces what it missed, then it is live.
    world.reading = true;
    world.input(Input::Sent { connection: slow, bytes: 2 << 20 });
    let frames = world.take(slow);
    assert!(matches!(&frames[0], ServerFrame::Welcome(welcome) if welcome.snapshot));
    follow(&mut replica, &frames);
    world.sync(ann.key, 401, 400, vec![move_to(1, 5)]);
    follow(&mut replica, &world.take(slow));
    assert_eq!(replica.unwrap(), world.content(ann.link));
}

#[test]
fn short_absences_get_commits_long_ones_a_snapshot() {
    let mut world = World::new();
    let ann = world.create();
    for seq in 1..=1_500 {
        world.sync(
            ann.key,
            seq,
            seq - 1,
            vec![if seq == 1 { create(1, "") } else { move_to(1, seq as i32) }],
        );
    }
    let bob = world.join(ann.link);
    let near = world.connect(bob.key, 1, Some(600));
    let frames = world.take(near);
    assert!(matches!(&frames[0], ServerFrame::Welcome(welcome) if !welcome.snapshot));
    assert_eq!(commits(&frames), (601..=1_500).collect::<Vec<_>>());
    for (number, since) in [(2, Some(400)), (3, Some(1_501)), (4, None)] {
        let far = world.connect(bob.key, number, since);
        let frames = world.take(far);
        assert!(matches!(&frames[0], ServerFrame::Welcome(welcome) if welcome.snapshot));
        assert_eq!(assemble(&frames).unwrap(), world.content(ann.link));
    }
}

#[test]
fn a_snapshot_goes_out_two_chunks_at_a_time() {
    let mut world = World::new();
    let ann = world.create();
    let text = "x".repeat(10_000);
    for seq in 1..=40 {
        world.sync(ann.key, seq, seq - 1, vec![create(seq, &text)]);
    }
    world.reading = false;
    let slow = world.connect(ann.key, 1, None);
    let mut frames = world.take(slow);
    assert_eq!(frames.len(), 3, "a welcome and two chunks");
    // Meanwhile the desk goes on.
    world.sync(ann.key, 41, 40, vec![move_to(1, 1)]);
    world.reading = true;
    world.input(Input::Sent { connection: slow, bytes: 3 * 70_000 });
    frames.extend(world.take(slow));
    let mut replica = None;
    follow(&mut replica, &frames);
    assert_eq!(replica.unwrap(), world.content(ann.link));
}

#[test]
fn polls_answer_at_once_wait_or_give_everything() {
    let mut world = World::new();
    let ann = world.create();
    world.sync(ann.key, 1, 0, vec![create(1, "x")]);
    let ask = |since, wait_seconds| Request::Poll {
        key: ann.key,
        since: Revision(since),
        wait_seconds,
        frames: false,
    };
    let Reply::Polled(Polled::Commits { revision, commits, frames }) = world.ask(ask(0, 25)) else {
        panic!()
    };
    assert_eq!((revision, commits.len(), frames_of(&frames).len()), (Revision(1), 1, 1));
    assert!(matches!(world.failure(ask(2, 0)), ServiceError::BaseAhead { .. }));
    let waiting = world.ask_later(ask(1, 25));
    let timed_out = world.ask_later(ask(1, 3));
    world.advance(Duration::from_secs(3));
    assert!(matches!(&world.replies[&timed_out],
        Reply::Polled(Polled::Commits { commits, .. }) if commits.is_empty()));
    world.sync(ann.key, 2, 1, vec![move_to(1, 4)]);
    assert!(matches!(&world.replies[&waiting],
        Reply::Polled(Polled::Commits { commits, .. }) if commits.len() == 1));
    let mut world = world.restart(config());
    let Reply::Polled(Polled::Content(content)) = world.ask(ask(0, 0)) else { panic!() };
    assert_eq!(content.desk.revision(), Revision(2));
}

#[test]
fn flight_14_a_late_delta_needs_its_base_text() {
    let mut world = World::new();
    let ann = world.create();
    world.sync(ann.key, 1, 0, vec![create(1, "one two")]);
    world.sync(ann.key, 2, 1, vec![type_at(1, 0, "zero ")]);
    let mut world = world.restart(config());
    let bob = world.join(ann.link);
    let late = submit(1, 1, vec![type_at(1, 7, " three")]);
    let sync = |base_texts| Request::Sync {
        key: bob.key,
        user: String::new(),
        submit: late.clone(),
        base_texts,
    };
    assert_eq!(world.failure(sync(vec![])), ServiceError::NeedsBaseText(StickerId(1)));
    let b = world.connect(bob.key, 1, None);
    world.take(b);
    world.submit(b, 1, 1, vec![type_at(1, 7, " three")]);
    assert!(matches!(&world.take(b)[..], [ServerFrame::Stale { sticker: StickerId(1), .. }]));
    let reply = world.ask(sync(vec![(StickerId(1), "one two".to_owned())]));
    assert!(matches!(reply, Reply::Synced { status: CollisionStatus::Merged, .. }), "{reply:?}");
    let desk = world.content(ann.link);
    assert_eq!(desk.sticker(StickerId(1)).unwrap().text.value, "zero one two three");
}

#[test]
fn over_the_memory_budget_the_longest_unused_desk_leaves() {
    let mut world = World::with(ShardConfig { memory_bytes: 20 << 10, ..config() });
    let desks: Vec<_> = (0..20)
        .map(|_| {
            world.advance(Duration::from_secs(1));
            world.create()
        })
        .collect();
    assert!(world.shard.stats().instances <= 5, "{}", world.shard.stats().instances);
    for desk in &desks {
        world.sync(desk.key, 1, 0, vec![create(1, "kept")]);
        assert_eq!(world.content(desk.link).live_stickers(), 1);
    }
}

#[test]
fn log_pressure_stores_desks_in_memory_and_outside() {
    let mut world = World::new();
    let (ann, bob) = (world.create(), world.create());
    world.advance(Duration::from_secs(1_000));
    world.join(ann.link);
    world.tables.remove(&bob.link);
    world.input(Input::Pressure { keys: vec![ann.link], pace: StorePace::Calm });
    world.advance(Duration::ZERO);
    assert!(world.tables.contains_key(&ann.link));
    assert!(world.log[&ann.link].is_empty());
}

/// Many desks with something to store, all in memory, none stored.
fn unstored(count: usize) -> (World, Vec<LinkId>) {
    let mut world = World::new();
    let links: Vec<_> = (0..count).map(|_| world.create().link).collect();
    world.tables.clear();
    (world, links)
}

#[test]
fn many_desks_are_stored_in_steps_that_hold_nobody_up() {
    let (mut world, links) = unstored(256);
    world.input(Input::Pressure { keys: links.clone(), pace: StorePace::Calm });
    world.input(Input::Pressure { keys: links.clone(), pace: StorePace::Calm });
    let mut stored = 0;
    let mut steps = 0;
    while stored < links.len() {
        let (at, reason) = world.shard.poll_timeout().expect("more is to be stored");
        assert_eq!(reason, "store");
        assert!(steps == 0 || at >= world.now + limits::STORE_PAUSE_CALM);
        world.advance(at.since(world.now));
        let now_stored = links.iter().filter(|link| world.tables.contains_key(link)).count();
        assert!((1..=limits::STORE_STEP_KEYS).contains(&(now_stored - stored)), "{now_stored}");
        (stored, steps) = (now_stored, steps + 1);
    }
    assert_ne!(world.shard.poll_timeout().map(|(_, reason)| reason), Some("store"));
}

#[test]
fn a_step_stores_few_large_desks() {
    let mut world = World::new();
    let text = "x".repeat(9_000);
    let links: Vec<_> = (0..12)
        .map(|_| {
            let desk = world.create();
            world.sync(desk.key, 1, 0, (1..=10).map(|id| create(id, &text)).collect());
            desk.link
        })
        .collect();
    world.tables.clear();
    world.input(Input::Pressure { keys: links.clone(), pace: StorePace::Urgent });
    world.advance(Duration::ZERO);
    let stored = links.iter().filter(|link| world.tables.contains_key(link)).count();
    assert_eq!(stored, limits::STORE_STEP_BYTES.div_ceil(92_000));
}

#[test]
fn the_shell_has_only_so_much_to_store_at_a_time() {
    let mut world = World::new();
    let text = "x".repeat(9_000);
    let links: Vec<_> = (0..30)
        .map(|_| {
            let desk = world.create();
            // In several batches, because one would be too large for a record.
            for number in 0..3 {
                let notes = (1..=33).map(|id| create(33 * number + id, &text));
                world.sync(desk.key, number + 1, number, notes.collect());
            }
            desk.link
        })
        .collect();
    world.storing = false;
    world.input(Input::Pressure { keys: links.clone(), pace: StorePace::Urgent });
    world.advance(Duration::from_secs(1));
    let in_hand = world.to_store.len();
    assert!(in_hand * 900_000 <= limits::STORE_FLIGHT_BYTES + 900_000, "{in_hand}");
    assert!(in_hand < links.len() && world.shard.stats().unstored == links.len());
    world.storing = true;
    world.store_all();
    world.advance(Duration::from_secs(1));
    assert!(links.iter().all(|link| world.tables.contains_key(link)));
    assert_eq!(world.shard.stats().unstored, 0);
}

#[test]
fn a_planned_stop_stores_what_only_the_log_has() {
    let (mut world, links) = unstored(40);
    world.input(Input::Drain);
    assert_eq!(world.shard.stats().unstored, links.len());
    world.advance(Duration::from_secs(1));
    assert_eq!(world.shard.stats().unstored, 0);
    assert!(links.iter().all(|link| world.tables.contains_key(link)));
}
