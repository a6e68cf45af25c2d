//! A network namespace: a machine of its own, as far as the network goes.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::os::fd::AsFd as _;
use std::process::{Child, Command, Stdio};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// A namespace, which a small process holds open. It ends with its holder, however a test
/// ends.
#[derive(Debug)]
pub struct Place {
    holder: Child,
    namespace: File,
}

impl Place {
    /// Makes one, whose loopback is up.
    ///
    /// # Errors
    /// This machine does not allow it: what it said.
    pub fn new() -> Result<Self, String> {
        let mut command = Command::new("unshare");
        // `cat` ends when this process does, since its input ends then.
        command.args(["-n", "sh", "-c", "ip link set lo up && echo there && exec cat"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut holder = command.spawn().map_err(|error| format!("unshare: {error}"))?;
        let mut line = String::new();
        let output = holder.stdout.take().ok_or("its output is piped")?;
        let _ = BufReader::new(output).read_line(&mut line);
        if line.trim() != "there" {
            let output = holder.wait_with_output().map_err(|error| error.to_string())?;
            return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
        }
        let namespace = File::open(format!("/proc/{}/ns/net", holder.id()));
        Ok(Self { holder, namespace: namespace.map_err(|error| error.to_string())? })
    }

    /// Moves the calling thread here: its sockets and its children are from here on.
    ///
    /// # Errors
    /// The thread may not.
    pub fn enter(&self) -> io::Result<()> {
        let network = Some(LinkNameSpaceType::Network);
        Ok(move_into_link_name_space(self.namespace.as_fd(), network)?)
    }

    /// Calls `act` on a thread of its own, here.
    ///
    /// # Errors
    /// The thread may not move.
    ///
    /// # Panics
    /// `act` does.
    pub fn run<R: Send>(&self, act: impl FnOnce() -> R + Send) -> io::Result<R> {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| self.enter().map(|()| act()));
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Calls `ip` with these words.
    ///
    /// # Errors
    /// What it said.
    pub fn ip(&self, words: &str) -> Result<(), String> {
        let output = self.run(|| Command::new("ip").args(words.split(' ')).output());
        let output = output.flatten().map_err(|error| format!("ip: {error}"))?;
        if output.status.success() {
            return Ok(());
        }
        Err(format!("ip {words}: {}", String::from_utf8_lossy(&output.stderr).trim()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
