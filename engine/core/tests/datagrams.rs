//! Frames that come in datagrams: lost, doubled, early and late.

mod harness;

use desk_engine_core::*;
use desk_protocol::frame::{ClientFrame, Hello, Outcome, Presence, Role, ServerFrame};
use desk_protocol::*;
use harness::*;

fn batch(seq: u64, base: u64, operation: Operation) -> ClientFrame {
    ClientFrame::Submit(submit(seq, base, vec![operation]))
}

/// An editor and somebody who looks on, both live.
fn two(world: &mut World) -> (ConnectionId, ConnectionId, LinkId) {
    let ann = world.create();
    let bob = world.join(ann.link);
    let lines = [ann.key, bob.key].map(|key| world.greet(key, 1, None, true));
    lines.iter().for_each(|line| drop(world.take(*line)));
    (lines[0], lines[1], ann.link)
}

#[test]
fn carry_8_a_batch_that_comes_twice_applies_once() {
    let mut world = World::new();
    let (ann, bob, link) = two(&mut world);
    // The stream is first: the datagram is dropped without a word.
    let one = batch(1, 0, create(1, "one"));
    world.send(ann, &one);
    assert!(world.cast(ann, &one), "there is nothing wrong with it");
    let frames = world.take(ann);
    assert!(matches!(frames[..], [ServerFrame::Commit(_)]), "{frames:?}");
    // The datagram is first: the stream's copy is answered as a number that came again.
    let two = batch(2, 1, create(2, "two"));
    assert!(world.cast(ann, &two) && world.cast(ann, &two));
    world.send(ann, &two);
    let frames = world.take(ann);
    assert_eq!(commits(&frames), [2]);
    let again = frames.iter().find_map(|frame| match frame {
        ServerFrame::Answer(result) => Some((result.client_seq, result.outcome.clone())),
        _ => None,
    });
    let Some((ClientSeq(2), Outcome::Applied { revision: Revision(2), .. })) = again else {
        panic!("{frames:?}")
    };
    // And only the datagram comes.
    assert!(world.cast(ann, &batch(3, 2, create(3, "three"))));
    assert_eq!(commits(&world.take(ann)), [3]);
    assert_eq!(commits(&world.take(bob)), [1, 2, 3]);
    assert_eq!(world.content(link).pile().count(), 3);
    assert_eq!(world.shard.stats().duplicates, 1, "only what a stream repeats counts");
}

#[test]
fn carry_8_late_copies_of_older_numbers_end_nothing() {
    let mut world = World::new();
    let (ann, _, link) = two(&mut world);
    // The stream waits for a lost packet, while datagrams bring one batch after the other.
    let sent = [1, 2, 3].map(|seq| batch(seq, seq - 1, create(seq, "x")));
    assert!(sent.iter().all(|one| world.cast(ann, one)));
    assert_eq!(commits(&world.take(ann)), [1, 2, 3]);
    sent.iter().for_each(|one| world.send(ann, one));
    let frames = world.take(ann);
    let [ServerFrame::Answer(last)] = &frames[..] else { panic!("{frames:?}") };
    assert_eq!(last.client_seq, ClientSeq(3));
    assert!(world.closed.is_empty() && world.content(link).pile().count() == 3);
    // A number that only the stream has brought is refused when it comes again.
    world.send(ann, &batch(4, 3, create(4, "x")));
    world.send(ann, &batch(5, 4, create(5, "x")));
    world.send(ann, &batch(4, 3, create(4, "x")));
    assert_eq!(world.closed.len(), 1);
}

#[test]
fn carry_8_a_datagram_out_of_its_time_ends_nothing() {
    let mut world = World::new();
    let (ann, _, link) = two(&mut world);
    for seq in 1..=3 {
        world.send(ann, &batch(seq, seq - 1, create(seq, "x")));
    }
    let key = world.join(link).key;
    let hello = ClientFrame::Hello(Hello {
        session_key: key.to_string(),
        connection: 9,
        revision: None,
        user: String::new(),
        repeats: true,
    });
    world.take(ann);
    assert!(!world.cast(ann, &hello));
    let untimely =
        [batch(1, 0, create(1, "x")), batch(5, 3, create(5, "x")), batch(4, 9, move_to(1, 1))];
    for frame in &untimely {
        world.cast(ann, frame);
    }
    for bytes in [&[][..], &[0; 9], &[0xff; 1_200]] {
        assert!(!world.shard.receive_datagram(world.now, ann, bytes));
    }
    world.turn();
    assert!(world.take(ann).is_empty() && world.closed.is_empty());
    // By one who may only look: the stream's copy says so.
    let owner = world.create();
    let (key, desk, role) = (owner.key, owner.link, Role::Viewer);
    let Reply::Link { link: view, .. } =
        world.ask(Request::Link { key, desk, role, rotate: false })
    else {
        panic!("no link")
    };
    let key = world.join(view).key;
    let viewer = world.greet(key, 1, None, true);
    world.take(viewer);
    world.cast(viewer, &batch(1, 0, create(1, "x")));
    assert!(world.take(viewer).is_empty() && world.closed.is_empty());
    // Before its hello.
    let silent = ConnectionId(1_000_000);
    world.input(Input::Opened { connection: silent, key: None });
    assert!(!world.cast(silent, &ClientFrame::Ping { nonce: 1 }));
}

#[test]
fn carry_8_commits_are_repeated_to_those_who_said_so() {
    let mut world = World::new();
    let (ann, bob, link) = two(&mut world);
    let carl = world.join(link).key;
    let carl = world.connect(carl, 1, None);
    world.send(ann, &batch(1, 0, create(1, "x")));
    world.send(ann, &batch(1, 0, create(1, "x")));
    assert_eq!(commits(&world.take(carl)), [1]);
    // The answer to the number that came again is none.
    assert_eq!(world.repeated.iter().collect::<Vec<_>>(), [(&ann, &1), (&bob, &1)]);
}

#[test]
fn carry_2_a_flood_of_datagrams_is_not_heard() {
    let mut world = World::new();
    let (ann, _, _) = two(&mut world);
    let shown = ClientFrame::Presence(Presence::default());
    let heard = (0..10_000).filter(|_| world.cast(ann, &shown)).count();
    let burst = desk_engine_core::limits::ShardLimits::default().presence_burst as usize;
    assert!((1..=burst + 1).contains(&heard), "{heard} of 10,000");
    assert_eq!(world.paused, [ann]);
}

#[test]
fn carry_8_repeats_take_nothing_of_the_rate_of_batches() {
    let mut world = World::new();
    let (ann, _, _) = two(&mut world);
    // As many as come at once, each of them said three times.
    let burst = u64::from(desk_engine_core::limits::BATCH_BURST);
    world.send(ann, &batch(1, 0, create(1, "x")));
    for seq in 2..burst {
        let one = batch(seq, seq - 1, move_to(1, seq as i32));
        world.send(ann, &one);
        if seq < u64::from(desk_engine_core::limits::PRESENCE_BURST) / 2 {
            world.cast(ann, &one);
            world.cast(ann, &one);
        }
        assert!(world.paused.is_empty(), "batch {seq}");
    }
}
