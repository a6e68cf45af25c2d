//! A disk that is full: changes are refused before the reserve is gone, reading
//! goes on, and room means service, without a restart or with one.

use std::sync::Arc;

use desk_client_native::{Desk, NewSticker, Status};
use desk_e2e::http::{KEY, post};
use desk_e2e::{Joined, Ledger, Reply, Server, Setup, create, desk, eventually, get};
use serde_json::json;

const MIB: u64 = 1 << 20;
const VOLUME_BYTES: u64 = 96 * MIB;
const RESERVE_BYTES: u64 = 24 * MIB;

/// A server on a small file system, or nothing where none can be had.
fn small_disk() -> Option<Server> {
    Setup::default()
        .limit("segment", "\"1MiB\"")
        .limit("free-space", "\"1MiB\"")
        .limit("disk-reserve", &format!("\"{}MiB\"", RESERVE_BYTES / MIB))
        .flag("--log-budget", "16MiB")
        .flag("--session-idle", "1s")
        .start_on_volume(VOLUME_BYTES)
}

/// Someone who adds entries by request, each until it is acknowledged.
struct Patcher {
    client: Joined,
    seq: u64,
    ledger: Arc<Ledger>,
}

impl Patcher {
    fn new(server: &Server) -> Self {
        Self { client: create(server, "full"), seq: 0, ledger: Arc::default() }
    }

    /// Tries the next entry once.
    fn add(&mut self, server: &Server) -> Reply {
        let entry = format!("p{}", self.seq + 1);
        let ops = json!([{ "create": { "x": 0, "y": 0, "text": format!("{entry};") } }]);
        let reply = self.client.sync(server, self.seq + 1, 0, ops);
        if reply.status == 221 {
            self.seq += 1;
            self.ledger.add(&self.client.id, entry);
        }
        reply
    }

    fn check(&self, server: &Server) {
        self.ledger.check(server, [&self.client.id]);
    }
}

/// Adds until the server says that it cannot.
fn until_refused(server: &Server, patcher: &mut Patcher) {
    eventually("a refusal", || {
        let reply = patcher.add(server);
        if reply.status == 221 {
            return None;
        }
        assert!(reply.field("Retry-After").is_some(), "{reply:?}");
        reply.problem(503);
        Some(())
    });
}

fn until_taken(server: &Server, patcher: &mut Patcher) {
    eventually("service", || (patcher.add(server).status == 221).then_some(()));
    eventually("readiness", || (get(server, "/readyz", &[]).status == 200).then_some(()));
}

fn reading_goes_on(server: &Server, patcher: &Patcher) {
    patcher.check(server);
    let client = &patcher.client;
    let body = json!({ "name": client.id, "create_new": false, "session_key": client.key });
    let again = post(server, "/api/desk/init", &[], &body).expect(200).json();
    // Each entry is a batch of its own.
    assert_eq!(again["revision"], patcher.ledger.count());
    let polled = client.poll(server, 0, 0).expect(200).json();
    assert_eq!(polled["revision"], patcher.ledger.count());
    let target = format!("/api/desk/{}/export?format=csv", client.id);
    get(server, &target, &[(KEY, &client.key)]).expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_changes_until_there_is_room() {
    let Some(server) = small_disk() else { return };
    let mut patcher = Patcher::new(&server);
    for _ in 0..5 {
        patcher.add(&server).expect(221);
    }
    let link = format!("{}/d/{}", server.url(), patcher.client.id);
    let editor = Desk::join(&link).await.expect("a desk");
    let entry = |number: u64| NewSticker { text: format!("n{number};"), ..NewSticker::default() };
    editor.add(entry(1)).expect("it is added");
    editor.saved().await.expect("it is saved");
    patcher.ledger.add(&patcher.client.id, "n1".to_owned());

    tokio::task::block_in_place(|| {
        server.volume().fill(RESERVE_BYTES / 2);
        until_refused(&server, &mut patcher);
        let free = server.volume().free_bytes();
        assert!(free >= RESERVE_BYTES / 3, "the reserve is not used up: {free} bytes are left");
        let why = get(&server, "/readyz", &[]).problem(503);
        assert!(why.contains("disk"), "{why}");
    });
    // What is done meanwhile waits on the client, which says so.
    editor.add(entry(2)).expect("it is added");
    tokio::task::block_in_place(|| {
        eventually("the client's honest word", || {
            matches!(editor.status(), Status::Offline { pending: 1, .. }).then_some(())
        });
        reading_goes_on(&server, &patcher);
        assert!(!server.log().contains("poison"), "{}", server.log());
        let id = server.id();
        server.volume().relieve();
        until_taken(&server, &mut patcher);
        assert_eq!(server.id(), id, "it is the same process");
    });
    editor.saved().await.expect("it is saved");
    patcher.ledger.add(&patcher.client.id, "n2".to_owned());
    patcher.check(&server);
    editor.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_on_a_full_disk_loses_nothing() {
    let Some(mut server) = small_disk() else { return };
    let mut patcher = Patcher::new(&server);
    for _ in 0..5 {
        patcher.add(&server).expect(221);
    }
    let link = format!("{}/d/{}", server.url(), patcher.client.id);
    let editor = Desk::join(&link).await.expect("a desk");
    tokio::task::block_in_place(|| {
        // Not a byte is left, not even of the reserve.
        server.volume().fill(0);
        until_refused(&server, &mut patcher);
    });
    let note = NewSticker { text: "n1;".to_owned(), ..NewSticker::default() };
    editor.add(note).expect("it is added");
    tokio::task::block_in_place(|| {
        for _ in 0..2 {
            server.kill9();
            server.up();
            reading_goes_on(&server, &patcher);
            until_refused(&server, &mut patcher);
        }
        server.volume().relieve();
        until_taken(&server, &mut patcher);
    });
    editor.saved().await.expect("it is saved");
    patcher.ledger.add(&patcher.client.id, "n1".to_owned());
    patcher.check(&server);
    editor.close().await;
    tokio::task::block_in_place(|| {
        server.stop();
        server.up();
        patcher.check(&server);
        assert_eq!(desk::texts(&server, &patcher.client.id).len() as u64, patcher.seq + 1);
    });
}

#[test]
fn a_reserve_that_is_the_whole_disk_stops_the_start() {
    let Some(mut server) = small_disk() else { return };
    server.stop();
    let mut command = server.command();
    let limits = format!("[limits]\nsegment = \"1MiB\"\ndisk-reserve = \"{VOLUME_BYTES}B\"\n");
    std::fs::write(server.folder().join("config.toml"), limits).expect("it is written");
    let refused = command.output().expect("it runs");
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8(refused.stderr).expect("UTF-8");
    let last = said.trim().lines().last().expect("a line");
    assert!(last.contains("disk-reserve is 96 MiB") && last.contains("lower it"), "{said}");
}
