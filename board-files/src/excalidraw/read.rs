//! Elements in. Places are absolute, also in frames and groups. An angle turns a
//! box about its centre, and x and y are those of the box that is not turned.

use std::collections::{BTreeMap, BTreeSet};

use super::KIND;
use super::vault::{is_vault_drawing, scene};
use crate::draft::{Draft, Draught};
use crate::error::ReadError;
use crate::loose::{List, Loose, Maybe, parse, record};
use crate::report::{LeftOut, Remark, Report};
use crate::spot::Spot;

record! {
    struct File {
        elements: List<Maybe<Element>> = "elements",
    }
}

record! {
    struct Element {
        id: Loose = "id",
        r#type: Loose = "type",
        x: Loose = "x",
        y: Loose = "y",
        width: Loose = "width",
        height: Loose = "height",
        angle: Loose = "angle",
        background_color: Loose = "backgroundColor",
        text: Loose = "text",
        original_text: Loose = "originalText",
        container_id: Loose = "containerId",
        bound_elements: List<Maybe<Bound>> = "boundElements",
        is_deleted: Loose = "isDeleted",
        locked: Loose = "locked",
    }
}

record! {
    struct Bound {
        id: Loose = "id",
    }
}

/// What an element is to us.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// A box, which is a note with or without a label.
    Container,
    Text,
    Left(LeftOut),
}

impl Element {
    fn part(&self) -> Part {
        match self.r#type.text().unwrap_or_default() {
            "rectangle" | "ellipse" | "diamond" | "stickynote" => Part::Container,
            "text" => Part::Text,
            "arrow" => Part::Left(LeftOut::Arrow),
            "line" => Part::Left(LeftOut::Line),
            "freedraw" | "draw" => Part::Left(LeftOut::Drawing),
            "image" => Part::Left(LeftOut::Image),
            "frame" | "magicframe" => Part::Left(LeftOut::Frame),
            "embeddable" | "iframe" => Part::Left(LeftOut::Embed),
            _ => Part::Left(LeftOut::Other),
        }
    }

    /// What was written: `text` has the line breaks that the editor put in.
    fn words(&self) -> Option<&str> {
        self.original_text.text().or_else(|| self.text.text())
    }
}

pub(crate) fn read(text: &str, draught: &mut Draught) -> Result<(), ReadError> {
    let file: File =
        if is_vault_drawing(text) { parse(KIND, &scene(text)?)? } else { parse(KIND, text)? };
    let elements: Vec<(Spot, &Element)> = file
        .elements
        .0
        .iter()
        .enumerate()
        .filter_map(|(index, element)| {
            Some((Spot::element(KIND, "elements", index), element.0.as_ref()?))
        })
        .collect();
    let labels = Labels::of(&elements, &mut draught.report);
    for (at, (spot, element)) in elements.iter().enumerate() {
        let report = &mut draught.report;
        if labels.of_deleted.contains(&at) {
            continue;
        }
        if element.is_deleted.is_true() {
            // Strokes and pictures that somebody deleted are nothing that anybody misses.
            let was_note = !matches!(element.part(), Part::Left(_));
            report.leave_out(LeftOut::Deleted, usize::from(was_note));
            continue;
        }
        let text = match element.part() {
            Part::Left(what) => {
                report.leave_out(what, 1);
                continue;
            }
            Part::Text => match labels.owner.get(&at).map(|owner| elements[*owner].1.part()) {
                // The label comes with its box.
                Some(Part::Container) => continue,
                Some(_) => {
                    report.leave_out(LeftOut::ArrowLabel, 1);
                    continue;
                }
                None => element.words(),
            },
            Part::Container => match labels.label.get(&at) {
                Some(label) => elements[*label].1.words(),
                None => element.words(),
            },
        };
        let mut draft = Draft::new(*spot, text.unwrap_or_default().to_owned());
        place(*spot, element, &mut draft)?;
        draft.locked = element.locked.is_true();
        if element.angle.number().is_some_and(|angle| angle != 0.0) {
            draught.report.remark(Remark::Unturned, 1);
        }
        if element.part() == Part::Container {
            draft.color = draught.color(element.background_color.text().unwrap_or_default());
        }
        draught.push(draft)?;
    }
    Ok(())
}

fn place(spot: Spot, element: &Element, draft: &mut Draft) -> Result<(), ReadError> {
    let (x, y) = spot.pair(["x", "y"], [&element.x, &element.y])?;
    let sides = [&element.width, &element.height];
    let (width, height) = spot.pair(["width", "height"], sides)?;
    // A box that was drawn leftwards or upwards has negative sides.
    draft.corner = Some((x + width.min(0.0), y + height.min(0.0)));
    draft.size = Some((width.abs(), height.abs()));
    Ok(())
}

/// Which text is the label of which element. Either of the two may name the other.
struct Labels {
    /// From an element to its label.
    label: BTreeMap<usize, usize>,
    /// From a label to its element.
    owner: BTreeMap<usize, usize>,
    /// Deleted labels, which their deleted element counts for.
    of_deleted: BTreeSet<usize>,
}

impl Labels {
    fn of(elements: &[(Spot, &Element)], report: &mut Report) -> Self {
        let mut by_id: BTreeMap<&str, usize> = BTreeMap::new();
        for (at, (_, element)) in elements.iter().enumerate() {
            let Some(id) = element.id.text() else { continue };
            // The first one keeps the id, as in Excalidraw.
            if *by_id.entry(id).or_insert(at) != at && element.part() == Part::Container {
                report.remark(Remark::SameId, 1);
            }
        }
        let is_text = |at: &usize| elements[*at].1.part() == Part::Text;
        let mut labels =
            Self { label: BTreeMap::new(), owner: BTreeMap::new(), of_deleted: BTreeSet::new() };
        for (at, (_, element)) in elements.iter().enumerate().filter(|(at, _)| is_text(at)) {
            let Some(owner) = element.container_id.text().and_then(|id| by_id.get(id)) else {
                continue;
            };
            labels.join(elements, *owner, at);
        }
        for (at, (_, element)) in elements.iter().enumerate() {
            let bound = element.bound_elements.0.iter().filter_map(|bound| bound.0.as_ref());
            let bound = bound.filter_map(|bound| by_id.get(bound.id.text()?).copied());
            for label in bound.filter(is_text) {
                labels.join(elements, at, label);
            }
        }
        labels
    }

    fn join(&mut self, elements: &[(Spot, &Element)], owner: usize, label: usize) {
        let deleted = |at: usize| elements[at].1.is_deleted.is_true();
        if deleted(owner) || deleted(label) {
            if deleted(owner) && deleted(label) {
                self.of_deleted.insert(label);
            }
            return;
        }
        if elements[owner].1.part() == Part::Text || self.owner.contains_key(&label) {
            return;
        }
        // A second label of one box stays a note of its own.
        if let std::collections::btree_map::Entry::Vacant(free) = self.label.entry(owner) {
            free.insert(label);
            self.owner.insert(label, owner);
        }
    }
}
