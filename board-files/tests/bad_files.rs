//! Files that mean no good, or were damaged: an error that names the place and
//! what was expected there, in bounded time and memory.
#![allow(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

use std::path::Path;

use desk_files::{Kind, Options, ReadError, read};
use expect_test::expect;

fn told(file: &[u8]) -> String {
    match read(file, &Options::default()) {
        Ok(imported) => {
            let texts: Vec<_> = imported.board.notes.iter().map(|note| note.text.clone()).collect();
            format!("{}: {texts:?} {}", imported.report.kind, imported.report)
        }
        Err(error) => error.to_string(),
    }
}

fn all(files: &[&str]) -> String {
    files.iter().map(|file| told(file.as_bytes()) + "\n").collect()
}

#[test]
fn json_is_never_taken_for_lines() {
    expect![[r#"
        JSON of the type "FeatureCollection" cannot be read as a board; the JSON and the CSV of a desk, files of Excalidraw, tldraw, JSON Canvas and Trello (its JSON), tables as CSV, cells as HTML, Markdown lists and lines of text can be
        JSON that is a bare array cannot be read as a board; the JSON and the CSV of a desk, files of Excalidraw, tldraw, JSON Canvas and Trello (its JSON), tables as CSV, cells as HTML, Markdown lists and lines of text can be
        JSON that is a bare array cannot be read as a board; the JSON and the CSV of a desk, files of Excalidraw, tldraw, JSON Canvas and Trello (its JSON), tables as CSV, cells as HTML, Markdown lists and lines of text can be
        JSON that is a bare array cannot be read as a board; the JSON and the CSV of a desk, files of Excalidraw, tldraw, JSON Canvas and Trello (its JSON), tables as CSV, cells as HTML, Markdown lists and lines of text can be
        JSON that is malformed or cut (trailing characters at line 2 column 1) cannot be read as a board; the JSON and the CSV of a desk, files of Excalidraw, tldraw, JSON Canvas and Trello (its JSON), tables as CSV, cells as HTML, Markdown lists and lines of text can be
        JSON that is malformed or cut (key must be a string at line 1 column 3) cannot be read as a board; the JSON and the CSV of a desk, files of Excalidraw, tldraw, JSON Canvas and Trello (its JSON), tables as CSV, cells as HTML, Markdown lists and lines of text can be
        a tldraw file: the file: expected records, a store, or a document of pages, found none of them
        a tldraw drawing inside a Markdown file cannot be read as a board; the JSON and the CSV of a desk, files of Excalidraw, tldraw, JSON Canvas and Trello (its JSON), tables as CSV, cells as HTML, Markdown lists and lines of text can be; export it from its app as .tldr
        a library of Excalidraw cannot be read as a board; the JSON and the CSV of a desk, files of Excalidraw, tldraw, JSON Canvas and Trello (its JSON), tables as CSV, cells as HTML, Markdown lists and lines of text can be; insert it into a drawing and save that
    "#]].assert_eq(&all(&[
        "{\"type\": \"FeatureCollection\"}",
        "[{\"text\": \"a\"}]",
        "[]",
        "[1, 2]",
        "{\"a\": 1}\n{\"a\": 2}\n",
        "{ never mind",
        "{\"document\": {}, \"assets\": []}",
        "---\ntldraw-file: true\n---\n",
        "{\"type\": \"excalidrawlib\", \"library\": []}",
    ]));
}

