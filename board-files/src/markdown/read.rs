//! Lists in, by CommonMark's block rules as far as lists need them: an item of the
//! outermost list is a note, and what is inside it are its lines.

use crate::draft::{Draft, Draught};
use crate::error::ReadError;
use crate::kind::Kind;
use crate::report::Remark;
use crate::spot::Spot;

const KIND: Kind = Kind::Markdown;

/// Whether a text is a list: every line that is not indented begins an item or a
/// heading, and there is an item.
pub(crate) fn is_list(text: &str) -> bool {
    let (mut items, mut headings) = (0, 0);
    let body = text.lines().skip(front_matter(text));
    for line in body.filter(|line| !is_blank(line) && !is_break(line)) {
        if item(line).is_some() {
            items += 1;
        } else if heading(line).is_some() {
            headings += 1;
        } else if items == 0 || !line.starts_with([' ', '\t']) {
            return false;
        }
    }
    items > 0 && items >= headings
}

pub(crate) fn read(text: &str, draught: &mut Draught) -> Result<(), ReadError> {
    let mut open: Option<Block> = None;
    let mut blank = false;
    for (index, line) in text.lines().enumerate().skip(front_matter(text)) {
        let spot = Spot::line(KIND, index + 1);
        if let Some(Block { lines, fence: Some(fence), .. }) = &mut open {
            lines.push(line.to_owned());
            if line.trim_matches(SPACE).trim_start_matches(*fence).is_empty() && is_fence(line) {
                close(open.take(), draught)?;
            }
            continue;
        }
        if is_blank(line) {
            blank = true;
            continue;
        }
        let after_blank = std::mem::take(&mut blank);
        if let Some(block) = &mut open {
            let inside = indent(line) >= block.indent;
            let goes_on = !after_blank
                && item(line).is_none()
                && heading(line).is_none()
                && !is_fence(line)
                && !is_break(line);
            if (block.indent > 0 && inside) || goes_on {
                if after_blank {
                    block.lines.push(String::new());
                }
                let cut = if inside { block.indent } else { indent(line) };
                block.lines.push(dedented(line, cut).to_owned());
                continue;
            }
        }
        close(open.take(), draught)?;
        if is_break(line) {
            continue;
        }
        if is_fence(line) {
            let fence = line.trim_start().chars().next();
            open = Some(Block { spot, indent: 0, lines: vec![line.to_owned()], fence });
            continue;
        }
        open = Some(match (item(line), heading(line)) {
            (Some(item), _) => {
                draught.report.remark(Remark::Ticks, usize::from(item.ticked));
                Block { spot, indent: item.indent, lines: vec![item.text.to_owned()], fence: None }
            }
            (None, Some((1, title))) if draught.title.is_empty() && draught.drafts.is_empty() => {
                draught.title = plain(title);
                continue;
            }
            (None, title) => {
                let text = title.map_or(line.trim_matches(SPACE), |(_, title)| title);
                Block { spot, indent: 0, lines: vec![text.to_owned()], fence: None }
            }
        });
        if heading(line).is_some() && item(line).is_none() {
            close(open.take(), draught)?;
        }
    }
    close(open, draught)
}

/// Space of Markdown; others are letters to it.
const SPACE: [char; 2] = [' ', '\t'];

fn is_blank(line: &str) -> bool {
    line.trim_matches(SPACE).is_empty()
}

/// How many lines at the top are fields of the file itself, between lines of dashes.
fn front_matter(text: &str) -> usize {
    let is_mark = |line: &&str| line.trim_end() == "---";
    let mut lines = text.lines();
    if !lines.next().is_some_and(|line| is_mark(&line)) {
        return 0;
    }
    // A break between paragraphs looks the same; fields have no blank line among them.
    lines.take_while(|line| !is_blank(line)).position(|line| is_mark(&line)).map_or(0, |at| at + 2)
}

/// A line drawn across, or below a heading: nothing that anybody wrote.
fn is_break(line: &str) -> bool {
    let marks: String = line.chars().filter(|c| !SPACE.contains(c)).collect();
    let is_one = |mark| marks.len() >= 3 && marks.trim_start_matches(mark).is_empty();
    indent(line) <= 3 && ['-', '*', '_', '='].into_iter().any(is_one)
}

/// The first or the last line of a block of code.
fn is_fence(line: &str) -> bool {
    let start = line.trim_start_matches(' ');
    line.len() - start.len() <= 3 && (start.starts_with("```") || start.starts_with("~~~"))
}

