//! Shards: whatever their number, and however it changes, everything is found.

use std::time::Duration;

use desk_e2e::http::connect;
use desk_e2e::{Server, Setup, create, desk, get, join};
use rustix::net::sockopt::set_socket_linger;
use serde_json::json;

fn shards(count: &str) -> Setup {
    Setup::default().flag("--shards", count)
}

struct Made {
    joined: desk::Joined,
    viewer: String,
    seq: u64,
    texts: Vec<String>,
}

impl Made {
    fn add(&mut self, server: &Server, text: &str) {
        self.seq += 1;
        self.joined.add(server, self.seq, text);
        self.texts.push(text.to_owned());
        self.texts.sort();
    }
}

fn make(server: &Server, count: usize) -> Vec<Made> {
    (0..count)
        .map(|number| {
            let joined = create(server, &format!("desk {number}"));
            let viewer = joined.link(server, "viewer", false);
            Made { joined, viewer, seq: 0, texts: Vec::new() }
        })
        .collect()
}

#[test]
fn everything_is_found_after_a_change_of_shards() {
    let mut server = shards("1").start();
    let mut desks = make(&server, 12);
    for (round, (count, kill)) in
        [("2", true), ("1", false), ("3", true), ("2", false), ("2", true)].into_iter().enumerate()
    {
        for made in &mut desks {
            made.add(&server, &format!("round {round}"));
        }
        if kill {
            server.kill9();
        } else {
            server.stop();
        }
        server.up_with(shards(count));
        for (number, made) in desks.iter().enumerate() {
            let exported = desk::export(&server, &made.joined.id);
            assert_eq!(exported["title"], format!("desk {number}"), "--shards {count}");
            assert_eq!(exported["revision"], round as u64 + 1);
            assert_eq!(desk::texts(&server, &made.viewer), made.texts);
            assert_eq!(join(&server, &made.viewer).answer["role"], "viewer");
            // The old key goes on, with its numbers.
            let again = json!([{ "set_title": { "title": "never" } }]);
            let answer = made.joined.sync(&server, made.seq, 0, again).expect(221).json();
            assert_eq!(answer["revision"], round as u64 + 1);
        }
    }
}

#[test]
fn desks_are_spread_over_all_shards() {
    let server = shards("2").start();
    let desks = make(&server, 16);
    let hints: std::collections::BTreeSet<_> = desks
        .iter()
        .map(|made| made.joined.answer["collaboration"]["shard_hint"].as_u64().expect("a hint"))
        .collect();
    assert_eq!(hints, [0, 1].into());
}

/// So many connections are reset as soon as they are there.
const RESETS: usize = 16_000;

#[test]
fn who_resets_a_connection_at_once_cuts_nobody_else() {
    let server = Setup::default().flag("--shards", "2").start();
    let address = server.address();
    // Resetting, and not closing, is what a peer does that is gone: the server
    // learns of it before it has looked at the connection.
    let reset = || {
        for _ in 0..RESETS / 4 {
            let stream = connect(address);
            set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
        }
    };
    std::thread::scope(|scope| {
        let resets: Vec<_> = (0..4).map(|_| scope.spawn(reset)).collect();
        while !resets.iter().all(|reset| reset.is_finished()) {
            get(&server, "/healthz", &[]).expect(200);
        }
    });
    let log = server.log();
    assert!(!log.contains("Bad file descriptor"), "{log}");
}
