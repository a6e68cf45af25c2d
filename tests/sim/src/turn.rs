//! The driver of a shard and its keeper: what both say is done here.

use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use desk_engine_core::shard::Loaded;
use desk_engine_core::{Input, LogPosition, Output, StorePace};
use desk_keeper::Pace;
use desk_protocol::LinkId;
use desk_storage_lsm::{Edit, GetError, Key, Position, Sequence, UnixSecond};

use crate::shard_host::{Kept, Lane, ShardHost, finish};
use crate::world::{Event, World};

/// How long a connection whose end was decided may take, as the server has it.
const CLOSE_TIME: Duration = Duration::from_secs(2);
const LAST_WORDS_TIME: Duration = Duration::from_secs(30);

fn key_of(link: LinkId) -> Key {
    Key::new(link.to_bytes())
}

fn link_of(key: &Key) -> LinkId {
    LinkId::from_bytes(*key.bytes())
}

impl World {
    pub(crate) fn host(&mut self, shard: usize) -> Option<&mut ShardHost> {
        self.process.as_mut().and_then(|process| process.hosts.get_mut(shard))
    }

    /// Feeds a shard and carries out what it says.
    pub(crate) fn feed(&mut self, shard: usize, input: Input) {
        let now = self.agenda.now;
        let Some(host) = self.host(shard) else { return };
        host.shard.handle(now, input);
        self.carry_out(shard);
    }

    /// Tells a keeper something and carries out what comes of it.
    pub(crate) fn keep(&mut self, shard: usize, input: Kept) {
        self.tell_keeper(shard, input);
        self.carry_out(shard);
    }

    fn tell_keeper(&mut self, shard: usize, input: Kept) {
        let now = self.agenda.now;
        let Some(host) = self.host(shard) else { return };
        host.keeper.handle(now, &host.store, input);
        self.follow_keeper(shard);
    }

    /// Carries out all that a shard says.
    pub(crate) fn carry_out(&mut self, shard: usize) {
        self.follow_keeper(shard);
        while let Some(host) = self.host(shard)
            && let Some(output) = host.shard.poll_output()
        {
            self.output(shard, output);
        }
        self.tell_what_is_left(shard);
        self.check_kept(shard);
        let generation = self.generation;
        let now = self.agenda.now;
        let Some(host) = self.host(shard) else { return };
        let wake = host.wakes_at().map(|at| at.max(now));
        let arm = wake.filter(|at| host.wake_at.is_none_or(|armed| *at < armed || armed < now));
        if let Some(at) = arm {
            host.wake_at = Some(at);
            self.agenda.at(at, Event::Wake { generation, shard });
        }
    }

    /// A stop waits for what the keeper cannot see.
    fn tell_what_is_left(&mut self, shard: usize) {
        let lines = self.lines.values().filter(|line| line.shard == shard).count();
        let Some(host) = self.host(shard) else { return };
        if host.is_draining && !host.is_stopped {
            let stats = host.shard.stats();
            let open = lines + host.asked.len() + stats.waiting_outputs;
            self.tell_keeper(shard, Kept::Left { open, unstored: stats.unstored });
        }
    }

