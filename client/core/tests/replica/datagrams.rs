//! What is said twice: batches that repeat, and commits that come ahead of their stream.

use std::time::Duration;

use desk_client_core::{Client, Config, Edit, Line, NewSticker, Status};
use desk_protocol::codec::{
    Decoded, decode_client_within, encode_client, encode_server, encode_snapshot,
};
use desk_protocol::frame::{ClientFrame, Hello, Presence, Role, SnapshotChunk, Submit, Welcome};
use desk_protocol::limits::{REPEAT_BYTES_MAX, REPEATS_AFTER};
use desk_protocol::{
    Author, ClientSeq, CollisionStatus, Commit, Desk, Operation, Revision, ServerFrame, Time,
};

const NOW: Time = Time::from_unix_seconds(1);
const ME: Author = Author(1);

fn bytes_of(frame: &ServerFrame) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_server(frame, &mut bytes);
    bytes
}

fn frames_of(mut bytes: &[u8]) -> Vec<ClientFrame> {
    let mut frames = Vec::new();
    while let Ok(Decoded::Frame(length, Some(frame))) = decode_client_within(bytes, bytes.len()) {
        frames.push(frame);
        bytes = &bytes[length..];
    }
    frames
}

/// A client that is live on an empty desk.
fn live(datagrams: bool) -> (Client, Hello) {
    let mut client = Client::new(Config::new(1, "key"));
    client.connected(NOW);
    if datagrams {
        client.has_datagrams();
    }
    let greeting = client.poll_transmit(NOW).expect("a greeting");
    let [ClientFrame::Hello(hello)] = &frames_of(&greeting)[..] else { panic!("no hello") };
    let hello = hello.clone();
    let welcome = Welcome {
        author: ME,
        role: Role::Editor,
        revision: Revision(0),
        snapshot: true,
        last: None,
        created_at: 0,
        expires_at: 9,
        limits: Default::default(),
        now_ms: 0,
    };
    let mut bytes = bytes_of(&ServerFrame::Welcome(welcome));
    let desk = encode_snapshot(&Desk::new(String::new()));
    let total = desk.len() as u32;
    let chunk = SnapshotChunk { revision: Revision(0), offset: 0, total, bytes: desk };
    encode_server(&ServerFrame::SnapshotChunk(chunk), &mut bytes);
    client.receive(NOW, &bytes);
    assert_eq!(client.line(), Line::Live);
    client.poll_transmit(NOW);
    (client, hello)
}

fn title(revision: u64, author: Author, seq: u64) -> Vec<u8> {
    bytes_of(&ServerFrame::Commit(Commit {
        revision: Revision(revision),
        author,
        client_seq: ClientSeq(seq),
        status: CollisionStatus::Clean,
        accepted_at_ms: 0,
        user: String::new(),
        operations: vec![Operation::SetTitle { title: format!("{revision}"), yielding: false }],
    }))
}

fn submit_of(bytes: &[u8]) -> Submit {
    match &frames_of(bytes)[..] {
        [ClientFrame::Submit(submit)] => submit.clone(),
        other => panic!("{other:?}"),
    }
}

fn rename(client: &mut Client, title: &str) {
    let title = title.to_owned();
    client.act(NOW, vec![Edit::SetTitle { title }]).expect("it is made");
}

/// Lets the time until a batch is repeated first pass.
fn wait(client: &mut Client, now: Time) -> Time {
    let now = now + REPEATS_AFTER[0];
    client.handle_timeout(now);
    now
}

#[test]
fn carry_8_a_batch_without_an_answer_is_repeated() {
    let (mut client, hello) = live(true);
    assert!(hello.repeats);
    client.create(NOW, NewSticker::default()).expect("it is made");
    let sent = client.poll_transmit(NOW).expect("a batch");
    assert_eq!(client.poll_datagram(NOW), None, "not in the packet that may be lost");
    for after in REPEATS_AFTER {
        let now = NOW + after;
        assert_eq!(client.poll_timeout().expect("a deadline"), (now, "repeat"));
        client.handle_timeout(now);
        assert_eq!(client.poll_datagram(now), Some(sent.clone()), "the very same frame");
        assert_eq!((client.poll_datagram(now), client.poll_transmit(now)), (None, None));
    }
    assert_ne!(client.poll_timeout().expect("a deadline").1, "repeat");
    // Who slept says it once.
    let now = NOW + REPEATS_AFTER[1];
    client.receive(now, &title(1, ME, submit_of(&sent).client_seq.0));
    client.create(now, NewSticker::default()).expect("it is made");
    let sent = client.poll_transmit(now).expect("a batch");
    let now = now + Duration::from_millis(400);
    client.handle_timeout(now);
    assert_eq!((client.poll_datagram(now), client.poll_datagram(now)), (Some(sent), None));
}

