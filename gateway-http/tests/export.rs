//! A desk as a file, and back.
#![allow(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

use std::collections::BTreeMap;

use desk_files::Kind;
use desk_gateway_http::Time;
use desk_gateway_http::export::{self, ExportedDesk, Format};
use desk_gateway_http::import;
use desk_gateway_http::route::Import;
use desk_protocol::desk::DeskParts;
use desk_protocol::limits::DeskLimits;
use desk_protocol::operation::{Create, Operation};
use desk_protocol::sticker::Stamped;
use desk_protocol::{Author, Color, Desk, LinkId, Point, Size, Stamp, Sticker, StickerId};
use expect_test::expect;

/// An import that says nothing of its file.
fn plain() -> Import {
    Import { link: LinkId(0), kind: None, columns: Vec::new(), deleted: false }
}

/// 2026-11-23 18:00 UTC, in seconds.
const CREATED: u64 = 1_795_456_800;

fn sticker(id: u64, x: i32, z: i64, text: &str) -> Sticker {
    fn own<T>(value: T) -> Stamped<T> {
        Stamped::new(value, Stamp::default())
    }
    Sticker {
        id: StickerId(id),
        position: own(Point { x, y: 10 }),
        size: own(Size::default()),
        color: own(Color::default()),
        z: own(z),
        deleted: own(false),
        text: own(text.to_owned()),
        author: Author(2),
        created_at_ms: CREATED * 1_000 + 999,
        kind: Default::default(),
        locked: own(false),
        counters: BTreeMap::new(),
    }
}

fn desk(title: &str, stickers: Vec<Sticker>) -> Desk {
    let title = Stamped::new(title.to_owned(), Stamp::default());
    Desk::from_parts(DeskParts { title, stickers, ..DeskParts::default() }).unwrap()
}

/// A desk that means no good, with one deleted sticker.
fn hostile() -> Desk {
    let mut deleted = sticker(4, 500, 4, "gone");
    deleted.deleted.value = true;
    let mut dark = sticker(2, 220, 1, "two\nlines, \"quoted\"");
    dark.color.value = Color(0x11_22_33);
    desk(
        "</title><script>alert(1)</script> & \u{1}",
        vec![
            sticker(1, -40, 2, "=HYPERLINK(\"http://evil\")"),
            dark,
            sticker(3, 440, 3, "<img src=x onerror=alert(1)> [a](javascript:b) ]]>"),
            deleted,
        ],
    )
}

fn exported(desk: &Desk, format: Format, deleted: bool) -> String {
    let created_at = Time(CREATED * 1_000_000);
    let expires_at = Time((CREATED + 604_800) * 1_000_000);
    let response = export::respond(&ExportedDesk { desk, created_at, expires_at }, format, deleted);
    assert_eq!(response.status.0, 200);
    assert_eq!(response.field("X-Content-Type-Options"), Some("nosniff"));
    let attached = response.field("Content-Disposition").is_some_and(|d| d.starts_with("attach"));
    assert_eq!(attached, format != Format::Json);
    String::from_utf8(response.body.bytes().to_vec()).unwrap()
}

