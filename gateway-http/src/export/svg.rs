//! A picture (SVG 1.1), without scripts, styles or references.

use std::fmt::Write as _;

use desk_protocol::Sticker;

use super::ExportedDesk;

/// Space around the stickers, in board units.
const MARGIN: i64 = 40;

/// Size of the writing, in board units.
const FONT: u32 = 16;

/// Height of a line, in board units.
const LINE: u32 = 20;

/// Space between a sticker's edge and its text, in board units.
const PADDING: u32 = 12;

pub(super) fn write(desk: &ExportedDesk<'_>, deleted: bool) -> String {
    let (x, y, width, height) = frame(desk, deleted);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"{x} {y} {width} {height}\" \
         width=\"{width}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"{FONT}\">\n\
         <title>{}</title>\n",
        escaped(&desk.desk.title().value),
    );
    for sticker in desk.stickers(deleted) {
        draw(sticker, &mut svg).expect("writing to memory does not fail");
    }
    svg.push_str("</svg>\n");
    svg
}

/// The part of the board that holds everything: left, top, width, height.
fn frame(desk: &ExportedDesk<'_>, deleted: bool) -> (i64, i64, i64, i64) {
    let edges = desk.stickers(deleted).map(|sticker| {
        let (position, size) = (sticker.position.value, sticker.size.value);
        let (x, y) = (i64::from(position.x), i64::from(position.y));
        (x, y, x + i64::from(size.width), y + i64::from(size.height))
    });
    let all = edges.reduce(|a, b| (a.0.min(b.0), a.1.min(b.1), a.2.max(b.2), a.3.max(b.3)));
    let (left, top, right, bottom) = all.unwrap_or((0, 0, 400, 300));
    (left - MARGIN, top - MARGIN, right - left + 2 * MARGIN, bottom - top + 2 * MARGIN)
}

/// A sticker is an `svg` of its own: it cuts off what does not fit.
fn draw(sticker: &Sticker, svg: &mut String) -> std::fmt::Result {
    let (position, size) = (sticker.position.value, sticker.size.value);
    let color = sticker.color.value;
    let opacity = if sticker.deleted.value { " opacity=\"0.3\"" } else { "" };
    writeln!(
        svg,
        "<svg x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"{opacity}>\
         <rect width=\"100%\" height=\"100%\" rx=\"4\" fill=\"{color}\"/>",
        position.x, position.y, size.width, size.height,
    )?;
    let ink = if is_dark(color.0) { "#ffffff" } else { "#222222" };
    // An average character is a little over half as wide as high.
    let columns = (size.width.saturating_sub(2 * PADDING) * 2 / FONT).max(1) as usize;
    let rows = (size.height.saturating_sub(PADDING) / LINE) as usize;
    let lines = sticker.text.value.lines().flat_map(|line| wrapped(line, columns));
    for (row, line) in lines.take(rows).enumerate().filter(|(_, line)| !line.is_empty()) {
        let y = PADDING + FONT + LINE * row as u32;
        let line = escaped(&line);
        writeln!(svg, "<text x=\"{PADDING}\" y=\"{y}\" fill=\"{ink}\">{line}</text>")?;
    }
    svg.push_str("</svg>\n");
    Ok(())
}

/// Whether white is easier to read on this colour than black (relative
/// luminance, weights of ITU-R BT.601).
fn is_dark(rgb: u32) -> bool {
    let [_, red, green, blue] = rgb.to_be_bytes().map(u32::from);
    299 * red + 587 * green + 114 * blue < 128_000
}

/// A line broken at spaces, or inside a word that is too long.
fn wrapped(line: &str, columns: usize) -> Vec<String> {
    let (mut lines, mut current, mut length) = (Vec::new(), String::new(), 0);
    for word in line.split(' ') {
        let chars = word.chars().count();
        if length > 0 && length + 1 + chars > columns {
            lines.push(std::mem::take(&mut current));
            length = 0;
        } else if length > 0 {
            current.push(' ');
            length += 1;
        }
        for c in word.chars() {
            if length == columns {
                lines.push(std::mem::take(&mut current));
                length = 0;
            }
            current.push(c);
            length += 1;
        }
    }
    lines.push(current);
    lines
}

/// Text in which nothing is markup; characters that XML 1.0 cannot hold become
/// the replacement character.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\t' | '\n' | '\r' => out.push(' '),
            '\0'..='\x1f' | '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
