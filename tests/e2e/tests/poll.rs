//! Lines over HTTP requests, where neither QUIC nor WebSocket gets through.

use std::time::Duration;

use desk_client_native::{Carrier, Carriers, Desk};
use desk_e2e::http::{KEY, get, send};
use desk_e2e::programs::{edit, note, opened, settle, soon, texts};
use desk_e2e::server::run;
use desk_e2e::{Joined, Proxy, Reply, Server, Setup, Socket, create, eventually, join};
use desk_protocol::codec::{Decoded, decode_server, encode_client};
use desk_protocol::frame::{ClientFrame, CloseCode, Hello, Presence, ServerFrame, Submit};
use desk_protocol::{ClientSeq, Operation, Revision};
use tokio::task::block_in_place;
use tokio::time::timeout;

async fn three(server: &Server) -> [Desk; 3] {
    let link = block_in_place(|| create(server, "Together"));
    let link = format!("{}/d/{}", server.url(), link.id);
    let desks = [
        opened(&link, Carriers::Poll).await,
        opened(&link, Carriers::Poll).await,
        opened(&link, Carriers::WebSocket).await,
    ];
    assert_eq!(desks[0].carrier(), Some(Carrier::Poll));
    desks
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn programs_over_requests_edit_with_others_and_see_them() {
    let server = block_in_place(Server::new);
    let desks = three(&server).await;
    let id = desks[0].add(note("start")).expect("it is added");
    settle(&desks).await;
    for round in 0..10 {
        edit(&desks, id, round);
    }
    settle(&desks).await;
    assert_eq!(texts(&desks[0]).len(), 31);
    for (from, to) in [(0, 1), (0, 2), (2, 0)] {
        let name = format!("person {from}");
        desks[from].set_presence(Presence { name: name.clone(), ..Presence::default() });
        let seen = |client: &desk_client_native::Client| {
            client.people().any(|(_, presence)| presence.name == name)
        };
        soon(desks[to].clone().wait(seen)).await.expect("it is seen");
    }
    // Whoever says goodbye is gone at once: the others need not wait until it is missed.
    let [gone, _, stays] = desks;
    gone.close().await;
    let alone = |client: &desk_client_native::Client| {
        client.people().all(|(_, presence)| presence.name != "person 0")
    };
    let left = timeout(Duration::from_secs(5), stays.clone().wait(alone)).await;
    left.expect("not only after the gap between two requests").expect("a line");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_is_found_again_over_requests() {
    let mut server = block_in_place(Server::new);
    let desks = three(&server).await;
    let id = desks[0].add(note("start")).expect("it is added");
    settle(&desks).await;
    for round in 0..3 {
        edit(&desks, id, round);
        block_in_place(|| server.kill9());
        edit(&desks, id, 10 + round);
        block_in_place(|| server.up());
        settle(&desks).await;
    }
    assert_eq!(texts(&desks[0]).len(), 1 + 3 * 6);
    assert_eq!(desks[0].carrier(), Some(Carrier::Poll));
    drop(desks);
    block_in_place(|| {
        eventually("their end", || (server.metric("sticker_desk_polled_lines") == 0).then_some(()));
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_behind_a_proxy_without_upgrades_goes_by_requests_and_back() {
    let proxy = Proxy::listen();
    let setup = Setup::default().flag("--public-url", &proxy.url());
    let server = block_in_place(|| setup.start());
    proxy.to(server.address());
    let ada = block_in_place(|| create(&server, "Behind a proxy"));
    let link = format!("{}/d/{}", proxy.url(), ada.id);
    let desk = opened(&link, Carriers::Auto).await;
    let mut events = desk.events();
    assert_eq!(desk.carrier(), Some(Carrier::Poll));
    desk.add(note("over requests")).expect("it is added");
    soon(desk.saved()).await.expect("it is saved");
    proxy.pass_upgrades();
    soon(async {
        while desk.carrier() != Some(Carrier::WebSocket) {
            events.next().await;
        }
    })
    .await;
    desk.add(note("over WebSocket")).expect("it is added");
    soon(desk.saved()).await.expect("it is saved");
    assert_eq!(block_in_place(|| desk_e2e::desk::texts(&server, &ada.id)).len(), 2);
}

/// A request of a line.
fn ask(server: &Server, joined: &Joined, method: &str, query: &str, body: &[u8]) -> Reply {
    let target = format!("/api/desk/collaboration/poll?{query}");
    let fields = [(KEY, &*joined.key), ("Content-Type", "application/octet-stream")];
    send(server, method, &target, &fields, body)
}

fn frames(bytes: &[u8]) -> Vec<ServerFrame> {
    let (mut frames, mut rest) = (Vec::new(), bytes);
    while let Decoded::Frame(length, frame) = decode_server(rest).expect("sound frames") {
        frames.extend(frame);
        rest = &rest[length..];
    }
    assert!(rest.is_empty(), "whole frames");
    frames
}

fn bytes_of(frame: &ClientFrame) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_client(frame, &mut bytes);
    bytes
}

fn hello(joined: &Joined, connection: u64) -> Vec<u8> {
    bytes_of(&ClientFrame::Hello(Hello {
        session_key: joined.key.clone(),
        connection,
        revision: Some(Revision(0)),
        user: "tester".to_owned(),
        repeats: false,
    }))
}

fn title(seq: u64, base: u64) -> Vec<u8> {
    let base = Revision(base);
    let operations = vec![Operation::SetTitle { title: format!("{seq}"), yielding: false }];
    let submit = Submit { client_seq: ClientSeq(seq), base, made_at: base, operations };
    bytes_of(&ClientFrame::Submit(submit))
}

#[test]
fn carry_7_parts_are_taken_once_in_any_pieces() {
    let server = Server::new();
    let ada = create(&server, "");
    ask(&server, &ada, "POST", "line=7&part=0", b"").expect(200);
    // Frames need not end where parts do.
    let said = [hello(&ada, 1), title(1, 0)].concat();
    let (first, rest) = said.split_at(said.len() - 5);
    ask(&server, &ada, "POST", "line=7&part=1", first).expect(200);
    ask(&server, &ada, "POST", "line=7&part=2", rest).expect(200);
    ask(&server, &ada, "POST", "line=7&part=2", rest).expect(200);
    let mut heard = Vec::new();
    for part in 0.. {
        let query = format!("line=7&part={part}&wait=20");
        heard.extend(frames(&ask(&server, &ada, "GET", &query, b"").expect(200).body));
        if heard.iter().any(|frame| matches!(frame, ServerFrame::Commit(_))) {
            break;
        }
    }
    assert!(matches!(heard[0], ServerFrame::Welcome(_)), "{heard:?}");
    // What was said twice counts once, and breaks nothing.
    ask(&server, &ada, "POST", "line=7&part=3", &title(2, 1)).expect(200);
    eventually("the second batch", || {
        let desk = desk_e2e::desk::export(&server, &ada.id);
        (desk["revision"] == 2 && desk["title"] == "2").then_some(())
    });
}

#[test]
fn carry_7_a_gap_or_a_foreign_key_ends_or_gets_nothing() {
    let server = Server::new();
    let ada = create(&server, "");
    let bob = join(&server, &ada.id);
    let gone = |reply: Reply| assert!(reply.problem(409).contains("no such line"));
    gone(ask(&server, &ada, "POST", "line=1&part=1", b""));
    gone(ask(&server, &ada, "GET", "line=1&part=0&wait=0", b""));
    ask(&server, &ada, "POST", "line=1&part=0", b"").expect(200);
    gone(ask(&server, &bob, "GET", "line=1&part=0&wait=0", b""));
    ask(&server, &ada, "GET", "line=1&part=0&wait=0", b"").expect(200);
    // The answer may be lost with what was in it.
    gone(ask(&server, &ada, "GET", "line=1&part=0&wait=0", b""));
    gone(ask(&server, &ada, "GET", "line=1&part=1&wait=0", b""));
    ask(&server, &ada, "POST", "line=2&part=0", b"").expect(200);
    gone(ask(&server, &ada, "POST", "line=2&part=2", b""));
    gone(ask(&server, &ada, "GET", "line=2&part=0&wait=0", b""));
    eventually("their end", || (server.metric("sticker_desk_polled_lines") == 0).then_some(()));
}

#[test]
fn carry_7_a_line_is_opened_or_refused_by_a_status() {
    let server = Server::new();
    let ada = create(&server, "");
    let mut nobody = ada.clone();
    nobody.key = "AAA-BBB-CCC".to_owned();
    assert_eq!(ask(&server, &nobody, "POST", "line=1&part=0", b"").code(401), "key_void");
    ask(&server, &ada, "POST", "part=0", b"").expect(400);
    ask(&server, &ada, "POST", "line=1", b"").expect(400);
    ask(&server, &ada, "POST", "line=4294967296&part=0", b"").expect(422);
    ask(&server, &ada, "GET", "line=1&part=0&wait=26", b"").expect(422);
    ask(&server, &ada, "PUT", "line=1&part=0", b"").expect(405);
    let target = "/api/desk/collaboration/poll?line=1&part=0";
    let json = [(KEY, &*ada.key), ("Content-Type", "application/json")];
    send(&server, "POST", target, &json, b"{}").expect(415);
    get(&server, target, &[]).expect(401);
    // A client needs one line: those without a hello are let go for the next.
    for line in 0..50 {
        ask(&server, &ada, "POST", &format!("line={line}&part=0"), b"").expect(200);
    }
    assert_eq!(server.metric("sticker_desk_polled_lines"), 1);
}

#[test]
fn frames_that_never_arrive_whole_are_counted_for_the_process() {
    let server =
        Setup::default().limit("unread", "\"4MiB\"").limit("import-body", "\"1MiB\"").start();
    let ada = create(&server, "");
    // Each begins a frame of 256 KiB, and says no more.
    let begun = [&(250_u32 << 10).to_le_bytes()[..], &[0; 60 << 10]].concat();
    let begin = |_| {
        let guest = join(&server, &ada.id);
        ask(&server, &guest, "POST", "line=1&part=0", b"").expect(200);
        ask(&server, &guest, "POST", "line=1&part=1", &begun).expect(200);
        guest
    };
    let guests: Vec<_> = (0..80).map(begin).collect();
    let goes_on = |guest| {
        let hear =
            |part| ask(&server, guest, "GET", &format!("line=1&part={part}&wait=0"), b"").status;
        // A line that was ended has last words.
        hear(0) == 200 && hear(1) == 200
    };
    let go_on: Vec<_> = guests.iter().map(goes_on).collect();
    assert!(go_on.contains(&false), "some were cut off: {go_on:?}");
    assert!(go_on[79], "and not the last to come: {go_on:?}");
    ada.add(&server, 1, "nobody else notices");
}

#[test]
fn carry_7_last_words_are_read_and_the_line_is_gone() {
    let server = Server::new();
    let ada = create(&server, "");
    ask(&server, &ada, "POST", "line=1&part=0", b"").expect(200);
    ask(&server, &ada, "POST", "line=1&part=1", b"\x04\0\0\0nope").expect(200);
    let heard = frames(&ask(&server, &ada, "GET", "line=1&part=0&wait=20", b"").expect(200).body);
    let ends = |frame: &ServerFrame| {
        matches!(frame, ServerFrame::Close { code: CloseCode::Malformed, .. })
    };
    assert!(heard.iter().any(ends), "{heard:?}");
    ask(&server, &ada, "GET", "line=1&part=1&wait=20", b"").expect(409);
}

#[test]
fn carry_7_an_empty_part_ends_the_line() {
    let server = Server::new();
    let ada = create(&server, "");
    let mut bob = Socket::live(&server, &join(&server, &ada.id).key);
    ask(&server, &ada, "POST", "line=1&part=0", b"").expect(200);
    ask(&server, &ada, "POST", "line=1&part=1", &hello(&ada, 1)).expect(200);
    ask(&server, &ada, "GET", "line=1&part=0&wait=20", b"").expect(200);
    let mut presence = Vec::new();
    encode_client(&ClientFrame::Presence(Presence::default()), &mut presence);
    ask(&server, &ada, "POST", "line=1&part=2", &presence).expect(200);
    let mut shown = || loop {
        if let ServerFrame::Presence(people) = bob.frame() {
            break people[0].presence.is_some();
        }
    };
    assert!(shown(), "she is shown");
    // No request waits whose end would tell that she has left.
    ask(&server, &ada, "POST", "line=1&part=3", b"").expect(200);
    assert!(!shown(), "she has left");
    ask(&server, &ada, "GET", "line=1&part=1&wait=0", b"").problem(409);
}

#[test]
fn carry_7_a_planned_stop_ends_the_wait() {
    let mut server = Server::new();
    let ada = create(&server, "");
    ask(&server, &ada, "POST", "line=1&part=0", b"").expect(200);
    ask(&server, &ada, "POST", "line=1&part=1", &hello(&ada, 1)).expect(200);
    let welcome = frames(&ask(&server, &ada, "GET", "line=1&part=0&wait=20", b"").expect(200).body);
    assert!(matches!(welcome[0], ServerFrame::Welcome(_)), "{welcome:?}");
    // The line, and the one that asks for this number: what was asked before has hung up.
    let open = || server.metric("sticker_desk_connections");
    eventually("requests that have ended", || (open() == 2).then_some(()));
    let heard = std::thread::scope(|scope| {
        let waits = scope.spawn(|| ask(&server, &ada, "GET", "line=1&part=1&wait=25", b""));
        // And the request that waits on the line.
        eventually("a request that waits", || (open() == 3).then_some(()));
        server.terminate();
        waits.join().expect("an answer")
    });
    let heard = frames(&heard.expect(200).body);
    let ends =
        |frame: &ServerFrame| matches!(frame, ServerFrame::Close { code: CloseCode::Draining, .. });
    assert!(heard.iter().any(ends), "{heard:?}");
    let (status, log, _) = server.ended();
    assert!(status.success(), "{log}");
}

#[test]
fn show_comes_over_the_transport_that_is_named() {
    let server = Server::new();
    let ada = create(&server, "Shown");
    ada.add(&server, 1, "carried");
    let link = format!("{}/d/{}", server.url(), ada.id);
    let plain = run(&["show", &link]);
    assert!(plain.status.success());
    for transport in ["quic", "websocket", "poll"] {
        let shown = run(&["show", &link, "--transport", transport]);
        assert_eq!(
            String::from_utf8_lossy(&shown.stdout),
            String::from_utf8_lossy(&plain.stdout),
            "{transport}: {shown:?}"
        );
    }
    assert_eq!(server.metric("sticker_desk_quic_accepted_total"), 1);
    let refused = run(&["export", &link, "--transport", "quic"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--transport"), "{refused:?}");
}

#[test]
fn quic_alone_is_refused_where_the_server_names_no_address() {
    // No name that others reach leads to the loopback address that QUIC is served at.
    let server = Setup::default().flag("--public-url", "http://desk.example.test").start();
    let ada = create(&server, "");
    let link = format!("{}/d/{}", server.url(), ada.id);
    for command in ["show", "watch"] {
        let refused = run(&[command, &link, "--transport", "quic"]);
        assert_eq!(refused.status.code(), Some(1));
        let line = String::from_utf8_lossy(&refused.stderr);
        assert!(line.contains("names no address for QUIC"), "{line}");
    }
}