#[test]
fn json() {
    let text = exported(&hostile(), Format::Json, true);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    expect![[r##"
        {
          "created_at": "2026-11-23T18:00:00Z",
          "expires_at": "2026-11-30T18:00:00Z",
          "revision": 0,
          "stickers": [
            {
              "author": 2,
              "color": "#112233",
              "created_at": "2026-11-23T18:00:00Z",
              "height": 200,
              "id": "0000000000002",
              "text": "two\nlines, \"quoted\"",
              "width": 200,
              "x": 220,
              "y": 10,
              "z": 1
            },
            {
              "author": 2,
              "color": "#ffe066",
              "created_at": "2026-11-23T18:00:00Z",
              "height": 200,
              "id": "0000000000001",
              "text": "=HYPERLINK(\"http://evil\")",
              "width": 200,
              "x": -40,
              "y": 10,
              "z": 2
            },
            {
              "author": 2,
              "color": "#ffe066",
              "created_at": "2026-11-23T18:00:00Z",
              "height": 200,
              "id": "0000000000003",
              "text": "<img src=x onerror=alert(1)> [a](javascript:b) ]]>",
              "width": 200,
              "x": 440,
              "y": 10,
              "z": 3
            },
            {
              "author": 2,
              "color": "#ffe066",
              "created_at": "2026-11-23T18:00:00Z",
              "deleted": true,
              "height": 200,
              "id": "0000000000004",
              "text": "gone",
              "width": 200,
              "x": 500,
              "y": 10,
              "z": 4
            }
          ],
          "title": "</title><script>alert(1)</script> & \u0001"
        }"##]]
    .assert_eq(&format!("{value:#}"));
    assert!(!exported(&hostile(), Format::Json, false).contains("gone"));
}

#[test]
fn each_format_is_a_file_of_its_own_kind() {
    for (name, format) in Format::NAMES.into_iter().filter(|(_, format)| format.is_text()) {
        let text = exported(&hostile(), format, true);
        assert!(text.contains("gone"), "{name}");
        assert!(!exported(&hostile(), format, false).contains("gone"), "{name}");
        if format != Format::Svg {
            let hint = Kind::suggested(name);
            import::read(&plain(), hint, text.as_bytes(), &DeskLimits::default()).expect(name);
        }
    }
}

#[test]
fn tables_are_of_numbers_and_harmless_texts() {
    expect![[r##"
        \u{feff}"text","id","x","y","width","height","color","z","author","created_at","deleted"␍
        "two
        lines, ""quoted""",0000000000002,220,10,200,200,"#112233",1,2,"2026-11-23T18:00:00Z","false"␍
        "'=HYPERLINK(""http://evil"")",0000000000001,-40,10,200,200,"#ffe066",2,2,"2026-11-23T18:00:00Z","false"␍
        "<img src=x onerror=alert(1)> [a](javascript:b) ]]>",0000000000003,440,10,200,200,"#ffe066",3,2,"2026-11-23T18:00:00Z","false"␍
    "##]]
    .assert_eq(&exported(&hostile(), Format::Csv, false).replace('\r', "␍").replace('\u{feff}', "\\u{feff}"));
}

fn ids() -> impl FnMut() -> StickerId {
    let mut next = 0;
    move || {
        next += 1;
        StickerId(next)
    }
}

fn notes(file: &[u8]) -> Result<Vec<Create>, String> {
    let limits = DeskLimits::default();
    let imported = import::read(&plain(), None, file, &limits);
    let created = imported.and_then(|imported| {
        import::creations(imported.board, &desk("", vec![]), &limits, &mut ids())
    });
    let operations = created.map_err(|error| {
        let problem = error.problem();
        format!("{} {}", problem.status.0, problem.detail)
    })?;
    Ok(operations
        .into_iter()
        .map(|operation| match operation {
            Operation::Create(create) => create,
            other => panic!("{other:?}"),
        })
        .collect())
}

#[test]
fn what_was_exported_comes_back() {
    let desk = hostile();
    for format in [Format::Json, Format::Csv, Format::Canvas] {
        let file = exported(&desk, format, false);
        let notes = notes(file.as_bytes()).unwrap();
        let live: Vec<_> = desk.pile().filter(|sticker| !sticker.deleted.value).collect();
        assert_eq!(notes.len(), live.len());
        for (note, sticker) in notes.iter().zip(live) {
            assert_eq!(note.text, sticker.text.value);
            assert_eq!(note.position, sticker.position.value);
            assert_eq!(note.size, sticker.size.value);
            assert_eq!(note.color, sticker.color.value);
        }
    }
}

#[test]
fn notes_without_a_place_go_beside_those_that_are_there() {
    let limits = DeskLimits::default();
    let board = import::read(&plain(), None, b"one\ntwo\nthree\n", &limits).unwrap().board;
    let created = import::creations(board, &hostile(), &limits, &mut ids()).unwrap();
    let places: Vec<_> = created
        .iter()
        .map(|operation| match operation {
            Operation::Create(create) => (create.position.x, create.position.y),
            other => panic!("{other:?}"),
        })
        .collect();
    // The rightmost visible note ends at 640.
    assert_eq!(places, [(660, 0), (880, 0), (660, 220)]);
}

#[test]
fn bad_files_are_told() {
    let told: String = [
        "",
        &"x\n".repeat(5_001),
        &"x".repeat(10_001),
        "text,x,y\na,1,2\nb,one,2\n",
        "text,x\n\"a\nb",
        "[]",
        r#"{"stickers": [{"text": "a"}, {"text": "a", "x": 1}]}"#,
        r#"{"stickers": []}"#,
    ]
    .map(|file| notes(file.as_bytes()).unwrap_err() + "\n")
    .concat();
    expect![[r#"
        422 lines of text: there are no notes in it. Send at least one note; nothing was added.
        422 the file has 5001 notes, at most 5000 fit a desk. Split the file; nothing was added.
        422 lines of text: line 1: the text has 10001 characters, at most 10000 fit a note; divide it. Change that note; nothing was added.
        400 a table: line 3, x: expected a number from -1000000 to 1000000, found "one". Correct the file and send it again; nothing was added.
        400 a table: line 2: expected a closing quote, found the end of the file. Correct the file and send it again; nothing was added.
        400 JSON that is a bare array cannot be read as a board; the JSON and the CSV of a desk, files of Excalidraw, tldraw, JSON Canvas and Trello (its JSON), tables as CSV, cells as HTML, Markdown lists and lines of text can be. Correct the file and send it again; nothing was added.
        400 a desk's JSON: stickers[1].y: expected a number, found nothing. Correct the file and send it again; nothing was added.
        422 a desk's JSON: there are no notes in it. Send at least one note; nothing was added.
    "#]].assert_eq(&told);
}
