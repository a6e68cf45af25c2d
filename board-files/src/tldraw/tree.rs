//! Where tldraw's shapes stand on their page, and in which order.

use std::collections::BTreeMap;

use super::{KIND, Record};
use crate::error::ReadError;
use crate::spot::Spot;

/// A shape's origin on its page, and how far it is turned, in radians.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pose {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) rotation: f64,
}

impl Pose {
    /// A point of the shape on the page.
    pub(super) fn at(&self, x: f64, y: f64) -> (f64, f64) {
        if self.rotation == 0.0 {
            return (self.x + x, self.y + y);
        }
        let (sin, cos) = self.rotation.sin_cos();
        (self.x + x * cos - y * sin, self.y + x * sin + y * cos)
    }

    fn child(&self, own: Self) -> Self {
        let (x, y) = self.at(own.x, own.y);
        Self { x, y, rotation: self.rotation + own.rotation }
    }
}

/// A shape that is drawn.
#[derive(Debug)]
pub(super) struct Placed {
    /// Its number in the list that the tree was made of.
    pub(super) shape: usize,
    pub(super) page: usize,
    pub(super) pose: Pose,
}

/// All shapes, page by page, from the lowest to the topmost.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) order: Vec<Placed>,
}

impl Tree {
    pub(super) fn of(pages: &[&Record], shapes: &[(Spot, &Record)]) -> Result<Self, ReadError> {
        let mut ids: BTreeMap<&str, usize> = BTreeMap::new();
        for (number, (spot, shape)) in shapes.iter().enumerate() {
            let Some(id) = shape.id.text() else {
                return Err(spot.unexpected("id", "a string", shape.id.shown()));
            };
            if ids.insert(id, number).is_some() {
                let expected = "an id that no other record has";
                return Err(spot.unexpected("id", expected, shape.id.shown()));
            }
        }
        // What has no shape above it stands on a page, known or not.
        let mut children: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        let mut of_pages: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (number, (_, shape)) in shapes.iter().enumerate() {
            let parent = shape.parent_id.text().unwrap_or_default();
            let siblings = if ids.contains_key(parent) { &mut children } else { &mut of_pages };
            siblings.entry(parent).or_default().push(number);
        }
        let by_index = |number: &usize| {
            let (_, shape) = shapes[*number];
            (shape.index.text().unwrap_or_default(), shape.id.text())
        };
        for siblings in children.values_mut().chain(of_pages.values_mut()) {
            siblings.sort_by(|a, b| by_index(a).cmp(&by_index(b)));
        }
        let mut order = Vec::with_capacity(shapes.len());
        for (page, roots) in in_order(pages, &of_pages).into_iter().enumerate() {
            // Parents first: what is last on the stack is drawn next.
            let mut open: Vec<(usize, Pose)> =
                roots.iter().rev().map(|root| (*root, Pose::default())).collect();
            while let Some((number, above)) = open.pop() {
                let (spot, shape) = shapes[number];
                let pose = above.child(own_pose(spot, shape)?);
                order.push(Placed { shape: number, page, pose });
                let below = shape.id.text().and_then(|id| children.get(id));
                open.extend(below.into_iter().flatten().rev().map(|child| (*child, pose)));
            }
        }
        if order.len() < shapes.len() {
            return Err(circle(shapes, &order));
        }
        Ok(Self { order })
    }
}

fn own_pose(spot: Spot, shape: &Record) -> Result<Pose, ReadError> {
    let (x, y) = spot.pair(["x", "y"], [&shape.x, &shape.y])?;
    Ok(Pose { x, y, rotation: spot.number_or("rotation", &shape.rotation, 0.0)? })
}

/// The pages' shapes by the pages' order; those of pages that the file lacks come
/// last.
fn in_order<'a>(
    pages: &[&Record],
    of_pages: &'a BTreeMap<&str, Vec<usize>>,
) -> Vec<&'a Vec<usize>> {
    let known: BTreeMap<&str, &str> = pages
        .iter()
        .filter_map(|page| Some((page.id.text()?, page.index.text().unwrap_or_default())))
        .collect();
    let mut order: Vec<_> = of_pages.iter().collect();
    order.sort_by_key(|(id, _)| (!known.contains_key(*id), known.get(*id).copied(), **id));
    order.into_iter().map(|(_, shapes)| shapes).collect()
}

/// Shapes that no page reaches are their own parents, directly or by others.
fn circle(shapes: &[(Spot, &Record)], order: &[Placed]) -> ReadError {
    let mut reached = vec![false; shapes.len()];
    order.iter().for_each(|placed| reached[placed.shape] = true);
    let lost = shapes.iter().zip(&reached).find(|(_, reached)| !**reached);
    let Some(((spot, shape), _)) = lost else {
        unreachable!("fewer shapes are in order than there are");
    };
    debug_assert_eq!(spot.kind, KIND);
    let expected = "a parent that is not inside this shape";
    spot.unexpected("parentId", expected, shape.parent_id.shown())
}
