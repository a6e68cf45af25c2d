//! A disk whose writes fail: nothing is acknowledged any more, `/readyz` says
//! so, and a restart on a mended disk has all that was acknowledged.

use desk_e2e::http::try_send;
use desk_e2e::socket::creation;
use desk_e2e::volume::Kind;
use desk_e2e::{Ledger, Server, Setup, Socket, create, desk, eventually, get};
use desk_protocol::Revision;
use serde_json::json;

/// The code of a WebSocket's end (RFC 6455, section 7.4.1).
const INTERNAL_ERROR: u16 = 1011;

const VOLUME_BYTES: u64 = 96 << 20;

/// `None`, and a line that says why, where no file system can be broken.
fn breakable(setup: Setup) -> Option<Server> {
    let server = setup
        .limit("segment", "\"1MiB\"")
        .limit("free-space", "\"1MiB\"")
        .limit("disk-reserve", "\"4MiB\"")
        .flag("--log-budget", "16MiB")
        .start_on_volume(VOLUME_BYTES)?;
    if server.volume().kind() != Kind::Ext4 {
        eprintln!("SKIPPED, only root can mount a file system that fails");
        return None;
    }
    Some(server)
}

#[test]
fn a_manifest_that_cannot_be_written_stops_every_shard() {
    let setup = Setup::default().flag("--bucket", "1s").flag("--desk-ttl", "1m");
    let Some(server) = breakable(setup) else { return };
    // Nobody asks for anything: only the manifest is written, once a bucket.
    server.volume().break_down();
    eventually("two poisoned shards", || {
        (server.metric("sticker_desk_store_poisoned") == 2).then_some(())
    });
    get(&server, "/readyz", &[]).problem(503);
}

#[test]
fn a_disk_that_hangs_fills_no_memory() {
    let setup = Setup::default().flag("--shards", "1").limit("log-waiting", "\"64KiB\"");
    let Some(server) = breakable(setup) else { return };
    let ada = create(&server, "hanging");
    let owner = ada.as_owner(&server);
    let mut socket = Socket::live(&server, &ada.key);
    let frozen = server.volume().freeze();
    // Batches by WebSocket wait for no answer.
    let text = "x".repeat(9_000);
    let sent = 12;
    for seq in 1..=sent {
        socket.submit(seq, Revision(0), vec![creation(seq, &text)]);
    }
    eventually("a refusal", || {
        let refused = get(&server, "/readyz", &[]).status == 503;
        refused.then_some(())
    });
    let taken = server.metric("sticker_desk_operations_total");
    for seq in 1..=3 {
        socket.submit(sent + seq, Revision(0), vec![creation(sent + seq, &text)]);
        let ops = json!([{ "create": { "x": 0, "y": 0, "text": "waits" } }]);
        let body = json!({ "client_seq": 1, "base_revision": 0, "ops": ops });
        let why = owner.sync_body(&server, &body).problem(503);
        assert!(
            why.contains("cannot store changes"),
            "told at once, not when its time is over: {why}"
        );
    }
    assert_eq!(server.metric("sticker_desk_operations_total"), taken, "nothing is taken any more");
    drop(frozen);
    eventually("service", || (get(&server, "/readyz", &[]).status == 200).then_some(()));
    owner.add(&server, 1, "goes on");
}

#[test]
fn a_disk_that_hangs_is_told_to_the_operator() {
    let Some(server) = breakable(Setup::default()) else { return };
    let ada = create(&server, "hanging");
    let mut socket = Socket::live(&server, &ada.key);
    let frozen = server.volume().freeze();
    // Far from filling what may wait for the disk.
    socket.submit(1, Revision(0), vec![creation(1, "x")]);
    let why = eventually("a word", || {
        let ready = get(&server, "/readyz", &[]);
        (ready.status == 503).then(|| ready.problem(503))
    });
    assert!(why.contains("does not end"), "{why}");
    eventually("a line in the log", || {
        // A shard looks when it has something to do.
        get(&server, "/readyz", &[]);
        server.log().contains("a write to the data folder has not ended").then_some(())
    });
    drop(frozen);
    assert_eq!(socket.commit().revision.0, 1);
    eventually("service", || (get(&server, "/readyz", &[]).status == 200).then_some(()));
}

