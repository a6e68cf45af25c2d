//! Stories of sessions: who gets what, when, and never too early.

mod harness;

use std::time::Duration;

use desk_engine_core::shard::Loaded;
use desk_engine_core::*;
use desk_protocol::frame::{
    BatchResult, ClientFrame, CloseCode, Hello, Outcome, Presence, Role, ServerFrame,
};
use desk_protocol::*;
use harness::*;

#[test]
fn a_batch_reaches_everyone_and_names_its_author() {
    let mut world = World::new();
    let ann = world.create();
    let bob = world.join(ann.link);
    let (a, b) = (world.connect(ann.key, 1, None), world.connect(bob.key, 1, Some(0)));
    assert!(matches!(&world.take(a)[..], [ServerFrame::Welcome(w), ServerFrame::SnapshotChunk(_)]
        if w.snapshot && w.role == Role::Owner && w.author == Author(1)));
    assert!(matches!(&world.take(b)[..], [ServerFrame::Welcome(w)]
        if !w.snapshot && w.role == Role::Editor && w.author == Author(2)));
    world.submit(a, 1, 0, vec![create(7, "hello")]);
    for connection in [a, b] {
        let frames = world.take(connection);
        let [ServerFrame::Commit(commit)] = &frames[..] else { panic!("{frames:?}") };
        assert_eq!((commit.revision, commit.author), (Revision(1), Author(1)));
        assert_eq!((commit.client_seq, &*commit.user), (ClientSeq(1), "ann"));
    }
    assert_eq!(world.content(ann.link).sticker(StickerId(7)).unwrap().text.value, "hello");
}

#[test]
fn what_waits_for_a_log_that_failed_is_refused_at_once() {
    let mut world = World::new();
    let (ann, eve) = (world.create(), world.create());
    let a = world.connect(ann.key, 1, None);
    world.take(a);
    let since = Revision(0);
    let waiting = Request::Poll { key: eve.key, since, wait_seconds: 20, frames: false };
    let poll = world.ask_later(waiting);
    world.auto_commit = false;
    world.submit(a, 1, 0, vec![create(7, "hello")]);
    let export = world.ask_later(Request::Export { link: ann.link, deleted: None });
    let made = world.ask_later(Request::Create { title: "Retro".to_owned(), content: false });
    assert!([poll, export, made].iter().all(|request| !world.replies.contains_key(request)));
    world.input(Input::LogFailed);
    for request in [poll, export, made] {
        let reply = world.replies.remove(&request);
        assert!(matches!(reply, Some(Reply::Failed(ServiceError::Unavailable(_)))), "{reply:?}");
    }
    let told = world.take(a);
    let only_the_end = matches!(told[..], [ServerFrame::Close { code: CloseCode::Internal, .. }]);
    assert!(only_the_end, "{told:?}");
    assert_eq!(world.closed.get(&a), Some(&CloseCode::Internal));
    // What is not durable stays unseen, and what is durable is read on.
    let refused = world.failure(Request::Export { link: ann.link, deleted: None });
    assert!(matches!(refused, ServiceError::Unavailable(_)));
    assert!(matches!(
        world.ask(Request::Export { link: eve.link, deleted: None }),
        Reply::Content(_)
    ));
    // A log that gets further after all changes nothing: frames were left out.
    world.commit();
    let refused = world.failure(Request::Export { link: ann.link, deleted: None });
    assert!(matches!(refused, ServiceError::Unavailable(_)));
}

