//! Three machines on this one: a nats-server and a server of ours each, on whichever cores
//! have time.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::park_timeout;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use desk_gateway_http::http::client::{Answer, AnswerReader, request};

use crate::clock::Clock;
use crate::limits::{MESSAGE_BYTES_MAX, PATIENCE};
use crate::process::{Memory, Subject, cpu_ns};
use crate::subject::{Places, free_address};

/// How many there are.
pub const MACHINES: usize = 3;

/// Units of a cluster.
const UNITS: u64 = 64;

/// How long no unit has moved once all have found their machine.
const STAY: Duration = Duration::from_secs(8);

/// The pause between two looks at what is waited for.
const LOOK: Duration = Duration::from_millis(100);

/// Three machines; ended when dropped.
#[derive(Debug)]
pub struct Machines {
    nats: Vec<Nats>,
    nodes: Vec<Node>,
    folder: PathBuf,
}

#[derive(Debug)]
struct Nats {
    program: PathBuf,
    config: PathBuf,
    child: Option<Child>,
}

#[derive(Debug)]
struct Node {
    server: PathBuf,
    arguments: Vec<String>,
    address: String,
    process: Option<Subject>,
}

impl Machines {
    /// Starts all on empty folders, and waits until every unit is served.
    pub fn start(places: &Places) -> Result<Self> {
        let folder = places.data.clone();
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        let settings = folder.join("bench.toml");
        fs::write(&settings, places.settings(false))?;
        let (nats, servers) = Nats::all(places, &folder)?;
        let node = |name: &str| -> Result<Node> {
            let address = free_address()?;
            let data = folder.join(name);
            let advertise = format!("http://{address}");
            let quic = free_address()?;
            let arguments = [
                ["serve", "--shards"],
                ["1", "--listen"],
                [&address, "--quic"],
                [&quic, "--config"],
                [path(&settings)?, "--data"],
                [path(&data)?, "--cluster"],
                [&servers, "--node"],
                [name, "--advertise"],
            ];
            let mut arguments: Vec<String> =
                arguments.into_iter().flatten().map(str::to_owned).collect();
            arguments.push(advertise);
            Ok(Node { server: places.server.clone(), arguments, address, process: None })
        };
        let nodes = ["a", "b", "c"].map(node).into_iter().collect::<Result<Vec<_>>>()?;
        let mut machines = Self { nats, nodes, folder };
        for machine in 0..MACHINES {
            machines.nodes[machine].up()?;
        }
        machines.wait_for_units()?;
        machines.settle()?;
        Ok(machines)
    }

    /// Waits until no unit has moved for a while: the first machine takes all of them, and
    /// gives the others theirs.
    fn settle(&self) -> Result<()> {
        let (mut before, mut clock) = (Vec::new(), Clock::start());
        wait("units that stay", || {
            let units = |machine| self.metric(machine, "sticker_desk_cluster_units");
            let units = (0..MACHINES).map(units).collect::<Result<Vec<_>>>()?;
            if units != before {
                (before, clock) = (units, Clock::start());
            }
            let is_shared = before.iter().all(|units| *units > 0);
            Ok((is_shared && clock.elapsed() > STAY).then_some(()))
        })
    }

    /// Where a server listens.
    pub fn address(&self, machine: usize) -> &str {
        &self.nodes[machine].address
    }

    /// `kill -9` of a server and its nats-server.
    pub fn kill(&mut self, machine: usize) -> Result<()> {
        if let Some(node) = self.nodes[machine].process.take() {
            node.kill()?;
        }
        self.kill_nats(machine)
    }

    /// `kill -9` of a nats-server alone.
    pub fn kill_nats(&mut self, machine: usize) -> Result<()> {
        self.nats[machine].kill()
    }

    /// Takes a server, to be stopped.
    pub fn take(&mut self, machine: usize) -> Result<Subject> {
        self.nodes[machine].process.take().context("the server runs")
    }

    /// Starts what does not run of a machine, and waits until every unit has found its
    /// machine.
    pub fn up(&mut self, machine: usize) -> Result<()> {
        self.nats[machine].up()?;
        if self.nodes[machine].process.is_none() {
            self.nodes[machine].up()?;
        }
        self.wait_for_units()?;
        self.settle()
    }

    /// The machine that serves a desk.
    pub fn owner(&self, desk: &str) -> Result<usize> {
        wait("an owner of the desk", || {
            for machine in 0..MACHINES {
                let target = format!("/d/{desk}");
                if self.nodes[machine].process.is_some()
                    && get(self.address(machine), &target)?.status.0 == 200
                {
                    return Ok(Some(machine));
                }
            }
            Ok(None)
        })
    }

    /// The sum of a metric's lines.
    pub fn metric(&self, machine: usize, name: &str) -> Result<u64> {
        let answer = get(self.address(machine), "/metrics")?;
        let text = String::from_utf8(answer.body)?;
        let values = text.lines().filter(|line| {
            line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']))
        });
        let value =
            |line: &str| line.rsplit(' ').next().and_then(|number| number.parse::<u64>().ok());
        values.map(|line| value(line).with_context(|| line.to_owned())).sum::<Result<u64>>()
    }

