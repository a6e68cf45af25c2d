//! WebSocket: the handshake's rules, both roles, and hostile bytes.
#![allow(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

use desk_gateway_http::Time;
use desk_gateway_http::http::{Connection, Event as Request, RequestHead};
use desk_gateway_http::websocket::handshake::{
    ClientHandshake, ClientHandshakeError, Upgrade, accept_key,
};
use desk_gateway_http::websocket::{
    CloseCode, CloseReason, Event, FrameHeader, Input, Opcode, Role, WebSocket, WebSocketError,
};
use expect_test::{Expect, expect};
use proptest::prelude::*;

const NOW: Time = Time(0);

fn head(request: &str) -> RequestHead {
    let mut connection = Connection::new(NOW);
    connection.handle_bytes(NOW, request.as_bytes());
    match connection.poll_event(NOW) {
        Ok(Some(Request::Head(head))) => head,
        other => panic!("{other:?}"),
    }
}

const FIELDS: [(&str, &str); 4] = [
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("Sec-WebSocket-Version", "13"),
];

/// A handshake with some fields replaced, left out (`None`) or added.
fn answer(changes: &[(&str, Option<&str>)]) -> String {
    let mut request = "GET /api/desk/collaboration/init HTTP/1.1\r\nHost: localhost\r\n".to_owned();
    for (name, value) in FIELDS {
        if !changes.iter().any(|(changed, _)| *changed == name) {
            request += &format!("{name}: {value}\r\n");
        }
    }
    for (name, value) in changes {
        if let Some(value) = value {
            request += &format!("{name}: {value}\r\n");
        }
    }
    request += "\r\n";
    match Upgrade::check(&head(&request)) {
        Ok(upgrade) => String::from_utf8(upgrade.to_bytes(NOW)).unwrap().replace('\r', ""),
        Err(error) => {
            let response = error.problem().to_response();
            let version = response.field("Sec-WebSocket-Version").unwrap_or_default();
            format!("{} {version} {}", response.status.0, error.problem().detail)
        }
    }
}

fn check(changes: &[(&str, Option<&str>)], expected: Expect) {
    expected.assert_eq(&answer(changes));
}

