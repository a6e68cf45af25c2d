//! Limits of connections and of the process, set in the TOML file, act on the
//! real server. A server at its defaults would fail each of these tests.

use std::io::{Read as _, Write as _};

use desk_e2e::http::{KEY, connect, request};
use desk_e2e::socket::masked;
use desk_e2e::{Joined, Reply, Server, Setup, Socket, create, delete, desk, eventually};
use desk_protocol::frame::CloseCode;
use serde_json::json;

fn with(name: &str, value: &str) -> Setup {
    Setup::default().limit(name, value)
}

fn remove(server: &Server, owner: &Joined) {
    let target = format!("/api/desk/{}", owner.id);
    delete(server, &target, &[(KEY, &owner.key)]).expect(200);
}

/// A second by the server's clock.
fn let_a_second_pass(server: &Server) {
    let who = create(server, "");
    assert_eq!(who.poll(server, 0, 1).expect(200).json()["commits"], json!([]));
}

#[test]
fn a_peer_has_the_close_time_to_answer_a_close() {
    let server = with("close-time", "\"0ms\"").start();
    let ada = create(&server, "");
    let mut socket = Socket::live(&server, &ada.key);
    remove(&server, &ada);
    assert_eq!(socket.closed().0, CloseCode::Deleted);
    let_a_second_pass(&server);
    socket.stream().set_nonblocking(true).expect("a mode");
    let end = socket.stream().read(&mut [0]);
    assert!(matches!(end, Ok(0)), "it is still open: {end:?}");
}

#[test]
fn what_is_queued_at_the_end_has_the_last_words_time() {
    let server = with("last-words-time", "\"100ms\"").start();
    let ada = create(&server, "");
    let mut socket = Socket::live(&server, &ada.key);
    assert_eq!(server.metric("sticker_desk_websockets"), 1);
    // It asks until nothing more can be sent to it, and reads nothing of it.
    let pings = masked(0x89, &[1; 125]).repeat(500);
    socket.stream().set_write_timeout(Some(desk_e2e::PATIENCE / 40)).expect("a time");
    while socket.stream().write(&pings).is_ok() {}
    remove(&server, &ada);
    eventually("its end", || (server.metric("sticker_desk_websockets") == 0).then_some(()));
}

#[test]
fn an_idle_connection_ends_after_the_keep_alive_time() {
    let server = with("keep-alive-time", "\"100ms\"").start();
    let mut stream = connect(server.address());
    stream.write_all(&request(&server, "GET", "/readyz", &[], b"")).expect("it is sent");
    Reply::read(&mut stream).expect(200);
    let end = stream.read(&mut [0]);
    assert!(matches!(end, Ok(0)), "{end:?}");
}

#[test]
fn an_answer_that_is_not_taken_ends_after_the_reader_stall() {
    let server = with("reader-stall", "\"1s\"").start();
    let ada = create(&server, "");
    for seq in 1..=5 {
        let note = json!({ "create": { "x": 0, "y": 0, "text": "x".repeat(10_000) } });
        ada.sync(&server, seq, seq - 1, json!(vec![note; 26])).expect(221);
    }
    // 50 MB of answers, to somebody who reads one of them.
    let mut stream = connect(server.address());
    let target = format!("/api/desk/{}/export", ada.id);
    let many = request(&server, "GET", &target, &[], b"").repeat(20);
    stream.write_all(&many).expect("it is sent");
    Reply::read(&mut stream).expect(200);
    eventually("its end", || {
        // The one that looks is a connection, too.
        (server.metric("sticker_desk_connections") == 1).then_some(())
    });
    let whole = std::iter::from_fn(|| Reply::try_read(&mut stream)).count();
    assert!(whole < 19, "all of them were sent");
}

#[test]
fn as_many_connections_are_taken_as_is_set() {
    let server = with("connections", "10").start();
    let ask = || {
        let mut stream = connect(server.address());
        let asked = stream.write_all(&request(&server, "GET", "/healthz", &[], b""));
        let reply = asked.ok().and_then(|()| Reply::try_read(&mut stream));
        reply.map(|reply| (stream, reply.expect(200)))
    };
    let mut open: Vec<_> = (0..10).map(|_| ask().expect("there is room")).collect();
    assert!(ask().is_none(), "an eleventh was taken");
    // Those that are there go on.
    for (stream, _) in &mut open {
        stream.write_all(&request(&server, "GET", "/healthz", &[], b"")).expect("it is sent");
        Reply::read(stream).expect(200);
    }
    drop(open);
    eventually("room", || ask().map(drop));
}

#[test]
fn segments_are_as_long_as_is_set() {
    let server = with("segment", "\"2MiB\"").start();
    let ada = create(&server, "");
    ada.add(&server, 1, "logged");
    let lengths = || -> Vec<u64> {
        let logs = server.files().into_iter().filter(|name| name.ends_with(".log"));
        logs.map(|name| server.data().join(name).metadata().expect("a file").len()).collect()
    };
    // A spare is filled with zeros piece by piece, so it grows to its length.
    eventually("segments of 2 MiB alone", || {
        let lengths = lengths();
        (!lengths.is_empty() && lengths.iter().all(|length| *length == 2 << 20)).then_some(())
    });
}

#[test]
fn a_planned_stop_takes_the_drain_time_and_no_more() {
    // A peer that never answers its close has a minute for it, the stop has not.
    let mut server = with("drain-time", "\"100ms\"").limit("close-time", "\"1m\"").start();
    let ada = create(&server, "");
    ada.add(&server, 1, "kept");
    let _silent = Socket::live(&server, &ada.key);
    server.terminate();
    let (status, log, _) = server.ended();
    assert!(status.success() && log.contains("the stop took too long"), "{status}:\n{log}");
    server.up();
    assert_eq!(desk::texts(&server, &ada.id), ["kept"]);
}

#[test]
fn a_silent_peer_is_probed_after_the_time_that_is_set() {
    let server = with("keep-alive-probe-time", "\"1d\"").start();
    let mut stream = connect(server.address());
    stream.write_all(&request(&server, "GET", "/healthz", &[], b"")).expect("it is sent");
    Reply::read(&mut stream).expect(200);
    let ours = stream.local_addr().expect("an address").port();
    let (here, there) = (format!(":{:04X}", server.address().port()), format!(":{ours:04X}"));
    // Columns of proc(5): local, remote, state, queues, and which timer is due in
    // so many hundredths of a second; timer 2 is the probe's.
    let table = std::fs::read_to_string("/proc/net/tcp").expect("the kernel's table");
    let lines = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let mut lines = lines.filter(|at| at.len() > 5 && at[1].ends_with(&here));
    let line = lines.find(|at| at[2].ends_with(&there)).expect("the server's end");
    let (timer, due) = line[5].split_once(':').expect("a timer");
    let due = u64::from_str_radix(due, 16).expect("a number");
    assert_eq!(timer, "02", "{line:?}");
    assert!(due > 100 * 3_600, "probed in {due} hundredths of a second");
}
