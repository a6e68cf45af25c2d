//! A run: everything in it, and what happens next.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use desk_engine_core::service::Deleted;
use desk_engine_core::{ConnectionId, Input, Reply, Request, ServiceError, SessionKey};
use desk_keeper::Writable;
use desk_protocol::frame::Role;
use desk_protocol::{Desk, LinkId, Time};
use desk_storage_lsm::Edit;
use desk_storage_lsm::memory_disk::{Faults, MemoryDisk};

use crate::agenda::Agenda;
use crate::archive::Archive;
use crate::chance::Chance;
use crate::check::{Checker, Failure};
use crate::network::Line;
use crate::person::Person;
use crate::plan::Plan;
use crate::process::{DESK_TTL, Process};
use crate::requester::{Asker, Requester, Seat};
use crate::shard_host::Lane;

/// When every run begins.
const START: Time = Time::from_unix_seconds(1_750_000_000);

/// How long people may take until all is quiet, once nothing disturbs them.
const SETTLE: Duration = Duration::from_secs(2 * 3_600);

/// What may wait for the disk beyond the limit: what was accepted in the turn that
/// passed it, and steps that are no changes, such as the ends of desks.
const WAITING_SLACK_BYTES: usize = 64 << 10;

/// Something that happens.
pub(crate) enum Event {
    Start,
    Stop,
    Tick { generation: u64 },
    StopOver { generation: u64 },
    Fill,
    Relieve,
    Restart { generation: u64 },
    Wake { generation: u64, shard: usize },
    Work { generation: u64, shard: usize, lane: Lane },
    Edits { generation: u64, shard: usize, edits: Vec<Edit> },
    Load { generation: u64, shard: usize, key: LinkId },
    Up { line: ConnectionId },
    Down { line: ConnectionId },
    DatagramUp { line: ConnectionId, frame: Vec<u8> },
    DatagramDown { line: ConnectionId, frame: Arc<[u8]> },
    CloseOver { line: ConnectionId },
    ServerLearns { generation: u64, shard: usize, line: ConnectionId },
    ClientLearns { person: usize, line: ConnectionId },
    RequestArrives { asker: Asker, body: Box<Request> },
    ReplyArrives { asker: Asker, reply: Box<Reply> },
    Unanswered { asker: Asker },
    ClientTimer { person: usize },
    Act { person: usize },
    Online { person: usize },
    SendBatch { requester: usize, seq: u64 },
    NextBatch { requester: usize, seq: u64 },
}

/// What is known of a desk from outside.
#[derive(Clone, Copy, Default)]
struct DeskLinks {
    edit: Option<LinkId>,
    view: Option<LinkId>,
    /// Its owner's key.
    owner: Option<SessionKey>,
}

/// What a sound run did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// Commits seen by people.
    pub commits: usize,
    /// Times that the server started.
    pub starts: u64,
    /// Times that the machine lost power.
    pub crashes: u64,
    /// Times that an access of the disk failed and said so.
    pub disk_errors: u64,
    /// Lines that were cut.
    pub cuts: u64,
    /// Times that a shard refused changes.
    pub refusals: u64,
    /// Times that the disk was filled up to the reserve.
    pub full_disks: u64,
    /// Accesses of the disk that hung.
    pub hangs: u64,
    /// Desks that were too large to be stored.
    pub unstorable: u64,
    /// Planned stops that came to their end.
    pub stops: u64,
    /// Characters typed.
    pub typed: usize,
    /// Sentences that must be whole.
    pub sentences: usize,
    /// Batches and commits that a datagram brought first.
    pub ahead: u64,
}

impl Report {
    /// Adds what another run did.
    pub fn add(&mut self, other: &Self) {
        // Without a rest pattern, so that a new count cannot be forgotten.
        let Self {
            commits,
            starts,
            crashes,
            disk_errors,
            cuts,
            refusals,
            full_disks,
            hangs,
            unstorable,
            stops,
            typed,
            sentences,
            ahead,
        } = other;
        self.commits += commits;
        self.starts += starts;
        self.crashes += crashes;
        self.disk_errors += disk_errors;
        self.cuts += cuts;
        self.refusals += refusals;
        self.full_disks += full_disks;
        self.hangs += hangs;
        self.unstorable += unstorable;
        self.stops += stops;
        self.typed += typed;
        self.sentences += sentences;
        self.ahead += ahead;
    }
}

pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) chance: Chance,
    pub(crate) agenda: Agenda<Event>,
    pub(crate) disk: MemoryDisk,
    pub(crate) archive: Archive,
    pub(crate) process: Option<Process>,
    pub(crate) generation: u64,
    pub(crate) lines: BTreeMap<ConnectionId, Line>,
    pub(crate) people: Vec<Person>,
    pub(crate) requesters: Vec<Requester>,
    pub(crate) checker: Checker,
    /// Nothing disturbs any more; what is under way comes to its end.
    pub(crate) settling: bool,
    pub(crate) connections: u64,
    pub(crate) requests: u64,
    pub(crate) characters: u32,
    pub(crate) starts: u64,
    pub(crate) crashes: u64,
    /// Misfortunes of the disk before the last start.
    pub(crate) strikes_before: usize,
    pub(crate) cuts: u64,
    desks: Vec<DeskLinks>,
    /// What happens to the disk.
    pub(crate) faults: Faults,
    pub(crate) refusals: u64,
    pub(crate) full_disks: u64,
    pub(crate) hangs: u64,
    pub(crate) unstorable: u64,
    pub(crate) stops: u64,
    pub(crate) ahead: u64,
    looks: BTreeMap<usize, Result<Desk, ServiceError>>,
    /// Why the server refused something last.
    refused: Option<&'static str>,
    failure: Option<Failure>,
}

/// The run of a seed.
///
/// # Errors
/// [`Failure`]: something that must be true was not.
pub fn run(seed: u64) -> Result<Report, Failure> {
    run_plan(Plan::of(seed))
}

/// A run of one's own making.
///
/// # Errors
/// [`Failure`]: something that must be true was not.
pub fn run_plan(plan: Plan) -> Result<Report, Failure> {
    let mut world = World::new(plan);
    world.play();
    match world.failure {
        Some(failure) => Err(failure),
        None => Ok(Report {
            commits: world.checker.commits(),
            starts: world.starts,
            crashes: world.crashes,
            disk_errors: world.disk_errors(),
            cuts: world.cuts,
            refusals: world.refusals,
            full_disks: world.full_disks,
            hangs: world.hangs,
            unstorable: world.unstorable,
            stops: world.stops,
            typed: world.checker.typed.len(),
            sentences: world.checker.sentences.iter().filter(|one| !one.unsure).count(),
            ahead: world.ahead,
        }),
    }
}

impl World {
    fn new(plan: Plan) -> Self {
        let mut chance = Chance::new(plan.seed);
        let disk = MemoryDisk::with_seed(chance.next());
        disk.set_waiting(plan.accesses_interleave);
        let desks = plan.desks as usize;
        Self {
            chance: chance.fork(),
            agenda: Agenda::new(START),
            disk,
            archive: Archive::default(),
            process: None,
            generation: 0,
            lines: BTreeMap::new(),
            people: Vec::new(),
            requesters: Vec::new(),
            checker: Checker::default(),
            settling: false,
            connections: 0,
            requests: 0,
            characters: 0,
            starts: 0,
            crashes: 0,
            strikes_before: 0,
            cuts: 0,
            desks: vec![DeskLinks::default(); desks],
            faults: Faults::default(),
            refusals: 0,
            full_disks: 0,
            hangs: 0,
            unstorable: 0,
            stops: 0,
            ahead: 0,
            looks: BTreeMap::new(),
            refused: None,
            failure: None,
            plan,
        }
    }

    pub(crate) fn fail(&mut self, what: String) {
        let (seed, at) = (self.plan.seed, self.agenda.now);
        self.failure.get_or_insert(Failure { seed, at, what });
    }

    fn play(&mut self) {
        self.agenda.after(Duration::ZERO, Event::Start);
        for desk in 0..self.desks.len() {
            self.ask(Asker::Desk { desk });
        }
        for _ in 0..self.chance.below(3) {
            let at = Duration::from_secs(self.chance.between(1, 60));
            self.agenda.after(at, Event::Stop);
        }
        if self.plan.disk_reserve_bytes > 0 {
            let at = Duration::from_secs(self.chance.between(2, 60));
            self.agenda.after(at, Event::Fill);
        }
        let busy = |world: &World| !world.is_done();
        self.run_while(self.agenda.now + Duration::from_secs(4 * 86_400), busy);
        self.settling = true;
        self.faults = Faults::default();
        self.disk.set_faults(Faults::default());
        for person in 0..self.people.len() {
            self.go_online(person);
        }
        for requester in &mut self.requesters {
            requester.left = 0;
        }
        // Quiet is what lasts: something may still be on its way.
        let until = self.agenda.now + SETTLE;
        while self.agenda.now < until && self.failure.is_none() {
            self.run_while(until, |world| !world.is_settled());
            self.run_while(self.agenda.now + Duration::from_secs(40), |_| true);
            if self.is_settled() {
                break;
            }
        }
        self.verify();
        if self.plan.expiring && self.failure.is_none() {
            self.verify_expiry();
        }
    }

