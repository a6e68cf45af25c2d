//! tldraw: its file of any age, and its clipboard.
//!
//! A shape's place is relative to its parent's, and turns with it. The notes'
//! default colour is named black and drawn yellow. Records of users and pointers
//! name people and are never kept.

mod clipboard;
mod rich_text;
mod theme;
mod tree;
mod version_one;
mod write;

use crate::draft::{Draft, Draught};
use crate::error::ReadError;
use crate::kind::Kind;
use crate::limits::ELEMENTS_MAX;
use crate::loose::{Entries, List, Loose, Maybe, parse, record};
use crate::report::{LeftOut, Remark};
use crate::spot::Spot;
use rich_text::RichText;
use tree::{Pose, Tree};
pub(crate) use write::write;

const KIND: Kind = Kind::Tldraw;

/// A note's side before it is scaled.
const NOTE_SIDE: f64 = 200.0;

record! {
    struct File {
        records: Option<List<Maybe<Record>>> = "records",
        /// What the editor gives to programs, alone or in a document.
        store: Maybe<Entries<Maybe<Record>>> = "store",
        document: Maybe<Document> = "document",
    }
}

record! {
    struct Document {
        store: Maybe<Entries<Maybe<Record>>> = "store",
    }
}

record! {
    /// A record of any type; pages and shapes are what counts.
    struct Record {
        id: Loose = "id",
        /// Only records in a file have it; a clipboard's are all shapes.
        type_name: Loose = "typeName",
        r#type: Loose = "type",
        parent_id: Loose = "parentId",
        index: Loose = "index",
        x: Loose = "x",
        y: Loose = "y",
        rotation: Loose = "rotation",
        props: Maybe<Props> = "props",
        meta: Maybe<Meta> = "meta",
    }
}

record! {
    /// What programs note down about a shape; the editor keeps it.
    struct Meta {
        /// Our writer's: the box is a note, even without a text.
        note: Loose = "note",
    }
}

record! {
    struct Props {
        color: Loose = "color",
        fill: Loose = "fill",
        w: Loose = "w",
        h: Loose = "h",
        grow_y: Loose = "growY",
        scale: Loose = "scale",
        text: Loose = "text",
        rich_text: Maybe<RichText> = "richText",
    }
}

pub(crate) fn read(text: &str, draught: &mut Draught) -> Result<(), ReadError> {
    let inflated;
    let (records, list) = if text.trim_start().starts_with('<') {
        inflated = clipboard::content(text)?;
        (clipboard::shapes(&inflated)?, "shapes")
    } else if let Some(content) = clipboard::plain(text)? {
        inflated = content;
        (clipboard::shapes(&inflated)?, "shapes")
    } else {
        let file: File = parse(KIND, text)?;
        let document = file.document.0;
        let store = file.store.0.or(document.and_then(|document| document.store.0));
        match (file.records, store) {
            (Some(records), _) => (records.0, "records"),
            (None, Some(store)) => (store.0, "store"),
            // Before version 2 a file was a document of pages.
            (None, None) => (version_one::records(text, draught)?, "shapes"),
        }
    };
    read_records(&records, list, draught)
}

fn read_records(
    records: &[Maybe<Record>],
    list: &'static str,
    draught: &mut Draught,
) -> Result<(), ReadError> {
    if records.len() > ELEMENTS_MAX {
        return Err(ReadError::TooMany { kind: KIND, what: "elements", limit: ELEMENTS_MAX });
    }
    let spot = |index| Spot::element(KIND, list, index);
    let present = records.iter().enumerate();
    let present = present.filter_map(|(index, record)| Some((spot(index), record.0.as_ref()?)));
    let mut pages = Vec::new();
    let mut shapes = Vec::new();
    for (spot, record) in present {
        match record.type_name.text() {
            Some("shape") => shapes.push((spot, record)),
            None if list == "shapes" => shapes.push((spot, record)),
            Some("page") => pages.push(record),
            _ => {}
        }
    }
    let tree = Tree::of(&pages, &shapes)?;
    for placed in &tree.order {
        let (spot, shape) = shapes[placed.shape];
        let props = shape.props.0.as_ref();
        match shape.r#type.text().unwrap_or_default() {
            "note" => note(spot, props, placed, draught)?,
            "geo" => {
                let meta = shape.meta.0.as_ref();
                let is_note = meta.is_some_and(|meta| meta.note.is_true());
                geo(spot, props, is_note, placed, draught)?;
            }
            "text" => loose_text(spot, props, placed, draught)?,
            other => draught.report.leave_out(
                match other {
                    "arrow" => LeftOut::Arrow,
                    "line" => LeftOut::Line,
                    "draw" | "highlight" => LeftOut::Drawing,
                    "image" => LeftOut::Image,
                    "video" => LeftOut::Video,
                    "bookmark" => LeftOut::Bookmark,
                    "embed" => LeftOut::Embed,
                    "frame" => LeftOut::Frame,
                    // A group has no look of its own.
                    "group" => continue,
                    _ => LeftOut::Other,
                },
                1,
            ),
        }
    }
    Ok(())
}

