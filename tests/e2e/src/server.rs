//! The real binary, started, killed and started again on one data folder.

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::volume::Volume;
use crate::wait::{eventually, now};

/// How a server is started.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    flags: Vec<String>,
    limits: Vec<String>,
    advertised: bool,
    inside: Option<(String, SocketAddr)>,
    descriptors: Option<usize>,
}

impl Setup {
    /// With a flag and its value.
    #[must_use]
    pub fn flag(mut self, name: &str, value: &str) -> Self {
        self.flags.extend([name.to_owned(), value.to_owned()]);
        self
    }

    /// With a flag that takes no value.
    #[must_use]
    pub fn switch(mut self, name: &str) -> Self {
        self.flags.push(name.to_owned());
        self
    }

    /// As a machine of a cluster, which tells the others its address.
    #[must_use]
    pub fn advertised(mut self) -> Self {
        self.advertised = true;
        self
    }

    /// In a network namespace, at this address and, for QUIC, at the next port.
    #[must_use]
    pub fn inside(mut self, namespace: &str, address: SocketAddr) -> Self {
        self.inside = Some((namespace.to_owned(), address));
        self
    }

    /// With so many descriptors at most.
    #[must_use]
    pub fn descriptors(mut self, count: usize) -> Self {
        self.descriptors = Some(count);
        self
    }

    /// With a limit of the configuration's `[limits]`, as TOML.
    #[must_use]
    pub fn limit(mut self, name: &str, value: &str) -> Self {
        self.limits.push(format!("{name} = {value}"));
        self
    }

    /// Starts a server on a new data folder.
    pub fn start(self) -> Server {
        Server::start(self, TempDir::new().unwrap(), None)
    }

    /// Starts a server whose data folder is a file system of its own, of this
    /// size. `None`, and a line that says why, where none can be mounted.
    pub fn start_on_volume(self, bytes: u64) -> Option<Server> {
        let folder = TempDir::new().unwrap();
        match Volume::mount(folder.path(), DATA, bytes) {
            Ok(volume) => Some(Server::start(self, folder, Some(volume))),
            Err(why) => {
                eprintln!("SKIPPED, no file system can be mounted here: {why}");
                None
            }
        }
    }
}

/// The data folder, in the server's own.
const DATA: &str = "data";

/// A server and its data folder, which goes with it.
#[derive(Debug)]
pub struct Server {
    setup: Setup,
    volume: Option<Volume>,
    folder: TempDir,
    address: SocketAddr,
    quic: SocketAddr,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    child: Child,
    log: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
}

/// The binary under test: `STICKER_DESK_BIN`, else the one beside this test's
/// own folder.
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("STICKER_DESK_BIN") {
        return path.into();
    }
    let test = std::env::current_exe().unwrap();
    let path = test.parent().unwrap().parent().unwrap().join("sticker-desk");
    assert!(
        path.is_file(),
        "there is no {}: build it (cargo build -p sticker-desk) or set STICKER_DESK_BIN",
        path.display()
    );
    path
}

