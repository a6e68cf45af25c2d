//! The pieces of work, each done by a process of its own so that its time,
//! memory and writes are that store's alone.

use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Result, bail};
use desk_bench::clock::Clock;
use desk_bench::random::Random;
use serde::{Deserialize, Serialize};

use crate::accounts;
use crate::content::{Content, KEY_BYTES, OPERATION_BYTES, Stream, Version, shuffled};
use crate::engine::{Counted, Engine, Expired, Expiry};
use crate::engines::EngineName;
use crate::load::{self, Load, Loaded, Reopened};

/// Desks that operations go to where whole desks play no part.
const BUSY_DESKS: u64 = 10_000;
/// Desks that are read again and again from memory.
const CACHED_DESKS: usize = 256;
/// How often each of them is read.
const CACHED_READS: usize = 20;
/// Operations of one group where the log is to be filled.
const FULL_GROUP: usize = 7_000;
/// Of so many desks one is written anew by the light rewriting.
const REWRITTEN_OF: u64 = 5;
/// How often the heavy rewriting writes each desk.
const HEAVY_TIMES: u64 = 3;

/// What a process is told to do.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub enum Work {
    /// Groups of operations, each durable before the next.
    Commit {
        /// How many groups count.
        groups: usize,
        /// Operations of each.
        size: usize,
    },
    /// Ingests desks, writes a fifth of them anew, then all of them three times
    /// in random order.
    Rewrite(Desks),
    /// Reads, in random order, what `Rewrite` left.
    Read {
        /// What is there.
        desks: Desks,
        /// How many are read, each once.
        reads: usize,
    },
    /// Drops the first bucket under load.
    Expire {
        /// What is there.
        desks: Desks,
        /// How long is measured before and after, in milliseconds.
        window_ms: u64,
    },
    /// Writes desks and waits to be killed.
    Fill(Desks),
    /// Opens what is there, writes that many bytes of log and waits to be killed.
    FillLog {
        /// What is there.
        desks: Desks,
        /// Bytes of payload, more or less.
        payload_bytes: u64,
    },
    /// Opens what a killed process left and reads a desk.
    Reopen(Desks),
    /// The full load of the brief.
    Load(Load),
    /// Opens what the full load left, with as many shards.
    ReopenLoad(Load),
}

impl Work {
    /// Whether the store stays open, so that its process is to be killed.
    pub fn leaves_open(self) -> bool {
        use Work::{Fill, FillLog, Load, Reopen, ReopenLoad};
        matches!(self, Fill(_) | FillLog { .. } | Reopen(_) | Load(_) | ReopenLoad(_))
    }
}

/// Which desks there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Desks {
    /// How many.
    pub count: u64,
    /// Over how many buckets.
    pub buckets: u32,
    /// Bytes of each.
    pub bytes: usize,
}

impl Desks {
    fn content(self) -> Rc<Content> {
        Rc::new(Content::new(self.count, self.buckets, self.bytes))
    }

    fn all(self) -> Vec<Version> {
        (0..self.count).map(|desk| Version { desk, version: 0 }).collect()
    }
}

/// What it found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Outcome {
    /// Of [`Work::Commit`].
    Committed {
        /// Each group's time, in nanoseconds.
        times_ns: Vec<u64>,
        /// Processor time of one operation, in microseconds.
        cpu_us: f64,
        /// What the operations wrote.
        written: Written,
    },
    /// Of [`Work::Rewrite`].
    Rewritten {
        /// The first writing.
        ingest: Written,
        /// A fifth anew.
        fifth: Written,
        /// Everything three times.
        heavy: Written,
    },
    /// Of [`Work::Read`], in nanoseconds.
    Read {
        /// Each from the disk.
        cold_ns: Vec<u64>,
        /// Each from memory.
        cached_ns: Vec<u64>,
    },
    /// Of [`Work::Expire`].
    Expired(Expired),
    /// Of [`Work::Fill`] and [`Work::FillLog`].
    Filled(Written),
    /// Of [`Work::Reopen`].
    Reopened {
        /// Until the first desk was read, in seconds.
        seconds: f64,
        /// Anonymous memory that came with it, in bytes.
        memory_bytes: f64,
        /// Bytes of the index, if the store counts them.
        index_bytes: f64,
    },
    /// Of [`Work::Load`].
    Loaded(Loaded),
}

/// Bytes of one piece of work.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Written {
    /// Keys and values as given.
    pub user_bytes: u64,
    /// What the kernel says that this process sent to the block layer.
    pub device_bytes: u64,
    /// What the store counts itself.
    pub counted: Counted,
}

