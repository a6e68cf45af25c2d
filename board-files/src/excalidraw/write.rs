//! Elements out: a rectangle with its label behind it. Nobody breaks or places a
//! label when a file is opened, so both are worked out here; `originalText` keeps
//! the text as it was written.

use serde_json::{Value, json};

use crate::board::{Board, Note};
use crate::lettering::{is_dark, wrapped};

/// Size of the writing, in pixels, which are board units.
const FONT: u32 = 16;
const LINE_HEIGHT: f64 = 1.25;
/// Between a box and its label.
const PADDING: u32 = 5;
/// Excalifont, the default.
const FAMILY: u32 = 5;
const INK: &str = "#1e1e1e";

pub(crate) fn write(board: &Board) -> String {
    let elements: Vec<Value> =
        board.notes.iter().zip(1..).flat_map(|(note, number)| elements(note, number)).collect();
    let file = json!({
        "type": "excalidraw",
        "version": 2,
        "source": "https://excalidraw.com",
        "elements": elements,
        "appState": { "viewBackgroundColor": "#ffffff" },
        "files": {},
    });
    format!("{file:#}\n")
}

fn elements(note: &Note, number: u32) -> Vec<Value> {
    let place = note.place.unwrap_or_default();
    let lines =
        wrapped(&note.text, (note.size.width.saturating_sub(2 * PADDING) * 2 / FONT) as usize);
    let label_height = lines.len() as f64 * f64::from(FONT) * LINE_HEIGHT;
    let has_label = !note.text.is_empty();
    let grown = if has_label { label_height + f64::from(2 * PADDING) } else { 0.0 };
    let (box_id, label_id) = (format!("note-{number}"), format!("text-{number}"));
    let mut shape = element("rectangle", &box_id, number);
    shape["x"] = place.x.into();
    shape["y"] = place.y.into();
    shape["width"] = note.size.width.into();
    shape["height"] = f64::from(note.size.height).max(grown).into();
    shape["strokeColor"] = INK.into();
    shape["backgroundColor"] = note.color.to_string().into();
    if !has_label {
        return vec![shape];
    }
    shape["boundElements"] = json!([{ "type": "text", "id": label_id }]);
    let mut label = element("text", &label_id, number);
    label["x"] = (i64::from(place.x) + i64::from(PADDING)).into();
    label["y"] = (i64::from(place.y) + i64::from(PADDING)).into();
    label["width"] = note.size.width.saturating_sub(2 * PADDING).into();
    label["height"] = label_height.into();
    label["strokeColor"] = if is_dark(note.color.0) { "#ffffff" } else { INK }.into();
    label["backgroundColor"] = "transparent".into();
    label["text"] = lines.join("\n").into();
    label["originalText"] = note.text.as_str().into();
    label["fontSize"] = FONT.into();
    label["fontFamily"] = FAMILY.into();
    label["textAlign"] = "left".into();
    label["verticalAlign"] = "top".into();
    label["lineHeight"] = LINE_HEIGHT.into();
    label["autoResize"] = true.into();
    label["containerId"] = box_id.into();
    vec![shape, label]
}

/// What every element has.
fn element(kind: &str, id: &str, number: u32) -> Value {
    json!({
        "id": id,
        "type": kind,
        "angle": 0,
        "fillStyle": "solid",
        "strokeWidth": 1,
        "strokeStyle": "solid",
        "roughness": 0,
        "opacity": 100,
        "groupIds": [],
        "frameId": null,
        "roundness": null,
        "seed": number,
        "version": 1,
        "versionNonce": number,
        "isDeleted": false,
        "boundElements": [],
        "updated": 1,
        "link": null,
        "locked": false,
    })
}
