//! Paper (PDF 1.7): one page if all can be read on it, else a page a screenful.
//!
//! The font is embedded whole. Each text can be searched and copied, since a table maps
//! its glyphs back to characters.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use miniz_oxide::deflate::compress_to_vec_zlib;
use pdf_writer::types::{CidFontType, FontFlags, SystemInfo, UnicodeCmap};
use pdf_writer::{Content, Filter, Finish as _, Name, Pdf, Rect, Ref, Str, TextStr};

use super::face::{FILE, Face};
use super::{FONT, Frame, PADDING, baseline, edges, ink, lines, paper};
use crate::board::{Board, Note};
use crate::limits::PAGES_MAX;

/// A4 across, in points.
const PAPER: (f64, f64) = (842.0, 595.0);

/// Points of a board unit on a page of many: a note's letters are 11 points high.
const SCALE: f64 = 0.7;

/// The least on a single page, where letters are 5 points high.
const SCALE_MIN: f64 = 0.35;

/// The level of compression: the default of zlib.
const LEVEL: u8 = 6;

const CATALOG: Ref = Ref::new(1);
const PAGES: Ref = Ref::new(2);
const FONT_REF: Ref = Ref::new(3);
const CID_FONT: Ref = Ref::new(4);
const DESCRIPTOR: Ref = Ref::new(5);
const FONT_FILE: Ref = Ref::new(6);
const TO_UNICODE: Ref = Ref::new(7);
const INFO: Ref = Ref::new(8);
const FIRST_PAGE: i32 = 9;

const FONT_NAME: Name<'static> = Name(b"F");
const BASE_FONT: Name<'static> = Name(b"Onest-Regular");
const SYSTEM: SystemInfo<'static> =
    SystemInfo { registry: Str(b"Adobe"), ordering: Str(b"Identity"), supplement: 0 };

pub(crate) fn write(board: &Board) -> Vec<u8> {
    let face = Face::embedded();
    let (scale, pages) = pages(board);
    let texts: Vec<_> = board.drawn().map(|note| lines(&face, note)).collect();
    let notes: Vec<_> = board.drawn().zip(&texts).collect();
    let mut used = BTreeMap::new();
    let mut pdf = Pdf::new();
    pdf.catalog(CATALOG).pages(PAGES);
    pdf.document_info(INFO).title(TextStr(&board.title));
    let count = i32::try_from(pages.len()).expect("PAGES_MAX pages at most");
    let refs = (0..count).map(|page| Ref::new(FIRST_PAGE + 2 * page));
    pdf.pages(PAGES).kids(refs.clone()).count(count);
    for (id, (left, top)) in refs.zip(pages) {
        let contents = Ref::new(id.get() + 1);
        let mut page = pdf.page(id);
        page.media_box(Rect::new(0.0, 0.0, PAPER.0 as f32, PAPER.1 as f32));
        page.parent(PAGES).contents(contents);
        page.resources().fonts().pair(FONT_NAME, FONT_REF);
        page.finish();
        let view = View { left, top, scale };
        let drawn = drawn(&notes, &face, view, &mut used);
        pdf.stream(contents, &compress_to_vec_zlib(&drawn, LEVEL)).filter(Filter::FlateDecode);
    }
    embed(&mut pdf, &face, &used);
    pdf.finish()
}

/// What one page shows.
#[derive(Clone, Copy)]
struct View {
    left: i64,
    top: i64,
    scale: f64,
}

impl View {
    /// Points from the paper's lower left corner.
    fn at(self, x: i64, y: i64) -> (f32, f32) {
        let x = (x - self.left) as f64 * self.scale;
        let y = PAPER.1 - (y - self.top) as f64 * self.scale;
        (x as f32, y as f32)
    }

    fn shows(self, note: &Note) -> bool {
        let (left, top, right, bottom) = edges(note);
        let (width, height) = screenful(self.scale);
        right > self.left
            && left < self.left + width
            && bottom > self.top
            && top < self.top + height
    }
}

/// Board units of a page.
fn screenful(scale: f64) -> (i64, i64) {
    ((PAPER.0 / scale) as i64, (PAPER.1 / scale) as i64)
}

