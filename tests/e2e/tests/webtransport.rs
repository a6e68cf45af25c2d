//! WebTransport, by a client that speaks it byte by byte, and by programs.

use desk_client_native::{Carrier, Carriers, Desk, NewSticker, Options};
use desk_e2e::programs::{edit, note, opened, settle, soon, texts};
use desk_e2e::web::PATH;
use desk_e2e::{Server, Web, create, eventually, join, patch};
use desk_protocol::Revision;
use desk_protocol::frame::{ClientFrame, CloseCode, Presence, ServerFrame};
use serde_json::json;
use tokio::task::block_in_place;

/// Waits until nobody takes part in any desk, and no connection is left.
fn until_all_have_left(server: &Server) {
    eventually("everybody's end", || {
        let left = server.metric("sticker_desk_sessions") == 0
            && server.metric("sticker_desk_quic_connections") == 0;
        left.then_some(())
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn programs_in_sessions_edit_with_others() {
    let server = block_in_place(Server::new);
    let link = block_in_place(|| create(&server, "Together"));
    let link = format!("{}/d/{}", server.url(), link.id);
    let desks = [
        opened(&link, Carriers::WebTransport).await,
        opened(&link, Carriers::Quic).await,
        opened(&link, Carriers::WebTransport).await,
    ];
    let sessions = desks.each_ref().map(|desk| desk.carrier() == Some(Carrier::WebTransport));
    assert_eq!(sessions, [true, false, true]);
    let id = desks[0].add(note("start")).expect("it is added");
    settle(&desks).await;
    for round in 0..20 {
        edit(&desks, id, round);
    }
    settle(&desks).await;
    assert_eq!(texts(&desks[0]).len(), 61);
    // Presence travels in datagrams, both ways.
    for (from, to) in [(0, 1), (1, 2), (2, 0)] {
        let name = format!("person {from}");
        desks[from].set_presence(Presence { name: name.clone(), ..Presence::default() });
        let seen = |client: &desk_client_native::Client| {
            client.people().any(|(_, presence)| presence.name == name)
        };
        soon(desks[to].clone().wait(seen)).await.expect("it is seen");
    }
    for desk in desks {
        desk.close().await;
    }
    block_in_place(|| until_all_have_left(&server));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn carry_5_a_page_that_leaves_is_gone_at_once() {
    let server = block_in_place(Server::new);
    let ada = block_in_place(|| create(&server, "Shared"));
    block_in_place(|| ada.add(&server, 1, "before"));
    let link = format!("{}/d/{}", server.url(), ada.id).parse().expect("a link");
    let options = Options { carriers: Carriers::Quic, ..Options::default() };
    let bob = soon(Desk::join_with(link, options)).await.expect("a desk");
    soon(bob.live()).await.expect("a line");
    // One page arrives at the desk's shard, and one at the other.
    for first in [0, 1] {
        let guest = block_in_place(|| join(&server, &ada.id));
        let mut page = soon(Web::join(&server, &guest, first)).await;
        let parts = soon(page.snapshot()).await;
        assert!(matches!(parts[..], [ServerFrame::SnapshotChunk(_)]), "{parts:?}");
        let head = loop {
            if let ServerFrame::Welcome(welcome) = soon(page.next()).await.expect("a frame") {
                assert!(welcome.snapshot);
                break welcome.revision;
            }
        };
        bob.add(NewSticker::default()).expect("it is added");
        loop {
            if let ServerFrame::Commit(commit) = soon(page.next()).await.expect("a frame") {
                assert_eq!(commit.revision, Revision(head.0 + 1));
                break;
            }
        }
        let name = format!("page {first}");
        page.say(&ClientFrame::Presence(Presence { name: name.clone(), ..Presence::default() }))
            .await;
        let shown = |client: &desk_client_native::Client| {
            client.people().any(|(_, presence)| presence.name == name)
        };
        soon(bob.clone().wait(shown)).await.expect("it is seen");
        // The page is closed: a browser ends its side of the session, and no more.
        page.session.0.finish().expect("it is open");
        soon(page.connection.closed()).await;
        soon(bob.clone().wait(|client| !shown(client))).await.expect("it is gone");
    }
    soon(bob.close()).await;
    block_in_place(|| until_all_have_left(&server));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_reads_last_words_and_learns_the_reason() {
    let server = block_in_place(Server::new);
    let ada = block_in_place(|| create(&server, ""));
    let guest = block_in_place(|| join(&server, &ada.id));
    let mut page = soon(Web::join(&server, &guest, 0)).await;
    let welcomed = async { while !matches!(page.next().await, Some(ServerFrame::Welcome(_))) {} };
    soon(welcomed).await;
    block_in_place(|| {
        let key = [("WebSocket-Session-Key", &*ada.key)];
        let finish = "/api/desk/collaboration/finish";
        patch(&server, finish, &key, &json!({ "diff": "" })).expect(200);
    });
    let mut said = None;
    while let Some(frame) = soon(page.next()).await {
        if let ServerFrame::Close { code, .. } = frame {
            said = Some(code);
        }
    }
    assert_eq!(said, Some(CloseCode::Finished));
    let (code, reason) = soon(page.end()).await;
    assert_eq!((code, &*reason), (u32::from(CloseCode::Finished.websocket()), "finished"));
    page.session.0.finish().expect("it is open");
    soon(page.connection.closed()).await;
    block_in_place(|| until_all_have_left(&server));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn carry_5_what_is_no_session_of_ours_is_refused() {
    let server = block_in_place(Server::new);
    let ada = block_in_place(|| create(&server, ""));
    let good = format!("{PATH}?session_key={}", ada.key);
    let ours = server.url();
    for (target, origin, status) in [
        (&*good, Some("https://evil.example"), 403),
        ("/api/desk/collaboration/other", Some(&*ours), 404),
        (PATH, Some(&*ours), 401),
    ] {
        let mut page = soon(Web::ask(&server, 0, target, origin)).await;
        assert_eq!(soon(page.answer()).await, (status, false), "{target}");
        soon(page.connection.closed()).await;
    }
    // A page sees no status: a bad key is told as the reason of a session that ends.
    let bad = format!("{PATH}?session_key=A-B-C");
    let mut page = soon(Web::ask(&server, 0, &bad, Some(&ours))).await;
    assert_eq!(soon(page.answer()).await.0, 200);
    let (code, reason) = soon(page.end()).await;
    assert_eq!((code, &*reason), (u32::from(CloseCode::KeyVoid.websocket()), "key_void"));
    drop(page);
    block_in_place(|| until_all_have_left(&server));
}
