//! Snapshots and welcomes that travel apart.

use desk_client_core::{Client, Config, Line};
use desk_protocol::codec::{encode_server, encode_snapshot};
use desk_protocol::frame::{Role, SnapshotChunk, Welcome};
use desk_protocol::{Author, Desk, Revision, ServerFrame, Time};

const NOW: Time = Time::from_unix_seconds(1);

fn connected() -> Client {
    let mut client = Client::new(Config::new(1, "key"));
    client.connected(NOW);
    client.poll_transmit(NOW).expect("a greeting");
    client
}

fn welcome(client: &mut Client, revision: u64) {
    let welcome = Welcome {
        author: Author(1),
        role: Role::Editor,
        revision: Revision(revision),
        snapshot: true,
        last: None,
        created_at: 0,
        expires_at: 9,
        limits: Default::default(),
        now_ms: 0,
    };
    tell(client, &ServerFrame::Welcome(welcome));
}

fn tell(client: &mut Client, frame: &ServerFrame) {
    let mut bytes = Vec::new();
    encode_server(frame, &mut bytes);
    client.receive(NOW, &bytes);
}

/// A part of the snapshot of an empty desk, as of `revision`; the halves are 0 and 1.
fn half(client: &mut Client, title: &str, revision: u64, which: usize) {
    let desk = encode_snapshot(&Desk::new(title.to_owned()));
    let total = desk.len() as u32;
    let middle = desk.len() / 2;
    let (offset, bytes) = match which {
        0 => (0, &desk[..middle]),
        _ => (middle, &desk[middle..]),
    };
    let (revision, offset) = (Revision(revision), offset as u32);
    let chunk = SnapshotChunk { revision, offset, total, bytes: bytes.to_vec() };
    tell(client, &ServerFrame::SnapshotChunk(chunk));
}

#[test]
fn carry_3_a_snapshot_may_come_before_its_welcome() {
    // So many halves come before the welcome.
    for early in 0..=2 {
        let mut client = connected();
        (0..early).for_each(|which| half(&mut client, "title", 0, which));
        assert_eq!(client.line(), Line::Joining);
        welcome(&mut client, 0);
        (early..2).for_each(|which| half(&mut client, "title", 0, which));
        assert_eq!(client.line(), Line::Live, "{early} halves early");
        assert_eq!(client.desk().title().value, "title");
    }
}

#[test]
fn carry_3_parts_of_an_older_snapshot_are_dropped() {
    let mut client = connected();
    welcome(&mut client, 0);
    half(&mut client, "old", 0, 0);
    // The newer one overtakes the rest of the older one.
    half(&mut client, "new", 1, 0);
    welcome(&mut client, 1);
    half(&mut client, "old", 0, 1);
    assert_eq!(client.line(), Line::Joining);
    assert!(client.poll_timeout().is_some_and(|(_, why)| why == "hello"), "the line is kept");
}
