//! Stories of desks that leave memory: in steps that hold nobody up, never with
//! anybody at them, and whole.

mod harness;

use std::time::Duration;

use desk_engine_core::service::Joined;
use desk_engine_core::{limits, *};
use desk_protocol::LinkId;
use harness::*;

/// A desk and the connection of the only person at it.
type Busy = (Joined, ConnectionId);

/// Desks with a note each, a person at each, and nothing in the store.
fn busy(count: usize) -> (World, Vec<Busy>) {
    let mut world = World::new();
    let desks = (0..count).map(|_| {
        let desk = world.create();
        let connection = world.connect(desk.key, 1, None);
        world.submit(connection, 1, 0, vec![create(1, "kept")]);
        (desk, connection)
    });
    let desks = desks.collect();
    world.tables.clear();
    (world, desks)
}

fn stored(world: &World, desks: &[Busy]) -> usize {
    desks.iter().filter(|(desk, _)| world.tables.contains_key(&desk.link)).count()
}

fn everybody_goes(world: &mut World, desks: &[Busy]) {
    for (_, connection) in desks {
        world.input(Input::Closed { connection: *connection });
    }
}

/// Goes on to what is due next.
fn step(world: &mut World) {
    let (at, _) = world.shard.poll_timeout().expect("something is to come");
    world.advance(at.since(world.now));
}

/// Until the first of these desks have been stored, and the others wait.
fn first_step(world: &mut World, desks: &[Busy]) {
    while stored(world, desks) == 0 {
        step(world);
    }
    assert_eq!(stored(world, desks), limits::STORE_STEP_KEYS);
}

fn is_in_memory(world: &mut World, link: LinkId) -> bool {
    world.loads.clear();
    assert_eq!(world.content(link).live_stickers(), 1);
    world.loads.is_empty()
}

#[test]
fn many_desks_leave_memory_in_steps() {
    for apart in [Duration::ZERO, Duration::from_micros(50)] {
        let (mut world, desks) = busy(256);
        for (_, connection) in &desks {
            world.advance(apart);
            world.input(Input::Closed { connection: *connection });
        }
        let (mut before, mut stepped_at) = (0, None);
        while world.shard.stats().instances > 0 {
            step(&mut world);
            let now_stored = stored(&world, &desks);
            if now_stored == before {
                continue;
            }
            let step = now_stored - before;
            assert!(step <= limits::STORE_STEP_KEYS, "{step} desks in one step");
            let soonest = stepped_at.map_or(START, |at| at + limits::STORE_PAUSE_CALM);
            assert!(world.now >= soonest, "a step at {:?}, not before {soonest:?}", world.now);
            (before, stepped_at) = (now_stored, Some(world.now));
        }
        assert_eq!((before, world.shard.stats().unstored), (desks.len(), 0));
        assert!(desks.iter().all(|(desk, _)| !is_in_memory(&mut world, desk.link)));
    }
}

#[test]
fn the_shell_has_only_so_much_in_hand_of_what_leaves() {
    let (mut world, desks) = busy(30);
    let text = "x".repeat(9_000);
    for (desk, _) in &desks {
        // In several batches, because one would be too large for a record.
        for number in 1..4 {
            let notes = (0..33).map(|id| create(33 * number + id, &text));
            let reply = world.sync(desk.key, number + 1, number, notes.collect());
            assert!(matches!(reply, Reply::Synced { .. }), "{reply:?}");
        }
    }
    world.storing = false;
    everybody_goes(&mut world, &desks);
    world.advance(Duration::from_secs(600));
    let in_hand = world.to_store.len();
    assert!(in_hand * 900_000 <= limits::STORE_FLIGHT_BYTES + 900_000, "{in_hand}");
    assert_eq!(world.shard.stats().unstored, desks.len());
    world.storing = true;
    world.store_all();
    world.advance(Duration::from_secs(1));
    assert_eq!(stored(&world, &desks), desks.len());
    assert_eq!((world.shard.stats().unstored, world.shard.stats().instances), (0, 0));
}

