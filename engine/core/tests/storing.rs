//! What is stored when the log asks for it.

mod harness;

use std::time::Duration;

use desk_engine_core::shard::Loaded;
use desk_engine_core::*;
use desk_protocol::LinkId;
use desk_protocol::frame::{CloseCode, Role};
use harness::*;

/// A desk and its owner's and viewer's links, of which only the log has something:
/// the process that made it was killed before its store wrote anything.
fn killed() -> (World, LinkId, [LinkId; 2]) {
    let mut world = World::new();
    world.storing = false;
    let desk = world.create();
    let (path, role) = (desk.link, Role::Viewer);
    let view = match world.ask(Request::Link { key: desk.key, desk: path, role, rotate: false }) {
        Reply::Link { link, .. } => link,
        other => panic!("{other:?}"),
    };
    let links = [desk.owner_link.expect("an owner's link"), view];
    (world.restart(config()), desk.link, links)
}

fn press(world: &mut World, keys: &[LinkId]) {
    world.input(Input::Pressure { keys: keys.to_vec(), pace: StorePace::Calm });
    world.advance(Duration::from_millis(100));
}

#[test]
fn links_that_only_the_log_has_are_stored() {
    let (mut world, desk, links) = killed();
    press(&mut world, &links);
    for link in links {
        assert_eq!(world.tables.get(&link), Some(&StoredRecord::Alias(Alias { desk })));
        assert!(world.log[&link].is_empty());
    }
    assert!(!world.tables.contains_key(&desk), "it was not asked for");
    assert_eq!(world.shard.stats().instances, 0, "nor loaded");
    // They lead to the desk still.
    links.into_iter().for_each(|link| drop(world.join(link)));
}

#[test]
fn links_of_a_desk_in_memory_are_stored() {
    let (mut world, desk, links) = killed();
    world.join(desk);
    press(&mut world, &links);
    for link in links {
        assert_eq!(world.tables.get(&link), Some(&StoredRecord::Alias(Alias { desk })));
    }
}

#[test]
fn who_comes_by_a_link_that_is_being_stored_finds_the_desk() {
    let (mut world, desk, [owner, _]) = killed();
    // Both wait for the same load.
    world.shard.handle(world.now, Input::Pressure { keys: vec![owner], pace: StorePace::Calm });
    world.shard.handle_timeout(world.now);
    let joined = world.join(owner);
    assert_eq!((joined.link, joined.role), (owner, Role::Owner));
    assert_eq!(world.tables.get(&owner), Some(&StoredRecord::Alias(Alias { desk })));
}

#[test]
fn an_unreadable_key_is_put_off() {
    let (mut world, desk, [owner, _]) = killed();
    let found: [fn() -> Loaded; 4] =
        [|| Loaded::Expired, || Loaded::Quarantined, || Loaded::Failed, || Loaded::Missing];
    for (number, unreadable) in found.into_iter().enumerate() {
        for key in [desk, owner] {
            world.unreadable.insert(key, unreadable);
        }
        // The log names them at each of its rounds, ten a second.
        world.loads.clear();
        for _ in 0..100 {
            press(&mut world, &[desk, owner]);
        }
        assert_eq!(world.loads, [desk, owner], "{number}");
        world.advance(limits::STORE_PUT_OFF_TIME);
    }
    // Whoever asks is answered what is found then, and what was put off is stored.
    press(&mut world, &[desk, owner]);
    world.unreadable.clear();
    world.join(owner);
    press(&mut world, &[desk, owner]);
    assert!(world.tables.contains_key(&desk) && world.tables.contains_key(&owner));
}

#[test]
fn a_desk_may_expire_while_it_is_stored() {
    let mut world = World::new();
    let desk = world.create().link;
    world.storing = false;
    press(&mut world, &[desk]);
    assert_eq!(world.to_store.len(), 1, "it is on its way");
    world.input(Input::Pressure { keys: vec![desk], pace: StorePace::Calm });
    // The shell is late: the step is due, and so is the desk's end.
    world.now = world.now + WEEK.lasts;
    world.shard.handle_timeout(world.now);
    world.turn();
    assert_eq!((world.shard.stats().instances, world.shard.stats().unstored), (0, 0));
}

