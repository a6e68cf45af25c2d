//! Shapes out, in the oldest form (schema 1 with a note's version 5), which every
//! tldraw from 2.0 on opens. Its parser is all or nothing: each record has every
//! property of its version and no other.
//!
//! A note of theirs is 200 wide, so a note of another width becomes a box.
//! `growY` is believed when a file is opened, so it is worked out here.

use serde_json::{Value, json};

use super::theme;
use crate::board::{Board, Note};
use crate::lettering::wrapped;

/// Size "s" of their sans writing, in pixels, which are board units.
const FONT: u32 = 18;
const LINE: u32 = 25;
const PADDING: u32 = 16;
const NOTE: u32 = 200;

pub(crate) fn write(board: &Board) -> String {
    let mut records = vec![
        json!({ "typeName": "document", "id": "document:document", "gridSize": 10, "name": "",
            "meta": {} }),
        json!({ "typeName": "page", "id": "page:page", "name": page_name(board), "index": "a1",
            "meta": {} }),
    ];
    records.extend(board.drawn().zip(1..).map(|(note, number)| shape(note, number)));
    let file = json!({
        "tldrawFileFormatVersion": 1,
        "schema": schema(),
        "records": records,
    });
    format!("{file}\n")
}

fn page_name(board: &Board) -> &str {
    if board.title.is_empty() { "Page 1" } else { &board.title }
}

/// The versions that 2.0.0 wrote.
fn schema() -> Value {
    json!({
        "schemaVersion": 1,
        "storeVersion": 4,
        "recordVersions": {
            "asset": { "version": 1, "subTypeKey": "type",
                "subTypeVersions": { "image": 3, "video": 3, "bookmark": 1 } },
            "camera": { "version": 1 },
            "document": { "version": 2 },
            "instance": { "version": 24 },
            "instance_page_state": { "version": 5 },
            "page": { "version": 1 },
            "shape": { "version": 3, "subTypeKey": "type", "subTypeVersions": {
                "group": 0, "text": 1, "bookmark": 2, "draw": 1, "geo": 8, "note": 5, "line": 1,
                "frame": 0, "arrow": 3, "highlight": 0, "embed": 4, "image": 3, "video": 2 } },
            "instance_presence": { "version": 5 },
            "pointer": { "version": 1 },
        },
    })
}

fn shape(note: &Note, number: usize) -> Value {
    let place = note.place.unwrap_or_default();
    let is_note = note.size.width == NOTE && note.size.height >= NOTE;
    let (kind, props) = if is_note { ("note", note_props(note)) } else { ("geo", geo_props(note)) };
    json!({
        "typeName": "shape",
        "id": format!("shape:note{number}"),
        "type": kind,
        "x": place.x,
        "y": place.y,
        "rotation": 0,
        "index": index(number),
        "parentId": "page:page",
        "isLocked": note.locked,
        "opacity": 1,
        "props": props,
        // A box without a text is a decoration, unless it says that it is a note.
        "meta": if is_note { json!({}) } else { json!({ "note": true }) },
    })
}

fn note_props(note: &Note) -> Value {
    json!({
        "color": theme::nearest(note.color),
        "size": "s",
        "font": "sans",
        "align": "middle",
        "verticalAlign": "middle",
        "growY": note.size.height.max(text_height(note)) - NOTE,
        "url": "",
        "text": note.text,
    })
}

fn geo_props(note: &Note) -> Value {
    let size = note.size;
    json!({
        "geo": "rectangle",
        "labelColor": "black",
        "color": theme::nearest_of_box(note.color),
        "fill": "solid",
        "dash": "draw",
        "size": "s",
        "font": "sans",
        "align": "middle",
        "verticalAlign": "middle",
        "url": "",
        "w": size.width,
        "h": size.height,
        "growY": text_height(note).saturating_sub(size.height),
        "text": note.text,
    })
}

/// What a note's text needs, with the space around it.
fn text_height(note: &Note) -> u32 {
    if note.text.is_empty() {
        return 0;
    }
    let most = note.size.width.saturating_sub(2 * PADDING) * 2 / FONT;
    let lines = wrapped(&note.text, most as usize).len();
    u32::try_from(lines).unwrap_or(u32::MAX / LINE - 2) * LINE + 2 * PADDING
}

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The key that orders the shape among all: a letter says how many digits follow.
fn index(number: usize) -> String {
    let (mut rest, mut digits) = (number, 1);
    while rest >= 62_usize.pow(digits) {
        rest -= 62_usize.pow(digits);
        digits += 1;
    }
    let letter = char::from(b'a' + (digits - 1) as u8);
    let digit = |place: u32| char::from(DIGITS[rest / 62_usize.pow(place) % 62]);
    std::iter::once(letter).chain((0..digits).rev().map(digit)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_those_of_the_format_and_in_order() {
        for (number, key) in [(1, "a1"), (9, "a9"), (10, "aA"), (36, "aa"), (61, "az"), (62, "b00")]
        {
            assert_eq!(index(number), key);
        }
        assert_eq!(index(61 + 62 * 62), "bzz");
        assert_eq!(index(62 + 62 * 62), "c000");
        let keys: Vec<_> = (1..10_000).map(index).collect();
        assert!(keys.is_sorted());
    }
}
