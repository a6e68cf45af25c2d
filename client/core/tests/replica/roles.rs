//! A replica belongs to a role.

use desk_client_core::{Client, Config, Line};
use desk_protocol::codec::{Decoded, decode_client_within, encode_server, encode_snapshot};
use desk_protocol::frame::{ClientFrame, Hello, Role, SnapshotChunk, Welcome};
use desk_protocol::{Author, Desk, Revision, ServerFrame, Time};

const NOW: Time = Time::from_unix_seconds(1);

fn connect(client: &mut Client) -> Hello {
    client.connected(NOW);
    let bytes = client.poll_transmit(NOW).expect("a greeting");
    match decode_client_within(&bytes, bytes.len()) {
        Ok(Decoded::Frame(_, Some(ClientFrame::Hello(hello)))) => hello,
        other => panic!("{other:?}"),
    }
}

fn welcome(client: &mut Client, role: Role, snapshot: bool) {
    let welcome = Welcome {
        author: Author(1),
        role,
        revision: Revision(0),
        snapshot,
        last: None,
        created_at: 0,
        expires_at: 9,
        limits: Default::default(),
        now_ms: 0,
    };
    let mut bytes = Vec::new();
    encode_server(&ServerFrame::Welcome(welcome), &mut bytes);
    if snapshot {
        let desk = encode_snapshot(&Desk::new(String::new()));
        let total = desk.len() as u32;
        let chunk = SnapshotChunk { revision: Revision(0), offset: 0, total, bytes: desk };
        encode_server(&ServerFrame::SnapshotChunk(chunk), &mut bytes);
    }
    client.receive(NOW, &bytes);
}

/// A viewer's replica has no deleted stickers, so an editor's cannot go on from it; nor
/// the other way round.
#[test]
fn delete_4_who_becomes_an_editor_or_a_viewer_asks_for_a_snapshot() {
    for (before, after) in [(Role::Viewer, Role::Editor), (Role::Owner, Role::Viewer)] {
        let mut client = Client::new(Config::new(1, "key"));
        assert_eq!(connect(&mut client).revision, None);
        welcome(&mut client, before, true);
        assert_eq!(client.line(), Line::Live);
        client.rejoin(NOW, "another key", true);
        assert_eq!(connect(&mut client).revision, Some(Revision(0)));
        welcome(&mut client, after, false);
        assert_eq!(client.line(), Line::Waiting, "{before} {after}");
        assert_eq!(connect(&mut client).revision, None);
        welcome(&mut client, after, true);
        assert_eq!((client.line(), client.role()), (Line::Live, Some(after)));
    }
}

#[test]
fn delete_4_an_editor_who_becomes_an_owner_goes_on() {
    let mut client = Client::new(Config::new(1, "key"));
    connect(&mut client);
    welcome(&mut client, Role::Editor, true);
    client.rejoin(NOW, "another key", true);
    assert_eq!(connect(&mut client).revision, Some(Revision(0)));
    welcome(&mut client, Role::Owner, false);
    assert_eq!(client.line(), Line::Live);
}
