//! What is written comes back, as far as the format can hold it.
#![allow(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

use desk_files::{Board, Format, Note, Options, read, write};
use desk_protocol::{Color, Point, Size, StickerKind};
use proptest::prelude::*;

fn note((x, y): (i32, i32), (width, height): (u32, u32), color: u32, text: &str) -> Note {
    let (place, size) = (Some(Point { x, y }), Size { width, height });
    Note { place, size, color: Color(color), text: text.to_owned(), ..Note::default() }
}

/// Notes from the bottom of the pile, counted as readers do.
fn board(title: &str, notes: Vec<Note>) -> Board {
    let notes = notes.into_iter().zip(1..).map(|(note, z)| Note { z, ..note }).collect();
    Board { title: title.to_owned(), notes, desk: None }
}

/// A format of text.
fn written(board: &Board, format: Format) -> String {
    String::from_utf8(write(board, format)).expect("text")
}

fn back(board: &Board, format: Format) -> Board {
    let file = written(board, format);
    let read = read(file.as_bytes(), &Options::default());
    read.unwrap_or_else(|error| panic!("{}: {error}\n{file}", format.name())).board
}

fn texts() -> impl Strategy<Value = String> {
    let line = "[-'=+@#*_1. )>&\\\\`~%|<\"\u{e4}\u{7a2e}a-c,;\t:$!\\[\\]{}]{0,12}|\\PC{0,10}";
    prop::collection::vec(line, 0..4).prop_map(|lines| lines.join("\n"))
}

fn notes() -> impl Strategy<Value = Vec<Note>> {
    let place = (-1_000_000..=1_000_000, -1_000_000..=1_000_000);
    let sides = (20_u32..=4_000, 20_u32..=4_000);
    let one = (place, sides, 0_u32..=0xff_ff_ff, texts());
    let one = one.prop_map(|(place, sides, color, text)| note(place, sides, color, &text));
    prop::collection::vec(one, 1..6)
}

proptest! {
    #[test]
    fn our_json_and_table_hold_everything(title in "\\PC{0,20}", notes in notes()) {
        let board = board(&title, notes);
        prop_assert_eq!(&back(&board, Format::Json), &board);
        let table = back(&board, Format::Csv);
        prop_assert_eq!(table.notes, board.notes);
    }

    #[test]
    fn a_canvas_holds_all_but_the_title(notes in notes()) {
        let board = board("", notes);
        prop_assert_eq!(&back(&board, Format::Canvas), &board);
    }

    #[test]
    fn a_list_holds_every_text(notes in notes()) {
        let board = board("A title, *so* to say", notes);
        let list = back(&board, Format::Markdown);
        prop_assert_eq!(&list.title, &board.title);
        let texts = |board: &Board| -> Vec<String> {
            board.notes.iter().map(|note| note.text.clone()).collect()
        };
        prop_assert_eq!(texts(&list), texts(&board));
    }

    #[test]
    fn a_drawing_holds_all_but_what_its_labels_need(notes in notes()) {
        let board = board("", notes);
        let drawing = back(&board, Format::Excalidraw);
        prop_assert_eq!(drawing.notes.len(), board.notes.len());
        for (came, went) in drawing.notes.iter().zip(&board.notes) {
            prop_assert_eq!((came.place, came.color, &came.text), (went.place, went.color, &went.text));
            prop_assert_eq!(came.size.width, went.size.width);
            prop_assert!(came.size.height >= went.size.height);
        }
    }

    #[test]
    fn a_tldraw_file_holds_texts_places_and_order(notes in notes()) {
        // A box without a text is no note of theirs.
        let notes = notes.into_iter().map(|note| Note { text: format!("{}.", note.text), ..note });
        let board = board("", notes.collect());
        let file = back(&board, Format::Tldraw);
        prop_assert_eq!(file.notes.len(), board.notes.len());
        for (came, went) in file.notes.iter().zip(&board.notes) {
            prop_assert_eq!((came.place, &came.text), (went.place, &went.text));
            prop_assert_eq!(came.size.width, went.size.width);
            prop_assert!(came.size.height >= went.size.height);
        }
    }

    #[test]
    fn no_cell_of_a_text_is_a_formula(text in "[-'=+@\"\t\r\n;, ax]{0,12}") {
        let table = written(&board("", vec![note((-5, -5), (20, 20), 0, &text)]), Format::Csv);
        // Spreadsheets of other languages part cells by semicolons, whatever the file means.
        for delimiter in [b',', b';', b'\t'] {
            let mut reader = csv::ReaderBuilder::new();
            let reader = reader.delimiter(delimiter).flexible(true);
            for row in reader.from_reader(table.as_bytes()).records() {
                let row = row.unwrap();
                let is_formula = |cell: &&str| {
                    cell.starts_with(['=', '+', '-', '@', '\t', '\r']) && cell.parse::<f64>().is_err()
                };
                prop_assert_eq!(row.iter().find(is_formula), None, "{}", table);
            }
        }
    }

    #[test]
    fn no_text_is_markup_in_a_picture(text in "\\PC{0,30}|[<>&\"'a-c/ ]{0,30}") {
        let text = format!("{text}<script>&amp;\u{0}");
        let picture = written(&board(&text, vec![note((0, 0), (300, 300), 0, &text)]), Format::Svg);
        let tags = picture.split('<').skip(1).map(|tag| tag.split(['>', ' ']).next().unwrap());
        let known = ["svg", "/svg", "title", "/title", "rect", "text", "/text"];
        prop_assert!(tags.clone().all(|tag| known.contains(&tag)), "{:?}", tags.collect::<Vec<_>>());
        prop_assert!(!picture.contains("&amp;lt"));
    }
}

