//! A picture of pixels (PNG).
//!
//! Notes are upright boxes, so they are filled row by row; each letter is rasterised once
//! and laid over the rows.

use std::collections::BTreeMap;

use ab_glyph::{Font as _, PxScale};
use png::{BitDepth, ColorType, Compression, Encoder};

use super::face::Face;
use super::{FONT, Frame, PADDING, baseline, edges, ink, lines, paper};
use crate::board::{Board, Note};
use crate::limits::{PICTURE_PIXELS_MAX, PICTURE_SIDE_PIXELS_MAX};

/// Pixels of a board unit where the board is small enough: sharp on dense screens.
const SCALE_MAX: f64 = 2.0;

/// Letters smaller than this, in pixels, could not be read and are left out.
const LETTER_PIXELS_MIN: f64 = 3.0;

pub(crate) fn write(board: &Board) -> Vec<u8> {
    let frame = Frame::of(board);
    let scale = scale(frame);
    let mut canvas = Canvas::new(frame, scale);
    let mut pen = Pen::new(scale);
    for note in board.drawn() {
        canvas.note(note);
        if pen.px >= LETTER_PIXELS_MIN && !note.deleted {
            pen.write(note, &mut canvas);
        }
    }
    canvas.encoded()
}

/// Pixels of a board unit: as many as the bounds allow.
fn scale(frame: Frame) -> f64 {
    let (width, height) = (frame.width as f64, frame.height as f64);
    let by_area = (PICTURE_PIXELS_MAX as f64 / (width * height)).sqrt();
    let by_side = PICTURE_SIDE_PIXELS_MAX as f64 / width.max(height);
    SCALE_MAX.min(by_area).min(by_side)
}

/// Rows of red, green and blue.
struct Canvas {
    frame: Frame,
    scale: f64,
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

impl Canvas {
    fn new(frame: Frame, scale: f64) -> Self {
        let side = |units: i64| ((units as f64 * scale) as usize).max(1);
        let (width, height) = (side(frame.width), side(frame.height));
        Self { frame, scale, width, height, pixels: vec![0xff; 3 * width * height] }
    }

    /// The pixel of a place on the board, which may lie outside.
    fn at(&self, x: i64, y: i64) -> (i64, i64) {
        let pixel = |units: i64| (units as f64 * self.scale).round() as i64;
        (pixel(x - self.frame.left), pixel(y - self.frame.top))
    }

    fn note(&mut self, note: &Note) {
        let (left, top, right, bottom) = edges(note);
        let ((left, top), (right, bottom)) = (self.at(left, top), self.at(right, bottom));
        let (right, bottom) = (right.max(left + 1), bottom.max(top + 1));
        let share = if note.deleted { 76 } else { 255 };
        self.fill(left, top, right, bottom, paper(note).0, share);
        // The edge, so that a white note shows on white paper.
        let edge = share / 4;
        self.fill(left, top, right, top + 1, 0, edge);
        self.fill(left, bottom - 1, right, bottom, 0, edge);
        self.fill(left, top, left + 1, bottom, 0, edge);
        self.fill(right - 1, top, right, bottom, 0, edge);
    }

    fn fill(&mut self, left: i64, top: i64, right: i64, bottom: i64, rgb: u32, share: u8) {
        let clamp = |at: i64, end: usize| at.clamp(0, end as i64) as usize;
        let (left, right) = (clamp(left, self.width), clamp(right, self.width));
        for y in clamp(top, self.height)..clamp(bottom, self.height) {
            let row = 3 * y * self.width;
            for pixel in self.pixels[row + 3 * left..row + 3 * right].chunks_exact_mut(3) {
                blend(pixel, rgb, share);
            }
        }
    }

