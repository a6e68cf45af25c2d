//! What nobody should send over QUIC: it is answered by name or not at all, costs a
//! bounded amount, and is seen by nobody else.

use std::collections::HashSet;
use std::net::UdpSocket;
use std::time::Duration;

use desk_e2e::programs::soon;
use desk_e2e::quic::{ALPN, config};
use desk_e2e::{Quic, Server, Setup, Web, create, eventually, join};
use desk_protocol::Revision;
use desk_protocol::frame::{ClientFrame, CloseCode, ServerFrame};
use quinn::{ConnectionError, Endpoint, VarInt};
use tokio::task::block_in_place;

fn local() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").expect("a free port")
}

/// Somebody on a desk who must not notice.
async fn witness(server: &Server) -> (desk_e2e::Joined, Quic) {
    let ada = block_in_place(|| create(server, "Quiet"));
    let guest = block_in_place(|| join(server, &ada.id));
    let mut line = Quic::join(server, &guest, 0).await;
    let welcomed = line.find(|frame| matches!(frame, ServerFrame::Welcome(_)).then_some(()));
    soon(welcomed).await;
    (ada, line)
}

/// The witness still sees what happens.
async fn sees(server: &Server, ada: &desk_e2e::Joined, line: &mut Quic, seq: u64) {
    block_in_place(|| ada.add(server, seq, "seen"));
    let committed = line.find(|frame| match frame {
        ServerFrame::Commit(commit) => Some(commit.revision),
        _ => None,
    });
    assert_eq!(soon(committed).await, Revision(seq));
}

