//! JSON in and out: operations, results, polls, init, finish, links.
#![allow(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

use desk_gateway_http::bodies::{self, Collaboration, InitAnswer};
use desk_gateway_http::export::ExportedDesk;
use desk_gateway_http::operations::{
    poll_answer, poll_desk_answer, poll_frames_answer, read_submit, submit_answer,
};
use desk_gateway_http::{Problem, Time};
use desk_protocol::frame::Role;
use desk_protocol::operation::{CollisionStatus, Commit, Create, Operation, Write};
use desk_protocol::text::{Delta, Part};
use desk_protocol::{
    Author, ClientSeq, Color, Desk, LinkId, Point, Revision, Size, StickerId, StickerKind,
};
use expect_test::{Expect, expect};
use proptest::prelude::*;

const A: &str = "0000000000001";

fn read(ops: &str) -> String {
    let body = format!("{{\"client_seq\": 1, \"base_revision\": 0, \"ops\": {ops}}}");
    told(body.as_bytes())
}

fn told(body: &[u8]) -> String {
    let mut next = 100;
    let mut new_id = || {
        next += 1;
        StickerId(next)
    };
    match read_submit(body, &mut new_id) {
        Ok(request) => {
            let mut told: String =
                request.operations.iter().map(|operation| format!("{operation:?}\n")).collect();
            if !request.base_texts.is_empty() {
                told += &format!("{:?}\n", request.base_texts);
            }
            told
        }
        Err(error) => {
            assert_eq!(error.problem().status.0, 400);
            format!("{error}\n")
        }
    }
}

fn check(ops: &[&str], expected: Expect) {
    let told: String = ops.iter().map(|op| read(&op.replace("$A", A))).collect();
    expected.assert_eq(&told);
}

