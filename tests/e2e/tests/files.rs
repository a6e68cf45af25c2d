//! Export and import.

use std::io::Write as _;

use desk_e2e::http::{KEY, connect, request, send};
use desk_e2e::{Reply, Server, Setup, create, desk, get, join};
use desk_protocol::codec::decode_snapshot;
use desk_protocol::{Desk, ServerFrame};
use serde_json::{Value, json};

fn export(server: &Server, id: &str, query: &str) -> Reply {
    get(server, &format!("/api/desk/{id}/export{query}"), &[]).expect(200)
}

fn import(server: &Server, who: &desk::Joined, media: &str, file: &[u8]) -> Reply {
    let fields = [(KEY, &*who.key), ("Content-Type", media)];
    send(server, "POST", &format!("/api/desk/{}/import", who.id), &fields, file)
}

/// What a sticker looks like, without who made it and when.
fn looks(desk: &Value) -> Vec<Value> {
    let stickers = desk["stickers"].as_array().expect("stickers").iter();
    let looks = stickers.map(|sticker| {
        json!([
            sticker["x"],
            sticker["y"],
            sticker["width"],
            sticker["height"],
            sticker["color"],
            sticker["text"]
        ])
    });
    looks.collect()
}

fn desk_with_notes(server: &Server) -> desk::Joined {
    let ada = create(server, "Ideas");
    let ops = json!([
        { "create": { "x": 1, "y": -2, "width": 300, "color": "#a5d8ff", "text": "plain" } },
        { "create": { "x": 5, "y": 6, "text": "=1+1" } },
        { "create": { "x": 7, "y": 8, "text": "two\nlines, \"quoted\" 🎈" } },
        { "create": { "x": 9, "y": 9, "text": "<script>alert(1)</script>" } },
        { "create": { "x": 9, "y": 9, "text": "-2" } },
        { "create": { "x": 9, "y": 9, "text": "@home" } },
        { "create": { "x": 9, "y": 9, "text": "+4" } },
    ]);
    ada.sync(server, 1, 0, ops).expect(221);
    ada
}

#[test]
fn json_and_csv_come_back_as_they_were() {
    let server = Server::new();
    let ada = desk_with_notes(&server);
    let original = desk::export(&server, &ada.id);
    for (query, media) in [("?format=json", "application/json"), ("?format=csv", "text/csv")] {
        let file = export(&server, &ada.id, query);
        let copy = create(&server, "copy");
        let answer = import(&server, &copy, media, &file.body).expect(200).json();
        assert_eq!(answer["created"].as_array().expect("ids").len(), 7, "{query}");
        let copied = desk::export(&server, &copy.id);
        assert_eq!(looks(&copied), looks(&original), "{query}");
        assert_eq!(copied["revision"], 1, "one batch");
    }
}

#[test]
fn csv_cells_that_a_spreadsheet_would_obey_are_neutralised() {
    let server = Server::new();
    let ada = desk_with_notes(&server);
    let csv = export(&server, &ada.id, "?format=csv");
    for dangerous in [",=1+1", ",-2,2", ",@home", ",+4", "\n=", "\n@"] {
        assert!(!csv.text().contains(dangerous), "{dangerous:?} in {}", csv.text());
    }
    assert!(csv.text().contains("'=1+1"));
    assert!(csv.field("Content-Disposition").is_some_and(|how| how.starts_with("attachment")));
}

#[test]
fn pictures_and_texts_are_harmless() {
    let server = Server::new();
    let ada = desk_with_notes(&server);
    let svg = export(&server, &ada.id, "?format=svg");
    assert_eq!(svg.field("Content-Type"), Some("image/svg+xml"));
    assert!(svg.field("Content-Disposition").is_some_and(|how| how.starts_with("attachment")));
    assert!(!svg.text().contains("<script"));
    assert!(svg.text().contains("&lt;script"));
    let markdown = export(&server, &ada.id, "?format=md");
    assert!(markdown.text().contains("# Ideas"));
    for (format, media, begins) in
        [("png", "image/png", &b"\x89PNG\r\n"[..]), ("pdf", "application/pdf", b"%PDF-1.7")]
    {
        let picture = export(&server, &ada.id, &format!("?format={format}"));
        assert_eq!(picture.field("Content-Type"), Some(media));
        assert!(picture.field("Content-Disposition").is_some_and(|how| how.contains("desk.p")));
        assert!(picture.body.starts_with(begins), "{format}");
    }
    get(&server, &format!("/api/desk/{}/export?format=doc", ada.id), &[]).problem(400);
}

#[test]
fn lines_become_notes_and_others_see_them() {
    let server = Server::new();
    let ada = create(&server, "");
    let bob = join(&server, &ada.id);
    let mut socket = desk_e2e::Socket::live(&server, &bob.key);
    import(&server, &bob, "text/plain", "one\n\ntwo\r\nthree".as_bytes()).expect(200);
    assert_eq!(socket.commit().operations.len(), 3);
    assert_eq!(desk::texts(&server, &ada.id), ["one", "three", "two"]);
}