    fn run_while(&mut self, until: Time, more: impl Fn(&World) -> bool) {
        let mut checked = self.agenda.now;
        while self.failure.is_none() {
            if checked + Duration::from_millis(200) <= self.agenda.now {
                checked = self.agenda.now;
                if !more(self) {
                    return;
                }
            }
            let Some(event) = self.agenda.next(until) else { return };
            self.happen(event);
        }
    }

    fn is_done(&self) -> bool {
        let everyone = self.plan.desks * (self.plan.people + self.plan.viewers);
        let programs = self.plan.desks * self.plan.requesters;
        self.people.len() as u64 == everyone
            && self.requesters.len() as u64 == programs
            && self.people.iter().all(|person| person.actions_left == 0)
            && self.requesters.iter().all(|requester| requester.left == 0)
    }

    pub(crate) fn has_all_desks(&self) -> bool {
        self.desks.iter().all(|desk| desk.edit.is_some())
    }

    fn is_settled(&self) -> bool {
        let quiet = self.lines.values().all(Line::is_empty);
        quiet && self.process.is_some() && self.people.iter().all(Person::is_settled)
    }

    fn happen(&mut self, event: Event) {
        let current = |world: &World, generation: u64| {
            world.process.as_ref().is_some_and(|process| process.generation == generation)
        };
        match event {
            Event::Start => self.start(),
            Event::Stop if !self.settling => self.stop(),
            Event::Stop => {}
            Event::Tick { generation } if current(self, generation) => self.tick(),
            Event::StopOver { generation } if current(self, generation) => self.stop_over(),
            Event::Fill => self.fill_disk(),
            Event::Relieve => self.relieve_disk(),
            Event::Wake { generation, shard } if current(self, generation) => self.wake(shard),
            Event::Work { generation, shard, lane } if current(self, generation) => {
                self.work(shard, lane);
            }
            Event::Edits { generation, shard, edits } if current(self, generation) => {
                self.write_edits(shard, edits);
            }
            Event::Load { generation, shard, key } if current(self, generation) => {
                self.load(shard, key);
            }
            Event::ServerLearns { generation, shard, line } if current(self, generation) => {
                self.feed(shard, Input::Closed { connection: line });
            }
            Event::Restart { generation } if current(self, generation) => self.restart(),
            Event::Tick { .. }
            | Event::StopOver { .. }
            | Event::Restart { .. }
            | Event::Wake { .. }
            | Event::Work { .. }
            | Event::Edits { .. }
            | Event::Load { .. }
            | Event::ServerLearns { .. } => {}
            Event::Up { line } => self.arrive_up(line),
            Event::Down { line } => self.arrive_down(line),
            Event::DatagramUp { line, frame } => self.datagram_up(line, &frame),
            Event::DatagramDown { line, frame } => self.datagram_down(line, &frame),
            Event::CloseOver { line } => self.close_over(line),
            Event::ClientLearns { person, line } => self.line_lost(person, line),
            Event::RequestArrives { asker, body } => self.request(asker, *body),
            Event::ReplyArrives { asker, reply } => self.reply(asker, *reply),
            Event::Unanswered { asker } => self.no_reply(asker),
            Event::ClientTimer { person } => self.client_timer(person),
            Event::Act { person } => self.act(person),
            Event::Online { person } => self.go_online(person),
            Event::SendBatch { requester, seq } => self.send_batch(requester, seq),
            Event::NextBatch { requester, seq } => self.next_batch(requester, seq),
        }
    }

