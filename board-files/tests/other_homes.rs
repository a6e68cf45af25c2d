//! Boards of Excalidraw and tldraw that are not in a file of today: inside Markdown, from
//! before a version, or as an editor gives them to programs.

use desk_files::{Kind, Options, read};
use expect_test::{Expect, expect};

/// A scene of one box with a label, as the plugin compresses and breaks it.
const PACKED: &str =
    "N4IgLgngDgpiBcIYA8DGBDANgSwCYCd0B3EAGiUxgFsYA7MAZwQG1Q8ER0zxo5F8YqMOloBzSt2QIAjA
AZyEBACZ5IInjAALZbNWaY2UZrAzd5AEbpUAa1H4A9gFdauAML3M9/BwDEAMz9BAE4g7nMnFwBRShp6J
nhWEHZEE3JIWA4wFBMAXwBdHNI2XEzudL5wbMkdBQQAZlV1XC0EIL0DIxN4JQBWNKrEAAlsAQACdAAdW
gA3EW4vQ2xaLAAVAZBhsfRR2dpuVHt6dCWYfABJEsQufJygA";

fn check(file: &str, hint: Option<Kind>, expected: Expect) {
    let told = match read(file.as_bytes(), &Options { hint, ..Options::default() }) {
        Ok(imported) => {
            let mut told = format!("{}\n", imported.report.kind);
            for note in &imported.board.notes {
                let place = note.place.map_or("-".to_owned(), |at| format!("{},{}", at.x, at.y));
                let (width, height) = (note.size.width, note.size.height);
                told += &format!("{place} {width}×{height} {} {:?}\n", note.color, note.text);
            }
            told + &imported.report.to_string()
        }
        Err(error) => error.to_string(),
    };
    expected.assert_eq(&told);
}

fn in_a_vault(part: &str) -> String {
    let top = "---\n\nexcalidraw-plugin: parsed\ntags: [excalidraw]\n\n---\n# Excalidraw Data\n";
    format!("{top}## Text Elements\n# Drawing ^a1\n\n%%\n## Drawing\n{part}\n%%")
}

#[test]
fn a_drawing_inside_markdown() {
    let packed = format!("```compressed-json\n{PACKED}\n```");
    check(
        &in_a_vault(&packed),
        Some(Kind::Markdown),
        expect![[r#"
        an Excalidraw drawing
        10,20 200×100 #ffec99 "Hire a van"
    "#]],
    );
    // A deleted stroke is no deleted note.
    let plain = r##"{"type": "excalidraw", "elements": [{"type": "freedraw", "isDeleted": true},
        {"id": "t", "type": "text", "x": 1,
        "y": 2, "width": 90, "height": 25, "text": "Hire a van"}]}"##;
    let plain = format!("```json\n{plain}\n```");
    check(
        &in_a_vault(&plain),
        None,
        expect![[r#"
        an Excalidraw drawing
        1,2 90×25 #ffe066 "Hire a van"
    "#]],
    );
}

#[test]
fn a_damaged_drawing_inside_markdown_says_where() {
    let cut = format!("```compressed-json\n{}\n```", &PACKED[..99]);
    check(
        &in_a_vault(&cut),
        None,
        expect![
            "an Excalidraw drawing: the part named Drawing: expected text compressed by lz-string, found other or cut bytes"
        ],
    );
    check(
        &in_a_vault("```json\n{\"type\": \"excalidraw\", \n```"),
        None,
        expect![
            "an Excalidraw drawing: line 2, column 23: the file ends here, cut off (EOF while parsing a value)"
        ],
    );
    check(
        &in_a_vault(""),
        None,
        expect![
            "an Excalidraw drawing: the part named Drawing: expected a block json or compressed-json, found none"
        ],
    );
}

const VERSION_ONE: &str = r#"{"name": "plan", "document": {"version": 15.5, "pages": {
    "p2": {"id": "p2", "childIndex": 2, "shapes": {
        "e": {"id": "e", "type": "sticky", "parentId": "p2", "childIndex": 1,
            "point": [5, 5], "size": [200, 200], "text": "Later", "style": {"color": "black"}}}},
    "p1": {"id": "p1", "childIndex": 1, "shapes": {
        "a": {"id": "a", "type": "sticky", "parentId": "g", "childIndex": 2,
            "point": [100.75, 20], "size": [220, 240], "rotation": 0.5, "text": "Hire a van",
            "style": {"color": "green", "isFilled": false}},
        "b": {"id": "b", "type": "ellipse", "parentId": "g", "childIndex": 1,
            "point": [0, 0], "radius": [80, 40], "label": "Load it",
            "style": {"color": "indigo", "isFilled": true}},
        "g": {"id": "g", "type": "group", "parentId": "p1", "childIndex": 1, "point": [0, 0]},
        "c": {"id": "c", "type": "text", "parentId": "p1", "childIndex": 0.5,
            "point": [7, 8], "text": "Below", "style": {"color": "red"}},
        "d": {"id": "d", "type": "rectangle", "parentId": "p1", "childIndex": 3,
            "point": [0, 0], "size": [10, 10], "label": "", "style": {}},
        "f": {"id": "f", "type": "arrow", "parentId": "p1", "childIndex": 4, "point": [0, 0]}}}}},
    "assets": {}}"#;

#[test]
fn tldraw_from_before_its_version_2() {
    check(
        VERSION_ONE,
        None,
        expect![[r#"
        a tldraw file
        7,8 200×200 #ffe066 "Below"
        0,0 160×80 #dce1f8 "Load it"
        101,20 220×240 #98d08a "Hire a van"
        521,5 200×200 #fce19c "Later"
        1 arrow, 1 shape without text not taken over
        2 pages were put side by side
        1 note no longer turned"#]],
    );
    let without_assets = VERSION_ONE.replace(",\n    \"assets\": {}", "");
    check(
        &without_assets,
        None,
        expect![
            "JSON of an unknown kind cannot be read as a board; the JSON and the CSV of a desk, files of Excalidraw, tldraw, JSON Canvas and Trello (its JSON), tables as CSV, cells as HTML, Markdown lists and lines of text can be"
        ],
    );
    assert!(
        read(
            without_assets.as_bytes(),
            &Options { hint: Some(Kind::Tldraw), ..Options::default() }
        )
        .is_ok()
    );
    let no_point = VERSION_ONE.replace("[100.75, 20]", "[100.75]");
    check(
        &no_point,
        None,
        expect!["a tldraw file: shapes[1].y: expected a number, found an array"],
    );
}

#[test]
fn tldraw_as_its_editor_gives_it() {
    let store = r#"{"store": {
        "page:p": {"id": "page:p", "typeName": "page", "index": "a1"},
        "shape:a": {"id": "shape:a", "typeName": "shape", "type": "note", "parentId": "page:p",
            "index": "a1", "x": 3, "y": 4, "rotation": 0,
            "props": {"color": "blue", "text": "Hire a van"}}}, "schema": {}}"#;
    check(
        store,
        None,
        expect![[r#"
        a tldraw file
        3,4 200×200 #8aa3ff "Hire a van"
    "#]],
    );
    check(
        &format!(r#"{{"document": {store}, "session": {{}}}}"#),
        None,
        expect![[r#"
        a tldraw file
        3,4 200×200 #8aa3ff "Hire a van"
    "#]],
    );
}
