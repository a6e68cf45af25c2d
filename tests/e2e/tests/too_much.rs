//! Too much of anything, by the limits as they are without a configuration
//! where a test can reach them: who goes past one is told, or not read, and who
//! works on the same desk notices nothing. That each limit can be set is seen in
//! `configured.rs`.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use desk_e2e::http::{KEY, connect, request, send};
use desk_e2e::socket::{creation, masked, submit_frame};
use desk_e2e::{Joined, Reply, Server, Setup, Socket, Witness, get, join};
use desk_protocol::codec::encode_client;
use desk_protocol::frame::{CloseCode, Outcome};
use desk_protocol::operation::Write;
use desk_protocol::text::Part;
use desk_protocol::{ClientFrame, Delta, Operation, Revision, ServerFrame, StickerId};

const SYNC: &str = "/api/desk/collaboration/sync";
const FRAMES: (&str, &str) = ("Content-Type", "application/octet-stream");

/// Two clients that submit the same: one by requests, one by frames.
struct Culprit {
    by_request: Joined,
    by_frame: Socket,
    requests: u64,
    frames: u64,
}

impl Culprit {
    fn on(server: &Server, link: &str) -> Self {
        let by_frame = Socket::live(server, &join(server, link).key);
        Self { by_request: join(server, link), by_frame, requests: 0, frames: 0 }
    }

    fn request(&self, server: &Server, frame: &[u8]) -> Reply {
        let fields = [(KEY, &*self.by_request.key), ("R-User-ID", "x"), FRAMES];
        send(server, "PATCH", SYNC, &fields, frame)
    }

    /// Submits by request what is taken; the revision after it.
    fn is_taken(&mut self, server: &Server, base: u64, operations: Vec<Operation>) -> u64 {
        self.requests += 1;
        let frame = submit_frame(self.requests, base, operations);
        let answer = self.request(server, &frame).expect(221).json();
        answer["revision"].as_u64().expect("a revision")
    }

    /// Submits by both ways what is refused with these words.
    fn is_refused(&mut self, server: &Server, base: u64, operations: Vec<Operation>, says: &str) {
        self.requests += 1;
        let frame = submit_frame(self.requests, base, operations.clone());
        let detail = self.request(server, &frame).problem(422);
        assert!(detail.contains(says), "{says}: {detail}");
        self.frames += 1;
        self.by_frame.submit(self.frames, Revision(base), operations);
        let answer = loop {
            match self.by_frame.frame() {
                ServerFrame::Commit(_) => {}
                ServerFrame::Answer(answer) => break answer,
                other => panic!("{says}: {other:?}"),
            }
        };
        assert_eq!(answer.client_seq.0, self.frames);
        let Outcome::Rejected { detail, .. } = answer.outcome else { panic!("{says}: a refusal") };
        assert!(detail.contains(says), "{says}: {detail}");
    }
}

fn deletion(id: u64) -> Operation {
    Operation::Set { id: StickerId(id), write: Write::Deleted(true), yielding: false }
}

#[test]
fn a_batch_past_a_limit_is_refused_by_request_and_by_frame() {
    let server = Server::new();
    let mut witness = Witness::on_a_new_desk(&server);
    let mut bob = Culprit::on(&server, witness.link());
    let title = |chars| Operation::SetTitle { title: "ж".repeat(chars), yielding: false };
    let parts = |count: usize| {
        let parts = (0..count / 2).flat_map(|_| [Part::Retain(1), Part::insert("x")]);
        let delta = Delta::from_parts(parts).expect("a sound delta");
        Operation::EditText { id: StickerId(1), delta }
    };
    let long = "ж".repeat(10_001);
    let text = || Operation::EditText { id: StickerId(1), delta: Delta::insertion(&long) };
    let rows = [
        (vec![creation(50, &long)], "10001 characters, at most 10000"),
        (vec![text()], "characters, at most 10000"),
        (vec![title(201)], "201 characters, at most 200"),
        ((0..501).map(|id| creation(100 + id, "")).collect(), "501 operations, at most 500"),
        (vec![parts(4_098)], "4098 parts, at most 4096"),
    ];
    for (operations, says) in rows {
        let base = witness.revision();
        witness.sees_nothing_of(&server, says, || bob.is_refused(&server, base, operations, says));
    }
    // What is at the limit is taken.
    let base = witness.revision();
    let base = bob.is_taken(&server, base, vec![creation(50, &long[2..]), title(200)]);
    let many = (0..500).map(|id| creation(100 + id, "")).collect();
    witness.follows_to(bob.is_taken(&server, base, many));
}

