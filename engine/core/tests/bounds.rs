//! What a shard keeps is bounded: tables shrink again when their reason has gone.

mod harness;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use desk_engine_core::*;
use desk_protocol::frame::{Role, ServerFrame};
use desk_protocol::operation::Create;
use desk_protocol::{ClientSeq, LinkId, Operation, Revision};
use harness::*;

fn rotate(world: &mut World, desk: &service::Joined, role: Role) -> LinkId {
    let path = desk.owner_link.expect("the creator's");
    let request = Request::Link { key: desk.key, desk: path, role, rotate: true };
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
        world.ask(Request::Export { link, deleted: None });
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
    assert_eq!(world.failure(Request::Export { link: view, deleted: None }), ServiceError::NoDesk);
    assert_eq!(world.shard.stats().links, 0);
}

#[test]
fn a_poll_that_is_given_up_leaves_nothing_behind() {
    let mut world = World::new();
    let desk = world.create();
    let before = world.shard.poll_timeout();
    for _ in 0..10 {
        let since = Revision(0);
        let request = world.ask_later(Request::Poll {
            key: desk.key,
            since,
            wait_seconds: 20,
            frames: false,
        });
        assert_ne!(world.shard.poll_timeout(), before);
        world.input(Input::Abandoned { request });
        assert_eq!(world.shard.poll_timeout(), before, "its deadline is still there");
    }
}

#[test]
fn one_client_takes_few_of_a_desks_polls() {
    let mut world = World::new();
    let desk = world.create();
    let poll = |key| Request::Poll { key, since: Revision(0), wait_seconds: 20, frames: false };
    let guest = world.join(desk.link);
    let most = limits::POLLS_PER_CLIENT_MAX;
    let asked: Vec<_> = (0..2 * most).map(|_| world.ask_later(poll(guest.key))).collect();
    for (at, request) in asked.iter().enumerate() {
        let nothing = world.replies.remove(request);
        assert_eq!(nothing.is_some(), at < most, "the {at}th");
        assert!(nothing.is_none_or(|reply| matches!(reply, Reply::Polled(_))));
    }
    let other = world.ask_later(poll(desk.key));
    world.sync(desk.key, 1, 0, vec![create(1, "x")]);
    for request in asked[most..].iter().chain([&other]) {
        assert!(matches!(world.replies.remove(request), Some(Reply::Polled(_))), "all are told");
    }
}

#[test]
fn a_newcomer_is_told_why_nobody_new_can_join() {
    let mut world = World::new();
    let desk = world.create();
    world.input(Input::Writable(false));
    let view = ServiceError::to_string(&world.failure(join(desk.link)));
    assert!(view.contains("nobody new can join"), "{view}");
    let back =
        Request::Join { link: desk.link, old_key: Some(desk.key), content: true, source: None };
    assert!(matches!(world.ask(back), Reply::Joined(_)), "who is here reads on");
}

