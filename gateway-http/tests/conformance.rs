//! RFC 6455 over real sockets, against the echo example's own code.
//!
//! The cases follow the sections of the Autobahn suite (1 to 7, 9, 10), with
//! its numbers, so that a failure here can be looked up there. The client's
//! side is written out by hand: it shares no code with what it tests.
#![allow(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

#[path = "../examples/echo.rs"]
#[allow(dead_code, reason = "the example's main is not called here")]
mod echo;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::OnceLock;

const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;
const FIN: u8 = 0x80;

/// The echo server of this test run.
fn server() -> SocketAddr {
    static ADDRESS: OnceLock<SocketAddr> = OnceLock::new();
    *ADDRESS.get_or_init(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                std::thread::spawn(move || echo::serve(stream.unwrap()));
            }
        });
        address
    })
}

/// A masked client frame; `first` is its whole first byte.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..=125 => bytes.push(0x80 | length as u8),
        length @ 126..=0xffff => {
            bytes.push(0x80 | 126);
            bytes.extend((length as u16).to_be_bytes());
        }
        length => {
            bytes.push(0x80 | 127);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    let key = [0x37, 0xfa, 0x21, 0x3d];
    bytes.extend(key);
    bytes.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    bytes
}

fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    frame(FIN | CLOSE, &[&code.to_be_bytes(), reason].concat())
}

type Received = Vec<(u8, Vec<u8>)>;

/// All frames of the server up to its end of the stream; whole and unmasked,
/// or the test fails.
fn parse(mut bytes: &[u8]) -> Received {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        assert_eq!(bytes[0] & 0xf0, FIN, "the server sends whole messages without extensions");
        let (length, at) = match bytes[1] {
            126 => (u16::from_be_bytes([bytes[2], bytes[3]]) as usize, 4),
            127 => (u64::from_be_bytes(bytes[2..10].try_into().unwrap()) as usize, 10),
            short => (short as usize, 2),
        };
        frames.push((bytes[0] & 0x0f, bytes[at..at + length].to_vec()));
        bytes = &bytes[at + length..];
    }
    frames
}

