//! Batches by HTTP: numbers, statuses, refusals; and the long poll.

use desk_e2e::http::{KEY, get, send};
use desk_e2e::socket::{creation, submit_frame};
use desk_e2e::{PATIENCE, Server, create, desk, join, now, patch};
use serde_json::{Value, json};

#[test]
fn every_operation_is_understood_and_exported() {
    let server = Server::new();
    let ada = create(&server, "");
    let ops = json!([
        { "create": { "id": "0000000000001", "x": 1, "y": 2 } },
        { "create": { "x": -1_000_000, "y": 1_000_000, "width": 20, "height": 4000,
                      "color": "#ABCDEF", "text": "two" } },
        { "set_title": { "title": "Named" } },
    ]);
    let answer = ada.sync(&server, 1, 0, ops).expect(221).json();
    let created = answer["created"].as_array().expect("ids").clone();
    assert_eq!((created.len(), &created[0]), (2, &json!("0000000000001")));
    let two = created[1].as_str().expect("an id");
    assert_eq!(two.len(), 13);

    let ops = json!([
        { "move": { "id": "0000000000001", "x": 30, "y": -40 } },
        { "resize": { "id": "0000000000001", "width": 100, "height": 120 } },
        { "recolor": { "id": "0000000000001", "color": "#00ff00" } },
        { "raise": { "id": "0000000000001" } },
        { "lower": { "id": two } },
        { "edit_text": { "id": "0000000000001", "delta": [{ "insert": "one" }] } },
        { "delete": { "id": two } },
    ]);
    let answer = ada.sync(&server, 2, 1, ops).expect(221).json();
    assert_eq!(answer, json!({ "collision_status": "clean", "revision": 2, "created": [] }));

    let exported = desk::export(&server, &ada.id);
    assert_eq!(exported["title"], "Named");
    assert_eq!(exported["revision"], 2);
    let stickers = exported["stickers"].as_array().expect("stickers");
    assert_eq!(stickers.len(), 1, "deleted stickers are left out");
    let one = &stickers[0];
    assert_eq!((&one["x"], &one["y"]), (&json!(30), &json!(-40)));
    assert_eq!((&one["width"], &one["height"]), (&json!(100), &json!(120)));
    assert_eq!((&one["color"], &one["text"]), (&json!("#00ff00"), &json!("one")));
    assert_eq!(one["author"], ada.answer["author"]);

    let all = get(&server, &format!("/api/desk/{}/export?deleted=true", ada.id), &[]);
    let all = all.expect(200).json();
    let all = all["stickers"].as_array().expect("stickers");
    assert_eq!(all.len(), 2);
    let gone = all.iter().find(|sticker| sticker["id"] == *two).expect("the deleted one");
    assert_eq!((&gone["deleted"], &gone["color"]), (&json!(true), &json!("#abcdef")));

    let restore = json!([{ "restore": { "id": two } }]);
    ada.sync(&server, 3, 2, restore).expect(221);
    assert_eq!(desk::texts(&server, &ada.id), ["one", "two"]);
}

#[test]
fn a_frame_is_a_body_too() {
    let server = Server::new();
    let ada = create(&server, "");
    let fields =
        [(KEY, &*ada.key), ("R-User-ID", "a"), ("Content-Type", "application/octet-stream")];
    let submit =
        |body: &[u8]| send(&server, "PATCH", "/api/desk/collaboration/sync", &fields, body);
    let answer = submit(&submit_frame(1, 0, vec![creation(5, "framed")])).expect(221).json();
    assert_eq!(answer["revision"], 1);
    assert_eq!(desk::texts(&server, &ada.id), ["framed"]);
    for malformed in [&b""[..], b"abc", &[0; 64], &submit_frame(2, 1, vec![])[..20]] {
        submit(malformed).problem(400);
    }
}

#[test]
fn numbers_start_at_one_and_leave_no_gap() {
    let server = Server::new();
    let ada = create(&server, "");
    let note = |text: &str| json!([{ "create": { "x": 0, "y": 0, "text": text } }]);
    assert!(ada.sync(&server, 2, 0, note("gap")).problem(422).contains("expected 1"));
    ada.sync(&server, 1, 0, note("one")).expect(221);
    ada.sync(&server, 3, 1, note("gap")).problem(422);
    ada.sync(&server, 2, 1, note("two")).expect(221);
    ada.sync(&server, 1, 1, note("old")).problem(409);
    let none = ada.sync(&server, 0, 1, note("none"));
    assert!(matches!(none.status, 400 | 409 | 422), "{}", none.status_line);
    assert_eq!(desk::texts(&server, &ada.id), ["one", "two"]);
}

