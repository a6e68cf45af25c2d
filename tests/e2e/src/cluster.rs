//! A cluster: three nats-servers and three servers over them, on loopback.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::desk::Joined;
use crate::http::{self, Reply};
use crate::islands::Islands;
use crate::server::{Server, Setup};
use crate::wait::eventually;

/// How many there are of each.
pub const MACHINES: usize = 3;

/// Three machines: a nats-server and a server each.
#[derive(Debug)]
pub struct Cluster {
    nats: Vec<Nats>,
    /// The servers, in the order of their names a, b and c.
    pub nodes: Vec<Server>,
    islands: Option<Islands>,
    _folder: TempDir,
}

#[derive(Debug)]
struct Nats {
    config: PathBuf,
    client: SocketAddr,
    namespace: Option<String>,
    child: Option<Child>,
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// The nats-server that `tools/need nats` fetches, else the one in `PATH`.
fn nats_server() -> PathBuf {
    if let Some(path) = std::env::var_os("NATS_SERVER_BIN") {
        return path.into();
    }
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/bin/nats-server");
    if fetched.is_file() { fetched } else { "nats-server".into() }
}

impl Nats {
    fn all(folder: &Path, islands: Option<&Islands>) -> Vec<Self> {
        let address = |number: usize, port: u16| match islands {
            Some(islands) => SocketAddr::new(islands.inner(number), port),
            None => free_address(),
        };
        let addresses: Vec<_> =
            (0..MACHINES).map(|number| (address(number, 4222), address(number, 6222))).collect();
        let routes = addresses.iter().map(|(_, route)| format!("\"nats-route://{route}\""));
        let routes = routes.collect::<Vec<_>>().join(", ");
        let one = |(number, (client, route)): (usize, &(SocketAddr, SocketAddr))| {
            let config = folder.join(format!("nats-{number}.conf"));
            let store = folder.join(format!("nats-{number}"));
            let text = format!(
                "server_name: \"nats-{number}\"\nlisten: \"{client}\"\n\
                 jetstream {{ store_dir: \"{}\", sync_interval: always }}\n\
                 cluster {{ name: \"test\", listen: \"{route}\", routes: [{routes}] }}\n\
                 accounts {{ SYS: {{ users: [{{ user: sys, password: sys }}], exports: [{{ service: \
                     \"$SYS.REQ.SERVER.PING.VARZ\", response: stream, accounts: [DESK] }}] }}, \
                 DESK: {{ jetstream: enabled, users: [{{ user: desk, password: desk }}], imports: \
                     [{{ service: {{ account: SYS, subject: \"$SYS.REQ.SERVER.PING.VARZ\" }} }}] }} }}\n\
                 system_account: SYS\n",
                store.display()
            );
            std::fs::write(&config, text).unwrap();
            let namespace = islands.map(|islands| islands.namespace(number));
            let mut nats = Self { config, client: *client, namespace, child: None };
            nats.up();
            nats
        };
        addresses.iter().enumerate().map(one).collect()
    }

    fn up(&mut self) {
        let mut command = match &self.namespace {
            Some(namespace) => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", namespace]).arg(nats_server());
                command
            }
            None => Command::new(nats_server()),
        };
        command.arg("--config").arg(&self.config).stdin(Stdio::null());
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        self.child = Some(child.expect("nats-server: run tools/need nats"));
        if self.namespace.is_none() {
            eventually("a nats-server", || TcpStream::connect(self.client).ok());
        }
    }

    fn kill9(&mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.kill9();
        }
    }
}

impl Cluster {
    /// Starts all, and waits until every unit is served.
    pub fn start() -> Self {
        Self::start_with(&Setup::default())
    }

    /// Starts all, the servers with these flags, and waits until every unit is served.
    pub fn start_with(setup: &Setup) -> Self {
        Self::start_on(setup, None)
    }

    /// Starts each machine in a network namespace of its own. `None`, and a line that says
    /// why, where none can be made.
    pub fn start_on_islands(name: &str) -> Option<Self> {
        match Islands::make(name, MACHINES) {
            Ok(islands) => Some(Self::start_on(&Setup::default(), Some(islands))),
            Err(why) => {
                eprintln!("SKIPPED, no network namespace can be made here: {why}");
                None
            }
        }
    }