#[test]
fn handshakes_are_answered() {
    check(
        &[("WebSocket-Session-Key", Some("AAA-BBB-CCC"))],
        expect![[r#"
            HTTP/1.1 101 Switching Protocols
            Upgrade: websocket
            Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=
            WebSocket-Session-Accept: AAA-BBB-CCC
            Date: Thu, 01 Jan 1970 00:00:00 GMT
            Connection: Upgrade

        "#]],
    );
    // As browsers do it: the key is an offered subprotocol, never the selected one.
    check(
        &[("Sec-WebSocket-Protocol", Some("sticker-desk.v1, session.AAA-BBB-CCC"))],
        expect![[r#"
            HTTP/1.1 101 Switching Protocols
            Upgrade: websocket
            Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=
            Sec-WebSocket-Protocol: sticker-desk.v1
            WebSocket-Session-Accept: AAA-BBB-CCC
            Date: Thu, 01 Jan 1970 00:00:00 GMT
            Connection: Upgrade

        "#]],
    );
    for good in [
        ("Connection", "keep-alive, upgrade"),
        ("Upgrade", "WebSocket"),
        ("Upgrade", "h2c, websocket"),
    ] {
        assert!(answer(&[(good.0, Some(good.1))]).starts_with("HTTP/1.1 101"), "{good:?}");
    }
}

#[test]
fn handshakes_that_lack_something_name_it() {
    check(
        &[("Upgrade", None)],
        expect!["400  the header field Upgrade is missing; send Upgrade: websocket."],
    );
    check(
        &[("Connection", None)],
        expect!["400  the header field Connection is missing; send Connection: Upgrade."],
    );
    check(
        &[("Sec-WebSocket-Key", None)],
        expect![
            "400  the header field Sec-WebSocket-Key is missing; send Sec-WebSocket-Key: 16 random bytes in base64."
        ],
    );
    check(
        &[("Sec-WebSocket-Version", None)],
        expect![
            "400  the header field Sec-WebSocket-Version is missing; send Sec-WebSocket-Version: 13."
        ],
    );
    check(
        &[("Upgrade", Some("h2c"))],
        expect!["400  the header field Upgrade has a wrong value; send Upgrade: websocket."],
    );
    check(
        &[("Connection", Some("close"))],
        expect!["400  the header field Connection has a wrong value; send Connection: Upgrade."],
    );
    for key in
        ["", "x", "dGhlIHNhbXBsZQ==", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZSBsb25n"]
    {
        check(
            &[("Sec-WebSocket-Key", Some(key))],
            expect![
                "400  the header field Sec-WebSocket-Key has a wrong value; send Sec-WebSocket-Key: 16 random bytes in base64."
            ],
        );
    }
    for version in ["8", "14", "13, 8"] {
        check(
            &[("Sec-WebSocket-Version", Some(version))],
            expect![
                "426 13 only version 13 of the WebSocket protocol is spoken here; send Sec-WebSocket-Version: 13."
            ],
        );
    }
    check(
        &[("Sec-WebSocket-Protocol", Some("chat, session.A-B-C"))],
        expect![
            "400  none of the offered subprotocols is spoken here; offer sticker-desk.v1, or leave Sec-WebSocket-Protocol out."
        ],
    );
    check(
        &[
            ("WebSocket-Session-Key", Some("A-B-C")),
            ("Sec-WebSocket-Protocol", Some("sticker-desk.v1, session.A-B-D")),
        ],
        expect![
            "400  two different session keys are given; give it either as WebSocket-Session-Key or as the subprotocol session.KEY."
        ],
    );
    check(
        &[("Content-Length", Some("3"))],
        expect![
            "400  a WebSocket handshake is a GET of HTTP/1.1 without a body; send the handshake of RFC 6455, section 4.1."
        ],
    );
}

#[test]
fn both_ends_of_a_handshake_agree() {
    let mut client = ClientHandshake::new([7; 16], "AAA-BBB-CCC");
    let request = client.request("/api/desk/collaboration/init", "localhost:8080");
    let upgrade = Upgrade::check(&head(std::str::from_utf8(&request).unwrap())).unwrap();
    assert_eq!(upgrade.session_key.as_deref(), Some("AAA-BBB-CCC"));
    let mut wire = upgrade.to_bytes(NOW);
    wire.extend_from_slice(b"\x82\x00");
    // Byte by byte up to the head's last one, which arrives together with a frame.
    let (head, rest) = wire.split_at(wire.len() - 3);
    for byte in head {
        assert_eq!(client.handle_bytes(&[*byte]), Ok(None));
    }
    assert_eq!(client.handle_bytes(rest), Ok(Some(b"\x82\x00".to_vec())));
}

#[test]
fn clients_check_the_answer() {
    let ask = |answer: &str| {
        ClientHandshake::new([0; 16], "K").handle_bytes(answer.replace('\n', "\r\n").as_bytes())
    };
    let accept = accept_key("AAAAAAAAAAAAAAAAAAAAAA==");
    let good = format!(
        "HTTP/1.1 101 X\nUpgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Accept: {accept}\n\
         Sec-WebSocket-Protocol: sticker-desk.v1\n\n"
    );
    assert_eq!(ask(&good), Ok(Some(Vec::new())));
    for (from, to) in [
        (accept.as_str(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        ("Upgrade: websocket", "Upgrade: h2c"),
        ("Connection: Upgrade", "Connection: close"),
        ("sticker-desk.v1", "chat"),
        ("101 X\n", "101 X\nSec-WebSocket-Extensions: permessage-deflate\n"),
    ] {
        let answer = ask(&good.replace(from, to));
        assert!(matches!(answer, Err(ClientHandshakeError::Wrong(_))), "{from}: {answer:?}");
    }
    let refused =
        "HTTP/1.1 503 X\nRetry-After: 7\nContent-Length: 22\n\n{\"detail\":\"come back\"}";
    let error = ask(refused).unwrap_err();
    assert_eq!(error.to_string(), "the server answered 503: come back");
    assert!(matches!(error, ClientHandshakeError::Refused { retry_after_s: Some(7), .. }));
    assert!(matches!(ask("SSH-2.0-x\n\n"), Err(ClientHandshakeError::Answer(_))));
}

/// Owned events, for comparing.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Seen {
    Text(String),
    Binary(Vec<u8>),
    Pong(Vec<u8>),
    Closed(CloseReason),
    Error(WebSocketError),
}

/// Feeds `chunks` to a connection; what it saw and what it sent.
fn feed<'a>(
    socket: &mut WebSocket,
    chunks: impl Iterator<Item = &'a [u8]>,
) -> (Vec<Seen>, Vec<u8>) {
    let (mut seen, mut out) = (Vec::new(), Vec::new());
    for chunk in chunks {
        let mut chunk = chunk.to_vec();
        let mut input = Input::new(&mut chunk);
        loop {
            seen.push(match socket.next(&mut input, &mut out) {
                Ok(None) => break,
                Ok(Some(Event::Text(text))) => Seen::Text(text.to_owned()),
                Ok(Some(Event::Binary(bytes))) => Seen::Binary(bytes.to_vec()),
                Ok(Some(Event::Pong(bytes))) => Seen::Pong(bytes.to_vec()),
                Ok(Some(Event::Closed(reason))) => Seen::Closed(reason),
                Err(error) => Seen::Error(error),
            });
        }
    }
    (seen, out)
}

fn client() -> WebSocket {
    let mut key = [1, 2, 3, 4u8];
    let keys = move || {
        key = key.map(|byte| byte.wrapping_mul(5).wrapping_add(1));
        key
    };
    WebSocket::new(Role::Client(Box::new(keys)), 1 << 20)
}

#[test]
fn a_conversation() {
    let (mut client, mut server) = (client(), WebSocket::new(Role::Server, 1 << 20));
    let mut wire = Vec::new();
    client.send(Opcode::Text, "grüße".as_bytes(), &mut wire);
    client.send(Opcode::Ping, b"are you there", &mut wire);
    client.send(Opcode::Binary, &[9; 70_000], &mut wire);
    let (seen, mut answer) = feed(&mut server, wire.chunks(1_000));
    assert_eq!(seen, [Seen::Text("grüße".to_owned()), Seen::Binary(vec![9; 70_000])]);
    // Many messages can leave behind one header of a shared buffer.
    FrameHeader::whole(Opcode::Binary, 6).append(&mut answer);
    answer.extend_from_slice(b"shared");
    server.close(CloseCode(4000), &"ü".repeat(100), &mut answer);
    assert!(!server.is_open());
    server.send(Opcode::Text, b"too late", &mut answer);
    let (seen, reply) = feed(&mut client, answer.chunks(3));
    // The reason is cut at a character so that the control frame fits.
    let reason = CloseReason { code: Some(CloseCode(4000)), text: "ü".repeat(61) };
    assert_eq!(
        seen,
        [
            Seen::Pong(b"are you there".to_vec()),
            Seen::Binary(b"shared".to_vec()),
            Seen::Closed(reason)
        ]
    );
    assert!(client.is_closed());
    let (seen, rest) = feed(&mut server, [&reply[..]].into_iter());
    let reason = CloseReason { code: Some(CloseCode(4000)), text: String::new() };
    assert_eq!((seen, rest), (vec![Seen::Closed(reason)], Vec::new()));
    assert!(server.is_closed());
}

#[test]
fn roles_demand_their_masking() {
    let mut out = Vec::new();
    WebSocket::new(Role::Server, 100).send(Opcode::Text, b"x", &mut out);
    let mut server = WebSocket::new(Role::Server, 100);
    assert_eq!(
        feed(&mut server, [&out[..]].into_iter()).0,
        [Seen::Error(WebSocketError::NotMasked)]
    );
    let mut masked = Vec::new();
    client().send(Opcode::Text, b"x", &mut masked);
    assert_eq!(
        feed(&mut client(), [&masked[..]].into_iter()).0,
        [Seen::Error(WebSocketError::Masked)]
    );
}

#[test]
fn message_limits_hold_over_fragments() {
    let frame = |fin, opcode, length: usize| {
        let mask = Some([0; 4]);
        let mut bytes = Vec::new();
        FrameHeader { fin, opcode, mask, length: length as u64 }.append(&mut bytes);
        bytes.resize(bytes.len() + length, b'x');
        bytes
    };
    let fits = [frame(false, Opcode::Text, 60), frame(true, Opcode::Continuation, 40)].concat();
    let over = [frame(false, Opcode::Text, 60), frame(true, Opcode::Continuation, 41)].concat();
    let seen = |bytes: &[u8]| feed(&mut WebSocket::new(Role::Server, 100), bytes.chunks(7)).0;
    assert_eq!(seen(&fits), [Seen::Text("x".repeat(100))]);
    assert_eq!(seen(&over), [Seen::Error(WebSocketError::MessageTooLarge { bytes_max: 100 })]);
    // A header alone, of a frame that nobody could hold.
    let mut huge = Vec::new();
    FrameHeader { fin: true, opcode: Opcode::Binary, mask: Some([0; 4]), length: (1 << 63) - 1 }
        .append(&mut huge);
    assert_eq!(seen(&huge), [Seen::Error(WebSocketError::MessageTooLarge { bytes_max: 100 })]);
}

#[test]
fn lengths_come_in_their_shortest_form() {
    for wrong in [
        &[0x82, 0xfe, 0, 5][..],
        &[0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff],
        &[0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0],
    ] {
        let (seen, _) = feed(&mut WebSocket::new(Role::Server, 100), wrong.chunks(1));
        assert_eq!(seen, [Seen::Error(WebSocketError::InvalidLength)]);
    }
}

/// A frame as a hostile or an honest client may send it.
fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let payload = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        "\\PC{0,20}".prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 120..140),
    ];
    let opcode = prop::sample::select(vec![0u8, 0, 1, 1, 2, 2, 2, 8, 9, 10, 3]);
    let noise = prop_oneof![9 => Just(None), 1 => (0usize..20, any::<u8>()).prop_map(Some)];
    (any::<bool>(), opcode, payload, any::<[u8; 4]>(), noise).prop_map(
        |(fin, opcode, mut payload, key, noise)| {
            let opcode = if fin || opcode < 8 { opcode } else { 2 };
            let mut bytes = vec![u8::from(fin) << 7 | opcode];
            match payload.len() {
                length @ 0..=125 => bytes.push(0x80 | length as u8),
                length => bytes.extend([0xfe, 0, length as u8]),
            }
            bytes.extend(key);
            payload.iter_mut().zip(key.iter().cycle()).for_each(|(byte, key)| *byte ^= key);
            bytes.extend(payload);
            if let Some((at, byte)) = noise {
                let at = at % bytes.len();
                bytes[at] ^= byte;
            }
            bytes
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn cutting_changes_nothing(frames in prop::collection::vec(any_frame(), 0..8), cut in 1usize..50) {
        let bytes = frames.concat();
        let whole = feed(&mut WebSocket::new(Role::Server, 200), [&bytes[..]].into_iter());
        let parts = feed(&mut WebSocket::new(Role::Server, 200), bytes.chunks(cut));
        prop_assert_eq!(&whole, &parts);
        // Answers never outgrow what asked for them, one close apart.
        prop_assert!(whole.1.len() <= bytes.len() + 127);
    }

    #[test]
    fn hostile_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        feed(&mut WebSocket::new(Role::Server, 100), bytes.chunks(9));
        feed(&mut client(), bytes.chunks(9));
    }
}

#[test]
fn who_discards_keeps_nothing_and_still_understands_a_close() {
    let mut client = WebSocket::new(Role::Client(Box::new(|| [1, 2, 3, 4])), 1 << 20);
    let mut server = WebSocket::new(Role::Server, 1 << 20);
    let mut wire = Vec::new();
    client.send(Opcode::Binary, &[7; 100_000], &mut wire);
    client.close(CloseCode::NORMAL, "", &mut wire);
    let mut out = Vec::new();
    let mut rest = wire.split_off(50_000);
    assert_eq!(server.next(&mut Input::new(&mut wire), &mut out), Ok(None));
    assert!(server.is_within_message() && server.buffered_bytes() >= 49_000);
    server.close(CloseCode::TRY_AGAIN, "", &mut out);
    server.discard();
    assert_eq!(server.buffered_bytes(), 0);
    let mut input = Input::new(&mut rest);
    assert_eq!(server.next(&mut input, &mut out), Ok(Some(Event::Binary(&[]))));
    assert!(!server.is_within_message());
    assert!(matches!(server.next(&mut input, &mut out), Ok(Some(Event::Closed(_)))));
    assert_eq!((server.buffered_bytes(), server.is_closed()), (0, true));
}