#[test]
fn a_deletion_is_refused_at_once_while_nothing_can_be_stored() {
    let mut world = World::new();
    let desk = world.create();
    world.input(Input::Writable(false));
    for request in
        [Request::Delete { key: desk.key, desk: desk.link }, Request::Remove { link: desk.link }]
    {
        assert!(matches!(world.failure(request), ServiceError::Unavailable(_)));
    }
    world.input(Input::Writable(true));
    let delete = Request::Delete { key: desk.key, desk: desk.link };
    assert!(matches!(world.ask(delete), Reply::Deleted));
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

/// A world whose desks remember so many clients that changed something.
fn world_for(clients: usize) -> World {
    let limits = limits::ShardLimits { clients_per_desk: clients, ..Default::default() };
    World::with(ShardConfig { limits: Arc::new(limits), ..config() })
}

#[test]
fn who_only_looks_takes_no_place_of_those_who_change_a_desk() {
    let mut world = world_for(3);
    let desk = world.create();
    let view = rotate(&mut world, &desk, Role::Viewer);
    for _ in 0..20_000 {
        assert!(matches!(world.ask(join(view)), Reply::Joined(_)));
    }
    for number in 1..=3 {
        let guest = world.join(desk.link);
        let reply = world.sync(guest.key, 1, number - 1, vec![create(number, "x")]);
        assert!(matches!(reply, Reply::Synced { .. }), "{reply:?}");
    }
    // Those who change a desk are bounded all the same.
    assert!(matches!(world.failure(join(desk.link)), ServiceError::NoMoreEditors));
    assert!(matches!(world.ask(join(view)), Reply::Joined(_)));
    let late = world.sync(desk.key, 1, 3, vec![create(9, "x")]);
    assert!(matches!(late, Reply::Failed(ServiceError::NoMoreEditors)), "{late:?}");
    // An import is a change like others.
    let import = Request::Import {
        key: desk.key,
        desk: desk.link,
        user: String::new(),
        resend: None,
        laid_at: None,
        operations: vec![create(10, "imported")],
    };
    assert!(matches!(world.failure(import), ServiceError::NoMoreEditors));
}

fn join(link: LinkId) -> Request {
    Request::Join { link, old_key: None, content: false, source: None }
}

#[test]
fn imports_take_no_place() {
    let mut world = world_for(2);
    let desk = world.create();
    world.sync(desk.key, 1, 0, vec![create(1, "x")]);
    for id in 2..20 {
        let (key, desk) = (desk.key, desk.link);
        let operations = vec![create(id, "imported")];
        let user = String::new();
        let reply =
            world.ask(Request::Import { key, desk, user, resend: None, laid_at: None, operations });
        assert!(matches!(reply, Reply::Synced { .. }), "{reply:?}");
    }
}

#[test]
fn who_was_forgotten_goes_on_and_changes_the_desk_once() {
    let mut world = World::new();
    let desk = world.create();
    let reader = world.join(desk.link);
    let open = world.join(desk.link);
    let tab = world.connect(open.key, 1, None);
    for _ in 0..5_000 {
        world.join(desk.link);
    }
    world.submit(tab, 1, 0, vec![create(1, "from an open tab")]);
    for seq in [1, 1] {
        let reply = world.sync(reader.key, seq, 1, vec![create(2, "by request")]);
        let Reply::Synced { revision, .. } = reply else { panic!("{reply:?}") };
        assert_eq!(revision, Revision(2));
    }
    let late = world.connect(reader.key, 1, None);
    let frames = world.take(late);
    let Some(ServerFrame::Welcome(welcome)) = frames.first() else { panic!("{frames:?}") };
    assert_eq!(welcome.last.as_ref().map(|last| last.client_seq), Some(ClientSeq(1)));
    let desk = world.restart(config()).content(desk.link);
    let authors: BTreeSet<_> = desk.stickers().map(|sticker| sticker.author).collect();
    assert_eq!(authors.len(), 2, "each has a number of its own");
}

#[test]
fn a_desks_clients_cost_little_once_they_are_quiet() {
    let mut world = World::new();
    let desk = world.create();
    let (clients, ids) = (1_000, 100);
    for client in 0..clients {
        let guest = world.join(desk.link);
        let born_deleted = |id| match create(1 + client * ids + id, "") {
            Operation::Create(create) => Operation::Create(Create { deleted: true, ..create }),
            other => other,
        };
        let reply = world.sync(guest.key, 1, client, (0..ids).map(born_deleted).collect());
        assert!(matches!(reply, Reply::Synced { .. }), "{reply:?}");
    }
    everything_leaves(&mut world);
    let Some(StoredRecord::Desk(record)) = world.tables.get(&desk.link) else { panic!() };
    // The answers of those that acted last have a bound of their own.
    let quiet = record.members.bytes().saturating_sub(limits::RECENT_ANSWER_BYTES_MAX);
    let each = quiet / clients as usize;
    assert!(each <= 64, "{each} bytes each");
}

#[test]
fn flight_16_a_quiet_client_gets_its_first_answer_again() {
    let mut world = World::new();
    let desk = world.create();
    let (ann, bob) = (world.join(desk.link), world.join(desk.link));
    let made = |id| vec![create(id, "a"), create(id + 1, "b")];
    let first = world.sync(ann.key, 1, 0, made(1));
    let refused = world.sync(bob.key, 1, 0, vec![move_to(77, 1)]);
    for other in 0..1_000 {
        let guest = world.join(desk.link);
        world.sync(guest.key, 1, 1 + other, vec![create(10 + other, "x")]);
    }
    let mut world = world.restart(config());
    let again = world.sync(ann.key, 1, 0, made(1));
    assert_eq!(format!("{again:?}"), format!("{first:?}"));
    // Of another body no id is given for one that was created.
    let Reply::Synced { created, revision, .. } = world.sync(ann.key, 1, 0, made(5)) else {
        panic!()
    };
    assert_eq!((created, revision), (vec![], Revision(1)));
    let (Reply::Failed(ServiceError::Rejected { operation, .. }), Reply::Failed(first)) =
        (world.sync(bob.key, 1, 0, made(5)), refused)
    else {
        panic!()
    };
    assert!(matches!(first, ServiceError::Rejected { operation: found, .. } if found == operation));
}

#[test]
fn a_class_joins_at_once_and_one_script_does_not_fill_a_desk() {
    let mut world = World::new();
    let (desk, other) = (world.create(), world.create());
    let school = Source::from(IpAddr::from([192, 0, 2, 1]));
    let join = |link, source| Request::Join { link, old_key: None, content: false, source };
    let from = |world: &mut World, link, source| world.ask(join(link, Some(source)));
    for _ in 0..200 {
        assert!(matches!(from(&mut world, desk.link, school), Reply::Joined(_)));
    }
    let mut wait = None;
    for _ in 0..1_000 {
        if let Reply::Failed(ServiceError::TooOften { wait: told, .. }) =
            from(&mut world, desk.link, school)
        {
            wait = Some(told);
        }
    }
    let wait = wait.expect("a script goes on");
    let owner = desk.owner_link.expect("the creator's");
    assert!(matches!(from(&mut world, owner, school), Reply::Joined(_)), "its own rate");
    let elsewhere = Source::from(IpAddr::from([192, 0, 2, 2]));
    assert!(matches!(from(&mut world, desk.link, elsewhere), Reply::Joined(_)));
    assert!(matches!(from(&mut world, other.link, school), Reply::Joined(_)));
    let back = Request::Join {
        link: desk.link,
        old_key: Some(desk.key),
        content: false,
        source: Some(school),
    };
    assert!(matches!(world.ask(back), Reply::Joined(_)), "who was here is no newcomer");
    world.advance(wait);
    assert!(matches!(from(&mut world, desk.link, school), Reply::Joined(_)), "after {wait:?}");
    let week = Duration::from_secs(7 * 86_400);
    assert!(limits::NEWCOMER_RATE.most_in(week) < limits::CLIENTS_PER_DESK_MAX as u64);
}

#[test]
fn the_content_is_copied_once_a_revision() {
    let mut world = World::new();
    let desk = world.create();
    world.sync(desk.key, 1, 0, vec![create(1, "x")]);
    let content =
        |world: &mut World| match world.ask(Request::Export { link: desk.link, deleted: None }) {
            Reply::Content(content) => content.desk,
            other => panic!("{other:?}"),
        };
    let (first, second) = (content(&mut world), content(&mut world));
    assert!(Arc::ptr_eq(&first, &second), "copied for each");
    // A poll from before what is kept gets the same, or frames and no copy at all.
    world.sync(desk.key, 2, 1, vec![move_to(1, 5)]);
    let mut world = world.restart(config());
    let ask = |frames| Request::Poll { key: desk.key, since: Revision(0), wait_seconds: 0, frames };
    let Reply::Polled(service::Polled::Content(polled)) = world.ask(ask(false)) else { panic!() };
    assert!(Arc::ptr_eq(&polled.desk, &content(&mut world)));
    assert!(matches!(world.ask(ask(true)), Reply::Polled(service::Polled::Snapshot(_))));
}