/// The scale, and the upper left corners of the pages, row by row: one page that holds
/// all, or each of a grid that has a note on it.
fn pages(board: &Board) -> (f64, Vec<(i64, i64)>) {
    let frame = Frame::of(board);
    let fit = (PAPER.0 / frame.width as f64).min(PAPER.1 / frame.height as f64);
    let whole = (fit.min(1.0), vec![(frame.left, frame.top)]);
    if fit >= SCALE_MIN {
        return whole;
    }
    let (width, height) = screenful(SCALE);
    let mut cells = BTreeSet::new();
    for note in board.drawn() {
        let (left, top, right, bottom) = edges(note);
        for row in (top - frame.top) / height..=(bottom - 1 - frame.top) / height {
            for column in (left - frame.left) / width..=(right - 1 - frame.left) / width {
                cells.insert((row, column));
                // Notes far apart, or very large: one page shows where they are.
                if cells.len() > PAGES_MAX {
                    return whole;
                }
            }
        }
    }
    let corner = |(row, column)| (frame.left + column * width, frame.top + row * height);
    (SCALE, cells.into_iter().map(corner).collect())
}

/// A note with its lines.
type Lettered<'b> = (&'b Note, &'b Vec<Cow<'b, str>>);

/// The content of a page; `used` takes the glyphs with their characters.
fn drawn(
    notes: &[Lettered<'_>],
    face: &Face,
    view: View,
    used: &mut BTreeMap<u16, char>,
) -> Vec<u8> {
    let mut content = Content::new();
    content.set_line_width(0.5);
    for (note, lines) in notes.iter().filter(|(note, _)| view.shows(note)) {
        let (left, top, right, bottom) = edges(note);
        let ((x, y), (end, upper)) = (view.at(left, bottom), view.at(right, top));
        set_fill(&mut content, paper(note).0);
        content.set_stroke_gray(0.75);
        content.rect(x, y, end - x, upper - y).fill_nonzero_and_stroke();
        set_fill(&mut content, ink(note));
        content.begin_text();
        content.set_font(FONT_NAME, (f64::from(FONT) * view.scale) as f32);
        for (row, line) in lines.iter().enumerate().filter(|(_, line)| !line.is_empty()) {
            let place = (left + i64::from(PADDING), top + i64::from(baseline(row)));
            let (x, y) = view.at(place.0, place.1);
            content.set_text_matrix([1.0, 0.0, 0.0, 1.0, x, y]);
            let mut glyphs = Vec::with_capacity(2 * line.len());
            for c in line.chars().filter(|c| !face.is_unseen(*c)) {
                let glyph = face.glyph(c).0;
                used.entry(glyph).or_insert(c);
                glyphs.extend_from_slice(&glyph.to_be_bytes());
            }
            content.show(Str(&glyphs));
        }
        content.end_text();
    }
    content.finish().into_vec()
}

fn set_fill(content: &mut Content, rgb: u32) {
    let [_, red, green, blue] = rgb.to_be_bytes().map(|channel| f32::from(channel) / 255.0);
    content.set_fill_rgb(red, green, blue);
}

/// The font: its glyphs by number (Identity-H), their widths and characters.
fn embed(pdf: &mut Pdf, face: &Face, used: &BTreeMap<u16, char>) {
    let thousandths = |ems: f64| (ems * 1_000.0).round() as f32;
    pdf.type0_font(FONT_REF)
        .base_font(BASE_FONT)
        .encoding_predefined(Name(b"Identity-H"))
        .descendant_font(CID_FONT)
        .to_unicode(TO_UNICODE);
    let mut font = pdf.cid_font(CID_FONT);
    font.subtype(CidFontType::Type2).base_font(BASE_FONT).system_info(SYSTEM);
    font.font_descriptor(DESCRIPTOR)
        .default_width(600.0)
        .cid_to_gid_map_predefined(Name(b"Identity"));
    let mut widths = font.widths();
    for (glyph, c) in used.iter().filter(|(glyph, _)| **glyph != 0) {
        widths.consecutive(*glyph, [thousandths(face.advance(*c))]);
    }
    widths.finish();
    font.finish();
    pdf.font_descriptor(DESCRIPTOR)
        .name(BASE_FONT)
        .flags(FontFlags::SYMBOLIC)
        .bbox(Rect::new(-300.0, -305.0, 1_300.0, 970.0))
        .italic_angle(0.0)
        .ascent(970.0)
        .descent(-305.0)
        .cap_height(700.0)
        .stem_v(80.0)
        .font_file2(FONT_FILE);
    pdf.stream(FONT_FILE, &compress_to_vec_zlib(FILE, LEVEL)).filter(Filter::FlateDecode);
    let mut map = UnicodeCmap::new(Name(b"Onest"), SYSTEM);
    for (glyph, c) in used.iter().filter(|(glyph, _)| **glyph != 0) {
        map.pair(*glyph, *c);
    }
    pdf.stream(TO_UNICODE, &compress_to_vec_zlib(map.finish().as_slice(), LEVEL))
        .filter(Filter::FlateDecode);
}
