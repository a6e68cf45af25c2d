//! Lines of a text as wide as a box, for files in which nobody breaks them later.
//!
//! A column is half an em: letters are a little narrower on average, so a line
//! that is broken here fits. A wide character takes two.

use unicode_width::UnicodeWidthChar as _;

/// The lines of a text, broken at spaces, or inside a word that is too long.
pub(crate) fn wrapped(text: &str, columns: usize) -> Vec<&str> {
    wrapped_by(text, columns.max(2) as f64, |c| width(c) as f64)
}

/// The same with the width that each character has, in the unit of `most`.
pub(crate) fn wrapped_by(text: &str, most: f64, width: impl Fn(char) -> f64) -> Vec<&str> {
    let mut lines = Vec::new();
    let space = width(' ');
    // `split` keeps an empty line at the end, which `lines` would drop.
    for line in text.split('\n') {
        // What is on the line so far, and its length.
        let (mut start, mut end, mut length) = (0, 0, 0.0);
        let mut at = 0;
        for word in line.split(' ') {
            let wide: f64 = word.chars().map(&width).sum();
            let is_first = start == end;
            if is_first {
                start = at;
            } else if length + space + wide > most {
                lines.push(&line[start..end]);
                (start, length) = (at, 0.0);
            } else {
                length += space;
            }
            end = at;
            at += word.len() + 1;
            if length + wide <= most {
                end += word.len();
                length += wide;
                continue;
            }
            for c in word.chars() {
                let wide = width(c);
                if start < end && length + wide > most {
                    lines.push(&line[start..end]);
                    (start, length) = (end, 0.0);
                }
                end += c.len_utf8();
                length += wide;
            }
        }
        lines.push(&line[start..end]);
    }
    lines
}

fn width(c: char) -> usize {
    c.width().unwrap_or(1)
}

/// Whether white is easier to read on this colour than black (relative
/// luminance, weights of ITU-R BT.601).
pub(crate) fn is_dark(rgb: u32) -> bool {
    let [_, red, green, blue] = rgb.to_be_bytes().map(u32::from);
    299 * red + 587 * green + 114 * blue < 128_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit_whatever_is_in_them() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("abcdefghij k", 4), ["abcd", "efgh", "ij k"]);
        // Eight columns hold four wide characters.
        assert_eq!(wrapped("種を買う春の前に", 8), ["種を買う", "春の前に"]);
        assert_eq!(wrapped("a\n\nb\n", 8), ["a", "", "b", ""]);
        assert_eq!("aé種".chars().map(width).sum::<usize>(), 4);
    }
}
