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
    /// What is known of the characters that most texts are made of.
    common: Vec<Letter>,
}

/// Latin, Greek and Cyrillic.
const COMMON: std::ops::Range<u32> = 0..0x530;

/// A character as the face has it.
#[derive(Clone, Copy)]
struct Letter {
    glyph: GlyphId,
    /// How far it moves the pen, in ems.
    advance: f64,
}

impl Face {
    pub(super) fn embedded() -> Self {
        let font = FontRef::try_from_slice(FILE).expect("the embedded font is sound");
        let units_per_em = f64::from(font.units_per_em().expect("a scalable font"));
        let mut face = Self { font, units_per_em, common: Vec::new() };
        let common = COMMON.map(|c| face.found(char::from_u32(c).unwrap_or('\0')));
        face.common = common.collect();
        face
    }

    pub(super) const fn font(&self) -> &FontRef<'static> {
        &self.font
    }

    /// The glyph of a character; 0 if the face has none.
    pub(super) fn glyph(&self, c: char) -> GlyphId {
        self.letter(c).glyph
    }

    /// Whether there is nothing to see of a character: it joins others, or varies them, and
    /// the face does not have it.
    pub(super) fn is_unseen(&self, c: char) -> bool {
        let letter = self.letter(c);
        letter.glyph.0 == 0 && letter.advance == 0.0
    }

    /// How far a character moves the pen, in ems.
    pub(super) fn advance(&self, c: char) -> f64 {
        self.letter(c).advance
    }

    fn letter(&self, c: char) -> Letter {
        self.common.get(c as usize).copied().unwrap_or_else(|| self.found(c))
    }

    fn found(&self, c: char) -> Letter {
        let glyph = self.font.glyph_id(c);
        let advance = match (glyph.0, c.width().unwrap_or(1)) {
            (0, 0) => 0.0,
            // Two columns for a wide one, as every other program shows it.
            (0, 2) => 1.0,
            (0, _) => 0.6,
            _ => f64::from(self.font.h_advance_unscaled(glyph)) / self.units_per_em,
        };
        Letter { glyph, advance }
    }
}
