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
    for line in text.lines().filter(|line| !is_blank(line)) {
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
    for (index, line) in text.lines().enumerate() {
        let spot = Spot::line(KIND, index + 1);
        if is_blank(line) {
            blank = true;
            continue;
        }
        let after_blank = std::mem::take(&mut blank);
        if let Some(block) = &mut open {
            let inside = indent(line) >= block.indent;
            let goes_on = !after_blank && item(line).is_none() && heading(line).is_none();
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
        open = Some(match (item(line), heading(line)) {
            (Some(item), _) => {
                draught.report.remark(Remark::Ticks, usize::from(item.ticked));
                Block { spot, indent: item.indent, lines: vec![item.text.to_owned()] }
            }
            (None, Some((1, title))) if draught.title.is_empty() && draught.drafts.is_empty() => {
                draught.title = plain(title);
                continue;
            }
            (None, Some((_, title))) => Block { spot, indent: 0, lines: vec![title.to_owned()] },
            (None, None) => {
                Block { spot, indent: 0, lines: vec![line.trim_matches(SPACE).to_owned()] }
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

/// A note in the making.
struct Block {
    spot: Spot,
    /// From where its further lines stand; 0 for what is no item.
    indent: usize,
    lines: Vec<String>,
}

fn close(block: Option<Block>, draught: &mut Draught) -> Result<(), ReadError> {
    let Some(Block { spot, lines, .. }) = block else { return Ok(()) };
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
