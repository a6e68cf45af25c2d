//! `kill -9` at moments spread over the store's life: while segments change,
//! tables are written, desks and their buckets expire. What was acknowledged is
//! there, once, as long as its desk lives. `KILLS` in the environment says how
//! many (`make kills`: 100).

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use desk_client_native::{Desk, NewSticker};
use desk_e2e::http::{KEY, try_send};
use desk_e2e::ledger::compare;
use desk_e2e::{Joined, Ledger, Server, Setup, eventually, get, unix_seconds};
use desk_protocol::LinkId;
use serde_json::{Value, json};

const KILLS: usize = 12;
/// Long enough for some kills, short enough that desks and buckets go all the
/// time.
const TTL: u64 = 12;
const BUCKET: u64 = 3;
const PATCHERS: usize = 5;
const EDITORS: usize = 3;
/// Entries of one sticker are long, so that the log goes round.
const ENTRY_BYTES: usize = 1_500;
/// Entries of one desk, before the next one is made.
const ENTRIES: u64 = 120;

fn setup(kill: usize) -> Setup {
    let shards = if kill % 7 == 6 { "1" } else { "2" };
    Setup::default()
        .flag("--desk-ttl", &format!("{TTL}s"))
        .flag("--bucket", &format!("{BUCKET}s"))
        .flag("--session-idle", "1s")
        .flag("--memory", "64KiB")
        .flag("--log-budget", "3MiB")
        .flag("--shards", shards)
        .limit("segment", "\"256KiB\"")
        .limit("frame", "\"16KiB\"")
}

fn kills() -> usize {
    std::env::var("KILLS").map_or(KILLS, |count| count.parse().expect("KILLS is a number"))
}

/// When a desk is gone.
fn end_of(id: &str) -> u64 {
    let id: LinkId = id.parse().expect("a link's id");
    u64::from(id.created_second()) + TTL
}

/// The folder's files with that ending: names, lengths and last changes.
fn files(server: &Server, ending: &str) -> BTreeSet<(String, u64, SystemTime)> {
    let names = server.files().into_iter().filter(|name| name.ends_with(ending));
    let look = |name: String| {
        let metadata = std::fs::metadata(server.data().join(&name)).ok()?;
        Some((name, metadata.len(), metadata.modified().ok()?))
    };
    names.filter_map(look).collect()
}

fn names(files: &BTreeSet<(String, u64, SystemTime)>) -> BTreeSet<&str> {
    files.iter().map(|(name, ..)| &**name).collect()
}

/// The segment that is being written: the one that changed last.
fn active(files: &BTreeSet<(String, u64, SystemTime)>) -> Option<&str> {
    files.iter().max_by_key(|(.., changed)| *changed).map(|(name, ..)| &**name)
}

/// What the kill waits for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Moment {
    Load,
    SegmentChange,
    NewTable,
    TableWrite,
    Removal,
    JustStarted,
}

const MOMENTS: [Moment; 6] = [
    Moment::Load,
    Moment::SegmentChange,
    Moment::NewTable,
    Moment::TableWrite,
    Moment::Removal,
    Moment::JustStarted,
];

/// Entries after which a kill comes all the same.
const ENTRIES_BETWEEN_KILLS: usize = 300;

/// Waits; says whether the moment came by itself.
fn await_moment(moment: Moment, server: &Server, ledger: &Ledger) -> bool {
    let (logs, tables) = (files(server, ".log"), files(server, ".table"));
    let mut newest = tables.clone();
    let before = ledger.count();
    eventually(&format!("{moment:?}"), || {
        let has_come = match moment {
            Moment::JustStarted => true,
            Moment::Load => ledger.count() >= before + 40,
            Moment::SegmentChange => active(&files(server, ".log")) != active(&logs),
            Moment::NewTable => !names(&files(server, ".table")).is_subset(&names(&tables)),
            Moment::TableWrite => {
                let last = std::mem::replace(&mut newest, files(server, ".table"));
                newest.iter().any(|(name, length, _)| {
                    last.iter().any(|(old, before, _)| old == name && before < length)
                })
            }
            Moment::Removal => !names(&tables).is_subset(&names(&files(server, ".table"))),
        };
        let enough = ledger.count() >= before + ENTRIES_BETWEEN_KILLS;
        (has_come || enough).then_some(has_come)
    })
}

fn ask(
    server: SocketAddr,
    method: &str,
    target: &str,
    key: Option<&str>,
    body: &Value,
) -> Option<desk_e2e::Reply> {
    let mut fields = vec![("Content-Type", "application/json"), ("R-User-ID", "kills")];
    fields.extend(key.map(|key| (KEY, key)));
    try_send(server, method, target, &fields, body.to_string().as_bytes())
}

fn entry(name: &str, number: u64) -> String {
    let head = format!("{name}.{number}.");
    let filler = "x".repeat(ENTRY_BYTES - head.len());
    head + &filler
}

