//! Work in processes of their own.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use rustix::fs::{Advice, fadvise, sync};

use crate::engines::EngineName;
use crate::work::{Outcome, Work};

/// Does a piece of work in a process of its own. One that leaves its store open
/// is killed, as a crash of the process would.
///
/// # Errors
/// The process fails.
pub fn run(engine: EngineName, folder: &Path, work: Work) -> Result<Outcome> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("work").arg(serde_json::to_string(&engine)?.trim_matches('"'));
    command.arg(folder).arg(serde_json::to_string(&work)?);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let output = child.stdout.take().context("its output is piped")?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    if work.leaves_open() && !line.is_empty() {
        child.kill()?;
        child.wait()?;
    } else {
        let status = child.wait()?;
        ensure!(status.success(), "{} failed at {work:?}: {status}", engine.shown());
    }
    serde_json::from_str(&line).with_context(|| format!("{} said `{line}`", engine.shown()))
}

/// Drops what the kernel has cached of a folder's files, so that reads reach the
/// device, and says how.
///
/// # Errors
/// A file cannot be opened.
pub fn forget_pages(folder: &Path) -> Result<&'static str> {
    sync();
    let all = fs::OpenOptions::new().write(true).open("/proc/sys/vm/drop_caches");
    if all.and_then(|mut file| file.write_all(b"3")).is_ok() {
        return Ok("drop_caches");
    }
    forget_files(folder)?;
    Ok("posix_fadvise")
}

fn forget_files(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            forget_files(&path)?;
        } else {
            fadvise(fs::File::open(&path)?, 0, None, Advice::DontNeed)?;
        }
    }
    Ok(())
}
