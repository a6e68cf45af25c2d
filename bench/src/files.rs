//! Boards as files, in this process: what a full desk costs to read and to write.

use std::fs;
use std::hint::black_box;

use anyhow::{Context as _, Result};
use desk_files::{Board, Format, Note, Options, read, write};
use desk_protocol::{Color, Point, Size};

use crate::process::own_cpu_ns;
use crate::report::{Goal, Row};

/// Notes of a full desk.
const NOTES: usize = 5_000;

/// Bytes of each text: with 64 a note, 4 MiB in all.
const TEXT_BYTES: usize = 774;

/// The formats that are read back.
const READ: [Format; 5] =
    [Format::Json, Format::Csv, Format::Excalidraw, Format::Tldraw, Format::Canvas];

/// What one round measured.
#[derive(Clone, Debug)]
pub struct Files {
    /// CPU seconds to write each format.
    written: Vec<(Format, f64)>,
    /// CPU seconds to read each, and the memory of it by the file's bytes.
    read: Vec<(Format, f64, f64)>,
}

/// A full desk.
fn board() -> Board {
    let note = |number: usize| {
        let mut text = format!("{number}: to be done ");
        while text.len() < TEXT_BYTES {
            text.push_str("soon, \"or\" later\n");
        }
        text.truncate(TEXT_BYTES);
        Note {
            place: Some(Point { x: (number % 100 * 220) as i32, y: (number / 100 * 220) as i32 }),
            size: Size::default(),
            color: Color([0xff_e0_66, 0xa5_d8_ff, 0xb2_f2_bb][number % 3]),
            text,
            z: number as i64,
            ..Note::default()
        }
    };
    Board { title: "Full".to_owned(), notes: (0..NOTES).map(note).collect(), desk: None }
}

/// Writes and reads each format once.
///
/// # Errors
/// What was written cannot be read, or the kernel does not tell.
pub fn measure() -> Result<Files> {
    let board = board();
    let mut files = Files { written: Vec::new(), read: Vec::new() };
    for (_, format) in Format::NAMES {
        let started = own_cpu_ns()?;
        let file = black_box(write(&board, format));
        files.written.push((format, seconds_since(started)?));
        if READ.contains(&format) {
            let before = memory("VmRSS")?;
            // From here on the peak counts anew.
            fs::write("/proc/self/clear_refs", "5").context("cannot reset the peak of memory")?;
            let started = own_cpu_ns()?;
            let imported = black_box(read(&file, &Options::default()))?;
            let seconds = seconds_since(started)?;
            let taken = memory("VmHWM")?.saturating_sub(before);
            anyhow::ensure!(imported.board.notes.len() == NOTES, "{} lost notes", format.name());
            files.read.push((format, seconds, taken as f64 / file.len() as f64));
        }
    }
    Ok(files)
}

fn seconds_since(started: u64) -> Result<f64> {
    Ok((own_cpu_ns()? - started) as f64 / 1e9)
}

/// A figure of this process's memory, in bytes.
fn memory(name: &str) -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with(name)).context("no such figure")?;
    let kib: u64 = line.split_whitespace().nth(1).context("no number")?.parse()?;
    Ok(kib << 10)
}

/// The rows of all rounds.
pub fn rows(rounds: &[Files]) -> Vec<Row> {
    let mut rows = Vec::new();
    let Some(first) = rounds.first() else { return rows };
    for (at, (format, _)) in first.written.iter().enumerate() {
        let samples: Vec<_> = rounds.iter().map(|round| round.written[at].1).collect();
        rows.push(Row::new(
            format!("files.export.{}_cpu_s", format.name()),
            "Writing a desk of 5,000 notes and 4 MiB",
            "s",
            Goal::at_most(0.3),
            &samples,
        ));
    }
    for (at, (format, ..)) in first.read.iter().enumerate() {
        let seconds: Vec<_> = rounds.iter().map(|round| round.read[at].1).collect();
        let memory: Vec<_> = rounds.iter().map(|round| round.read[at].2).collect();
        let name = format.name();
        rows.push(Row::new(
            format!("files.import.{name}_cpu_s"),
            "Reading a desk of 5,000 notes and 4 MiB",
            "s",
            Goal::at_most(1.0),
            &seconds,
        ));
        rows.push(Row::new(
            format!("files.import.{name}_memory"),
            "Memory that reading it takes at its height, by the bytes of the file",
            "×",
            Goal::at_most(8.0),
            &memory,
        ));
    }
    rows
}
