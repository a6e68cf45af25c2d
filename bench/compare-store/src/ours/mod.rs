//! The Desk DB on its real disk.

pub(crate) mod shard;

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use desk_bench::clock::Clock;
use desk_storage_lsm::{Key, Options, UnixSecond};
use futures_lite::future;
use glommio::{LocalExecutor, Placement};
use xxhash_rust::xxh3::xxh3_64;

use crate::accounts;
use crate::content::{Content, DAY, Stream, Version};
use crate::engine::{Counted, Engine, Expired, Expiry};
use crate::wake::Wake;
use shard::{Shard, commit_groups, executor, noon, options, put};

/// As the server's: how often the manifest's owner looks at what is to be removed,
/// and how many files go at a time.
const UNLINK_PAUSE: Duration = Duration::from_secs(1);
const UNLINKS_AT_A_TIME: usize = 8;

/// The store and the executor that it runs in.
pub struct Ours {
    shard: Option<Shard>,
    executor: LocalExecutor,
    content: Rc<Content>,
}

impl Ours {
    /// Opens a folder at the noon of a bucket, with the server's options.
    ///
    /// # Errors
    /// There is no io_uring, or the store cannot be opened or is damaged.
    pub fn open(folder: &Path, content: Rc<Content>, bucket: u32) -> Result<Self> {
        Self::open_with(folder, content, bucket, options())
    }

    /// The same with other options.
    ///
    /// # Errors
    /// As for [`Self::open`].
    pub fn open_with(
        folder: &Path,
        content: Rc<Content>,
        bucket: u32,
        options: Options,
    ) -> Result<Self> {
        let executor = executor(Placement::Unbound)?;
        let path = PathBuf::from(folder);
        let shard =
            executor.run(async move { Shard::open(&path, &options, noon(bucket)).await })?;
        let mut ours = Self { shard: Some(shard), executor, content };
        if ours.shard.as_ref().is_some_and(|shard| shard.report.fresh) {
            // Segments are made once in a store's life, not with each group.
            ours.settle()?;
        }
        Ok(ours)
    }

    fn with<T>(&mut self, work: impl AsyncFnOnce(&mut Shard, &Content) -> Result<T>) -> Result<T> {
        let shard = self.shard.as_mut().context("the store is open")?;
        let content = Rc::clone(&self.content);
        self.executor.run(async { work(shard, &content).await })
    }

    /// Reads desks, each with what is done to its value in the same time.
    fn read_and(&mut self, desks: &[Version], use_it: impl Fn(&[u8])) -> Result<Vec<u64>> {
        self.with(async |shard, content| {
            let clock = Clock::start();
            let mut times = Vec::with_capacity(desks.len());
            for desk in desks {
                let key = Key::new(content.key(desk.desk));
                let begun = clock.elapsed();
                let stored = shard.store.get(&key, shard.now).await?;
                if let Some(snapshot) = stored.as_ref().and_then(|stored| stored.snapshot.as_ref())
                {
                    use_it(&snapshot.value);
                }
                times.push((clock.elapsed() - begun).as_nanos() as u64);
                let stored = stored.with_context(|| format!("desk {} is missing", desk.desk))?;
                let snapshot = stored.snapshot.context("a desk has no snapshot")?;
                ensure!(snapshot.sequence.0 == desk.version + 1, "{desk:?} is of another version");
                ensure!(*snapshot.value == *content.desk(*desk), "{desk:?} has other bytes");
            }
            Ok(times)
        })
    }
}

impl Engine for Ours {
    fn commit(&mut self, stream: &mut Stream, groups: usize, size: usize) -> Result<Vec<u64>> {
        self.with(async |shard, content| {
            let wanted = Wake::default();
            let store = Rc::clone(&shard.store);
            let mut times = Vec::with_capacity(groups);
            let foreground = async {
                let done = commit_groups(&store, content, stream, size, &wanted, |last| {
                    times.extend(last);
                    times.len() < groups
                });
                let done = done.await;
                wanted.end();
                done
            };
            let (done, kept) = future::zip(foreground, shard.keep_up(&wanted)).await;
            done.and(kept)?;
            Ok(times)
        })
    }

    fn store(&mut self, desks: &[Version]) -> Result<()> {
        self.with(async |shard, content| shard.put_all(content, desks).await)
    }

    fn settle(&mut self) -> Result<()> {
        self.with(async |shard, _| shard.rest().await)
    }

    fn read(&mut self, desks: &[Version]) -> Result<Vec<u64>> {
        self.read_and(desks, |_| ())
    }

