//! The happy path as the brief writes it, over raw sockets, with its own header
//! and status lines.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use desk_e2e::http::{KEY, send};
use desk_e2e::socket::{ACCEPT, HANDSHAKE, creation, submit_frame};
use desk_e2e::{Server, Socket, desk, patch, post};
use desk_protocol::codec::{Decoded, decode_server, decode_snapshot};
use desk_protocol::frame::CloseCode;
use desk_protocol::{CollisionStatus, ServerFrame};
use serde_json::json;

#[test]
fn the_happy_path_of_the_brief() {
    let server = Server::new();

    // 1. Create or join.
    let body = json!({ "name": "Plans", "create_new": true });
    let created = post(&server, "/api/desk/init", &[], &body);
    assert_eq!(created.status_line, "HTTP/1.1 200 OK");
    assert_eq!(created.field("Content-Type"), Some("application/json"));
    let created = created.json();
    assert_eq!(title_of(created["desk"].as_str().expect("the desk as text")), "Plans");
    let ada = created["session_key"].as_str().expect("a session key");
    let groups: Vec<_> = ada.split('-').map(str::len).collect();
    assert_eq!(groups, [26, 26, 26], "three groups of Crockford base32");

    let link = created["link"].as_str().expect("a link");
    let joined =
        post(&server, "/api/desk/init", &[], &json!({ "name": link, "create_new": false }));
    let joined = joined.expect(200).json();
    let bob = joined["session_key"].as_str().expect("a session key");
    assert_ne!(bob, ada);
    assert_ne!(joined["author"], created["author"]);

    let mut fields = HANDSHAKE.to_vec();
    fields.push((KEY, bob));
    let mut socket = Socket::ask(&server, &fields);
    assert_eq!(socket.reply.status_line, "HTTP/1.1 101 Switching Protocols");
    assert_eq!(socket.reply.field("WebSocket-Session-Accept"), Some(bob));
    assert_eq!(socket.reply.field("Sec-WebSocket-Accept"), Some(ACCEPT));
    assert_eq!(socket.reply.field("Upgrade"), Some("websocket"));
    assert_eq!(socket.reply.field("Connection"), Some("Upgrade"));
    socket.hello(bob, 1, None, "bob");
    let welcome = socket.catch_up();
    assert_eq!(joined["author"], welcome.author.0);

    // 2. Work, with others: the sender is told, everybody else gets the change
    // and its author.
    let diff = json!({
        "client_seq": 1, "base_revision": 0,
        "ops": [{ "create": { "x": 10, "y": 20, "text": "Book the hall" } }],
    });
    let fields = [(KEY, ada), ("R-User-ID", "ada")];
    let synced = patch(&server, "/api/desk/collaboration/sync", &fields, &diff);
    assert_eq!(synced.status_line, "HTTP/1.1 221 Desk Updated");
    assert_eq!(synced.field("Upgrade"), Some("websocket"));
    assert_eq!(synced.json()["collision_status"], "clean");
    assert_eq!(synced.json()["revision"], 1);

    let commit = socket.commit();
    assert_eq!(created["author"], commit.author.0);
    assert_eq!(commit.user, "ada");
    assert_eq!(commit.revision.0, 1);

    socket.submit(1, commit.revision, vec![creation(7, "Ask about the tables")]);
    let own = socket.commit();
    assert_eq!((own.author, own.revision.0), (welcome.author, 2));
    assert_eq!(own.status, CollisionStatus::Clean);

    // 3. Finish: at the creator's wish only, with a last diff.
    let last = STANDARD.encode(submit_frame(2, 2, vec![creation(8, "Thank the choir")]));
    let finish = |key: &str, diff: &str| {
        let target = "/api/desk/collaboration/finish";
        patch(&server, target, &[(KEY, key)], &json!({ "diff": diff }))
    };
    assert!(finish(bob, "").problem(403).contains("owner"));
    let finished = finish(ada, &last);
    assert_eq!(finished.status_line, "HTTP/1.1 200 OK");
    assert_eq!(finished.json(), json!({ "status": "finished" }));
    assert_eq!(finished.field(KEY), Some(ada));

    assert_eq!(socket.commit().revision.0, 3, "the last diff reaches the others first");
    let (code, _, end) = socket.closed();
    assert_eq!((code, end.code), (CloseCode::Finished, CloseCode::Finished.websocket()));
    for key in [ada, bob] {
        let fields = [(KEY, key), ("R-User-ID", "late")];
        patch(&server, "/api/desk/collaboration/sync", &fields, &diff).problem(401);
    }

    // The desk is in long-term storage, and opens again.
    let id = created["desk_id"].as_str().expect("an id");
    let texts = ["Ask about the tables", "Book the hall", "Thank the choir"];
    assert_eq!(desk::texts(&server, id), texts);
    let again = desk::join(&server, id);
    send(&server, "GET", "/readyz", &[], b"").expect(200);
    assert_eq!(again.add(&server, 1, "And again").len(), 13);
}

/// The title in init's `desk`: base64 of the frames of a snapshot.
fn title_of(desk: &str) -> String {
    let mut frames = &STANDARD.decode(desk).expect("base64")[..];
    let mut snapshot = Vec::new();
    while !frames.is_empty() {
        let Decoded::Frame(length, Some(ServerFrame::SnapshotChunk(chunk))) =
            decode_server(frames).expect("a sound frame")
        else {
            panic!("a part of a snapshot")
        };
        assert_eq!(chunk.offset as usize, snapshot.len());
        snapshot.extend(chunk.bytes);
        frames = &frames[length..];
    }
    decode_snapshot(&snapshot).expect("a sound snapshot").title.value
}