    fn output(&mut self, shard: usize, output: Output) {
        let generation = self.generation;
        match output {
            Output::Append { position, key, sequence, expires_at, entry } => {
                let (position, key) = (Position(position.0), key_of(key));
                let sequence = Sequence(sequence);
                let append = Kept::Append { position, key, sequence, expires_at, entry };
                self.tell_keeper(shard, append);
            }
            Output::Forget { position, key, sequence: _, expires_at } => {
                let (position, key) = (Position(position.0), key_of(key));
                self.tell_keeper(shard, Kept::Forget { position, key, expires_at });
            }
            Output::Load { key } => {
                let delay = Duration::from_micros(self.chance.between(5, 2_000));
                self.agenda.after(delay, Event::Load { generation, shard, key });
            }
            Output::Store { key, sequence, record } => {
                let too_large = !self.settling && self.chance.once_in(self.plan.too_large_once_in);
                let value = self.archive.write(*record, too_large);
                let (key, sequence) = (key_of(key), Sequence(sequence));
                self.tell_keeper(shard, Kept::Store { key, sequence, value });
            }
            Output::Send { connection, frame, way } => self.send_down(connection, frame, way),
            Output::Close { connection, code } => {
                let is_draining = self.host(shard).is_some_and(|host| host.is_draining);
                let patience = if is_draining { CLOSE_TIME } else { LAST_WORDS_TIME };
                self.agenda.after(patience, Event::CloseOver { line: connection });
                self.end_line(connection, code);
            }
            // A transport answers below the page.
            Output::Probe { connection } => {
                let now = self.agenda.now;
                let is_open = self.lines.contains_key(&connection);
                if let Some(host) = self.host(shard).filter(|_| is_open) {
                    host.shard.handle(now, Input::Heard { connection });
                }
            }
            Output::Pause { connection } => self.pause_line(connection),
            Output::Resume { connection } => self.resume_line(connection),
            Output::Reply { request, reply } => {
                let host = self.host(shard).expect("the shard is turning");
                if let Some(asker) = host.asked.remove(&request) {
                    self.answered(asker, reply);
                }
            }
        }
    }

    /// Does what a keeper says, in its order.
    fn follow_keeper(&mut self, shard: usize) {
        use desk_keeper::Output;
        let generation = self.generation;
        let now = self.agenda.now;
        while let Some(host) = self.host(shard)
            && let Some(output) = host.keeper.poll_output()
        {
            let store = Rc::clone(&host.store);
            let second = UnixSecond(now.unix_seconds());
            let mut tell = |input| host.shard.handle(now, input);
            match output {
                Output::Commit => {
                    let work = async move { Kept::Committed(store.commit().await) };
                    self.begin(shard, Lane::Commit, work);
                }
                Output::Maintain => {
                    let work = async move { Kept::Maintained(store.maintain(second).await) };
                    self.begin(shard, Lane::Upkeep, work);
                }
                Output::Measure => {
                    let work = async move { Kept::Measured(store.measure_space().await) };
                    self.begin(shard, Lane::Upkeep, work);
                }
                Output::Seal => {
                    let work = async move { Kept::Sealed(store.shutdown().await) };
                    self.begin(shard, Lane::Upkeep, work);
                }
                Output::Edits(edits) => {
                    host.edits_under_way += 1;
                    // A shard's edits arrive in their order.
                    let earliest = host.edits_at;
                    let at = earliest.max(now + self.disk_delay());
                    if let Some(host) = self.host(shard) {
                        host.edits_at = at;
                    }
                    self.agenda.at(at, Event::Edits { generation, shard, edits });
                }
                Output::Durable(position) => {
                    if position > host.store.durable() {
                        return self.fail(format!("record {} is not durable", position.0));
                    }
                    tell(Input::Durable { position: LogPosition(position.0) });
                }
                Output::Stored { key, sequence } => {
                    tell(Input::Stored { key: link_of(&key), sequence: sequence.0 });
                }
                Output::Unstorable { key, sequence, .. } => {
                    tell(Input::Unstorable { key: link_of(&key), sequence: sequence.0 });
                    self.unstorable += 1;
                }
                Output::Ask { keys, pace } => {
                    let keys = keys.iter().map(link_of).collect();
                    let pace = match pace {
                        Pace::Calm => StorePace::Calm,
                        Pace::Urgent => StorePace::Urgent,
                    };
                    tell(Input::Pressure { keys, pace });
                }
                Output::Writable(writable) => {
                    tell(Input::Writable(writable.is_yes()));
                    self.refused_changes(writable);
                }
                Output::Drain => {
                    tell(Input::Drain);
                    host.is_draining = true;
                }
                Output::Failed(why) => {
                    tell(Input::LogFailed);
                    self.store_failed(&why);
                }
                Output::Notice(_) => {}
                Output::Stopped => {
                    host.is_stopped = true;
                    self.end_stop();
                }
            }
        }
    }

