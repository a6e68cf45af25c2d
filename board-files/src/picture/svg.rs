//! A picture (SVG 1.1), without scripts, styles or references.

use std::fmt::Write as _;

use super::face::Face;
use super::{FONT, Frame, PADDING, baseline, ink, lines, paper};
use crate::board::{Board, Note};

pub(crate) fn write(board: &Board) -> String {
    let Frame { left, top, width, height } = Frame::of(board);
    let face = Face::embedded();
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"{left} {top} {width} {height}\" \
         width=\"{width}\" height=\"{height}\" font-family=\"Onest, sans-serif\" font-size=\"{FONT}\">\n\
         <title>"
    );
    escape(&board.title, &mut svg);
    svg.push_str("</title>\n");
    for note in board.drawn() {
        draw(&face, note, &mut svg).expect("writing to memory does not fail");
    }
    svg.push_str("</svg>\n");
    svg
}

/// A note is an `svg` of its own: it cuts off what does not fit. Its edge is
/// drawn, so that a white note shows on white paper.
fn draw(face: &Face, note: &Note, svg: &mut String) -> std::fmt::Result {
    let (place, size) = (note.place.unwrap_or_default(), note.size);
    let opacity = if note.deleted { " opacity=\"0.3\"" } else { "" };
    writeln!(
        svg,
        "<svg x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"{opacity}>\
         <rect width=\"100%\" height=\"100%\" rx=\"4\" fill=\"{}\" stroke=\"#000000\" \
         stroke-opacity=\"0.25\"/>",
        place.x,
        place.y,
        size.width,
        size.height,
        paper(note),
    )?;
    let ink = ink(note);
    for (row, line) in lines(face, note).iter().enumerate().filter(|(_, line)| !line.is_empty()) {
        write!(svg, "<text x=\"{PADDING}\" y=\"{}\" fill=\"#{ink:06x}\">", baseline(row))?;
        escape(line, svg);
        svg.push_str("</text>\n");
    }
    svg.push_str("</svg>\n");
    Ok(())
}

/// Text in which nothing is markup; characters that XML 1.0 cannot hold become
/// the replacement character.
fn escape(text: &str, out: &mut String) {
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
}
