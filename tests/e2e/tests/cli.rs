//! The client commands of the binary.

use std::collections::BTreeMap;
use std::fs::DirEntry;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::SystemTime;

use desk_e2e::server::{binary, run};
use desk_e2e::{Server, Setup, create};
use serde_json::json;

fn out(output: Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// A failure: exit code 1 and one line on stderr.
fn failure(output: Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let line = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(line.trim_end().lines().count(), 1, "{line}");
    line
}

/// The link on the line that begins with `kind`.
fn link(text: &str, kind: &str) -> String {
    let line = text.lines().find(|line| line.starts_with(kind)).expect("the line");
    line.split_whitespace().nth(1).expect("the link").to_owned()
}

#[test]
fn a_desk_from_new_to_remove() {
    let server = Server::new();
    let url = server.url();
    let made = out(run(&["new", "From a shell", "--server", &url]));
    let (edit, owner) = (link(&made, "edit"), link(&made, "owner"));
    assert!(edit.starts_with(&format!("{url}/d/")) && owner.starts_with(&url) && edit != owner);

    let lines = server.folder().join("lines.txt");
    std::fs::write(&lines, "first\nsecond\n").expect("a file");
    let lines = lines.to_str().expect("a path in UTF-8");
    assert_eq!(out(run(&["import", lines, "--link", &edit])), "added  2\n");

    let shown = out(run(&["show", &edit]));
    assert!(shown.starts_with("From a shell: 2 stickers, revision 1, until 20"), "{shown}");
    assert!(shown.contains("\n    first\n") && shown.contains("\n    second\n"), "{shown}");
    // The id alone will do, with the server.
    let id = edit.rsplit('/').next().expect("an id");
    assert_eq!(out(run(&["show", id, "--server", &url])), shown);

    let json = server.folder().join("desk.json");
    let json = json.to_str().expect("a path in UTF-8");
    out(run(&["export", &edit, "--format", "json", "-o", json, "--deleted"]));
    let copied = out(run(&["import", json, "--title", "Copy", "--server", &url]));
    let copy = link(&copied, "edit");
    assert!(out(run(&["show", &copy])).starts_with("Copy: 2 stickers"));
    for (format, has) in [
        ("csv", "text"),
        ("md", "# From a shell"),
        ("svg", "<svg"),
        ("excalidraw", "originalText"),
        ("tldr", "tldrawFileFormatVersion"),
        ("canvas", "\"nodes\""),
    ] {
        assert!(out(run(&["export", &edit, "--format", format])).contains(has), "{format}");
    }

    assert_eq!(out(run(&["remove", &edit, "--admin", &url])), "removed\n");
    assert!(failure(run(&["show", &edit])).contains("404"));
}

#[test]
fn failures_are_one_clear_line() {
    let server = Server::new();
    let url = server.url();
    let none = format!("{url}/d/00000000000000000000000001");
    failure(run(&["show", &none]));
    failure(run(&["watch", &none]));
    failure(run(&["export", &none]));
    failure(run(&["remove", &none, "--admin", &url]));
    assert!(failure(run(&["import", "/no/such/file"])).contains("/no/such/file"));
    assert!(failure(run(&["inspect", "/no/such/folder"])).contains("/no/such/folder"));
    // Nobody listens at port 9 of this machine.
    assert!(failure(run(&["new", "--server", "http://127.0.0.1:9"])).contains("127.0.0.1:9"));
    // A file that gives no notes leaves no desk behind.
    let empty = server.folder().join("empty.txt");
    std::fs::write(&empty, "\n").expect("a file");
    failure(run(&["import", empty.to_str().expect("UTF-8"), "--server", &url]));
}

#[test]
fn files_of_other_tools_are_read_and_what_is_no_board_is_refused() {
    let server = Server::new();
    let ada = create(&server, "");
    let url = format!("{}/d/{}", server.url(), ada.id);
    let file = |name: &str, text: &str| {
        let path = server.folder().join(name);
        std::fs::write(&path, text).expect("a file");
        path.to_str().expect("UTF-8").to_owned()
    };
    let canvas = r#"{"nodes": [{"type": "text", "text": "a", "x": 0, "y": 0, "width": 9,
        "height": 60}, {"type": "file", "file": "b.md"}]}"#;
    // The name says nothing.
    let told = out(run(&["import", &file("canvas.txt", canvas), "--link", &url]));
    assert_eq!(
        told,
        "added  1\ntold   1 file not taken over\ntold   1 note held to a size that a note can have\n"
    );
    let table = file("issues.csv", "Summary,Priority\na,high\n");
    out(run(&["import", &table, "--column", "text=priority", "--link", &url]));
    let lines = file("lines.csv", "- not, an\n- item, of a list\n");
    out(run(&["import", &lines, "--format", "lines", "--link", &url]));
    let there = desk_e2e::desk::texts(&server, &ada.id);
    assert_eq!(there, ["- item, of a list", "- not, an", "a", "high"]);

    let map = file("map.json", "{\"type\": \"FeatureCollection\", \"features\": []}");
    let said = failure(run(&["import", &map, "--link", &url]));
    assert!(said.contains("map.json") && said.contains("FeatureCollection"), "{said}");
    assert!(said.contains("Excalidraw, tldraw, JSON Canvas"), "{said}");
    let said = failure(run(&["import", &table, "--column", "text=Nope", "--link", &url]));
    assert!(said.contains("\"Summary\", \"Priority\""), "{said}");
    assert_eq!(desk_e2e::desk::texts(&server, &ada.id).len(), 4, "nothing was added");
}

