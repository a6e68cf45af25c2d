//! Small files of other tools, as `tests/boards` has them: a test a file.
#![allow(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

use std::path::Path;

use desk_files::{Column, Imported, Options, read, read_clipboard};
use expect_test::{Expect, expect};

fn file(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/boards").join(name)).unwrap()
}

fn clipboard(name: &str) -> Imported {
    let flavours: serde_json::Value = serde_json::from_slice(&file(name)).unwrap();
    let flavours: Vec<(&str, &str)> = flavours
        .as_object()
        .unwrap()
        .iter()
        .map(|(media, text)| (media.as_str(), text.as_str().unwrap()))
        .collect();
    read_clipboard(&flavours, &Options::default()).unwrap()
}

/// The notes from the bottom, a line each, then what was told.
fn shown(imported: &Imported) -> String {
    let Imported { board, report } = imported;
    let mut text = format!("{}: {:?}\n", report.kind, board.title);
    for note in &board.notes {
        let place = note.place.map_or("-".to_owned(), |at| format!("{},{}", at.x, at.y));
        let (width, height) = (note.size.width, note.size.height);
        text += &format!("{place} {width}×{height} {} {:?}\n", note.color, note.text);
    }
    text + &report.to_string()
}

fn check(imported: &Imported, expected: Expect) {
    expected.assert_eq(&shown(imported));
}

fn check_file(name: &str, expected: Expect) {
    check(&read(&file(name), &Options::default()).unwrap(), expected);
}