    fn encoded(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let (width, height) = (self.width as u32, self.height as u32);
        let mut encoder = Encoder::new(&mut out, width, height);
        encoder.set_color(ColorType::Rgb);
        encoder.set_depth(BitDepth::Eight);
        encoder.set_compression(Compression::Fast);
        let mut writer = encoder.write_header().expect("memory takes a header");
        writer.write_image_data(&self.pixels).expect("memory takes the pixels of the header");
        writer.finish().expect("memory takes the end");
        out
    }
}

/// Lays a share of a colour, in 255ths, over a pixel.
fn blend(pixel: &mut [u8], rgb: u32, share: u8) {
    let [_, colors @ ..] = rgb.to_be_bytes();
    for (below, above) in pixel.iter_mut().zip(colors) {
        let (share, rest) = (u32::from(share), u32::from(255 - share));
        *below = ((u32::from(above) * share + u32::from(*below) * rest + 127) / 255) as u8;
    }
}

/// A letter as it covers pixels.
struct Letter {
    /// From the pen to the left edge, and from the baseline to the upper one.
    left: i64,
    top: i64,
    width: usize,
    cover: Vec<u8>,
}

/// Writes in one size.
struct Pen {
    face: Face,
    px: f64,
    /// By glyph; none where there is nothing to see.
    letters: BTreeMap<u16, Option<Letter>>,
}

impl Pen {
    fn new(scale: f64) -> Self {
        Self { face: Face::embedded(), px: f64::from(FONT) * scale, letters: BTreeMap::new() }
    }

    fn write(&mut self, note: &Note, canvas: &mut Canvas) {
        let (left, top, ..) = edges(note);
        let rgb = ink(note);
        for (row, line) in lines(&self.face, note).iter().enumerate() {
            let y = top + i64::from(baseline(row));
            let (x, y) = canvas.at(left + i64::from(PADDING), y);
            let mut pen = x as f64;
            for c in line.chars().filter(|c| !self.face.is_unseen(*c)) {
                let glyph = self.face.glyph(c).0;
                let letter = self
                    .letters
                    .entry(glyph)
                    .or_insert_with(|| rasterised(&self.face, glyph, self.px));
                if let Some(letter) = letter {
                    letter.lay(canvas, pen.round() as i64, y, rgb);
                }
                pen += self.face.advance(c) * self.px;
            }
        }
    }
}

impl Letter {
    fn lay(&self, canvas: &mut Canvas, x: i64, y: i64, rgb: u32) {
        for (row, covers) in (0..).zip(self.cover.chunks_exact(self.width)) {
            let y = y + self.top + row;
            if !(0..canvas.height as i64).contains(&y) {
                continue;
            }
            for (column, cover) in (0..).zip(covers).filter(|(_, cover)| **cover > 0) {
                let x = x + self.left + column;
                if (0..canvas.width as i64).contains(&x) {
                    let at = 3 * (y as usize * canvas.width + x as usize);
                    blend(&mut canvas.pixels[at..at + 3], rgb, *cover);
                }
            }
        }
    }
}

fn rasterised(face: &Face, glyph: u16, px: f64) -> Option<Letter> {
    // The font's own scale is from ascent to descent; a size is an em.
    let font = face.font();
    let em = f64::from(font.units_per_em().expect("a scalable font"));
    let height = f64::from(font.height_unscaled());
    let scale = PxScale::from((px * height / em) as f32);
    let outline = font.outline_glyph(ab_glyph::GlyphId(glyph).with_scale(scale))?;
    let bounds = outline.px_bounds();
    let (width, rows) = (bounds.width() as usize, bounds.height() as usize);
    if width == 0 || rows == 0 {
        return None;
    }
    let mut cover = vec![0; width * rows];
    outline.draw(|x, y, share| {
        if let Some(pixel) = cover.get_mut(y as usize * width + x as usize) {
            *pixel = (share.clamp(0.0, 1.0) * 255.0).round() as u8;
        }
    });
    Some(Letter { left: bounds.min.x as i64, top: bounds.min.y as i64, width, cover })
}
