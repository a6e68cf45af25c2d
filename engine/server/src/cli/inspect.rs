//! `inspect`: what a data folder holds, and whether every checksum is right.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use desk_disk::Folder;
use desk_gateway_http::http::Rfc3339;
use desk_protocol::Time;
use desk_storage_lsm::file::FileKind;
use desk_storage_lsm::inspect::{self as store, Cause, Inspection};
use desk_storage_lsm::recover::Tail;
use glommio::LocalExecutorBuilder;

use super::{Done, Failure, print};

pub(crate) const EXAMPLES: &str = "\
Example:
  $ sticker-desk inspect ./data
  store    format 2, manifest written 412 times, opened 3 times, last 2026-06-02T09:00:00Z
  links    20117 found, each desk has some; 391 newer records in the log
  …
  sound    every checksum is right

It changes nothing, so the folder may be mounted read-only, and reads every byte that
a start would. What is damaged is named by file and byte, and the exit code is 1. What
is torn is as a crash leaves it: a start mends it. On a server that runs, what is being
written may look torn.";

/// See [`super::Command::Inspect`].
#[derive(Args, Clone, Debug)]
pub(crate) struct Inspect {
    /// The data folder, as given to serve --data
    data_dir: PathBuf,
}

impl Inspect {
    pub(crate) fn run(self) -> Done {
        let path = self.data_dir;
        let shown = path.display();
        if !path.is_dir() {
            return Err(Failure::new(format!("{shown} is not a folder")));
        }
        let executor = LocalExecutorBuilder::default()
            .io_memory(1 << 20)
            .make()
            .map_err(|error| Failure::new(format!("cannot start: {error}")))?;
        let inspected = executor.run(async {
            let folder = Folder::open_read_only(&path)
                .map_err(|error| Failure::new(format!("cannot open {shown}: {error}")))?;
            store::inspect(&folder)
                .await
                .map_err(|error| Failure::new(format!("cannot read {shown}: {error}")))
        });
        let inspection = inspected?;
        print(&report(&inspection))?;
        Ok(if inspection.is_sound() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn report(found: &Inspection) -> String {
    let mut text = format!(
        "store    format {}, manifest written {} times, opened {} times, last {}\n\
         links    {} found, each desk has some; {} newer records in the log\n",
        found.format,
        found.generation,
        found.epoch,
        time(found.recorded.0),
        found.report.keys,
        found.report.records,
    );
    buckets(found, &mut text);
    tables(found, &mut text);
    segments(found, &mut text);
    let torn = torn(found);
    text += &torn;
    damage(found, &mut text);
    for orphan in &found.orphans {
        let _ = writeln!(text, "orphan   {orphan:?}: the next start removes it");
    }
    text += match (found.is_sound(), torn.is_empty()) {
        (true, true) => "sound    every checksum is right\n",
        (true, false) => "sound    nothing is damaged, and a start mends what is torn\n",
        (false, _) => "damaged  see above\n",
    };
    text
}

/// What a crash has interrupted.
fn torn(found: &Inspection) -> String {
    let mut text = String::new();
    for log in &found.report.logs {
        if let Some(Tail::Torn { number }) = log.tail {
            let _ = writeln!(text, "torn     {:?}: batch {number}, the last one", log.log);
        }
    }
    for flaw in found.flaws.iter().filter(|flaw| flaw.cause == Cause::Interrupted) {
        let (file, part) = (flaw.file.name(), flaw.part.name());
        let _ = writeln!(text, "torn     {file} at byte {}: {part}", flaw.offset);
    }
    text
}

fn damage(found: &Inspection, text: &mut String) {
    for flaw in found.flaws.iter().filter(|flaw| flaw.cause == Cause::Damage) {
        let (file, part) = (flaw.file.name(), flaw.part.name());
        let _ = writeln!(text, "damaged  {file} at byte {}: {part}", flaw.offset);
    }
    for log in &found.report.logs {
        for lost in &log.lost {
            let _ = writeln!(text, "damaged  {:?}: batches lost: {lost:?}", log.log);
        }
    }
    for (key, gap) in &found.report.quarantined {
        let _ = writeln!(text, "damaged  desk {key:?} in quarantine: {gap:?}");
    }
}

fn is_damaged(found: &Inspection, file: FileKind) -> bool {
    found.flaws.iter().any(|flaw| flaw.file == file && flaw.cause == Cause::Damage)
}

fn buckets(found: &Inspection, text: &mut String) {
    *text += "\nbucket from           tables       values        bytes\n";
    for bucket in &found.buckets {
        let _ = writeln!(
            text,
            "{}  {:>6}  {:>11}  {:>11}",
            time(u64::from(bucket.stamp.id.0)),
            bucket.tables,
            bucket.values,
            bucket.bytes,
        );
    }
}

fn tables(found: &Inspection, text: &mut String) {
    let _ = writeln!(
        text,
        "\n{:<28}  {:<20}  state     values  tombstones  broken        bytes",
        "table", "bucket from",
    );
    for table in &found.tables {
        let damaged =
            is_damaged(found, FileKind::Table(table.file)) || found.report.lacks_blocks(table.file);
        let state = match (table.bytes, damaged, table.sealed) {
            (None, ..) => "missing",
            (_, true, _) => "damaged",
            (.., true) => "sealed",
            (.., false) => "open",
        };
        let _ = writeln!(
            text,
            "{:<28}  {}  {state:<8}  {:>6}  {:>10}  {:>6}  {:>11}",
            table.file.table_name(),
            time(u64::from(table.bucket)),
            table.values,
            table.tombstones,
            table.broken.len(),
            table.bytes.unwrap_or(0),
        );
    }
}

fn segments(found: &Inspection, text: &mut String) {
    let _ = writeln!(text, "\n{:<28}  state     batches  lost        bytes", "segment");
    for segment in &found.segments {
        let (state, batches, lost) = match (&segment.bytes, &segment.contents) {
            (None, _) => ("missing", 0, 0),
            (_, None) => ("free", 0, 0),
            (_, Some(contents)) => ("used", contents.batches, contents.lost.len()),
        };
        let _ = writeln!(
            text,
            "{:<28}  {state:<8}  {batches:>7}  {lost:>4}  {:>11}",
            segment.file.segment_name(),
            segment.bytes.unwrap_or(0),
        );
    }
    *text += "\n";
}

fn time(seconds: u64) -> Rfc3339 {
    Rfc3339(Time::from_unix_seconds(seconds))
}
