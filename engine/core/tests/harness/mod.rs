//! Drives one shard by hand: a log that becomes durable when told, a store that
//! answers when told, connections that collect what they are sent.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test file uses its own part"
)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use desk_engine_core::service::{Deleted, Joined};
use desk_engine_core::shard::Loaded;
use desk_engine_core::*;
use desk_protocol::codec::{self, Decoded};
use desk_protocol::frame::{ClientFrame, CloseCode, Hello, ServerFrame, Submit};
use desk_protocol::*;

pub const START: Time = Time::from_unix_seconds(1_700_000_000);

/// What the store keeps desks for, whenever they are made.
pub const WEEK: Lifetime =
    Lifetime { first: 0, end: 1 << 32, lasts: Duration::from_secs(7 * 86_400) };

/// A sequence and the bytes of its entry.
type LogEntry = (u64, Vec<u8>);

pub struct World {
    pub shard: Shard,
    pub now: Time,
    /// What is durable: log entries by key, and stored records.
    pub log: BTreeMap<LinkId, Vec<LogEntry>>,
    pub tables: BTreeMap<LinkId, StoredRecord>,
    appended: Vec<(LogPosition, LinkId, Option<LogEntry>)>,
    pub replies: BTreeMap<RequestId, Reply>,
    pub sent: BTreeMap<ConnectionId, Vec<ServerFrame>>,
    pub closed: BTreeMap<ConnectionId, CloseCode>,
    pub paused: Vec<ConnectionId>,
    /// Frames that are to be repeated as datagrams, by connection.
    pub repeated: BTreeMap<ConnectionId, usize>,
    /// Connections that were asked for a sign of life.
    pub probed: Vec<ConnectionId>,
    /// Whether commits of the log happen by themselves.
    pub auto_commit: bool,
    /// Whether connections read what they are sent.
    pub reading: bool,
    /// Whether records are stored by themselves, and those that wait for it.
    pub storing: bool,
    pub to_store: Vec<(LinkId, u64, StoredRecord)>,
    /// What looking for a key finds, other than what it has.
    pub unreadable: BTreeMap<LinkId, fn() -> Loaded>,
    /// Keys that were looked for.
    pub loads: Vec<LinkId>,
    /// Whether the store answers by itself what it is asked for.
    pub loading: bool,
    to_load: Vec<LinkId>,
    clustered: bool,
    next: u64,
}

pub fn config() -> ShardConfig {
    ShardConfig {
        index: 0,
        placement: Placement::new(1),
        session_idle: Duration::from_secs(900),
        memory_bytes: 1 << 30,
        limits: Default::default(),
    }
}

/// A shard whose store keeps desks for a week.
fn shard(config: ShardConfig, seed: u8) -> Shard {
    let mut shard = Shard::new(config, Keyring::new([1; 32]), [seed; 32]);
    shard.handle(START, Input::Lifetimes(vec![WEEK]));
    shard
}

impl World {
    pub fn new() -> Self {
        Self::with(config())
    }

    pub fn with(config: ShardConfig) -> Self {
        Self {
            shard: shard(config, 2),
            now: START,
            log: BTreeMap::new(),
            tables: BTreeMap::new(),
            appended: Vec::new(),
            replies: BTreeMap::new(),
            sent: BTreeMap::new(),
            closed: BTreeMap::new(),
            paused: Vec::new(),
            repeated: BTreeMap::new(),
            probed: Vec::new(),
            auto_commit: true,
            reading: true,
            storing: true,
            to_store: Vec::new(),
            unreadable: BTreeMap::new(),
            loads: Vec::new(),
            loading: true,
            to_load: Vec::new(),
            clustered: false,
            next: 0,
        }
    }

    /// A machine of a cluster: what it appends is acknowledged a unit at a time.
    pub fn of_cluster(config: ShardConfig) -> Self {
        let mut world = Self::with(config.clone());
        world.shard = Shard::of_cluster(config, Keyring::new([1; 32]), [2; 32]);
        world.shard.handle(START, Input::Lifetimes(vec![WEEK]));
        world.clustered = true;
        world
    }

    /// Another process on what this one made durable.
    pub fn restart(self, config: ShardConfig) -> Self {
        let mut next = Self::with(config.clone());
        next.shard = shard(config, 3);
        (next.now, next.log, next.tables) = (self.now, self.log, self.tables);
        next.next = self.next;
        next
    }

    pub fn input(&mut self, input: Input) {
        self.shard.handle(self.now, input);
        self.turn();
    }

    /// Carries out all outputs; commits the log if that goes by itself.
    pub fn turn(&mut self) {
        loop {
            while let Some(output) = self.shard.poll_output() {
                self.carry_out(output);
            }
            if !self.auto_commit || self.appended.is_empty() {
                return;
            }
            self.commit();
        }
    }