#[test]
fn flight_15_nothing_is_shown_before_it_is_durable() {
    let mut world = World::new();
    let ann = world.create();
    let a = world.connect(ann.key, 1, None);
    world.take(a);
    world.auto_commit = false;
    world.submit(a, 1, 0, vec![create(7, "hello")]);
    world.submit(a, 1, 0, vec![create(8, "the same number, another body")]);
    world.submit(a, 2, 1, vec![move_to(99, 5)]);
    let join = world.ask_later(Request::Join {
        link: ann.link,
        old_key: None,
        content: true,
        source: None,
    });
    let export = world.ask_later(Request::Export { link: ann.link, deleted: None });
    let since = Revision(0);
    let poll =
        world.ask_later(Request::Poll { key: ann.key, since, wait_seconds: 0, frames: false });
    let late = world.connect(ann.key, 2, Some(0));
    assert!(world.take(a).is_empty() && world.take(late).is_empty());
    assert!([join, export, poll].iter().all(|request| !world.replies.contains_key(request)));
    world.commit();
    let frames = world.take(a);
    let [
        ServerFrame::Commit(_),
        ServerFrame::Answer(BatchResult { outcome: Outcome::Applied { created, .. }, .. }),
        ServerFrame::Answer(BatchResult { outcome: Outcome::Rejected { .. }, .. }),
        ServerFrame::Close { code: CloseCode::Superseded, .. },
    ] = &frames[..]
    else {
        panic!("{frames:?}")
    };
    assert_eq!(created, &[StickerId(7)]);
    assert_eq!(commits(&world.take(late)), [1]);
    assert!([join, export, poll].iter().all(|request| world.replies.contains_key(request)));
}

#[test]
fn flight_16_a_resend_gets_the_first_answer() {
    let mut world = World::new();
    let ann = world.create();
    let first = world.sync(ann.key, 1, 0, vec![create(7, "a")]);
    let mut world = world.restart(config());
    let again = world.sync(ann.key, 1, 0, vec![create(8, "b")]);
    let created = |reply: &Reply| match reply {
        Reply::Synced { created, revision, .. } => (created.clone(), *revision),
        other => panic!("{other:?}"),
    };
    assert_eq!(created(&first), created(&again));
    assert!(matches!(
        world.sync(ann.key, 3, 1, vec![create(9, "c")]),
        Reply::Failed(ServiceError::SequenceGap { expected: ClientSeq(2), .. })
    ));
    world.sync(ann.key, 2, 1, vec![create(9, "c")]);
    assert!(matches!(
        world.sync(ann.key, 1, 1, vec![create(9, "c")]),
        Reply::Failed(ServiceError::OldSequence { .. })
    ));
}

#[test]
fn a_rejection_uses_up_its_number_for_good() {
    let mut world = World::new();
    let ann = world.create();
    let rejected = |reply: Reply| match reply {
        Reply::Failed(ServiceError::Rejected { operation, detail }) => (operation, detail),
        other => panic!("{other:?}"),
    };
    let ops = vec![create(1, "x"), move_to(42, 1)];
    let (operation, detail) = rejected(world.sync(ann.key, 1, 0, ops));
    assert_eq!(operation, 1);
    assert!(detail.starts_with("move: there is no sticker"), "{detail}");
    assert_eq!(world.content(ann.link).revision(), Revision(0));
    let mut world = world.restart(config());
    rejected(world.sync(ann.key, 1, 0, vec![create(1, "mended")]));
    assert!(matches!(world.sync(ann.key, 2, 0, vec![create(1, "m")]), Reply::Synced { .. }));
}

#[test]
fn flight_9_the_newest_connection_supersedes() {
    let mut world = World::new();
    let ann = world.create();
    let old = world.connect(ann.key, 5, None);
    let new = world.connect(ann.key, 6, None);
    assert_eq!(world.closed.get(&old), Some(&CloseCode::Superseded));
    world.take(new);
    world.submit(old, 1, 0, vec![create(1, "from the past")]);
    assert!(world.take(new).is_empty());
    let stale = world.connect(ann.key, 6, None);
    assert_eq!(world.closed.get(&stale), Some(&CloseCode::Superseded));
    world.submit(new, 1, 0, vec![create(1, "now")]);
    assert_eq!(commits(&world.take(new)), [1]);
}