#[test]
fn a_desk_with_5000_notes_takes_no_more_and_is_worked_on() {
    let server = Server::new();
    let mut witness = Witness::on_a_new_desk(&server);
    let mut bob = Culprit::on(&server, witness.link());
    // The witness has one.
    for batch in 0..10 {
        let new = if batch == 0 { 499 } else { 500 };
        let notes = (0..new).map(|id| creation(1_000 * (batch + 1) + id, ""));
        let base = witness.revision();
        witness.follows_to(bob.is_taken(&server, base, notes.collect()));
    }
    let one_more = || vec![creation(50_000, "")];
    let says = "5001 stickers, at most 5000";
    let base = witness.revision();
    witness.sees_nothing_of(&server, says, || bob.is_refused(&server, base, one_more(), says));
    let base = witness.revision();
    let base = bob.is_taken(&server, base, vec![deletion(1_000)]);
    witness.follows_to(bob.is_taken(&server, base, one_more()));
}

#[test]
fn a_desk_of_4_mib_takes_no_more_and_is_worked_on() {
    let server = Server::new();
    let mut witness = Witness::on_a_new_desk(&server);
    let mut bob = Culprit::on(&server, witness.link());
    // A note of 10,000 characters counts 10,064 bytes: 416 of them are 4,186,624.
    let text = "x".repeat(10_000);
    for batch in 0..16 {
        let notes = (0..26).map(|id| creation(100 * (batch + 1) + id, &text));
        let base = witness.revision();
        witness.follows_to(bob.is_taken(&server, base, notes.collect()));
    }
    let one_more = || vec![creation(50_000, &text)];
    let says = "bytes, at most 4194304";
    let base = witness.revision();
    witness.sees_nothing_of(&server, says, || bob.is_refused(&server, base, one_more(), says));
    let base = witness.revision();
    let base = bob.is_taken(&server, base, vec![deletion(100)]);
    witness.follows_to(bob.is_taken(&server, base, one_more()));
}

/// A submit's frame, padded to a length in bytes.
fn frame_of(bytes: usize, seq: u64, id: u64) -> Vec<u8> {
    let text = "x".repeat(10_000);
    let notes = (0..25).map(|at| creation(id + at, &text)).collect();
    let mut frame = submit_frame(seq, 0, notes);
    assert!(frame.len() <= bytes);
    frame.resize(bytes, 0);
    let size = u32::try_from(bytes - 4).expect("it fits");
    frame[..4].copy_from_slice(&size.to_le_bytes());
    frame
}

#[test]
fn a_frame_past_256_kib_ends_its_connection_or_request() {
    let server = Server::new();
    let mut witness = Witness::on_a_new_desk(&server);
    let bob = Culprit::on(&server, witness.link());
    let mut socket = Socket::live(&server, &join(&server, witness.link()).key);
    let (most, says) = (256 << 10, "262145 bytes, at most 262144");
    witness.sees_nothing_of(&server, says, || {
        let detail = bob.request(&server, &frame_of(most + 1, 1, 100)).problem(413);
        assert!(detail.contains(says), "{detail}");
        socket.message(0x82, &frame_of(most + 1, 1, 100));
        let (code, detail, _) = socket.closed();
        assert_eq!(code, CloseCode::Malformed);
        assert!(detail.contains(says), "{detail}");
        assert!(socket.hang_up(), "it ends in order");
    });
    // A message may have more than one frame, but not twice as much.
    let mut socket = Socket::live(&server, &join(&server, witness.link()).key);
    witness.sees_nothing_of(&server, "a message past 512 KiB", || {
        let _ = socket.try_message(0x82, &vec![0; (512 << 10) + 1]);
        let end = loop {
            if let Err(end) = socket.receive() {
                break end;
            }
        };
        assert_eq!(end.code, 1009);
    });
    let before = witness.revision();
    bob.request(&server, &frame_of(most, 1, 200)).expect(221);
    let mut socket = Socket::live(&server, &join(&server, witness.link()).key);
    socket.message(0x82, &frame_of(most, 1, 300));
    assert_eq!(socket.commit().revision.0, before + 2);
    witness.follows_to(before + 2);
}

