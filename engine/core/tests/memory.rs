//! All memory of a shard counts and has a bound: desks in use, desks at rest, what waits
//! for desks to be loaded, and copies for slow readers.

mod harness;

use std::sync::Arc;

use desk_engine_core::limits::{
    LOADING_BYTES_MAX, OLD_COPIES_PER_DESK_BYTES_MAX, STORE_BYTES_MIN, ShardLimits,
};
use desk_engine_core::*;
use desk_protocol::frame::{CloseCode, Role, ServerFrame};
use harness::*;

const MEMORY: usize = 4 * STORE_BYTES_MIN;

fn small() -> World {
    World::with(ShardConfig { memory_bytes: MEMORY, ..config() })
}

fn creation() -> Request {
    Request::Create { title: String::new(), content: false }
}

#[test]
fn no_desk_is_made_that_memory_has_no_room_for() {
    let mut world = small();
    let desk = world.create();
    world.input(Input::StoreMemory { bytes: MEMORY / 2 + 1 });
    let full = "the server's memory has no room for more desks";
    assert_eq!(world.failure(creation()), ServiceError::Unavailable(full));
    let (key, owner) = (desk.key, desk.owner_link.expect("the creator's"));
    let link = Request::Link { key, desk: owner, role: Role::Viewer, rotate: false };
    assert_eq!(world.failure(link), ServiceError::Unavailable(full));
    // The desks that are there go on.
    let reply = world.sync(desk.key, 1, 0, vec![create(1, "x")]);
    assert!(matches!(reply, Reply::Synced { .. }), "{reply:?}");
    world.input(Input::StoreMemory { bytes: MEMORY / 2 });
    world.create();
}

#[test]
fn some_desks_are_made_however_little_memory_there_is() {
    let mut world = World::with(ShardConfig { memory_bytes: 0, ..config() });
    world.input(Input::StoreMemory { bytes: STORE_BYTES_MIN });
    world.create();
}

#[test]
fn desks_in_use_have_what_the_store_leaves_them() {
    let most = |store: usize| {
        let mut world = small();
        world.input(Input::StoreMemory { bytes: store });
        for _ in 0..2_000 {
            world.create();
            world.advance(limits::STORE_PAUSE_CALM);
        }
        world.advance(limits::LEAVE_GRACE / 2);
        world.shard.stats().memory_bytes
    };
    let alone = most(0);
    assert!(alone <= MEMORY && alone > 3 * MEMORY / 4, "{alone}");
    let beside = most(MEMORY / 4);
    assert!(beside <= 3 * MEMORY / 4 && beside > MEMORY / 2, "{beside}");
}

#[test]
fn what_waits_for_desks_to_be_loaded_is_bounded() {
    let mut world = World::new();
    let desk = world.create();
    let mut world = world.restart(config());
    let text = "x".repeat(9_000);
    let batch: Vec<_> = (1..20).map(|id| create(id, &text)).collect();
    let sync = |world: &mut World, number: u64| {
        let submit = submit(number, 0, batch.clone());
        let (key, user) = (desk.key, String::new());
        let body = Box::new(Request::Sync { key, user, submit, base_texts: Vec::new() });
        let request = RequestId(1_000 + number);
        world.shard.handle(world.now, Input::Request { request, body });
    };
    let asked = 200;
    (1..=asked).for_each(|number| sync(&mut world, number));
    let waiting = world.shard.stats().loading_bytes;
    assert!(waiting <= LOADING_BYTES_MAX && waiting > LOADING_BYTES_MAX / 2, "{waiting}");
    // The disk answers now.
    world.turn();
    assert_eq!((world.replies.len() as u64, world.shard.stats().loading_bytes), (asked, 0));
    let full = ServiceError::Unavailable("too much waits for the desk to load");
    let is_refused = |reply: &&Reply| matches!(reply, Reply::Failed(why) if *why == full);
    let refused = world.replies.values().filter(is_refused).count() as u64;
    assert!(refused > 50 && refused < 150, "{refused}");
}