/// Does a piece of work in this process.
///
/// # Errors
/// The store fails, or what it gives back is not what it was given.
pub fn run(engine: EngineName, folder: &Path, work: Work) -> Result<Outcome> {
    let open = |desks: Desks, bucket: u32| engine.open(folder, desks.content(), bucket);
    let last = |desks: Desks| desks.buckets - 1;
    Ok(match work {
        Work::Commit { groups, size } => {
            let desks = Desks { count: BUSY_DESKS, buckets: 1, bytes: OPERATION_BYTES };
            commit(open(desks, 0)?, groups, size)?
        }
        Work::Rewrite(desks) => rewrite(open(desks, 0)?, desks)?,
        Work::Read { desks, reads } => read(open(desks, last(desks))?, desks, reads)?,
        Work::Expire { desks, window_ms } => {
            let window = Duration::from_millis(window_ms);
            expire(open(desks, 0)?, desks, window)?
        }
        Work::Fill(desks) => {
            let mut engine = open(desks, 0)?;
            let bytes = desks.count * (KEY_BYTES + desks.bytes) as u64;
            let written = counted(&mut engine, bytes, |engine| engine.store(&desks.all()))?;
            // Its process is killed while it is open.
            std::mem::forget(engine);
            Outcome::Filled(written)
        }
        Work::FillLog { desks, payload_bytes } => {
            let mut engine = open(desks, last(desks))?;
            let groups = payload_bytes.div_ceil((FULL_GROUP * OPERATION_BYTES) as u64);
            let mut stream = Stream::new(0..desks.count, 1, 3);
            let bytes = groups * (FULL_GROUP * (KEY_BYTES + OPERATION_BYTES)) as u64;
            let written = counted(&mut engine, bytes, |engine| {
                engine.commit(&mut stream, groups as usize, FULL_GROUP).map(drop)
            })?;
            std::mem::forget(engine);
            Outcome::Filled(written)
        }
        Work::Reopen(desks) => {
            let content = desks.content();
            let before = accounts::anonymous_bytes()?;
            let clock = Clock::start();
            let mut engine = engine.open(folder, content, last(desks))?;
            engine.read(&[Version { desk: desks.count / 2, version: 0 }])?;
            let seconds = clock.elapsed().as_secs_f64();
            let memory_bytes = accounts::anonymous_bytes()?.saturating_sub(before) as f64;
            let index_bytes = engine.counted().index_bytes as f64;
            std::mem::forget(engine);
            Outcome::Reopened { seconds, memory_bytes, index_bytes }
        }
        Work::Load(_) | Work::ReopenLoad(_) if engine != EngineName::Ours => {
            bail!("the full load is driven into our store alone")
        }
        Work::Load(load) => Outcome::Loaded(load::run(folder, load)?),
        Work::ReopenLoad(load) => {
            let Reopened { seconds, memory_bytes, index_bytes } = load::reopen(folder, load)?;
            Outcome::Reopened { seconds, memory_bytes, index_bytes }
        }
    })
}

fn counted(
    engine: &mut Box<dyn Engine>,
    user_bytes: u64,
    work: impl FnOnce(&mut dyn Engine) -> Result<()>,
) -> Result<Written> {
    let (device, own) = (accounts::written_bytes()?, engine.counted());
    work(engine.as_mut())?;
    Ok(Written {
        user_bytes,
        device_bytes: accounts::written_bytes()? - device,
        counted: engine.counted().since(own),
    })
}

fn commit(mut engine: Box<dyn Engine>, groups: usize, size: usize) -> Result<Outcome> {
    let mut stream = Stream::new(0..BUSY_DESKS, 0, 1);
    engine.commit(&mut stream, groups.div_ceil(5), size)?;
    let operations = groups * size;
    let user_bytes = (operations * (KEY_BYTES + OPERATION_BYTES)) as u64;
    let mut times_ns = Vec::new();
    let cpu = accounts::cpu_us();
    let written = counted(&mut engine, user_bytes, |engine| {
        times_ns = engine.commit(&mut stream, groups, size)?;
        Ok(())
    })?;
    let cpu_us = (accounts::cpu_us() - cpu) / operations as f64;
    engine.close()?;
    Ok(Outcome::Committed { times_ns, cpu_us, written })
}

/// Whether the light rewriting wrote the desk.
fn is_rewritten(desk: u64) -> bool {
    Random::new(desk ^ 0x0f1f_2f3f).bits().is_multiple_of(REWRITTEN_OF)
}

/// The version that a desk has at the end of [`rewrite`].
fn newest(desk: u64) -> Version {
    Version { desk, version: u64::from(is_rewritten(desk)) + HEAVY_TIMES }
}

fn rewrite(mut engine: Box<dyn Engine>, desks: Desks) -> Result<Outcome> {
    let mut write = |versions: &[Version]| {
        let bytes = (versions.len() * (KEY_BYTES + desks.bytes)) as u64;
        counted(&mut engine, bytes, |engine| {
            engine.store(versions)?;
            engine.settle()
        })
    };
    let ingest = write(&desks.all())?;
    let order = shuffled(desks.count, 5);
    let some: Vec<_> = order.iter().copied().filter(|desk| is_rewritten(*desk)).collect();
    let some: Vec<_> = some.iter().map(|&desk| Version { desk, version: 1 }).collect();
    let fifth = write(&some)?;
    let times = (1..=HEAVY_TIMES).flat_map(|time| {
        let order = shuffled(desks.count, 5 + time);
        order
            .into_iter()
            .map(move |desk| Version { desk, version: u64::from(is_rewritten(desk)) + time })
    });
    let heavy = write(&times.collect::<Vec<_>>())?;
    engine.close()?;
    Ok(Outcome::Rewritten { ingest, fifth, heavy })
}

fn read(mut engine: Box<dyn Engine>, desks: Desks, reads: usize) -> Result<Outcome> {
    let order = shuffled(desks.count, 11);
    let versions = |count: usize| order.iter().take(count).map(|&desk| newest(desk)).collect();
    let all: Vec<Version> = versions(reads);
    let cold_ns = engine.read(&all)?;
    let some: Vec<Version> = versions(CACHED_DESKS);
    let cached_ns = engine.read_cached(&some, CACHED_READS)?;
    engine.close()?;
    Ok(Outcome::Read { cold_ns, cached_ns })
}

fn expire(mut engine: Box<dyn Engine>, desks: Desks, window: Duration) -> Result<Outcome> {
    engine.store(&desks.all())?;
    engine.settle()?;
    // Operations go to desks that stay.
    let content = desks.content();
    let mut stream = Stream::new(content.first_desk(desks.buckets - 1)..desks.count, 1, 2);
    let expired = engine.expire(&mut stream, Expiry { window, size: 64, bucket: 0 })?;
    engine.close()?;
    Ok(Outcome::Expired(expired))
}
