//! `compare-store`: runs the comparison, or one piece of it.
#![forbid(unsafe_code)]

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand, ValueEnum as _};
use compare_store::comparison::{Comparison, Part};
use compare_store::engines::EngineName;
use compare_store::kinds::KINDS;
use compare_store::plan::Plan;
use compare_store::work::{self, Work};
use rustix::thread::{CpuSet, sched_setaffinity};

// The server's allocator, so that memory and processor time compare.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Compares the Desk DB with other stores: the same work over each, in processes of
/// their own, in turns with the device's own limits.
///
/// Every group of operations is durable before it counts. Nothing is compressed.
/// The full run takes about 45 minutes and 30 GB of the disk for a while, and
/// wants the machine to itself; --quick takes three minutes. Without the feature
/// `others` only our own store is there.
///
/// Examples:
///   compare-store --quick --engine ours
///   compare-store --quick --row commit --row log
///   compare-store --rows rows.json
#[derive(Parser)]
#[command(verbatim_doc_comment)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Task>,
    /// A coarse run
    #[arg(long)]
    quick: bool,
    /// This store; may be given more than once [default: all]
    #[arg(long, value_name = "NAME")]
    engine: Vec<EngineName>,
    /// These rows; may be given more than once [default: all]
    #[arg(long, value_name = "NAME")]
    row: Vec<Part>,
    /// Where data goes for the time of the run [default: beside the build]
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// Writes the report's rows to this file
    #[arg(long, value_name = "FILE")]
    rows: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Task {
    /// Does one piece of work in this process and prints what it found
    #[command(hide = true)]
    Work { engine: String, folder: PathBuf, work: String },
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if let Some(Task::Work { engine, folder, work }) = arguments.command {
        let engine: EngineName = serde_json::from_value(engine.into())?;
        let work: Work = serde_json::from_str(&work)?;
        let outcome = work::run(engine, &folder, work)?;
        println!("{}", serde_json::to_string(&outcome)?);
        while work.leaves_open() {
            std::thread::park();
        }
        return Ok(());
    }
    use_all_cores()?;
    let plan = if arguments.quick { Plan::QUICK } else { Plan::FULL };
    let engines = given_or(arguments.engine, EngineName::value_variants());
    let parts = given_or(arguments.row, Part::value_variants());
    let folder = match arguments.folder {
        Some(folder) => folder.join("compare-store"),
        None => {
            let own = std::env::current_exe()?;
            let target = own.ancestors().nth(2).context("the binary lies in the build's folder")?;
            target.join("bench/compare-store")
        }
    };
    let mut comparison = Comparison::new(plan, engines, &folder)?;
    for part in parts {
        comparison.measure(part)?;
        eprint!("{}", comparison.samples().table(KINDS));
    }
    let samples = comparison.end()?;
    print!("{}", samples.table(KINDS));
    if let Some(file) = arguments.rows {
        fs::write(file, serde_json::to_string_pretty(&samples.rows(KINDS))?)?;
    }
    Ok(())
}

fn given_or<T: Clone>(given: Vec<T>, all: &[T]) -> Vec<T> {
    if given.is_empty() { all.to_vec() } else { given }
}

/// A benchmark that starts this one may have bound itself to a core.
fn use_all_cores() -> Result<()> {
    let mut set = CpuSet::new();
    (0..CpuSet::MAX_CPU).for_each(|core| set.set(core));
    sched_setaffinity(None, &set).context("cannot use all cores")
}
