//! The server's process: it starts, runs its shards, and dies.

use std::sync::Arc;
use std::time::Duration;

use desk_engine_core::limits::ShardLimits;
use desk_engine_core::{Input, Keyring, Placement, Request, RequestId, Shard, ShardConfig};
use desk_keeper::Settings;
use desk_protocol::LinkId;
use desk_storage_lsm::disk::Disk as _;
use desk_storage_lsm::memory_disk::{Faults, MemoryDisk, Misfortune};
use desk_storage_lsm::{
    ManifestOwner, Options, Recovered, Seconds, ShardCount, Start, Store, UnixSecond, recover,
};

use crate::requester::Asker;
use crate::shard_host::{Kept, ShardHost, finish};
use crate::world::{Event, World};

/// A week, as the product ships.
pub(crate) const DESK_TTL: Duration = Duration::from_secs(7 * 86_400);

/// How long a planned stop may take, as the product ships.
const STOP_TIME: Duration = Duration::from_secs(8);

/// With accesses that take no longer, a stop always ends in its time.
const STOP_DELAY_MAX: Duration = Duration::from_millis(5);

/// Power cuts of one run; a recovery that is cut again and again must end.
const CRASHES_MAX: u64 = 40;

/// A running server.
pub(crate) struct Process {
    /// Which start this is; events of earlier ones are void.
    pub(crate) generation: u64,
    pub(crate) hosts: Vec<ShardHost>,
    pub(crate) owner: ManifestOwner<MemoryDisk>,
    pub(crate) placement: Placement,
    /// The manifest cannot be written any more.
    pub(crate) manifest_failed: bool,
}

impl World {
    /// Power is back: the process starts on what the disk kept.
    pub(crate) fn start(&mut self) {
        if self.process.is_some() {
            return;
        }
        self.disk.restart();
        self.draw_disk_faults();
        self.generation += 1;
        match self.boot() {
            Ok(process) => {
                self.process = Some(process);
                self.starts += 1;
                let event = Event::Tick { generation: self.generation };
                self.agenda.after(Duration::from_millis(100), event);
                for shard in 0..self.process.as_ref().map_or(0, |process| process.hosts.len()) {
                    self.carry_out(shard);
                }
            }
            Err(why) if self.disk.is_up() && !self.disk_failed() => {
                self.fail(format!("recovery failed: {why}"));
            }
            Err(_) => {
                // A start takes more accesses than may lie between two crashes,
                // so these have an end as well.
                self.crashes += u64::from(!self.disk.is_up());
                self.agenda.after(Duration::from_secs(1), Event::Start);
            }
        }
    }

    fn boot(&mut self) -> Result<Process, String> {
        let count = if self.settling { 1 } else { self.chance.between(1, self.plan.shards_max) };
        let shards = ShardCount::new(count as u16).ok_or("a count above zero")?;
        let options = Options {
            lifetime: Seconds(DESK_TTL.as_secs() as u32),
            bucket: Seconds(86_400),
            segment_bytes: self.plan.segment_bytes,
            log_budget_bytes: self.plan.segment_bytes * self.plan.log_segments,
            table_bytes: 1 << 20,
            disk_reserve_bytes: self.plan.disk_reserve_bytes,
            ..Options::default()
        };
        let now = UnixSecond(self.agenda.now.unix_seconds());
        let fresh_store_id = self.chance.bytes();
        let start = Start { now, shards, accept_clock: true, fresh_store_id };
        let Recovered { manifest, seeds, report } =
            finish(recover(&self.disk, &options, start)).map_err(|error| error.to_string())?;
        if !report.is_sound() {
            return Err(format!("the store is not sound: {report:?}"));
        }
        let owner = finish(ManifestOwner::open(self.disk.clone(), manifest))
            .map_err(|error| error.to_string())?;
        let placement = Placement::new(count as u16);
        let settings =
            Settings { waiting_bytes_max: self.plan.waiting_bytes_max, stop_time: STOP_TIME };
        let mut hosts = Vec::new();
        for (index, seed) in seeds.into_iter().enumerate() {
            let store = finish(Store::open(self.disk.clone(), seed)).map_err(|e| e.to_string())?;
            let config = ShardConfig {
                index: index as u16,
                placement,
                session_idle: self.plan.session_idle,
                memory_bytes: self.plan.memory_bytes,
                limits: self.limits(),
            };
            let shard = Shard::new(config, Keyring::new([7; 32]), self.chance.bytes());
            let mut host = ShardHost::new(shard, store, settings);
            host.tell_lifetimes(self.agenda.now);
            hosts.push(host);
        }
        Ok(Process { generation: self.generation, hosts, owner, placement, manifest_failed: false })
    }

    fn limits(&self) -> Arc<ShardLimits> {
        let mut limits = ShardLimits::default();
        limits.order.desk.batch_operations = self.plan.batch_operations;
        Arc::new(limits)
    }

    fn draw_disk_faults(&mut self) {
        let capacity_bytes = self.faults.capacity_bytes;
        let mut faults = Faults { at: Vec::new(), capacity_bytes };
        if !self.settling && self.plan.crash_once_in > 0 && self.crashes < CRASHES_MAX {
            let after = self.chance.below(2 * self.plan.crash_once_in);
            faults.at.push((self.disk.accesses() + after, Misfortune::Crash));
        }
        if !self.settling && self.plan.disk_error_once_in > 0 {
            let after = self.chance.below(2 * self.plan.disk_error_once_in);
            let kinds = [Misfortune::Error, Misfortune::NoSpace, Misfortune::Short];
            let kind = *self.chance.pick(&kinds).expect("there are kinds");
            faults.at.push((self.disk.accesses() + after, kind));
        }
        self.strikes_before = self.disk.strikes().len();
        self.faults = faults;
        self.disk.set_faults(self.faults.clone());
    }

