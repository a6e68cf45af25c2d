//! All stores in turns, each round beside the device's own limits.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::ValueEnum;
use desk_bench::clock::Clock;
use desk_bench::report::rounded;

use crate::content::{KEY_BYTES, OPERATION_BYTES};
use crate::device::Device;
use crate::engines::EngineName;
use crate::plan::Plan;
use crate::process;
use crate::samples::{Samples, quantile_us};
use crate::work::{Desks, Outcome, Work, Written};

/// Operations of a short commit.
const SHORT_GROUP: usize = 64;
/// Operations that fill a batch.
const FULL_GROUP: usize = 7_000;
/// Bytes of a read that one desk of 10 KB takes.
const READ_BYTES: usize = 16 << 10;
/// The slope of memory is taken from this fraction of the desks to all of them.
const FEW_OF: u64 = 10;

/// Rows that are measured together.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// Commits of 64 operations
    Commit,
    /// Bytes of the log
    Log,
    /// Ingest, rewriting and reading
    Desks,
    /// Dropping a bucket
    Expire,
    /// Opening after a kill, and memory
    Reopen,
    /// The full load of the brief, our store alone
    Load,
}

/// What is compared, where, and what was found so far.
pub struct Comparison {
    plan: Plan,
    engines: Vec<EngineName>,
    folder: PathBuf,
    device: Device,
    clock: Clock,
    samples: Samples,
}

impl Comparison {
    /// Makes the folder and the device's file in it.
    ///
    /// # Errors
    /// The folder has no direct access, or no room.
    pub fn new(plan: Plan, engines: Vec<EngineName>, folder: &Path) -> Result<Self> {
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        fs::create_dir_all(folder)?;
        let device = Device::new(&folder.join("device"), plan.device_bytes)?;
        let (folder, clock) = (folder.to_owned(), Clock::start());
        Ok(Self { plan, engines, folder, device, clock, samples: Samples::default() })
    }

    /// Measures a part.
    ///
    /// # Errors
    /// A store fails.
    pub fn measure(&mut self, part: Part) -> Result<()> {
        let rounds = match part {
            Part::Commit => self.plan.rounds,
            Part::Log | Part::Desks | Part::Expire | Part::Reopen => self.plan.long_rounds,
            Part::Load => 1,
        };
        let mut engines = self.engines.clone();
        if part == Part::Load {
            engines.retain(|engine| *engine == EngineName::Ours);
        }
        for round in 1..=rounds {
            for &engine in &engines {
                let seconds = self.clock.elapsed().as_secs();
                let (minutes, seconds, name) = (seconds / 60, seconds % 60, engine.shown());
                eprintln!(
                    "[{minutes:02}:{seconds:02}] {part:?}, round {round} of {rounds}: {name}"
                );
                match part {
                    Part::Commit => self.commit(engine)?,
                    Part::Log => self.log(engine)?,
                    Part::Desks => self.desks(engine, round as u64)?,
                    Part::Expire => self.expire(engine)?,
                    Part::Reopen => self.reopen(engine)?,
                    Part::Load => self.load()?,
                }
            }
            if part == Part::Commit {
                self.against_the_best();
            }
        }
        Ok(())
    }

    /// What was found.
    pub fn samples(&self) -> &Samples {
        &self.samples
    }

    /// Removes all data.
    ///
    /// # Errors
    /// A file cannot be removed.
    pub fn end(self) -> Result<Samples> {
        drop(self.device);
        fs::remove_dir_all(&self.folder)?;
        Ok(self.samples)
    }

    /// A fresh place for a store.
    fn data(&self) -> Result<PathBuf> {
        let data = self.folder.join("data");
        if data.exists() {
            fs::remove_dir_all(&data)?;
        }
        // Removals of the last store are not to be paid by the next one.
        rustix::fs::sync();
        Ok(data)
    }

    fn commit(&mut self, engine: EngineName) -> Result<()> {
        let data = self.data()?;
        let (groups, size) = (self.plan.groups, SHORT_GROUP);
        let bytes = size * (KEY_BYTES + OPERATION_BYTES);
        let limit = self.device.durable_writes(groups, bytes)?;
        let found = process::run(engine, &data, Work::Commit { groups, size })?;
        let Outcome::Committed { times_ns, cpu_us, .. } = found else { return unexpected(&found) };
        for (id, at) in [("commit64.p50_vs_limit", 0.5), ("commit64.p99_vs_limit", 0.99)] {
            let (own, device) = (quantile_us(&times_ns, at), quantile_us(&limit, at));
            self.samples.push(id, engine, own / device);
            if engine == EngineName::Ours {
                let (own, device) = (rounded(own), rounded(device));
                self.samples.note(id, format!("last round: {own} µs, the device {device} µs"));
            }
        }
        self.samples.push("commit64.p50_us", engine, quantile_us(&times_ns, 0.5));
        self.samples.push("commit64.cpu_us_per_op", engine, cpu_us);
        Ok(())
    }

