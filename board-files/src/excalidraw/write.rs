//! Elements out: a rectangle with its label behind it. Nobody breaks or places a
//! label when a file is opened, so both are worked out here; `originalText` keeps
//! the text as it was written.

use serde::Serialize;
use serde_json::json;

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

/// What every element has, in the order in which Excalidraw writes it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Element<'n> {
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    x: i64,
    y: i64,
    width: u32,
    height: f64,
    angle: u32,
    stroke_color: &'static str,
    background_color: String,
    fill_style: &'static str,
    stroke_width: u32,
    stroke_style: &'static str,
    roughness: u32,
    opacity: u32,
    group_ids: [(); 0],
    frame_id: Option<()>,
    roundness: Option<()>,
    seed: u32,
    version: u32,
    version_nonce: u32,
    is_deleted: bool,
    bound_elements: Vec<Bound>,
    updated: u32,
    link: Option<()>,
    locked: bool,
    #[serde(flatten)]
    label: Option<Label<'n>>,
}

/// An element that belongs to another one.
#[derive(Serialize)]
struct Bound {
    #[serde(rename = "type")]
    kind: &'static str,
    id: String,
}

/// What an element of text has besides.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Label<'n> {
    text: String,
    original_text: &'n str,
    font_size: u32,
    font_family: u32,
    text_align: &'static str,
    vertical_align: &'static str,
    line_height: f64,
    auto_resize: bool,
    container_id: String,
}

pub(crate) fn write(board: &Board) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct File<'n> {
        #[serde(rename = "type")]
        kind: &'static str,
        version: u32,
        source: &'static str,
        elements: Vec<Element<'n>>,
        app_state: serde_json::Value,
        files: serde_json::Value,
    }
    let file = File {
        kind: "excalidraw",
        version: 2,
        source: "https://excalidraw.com",
        elements: board.drawn().zip(1..).flat_map(elements).collect(),
        app_state: json!({ "viewBackgroundColor": "#ffffff" }),
        files: json!({}),
    };
    let mut out = serde_json::to_string(&file).expect("writing to memory does not fail");
    out.push('\n');
    out
}

fn elements((note, number): (&Note, u32)) -> impl Iterator<Item = Element<'_>> {
    let place = note.place.unwrap_or_default();
    let width = note.size.width.saturating_sub(2 * PADDING);
    let lines = wrapped(&note.text, (width * 2 / FONT) as usize);
    let label_height = lines.len() as f64 * f64::from(FONT) * LINE_HEIGHT;
    let (box_id, label_id) = (format!("note-{number}"), format!("text-{number}"));
    let mut shape = element("rectangle", &box_id, number);
    shape.locked = note.locked;
    (shape.x, shape.y) = (place.x.into(), place.y.into());
    (shape.width, shape.height) = (note.size.width, note.size.height.into());
    shape.background_color = note.color.to_string();
    let mut label = None;
    if !note.text.is_empty() {
        shape.height = shape.height.max(label_height + f64::from(2 * PADDING));
        shape.bound_elements.push(Bound { kind: "text", id: label_id.clone() });
        let mut text = element("text", &label_id, number);
        (text.x, text.y) = (shape.x + i64::from(PADDING), shape.y + i64::from(PADDING));
        (text.width, text.height) = (width, label_height);
        if is_dark(note.color.0) {
            text.stroke_color = "#ffffff";
        }
        text.label = Some(Label {
            text: lines.join("\n"),
            original_text: &note.text,
            font_size: FONT,
            font_family: FAMILY,
            text_align: "left",
            vertical_align: "top",
            line_height: LINE_HEIGHT,
            auto_resize: true,
            container_id: box_id,
        });
        label = Some(text);
    }
    std::iter::once(shape).chain(label)
}

fn element<'n>(kind: &'static str, id: &str, number: u32) -> Element<'n> {
    Element {
        id: id.to_owned(),
        kind,
        x: 0,
        y: 0,
        width: 0,
        height: 0.0,
        angle: 0,
        stroke_color: INK,
        background_color: "transparent".to_owned(),
        fill_style: "solid",
        stroke_width: 1,
        stroke_style: "solid",
        roughness: 0,
        opacity: 100,
        group_ids: [],
        frame_id: None,
        roundness: None,
        seed: number,
        version: 1,
        version_nonce: number,
        is_deleted: false,
        bound_elements: Vec::new(),
        updated: 1,
        link: None,
        locked: false,
        label: None,
    }
}