#[test]
fn roles_are_enforced() {
    let mut world = World::new();
    let ann = world.create();
    let view = Request::Link { key: ann.key, desk: ann.link, role: Role::Viewer, rotate: false };
    let Reply::Link { link, .. } = world.ask(view.clone()) else { panic!() };
    let Reply::Link { link: again, .. } = world.ask(view) else { panic!() };
    assert_eq!(link, again);
    let viewer = world.join(link);
    assert_eq!((viewer.role, viewer.link), (Role::Viewer, link));
    let submit = submit(1, 0, vec![create(1, "x")]);
    let sync = Request::Sync { key: viewer.key, user: String::new(), submit, base_texts: vec![] };
    assert!(matches!(world.failure(sync), ServiceError::NotAllowed { .. }));
    let v = world.connect(viewer.key, 1, None);
    world.submit(v, 1, 0, vec![create(1, "x")]);
    assert_eq!(world.closed.get(&v), Some(&CloseCode::NotAllowed));
    let editor = world.join(ann.link);
    let finish = Request::Finish { key: editor.key, diff: None };
    assert!(matches!(world.failure(finish), ServiceError::NotAllowed { .. }));
    let delete = Request::Delete { key: editor.key, desk: ann.link };
    assert!(matches!(world.failure(delete), ServiceError::NotAllowed { .. }));
    let poll =
        Request::Poll { key: viewer.key, since: Revision(0), wait_seconds: 0, frames: false };
    assert!(matches!(world.ask(poll), Reply::Polled(_)));
}

#[test]
fn a_rotated_link_is_gone_with_its_keys_and_connections() {
    let mut world = World::new();
    let ann = world.create();
    let bob = world.join(ann.link);
    let b = world.connect(bob.key, 1, None);
    let rotate = Request::Link { key: ann.key, desk: ann.link, role: Role::Editor, rotate: true };
    let Reply::Link { link: fresh, .. } = world.ask(rotate) else { panic!() };
    assert_ne!(fresh, ann.link);
    assert_eq!(world.closed.get(&b), Some(&CloseCode::LinkReplaced));
    for _ in 0..2 {
        let join = Request::Join { link: ann.link, old_key: None, content: false, source: None };
        assert_eq!(world.failure(join), ServiceError::LinkReplaced);
        let attach = Request::Attach { key: bob.key };
        assert_eq!(world.failure(attach), ServiceError::KeyOfReplacedLink);
        let late = world.connect(bob.key, 2, None);
        assert_eq!(world.closed.get(&late), Some(&CloseCode::LinkReplaced));
        let export = Request::Export { link: ann.link, deleted: None };
        assert_eq!(world.failure(export), ServiceError::LinkReplaced);
        assert_eq!(world.join(fresh).role, Role::Editor);
        assert_eq!(world.join(ann.owner_link.unwrap()).role, Role::Owner);
        world = world.restart(config());
    }
}

#[test]
fn an_old_key_goes_on_as_the_same_client() {
    let mut world = World::new();
    let ann = world.create();
    world.sync(ann.key, 1, 0, vec![create(1, "x")]);
    let back = world.join_as(ann.link, Some(ann.key));
    assert!(back.resumed);
    assert_eq!((back.author, back.role), (ann.author, Role::Owner));
    assert!(matches!(world.sync(back.key, 2, 1, vec![move_to(1, 3)]), Reply::Synced { .. }));
    let other = world.create();
    assert!(!world.join_as(other.link, Some(ann.key)).resumed);
}