    /// Our figures of this round against the best of the others'.
    fn against_the_best(&mut self) {
        let pairs = [
            ("commit64.p50_us", "commit64.p50_vs_best"),
            ("commit64.cpu_us_per_op", "commit64.cpu_vs_best"),
        ];
        for (id, ratio) in pairs {
            let others = self.engines.iter().filter(|engine| **engine != EngineName::Ours);
            let best = others.filter_map(|engine| self.samples.last(id, *engine));
            let best = best.min_by(f64::total_cmp);
            if let (Some(own), Some(best)) = (self.samples.last(id, EngineName::Ours), best) {
                self.samples.push(ratio, EngineName::Ours, own / best);
            }
        }
    }

    fn log(&mut self, engine: EngineName) -> Result<()> {
        let data = self.data()?;
        let work = Work::Commit { groups: self.plan.full_groups, size: FULL_GROUP };
        let found = process::run(engine, &data, work)?;
        let Outcome::Committed { written, .. } = found else { return unexpected(&found) };
        let payload = written.user_bytes / (KEY_BYTES + OPERATION_BYTES) as u64;
        let payload = payload * OPERATION_BYTES as u64;
        let device = written.device_bytes as f64;
        self.samples.push("log.full_bytes_vs_user", engine, device / written.user_bytes as f64);
        self.samples.push("log.full_bytes_vs_payload", engine, device / payload as f64);
        if engine == EngineName::Ours {
            let own = rounded(written.counted.log_bytes as f64 / written.user_bytes as f64);
            self.samples.note("log.full_bytes_vs_user", format!("by the store's own count {own}"));
        }
        Ok(())
    }

    fn desks(&mut self, engine: EngineName, round: u64) -> Result<()> {
        let data = self.data()?;
        let desks = self.plan.rewrite;
        let found = process::run(engine, &data, Work::Rewrite(desks))?;
        let Outcome::Rewritten { ingest, fifth, heavy } = found else { return unexpected(&found) };
        let all = [
            ("ingest.bytes_vs_user", ingest),
            ("rewrite20.bytes_vs_user", fifth),
            ("rewrite_heavy.bytes_vs_user", heavy),
        ];
        for (id, written) in all {
            self.samples.push(id, engine, after_the_log(&written));
            if engine == EngineName::Ours {
                let part = |bytes: u64| rounded(bytes as f64 / written.user_bytes as f64);
                let (own, moved) = (written.counted.table_bytes, written.counted.compacted_bytes);
                let (own, moved) = (part(own), part(moved));
                let note = format!("by the store's own count {own}, of which moved {moved}");
                self.samples.note(id, note);
            }
        }
        let how = process::forget_pages(&data)?;
        let limit = self.device.random_reads(self.plan.reads, READ_BYTES, round)?;
        let found = process::run(engine, &data, Work::Read { desks, reads: self.plan.reads })?;
        let Outcome::Read { cold_ns, cached_ns } = found else { return unexpected(&found) };
        let (own, device) = (quantile_us(&cold_ns, 0.5), quantile_us(&limit, 0.5));
        self.samples.push("cold_get.p50_vs_limit", engine, own / device);
        self.samples.push("cached_get.us", engine, quantile_us(&cached_ns, 0.5));
        if engine == EngineName::Ours {
            let (own, device) = (rounded(own), rounded(device));
            let note = format!(
                "last round: {own} µs, the device {device} µs; before it the page cache was emptied \
                 by {how}, and each desk is read once"
            );
            self.samples.note("cold_get.p50_vs_limit", note);
        }
        Ok(())
    }

    fn expire(&mut self, engine: EngineName) -> Result<()> {
        let data = self.data()?;
        let (desks, window_ms) = (self.plan.expire, self.plan.window_ms);
        let found = process::run(engine, &data, Work::Expire { desks, window_ms })?;
        let Outcome::Expired(expired) = found else { return unexpected(&found) };
        self.samples.push("expire.caller_ms", engine, expired.caller_us / 1e3);
        self.samples.push("expire.written_mb", engine, expired.written_bytes / 1e6);
        let before = quantile_us(&expired.before_ns, 0.99);
        let during = quantile_us(&expired.during_ns, 0.99);
        self.samples.push("expire.p99_vs_before", engine, during / before);
        Ok(())
    }