#[test]
fn every_operation() {
    check(
        &[r##"[
            {"create": {"x": 1, "y": -2.0}},
            {"create": {"id": "$A", "x": 0, "y": 0, "width": 20, "height": 30, "color": "#AbCdEf", "text": "hi"}},
            {"move": {"id": "$A", "x": 5, "y": 6}},
            {"resize": {"id": "$A", "width": 100, "height": 101}},
            {"recolor": {"id": "$A", "color": "#00ff00"}},
            {"raise": {"id": "$A"}},
            {"lower": {"id": "$A"}},
            {"edit_text": {"id": "$A", "delta": [{"retain": 1}, {"insert": "ü", "continues": true}, {"delete": 2}, {"retain": 9}, {"insert": "é", "continues": false}], "base_text": "abc"}},
            {"delete": {"id": "$A"}},
            {"restore": {"id": "$A"}},
            {"set_title": {"title": "T"}},
            {"vote": {"id": "$A", "count": 3}},
            {"set_register": {"key": 200, "value": [1, 255]}}
        ]"##],
        expect![[r#"
            Create(Create { id: 0000000000035, kind: StickerKind(0), position: Point { x: 1, y: -2 }, size: Size { width: 200, height: 200 }, color: Color(16769126), text: "", deleted: false, locked: false, z: None })
            Create(Create { id: 0000000000001, kind: StickerKind(0), position: Point { x: 0, y: 0 }, size: Size { width: 20, height: 30 }, color: Color(11259375), text: "hi", deleted: false, locked: false, z: None })
            Set { id: 0000000000001, write: Position(Point { x: 5, y: 6 }), yielding: false }
            Set { id: 0000000000001, write: Size(Size { width: 100, height: 101 }), yielding: false }
            Set { id: 0000000000001, write: Color(Color(65280)), yielding: false }
            Raise { id: 0000000000001, z: None }
            Lower { id: 0000000000001, z: None }
            EditText { id: 0000000000001, delta: Delta { parts: [Retain(1), Insert { text: "ü", continues: true }, Delete(2), Retain(9), Insert { text: "é", continues: false }] } }
            Set { id: 0000000000001, write: Deleted(true), yielding: false }
            Set { id: 0000000000001, write: Deleted(false), yielding: false }
            SetTitle { title: "T", yielding: false }
            Vote { id: 0000000000001, count: 3 }
            SetRegister { key: 200, value: [1, 255] }
            {0000000000001: "abc"}
        "#]],
    );
}

#[test]
fn errors_name_the_place() {
    let deep = format!("{}{}", "[".repeat(1_000), "]".repeat(1_000));
    check(
        &[
            "7",
            r#"[7]"#,
            r#"[{}]"#,
            r#"[{"delete": {"id": "$A"}, "raise": {"id": "$A"}}]"#,
            r#"[{"fly": {}}]"#,
            r#"[{"delete": {"id": "$A"}}, {"move": {"id": "$A", "x": 1.5, "y": 0}}]"#,
            r#"[{"move": {"id": "$A", "x": "1", "y": 0}}]"#,
            r#"[{"move": {"id": "$A", "x": 99999999999, "y": 0}}]"#,
            r#"[{"move": {"id": "$A", "x": 1e300, "y": 0}}]"#,
            r#"[{"move": {"id": "$A", "x": 1}}]"#,
            r#"[{"move": {"id": "$A", "x": 1, "y": 0, "z": 3}}]"#,
            r#"[{"move": {"id": "short", "x": 1, "y": 0}}]"#,
            r#"[{"move": {"x": 1, "y": 0}}]"#,
            r#"[{"resize": {"id": "$A", "width": -1, "height": 50}}]"#,
            r#"[{"recolor": {"id": "$A", "color": "red"}}]"#,
            r#"[{"create": {"x": 0, "y": 0, "text": 7}}]"#,
            r#"[{"create": {"x": 0, "y": 0, "z": 7}}]"#,
            r#"[{"create": {"id": "0000000000000", "x": 0, "y": 0}}]"#,
            r#"[{"edit_text": {"id": "$A", "delta": {"retain": 1}}}]"#,
            r#"[{"edit_text": {"id": "$A", "delta": [{"retain": 1, "delete": 1}]}}]"#,
            r#"[{"edit_text": {"id": "$A", "delta": [{"retain": 1, "continues": true}]}}]"#,
            r#"[{"edit_text": {"id": "$A", "delta": [{"insert": "x", "continues": 1}]}}]"#,
            r#"[{"edit_text": {"id": "$A", "delta": [{"retain": -1}]}}]"#,
            r#"[{"edit_text": {"id": "$A", "delta": [{"retain": 4294967295}, {"delete": 1}]}}]"#,
            r#"[{"set_title": {"title": null}}]"#,
            r#"[{"set_title": {"title": "\ud800"}}]"#,
            &deep,
        ],
        expect![[r#"
            ops: expected an array, found 7
            ops[0]: expected an object, found 7
            ops[0]: expected one operation of create, move, resize, recolor, raise, lower, edit_text, delete, restore, lock, unlock, set_title, vote, set_register, found an object
            ops[0]: expected one operation of create, move, resize, recolor, raise, lower, edit_text, delete, restore, lock, unlock, set_title, vote, set_register, found an object
            ops[0].fly: that name is not known here, expected create, move, resize, recolor, raise, lower, edit_text, delete, restore, lock, unlock, set_title, vote, set_register
            ops[1].move.x: expected a whole number from -1000000 to 1000000, found 1.5
            ops[0].move.x: expected a whole number from -1000000 to 1000000, found "1"
            ops[0].move.x: expected a whole number from -1000000 to 1000000, found 99999999999
            ops[0].move.x: expected a whole number from -1000000 to 1000000, found 1e+300
            ops[0].move.y: the field is missing
            ops[0].move.z: that name is not known here, expected id, x, y
            ops[0].move.id: expected a sticker's id of 13 Crockford base32 characters, found "short": expected 13 characters, found 5
            ops[0].move.id: the field is missing
            ops[0].resize.width: expected a whole number from 20 to 4000, found -1
            ops[0].recolor.color: expected a colour as #rrggbb, found "red": a colour is #rrggbb, and begins with #
            ops[0].create.text: expected a string, found 7
            ops[0].create.z: that name is not known here, expected id, x, y, width, height, color, text, kind
            ops[0].create.id: expected an id that is not 0; without an id the server chooses one, found "0000000000000"
            ops[0].edit_text.delta: expected an array, found an object
            ops[0].edit_text.delta[0]: expected one of retain, insert, delete, found an object
            ops[0].edit_text.delta[0]: expected continues beside insert only, found an object
            ops[0].edit_text.delta[0].continues: expected true or false, found 1
            ops[0].edit_text.delta[0].retain: expected a whole number from 0, found -1
            ops[0].edit_text.delta: expected counts that fit a text, found the delta counts 4294967296 characters, the text has 4294967295
            ops[0].set_title.title: the field is missing
            the body is not JSON: unexpected end of hex escape at line 1 column 78
            the body is not JSON: recursion limit exceeded at line 1 column 172
        "#]],
    );
    let whole = |body: &str| told(body.as_bytes());
    expect!["the body is not JSON: EOF while parsing a value at line 1 column 0\n"]
        .assert_eq(&whole(""));
    expect![[r#"the body: expected an object, found an array
"#]]
    .assert_eq(&whole("[]"));
    expect!["client_seq: the field is missing\n"].assert_eq(&whole("{}"));
    expect![[r#"
        seq: that name is not known here, expected client_seq, base_revision, ops
    "#]]
    .assert_eq(&whole("{\"seq\": 1}"));
    expect![[r#"base_revision: expected a whole number from 0, found -1
"#]]
    .assert_eq(&whole("{\"client_seq\": 1, \"base_revision\": -1, \"ops\": []}"));
    assert!(told(b"{\"client_seq\": \xff}").starts_with("the body is not JSON"));
    expect![[r#"the body: the name "client_seq" comes twice at line 1 column 30
"#]]
    .assert_eq(&whole("{\"client_seq\": 1, \"client_seq\": 1}"));
    let twice = r#"{"client_seq": 1, "base_revision": 0, "ops": [{"raise": {"id": 1, "id": 2}}]}"#;
    expect![[r#"the body: the name "id" comes twice at line 1 column 70
"#]]
    .assert_eq(&whole(twice));
}

#[test]
fn results_and_commits() {
    let ids = [StickerId(1), StickerId(2)];
    let answer = submit_answer(CollisionStatus::Overrode, Revision(7), &ids);
    let bytes = String::from_utf8(answer.to_bytes("close", Time(0))).unwrap().replace('\r', "");
    expect![[r#"
        HTTP/1.1 221 Desk Updated
        Content-Type: application/json
        Cache-Control: no-store
        X-Robots-Tag: noindex, nofollow
        Upgrade: websocket
        Content-Length: 88
        Date: Thu, 01 Jan 1970 00:00:00 GMT
        Connection: close

        {"collision_status":"overrode","created":["0000000000001","0000000000002"],"revision":7}"#]]
    .assert_eq(&bytes);

    let id = StickerId(1);
    let set = |write| Operation::Set { id, write, yielding: false };
    let delta = Delta::from_parts([
        Part::Retain(1),
        Part::continuing("x"),
        Part::Delete(2),
        Part::Retain(1),
        Part::insert("y"),
    ]);
    let create = Create {
        id,
        position: Point { x: 1, y: 2 },
        size: Size::default(),
        color: Color(0xab),
        text: "t".into(),
        z: Some(9),
        ..Create::default()
    };
    let commit = Commit {
        revision: Revision(8),
        author: Author(3),
        client_seq: ClientSeq(4),
        status: CollisionStatus::Clean,
        user: "ann".into(),
        accepted_at_ms: 0,
        operations: vec![
            Operation::Create(create.clone()),
            Operation::Create(Create {
                deleted: true,
                locked: true,
                kind: StickerKind::AREA,
                ..create
            }),
            set(Write::Position(Point { x: -1, y: 0 })),
            set(Write::Size(Size { width: 20, height: 21 })),
            set(Write::Color(Color(0xff))),
            set(Write::Z(5)),
            set(Write::Deleted(true)),
            set(Write::Deleted(false)),
            set(Write::Locked(true)),
            set(Write::Locked(false)),
            Operation::Raise { id, z: Some(10) },
            Operation::Lower { id, z: Some(-1) },
            Operation::EditText { id, delta: delta.unwrap() },
            Operation::SetTitle { title: "T".into(), yielding: false },
            Operation::Vote { id, count: 3 },
            Operation::SetRegister { key: 200, value: vec![1, 255] },
            Operation::Purge { id },
        ],
    };
    let answer = poll_answer(Revision(8), [&commit]);
    let json: serde_json::Value = serde_json::from_slice(answer.body.bytes()).unwrap();
    let ops: String = json["commits"][0]["ops"]
        .as_array()
        .unwrap()
        .iter()
        .map(|operation| format!("{operation}\n"))
        .collect();
    expect![[r##"
        {"create":{"color":"#0000ab","height":200,"id":"0000000000001","text":"t","width":200,"x":1,"y":2,"z":9}}
        {"create":{"color":"#0000ab","deleted":true,"height":200,"id":"0000000000001","kind":1,"locked":true,"text":"t","width":200,"x":1,"y":2,"z":9}}
        {"move":{"id":"0000000000001","x":-1,"y":0}}
        {"resize":{"height":21,"id":"0000000000001","width":20}}
        {"recolor":{"color":"#0000ff","id":"0000000000001"}}
        {"raise":{"id":"0000000000001","z":5}}
        {"delete":{"id":"0000000000001"}}
        {"restore":{"id":"0000000000001"}}
        {"lock":{"id":"0000000000001"}}
        {"unlock":{"id":"0000000000001"}}
        {"raise":{"id":"0000000000001","z":10}}
        {"lower":{"id":"0000000000001","z":-1}}
        {"edit_text":{"delta":[{"retain":1},{"continues":true,"insert":"x"},{"delete":2},{"retain":1},{"insert":"y"}],"id":"0000000000001"}}
        {"set_title":{"title":"T"}}
        {"vote":{"count":3,"id":"0000000000001"}}
        {"set_register":{"key":200,"value":[1,255]}}
        {"purge":{"id":"0000000000001"}}
    "##]].assert_eq(&ops);
    let mut rest = json["commits"][0].clone();
    rest["ops"] = 0.into();
    expect![[r#"{"author":3,"client_seq":4,"collision_status":"clean","ops":0,"revision":8,"user":"ann"}"#]].assert_eq(&rest.to_string());

    let empty = poll_answer(Revision(8), []);
    assert_eq!(empty.body.bytes(), br#"{"commits":[],"revision":8}"#);
    let desk = Desk::new("T".into());
    let exported =
        ExportedDesk { desk: &desk, created_at: Time(0), expires_at: Time(604_800_000_000) };
    assert_eq!(poll_frames_answer(&[b"one", b"two"]).body.bytes(), b"onetwo");
    let whole = poll_desk_answer(Revision(8), &exported);
    expect![[r#"{"desk":{"created_at":"1970-01-01T00:00:00Z","expires_at":"1970-01-08T00:00:00Z","revision":0,"stickers":[],"title":"T"},"revision":8}"#]].assert_eq(&String::from_utf8_lossy(whole.body.bytes()));
}

fn problem<T: std::fmt::Debug>(result: Result<T, Problem>) -> String {
    match result {
        Ok(value) => format!("{value:?}"),
        Err(problem) => format!("{} {}", problem.status.0, problem.detail),
    }
}

#[test]
fn inits() {
    const LINK: &str = "1N8K4R0000000000000000000Z";
    let bodies = [
        r#"{"name": "Plans", "create_new": true}"#.to_owned(),
        r#"{"name": "", "create_new": true, "desk": false}"#.to_owned(),
        format!(r#"{{"name": "{LINK}", "create_new": false, "session_key": "A-B-C"}}"#),
        format!(r#"{{"name": " https://x.example/d/{LINK}/?a#b ", "create_new": false}}"#),
        r#"{"name": "nonsense", "create_new": false}"#.to_owned(),
        r#"{"name": 5, "create_new": false}"#.to_owned(),
        r#"{"name": "x"}"#.to_owned(),
        r#"{"name": "x", "create_new": "yes"}"#.to_owned(),
        r#"{"name": "x", "create_new": true, "color": 1}"#.to_owned(),
        format!(r#"{{"name": "{}", "create_new": true}}"#, "ü".repeat(201)),
        "name=x".to_owned(),
    ];
    let told: String =
        bodies.iter().map(|body| problem(bodies::read_init(body.as_bytes(), 200)) + "\n").collect();
    expect![[r#"
        InitRequest { target: New("Plans"), old_key: None, content: true }
        InitRequest { target: New(""), old_key: None, content: false }
        InitRequest { target: Known(1N8K4R0000000000000000000Z), old_key: Some("A-B-C"), content: true }
        InitRequest { target: Known(1N8K4R0000000000000000000Z), old_key: None, content: true }
        404 This is no link to a desk: expected 26 characters, found 8. Check it, or ask for a new one.
        400 name: expected a string, found 5. Correct it and send it again.
        400 create_new: the field is missing. Correct it and send it again.
        400 create_new: expected true or false, found "yes". Correct it and send it again.
        400 color: that name is not known here, expected name, create_new, session_key, desk. Correct it and send it again.
        422 name: the title has 201 characters; shorten it to 200.
        400 the body is not JSON: expected ident at line 1 column 2. Correct it and send it again.
    "#]].assert_eq(&told);
}

fn init_answer() -> InitAnswer {
    InitAnswer {
        session_key: "A-B-C".into(),
        link: LinkId(1),
        link_base: "http://localhost:8080/d/".into(),
        owner_link: Some(LinkId(2)),
        resumed: false,
        role: Role::Owner,
        author: Author(1),
        revision: Revision(0),
        expires_at: Time(1_795_456_800_000_000),
        collaboration: Collaboration {
            websocket: "ws://localhost:8080/api/desk/collaboration/init".into(),
            ..Collaboration::default()
        },
        nodes: Vec::new(),
    }
}

#[test]
fn a_machine_of_a_cluster_names_the_others() {
    let nodes = vec!["http://a.example".to_owned(), "http://b.example".to_owned()];
    let answer = InitAnswer { nodes, ..init_answer() }.response();
    let json: serde_json::Value = serde_json::from_slice(answer.body.bytes()).unwrap();
    assert_eq!(json["nodes"], serde_json::json!(["http://a.example", "http://b.example"]));
}

#[test]
fn init_answers() {
    let whole = init_answer().response();
    let plain: serde_json::Value = serde_json::from_slice(whole.body.bytes()).unwrap();
    expect![[r#"
        {
          "author": 1,
          "collaboration": {
            "certificate_sha256": null,
            "certificates": [],
            "quic": null,
            "shard_hint": 0,
            "websocket": "ws://localhost:8080/api/desk/collaboration/init",
            "webtransport": null
          },
          "desk_id": "00000000000000000000000001",
          "expires_at": "2026-11-23T18:00:00Z",
          "link": "http://localhost:8080/d/00000000000000000000000001",
          "owner_link": "http://localhost:8080/d/00000000000000000000000002",
          "resumed": false,
          "revision": 0,
          "role": "owner",
          "session_key": "A-B-C"
        }"#]]
    .assert_eq(&format!("{plain:#}"));

    // Streamed: the same with the content, as long as announced.
    let frames = [&b"first frame"[..], b"", b"second"];
    let bytes = frames.concat();
    let (head, mut stream) = init_answer().streamed(bytes.len() as u64);
    let mut body: String = frames.iter().map(|frame| stream.push(frame)).collect();
    body += &stream.finish();
    assert_eq!(head.body.length(), Some(body.len() as u64));
    let mut json: serde_json::Value = serde_json::from_str(&body).unwrap();
    let desk = json.as_object_mut().unwrap().remove("desk");
    assert_eq!(desk, Some("Zmlyc3QgZnJhbWVzZWNvbmQ=".into()));
    assert_eq!(json, plain);
}

#[test]
fn finishes_and_links() {
    let told: String = [
        problem(bodies::read_finish(br#"{"diff": ""}"#)),
        problem(bodies::read_finish(br#"{"diff": "AAEC"}"#)),
        problem(bodies::read_finish(br#"{"diff": "???"}"#)),
        problem(bodies::read_finish(br#"{}"#)),
        problem(bodies::read_links(br#"{"role": "viewer"}"#)),
        problem(bodies::read_links(br#"{"role": "owner", "rotate": true}"#)),
        problem(bodies::read_links(br#"{"role": "king"}"#)),
        problem(bodies::read_links(br#"{"role": "editor", "rotate": 1}"#)),
    ]
    .map(|line| line + "\n")
    .concat();
    expect![[r#"
        None
        Some([0, 1, 2])
        400 diff: expected a submit frame in base64, or an empty string, found "???". Correct it and send it again.
        400 diff: the field is missing. Correct it and send it again.
        LinksRequest { role: Viewer, rotate: false }
        LinksRequest { role: Owner, rotate: true }
        400 role: expected viewer, editor or owner, found "king". Correct it and send it again.
        400 rotate: expected true or false, found 1. Correct it and send it again.
    "#]].assert_eq(&told);
    let finished = bodies::finish_answer("A-B-C");
    assert_eq!(finished.body.bytes(), br#"{"status":"finished"}"#);
    assert_eq!(finished.field("WebSocket-Session-Key"), Some("A-B-C"));
    let link = bodies::links_answer(Role::Viewer, LinkId(1), "http://h/d/");
    let json: serde_json::Value = serde_json::from_slice(link.body.bytes()).unwrap();
    assert_eq!(json["link"], "http://h/d/00000000000000000000000001");
}

/// Any JSON, mostly of words that mean something here.
fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let word = prop::sample::select(vec![
        "client_seq",
        "base_revision",
        "ops",
        "create",
        "move",
        "id",
        "x",
        "y",
        "text",
        "delta",
        "edit_text",
        "retain",
        "insert",
        "name",
        "create_new",
        "diff",
        "role",
        "other",
    ]);
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        Just(A.into()),
        "\\PC{0,8}".prop_map(Into::into),
    ];
    leaf.prop_recursive(6, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::vec((word.clone(), inner), 0..5).prop_map(|fields| {
                let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value));
                serde_json::Value::Object(fields.collect())
            }),
        ]
    })
}

proptest! {
    #[test]
    fn no_json_makes_it_panic(value in any_json(), ops in prop::collection::vec(any_json(), 0..3)) {
        let submit = serde_json::json!({ "client_seq": 1, "base_revision": 0, "ops": ops });
        for body in [value.to_string(), submit.to_string()] {
            let _ = told(body.as_bytes());
            let _ = bodies::read_init(body.as_bytes(), 200);
            let _ = bodies::read_finish(body.as_bytes());
            let _ = bodies::read_links(body.as_bytes());
        }
    }
}
