//! Markdown (CommonMark): a heading and a list item a sticker.

use super::ExportedDesk;

pub(super) fn write(desk: &ExportedDesk<'_>, deleted: bool) -> String {
    let mut text = format!("# {}\n", escaped(&desk.desk.title().value.replace(['\r', '\n'], " ")));
    for sticker in desk.stickers(deleted) {
        let mark = if sticker.deleted.value { "(deleted) " } else { "" };
        text.push_str("\n- ");
        text.push_str(mark);
        for (index, line) in sticker.text.value.lines().enumerate() {
            if index > 0 {
                // A backslash at a line's end is a line break; the indent
                // keeps the line in its item.
                text.push_str("\\\n  ");
            }
            text.push_str(&escaped(line));
        }
        text.push('\n');
    }
    text
}

/// A line in which nothing is markup: neither Markdown nor, in readers that
/// pass it through, HTML.
fn escaped(line: &str) -> String {
    let mut out = String::with_capacity(line.len() + 8);
    let line = line.trim_start();
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    for (at, c) in line.char_indices() {
        let starts_block = (at == 0 && "-+=:".contains(c)) || (at == digits && ".)".contains(c));
        if starts_block || "\\`*_[]<>#|~&!$".contains(c) {
            out.push('\\');
        }
        out.push(if c.is_control() { '\u{fffd}' } else { c });
    }
    out
}
