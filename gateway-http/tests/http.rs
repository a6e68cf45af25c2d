//! HTTP/1.1: what is understood, what is refused, and that cutting the bytes
//! differently changes nothing.
#![allow(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

use std::fmt::Write as _;

use desk_gateway_http::http::{Body, Connection, Deadline, Event, Response, Status};
use desk_gateway_http::{Problem, Time};
use expect_test::{Expect, expect};
use proptest::prelude::*;

/// 2026-11-23 18:00 UTC.
const NOW: Time = Time(1_795_456_800_000_000);

/// Drives a connection as a small server does and writes down what happened.
/// Paths that begin with `/early` are answered from the head alone.
struct Server {
    connection: Connection,
    story: String,
}

impl Server {
    fn new() -> Self {
        Self { connection: Connection::new(NOW), story: String::new() }
    }

    fn feed(&mut self, bytes: &[u8]) {
        self.connection.handle_bytes(NOW, bytes);
        self.drain();
    }

    fn drain(&mut self) {
        loop {
            match self.connection.poll_event(NOW) {
                Ok(None) => break,
                Ok(Some(Event::Head(head))) => {
                    let method = head.method().name();
                    let (path, query) = (head.path(), head.query());
                    writeln!(self.story, "{method} {path} {query:?} {:?}", head.body()).unwrap();
                    if path.starts_with("/early") {
                        self.connection.respond(NOW, &Response::new(Status::FORBIDDEN));
                    } else {
                        self.connection.accept_body(NOW);
                    }
                }
                Ok(Some(Event::Body(body))) => {
                    let text = String::from_utf8_lossy(&body);
                    writeln!(self.story, "body {} {:.20?}", body.len(), text).unwrap();
                    let answer = Response::content(Status::OK, "text/plain", Body::Static(b"ok"));
                    self.connection.respond(NOW, &answer);
                }
                Err(error) => {
                    let problem = Problem::from(error);
                    writeln!(self.story, "{} {}", problem.status.0, problem.detail).unwrap();
                    self.connection.respond(NOW, &problem.to_response());
                }
            }
        }
    }

    /// The story, and how the connection stands.
    fn finish(mut self) -> String {
        let end = if self.connection.is_ending() { "closing" } else { "open" };
        self.story.push_str(end);
        self.story
    }
}

fn story(chunks: &[&[u8]]) -> String {
    let mut server = Server::new();
    chunks.iter().for_each(|chunk| server.feed(chunk));
    server.finish()
}

/// The same story, whole and cut in two at every place.
fn check(input: &[u8], expected: Expect) {
    let whole = story(&[input]);
    expected.assert_eq(&whole);
    if input.len() < 4_000 {
        for at in 0..=input.len() {
            assert_eq!(story(&[&input[..at], &input[at..]]), whole, "cut at {at}");
        }
        let bytes: Vec<&[u8]> = input.chunks(1).collect();
        assert_eq!(story(&bytes), whole, "byte by byte");
    }
}