#[test]
fn a_desk_may_expire_before_it_is_stored() {
    let mut world = World::new();
    world.storing = false;
    let desk = world.create();
    world.sync(desk.key, 1, 0, vec![create(1, "to the last minute")]);
    let week = Duration::from_secs(7 * 86_400);
    world.advance(week - Duration::from_millis(50));
    world.join(desk.link);
    world.input(Input::Pressure { keys: vec![desk.link], pace: StorePace::Calm });
    world.unreadable.insert(desk.link, || Loaded::Expired);
    world.advance(Duration::from_millis(100));
    for _ in 0..100 {
        press(&mut world, &[desk.link]);
    }
    assert!(world.loads.iter().filter(|key| **key == desk.link).count() <= 2, "{:?}", world.loads);
    assert_eq!((world.shard.stats().unstored, world.shard.stats().instances), (0, 0));
}

#[test]
fn a_desk_that_no_table_takes_is_not_stored_again_and_again() {
    let mut world = World::new();
    world.storing = false;
    let desk = world.create();
    world.sync(desk.key, 1, 0, vec![create(1, "much")]);
    let guest = world.join(desk.link);
    let line = world.connect(guest.key, 1, None);
    press(&mut world, &[desk.link]);
    let (key, sequence, _) = world.to_store.pop().expect("it is on its way");
    // Its owner's link is stored as well.
    world.to_store.clear();
    world.input(Input::Unstorable { key, sequence });
    assert_eq!(world.shard.stats().unstored, 0, "nothing of it is on its way any more");
    for _ in 0..100 {
        press(&mut world, &[desk.link]);
    }
    assert!(world.to_store.is_empty(), "the log asks in vain");
    // Only the log has its newest steps: none are added.
    let refused = world.sync(desk.key, 2, 1, vec![create(2, "more")]);
    assert!(matches!(refused, Reply::Failed(ServiceError::Unavailable(_))), "{refused:?}");
    world.submit(line, 1, 1, vec![create(3, "more")]);
    assert_eq!(world.closed.get(&line), Some(&CloseCode::Overloaded));
    assert_eq!(world.content(desk.link).stickers().count(), 1, "reading goes on");
    // After a while people may make it smaller, and it is tried again.
    world.advance(limits::STORE_PUT_OFF_TIME);
    let taken = world.sync(desk.key, 2, 1, vec![create(2, "more")]);
    assert!(matches!(taken, Reply::Synced { .. }), "{taken:?}");
    press(&mut world, &[desk.link]);
    assert_eq!(world.to_store.len(), 1);
}

#[test]
fn a_desk_that_no_table_takes_stays_in_memory_and_leaves_once_one_does() {
    let mut world = World::with(ShardConfig { memory_bytes: 0, ..config() });
    world.storing = false;
    let desk = world.create();
    world.sync(desk.key, 1, 0, vec![create(1, "much")]);
    world.advance(Duration::from_secs(1));
    // Memory is short.
    world.create();
    world.advance(Duration::from_secs(1));
    let is_desk = |(key, ..): &(LinkId, u64, StoredRecord)| *key == desk.link;
    let at = world.to_store.iter().position(is_desk).expect("it is to leave memory");
    let (key, sequence, _) = world.to_store.remove(at);
    world.input(Input::Unstorable { key, sequence });
    world.create();
    world.advance(Duration::from_secs(30));
    assert!(!world.to_store.iter().any(is_desk), "it is not tried all the time");
    assert_eq!(world.content(desk.link).stickers().count(), 1, "it is whole");
    assert!(!world.loads.contains(&desk.link), "and has not been loaded: no table has it");
    world.storing = true;
    world.store_all();
    world.advance(limits::STORE_PUT_OFF_TIME + Duration::from_secs(901));
    assert!(world.tables.contains_key(&desk.link));
}
