//! Stories of a machine of a cluster: units come and go, and each has a log of its own.

mod harness;

use desk_engine_core::*;
use desk_protocol::frame::{CloseCode, ServerFrame};
use desk_protocol::*;
use harness::*;

/// A machine that serves these units.
fn machine(units: impl IntoIterator<Item = u16>) -> World {
    let mut world = World::of_cluster(config());
    for unit in units {
        world.input(Input::Owned { unit });
    }
    world
}

/// Makes a desk that is durable, and joins it.
fn joined(world: &mut World) -> (service::Joined, ConnectionId) {
    let ann = world.create();
    let connection = world.connect(ann.key, 1, None);
    world.take(connection);
    (ann, connection)
}

#[test]
fn a_desk_of_another_machine_is_asked_for_there() {
    let mut world = machine(0..UNITS);
    let (ann, a) = joined(&mut world);
    let unit = unit(ann.link);
    world.input(Input::Deposed { unit });
    let told = world.take(a);
    assert!(matches!(told[..], [ServerFrame::Close { code: CloseCode::Moved, .. }]), "{told:?}");
    assert_eq!(world.closed.get(&a), Some(&CloseCode::Moved));
    for body in [
        Request::Join { link: ann.link, old_key: None, content: false, source: None },
        Request::Attach { key: ann.key },
        Request::Export { link: ann.owner_link.unwrap(), deleted: None },
    ] {
        assert!(matches!(world.failure(body), ServiceError::Moved));
    }
    let again = world.connect(ann.key, 2, None);
    assert_eq!(world.closed.get(&again), Some(&CloseCode::Moved));
    assert_eq!(world.loads, [], "the store's copy may be old, and is not looked at");
    world.input(Input::Owned { unit });
    assert_eq!(world.content(ann.link).title().value, "Retro");
}

#[test]
fn what_a_deposed_machine_had_under_way_is_never_shown() {
    let mut world = machine(0..UNITS);
    let (ann, a) = joined(&mut world);
    world.auto_commit = false;
    world.submit(a, 1, 0, vec![create(7, "hello")]);
    let key = ann.key;
    let submit = submit(2, 1, vec![create(8, "more")]);
    let user = "ann".to_owned();
    let base_texts = Vec::new();
    let later = world.ask_later(Request::Sync { key, user, submit, base_texts });
    world.input(Input::Deposed { unit: unit(ann.link) });
    let told = world.take(a);
    assert!(matches!(told[..], [ServerFrame::Close { code: CloseCode::Moved, .. }]), "{told:?}");
    assert!(matches!(world.replies.remove(&later), Some(Reply::Failed(ServiceError::Moved))));
    // The log of another unit gets further after all.
    world.commit();
    assert_eq!(world.take(a), []);
    // What came of it the other machine knows: here only what was durable is left.
    world.input(Input::Owned { unit: unit(ann.link) });
    world.log.get_mut(&ann.link).unwrap().retain(|(sequence, _)| *sequence <= 2);
    assert_eq!(world.content(ann.link).revision(), Revision(0));
}

#[test]
fn a_unit_waits_for_its_own_log_only() {
    let mut world = machine(0..UNITS);
    let (ann, a) = joined(&mut world);
    let (eve, e) = std::iter::repeat_with(|| joined(&mut world))
        .find(|(eve, _)| unit(eve.link) != unit(ann.link))
        .unwrap();
    world.auto_commit = false;
    world.submit(a, 1, 0, vec![create(7, "hello")]);
    world.submit(e, 1, 0, vec![create(7, "hello")]);
    world.commit_unit(unit(eve.link));
    assert_eq!((commits(&world.take(a)), commits(&world.take(e))), (vec![], vec![1]));
    // A position that is passed over counts for those behind it.
    world.input(Input::Deposed { unit: unit(ann.link) });
    assert!(commits(&world.take(a)).is_empty());
    assert_eq!(world.shard.stats().waiting_outputs, 0);
}

#[test]
fn a_unit_whose_log_is_stuck_refuses_changes_and_is_read_on() {
    let mut world = machine([3, 4]);
    let (ann, a) = joined(&mut world);
    let stuck = unit(ann.link);
    world.input(Input::UnitWritable { unit: stuck, writable: false });
    assert_eq!(world.content(ann.link).revision(), Revision(0));
    for _ in 0..20 {
        assert_ne!(unit(world.create().link), stuck, "a new desk goes where it can be stored");
    }
    world.submit(a, 1, 0, vec![create(7, "hello")]);
    assert_eq!(world.closed.get(&a), Some(&CloseCode::Overloaded));
    world.input(Input::UnitWritable { unit: stuck, writable: true });
    let a = world.connect(ann.key, 2, None);
    world.submit(a, 1, 0, vec![create(7, "hello")]);
    assert_eq!(commits(&world.take(a)), [1]);
}

#[test]
fn a_machine_without_a_unit_makes_no_desk() {
    let mut world = machine([]);
    let create = || Request::Create { title: String::new(), content: false };
    assert!(matches!(world.failure(create()), ServiceError::Moved));
    world.input(Input::Owned { unit: 9 });
    for _ in 0..20 {
        let made = world.create();
        assert_eq!((unit(made.link), unit(made.owner_link.unwrap())), (9, 9));
    }
}

#[test]
fn nobody_reads_what_another_machine_may_have_changed() {
    let mut world = machine(0..UNITS);
    let (ann, a) = joined(&mut world);
    let unit = unit(ann.link);
    world.input(Input::UnitTrusted { unit, trusted: false });
    let refused = world.failure(Request::Export { link: ann.link, deleted: None });
    assert!(matches!(refused, ServiceError::Unavailable(_)));
    let late = world.connect(ann.key, 2, None);
    assert_eq!(world.closed.get(&late), Some(&CloseCode::Overloaded));
    // A change asks the log, which knows the owner.
    world.submit(a, 1, 0, vec![create(7, "hello")]);
    assert_eq!(commits(&world.take(a)), [1]);
    world.input(Input::UnitTrusted { unit, trusted: true });
    assert_eq!(world.content(ann.link).revision(), Revision(1));
}