    fn reopen(&mut self, engine: EngineName) -> Result<()> {
        let ours = engine == EngineName::Ours;
        let desks = if ours { self.plan.reopen } else { self.plan.reopen_others };
        let few = Desks { count: desks.count / FEW_OF, ..desks };
        let (mut memory, mut index) = (Vec::new(), Vec::new());
        let mut seconds = 0.0;
        for desks in [few, desks] {
            let data = self.data()?;
            process::run(engine, &data, Work::Fill(desks))?;
            process::forget_pages(&data)?;
            let opened = process::run(engine, &data, Work::Reopen(desks))?;
            let Outcome::Reopened { seconds: took, memory_bytes, index_bytes } = opened else {
                return unexpected(&opened);
            };
            memory.push(memory_bytes / 1e6);
            index.push(index_bytes / 1e6);
            seconds = took;
        }
        self.samples.push("reopen.s", engine, seconds);
        if !ours {
            // What they keep in memory is a cache, and bounded.
            return Ok(());
        }
        let more = (desks.count - few.count) as f64 / 1e6;
        self.samples.push("memory.mb_per_million", engine, (memory[1] - memory[0]) / more);
        self.samples.push("memory.index_mb_per_million", engine, (index[1] - index[0]) / more);
        let (own, others) = (desks.count, self.plan.reopen_others.count);
        let bytes = desks.bytes;
        let note = format!("{own} desks of {bytes} bytes here, {others} in the other stores");
        self.samples.note("reopen.s", note);
        self.reopen_with_log(desks, seconds)
    }

    /// The same store again with a log to read.
    fn reopen_with_log(&mut self, desks: Desks, without: f64) -> Result<()> {
        let (ours, data) = (EngineName::Ours, self.folder.join("data"));
        let payload_bytes = self.plan.log_payload_bytes;
        let found = process::run(ours, &data, Work::FillLog { desks, payload_bytes })?;
        let Outcome::Filled(written) = found else { return unexpected(&found) };
        let limit = self.device.sequential_read()?;
        let opened = process::run(ours, &data, Work::Reopen(desks))?;
        let Outcome::Reopened { seconds, .. } = opened else { return unexpected(&opened) };
        let log_bytes = written.counted.log_bytes as f64;
        let own = (seconds - without) * 1e9 / log_bytes;
        self.samples.push("reopen.log_vs_limit", ours, own / limit);
        let (own, limit, log) = (rounded(own), rounded(limit), rounded(log_bytes / 1e6));
        let note = format!("{own} ns a byte, the device {limit}; {log} MB of log");
        self.samples.note("reopen.log_vs_limit", note);
        Ok(())
    }

    fn load(&mut self) -> Result<()> {
        let (ours, load, data) = (EngineName::Ours, self.plan.load, self.data()?);
        let found = process::run(ours, &data, Work::Load(load))?;
        let Outcome::Loaded(loaded) = found else { return unexpected(&found) };
        let limit = self.device.sequential_read()?;
        let opened = process::run(ours, &data, Work::ReopenLoad(load))?;
        let Outcome::Reopened { seconds, .. } = opened else { return unexpected(&opened) };
        let operations = loaded.operations as f64;
        let user_bytes = operations * (KEY_BYTES + OPERATION_BYTES) as f64;
        let snapshot_bytes = (loaded.snapshots * load.desk_bytes as u64) as f64;
        let log = load.log_budget_bytes.min(loaded.log_bytes) as f64;
        let figures = [
            ("load.ops_per_s", operations / loaded.seconds),
            ("load.p99_ms", loaded.p99_us / 1e3),
            ("load.snapshot_mb_per_s", snapshot_bytes / loaded.seconds / 1e6),
            ("load.bytes_vs_user", loaded.device_bytes as f64 / user_bytes),
            ("load.replay_vs_limit", seconds * 1e9 / log / limit),
        ];
        for (id, value) in figures {
            self.samples.push(id, ours, value);
        }
        let mut note = |id, note: String| self.samples.note(id, note);
        let (cpu, refusals) = (rounded(loaded.cpu_us), loaded.refusals);
        let took = loaded.seconds.round();
        let shown =
            format!("{took} s; {cpu} µs of processor an operation, the generator's included");
        note("load.ops_per_s", format!("{shown}; the log had no room {refusals} times"));
        note("load.p99_ms", format!("half of all within {} ms", rounded(loaded.p50_us / 1e3)));
        let part = |bytes: u64| rounded(bytes as f64 / user_bytes);
        let (logs, tables, moved) =
            (part(loaded.log_bytes), part(loaded.table_bytes), part(loaded.compacted_bytes));
        note(
            "load.bytes_vs_user",
            format!("logs {logs}, tables {tables}, of which moved {moved}, the rest prewritten"),
        );
        let seconds = rounded(seconds);
        note("load.replay_vs_limit", format!("{seconds} s for {} MB of log", rounded(log / 1e6)));
        Ok(())
    }
}

/// Bytes written for each byte given, without the log.
fn after_the_log(written: &Written) -> f64 {
    let log = written.counted.log_bytes + written.counted.prewritten_bytes;
    written.device_bytes.saturating_sub(log) as f64 / written.user_bytes as f64
}

fn unexpected<T>(found: &Outcome) -> Result<T> {
    bail!("another answer than the work's: {found:?}")
}
