//! Limits that add up, seen at the real server: configurations that cannot hold, peers
//! that take nothing, lines that are slow, and scripts that ask too often.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use desk_e2e::http::{KEY, connect, post, request};
use desk_e2e::server::run;
use desk_e2e::{Joined, Reply, Server, Setup, Socket, create, desk, eventually, join};
use serde_json::{Value, json};

/// Behind a proxy on this machine, so that a test can come from anywhere.
fn behind_a_proxy() -> Setup {
    Setup::default().flag("--trusted-proxy", "127.0.0.1")
}

fn init(server: &Server, from: &str, body: &Value) -> Reply {
    post(server, "/api/desk/init", &[("X-Forwarded-For", from)], body)
}

fn join_from(server: &Server, from: &str, id: &str) -> Reply {
    init(server, from, &json!({ "name": id, "create_new": false }))
}

#[test]
fn a_segment_that_cannot_hold_the_longest_record_is_refused_at_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("desk.toml");
    std::fs::write(&file, "[limits]\nsegment = \"256KiB\"\n").expect("it is written");
    let output = run(&["serve", "--config", file.to_str().expect("a plain path")]);
    assert_ne!(output.status.code(), Some(0));
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(said.trim().lines().count(), 1, "one line: {said}");
    assert!(said.contains("raise limits.segment or lower limits.frame"), "{said}");
}

#[test]
fn the_longest_batch_fits_the_shortest_segment() {
    let mut server = Setup::default().limit("segment", "\"1MiB\"").start();
    let ada = create(&server, "");
    // As large as a frame may be, and as a body may ask for.
    let note = json!({ "create": { "x": 0, "y": 0, "text": "x".repeat(9_900) } });
    for seq in 1..=5 {
        ada.sync(&server, seq, seq - 1, json!(vec![note.clone(); 40])).expect(221);
    }
    server.kill9();
    server.up();
    assert_eq!(desk::texts(&server, &ada.id).len(), 200);
}

/// A desk whose export has some eight mebibytes.
fn large(server: &Server) -> Joined {
    let ada = create(server, "");
    let note = json!({ "create": { "x": 0, "y": 0, "text": "x".repeat(10_000) } });
    for seq in 1..=22 {
        ada.sync(server, seq, seq - 1, json!(vec![note.clone(); 36])).expect(221);
    }
    ada
}

/// A connection on which little is under way.
fn narrow(server: &Server) -> TcpStream {
    let stream = connect(server.address());
    rustix::net::sockopt::set_socket_recv_buffer_size(&stream, 16 << 10).expect("it is set");
    stream
}

/// A second by the server's clock.
fn let_a_second_pass(server: &Server) {
    let who = create(server, "");
    assert_eq!(who.poll(server, 0, 1).expect(200).json()["commits"], json!([]));
}

#[test]
fn an_export_on_a_slow_line_takes_longer_than_any_time_out() {
    let server = Setup::default()
        .limit("desk-size", "\"8MiB\"")
        .limit("request-time", "\"2s\"")
        .limit("poll-time", "\"1500ms\"")
        .limit("reader-stall", "\"10s\"")
        .start();
    let ada = large(&server);
    let mut stream = narrow(&server);
    let target = format!("/api/desk/{}/export", ada.id);
    stream.write_all(&request(&server, "GET", &target, &[("Connection", "close")], b"")).unwrap();
    let mut got = Vec::new();
    for _ in 0..4 {
        let mut part = vec![0; 1 << 20];
        stream.read_exact(&mut part).expect("the answer goes on");
        got.append(&mut part);
        let_a_second_pass(&server);
        let_a_second_pass(&server);
    }
    stream.read_to_end(&mut got).expect("its end");
    let body = got.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
    let exported: Value = serde_json::from_slice(&got[body..]).expect("the whole of it");
    assert_eq!(exported["stickers"].as_array().expect("a list").len(), 22 * 36);
}