/// Makes desk after desk and adds notes by request, each under one number
/// until it is acknowledged or the desk is gone.
fn patch(server: SocketAddr, name: usize, ledger: &Ledger, stop: &AtomicBool) {
    for round in 0.. {
        let joined = eventually("a new desk", || {
            let body = json!({ "name": "", "create_new": true });
            let reply = ask(server, "POST", "/api/desk/init", None, &body)?;
            assert!(matches!(reply.status, 200 | 503), "{reply:?}");
            (reply.status == 200).then(|| Joined::of(reply.json()))
        });
        for seq in 1..=ENTRIES {
            if stop.load(Ordering::Relaxed) {
                return;
            }
            let entry = entry(&format!("p{name}.{round}"), seq);
            let ops = json!([{ "create": { "x": 0, "y": 0, "text": format!("{entry};") } }]);
            let body = json!({ "client_seq": seq, "base_revision": 0, "ops": ops });
            let gone = eventually("the acknowledgement", || {
                let target = "/api/desk/collaboration/sync";
                let reply = ask(server, "PATCH", target, Some(&joined.key), &body)?;
                match reply.status {
                    221 => Some(false),
                    401 | 404 | 410 => {
                        let (now, end) = (unix_seconds(), end_of(&joined.id));
                        assert!(now >= end, "gone at {now}, promised {end}: {reply:?}");
                        Some(true)
                    }
                    503 => None,
                    _ => panic!("{reply:?}"),
                }
            });
            if gone {
                break;
            }
            ledger.add(&joined.id, entry);
        }
    }
}

/// The same through the native client, which resumes by itself.
async fn edit(url: String, name: usize, ledger: Arc<Ledger>, stop: Arc<AtomicBool>) {
    for round in 0.. {
        let desk = loop {
            match Desk::create(&url, "").await {
                Ok(desk) => break desk,
                Err(_) => tokio::task::yield_now().await,
            }
        };
        let id = desk.link().id.to_string();
        for number in 0..ENTRIES {
            if stop.load(Ordering::Relaxed) {
                return;
            }
            let entry = entry(&format!("n{name}.{round}"), number);
            let note = NewSticker { text: format!("{entry};"), ..NewSticker::default() };
            if desk.add(note).is_err() || desk.saved().await.is_err() {
                let (now, end) = (unix_seconds(), end_of(&id));
                assert!(now >= end, "ended at {now}, promised {end}");
                break;
            }
            ledger.add(&id, entry);
        }
        desk.close().await;
    }
}

/// Each desk that lives has all of its entries once; one that has expired is
/// gone. How many live.
fn check(server: &Server, ledger: &Ledger) -> usize {
    let mut alive = 0;
    for id in ledger.desks() {
        let entries = ledger.of(&id);
        let target = format!("/api/desk/{id}/export?format=json");
        let before = unix_seconds();
        let reply = get(server, &target, &[]);
        let end = end_of(&id);
        match reply.status {
            200 => {
                assert!(before < end, "served at {before}, promised until {end}");
                alive += 1;
                let json = reply.json();
                let stickers = json["stickers"].as_array().expect("stickers").iter();
                let text = |sticker: &Value| sticker["text"].as_str().expect("text").to_owned();
                compare(&id, &entries, &stickers.map(text).collect::<Vec<_>>());
            }
            410 => assert!(unix_seconds() >= end, "gone at {before}, promised until {end}"),
            _ => panic!("{id}: {reply:?}"),
        }
    }
    alive
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_over_the_life_of_the_store_lose_and_double_nothing() {
    let mut server = setup(0).start();
    let ledger = Arc::new(Ledger::default());
    let stop = Arc::new(AtomicBool::new(false));
    let editors: Vec<_> = (0..EDITORS)
        .map(|name| {
            let (ledger, stop) = (Arc::clone(&ledger), Arc::clone(&stop));
            tokio::spawn(edit(server.url(), name, ledger, stop))
        })
        .collect();
    let patchers: Vec<_> = (0..PATCHERS)
        .map(|name| {
            let (ledger, stop, address) =
                (Arc::clone(&ledger), Arc::clone(&stop), server.address());
            std::thread::spawn(move || patch(address, name, &ledger, &stop))
        })
        .collect();
    let (mut checked, mut entries, mut timely) = (0, 0, 0);
    for kill in 0..kills() {
        tokio::task::block_in_place(|| {
            let moment = MOMENTS[kill % MOMENTS.len()];
            timely += usize::from(await_moment(moment, &server, &ledger));
            server.kill9();
            entries = ledger.count();
            server.up_with(setup(kill + 1));
            checked += check(&server, &ledger);
        });
    }
    stop.store(true, Ordering::Relaxed);
    for editor in editors {
        editor.await.expect("an editor ends well");
    }
    for patcher in patchers {
        patcher.join().expect("a patcher ends well");
    }
    tokio::task::block_in_place(|| check(&server, &ledger));
    let desks = ledger.desks().len();
    println!(
        "{} kills, {timely} at their moment, {entries} entries on {desks} desks, {checked} checks",
        kills()
    );
    assert!(timely * 2 > kills(), "most kills come at their moment: {timely}");
    assert!(checked > kills(), "{checked} desks were checked");
}
