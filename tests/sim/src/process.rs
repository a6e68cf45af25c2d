//! The server's process: it starts, runs its shards, and dies.

use std::time::Duration;

use desk_engine_core::shard::Loaded;
use desk_engine_core::{
    Input, Keyring, LogPosition, Output, Placement, Request, RequestId, Shard, ShardConfig,
    StorePace,
};
use desk_protocol::LinkId;
use desk_storage_lsm::memory_disk::{Faults, MemoryDisk, Misfortune, drive};
use desk_storage_lsm::{
    GetError, Key, ManifestOwner, Options, PressureLevel, PutError, Recovered, Seconds, Sequence,
    ShardCount, Start, Store, StoreError, UnixSecond, recover,
};

use crate::requester::Asker;
use crate::shard_host::ShardHost;
use crate::world::{Event, World};

/// A week, as the product ships.
pub(crate) const DESK_TTL: Duration = Duration::from_secs(7 * 86_400);

/// Power cuts of one run; a recovery that is cut again and again must end.
const CRASHES_MAX: u64 = 40;

/// A running server.
pub(crate) struct Process {
    /// Which start this is; events of earlier ones are void.
    pub(crate) generation: u64,
    pub(crate) hosts: Vec<ShardHost>,
    pub(crate) owner: ManifestOwner<MemoryDisk>,
    pub(crate) placement: Placement,
    /// An access of the disk failed: nothing is stored any more.
    pub(crate) poisoned: bool,
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
                let event = Event::Maintain { generation: self.generation };
                self.agenda.after(Duration::from_millis(100), event);
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
            log_budget_bytes: self.plan.segment_bytes * 96,
            table_bytes: 1 << 20,
            disk_reserve_bytes: 0,
        };
        let now = UnixSecond(self.agenda.now.unix_seconds());
        let fresh_store_id = self.chance.bytes();
        let start = Start { now, shards, accept_clock: true, fresh_store_id };
        let Recovered { manifest, seeds, report } =
            drive(recover(&self.disk, &options, start)).map_err(|error| error.to_string())?;
        if !report.is_sound() {
            return Err(format!("the store is not sound: {report:?}"));
        }
        let owner = drive(ManifestOwner::open(self.disk.clone(), manifest))
            .map_err(|error| error.to_string())?;
        let placement = Placement::new(count as u16);
        let mut hosts = Vec::new();
        for (index, seed) in seeds.into_iter().enumerate() {
            let store = drive(Store::open(self.disk.clone(), seed)).map_err(|e| e.to_string())?;
            let config = ShardConfig {
                index: index as u16,
                placement,
                session_idle: self.plan.session_idle,
                memory_bytes: self.plan.memory_bytes,
                limits: Default::default(),
            };
            let shard = Shard::new(config, Keyring::new([7; 32]), self.chance.bytes());
            let mut host = ShardHost::new(shard, store);
            host.tell_lifetimes(self.agenda.now);
            hosts.push(host);
        }
        Ok(Process { generation: self.generation, hosts, owner, placement, poisoned: false })
    }

    fn draw_disk_faults(&mut self) {
        let mut faults = Faults::default();
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
        self.disk.set_faults(faults);
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

    /// A clean stop, to start again with other shards.
    pub(crate) fn stop(&mut self) {
        let Some(process) = &mut self.process else { return };
        for host in &mut process.hosts {
            host.shard.handle(self.agenda.now, Input::Drain);
            // A power cut in these last writes is a crash like any other.
            let _ = drive(host.store.commit());
        }
        self.leave_unanswered();
        self.disk.crash();
        self.cut_all();
        self.agenda.after(Duration::from_millis(50), Event::Start);
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

    /// Feeds a shard and carries out what it says.
    pub(crate) fn feed(&mut self, shard: usize, input: Input) {
        let now = self.agenda.now;
        let Some(host) = self.host(shard) else { return };
        host.shard.handle(now, input);
        self.carry_out(shard);
    }

    pub(crate) fn host(&mut self, shard: usize) -> Option<&mut ShardHost> {
        self.process.as_mut().and_then(|process| process.hosts.get_mut(shard))
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

    /// Carries out all that a shard says.
    pub(crate) fn carry_out(&mut self, shard: usize) {
        loop {
            let Some(host) = self.host(shard) else { return };
            let Some(output) = host.shard.poll_output() else { break };
            if let Err(why) = self.output(shard, output) {
                return self.store_failed(&why);
            }
        }
        let generation = self.generation;
        let now = self.agenda.now;
        let Some(host) = self.host(shard) else { return };
        let commit = host.store.has_uncommitted() && !host.commit_due;
        host.commit_due |= commit;
        let wake = host.shard.poll_timeout().map(|(at, _)| at.max(now));
        let arm = wake.filter(|at| host.wake_at.is_none_or(|armed| *at < armed || armed < now));
        if let Some(at) = arm {
            host.wake_at = Some(at);
            self.agenda.at(at, Event::Wake { generation, shard });
        }
        if commit {
            let delay = Duration::from_micros(self.chance.between(20, 3_000));
            self.agenda.after(delay, Event::Commit { generation, shard });
        }
    }

    fn output(&mut self, shard: usize, output: Output) -> Result<(), String> {
        let generation = self.generation;
        match output {
            Output::Append { position, key, sequence, entry, .. } => {
                let host = self.host(shard).expect("the shard is turning");
                let at = host
                    .store
                    .append(Key::new(key.to_bytes()), Sequence(sequence), &entry)
                    .map_err(|error| error.to_string())?;
                host.appended.push_back((position, at));
            }
            Output::Forget { position, key, .. } => {
                let host = self.host(shard).expect("the shard is turning");
                let at = host
                    .store
                    .delete(Key::new(key.to_bytes()))
                    .map_err(|error| error.to_string())?;
                host.appended.push_back((position, at));
            }
            Output::Load { key } => {
                let delay = Duration::from_micros(self.chance.between(5, 2_000));
                self.agenda.after(delay, Event::Load { generation, shard, key });
            }
            Output::Store { key, sequence, record } => {
                let bytes = self.archive.write(*record);
                let host = self.host(shard).expect("the shard is turning");
                let key_bytes = Key::new(key.to_bytes());
                let stored = host.store.put(key_bytes, Sequence(sequence), &bytes);
                if let Err(PutError::Poisoned(_)) = stored {
                    return Err("the store is poisoned".to_owned());
                }
                if stored.is_ok() {
                    let delay = Duration::from_micros(self.chance.below(500));
                    self.agenda.after(delay, Event::Stored { generation, shard, key, sequence });
                }
            }
            Output::Send { connection, frame, .. } => self.send_down(connection, frame),
            Output::Close { connection, code } => self.end_line(connection, code),
            Output::Pause { connection } => self.pause_line(connection),
            Output::Resume { connection } => self.resume_line(connection),
            Output::Reply { request, reply } => {
                let host = self.host(shard).expect("the shard is turning");
                if let Some(asker) = host.asked.remove(&request) {
                    self.answered(asker, reply);
                }
            }
        }
        Ok(())
    }

    pub(crate) fn commit(&mut self, shard: usize) {
        let Some(host) = self.host(shard) else { return };
        host.commit_due = false;
        if host.store.poisoned().is_some() {
            return;
        }
        match drive(host.store.commit()) {
            Ok(_) => {
                if host.store.pressure().level >= PressureLevel::Snapshot {
                    self.relieve(shard);
                }
                let Some(host) = self.host(shard) else { return };
                if host.store.wants_maintenance()
                    && let Err(why) = self.upkeep()
                {
                    return self.store_failed(&why);
                }
                let Some(host) = self.host(shard) else { return };
                if let Some(position) = host.durable() {
                    self.durable(shard, position);
                }
            }
            Err(error) => self.store_failed(&error.to_string()),
        }
    }

    fn durable(&mut self, shard: usize, position: LogPosition) {
        self.feed(shard, Input::Durable { position });
    }

    pub(crate) fn load(&mut self, shard: usize, key: LinkId) {
        let now = UnixSecond(self.agenda.now.unix_seconds());
        let Some(host) = self.host(shard) else { return };
        let found = match drive(host.store.get(&Key::new(key.to_bytes()), now)) {
            Ok(Some(stored)) => {
                let records = stored.records.into_iter();
                let entries = records.map(|record| (record.sequence.0, record.payload)).collect();
                let record =
                    stored.snapshot.map(|snapshot| Box::new(self.archive.read(&snapshot.value)));
                Loaded::Record { record, entries }
            }
            Ok(None) => Loaded::Missing,
            Err(GetError::Expired { .. }) => Loaded::Expired,
            Err(GetError::Quarantined(_)) => Loaded::Quarantined,
            Err(_) => Loaded::Failed,
        };
        if !self.disk.is_up() {
            return self.crash();
        }
        self.feed(shard, Input::Loaded { key, found });
    }

    pub(crate) fn wake(&mut self, shard: usize) {
        let now = self.agenda.now;
        let Some(host) = self.host(shard) else { return };
        host.wake_at = None;
        host.shard.handle_timeout(now);
        self.carry_out(shard);
    }

    /// Upkeep of all stores, as the server's own tasks do it.
    pub(crate) fn maintain(&mut self) {
        if let Err(why) = self.upkeep() {
            return self.store_failed(&why);
        }
        let event = Event::Maintain { generation: self.generation };
        let pause = Duration::from_millis(self.chance.between(50, 2_000));
        self.agenda.after(pause, event);
    }

    /// The log fills up: what holds its oldest part back is stored.
    fn relieve(&mut self, shard: usize) {
        let Some(host) = self.host(shard) else { return };
        let keys = host.store.holding_keys(16).into_iter();
        let keys = keys.map(|key| LinkId::from_bytes(*key.bytes())).collect();
        self.feed(shard, Input::Pressure { keys, pace: StorePace::Urgent });
        if let Err(why) = self.upkeep() {
            self.store_failed(&why);
        }
    }

    fn upkeep(&mut self) -> Result<(), String> {
        let now = UnixSecond(self.agenda.now.unix_seconds());
        let Some(process) = self.process.as_mut() else { return Ok(()) };
        let news = drive(process.owner.tick(now)).map_err(|error| error.to_string())?;
        for host in &mut process.hosts {
            if let Some(news) = &news {
                host.store.apply_news(news);
                host.tell_lifetimes(self.agenda.now);
            }
            match drive(host.store.maintain(now)) {
                Ok(_) | Err(StoreError::Busy) => {}
                Err(error) => return Err(error.to_string()),
            }
            let edits = host.store.take_edits();
            if let Some(number) = edits.last().map(|edit| edit.number) {
                drive(process.owner.apply(edits)).map_err(|error| error.to_string())?;
                host.store.edits_durable(number);
            }
        }
        while drive(process.owner.unlink_step()).map_err(|error| error.to_string())? {}
        Ok(())
    }

    /// A store said no. With the power gone that is a crash. When an access
    /// failed, the server goes on without storing, as the real one does, until
    /// its operator restarts it. Otherwise it must not happen.
    fn store_failed(&mut self, why: &str) {
        if !self.disk.is_up() {
            return self.crash();
        }
        if !self.disk_failed() {
            self.fail(format!("the store failed on a sound disk: {why}"));
            return self.crash();
        }
        let generation = self.generation;
        let Some(process) = &mut self.process else { return };
        if std::mem::replace(&mut process.poisoned, true) {
            return;
        }
        let delay = Duration::from_millis(self.chance.between(1, 20_000));
        self.agenda.after(delay, Event::Restart { generation });
        let shards = self.process.as_ref().map_or(0, |process| process.hosts.len());
        for shard in 0..shards {
            self.feed(shard, Input::Writable(false));
        }
    }
}
