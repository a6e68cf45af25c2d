//! A picture (SVG 1.1), without scripts, styles or references.

use std::fmt::Write as _;

use crate::board::{Board, Note};
use crate::lettering::{columns, is_dark, wrapped};

/// Space around the notes, in board units.
const MARGIN: i64 = 40;

/// Size of the writing, in board units.
const FONT: u32 = 16;

/// Height of a line, in board units.
const LINE: u32 = 20;

/// Space between a note's edge and its text, in board units.
const PADDING: u32 = 12;

pub(crate) fn write(board: &Board) -> String {
    let (x, y, width, height) = frame(board);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"{x} {y} {width} {height}\" \
         width=\"{width}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"{FONT}\">\n\
         <title>{}</title>\n",
        escaped(&board.title),
    );
    for note in &board.notes {
        draw(note, &mut svg).expect("writing to memory does not fail");
    }
    svg.push_str("</svg>\n");
    svg
}

/// The part of the board that holds everything: left, top, width, height.
fn frame(board: &Board) -> (i64, i64, i64, i64) {
    let edges = board.notes.iter().map(|note| {
        let place = note.place.unwrap_or_default();
        let (x, y) = (i64::from(place.x), i64::from(place.y));
        (x, y, x + i64::from(note.size.width), y + i64::from(note.size.height))
    });
    let all = edges.reduce(|a, b| (a.0.min(b.0), a.1.min(b.1), a.2.max(b.2), a.3.max(b.3)));
    let (left, top, right, bottom) = all.unwrap_or((0, 0, 400, 300));
    (left - MARGIN, top - MARGIN, right - left + 2 * MARGIN, bottom - top + 2 * MARGIN)
}

/// A note is an `svg` of its own: it cuts off what does not fit. Its edge is
/// drawn, so that a white note shows on white paper.
fn draw(note: &Note, svg: &mut String) -> std::fmt::Result {
    let (place, size) = (note.place.unwrap_or_default(), note.size);
    let opacity = if note.deleted { " opacity=\"0.3\"" } else { "" };
    writeln!(
        svg,
        "<svg x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"{opacity}>\
         <rect width=\"100%\" height=\"100%\" rx=\"4\" fill=\"{}\" stroke=\"#000000\" \
         stroke-opacity=\"0.25\"/>",
        place.x, place.y, size.width, size.height, note.color,
    )?;
    let ink = if is_dark(note.color.0) { "#ffffff" } else { "#222222" };
    let most = (size.width.saturating_sub(2 * PADDING) * 2 / FONT) as usize;
    let rows = (size.height.saturating_sub(PADDING) / LINE) as usize;
    let mut lines = wrapped(&note.text, most);
    if lines.len() > rows {
        lines.truncate(rows);
        if let Some(last) = lines.last_mut() {
            mark_cut(last, most);
        }
    }
    for (row, line) in lines.iter().enumerate().filter(|(_, line)| !line.is_empty()) {
        let y = PADDING + FONT + LINE * row as u32;
        let line = escaped(line);
        writeln!(svg, "<text x=\"{PADDING}\" y=\"{y}\" fill=\"{ink}\">{line}</text>")?;
    }
    svg.push_str("</svg>\n");
    Ok(())
}

/// Ends the last line that is shown with the sign that more follows.
fn mark_cut(line: &mut String, most: usize) {
    while columns(line) + 1 > most && line.pop().is_some() {}
    line.push('…');
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
