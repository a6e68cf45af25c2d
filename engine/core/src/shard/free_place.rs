//! Room for the notes of an import on a desk that has changed since they were laid out.

use desk_protocol::limits::COORDINATE_MAX;
use desk_protocol::{Create, Desk, Operation, Point, Revision, Size, Sticker};

/// Between what stands on the desk and what is moved beside it, in board units.
const GAP: i64 = 20;

/// A part of the desk.
#[derive(Clone, Copy, Debug)]
struct Area {
    left: i64,
    top: i64,
    right: i64,
    bottom: i64,
}

impl Area {
    fn of(at: Point, size: Size) -> Self {
        let (left, top) = (i64::from(at.x), i64::from(at.y));
        let (right, bottom) = (left + i64::from(size.width), top + i64::from(size.height));
        Self { left, top, right, bottom }
    }

    fn with(self, other: Self) -> Self {
        Self {
            left: self.left.min(other.left),
            top: self.top.min(other.top),
            right: self.right.max(other.right),
            bottom: self.bottom.max(other.bottom),
        }
    }

    fn meets(self, other: Self) -> bool {
        self.left < other.right
            && other.left < self.right
            && self.top < other.bottom
            && other.top < self.bottom
    }
}

/// Moves all created notes together beside everything on the desk, if a sticker lies among
/// them that came, was moved or was resized after `since` (IMPORT-7).
pub(super) fn lay_beside(desk: &Desk, since: Revision, operations: &mut [Operation]) {
    let place = |sticker: &Sticker| Area::of(sticker.position.value, sticker.size.value);
    let shown = || desk.stickers().filter(|sticker| !sticker.deleted.value);
    let own = operations.iter().filter_map(created).filter(|note| !note.deleted);
    let own = own.map(|note| Area::of(note.position, note.size)).reduce(Area::with);
    let (Some(own), Some(all)) = (own, shown().map(place).reduce(Area::with)) else { return };
    let is_new = |sticker: &Sticker| {
        let stamps = [sticker.position.stamp, sticker.size.stamp, sticker.deleted.stamp];
        stamps.iter().any(|stamp| stamp.revision > since)
    };
    if !shown().any(|sticker| is_new(sticker) && place(sticker).meets(own)) {
        return;
    }
    let beside = [
        (all.right + GAP - own.left, 0),
        (0, all.bottom + GAP - own.top),
        (all.left - GAP - own.right, 0),
        (0, all.top - GAP - own.bottom),
    ];
    let moved = |at: Point, (x, y): (i64, i64)| {
        let one = |value: i32, by: i64| {
            let value = i32::try_from(i64::from(value) + by).ok()?;
            (value.abs() <= COORDINATE_MAX).then_some(value)
        };
        Some(Point { x: one(at.x, x)?, y: one(at.y, y)? })
    };
    // A desk that is full from edge to edge has no beside.
    let fits = |by: &&(i64, i64)| {
        operations.iter().filter_map(created).all(|note| moved(note.position, **by).is_some())
    };
    let Some(by) = beside.iter().find(fits) else { return };
    for operation in operations {
        if let Operation::Create(note) = operation {
            note.position = moved(note.position, *by).expect("it was seen to fit");
        }
    }
}

fn created(operation: &Operation) -> Option<&Create> {
    match operation {
        Operation::Create(note) => Some(note),
        _ => None,
    }
}
