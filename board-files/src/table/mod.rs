//! Tables of anybody: ours, Mural's, Miro's, Deck's, Jira's, Trello's, and what a
//! spreadsheet made of them.

mod columns;
mod write;

use csv::{ReaderBuilder, StringRecord};

pub use columns::Column;
use columns::{Columns, Field};
pub(crate) use write::write;

use crate::draft::{Draft, Draught};
use crate::error::{ReadError, shown};
use crate::kind::Kind;
use crate::limits::{COLUMNS_MAX, ELEMENTS_MAX};
use crate::markup::unescaped;
use crate::report::{LeftOut, Remark};
use crate::spot::Spot;

const KIND: Kind = Kind::Table;

/// Mural's sides: its tables name the shape only.
const MURAL_SIDE: f64 = 138.0;
const MURAL_WIDE: f64 = 230.0;

/// Lines above the names of the columns: an address, the time, and space between them.
const PREAMBLE_LINES_MAX: usize = 8;

/// Whether the first line names a column that holds texts, and others beside it.
pub(crate) fn has_known_header(text: &str) -> bool {
    let body = without_separator_line(text).1;
    let delimiter = delimiter(text);
    let Some(Ok(header)) = records(body, delimiter).next() else { return false };
    Columns::find(&header).is_header()
}

pub(crate) fn read(
    text: &str,
    asked: &[(Column, String)],
    draught: &mut Draught,
) -> Result<(), ReadError> {
    let delimiter = delimiter(text);
    let (line_of_body, body) = without_separator_line(text);
    if let Some(line) = unclosed_quote(body, delimiter) {
        let spot = Spot::line(KIND, line + line_of_body);
        return Err(spot.unexpected("", "a closing quote", "the end of the file".to_owned()));
    }
    let mut rows = records(body, delimiter);
    let mut top = Vec::new();
    for row in rows.by_ref().take(PREAMBLE_LINES_MAX + 1) {
        top.push(row.map_err(|error| malformed(&error))?);
    }
    if top.is_empty() {
        return Ok(());
    }
    let above = header_of(&top, asked);
    let cells = top.iter().take(above).flatten().filter(|cell| !cell.trim().is_empty()).count();
    draught.report.leave_out(LeftOut::Cell, cells);
    let mut rest = top.split_off(above).into_iter();
    let header = rest.next().unwrap_or_default();
    let mut columns = Columns::find(&header);
    columns.ask(&header, asked)?;
    let is_known = columns.has_text();
    if !is_known {
        // Nothing says which column it is: the first, and the header is a row.
        draught.report.remark(Remark::FirstColumn, 1);
        columns = Columns::first();
    }
    let mut reading = Reading { columns, line_of_body, draught };
    if !is_known {
        reading.row(&header)?;
    }
    for (count, row) in rest.map(Ok).chain(rows).enumerate() {
        if count == ELEMENTS_MAX {
            return Err(ReadError::TooMany { kind: KIND, what: "lines", limit: ELEMENTS_MAX });
        }
        reading.row(&row.map_err(|error| malformed(&error))?)?;
    }
    reading.tell_repeated();
    Ok(())
}

/// Which of the first lines names the columns: some programs put lines of their own above
/// it. If none does, the first is the header all the same.
fn header_of(top: &[StringRecord], asked: &[(Column, String)]) -> usize {
    let names = |row: &&StringRecord| match asked {
        [] => Columns::find(row).is_header(),
        asked => asked.iter().all(|(_, name)| Columns::named(row, name).is_some()),
    };
    if asked.is_empty() && Columns::find(&top[0]).has_text() {
        return 0;
    }
    top.iter().position(|row| names(&row)).unwrap_or(0)
}

fn records(body: &str, delimiter: u8) -> csv::StringRecordsIntoIter<&[u8]> {
    ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .flexible(true)
        .from_reader(body.as_bytes())
        .into_records()
}

fn malformed(error: &csv::Error) -> ReadError {
    let line = error.position().map_or(0, csv::Position::line);
    let spot = Spot::line(KIND, usize::try_from(line).unwrap_or(0));
    spot.unexpected("", "a row of a table", error.to_string())
}

/// What parts the cells: of `,`, `;` and the tab the one that the first line has
/// most of, outside of quotes. A line `sep=;` says it, as Excel reads and writes.
fn delimiter(text: &str) -> u8 {
    let first = text.lines().next().unwrap_or_default();
    if let Some(separator) = first.to_ascii_lowercase().strip_prefix("sep=") {
        return match separator.as_bytes() {
            [b';'] => b';',
            [b'\t'] => b'\t',
            _ => b',',
        };
    }
    let mut counts = [(b',', 0), (b';', 0), (b'\t', 0)];
    let mut quoted = false;
    for byte in text.bytes() {
        quoted ^= byte == b'"';
        if !quoted && byte == b'\n' {
            break;
        }
        let count = counts.iter_mut().find(|(delimiter, _)| !quoted && *delimiter == byte);
        if let Some((_, count)) = count {
            *count += 1;
        }
    }
    // The first of the most, so that a comma wins a tie.
    counts.into_iter().rev().max_by_key(|(_, count)| *count).map_or(b',', |(byte, _)| byte)
}

