//! Files of tldraw from before its version 2: a document of pages, with shapes by their
//! ids. Points are the page's own, also in groups, and a shape is turned about its centre.

use std::collections::BTreeMap;

use super::clipboard::unexpected;
use super::{KIND, theme};
use crate::draft::{Draft, Draught};
use crate::error::ReadError;
use crate::limits::ELEMENTS_MAX;
use crate::loose::{Entries, List, Loose, Maybe, parse, record};
use crate::report::{LeftOut, Remark};
use crate::spot::Spot;

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

/// The old names of colours, and what tldraw makes of them since.
const COLORS: [(&str, &str); 12] = [
    ("white", "black"),
    ("black", "black"),
    ("lightGray", "grey"),
    ("gray", "grey"),
    ("green", "light-green"),
    ("cyan", "green"),
    ("blue", "light-blue"),
    ("indigo", "blue"),
    ("violet", "light-violet"),
    ("red", "red"),
    ("orange", "orange"),
    ("yellow", "yellow"),
];

/// Reads a document.
pub(super) fn read(text: &str, draught: &mut Draught) -> Result<(), ReadError> {
    let file: File = parse(KIND, text)?;
    let Some(pages) = file.document.0.and_then(|document| document.pages.0) else {
        let expected = "records, a store, or a document of pages";
        return Err(unexpected("the file", expected, "none of them".to_owned()));
    };
    let mut pages: Vec<Page> = pages.0.into_iter().filter_map(|page| page.0).collect();
    pages.sort_by(|a, b| order(&a.child_index).total_cmp(&order(&b.child_index)));
    let mut index = 0;
    for (number, page) in pages.iter().enumerate() {
        let shapes = page.shapes.0.as_ref().map_or(&[][..], |shapes| &shapes.0);
        let shapes: Vec<&Shape> = shapes.iter().filter_map(|shape| shape.0.as_ref()).collect();
        let mut placed: Vec<((f64, f64), Spot, &Shape)> = Vec::with_capacity(shapes.len());
        let groups: BTreeMap<&str, f64> = shapes
            .iter()
            .filter(|shape| shape.r#type.text() == Some("group"))
            .filter_map(|group| Some((group.id.text()?, order(&group.child_index))))
            .collect();
        for shape in shapes {
            let own = order(&shape.child_index);
            // A shape of a group lies where the group does.
            let group = shape.parent_id.text().and_then(|parent| groups.get(parent));
            let height = group.map_or((own, f64::NEG_INFINITY), |group| (*group, own));
            placed.push((height, Spot::element(KIND, "shapes", index), shape));
            index += 1;
        }
        if index > ELEMENTS_MAX {
            return Err(ReadError::TooMany { kind: KIND, what: "elements", limit: ELEMENTS_MAX });
        }
        placed.sort_by(|((a, b), ..), ((c, d), ..)| a.total_cmp(c).then(b.total_cmp(d)));
        for (_, spot, shape) in placed {
            one(spot, shape, number, draught)?;
        }
    }
    Ok(())
}

fn order(index: &Loose) -> f64 {
    index.number().unwrap_or(0.0)
}

fn one(spot: Spot, shape: &Shape, page: usize, draught: &mut Draught) -> Result<(), ReadError> {
    let kind = shape.r#type.text().unwrap_or_default();
    let (field, words) = match kind {
        "sticky" | "text" => ("text", &shape.text),
        "rectangle" | "ellipse" | "triangle" => ("label", &shape.label),
        other => {
            let left = match other {
                "arrow" => LeftOut::Arrow,
                "line" => LeftOut::Line,
                "draw" => LeftOut::Drawing,
                "image" => LeftOut::Image,
                "video" => LeftOut::Video,
                "group" => return Ok(()),
                _ => LeftOut::Other,
            };
            draught.report.leave_out(left, 1);
            return Ok(());
        }
    };
    let words = words.text().unwrap_or_default();
    if words.is_empty() && kind != "sticky" {
        let left = if field == "text" { LeftOut::Empty } else { LeftOut::Shape };
        draught.report.leave_out(left, 1);
        return Ok(());
    }
    let mut draft = Draft::new(spot, words.to_owned());
    draft.page = page;
    draft.corner = Some(two(spot, "point", &shape.point)?);
    let style = shape.style.0.as_ref();
    let old = style.and_then(|style| style.color.text()).unwrap_or("black");
    let name = COLORS.iter().find(|(name, _)| *name == old).map_or("", |(_, name)| name);
    match kind {
        "sticky" => draft.color = theme::note(name),
        "text" => {}
        _ => {
            let filled = style.is_some_and(|style| style.is_filled.is_true());
            draft.color = theme::geo(name, if filled { "solid" } else { "none" });
        }
    }
    if kind == "ellipse" {
        let (width, height) = two(spot, "radius", &shape.radius)?;
        draft.size = Some((2.0 * width, 2.0 * height));
    } else if kind != "text" {
        draft.size = Some(two(spot, "size", &shape.size)?);
    }
    if draft.color.is_none() && kind != "text" {
        draught.report.remark(Remark::Colors, 1);
    }
    let turned = shape.rotation.number().is_some_and(|angle| angle != 0.0);
    draught.report.remark(Remark::Unturned, usize::from(turned));
    draught.push(draft)
}

/// A pair of numbers.
fn two(spot: Spot, field: &str, list: &List<Loose>) -> Result<(f64, f64), ReadError> {
    match list.0.as_slice() {
        [x, y, ..] => spot.pair([field, field], [x, y]),
        _ => Err(spot.unexpected(field, "two numbers", "none".to_owned())),
    }
}
