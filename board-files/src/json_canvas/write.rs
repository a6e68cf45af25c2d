//! Nodes out: a text node a note. The text is written as it is, so that it comes
//! back unchanged; where it looks like Markdown, an application shows it so.

use serde::Serialize;
use serde_json::{Value, json};

use crate::board::Board;

pub(crate) fn write(board: &Board) -> String {
    let node = |(note, number): (&crate::Note, usize)| {
        let place = note.place.unwrap_or_default();
        json!({
            "id": format!("note-{number}"),
            "type": "text",
            "x": place.x,
            "y": place.y,
            "width": note.size.width,
            "height": note.size.height,
            "color": note.color.to_string(),
            "text": note.text,
        })
    };
    let nodes: Vec<Value> = board.drawn().zip(1..).map(node).collect();
    let canvas = json!({ "nodes": nodes, "edges": [] });
    let mut bytes = Vec::new();
    let tabs = serde_json::ser::PrettyFormatter::with_indent(b"\t");
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, tabs);
    canvas.serialize(&mut serializer).expect("writing to memory does not fail");
    String::from_utf8(bytes).expect("JSON is UTF-8")
}