fn note(
    spot: Spot,
    props: Option<&Props>,
    placed: &tree::Placed,
    draught: &mut Draught,
) -> Result<(), ReadError> {
    let mut draft = Draft::new(spot, words(props));
    let (grow, scale) = match props {
        Some(props) => (
            spot.number_or("props.growY", &props.grow_y, 0.0)?,
            spot.number_or("props.scale", &props.scale, 1.0)?,
        ),
        None => (0.0, 1.0),
    };
    let size = (NOTE_SIDE * scale, (NOTE_SIDE + grow) * scale);
    let name = props.and_then(|props| props.color.text()).unwrap_or("black");
    draft.color = theme::note(name);
    finish(draft, size, placed, draught)
}

/// A box. Its sides are stored as they are drawn: the scale is that of its text.
fn geo(
    spot: Spot,
    props: Option<&Props>,
    is_note: bool,
    placed: &tree::Placed,
    draught: &mut Draught,
) -> Result<(), ReadError> {
    let text = words(props);
    let Some(props) = props.filter(|_| is_note || !text.is_empty()) else {
        draught.report.leave_out(LeftOut::Shape, 1);
        return Ok(());
    };
    let mut draft = Draft::new(spot, text);
    let (width, height) = spot.pair(["props.w", "props.h"], [&props.w, &props.h])?;
    let grow = spot.number_or("props.growY", &props.grow_y, 0.0)?;
    let name = props.color.text().unwrap_or("black");
    draft.color = theme::geo(name, props.fill.text().unwrap_or("none"));
    finish(draft, (width, height + grow), placed, draught)
}

/// A text without a box: the file does not say how large it is drawn, so its
/// corner is what stays.
fn loose_text(
    spot: Spot,
    props: Option<&Props>,
    placed: &tree::Placed,
    draught: &mut Draught,
) -> Result<(), ReadError> {
    let text = words(props);
    if text.is_empty() {
        draught.report.leave_out(LeftOut::Empty, 1);
        return Ok(());
    }
    let mut draft = Draft::new(spot, text);
    draft.corner = Some((placed.pose.x, placed.pose.y));
    draft.page = placed.page;
    turned(&placed.pose, draught);
    draught.push(draft)
}

/// Places a shape by its centre, which turning does not move.
fn finish(
    mut draft: Draft,
    (width, height): (f64, f64),
    placed: &tree::Placed,
    draught: &mut Draught,
) -> Result<(), ReadError> {
    let (x, y) = placed.pose.at(width / 2.0, height / 2.0);
    draft.corner = Some((x - width / 2.0, y - height / 2.0));
    draft.size = Some((width, height));
    draft.page = placed.page;
    if draft.color.is_none() {
        draught.report.remark(Remark::Colors, 1);
    }
    turned(&placed.pose, draught);
    draught.push(draft)
}

fn turned(pose: &Pose, draught: &mut Draught) {
    draught.report.remark(Remark::Unturned, usize::from(pose.rotation != 0.0));
}

/// What a shape says: rich text, or the plain text of older files.
fn words(props: Option<&Props>) -> String {
    let Some(props) = props else { return String::new() };
    match &props.rich_text.0 {
        Some(rich) => rich.plain(),
        None => props.text.text().unwrap_or_default().to_owned(),
    }
}
