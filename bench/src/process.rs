//! What a process costs, by the kernel's own books, and how it is ended.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The cores of this machine that the load and the server are given.
#[derive(Clone, Copy, Debug)]
pub struct Cores {
    /// Where the server runs.
    pub server: usize,
    /// Where the generator runs.
    pub generator: usize,
}

impl Cores {
    /// The first two that this process may use; one for both if there is no
    /// second, which the report then says.
    pub fn choose() -> Result<Self> {
        let set = sched_getaffinity(None)?;
        let mut cores = (0..CpuSet::MAX_CPU).filter(|&core| set.is_set(core));
        let server = cores.next().context("there is no core to run on")?;
        Ok(Self { server, generator: cores.next().unwrap_or(server) })
    }

    /// Binds the calling thread, and what it starts from now on, to one core.
    pub fn pin(core: usize) -> Result<()> {
        let mut set = CpuSet::new();
        set.set(core);
        sched_setaffinity(None, &set).context("cannot pin to a core")
    }

    /// Lets the calling thread, and what it starts from now on, run on every core again.
    pub fn unpin() -> Result<()> {
        let mut set = CpuSet::new();
        (0..CpuSet::MAX_CPU).for_each(|core| set.set(core));
        sched_setaffinity(None, &set).context("cannot leave a core")
    }
}

/// A server under test; killed when dropped.
#[derive(Debug)]
pub struct Subject {
    child: Child,
    /// Where it listens, as it said itself.
    pub address: String,
}

impl Subject {
    /// Starts `command` on a core of its own and waits for the line on its
    /// standard output that names its address.
    pub fn start(mut command: Command, cores: Cores) -> Result<Self> {
        Cores::pin(cores.server)?;
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        Cores::pin(cores.generator)?;
        Self::ready(child.context("cannot start the server")?)
    }

    /// The same on whichever core has time.
    pub fn start_anywhere(mut command: Command) -> Result<Self> {
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        Self::ready(child.context("cannot start the server")?)
    }

    fn ready(child: Child) -> Result<Self> {
        let mut subject = Self { child, address: String::new() };
        let output = subject.child.stdout.take().context("its output is piped")?;
        for line in BufReader::new(output).lines() {
            if let Some(address) = address_in(&line?) {
                subject.address = address;
                return Ok(subject);
            }
        }
        bail!("the server ended before it was ready ({})", subject.child.wait()?)
    }

    /// Processor time used so far by all its threads, the kernel's work for
    /// them included, in nanoseconds.
    pub fn cpu_ns(&self) -> Result<u64> {
        cpu_ns(self.child.id())
    }

    /// What its memory is.
    pub fn memory(&self) -> Result<Memory> {
        Memory::of(self.child.id())
    }

    /// The most memory that was resident since [`Subject::forget_peak`], in KiB.
    pub fn peak_kib(&self) -> Result<u64> {
        let path = format!("/proc/{}/status", self.child.id());
        let status = fs::read_to_string(&path).with_context(|| path.clone())?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        number.and_then(|number| number.parse().ok()).context("no VmHWM")
    }

    /// Lets the peak of the memory begin at what is resident now.
    pub fn forget_peak(&self) -> Result<()> {
        let path = format!("/proc/{}/clear_refs", self.child.id());
        fs::write(&path, "5").with_context(|| path.clone())
    }

    /// Tells it to stop, and waits until it has.
    pub fn stop(mut self) -> Result<()> {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::TERM)?;
        let status = self.child.wait()?;
        ensure!(status.success(), "the server did not stop well: {status}");
        Ok(())
    }

    /// Ends it without notice, as a power failure of this process alone.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        // It has ended already if it was stopped in order.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `host:port` in the line that says that a server is ready.
fn address_in(line: &str) -> Option<String> {
    let start = line.find("127.0.0.1:")?;
    let rest = &line[start..];
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.' && c != ':');
    Some(rest[..end.unwrap_or(rest.len())].to_owned())
}

/// Processor time of the calling thread, in nanoseconds.
pub fn own_cpu_ns() -> Result<u64> {
    schedstat(Path::new("/proc/thread-self/schedstat"))
}

/// Processor time used so far by all threads of a process, in nanoseconds.
pub fn cpu_ns(process: u32) -> Result<u64> {
    let mut total = 0;
    for task in fs::read_dir(format!("/proc/{process}/task")).context("the server has ended")? {
        // A thread may end between the listing and the reading.
        total += schedstat(&task?.path().join("schedstat")).unwrap_or(0);
    }
    Ok(total)
}

/// The first number of `schedstat`: time on a processor, exact to the
/// nanosecond, where `stat` counts ticks of 10 ms.
fn schedstat(path: &Path) -> Result<u64> {
    let text = fs::read_to_string(path)?;
    let first = text.split_whitespace().next().context("schedstat is empty")?;
    Ok(first.parse()?)
}

/// Memory of a process. The kernel's socket buffers are in neither figure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Memory {
    /// All that is resident, mapped files too, in KiB.
    pub resident_kib: u64,
    /// Heap, stacks and the like, in KiB.
    pub anonymous_kib: u64,
}

impl Memory {
    /// What the memory of a process is.
    pub fn of(process: u32) -> Result<Self> {
        let path = format!("/proc/{process}/smaps_rollup");
        Self::parse(&fs::read_to_string(&path).with_context(|| path.clone())?)
    }

    fn parse(smaps: &str) -> Result<Self> {
        let field = |name: &str| {
            let line = smaps.lines().find_map(|line| line.strip_prefix(name));
            let number = line.and_then(|line| line.split_whitespace().next());
            number.and_then(|number| number.parse().ok()).with_context(|| format!("no {name}"))
        };
        Ok(Self { resident_kib: field("Rss:")?, anonymous_kib: field("Anonymous:")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ready_line_names_the_address() {
        let line = "Sticker Desk is ready: http://127.0.0.1:8080, admin http://127.0.0.1:9";
        assert_eq!(address_in(line).as_deref(), Some("127.0.0.1:8080"));
        assert_eq!(address_in("relaying on 127.0.0.1:5").as_deref(), Some("127.0.0.1:5"));
        assert_eq!(address_in("starting"), None);
    }

    #[test]
    fn memory_is_read_by_name() {
        let smaps =
            "55d-7ff ---p 0 00:00 0 [rollup]\nRss:   4104 kB\nPss:  9 kB\nAnonymous:    88 kB\n";
        let memory = Memory::parse(smaps).unwrap();
        assert_eq!(memory, Memory { resident_kib: 4_104, anonymous_kib: 88 });
        assert!(Memory::parse("Rss: 5 kB").is_err());
    }

    #[test]
    fn processor_time_of_this_thread_grows_with_work() {
        let before = own_cpu_ns().unwrap();
        let mut random = crate::random::Random::new(1);
        let sum = (0..20_000_000u32).fold(0, |sum, _| sum ^ random.bits());
        assert!(own_cpu_ns().unwrap() > before, "{sum}");
    }
}