#[test]
fn bad_requests_end_only_their_connection() {
    let server = Setup::default().limit("head-time", "\"1s\"").limit("body-time", "\"1s\"").start();
    let mut witness = Witness::on_a_new_desk(&server);
    let bob = join(&server, witness.link());
    let long = "x".repeat(17 << 10);
    let many: Vec<_> = (0..101).map(|_| ("X", "y")).collect();
    let sync = [(KEY, &*bob.key), ("R-User-ID", "x"), FRAMES];
    let chunked = [&sync[..], &[("Transfer-Encoding", "chunked")]].concat();
    let cut = |bytes: Vec<u8>, kept: usize| bytes[..kept].to_vec();
    let rows: [(&str, Vec<u8>, u16); 7] = [
        ("a long field", request(&server, "GET", "/", &[("X", &long)], b""), 431),
        ("a long target", request(&server, "GET", &format!("/{long}"), &[], b""), 431),
        ("many fields", request(&server, "GET", "/", &many, b""), 431),
        ("a long body", request(&server, "PATCH", SYNC, &sync, &vec![0; (1 << 20) + 1]), 413),
        (
            "a long chunk",
            request(&server, "PATCH", SYNC, &chunked, &[b"100001\r\n", &[0; 999][..]].concat()),
            413,
        ),
        ("half a head", cut(request(&server, "GET", "/", &[], b""), 20), 408),
        (
            "half a body",
            {
                let whole = request(&server, "PATCH", SYNC, &sync, &submit_frame(1, 0, vec![]));
                let kept = whole.len() - 9;
                cut(whole, kept)
            },
            408,
        ),
    ];
    for (what, bytes, status) in rows {
        witness.sees_nothing_of(&server, what, || {
            let mut stream = connect(server.address());
            // The server may answer before it has read everything.
            let _ = stream.write_all(&bytes);
            let reply = Reply::read(&mut stream);
            assert_eq!(reply.field("Connection"), Some("close"), "{what}");
            reply.problem(status);
            let end = stream.read(&mut [0]);
            assert!(matches!(end, Ok(0)), "{what}: it ends in order, not with {end:?}");
        });
    }
}

#[test]
fn a_crowded_desk_lets_its_people_come_back() {
    let server = Setup::default().limit("connections-per-desk", "3").start();
    let mut witness = Witness::on_a_new_desk(&server);
    let [bob, carol, dave] = [(); 3].map(|()| join(&server, witness.link()));
    let mut bobs = Socket::live(&server, &bob.key);
    // Two may be on their way to the last place.
    let mut first = Socket::open(&server, &carol.key);
    let mut second = Socket::open(&server, &dave.key);
    witness.sees_nothing_of(&server, "one too many", || {
        first.hello(&carol.key, 1, None, "");
        first.catch_up();
        second.hello(&dave.key, 1, None, "");
        let (code, _, end) = second.closed();
        assert_eq!((code, end.code), (CloseCode::DeskFull, CloseCode::DeskFull.websocket()));
        assert!(second.hang_up(), "it ends in order");
    });
    // Whose line broke comes back, also while the old one is not known to be dead.
    witness.sees_nothing_of(&server, "a newer connection of a client", || {
        let mut again = Socket::open(&server, &bob.key);
        again.hello(&bob.key, 2, None, "");
        again.catch_up();
        assert_eq!(bobs.closed().0, CloseCode::Superseded);
        again.send(&ClientFrame::Ping { nonce: 3 });
        assert_eq!(again.frame(), ServerFrame::Pong { nonce: 3 });
    });
}

/// Writes the same bytes again and again until the peer takes no more: what is
/// left of the last time.
///
/// # Panics
/// When it takes more than any buffers between the two can hold.
fn write_until_full<'a>(stream: &mut TcpStream, bytes: &'a [u8]) -> &'a [u8] {
    stream.set_write_timeout(Some(Duration::from_millis(300))).expect("a time");
    let (mut left, mut total) = (bytes, 0);
    loop {
        match stream.write(left) {
            Ok(taken) => {
                total += taken;
                left = &left[taken..];
                if left.is_empty() {
                    left = bytes;
                }
                assert!(total < 64 << 20, "the server reads on and on");
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return left;
            }
            Err(error) => panic!("the server is to read it later, not never: {error}"),
        }
    }
}