/// Sends `writes` and returns what came back until the server closed.
fn converse(writes: Vec<Vec<u8>>) -> Received {
    let mut stream = TcpStream::connect(server()).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
        .write_all(
            b"GET /any HTTP/1.1\r\nHost: localhost\r\nUpgrade: WebSocket\r\n\
              Connection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n\
              Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        )
        .unwrap();
    let mut writer = stream.try_clone().unwrap();
    let sending = std::thread::spawn(move || {
        // A server that refused the last bytes may be gone already.
        let _ = writes.iter().try_for_each(|bytes| writer.write_all(bytes));
        let _ = writer.shutdown(std::net::Shutdown::Write);
    });
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    sending.join().unwrap();
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    assert!(head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{head}");
    assert!(head.contains("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{head}");
    parse(&bytes[end..])
}

/// Expects `expected` back, then a close with `code`.
fn check(id: &str, writes: Vec<Vec<u8>>, expected: &[(u8, Vec<u8>)], code: u16) {
    let mut received = converse(writes);
    let (opcode, payload) = received.pop().unwrap_or_else(|| panic!("{id}: no close frame"));
    assert_eq!(opcode, CLOSE, "{id}: the last frame is a close");
    let found = payload.get(..2).map(|two| u16::from_be_bytes([two[0], two[1]]));
    assert_eq!(found, Some(code), "{id}: {}", String::from_utf8_lossy(&payload[2..]));
    assert_eq!(received.len(), expected.len(), "{id}: frames before the close");
    for (index, (found, wanted)) in received.iter().zip(expected).enumerate() {
        assert!(found == wanted, "{id}: frame {index} differs");
    }
}

/// Everything comes back; then the client closes normally.
fn passes(id: &str, mut writes: Vec<Vec<u8>>, expected: &[(u8, Vec<u8>)]) {
    writes.push(close(1000, b"done"));
    check(id, writes, expected, 1000);
}

/// The server closes with 1002; a ping behind the breach stays unanswered.
fn breaches(id: &str, mut writes: Vec<Vec<u8>>, expected: &[(u8, Vec<u8>)]) {
    writes.push(frame(FIN | PING, b"late"));
    check(id, writes, expected, 1002);
}

fn chop(writes: Vec<Vec<u8>>, size: usize) -> Vec<Vec<u8>> {
    writes.concat().chunks(size).map(<[u8]>::to_vec).collect()
}

fn echo_of(opcode: u8, payload: impl AsRef<[u8]>) -> (u8, Vec<u8>) {
    (opcode, payload.as_ref().to_vec())
}

#[test]
fn case_1_messages_of_every_length_form() {
    for (kind, fill) in [(TEXT, b'*'), (BINARY, 0xfe)] {
        for length in [0, 125, 126, 127, 128, 65_535, 65_536] {
            let payload = vec![fill; length];
            let sent = vec![frame(FIN | kind, &payload)];
            let id = format!("1.{kind} {length}");
            passes(&id, sent.clone(), &[echo_of(kind, &payload)]);
            passes(&id, chop(sent, 997), &[echo_of(kind, &payload)]);
        }
    }
}

#[test]
fn case_2_pings_and_pongs() {
    let ping = |payload: &[u8]| frame(FIN | PING, payload);
    for payload in [&b""[..], b"Hello, world!", b"\x00\xff\xfe\xfd", &[0xfe; 125]] {
        passes("2.1-4", vec![ping(payload)], &[echo_of(PONG, payload)]);
        passes("2.6", chop(vec![ping(payload)], 1), &[echo_of(PONG, payload)]);
    }
    breaches("2.5", vec![ping(&[0xfe; 126])], &[]);
    passes("2.7", vec![frame(FIN | PONG, b"")], &[]);
    passes("2.8", vec![frame(FIN | PONG, b"unasked")], &[]);
    passes("2.9", vec![frame(FIN | PONG, b"unasked"), ping(b"x")], &[echo_of(PONG, b"x")]);
    let ten: Vec<_> = (0..10).map(|n| format!("payload-{n}").into_bytes()).collect();
    let sent: Vec<_> = ten.iter().map(|payload| ping(payload)).collect();
    let expected: Vec<_> = ten.iter().map(|payload| echo_of(PONG, payload)).collect();
    passes("2.10", sent.clone(), &expected);
    passes("2.11", chop(sent, 1), &expected);
}

#[test]
fn case_3_reserved_bits() {
    let hello = frame(FIN | TEXT, b"Hello, world!");
    let echoed = [echo_of(TEXT, b"Hello, world!")];
    for rsv in 1..8u8 {
        for opcode in [TEXT, BINARY, CLOSE, PING] {
            let wrong = frame(FIN | rsv << 4 | opcode, b"Hello, world!");
            breaches("3.1", vec![wrong.clone()], &[]);
            breaches("3.2", vec![hello.clone(), wrong.clone()], &echoed);
            breaches("3.3", chop(vec![hello.clone(), wrong], 1), &echoed);
        }
    }
}

#[test]
fn case_4_reserved_opcodes() {
    let hello = frame(FIN | TEXT, b"Hello, world!");
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        breaches("4.x.1", vec![frame(FIN | opcode, b"")], &[]);
        breaches("4.x.2", vec![frame(FIN | opcode, b"reserved")], &[]);
        let sent = vec![hello.clone(), frame(FIN | opcode, b"")];
        breaches("4.x.3", sent.clone(), &[echo_of(TEXT, b"Hello, world!")]);
        breaches("4.x.5", chop(sent, 1), &[echo_of(TEXT, b"Hello, world!")]);
    }
}

#[test]
fn case_5_fragmentation() {
    let part = |first: u8, text: &str| frame(first, text.as_bytes());
    let ping = || frame(FIN | PING, b"ping");
    let pong = echo_of(PONG, b"ping");
    let whole = echo_of(TEXT, b"fragment1fragment2");
    breaches("5.1", vec![part(PING, "fragment1"), part(FIN, "fragment2")], &[]);
    breaches("5.2", vec![part(PONG, "fragment1"), part(FIN, "fragment2")], &[]);
    for size in [usize::MAX, 1] {
        let cut = |writes| chop(writes, size);
        let two = vec![part(TEXT, "fragment1"), part(FIN, "fragment2")];
        passes("5.3-5", cut(two), std::slice::from_ref(&whole));
        let between = vec![part(TEXT, "fragment1"), ping(), part(FIN, "fragment2")];
        passes("5.6-8", cut(between), &[pong.clone(), whole.clone()]);
        let tail = || part(FIN | TEXT, "Hello, world!");
        breaches("5.9-11", cut(vec![part(FIN, "non-continuation"), tail()]), &[]);
        breaches("5.12-14", cut(vec![part(0, "non-continuation"), tail()]), &[]);
        let after = vec![part(TEXT, "fragment1"), part(FIN, "fragment2"), part(0, "x"), tail()];
        breaches("5.15", cut(after), std::slice::from_ref(&whole));
        let again = vec![part(0, "fragment1"), part(TEXT, "fragment2"), part(FIN, "fragment3")];
        breaches("5.16", cut(again), &[]);
        let last = vec![part(FIN, "fragment1"), part(TEXT, "fragment2"), part(FIN, "fragment3")];
        breaches("5.17", cut(last), &[]);
        let twice = vec![part(TEXT, "fragment1"), part(FIN | TEXT, "fragment2")];
        breaches("5.18", cut(twice), &[]);
        let five = vec![
            part(TEXT, "fragment1"),
            part(0, "fragment2"),
            ping(),
            part(0, "fragment3"),
            part(0, "fragment4"),
            ping(),
            part(FIN, "fragment5"),
        ];
        let all = echo_of(TEXT, b"fragment1fragment2fragment3fragment4fragment5");
        passes("5.19-20", cut(five), &[pong.clone(), pong.clone(), all]);
    }
}

/// Well-formed texts: ordinary, first and last of each length, around the
/// surrogates, non-characters.
const GOOD: &[&[u8]] = &[
    b"Hello-\xc2\xb5@\xc3\x9f\xc3\xb6\xc3\xa4\xc3\xbc\xc3\xa0\xc3\xa1-UTF-8!!",
    b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5",
    b"\x00",
    b"\x7f",
    b"\xc2\x80",
    b"\xdf\xbf",
    b"\xe0\xa0\x80",
    b"\xef\xbf\xbf",
    b"\xf0\x90\x80\x80",
    b"\xf4\x8f\xbf\xbf",
    b"\xed\x9f\xbf",
    b"\xee\x80\x80",
    b"\xef\xbf\xbd",
    b"\xef\xbf\xbe",
    b"\xf0\x9f\xbf\xbe",
    b"\xf0\x9f\xbf\xbf",
    b"\xf3\xaf\xbf\xbf",
];

/// Ill-formed texts: beyond the code space, 5 and 6 byte forms, stray and
/// missing continuations, impossible bytes, overlong forms, surrogates.
const BAD: &[&[u8]] = &[
    b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited",
    b"\xf8\x88\x80\x80\x80",
    b"\xfc\x84\x80\x80\x80\x80",
    b"\xf7\xbf\xbf\xbf",
    b"\xfb\xbf\xbf\xbf\xbf",
    b"\xf4\x90\x80\x80",
    b"\x80",
    b"\xbf",
    b"\x80\xbf\x80\xbf\x80\xbf",
    b"\xc0 \xc1 \xc2 \xdf ",
    b"\xe0 \xe8 \xef ",
    b"\xf0 \xf4 \xf7 ",
    b"\xc0",
    b"\xe0\x80",
    b"\xf0\x80\x80",
    b"\xdf",
    b"\xef\xbf",
    b"\xf7\xbf\xbf",
    b"\xfe",
    b"\xff",
    b"\xfe\xfe\xff\xff",
    b"\xc0\xaf",
    b"\xe0\x80\xaf",
    b"\xf0\x80\x80\xaf",
    b"\xc1\xbf",
    b"\xe0\x9f\xbf",
    b"\xf0\x8f\xbf\xbf",
    b"\xc0\x80",
    b"\xe0\x80\x80",
    b"\xf0\x80\x80\x80",
    b"\xed\xa0\x80",
    b"\xed\xaf\xbf",
    b"\xed\xb0\x80",
    b"\xed\xbf\xbf",
    b"\xed\xa0\x80\xed\xb0\x80",
    b"\xce\xba\xe1\xbd",
];

/// A text as one message of one-byte fragments.
fn shredded(text: &[u8]) -> Vec<Vec<u8>> {
    let mut frames = vec![frame(TEXT, b"")];
    frames.extend(text.iter().map(|byte| frame(0, &[*byte])));
    frames.push(frame(FIN, b""));
    frames
}

#[test]
fn case_6_utf8() {
    passes("6.1.1", vec![frame(FIN | TEXT, b"")], &[echo_of(TEXT, b"")]);
    passes("6.1.2", vec![frame(TEXT, b""), frame(0, b""), frame(FIN, b"")], &[echo_of(TEXT, b"")]);
    for text in GOOD {
        passes("6 whole", vec![frame(FIN | TEXT, text)], &[echo_of(TEXT, text)]);
        passes("6 chopped", chop(vec![frame(FIN | TEXT, text)], 1), &[echo_of(TEXT, text)]);
        passes("6 shredded", shredded(text), &[echo_of(TEXT, text)]);
    }
    for text in BAD {
        let id = format!("6 {text:x?}");
        check(&id, vec![frame(FIN | TEXT, text)], &[], 1007);
        check(&id, chop(vec![frame(FIN | TEXT, text)], 1), &[], 1007);
        check(&id, shredded(text), &[], 1007);
        // The same bytes are no concern of a binary message.
        passes(&id, vec![frame(FIN | BINARY, text)], &[echo_of(BINARY, text)]);
    }
}

/// Sends and then waits, with the message unfinished: the server must not wait
/// for its end to say that it is ill-formed.
#[test]
fn case_6_4_fails_fast() {
    let good = "\u{3ba}\u{1f79}\u{3c3}\u{3bc}\u{3b5}".as_bytes();
    let unfinished = [
        vec![frame(TEXT, good), frame(0, b"\xf4\x90\x80\x80")],
        vec![frame(TEXT, good), frame(0, b"\xf4"), frame(0, b"\x90")],
        // A frame that promises more than is sent.
        vec![[&frame(FIN | TEXT, &[0; 30])[..6], &mask(&[good, b"\xf4\x90"].concat())].concat()],
        chop(
            vec![
                [&frame(FIN | TEXT, &[0; 30])[..6], &mask(&[good, b"\xed\xa0"].concat())].concat(),
            ],
            1,
        ),
    ];
    for writes in unfinished {
        let mut stream = TcpStream::connect(server()).unwrap();
        stream
            .write_all(
                b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
                  Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                  Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            )
            .unwrap();
        writes.iter().for_each(|bytes| stream.write_all(bytes).unwrap());
        // The client's direction stays open: only the breach ends this.
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
        let frames = parse(&bytes[end..]);
        assert_eq!(frames.len(), 1);
        assert_eq!((frames[0].0, &frames[0].1[..2]), (CLOSE, &1007u16.to_be_bytes()[..]));
    }
}

fn mask(bytes: &[u8]) -> Vec<u8> {
    bytes
        .iter()
        .zip([0x37, 0xfa, 0x21, 0x3d].iter().cycle())
        .map(|(byte, key)| byte ^ key)
        .collect()
}

#[test]
fn case_7_closing() {
    let hello = frame(FIN | TEXT, b"Hello World!");
    let echoed = [echo_of(TEXT, b"Hello World!")];
    passes("7.1.1", vec![hello.clone()], &echoed);
    passes("7.1.2", vec![close(1000, b"")], &[]);
    passes("7.1.3", vec![close(1000, b""), frame(FIN | PING, b"late")], &[]);
    passes("7.1.4", vec![close(1000, b""), hello.clone()], &[]);
    let unfinished = vec![frame(TEXT, b"fragment1"), close(1000, b""), frame(FIN, b"fragment2")];
    passes("7.1.5", unfinished, &[]);
    let large = vec![b'*'; 256 << 10];
    let sent = vec![frame(FIN | TEXT, &large), close(1000, b""), frame(FIN | PING, b"late")];
    passes("7.1.6", sent, &[echo_of(TEXT, &large)]);
    assert_eq!(converse(vec![frame(FIN | CLOSE, b"")]), [echo_of(CLOSE, b"")], "7.3.1");
    breaches("7.3.2", vec![frame(FIN | CLOSE, b"a")], &[]);
    check("7.3.3", vec![close(1000, b"")], &[], 1000);
    check("7.3.4", vec![close(1000, b"Hello World!")], &[], 1000);
    check("7.3.5", vec![close(1000, &[b'*'; 123])], &[], 1000);
    breaches("7.3.6", vec![close(1000, &[b'*'; 124])], &[]);
    check("7.5.1", vec![close(1000, b"\xce\xba\xed\xa0\x80edited")], &[], 1007);
    for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999] {
        check("7.7", vec![close(code, b"")], &[], code);
    }
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535] {
        breaches("7.9, 7.13", vec![close(code, b"")], &[]);
    }
    breaches("5.2 of the RFC: not masked", vec![vec![FIN | TEXT, 1, b'x']], &[]);
}