#[test]
fn carry_8_what_is_answered_or_long_is_not_repeated() {
    let (mut client, _) = live(true);
    client.create(NOW, NewSticker::default()).expect("it is made");
    let submit = submit_of(&client.poll_transmit(NOW).expect("a batch"));
    client.receive(NOW, &title(1, ME, submit.client_seq.0));
    let now = wait(&mut client, NOW);
    assert_eq!(client.poll_datagram(now), None);
    let text = "x".repeat(REPEAT_BYTES_MAX);
    client.create(now, NewSticker { text, ..NewSticker::default() }).expect("it is made");
    assert!(client.poll_transmit(now).expect("a batch").len() > REPEAT_BYTES_MAX);
    let now = wait(&mut client, now);
    assert_eq!(client.poll_datagram(now), None);
    // Nor on a line that has no datagrams: presence goes with the rest there.
    let (mut client, hello) = live(false);
    assert!(!hello.repeats);
    client.create(NOW, NewSticker::default()).expect("it is made");
    client.set_presence(NOW, Presence::default());
    assert_eq!(client.poll_datagram(NOW), None);
    assert_eq!(frames_of(&client.poll_transmit(NOW).expect("both")).len(), 2);
    let now = wait(&mut client, NOW);
    assert_eq!(client.poll_datagram(now), None);
}

#[test]
fn carry_8_near_servers_are_told_nothing_twice() {
    let [first, second] = REPEATS_AFTER;
    for (round_trip, repeats) in [(first / 2, 0), (second - first, 1), (2 * second, 2)] {
        let (mut client, _) = live(true);
        client.tell_round_trip(round_trip);
        client.create(NOW, NewSticker::default()).expect("it is made");
        client.poll_transmit(NOW).expect("a batch");
        let mut said = 0;
        for after in REPEATS_AFTER {
            client.handle_timeout(NOW + after);
            said += usize::from(client.poll_datagram(NOW + after).is_some());
        }
        assert_eq!(said, repeats, "{round_trip:?}");
    }
}

#[test]
fn carry_8_a_commit_ahead_of_its_stream_applies_once() {
    let (mut client, _) = live(true);
    let (one, two, three) =
        (title(1, Author(2), 1), title(2, Author(2), 2), title(3, Author(2), 3));
    // One is lost on the stream for now; a gap is not believed, and ends nothing.
    client.receive_datagram(NOW, &two);
    assert_eq!(client.confirmed().revision(), Revision(0));
    client.receive_datagram(NOW, &one);
    client.receive_datagram(NOW, &two);
    assert_eq!(client.confirmed().revision(), Revision(2));
    // The stream has all of them, and goes on.
    client.receive(NOW, &[one, two.clone(), three].concat());
    client.receive_datagram(NOW, &two);
    assert_eq!((client.confirmed().revision(), client.line()), (Revision(3), Line::Live));
    assert_eq!(client.confirmed().title().value, "3");
}

#[test]
fn carry_8_a_commit_in_a_datagram_acknowledges() {
    let (mut client, _) = live(true);
    rename(&mut client, "mine");
    let submit = submit_of(&client.poll_transmit(NOW).expect("a batch"));
    let commit = title(1, ME, submit.client_seq.0);
    client.receive_datagram(NOW, &commit);
    assert_eq!(client.pending(), 0);
    // The next batch leaves at once, with the revision that the stream has yet to tell.
    rename(&mut client, "more");
    let next = submit_of(&client.poll_transmit(NOW).expect("a batch"));
    assert_eq!((next.client_seq, next.base), (ClientSeq(2), Revision(1)));
    client.receive(NOW, &commit);
    client.receive(NOW, &title(2, ME, 2));
    assert_eq!(client.status(), Status::Saved);
}

#[test]
fn carry_2_datagrams_that_cannot_be_used_are_dropped() {
    let (mut client, _) = live(true);
    let mut ping = Vec::new();
    encode_client(&ClientFrame::Ping { nonce: 1 }, &mut ping);
    let close = bytes_of(&ServerFrame::Close {
        code: desk_protocol::frame::CloseCode::Deleted,
        detail: String::new(),
    });
    let joined = [title(1, Author(2), 1), title(2, Author(2), 2)].concat();
    for bytes in [&[][..], &[0; 9], &[0xff; 1_200], &ping, &close, &joined] {
        client.receive_datagram(NOW + Duration::from_millis(1), bytes);
    }
    assert_eq!((client.line(), client.confirmed().revision()), (Line::Live, Revision(0)));
}
