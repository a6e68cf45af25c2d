//! What arrives on a WebSocket and should not: the connection ends with a
//! reason, the desk and everybody else stay as they are.

use std::io::Write as _;

use desk_e2e::socket::{creation, masked, submit_frame};
use desk_e2e::{Server, Socket, create, desk, join, now};
use desk_protocol::frame::{CloseCode, Outcome};
use desk_protocol::{ClientFrame, Revision, ServerFrame};

#[test]
fn malformed_frames_close_with_a_reason_and_change_nothing() {
    let server = Server::new();
    let ada = create(&server, "");
    let mut witness = Socket::live(&server, &ada.key);
    let good = submit_frame(1, 0, vec![creation(1, "never")]);
    let mut other_identifier = good.clone();
    other_identifier[8..12].copy_from_slice(b"NOPE");
    let mut wild_offset = good.clone();
    wild_offset[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
    let mut too_long = good.clone();
    too_long[..4].copy_from_slice(&(300u32 << 10).to_le_bytes());
    let mut too_short = good;
    too_short[..4].copy_from_slice(&1u32.to_le_bytes());
    for malformed in [other_identifier, wild_offset, too_long, too_short] {
        let bob = join(&server, &ada.id);
        let mut socket = Socket::live(&server, &bob.key);
        socket.message(0x82, &malformed);
        let (code, detail, end) = socket.closed();
        assert_eq!(code, CloseCode::Malformed);
        assert!(detail.len() > 10, "{detail}");
        assert_eq!(end.code, CloseCode::Malformed.websocket());
    }
    assert_eq!(desk::export(&server, &ada.id)["revision"], 0);
    witness.submit(1, Revision(0), vec![creation(2, "goes on")]);
    assert_eq!(witness.commit().revision.0, 1);
}

#[test]
fn frames_at_the_wrong_time_close_with_a_reason() {
    let server = Server::new();
    let ada = create(&server, "");
    let hello = |socket: &mut Socket, key: &str| socket.hello(key, 1, None, "");
    let mut early = Socket::open(&server, &ada.key);
    early.submit(1, Revision(0), vec![creation(1, "early")]);
    assert_eq!(early.closed().0, CloseCode::Malformed);

    let mut stranger = Socket::open(&server, &ada.key);
    hello(&mut stranger, "no key at all");
    assert!(matches!(stranger.closed().0, CloseCode::KeyVoid | CloseCode::Malformed));

    let eve = create(&server, "");
    let mut other = Socket::open(&server, &ada.key);
    hello(&mut other, &eve.key);
    assert!(matches!(other.closed().0, CloseCode::KeyVoid | CloseCode::Malformed));
    assert_eq!(desk::export(&server, &ada.id)["revision"], 0);
}

#[test]
fn a_broken_websocket_is_closed_by_rfc_6455() {
    let server = Server::new();
    let ada = create(&server, "");
    let mut text = Socket::live(&server, &ada.key);
    text.message(0x81, b"hello");
    let end = loop {
        if let Err(end) = text.receive() {
            break end;
        }
    };
    assert!(matches!(end.code, 1003 | 1007), "{end:?}");
    let mut unmasked = Socket::open(&server, &join(&server, &ada.id).key);
    unmasked.stream().write_all(&[0x82, 0x01, 0x00]).expect("it is sent");
    assert_eq!(unmasked.receive().expect_err("the end").code, 1002);
    let mut reserved = Socket::open(&server, &join(&server, &ada.id).key);
    reserved.message(0xc2, b"x");
    assert_eq!(reserved.receive().expect_err("the end").code, 1002);
    let mut large = Socket::open(&server, &join(&server, &ada.id).key);
    let _ = large.try_message(0x82, &vec![0; 2 << 20]);
    assert!(matches!(large.receive().expect_err("the end").code, 1009 | 1006));
}

#[test]
fn a_frame_may_be_cut_anywhere() {
    let server = Server::new();
    let ada = create(&server, "");
    let mut socket = Socket::live(&server, &ada.key);
    // Two frames in one message; then one frame over two messages, byte by byte.
    let mut two = submit_frame(1, 0, vec![creation(1, "a")]);
    two.extend(submit_frame(2, 0, vec![creation(2, "b")]));
    socket.message(0x82, &two);
    assert_eq!(socket.commit().revision.0, 1);
    assert_eq!(socket.commit().revision.0, 2);
    for byte in masked(0x82, &submit_frame(3, 2, vec![creation(3, "c")])) {
        socket.stream().write_all(&[byte]).expect("it is sent");
    }
    assert_eq!(socket.commit().revision.0, 3);
}

#[test]
fn an_impossible_batch_ends_no_connection() {
    let server = Server::new();
    let ada = create(&server, "");
    let mut socket = Socket::live(&server, &ada.key);
    socket.submit(1, Revision(0), vec![creation(1, "first")]);
    socket.commit();
    socket.submit(2, Revision(1), vec![creation(2, "fine"), creation(1, "again")]);
    let ServerFrame::Answer(result) = socket.frame() else { panic!("an answer") };
    let Outcome::Rejected { operation, .. } = result.outcome else { panic!("a rejection") };
    assert_eq!((result.client_seq.0, operation), (2, 1));
    socket.submit(3, Revision(1), vec![creation(3, "third")]);
    assert_eq!(socket.commit().revision.0, 2);
    assert_eq!(desk::texts(&server, &ada.id), ["first", "third"]);
}

#[test]
fn a_ping_is_answered() {
    let server = Server::new();
    let ada = create(&server, "");
    let mut socket = Socket::live(&server, &ada.key);
    socket.send(&ClientFrame::Ping { nonce: 77 });
    assert_eq!(socket.frame(), ServerFrame::Pong { nonce: 77 });
}

#[test]
fn past_the_rate_limit_nothing_is_refused() {
    let server = Server::new();
    let ada = create(&server, "");
    let mut socket = Socket::live(&server, &ada.key);
    let begin = now();
    // A burst of 120 is free, 60 more take a second.
    let mut all = Vec::new();
    for seq in 1..=180 {
        all.extend(masked(0x82, &submit_frame(seq, 0, vec![creation(seq, "n")])));
    }
    socket.stream().write_all(&all).expect("it is sent");
    for revision in 1..=180 {
        assert_eq!(socket.commit().revision.0, revision);
    }
    // What was read is served; then nothing is read until the debt is paid.
    socket.submit(181, Revision(0), vec![creation(181, "n")]);
    let mut other = Socket::live(&server, &join(&server, &ada.id).key);
    other.send(&ClientFrame::Ping { nonce: 1 });
    assert_eq!(other.frame(), ServerFrame::Pong { nonce: 1 });
    assert_eq!(socket.commit().revision.0, 181);
    let took = begin.elapsed().as_millis();
    assert!(took >= 900, "60 batches past the burst took {took} ms");
}