#[test]
fn tldraw_file() {
    check_file(
        "garden.tldr",
        expect![[r#"
        a tldraw file: ""
        241,-20 200×200 #fed49a "Buy seeds\n\nbefore spring"
        480,0 200×200 #9bc4fd "Tools to borrow:\nspade\nrake"
        720,0 400×400 #6fc896 "Twice the size"
        0,260 200×452 #db91fd "row 1\nrow 2\nrow 3\nrow 4\nrow 5\nrow 6\nrow 7\nrow 8\nrow 9\nrow 10\nrow 11\nrow 12\nrow 13\nrow 14"
        637,497 200×200 #fc8282 "Turned by 30 degrees"
        1340,50 200×200 #faa475 "In a frame"
        1350,450 200×200 #f7a5a1 "Group, above"
        1300,400 200×200 #c0cad3 "Group, below"
        0,760 300×120 #dce1f8 "A box with text"
        360,760 200×200 #ffe066 "Loose text"
        600,760 200×200 #ffffff ""
        0,0 200×200 #fce19c "Plan the beds"
        1750,20 200×200 #fce19c "On the second page"
        1 arrow, 1 frame not taken over
        2 pages were put side by side
        1 note no longer turned"#]],
    );
}

#[test]
fn tldraw_clipboard() {
    check(
        &clipboard("garden-tldraw.clipboard.json"),
        expect![[r#"
        a tldraw file: ""
        1340,50 200×200 #faa475 "In a frame"
        241,-20 200×200 #fed49a "Buy seeds\n\nbefore spring"
        480,0 200×200 #9bc4fd "Tools to borrow:\nspade\nrake"
        0,760 300×120 #dce1f8 "A box with text"
    "#]],
    );
}

#[test]
fn excalidraw_file() {
    check_file(
        "market.excalidraw",
        expect![[r#"
        an Excalidraw drawing: ""
        0,0 200×200 #ffec99 "Apples from the valley, the red ones and the green ones"
        240,-11 200×120 #a5d8ff "two\nlines"
        480,0 220×160 #b2f2bb "In an ellipse"
        0,260 200×200 #ffc9c9 "Turned"
        240,260 200×200 #ffe066 "No fill"
        480,260 94×50 #ffe066 "Loose text\nof two lines"
        760,300 160×100 #eebefa "grouped"
        1000,20 200×200 #ffd8a8 "In a frame"
        760,480 160×100 #e9ecef ""
        1 arrow, 1 arrow label, 1 image, 1 frame, 1 deleted note not taken over
        1 note no longer turned"#]],
    );
}

#[test]
fn excalidraw_clipboard() {
    check(
        &clipboard("market-excalidraw.clipboard.json"),
        expect![[r#"
        an Excalidraw drawing: ""
        0,0 200×200 #ffec99 "Apples from the valley, the red ones and the green ones"
        480,0 220×160 #b2f2bb "In an ellipse"
        480,260 94×50 #ffe066 "Loose text\nof two lines"
    "#]],
    );
}

#[test]
fn json_canvas() {
    check_file(
        "trip.canvas",
        expect![[r##"
        a JSON Canvas: ""
        -400,0 260×180 #ffe066 "Book **two** rooms"
        -100,0 260×60 #1e90ff "# Packing\n- [ ] boots\n- [x] map\n\nsee [[Weather]]"
        180,-20 250×50 #ffe066 ""
        600,-200 400×400 #ffe066 "No colour, on top of nothing"
        640,-160 250×60 #ffb3c4 "On top of d"
        840,500 400×300 #ffe066 "https://example.org/timetable"
        -1000000,0 20×4000 #dcc6ff "far away, thin and tall"
        2 edges, 1 group, 2 files not taken over
        1 note held to a size that a note can have"##]],
    );
}

#[test]
fn table_of_mural() {
    check_file(
        "harbour-mural.csv",
        expect![[r#"
            a table: ""
            1205,-88 138×138 #fcf281 "Boats & ropes"
            1500,40 230×138 #aaed92 "first line\nsecond <line>, with 'quotes' \"and\" comma"
            -20,3001 138×138 #9edcfa "=not a formula"
            1 empty note, 20 cells of other columns not taken over"#]],
    );
}

#[test]
fn table_of_deck_in_utf_16() {
    check_file(
        "house-deck-utf16.csv",
        expect![[r#"
            a table: ""
            - 200×200 #ffe066 "Paint the door\n\ntwo coats\nof \"blue\""
            - 200×200 #ffe066 "Größe messen"
            9 cells of other columns not taken over"#]],
    );
    let columns = vec![(Column::Text, "list NAME".to_owned())];
    let options = Options { columns, ..Options::default() };
    let imported = read(&file("house-deck-utf16.csv"), &options).unwrap();
    let texts: Vec<_> = imported.board.notes.iter().map(|note| note.text.as_str()).collect();
    assert_eq!(texts, ["To do", "Done"]);
}

#[test]
fn trello_board() {
    check_file(
        "street-trello.json",
        expect![[r#"
        a Trello board: "Street party"
        0,0 200×60 #fffaf0 "To do"
        0,80 200×200 #f87168 "Tables & benches\n\nFrom the **school**\n\n- 10 tables\n\n- tables\n- benches"
        0,300 200×200 #f5cd47 "Music"
        220,0 200×60 #fffaf0 "Doing"
        220,80 200×200 #ffe066 "Same place as none"
        220,300 200×200 #ffe066 "Ask the council"
        1 archived card, 1 card in an archived list, 1 card template, 1 empty list not taken over"#]],
    );
}

#[test]
fn cells_of_one_column() {
    check(
        &clipboard("tasks-column-calc.clipboard.json"),
        expect![[r#"
        cells as HTML: ""
        0,0 200×200 #ffe066 "Book the hall"
        0,220 200×200 #b2f2bb "Print the flyers\n(two sizes)"
        0,440 200×200 #ffc9c9 "Ask for the \"large\" tent"
        0,880 200×200 #ffe066 "Rain plan & tea"
    "#]],
    );
}

#[test]
fn cells_of_two_columns() {
    check(
        &clipboard("tasks-table-calc.clipboard.json"),
        expect![[r#"
        cells as HTML: ""
        0,0 200×200 #ffe066 "Book the hall"
        220,0 200×200 #ffe066 "week 1"
        0,220 200×200 #b2f2bb "Print the flyers\n(two sizes)"
        220,220 200×200 #ffe066 "week 2"
        0,440 200×200 #ffc9c9 "Ask for the \"large\" tent"
        220,440 200×200 #ffe066 "week 2"
        0,880 200×200 #ffe066 "Rain plan & tea"
        220,880 200×200 #ffe066 "week 3"
    "#]],
    );
}

#[test]
fn our_table_after_a_spreadsheet() {
    check_file(
        "desk-through-calc.csv",
        expect![[r#"
        a table: ""
        -300,40 200×200 #ffe066 "Left of the middle"
        0,0 320×120 #8ce99a "two\nlines, with comma"
        10,10 200×200 #74c0fc "=1+1 is two"
        400,0 200×200 #ff8787 "12"
    "#]],
    );
}