#[test]
fn finish_applies_its_diff_and_voids_the_keys() {
    let mut world = World::new();
    let ann = world.create();
    let bob = world.join(ann.link);
    let (a, b) = (world.connect(ann.key, 1, None), world.connect(bob.key, 1, None));
    world.take(b);
    let poll = Request::Poll { key: bob.key, since: Revision(0), wait_seconds: 25, frames: false };
    let poll = world.ask_later(poll);
    let diff = Some(submit(1, 0, vec![create(1, "last words")]));
    assert!(matches!(world.ask(Request::Finish { key: ann.key, diff }), Reply::Finished));
    assert!(world.replies.contains_key(&poll));
    assert_eq!(commits(&world.take(b)), [1]);
    assert!([a, b].iter().all(|c| world.closed.get(c) == Some(&CloseCode::Finished)));
    let attach = Request::Attach { key: bob.key };
    assert_eq!(world.failure(attach.clone()), ServiceError::Finished);
    assert_eq!(world.shard.stats().instances, 1, "asking loaded it again");
    let late = world.connect(bob.key, 2, None);
    assert_eq!(world.closed.get(&late), Some(&CloseCode::Finished));
    let owner = ann.owner_link.unwrap();
    for _ in 0..3 {
        let key = world.join(owner).key;
        assert!(matches!(world.ask(Request::Finish { key, diff: None }), Reply::Finished));
        assert_eq!(world.failure(attach.clone()), ServiceError::Finished);
    }
    let forged = Keyring::new([9; 32]).issue(ann.link, ClientId(7), Role::Editor, 0);
    let forged = Request::Attach { key: forged };
    assert_eq!(world.failure(forged), ServiceError::KeyVoid, "nobody ended that one");
    let again = world.join_as(ann.link, Some(bob.key));
    assert!(!again.resumed);
    assert_eq!(world.content(ann.link).live_stickers(), 1);
}

#[test]
fn an_idle_session_is_parked_and_woken() {
    let mut world = World::new();
    let ann = world.create();
    let a = world.connect(ann.key, 1, None);
    world.submit(a, 1, 0, vec![create(1, "x")]);
    world.take(a);
    world.advance(Duration::from_secs(899));
    assert_eq!(world.shard.stats().instances, 1);
    world.advance(Duration::from_secs(2));
    assert_eq!(world.shard.stats().instances, 0);
    assert!(world.tables.contains_key(&ann.link));
    assert!(world.log[&ann.link].is_empty(), "the log holds nothing that the table lacks");
    world.submit(a, 2, 1, vec![move_to(1, 9)]);
    assert_eq!(commits(&world.take(a)), [2]);
    assert_eq!(world.shard.stats().instances, 1);
    world.input(Input::Closed { connection: a });
    world.advance(Duration::from_secs(31));
    assert_eq!(world.shard.stats().instances, 0);
    assert_eq!(world.content(ann.link).revision(), Revision(2));
}

#[test]
fn a_desk_is_gone_to_the_second() {
    let mut world = World::new();
    let ann = world.create();
    let a = world.connect(ann.key, 1, None);
    world.advance(Duration::from_secs(7 * 86_400) - Duration::from_micros(1));
    assert!(world.closed.is_empty());
    // Loaded, and then found in memory.
    world.join(ann.link);
    world.join(ann.link);
    let unknown = LinkId::new(ann.link.created_second(), 1);
    let nobodys = Request::Join { link: unknown, old_key: None, content: false, source: None };
    assert_eq!(world.failure(nobodys.clone()), ServiceError::NoDesk);
    world.advance(Duration::from_micros(1));
    assert_eq!(world.failure(nobodys), ServiceError::Expired);
    assert_eq!(world.closed.get(&a), Some(&CloseCode::Expired));
    let join = Request::Join { link: ann.link, old_key: None, content: false, source: None };
    assert_eq!(world.failure(join.clone()), ServiceError::Expired);
    world.log.clear();
    world.tables.clear();
    assert_eq!(world.failure(join), ServiceError::Expired);
    let unknown = LinkId::new(1_700_600_000, 1);
    let join = Request::Join { link: unknown, old_key: None, content: false, source: None };
    assert_eq!(world.failure(join), ServiceError::NoDesk);
}

#[test]
fn a_deleted_desk_is_gone_at_once_with_all_its_links() {
    let mut world = World::new();
    let ann = world.create();
    let a = world.connect(ann.key, 1, None);
    assert!(matches!(world.ask(Request::Delete { key: ann.key, desk: ann.link }), Reply::Deleted));
    assert_eq!(world.closed.get(&a), Some(&CloseCode::Deleted));
    for link in [ann.link, ann.owner_link.unwrap()] {
        let join = Request::Join { link, old_key: None, content: false, source: None };
        assert_eq!(world.failure(join), ServiceError::NoDesk);
    }
    assert!(world.log.is_empty() && world.tables.is_empty());
}