    fn start_on(setup: &Setup, islands: Option<Islands>) -> Self {
        let folder = TempDir::new().unwrap();
        let nats = Nats::all(folder.path(), islands.as_ref());
        let servers: Vec<_> =
            nats.iter().map(|nats| format!("nats://desk:desk@{}", nats.client)).collect();
        let servers = servers.join(",");
        let node = |(number, name): (usize, &&str)| {
            let setup = setup.clone().flag("--cluster", &servers).flag("--node", name);
            let setup = match &islands {
                Some(islands) => {
                    let address = SocketAddr::new(islands.outer(number), 8080);
                    setup.inside(&islands.namespace(number), address)
                }
                None => setup,
            };
            setup.advertised().start()
        };
        let nodes = ["a", "b", "c"].iter().enumerate().map(node).collect();
        let cluster = Self { nats, nodes, islands, _folder: folder };
        cluster.wait_for_units();
        cluster
    }

    /// Waits until the servers that run serve all units.
    pub fn wait_for_units(&self) {
        eventually("owners of all units", || {
            let running = self.nodes.iter().filter(|node| node.is_running());
            let units: u64 = running.map(|node| node.metric("sticker_desk_cluster_units")).sum();
            (units == 64).then_some(())
        });
    }

    /// `kill -9` of a machine: its server and its nats-server.
    pub fn kill9(&mut self, machine: usize) {
        self.nodes[machine].kill();
        self.nats[machine].kill9();
        self.nodes[machine].kill9();
    }

    /// Cuts a machine off the others, or joins it again. People reach it all the time.
    ///
    /// # Panics
    /// If the machines are not on islands.
    pub fn cut(&self, machine: usize, is_cut: bool) {
        self.islands.as_ref().expect("islands").cut(machine, is_cut);
    }

    /// `kill -9` of a machine's nats-server alone.
    pub fn kill_nats(&mut self, machine: usize) {
        self.nats[machine].kill9();
    }

    /// Stops the process of a nats-server, as a machine that stands still, or lets it go on.
    pub fn pause_nats(&self, machine: usize, is_paused: bool) {
        let child = self.nats[machine].child.as_ref().expect("it runs");
        let signal = if is_paused { Signal::STOP } else { Signal::CONT };
        kill_process(Pid::from_child(child), signal).unwrap();
    }

    /// Ends all servers at once, takes their data folders away, and starts them again.
    pub fn lose_all_data(&mut self) {
        self.nodes.iter().for_each(Server::kill);
        for node in &mut self.nodes {
            node.kill9();
            std::fs::remove_dir_all(node.data()).unwrap();
        }
        self.nodes.iter_mut().for_each(Server::up);
        self.wait_for_units();
    }

    /// Starts a machine's nats-server again.
    pub fn nats_up(&mut self, machine: usize) {
        self.nats[machine].up();
    }

    /// Starts a machine that was killed again.
    pub fn up(&mut self, machine: usize) {
        self.nats[machine].up();
        self.nodes[machine].up();
    }

    /// The machine that serves a desk, by the answers of one that runs.
    pub fn owner(&self, id: &str) -> usize {
        eventually("an owner", || {
            let mut running = self.nodes.iter().enumerate().filter(|(_, node)| node.is_running());
            let serves = |node: &Server| http::get(node, &format!("/d/{id}"), &[]).status == 200;
            let joins = |node: &Server| crate::desk::init(node, id).status == 200;
            running.find(|(_, node)| serves(node) && joins(node)).map(|(number, _)| number)
        })
    }

    /// Sends a request to a machine, and to those that it leads to.
    ///
    /// # Panics
    /// If it leads to a machine that is none of these.
    pub fn ask(&self, machine: usize, ask: impl Fn(&Server) -> Reply) -> Reply {
        let reply = ask(&self.nodes[machine]);
        if reply.status != 307 {
            return reply;
        }
        let location = reply.field("Location").expect("a Location");
        let next = self.nodes.iter().find(|node| location.starts_with(&node.url()));
        ask(next.expect("a machine of the cluster"))
    }

    /// Joins a desk by asking a machine, wherever the desk is by then.
    pub fn join(&self, machine: usize, id: &str) -> Joined {
        eventually("a desk that is served", || {
            let reply = self.ask(machine, |node| crate::desk::init(node, id));
            (reply.status == 200).then(|| Joined::of(reply.json()))
        })
    }

    /// The texts on a desk, sorted, by asking a machine.
    pub fn texts(&self, machine: usize, id: &str) -> Vec<String> {
        let target = format!("/api/desk/{id}/export?format=json");
        let desk: Value = eventually("an export", || {
            let reply = self.ask(machine, |node| http::get(node, &target, &[]));
            (reply.status == 200).then(|| reply.json())
        });
        let stickers = desk["stickers"].as_array().unwrap().iter();
        let mut texts: Vec<_> =
            stickers.map(|sticker| sticker["text"].as_str().unwrap().to_owned()).collect();
        texts.sort();
        texts
    }
}