#[test]
fn a_note_without_a_text_stays_in_tldraw() {
    let notes = vec![note((0, 0), (320, 120), 0, ""), note((0, 500), (200, 200), 1, "")];
    let came = back(&board("", notes.clone()), Format::Tldraw).notes;
    let place = |note: &Note| (note.place, note.size, note.text.clone());
    assert!(came.iter().map(place).eq(notes.iter().map(place)), "{came:?}");
}

/// AREA-1 and LOCK-1: what a note is and whether hands keep off it stays in our JSON.
#[test]
fn our_json_holds_kinds_and_locks() {
    let plain = note((0, 0), (200, 200), 0, "a");
    let area = Note { kind: StickerKind::AREA, locked: true, ..plain.clone() };
    let later = Note { kind: StickerKind(200), ..plain.clone() };
    let board = board("", vec![area, plain, later]);
    assert_eq!(back(&board, Format::Json), board);
    // A lock is known to drawings, too.
    let drawing = back(&board, Format::Excalidraw);
    let locked: Vec<bool> = drawing.notes.iter().map(|note| note.locked).collect();
    assert_eq!(locked, [true, false, false]);
}

#[test]
fn a_whole_desk_comes_back() {
    let text = "ä".repeat(380);
    let notes = (0..5_000).map(|n| note((n * 7, -n), (200, 200), 0xff_e0_66, &text));
    let board = board("Whole", notes.collect());
    for format in [Format::Json, Format::Csv, Format::Canvas] {
        assert_eq!(back(&board, format).notes, board.notes, "{}", format.name());
    }
}

#[test]
fn notes_without_a_place_are_laid_out_and_boards_go_beside() {
    let mut board =
        board("", vec![note((0, 0), (100, 100), 0, "a"), note((0, 0), (50, 300), 0, "b")]);
    board.notes[1].place = None;
    assert!(!board.place_beside(&[]));
    assert_eq!(board.notes[1].place, Some(Point { x: 0, y: 120 }));
    // Free space between two notes of the desk is free.
    let there =
        [(Point { x: 500, y: 0 }, Size::default()), (Point { x: -700, y: 0 }, Size::default())];
    assert!(!board.place_beside(&there));
    // Over one of them, all moves right of all that is there.
    let there = [(Point { x: 40, y: 390 }, Size::default())];
    assert!(board.place_beside(&there));
    assert_eq!(board.notes[0].place, Some(Point { x: 260, y: 0 }));
    // At the right edge it goes below.
    let there = [
        (Point { x: 200, y: 0 }, Size { width: 4_000, height: 400 }),
        (Point { x: 999_990, y: 0 }, Size::default()),
    ];
    assert!(board.place_beside(&there));
    assert_eq!(board.notes[0].place, Some(Point { x: 260, y: 420 }));
}

#[test]
fn pictures_show_white_notes_wide_letters_and_where_a_text_is_cut() {
    let rows = (1..=30).map(|row| format!("row {row}")).collect::<Vec<_>>().join("\n");
    let board = board(
        "",
        vec![
            note((0, 0), (200, 200), 0xff_ff_ff, &rows),
            note((0, 0), (200, 200), 0xff_ff_ff, "種を買う春の前に種を買う春の前に"),
        ],
    );
    let picture = written(&board, Format::Svg);
    assert!(picture.contains("fill=\"#ffffff\" stroke=\"#000000\""));
    assert!(picture.contains(">row 9…</text>"), "{picture}");
    assert!(!picture.contains("row 10"));
    // 176 units hold eleven letters of 16.
    assert!(picture.contains(">種を買う春の前に種を買</text>"), "{picture}");
    assert!(picture.contains(">う春の前に</text>"));
}