/// A note in the making.
struct Block {
    spot: Spot,
    /// From where its further lines stand; 0 for what is no item.
    indent: usize,
    lines: Vec<String>,
    /// What closes a block of code, in which nothing is markup.
    fence: Option<char>,
}

fn close(block: Option<Block>, draught: &mut Draught) -> Result<(), ReadError> {
    let Some(Block { spot, lines, fence, .. }) = block else { return Ok(()) };
    if fence.is_some() {
        return draught.push(Draft::new(spot, lines.join("\n")));
    }
    let last = lines.len() - 1;
    let lines: Vec<String> = lines
        .iter()
        .enumerate()
        .map(|(index, line)| match line.strip_suffix('\\') {
            // A hard break, unless the backslash is escaped itself.
            Some(broken) if index < last && !ends_escaping(broken) => plain(broken),
            _ => plain(line.trim_end_matches(SPACE)),
        })
        .collect();
    draught.push(Draft::new(spot, lines.join("\n")))
}

/// Whether what follows is escaped.
fn ends_escaping(text: &str) -> bool {
    text.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

struct Item<'a> {
    text: &'a str,
    /// Columns before the text.
    indent: usize,
    ticked: bool,
}

/// An item of the outermost list.
fn item(line: &str) -> Option<Item<'_>> {
    let start = line.trim_start_matches(' ');
    let before = line.len() - start.len();
    if before > 3 {
        return None;
    }
    let digits = start.bytes().take_while(u8::is_ascii_digit).count();
    let marker = match start.as_bytes() {
        [b'-' | b'*' | b'+', ..] => 1,
        bytes if (1..=9).contains(&digits) && matches!(bytes.get(digits), Some(b'.' | b')')) => {
            digits + 1
        }
        _ => return None,
    };
    let rest = &start[marker..];
    if rest.is_empty() {
        return Some(Item { text: "", indent: before + marker + 1, ticked: false });
    }
    let text = rest.strip_prefix([' ', '\t'])?;
    let spaces = text.len() - text.trim_start_matches(' ').len();
    let spaces = if spaces < 4 { spaces } else { 0 };
    let text = &text[spaces..];
    let boxes = ["[ ] ", "[x] ", "[X] "];
    let unticked = boxes.iter().find_map(|tick| text.strip_prefix(tick));
    Some(Item {
        text: unticked.unwrap_or(text),
        indent: before + marker + 1 + spaces,
        ticked: unticked.is_some(),
    })
}

/// A heading's level and text.
fn heading(line: &str) -> Option<(usize, &str)> {
    let start = line.trim_start_matches(' ');
    let level = start.bytes().take_while(|byte| *byte == b'#').count();
    let rest = &start[level..];
    let is_one = (1..=6).contains(&level)
        && line.len() - start.len() <= 3
        && (rest.is_empty() || rest.starts_with([' ', '\t']));
    is_one.then(|| (level, rest.trim().trim_end_matches('#').trim_end()))
}

fn indent(line: &str) -> usize {
    let spaces = line.bytes().take_while(|byte| matches!(byte, b' ' | b'\t'));
    spaces.map(|byte| if byte == b'\t' { 4 } else { 1 }).sum()
}

/// The line without so many columns of indent.
fn dedented(line: &str, columns: usize) -> &str {
    let mut gone = 0;
    let end = line.bytes().position(|byte| {
        let width = match byte {
            b' ' => 1,
            b'\t' => 4,
            _ => return true,
        };
        if gone >= columns {
            return true;
        }
        gone += width;
        false
    });
    &line[end.unwrap_or(line.len())..]
}

/// Text with backslashes before punctuation and numeric references taken back;
/// other markup stays as it was written.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['\\', '&']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let mut chars = rest.chars();
        if chars.next() == Some('\\') {
            match chars.next() {
                Some(c) if c.is_ascii_punctuation() => out.push(c),
                _ => {
                    out.push('\\');
                    rest = &rest[1..];
                    continue;
                }
            }
            rest = chars.as_str();
        } else if let Some((c, length)) = reference(rest) {
            out.push(c);
            rest = &rest[length..];
        } else {
            out.push('&');
            rest = &rest[1..];
        }
    }
    out.push_str(rest);
    out
}

/// A reference at the start of a text, and its length.
fn reference(text: &str) -> Option<(char, usize)> {
    let end = text.bytes().take(10).position(|byte| byte == b';')?;
    let c = match text.get(1..end)? {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        number => {
            let number = number.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code).filter(|c| *c != '\0')?
        }
    };
    Some((c, end + 1))
}
