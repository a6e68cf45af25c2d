//! Input that no client of ours sends: each gets its answer, the desk stays as
//! it is, and who works there notices nothing. What is merely too much of
//! something is in `too_much.rs`.

use std::io::Write as _;

use desk_e2e::http::{KEY, connect, request, send};
use desk_e2e::socket::{HANDSHAKE, creation, submit_frame};
use desk_e2e::{Reply, Server, Socket, Witness, create, delete, desk, get, join};
use desk_protocol::codec::{encode_client, encode_server};
use desk_protocol::frame::{CloseCode, Outcome};
use desk_protocol::operation::Write;
use desk_protocol::text::Part;
use desk_protocol::{
    ClientFrame, Color, Delta, Operation, Point, Revision, ServerFrame, Size, StickerId,
};
use serde_json::{Value, json};

const SYNC: &str = "/api/desk/collaboration/sync";
const FINISH: &str = "/api/desk/collaboration/finish";
const JSON: (&str, &str) = ("Content-Type", "application/json");
/// A sticker that nobody made.
const NOBODY: StickerId = StickerId(0xffff_ffff_ffff_ff00);

/// Everything that can be asked with a session key, of the desk in its path; what
/// makes the key void comes last.
fn ask_everything(server: &Server, path: &str, key: &str) -> Vec<(&'static str, Reply)> {
    let key = (KEY, key);
    let patch = |target: &str, body: Value| {
        let fields = [key, JSON, ("R-User-ID", "x")];
        send(server, "PATCH", target, &fields, body.to_string().as_bytes())
    };
    let post = |what: &str, body: &[u8]| {
        send(server, "POST", &format!("/api/desk/{path}/{what}"), &[key, JSON], body)
    };
    let mut upgrade = HANDSHAKE.to_vec();
    upgrade.push(key);
    let note = json!({ "create": { "x": 0, "y": 0 } });
    let batch = json!({ "client_seq": 1, "base_revision": 0, "ops": [note] });
    vec![
        ("an upgrade", Socket::ask(server, &upgrade).reply),
        ("a batch", patch(SYNC, batch)),
        ("a poll", get(server, &format!("{SYNC}?since=0"), &[key])),
        ("a link", post("links", br#"{"role":"owner","rotate":true}"#)),
        ("an import", post("import", br#"{"stickers":[]}"#)),
        ("a removal", delete(server, &format!("/api/desk/{path}"), &[key])),
        ("a finish", patch(FINISH, json!({ "diff": "" }))),
    ]
}

/// The id of a desk that was never made, of the same second.
fn unknown(id: &str) -> String {
    let last = if id.ends_with('0') { '1' } else { '0' };
    format!("{}{last}", &id[..id.len() - 1])
}

#[test]
fn who_asks_for_no_desk_or_by_no_key_is_told_so() {
    let server = Server::new();
    let mut witness = Witness::on_a_new_desk(&server);
    let eve = create(&server, "eve's");
    let id = witness.link().to_owned();
    let real = join(&server, &id).key;
    let (nowhere, long_ago) = (unknown(&id), "00000000000000000000000001");
    for (name, status) in [(&*nowhere, 404), (long_ago, 410)] {
        desk::init(&server, name).problem(status);
        get(&server, &format!("/api/desk/{name}/export"), &[]).problem(status);
    }
    let by = |link: &str| real.replacen(&*id, link, 1);
    let other = join(&server, &id).key;
    // Its first two groups are the link and the client.
    let mixed = format!("{}{}", &real[..53], &other[53..]);
    // A MAC is one of a link, a client and a role, so none of these is good.
    let rows: [(&str, &str, String, u16); 5] = [
        ("a forged key", &id, unknown(&real), 401),
        ("no key at all", &id, "nonsense".to_owned(), 401),
        ("another client's MAC", &id, mixed, 401),
        ("a key of an unknown desk", &nowhere, by(&nowhere), 404),
        ("a key of an expired desk", long_ago, by(long_ago), 410),
    ];
    for (what, path, key, status) in rows {
        witness.sees_nothing_of(&server, what, || {
            for (asked, reply) in ask_everything(&server, path, &key) {
                assert_eq!(reply.status, status, "{what}, {asked}: {}", reply.status_line);
                reply.problem(status);
            }
        });
    }
    // A good key, but of another desk than the one in the path.
    witness.sees_nothing_of(&server, "an owner of another desk", || {
        for (asked, reply) in ask_everything(&server, &id, &eve.key) {
            match asked {
                "a link" | "an import" | "a removal" => {
                    let said = reply.problem(404);
                    assert!(said.contains("another desk"), "{asked}: {said}");
                }
                _ => assert!(reply.status < 300, "{asked}: {}", reply.status_line),
            }
        }
    });
    // The same keys in a hello.
    for (what, key) in [("a forged", unknown(&real)), ("another desk's", eve.key.clone())] {
        let mut socket = Socket::open(&server, &real);
        witness.sees_nothing_of(&server, &format!("{what} key in a hello"), || {
            socket.hello(&key, 1, None, "");
            let (code, _, end) = socket.closed();
            assert_eq!((code, end.code), (CloseCode::KeyVoid, CloseCode::KeyVoid.websocket()));
            assert!(socket.hang_up(), "it ends in order");
        });
    }
}

#[test]
fn a_bad_body_leaves_the_connection_open() {
    let server = Server::new();
    let mut witness = Witness::on_a_new_desk(&server);
    let bob = join(&server, witness.link());
    let owner = witness.joined.key.clone();
    let text = |text: &[u8]| {
        let mut body =
            br#"{"client_seq":1,"base_revision":0,"ops":[{"create":{"x":0,"y":0,"text":""#.to_vec();
        body.extend_from_slice(text);
        body.extend_from_slice(br#""}}]}"#);
        body
    };
    let batch =
        |ops: &str| format!(r#"{{"client_seq":1,"base_revision":0,"ops":{ops}}}"#).into_bytes();
    let op = |op: &str| batch(&format!("[{op}]"));
    let delta = |parts: &str| {
        let id = Witness::NOTE;
        op(&format!(r#"{{"edit_text":{{"id":"{id}","delta":[{parts}]}}}}"#))
    };
    let rows: &[(&str, Vec<u8>, &str)] = &[
        ("nothing", vec![], "not JSON"),
        ("half of it", batch("[")[..30].to_vec(), "not JSON"),
        ("more behind it", [batch("[]"), b"}".to_vec()].concat(), "not JSON"),
        ("no UTF-8", text(b"\xff\xfe"), "not JSON"),
        ("a surrogate in UTF-8", text(b"\xed\xa0\x80"), "not JSON"),
        ("a lone high surrogate", text(br"\ud83d"), "not JSON"),
        ("a lone low surrogate", text(br"\udca1"), "not JSON"),
        ("surrogates the wrong way round", text(br"\udca1\ud83d"), "not JSON"),
        ("a bare control character", text(b"\x00"), "not JSON"),
        ("a number that is none", batch("[1e999]"), "not JSON"),
        ("a thousand lists", batch(&"[".repeat(1_000)), "not JSON"),
        ("an unknown operation", op(r#"{"explode":{}}"#), "explode"),
        ("two in one", op(r#"{"raise":{"id":"1"},"lower":{"id":"1"}}"#), "ops[0]"),
        ("a name twice", op(r#"{"raise":{"id":"1","id":"2"}}"#), "twice"),
        ("an unknown field", op(r#"{"raise":{"id":"0000000000001","by":3}}"#), "by"),
        ("an id that is none", op(r#"{"raise":{"id":"0000000000U01"}}"#), "ops[0].raise.id"),
        ("no id", op(r#"{"delete":{}}"#), "ops[0].delete.id"),
        ("half a unit", op(r#"{"create":{"x":0.5,"y":0}}"#), "ops[0].create.x"),
        ("no colour", op(r##"{"create":{"x":0,"y":0,"color":"#12345g"}}"##), "color"),
        ("an unknown part", delta(r#"{"keep":1}"#), "keep"),
        ("a part of two", delta(r#"{"retain":1,"delete":1}"#), "delta[0]"),
        ("a negative count", delta(r#"{"retain":-1}"#), "retain"),
        ("counts past any text", delta(r#"{"retain":4294967295},{"delete":4294967295}"#), "delta"),
        ("a number below 0", br#"{"client_seq":-1,"base_revision":0,"ops":[]}"#.to_vec(), "seq"),
    ];
    for (what, body, says) in rows {
        witness.sees_nothing_of(&server, what, || {
            let mut stream = connect(server.address());
            let fields = [(KEY, &*bob.key), JSON, ("R-User-ID", "x")];
            stream.write_all(&request(&server, "PATCH", SYNC, &fields, body)).expect("it is sent");
            let detail = Reply::read(&mut stream).problem(400);
            assert!(detail.contains(says), "{what}: {detail}");
            // The connection is good for more.
            stream.write_all(&request(&server, "GET", "/readyz", &[], b"")).expect("it is sent");
            Reply::read(&mut stream).expect(200);
        });
    }
    // The other addresses that take JSON read it the same way.
    let own = |what: &str| format!("/api/desk/{}/{what}", bob.id);
    let addresses = [
        ("POST", "/api/desk/init".to_owned()),
        ("PATCH", FINISH.to_owned()),
        ("POST", own("links")),
        ("POST", own("import")),
    ];
    for (method, target) in addresses {
        for body in [&b""[..], b"[", b"\xff", br#"{"name":"\ud800","create_new":true}"#, b"{}"] {
            // An empty object is a JSON Canvas without notes.
            let status = if target == own("import") && body == b"{}" { 422 } else { 400 };
            witness.sees_nothing_of(&server, &target, || {
                send(&server, method, &target, &[(KEY, &owner), JSON], body).problem(status);
            });
        }
    }
    // None of it used up a number.
    let revision = witness.revision();
    bob.add(&server, 1, "the number is still free");
    witness.follows_to(revision + 1);
}

/// What can never be, as JSON and as a frame's operation, and what is said.
fn impossible() -> Vec<(Value, Operation, &'static str)> {
    let nobody = NOBODY;
    let set = |id, write| Operation::Set { id, write, yielding: false };
    let edit = |id, parts: &[Part]| {
        let delta = Delta::from_parts(parts.iter().cloned()).expect("a sound delta");
        Operation::EditText { id, delta }
    };
    let (id, note) = (Witness::NOTE, StickerId(1));
    let nobody_is = |op: &str, more: Value| {
        let mut body = more;
        body["id"] = json!(nobody.to_string());
        json!({ op: body })
    };
    let missing = "there is no sticker";
    let far = Point { x: 1_000_001, y: 0 };
    let past = [Part::Retain(14), Part::Delete(1)];
    vec![
        (
            nobody_is("move", json!({ "x": 1, "y": 1 })),
            set(nobody, Write::Position(Point { x: 1, y: 1 })),
            missing,
        ),
        (
            nobody_is("resize", json!({ "width": 50, "height": 50 })),
            set(nobody, Write::Size(Size { width: 50, height: 50 })),
            missing,
        ),
        (
            nobody_is("recolor", json!({ "color": "#000000" })),
            set(nobody, Write::Color(Color(0))),
            missing,
        ),
        (nobody_is("raise", json!({})), Operation::Raise { id: nobody, z: None }, missing),
        (nobody_is("lower", json!({})), Operation::Lower { id: nobody, z: None }, missing),
        (nobody_is("delete", json!({})), set(nobody, Write::Deleted(true)), missing),
        (nobody_is("restore", json!({})), set(nobody, Write::Deleted(false)), missing),
        (
            nobody_is("edit_text", json!({ "delta": [{ "insert": "x" }] })),
            edit(nobody, &[Part::insert("x")]),
            missing,
        ),
        (
            json!({ "create": { "id": id, "x": 0, "y": 0 } }),
            creation(1, ""),
            "was used before, choose another",
        ),
        (
            json!({ "edit_text": { "id": id, "delta": [{ "retain": 14 }, { "delete": 1 }] } }),
            edit(note, &past),
            "counts 15 characters, the text at its base had 13",
        ),
        (
            json!({ "edit_text": { "id": id, "delta": [{ "retain": 14 }, { "insert": "x" }] } }),
            edit(note, &[Part::Retain(14), Part::insert("x")]),
            "counts 14 characters, the text at its base had 13",
        ),
        (
            json!({ "move": { "id": id, "x": 1_000_001, "y": 0 } }),
            set(note, Write::Position(far)),
            "x is 1000001",
        ),
        (
            json!({ "resize": { "id": id, "width": 19, "height": 4_000 } }),
            set(note, Write::Size(Size { width: 19, height: 4_000 })),
            "width is 19",
        ),
        (
            json!({ "resize": { "id": id, "width": 20, "height": 4_001 } }),
            set(note, Write::Size(Size { width: 20, height: 4_001 })),
            "height is 4001",
        ),
    ]
}

#[test]
fn impossible_operations_are_named_by_request_and_by_frame() {
    let server = Server::new();
    let mut witness = Witness::on_a_new_desk(&server);
    let bob = join(&server, witness.link());
    let carol = join(&server, witness.link());
    let mut socket = Socket::live(&server, &carol.key);
    let mut seq = 0;
    let good = (
        json!({ "set_title": { "title": "never" } }),
        Operation::SetTitle { title: "never".to_owned(), yielding: false },
    );
    for (json, operation, says) in impossible() {
        seq += 1;
        let base = witness.revision();
        witness.sees_nothing_of(&server, &json.to_string(), || {
            let detail = bob.sync(&server, seq, base, json!([good.0, json])).problem(422);
            assert!(detail.contains(says) && detail.contains('1'), "{json}: {detail}");
            socket.submit(seq, Revision(base), vec![good.1.clone(), operation]);
            let answer = loop {
                // It hears what the witness does, and nothing else.
                match socket.frame() {
                    ServerFrame::Commit(commit) => assert_eq!(commit.author.0, 1),
                    ServerFrame::Answer(answer) => break answer,
                    other => panic!("{json}: {other:?}"),
                }
            };
            let Outcome::Rejected { operation, detail } = answer.outcome else {
                panic!("{json}: a rejection")
            };
            assert_eq!((answer.client_seq.0, operation), (seq, 1), "{json}: {detail}");
            assert!(detail.contains(says), "{json}: {detail}");
        });
    }
    // Neither was sent away: the next batch of each is taken.
    let revision = witness.revision();
    bob.add(&server, seq + 1, "goes on");
    socket.submit(seq + 1, Revision(revision), vec![creation(9, "goes on, too")]);
    witness.follows_to(revision + 2);
}

/// A frame's bytes, one byte of which, found by what differs between two
/// frames, is another.
fn with_other_kind(one: &ClientFrame, other: &ClientFrame, kind: u8) -> Vec<u8> {
    let (mut bytes, mut others) = (Vec::new(), Vec::new());
    encode_client(one, &mut bytes);
    encode_client(other, &mut others);
    let differ: Vec<_> = (0..bytes.len()).filter(|at| bytes[*at] != others[*at]).collect();
    let [at] = differ[..] else { panic!("they differ in one byte, not at {differ:?}") };
    bytes[at] = kind;
    bytes
}

fn submit_of(operation: Operation) -> ClientFrame {
    ClientFrame::Submit(desk_protocol::frame::Submit {
        client_seq: desk_protocol::ClientSeq(1),
        base: Revision(0),
        made_at: Revision(0),
        operations: vec![operation],
    })
}

#[test]
fn frames_that_cannot_be_read_end_their_connection_alone() {
    let server = Server::new();
    let mut witness = Witness::on_a_new_desk(&server);
    let good = submit_frame(1, 0, vec![creation(7, "never-to-be-seen")]);
    let text_at = good.windows(5).position(|at| at == b"never").expect("the text");
    let with_text = |bytes: &[u8]| {
        let mut frame = good.clone();
        frame[text_at..text_at + bytes.len()].copy_from_slice(bytes);
        frame
    };
    let [raise, lower] = [Operation::Raise { id: StickerId(1), z: None }, {
        Operation::Lower { id: StickerId(1), z: None }
    }]
    .map(submit_of);
    let insertion = submit_frame(
        1,
        0,
        vec![Operation::EditText { id: StickerId(1), delta: Delta::insertion("abc") }],
    );
    let count_at = insertion.windows(8).position(|at| at == [3, 0, 0, 0, 2, 0, 0, 0]);
    let mut miscounted = insertion.clone();
    if let Some(at) = count_at {
        miscounted[at] = 4;
    }
    assert_ne!(miscounted, insertion, "the count of its insertion was found");
    let mut from_a_server = Vec::new();
    encode_server(&ServerFrame::Pong { nonce: 1 }, &mut from_a_server);
    let rows: [(&str, Vec<u8>, &str); 6] = [
        ("a text that is no UTF-8", with_text(b"\xff\xfe"), "flatbuffer"),
        ("a surrogate in UTF-8", with_text(b"\xed\xa0\x80"), "flatbuffer"),
        ("an unknown operation", with_other_kind(&raise, &lower, 200), "no operation 200"),
        ("an insertion that is miscounted", miscounted, "inserts 4 characters, its text has 3"),
        ("a server's frame", from_a_server, "does not come from this end"),
        ("a second hello", hello_again(&server, &witness), "says hello once"),
    ];
    for (what, bytes, says) in rows {
        let bob = join(&server, witness.link());
        let mut socket = Socket::live(&server, &bob.key);
        witness.sees_nothing_of(&server, what, || {
            socket.message(0x82, &bytes);
            let (code, detail, end) = socket.closed();
            assert_eq!(code, CloseCode::Malformed, "{what}: {detail}");
            assert!(detail.contains(says), "{what}: {detail}");
            assert_eq!(end.code, CloseCode::Malformed.websocket(), "{what}");
            assert!(socket.hang_up(), "{what}: it ends in order");
        });
        // Its client is none the worse: it comes again, and the number is free.
        let mut again = Socket::open(&server, &bob.key);
        again.hello(&bob.key, 2, None, "");
        again.catch_up();
        let revision = witness.revision();
        again.submit(1, Revision(revision), vec![creation(revision + 100, what)]);
        witness.follows_to(revision + 1);
    }
}

fn hello_again(server: &Server, witness: &Witness) -> Vec<u8> {
    let mut bytes = Vec::new();
    let hello = desk_protocol::frame::Hello {
        session_key: join(server, witness.link()).key,
        connection: 9,
        revision: None,
        user: String::new(),
        repeats: false,
    };
    encode_client(&ClientFrame::Hello(hello), &mut bytes);
    bytes
}

#[test]
fn a_frame_of_a_type_to_come_is_skipped() {
    let server = Server::new();
    let mut witness = Witness::on_a_new_desk(&server);
    let bob = join(&server, witness.link());
    let mut socket = Socket::live(&server, &bob.key);
    witness.sees_nothing_of(&server, "a frame of an unknown type", || {
        let mut bytes = Vec::new();
        encode_client(&ClientFrame::Ping { nonce: 5 }, &mut bytes);
        // The root table's first field, found by its vtable: the body's type.
        let at = |at: usize| usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
        let root = 4 + at(4);
        let body_type = root + at(root - at(root) + 4);
        bytes[body_type] = 200;
        encode_client(&ClientFrame::Ping { nonce: 6 }, &mut bytes);
        socket.message(0x82, &bytes);
        assert_eq!(socket.frame(), ServerFrame::Pong { nonce: 6 });
    });
}