    /// The machine lost power, or is made to.
    pub(crate) fn crash(&mut self) {
        self.leave_unanswered();
        self.disk.crash();
        self.crashes += 1;
        self.cut_all();
        let down = Duration::from_millis(self.chance.between(1, 20_000));
        self.agenda.after(down, Event::Start);
    }

    /// Whether an access has failed, and said so, since the last start.
    fn disk_failed(&self) -> bool {
        let strikes = self.disk.strikes();
        let mut since = strikes.iter().skip(self.strikes_before);
        since.any(|strike| strike.misfortune != Misfortune::Crash)
    }

    /// Accesses that failed and said so.
    pub(crate) fn disk_errors(&self) -> u64 {
        let strikes = self.disk.strikes();
        let told = strikes.iter().filter(|strike| strike.misfortune != Misfortune::Crash);
        told.count() as u64
    }

    /// The process is ended and started again; power stays.
    pub(crate) fn restart(&mut self) {
        self.leave_unanswered();
        self.cut_all();
        self.agenda.after(Duration::from_millis(50), Event::Start);
    }

    /// A planned stop begins, to start again with other shards. Power may fail in it.
    pub(crate) fn stop(&mut self) {
        let generation = self.generation;
        let Some(process) = &self.process else { return };
        let shards = process.hosts.len();
        if self.chance.once_in(self.plan.crash_in_stop_once_in) {
            let at = self.disk.accesses() + self.chance.below(40);
            self.faults.at.push((at, Misfortune::Crash));
            self.disk.set_faults(self.faults.clone());
        }
        self.agenda.after(STOP_TIME, Event::StopOver { generation });
        for shard in 0..shards {
            self.keep(shard, Kept::Stop);
        }
    }

    /// Ends the process once all shards have stopped.
    pub(crate) fn end_stop(&mut self) {
        let Some(process) = &self.process else { return };
        let mut hosts = process.hosts.iter();
        if hosts.all(|host| host.is_stopped && host.edits_under_way == 0) {
            self.stops += 1;
            // Whoever stops a machine may take its power then.
            self.disk.crash();
            self.leave_unanswered();
            self.cut_all();
            self.agenda.after(Duration::from_millis(50), Event::Start);
        }
    }

    /// A stop took all of its time, and the process is ended. That happens to slow disks
    /// only.
    pub(crate) fn stop_over(&mut self) {
        let is_slow = self.plan.hang_once_in > 0 || self.plan.disk_delay_max > STOP_DELAY_MAX;
        if !is_slow && !self.disk_failed() && self.faults.capacity_bytes.is_none() {
            let states = self.process.iter().flat_map(|process| &process.hosts);
            let states: Vec<_> =
                states.map(|host| (host.keeper.stats(), host.shard.stats())).collect();
            self.fail(format!("a stop did not end in time: {states:?}"));
        }
        self.restart();
    }

    /// The process is gone, and with it all that it was asked.
    fn leave_unanswered(&mut self) {
        let Some(process) = self.process.take() else { return };
        for asker in process.hosts.into_iter().flat_map(|host| host.asked.into_values()) {
            self.unanswered(asker);
        }
    }

    /// The shard that owns a link.
    pub(crate) fn owner_of(&self, link: LinkId) -> Option<usize> {
        self.process.as_ref().map(|process| usize::from(process.placement.shard(link)))
    }

    /// A request arrives at the server.
    pub(crate) fn request(&mut self, asker: Asker, body: Request) {
        let shard = match body.link() {
            Some(link) => self.owner_of(link),
            None => self.process.as_ref().map(|process| process.hosts.len() - 1),
        };
        self.requests += 1;
        let request = RequestId(self.requests);
        let Some(host) = shard.and_then(|shard| self.host(shard)) else {
            return self.unanswered(asker);
        };
        host.asked.insert(request, asker);
        let shard = shard.expect("a host has a number");
        self.feed(shard, Input::Request { request, body: Box::new(body) });
    }

    /// A write failed. When an access did, the server goes on without storing, as the
    /// real one does, until its operator restarts it. Otherwise it must not happen.
    pub(crate) fn store_failed(&mut self, why: &str) {
        if !self.disk_failed() {
            return self.fail(format!("the store failed on a sound disk: {why}"));
        }
        let generation = self.generation;
        let delay = Duration::from_millis(self.chance.between(1, 20_000));
        self.agenda.after(delay, Event::Restart { generation });
    }

    /// Others fill the disk, until less than about the reserve is free.
    pub(crate) fn fill_disk(&mut self) {
        if self.settling {
            return;
        }
        if !self.disk.is_up() || !self.has_all_desks() {
            return self.agenda.after(Duration::from_secs(1), Event::Fill);
        }
        let used =
            finish(self.disk.space()).map_or(0, |space| space.total_bytes - space.free_bytes);
        let free = self.chance.below(self.plan.disk_reserve_bytes * 3 / 2);
        self.faults.capacity_bytes = Some(used + free);
        self.disk.set_faults(self.faults.clone());
        self.full_disks += 1;
        let lasts = Duration::from_millis(self.chance.between(10, 60_000));
        self.agenda.after(lasts, Event::Relieve);
    }

    /// There is room again.
    pub(crate) fn relieve_disk(&mut self) {
        self.faults.capacity_bytes = None;
        self.disk.set_faults(self.faults.clone());
        if !self.settling {
            let after = Duration::from_millis(self.chance.between(1_000, 120_000));
            self.agenda.after(after, Event::Fill);
        }
    }
}
