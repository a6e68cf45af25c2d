//! Expiry: to the second, and the bucket's files with it.

use desk_e2e::http::KEY;
use desk_e2e::server::run;
use desk_e2e::{Server, Setup, Socket, create, desk, eventually, get, unix_seconds};
use desk_protocol::LinkId;
use desk_protocol::frame::CloseCode;
use serde_json::json;

const TTL: u64 = 5;

fn short() -> Setup {
    Setup::default()
        .flag("--desk-ttl", &format!("{TTL}s"))
        .flag("--bucket", "2s")
        .flag("--session-idle", "1s")
}

/// The second that init promises, which is the id's own and the lifetime.
fn expires(joined: &desk::Joined) -> u64 {
    let id: LinkId = joined.id.parse().expect("an id");
    let promised = unix_second(joined.answer["expires_at"].as_str().expect("a time"));
    assert_eq!(promised, u64::from(id.created_second()) + TTL);
    promised
}

/// The second of a time like `2026-06-02T09:00:00Z` (RFC 3339), counting days
/// as in Howard Hinnant's "chrono-Compatible Low-Level Date Algorithms".
fn unix_second(time: &str) -> u64 {
    let numbers: Vec<u64> = time
        .trim_end_matches('Z')
        .split(['-', 'T', ':'])
        .map(|n| n.parse().expect("a number"))
        .collect();
    let [year, month, day, hour, minute, second] = numbers[..] else { panic!("{time}") };
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1;
    (days - 719_468) * 86_400 + hour * 3_600 + minute * 60 + second
}

#[test]
fn a_desk_is_gone_to_the_second() {
    let server = short().start();
    let ada = create(&server, "");
    ada.add(&server, 1, "short-lived");
    let mut socket = Socket::live(&server, &ada.key);
    let view = ada.link(&server, "viewer", false);
    let expires = expires(&ada);
    let target = format!("/api/desk/{}/export", ada.id);
    eventually("the desk's end", || {
        let before = unix_seconds();
        let status = get(&server, &target, &[]).status;
        let after = unix_seconds();
        match status {
            200 => assert!(before < expires, "still there at {before}, promised {expires}"),
            410 => assert!(after >= expires, "gone at {after}, promised {expires}"),
            other => panic!("{other}"),
        }
        (status == 410).then_some(())
    });
    let (code, ..) = socket.closed();
    assert_eq!(code, CloseCode::Expired);
    for id in [&ada.id, &view, ada.owner.as_ref().expect("an owner's link")] {
        desk::init(&server, id).problem(410);
    }
    let gone = |reply: desk_e2e::Reply| assert!(matches!(reply.status, 401 | 410), "{reply:?}");
    gone(ada.sync(&server, 2, 1, json!([])));
    gone(ada.poll(&server, 0, 0));
    gone(get(&server, "/api/desk/collaboration/sync?since=0", &[(KEY, &ada.key)]));
}

/// The folder's table files.
fn tables(server: &Server) -> Vec<String> {
    server.files().into_iter().filter(|name| name.ends_with(".table")).collect()
}

#[test]
fn the_files_of_a_bucket_go_after_its_end() {
    let mut server = short().start();
    let ada = create(&server, "");
    ada.add(&server, 1, "short-lived");
    // A planned stop stores it in a table.
    server.stop();
    let stored = tables(&server);
    assert!(!stored.is_empty(), "{:?}", server.files());
    server.up();
    eventually("no table", || {
        let left = tables(&server);
        stored.iter().all(|file| !left.contains(file)).then_some(())
    });
    assert!(unix_seconds() >= expires(&ada), "not before the promised end");
}

