//! Sizes and times past their limits: each gets its answer, nobody else notices.

use std::io::Write as _;

use desk_e2e::http::{connect, request, send};
use desk_e2e::{PATIENCE, Reply, Server, Setup, Socket, create, get, join, now};
use desk_protocol::frame::CloseCode;

const INIT: &str = "/api/desk/init";
const JSON: (&str, &str) = ("Content-Type", "application/json");

#[test]
fn a_body_past_a_mebibyte_is_refused() {
    let server = Server::new();
    let at_limit = format!("{{\"name\":\"x\",\"create_new\":true}}{}", " ".repeat((1 << 20) - 30));
    assert_eq!(at_limit.len(), 1 << 20);
    send(&server, "POST", INIT, &[JSON], at_limit.as_bytes()).expect(200);
    send(&server, "POST", INIT, &[JSON], (at_limit + " ").as_bytes()).problem(413);
    // Announced, never sent.
    let mut stream = connect(server.address());
    let fields = [JSON, ("Content-Length", "99999999999")];
    stream.write_all(&request(&server, "POST", INIT, &fields, b"")).expect("it is sent");
    Reply::read(&mut stream).problem(413);
    // In chunks, without saying how many.
    let mut stream = connect(server.address());
    let fields = [JSON, ("Transfer-Encoding", "chunked")];
    stream.write_all(&request(&server, "POST", INIT, &fields, b"")).expect("it is sent");
    let mut chunk = b"10000\r\n".to_vec();
    chunk.extend([b' '; 0x10000]);
    chunk.extend(b"\r\n");
    for _ in 0..17 {
        // The server may have answered and closed already.
        let _ = stream.write_all(&chunk);
    }
    Reply::read(&mut stream).problem(413);
    get(&server, "/readyz", &[]).expect(200);
}

#[test]
fn a_chunked_body_is_a_body() {
    let server = Server::new();
    let fields = [JSON, ("Transfer-Encoding", "chunked")];
    let body = b"10\r\n{\"name\":\"pieces\"\r\n14\r\n,\"create_new\":true }\r\n0\r\n\r\n";
    send(&server, "POST", INIT, &fields, body).expect(200);
    for malformed in [&b"x\r\n"[..], b"1\r\nab\r\n", b"ffffffffffffffffff\r\n"] {
        let reply = send(&server, "POST", INIT, &fields, malformed);
        assert!(matches!(reply.status, 400 | 413), "{}", reply.status_line);
    }
}

#[test]
fn a_head_past_its_limit_is_refused() {
    let server = Server::new();
    let long = "x".repeat(17 << 10);
    get(&server, "/readyz", &[("X-Long", &long)]).problem(431);
    let reply = get(&server, &format!("/{long}"), &[]);
    assert!(matches!(reply.status, 414 | 431), "{}", reply.status_line);
    let many: Vec<_> = (0..200).map(|_| ("X", "y")).collect();
    get(&server, "/readyz", &many).problem(431);
}

#[test]
fn what_is_not_http_is_refused() {
    let server = Server::new();
    for nonsense in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"[..],
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n folded: x\r\n\r\n",
        b"POST /api/desk/init HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST /api/desk/init HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\na",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
    ] {
        let mut stream = connect(server.address());
        stream.write_all(nonsense).expect("it is sent");
        let reply = Reply::read(&mut stream);
        assert!(matches!(reply.status, 400 | 421), "{}", reply.status_line);
        assert_eq!(Reply::try_read(&mut stream).map(|reply| reply.status), None, "it is closed");
    }
    let mut stream = connect(server.address());
    stream.write_all(b"GET / HTTP/3.0\r\nHost: localhost\r\n\r\n").expect("it is sent");
    let reply = Reply::read(&mut stream);
    assert!(matches!(reply.status, 400 | 505), "{}", reply.status_line);
}

#[test]
fn a_slow_head_is_given_up() {
    let server = Setup::default().limit("head-time", "\"1s\"").start();
    for begun in [&b"GET /readyz HT"[..], b""] {
        let mut stream = connect(server.address());
        stream.write_all(begun).expect("it is sent");
        let begin = now();
        match Reply::try_read(&mut stream) {
            Some(reply) => drop(reply.problem(408)),
            None => assert!(begun.is_empty(), "a request that began gets an answer"),
        }
        assert!(begin.elapsed().as_millis() >= 900, "not before its time");
        assert!(begin.elapsed() < PATIENCE);
    }
}

#[test]
fn a_full_desk_is_told_by_a_close_code() {
    let server = Setup::default().limit("connections-per-desk", "2").start();
    let ada = create(&server, "");
    let bob = join(&server, &ada.id);
    let carol = join(&server, &ada.id);
    let first = Socket::live(&server, &ada.key);
    let _second = Socket::live(&server, &bob.key);
    // A page learns nothing of a handshake that is refused, so the hello is.
    let mut third = Socket::open(&server, &carol.key);
    third.hello(&carol.key, 1, None, "");
    let (code, _, end) = third.closed();
    assert_eq!((code, end.code, end.reason.as_str()), (CloseCode::DeskFull, 4013, "desk_full"));
    // A place that is given up is free again.
    drop(first);
    desk_e2e::eventually("a free place", || {
        let mut socket = Socket::open(&server, &carol.key);
        socket.hello(&carol.key, 2, None, "");
        matches!(socket.frame(), desk_protocol::ServerFrame::Welcome(_)).then_some(())
    });
}
