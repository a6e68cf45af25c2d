//! Real nats-servers on loopback, and nodes without desks.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use async_nats::ConnectOptions;
use desk_nats::{
    Epoch, Event, Handle, Key, Record, SessionKey, Settings, StartError, State, UnitId, What, start,
};
use desk_protocol::Time;

/// How long anything may take that should be soon: three servers and three nodes share
/// two cores.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

/// When records expire that a test counts on.
pub(crate) const LATER: Time = Time::from_unix_seconds(4_000_000_000);

/// Three nats-servers of one cluster, in a folder of their own.
pub(crate) struct Servers {
    folder: PathBuf,
    ports: [u16; 3],
    children: [Option<Child>; 3],
}

impl Servers {
    /// Starts three servers. Without `syncs` they acknowledge before their disks have a
    /// message.
    pub(crate) fn start(name: &str, syncs: bool) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        let folder = folder.join(format!("{name}-{}", std::process::id()));
        let ports = free_ports();
        let routes: Vec<String> =
            ports[3..].iter().map(|port| format!("nats://127.0.0.1:{port}")).collect();
        for at in 0..3 {
            let store = folder.join(at.to_string());
            fs::create_dir_all(&store).unwrap();
            let sync = if syncs { "sync_interval: always" } else { "" };
            let text = format!(
                "server_name: n{at}\n\
                 listen: 127.0.0.1:{}\n\
                 jetstream {{ store_dir: \"{}\", max_file_store: 8G, {sync} }}\n\
                 cluster {{ name: desk, listen: 127.0.0.1:{}, routes: [{}] }}\n\
                 accounts {{\n\
                   SYS: {{ users: [{{ user: sys, password: sys }}], exports: [{{ service: \
                     \"$SYS.REQ.SERVER.PING.VARZ\", response: stream, accounts: [DESK] }}] }}\n\
                   DESK: {{ jetstream: enabled, users: [{{ user: desk, password: secret }}], \
                     imports: [{{ service: {{ account: SYS, subject: \
                     \"$SYS.REQ.SERVER.PING.VARZ\" }} }}] }}\n\
                 }}\n\
                 system_account: SYS\n",
                ports[at],
                store.display(),
                ports[3 + at],
                routes.join(", "),
            );
            fs::write(folder.join(format!("{at}.conf")), text).unwrap();
        }
        let ports = [ports[0], ports[1], ports[2]];
        let mut servers = Self { folder, ports, children: [None, None, None] };
        (0..3).for_each(|at| servers.start_one(at));
        servers
    }

    pub(crate) fn start_one(&mut self, at: usize) {
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder.join(format!("{at}.log")))
            .unwrap();
        let child = Command::new(binary())
            .arg("-c")
            .arg(self.folder.join(format!("{at}.conf")))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("nats-server starts; tools/need nats fetches it");
        self.children[at] = Some(child);
    }

    /// Ends a server as a power cut does.
    pub(crate) fn kill(&mut self, at: usize) {
        if let Some(mut child) = self.children[at].take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Bytes of all lanes' streams, on one server.
    pub(crate) fn lane_bytes(&self) -> u64 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let options =
                ConnectOptions::new().user_and_password("desk".to_owned(), "secret".to_owned());
            let client = options.connect(self.addresses(0)).await.unwrap();
            let list = client.request("$JS.API.STREAM.LIST", "".into()).await.unwrap();
            let list: serde_json::Value = serde_json::from_slice(&list.payload).unwrap();
            let streams = list["streams"].as_array().unwrap().iter();
            let is_lane = |name: &serde_json::Value| name.as_str().unwrap().starts_with("OPS_");
            let lanes = streams.filter(|stream| is_lane(&stream["config"]["name"]));
            lanes.map(|stream| stream["state"]["bytes"].as_u64().unwrap()).sum()
        })
    }

    /// Addresses, with that server's first.
    pub(crate) fn addresses(&self, first: usize) -> Vec<String> {
        let each = (0..3).map(|at| self.ports[(first + at) % 3]);
        each.map(|port| format!("nats://desk:secret@127.0.0.1:{port}")).collect()
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        (0..3).for_each(|at| self.kill(at));
        if !std::thread::panicking() {
            drop(fs::remove_dir_all(&self.folder));
        }
    }
}

/// The server's program: as told, as fetched, or as installed.
fn binary() -> PathBuf {
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/bin/nats-server");
    match std::env::var_os("NATS_SERVER_BIN") {
        Some(path) => path.into(),
        None if fetched.exists() => fetched,
        None => "nats-server".into(),
    }
}