    fn read_cached(&mut self, desks: &[Version], times: usize) -> Result<Vec<u64>> {
        // What was just put is in memory until upkeep has written it.
        self.with(async |shard, content| {
            for desk in desks {
                ensure!(put(&shard.store, content, *desk)?, "the values do not fit memory");
            }
            Ok(())
        })?;
        let mut all = Vec::with_capacity(desks.len() * times);
        for _ in 0..times {
            // What comes from a table is held against its checksum; in memory nothing
            // is, so that is done here.
            all.extend(self.read_and(desks, |value| {
                std::hint::black_box(xxh3_64(value));
            })?);
        }
        Ok(all)
    }

    fn expire(&mut self, stream: &mut Stream, plan: Expiry) -> Result<Expired> {
        self.with(async |shard, content| expire(shard, content, stream, plan).await)
    }

    fn counted(&self) -> Counted {
        let counters = self.shard.as_ref().map(|shard| shard.store.counters()).unwrap_or_default();
        Counted {
            log_bytes: counters.log_bytes,
            prewritten_bytes: self.shard.as_ref().map_or(0, Shard::prewritten_bytes),
            table_bytes: counters.table_bytes,
            compacted_bytes: counters.compacted_bytes,
            index_bytes: counters.index_bytes,
        }
    }

    fn close(mut self: Box<Self>) -> Result<()> {
        self.with(async |shard, _| {
            shard.store.shutdown().await?;
            shard.record().await
        })?;
        let shard = self.shard.take();
        self.executor.run(async move { drop(shard) });
        Ok(())
    }
}

/// What the groups and the expiry beside them share.
#[derive(Default)]
struct Groups {
    times: RefCell<Vec<u64>>,
    over: Cell<bool>,
    wanted: Rc<Wake>,
}

async fn expire(
    shard: &mut Shard,
    content: &Content,
    stream: &mut Stream,
    plan: Expiry,
) -> Result<Expired> {
    let lifetime = u64::from(options().lifetime.0);
    let gone = UnixSecond(noon(plan.bucket).0 + u64::from(DAY / 2) + lifetime);
    shard.advance(UnixSecond(gone.0 - 10)).await?;
    shard.rest().await?;
    let groups = Groups::default();
    let store = Rc::clone(&shard.store);
    let foreground = commit_groups(&store, content, stream, plan.size, &groups.wanted, |last| {
        groups.times.borrow_mut().extend(last);
        !groups.over.get()
    });
    let background = async {
        let expired = drop_bucket(shard, &groups, gone, plan).await;
        groups.over.set(true);
        expired
    };
    let (ended, expired) = future::zip(foreground, background).await;
    ended?;
    expired
}

/// Lets a bucket expire as the server does: the manifest's owner looks at the
/// clock, the shard is told, and files go in the background.
async fn drop_bucket(
    shard: &mut Shard,
    groups: &Groups,
    gone: UnixSecond,
    plan: Expiry,
) -> Result<Expired> {
    // Not counted: the first groups open what is still closed.
    shard.keep_up_for(&groups.wanted, plan.window / 4).await?;
    groups.times.borrow_mut().clear();
    shard.keep_up_for(&groups.wanted, plan.window).await?;
    let before_ns = groups.times.take();
    let log = |shard: &Shard| shard.store.counters().log_bytes + shard.prewritten_bytes();
    let (written, logged) = (accounts::written_bytes()?, log(shard));
    let clock = Clock::start();
    shard.now = gone;
    let news = shard.owner.tick(gone).await?.context("the bucket has expired")?;
    ensure!(!news.dropped.is_empty(), "no bucket was dropped");
    shard.store.apply_news(&news);
    let caller_us = clock.elapsed().as_secs_f64() * 1e6;
    loop {
        for _ in 0..UNLINKS_AT_A_TIME {
            if !shard.owner.unlink_step().await? {
                break;
            }
            glommio::executor().yield_if_needed().await;
        }
        if shard.owner.doomed() == 0 && clock.elapsed() >= plan.window {
            break;
        }
        shard.keep_up_for(&groups.wanted, UNLINK_PAUSE.min(plan.window)).await?;
    }
    let during_ns = groups.times.take();
    let (written, logged) = (accounts::written_bytes()? - written, log(shard) - logged);
    let written_bytes = written.saturating_sub(logged) as f64;
    Ok(Expired { caller_us, written_bytes, before_ns, during_ns })
}
