//! The published schema names what our JSON has, and nothing else.
#![allow(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

use std::collections::BTreeSet;

use desk_files::{Board, DeskFacts, Note, Origin, json_value};
use desk_protocol::{Author, Point, Revision, StickerId, StickerKind, Time};
use serde_json::Value;

fn names(object: &Value) -> BTreeSet<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn the_schema_names_what_is_written() {
    let schema: Value = serde_json::from_str(include_str!("../../docs/desk.schema.json")).unwrap();
    let origin = Origin { id: StickerId(1), author: Author(2), created_at: Time(0) };
    let note = Note {
        place: Some(Point::default()),
        origin: Some(origin),
        deleted: true,
        locked: true,
        kind: StickerKind::AREA,
        ..Note::default()
    };
    let desk = DeskFacts { revision: Revision(1), created_at: Time(0), expires_at: Time(0) };
    let written = json_value(&Board { notes: vec![note], desk: Some(desk), ..Board::default() });
    assert_eq!(names(&schema["properties"]), names(&written));
    let sticker = &schema["properties"]["stickers"]["items"]["properties"];
    assert_eq!(names(sticker), names(&written["stickers"][0]));
}