#[test]
fn a_resend_gets_the_first_answer() {
    let mut server = Server::new();
    let ada = create(&server, "");
    let note = json!([{ "create": { "x": 0, "y": 0, "text": "once" } }]);
    let first = ada.sync(&server, 1, 0, note.clone()).expect(221).json();
    let other = json!([{ "set_title": { "title": "never" } }]);
    for body in [note, other] {
        assert_eq!(ada.sync(&server, 1, 0, body).expect(221).json(), first);
    }
    // A refusal is a first answer, too, and outlives the process.
    let impossible = json!([{ "move": { "id": "FZZZZZZZZZZZ0", "x": 1, "y": 1 } }]);
    let detail = ada.sync(&server, 2, 1, impossible).problem(422);
    let good = json!([{ "set_title": { "title": "never" } }]);
    assert_eq!(ada.sync(&server, 2, 1, good.clone()).problem(422), detail);
    server.kill9();
    server.up();
    assert_eq!(ada.sync(&server, 2, 1, good).problem(422), detail);
    ada.add(&server, 3, "next");
    assert_eq!(desk::export(&server, &ada.id)["title"], "");
    assert_eq!(desk::texts(&server, &ada.id), ["next", "once"]);
}

#[test]
fn malformed_batches_use_up_no_number() {
    let server = Server::new();
    let ada = create(&server, "");
    let batch = |ops: Value| json!({ "client_seq": 1, "base_revision": 0, "ops": ops });
    let id = "0000000000001";
    for malformed in [
        json!({}),
        json!([]),
        json!({ "client_seq": 1, "base_revision": 0 }),
        json!({ "client_seq": "1", "base_revision": 0, "ops": [] }),
        json!({ "client_seq": 1.5, "base_revision": 0, "ops": [] }),
        json!({ "client_seq": 1, "base_revision": -1, "ops": [] }),
        batch(json!({})),
        batch(json!(["raise"])),
        batch(json!([{}])),
        batch(json!([{ "explode": { "id": id } }])),
        batch(json!([{ "raise": { "id": id }, "lower": { "id": id } }])),
        batch(json!([{ "raise": {} }])),
        batch(json!([{ "raise": { "id": "short" } }])),
        batch(json!([{ "move": { "id": id, "x": "1", "y": 0 } }])),
        batch(json!([{ "move": { "id": id, "x": 0.5, "y": 0 } }])),
        batch(json!([{ "recolor": { "id": id, "color": "red" } }])),
        batch(json!([{ "edit_text": { "id": id, "delta": "x" } }])),
        batch(json!([{ "edit_text": { "id": id, "delta": [{ "keep": 1 }] } }])),
        batch(json!([{ "create": { "x": 0, "y": 0, "sparkle": true } }])),
    ] {
        ada.sync_body(&server, &malformed).problem(400);
    }
    assert_eq!(desk::export(&server, &ada.id)["revision"], 0);
    ada.add(&server, 1, "the number is still free");
}

#[test]
fn impossible_batches_name_the_operation_and_change_nothing() {
    let server = Server::new();
    let ada = create(&server, "");
    let id = ada.add(&server, 1, "text");
    let mut seq = 1;
    let good = json!({ "move": { "id": id, "x": 5, "y": 5 } });
    for impossible in [
        json!({ "move": { "id": "FZZZZZZZZZZZ0", "x": 1, "y": 1 } }),
        json!({ "move": { "id": id, "x": 1_000_001, "y": 1 } }),
        json!({ "resize": { "id": id, "width": 19, "height": 100 } }),
        json!({ "resize": { "id": id, "width": 100, "height": 4001 } }),
        json!({ "create": { "id": id, "x": 0, "y": 0 } }),
        json!({ "create": { "x": 0, "y": 0, "text": "x".repeat(10_001) } }),
        json!({ "set_title": { "title": "x".repeat(201) } }),
        json!({ "edit_text": { "id": id, "delta": [{ "retain": 9 }, { "delete": 1 }] } }),
        json!({ "edit_text": { "id": id, "delta": [{ "insert": "y".repeat(10_000) }] } }),
    ] {
        seq += 1;
        let detail = ada.sync(&server, seq, 1, json!([good, impossible])).problem(422);
        assert!(detail.contains('1'), "it names operation 1: {detail}");
        let desk = desk::export(&server, &ada.id);
        assert_eq!((&desk["revision"], &desk["stickers"][0]["x"]), (&json!(1), &json!(0)));
    }
    let two = json!([
        { "edit_text": { "id": id, "delta": [{ "insert": "a" }] } },
        { "edit_text": { "id": id, "delta": [{ "insert": "b" }] } },
    ]);
    let many: Vec<_> = (0..501).map(|x| json!({ "move": { "id": id, "x": x, "y": 0 } })).collect();
    for ops in [two, json!(many)] {
        seq += 1;
        let status = ada.sync(&server, seq, 1, ops).status;
        assert!(matches!(status, 400 | 422), "{status}");
        seq -= u64::from(status == 400);
    }
    ada.sync(&server, seq + 1, 9, json!([good])).problem(422);
    assert_eq!(desk::export(&server, &ada.id)["revision"], 1);
}

