//! The face that pictures are written in: Onest, as the page is, in one weight.
//!
//! `font/onest.ttf` was made of the page's own files: its seven subsets at weight 400,
//! merged, without tables for layout. It has no letters of Asian scripts; those are drawn
//! as boxes in PNG and PDF, an em wide.

use ab_glyph::{Font as _, FontRef, GlyphId};
use unicode_width::UnicodeWidthChar as _;

/// The bytes of the font file (SIL Open Font License, `font/onest-license.txt`).
pub(super) const FILE: &[u8] = include_bytes!("../../font/onest.ttf");

/// See the module.
pub(super) struct Face {
    font: FontRef<'static>,
    units_per_em: f64,
}

impl Face {
    pub(super) fn embedded() -> Self {
        let font = FontRef::try_from_slice(FILE).expect("the embedded font is sound");
        let units_per_em = f64::from(font.units_per_em().expect("a scalable font"));
        Self { font, units_per_em }
    }

    pub(super) const fn font(&self) -> &FontRef<'static> {
        &self.font
    }

    /// The glyph of a character; 0 if the face has none.
    pub(super) fn glyph(&self, c: char) -> GlyphId {
        self.font.glyph_id(c)
    }

    /// How far a character moves the pen, in ems.
    pub(super) fn advance(&self, c: char) -> f64 {
        let glyph = self.glyph(c);
        if glyph.0 == 0 {
            // Two columns for a wide one, as every other program shows it.
            return if c.width().unwrap_or(1) == 0 { 0.0 } else { self.missing(c) };
        }
        f64::from(self.font.h_advance_unscaled(glyph)) / self.units_per_em
    }

    fn missing(&self, c: char) -> f64 {
        if c.width() == Some(2) { 1.0 } else { 0.6 }
    }
}
