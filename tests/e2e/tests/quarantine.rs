//! Bytes that went bad while the server was down: the desk that they belong to
//! says so, all others are served, and `inspect` names what is lost.

use std::path::Path;

use desk_e2e::server::run;
use desk_e2e::{Joined, Server, Setup, create, desk, eventually, get};

/// Flips a bit wherever `needle` stands in the files with that ending, if told
/// to; how often it stands there.
fn find(folder: &Path, ending: &str, needle: &str, damage: bool) -> usize {
    let mut found = 0;
    for entry in std::fs::read_dir(folder).expect("the data folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != ending) {
            continue;
        }
        let mut bytes = std::fs::read(&path).expect("a file of the store");
        let places: Vec<usize> = bytes
            .windows(needle.len())
            .enumerate()
            .filter(|(_, window)| *window == needle.as_bytes())
            .map(|(at, _)| at)
            .collect();
        for at in &places {
            bytes[*at] ^= 1;
        }
        if damage && !places.is_empty() {
            std::fs::write(&path, bytes).expect("it is written");
        }
        found += places.len();
    }
    found
}

/// Three desks with notes, made in turns.
fn three_desks(server: &Server) -> Vec<Joined> {
    let desks: Vec<_> = (0..3).map(|_| create(server, "")).collect();
    for note in 1..=4 {
        for (number, joined) in desks.iter().enumerate() {
            joined.add(server, note, &format!("needle {number} {note}"));
        }
    }
    desks
}

fn notes(number: usize) -> Vec<String> {
    (1..=4).map(|note| format!("needle {number} {note}")).collect()
}

fn inspect(server: &Server) -> (bool, String) {
    let data = server.data();
    let output = run(&["inspect", data.to_str().expect("a path in UTF-8")]);
    (output.status.success(), String::from_utf8(output.stdout).expect("UTF-8"))
}

/// The second of the desks is damaged, the others are as they were.
fn only_one_is_damaged(server: &Server, desks: &[Joined]) {
    for (number, joined) in desks.iter().enumerate() {
        if number != 1 {
            assert_eq!(desk::texts(server, &joined.id), notes(number));
            continue;
        }
        let target = format!("/api/desk/{}/export", joined.id);
        for reply in [get(server, &target, &[]), desk::init(server, &joined.id)] {
            assert!(reply.field("Retry-After").is_some(), "{reply:?}");
            let why = reply.problem(503);
            assert!(why.contains("damaged"), "{why}");
        }
    }
    get(server, "/readyz", &[]).expect(200);
}

#[test]
fn a_desk_with_a_gap_in_its_log_says_so() {
    let mut server = Server::new();
    let desks = three_desks(&server);
    server.kill9();
    assert!(inspect(&server).0, "it is sound before");
    assert_eq!(find(&server.data(), "log", "needle 1 2", true), 1);
    let (sound, text) = inspect(&server);
    assert!(!sound && text.contains("in quarantine") && text.contains("batches lost"), "{text}");
    server.up();
    assert!(server.log().contains("the store is damaged"), "{}", server.log());
    only_one_is_damaged(&server, &desks);
    // Whoever works on another desk notices nothing.
    desks[0].add(&server, 5, "another note");
    server.stop();
    let (sound, text) = inspect(&server);
    assert!(!sound && text.contains("in quarantine"), "its bytes are kept: {text}");
    server.up();
    assert_eq!(desk::texts(&server, &desks[0].id).len(), 5);
    let target = format!("/api/desk/{}/export", desks[1].id);
    get(&server, &target, &[]).problem(503);
}

#[test]
fn a_desk_whose_table_is_damaged_says_so() {
    let mut server = Setup::default()
        .limit("segment", "\"256KiB\"")
        .limit("frame", "\"16KiB\"")
        .flag("--log-budget", "1536KiB")
        .start();
    let desks = three_desks(&server);
    let data = server.data();
    let stored = |number: usize| find(&data, "table", &format!("needle {number} 4"), false) > 0;
    eventually("all desks in tables", || {
        desk::press(&server);
        (0..3).all(stored).then_some(())
    });
    server.stop();
    assert!(find(&data, "table", "needle 1 2", true) >= 1);
    let (sound, text) = inspect(&server);
    assert!(!sound, "{text}");
    server.up();
    only_one_is_damaged(&server, &desks);
    only_one_is_damaged(&server, &desks);
    let log = server.log();
    assert_eq!(log.matches("a desk is damaged").count(), 1, "named once: {log}");
    assert!(server.metric("sticker_desk_desk_loads_failed_total") >= 4, "each look is counted");
}
