//! Limits of sessions, connections and queues act as they are set. Each is seen
//! at its default and at another value; those that are not here are seen to act
//! against the real server.

mod harness;

use std::sync::Arc;
use std::time::Duration;

use desk_engine_core::limits::ShardLimits;
use desk_engine_core::*;
use desk_protocol::codec::encode_server;
use desk_protocol::frame::{ClientFrame, Presence, ServerFrame};
use desk_protocol::*;
use harness::*;

fn world(change: impl FnOnce(&mut ShardLimits)) -> World {
    let mut limits = ShardLimits::default();
    change(&mut limits);
    World::with(ShardConfig { limits: Arc::new(limits), ..config() })
}

fn show(world: &mut World, connection: ConnectionId) {
    let cursor = Some(Point { x: 1, y: 1 });
    world.send(connection, &ClientFrame::Presence(Presence { cursor, ..Presence::default() }));
}

/// Frames of cursors that a connection was sent since the last look.
fn cursors(world: &mut World, connection: ConnectionId) -> Vec<ServerFrame> {
    let mut frames = world.take(connection);
    frames.retain(|frame| matches!(frame, ServerFrame::Presence(_)));
    frames
}

/// The time between two frames of cursors on a desk with two people.
fn interval(change: impl FnOnce(&mut ShardLimits)) -> Duration {
    let mut world = world(change);
    let ann = world.create();
    let bob = world.join(ann.link);
    let (a, b) = (world.connect(ann.key, 1, None), world.connect(bob.key, 1, None));
    show(&mut world, a);
    world.advance(Duration::from_millis(1));
    assert_eq!(cursors(&mut world, b).len(), 1);
    show(&mut world, a);
    let mut passed = Duration::from_millis(1);
    while cursors(&mut world, b).is_empty() {
        world.advance(Duration::from_millis(1));
        passed += Duration::from_millis(1);
    }
    passed
}

#[test]
fn cursors_go_out_as_often_as_is_set() {
    let about = |found: Duration, millis: u64| {
        assert!(found.as_millis().abs_diff(u128::from(millis)) <= 1, "{found:?}, {millis} ms");
    };
    about(interval(|_| {}), 33);
    about(interval(|limits| limits.presence_interval = Duration::from_millis(500)), 500);
    about(interval(|limits| limits.presence_crowd = 1), 100);
    about(interval(|limits| limits.presence_crowd = 2), 33);
    let crowded = |limits: &mut ShardLimits| {
        limits.presence_crowd = 0;
        limits.presence_interval_crowd = Duration::from_secs(2);
    };
    about(interval(crowded), 2_000);
}

#[test]
fn frames_of_cursors_are_as_long_as_is_set() {
    let mut counts = Vec::new();
    for bytes in [512, 1_100, 64 << 10] {
        let mut world = world(|limits| limits.presence_frame_bytes = bytes);
        let ann = world.create();
        let a = world.connect(ann.key, 1, None);
        for _ in 0..20 {
            let who = world.join(ann.link);
            let line = world.connect(who.key, 1, None);
            show(&mut world, line);
        }
        world.take(a);
        let late = world.join(ann.link);
        let late = world.connect(late.key, 1, None);
        let frames = cursors(&mut world, late);
        for frame in &frames {
            let mut encoded = Vec::new();
            encode_server(frame, &mut encoded);
            assert!(encoded.len() <= bytes, "{} of {bytes}", encoded.len());
        }
        counts.push(frames.len());
    }
    assert_eq!(counts, [7, 3, 1]);
}

#[test]
fn who_has_more_to_read_than_is_set_gets_no_cursors() {
    for (bytes, seen) in [(0, 0), (64 << 10, 1)] {
        let mut world = world(|limits| limits.presence_queue_bytes = bytes);
        let ann = world.create();
        let bob = world.join(ann.link);
        let (a, b) = (world.connect(ann.key, 1, None), world.connect(bob.key, 1, None));
        world.reading = false;
        world.submit(a, 1, 0, vec![create(1, "waits to be read")]);
        show(&mut world, a);
        world.advance(Duration::from_millis(1));
        assert_eq!(cursors(&mut world, b).len(), seen, "above {bytes} bytes");
    }
}

#[test]
fn a_slow_reader_is_behind_at_the_bytes_that_are_set() {
    for (bytes, resyncs) in [(64 << 10, 1), (1 << 20, 0)] {
        let mut world = world(|limits| limits.outbound_queue_bytes = bytes);
        let ann = world.create();
        let bob = world.join(ann.link);
        world.connect(bob.key, 1, None);
        world.reading = false;
        for seq in 1..=20 {
            world.sync(ann.key, seq, seq - 1, vec![create(seq, &"x".repeat(9_000))]);
        }
        assert_eq!(world.shard.stats().resyncs, resyncs, "past {bytes} bytes");
    }
}

#[test]
fn a_snapshot_comes_in_the_parts_that_are_set() {
    for (count, bytes) in [(1, 1_024), (3, 1_024), (2, 8_192)] {
        let mut world = world(|limits| {
            limits.snapshot_chunks_queued = count;
            limits.snapshot_chunk_bytes = bytes;
        });
        let ann = world.create();
        for seq in 1..=10 {
            world.sync(ann.key, seq, seq - 1, vec![create(seq, &"x".repeat(9_000))]);
        }
        world.reading = false;
        let line = world.connect(ann.key, 1, None);
        let frames = world.take(line);
        let parts: Vec<_> = frames
            .iter()
            .filter_map(|frame| match frame {
                ServerFrame::SnapshotChunk(chunk) => Some(chunk.bytes.len()),
                _ => None,
            })
            .collect();
        assert_eq!(parts, vec![bytes; count]);
    }
}

#[test]
fn a_desk_stays_for_as_long_as_is_set() {
    for (grace, ended) in [(1, 1), (30, 0)] {
        let mut world = world(|limits| limits.leave_grace = Duration::from_secs(grace));
        let ann = world.create();
        let connection = world.connect(ann.key, 1, None);
        world.input(Input::Closed { connection });
        world.advance(Duration::from_millis(500));
        assert_eq!(world.shard.stats().instances_ended, 0);
        world.advance(Duration::from_secs(2));
        assert_eq!(world.shard.stats().instances_ended, ended, "after {grace} s");
    }
}

#[test]
fn as_much_waits_for_a_desk_to_load_as_is_set() {
    for (queue, refused) in [(1, 2), (2, 1), (4_000, 0)] {
        let mut world = world(|limits| limits.loading_queue = queue);
        let ann = world.create();
        let limits = ShardLimits { loading_queue: queue, ..ShardLimits::default() };
        let mut world = world.restart(ShardConfig { limits: Arc::new(limits), ..config() });
        for number in 901..=903 {
            let body = Box::new(Request::Export { link: ann.link, deleted: None });
            let request = RequestId(number);
            world.shard.handle(world.now, Input::Request { request, body });
        }
        world.turn();
        assert_eq!(world.replies.len(), 3, "each is answered");
        let found = world.replies.values().filter(|reply| match reply {
            Reply::Failed(ServiceError::Unavailable(_)) => true,
            Reply::Content(_) => false,
            other => panic!("{other:?}"),
        });
        assert_eq!(found.count(), refused, "of 3 with room for {queue}");
    }
}
