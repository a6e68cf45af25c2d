//! Files of tldraw from before its version 2: a document of pages, with shapes by their
//! ids. They become the records of today.
//!
//! Points are the page's own, also in groups, and a shape is turned about its centre, so
//! that its place is the one of the box that is not turned.

use super::clipboard::unexpected;
use super::{KIND, Props, Record};
use crate::draft::Draught;
use crate::error::ReadError;
use crate::loose::{Entries, List, Loose, Maybe, parse, record};
use crate::report::Remark;

record! {
    struct File {
        document: Maybe<Document> = "document",
    }
}

record! {
    struct Document {
        pages: Maybe<Entries<Maybe<Page>>> = "pages",
    }
}

record! {
    struct Page {
        id: Loose = "id",
        child_index: Loose = "childIndex",
        shapes: Maybe<Entries<Maybe<Shape>>> = "shapes",
    }
}

record! {
    struct Shape {
        id: Loose = "id",
        r#type: Loose = "type",
        parent_id: Loose = "parentId",
        child_index: Loose = "childIndex",
        point: List<Loose> = "point",
        size: List<Loose> = "size",
        radius: List<Loose> = "radius",
        rotation: Loose = "rotation",
        text: Loose = "text",
        label: Loose = "label",
        style: Maybe<Style> = "style",
    }
}

record! {
    struct Style {
        color: Loose = "color",
        is_filled: Loose = "isFilled",
    }
}

/// The names of colours that have another since.
const COLORS: [(&str, &str); 8] = [
    ("white", "black"),
    ("lightGray", "grey"),
    ("gray", "grey"),
    ("green", "light-green"),
    ("cyan", "green"),
    ("blue", "light-blue"),
    ("indigo", "blue"),
    ("violet", "light-violet"),
];

/// The shapes of a document, and behind them its pages.
pub(super) fn records(text: &str, draught: &mut Draught) -> Result<Vec<Maybe<Record>>, ReadError> {
    let file: File = parse(KIND, text)?;
    let Some(pages) = file.document.0.and_then(|document| document.pages.0) else {
        let expected = "records, a store, or a document of pages";
        return Err(unexpected("the file", expected, "none of them".to_owned()));
    };
    let mut records = Vec::new();
    let mut page_records = Vec::new();
    for page in pages.0.into_iter().filter_map(|page| page.0) {
        let shapes = page.shapes.0.unwrap_or_default();
        records
            .extend(shapes.0.into_iter().map(|shape| Maybe(shape.0.map(|s| of_today(s, draught)))));
        page_records.push(Maybe(Some(Record {
            type_name: Loose::Text("page".to_owned()),
            id: page.id,
            index: index(&page.child_index),
            ..Record::default()
        })));
    }
    records.append(&mut page_records);
    Ok(records)
}

fn of_today(shape: Shape, draught: &mut Draught) -> Record {
    let is = |name| shape.r#type.text() == Some(name);
    let (is_note, is_ellipse) = (is("sticky"), is("ellipse"));
    let is_box = is_ellipse || is("rectangle") || is("triangle");
    let factor = if is_ellipse { 2.0 } else { 1.0 };
    let mut sides = if is_ellipse { shape.radius } else { shape.size }.0.into_iter();
    let mut side = || match sides.next().unwrap_or_default() {
        Loose::Number(side) => Loose::Number(factor * side),
        other => other,
    };
    let mut props = Props { w: side(), h: side(), ..Props::default() };
    if let (true, Some(width), Some(height)) = (is_note, props.w.number(), props.h.number()) {
        // Notes are squares that grow today.
        let scale = width.max(1.0) / super::NOTE_SIDE;
        props.scale = Loose::Number(scale);
        props.grow_y = Loose::Number(height / scale - super::NOTE_SIDE);
    }
    props.text = if is_box { shape.label } else { shape.text };
    let style = shape.style.0.unwrap_or_default();
    if let Some(old) = style.color.text() {
        let new = COLORS.iter().find(|(name, _)| *name == old).map_or(old, |(_, new)| new);
        props.color = Loose::Text(new.to_owned());
    }
    if style.is_filled.is_true() {
        props.fill = Loose::Text("solid".to_owned());
    }
    let is_turned = shape.rotation.number().is_some_and(|angle| angle != 0.0);
    if is_note || is_box || is("text") {
        draught.report.remark(Remark::Unturned, usize::from(is_turned));
    }
    let is_group = is("group");
    let r#type = match () {
        () if is_note => Loose::Text("note".to_owned()),
        () if is_box => Loose::Text("geo".to_owned()),
        () => shape.r#type,
    };
    // A group's own point is of no use, since its shapes have the page's.
    let mut point = shape.point.0.into_iter();
    let mut coordinate = || match point.next() {
        _ if is_group => Loose::Number(0.0),
        // Where there is none, the error names a list that is too short.
        found => found.unwrap_or(Loose::Array),
    };
    Record {
        id: shape.id,
        r#type,
        parent_id: shape.parent_id,
        index: index(&shape.child_index),
        x: coordinate(),
        y: coordinate(),
        props: Maybe(Some(props)),
        ..Record::default()
    }
}

/// A number as an index, which is compared by its bytes.
fn index(number: &Loose) -> Loose {
    let bits = number.number().unwrap_or(0.0).to_bits();
    let ordered = if bits >> 63 == 0 { bits | 1 << 63 } else { !bits };
    Loose::Text(format!("{ordered:016x}"))
}
