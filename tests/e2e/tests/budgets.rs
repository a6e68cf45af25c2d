//! The bytes that peers hold together, `unread` and `unsent`: whoever holds most ends, and
//! whoever comes with little is served, however many hold much.

use std::io::{ErrorKind, Write as _};
use std::net::TcpStream;

use desk_e2e::http::{KEY, connect, request};
use desk_e2e::socket::{HANDSHAKE, creation, masked, submit_frame};
use desk_e2e::{Joined, Reply, Server, Setup, Socket, create, desk, eventually, join};
use desk_protocol::frame::CloseCode;
use serde_json::{Value, json};

const SYNC: &str = "/api/desk/collaboration/sync";

/// The least `unread` that there may be, behind a proxy on this machine so that a test can
/// come from anywhere.
fn little_unread() -> Setup {
    Setup::default()
        .flag("--trusted-proxy", "127.0.0.1")
        .limit("unread", "\"4MiB\"")
        .limit("import-body", "\"1MiB\"")
}

/// The beginning of a message of 512 KiB that does not end.
fn half_message(kib: usize) -> Vec<u8> {
    let mut bytes = masked(0x82, &vec![0; 512 << 10]);
    bytes.truncate(kib << 10);
    bytes
}

/// A WebSocket from an address, with so much of a message.
fn holder(server: &Server, desk: &Joined, from: &str, kib: usize) -> Socket {
    let key = join(server, &desk.id).key;
    let mut fields = HANDSHAKE.to_vec();
    fields.extend([(KEY, &*key), ("X-Forwarded-For", from)]);
    let mut socket = Socket::ask(server, &fields);
    assert_eq!(socket.reply.status, 101);
    socket.hello(&key, 1, None, "");
    socket.catch_up();
    // It may be ended meanwhile.
    let _ = socket.stream().write_all(&half_message(kib));
    socket
}

