//! Upkeep of the store, the manifest's owner, and the planned stop.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use desk_engine_core::{Input, Lifetime, StorePace};
use desk_protocol::{LinkId, Time};
use desk_storage_lsm::{
    ClockState, EditNumber, ManifestError, ManifestOwner, PressureLevel, Progress, ShardId,
    UnixSecond,
};
use glommio::timer::Timer;

use super::{Disk, Message, Shell, Stopping};
use crate::limits::{
    MANIFEST_TICK, PRESSURE_KEYS, STOP_PAUSE, UNLINK_STEPS, UNREMOVED_NAMED_MAX, UPKEEP_PAUSE,
};
use crate::net::flag::Flag;

/// The shard whose executor runs the manifest's owner.
const OWNER: usize = 0;

impl Shell {
    fn second(&self) -> UnixSecond {
        UnixSecond(self.clock.now().unix_seconds())
    }

    /// Writes what was put, keeps spare segments, compacts. Sleeps while there
    /// is nothing to do.
    pub(crate) async fn keep_up(self: Rc<Self>) {
        loop {
            if self.stopping.get() != Stopping::No {
                return self.finish_storing().await;
            }
            if self.metrics().poisoned.get() != 0 {
                return;
            }
            let progress = match self.store.maintain(self.second()).await {
                Ok(progress) => progress,
                Err(error) => return self.poisoned(&error.to_string()),
            };
            self.after_upkeep();
            let busy = progress == Progress::More
                || self.has_unstored()
                || self.has_backlog()
                || !self.writable.get();
            if busy || self.under_pressure.get() {
                // A pause, and less if something comes.
                self.wait_for_upkeep(UPKEEP_PAUSE).await;
            } else {
                self.upkeep_wanted.wait().await;
            }
        }
    }

    async fn wait_for_upkeep(&self, pause: Duration) {
        let mut timer = Timer::new(pause);
        std::future::poll_fn(|context| {
            use std::task::Poll;
            let timer = std::pin::Pin::new(&mut timer);
            if self.upkeep_wanted.poll(context).is_ready() {
                return Poll::Ready(());
            }
            Future::poll(timer, context).map(|_| ())
        })
        .await;
    }

    fn after_upkeep(self: &Rc<Self>) {
        self.send_edits();
        self.store_again();
        let pressure = self.store.pressure();
        let metrics = self.metrics();
        metrics.log_used_bytes.set(pressure.used_bytes + pressure.inherited_bytes);
        metrics.log_budget_bytes.set(pressure.budget_bytes);
        metrics.log_pressure.set(match pressure.level {
            PressureLevel::Low => 0,
            PressureLevel::Snapshot => 1,
            PressureLevel::Urgent => 2,
            PressureLevel::Full => 3,
        });
        let counters = self.store.counters();
        metrics.log_written_bytes.set(counters.log_bytes);
        metrics.table_written_bytes.set(counters.table_bytes);
        metrics.stored_keys.set(counters.keys);
        metrics.quarantined.set(counters.quarantined);
        self.judge_writable();
        self.under_pressure.set(pressure.level > PressureLevel::Low);
        if self.under_pressure.get() && !self.has_unstored() {
            let keys = self.store.holding_keys(PRESSURE_KEYS);
            let keys: Vec<_> = keys.iter().map(|key| LinkId::from_bytes(*key.bytes())).collect();
            if keys.is_empty() {
                self.under_pressure.set(false);
            } else {
                let urgent = pressure.level >= PressureLevel::Urgent;
                let pace = if urgent { StorePace::Urgent } else { StorePace::Calm };
                self.feed(Input::Pressure { keys, pace });
            }
        }
        self.wake();
    }

    fn send_edits(self: &Rc<Self>) {
        let edits = self.store.take_edits();
        if !edits.is_empty() {
            self.shared.edits_under_way.fetch_add(edits.len(), Ordering::SeqCst);
            self.send(OWNER, Message::Edits(edits));
        }
    }

    /// Tells the core how long the store keeps desks.
    pub(super) fn tell_lifetimes(&self) {
        let buckets = self.store.buckets();
        let spans = buckets.stamps().iter().map(|stamp| Lifetime {
            first: stamp.id.0,
            end: stamp.end(),
            lasts: Duration::from_secs(stamp.lifetime.0.into()),
        });
        self.feed(Input::Lifetimes(spans.collect()));
    }

    pub(super) fn take_edits_durable(&self, number: EditNumber) {
        self.store.edits_durable(number);
        self.upkeep_wanted.set();
        self.wake();
    }

