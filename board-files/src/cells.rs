//! Cells of a spreadsheet: the first table of a piece of HTML, or the plain text
//! that stands beside it on a clipboard. A cell with a text is a note.

use csv::ReaderBuilder;

use crate::draft::{Draft, Draught, GAP};
use crate::error::ReadError;
use crate::kind::Kind;
use crate::limits::COLUMNS_MAX;
use crate::markup::{Tag, Token, Tokens};
use crate::spot::Spot;

const KIND: Kind = Kind::Cells;

/// Where a cell's note stands: a note and a gap a cell.
fn corner(column: usize, row: usize) -> (f64, f64) {
    let pitch = f64::from(GAP) + f64::from(desk_protocol::Size::default().width);
    (column as f64 * pitch, row as f64 * pitch)
}

/// Reads the first table. Line breaks and paragraphs of a cell become LF.
pub(crate) fn read(html: &str, draught: &mut Draught) -> Result<(), ReadError> {
    let mut table = Table::default();
    for token in Tokens::of(html) {
        match token {
            Token::Start(tag) => table.start(&tag, draught)?,
            Token::End(name) if table.end(&name, draught)? => return Ok(()),
            Token::Text(text) => table.text(&text),
            Token::End(_) => {}
        }
    }
    // A table that is cut keeps the cells that were there.
    table.close(draught)
}

/// Reads cells as spreadsheets write them beside HTML: tabs between, quotes
/// around what needs them.
pub(crate) fn read_plain(text: &str, draught: &mut Draught) -> Result<(), ReadError> {
    let mut rows = ReaderBuilder::new()
        .delimiter(b'\t')
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes());
    for (row, record) in rows.records().enumerate() {
        let Ok(record) = record else { break };
        for (column, cell) in record.iter().enumerate().take(COLUMNS_MAX) {
            if cell.trim().is_empty() {
                continue;
            }
            let mut draft = Draft::new(Spot::element(KIND, "rows", row), cell.to_owned());
            draft.corner = Some(corner(column, row));
            draught.push(draft)?;
        }
    }
    Ok(())
}

#[derive(Default)]
struct Table {
    /// Tables that are open; cells count in the outermost only.
    depth: usize,
    rows: usize,
    /// Where the next cell of the row stands.
    column: usize,
    /// For each column, rows that a cell above still covers.
    covered: Vec<usize>,
    cell: Option<Cell>,
    /// Elements of style or script that are open.
    hidden: usize,
}

struct Cell {
    row: usize,
    column: usize,
    color: Option<String>,
    text: String,
    /// A line that begins when more text follows.
    breaks: usize,
    space: bool,
}

impl Table {
    fn start(&mut self, tag: &Tag, draught: &mut Draught) -> Result<(), ReadError> {
        match tag.name.as_str() {
            "style" | "script" => self.hidden += 1,
            "table" => self.depth += 1,
            "tr" if self.depth == 1 => {
                self.close(draught)?;
                self.rows += 1;
                self.column = 0;
                self.covered.iter_mut().for_each(|rows| *rows = rows.saturating_sub(1));
            }
            "td" | "th" if self.depth == 1 => {
                self.close(draught)?;
                self.open(tag);
            }
            "br" => {
                if let Some(cell) = &mut self.cell {
                    cell.breaks += 1;
                    cell.space = false;
                }
            }
            name if is_block(name) => self.block(),
            _ => {}
        }
        Ok(())
    }

    /// Whether the table ends.
    fn end(&mut self, name: &str, draught: &mut Draught) -> Result<bool, ReadError> {
        match name {
            "style" | "script" => self.hidden = self.hidden.saturating_sub(1),
            _ if self.depth == 0 => {}
            "table" => {
                self.depth -= 1;
                if self.depth == 0 {
                    self.close(draught)?;
                    return Ok(true);
                }
            }
            "td" | "th" | "tr" if self.depth == 1 => self.close(draught)?,
            name if is_block(name) => self.block(),
            _ => {}
        }
        Ok(false)
    }

    fn open(&mut self, tag: &Tag) {
        while self.covered.get(self.column).is_some_and(|rows| *rows > 0) {
            self.column += 1;
        }
        let span = |name: &str| {
            let span = tag.attribute(name).and_then(|text| text.trim().parse::<usize>().ok());
            span.unwrap_or(1).clamp(1, COLUMNS_MAX)
        };
        let (columns, rows) = (span("colspan"), span("rowspan"));
        let end = (self.column + columns).min(COLUMNS_MAX);
        if self.covered.len() < end {
            self.covered.resize(end, 0);
        }
        for covered in self.covered.iter_mut().take(end).skip(self.column) {
            *covered = rows;
        }
        self.cell = Some(Cell {
            row: self.rows.saturating_sub(1),
            column: self.column.min(COLUMNS_MAX),
            color: background(tag),
            text: String::new(),
            breaks: 0,
            space: false,
        });
        self.column = end;
    }

    fn block(&mut self) {
        if let Some(cell) = &mut self.cell
            && !cell.text.is_empty()
        {
            cell.breaks = cell.breaks.max(1);
            cell.space = false;
        }
    }

    /// Runs of white space show as one space.
    fn text(&mut self, text: &str) {
        let Some(cell) = self.cell.as_mut().filter(|_| self.hidden == 0) else { return };
        for c in text.chars() {
            if matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0c') {
                cell.space = true;
                continue;
            }
            for _ in 0..std::mem::take(&mut cell.breaks) {
                cell.text.push('\n');
                cell.space = false;
            }
            if std::mem::take(&mut cell.space) && !cell.text.is_empty() {
                cell.text.push(' ');
            }
            cell.text.push(if c == '\u{a0}' { ' ' } else { c });
        }
    }

    fn close(&mut self, draught: &mut Draught) -> Result<(), ReadError> {
        let Some(cell) = self.cell.take() else { return Ok(()) };
        let text = cell.text.trim();
        if text.is_empty() {
            return Ok(());
        }
        let mut draft = Draft::new(Spot::element(KIND, "rows", cell.row), text.to_owned());
        draft.corner = Some(corner(cell.column, cell.row));
        draft.color = cell.color.and_then(|color| draught.color(&color));
        draught.push(draft)
    }
}

fn is_block(name: &str) -> bool {
    matches!(name, "p" | "div" | "li" | "ul" | "ol" | "h1" | "h2" | "h3" | "pre")
}

/// A cell's colour: the attribute of old, or the style.
fn background(tag: &Tag) -> Option<String> {
    tag.attribute("bgcolor").map(str::to_owned).or_else(|| {
        let style = tag.attribute("style")?.to_ascii_lowercase();
        let declarations = style.split(';').filter_map(|declaration| declaration.split_once(':'));
        let mut named = declarations
            .filter(|(name, _)| matches!(name.trim(), "background" | "background-color"));
        named.next().map(|(_, value)| value.replace("!important", "").trim().to_owned())
    })
}