/// A world with one desk of three mebibytes, whose readers are slow.
fn large() -> (World, service::Joined) {
    let limits = ShardLimits { outbound_queue_bytes: 128 << 10, ..ShardLimits::default() };
    let mut world = World::with(ShardConfig { limits: Arc::new(limits), ..config() });
    let desk = world.create();
    let text = "x".repeat(9_000);
    for seq in 1..=14 {
        let batch = (0..25).map(|id| create(seq * 100 + id, &text)).collect();
        let reply = world.sync(desk.key, seq, seq - 1, batch);
        assert!(matches!(reply, Reply::Synced { .. }), "{reply:?}");
    }
    world.reading = false;
    (world, desk)
}

#[test]
fn slow_readers_keep_no_copy_of_each_revision() {
    let (mut world, desk) = large();
    let mut lines = Vec::new();
    let mut refused = 0;
    for number in 0..30 {
        let guest = world.join(desk.link);
        let line = world.connect(guest.key, 1, None);
        match world.closed.get(&line) {
            None => lines.push(line),
            Some(code) => {
                assert_eq!(*code, CloseCode::Overloaded);
                refused += 1;
            }
        }
        world.sync(desk.key, 15 + number, 14 + number, vec![move_to(100, number as i32)]);
        let old = world.shard.stats().old_copies_bytes;
        assert!(old <= OLD_COPIES_PER_DESK_BYTES_MAX + (4 << 20), "{old} bytes");
    }
    assert!(refused > 10 && lines.len() > 5, "{refused} were refused");
    // Other desks have room still.
    let other = world.create();
    assert!(lets_in(&mut world, &other));
    for line in lines {
        world.input(Input::Closed { connection: line });
    }
    let old = world.shard.stats().old_copies_bytes;
    assert!(old < 1_000, "{old} bytes, of the two that the test holds");
    assert!(lets_in(&mut world, &desk), "there is room again");
}

fn lets_in(world: &mut World, desk: &service::Joined) -> bool {
    let guest = world.join(desk.link);
    let line = world.connect(guest.key, 1, None);
    !world.closed.contains_key(&line)
}

#[test]
fn a_reader_that_finds_no_room_waits_for_it() {
    let (mut world, desk) = large();
    let guest = world.join(desk.link);
    let slow = world.connect(guest.key, 1, Some(14));
    assert!(matches!(world.take(slow)[..], [ServerFrame::Welcome(_)]));
    // It misses more than is kept, while others hold old copies.
    let mut seq = 15;
    let mut change = |world: &mut World, text: &str| {
        world.sync(desk.key, seq, seq - 1, vec![create(5_000 + seq, text)]);
        seq += 1;
    };
    let mut lines = Vec::new();
    while world.shard.stats().old_copies_bytes < OLD_COPIES_PER_DESK_BYTES_MAX {
        let guest = world.join(desk.link);
        lines.push(world.connect(guest.key, 1, None));
        change(&mut world, "x");
    }
    (0..60).for_each(|_| change(&mut world, &"y".repeat(9_000)));
    let sent: usize = world.take(slow).iter().map(bytes_of).sum();
    world.input(Input::Sent { connection: slow, bytes: sent + (1 << 20) });
    assert!(assemble(&world.take(slow)).is_none(), "there is no room for its copy");
    assert_eq!(world.closed.get(&slow), None);
    for line in lines {
        world.input(Input::Closed { connection: line });
    }
    world.reading = true;
    world.advance(limits::COPY_RETRY_TIME);
    assert!(assemble(&world.take(slow)).is_some(), "it is up to date");
}

fn bytes_of(frame: &ServerFrame) -> usize {
    let mut bytes = Vec::new();
    desk_protocol::codec::encode_server(frame, &mut bytes);
    bytes.len()
}