#[test]
fn watch_prints_changes_live() {
    let server = Server::new();
    let ada = create(&server, "Watched");
    let id = ada.add(&server, 1, "before");
    let url = format!("{}/d/{}", server.url(), ada.id);
    let mut child = Command::new(binary())
        .args(["watch", &url])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let mut line = || lines.next().expect("a line").expect("UTF-8");
    assert_eq!(line(), "connected: Watched, 1 sticker");
    let ops = json!([
        { "move": { "id": id, "x": 60, "y": 10 } },
        { "edit_text": { "id": id, "delta": [{ "retain": 6 }, { "insert": "\nand \u{1b}[2J" }] } },
    ]);
    ada.sync(&server, 2, 1, ops).expect(221);
    let author = &ada.answer["author"];
    assert_eq!(line(), format!("r2 #{author} (tester)  {id}  moved to 60,10"));
    assert_eq!(line(), format!("r2 #{author} (tester)  {id}  text: before ⏎ and \u{fffd}[2J"));
    ada.sync(&server, 3, 2, json!([{ "delete": { "id": id } }])).expect(221);
    assert_eq!(line(), format!("r3 #{author} (tester)  {id}  deleted"));
    child.kill().expect("it runs");
    child.wait().expect("it ends");
}

#[test]
fn inspect_tells_sound_from_damaged() {
    let mut server = Setup::default().flag("--session-idle", "1s").start();
    let ada = create(&server, "");
    ada.add(&server, 1, "kept");
    desk_e2e::eventually("a stored desk", || (server.hot_desks() == 0).then_some(()));
    server.stop();
    let data = server.data();
    let folder = data.to_str().expect("a path in UTF-8");
    let before = contents(&data);
    let sound = out(run(&["inspect", folder]));
    assert!(sound.contains("every checksum is right"), "{sound}");
    assert!(before == contents(&data), "it changes nothing");

    // One bit of each part, one part at a time: a value of a table, the table's
    // footer and trailer, both slots of the manifest.
    let tables = before.keys().filter(|name| name.ends_with(".table"));
    let has_text = |name: &&String| before[*name].1.windows(4).any(|bytes| bytes == b"kept");
    let table = tables.clone().find(has_text).expect("a table with the text");
    let value = before[table].1.windows(4).position(|bytes| bytes == b"kept").expect("the text");
    let trailer = before[table].1.len() - 4096;
    let mut places = vec![
        (table.as_str(), value, "a value"),
        (table, 4096, "the directory"),
        (table, trailer - 4096, "the footer"),
        (table, trailer + 8, "the footer"),
        ("manifest", 40, "a slot of the manifest"),
        ("manifest", (1 << 20) + 40, "a slot of the manifest"),
    ];
    // And the header of each segment that has one.
    let segments = before.iter().filter(|(name, _)| name.ends_with(".log"));
    let used = segments.filter(|(_, (_, bytes))| bytes[..4096].iter().any(|byte| *byte != 0));
    places.extend(used.map(|(name, _)| (name.as_str(), 30, "a header of a log segment")));
    assert!(places.len() > 6, "a segment was used");
    for (name, at, part) in places {
        let mut bytes = before[name].1.clone();
        bytes[at] ^= 1;
        std::fs::write(data.join(name), &bytes).expect("it is written");
        let damaged = run(&["inspect", folder]);
        let text = String::from_utf8_lossy(&damaged.stdout).into_owned();
        assert_eq!(damaged.status.code(), Some(1), "byte {at} of {name}: {text}");
        let named =
            |line: &str| line.starts_with(&format!("damaged  {name} at")) && line.contains(part);
        assert!(text.lines().any(named), "byte {at} of {name}: {text}");
        std::fs::write(data.join(name), &before[name].1).expect("it is written");
    }
    out(run(&["inspect", folder]));

    let empty = server.folder().join("empty");
    std::fs::create_dir(&empty).expect("a folder");
    let said = failure(run(&["inspect", empty.to_str().expect("UTF-8")]));
    assert!(said.contains("no store in this folder"), "{said}");
    assert!(contents(&empty).is_empty());
}

/// All files of a folder: when each was changed, and what is in it.
fn contents(folder: &Path) -> BTreeMap<String, (SystemTime, Vec<u8>)> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("a file"));
    let with_contents = |entry: DirEntry| {
        let changed = entry.metadata().and_then(|of| of.modified()).expect("its time");
        let bytes = std::fs::read(entry.path()).expect("its bytes");
        (entry.file_name().into_string().expect("UTF-8"), (changed, bytes))
    };
    entries.map(with_contents).collect()
}
