//! One shard of the Desk DB and the manifest's owner, without a keeper: each engine is
//! compared by its own calls, and the others have no part that refuses changes, asks for
//! values or paces upkeep. The store under load is driven by the keeper, in
//! [`crate::load`].

use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use desk_bench::clock::Clock;
use desk_disk::Folder;
use desk_storage_lsm::{
    AppendError, Key, ManifestOwner, Options, PressureLevel, Progress, PutError, Recovered,
    RecoveryReport, Seconds, Sequence, ShardCount, Start, Store, UnixSecond, recover,
};
use glommio::timer::Timer;
use glommio::{LocalExecutor, LocalExecutorBuilder, Placement};

use crate::content::{Content, DAY, FIRST_SECOND, Stream, Version};
use crate::wake::Wake;

/// As the server's: memory that an executor's rings register, and their depth.
const RING_IO_MEMORY_BYTES: usize = 1 << 20;
const RING_DEPTH: usize = 128;
/// How long an appender waits that the log had no room for.
const FULL_PAUSE: Duration = Duration::from_micros(100);
/// The clock goes on in steps of this many seconds, half of what a jump may be.
const CLOCK_STEP: u64 = DAY as u64 / 2;

/// An executor as the server's.
pub(crate) fn executor(placement: Placement) -> Result<LocalExecutor> {
    let builder = LocalExecutorBuilder::new(placement);
    let made = builder.io_memory(RING_IO_MEMORY_BYTES).ring_depth(RING_DEPTH).make();
    made.map_err(|error| anyhow::anyhow!("io_uring cannot be used: {error}"))
}

/// The moment in the middle of a bucket.
pub(crate) fn noon(bucket: u32) -> UnixSecond {
    UnixSecond(u64::from(FIRST_SECOND + bucket * DAY + DAY / 2))
}

/// Recovers a folder for some shards.
pub(crate) async fn recovered(
    folder: &Folder,
    options: &Options,
    shards: u16,
    now: UnixSecond,
) -> Result<Recovered> {
    let shards = ShardCount::new(shards).context("there is at least one shard")?;
    let start = Start { now, shards, accept_clock: false, fresh_store_id: [7; 16] };
    let recovered = recover(folder, options, start).await?;
    ensure!(recovered.report.is_sound(), "the store is damaged: {:?}", recovered.report);
    Ok(recovered)
}

/// The choices of the server's defaults, but for the buckets' length, which is
/// what the content is made for.
pub(crate) fn options() -> Options {
    Options { bucket: Seconds(DAY), ..Options::default() }
}

/// An open store of one shard.
pub(crate) struct Shard {
    pub(crate) store: Rc<Store<Folder>>,
    pub(crate) owner: ManifestOwner<Folder>,
    pub(crate) now: UnixSecond,
    pub(crate) report: RecoveryReport,
    segment_bytes: u64,
}

impl Shard {
    pub(crate) async fn open(path: &Path, options: &Options, now: UnixSecond) -> Result<Self> {
        let folder = Folder::open(path).await?;
        let mut recovered = recovered(&folder, options, 1, now).await?;
        let owner = ManifestOwner::open(folder.clone(), recovered.manifest).await?;
        let store = Store::open(folder, recovered.seeds.remove(0)).await?;
        let (report, segment_bytes) = (recovered.report, options.segment_bytes);
        Ok(Self { store: Rc::new(store), owner, now, report, segment_bytes })
    }

    /// Bytes that this run prewrote for segments of the log.
    pub(crate) fn prewritten_bytes(&self) -> u64 {
        self.store.counters().segments_made * self.segment_bytes
    }

    /// One step of upkeep, and what it asks of the manifest.
    pub(crate) async fn turn(&mut self) -> Result<Progress> {
        let progress = self.store.maintain(self.now).await?;
        self.record().await?;
        Ok(progress)
    }

    /// Hands the shard's edits to the manifest.
    pub(crate) async fn record(&mut self) -> Result<()> {
        let edits = self.store.take_edits();
        if let Some(last) = edits.last().map(|edit| edit.number) {
            self.owner.apply(edits).await?;
            self.store.edits_durable(last);
        }
        Ok(())
    }