#[test]
fn a_websocket_that_takes_nothing_is_ended() {
    let server = Setup::default().limit("reader-stall", "\"1s\"").start();
    let ada = create(&server, "");
    let bob = join(&server, &ada.id);
    let socket = Socket::live(&server, &bob.key);
    assert_eq!(server.metric("sticker_desk_websockets"), 1);
    // He is sent more than any buffer holds, and does not look.
    let text = "x".repeat(9_000);
    let note = json!({ "create": { "x": 0, "y": 0, "text": text } });
    let made = ada.sync(&server, 1, 0, json!(vec![note.clone(); 30])).expect(221).json();
    let rewrite = |id: &Value| {
        let delta = json!([{ "delete": 9_000 }, { "insert": text }]);
        json!({ "edit_text": { "id": id, "delta": delta } })
    };
    let created = made["created"].as_array().expect("ids");
    let ops = Value::Array(created.iter().map(rewrite).collect());
    let mut seq = 1;
    eventually("its end", || {
        seq += 1;
        ada.sync(&server, seq, seq - 1, ops.clone()).expect(221);
        (server.metric("sticker_desk_websockets") == 0).then_some(())
    });
    drop(socket);
}

#[test]
fn a_view_link_locks_nobody_out() {
    let server = Setup::default().limit("clients-per-desk", "2").start();
    let ada = create(&server, "");
    let view = ada.link(&server, "viewer", false);
    for _ in 0..50 {
        join(&server, &view);
    }
    join(&server, &ada.id).add(&server, 1, "a guest's");
    assert_eq!(desk::texts(&server, &ada.id), ["a guest's"]);
}

#[test]
fn one_address_joins_a_desk_as_often_as_is_set() {
    let server = behind_a_proxy().limit("newcomer-burst", "5").start();
    let ada = create(&server, "");
    for _ in 0..5 {
        join_from(&server, "192.0.2.1", &ada.id).expect(200);
    }
    let refused = join_from(&server, "192.0.2.1", &ada.id);
    let wait: u64 = refused.field("retry-after").expect("when").parse().expect("seconds");
    assert!((1..=61).contains(&wait), "{wait}");
    let detail = refused.problem(429);
    assert!(detail.contains("from your address"), "{detail}");
    // What a client says of itself counts for nothing.
    join_from(&server, "198.51.100.7, 192.0.2.1", &ada.id).problem(429);
    join_from(&server, "192.0.2.2", &ada.id).expect(200);
    // A site has its 64 bits.
    for host in 1..=5 {
        join_from(&server, &format!("2001:db8::{host}"), &ada.id).expect(200);
    }
    join_from(&server, "2001:db8::6", &ada.id).problem(429);
    join_from(&server, "2001:db8:0:1::6", &ada.id).expect(200);
    // Who was here already is no newcomer.
    let body = json!({ "name": ada.id, "create_new": false, "session_key": ada.key });
    init(&server, "192.0.2.1", &body).expect(200);
}

#[test]
fn one_address_makes_desks_and_links_as_often_as_is_set() {
    let server = behind_a_proxy().limit("desk-burst", "3").limit("link-burst", "2").start();
    let new = json!({ "name": "", "create_new": true });
    let made: Vec<_> = (0..3).map(|_| init(&server, "192.0.2.1", &new).expect(200)).collect();
    init(&server, "192.0.2.1", &new).problem(429);
    init(&server, "192.0.2.2", &new).expect(200);
    let ada = Joined::of(made[0].json());
    let target = format!("/api/desk/{}/links", ada.owner.as_deref().expect("the owner's link"));
    let rotate = || {
        let body = json!({ "role": "editor", "rotate": true });
        let fields = [(KEY, &*ada.key), ("X-Forwarded-For", "192.0.2.1")];
        post(&server, &target, &fields, &body)
    };
    rotate().expect(200);
    rotate().expect(200);
    rotate().problem(429);
}
