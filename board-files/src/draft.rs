//! From what a format says of its notes to notes that a desk can hold: the rules
//! that are the same for every format.

use desk_protocol::limits::{COORDINATE_MAX, SIDE_MAX, SIDE_MIN};
use desk_protocol::{Color, Point, Size, StickerKind};

use crate::board::{Board, Note};
use crate::color::{self, Paint};
use crate::error::ReadError;
use crate::kind::Kind;
use crate::limits::NOTES_MAX;
use crate::report::{LeftOut, Remark, Report};
use crate::spot::Spot;
use crate::{Imported, Options};

/// The distance kept between pages, and in a grid, in board units.
pub(crate) const GAP: i32 = 20;

/// A note as its format has it.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) spot: Spot,
    pub(crate) text: String,
    pub(crate) corner: Option<(f64, f64)>,
    pub(crate) size: Option<(f64, f64)>,
    pub(crate) color: Option<Color>,
    /// Orders the notes from bottom to top; equal ones by their place in the file.
    pub(crate) z: i64,
    pub(crate) deleted: bool,
    pub(crate) locked: bool,
    pub(crate) kind: StickerKind,
    pub(crate) page: usize,
}

impl Draft {
    pub(crate) fn new(spot: Spot, text: String) -> Self {
        Self {
            spot,
            text,
            corner: None,
            size: None,
            color: None,
            z: 0,
            deleted: false,
            locked: false,
            kind: StickerKind::NOTE,
            page: 0,
        }
    }
}

/// A board in the making.
#[derive(Debug)]
pub(crate) struct Draught {
    pub(crate) title: String,
    pub(crate) drafts: Vec<Draft>,
    pub(crate) report: Report,
}

impl Draught {
    pub(crate) fn new(report: Report) -> Self {
        Self { title: String::new(), drafts: Vec::new(), report }
    }

    pub(crate) fn push(&mut self, draft: Draft) -> Result<(), ReadError> {
        if self.drafts.len() == NOTES_MAX {
            let kind = draft.spot.kind;
            return Err(ReadError::TooMany { kind, what: "notes", limit: NOTES_MAX });
        }
        self.drafts.push(draft);
        Ok(())
    }

    /// The colour that `text` names; one that nobody knows is told.
    pub(crate) fn color(&mut self, text: &str) -> Option<Color> {
        match color::css(text) {
            Paint::Of(color) => Some(color),
            Paint::None => None,
            Paint::Unknown => {
                self.report.remark(Remark::Colors, 1);
                None
            }
        }
    }

    /// Makes the board: whole units, sizes and texts within their limits, pages
    /// side by side, and the whole of it on the desk.
    pub(crate) fn finish(mut self, options: &Options) -> Result<Imported, ReadError> {
        let kind = self.report.kind;
        if !options.deleted {
            let all = self.drafts.len();
            self.drafts.retain(|draft| !draft.deleted);
            self.report.leave_out(LeftOut::Deleted, all - self.drafts.len());
        }
        if self.drafts.is_empty() {
            return Err(ReadError::Empty { kind, left_out: self.report.left_out_clause() });
        }
        self.drafts.sort_by_key(|draft| draft.z);
        let mut notes = Vec::with_capacity(self.drafts.len());
        for (draft, z) in self.drafts.iter_mut().zip(1..) {
            let text = std::mem::take(&mut draft.text);
            // A desk of ours comes back as it was, to the character.
            let text = match kind {
                Kind::Desk => Clean { text, cleaned: false },
                _ => clean(text),
            };
            self.report.remark(Remark::Controls, usize::from(text.cleaned));
            let chars = text.text.chars().count();
            if chars > options.text_chars {
                let (place, limit) = (draft.spot.place(""), options.text_chars);
                return Err(ReadError::LongText { kind, place, chars, limit });
            }
            let size = size(draft)?;
            let held = draft.size.is_some_and(|(width, height)| {
                [(width, size.width), (height, size.height)]
                    .iter()
                    .any(|(wanted, side)| wanted.round() != f64::from(*side))
            });
            self.report.remark(Remark::Resized, usize::from(held));
            notes.push(Note {
                place: None,
                size,
                color: draft.color.unwrap_or_default(),
                text: text.text,
                z,
                deleted: draft.deleted,
                locked: draft.locked,
                kind: draft.kind,
                origin: None,
            });
        }
        place(&self.drafts, &mut notes, &mut self.report)?;
        let title = match kind {
            Kind::Desk => self.title,
            _ => clean(self.title).text.replace('\n', " ").trim().to_owned(),
        };
        Ok(Imported { board: Board { title, notes, desk: None }, report: self.report })
    }
}

fn size(draft: &Draft) -> Result<Size, ReadError> {
    let Some((width, height)) = draft.size else { return Ok(Size::default()) };
    let held = |side: f64, name: &str| {
        if side.is_nan() {
            return Err(draft.spot.unexpected(name, "a number", "none".to_owned()));
        }
        Ok(side.round().clamp(f64::from(SIDE_MIN), f64::from(SIDE_MAX)) as u32)
    };
    Ok(Size { width: held(width, "width")?, height: held(height, "height")? })
}