    /// Makes durable what was appended.
    pub fn commit(&mut self) {
        if self.clustered {
            return (0..UNITS).for_each(|unit| self.commit_unit(unit));
        }
        let appended = std::mem::take(&mut self.appended);
        if let Some(position) = self.keep(appended) {
            self.tell(Input::Durable { position });
        }
    }

    /// Acknowledges what a unit's desks appended.
    pub fn commit_unit(&mut self, of: u16) {
        let appended = std::mem::take(&mut self.appended);
        let (taken, left) = appended.into_iter().partition(|(_, key, _)| unit(*key) == of);
        self.appended = left;
        if let Some(position) = self.keep(taken) {
            self.tell(Input::Acknowledged { unit: of, position });
        }
    }

    fn keep(
        &mut self,
        appended: Vec<(LogPosition, LinkId, Option<LogEntry>)>,
    ) -> Option<LogPosition> {
        let mut newest = None;
        for (position, key, entry) in appended {
            match entry {
                Some(entry) => self.log.entry(key).or_default().push(entry),
                None => {
                    self.log.remove(&key);
                    self.tables.remove(&key);
                }
            }
            newest = Some(position);
        }
        newest
    }

    fn tell(&mut self, input: Input) {
        self.shard.handle(self.now, input);
        while let Some(output) = self.shard.poll_output() {
            self.carry_out(output);
        }
    }

    /// Stores what the shard gave for it.
    pub fn store_all(&mut self) {
        for (key, sequence, record) in std::mem::take(&mut self.to_store) {
            self.tables.insert(key, record);
            if let Some(entries) = self.log.get_mut(&key) {
                entries.retain(|(at, _)| *at > sequence);
            }
            self.shard.handle(self.now, Input::Stored { key, sequence });
        }
    }

    /// Answers what the store was asked for.
    pub fn load_all(&mut self) {
        for key in std::mem::take(&mut self.to_load) {
            let record = self.tables.get(&key).cloned().map(Box::new);
            let entries = self.log.get(&key).cloned().unwrap_or_default();
            let found = if let Some(unreadable) = self.unreadable.get(&key) {
                unreadable()
            } else if record.is_none() && entries.is_empty() {
                Loaded::Missing
            } else {
                Loaded::Record { record, entries }
            };
            self.shard.handle(self.now, Input::Loaded { key, found });
        }
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Append { position, key, sequence, entry, .. } => {
                self.appended.push((position, key, Some((sequence, entry))));
            }
            Output::Forget { position, key, .. } => self.appended.push((position, key, None)),
            Output::Load { key } => {
                self.loads.push(key);
                self.to_load.push(key);
                if self.loading {
                    self.load_all();
                }
            }
            Output::Store { key, sequence, record } => {
                self.to_store.push((key, sequence, *record));
                if self.storing {
                    self.store_all();
                }
            }
            Output::Send { connection, frame, way } => {
                if way == Way::Repeated {
                    *self.repeated.entry(connection).or_default() += 1;
                }
                let Ok(Decoded::Frame(length, Some(decoded))) = codec::decode_server(&frame) else {
                    panic!("the shard sent something unreadable")
                };
                assert_eq!(length, frame.len());
                self.sent.entry(connection).or_default().push(decoded);
                if self.reading {
                    let bytes = frame.len();
                    self.shard.handle(self.now, Input::Sent { connection, bytes });
                }
            }
            Output::Close { connection, code } => {
                self.closed.insert(connection, code);
            }
            Output::Probe { connection } => self.probed.push(connection),
            Output::Pause { connection } => self.paused.push(connection),
            Output::Resume { connection } => self.paused.retain(|other| *other != connection),
            Output::Reply { request, reply } => {
                assert!(self.replies.insert(request, reply).is_none(), "answered twice");
            }
        }
    }

    pub fn advance(&mut self, by: Duration) {
        let until = self.now + by;
        while let Some((at, _)) = self.shard.poll_timeout().filter(|(at, _)| *at <= until) {
            self.now = self.now.max(at);
            self.shard.handle_timeout(self.now);
            self.turn();
        }
        self.now = until;
    }

    pub fn ask_later(&mut self, body: Request) -> RequestId {
        self.next += 1;
        let request = RequestId(self.next);
        self.input(Input::Request { request, body: Box::new(body) });
        request
    }

    pub fn ask(&mut self, body: Request) -> Reply {
        let request = self.ask_later(body);
        self.replies.remove(&request).expect("the request was answered at once")
    }

    pub fn create(&mut self) -> Joined {
        match self.ask(Request::Create { title: "Retro".to_owned(), content: true }) {
            Reply::Joined(joined) => *joined,
            other => panic!("{other:?}"),
        }
    }

    pub fn join(&mut self, link: LinkId) -> Joined {
        self.join_as(link, None)
    }

    pub fn join_as(&mut self, link: LinkId, old_key: Option<SessionKey>) -> Joined {
        match self.ask(Request::Join { link, old_key, content: false, source: None }) {
            Reply::Joined(joined) => *joined,
            other => panic!("{other:?}"),
        }
    }

    pub fn failure(&mut self, body: Request) -> ServiceError {
        match self.ask(body) {
            Reply::Failed(why) => why,
            other => panic!("expected a failure, got {other:?}"),
        }
    }

    /// Opens a connection and says hello.
    pub fn connect(&mut self, key: SessionKey, number: u64, since: Option<u64>) -> ConnectionId {
        self.greet(key, number, since, false)
    }

    /// The same; `repeats`: commits may come in datagrams, too.
    pub fn greet(
        &mut self,
        key: SessionKey,
        number: u64,
        since: Option<u64>,
        repeats: bool,
    ) -> ConnectionId {
        self.next += 1;
        let connection = ConnectionId(self.next);
        self.input(Input::Opened { connection, key: Some(key) });
        self.send(
            connection,
            &ClientFrame::Hello(Hello {
                session_key: key.to_string(),
                connection: number,
                revision: since.map(Revision),
                user: "ann".to_owned(),
                repeats,
            }),
        );
        connection
    }

    pub fn send(&mut self, connection: ConnectionId, frame: &ClientFrame) {
        let mut bytes = Vec::new();
        codec::encode_client(frame, &mut bytes);
        let used = self.shard.receive(self.now, connection, &bytes);
        assert_eq!(used, bytes.len());
        self.turn();
    }

    /// Sends a frame in a datagram. Says whether it was of use.
    pub fn cast(&mut self, connection: ConnectionId, frame: &ClientFrame) -> bool {
        let mut bytes = Vec::new();
        codec::encode_client(frame, &mut bytes);
        let used = self.shard.receive_datagram(self.now, connection, &bytes);
        self.turn();
        used
    }

    pub fn submit(&mut self, to: ConnectionId, seq: u64, base: u64, operations: Vec<Operation>) {
        self.send(to, &ClientFrame::Submit(submit(seq, base, operations)));
    }

    /// What a connection was sent since the last look.
    pub fn take(&mut self, connection: ConnectionId) -> Vec<ServerFrame> {
        self.sent.remove(&connection).unwrap_or_default()
    }

    pub fn sync(&mut self, key: SessionKey, seq: u64, base: u64, ops: Vec<Operation>) -> Reply {
        let submit = submit(seq, base, ops);
        self.ask(Request::Sync { key, user: "ann".to_owned(), submit, base_texts: Vec::new() })
    }

    /// The content of a desk, by an edit or owner link.
    pub fn content(&mut self, link: LinkId) -> Desk {
        let deleted = Some(Deleted { key: None });
        match self.ask(Request::Export { link, deleted }) {
            Reply::Content(content) => Desk::clone(&content.desk),
            other => panic!("{other:?}"),
        }
    }
}

