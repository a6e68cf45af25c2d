//! What viewers get: no deleted sticker, by any way (DELETE-4).

mod harness;

use desk_engine_core::service::{Deleted, Joined, Polled};
use desk_engine_core::*;
use desk_protocol::frame::{Role, ServerFrame};
use desk_protocol::*;
use harness::*;

fn delete(id: u64, deleted: bool) -> Operation {
    Operation::Set { id: StickerId(id), write: Write::Deleted(deleted), yielding: false }
}

fn purge(id: u64) -> Operation {
    Operation::Purge { id: StickerId(id) }
}

/// A desk with a note, its owner, and a viewer.
struct Scene {
    world: World,
    ann: Joined,
    eve: Joined,
    seq: u64,
}

impl Scene {
    fn new() -> Self {
        let mut world = World::new();
        let ann = world.create();
        let view =
            Request::Link { key: ann.key, desk: ann.link, role: Role::Viewer, rotate: false };
        let Reply::Link { link, .. } = world.ask(view) else { panic!() };
        let eve = world.join(link);
        let mut scene = Self { world, ann, eve, seq: 0 };
        scene.change(vec![create(1, "for all")]);
        scene
    }

    /// Ann changes the desk.
    fn change(&mut self, operations: Vec<Operation>) {
        self.seq += 1;
        let reply = self.world.sync(self.ann.key, self.seq, self.seq - 1, operations);
        assert!(matches!(reply, Reply::Synced { .. }), "{reply:?}");
    }

    fn poll(&mut self, key: SessionKey, since: u64) -> Polled {
        self.poll_for(key, since, false)
    }

    fn poll_for(&mut self, key: SessionKey, since: u64, frames: bool) -> Polled {
        let poll = Request::Poll { key, since: Revision(since), wait_seconds: 0, frames };
        match self.world.ask(poll) {
            Reply::Polled(polled) => polled,
            other => panic!("{other:?}"),
        }
    }

    fn export(&mut self, link: LinkId, key: Option<SessionKey>) -> Reply {
        self.world.ask(Request::Export { link, deleted: Some(Deleted { key }) })
    }
}

fn ids(desk: &Desk) -> Vec<u64> {
    desk.stickers().map(|sticker| sticker.id.0).collect()
}

/// The operations of each commit among frames.
fn operations(frames: &[ServerFrame]) -> Vec<Vec<Operation>> {
    let commits = frames.iter().filter_map(|frame| match frame {
        ServerFrame::Commit(commit) => Some(commit.operations.clone()),
        _ => None,
    });
    commits.collect()
}

#[test]
fn delete_4_a_snapshot_for_viewers_has_no_deleted_sticker() {
    let mut scene = Scene::new();
    scene.change(vec![create(2, "secret"), create(3, "secret, too")]);
    scene.change(vec![delete(2, true), delete(3, true)]);
    let world = &mut scene.world;
    for (link, key, expected) in
        [(scene.eve.link, scene.eve.key, vec![1]), (scene.ann.link, scene.ann.key, vec![1, 2, 3])]
    {
        let join = Request::Join { link, old_key: None, content: true, source: None };
        let Reply::Joined(joined) = world.ask(join) else { panic!() };
        let content = joined.content.expect("content was asked for");
        assert_eq!(ids(&assemble(&frames_of(&content.frames)).unwrap()), expected);
        let line = world.connect(key, 1, None);
        assert_eq!(ids(&assemble(&world.take(line)).unwrap()), expected);
    }
}

#[test]
fn delete_4_a_poll_of_viewers_has_no_deleted_sticker() {
    let mut scene = Scene::new();
    scene.change(vec![create(2, "secret")]);
    scene.change(vec![delete(2, true)]);
    scene.change(vec![type_at(2, 6, "s"), type_at(1, 7, "!")]);
    let (ann, eve) = (scene.ann.key, scene.eve.key);
    // All that was ever said of the note stands in the commits.
    for since in [0, 1] {
        let Polled::Content(content) = scene.poll(eve, since) else { panic!() };
        assert_eq!(ids(&content.desk), [1]);
        let Polled::Snapshot(snapshot) = scene.poll_for(eve, since, true) else { panic!() };
        assert_eq!(ids(&assemble(&frames_of(&snapshot.frames)).unwrap()), [1]);
    }
    let Polled::Commits { commits, frames, .. } = scene.poll(eve, 2) else { panic!() };
    let expected = vec![vec![purge(2)], vec![type_at(1, 7, "!")]];
    assert_eq!(commits.iter().map(|one| one.operations.clone()).collect::<Vec<_>>(), expected);
    assert_eq!(operations(&frames_of(&frames)), expected);
    let Polled::Commits { commits, .. } = scene.poll(ann, 0) else { panic!() };
    assert_eq!(commits.len(), 4);
}