#[test]
fn boards_of_others_come_in_whatever_their_type_says() {
    let server = Server::new();
    let ada = create(&server, "");
    let node = |id: u32| {
        json!({ "id": id.to_string(), "type": "text", "x": 0, "y": 0, "width": 200, "height": 60,
            "text": format!("node {id}"), "color": "#1E90FF" })
    };
    let group = json!({ "id": "g", "type": "group", "x": 0, "y": 0, "width": 9, "height": 9 });
    let canvas = json!({ "nodes": [node(1), group, node(2)], "edges": [] }).to_string();
    for media in ["application/octet-stream", "text/plain", "application/json"] {
        let answer = import(&server, &ada, media, canvas.as_bytes()).expect(200).json();
        assert_eq!(answer["created"].as_array().map(Vec::len), Some(2), "{media}");
        assert_eq!(answer["told"], json!(["1 group not taken over"]), "{media}");
    }
    import(&server, &ada, "application/vnd.ms-excel", b"Summary;Priority\na;b\n").expect(200);
    import(&server, &ada, "text/tab-separated-values", b"Summary\tPriority\na\tb\n").expect(200);
    import(&server, &ada, "text/markdown", b"- a\n- b\n").expect(200);
    // None lies over another: each import went right of all that was there.
    let desk = desk::export(&server, &ada.id);
    let stickers = desk["stickers"].as_array().expect("stickers");
    let lefts: std::collections::BTreeSet<_> = stickers.iter().map(|s| s["x"].as_i64()).collect();
    assert_eq!((stickers.len(), lefts.len()), (10, 7), "{desk}");
}

#[test]
fn errors_of_import() {
    let server = Server::new();
    let ada = create(&server, "");
    import(&server, &ada, "application/json", b"{").problem(400);
    import(&server, &ada, "application/json", b"{\"stickers\":7}").problem(400);
    import(&server, &ada, "text/plain", b"{\"type\": \"FeatureCollection\"}").problem(400);
    import(&server, &ada, "text/csv", b"text\n\"open").problem(400);
    import(&server, &ada, "text/plain", b"a\x81").problem(400);
    import(&server, &ada, "text/plain", b"\n\n").problem(422);
    import(&server, &ada, "text/plain", "n\n".repeat(5_001).as_bytes()).problem(422);
    import(&server, &ada, "text/plain", "x".repeat(10_001).as_bytes()).problem(422);
    import(&server, &ada, "image/png", b"x").problem(415);
    let viewer = join(&server, &ada.link(&server, "viewer", false));
    import(&server, &viewer, "text/plain", b"x").problem(403);
    assert_eq!(desk::export(&server, &ada.id)["revision"], 0);
}

/// A desk's JSON at the limits: 5,000 notes and 4 MiB of what counts for its size.
fn full_desk() -> Value {
    let notes = (0..5_000).map(|number| {
        let mut text = format!("{number}: \u{e4}\u{1f388} \"quoted\"\nand\ta tab ");
        while text.len() < 770 {
            text.push_str("more words ");
        }
        while text.len() > 774 {
            text.pop();
        }
        json!({ "x": number % 100 * 220 - 11_000, "y": number / 100 * 220, "width": 20 + number % 400,
            "height": 200, "color": format!("#{:06x}", number * 3_000), "z": number, "text": text })
    });
    json!({ "title": "full", "stickers": notes.collect::<Vec<_>>() })
}

#[test]
fn import_2_a_whole_desk_comes_back_at_once() {
    // Half a segment has to hold it.
    let mut server = Setup::default().limit("segment", "\"16MiB\"").start();
    let file = full_desk();
    let ada = create(&server, "full");
    let bob = join(&server, &ada.id);
    let mut socket = desk_e2e::Socket::live(&server, &bob.key);
    let body = file.to_string();
    assert!(body.len() > 4 << 20, "{}", body.len());
    let answer = import(&server, &ada, "application/json", body.as_bytes()).expect(200).json();
    assert_eq!(answer["revision"], 1);
    assert_eq!(answer["created"].as_array().map(Vec::len), Some(5_000));
    // Others see it whole, and go on by commits.
    assert_eq!(snapshot(&mut socket).live_stickers(), 5_000);
    assert_eq!(looks(&desk::export(&server, &ada.id)), looks(&file));
    // One more does not fit, and nothing of it stays.
    import(&server, &ada, "text/plain", b"one more").problem(422);
    // It is on the disk.
    server.kill9();
    server.up();
    assert_eq!(looks(&desk::export(&server, &ada.id)), looks(&file));
    // The command line takes it elsewhere, and says where.
    let path = server.folder().join("full.json");
    let path = path.to_str().expect("UTF-8");
    let (url, base) = (format!("{}/d/{}", server.url(), ada.id), server.url());
    assert!(desk_e2e::server::run(&["export", &url, "-o", path]).status.success());
    let copied = desk_e2e::server::run(&["import", path, "--server", &base]);
    let told = String::from_utf8(copied.stdout).expect("UTF-8");
    assert!(told.contains("added  5000\n"), "{told}");
    let link = told.lines().find_map(|line| line.strip_prefix("edit   ")).expect("a link");
    assert_eq!(looks(&desk::export(&server, &desk::id_of(link))), looks(&file));
}