    /// Upkeep until there is nothing more to do. Each step looks for the next
    /// piece of work, so one idle answer is not the end.
    pub(crate) async fn rest(&mut self) -> Result<()> {
        let mut idle = 0;
        while idle < 3 {
            idle = if self.turn().await? == Progress::Idle { idle + 1 } else { 0 };
            while self.owner.unlink_step().await? {}
        }
        Ok(())
    }

    /// Upkeep whenever somebody wants it, until that is over. A step is never
    /// dropped half-way.
    pub(crate) async fn keep_up(&mut self, wanted: &Wake) -> Result<()> {
        while !wanted.is_over() {
            if self.turn().await? == Progress::Idle {
                wanted.wait().await;
            }
        }
        Ok(())
    }

    /// The same for some time.
    pub(crate) async fn keep_up_for(&mut self, wanted: &Rc<Wake>, time: Duration) -> Result<()> {
        let begun = Clock::start();
        let alarm = Rc::clone(wanted);
        let alarm = glommio::spawn_local(async move {
            Timer::new(time).await;
            alarm.set();
        });
        while begun.elapsed() < time {
            if self.turn().await? == Progress::Idle {
                wanted.wait().await;
            }
        }
        alarm.await;
        Ok(())
    }

    /// Lets time pass.
    pub(crate) async fn advance(&mut self, to: UnixSecond) -> Result<()> {
        while self.now < to {
            self.now = UnixSecond((self.now.0 + CLOCK_STEP).min(to.0));
            if let Some(news) = self.owner.tick(self.now).await? {
                self.store.apply_news(&news);
            }
        }
        Ok(())
    }

    /// Puts whole desks, with upkeep whenever the store wants it.
    pub(crate) async fn put_all(&mut self, content: &Content, desks: &[Version]) -> Result<()> {
        for desk in desks {
            self.advance(noon(content.bucket(desk.desk))).await?;
            // As in the server, a value's last change is in the log before it.
            let (key, revision) = (Key::new(content.key(desk.desk)), desk.version + 1);
            let change = content.operation(desk.desk, revision);
            self.store.append(key, Sequence(revision), change)?;
            while !put(&self.store, content, *desk)? {
                self.store.commit().await?;
                self.turn().await?;
            }
            if self.store.wants_maintenance() {
                self.store.commit().await?;
                self.turn().await?;
            }
        }
        self.store.commit().await?;
        self.store.checkpoint().await?;
        self.record().await?;
        // What the manifest did not know yet could not be let go of.
        self.turn().await?;
        Ok(())
    }
}

/// Puts one version of a desk; `false` when the store has no room for now.
pub(crate) fn put(store: &Store<Folder>, content: &Content, desk: Version) -> Result<bool> {
    let key = Key::new(content.key(desk.desk));
    match store.put(key, Sequence(desk.version + 1), content.desk(desk)) {
        Ok(()) => Ok(true),
        Err(PutError::Backlog { .. }) => Ok(false),
        Err(error) => bail!("a desk was not taken: {error}"),
    }
}

/// Commits groups one after the other and tells each one's time, until `go_on`
/// says no. Needs upkeep beside it.
pub(crate) async fn commit_groups(
    store: &Store<Folder>,
    content: &Content,
    stream: &mut Stream,
    size: usize,
    wanted: &Wake,
    mut go_on: impl FnMut(Option<u64>) -> bool,
) -> Result<()> {
    let clock = Clock::start();
    let mut last = None;
    while go_on(last) {
        let begun = clock.elapsed();
        for _ in 0..size {
            let operation = stream.draw(content);
            let key = Key::new(content.key(operation.desk));
            while let Err(error) =
                store.append(key, Sequence(operation.revision), operation.payload)
            {
                ensure!(error == AppendError::LogFull, "an operation was not taken: {error}");
                store.commit().await?;
                wanted.set();
                Timer::new(FULL_PAUSE).await;
            }
        }
        let position = store.position();
        ensure!(store.commit().await? >= position, "a commit ended before its records");
        last = Some((clock.elapsed() - begun).as_nanos() as u64);
        if store.wants_maintenance() || store.pressure().level > PressureLevel::Low {
            wanted.set();
        }
    }
    Ok(())
}