/// Whether it has been ended by now, and how.
fn end_of(socket: &mut Socket) -> Option<u16> {
    let stream = socket.stream();
    stream.set_nonblocking(true).expect("a mode");
    let nothing =
        matches!(stream.peek(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock);
    stream.set_nonblocking(false).expect("a mode");
    if nothing {
        return None;
    }
    loop {
        if let Err(end) = socket.receive() {
            return Some(end.code);
        }
    }
}

/// A batch of a note with a text, as a request of an address.
fn batch(server: &Server, who: &Joined, from: &str, chars: usize) -> Vec<u8> {
    let ops = json!([{ "create": { "x": 0, "y": 0, "text": "y".repeat(chars) } }]);
    let body = json!({ "client_seq": 1, "base_revision": 0, "ops": ops }).to_string();
    let fields = [
        (KEY, &*who.key),
        ("R-User-ID", "x"),
        ("Content-Type", "application/json"),
        ("X-Forwarded-For", from),
    ];
    request(server, "PATCH", SYNC, &fields, body.as_bytes())
}

#[test]
fn whoever_comes_with_little_is_served_while_others_hold_much() {
    let server = little_unread().start();
    let ada = create(&server, "");
    let (bob, carol) = (create(&server, ""), create(&server, ""));
    // They fill it to the brim.
    let hold = |kib| holder(&server, &ada, "192.0.2.1", kib);
    let sizes = [400, 60, 12, 6].into_iter().flat_map(|kib| [kib; 14]);
    let mut holders: Vec<_> = sizes.map(hold).collect();
    // A body of 9 KiB, from the same address and in two parts.
    let mut stream = connect(server.address());
    let bytes = batch(&server, &bob, "192.0.2.1", 9_000);
    let (most, rest) = bytes.split_at(bytes.len() - 100);
    stream.write_all(most).expect("it is sent");
    holders.push(hold(400));
    stream.write_all(rest).expect("it is sent");
    Reply::read(&mut stream).expect(221);
    // A message in two parts.
    let mut socket = Socket::live(&server, &carol.key);
    let message = masked(0x82, &submit_frame(1, 0, vec![creation(5, &"x".repeat(9_000))]));
    let (most, rest) = message.split_at(message.len() - 100);
    socket.stream().write_all(most).expect("it is sent");
    holders.push(hold(400));
    socket.stream().write_all(rest).expect("it is sent");
    assert_eq!(socket.commit().revision.0, 1);
    // Those who held most were told.
    let ended = eventually("some ends", || {
        let ends: Vec<_> = holders.iter_mut().filter_map(end_of).collect();
        (!ends.is_empty()).then_some(ends)
    });
    assert!(ended.len() < holders.len(), "not all have to end");
    assert!(ended.contains(&1013), "{ended:?}");
    let said = server.log().matches("limits.unread is nearly used up").count();
    assert!((1..=4).contains(&said), "{said} lines");
}

#[test]
fn a_request_that_there_is_no_room_for_is_told_when_to_come_again() {
    let server = little_unread().start();
    let fields = [("Content-Type", "application/json")];
    let body = vec![b'x'; 900 << 10];
    let whole = request(&server, "POST", "/api/desk/init", &fields, &body);
    let most = &whole[..whole.len() - 1_000];
    let mut streams: Vec<_> = (0..8).map(|_| connect(server.address())).collect();
    for stream in &mut streams {
        // It may be refused meanwhile.
        let _ = stream.write_all(most);
    }
    let refused = eventually("a refusal", || {
        streams.iter_mut().find_map(|stream| {
            stream.set_nonblocking(true).expect("a mode");
            let answered = matches!(stream.peek(&mut [0]), Ok(1..));
            stream.set_nonblocking(false).expect("a mode");
            answered.then(|| Reply::read(stream))
        })
    });
    assert!(refused.field("Retry-After").is_some());
    let detail = refused.problem(503);
    assert!(detail.contains("no room"), "{detail}");
    // What they held is given back.
    drop(streams);
    let ada = create(&server, "");
    let mut stream = connect(server.address());
    stream.write_all(&batch(&server, &ada, "192.0.2.9", 9_000)).expect("it is sent");
    Reply::read(&mut stream).expect(221);
}

#[test]
fn one_address_ends_before_those_of_others() {
    let server = little_unread().start();
    let ada = create(&server, "");
    let before = holder(&server, &ada, "192.0.2.2", 400);
    let hold = |_| holder(&server, &ada, "192.0.2.1", 400);
    let mut holders: Vec<_> = (0..24).map(hold).collect();
    eventually("some ends", || holders.iter_mut().find_map(end_of));
    let behind = holder(&server, &ada, "192.0.2.3", 400);
    // Each holds as much as any of them. No frame is made of zeros.
    for mut socket in [before, behind] {
        let rest = masked(0x82, &vec![0; 512 << 10]).split_off(400 << 10);
        socket.stream().write_all(&rest).expect("it is sent");
        assert_eq!(socket.closed().0, CloseCode::Malformed);
    }
}

#[test]
fn a_message_whose_rest_does_not_come_is_ended() {
    let server = Setup::default().limit("body-time", "\"1s\"").start();
    let ada = create(&server, "");
    let mut half = Socket::live(&server, &ada.key);
    half.stream().write_all(&half_message(400)).expect("it is sent");
    // A frame may span messages, and has no more time for it.
    let mut spread = Socket::live(&server, &join(&server, &ada.id).key);
    let frame = submit_frame(1, 0, vec![creation(5, "x")]);
    spread.message(0x82, &frame[..20]);
    let mut idle = Socket::live(&server, &join(&server, &ada.id).key);
    for mut socket in [half, spread] {
        let end = loop {
            if let Err(end) = socket.receive() {
                break end;
            }
        };
        assert_eq!(end.code, CloseCode::TimedOut.websocket());
        assert!(socket.hang_up(), "it ends in order");
    }
    idle.message(0x82, &submit_frame(1, 0, vec![creation(6, "x")]));
    assert_eq!(idle.commit().revision.0, 1);
}

/// The least `unsent` for small desks.
fn little_unsent() -> Server {
    Setup::default()
        .limit("unsent", "\"2MiB\"")
        .limit("desk-size", "\"256KiB\"")
        .limit("deleted-size", "0")
        .start()
}

/// A desk whose export has some 250 KB.
fn full(server: &Server) -> Joined {
    let ada = create(server, "");
    let note = json!({ "create": { "x": 0, "y": 0, "text": "x".repeat(9_900) } });
    ada.sync(server, 1, 0, json!(vec![note; 25])).expect(221);
    ada
}

/// A connection that asks for so many exports and on which little is under way.
fn asker(server: &Server, desk: &Joined, exports: usize) -> TcpStream {
    let mut stream = connect(server.address());
    rustix::net::sockopt::set_socket_recv_buffer_size(&stream, 16 << 10).expect("it is set");
    let target = format!("/api/desk/{}/export", desk.id);
    let many = request(server, "GET", &target, &[], b"").repeat(exports);
    stream.write_all(&many).expect("it is sent");
    stream
}

#[test]
fn whoever_reads_is_served_while_others_do_not() {
    let server = little_unsent();
    let ada = full(&server);
    let connections = || server.metric("sticker_desk_connections");
    // More than the kernel holds for each of them.
    let deaf: Vec<_> = (0..24).map(|_| asker(&server, &ada, 40)).collect();
    eventually("some ends", || (connections() <= 20).then_some(()));
    let mut reader = asker(&server, &ada, 40);
    for _ in 0..40 {
        let export: Value = Reply::read(&mut reader).expect(200).json();
        assert_eq!(export["stickers"].as_array().expect("a list").len(), 25);
    }
    assert!(connections() > 3, "not all have to end");
    assert_eq!(desk::texts(&server, &ada.id).len(), 25);
    drop(deaf);
}