#[test]
fn the_files_of_a_bucket_go_in_the_run_that_made_them() {
    let server = short()
        .limit("segment", "\"256KiB\"")
        .limit("frame", "\"16KiB\"")
        .flag("--log-budget", "1536KiB")
        .start();
    let id = server.id();
    for round in 0..2 {
        let ada = create(&server, "");
        ada.add(&server, 1, &format!("short-lived {round}"));
        // A log that moves on makes the table of the desk's bucket.
        let before = tables(&server);
        let stored = eventually("a table", || {
            desk::press(&server);
            tables(&server).into_iter().find(|table| !before.contains(table))
        });
        eventually("its end", || (!tables(&server).contains(&stored)).then_some(()));
        assert!(unix_seconds() >= expires(&ada), "not before the promised end");
        desk::init(&server, &ada.id).problem(410);
    }
    eventually("an empty folder", || tables(&server).is_empty().then_some(()));
    assert_eq!(server.id(), id, "it never restarted");
}

#[test]
fn expired_desks_do_not_come_back_with_a_restart() {
    let mut server = short().start();
    let ada = create(&server, "");
    ada.add(&server, 1, "short-lived");
    server.kill9();
    eventually("its second", || (unix_seconds() > expires(&ada)).then_some(()));
    server.up();
    desk::init(&server, &ada.id).problem(410);
    let new = create(&server, "new");
    new.add(&server, 1, "fresh");
    server.stop();
    let data = server.data();
    let inspected = run(&["inspect", data.to_str().expect("a path in UTF-8")]);
    assert!(inspected.status.success(), "{inspected:?}");
}

/// Served up to the promised second, and gone from then on.
fn is_gone_as_promised(server: &Server, joined: &desk::Joined) {
    let expires = expires(joined);
    let target = format!("/api/desk/{}/export", joined.id);
    eventually("the promised end", || {
        let before = unix_seconds();
        let status = get(server, &target, &[]).status;
        let after = unix_seconds();
        assert!(status == 410 || before < expires, "{status} at {before}, promised {expires}");
        assert!(status == 200 || after >= expires, "{status} at {after}, promised {expires}");
        (status == 410).then_some(())
    });
}

#[test]
fn a_promised_end_does_not_move_with_the_flag() {
    let mut server = short().start();
    let ada = create(&server, "");
    ada.add(&server, 1, "short-lived");
    server.stop();
    server.up_with(Setup::default().flag("--desk-ttl", "7d"));
    is_gone_as_promised(&server, &ada);
}

#[test]
fn a_new_desk_is_promised_what_its_bucket_keeps() {
    // The buckets of the next minute and a half are made by the first run, with its lifetime.
    let mut server = short().start();
    server.stop();
    server.up_with(Setup::default().flag("--desk-ttl", "7d"));
    let ada = create(&server, "");
    ada.add(&server, 1, "short-lived");
    let told = |joined: &desk::Joined| joined.answer["expires_at"].clone();
    assert_eq!(told(&desk::join(&server, &ada.id)), told(&ada));
    server.kill9();
    server.up();
    assert_eq!(told(&desk::join(&server, &ada.id)), told(&ada));
    is_gone_as_promised(&server, &ada);
}

#[test]
fn a_file_that_cannot_be_removed_stops_nothing_else() {
    let server = short()
        .limit("segment", "\"256KiB\"")
        .limit("frame", "\"16KiB\"")
        .flag("--log-budget", "1536KiB")
        .start();
    create(&server, "").add(&server, 1, "short-lived");
    let table = eventually("a table", || {
        desk::press(&server);
        tables(&server).into_iter().next()
    });
    // A folder in its place can be neither opened nor removed as a file.
    let path = server.data().join(table);
    std::fs::rename(&path, server.folder().join("table")).expect("it is moved away");
    std::fs::create_dir(&path).expect("a folder in its place");
    eventually("three tries", || {
        get(&server, "/readyz", &[]).expect(200);
        (server.metric("sticker_desk_unlinks_failed_total") >= 3).then_some(())
    });
    assert_eq!(server.log().matches("cannot be removed").count(), 1, "{}", server.log());
    // Buckets are still made, so that new desks have one.
    is_gone_as_promised(&server, &create(&server, "later"));
}
