//! Places for notes without one, and for a board beside what is there already.

use desk_protocol::limits::COORDINATE_MAX;
use desk_protocol::{Point, Size};

use crate::board::{Board, Note};
use crate::draft::GAP;

/// A part of the desk: left, top, right, bottom.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Area {
    left: i64,
    top: i64,
    right: i64,
    bottom: i64,
}

impl Area {
    fn of(place: Point, size: Size) -> Self {
        let (left, top) = (i64::from(place.x), i64::from(place.y));
        let (right, bottom) = (left + i64::from(size.width), top + i64::from(size.height));
        Self { left, top, right, bottom }
    }

    fn around(areas: impl Iterator<Item = Self>) -> Option<Self> {
        areas.reduce(|a, b| Self {
            left: a.left.min(b.left),
            top: a.top.min(b.top),
            right: a.right.max(b.right),
            bottom: a.bottom.max(b.bottom),
        })
    }

    fn meets(&self, other: &Self) -> bool {
        self.left < other.right
            && other.left < self.right
            && self.top < other.bottom
            && other.top < self.bottom
    }
}

impl Board {
    /// Gives every note a place: those that have none stand in a grid below the
    /// others, and the whole board goes beside `occupied` if it would lie over
    /// any note there. Says whether it was moved.
    pub fn place_beside(&mut self, occupied: &[(Point, Size)]) -> bool {
        self.lay_out();
        let there: Vec<Area> =
            occupied.iter().map(|(place, size)| Area::of(*place, *size)).collect();
        let Some(all) = Area::around(there.iter().copied()) else { return false };
        let own: Vec<Area> = self.areas().collect();
        let Some(board) = Area::around(own.iter().copied()) else { return false };
        if !covers(&own, &there) {
            return false;
        }
        let gap = i64::from(GAP);
        let max = i64::from(COORDINATE_MAX);
        let to_right = (all.right + gap - board.left, 0);
        let to_left = (all.left - gap - board.right, 0);
        let below = (0, all.bottom + gap - board.top);
        let above = (0, all.top - gap - board.bottom);
        // A note's corner may stand at the edge; what is right of it is beyond.
        let fits = |(x, y): &(i64, i64)| {
            self.notes.iter().filter_map(|note| note.place).all(|place| {
                (i64::from(place.x) + x).abs() <= max && (i64::from(place.y) + y).abs() <= max
            })
        };
        let Some((x, y)) = [to_right, below, to_left, above].into_iter().find(fits) else {
            // A desk that is full from edge to edge has no beside.
            return false;
        };
        for place in self.notes.iter_mut().filter_map(|note| note.place.as_mut()) {
            let moved = |value: i32, by: i64| {
                i32::try_from(i64::from(value) + by).expect("it was seen to fit")
            };
            *place = Point { x: moved(place.x, x), y: moved(place.y, y) };
        }
        true
    }

    fn areas(&self) -> impl Iterator<Item = Area> {
        self.notes.iter().filter_map(|note| Some(Area::of(note.place?, note.size)))
    }

    /// A grid of cells that the largest of its notes fits.
    fn lay_out(&mut self) {
        let around = Area::around(self.areas());
        let (left, top) = around.map_or((0, 0), |area| (area.left, area.bottom + i64::from(GAP)));
        let mut free: Vec<&mut Note> =
            self.notes.iter_mut().filter(|note| note.place.is_none()).collect();
        let side = |of: fn(&Size) -> u32| {
            let largest = free.iter().map(|note| of(&note.size)).max().unwrap_or(0);
            i64::from(largest) + i64::from(GAP)
        };
        let (width, height) = (side(|size| size.width), side(|size| size.height));
        let columns = (1..).find(|side| side * side >= free.len()).expect("some square is larger");
        let max = i64::from(COORDINATE_MAX);
        for (index, note) in free.iter_mut().enumerate() {
            let (column, row) = ((index % columns) as i64, (index / columns) as i64);
            let on_board =
                |value: i64| i32::try_from(value.clamp(-max, max)).expect("it is clamped");
            note.place =
                Some(Point { x: on_board(left + column * width), y: on_board(top + row * height) });
        }
    }
}

/// Whether any area of one meets any of the other, by a sweep from left to right.
fn covers(own: &[Area], there: &[Area]) -> bool {
    let mut own: Vec<Area> = own.to_vec();
    let mut there: Vec<Area> = there.to_vec();
    own.sort_by_key(|area| area.left);
    there.sort_by_key(|area| area.left);
    let mut first = 0;
    for area in &own {
        // No later area of ours begins left of this one.
        while there.get(first).is_some_and(|other| other.right <= area.left) {
            first += 1;
        }
        let mut near = there[first..].iter().take_while(|other| other.left < area.right);
        if near.any(|other| area.meets(other)) {
            return true;
        }
    }
    false
}
