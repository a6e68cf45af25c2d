//! Limits set in the TOML file act, as far as one can see it from outside.
//!
//! That every limit of `docs/limits.md` is read into its place and refused
//! beyond its range is tested beside the list; here each row sets some and
//! watches the real server.

use std::time::Duration;

use desk_e2e::http::send;
use desk_e2e::server::run;
use desk_e2e::socket::{creation, submit_frame};
use desk_e2e::{Joined, Reply, Server, Setup, Socket, create, desk, get, join};
use desk_protocol::frame::{CloseCode, Person, Presence};
use desk_protocol::{ClientFrame, Revision, ServerFrame};
use serde_json::{Value, json};

const JSON: (&str, &str) = ("Content-Type", "application/json");

/// What is set, and what is seen then.
type Row = (&'static [(&'static str, &'static str)], fn(&Server));

const ROWS: &[Row] = &[
    (
        &[
            ("text", "20"),
            ("title", "10"),
            ("stickers", "3"),
            ("batch-operations", "4"),
            ("delta-parts", "8"),
            ("deleted-stickers", "1"),
            ("clients-per-desk", "3"),
        ],
        desks_and_batches,
    ),
    (&[("desk-size", "16384"), ("deleted-size", "1000"), ("text", "4000")], sizes_of_desks),
    (
        &[
            ("frame", "\"4KiB\""),
            ("websocket-message", "\"8KiB\""),
            ("body", "\"8KiB\""),
            ("head", "\"1KiB\""),
            ("header-fields", "16"),
            ("snapshot-chunk", "\"1KiB\""),
        ],
        sizes_on_the_way,
    ),
    (
        &[
            ("history-commits", "1"),
            ("text-history-deltas", "0"),
            ("poll-time", "\"100ms\""),
            ("hello-time", "\"1s\""),
            ("person-name", "3"),
        ],
        histories_and_times,
    ),
    (&[("polls-per-desk", "0"), ("history-size", "0")], polls_and_history),
    (&[("probe-after", "\"1h\"")], |server| {
        let (_looks, mut silent) = one_looks_and_one_is_silent(server);
        assert!(silent.is_silent(SILENCE), "it was asked for a sign of life");
    }),
    (&[("probe-after", "\"100ms\""), ("probe-time", "\"1h\"")], |server| {
        let (mut looks, mut silent) = one_looks_and_one_is_silent(server);
        assert!(!silent.is_silent(desk_e2e::PATIENCE), "it is asked for a sign of life");
        assert_eq!(looks.told_within(SILENCE), None, "it is not shown as gone");
    }),
    (&[("text-history-size", "0")], |server| assert!(late_edits_are_taken(server))),
    (&[("transform-steps", "1000")], costly_edits),
    (&[("text-history-deltas", "0")], |server| assert!(late_edits_are_taken(server))),
    (&[("text-history-deltas", "0"), ("held-text-deltas", "0")], |server| {
        assert!(!late_edits_are_taken(server));
    }),
    (&[("text-history-deltas", "0"), ("held-text-size", "0")], |server| {
        assert!(!late_edits_are_taken(server));
    }),
    (&[("text-history-deltas", "0"), ("held-time", "\"100ms\"")], |server| {
        assert!(!late_edits_are_taken(server));
    }),
];

#[test]
fn limits_of_the_file_act() {
    for (limits, sees) in ROWS {
        let setup =
            limits.iter().fold(Setup::default(), |setup, (key, value)| setup.limit(key, value));
        sees(&setup.start());
    }
}

#[test]
fn a_limit_out_of_its_range_stops_the_start_with_its_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("desk.toml");
    for (line, says) in [
        ("text = 0", "line 2: limits.text may be 1 to 50000, not 0"),
        ("frame = \"1MiB\"", "line 2: limits.frame may be 4KiB to 256KiB, not 1MiB"),
        ("head-time = \"1ms\"", "line 2: limits.head-time may be 100ms to 10m, not 1ms"),
        ("stikkers = 1", "there is no limit \"stikkers\""),
    ] {
        std::fs::write(&file, format!("[limits]\n{line}\n")).expect("it is written");
        let output = run(&["serve", "--config", file.to_str().expect("a plain path")]);
        assert_ne!(output.status.code(), Some(0), "{line}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(says), "{line}: {said}");
    }
}

#[test]
fn a_batch_too_large_for_the_log_disturbs_nobody() {
    let server = Server::new();
    let ada = create(&server, "");
    let mut witness = Socket::live(&server, &ada.key);
    let bob = join(&server, &ada.id);
    // A body may have a mebibyte; what it asks for would not fit a record.
    let note = json!({ "create": { "x": 0, "y": 0, "text": "x".repeat(2_000) } });
    let detail = bob.sync(&server, 1, 0, json!(vec![note; 480])).problem(422);
    assert!(detail.contains("split it"), "{detail}");
    assert_eq!(desk::export(&server, &ada.id)["revision"], 0);
    witness.submit(1, Revision(0), vec![creation(1, "goes on")]);
    assert_eq!(witness.commit().revision.0, 1);
}

fn desks_and_batches(server: &Server) {
    let body = json!({ "name": "12345678901", "create_new": true }).to_string();
    let detail = send(server, "POST", "/api/desk/init", &[JSON], body.as_bytes()).problem(422);
    assert!(detail.contains("shorten it to 10"), "{detail}");
    let ada = create(server, "");
    let mut seq = 0;
    let mut sync = |ops: Value| {
        seq += 1;
        let head = desk::export(server, &ada.id)["revision"].as_u64().expect("a revision");
        ada.sync(server, seq, head, ops)
    };
    let note = |text: &str| json!({ "create": { "x": 0, "y": 0, "text": text } });
    let refused = |reply: Reply, says: &str| {
        let detail = reply.problem(422);
        assert!(detail.contains(says), "{detail}");
    };
    refused(sync(json!([note(&"x".repeat(21))])), "21 characters, at most 20");
    refused(sync(json!(vec![note(""); 5])), "5 operations, at most 4");
    let made = sync(json!([note("abcdefghij"), note("b"), note("c")])).expect(221).json();
    let id = |at: usize| made["created"][at].clone();
    refused(sync(json!([note("d")])), "4 stickers, at most 3");
    let cuts: Vec<Value> =
        (0..5).flat_map(|_| [json!({ "retain": 1 }), json!({ "delete": 1 })]).collect();
    refused(sync(json!([{ "edit_text": { "id": id(0), "delta": cuts } }])), "10 parts, at most 8");
    sync(json!([{ "delete": { "id": id(1) } }, { "delete": { "id": id(2) } }])).expect(221);
    let target = format!("/api/desk/{}/export?format=json&deleted=true", ada.id);
    let all = get(server, &target, &[]).expect(200).json();
    assert_eq!(all["stickers"].as_array().map(Vec::len), Some(2), "one of two is kept");
    // The creator and two more who change something; others may look.
    let guests = [join(server, &ada.id), join(server, &ada.id)];
    join(server, &ada.id);
    for guest in guests {
        let head = desk::export(server, &ada.id)["revision"].as_u64().expect("a revision");
        guest.sync(server, 1, head, json!([{ "set_title": { "title": "t" } }])).expect(221);
    }
    desk::init(server, &ada.id).problem(403);
    // What a client needs to know, it is told.
    let mut socket = Socket::open(server, &ada.key);
    socket.hello(&ada.key, 1, None, "");
    let limits = socket.catch_up().limits;
    assert_eq!((limits.text_chars, limits.stickers, limits.batch_operations), (20, 3, 4));
}

fn sizes_of_desks(server: &Server) {
    let ada = create(server, "");
    let long = "🎈".repeat(3_000);
    let id = ada.add(server, 1, &long);
    let ops = json!([{ "create": { "x": 0, "y": 0, "text": "🎈".repeat(1_100) } }]);
    let detail = ada.sync(server, 2, 1, ops).problem(422);
    assert!(detail.contains("at most 16384"), "{detail}");
    ada.sync(server, 3, 1, json!([{ "delete": { "id": id } }])).expect(221);
    let target = format!("/api/desk/{}/export?format=json&deleted=true", ada.id);
    let all = get(server, &target, &[]).expect(200).json();
    assert_eq!(all["stickers"], json!([]), "too large for the bin");
}

fn sizes_on_the_way(server: &Server) {
    let ada = create(server, "");
    let frame = submit_frame(1, 0, vec![creation(1, &"x".repeat(5_000))]);
    let fields = [
        ("WebSocket-Session-Key", &*ada.key),
        ("R-User-ID", "t"),
        ("Content-Type", "application/octet-stream"),
    ];
    let target = "/api/desk/collaboration/sync";
    let detail = send(server, "PATCH", target, &fields, &frame).problem(413);
    assert!(detail.contains("at most 4096"), "{detail}");
    send(server, "PATCH", target, &fields, &vec![0; 8_193]).problem(413);
    let long = "x".repeat(1_100);
    get(server, "/readyz", &[("X-Long", &long)]).problem(431);
    let many: Vec<_> = (0..20).map(|_| ("X", "y")).collect();
    get(server, "/readyz", &many).problem(431);
    // The same frame on a connection ends it; a message too long ends the WebSocket.
    let mut socket = Socket::live(server, &ada.key);
    socket.message(0x82, &frame);
    let (code, detail, _) = socket.closed();
    assert_eq!(code, CloseCode::Malformed);
    assert!(detail.contains("at most 4096"), "{detail}");
    let bob = join(server, &ada.id);
    let mut socket = Socket::live(server, &bob.key);
    let _ = socket.try_message(0x82, &[0; 9_000]);
    let end = loop {
        if let Err(end) = socket.receive() {
            break end;
        }
    };
    assert_eq!(end.code, 1009);
    // A snapshot comes in small parts.
    ada.add(server, 1, &"z".repeat(3_000));
    let carol = join(server, &ada.id);
    let mut socket = Socket::open(server, &carol.key);
    socket.hello(&carol.key, 1, None, "");
    let mut parts = 0;
    loop {
        if let ServerFrame::SnapshotChunk(chunk) = socket.frame() {
            parts += 1;
            assert!(chunk.bytes.len() <= 1_024);
            if chunk.offset as usize + chunk.bytes.len() == chunk.total as usize {
                break;
            }
        }
    }
    assert!(parts > 2, "{parts}");
}

fn histories_and_times(server: &Server) {
    let ada = create(server, "");
    let bob = join(server, &ada.id);
    let id = ada.add(server, 1, "one");
    let edit = |text: &str| json!([{ "edit_text": { "id": id, "delta": [{ "insert": text }] } }]);
    ada.sync(server, 2, 1, edit("two ")).expect(221);
    // No text history: an edit made a moment earlier needs its text.
    let detail = bob.sync(server, 1, 1, edit("three ")).problem(422);
    assert!(detail.contains("base_text"), "{detail}");
    // One commit is kept: whoever misses two gets the desk.
    assert!(ada.poll(server, 1, 0).expect(200).json()["commits"].is_array());
    assert!(ada.poll(server, 0, 0).expect(200).json()["desk"].is_object());
    // A poll that would wait 25 seconds comes back within the test's patience for one read.
    let begin = desk_e2e::now();
    assert_eq!(ada.poll(server, 2, 25).expect(200).json()["commits"], json!([]));
    assert!(begin.elapsed().as_secs() < 20, "it was cut short");
    // Who says nothing is sent away.
    let mut silent = Socket::open(server, &bob.key);
    let (code, detail, _) = silent.closed();
    assert_eq!((code, detail.as_str()), (CloseCode::TimedOut, "no hello came in time"));
    // A name is cut.
    let (mut one, mut two) = (Socket::live(server, &ada.key), Socket::live(server, &bob.key));
    let presence = Presence { name: "Ada Lovelace".into(), ..Presence::default() };
    one.send(&ClientFrame::Presence(presence));
    let people = loop {
        if let ServerFrame::Presence(people) = two.frame() {
            break people;
        }
    };
    assert_eq!(people[0].presence.as_ref().map(|shown| shown.name.as_str()), Some("Ada"));
}

fn polls_and_history(server: &Server) {
    let ada: Joined = create(server, "");
    let refused = ada.poll(server, 0, 1);
    assert!(refused.field("Retry-After").is_some());
    let why = refused.problem(429);
    assert!(why.contains("polls wait"), "{why}");
    ada.add(server, 1, "note");
    assert!(ada.poll(server, 0, 0).expect(200).json()["desk"].is_object(), "nothing is kept");
}

/// Longer than a server at its defaults takes to ask somebody for a sign of life, and, once
/// it has asked, to show somebody as gone.
const SILENCE: Duration = Duration::from_millis(3_500);

/// Two people who see each other, and have read all that there is.
fn one_looks_and_one_is_silent(server: &Server) -> (Socket, Socket) {
    let ada = create(server, "");
    let bob = join(server, &ada.id);
    let (mut looks, mut silent) = (Socket::live(server, &ada.key), Socket::live(server, &bob.key));
    for (socket, hidden) in [(&mut silent, true), (&mut looks, false)] {
        socket.send(&ClientFrame::Presence(Presence { hidden, ..Presence::default() }));
    }
    // Each is shown both, itself too, in one tick or in two: nothing more comes by itself.
    for socket in [&mut looks, &mut silent] {
        let mut awaited = vec![(2, true), (1, false)];
        while !awaited.is_empty() {
            let ServerFrame::Presence(people) = socket.frame() else { continue };
            awaited.retain(|&(author, hidden)| {
                let shows = |one: &Person| {
                    one.author.0 == author
                        && one.presence.as_ref().is_some_and(|presence| presence.hidden == hidden)
                };
                !people.iter().any(shows)
            });
        }
    }
    (looks, silent)
}

/// An edit of a sticker's text.
fn edit(id: &str, parts: Value) -> Value {
    json!([{ "edit_text": { "id": id, "delta": parts } }])
}

/// Whether a client whose edits always come one edit too late gets through once
/// it was told so twice, a second later: history is kept for it by then. That it
/// is told so takes a text history that keeps nothing.
fn late_edits_are_taken(server: &Server) -> bool {
    let (ada, mut head) = (create(server, ""), 1);
    let bob = join(server, &ada.id);
    let id = ada.add(server, 1, "");
    let busy = |head: &mut u64| {
        ada.sync(server, *head + 1, *head, edit(&id, json!([{ "insert": "x" }]))).expect(221);
        *head += 1;
    };
    let late = |head: u64| bob.sync(server, 1, head - 1, edit(&id, json!([{ "insert": "y" }])));
    for _ in 0..2 {
        busy(&mut head);
        let detail = late(head).problem(422);
        assert!(detail.contains("base_text"), "{detail}");
    }
    assert_eq!(ada.poll(server, head, 1).expect(200).json()["commits"], json!([]));
    busy(&mut head);
    late(head).status == 221
}

fn costly_edits(server: &Server) {
    let ada = create(server, "");
    let bob = join(server, &ada.id);
    let id = ada.add(server, 1, &"x".repeat(100));
    for seq in 2..=31 {
        ada.sync(server, seq, seq - 1, edit(&id, json!([{ "insert": "y" }]))).expect(221);
    }
    // 40 parts over 30 changes are more than 1,000 steps, 20 parts are not.
    let parts = |count: usize| {
        let pair = [json!({ "retain": 1 }), json!({ "insert": "z" })];
        json!(std::iter::repeat_n(pair, count / 2).flatten().collect::<Vec<_>>())
    };
    let detail = bob.sync(server, 1, 1, edit(&id, parts(40))).problem(422);
    assert!(detail.contains("base_text"), "{detail}");
    bob.sync(server, 1, 1, edit(&id, parts(20))).expect(221);
}
