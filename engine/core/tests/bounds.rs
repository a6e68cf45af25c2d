//! What a shard keeps is bounded: tables shrink again when their reason has gone.

mod harness;

use std::time::Duration;

use desk_engine_core::*;
use desk_protocol::frame::Role;
use desk_protocol::{LinkId, Revision};
use harness::*;

fn rotate(world: &mut World, desk: &service::Joined, role: Role) -> LinkId {
    let request = Request::Link { key: desk.key, desk: desk.link, role, rotate: true };
    match world.ask(request) {
        Reply::Link { link, .. } => link,
        other => panic!("{other:?}"),
    }
}

/// Until the shard has nothing in memory any more.
fn everything_leaves(world: &mut World) {
    world.advance(Duration::from_secs(3_600));
    assert_eq!(world.shard.stats().instances, 0);
}

#[test]
fn links_of_a_desk_are_forgotten_with_it() {
    let mut world = World::new();
    let desk = world.create();
    let tab = world.connect(desk.key, 1, None);
    // The tab stays open while the desk leaves memory, and is closed after that.
    everything_leaves(&mut world);
    world.input(Input::Closed { connection: tab });
    everything_leaves(&mut world);
    assert_eq!(world.shard.stats().links, 0);
}

#[test]
fn a_replaced_link_is_forgotten() {
    let mut world = World::new();
    let desk = world.create();
    for _ in 0..500 {
        rotate(&mut world, &desk, Role::Editor);
        rotate(&mut world, &desk, Role::Viewer);
    }
    assert!(world.shard.stats().links <= 3, "{} links", world.shard.stats().links);
}

#[test]
fn void_links_that_people_still_ask_for_are_bounded() {
    let mut world = World::new();
    let desk = world.create();
    let old: Vec<_> = (0..500).map(|_| rotate(&mut world, &desk, Role::Viewer)).collect();
    for link in old {
        world.ask(Request::Export { link });
    }
    let most = limits::LINKS_PER_DESK_MAX;
    assert!(world.shard.stats().links <= most, "{} links", world.shard.stats().links);
}

#[test]
fn a_link_to_a_desk_that_is_missing_is_forgotten() {
    let mut world = World::new();
    let desk = world.create();
    let view = rotate(&mut world, &desk, Role::Viewer);
    let mut world = world.restart(config());
    world.log.remove(&desk.link);
    world.tables.remove(&desk.link);
    assert_eq!(world.failure(Request::Export { link: view }), ServiceError::NoDesk);
    assert_eq!(world.shard.stats().links, 0);
}

#[test]
fn a_poll_that_is_given_up_leaves_nothing_behind() {
    let mut world = World::new();
    let desk = world.create();
    let before = world.shard.poll_timeout();
    for _ in 0..10 {
        let since = Revision(0);
        let request = world.ask_later(Request::Poll { key: desk.key, since, wait_seconds: 20 });
        assert_ne!(world.shard.poll_timeout(), before);
        world.input(Input::Abandoned { request });
        assert_eq!(world.shard.poll_timeout(), before, "its deadline is still there");
    }
}

#[test]
fn a_connection_that_is_gone_leaves_no_deadline_behind() {
    let mut world = World::new();
    let desk = world.create();
    let before = world.shard.poll_timeout();
    let connection = ConnectionId(77);
    world.input(Input::Opened { connection, key: Some(desk.key) });
    assert_ne!(world.shard.poll_timeout(), before);
    world.input(Input::Closed { connection });
    assert_eq!(world.shard.poll_timeout(), before, "its deadline is still there");
}