#[test]
fn past_its_rate_a_connection_is_not_read() {
    let server = Setup::default()
        .limit("batches-per-second", "1")
        .limit("batch-burst", "2")
        .limit("presence-per-second", "1")
        .limit("presence-burst", "2")
        .start();
    let mut witness = Witness::on_a_new_desk(&server);
    let mut socket = Socket::live(&server, &join(&server, witness.link()).key);
    let base = witness.revision();
    socket.submit(1, Revision(base), vec![creation(5, "first")]);
    socket.commit();
    witness.follows_to(base + 1);
    // The newest number gets its first answer again, whatever the body.
    let again = masked(0x82, &submit_frame(1, base, vec![creation(6, &"x".repeat(10_000))]));
    witness.sees_nothing_of(&server, "a flood of batches", || {
        write_until_full(socket.stream(), &again);
    });
    assert!(matches!(socket.frame(), ServerFrame::Answer(answer) if answer.client_seq.0 == 1));

    let mut socket = Socket::live(&server, &join(&server, witness.link()).key);
    let mut ping = Vec::new();
    encode_client(&ClientFrame::Ping { nonce: 9 }, &mut ping);
    // The burst is free.
    (0..2).for_each(|_| socket.message(0x82, &ping));
    (0..2).for_each(|_| assert_eq!(socket.frame(), ServerFrame::Pong { nonce: 9 }));
    let paused = || server.metric("sticker_desk_connections_paused_total");
    let before = paused();
    witness.sees_nothing_of(&server, "a flood of pings", || {
        write_until_full(socket.stream(), &masked(0x82, &ping.repeat(1_000)));
    });
    assert!(paused() > before);
    while !matches!(socket.frame(), ServerFrame::Pong { nonce: 9 }) {}
}

#[test]
fn who_reads_no_answers_is_not_read() {
    let server = Server::new();
    let mut witness = Witness::on_a_new_desk(&server);
    let mut socket = Socket::live(&server, &join(&server, witness.link()).key);
    let ping = masked(0x89, &[7; 125]);
    let left = witness
        .sees_nothing_of(&server, "a flood of pings", || write_until_full(socket.stream(), &ping));
    // Once it reads, it is read.
    let mut writer = socket.stream().try_clone().expect("another handle");
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut frame = Vec::new();
            encode_client(&ClientFrame::Ping { nonce: 4 }, &mut frame);
            let rest = [left, &masked(0x82, &frame)].concat();
            writer.set_write_timeout(None).expect("a time");
            writer.write_all(&rest).expect("it is sent");
        });
        // What the witness did meanwhile comes, too.
        let answer = loop {
            match socket.frame() {
                ServerFrame::Commit(_) => {}
                other => break other,
            }
        };
        assert_eq!(answer, ServerFrame::Pong { nonce: 4 });
    });
}

#[test]
fn more_polls_than_may_wait_are_told_when_to_come_back() {
    let server = Setup::default().limit("polls-per-desk", "0").start();
    let mut witness = Witness::on_a_new_desk(&server);
    let bob = join(&server, witness.link());
    witness.sees_nothing_of(&server, "one poll too many", || {
        let target = format!("{SYNC}?since=1&wait=25");
        let reply = get(&server, &target, &[(KEY, &bob.key)]);
        assert!(reply.field("Retry-After").is_some());
        reply.problem(429);
    });
}

#[test]
fn polls_that_wait_hold_nobody_up() {
    // One place between the shards, and enough connections that both have some.
    let server = Setup::default().limit("requests-between-shards", "1").start();
    let mut witness = Witness::on_a_new_desk(&server);
    let bob = join(&server, witness.link());
    // As many of each as one client may have.
    let eve = join(&server, witness.link());
    let target = format!("{SYNC}?since=1&wait=25");
    let mut polls: Vec<_> = (0..16).map(|_| connect(server.address())).collect();
    for (poll, who) in polls.iter_mut().zip([&bob, &eve].into_iter().cycle()) {
        let bytes = request(&server, "GET", &target, &[(KEY, &who.key)], b"");
        poll.write_all(&bytes).expect("it is sent");
    }
    for _ in 0..32 {
        get(&server, &format!("/api/desk/{}/export", bob.id), &[]).expect(200);
    }
    for poll in &polls {
        poll.set_nonblocking(true).expect("a mode");
        let early = poll.peek(&mut [0]).map_err(|error| error.kind());
        assert_eq!(early, Err(ErrorKind::WouldBlock), "others waited for a poll to end");
        poll.set_nonblocking(false).expect("a mode");
    }
    let told = bob.add(&server, 1, "news");
    witness.follows_to(2);
    for poll in &mut polls {
        let polled = Reply::read(poll).expect(200).json();
        assert_eq!(polled["commits"][0]["ops"][0]["create"]["id"], *told);
    }
}