#[test]
fn files_of_no_kind_name_what_can_be_read() {
    let files: [&[u8]; 7] = [
        b"PK\x03\x04\x14\x00",
        b"\x89PNG\r\n\x1a\n",
        b"a\x00b",
        b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>",
        b"<!doctype html><p>hello</p>",
        b"---\nexcalidraw-plugin: parsed\n---\n",
        b"a\x81b",
    ];
    let told: String = files.iter().map(|file| told(file) + "\n").collect();
    expect![[r#"
        a zip archive (FigJam, Miro .rtb, .tldraw and .xlsx are such) cannot be read as a board; the JSON and the CSV of a desk, files of Excalidraw, tldraw, JSON Canvas and Trello (its JSON), tables as CSV, cells as HTML, Markdown lists and lines of text can be; export the board as CSV or copy the cells, and a tldraw board as .tldr
        a PNG picture cannot be read as a board; the JSON and the CSV of a desk, files of Excalidraw, tldraw, JSON Canvas and Trello (its JSON), tables as CSV, cells as HTML, Markdown lists and lines of text can be; export the drawing as .excalidraw or .tldr
        a binary file cannot be read as a board; the JSON and the CSV of a desk, files of Excalidraw, tldraw, JSON Canvas and Trello (its JSON), tables as CSV, cells as HTML, Markdown lists and lines of text can be; a text in UTF-16 must begin with its mark
        a picture or another XML file cannot be read as a board; the JSON and the CSV of a desk, files of Excalidraw, tldraw, JSON Canvas and Trello (its JSON), tables as CSV, cells as HTML, Markdown lists and lines of text can be; export the drawing as .excalidraw, .tldr or .canvas
        a page without a table cannot be read as a board; the JSON and the CSV of a desk, files of Excalidraw, tldraw, JSON Canvas and Trello (its JSON), tables as CSV, cells as HTML, Markdown lists and lines of text can be; copy its text and import the lines
        an Excalidraw drawing: the part named Drawing: expected a block json or compressed-json, found none
        byte 1 is no UTF-8 text: expected text in UTF-8, or in UTF-16 with its mark
    "#]].assert_eq(&told);
}

#[test]
fn empty_files() {
    expect![[r#"
        lines of text: there are no notes in it
        lines of text: there are no notes in it
        a JSON Canvas: there are no notes in it
        a JSON Canvas: there are no notes in it; 1 edge, 1 group not taken over
        a desk's JSON: there are no notes in it
        a table: there are no notes in it
        an Excalidraw drawing: there are no notes in it
        cells as HTML: there are no notes in it
    "#]]
    .assert_eq(&all(&[
        "",
        "\n \n",
        "{}",
        "{\"nodes\": [{\"type\": \"group\"}], \"edges\": [{}]}",
        "{\"stickers\": []}",
        "text,x,y\n",
        "{\"type\": \"excalidraw\", \"elements\": []}",
        "<table></table>",
    ]));
}

#[test]
fn wrong_values_are_placed() {
    expect![[r#"
        a desk's JSON: stickers[1].text: expected a string, found 5
        a desk's JSON: stickers[0].y: expected a number, found nothing
        a desk's JSON: stickers[0].color: expected a colour as #rrggbb, found "red"
        a desk's JSON: line 1, column 35: unknown field `shape`, expected one of `id`, `x`, `y`, `width`, `height`, `color`, `z`, `text`, `author`, `created_at`, `deleted`, `locked`, `kind`
        a desk's JSON: stickers[0].z: expected a whole number, found 1.5
        a desk's JSON: line 1, column 14: invalid type: integer `7`, expected an array
        a JSON Canvas: nodes[0].x: expected a number, found "left"
        a JSON Canvas: nodes[0].text: expected a string, found nothing
        a JSON Canvas: nodes[0].x: expected a coordinate, at most 1000000000000, found 1e300
        a JSON Canvas: line 1, column 51: number out of range
        an Excalidraw drawing: elements[0].width: expected a number, found nothing
        a table: line 3, x: expected a number from -1000000 to 1000000, found "one"
        a table: line 2, y: expected a number from -1000000 to 1000000, found "inf"
        a table: line 2, deleted: expected true or false, found "maybe"
        a table: line 2: expected a closing quote, found the end of the file
        a Trello board: cards[0].idList: expected the id of a list, found "x"
    "#]].assert_eq(&all(&[
        r#"{"stickers": [{"text": "a"}, {"text": 5}]}"#,
        r#"{"stickers": [{"text": "a", "x": 1}]}"#,
        r#"{"stickers": [{"text": "a", "color": "red"}]}"#,
        r#"{"stickers": [{"text": "a", "shape": 1}]}"#,
        r#"{"stickers": [{"text": "a", "z": 1.5}]}"#,
        r#"{"stickers": 7}"#,
        r#"{"nodes": [{"type": "text", "text": "a", "x": "left", "y": 0, "width": 1, "height": 1}]}"#,
        r#"{"nodes": [{"type": "text", "x": 0, "y": 0, "width": 1, "height": 1}]}"#,
        r#"{"nodes": [{"type": "text", "text": "a", "x": 1e300, "y": 0, "width": 1, "height": 1}]}"#,
        r#"{"nodes": [{"type": "text", "text": "a", "x": 1e999, "y": 0, "width": 1, "height": 1}]}"#,
        r#"{"type": "excalidraw", "elements": [{"type": "rectangle", "x": 0, "y": 0}]}"#,
        "text,x,y\na,1,2\nb,one,2\n",
        "text,x,y\na,1,inf\n",
        "text,deleted\na,maybe\n",
        "text,x\n\"a\nb",
        r#"{"lists": [], "cards": [{"idList": "x"}]}"#,
    ]));
}

#[test]
fn shapes_in_a_circle_are_named() {
    let shape = |id: &str, parent: &str| {
        format!(
            r#"{{"typeName": "shape", "type": "group", "id": "{id}", "parentId": "{parent}", "x": 0, "y": 0}}"#
        )
    };
    let file = |shapes: &[String]| {
        format!(r#"{{"tldrawFileFormatVersion": 1, "records": [{}]}}"#, shapes.join(", "))
    };
    let files = [
        file(&[shape("shape:a", "shape:a")]),
        file(&[
            shape("shape:c", "page:p"),
            shape("shape:a", "shape:b"),
            shape("shape:b", "shape:a"),
        ]),
        file(&[shape("shape:a", "page:p"), shape("shape:a", "page:p")]),
    ];
    expect![[r#"
        a tldraw file: records[0].parentId: expected a parent that is not inside this shape, found "shape:a"
        a tldraw file: records[1].parentId: expected a parent that is not inside this shape, found "shape:b"
        a tldraw file: records[1].id: expected an id that no other record has, found "shape:a"
    "#]].assert_eq(&all(&files.each_ref().map(String::as_str)));
}

#[test]
fn a_chain_of_ten_thousand_groups_is_no_depth_to_fear() {
    let mut records: Vec<String> = (0..10_000)
        .map(|n| {
            format!(
                r#"{{"typeName": "shape", "type": "group", "id": "g{}", "parentId": "g{n}", "x": 1, "y": 0}}"#,
                n + 1
            )
        })
        .collect();
    records.push(
        r#"{"typeName": "shape", "type": "note", "id": "n", "parentId": "g10000", "x": 1, "y": 0, "props": {"text": "deep"}}"#
            .to_owned(),
    );
    let file = format!(r#"{{"tldrawFileFormatVersion": 1, "records": [{}]}}"#, records.join(","));
    let imported = read(file.as_bytes(), &Options::default()).unwrap();
    assert_eq!(imported.board.notes[0].place.map(|place| place.x), Some(10_001));
}

#[test]
fn nesting_of_ten_thousand_is_refused_or_passed_over() {
    let (open, close) = ("[".repeat(10_000), "]".repeat(10_000));
    let deep = format!(r#"{{"nodes": [{{"type": "text", "text": {open}{close}}}]}}"#);
    assert!(told(deep.as_bytes()).contains("nodes[0].text: expected a string, found an array"));
    let beside = format!(
        r#"{{"deep": {open}{close}, "nodes": [{{"type": "text", "text": "a", "x": 0, "y": 0, "width": 20, "height": 20}}]}}"#
    );
    assert_eq!(told(beside.as_bytes()), "a JSON Canvas: [\"a\"] ");
    let (open, close) = ("{\"content\": [".repeat(10_000), "]}".repeat(10_000));
    let rich = format!(
        r#"{{"tldrawFileFormatVersion": 1, "records": [{{"typeName": "shape", "type": "note", "props": {{"richText": {open}{close}}}}}]}}"#
    );
    assert!(told(rich.as_bytes()).contains("recursion limit"), "{}", told(rich.as_bytes()));
    let html = "<div>".repeat(10_000) + "<table><tr><td>" + &"<b>".repeat(10_000) + "x";
    assert!(told(html.as_bytes()).starts_with("cells as HTML: [\"x\"]"));
}

#[test]
fn files_that_are_too_large_are_refused_before_they_are_read() {
    let large = vec![b'a'; desk_files::limits::FILE_BYTES_MAX + 1];
    assert!(matches!(read(&large, &Options::default()), Err(ReadError::TooLarge { .. })));
    let lines = "a\n".repeat(desk_files::limits::NOTES_MAX + 1);
    assert!(told(lines.as_bytes()).contains("more than 20000 notes"));
    let elements = "{},".repeat(desk_files::limits::ELEMENTS_MAX + 1);
    let file = format!(r#"{{"nodes": [{}{{}}]}}"#, elements);
    assert!(told(file.as_bytes()).contains("more than 200000 elements"));
    let long = "x".repeat(10_001);
    assert!(told(long.as_bytes()).contains("line 1: the text has 10001 characters, at most 10000"));
}

#[test]
fn boards_that_leave_the_desk_are_moved_and_told() {
    let node = |x: f64| {
        format!(r#"{{"type": "text", "text": "a", "x": {x}, "y": 0, "width": 9, "height": 9e9}}"#)
    };
    let file = format!(r#"{{"nodes": [{}, {}]}}"#, node(2_999_990.4), node(2_999_000.5));
    let imported = read(file.as_bytes(), &Options::default()).unwrap();
    let places: Vec<_> = imported.board.notes.iter().map(|note| note.place.unwrap().x).collect();
    assert_eq!(places, [1_000_000, 999_011]);
    let size = imported.board.notes[0].size;
    assert_eq!((size.width, size.height), (20, 4_000));
    expect![[r#"
        the board was moved as a whole to fit
        2 notes held to a size that a note can have"#]]
    .assert_eq(&imported.report.to_string());
    let wide = format!(r#"{{"nodes": [{}, {}]}}"#, node(-1_500_000.0), node(1_500_000.0));
    expect!["a JSON Canvas: nodes[1]: x is 1500000, further than 2000000 from another note; bring it nearer"].assert_eq(&told(wide.as_bytes()));
}

#[test]
fn files_that_are_cut_anywhere_give_an_error_or_the_same_kind() {
    for name in ["garden.tldr", "market.excalidraw", "trip.canvas", "street-trello.json"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/boards").join(name);
        let whole = std::fs::read(path).unwrap();
        for end in (1..whole.len() - 1).step_by(97) {
            if !whole.is_char_boundary_at(end) {
                continue;
            }
            let error = read(&whole[..end], &Options::default()).expect_err(name);
            let told = error.to_string();
            assert!(told.contains("cut"), "{name} cut at {end}: {told}");
        }
    }
}

/// Bytes that can be cut between characters.
trait CharBoundary {
    fn is_char_boundary_at(&self, at: usize) -> bool;
}

impl CharBoundary for Vec<u8> {
    fn is_char_boundary_at(&self, at: usize) -> bool {
        self.get(at).is_none_or(|byte| byte & 0xc0 != 0x80)
    }
}

#[test]
fn a_kind_that_is_asked_for_is_not_guessed_again() {
    let options = Options { kind: Some(Kind::Lines), ..Options::default() };
    let imported = read(b"{\"nodes\": []}\n", &options).unwrap();
    assert_eq!(imported.board.notes[0].text, "{\"nodes\": []}");
    let options = Options { kind: Some(Kind::Canvas), ..Options::default() };
    expect!["a JSON Canvas: line 1, column 1: expected value"]
        .assert_eq(&read(b"one\ntwo\n", &options).unwrap_err().to_string());
}

#[test]
fn what_is_called_json_and_is_none_is_no_lines() {
    for name in ["a.json", "trip.canvas", "b.TLDR", "c.excalidraw", "application/problem+json"] {
        for text in ["", "[", "one\ntwo\n", "<table><td>a</table>"] {
            let options = Options { hint: Kind::suggested(name), ..Options::default() };
            let error = read(text.as_bytes(), &options).unwrap_err().to_string();
            assert!(error.starts_with("JSON that is malformed or cut"), "{name}, {text}: {error}");
        }
    }
}

#[test]
fn names_and_media_types_suggest_a_kind() {
    let tables = ["a.csv", "text/csv; charset=utf-8", "application/vnd.ms-excel", "a.b.TSV"];
    for name in tables.into_iter().chain(["text/tab-separated-values"]) {
        assert_eq!(Kind::suggested(name), Some(Kind::Table), "{name}");
    }
    assert_eq!(Kind::suggested("text/markdown"), Some(Kind::Markdown));
    for name in ["text/plain", "application/octet-stream", "notes.txt", "-", "notes"] {
        assert_eq!(Kind::suggested(name), None, "{name}");
    }
}
