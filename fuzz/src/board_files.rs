//! Files of every kind as strangers write them: what is read is a board that a
//! desk can hold.

use desk_files::{Imported, Kind, Options, read, read_clipboard};
use desk_protocol::limits::{COORDINATE_MAX, SIDE_MAX, SIDE_MIN, TEXT_CHARS_MAX};
use desk_protocol::{Point, Size};

/// The kind told by the content.
pub fn any(data: &[u8]) {
    check(read(data, &Options::default()).ok());
}

/// Both flavours of a clipboard, parted by the first byte 0.
pub fn clipboard(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (html, plain) = text.split_once('\0').unwrap_or((&text, ""));
    let flavours = [("text/html", html), ("text/plain", plain)];
    check(read_clipboard(&flavours, &Options::default()).ok());
}

macro_rules! readers {
    ($($(#[doc = $doc:literal])+ $name:ident = $kind:ident;)+) => {
        $($(#[doc = $doc])+
        pub fn $name(data: &[u8]) {
            as_kind(data, Kind::$kind);
        })+
    };
}

readers! {
    /// Our JSON.
    desk = Desk;
    /// Tables.
    table = Table;
    /// Lines.
    lines = Lines;
    /// Markdown.
    markdown = Markdown;
    /// Excalidraw.
    excalidraw = Excalidraw;
    /// tldraw.
    tldraw = Tldraw;
    /// JSON Canvas.
    canvas = Canvas;
    /// Trello.
    trello = Trello;
    /// Cells.
    cells = Cells;
}

fn as_kind(data: &[u8], kind: Kind) {
    check(read(data, &Options { kind: Some(kind), deleted: true, ..Options::default() }).ok());
}

fn check(imported: Option<Imported>) {
    let Some(Imported { mut board, report }) = imported else { return };
    assert!(!board.notes.is_empty(), "a board has notes");
    board.place_beside(&[(Point { x: 0, y: 0 }, Size::default())]);
    for note in &board.notes {
        let place = note.place.expect("every note was placed");
        let on_board = -COORDINATE_MAX..=COORDINATE_MAX;
        assert!(on_board.contains(&place.x) && on_board.contains(&place.y), "{place:?}");
        let sides = SIDE_MIN..=SIDE_MAX;
        assert!(sides.contains(&note.size.width) && sides.contains(&note.size.height));
        assert!(note.text.chars().count() <= TEXT_CHARS_MAX);
    }
    let _ = report.to_string();
}