#[test]
fn presence_is_batched_told_to_newcomers_and_taken_back() {
    let mut world = World::new();
    let ann = world.create();
    let bob = world.join(ann.link);
    let (a, b) = (world.connect(ann.key, 1, None), world.connect(bob.key, 1, None));
    let show = |x| {
        let cursor = Some(Point { x, y: 0 });
        ClientFrame::Presence(Presence { cursor, ..Presence::default() })
    };
    world.send(a, &show(0));
    world.advance(Duration::from_millis(1));
    world.take(b);
    for x in 1..50 {
        world.send(a, &show(x));
    }
    assert!(world.take(b).is_empty());
    world.advance(Duration::from_millis(33));
    let frames = world.take(b);
    let [ServerFrame::Presence(people)] = &frames[..] else { panic!("{frames:?}") };
    assert_eq!(people[0].author, Author(1));
    assert_eq!(people[0].presence.as_ref().unwrap().cursor, Some(Point { x: 49, y: 0 }));
    world.advance(Duration::from_millis(33));
    assert_eq!(world.shard.poll_timeout().map(|(_, why)| why), Some("watch"));
    let cid = world.join(ann.link);
    let late = world.connect(cid.key, 1, None);
    assert!(world.take(late).iter().any(|frame| matches!(frame, ServerFrame::Presence(_))));
    world.take(b);
    world.input(Input::Closed { connection: a });
    world.advance(Duration::from_millis(34));
    let frames = world.take(b);
    let [ServerFrame::Presence(people)] = &frames[..] else { panic!("{frames:?}") };
    assert_eq!((people[0].author, &people[0].presence), (Author(1), &None));
}

#[test]
fn who_is_over_its_rate_is_paused_and_nothing_is_refused() {
    let mut world = World::new();
    let ann = world.create();
    let a = world.connect(ann.key, 1, None);
    for seq in 1..=130 {
        world.submit(a, seq, seq - 1, vec![create(seq, "x")]);
    }
    assert_eq!(world.paused, [a]);
    assert_eq!(world.content(ann.link).revision(), Revision(130));
    // Ten batches past the burst are a sixth of a second at sixty a second.
    world.advance(Duration::from_millis(150));
    assert_eq!(world.paused, [a]);
    world.advance(Duration::from_millis(20));
    assert!(world.paused.is_empty());
}

