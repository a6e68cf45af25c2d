//! Waking at a moment, to the microsecond and without spinning.

use std::os::fd::{AsRawFd as _, OwnedFd};
use std::time::Duration;

use anyhow::Result;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

/// A timer that a poller watches. The poller's own timeouts are whole
/// milliseconds, and a thread that spins instead takes the core from the
/// kernel's threads that finish a server's writes.
#[derive(Debug)]
pub struct Alarm {
    timer: OwnedFd,
}

impl Alarm {
    /// An alarm that is not set; `token` marks its events.
    pub fn new(registry: &Registry, token: Token) -> Result<Self> {
        let timer = timerfd_create(
            TimerfdClockId::Monotonic,
            TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC,
        )?;
        registry.register(&mut SourceFd(&timer.as_raw_fd()), token, Interest::READABLE)?;
        Ok(Self { timer })
    }

    /// Sets it, whatever it was set to.
    pub fn set(&self, after: Duration) -> Result<()> {
        // Zero would lift it.
        let after = after.max(Duration::from_nanos(1));
        let value = Timespec {
            tv_sec: i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(after.subsec_nanos()),
        };
        let never = Timespec { tv_sec: 0, tv_nsec: 0 };
        let times = Itimerspec { it_interval: never, it_value: value };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &times)?;
        Ok(())
    }
}