pub fn submit(seq: u64, base: u64, operations: Vec<Operation>) -> Submit {
    let base = Revision(base);
    Submit { client_seq: ClientSeq(seq), base, made_at: base, operations }
}

pub fn create(id: u64, text: &str) -> Operation {
    Operation::Create(Create {
        id: StickerId(id),
        position: Point { x: 0, y: 0 },
        size: Size::default(),
        color: Color::default(),
        text: text.to_owned(),
        ..Create::default()
    })
}

pub fn move_to(id: u64, x: i32) -> Operation {
    Operation::Set { id: StickerId(id), write: Write::Position(Point { x, y: 0 }), yielding: false }
}

pub fn type_at(id: u64, at: u32, text: &str) -> Operation {
    let parts = [text::Part::Retain(at), text::Part::insert(text)];
    Operation::EditText { id: StickerId(id), delta: Delta::from_parts(parts).unwrap() }
}

pub fn commits(frames: &[ServerFrame]) -> Vec<u64> {
    frames
        .iter()
        .filter_map(|frame| match frame {
            ServerFrame::Commit(commit) => Some(commit.revision.0),
            _ => None,
        })
        .collect()
}

/// Puts a snapshot's chunks together.
pub fn assemble(frames: &[ServerFrame]) -> Option<Desk> {
    let mut bytes = Vec::new();
    for frame in frames {
        if let ServerFrame::SnapshotChunk(chunk) = frame {
            assert_eq!(chunk.offset as usize, bytes.len());
            bytes.extend_from_slice(&chunk.bytes);
            if bytes.len() == chunk.total as usize {
                return Some(Desk::from_parts(codec::decode_snapshot(&bytes).unwrap()).unwrap());
            }
        }
    }
    None
}

pub fn frames_of(frames: &[Arc<[u8]>]) -> Vec<ServerFrame> {
    frames
        .iter()
        .map(|bytes| match codec::decode_server(bytes) {
            Ok(Decoded::Frame(_, Some(frame))) => frame,
            other => panic!("{other:?}"),
        })
        .collect()
}