/// Bytes that are no repetition, so that a shifted echo is seen.
fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| b'a' + (at % 251 % 26) as u8).collect()
}

#[test]
fn case_9_large_messages() {
    for kind in [TEXT, BINARY] {
        for length in [64 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20] {
            let payload = pattern(length);
            passes("9.1-2", vec![frame(FIN | kind, &payload)], &[echo_of(kind, &payload)]);
        }
        let payload = pattern(4 << 20);
        for size in [64, 1_024, 64 << 10, 1 << 20] {
            let mut sent: Vec<_> = payload.chunks(size).map(|part| frame(0, part)).collect();
            sent[0][0] = kind;
            sent.last_mut().unwrap()[0] = FIN;
            passes("9.3-4", vec![sent.concat()], &[echo_of(kind, &payload)]);
        }
        let payload = pattern(1 << 20);
        for size in [64, 512, 2_048] {
            let sent = chop(vec![frame(FIN | kind, &payload)], size);
            passes("9.5-6", sent, &[echo_of(kind, &payload)]);
        }
        for length in [0, 16, 64, 256, 1_024, 4_096] {
            let payload = pattern(length);
            let sent = vec![frame(FIN | kind, &payload).repeat(1_000)];
            passes("9.7-8", sent, &vec![echo_of(kind, &payload); 1_000]);
        }
    }
    let too_large = vec![b'*'; (16 << 20) + 1];
    check("over the limit", vec![frame(FIN | TEXT, &too_large)], &[], 1009);
}

#[test]
fn case_10_automatic_fragmentation() {
    let payload = pattern(65_536);
    let mut sent: Vec<_> = payload.chunks(1_300).map(|part| frame(0, part)).collect();
    sent[0][0] = TEXT;
    sent.last_mut().unwrap()[0] = FIN;
    passes("10.1.1", sent, &[echo_of(TEXT, &payload)]);
}