/// Gives the notes their places: rounded halves away from zero, each page right
/// of the one before it, and all moved together if they would leave the board.
fn place(drafts: &[Draft], notes: &mut [Note], report: &mut Report) -> Result<(), ReadError> {
    let mut places: Vec<Option<(i64, i64)>> = Vec::with_capacity(notes.len());
    for draft in drafts {
        places.push(draft.corner.map(|corner| whole(draft, corner)).transpose()?);
    }
    side_by_side(drafts, notes, &mut places, report);
    let mut moved = false;
    let x = shift(drafts, places.iter().map(|place| place.map(|(x, _)| x)), "x")?;
    let y = shift(drafts, places.iter().map(|place| place.map(|(_, y)| y)), "y")?;
    for (note, place) in notes.iter_mut().zip(&places) {
        moved |= place.is_some() && (x, y) != (0, 0);
        note.place = place.map(|(left, top)| Point {
            x: i32::try_from(left + x).expect("shift keeps coordinates on the board"),
            y: i32::try_from(top + y).expect("shift keeps coordinates on the board"),
        });
    }
    report.remark(Remark::Moved, usize::from(moved));
    Ok(())
}

fn whole(draft: &Draft, (x, y): (f64, f64)) -> Result<(i64, i64), ReadError> {
    // Beyond it no number of a board makes sense, and sums of such stay exact.
    const SENSIBLE: f64 = 1e12;
    let one = |name: &str, value: f64| {
        if value.is_finite() && value.abs() <= SENSIBLE {
            return Ok(value.round() as i64);
        }
        let expected = format!("a coordinate, at most {SENSIBLE}");
        Err(draft.spot.unexpected(name, &expected, format!("{value:e}")))
    };
    Ok((one("x", x)?, one("y", y)?))
}

fn side_by_side(
    drafts: &[Draft],
    notes: &[Note],
    places: &mut [Option<(i64, i64)>],
    report: &mut Report,
) {
    let last = drafts.iter().map(|draft| draft.page).max().unwrap_or(0);
    let mut edges: Vec<Option<(i64, i64)>> = vec![None; last + 1];
    for ((draft, note), place) in drafts.iter().zip(notes).zip(places.iter()) {
        let Some((x, _)) = place else { continue };
        let right = x + i64::from(note.size.width);
        let edge = edges[draft.page].get_or_insert((*x, right));
        *edge = (edge.0.min(*x), edge.1.max(right));
    }
    let mut shifts = vec![0; last + 1];
    let mut end: Option<i64> = None;
    for (shift, edge) in shifts.iter_mut().zip(&edges) {
        let Some((left, right)) = edge else { continue };
        if let Some(end) = end {
            *shift = end + PAGE_GAP - left;
        }
        end = Some(right + *shift);
    }
    for (draft, place) in drafts.iter().zip(places.iter_mut()) {
        if let Some((x, _)) = place {
            *x += shifts[draft.page];
        }
    }
    let pages = edges.iter().flatten().count();
    report.remark(Remark::Pages, if pages > 1 { pages } else { 0 });
}

/// Between two pages, in board units: a note.
const PAGE_GAP: i64 = 200;

/// How far all must go so that none leaves the board.
fn shift(
    drafts: &[Draft],
    values: impl Iterator<Item = Option<i64>>,
    axis: &'static str,
) -> Result<i64, ReadError> {
    let max = i64::from(COORDINATE_MAX);
    let mut ends: Option<((i64, usize), (i64, usize))> = None;
    for (index, value) in values.enumerate() {
        let Some(value) = value else { continue };
        let (low, high) = ends.get_or_insert(((value, index), (value, index)));
        *low = (*low).min((value, index));
        *high = (*high).max((value, index));
    }
    let Some(((low, _), (high, at))) = ends else { return Ok(0) };
    if high - low > 2 * max {
        let draft = &drafts[at];
        return Err(ReadError::TooFar {
            kind: draft.spot.kind,
            place: draft.spot.place(""),
            axis,
            found: high.to_string(),
            limit: 2 * max,
        });
    }
    Ok(if low < -max {
        -max - low
    } else if high > max {
        max - high
    } else {
        0
    })
}

/// A text as desks hold it.
struct Clean {
    text: String,
    /// Whether characters were taken out.
    cleaned: bool,
}

/// LF for every line end, and no control character but it and the tab.
fn clean(text: String) -> Clean {
    if !text.contains(|c: char| c.is_control() && c != '\n' && c != '\t') {
        return Clean { text, cleaned: false };
    }
    let lines = text.replace("\r\n", "\n").replace('\r', "\n");
    let kept: String =
        lines.chars().filter(|c| !c.is_control() || *c == '\n' || *c == '\t').collect();
    Clean { cleaned: kept.len() < lines.len(), text: kept }
}