    /// Asks, again and again until there is an answer.
    fn ask(&mut self, asker: Asker) {
        let body = match &asker {
            Asker::Desk { .. } => Request::Create { title: "simulated".to_owned(), content: false },
            Asker::View { desk } => {
                let DeskLinks { edit, owner, .. } = self.desks[*desk];
                let (Some(desk), Some(key)) = (edit, owner) else { return };
                Request::Link { key, desk, role: Role::Viewer, rotate: false }
            }
            Asker::Join { desk, seat } => {
                let DeskLinks { edit, view, .. } = self.desks[*desk];
                let link = if *seat == Seat::Viewer { view } else { edit };
                let link = link.expect("joining follows the making of the link");
                Request::Join { link, old_key: None, content: false, source: None }
            }
            Asker::Look { desk } => {
                let Some(link) = self.desks[*desk].edit else { return };
                Request::Export { link, deleted: Some(Deleted { key: None }) }
            }
            Asker::Upgrade { .. } | Asker::Batch { .. } => return,
        };
        let delay = self.delay();
        self.agenda.after(delay, Event::RequestArrives { asker, body: Box::new(body) });
    }

    /// The server answered; the answer may be lost on its way.
    pub(crate) fn answered(&mut self, asker: Asker, reply: Reply) {
        let lost = !self.settling && self.chance.once_in(self.plan.cut_once_in);
        let delay = self.delay();
        if lost {
            return self.agenda.after(delay, Event::Unanswered { asker });
        }
        self.agenda.after(delay, Event::ReplyArrives { asker, reply: Box::new(reply) });
    }

    pub(crate) fn unanswered(&mut self, asker: Asker) {
        let delay = self.delay();
        self.agenda.after(delay, Event::Unanswered { asker });
    }

    fn no_reply(&mut self, asker: Asker) {
        match asker {
            Asker::Upgrade { person, attempt } => self.upgraded(person, attempt, None),
            Asker::Batch { .. } => {}
            again => self.ask_again(again),
        }
    }

    fn ask_again(&mut self, asker: Asker) {
        // A creation that was not answered may have happened: another desk is
        // made then, as a person would.
        self.ask(asker);
    }

    fn reply(&mut self, asker: Asker, reply: Reply) {
        match (asker, reply) {
            (Asker::Upgrade { person, attempt }, reply) => {
                self.upgraded(person, attempt, Some(reply));
            }
            (Asker::Batch { requester, seq }, reply) => self.batch_answered(requester, seq, reply),
            (Asker::Desk { desk }, Reply::Joined(joined)) => {
                self.desks[desk].edit = Some(joined.link);
                self.desks[desk].owner = Some(joined.key);
                for _ in 0..self.plan.people {
                    self.ask(Asker::Join { desk, seat: Seat::Editor });
                }
                for _ in 0..self.plan.requesters {
                    self.ask(Asker::Join { desk, seat: Seat::Program });
                }
                if self.plan.viewers > 0 {
                    self.ask(Asker::View { desk });
                }
            }
            (Asker::View { desk }, Reply::Link { link, .. }) => {
                self.desks[desk].view = Some(link);
                for _ in 0..self.plan.viewers {
                    self.ask(Asker::Join { desk, seat: Seat::Viewer });
                }
            }
            (
                Asker::Join { desk, seat: seat @ (Seat::Editor | Seat::Viewer) },
                Reply::Joined(joined),
            ) => {
                let seed = self.chance.next();
                let person = self.people.len();
                let viewer = seat == Seat::Viewer;
                self.people.push(Person::new(desk, viewer, joined.key, seed, self.plan.actions));
                self.pump(person);
                self.agenda.after(self.plan.pause, Event::Act { person });
            }
            (Asker::Join { desk, seat: Seat::Program }, Reply::Joined(joined)) => {
                let requester = self.requesters.len();
                let Plan { import_notes, actions, .. } = self.plan;
                self.requesters.push(Requester::new(desk, &joined, import_notes, actions));
                self.agenda.after(self.plan.pause, Event::SendBatch { requester, seq: 1 });
            }
            (Asker::Look { desk }, Reply::Content(content)) => {
                self.looks.insert(desk, Ok(Desk::clone(&content.desk)));
            }
            (Asker::Look { desk }, Reply::Failed(why)) => {
                self.looks.insert(desk, Err(why));
            }
            (asker, Reply::Failed(ServiceError::Unavailable(why))) => {
                self.refused = Some(why);
                self.ask_again(asker);
            }
            (asker, reply) => self.fail(format!("{asker:?} got {reply:?}")),
        }
    }