/// Runs the binary to its end.
pub fn run(arguments: &[&str]) -> Output {
    Command::new(binary()).args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

impl Server {
    /// Starts a server with two shards on a new data folder.
    pub fn new() -> Self {
        Setup::default().start()
    }

    fn start(setup: Setup, folder: TempDir, volume: Option<Volume>) -> Self {
        let (address, quic) = match &setup.inside {
            Some((_, address)) => (*address, SocketAddr::new(address.ip(), address.port() + 1)),
            None => (free_address(), free_address()),
        };
        let mut server = Self { setup, volume, folder, address, quic, running: None };
        server.up();
        server
    }

    /// Starts it again, on the same address and data.
    ///
    /// # Panics
    /// When it does not say that it is ready.
    pub fn up(&mut self) {
        // Another test may have taken the port meanwhile; only the very first
        // start may choose another one.
        for attempt in 0.. {
            match self.try_up() {
                Ok(running) => {
                    self.running = Some(running);
                    return;
                }
                Err(log) if attempt < 3 && log.contains("in use") && self.is_fresh() => {
                    self.address = free_address();
                    self.quic = free_address();
                }
                // The nats-servers are electing the leader of their streams' list.
                Err(log) if attempt < 5 && log.contains("cannot list the streams") => {}
                Err(log) => panic!("the server did not start:\n{log}"),
            }
        }
    }

    /// Starts it with other flags.
    pub fn up_with(&mut self, setup: Setup) {
        self.setup = setup;
        self.up();
    }

    fn is_fresh(&self) -> bool {
        !self.data().join("manifest").exists()
    }

    /// The command that starts it.
    pub fn command(&self) -> Command {
        let config = self.folder.path().join("config.toml");
        // Small segments: a test's server starts in milliseconds.
        let mut text = String::from("[limits]\n");
        if !self.setup.limits.iter().any(|limit| limit.starts_with("segment")) {
            text += "segment = \"4MiB\"\n";
        }
        text += &self.setup.limits.join("\n");
        std::fs::write(&config, text).unwrap();
        let mut command = match (&self.volume, self.setup.descriptors) {
            (Some(volume), _) => {
                let mut command = volume.inside(self.folder.path());
                command.arg(binary());
                command
            }
            (None, Some(count)) => {
                let mut command = Command::new("sh");
                let limited = format!("ulimit -n {count} && exec \"$0\" \"$@\"");
                command.args(["-c", &limited]).arg(binary());
                command
            }
            (None, None) => match &self.setup.inside {
                Some((namespace, _)) => {
                    let mut command = Command::new("ip");
                    command.args(["netns", "exec", namespace]).arg(binary());
                    command
                }
                None => Command::new(binary()),
            },
        };
        command.arg("serve").arg("--config").arg(config);
        // By a relative path, as people give it.
        command.current_dir(self.folder.path()).args(["--data", "./data"]);
        command.args(["--listen", &self.address.to_string(), "--quic", &self.quic.to_string()]);
        if !self.setup.flags.iter().any(|flag| flag == "--shards") {
            command.args(["--shards", "2"]);
        }
        command.args(&self.setup.flags);
        if self.setup.advertised {
            command.args(["--advertise", &self.url()]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn try_up(&self) -> Result<Running, String> {
        let mut child = self.command().spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let ready = self.address.to_string();
        let (say_ready, hear_ready) = std::sync::mpsc::channel();
        let mut readers = Vec::new();
        let out = BufReader::new(child.stdout.take().unwrap());
        let kept = Arc::clone(&log);
        readers.push(std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                kept.lock().unwrap().push_str(&format!("out| {line}\n"));
                if line.contains(&ready) {
                    let _ = say_ready.send(());
                }
            }
        }));
        let mut errors = BufReader::new(child.stderr.take().unwrap());
        let kept = Arc::clone(&log);
        readers.push(std::thread::spawn(move || {
            let mut line = Vec::new();
            while errors.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
                let text = String::from_utf8_lossy(&line).into_owned();
                kept.lock().unwrap().push_str(&format!("err| {text}"));
                line.clear();
            }
        }));
        // The channel closes when the process ends, too.
        if hear_ready.recv_timeout(Duration::from_secs(30)).is_err() {
            let _ = child.kill();
            let _ = child.wait();
            for reader in readers {
                reader.join().unwrap();
            }
            return Err(log.lock().unwrap().clone());
        }
        Ok(Running { child, log, readers })
    }

    /// `http://127.0.0.1:PORT`
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it serves QUIC.
    pub fn quic(&self) -> SocketAddr {
        self.quic
    }

    /// Its data folder.
    pub fn data(&self) -> PathBuf {
        self.volume.as_ref().map_or_else(|| self.folder.path().join(DATA), Volume::view)
    }

    /// The file system below its data folder.
    ///
    /// # Panics
    /// When it has none of its own.
    pub fn volume(&self) -> &Volume {
        self.volume.as_ref().expect("it was started on a volume")
    }

    /// A folder of the test's own, beside the data.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What it has written to stdout and stderr since its last start.
    pub fn log(&self) -> String {
        self.running.as_ref().map_or_else(String::new, |run| run.log.lock().unwrap().clone())
    }

    /// Whether it was started and not killed.
    pub fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.running.as_ref().expect("the server runs").child.id()
    }

    /// `kill -9`, and waits until it is gone.
    pub fn kill9(&mut self) {
        let mut running = self.running.take().expect("the server runs");
        running.child.kill().unwrap();
        running.child.wait().unwrap();
        running.readers.into_iter().for_each(|reader| reader.join().unwrap());
    }

    /// Sends SIGKILL and does not wait; [`Server::kill9`] is still to come.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// Stops its process, as a machine that stands still.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Sends SIGHUP: it reads its certificate again.
    pub fn hang_up(&self) {
        self.signal(Signal::HUP);
    }

    fn signal(&self, signal: Signal) {
        let id = Pid::from_raw(i32::try_from(self.id()).unwrap()).unwrap();
        kill_process(id, signal).unwrap();
    }

    /// Waits until it has ended by itself; what it wrote, and for how long it
    /// went on.
    pub fn ended(&mut self) -> (ExitStatus, String, Duration) {
        let begin: Instant = now();
        let mut running = self.running.take().expect("the server runs");
        let status = eventually("the server's end", || running.child.try_wait().unwrap());
        let took = begin.elapsed();
        running.readers.into_iter().for_each(|reader| reader.join().unwrap());
        let log = running.log.lock().unwrap().clone();
        (status, log, took)
    }

    /// SIGTERM, and a good end.
    ///
    /// # Panics
    /// When the exit code is not 0.
    pub fn stop(&mut self) {
        self.terminate();
        let (status, log, _) = self.ended();
        assert!(status.success(), "{status}:\n{log}");
    }

    /// Desks in memory, by its own count.
    pub fn hot_desks(&self) -> u64 {
        self.metric("sticker_desk_collaboration_instances")
    }

    /// A metric of the process, or the sum of one over all shards.
    ///
    /// # Panics
    /// When there is none of this name.
    pub fn metric(&self, name: &str) -> u64 {
        let metrics = crate::http::get(self, "/metrics", &[]).expect(200);
        let of_name =
            |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
        let lines: Vec<_> = metrics.text().lines().filter(of_name).collect();
        assert!(!lines.is_empty(), "there is no metric {name}");
        let values = lines.iter().map(|line| line.rsplit(' ').next().unwrap().parse::<u64>());
        values.map(|value| value.expect("a count")).sum()
    }

    /// Every file of the data folder that stands for desks, by name.
    pub fn files(&self) -> Vec<String> {
        let mut names: Vec<_> = std::fs::read_dir(self.data())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

impl Default for Server {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut running) = self.running.take() {
            let _ = running.child.kill();
            let _ = running.child.wait();
            if std::thread::panicking() {
                for reader in running.readers {
                    let _ = reader.join();
                }
                eprintln!("--- the server's output:\n{}", running.log.lock().unwrap());
            }
        }
    }
}

/// Reads what is left of a stream.
pub fn read_all(stream: &mut impl std::io::Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A reset after the answer ends the stream, too.
    let _ = stream.by_ref().read_to_end(&mut bytes);
    bytes
}