fn free_ports() -> [u16; 6] {
    let listeners: [TcpListener; 6] =
        std::array::from_fn(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    std::array::from_fn(|at| listeners[at].local_addr().unwrap().port())
}

/// The settings of a node that is near one server.
pub(crate) fn settings(servers: &Servers, name: &str, near: usize) -> Settings {
    let mut seed = [7; 32];
    seed[..name.len()].copy_from_slice(name.as_bytes());
    Settings {
        servers: servers.addresses(near),
        credentials: None,
        authority: None,
        node: name.to_owned(),
        advertise: format!("https://{name}.example.org"),
        quic: None,
        desk_ttl_s: 604_800,
        bucket_s: 3_600,
        session_key: SessionKey(seed),
        seed,
        lane_bytes_max: 64 << 20,
    }
}

/// A node that keeps records in memory.
pub(crate) struct Peer {
    pub(crate) handle: Handle,
    pub(crate) session_key: SessionKey,
    events: Receiver<Event>,
    pub(crate) store: BTreeMap<UnitId, Vec<Record>>,
    /// By unit: the last sequence that was appended, durable or not.
    pub(crate) memory: BTreeMap<UnitId, u64>,
    pub(crate) owned: BTreeMap<UnitId, Epoch>,
    pub(crate) taken: usize,
    /// States that are asked for. A test keeps what is acknowledged when it has listened,
    /// so they are answered when it listens again.
    asked: Vec<(UnitId, Epoch, Vec<Key>)>,
    /// States that the lanes were cleaned by.
    pub(crate) shown: usize,
    pub(crate) acknowledged: Vec<(UnitId, u64)>,
    pub(crate) notices: Vec<String>,
    pub(crate) failed: Option<String>,
}

impl Peer {
    /// # Errors
    /// It cannot join.
    pub(crate) fn join(settings: Settings) -> Result<Self, StartError> {
        let (tell, events) = channel();
        let (handle, joined) = start(settings, move |event| drop(tell.send(event)))?;
        Ok(Self {
            handle,
            session_key: joined.session_key,
            events,
            store: BTreeMap::new(),
            memory: BTreeMap::new(),
            owned: BTreeMap::new(),
            taken: 0,
            asked: Vec::new(),
            shown: 0,
            acknowledged: Vec::new(),
            notices: Vec::new(),
            failed: None,
        })
    }

    /// Puts a record into the store, if it is not there: a unit here has one key.
    pub(crate) fn keep(&mut self, unit: UnitId, record: Record) {
        let store = self.store.entry(unit).or_default();
        let last = store.last().map_or(0, |known| known.sequence);
        if record.sequence > last {
            assert_eq!(record.sequence, last + 1, "unit {unit} has a gap");
            store.push(record);
        } else {
            let known = &store[record.sequence as usize - 1];
            let is_empty = known.what == What::Entry(Vec::new());
            assert!(*known == record || is_empty, "two contents of one sequence");
        }
    }

    /// All that was acknowledged of a key, whose contents are not kept here: a count.
    fn state(&self, unit: UnitId, key: Key) -> Option<State> {
        let last = self.store.get(&unit)?.last().filter(|last| last.key == key)?;
        let bytes = last.sequence.to_string().into_bytes();
        Some(State { key, sequence: last.sequence, expires_at: LATER, bytes: Some(bytes) })
    }

    /// Takes a state in the place of all records that it covers.
    fn adopt(&mut self, unit: UnitId, state: &State) {
        assert_eq!(state.bytes, Some(state.sequence.to_string().into_bytes()));
        let store = self.store.entry(unit).or_default();
        let record = |sequence| Record {
            key: state.key,
            sequence,
            expires_at: LATER,
            what: What::Entry(Vec::new()),
        };
        store.extend((store.len() as u64 + 1..=state.sequence).map(record));
    }

    /// Takes what happens for so long.
    pub(crate) fn listen(&mut self, time: Duration) {
        for (unit, epoch, keys) in std::mem::take(&mut self.asked) {
            self.shown += keys.len();
            let states = keys.into_iter().map(|key| self.state(unit, key)).collect();
            self.handle.shown(unit, epoch, states);
        }
        let end = now() + time;
        loop {
            let event = match self.events.recv_timeout(end.saturating_duration_since(now())) {
                Ok(event) => event,
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return,
            };
            match event {
                Event::Records { unit, epoch, records } => {
                    // As a store does, which has no bucket for what has expired.
                    let lasting = records.into_iter().filter(|record| record.expires_at == LATER);
                    lasting.for_each(|record| self.keep(unit, record));
                    self.handle.absorbed(unit, epoch);
                }
                Event::States { unit, epoch, states } => {
                    states.into_iter().for_each(|state| self.adopt(unit, &state));
                    self.handle.absorbed(unit, epoch);
                }
                Event::Show { unit, epoch, keys } => self.asked.push((unit, epoch, keys)),
                Event::Owned { unit, epoch } => {
                    self.taken += 1;
                    self.owned.insert(unit, epoch);
                    let last = self.store.get(&unit).and_then(|all| all.last());
                    self.memory.insert(unit, last.map_or(0, |record| record.sequence));
                }
                Event::Deposed { unit, .. } => drop(self.owned.remove(&unit)),
                Event::Acknowledged { unit, ticket } => self.acknowledged.push((unit, ticket)),
                Event::Quarantine { why, .. } => panic!("quarantine: {why}; {:?}", self.notices),
                Event::Failed(why) => self.failed = Some(why),
                Event::Notice(why) => self.notices.push(why),
                Event::Unwritable { unit, why } => self.notices.push(format!("{unit}: {why}")),
                Event::Writable { .. }
                | Event::Suspect { .. }
                | Event::Trusted { .. }
                | Event::Asked { .. }
                | Event::Kept { .. }
                | Event::Told { .. }
                | Event::Members => {}
            }
        }
    }
}

/// Lets peers hear until something is so.
pub(crate) fn until(what: &str, peers: &mut [&mut Peer], is: impl Fn(&[&mut Peer]) -> bool) {
    let begun = now();
    while !is(peers) {
        let notices: Vec<&String> = peers.iter().flat_map(|peer| &peer.notices).collect();
        assert!(begun.elapsed() < PATIENCE, "waited in vain for: {what}; {notices:?}");
        peers.iter_mut().for_each(|peer| peer.listen(Duration::from_millis(5)));
    }
}

#[expect(clippy::disallowed_methods, reason = "a rig measures real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