    /// Asks the server for every desk and waits for the answers.
    fn look(&mut self) {
        self.looks.clear();
        for desk in 0..self.desks.len() {
            self.ask(Asker::Look { desk });
        }
        let until = self.agenda.now + Duration::from_secs(120);
        while self.failure.is_none() && self.looks.len() < self.desks.len() {
            let Some(event) = self.agenda.next(until) else {
                let why = self.refused;
                return self.fail(format!("the server does not answer at the end: {why:?}"));
            };
            self.happen(event);
        }
    }

    fn verify(&mut self) {
        if self.failure.is_some() {
            return;
        }
        let restless: Vec<_> =
            self.people.iter().enumerate().filter(|(_, p)| !p.is_settled()).collect();
        if let Some((number, person)) = restless.first() {
            let (line, status) = (person.client.line(), person.client.status());
            let pending = person.client.pending();
            return self.fail(format!(
                "person {number} does not settle: {line:?} {status:?}, {pending} pending"
            ));
        }
        self.verify_writable();
        self.look();
        if let Err(what) = self.verify_content() {
            self.fail(what);
        }
    }

    /// Nothing is wrong any more, so changes are taken, without anybody's help.
    fn verify_writable(&mut self) {
        let hosts = self.process.iter().flat_map(|process| &process.hosts);
        let refusing = hosts.filter(|host| !host.keeper.writable().is_yes());
        let states: Vec<_> =
            refusing.map(|host| (host.keeper.writable(), host.keeper.stats())).collect();
        if !states.is_empty() {
            self.fail(format!("changes are refused for nothing: {states:?}"));
        }
    }

    pub(crate) fn refused_changes(&mut self, writable: Writable) {
        self.refusals += u64::from(!writable.is_yes());
    }

    /// What waits between a core and its store is bounded, and is refused in time.
    pub(crate) fn check_kept(&mut self, shard: usize) {
        let most = self.plan.waiting_bytes_max + WAITING_SLACK_BYTES;
        let Some(host) = self.host(shard) else { return };
        let (stats, writable) = (host.keeper.stats(), host.keeper.writable());
        if stats.waiting_bytes > most {
            return self.fail(format!("{} bytes wait for the disk", stats.waiting_bytes));
        }
        if stats.backlog > 0 && writable.is_yes() {
            self.fail("changes are taken while refused records wait".to_owned());
        }
    }

    fn verify_content(&self) -> Result<(), String> {
        for (number, looked) in &self.looks {
            let desk = looked.as_ref().map_err(|why| format!("desk {number}: {why}"))?;
            for (index, person) in self.people.iter().enumerate() {
                if person.desk == *number {
                    let who = format!("person {index}");
                    let replica = person.client.confirmed();
                    match person.viewer {
                        true => self.checker.converged_for_viewers(&who, replica, desk)?,
                        false => self.checker.converged(&who, replica, desk)?,
                    }
                }
            }
            for requester in self.requesters.iter().filter(|r| r.desk == *number) {
                for id in &requester.acknowledged {
                    desk.sticker(*id)
                        .ok_or_else(|| format!("acknowledged sticker {id} is gone"))?;
                }
            }
            self.checker.texts(*number, desk)?;
        }
        Ok(())
    }

    /// A week later everything is gone, from memory and from the disk.
    fn verify_expiry(&mut self) {
        let now = self.agenda.now;
        let until = now + DESK_TTL + Duration::from_secs(3 * 86_400);
        // Nobody looks at a screen for all of that week, so few pings are sent.
        for person in 0..self.people.len() {
            self.people[person].client.set_watched(now, false);
            self.pump(person);
        }
        self.run_while(until, |_| true);
        if self.failure.is_some() {
            return;
        }
        self.agenda.now = self.agenda.now.max(until);
        self.look();
        let alive = self.looks.values().find(|looked| **looked != Err(ServiceError::Expired));
        if let Some(looked) = alive {
            let what = match looked {
                Ok(_) => "a desk is served a week after its time".to_owned(),
                Err(why) => format!("an expired desk is answered: {why}"),
            };
            return self.fail(what);
        }
        let tables = self.process.as_ref().map_or(0, |p| p.owner.manifest().tables.len());
        if tables > 0 {
            self.fail(format!("{tables} tables outlive their bucket"));
        }
    }
}
