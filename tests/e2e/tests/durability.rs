//! `kill -9`, twenty times under load: what was acknowledged is there, once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use desk_client_native::{Desk, Edit, NewSticker};
use desk_e2e::http::{KEY, try_send};
use desk_e2e::{Ledger, Server, create, desk, eventually, join};
use desk_protocol::{Delta, StickerId};
use serde_json::json;

const KILLS: usize = 20;
/// Entries that one sticker's text takes before the next one begins.
const ENTRIES: u64 = 100;

/// Edits text through the native client until told to stop. An append that is
/// applied twice would stand in the text twice.
async fn edit(
    link: String,
    desk_id: String,
    name: usize,
    ledger: Arc<Ledger>,
    stop: Arc<AtomicBool>,
) {
    let desk = Desk::join(&link).await.expect("a desk");
    let mut id = StickerId(0);
    for number in 0.. {
        let entry = format!("n{name}.{number}");
        let addition = format!("{entry};");
        if number % ENTRIES == 0 {
            let note = NewSticker { text: addition, ..NewSticker::default() };
            id = desk.add(note).expect("it is added");
        } else {
            let chars =
                desk.view(|desk| desk.sticker(id).expect("the sticker").text.value.chars().count());
            let delta = Delta::from_parts([
                desk_protocol::text::Part::Retain(u32::try_from(chars).expect("a short text")),
                desk_protocol::text::Part::insert(addition),
            ])
            .expect("a sound delta");
            desk.act(vec![Edit::EditText { id, delta }]).expect("it is edited");
        }
        desk.saved().await.expect("it is saved");
        ledger.add(&desk_id, entry);
        if stop.load(Ordering::Relaxed) {
            break;
        }
    }
    desk.close().await;
}

/// Adds notes by `PATCH`, each under one number until it is acknowledged.
fn patch(
    server: std::net::SocketAddr,
    client: &desk::Joined,
    name: usize,
    ledger: &Ledger,
    stop: &AtomicBool,
) {
    for seq in 1u64.. {
        let entry = format!("p{name}.{seq}");
        let body = json!({
            "client_seq": seq, "base_revision": 0,
            "ops": [{ "create": { "x": 0, "y": 0, "text": format!("{entry};") } }],
        });
        let body = body.to_string();
        let fields =
            [("Content-Type", "application/json"), (KEY, &*client.key), ("R-User-ID", "patch")];
        eventually("the acknowledgement", || {
            let target = "/api/desk/collaboration/sync";
            let reply = try_send(server, "PATCH", target, &fields, body.as_bytes())?;
            assert!(matches!(reply.status, 221 | 503), "{reply:?}");
            (reply.status == 221).then_some(())
        });
        ledger.add(&client.id, entry);
        if stop.load(Ordering::Relaxed) {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_kills_lose_and_double_nothing() {
    let mut server = Server::new();
    let desks: Vec<_> = (0..3).map(|_| create(&server, "").id).collect();
    let ledger = Arc::new(Ledger::default());
    let stop = Arc::new(AtomicBool::new(false));
    let mut editors = Vec::new();
    let mut patchers = Vec::new();
    for name in 0..6 {
        let id = desks[name % desks.len()].clone();
        let link = format!("{}/d/{id}", server.url());
        editors.push(tokio::spawn(edit(link, id, name, Arc::clone(&ledger), Arc::clone(&stop))));
    }
    for (name, id) in desks.iter().enumerate().take(2) {
        let client = join(&server, id);
        let (ledger, stop, address) = (Arc::clone(&ledger), Arc::clone(&stop), server.address());
        patchers.push(std::thread::spawn(move || patch(address, &client, name, &ledger, &stop)));
    }
    for kill in 0..KILLS {
        let before = ledger.count();
        tokio::task::block_in_place(|| {
            eventually("progress", || (ledger.count() >= before + 60).then_some(()));
            server.kill9();
            // Sometimes another number of shards has to find it all.
            if kill % 5 == 4 {
                let count = if kill % 2 == 0 { "1" } else { "2" };
                server.up_with(desk_e2e::Setup::default().flag("--shards", count));
            } else {
                server.up();
            }
            ledger.check(&server, &desks);
        });
    }
    stop.store(true, Ordering::Relaxed);
    for editor in editors {
        editor.await.expect("an editor ends well");
    }
    for patcher in patchers {
        patcher.join().expect("a patcher ends well");
    }
    ledger.check(&server, &desks);
    let total = ledger.count();
    assert!(total >= KILLS * 60, "{total}");
    let entries = desks.iter().map(|id| {
        desk::texts(&server, id).iter().map(|text| text.matches(';').count()).sum::<usize>()
    });
    assert_eq!(entries.sum::<usize>(), total, "nothing else is there");
}

#[test]
fn the_log_comes_to_rest_after_a_kill() {
    let mut server = Server::new();
    // Each desk has an owner's and a viewer's link, which are records of their own.
    let desks: Vec<_> = (0..20).map(|_| create(&server, "")).collect();
    let views: Vec<_> = desks.iter().map(|desk| desk.link(&server, "viewer", false)).collect();
    desks.iter().for_each(|desk| drop(desk.add(&server, 1, "a note")));
    server.kill9();
    server.up();
    assert!(server.metric("sticker_desk_log_used_bytes") > 0, "the former run's log is held");
    eventually("a log that nothing holds", || {
        (server.metric("sticker_desk_log_used_bytes") == 0).then_some(())
    });
    // Once more, so that all of it comes from tables.
    server.kill9();
    server.up();
    for (joined, view) in desks.iter().zip(&views) {
        for link in [&joined.id, joined.owner.as_ref().expect("an owner's link"), view] {
            assert_eq!(desk::texts(&server, link), ["a note"]);
        }
    }
}