    fn begin(&mut self, shard: usize, lane: Lane, work: impl Future<Output = Kept> + 'static) {
        let generation = self.generation;
        let delay = self.disk_delay();
        let Some(host) = self.host(shard) else { return };
        host.begin(lane, work);
        self.agenda.after(delay, Event::Work { generation, shard, lane });
    }

    /// A call of the store gets on by one access.
    pub(crate) fn work(&mut self, shard: usize, lane: Lane) {
        let generation = self.generation;
        let Some(host) = self.host(shard) else { return };
        let polled = host.poll(lane);
        if !self.disk.is_up() {
            return self.crash();
        }
        match polled {
            Poll::Ready(input) => self.keep(shard, input),
            Poll::Pending => {
                let delay = self.disk_delay();
                self.agenda.after(delay, Event::Work { generation, shard, lane });
            }
        }
    }

    /// How long an access takes: some are slow, and some hang.
    fn disk_delay(&mut self) -> Duration {
        if !self.settling && self.chance.once_in(self.plan.hang_once_in) {
            self.hangs += 1;
            return Duration::from_millis(self.chance.between(1_000, 60_000));
        }
        let most = self.plan.disk_delay_max.as_micros() as u64;
        Duration::from_micros(self.chance.between(20, most))
    }

    pub(crate) fn wake(&mut self, shard: usize) {
        let now = self.agenda.now;
        let Some(host) = self.host(shard) else { return };
        if host.wake_at != Some(now) {
            return;
        }
        host.wake_at = None;
        host.shard.handle_timeout(now);
        if host.keeper.poll_timeout().is_some_and(|(at, _)| at <= now) {
            host.keeper.handle_timeout(now, &host.store);
        }
        self.carry_out(shard);
    }

    pub(crate) fn load(&mut self, shard: usize, key: LinkId) {
        let now = UnixSecond(self.agenda.now.unix_seconds());
        let Some(host) = self.host(shard) else { return };
        let found = match finish(host.store.get(&key_of(key), now)) {
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

    /// Edits arrive at the manifest's owner.
    pub(crate) fn write_edits(&mut self, shard: usize, edits: Vec<Edit>) {
        let Some(process) = &mut self.process else { return };
        let last = edits.last().expect("edits come together").number;
        process.hosts[shard].edits_under_way -= 1;
        if process.manifest_failed {
            return self.end_stop();
        }
        match finish(process.owner.apply(edits)) {
            Ok(()) => self.keep(shard, Kept::EditsDurable(last)),
            Err(error) => self.manifest_failed(&error.to_string()),
        }
        self.end_stop();
    }

    /// The manifest's owner looks at the clock, and removes what nobody needs.
    pub(crate) fn tick(&mut self) {
        let (generation, now) = (self.generation, self.agenda.now);
        let Some(process) = &mut self.process else { return };
        if process.manifest_failed {
            return;
        }
        let ticked = finish(async {
            let news = process.owner.tick(UnixSecond(now.unix_seconds())).await?;
            while process.owner.unlink_step().await? {}
            Ok::<_, desk_storage_lsm::ManifestError>(news)
        });
        match ticked {
            Ok(None) => {}
            Ok(Some(news)) => {
                for shard in 0..process.hosts.len() {
                    self.keep(shard, Kept::News(news.clone()));
                    if let Some(host) = self.host(shard) {
                        host.tell_lifetimes(now);
                    }
                }
            }
            Err(error) => self.manifest_failed(&error.to_string()),
        }
        let pause = Duration::from_millis(self.chance.between(50, 2_000));
        self.agenda.after(pause, Event::Tick { generation });
    }

    /// No shard goes on.
    fn manifest_failed(&mut self, why: &str) {
        if !self.disk.is_up() {
            return self.crash();
        }
        let Some(process) = &mut self.process else { return };
        process.manifest_failed = true;
        for shard in 0..process.hosts.len() {
            self.keep(shard, Kept::Failed(why.to_owned()));
        }
    }
}