#[test]
fn requests_on_one_connection() {
    check(
        b"GET /a?x=1&y=2 HTTP/1.1\r\nHost: h\r\n\r\n\
          POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello\
          HEAD http://other:80/c?q HTTP/1.1\r\nHost: h\r\n\r\n\
          \r\nPATCH /d HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n\
          5;a=b\r\nhello\r\n6\r\n world\r\n0\r\nTrailer: x\r\n\r\n\
          DELETE /e HTTP/1.1\r\nhost:h\r\nConnection: keep-alive, Close\r\n\r\n\
          GET /never HTTP/1.1\r\nHost: h\r\n\r\n",
        expect![[r#"
            GET /a Some("x=1&y=2") None
            body 0 ""
            POST /b None Length(5)
            body 5 "hello"
            HEAD /c Some("q") None
            body 0 ""
            PATCH /d None Chunked
            body 11 "hello world"
            DELETE /e None None
            body 0 ""
            closing"#]],
    );
}

#[test]
fn early_answers_skip_the_body_and_go_on() {
    check(
        b"POST /early HTTP/1.1\r\nHost: h\r\nContent-Length: 39\r\n\r\n\
          GET /smuggled HTTP/1.1\r\nHost: evil\r\n\r\nx\
          POST /early2 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\
          3\r\nabc\r\n0\r\n\r\n\
          GET /next HTTP/1.1\r\nHost: h\r\n\r\n",
        expect![[r#"
            POST /early None Length(39)
            POST /early2 None Chunked
            GET /next None None
            body 0 ""
            open"#]],
    );
    // A peer that waits for "100 Continue" may or may not send the body after
    // a refusal, so the connection cannot go on.
    check(
        b"POST /early HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc",
        expect![[r#"
            POST /early None Length(3)
            closing"#]],
    );
}

fn check_refused(head: &str, expected: Expect) {
    check(format!("{head}\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes(), expected);
}

#[test]
fn what_could_be_read_in_two_ways_is_refused() {
    let post = |fields: &str| format!("POST / HTTP/1.1\r\nHost: h\r\n{fields}");
    check_refused(
        &post("Content-Length: 5\r\nTransfer-Encoding: chunked"),
        expect![[r#"
            400 both Content-Length and Transfer-Encoding are given; send a well-formed HTTP/1.1 request.
            closing"#]],
    );
    for twice in
        ["Content-Length: 5\r\nContent-Length: 6", "Content-Length: 5\r\nContent-Length: 5"]
    {
        check_refused(
            &post(twice),
            expect![[r#"
                400 Content-Length is given twice; send a well-formed HTTP/1.1 request.
                closing"#]],
        );
    }
    for length in ["", "+5", "-5", "5, 5", "0x5", "5 5", "99999999999999999999999"] {
        check_refused(
            &post(&format!("Content-Length: {length}")),
            expect![[r#"
                400 Content-Length is not a number; send a well-formed HTTP/1.1 request.
                closing"#]],
        );
    }
    for coding in
        ["gzip", "chunked, gzip", "gzip, chunked", "chunked\r\nTransfer-Encoding: chunked"]
    {
        check_refused(
            &post(&format!("Transfer-Encoding: {coding}")),
            expect![[r#"
                501 the only transfer coding understood is chunked; send Content-Length, or Transfer-Encoding: chunked.
                closing"#]],
        );
    }
    for fold in ["X: a\r\n b", " X: a", "X : a", "X\r\nY: b", ": a", "Transfer-Encoding\t: chunked"]
    {
        check_refused(
            &post(fold),
            expect![[r#"
                400 a header field's name has a wrong character; send a well-formed HTTP/1.1 request.
                closing"#]],
        );
    }
    check_refused(
        "POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked",
        expect![[r#"
            400 HTTP/1.0 has no Transfer-Encoding; send a well-formed HTTP/1.1 request.
            closing"#]],
    );
    for bare in ["X: a\nY: b", "X: a\n"] {
        check_refused(
            &post(bare),
            expect![[r#"
                400 a line of the head must end with CR LF; send a well-formed HTTP/1.1 request.
                closing"#]],
        );
    }
    check_refused(
        &post("X: a\rY: b"),
        expect![[r#"
            400 a header field's value has a wrong character; send a well-formed HTTP/1.1 request.
            closing"#]],
    );
}

#[test]
fn malformed_heads_are_refused() {
    check_refused(
        "GET / HTTP/1.1",
        expect![[r#"
            400 the Host field is missing; send a well-formed HTTP/1.1 request.
            closing"#]],
    );
    check_refused(
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b",
        expect![[r#"
            400 there is more than one Host field; send a well-formed HTTP/1.1 request.
            closing"#]],
    );
    check_refused(
        "GET / HTTP/2.0\r\nHost: a",
        expect![[r#"
            505 only HTTP/1.1 and HTTP/1.0 are spoken here; use HTTP/1.1.
            closing"#]],
    );
    check_refused(
        "GET /\r\nHost: a",
        expect![[r#"
            400 the request line or a line's end is malformed; send a well-formed HTTP/1.1 request.
            closing"#]],
    );
    check_refused(
        "GET / HTTP/1.1\r\nHost: a\r\nExpect: tea",
        expect![[r#"
            417 the only expectation understood is 100-continue; leave the Expect field out.
            closing"#]],
    );
    check(
        b"\x16\x03\x01\x02\x00\x01\x00",
        expect![[r#"
            400 this is not HTTP; send a well-formed HTTP/1.1 request.
            closing"#]],
    );
    let many: String = (0..101).map(|n| format!("\r\nX{n}: y")).collect();
    check_refused(
        &format!("GET / HTTP/1.1\r\nHost: a{many}"),
        expect![[r#"
            431 a request's head may have 16384 bytes and 100 fields; send fewer or shorter header fields.
            closing"#]],
    );
    check(
        format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}", "y".repeat(17_000)).as_bytes(),
        expect![[r#"
            431 a request's head may have 16384 bytes and 100 fields; send fewer or shorter header fields.
            closing"#]],
    );
}

#[test]
fn malformed_chunks_are_refused() {
    let chunked = |body: &str| {
        format!("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n{body}")
    };
    for size in ["", "g", "-1", "+1", "0x1", " 1", "1 ", "11111111111111111"] {
        check(
            chunked(&format!("{size}\r\na\r\n")).as_bytes(),
            expect![[r#"
                POST / None Chunked
                400 a chunk's size is not a hexadecimal number; send a well-formed HTTP/1.1 request.
                closing"#]],
        );
    }
    for line in ["1\na\r\n", "1\rX\r\na", "1;\n\r\na"] {
        check(
            chunked(line).as_bytes(),
            expect![[r#"
                POST / None Chunked
                400 a line of chunked framing must end with CR LF; send a well-formed HTTP/1.1 request.
                closing"#]],
        );
    }
    check(
        chunked("1\r\nab\r\n").as_bytes(),
        expect![[r#"
            POST / None Chunked
            400 a chunk is longer than its size says; send a well-formed HTTP/1.1 request.
            closing"#]],
    );
    check(
        chunked(&format!("1;{}", "x".repeat(2_000))).as_bytes(),
        expect![[r#"
            POST / None Chunked
            400 a line of chunked framing may have 1024 bytes; send a well-formed HTTP/1.1 request.
            closing"#]],
    );
    check(
        chunked(&format!("0\r\n{}", "X: y\r\n".repeat(1_000))).as_bytes(),
        expect![[r#"
            POST / None Chunked
            400 a line of chunked framing may have 1024 bytes; send a well-formed HTTP/1.1 request.
            closing"#]],
    );
}

#[test]
fn bodies_are_limited() {
    let too_large = expect![[r#"
        413 a request's body may have 1048576 bytes; split the content over several requests.
        closing"#]];
    let told = |input: &str| story(&[input.as_bytes()]).split_once('\n').unwrap().1.to_owned();
    too_large.assert_eq(&told("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1048577\r\n\r\n"));
    let chunk = format!("80000\r\n{}\r\n", "x".repeat(0x80000));
    let chunked = format!(
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}{chunk}1\r\n"
    );
    too_large.assert_eq(&told(&chunked));
    let whole = format!(
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1048576\r\n\r\n{}",
        "x".repeat(1_048_576)
    );
    assert!(story(&[whole.as_bytes()]).contains("body 1048576"));
}

fn output_after(input: &[u8]) -> String {
    let mut server = Server::new();
    server.feed(input);
    String::from_utf8(std::mem::take(server.connection.output())).unwrap()
}

#[test]
fn answers_are_written() {
    expect![[r#"
        HTTP/1.1 200 OK
        Content-Type: text/plain
        Content-Length: 2
        Date: Mon, 23 Nov 2026 18:00:00 GMT

        ok"#]]
    .assert_eq(&output_after(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").replace('\r', ""));
    expect![[r#"
        HTTP/1.1 200 OK
        Content-Type: text/plain
        Content-Length: 2
        Date: Mon, 23 Nov 2026 18:00:00 GMT
        Connection: close

    "#]]
    .assert_eq(&output_after(b"HEAD / HTTP/1.0\r\n\r\n").replace('\r', ""));
    let expecting =
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nExpect: 100-Continue\r\n\r\n";
    assert_eq!(output_after(expecting), "HTTP/1.1 100 Continue\r\n\r\n");
    expect![[r#"
        HTTP/1.1 400 Bad Request
        Content-Type: application/problem+json
        Cache-Control: no-store
        X-Content-Type-Options: nosniff
        X-Robots-Tag: noindex, nofollow
        Content-Length: 132
        Date: Mon, 23 Nov 2026 18:00:00 GMT
        Connection: close

        {"detail":"the Host field is missing; send a well-formed HTTP/1.1 request.","status":400,"title":"Bad Request","type":"about:blank"}"#]]
    .assert_eq(&output_after(b"GET / HTTP/1.1\r\n\r\n").replace('\r', ""));
}

#[test]
fn no_value_begins_a_field_of_its_own() {
    let response = Response::new(Status::DESK_UPDATED).with("X", "a\r\nSet-Cookie: b".to_owned());
    let bytes = String::from_utf8(response.to_bytes("close", NOW)).unwrap();
    assert!(bytes.starts_with("HTTP/1.1 221 Desk Updated\r\nX: a  Set-Cookie: b\r\n"), "{bytes}");
}

fn head_of(connection: &mut Connection) {
    assert!(matches!(connection.poll_event(NOW), Ok(Some(Event::Head(_)))));
}

#[test]
fn bodies_can_be_streamed() {
    let stream = |request: &[u8], length: Option<u64>| {
        let mut connection = Connection::new(NOW);
        connection.handle_bytes(NOW, request);
        head_of(&mut connection);
        let answer = Response::content(Status::OK, "text/plain", Body::Streamed(length));
        connection.respond(NOW, &answer);
        assert!(matches!(connection.poll_event(NOW), Ok(None)));
        for part in ["hello", "", " world"] {
            connection.push_body(part.as_bytes());
        }
        connection.finish_body(NOW);
        let output = String::from_utf8(std::mem::take(connection.output())).unwrap();
        let (head, body) = output.split_once("\r\n\r\n").unwrap();
        let framing: Vec<_> = head
            .lines()
            .filter(|line| ["Conte", "Trans", "Conne"].contains(&&line[..5]) && !line.contains('/'))
            .collect();
        format!("{} | {body:?} | {}", framing.join(", "), connection.is_ending())
    };
    let get = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    expect![[r#"Content-Length: 11 | "hello world" | false"#]].assert_eq(&stream(get, Some(11)));
    expect![[r#"Transfer-Encoding: chunked | "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n" | false"#]]
        .assert_eq(&stream(get, None));
    expect![[r#"Content-Length: 11 | "" | false"#]]
        .assert_eq(&stream(b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n", Some(11)));
    expect![[r#"Connection: close | "hello world" | true"#]]
        .assert_eq(&stream(b"GET / HTTP/1.0\r\n\r\n", None));
}

#[test]
fn deadlines() {
    let late = |seconds: u64| Time(NOW.0 + seconds * 1_000_000);
    // A silent connection ends without a word.
    let mut silent = Connection::new(NOW);
    assert_eq!(silent.poll_timeout(), Some((late(10), Deadline::Head)));
    silent.handle_timeout(late(10));
    assert!(silent.is_closed());

    // A slow head is told so, however steadily it drips.
    let mut server = Server::new();
    for byte in b"GET / HT" {
        server.feed(&[*byte]);
    }
    server.connection.handle_timeout(late(9));
    assert!(!server.connection.is_ending());
    server.connection.handle_timeout(late(10));
    server.drain();
    assert_eq!(server.connection.poll_timeout(), Some((late(2), Deadline::Linger)));
    server.connection.handle_timeout(late(2));
    assert!(server.connection.is_closed());
    expect![[r#"
        408 the request's head did not arrive in 10 seconds; send the request again, without pauses.
        closing"#]]
    .assert_eq(&server.finish());

    // A slow body.
    let mut server = Server::new();
    server.feed(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc");
    assert_eq!(server.connection.poll_timeout(), Some((late(30), Deadline::Body)));
    server.connection.handle_timeout(late(30));
    server.drain();
    assert!(server.finish().contains("408 the request's body"));

    // Between requests.
    let mut server = Server::new();
    server.feed(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(server.connection.poll_timeout(), Some((late(60), Deadline::KeepAlive)));
    server.feed(b"G");
    assert_eq!(server.connection.poll_timeout(), Some((late(10), Deadline::Head)));

    // While the shell works on an answer, nothing is due.
    let mut connection = Connection::new(NOW);
    connection.handle_bytes(NOW, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    head_of(&mut connection);
    assert_eq!(connection.poll_timeout(), None);
}

#[test]
fn a_peer_that_ends_gets_its_answer() {
    let mut server = Server::new();
    server.connection.handle_bytes(NOW, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    server.connection.handle_end();
    server.drain();
    assert!(server.connection.is_closed());
    assert!(server.connection.output().ends_with(b"ok"));

    let mut cut = Server::new();
    cut.feed(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc");
    cut.connection.handle_end();
    cut.drain();
    assert!(cut.connection.is_closed());
}

#[test]
fn what_follows_an_upgrade_is_kept() {
    let mut connection = Connection::new(NOW);
    connection.handle_bytes(NOW, b"GET / HTTP/1.1\r\nHost: h\r\n\r\nframes");
    head_of(&mut connection);
    assert_eq!(connection.into_leftover(), b"frames");
}

#[test]
fn pipelined_input_is_bounded() {
    let mut connection = Connection::new(NOW);
    connection.handle_bytes(NOW, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    head_of(&mut connection);
    let mut taken = 0;
    while connection.wants_input() {
        connection.handle_bytes(NOW, &[b'x'; 4096]);
        taken += 4096;
    }
    assert_eq!(taken, 64 << 10);
}

proptest! {
    #[test]
    fn hostile_bytes_never_panic_and_cutting_changes_nothing(
        parts in prop::collection::vec(prop_oneof![
            prop::collection::vec(any::<u8>(), 0..20),
            prop::sample::select(vec![
                "GET /early HTTP/1.1\r\n", "POST /x HTTP/1.1\r\n", "Host: h\r\n", "\r\n", "\n",
                "Content-Length: 3\r\n", "Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n", "0\r\n\r\n",
                "Expect: 100-continue\r\n", "Connection: close\r\n", "abc", " HTTP/1.0\r\n",
            ]).prop_map(|text| text.as_bytes().to_vec()),
        ], 0..12),
        cut in 1usize..9,
    ) {
        let input = parts.concat();
        let chunks: Vec<&[u8]> = input.chunks(cut).collect();
        prop_assert_eq!(story(&chunks), story(&[&input]));
    }
}

#[test]
fn what_there_is_no_room_for_is_refused_and_kept_no_longer() {
    for arrived in ["POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc", "POST / HT"] {
        let mut server = Server::new();
        server.feed(arrived.as_bytes());
        server.connection.give_up();
        server.drain();
        assert_eq!(server.connection.buffered_bytes(), 0);
        assert!(server.connection.is_ending());
        assert!(server.finish().contains("503 the server has no room for this request now"));
    }
}
