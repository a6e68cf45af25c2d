//! Dead lines: the ghosts of those who fell silent leave the others' view.

mod harness;

use std::time::Duration;

use desk_engine_core::{ConnectionId, Input};
use desk_protocol::frame::{ClientFrame, Presence, ServerFrame};
use desk_protocol::{Author, Time};
use harness::World;

/// The time by which others see that somebody has left.
const NOTICED: Duration = Duration::from_secs(5);
const STEP: Duration = Duration::from_millis(250);

fn show(hidden: bool) -> ClientFrame {
    let name = "somebody".to_owned();
    ClientFrame::Presence(Presence { name, hidden, ..Presence::default() })
}

/// Ann, who made the desk, and Bob, both showing themselves.
fn pair(ann_hidden: bool, bob_hidden: bool) -> (World, ConnectionId, ConnectionId) {
    let mut world = World::new();
    let ann = world.create();
    let bob = world.join(ann.link);
    let (a, b) = (world.connect(ann.key, 1, None), world.connect(bob.key, 1, None));
    world.send(a, &show(ann_hidden));
    world.send(b, &show(bob_hidden));
    world.advance(STEP);
    world.take(b);
    (world, a, b)
}

/// Bob's page asks whether its line is alive, as pages in sight do.
fn step(world: &mut World, b: ConnectionId) {
    world.send(b, &ClientFrame::Ping { nonce: 1 });
    world.advance(STEP);
}

/// What Bob was told of Ann last: whether she is there.
fn ann_is_here(world: &mut World, b: ConnectionId) -> Option<bool> {
    let frames = world.take(b);
    let people = frames.into_iter().filter_map(|frame| match frame {
        ServerFrame::Presence(people) => Some(people),
        _ => None,
    });
    let mut news = people.flatten().filter(|person| person.author == Author(1));
    news.next_back().map(|person| person.presence.is_some())
}

fn until_ann_is_gone(world: &mut World, b: ConnectionId) -> Duration {
    let from: Time = world.now;
    while ann_is_here(world, b) != Some(false) {
        step(world, b);
        assert!(world.now.since(from) < Duration::from_secs(60), "the ghost stays");
    }
    world.now.since(from)
}

#[test]
fn line_4_the_ghost_of_a_dead_line_leaves_in_time() {
    for ann_hidden in [false, true] {
        let (mut world, a, b) = pair(ann_hidden, false);
        let noticed = until_ann_is_gone(&mut world, b);
        assert!(noticed <= NOTICED, "{noticed:?}");
        assert_eq!(world.probed, [a], "she was asked, and Bob was heard anyway");
        assert_eq!(world.closed.get(&a), None, "her line may come back");
    }
}

#[test]
fn who_answers_the_probe_stays() {
    let (mut world, a, b) = pair(true, false);
    for _ in 0..240 {
        step(&mut world, b);
        if world.probed.pop().is_some() {
            world.input(Input::Heard { connection: a });
        }
        assert_ne!(ann_is_here(&mut world, b), Some(false));
    }
}

#[test]
fn any_sign_of_life_brings_somebody_back() {
    let signs: [fn(&mut World, ConnectionId); 3] = [
        |world, a| world.input(Input::Heard { connection: a }),
        |world, a| world.send(a, &ClientFrame::Ping { nonce: 7 }),
        |world, a| world.send(a, &show(false)),
    ];
    for sign in signs {
        let (mut world, a, b) = pair(false, false);
        until_ann_is_gone(&mut world, b);
        sign(&mut world, a);
        world.advance(STEP);
        assert_eq!(ann_is_here(&mut world, b), Some(true));
        assert!(until_ann_is_gone(&mut world, b) <= NOTICED, "and is looked after again");
    }
}

#[test]
fn who_comes_while_another_is_gone_does_not_see_it() {
    let mut world = World::new();
    let ann = world.create();
    let bob = world.join(ann.link);
    let (a, b) = (world.connect(ann.key, 1, None), world.connect(bob.key, 1, None));
    world.send(a, &show(false));
    world.send(b, &show(false));
    until_ann_is_gone(&mut world, b);
    let cid = world.join(ann.link);
    let c = world.connect(cid.key, 1, None);
    assert_ne!(ann_is_here(&mut world, c), Some(true));
}

#[test]
fn line_4_a_desk_that_nobody_looks_at_is_left_alone() {
    let (mut world, a, b) = pair(true, true);
    world.advance(Duration::from_secs(60));
    assert_eq!(world.probed, []);
    let timer = world.shard.poll_timeout();
    assert_ne!(timer.map(|(_, why)| why), Some("watch"));
    // Somebody comes back to the front, and Ann is long dead.
    world.send(b, &show(false));
    assert!(until_ann_is_gone(&mut world, b) <= NOTICED);
    assert_eq!(world.probed, [a]);
}

#[test]
fn line_4_a_desk_that_all_have_put_away_is_left_alone() {
    let (mut world, a, b) = pair(false, false);
    world.send(a, &show(true));
    world.send(b, &show(true));
    world.advance(Duration::from_secs(60));
    assert_eq!(world.probed, []);
    let timer = world.shard.poll_timeout();
    assert_ne!(timer.map(|(_, why)| why), Some("watch"));
}

#[test]
fn who_is_alone_is_not_asked() {
    let mut world = World::new();
    let ann = world.create();
    let a = world.connect(ann.key, 1, None);
    world.send(a, &show(false));
    world.advance(Duration::from_secs(60));
    assert_eq!(world.probed, []);
}