/// The desk that a connection is given anew.
fn snapshot(socket: &mut desk_e2e::Socket) -> Desk {
    let mut bytes = Vec::new();
    loop {
        if let ServerFrame::SnapshotChunk(chunk) = socket.frame() {
            bytes.extend(chunk.bytes);
            if bytes.len() == chunk.total as usize {
                let parts = decode_snapshot(&bytes).expect("a snapshot");
                return Desk::from_parts(parts).expect("a desk");
            }
        }
    }
}

#[test]
fn import_5_an_import_with_a_key_counts_once() {
    let server = Server::new();
    let ada = create(&server, "");
    let target = format!("/api/desk/{}/import", ada.id);
    let send = |number: &str| {
        let fields =
            [(KEY, &*ada.key), ("Content-Type", "text/plain"), ("Idempotency-Key", number)];
        send(&server, "POST", &target, &fields, b"one\ntwo\n")
    };
    let first = send("a").expect(200).json()["created"].clone();
    assert_eq!(send("a").expect(200).json()["created"], first);
    assert_ne!(send("b").expect(200).json()["created"], first);
    send("").problem(400);
    assert_eq!(desk::texts(&server, &ada.id), ["one", "one", "two", "two"]);
}

#[test]
fn a_table_is_told_what_its_columns_are() {
    let server = Server::new();
    let ada = create(&server, "");
    let fields = [(KEY, &*ada.key), ("Content-Type", "text/csv")];
    let import = |query: &str| {
        let target = format!("/api/desk/{}/import?{query}", ada.id);
        send(&server, "POST", &target, &fields, b"Key,Summary,Left\nA-1,buy tea,7\n")
    };
    import("column=text%3DSummary&column=x%3DLeft&column=y%3DLeft").expect(200);
    import("format=lines").expect(200);
    import("format=doc").problem(400);
    import("column=Summary").problem(400);
    import("column=text%3DNone").problem(400);
    assert_eq!(desk::texts(&server, &ada.id), ["A-1,buy tea,7", "Key,Summary,Left", "buy tea"]);
    assert_eq!(desk::export(&server, &ada.id)["stickers"][0]["x"], 7);
}

/// A shard computes nothing that takes long, or all its desks would stand still meanwhile.
#[test]
fn a_long_export_holds_nobody_up() {
    let server = Setup::default().flag("--shards", "1").start();
    let ada = create(&server, "large");
    let lines: String = (0..3_000).map(|n| format!("Note {n} with some words\n")).collect();
    import(&server, &ada, "text/plain", lines.as_bytes()).expect(200);
    let bob = create(&server, "small");
    for format in ["pdf", "excalidraw"] {
        let mut stream = connect(server.address());
        let path = format!("/api/desk/{}/export?format={format}", ada.id);
        stream.write_all(&request(&server, "GET", &path, &[], b"")).expect("it is sent");
        // The shard has it before what is asked from now on.
        stream.set_nonblocking(true).expect("a mode");
        let begun = || matches!(stream.peek(&mut [0]), Ok(1..));
        let served = std::iter::from_fn(|| {
            bob.poll(&server, 0, 0).expect(200);
            (!begun()).then_some(())
        });
        assert!(served.count() > 5, "the shard served nobody during an export as {format}");
        stream.set_nonblocking(false).expect("a mode");
        Reply::read(&mut stream).expect(200);
    }
}

/// Whoever asks for large files and hangs up costs the time of the file that is being made.
#[test]
fn an_export_that_nobody_waits_for_is_not_made() {
    const ASKED: u64 = 20;
    let server = Setup::default().limit("segment", "\"16MiB\"").start();
    let ada = create(&server, "large");
    import(&server, &ada, "application/json", full_desk().to_string().as_bytes()).expect(200);
    let begun = || server.metric("sticker_desk_beside_jobs_total");
    let open = || server.metric("sticker_desk_connections");
    let path = format!("/api/desk/{}/export?format=pdf", ada.id);
    let ask = || {
        let mut stream = connect(server.address());
        stream.write_all(&request(&server, "GET", &path, &[], b"")).expect("it is sent");
        stream
    };
    let (begun_before, open_before) = (begun(), open());
    let mut first = ask();
    while begun() == begun_before {}
    drop((0..ASKED).map(|_| ask()).collect::<Vec<_>>());
    while open() > open_before + 1 {}
    let mut last = ask();
    for stream in [&mut first, &mut last] {
        Reply::read(stream).expect(200);
    }
    let made = begun() - begun_before;
    assert!(made < ASKED / 2, "{made} files were made");
}
