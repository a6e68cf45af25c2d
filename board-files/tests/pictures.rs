//! What is drawn: pixels and pages.
#![allow(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

use desk_files::{Board, Format, Note, write};
use desk_protocol::{Color, Point, Size, StickerKind};

fn note(x: i32, y: i32, side: u32, color: u32, text: &str) -> Note {
    Note {
        place: Some(Point { x, y }),
        size: Size { width: side, height: side },
        color: Color(color),
        text: text.to_owned(),
        ..Note::default()
    }
}

fn board(notes: Vec<Note>) -> Board {
    Board { title: "Plans".to_owned(), notes, desk: None }
}

/// Width, height and rows of a PNG.
fn pixels(board: &Board) -> (usize, usize, Vec<[u8; 3]>) {
    let file = write(board, Format::Png);
    let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
    let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut bytes).unwrap();
    let pixels = bytes.chunks_exact(3).map(|pixel| pixel.try_into().unwrap()).collect();
    (info.width as usize, info.height as usize, pixels)
}

fn pages(board: &Board) -> usize {
    let file = write(board, Format::Pdf);
    assert!(file.starts_with(b"%PDF-1.7"));
    let text = String::from_utf8_lossy(&file);
    let (_, count) = text.split_once("/Count ").unwrap();
    count.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn pixels_show_colours_edges_and_writing() {
    let (width, height, pixels) = pixels(&board(vec![
        note(0, 0, 200, 0xff_ff_ff, ""),
        note(300, 0, 200, 0x1e_1e_1e, "HHHH"),
    ]));
    // Twice the 500 x 200 units and their margins.
    assert_eq!((width, height), (1_160, 560));
    let at = |x: usize, y: usize| pixels[2 * (y + 40) * width + 2 * (x + 40)];
    assert_eq!(at(100, 100), [0xff; 3]);
    assert_eq!(at(399, 150), [0x1e; 3]);
    let edge = pixels[2 * 140 * width + 80];
    assert!(edge[0] < 0xe0, "the edge of a white note: {edge:?}");
    // White letters on the dark note, and none beside their line.
    let bright = |rows: std::ops::Range<usize>| {
        rows.flat_map(|y| (312..488).map(move |x| (x, y)))
            .filter(|(x, y)| at(*x, *y)[0] > 0xc0)
            .count()
    };
    assert!(bright(12..32) > 50);
    assert_eq!(bright(40..190), 0);
}

#[test]
fn letters_of_no_face_are_boxes() {
    let drawn = |text: &str| pixels(&board(vec![note(0, 0, 200, 0xff_ff_ff, text)]));
    assert!(drawn("\u{7a2e}") != drawn(""), "a letter is never left out");
    // What only joins or varies others has no box of its own.
    assert!(drawn("a\u{200d}b\u{fe0f}") == drawn("ab"));
}

#[test]
fn pictures_are_bounded_however_large_the_board_is() {
    let far =
        board(vec![note(-1_000_000, -1_000_000, 200, 0, "a"), note(999_000, 999_000, 200, 0, "b")]);
    let (width, height, _) = pixels(&far);
    assert!(width * height <= 8 << 20 && width > 2_000, "{width} x {height}");
    let wide = board(vec![note(-1_000_000, 0, 20, 0, ""), note(999_000, 0, 20, 0, "")]);
    let (width, height, _) = pixels(&wide);
    assert!((16_000..=16_384).contains(&width) && height == 1, "{width} x {height}");
    assert_eq!(pages(&board(Vec::new())), 1);
}

#[test]
fn paper_holds_a_page_a_screenful_where_one_would_be_too_small() {
    assert_eq!(pages(&board(vec![note(0, 0, 200, 0, "a"), note(1_000, 800, 200, 0, "b")])), 1);
    // Five screenfuls apart: the empty ones between make no page.
    assert_eq!(pages(&board(vec![note(0, 0, 200, 0, "a"), note(6_000, 0, 200, 0, "b")])), 2);
    let scattered = (0..500).map(|at| note(at * 3_000 - 900_000, at * 3_000 - 900_000, 20, 0, "x"));
    assert_eq!(pages(&board(scattered.collect())), 1, "too many pages are one");
}

#[test]
fn texts_of_paper_can_be_found() {
    let file = write(&board(vec![note(0, 0, 200, 0xff_e0_66, "Zebra \u{436}")]), Format::Pdf);
    let plain = inflated(&file);
    // The table of characters names each letter.
    for c in "Zebra\u{436}".chars() {
        assert!(plain.contains(&format!("<{:04X}>", c as u32)), "{c}");
    }
}

/// All streams of a PDF, as far as they are compressed text.
fn inflated(file: &[u8]) -> String {
    let mut out = String::new();
    let mut rest = file;
    while let Some(at) = rest.windows(7).position(|bytes| bytes == b"stream\n") {
        rest = &rest[at + 7..];
        if let Ok(bytes) = miniz_oxide::inflate::decompress_to_vec_zlib(rest) {
            out.push_str(&String::from_utf8_lossy(&bytes));
        }
    }
    out
}

/// AREA-2: an area is drawn as a tint, under a note that lies lower in the pile.
#[test]
fn area_2_pictures_have_areas_under_the_notes() {
    let area = Note { kind: StickerKind::AREA, ..note(0, 0, 400, 0xff_00_00, "Ideas") };
    let board = board(vec![note(100, 100, 200, 0x00_00_ff, ""), area]);
    let (width, _, pixels) = pixels(&board);
    let at = |x: usize, y: usize| pixels[2 * (y + 40) * width + 2 * (x + 40)];
    assert_eq!(at(200, 200), [0, 0, 0xff]);
    assert_eq!(at(50, 350), [0xff, 0xaa, 0xaa]);
    let svg = String::from_utf8(write(&board, Format::Svg)).unwrap();
    let (first, second) = (svg.find("#ffaaaa").unwrap(), svg.find("#0000ff").unwrap());
    assert!(first < second, "{svg}");
}