    /// Processor time so far of all servers of ours, and of all nats-servers, in nanoseconds.
    pub fn cpu_ns(&self) -> Result<(u64, u64)> {
        let nodes = self.nodes.iter().filter_map(|node| node.process.as_ref());
        let nats = self.nats.iter().filter_map(|nats| nats.child.as_ref());
        let nodes = nodes.map(Subject::cpu_ns).sum::<Result<u64>>()?;
        let nats = nats.map(|child| cpu_ns(child.id())).sum::<Result<u64>>()?;
        Ok((nodes, nats))
    }

    /// The resident memory of each nats-server, in KiB.
    pub fn nats_memory(&self) -> Result<Vec<u64>> {
        let children = self.nats.iter().filter_map(|nats| nats.child.as_ref());
        children.map(|child| Ok(Memory::of(child.id())?.resident_kib)).collect()
    }

    fn wait_for_units(&self) -> Result<()> {
        wait("owners of all units", || {
            let mut units = 0;
            for machine in 0..MACHINES {
                if self.nodes[machine].process.is_some() {
                    units += self.metric(machine, "sticker_desk_cluster_units")?;
                }
            }
            Ok((units == UNITS).then_some(()))
        })
    }
}

impl Drop for Machines {
    fn drop(&mut self) {
        self.nodes.clear();
        self.nats.clear();
        // The next run begins by removing it, too.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Node {
    fn up(&mut self) -> Result<()> {
        let mut command = Command::new(&self.server);
        command.args(&self.arguments).env("STICKER_DESK_LOG", "error");
        self.process = Some(Subject::start_anywhere(command)?);
        Ok(())
    }
}

impl Nats {
    /// Starts all; says where they are.
    fn all(places: &Places, folder: &Path) -> Result<(Vec<Self>, String)> {
        // As `tools/need nats` fetches it, beside the build's profiles.
        let target = places.own.parent().and_then(Path::parent).context("a build's folder")?;
        let fetched = target.join("tools/bin/nats-server");
        let program = if fetched.is_file() { fetched } else { "nats-server".into() };
        let (mut clients, mut routes) = (Vec::new(), Vec::new());
        for _ in 0..MACHINES {
            clients.push(free_address()?);
            routes.push(free_address()?);
        }
        let all: Vec<_> = routes.iter().map(|route| format!("\"nats-route://{route}\"")).collect();
        let mut nats = Vec::new();
        for (number, (client, route)) in clients.iter().zip(&routes).enumerate() {
            let config = folder.join(format!("nats-{number}.conf"));
            let text = format!(
                "server_name: \"nats-{number}\"\nlisten: \"{client}\"\n\
                 jetstream {{ store_dir: \"{}\", sync_interval: always }}\n\
                 cluster {{ name: \"bench\", listen: \"{route}\", routes: [{}] }}\n\
                 accounts {{ SYS: {{ users: [{{ user: sys, password: sys }}], exports: [{{ \
                   service: \"$SYS.REQ.SERVER.PING.VARZ\", response: stream, accounts: [DESK] \
                   }}] }}, DESK: {{ jetstream: enabled, users: [{{ user: desk, password: desk \
                   }}], imports: [{{ service: {{ account: SYS, subject: \
                   \"$SYS.REQ.SERVER.PING.VARZ\" }} }}] }} }}\nsystem_account: SYS\n",
                folder.join(format!("nats-{number}")).display(),
                all.join(", ")
            );
            fs::write(&config, text)?;
            let mut one = Self { program: program.clone(), config, child: None };
            one.up()?;
            nats.push(one);
        }
        let servers: Vec<_> =
            clients.iter().map(|client| format!("nats://desk:desk@{client}")).collect();
        Ok((nats, servers.join(",")))
    }

    fn up(&mut self) -> Result<()> {
        if self.child.is_none() {
            let mut command = Command::new(&self.program);
            command.arg("--config").arg(&self.config).stdin(Stdio::null());
            let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
            self.child = Some(child.context("no nats-server; `tools/need nats` fetches it")?);
        }
        Ok(())
    }

    fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.kill();
    }
}

fn path(path: &Path) -> Result<&str> {
    path.to_str().context("the path is no UTF-8")
}

/// Waits until something is so.
///
/// # Errors
/// It takes too long, or looking fails even then.
pub fn wait<T>(what: &str, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let clock = Clock::start();
    loop {
        match look() {
            Ok(Some(found)) => return Ok(found),
            Err(error) if clock.elapsed() > PATIENCE => return Err(error),
            Ok(None) if clock.elapsed() > PATIENCE => bail!("{what} did not come in time"),
            Ok(None) | Err(_) => park_timeout(LOOK),
        }
    }
}

/// A GET on a connection of its own.
fn get(address: &str, target: &str) -> Result<Answer> {
    let mut stream = TcpStream::connect(address).with_context(|| address.to_owned())?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(&request("GET", target, address, &[("Connection", "close")], b""))?;
    let mut reader = AnswerReader::new(MESSAGE_BYTES_MAX);
    let mut buffer = [0; 8_192];
    loop {
        let length = stream.read(&mut buffer)?;
        ensure!(length > 0, "no answer to GET {target}");
        if let Some(answer) = reader.handle_bytes(&buffer[..length])? {
            return Ok(answer);
        }
    }
}
