//! QUIC: programs over it, alone and beside WebSocket.

use desk_client_native::{Carrier, Carriers, Desk};
use desk_e2e::programs::{edit, note, opened, settle, soon, texts};
use desk_e2e::{Quic, Relay, Server, Setup, create, eventually, join};
use desk_protocol::frame::{ClientFrame, Presence, ServerFrame, Submit};
use desk_protocol::{ClientSeq, Operation, Revision};
use tokio::task::block_in_place;
use tokio::time::timeout;

/// Three programs on one desk: two over QUIC, one over WebSocket.
async fn three(server: &Server) -> [Desk; 3] {
    let link = block_in_place(|| create(server, "Together"));
    let link = format!("{}/d/{}", server.url(), link.id);
    let desks = [
        opened(&link, Carriers::Quic).await,
        opened(&link, Carriers::Auto).await,
        opened(&link, Carriers::WebSocket).await,
    ];
    let carriers = desks.each_ref().map(Desk::carrier);
    let (quic, websocket) = (Some(Carrier::Quic), Some(Carrier::WebSocket));
    assert_eq!(carriers, [quic, quic, websocket]);
    desks
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn programs_over_quic_and_websocket_converge() {
    let server = block_in_place(Server::new);
    let desks = three(&server).await;
    let id = desks[0].add(note("start")).expect("it is added");
    settle(&desks).await;
    for round in 0..20 {
        edit(&desks, id, round);
    }
    settle(&desks).await;
    assert_eq!(texts(&desks[0]).len(), 61);
    let text = desks[2].view(|desk| desk.sticker(id).expect("it").text.value.clone());
    for which in 0..3 {
        for round in 0..20 {
            assert!(text.contains(&format!("{which}.{round}")), "{text}");
        }
    }
    assert_eq!(block_in_place(|| server.metric("sticker_desk_quic_misrouted_total")), 0);
    assert_eq!(
        block_in_place(|| server.metric("sticker_desk_quic_elsewhere_total")),
        0,
        "the hint of init leads to the desk's shard"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quic_needs_no_descriptors() {
    // Of these the server leaves 64 to connections.
    let server = block_in_place(|| Setup::default().descriptors(576).start());
    let mut lines = Vec::new();
    for _ in 0..80 {
        lines.push(Quic::connect(&server, 0).await);
    }
    block_in_place(|| create(&server, "There is room for a request"));
    for line in lines {
        assert_eq!(line.connection.close_reason(), None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_is_found_again_over_quic() {
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
    assert_eq!(desks[0].carrier(), Some(Carrier::Quic));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn carry_1_a_guest_is_served_at_any_shard() {
    let server = block_in_place(|| Setup::default().flag("--shards", "3").start());
    let ada = block_in_place(|| create(&server, "Here and there"));
    let mut lines = Vec::new();
    for first in 0..3 {
        let guest = block_in_place(|| join(&server, &ada.id));
        let mut line = Quic::join(&server, &guest, first).await;
        let welcomed = line.find(|frame| matches!(frame, ServerFrame::Welcome(_)).then_some(()));
        soon(welcomed).await;
        lines.push(line);
    }
    let elsewhere = block_in_place(|| server.metric("sticker_desk_quic_elsewhere_total"));
    assert_eq!(elsewhere, 2, "one of three arrives at the desk's shard");
    block_in_place(|| ada.add(&server, 1, "for everybody"));
    for line in &mut lines {
        let committed = line.find(|frame| match frame {
            ServerFrame::Commit(commit) => Some(commit.revision),
            _ => None,
        });
        assert_eq!(soon(committed).await, Revision(1));
    }
    drop(lines);
    block_in_place(|| {
        eventually("their end", || (server.metric("sticker_desk_sessions") == 0).then_some(()));
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn carry_2_presence_travels_in_datagrams() {
    let server = block_in_place(Server::new);
    let ada = block_in_place(|| create(&server, ""));
    let mut lines = Vec::new();
    // At the desk's shard and at the other.
    for first in [0, 1] {
        let guest = block_in_place(|| join(&server, &ada.id));
        let mut line = Quic::join(&server, &guest, first).await;
        let author = line.find(|frame| match frame {
            ServerFrame::Welcome(welcome) => Some(welcome.author),
            _ => None,
        });
        let author = soon(author).await;
        // What others sent it is dropped until its snapshot is there.
        soon(line.snapshot()).await;
        lines.push((line, author));
    }
    for (from, to) in [(0, 1), (1, 0)] {
        let author = lines[from].1;
        let name = format!("person {from}");
        let shown = Presence { name: name.clone(), ..Presence::default() };
        // Datagrams may be lost, and may hold anything.
        lines[from].0.connection.send_datagram(vec![0; 9].into()).expect("it is small");
        let seen = async {
            loop {
                lines[from].0.cast(&ClientFrame::Presence(shown.clone()));
                let news = timeout(std::time::Duration::from_secs(1), lines[to].0.datagram());
                let Ok(ServerFrame::Presence(people)) = news.await else { continue };
                let of = people.iter().find(|person| person.author == author);
                if of.is_some_and(|person| {
                    person.presence.as_ref().is_some_and(|presence| presence.name == name)
                }) {
                    return;
                }
            }
        };
        soon(seen).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn carry_3_a_snapshot_has_a_stream_of_its_own() {
    let server = block_in_place(Server::new);
    let ada = block_in_place(|| create(&server, "Large"));
    let text = "x".repeat(9_000);
    let count = 40;
    block_in_place(|| {
        for seq in 1..=count {
            ada.add(&server, seq, &text);
        }
    });
    let guest = block_in_place(|| join(&server, &ada.id));
    let mut line = Quic::join(&server, &guest, 0).await;
    let (bytes, revision) = soon(line.snapshot()).await;
    assert!(bytes.len() > 300_000, "{} bytes", bytes.len());
    assert_eq!(revision, Revision(count));
    let head = line.find(|frame| match frame {
        ServerFrame::Welcome(welcome) => Some((welcome.snapshot, welcome.revision)),
        ServerFrame::SnapshotChunk(_) => panic!("it comes on its own stream"),
        _ => None,
    });
    assert_eq!(soon(head).await, (true, revision));
    // The product's own client puts it together.
    let link = format!("{}/d/{}", server.url(), ada.id);
    let desk = opened(&link, Carriers::Quic).await;
    assert_eq!(texts(&desk).len() as u64, count);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn carry_4_a_program_reads_last_words() {
    let server = block_in_place(Server::new);
    let ada = block_in_place(|| create(&server, ""));
    for first in [0, 1] {
        let guest = block_in_place(|| join(&server, &ada.id));
        let mut line = Quic::join(&server, &guest, first).await;
        let welcomed = line.find(|frame| matches!(frame, ServerFrame::Welcome(_)).then_some(()));
        soon(welcomed).await;
        // The same number again is older than the newest connection's.
        let mut late = Quic::join(&server, &guest, first).await;
        let code = late.find(|frame| match frame {
            ServerFrame::Close { code, .. } => Some(*code),
            _ => None,
        });
        let code = soon(code).await;
        assert!(soon(late.next()).await.is_none(), "the stream ends behind its last words");
        let end = soon(late.connection.closed()).await;
        let quinn::ConnectionError::ApplicationClosed(close) = end else { panic!("{end:?}") };
        assert_eq!(close.error_code, quinn::VarInt::from_u32(code.websocket().into()));
        assert_eq!(close.reason, code.as_str().as_bytes());
        line.connection.close(quinn::VarInt::from_u32(0), b"");
        block_in_place(|| {
            eventually("its end", || (server.metric("sticker_desk_sessions") == 0).then_some(()));
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn carry_6_a_new_address_ends_nothing() {
    let server = block_in_place(Server::new);
    let ada = block_in_place(|| create(&server, "On the move"));
    let mut line = Quic::join(&server, &ada, 0).await;
    let welcomed = line.find(|frame| matches!(frame, ServerFrame::Welcome(_)).then_some(()));
    soon(welcomed).await;
    for seq in 1..=20 {
        // Each batch is on its way when the address changes.
        let title = format!("title {seq}");
        let base = Revision(seq - 1);
        line.submit(seq, base, vec![Operation::SetTitle { title, yielding: false }]).await;
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a free port");
        line.endpoint.rebind(socket).expect("it is taken");
        let committed = line.find(|frame| match frame {
            ServerFrame::Commit(commit) => Some(commit.revision),
            _ => None,
        });
        assert_eq!(soon(committed).await, Revision(seq));
    }
    assert_eq!(block_in_place(|| server.metric("sticker_desk_quic_accepted_total")), 1);
    assert_eq!(block_in_place(|| server.metric("sticker_desk_quic_misrouted_total")), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn carry_8_a_batch_may_come_by_datagram_alone() {
    let server = block_in_place(Server::new);
    let ada = block_in_place(|| create(&server, "Twice"));
    // At the desk's shard and at the other.
    for first in [0, 1] {
        let guest = block_in_place(|| join(&server, &ada.id));
        let mut line = Quic::join(&server, &guest, first).await;
        let head = line.find(|frame| match frame {
            ServerFrame::Welcome(welcome) => Some(welcome.revision),
            _ => None,
        });
        let head = soon(head).await;
        let batch = |seq: u64| {
            let title = format!("title {seq}");
            let base = Revision(head.0 + seq - 1);
            let operations = vec![Operation::SetTitle { title, yielding: false }];
            let client_seq = ClientSeq(seq);
            ClientFrame::Submit(Submit { client_seq, base, made_at: base, operations })
        };
        for seq in 1..=5 {
            // Datagrams may be lost, on loopback too.
            let committed = async {
                loop {
                    line.cast(&batch(seq));
                    let commit = line.find(|frame| match frame {
                        ServerFrame::Commit(commit) => Some(commit.revision),
                        _ => None,
                    });
                    match timeout(std::time::Duration::from_secs(1), commit).await {
                        Ok(revision) => return revision,
                        Err(_) => continue,
                    }
                }
            };
            assert_eq!(soon(committed).await, Revision(head.0 + seq));
            // The copy on the stream comes late, and another datagram later still.
            line.say(&batch(seq)).await;
            line.cast(&batch(seq));
            let again = line.find(|frame| match frame {
                ServerFrame::Answer(result) => Some(result.client_seq),
                ServerFrame::Commit(commit) => panic!("applied twice: {commit:?}"),
                _ => None,
            });
            assert_eq!(soon(again).await, ClientSeq(seq));
        }
        line.connection.close(quinn::VarInt::from_u32(0), b"");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn carry_8_commits_come_twice_over_a_long_way() {
    let server = block_in_place(Server::new);
    let ada = block_in_place(|| create(&server, "Far away"));
    let mut lines = Vec::new();
    for repeats in [true, false] {
        let way = Relay::new(server.quic(), std::time::Duration::from_millis(30)).await;
        let guest = block_in_place(|| join(&server, &ada.id));
        let mut line = soon(Quic::connect_to(way.address(), 0)).await;
        line.greet(&guest, 1, repeats).await;
        let welcomed = line.find(|frame| matches!(frame, ServerFrame::Welcome(_)).then_some(()));
        soon(welcomed).await;
        soon(line.snapshot()).await;
        lines.push(line);
    }
    block_in_place(|| ada.add(&server, 1, "said twice"));
    for line in &mut lines {
        let committed = line.find(|frame| match frame {
            ServerFrame::Commit(commit) => Some(commit.revision),
            _ => None,
        });
        assert_eq!(soon(committed).await, Revision(1));
    }
    let ServerFrame::Commit(commit) = soon(lines[0].datagram()).await else { panic!("no commit") };
    assert_eq!(commit.revision, Revision(1));
    // Whoever did not say so gets presence alone.
    lines[0].cast(&ClientFrame::Presence(Presence::default()));
    let other = soon(lines[1].datagram()).await;
    assert!(matches!(other, ServerFrame::Presence(_)), "{other:?}");
}