/// The table below a line `sep=;`, and how many lines are above it.
fn without_separator_line(text: &str) -> (usize, &str) {
    match text.split_once('\n') {
        Some((first, rest)) if first.to_ascii_lowercase().starts_with("sep=") => (1, rest),
        _ => (0, text),
    }
}

/// The line of a quote that opens a cell and is never closed: the file was cut.
fn unclosed_quote(body: &str, delimiter: u8) -> Option<usize> {
    let (mut line, mut opened) = (1, None);
    let (mut begins, mut after_quote) = (true, false);
    for byte in body.bytes() {
        match byte {
            b'"' if opened.is_some() => (opened, after_quote) = (None, true),
            // A doubled quote is one of the text, which goes on.
            b'"' if begins || after_quote => {
                opened = Some(line);
                after_quote = false;
            }
            _ => after_quote = false,
        }
        begins = byte == delimiter || byte == b'\n' || byte == b'\r';
        line += usize::from(byte == b'\n');
    }
    opened
}

struct Reading<'a> {
    columns: Columns,
    line_of_body: usize,
    draught: &'a mut Draught,
}

impl Reading<'_> {
    fn row(&mut self, row: &StringRecord) -> Result<(), ReadError> {
        let line = row.position().map_or(0, csv::Position::line);
        let spot = Spot::line(KIND, usize::try_from(line).unwrap_or(0) + self.line_of_body);
        if row.len() > COLUMNS_MAX {
            return Err(ReadError::TooMany { kind: KIND, what: "columns", limit: COLUMNS_MAX });
        }
        if row.iter().all(|cell| cell.trim().is_empty()) {
            return Ok(());
        }
        let columns = &self.columns;
        let mut text = columns.text(row);
        if columns.is_mural() {
            // Mural escapes its texts once as HTML.
            text = unescaped(&text);
        }
        if text.trim().is_empty() && !columns.is_ours() {
            self.draught.report.leave_out(LeftOut::Empty, 1);
            return Ok(());
        }
        let mut draft = Draft::new(spot, text);
        let number = |field: Field| number(spot, field, columns.cell(row, field));
        draft.corner = match (number(Field::X)?, number(Field::Y)?) {
            (Some(x), Some(y)) => Some((x, y)),
            (None, None) => None,
            _ => {
                self.draught.report.remark(Remark::HalfPlaced, 1);
                None
            }
        };
        draft.size = match (number(Field::Width)?, number(Field::Height)?) {
            (None, None) if columns.is_mural() => {
                let wide = columns.cell(row, Field::Shape) == Some("3x5");
                Some((if wide { MURAL_WIDE } else { MURAL_SIDE }, MURAL_SIDE))
            }
            (None, None) => None,
            (width, height) => {
                let default = f64::from(desk_protocol::Size::default().width);
                Some((width.unwrap_or(default), height.unwrap_or(default)))
            }
        };
        if let Some(z) = number(Field::Z)? {
            draft.z = z.round() as i64;
        }
        if let Some(cell) = columns.cell(row, Field::Deleted) {
            draft.deleted = truth(spot, cell)?;
        }
        draft.color = columns.cell(row, Field::Color).and_then(|cell| self.draught.color(cell));
        if !columns.is_ours() {
            let others = row.iter().enumerate().filter(|(at, _)| !columns.uses(*at));
            let others = others.filter(|(_, cell)| !cell.trim().is_empty()).count();
            self.draught.report.leave_out(LeftOut::Cell, others);
        }
        self.draught.push(draft)
    }

    /// Exports of others have one note more than once; that is told, and nothing
    /// is dropped, since people write the same twice, too.
    fn tell_repeated(&mut self) {
        if self.columns.is_ours() {
            return;
        }
        let mut texts: Vec<&str> =
            self.draught.drafts.iter().map(|draft| draft.text.as_str()).collect();
        texts.sort_unstable();
        let repeated = texts.windows(2).filter(|pair| pair[0] == pair[1]).count();
        self.draught.report.remark(Remark::Repeated, repeated);
    }
}

/// A number as programs and spreadsheets of any language write it; an empty cell
/// is none.
fn number(spot: Spot, field: Field, cell: Option<&str>) -> Result<Option<f64>, ReadError> {
    let Some(cell) = cell else { return Ok(None) };
    let comma = cell.matches(',').count() == 1 && !cell.contains('.');
    let parsed = if comma { cell.replace(',', ".").parse() } else { cell.parse::<f64>() };
    match parsed {
        Ok(number) if number.is_finite() => Ok(Some(number)),
        _ => Err(spot.unexpected(field.name(), field.expected(), shown(cell))),
    }
}

fn truth(spot: Spot, cell: &str) -> Result<bool, ReadError> {
    match cell.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" => Ok(true),
        "false" | "0" | "no" => Ok(false),
        _ => Err(spot.unexpected("deleted", "true or false", shown(cell))),
    }
}

/// Whether a spreadsheet would run the cell as a formula. Such a cell gets an
/// apostrophe in front. So does one that looks neutralised already, so that
/// reading, which takes one apostrophe away, gives every text back unchanged.
pub(crate) fn needs_neutralising(text: &str) -> bool {
    text.trim_start_matches('\'').starts_with(['=', '+', '-', '@', '\t', '\r'])
}

/// Whether the first character of a cell was put there by a writer.
fn is_neutralised(text: &str) -> bool {
    text.starts_with('\'') && needs_neutralising(text)
}