    /// Whether a planned stop has begun.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.get() != Stopping::No
    }

    /// A flag that is set when a planned stop begins.
    pub(crate) fn stopping_flag(&self) -> Rc<Flag> {
        let flag = Rc::new(Flag::default());
        self.stop_flags.borrow_mut().push(Rc::clone(&flag));
        flag
    }

    /// Takes the next step of a planned stop, if there is one to take.
    pub(super) fn follow_stop(&self) {
        if self.shared.finished.load(Ordering::SeqCst) {
            self.stopping.set(Stopping::Done);
        } else if self.shared.stopping.load(Ordering::SeqCst) && self.stopping.get() == Stopping::No
        {
            self.stopping.set(Stopping::Draining);
            self.stop_flags.borrow().iter().for_each(|flag| flag.set());
            self.feed(Input::Drain);
            self.upkeep_wanted.set();
        }
    }

    /// The stop's last part: what was accepted is durable, connections have
    /// got what they were to get, desks are stored as far as half of the time
    /// allows, tables are sealed.
    async fn finish_storing(self: Rc<Self>) {
        let store_until = self.clock.now() + self.shared.config.limits.drain_time / 2;
        while self.metrics().poisoned.get() == 0 {
            let unstored = self.core.borrow().stats().unstored;
            if self.is_quiet() && (unstored == 0 || self.clock.now() >= store_until) {
                break;
            }
            self.wake();
            if let Err(error) = self.store.maintain(self.second()).await {
                self.poisoned(&error.to_string());
                break;
            }
            self.send_edits();
            self.store_again();
            self.wait_for_upkeep(STOP_PAUSE).await;
        }
        if let Err(error) = self.store.shutdown().await {
            self.poisoned(&error.to_string());
        }
        self.send_edits();
        self.shared.stopped.fetch_add(1, Ordering::SeqCst);
        if self.index != OWNER {
            return;
        }
        let all = self.shared.metrics.len();
        while self.shared.stopped.load(Ordering::SeqCst) < all
            || self.shared.edits_under_way.load(Ordering::SeqCst) > 0
        {
            self.wait_for_upkeep(STOP_PAUSE).await;
        }
        self.shared.finished.store(true, Ordering::SeqCst);
        self.shared.wake_all();
    }

    fn is_quiet(&self) -> bool {
        let waiting = self.core.borrow().stats().waiting_outputs;
        let lag = self.log.borrow().lag();
        waiting == 0 && lag == 0 && self.busy.get() == 0 && self.sockets.borrow().is_empty()
    }

    /// Edits that came for the manifest's owner.
    fn take_arrived_edits(&self) -> Vec<desk_storage_lsm::Edit> {
        std::mem::take(&mut *self.edits.borrow_mut())
    }
}

/// Runs the one task that writes the manifest, on the first shard.
pub(crate) async fn own_manifest(shell: Rc<Shell>, mut owner: ManifestOwner<Disk>) {
    let mut unremoved = BTreeSet::new();
    loop {
        if let Err(error) = manage(&shell, &mut owner).await {
            return shell.poison_all(&error.to_string());
        }
        remove_files(&shell, &mut owner, &mut unremoved).await;
        let mut timer = Timer::new(MANIFEST_TICK);
        std::future::poll_fn(|context| {
            use std::task::Poll;
            if shell.edits_arrived.poll(context).is_ready() {
                return Poll::Ready(());
            }
            Future::poll(std::pin::Pin::new(&mut timer), context).map(|_| ())
        })
        .await;
    }
}

async fn manage(shell: &Rc<Shell>, owner: &mut ManifestOwner<Disk>) -> Result<(), ManifestError> {
    let edits = shell.take_arrived_edits();
    if !edits.is_empty() {
        let mut newest = std::collections::BTreeMap::<ShardId, EditNumber>::new();
        for edit in &edits {
            let number = newest.entry(edit.shard).or_default();
            *number = (*number).max(edit.number);
        }
        let count = edits.len();
        owner.apply(edits).await?;
        shell.shared.edits_under_way.fetch_sub(count, Ordering::SeqCst);
        for (shard, number) in newest {
            shell.send(usize::from(shard.0), Message::EditsDurable(number));
        }
    }
    let was_suspect = is_suspect(owner);
    let second = shell.second();
    if let Some(news) = owner.tick(second).await? {
        let at = Time::from_unix_seconds(second.0);
        for shard in 0..shell.shared.metrics.len() {
            shell.send(shard, Message::News { news: news.clone(), at });
        }
    }
    match (was_suspect, is_suspect(owner)) {
        (false, true) => tracing::error!(
            "the clock has jumped ahead by more than a day: no bucket is dropped until it agrees \
             again, or a restart with --accept-clock vouches for it"
        ),
        (true, false) => tracing::info!("the clock agrees again: buckets are dropped in time"),
        _ => {}
    }
    Ok(())
}

/// Whether the clock may drop nothing. What it says is another time at each look.
fn is_suspect(owner: &ManifestOwner<Disk>) -> bool {
    matches!(owner.clock(), ClockState::Suspect { .. })
}

/// Removes some of the files that nobody needs, with a yield after each step. One
/// that cannot be removed takes room and does no other harm: it is named once and
/// tried again, with the ticks to come.
async fn remove_files(
    shell: &Rc<Shell>,
    owner: &mut ManifestOwner<Disk>,
    unremoved: &mut BTreeSet<String>,
) {
    for _ in 0..UNLINK_STEPS {
        match owner.unlink_step().await {
            Ok(true) => glommio::executor().yield_if_needed().await,
            Ok(false) => return,
            Err(error) => {
                shell.metrics().unlinks_failed.add(1);
                let why = error.to_string();
                if unremoved.len() < UNREMOVED_NAMED_MAX && unremoved.insert(why.clone()) {
                    tracing::error!(why, "a file that nobody needs cannot be removed");
                }
                return;
            }
        }
    }
}
