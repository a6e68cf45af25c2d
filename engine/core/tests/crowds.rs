//! Stories of too many: people on a desk, answers that nobody reads.

mod harness;

use std::sync::Arc;
use std::time::Duration;

use desk_engine_core::limits::{CONNECTIONS_PER_DESK_MAX, OUTBOUND_QUEUE_BYTES_MAX, ShardLimits};
use desk_engine_core::*;
use desk_protocol::frame::{ClientFrame, CloseCode, ServerFrame};
use desk_protocol::*;
use harness::*;

#[test]
fn a_crowded_desk_lets_its_people_come_back() {
    let mut world = World::new();
    let ann = world.create();
    let a = world.connect(ann.key, 1, None);
    let people: Vec<_> = (1..CONNECTIONS_PER_DESK_MAX).map(|_| world.join(ann.link)).collect();
    let lines: Vec<_> = people.iter().map(|who| world.connect(who.key, 1, Some(0))).collect();
    let late = world.join(ann.link);
    // The upgrade passes, so that the reason comes by a code that a page can read.
    assert!(matches!(world.ask(Request::Attach { key: late.key }), Reply::Allowed));
    let line = world.connect(late.key, 1, Some(0));
    assert_eq!(world.closed.get(&line), Some(&CloseCode::DeskFull));
    // A client that has a place keeps it, whichever of its connections holds it.
    let back = people[7].key;
    assert!(matches!(world.ask(Request::Attach { key: back }), Reply::Allowed));
    let line = world.connect(back, 2, Some(0));
    assert_eq!(world.closed.get(&line), None);
    assert_eq!(world.closed.get(&lines[7]), Some(&CloseCode::Superseded));
    // One that was superseded takes nobody's place.
    let old = world.connect(back, 1, Some(0));
    assert_eq!(world.closed.get(&old), Some(&CloseCode::Superseded));
    world.submit(a, 1, 0, vec![create(1, "x")]);
    assert_eq!(commits(&world.take(line)), [1]);
    // A place that is given up is free.
    world.input(Input::Closed { connection: line });
    let line = world.connect(late.key, 2, Some(0));
    assert_eq!(world.closed.get(&line), None);
}

/// Limits that leave a sender's rate to its line.
fn without_rates() -> ShardConfig {
    let limits = ShardLimits {
        batches_per_second: 1_000_000,
        batch_burst: 1_000_000,
        presence_per_second: 1_000_000,
        presence_burst: 1_000_000,
        ..ShardLimits::default()
    };
    ShardConfig { limits: Arc::new(limits), ..config() }
}

/// Bytes of what a connection was sent.
fn bytes_of(frames: &[ServerFrame]) -> usize {
    let mut bytes = Vec::new();
    frames.iter().for_each(|frame| codec::encode_server(frame, &mut bytes));
    bytes.len()
}

/// Sends a frame over and over, as long as the connection is read.
fn flood(world: &mut World, from: ConnectionId, frame: &ClientFrame) {
    for _ in 0..100_000 {
        if world.paused.contains(&from) {
            return;
        }
        world.send(from, frame);
    }
    panic!("it is read on and on");
}

#[test]
fn who_reads_no_answers_is_not_read() {
    let again = ClientFrame::Submit(submit(1, 0, Vec::new()));
    for frame in [again, ClientFrame::Ping { nonce: 1 }] {
        let mut world = World::with(without_rates());
        let ann = world.create();
        let bob = world.join(ann.link);
        let (a, b) = (world.connect(ann.key, 1, None), world.connect(bob.key, 1, None));
        world.submit(a, 1, 0, (1..=500).map(|id| create(id, "")).collect());
        world.take(a);
        world.reading = false;
        flood(&mut world, a, &frame);
        let queued = bytes_of(&world.take(a));
        assert!(queued > OUTBOUND_QUEUE_BYTES_MAX / 2, "only {queued} bytes wait");
        assert!(queued < OUTBOUND_QUEUE_BYTES_MAX + 10_000, "{queued} bytes wait");
        // Nobody else waits for it.
        world.reading = true;
        world.submit(b, 1, 1, vec![create(501, "")]);
        assert_eq!(world.paused, [a]);
        assert!(commits(&world.take(b)).contains(&2));
        // It reads at last, and is read.
        world.input(Input::Sent { connection: a, bytes: queued });
        assert!(world.paused.is_empty());
        world.send(a, &ClientFrame::Ping { nonce: 2 });
        let frames = world.take(a);
        assert!(frames.contains(&ServerFrame::Pong { nonce: 2 }), "{frames:?}");
        assert_eq!(commits(&frames), [2]);
    }
}

