//! What a shard keeps is bounded: tables shrink again when their reason has gone.

mod harness;

use desk_engine_core::*;
use desk_protocol::Revision;
use harness::*;

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