#[test]
fn a_desk_that_is_used_before_its_turn_stays() {
    let (mut world, desks) = busy(256);
    everybody_goes(&mut world, &desks);
    first_step(&mut world, &desks);
    let waiting: Vec<_> =
        desks.iter().filter(|(desk, _)| !world.tables.contains_key(&desk.link)).collect();
    let [opened, edited, read] = [0, 100, 239].map(|turn| &waiting[turn].0);
    let back = world.connect(opened.key, 2, None);
    world.sync(edited.key, 2, 1, vec![move_to(1, 7)]);
    assert!(is_in_memory(&mut world, read.link));
    world.advance(Duration::from_secs(1));
    assert_eq!(world.shard.stats().instances, 3, "all others have left");
    let links = [opened, edited, read].map(|desk| desk.link);
    assert!(links.iter().all(|link| is_in_memory(&mut world, *link)));
    // Nothing holds them for ever.
    world.input(Input::Closed { connection: back });
    world.advance(Duration::from_secs(900));
    assert_eq!(world.shard.stats().instances, 0);
    let mut world = world.restart(config());
    assert!(links.iter().all(|link| !is_in_memory(&mut world, *link)));
}

#[test]
fn a_desk_that_is_opened_while_it_is_stored_stays() {
    let (mut world, desks) = busy(3);
    let [opened, edited, read] = [0, 1, 2].map(|number| desks[number].0.clone());
    world.storing = false;
    everybody_goes(&mut world, &desks);
    world.advance(limits::LEAVE_GRACE);
    assert_eq!(world.to_store.len(), 3, "all are on their way");
    world.connect(opened.key, 2, None);
    world.sync(edited.key, 2, 1, vec![move_to(1, 7)]);
    assert!(is_in_memory(&mut world, read.link));
    world.storing = true;
    world.store_all();
    assert_eq!(world.shard.stats().instances, 3);
    assert!(desks.iter().all(|(desk, _)| is_in_memory(&mut world, desk.link)));
    // The connected one is parked when its session idles.
    world.advance(Duration::from_secs(901));
    assert_eq!(world.shard.stats().instances, 0);
    assert_eq!(world.content(edited.link).revision().0, 2);
}

#[test]
fn what_the_log_asks_for_goes_before_what_leaves() {
    let (mut world, mut desks) = busy(256);
    let stay = desks.split_off(256 - limits::STORE_STEP_KEYS);
    everybody_goes(&mut world, &desks);
    first_step(&mut world, &desks);
    let keys = stay.iter().map(|(desk, _)| desk.link);
    world.input(Input::Pressure { keys: keys.collect(), pace: StorePace::Urgent });
    world.advance(limits::STORE_PAUSE_CALM);
    assert_eq!(stored(&world, &stay), stay.len());
    assert_eq!(stored(&world, &desks), limits::STORE_STEP_KEYS, "they waited");
    world.advance(Duration::from_secs(1));
    assert_eq!(world.shard.stats().instances, stay.len());
}

#[test]
fn a_planned_stop_does_not_wait_for_what_leaves_calmly() {
    let (mut world, desks) = busy(256);
    everybody_goes(&mut world, &desks);
    first_step(&mut world, &desks);
    world.input(Input::Drain);
    assert_eq!(world.shard.stats().unstored, desks.len() - limits::STORE_STEP_KEYS);
    let steps = (desks.len() / limits::STORE_STEP_KEYS) as u32;
    world.advance(limits::STORE_PAUSE_CALM + steps * limits::STORE_PAUSE_URGENT);
    assert_eq!((world.shard.stats().unstored, stored(&world, &desks)), (0, desks.len()));
}

#[test]
fn desks_that_leave_for_want_of_memory_leave_in_steps() {
    const BUDGET: usize = 100 << 10;
    let mut world = World::with(ShardConfig { memory_bytes: BUDGET, ..config() });
    let links: Vec<_> = (0..256).map(|_| world.create().link).collect();
    let stored =
        |world: &World| links.iter().filter(|link| world.tables.contains_key(link)).count();
    let mut before = stored(&world);
    assert!(before <= limits::STORE_STEP_KEYS, "{before} desks in no step");
    while world.shard.stats().memory_bytes > BUDGET {
        step(&mut world);
        let step = stored(&world) - before;
        assert!(step <= limits::STORE_STEP_KEYS, "{step} desks in one step");
        before += step;
    }
    let took = world.now.since(START);
    assert!(took <= 20 * limits::STORE_PAUSE_URGENT, "memory is short: {took:?}");
}
