//! A table (RFC 4180) with a header line; ours, or anyone's that names a
//! column `text`. Columns that we do not know are skipped.

use std::str::FromStr;

use desk_protocol::{Color, Point};

use super::{ImportError, Note};
use crate::export::is_neutralised;

pub(super) fn read(text: &str) -> Result<Vec<Note>, ImportError> {
    let mut records = Records { rest: text, line: 1 };
    let header = records.next().transpose()?.unwrap_or_default();
    let columns = Columns::find(&header.cells)?;
    records
        .filter(|record| !record.as_ref().is_ok_and(|record| record.cells == [""]))
        .map(|record| columns.note(&record?))
        .collect()
}

const COORDINATE: &str = "a whole number from -1000000 to 1000000";
const SIDE: &str = "a whole number from 20 to 4000";

/// Characters of a cell that an error shows.
const SHOWN_CHARS: usize = 40;

/// Where the columns that we know are.
#[derive(Debug)]
struct Columns {
    text: usize,
    x: Option<usize>,
    y: Option<usize>,
    width: Option<usize>,
    height: Option<usize>,
    color: Option<usize>,
    z: Option<usize>,
    deleted: Option<usize>,
}

impl Columns {
    fn find(header: &[String]) -> Result<Self, ImportError> {
        let find = |name| header.iter().position(|cell| cell.trim().eq_ignore_ascii_case(name));
        Ok(Self {
            text: find("text").ok_or(ImportError::NoTextColumn)?,
            x: find("x"),
            y: find("y"),
            width: find("width"),
            height: find("height"),
            color: find("color"),
            z: find("z"),
            deleted: find("deleted"),
        })
    }

    fn note(&self, record: &Record) -> Result<Note, ImportError> {
        let mut note = Note::new(record.cell(Some(self.text)).unwrap_or_default().to_owned());
        let x = record.parsed(self.x, "x", COORDINATE)?;
        let y = record.parsed(self.y, "y", COORDINATE)?;
        note.position = x.zip(y).map(|(x, y)| Point { x, y });
        if let Some(width) = record.parsed(self.width, "width", SIDE)? {
            note.size.width = width;
        }
        if let Some(height) = record.parsed(self.height, "height", SIDE)? {
            note.size.height = height;
        }
        if let Some(color) = record.parsed::<Color>(self.color, "color", "a colour as #rrggbb")? {
            note.color = color;
        }
        note.z = record.parsed(self.z, "z", "a whole number")?.unwrap_or(0);
        let deleted = record.parsed(self.deleted, "deleted", "true or false")?;
        note.deleted = deleted.unwrap_or(false);
        Ok(note)
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Record {
    line: usize,
    cells: Vec<String>,
}

impl Record {
    /// A cell, with what an export neutralised restored.
    fn cell(&self, column: Option<usize>) -> Option<&str> {
        let cell = self.cells.get(column?)?;
        Some(if is_neutralised(cell) { &cell[1..] } else { cell })
    }

    /// An empty cell is as good as none.
    fn parsed<T: FromStr>(
        &self,
        column: Option<usize>,
        name: &'static str,
        expected: &'static str,
    ) -> Result<Option<T>, ImportError> {
        let Some(cell) = self.cell(column).map(str::trim).filter(|cell| !cell.is_empty()) else {
            return Ok(None);
        };
        cell.parse().map(Some).map_err(|_| ImportError::Cell {
            line: self.line,
            column: name,
            expected,
            found: cell.chars().take(SHOWN_CHARS).collect(),
        })
    }
}

/// Splits a table into records; a quoted cell may hold commas, line ends and
/// doubled quotes.
#[derive(Debug)]
struct Records<'a> {
    rest: &'a str,
    line: usize,
}

impl Records<'_> {
    fn record(&mut self) -> Result<Record, ImportError> {
        let mut record = Record { line: self.line, cells: Vec::new() };
        loop {
            let cell = match self.rest.strip_prefix('"') {
                Some(rest) => self.quoted(rest)?,
                None => {
                    let end = self.rest.find([',', '\r', '\n']).unwrap_or(self.rest.len());
                    let (cell, rest) = self.rest.split_at(end);
                    self.rest = rest;
                    cell.to_owned()
                }
            };
            record.cells.push(cell);
            if let Some(rest) = self.rest.strip_prefix(',') {
                self.rest = rest;
                continue;
            }
            let end = ["\r\n", "\n", "\r"].into_iter().find(|end| self.rest.starts_with(end));
            self.rest = &self.rest[end.map_or(0, str::len)..];
            self.line += 1;
            return Ok(record);
        }
    }

    /// The cell whose opening quote stands before `rest`.
    fn quoted(&mut self, mut rest: &str) -> Result<String, ImportError> {
        let malformed = ImportError::Quote { line: self.line };
        let mut cell = String::new();
        loop {
            let Some((part, after)) = rest.split_once('"') else { return Err(malformed) };
            cell.push_str(part);
            self.line += part.matches('\n').count();
            match after.strip_prefix('"') {
                Some(after) => {
                    cell.push('"');
                    rest = after;
                }
                None if after.is_empty() || after.starts_with([',', '\r', '\n']) => {
                    let at = self.rest.len() - after.len();
                    self.rest = &self.rest[at..];
                    return Ok(cell);
                }
                None => return Err(malformed),
            }
        }
    }
}

impl Iterator for Records<'_> {
    type Item = Result<Record, ImportError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let record = self.record();
        if record.is_err() {
            self.rest = "";
        }
        Some(record)
    }
}