#[test]
fn statuses_of_collisions() {
    let server = Server::new();
    let ada = create(&server, "");
    let bob = join(&server, &ada.id);
    let id = ada.add(&server, 1, "text");
    let status = |reply: desk_e2e::Reply| reply.expect(221).json()["collision_status"].clone();
    let to = |x: i32| json!([{ "move": { "id": id, "x": x, "y": 0 } }]);
    assert_eq!(status(ada.sync(&server, 2, 1, to(1))), "clean");
    assert_eq!(status(bob.sync(&server, 1, 1, to(2))), "overrode");
    let color = json!([{ "recolor": { "id": id, "color": "#112233" } }]);
    assert_eq!(status(bob.sync(&server, 2, 1, color)), "merged");
    assert_eq!(status(ada.sync(&server, 3, 4, json!([{ "delete": { "id": id } }]))), "clean");
    assert_eq!(status(bob.sync(&server, 3, 4, to(3))), "hidden");
}

#[test]
fn text_older_than_the_history_needs_its_base() {
    let mut server = Server::new();
    let ada = create(&server, "");
    let bob = join(&server, &ada.id);
    let id = ada.add(&server, 1, "one two");
    let edit = |parts: Value| json!([{ "edit_text": { "id": id, "delta": parts } }]);
    ada.sync(&server, 2, 1, edit(json!([{ "retain": 7 }, { "insert": " three" }]))).expect(221);
    // A crash may forget all text history (FLIGHT-12).
    server.kill9();
    server.up();
    // What it says to continue may be its own text in the difference (TEXT-3).
    let late = json!([{ "insert": "zero ", "continues": true }]);
    let detail = bob.sync(&server, 1, 1, edit(late.clone())).problem(422);
    assert!(detail.contains("base_text"), "{detail}");
    let with = json!([{ "edit_text": { "id": id, "delta": late, "base_text": "one two" } }]);
    let answer = bob.sync(&server, 1, 1, with).expect(221).json();
    assert_eq!(answer["collision_status"], "merged");
    assert_eq!(desk::texts(&server, &ada.id), ["zero one two three"]);
    let polled = bob.poll(&server, 2, 0).expect(200).json();
    let delta = &polled["commits"][0]["ops"][0]["edit_text"]["delta"];
    assert_eq!(delta, &json!([{ "insert": "zero " }]));
}

#[test]
fn text_3_json_says_what_continues() {
    let server = Server::new();
    let ada = create(&server, "");
    let bob = join(&server, &ada.id);
    let id = ada.add(&server, 1, "LR");
    let insert = |at: u32, text: &str, continues: bool| {
        let mut part = json!({ "insert": text });
        if continues {
            part["continues"] = json!(true);
        }
        json!([{ "edit_text": { "id": id, "delta": [{ "retain": at }, part] } }])
    };
    ada.sync(&server, 2, 1, insert(1, "a", false)).expect(221);
    bob.sync(&server, 1, 1, insert(1, "x", false)).expect(221);
    ada.sync(&server, 3, 2, insert(2, "b", true)).expect(221);
    assert_eq!(desk::texts(&server, &ada.id), ["LabxR"]);
    let polled = bob.poll(&server, 2, 0).expect(200).json();
    let ops: Vec<_> = (0..2).map(|at| polled["commits"][at]["ops"].clone()).collect();
    assert_eq!(ops, [insert(2, "x", false), insert(2, "b", true)]);
}