#[test]
fn delete_4_a_poll_that_waits_gets_what_viewers_get() {
    let mut scene = Scene::new();
    let wait =
        Request::Poll { key: scene.eve.key, since: Revision(1), wait_seconds: 25, frames: false };
    let wait = scene.world.ask_later(wait);
    scene.change(vec![create(2, ""), delete(1, true)]);
    let Some(Reply::Polled(Polled::Commits { commits, .. })) = scene.world.replies.remove(&wait)
    else {
        panic!()
    };
    assert_eq!(commits[0].operations.last(), Some(&purge(1)));
    let wait =
        Request::Poll { key: scene.eve.key, since: Revision(2), wait_seconds: 25, frames: false };
    let wait = scene.world.ask_later(wait);
    scene.change(vec![delete(1, false)]);
    let Some(Reply::Polled(Polled::Content(content))) = scene.world.replies.remove(&wait) else {
        panic!()
    };
    assert_eq!(ids(&content.desk), [1, 2]);
}

#[test]
fn delete_4_who_looks_on_sees_a_note_go_and_come_back() {
    let mut scene = Scene::new();
    let line = scene.world.connect(scene.eve.key, 1, None);
    let editor = scene.world.connect(scene.ann.key, 1, None);
    for line in [line, editor] {
        scene.world.take(line);
    }
    scene.change(vec![delete(1, true)]);
    scene.change(vec![type_at(1, 0, "secret ")]);
    let seen = scene.world.take(line);
    assert_eq!(operations(&seen), [vec![purge(1)], vec![]]);
    scene.change(vec![delete(1, false)]);
    let seen = scene.world.take(line);
    assert!(matches!(&seen[0], ServerFrame::Welcome(welcome) if welcome.snapshot));
    assert_eq!(assemble(&seen), Some(scene.world.content(scene.ann.link)));
    scene.change(vec![type_at(1, 0, "x")]);
    assert_eq!(operations(&scene.world.take(line)), [vec![type_at(1, 0, "x")]]);
    let all = operations(&scene.world.take(editor));
    assert_eq!(all.len(), 4, "editors get every commit as it is: {all:?}");
    assert_eq!(all[0], vec![delete(1, true)]);
}

#[test]
fn delete_4_who_comes_back_gets_nothing_of_what_was_deleted_meanwhile() {
    let mut scene = Scene::new();
    scene.change(vec![create(2, "secret")]);
    scene.change(vec![delete(2, true)]);
    let behind = scene.world.connect(scene.eve.key, 1, Some(1));
    let seen = scene.world.take(behind);
    assert_eq!((operations(&seen).len(), ids(&assemble(&seen).unwrap())), (0, vec![1]));
    // Who had seen the note needs to hear no more than that it is gone.
    let near = scene.world.connect(scene.eve.key, 2, Some(2));
    assert_eq!(operations(&scene.world.take(near)), [vec![purge(2)]]);
}

#[test]
fn delete_4_a_slow_viewer_is_brought_up_to_date_once_it_reads() {
    let mut scene = Scene::new();
    let line = scene.world.connect(scene.eve.key, 1, None);
    scene.world.take(line);
    scene.world.reading = false;
    let long = "x".repeat(10_000);
    let mut sent = 0;
    for id in 10..200 {
        scene.change(vec![create(id, &long)]);
        let frames = scene.world.take(line);
        sent += frames.len();
    }
    assert!(sent < 190, "the queue became full");
    scene.change((10..200).map(|id| delete(id, true)).collect());
    scene.change(vec![delete(199, false)]);
    assert!(scene.world.take(line).is_empty());
    scene.world.reading = true;
    scene.world.input(Input::Sent { connection: line, bytes: 1 << 30 });
    let seen = scene.world.take(line);
    assert_eq!(ids(&assemble(&seen).unwrap()), [1, 199]);
}

#[test]
fn delete_4_an_export_with_deleted_stickers_is_for_editors() {
    let mut scene = Scene::new();
    scene.change(vec![create(2, "secret")]);
    scene.change(vec![delete(2, true)]);
    let (ann, eve) = (scene.ann.clone(), scene.eve.clone());
    for (link, key) in [(eve.link, None), (eve.link, Some(eve.key))] {
        let reply = scene.export(link, key);
        assert!(matches!(reply, Reply::Failed(ServiceError::NotAllowed { .. })), "{reply:?}");
    }
    for (link, key) in [
        (ann.link, None),
        (ann.owner_link.unwrap(), None),
        (ann.link, Some(eve.key)),
        (eve.link, Some(ann.key)),
    ] {
        let Reply::Content(content) = scene.export(link, key) else { panic!() };
        assert_eq!(ids(&content.desk), [1, 2]);
    }
    let stranger = scene.world.create();
    let reply = scene.export(eve.link, Some(stranger.key));
    assert!(matches!(reply, Reply::Failed(_)), "{reply:?}");
    let plain = Request::Export { link: ann.link, deleted: None };
    let Reply::Content(content) = scene.world.ask(plain) else { panic!() };
    assert_eq!(ids(&content.desk), [1]);
}