#[test]
fn a_failed_write_stops_acknowledging_until_a_restart() {
    let Some(mut server) = breakable(Setup::default()) else { return };
    let ada = create(&server, "broken");
    let ledger = Ledger::default();
    let body = |seq: u64| {
        let ops = json!([{ "create": { "x": 0, "y": 0, "text": format!("p{seq};") } }]);
        json!({ "client_seq": seq, "base_revision": 0, "ops": ops })
    };
    for seq in 1..=5 {
        ada.sync_body(&server, &body(seq)).expect(221);
        ledger.add(&ada.id, format!("p{seq}"));
    }
    let mut socket = Socket::live(&server, &ada.as_owner(&server).key);
    get(&server, "/readyz", &[]).expect(200);

    server.volume().break_down();
    let fields = [
        ("Content-Type", "application/json"),
        ("WebSocket-Session-Key", &*ada.key),
        ("R-User-ID", "tester"),
    ];
    let target = "/api/desk/collaboration/sync";
    let sent = body(6).to_string();
    let ask = || try_send(server.address(), "PATCH", target, &fields, sent.as_bytes());
    // The first one is what finds out. Its sender is told at once, as are those
    // who come later, and not when a request's time is over.
    std::thread::scope(|scope| {
        let first = scope.spawn(ask);
        let why = eventually("a server that is not ready", || {
            let reply = get(&server, "/readyz", &[]);
            (reply.status == 503).then(|| reply.problem(503))
        });
        assert!(why.contains("restart"), "{why}");
        let end = loop {
            if let Err(end) = socket.receive() {
                break end;
            }
        };
        assert_eq!(end.code, INTERNAL_ERROR, "{end:?}");
        let again = ask().expect("an answer");
        assert!(again.field("Retry-After").is_some(), "{again:?}");
        for reply in [again, first.join().expect("the sender ends").expect("an answer")] {
            let why = reply.problem(503);
            assert!(!why.contains("too long"), "{why}");
        }
        // What is not durable is not shown, either.
        let export = format!("/api/desk/{}/export?format=json", ada.id);
        let why = get(&server, &export, &[]).problem(503);
        assert!(!why.contains("too long"), "{why}");
    });
    server.kill9();
    server.volume().mount_again();
    server.up();
    get(&server, "/readyz", &[]).expect(200);
    ledger.check(&server, [&ada.id]);
    // The same number once more: it is applied once, whether it had reached the disk or not.
    ada.sync_body(&server, &body(6)).expect(221);
    ledger.add(&ada.id, "p6".to_owned());
    ledger.check(&server, [&ada.id]);
    assert_eq!(desk::texts(&server, &ada.id).len(), 6);
}

/// A file stays open when its name goes, and what is written there goes with it.
#[test]
fn nothing_is_acknowledged_into_a_file_that_is_gone() {
    let mut server = Server::new();
    let ada = create(&server, "removed");
    for number in 1..=20 {
        ada.add(&server, number, "before");
    }
    // The folder was just looked at.
    std::fs::remove_dir_all(server.data()).expect("it goes");
    let ops = json!([{ "create": { "x": 0, "y": 0, "text": "after" } }]);
    ada.sync(&server, 21, 20, ops).problem(503);
    let why = get(&server, "/readyz", &[]).problem(503);
    assert!(why.contains("restart"), "{why}");
    assert!(server.log().contains("no such file"), "{}", server.log());
    server.kill9();
    server.up();
    get(&server, "/readyz", &[]).expect(200);
}

/// Files of a folder that is gone stay open, and what is written there goes with it.
#[test]
fn nothing_is_acknowledged_into_a_folder_that_is_gone() {
    for copied in [false, true] {
        let mut server = Server::new();
        let ada = create(&server, "moved");
        ada.add(&server, 1, "before");
        // The folder was not looked at for a second.
        assert_eq!(ada.poll(&server, 1, 1).expect(200).json()["commits"], json!([]));
        let (data, aside) = (server.data(), server.data().with_extension("aside"));
        std::fs::rename(&data, &aside).expect("it moves");
        if copied {
            std::fs::create_dir(&data).expect("another one");
        }
        let ops = json!([{ "create": { "x": 0, "y": 0, "text": "after" } }]);
        ada.sync(&server, 2, 1, ops).problem(503);
        let why = get(&server, "/readyz", &[]).problem(503);
        assert!(why.contains("restart"), "{why}");
        server.kill9();
        if copied {
            std::fs::remove_dir(&data).expect("it goes");
        }
        std::fs::rename(&aside, &data).expect("it comes back");
        server.up();
        ada.add(&server, 2, "again");
        assert!(desk::texts(&server, &ada.id).contains(&"before".to_owned()));
    }
}