#[test]
fn answers_that_wait_behind_commits_are_bounded_too() {
    let mut world = World::with(without_rates());
    let ann = world.create();
    let bob = world.join(ann.link);
    let (a, b) = (world.connect(ann.key, 1, None), world.connect(bob.key, 1, None));
    world.submit(a, 1, 0, (1..=500).map(|id| create(id, "")).collect());
    world.take(a);
    // More than its queue holds: it is behind, and what it is told waits for that.
    world.reading = false;
    let text = "x".repeat(9_000);
    for seq in 1..=150 {
        world.submit(b, seq, seq, vec![create(1_000 + seq, &text)]);
    }
    let before = bytes_of(&world.take(a));
    assert_eq!(world.shard.stats().resyncs, 2, "both do not read");
    let mut answers = 0;
    while !world.paused.contains(&a) {
        world.submit(a, 1, 0, Vec::new());
        answers += 1;
        assert!(answers < 10_000, "it is read on and on");
    }
    assert!(world.take(a).is_empty(), "they wait for the commits");
    // All of it comes in the end, in order.
    world.reading = true;
    world.input(Input::Sent { connection: a, bytes: before });
    let frames = world.take(a);
    let first = frames.iter().position(|frame| matches!(frame, ServerFrame::Answer(_)));
    let (desk, told) = frames.split_at(first.expect("answers"));
    assert_eq!(told.len(), answers);
    assert_eq!(assemble(desk).expect("a snapshot").revision(), Revision(151));
    assert!(world.paused.is_empty(), "and it is read again");
    world.advance(Duration::from_secs(1));
    world.submit(a, 2, 151, vec![move_to(1, 3)]);
    assert_eq!(commits(&world.take(a)), [152]);
}

#[test]
fn what_waits_for_all_connections_is_bounded_and_all_get_everything() {
    let most = 256 << 10;
    let limits = ShardLimits { outbound_queues_bytes: most, ..ShardLimits::default() };
    let mut world = World::with(ShardConfig { limits: Arc::new(limits), ..config() });
    let desk = world.create();
    let tabs: Vec<_> = (0..20)
        .map(|_| {
            let guest = world.join(desk.link);
            world.connect(guest.key, 1, None)
        })
        .collect();
    tabs.iter().for_each(|tab| drop(world.take(*tab)));
    world.reading = false;
    let count = 40;
    for seq in 1..=count {
        world.sync(desk.key, seq, seq - 1, vec![create(seq, &"x".repeat(4_000))]);
    }
    let waiting = world.shard.stats().waiting_bytes;
    assert!(waiting < most + tabs.len() * 5_000, "{waiting} bytes");
    // All read again.
    let mut got = vec![Vec::new(); tabs.len()];
    world.reading = true;
    loop {
        let before = got.iter().map(Vec::len).sum::<usize>();
        for (tab, got) in tabs.iter().zip(&mut got) {
            let frames = world.take(*tab);
            got.extend(commits(&frames));
            let bytes = world.shard.stats().waiting_bytes;
            world.input(Input::Sent { connection: *tab, bytes });
        }
        if got.iter().map(Vec::len).sum::<usize>() == before {
            break;
        }
    }
    assert!(got.iter().all(|got| got.iter().copied().eq(1..=count)), "{got:?}");
    assert_eq!(world.shard.stats().waiting_bytes, 0);
}
