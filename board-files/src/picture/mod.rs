//! Boards as pictures: SVG, PNG and PDF draw the same notes with the same lines.

mod face;
mod pdf;
mod png;
mod svg;

pub(crate) use pdf::write as pdf;
pub(crate) use png::write as png;
pub(crate) use svg::write as svg;

use std::borrow::Cow;

use desk_protocol::{Color, StickerKind};
use face::Face;

use crate::board::{Board, Note};
use crate::lettering::{is_dark, wrapped_by};

/// Space around the notes, in board units.
const MARGIN: i64 = 40;

/// Size of the writing, in board units.
const FONT: u32 = 16;

/// Height of a line, in board units.
const LINE: u32 = 20;

/// Space between a note's edge and its text, in board units.
const PADDING: u32 = 12;

/// How much weaker the colour of an area is than that of a note.
const AREA_TINT: u8 = 3;

/// The part of a board that a picture shows, in board units.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Frame {
    left: i64,
    top: i64,
    width: i64,
    height: i64,
}

impl Frame {
    /// What holds all notes, with a margin.
    fn of(board: &Board) -> Self {
        let all = board
            .notes
            .iter()
            .map(edges)
            .reduce(|a, b| (a.0.min(b.0), a.1.min(b.1), a.2.max(b.2), a.3.max(b.3)));
        let (left, top, right, bottom) = all.unwrap_or((0, 0, 400, 300));
        Self {
            left: left - MARGIN,
            top: top - MARGIN,
            width: right - left + 2 * MARGIN,
            height: bottom - top + 2 * MARGIN,
        }
    }
}

/// Left, top, right and bottom of a note.
fn edges(note: &Note) -> (i64, i64, i64, i64) {
    let place = note.place.unwrap_or_default();
    let (x, y) = (i64::from(place.x), i64::from(place.y));
    (x, y, x + i64::from(note.size.width), y + i64::from(note.size.height))
}

/// The lines that a note shows; the last ends with a sign if more follows.
fn lines<'t>(face: &Face, note: &'t Note) -> Vec<Cow<'t, str>> {
    let width = f64::from(note.size.width.saturating_sub(2 * PADDING)) / f64::from(FONT);
    let rows = (note.size.height.saturating_sub(PADDING) / LINE) as usize;
    // Not even a wide letter fits.
    if width < 1.0 || rows == 0 {
        return Vec::new();
    }
    let shown = wrapped_by(&note.text, width, |c| face.advance(c));
    let is_cut = shown.len() > rows;
    let mut lines: Vec<_> = shown.into_iter().take(rows).map(Cow::Borrowed).collect();
    if is_cut {
        let last = lines.last_mut().expect("there is a row").to_mut();
        let ends = |line: &str| line.chars().map(|c| face.advance(c)).sum::<f64>();
        while ends(last) + face.advance('…') > width && last.pop().is_some() {}
        last.push('…');
    }
    lines
}

/// The distance of a row's baseline from the note's top, in board units.
const fn baseline(row: usize) -> u32 {
    PADDING + FONT + LINE * row as u32
}

/// The colour of a note as it is drawn. An area is a tint, so that notes stand out on it.
fn paper(note: &Note) -> Color {
    if note.kind != StickerKind::AREA {
        return note.color;
    }
    let [_, colors @ ..] = note.color.0.to_be_bytes();
    let [red, green, blue] = colors.map(|part| 255 - (255 - part) / AREA_TINT);
    Color(u32::from_be_bytes([0, red, green, blue]))
}

/// The colour of the writing on a note.
fn ink(note: &Note) -> u32 {
    if is_dark(paper(note).0) { 0xff_ff_ff } else { 0x22_22_22 }
}
