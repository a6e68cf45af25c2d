//! Checks before the server starts, each with its remedy.

use std::fmt::Display;
use std::panic::{self, UnwindSafe};
use std::path::Path;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::{Config, sums};
use crate::limits::{DESCRIPTORS_RESERVED, LOG_BUDGET_BYTES, MEMLOCK_BYTES};

/// A check that failed: what is wrong and what helps, in one line.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unfit(pub(crate) String);

/// What the machine allows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Means {
    /// Connections that descriptors allow.
    pub(crate) connections: usize,
    /// Bytes for the log.
    pub(crate) log_budget_bytes: u64,
}

/// Cores that this process may use, by number.
pub(crate) fn cores() -> Vec<usize> {
    match rustix::thread::sched_getaffinity(None) {
        Ok(set) => (0..rustix::thread::CpuSet::MAX_CPU).filter(|&cpu| set.is_set(cpu)).collect(),
        Err(_) => vec![0],
    }
}

/// The machine's memory in bytes, or the control group's if that is less.
pub(crate) fn machine_bytes() -> u64 {
    let info = rustix::system::sysinfo();
    let total = info.totalram as u64 * u64::from(info.mem_unit);
    let group = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let group = group.and_then(|text| text.trim().parse().ok());
    group.map_or(total, |group: u64| group.min(total))
}

/// Looks at limits and the disk, and raises what may be raised.
///
/// # Errors
/// What keeps the server from working at all.
pub(crate) fn check(config: &Config) -> Result<Means, Unfit> {
    memlock();
    memory(config);
    clock()?;
    let connections = descriptors(config)?;
    let log_budget_bytes = disk(config)?;
    Ok(Means { connections, log_budget_bytes })
}

/// Raises a soft limit to its hard one; what it is then. `None`: no limit.
fn raise(resource: Resource) -> Option<u64> {
    let limit = getrlimit(resource);
    if limit.current != limit.maximum {
        // Raising may be forbidden; the limit is read again below.
        let _ = setrlimit(resource, Rlimit { current: limit.maximum, ..limit });
    }
    getrlimit(resource).current
}

fn memlock() {
    if let Some(bytes) = raise(Resource::Memlock)
        && bytes < MEMLOCK_BYTES
    {
        tracing::warn!(
            "only {bytes} bytes of memory may be locked, the rings may need {MEMLOCK_BYTES}: if the \
             start fails, raise it with `ulimit -l unlimited` or LimitMEMLOCK=infinity"
        );
    }
}

fn memory(config: &Config) {
    let (most, machine) = (config.memory_bytes_max(), machine_bytes());
    if most > machine {
        tracing::warn!(
            "the machine has {} MiB of memory, and the server may take {} MiB when every bound is \
             reached at once: lower limits.connections, limits.unsent, limits.unread or --shards",
            machine >> 20,
            most >> 20
        );
    }
}

fn descriptors(config: &Config) -> Result<usize, Unfit> {
    let Some(descriptors) = raise(Resource::Nofile) else { return Ok(config.limits.connections) };
    let descriptors = usize::try_from(descriptors).unwrap_or(usize::MAX);
    let room = descriptors.saturating_sub(DESCRIPTORS_RESERVED);
    if room < 64 {
        return Err(Unfit(format!(
            "only {descriptors} descriptors are allowed, at least {} are needed: raise it with \
             `ulimit -n 65536` or LimitNOFILE=65536",
            DESCRIPTORS_RESERVED + 64
        )));
    }
    if room < config.limits.connections.min(4_096) {
        tracing::warn!(
            "descriptors allow {room} connections: raise it with `ulimit -n 65536` or \
             LimitNOFILE=65536"
        );
    }
    Ok(room.min(config.limits.connections))
}

fn clock() -> Result<(), Unfit> {
    // 2024: older than this program. Links carry the second of their creation.
    let now = crate::clock::wall().unix_seconds();
    if (1_704_067_200..u64::from(u32::MAX)).contains(&now) {
        return Ok(());
    }
    Err(Unfit(format!("the clock is wrong (second {now}): set the date, for example by NTP")))
}

fn disk(config: &Config) -> Result<u64, Unfit> {
    let space = rustix::fs::statvfs(&config.data).map_err(|error| {
        Unfit(format!("cannot look at the data folder {}: {error}", config.data.display()))
    })?;
    let total = space.f_blocks * space.f_frsize;
    let free = space.f_bavail * space.f_frsize;
    let need = config.limits.free_space_bytes;
    if free < need && !has_store(&config.data) {
        return Err(Unfit(format!(
            "only {} MiB are free at {}, {} are needed: free some, or choose another folder with \
             --data",
            free >> 20,
            config.data.display(),
            need >> 20
        )));
    }
    if free < need {
        tracing::warn!(
            "only {} MiB are free at {}: changes are refused when the reserve is used up; free some",
            free >> 20,
            config.data.display()
        );
    }
    let reserve = config.limits.disk_reserve_bytes;
    if reserve >= total {
        return Err(Unfit(format!(
            "limits.disk-reserve is {} MiB, and the disk of {} has {}: nothing could be stored; \
             lower it",
            reserve >> 20,
            config.data.display(),
            total >> 20
        )));
    }
    if free < reserve {
        tracing::warn!(
            "only {} MiB are free at {}, less than limits.disk-reserve: changes are refused until \
             there is more",
            free >> 20,
            config.data.display()
        );
    }
    let least = sums::log_budget_min(&config.limits, config.shards);
    let usual = || LOG_BUDGET_BYTES.min(total / 10).max(least);
    Ok(config.log_budget_bytes.unwrap_or_else(usual))
}

/// A store that exists may always be opened: reading needs no space.
fn has_store(folder: &Path) -> bool {
    folder.join("manifest").exists()
}

/// Makes the first executor of this process. Its library panics where io_uring is forbidden
/// altogether, as container engines do by default, and speaks of an old kernel.
///
/// # Errors
/// io_uring cannot be used.
pub(crate) fn first_executor<T, E: Display>(
    make: impl FnOnce() -> Result<T, E> + UnwindSafe,
) -> Result<T, Unfit> {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let made = panic::catch_unwind(make);
    panic::set_hook(hook);
    match made {
        Ok(made) => made.map_err(|error| no_executor(&error.to_string())),
        Err(_) => Err(no_executor("it is forbidden, or not there")),
    }
}

/// Says why no executor could be made, and what helps.
pub(crate) fn no_executor(error: &str) -> Unfit {
    let kernel = rustix::system::uname();
    let release = kernel.release().to_string_lossy().into_owned();
    Unfit(format!(
        "io_uring cannot be used ({error}; Linux {release}): it takes Linux 5.8 or newer, \
         kernel.io_uring_disabled=0, a container that allows it (Docker: --security-opt \
         seccomp=unconfined), and `ulimit -l` of 512 KiB or more"
    ))
}

/// Warns of a data folder without O_DIRECT.
pub(crate) fn warn_of_buffering(folder: &Path) {
    tracing::warn!(
        "{} has no O_DIRECT: writes go through the page cache with fdatasync, which is slower; put \
         --data on ext4 or xfs",
        folder.display()
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_without_io_uring_is_told_the_remedy() {
        let forbidden = first_executor(|| -> Result<(), String> { panic!("a riddle") });
        let told = forbidden.expect_err("none can be made").to_string();
        assert!(told.contains("io_uring cannot be used"), "{told}");
        assert!(told.contains("seccomp"), "{told}");
        assert_eq!(first_executor(|| Ok::<_, String>(7)).expect("it is made"), 7);
    }
}