/// First packets of handshakes that go no further.
async fn first_packets(count: usize) -> Vec<Vec<u8>> {
    let sink = local();
    sink.set_read_timeout(Some(Duration::from_secs(5))).expect("a time");
    let endpoint = Endpoint::client("127.0.0.1:0".parse().expect("an address")).expect("a socket");
    let mut packets: Vec<Vec<u8>> = Vec::new();
    let mut ids = HashSet::new();
    for first in 0..count {
        let address = sink.local_addr().expect("an address");
        let attempt = endpoint.connect_with(config(ALPN, first as u8), address, "localhost");
        let packet = block_in_place(|| {
            let mut buffer = [0; 2_048];
            loop {
                let (length, _) = sink.recv_from(&mut buffer).expect("a packet");
                // An earlier attempt says that it is given up.
                if length >= 1_200 && ids.insert(buffer[6..14].to_vec()) {
                    return buffer[..length].to_vec();
                }
            }
        });
        drop(attempt.expect("it begins"));
        packets.push(packet);
    }
    packets
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_is_dropped() {
    let server = block_in_place(Server::new);
    let (ada, mut line) = witness(&server).await;
    let socket = local();
    let mut packets = first_packets(4).await;
    // Forged: their keys do not fit any more.
    packets.iter_mut().for_each(|packet| packet[700] ^= 1);
    // Cut: a first packet has 1200 bytes.
    packets.push(packets[0][..600].to_vec());
    // Of an unknown version, long enough to be answered and not.
    for length in [1_200, 300] {
        let mut packet = vec![0; length];
        packet[..7].copy_from_slice(&[0xc0, 0x1a, 0x2a, 0x3a, 0x4a, 8, 7]);
        packets.push(packet);
    }
    for length in [1, 7, 20, 21, 60, 1_200, 1_472] {
        for first in [0x00, 0x40, 0x7f, 0x80, 0xc0, 0xff] {
            packets
                .push((0..length).map(|at| if at == 0 { first } else { (at * 7) as u8 }).collect());
        }
    }
    for packet in packets.iter().cycle().take(20 * packets.len()) {
        socket.send_to(packet, server.quic()).expect("it is sent");
    }
    sees(&server, &ada, &mut line, 1).await;
    // One answer says which versions there are.
    socket.set_read_timeout(Some(Duration::from_secs(5))).expect("a time");
    let mut buffer = [0; 2_048];
    let (length, _) = socket.recv_from(&mut buffer).expect("an answer");
    let answer = &buffer[..length];
    assert!(answer[0] & 0x80 != 0 && answer[1..5] == [0; 4], "{answer:x?}");
    assert!(answer.windows(4).any(|version| version == [0, 0, 0, 1]), "{answer:x?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_open_handshakes_are_bounded() {
    let server = block_in_place(Server::new);
    let (ada, mut line) = witness(&server).await;
    let packets = first_packets(10_000).await;
    let socket = local();
    for (sent, packet) in packets.iter().enumerate() {
        socket.send_to(packet, server.quic()).expect("it is sent");
        if sent % 1_000 == 999 {
            sees(&server, &ada, &mut line, 1 + sent as u64 / 1_000).await;
        }
    }
    block_in_place(|| {
        eventually("demands to prove an address", || {
            (server.metric("sticker_desk_quic_retried_total") > 0).then_some(())
        });
    });
    // Two shards, each with 64 that were not asked to prove it.
    let open = block_in_place(|| server.metric("sticker_desk_quic_connections"));
    assert!(open <= 2 * 64 + 1, "{open} connections");
    // Whoever proves its address gets in meanwhile.
    for first in [0, 1] {
        let guest = block_in_place(|| join(&server, &ada.id));
        let mut late = soon(Quic::join(&server, &guest, first)).await;
        let welcomed = late.find(|frame| matches!(frame, ServerFrame::Welcome(_)).then_some(()));
        soon(welcomed).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn past_quic_connections_others_are_refused() {
    let setup = Setup::default().flag("--shards", "1").limit("quic-connections", "2");
    let server = block_in_place(|| setup.start());
    let (ada, mut line) = witness(&server).await;
    let guest = block_in_place(|| join(&server, &ada.id));
    let second = soon(Quic::join(&server, &guest, 0)).await;
    let endpoint = Endpoint::client("127.0.0.1:0".parse().expect("an address")).expect("a socket");
    let attempt = || endpoint.connect_with(config(ALPN, 0), server.quic(), "localhost");
    let refused = soon(attempt().expect("it begins")).await.expect_err("there is no place");
    let ConnectionError::ConnectionClosed(close) = &refused else { panic!("{refused}") };
    assert_eq!(close.error_code, quinn::TransportErrorCode::CONNECTION_REFUSED);
    sees(&server, &ada, &mut line, 1).await;
    // The place of one who left is free again.
    drop(second);
    block_in_place(|| {
        eventually("a free place", || {
            (server.metric("sticker_desk_quic_connections") < 2).then_some(())
        });
    });
    soon(attempt().expect("it begins")).await.expect("there is a place");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_protocol_is_refused_by_name() {
    let server = block_in_place(Server::new);
    let endpoint = Endpoint::client("127.0.0.1:0".parse().expect("an address")).expect("a socket");
    let connecting = endpoint.connect_with(config(b"other/1", 0), server.quic(), "localhost");
    let refused = soon(connecting.expect("it begins")).await.expect_err("another protocol");
    let ConnectionError::ConnectionClosed(close) = refused else { panic!("{refused:?}") };
    // no_application_protocol, as TLS calls it.
    assert_eq!(u64::from(close.error_code), 0x100 + 120, "{close}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_out_of_order_are_answered_by_name() {
    let server = block_in_place(Server::new);
    let (ada, mut line) = witness(&server).await;
    let said = async |bytes: &[u8]| {
        let mut line = Quic::connect(&server, 0).await;
        line.send.write_all(bytes).await.expect("it is sent");
        let code = line.find(|frame| match frame {
            ServerFrame::Close { code, .. } => Some(*code),
            _ => None,
        });
        let code = soon(code).await;
        let end = soon(line.connection.closed()).await;
        let ConnectionError::ApplicationClosed(close) = end else { panic!("{end:?}") };
        assert_eq!(close.error_code, VarInt::from_u32(code.websocket().into()));
        code
    };
    let mut ping = Vec::new();
    desk_protocol::codec::encode_client(&ClientFrame::Ping { nonce: 1 }, &mut ping);
    assert_eq!(said(&ping).await, CloseCode::Malformed, "no hello");
    assert_eq!(said(&[0xff; 64]).await, CloseCode::Malformed, "a frame of 4 GiB");
    assert_eq!(said(&[8, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]).await, CloseCode::Malformed, "no frame");
    sees(&server, &ada, &mut line, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn carry_1_further_streams_are_refused() {
    let server = block_in_place(Server::new);
    let (ada, mut line) = witness(&server).await;
    // More than may be open at once: each is refused, and makes room for the next.
    for _ in 0..40 {
        let (mut send, mut receive) = soon(line.connection.open_bi()).await.expect("room");
        send.write_all(b"anything").await.expect("it is sent");
        soon(receive.read(&mut [0; 8])).await.expect_err("nobody answers there");
        let mut one_way = soon(line.connection.open_uni()).await.expect("room");
        one_way.write_all(b"anything").await.expect("it is sent");
        soon(one_way.stopped()).await.expect("nobody reads it");
    }
    sees(&server, &ada, &mut line, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frame_whose_rest_does_not_come_ends_its_connection() {
    let setup = Setup::default().limit("body-time", "\"1s\"");
    let server = block_in_place(|| setup.start());
    let (ada, mut line) = witness(&server).await;
    // At its desk's shard and at another.
    for first in 0..2 {
        let guest = block_in_place(|| join(&server, &ada.id));
        let mut half = Quic::join(&server, &guest, first).await;
        soon(half.find(|frame| matches!(frame, ServerFrame::Welcome(_)).then_some(()))).await;
        half.send.write_all(&(100_000_u32).to_le_bytes()).await.expect("it is sent");
        half.send.write_all(&[0; 50_000]).await.expect("it is sent");
        let ended = soon(half.connection.closed()).await;
        let ConnectionError::ApplicationClosed(close) = ended else { panic!("{ended:?}") };
        assert_eq!(close.error_code, VarInt::from_u32(CloseCode::TimedOut.websocket().into()));
    }
    sees(&server, &ada, &mut line, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn carry_1_a_flood_of_streams_ends_its_connection() {
    let server = block_in_place(Server::new);
    let (ada, mut line) = witness(&server).await;
    let guest = block_in_place(|| join(&server, &ada.id));
    let program = Quic::join(&server, &guest, 0).await;
    let guest = block_in_place(|| join(&server, &ada.id));
    let page = Web::join(&server, &guest, 1).await;
    // 1007, and H3_EXCESSIVE_LOAD.
    for (connection, code) in [(&program.connection, 1_007_u32), (&page.connection, 0x107)] {
        let flood = async {
            // One that is given up at once makes room for the next.
            while let Ok(mut stream) = connection.open_uni().await {
                let _ = stream.reset(VarInt::from_u32(0));
            }
        };
        soon(flood).await;
        let ConnectionError::ApplicationClosed(close) = soon(connection.closed()).await else {
            panic!("no reason")
        };
        assert_eq!(
            (close.error_code, &*close.reason),
            (VarInt::from_u32(code), &b"too many streams"[..])
        );
    }
    sees(&server, &ada, &mut line, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn carry_2_datagrams_of_any_length_end_nothing() {
    let server = block_in_place(Server::new);
    let (ada, mut line) = witness(&server).await;
    let guest = block_in_place(|| join(&server, &ada.id));
    let mut loud = Quic::join(&server, &guest, 1).await;
    soon(loud.find(|frame| matches!(frame, ServerFrame::Welcome(_)).then_some(()))).await;
    let most = loud.connection.max_datagram_size().expect("datagrams are taken");
    for length in [0, 1, 3, 4, 100, most - 1, most] {
        for byte in [0, 0xff] {
            loud.connection.send_datagram(vec![byte; length].into()).expect("it fits");
        }
    }
    block_in_place(|| {
        eventually("they are counted", || {
            let unusable = server.metric("sticker_desk_quic_datagrams_unusable_total");
            // Some may be lost.
            (unusable > 7).then_some(())
        });
    });
    sees(&server, &ada, &mut line, 1).await;
    let committed = loud.find(|frame| match frame {
        ServerFrame::Commit(commit) => Some(commit.revision),
        _ => None,
    });
    assert_eq!(soon(committed).await, Revision(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_never_reads_is_bounded_and_comes_back() {
    let server = block_in_place(Server::new);
    let (ada, mut line) = witness(&server).await;
    let guest = block_in_place(|| join(&server, &ada.id));
    let mut deaf = Quic::join(&server, &guest, 0).await;
    soon(deaf.find(|frame| matches!(frame, ServerFrame::Welcome(_)).then_some(()))).await;
    // More than its windows and its queue take.
    let text = "x".repeat(10_000);
    block_in_place(|| {
        for seq in 1..=250 {
            ada.add(&server, seq, &text);
        }
    });
    block_in_place(|| {
        eventually("it is left behind", || {
            (server.metric("sticker_desk_resyncs_total") > 0).then_some(())
        });
    });
    let head = line.find(|frame| match frame {
        ServerFrame::Commit(commit) if commit.revision == Revision(250) => Some(()),
        _ => None,
    });
    soon(head).await;
    // When it reads at last it is given what there is.
    let back = async {
        loop {
            match deaf.next().await.expect("the stream goes on") {
                ServerFrame::Welcome(welcome) => return welcome.revision,
                ServerFrame::Commit(commit) if commit.revision == Revision(250) => {
                    return commit.revision;
                }
                _ => {}
            }
        }
    };
    assert_eq!(soon(back).await, Revision(250));
}