#[test]
fn labels_are_passed_on_with_commits() {
    let server = Server::new();
    let ada = create(&server, "");
    let body =
        json!({ "client_seq": 1, "base_revision": 0, "ops": [{ "set_title": { "title": "T" } }] });
    let fields = [(KEY, &*ada.key), ("R-User-ID", "Ada!~")];
    patch(&server, "/api/desk/collaboration/sync", &fields, &body).expect(221);
    let commit = &ada.poll(&server, 0, 0).expect(200).json()["commits"][0];
    assert_eq!(commit["user"], "Ada!~");
    assert_eq!(commit["author"], ada.answer["author"]);
    assert_eq!(commit["client_seq"], 1);
    assert_eq!(commit["collision_status"], "clean");
}

#[test]
fn a_poll_gives_commits_ready_to_apply() {
    let server = Server::new();
    let ada = create(&server, "");
    let empty = ada.poll(&server, 0, 0).expect(200).json();
    assert_eq!(empty, json!({ "revision": 0, "commits": [] }));
    let id = ada.add(&server, 1, "x");
    let raise = json!([{ "raise": { "id": id } }, { "edit_text": { "id": id, "delta": [{ "insert": "y" }] } }]);
    ada.sync(&server, 2, 1, raise).expect(221);
    let polled = ada.poll(&server, 0, 0).expect(200).json();
    assert_eq!(polled["revision"], 2);
    let commits = polled["commits"].as_array().expect("commits");
    assert_eq!(commits.len(), 2);
    let created = &commits[0]["ops"][0]["create"];
    for field in ["id", "x", "y", "width", "height", "color", "text", "z"] {
        assert!(!created[field].is_null(), "a create carries {field}: {created}");
    }
    let raised =
        commits[1]["ops"].as_array().expect("ops").iter().find(|op| !op["raise"].is_null());
    assert!(raised.expect("the raise")["raise"]["z"].is_i64());
    let since = ada.poll(&server, 1, 0).expect(200).json();
    assert_eq!(since["commits"].as_array().expect("commits").len(), 1, "since is exclusive");
}

#[test]
fn a_poll_waits_for_news() {
    let server = Server::new();
    let ada = create(&server, "");
    let bob = join(&server, &ada.id);
    std::thread::scope(|scope| {
        let begin = now();
        let waiting = scope.spawn(|| bob.poll(&server, 0, 25).expect(200).json());
        // Nobody can see that a request waits; the poll is right either way.
        ada.add(&server, 1, "news");
        let polled = waiting.join().expect("the poll is answered");
        assert_eq!(polled["commits"][0]["revision"], 1);
        assert!(begin.elapsed() < PATIENCE, "it is answered by the news, not by the time");
    });
    let begin = now();
    let polled = bob.poll(&server, 1, 1).expect(200).json();
    assert_eq!(polled["commits"], json!([]));
    assert!(begin.elapsed().as_millis() >= 900, "it waited for its second");
}

#[test]
fn a_poll_from_long_ago_gets_the_desk() {
    let server = Server::new();
    let ada = create(&server, "");
    let id = ada.add(&server, 1, "kept");
    // More bytes than a desk keeps commits of.
    let text = "x".repeat(9_000);
    for seq in 2..40 {
        ada.sync(&server, seq, 0, json!([{ "create": { "x": 0, "y": 0, "text": text } }]))
            .expect(221);
    }
    let delete = json!([{ "delete": { "id": id } }]);
    ada.sync(&server, 40, 39, delete).expect(221);
    let polled = ada.poll(&server, 0, 0).expect(200).json();
    assert_eq!(polled["revision"], 40);
    assert_eq!(polled.get("commits"), None);
    let stickers = polled["desk"]["stickers"].as_array().expect("the desk");
    let kept = stickers.iter().find(|sticker| sticker["id"] == *id).expect("deleted ones, too");
    assert_eq!(kept["deleted"], true);
    let recent = ada.poll(&server, 39, 0).expect(200).json();
    assert_eq!(recent["commits"].as_array().expect("commits").len(), 1);
}

#[test]
fn a_poll_gives_frames_on_request() {
    let server = Server::new();
    let ada = create(&server, "");
    ada.add(&server, 1, "x");
    let fields = [(KEY, &*ada.key), ("Accept", "application/octet-stream")];
    let reply = get(&server, "/api/desk/collaboration/sync?since=0", &fields).expect(200);
    assert_eq!(reply.field("Content-Type"), Some("application/octet-stream"));
    let decoded = desk_protocol::codec::decode_server(&reply.body).expect("a sound frame");
    let desk_protocol::codec::Decoded::Frame(
        length,
        Some(desk_protocol::ServerFrame::Commit(commit)),
    ) = decoded
    else {
        panic!("a commit, not {decoded:?}")
    };
    assert_eq!((length, commit.revision.0), (reply.body.len(), 1));
}
