//! Lists out: nothing in a text is markup, so that it comes back as it went.

use crate::board::Board;

pub(crate) fn write(board: &Board) -> String {
    let mut text = format!("# {}\n", escaped(&board.title.replace(['\r', '\n'], " ")));
    for note in &board.notes {
        text.push_str("\n-");
        if note.deleted {
            text.push_str(" (deleted)");
        }
        if !note.text.is_empty() {
            text.push(' ');
            body(&note.text, &mut text);
        }
        text.push('\n');
    }
    text
}

fn body(note: &str, out: &mut String) {
    let body = note.trim_end_matches('\n');
    for (index, line) in body.split('\n').enumerate() {
        if index > 0 {
            // A backslash at a line's end is a line break; the indent keeps the
            // line in its item.
            out.push_str("\\\n  ");
        }
        out.push_str(&escaped(line));
    }
    // A break at the end of an item would be a backslash.
    (body.len()..note.len()).for_each(|_| out.push_str("&#10;"));
}

/// A line in which nothing is markup: neither Markdown nor, in readers that
/// pass it through, HTML; nor what Obsidian adds (`==`, `%%`, tags).
fn escaped(line: &str) -> String {
    let mut out = String::with_capacity(line.len() + 8);
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let end = line.trim_end().len();
    for (at, c) in line.char_indices() {
        let starts_block = (at == 0 && "-+:".contains(c)) || (at == digits && ".)".contains(c));
        match c {
            // Space at either end of a line is not kept otherwise.
            ' ' if at == 0 || at >= end => out.push_str("&#32;"),
            '\t' => out.push_str("&#9;"),
            '\r' => out.push_str("&#13;"),
            c if c.is_control() => out.push('\u{fffd}'),
            c if starts_block || "\\`*_[]<>#|~&!$=%^".contains(c) => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out
}