#[test]
fn malformed_frames_end_the_connection_and_change_nothing() {
    let mut world = World::new();
    let ann = world.create();
    let a = world.connect(ann.key, 1, None);
    world.take(a);
    world.shard.receive(world.now, a, &[8, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
    world.turn();
    let frames = world.take(a);
    assert!(matches!(&frames[..], [ServerFrame::Close { code: CloseCode::Malformed, .. }]));
    let b = world.connect(ann.key, 2, None);
    world.submit(b, 1, 5, vec![create(1, "x")]);
    assert_eq!(world.closed.get(&b), Some(&CloseCode::Malformed));
    let c = world.connect(ann.key, 3, None);
    world.submit(c, 2, 0, vec![create(1, "x")]);
    assert_eq!(world.closed.get(&c), Some(&CloseCode::Malformed));
    assert_eq!(world.content(ann.link).revision(), Revision(0));
}

#[test]
fn who_never_says_hello_is_sent_away() {
    let mut world = World::new();
    let connection = ConnectionId(77);
    world.input(Input::Opened { connection, key: None });
    world.advance(Duration::from_secs(10));
    let code = world.closed[&connection];
    assert_eq!((code, code.reconnect()), (CloseCode::TimedOut, true));
}

#[test]
fn drain_tells_everyone() {
    let mut world = World::new();
    let ann = world.create();
    let a = world.connect(ann.key, 1, None);
    let poll = Request::Poll { key: ann.key, since: Revision(0), wait_seconds: 25, frames: false };
    let poll = world.ask_later(poll);
    world.input(Input::Drain);
    assert_eq!(world.closed.get(&a), Some(&CloseCode::Draining));
    assert!(matches!(world.replies[&poll], Reply::Failed(ServiceError::Unavailable(_))));
    let join = Request::Join { link: ann.link, old_key: None, content: false, source: None };
    assert!(matches!(world.failure(join), ServiceError::Unavailable(_)));
}

/// What the metric `sticker_desk_sessions` says it counts.
#[test]
fn a_session_is_a_connection_that_said_hello() {
    let mut world = World::new();
    let ann = world.create();
    let silent = ConnectionId(900);
    world.input(Input::Opened { connection: silent, key: Some(ann.key) });
    let count = |world: &World| (world.shard.stats().sessions, world.shard.stats().connections);
    assert_eq!(count(&world), (0, 1));
    let a = world.connect(ann.key, 1, None);
    assert_eq!(count(&world), (1, 2));
    // A newer connection of the same client takes over; the older one is told to close.
    let newer = world.connect(ann.key, 2, None);
    assert_eq!(count(&world), (1, 3));
    for connection in [a, silent, newer] {
        world.input(Input::Closed { connection });
    }
    assert_eq!(count(&world), (0, 0));
}

/// A world whose only desk is not in memory, and a connection whose hello waits for it.
fn joining() -> (World, ConnectionId, SessionKey) {
    let mut world = World::new();
    let desk = world.create().link;
    let key = world.join(desk).key;
    let mut world = world.restart(config());
    world.loading = false;
    let connection = world.connect(key, 1, None);
    assert_eq!(world.loads, [desk]);
    (world, connection, key)
}

fn close_frames(frames: &[ServerFrame]) -> Vec<CloseCode> {
    let codes = frames.iter().map(|frame| match frame {
        ServerFrame::Close { code, .. } => *code,
        other => panic!("{other:?} for a connection that was told to go"),
    });
    codes.collect()
}

#[test]
fn a_hello_whose_connection_was_told_to_go_joins_no_desk() {
    type End = fn(&mut World, ConnectionId);
    let ends: [(End, CloseCode); 4] = [
        (|world, _| world.input(Input::Drain), CloseCode::Draining),
        (|world, _| world.input(Input::LogFailed), CloseCode::Internal),
        (
            |world, connection| {
                world.shard.receive(world.now, connection, &[0xff; 64]);
                world.turn();
            },
            CloseCode::Malformed,
        ),
        (
            |world, connection| {
                let (session_key, user) = (String::new(), String::new());
                let (connection_number, revision, repeats) = (3, None, false);
                let hello =
                    Hello { session_key, connection: connection_number, revision, user, repeats };
                world.send(connection, &ClientFrame::Hello(hello));
            },
            CloseCode::Malformed,
        ),
    ];
    for (end, code) in ends {
        let (mut world, connection, _) = joining();
        end(&mut world, connection);
        assert_eq!(close_frames(&world.take(connection)), [code]);
        world.load_all();
        world.turn();
        assert_eq!(close_frames(&world.take(connection)), [], "{code:?}");
        assert_eq!(world.shard.stats().sessions, 0, "{code:?}");
    }
}

#[test]
fn a_connection_is_told_once_that_it_ends() {
    let (mut world, connection, key) = joining();
    world.unreadable.insert(key.link, || Loaded::Failed);
    world.input(Input::Drain);
    world.load_all();
    world.turn();
    assert_eq!(close_frames(&world.take(connection)), [CloseCode::Draining]);
}

/// The simulator's seed 697: the peer read nothing, and the stop waited for it.
#[test]
fn a_planned_stop_ends_whoever_was_told_to_go_before() {
    let mut world = World::new();
    let ann = world.create();
    let connection = world.connect(ann.key, 1, None);
    world.reading = false;
    world.shard.receive(world.now, connection, &[0xff; 64]);
    world.turn();
    assert_eq!(world.closed.remove(&connection), Some(CloseCode::Malformed));
    world.take(connection);
    world.input(Input::Drain);
    assert!(world.closed.contains_key(&connection), "the shell knows that it hurries now");
    assert_eq!(close_frames(&world.take(connection)), [], "and the peer was told before");
}
