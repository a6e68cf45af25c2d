//! The router: takes packets from two devices, and gives each to the other as its fate says.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::setpriority_process;

use crate::fates::{Fates, Quality, Way};

/// Bytes of the largest packet that a device gives.
const PACKET_BYTES: usize = 2_048;

/// How long the router sleeps at most before it looks whether it is to stop.
const LOOK: Duration = Duration::from_millis(50);

/// The router's niceness: others on the machine make it late, and none waits for it long.
const PRIORITY: i32 = -10;

/// A running router. It stops when it is dropped.
#[derive(Debug)]
pub(crate) struct Router {
    shared: Arc<Mutex<Shared>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    fates: Fates,
    /// See [`Router::take_lag`].
    lag: Duration,
    stopped: bool,
}

/// A packet under way: when it arrives, how many were sent before it, and where to.
type Underway = Reverse<(Duration, u64, usize, Vec<u8>)>;

impl Router {
    /// Joins two devices; `devices[0]` is the near one.
    pub(crate) fn start(devices: [File; 2], fates: Fates) -> Self {
        let shared = Arc::new(Mutex::new(Shared { fates, lag: Duration::ZERO, stopped: false }));
        let other = Arc::clone(&shared);
        let thread = std::thread::spawn(move || route(&devices, &other));
        Self { shared, thread: Some(thread) }
    }

    pub(crate) fn set_quality(&self, quality: Quality) {
        self.with(|shared| shared.fates.set_quality(quality));
    }

    pub(crate) fn cut(&self, cut: bool) {
        self.with(|shared| shared.fates.cut(cut));
    }

    /// How much later than its fate says a packet has left at the most, since this was
    /// asked last.
    pub(crate) fn take_lag(&self) -> Duration {
        self.with(|shared| std::mem::take(&mut shared.lag))
    }

    fn with<R>(&self, act: impl FnOnce(&mut Shared) -> R) -> R {
        act(&mut self.shared.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        self.with(|shared| shared.stopped = true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this shell owns its clock")]
fn route(devices: &[File; 2], shared: &Mutex<Shared>) {
    let start = Instant::now();
    // Where it is not allowed, it is as late as anybody.
    let _ = setpriority_process(None, PRIORITY);
    let mut underway: BinaryHeap<Underway> = BinaryHeap::new();
    let mut packet = vec![0; PACKET_BYTES];
    let mut count = 0;
    loop {
        let now = start.elapsed();
        let mut lag = Duration::ZERO;
        while underway.peek().is_some_and(|Reverse((at, ..))| *at <= now) {
            if let Some(Reverse((at, _, to, bytes))) = underway.pop() {
                lag = lag.max(now - at);
                // A full device loses it, as a router with a full queue would.
                let _ = (&devices[to]).write(&bytes);
            }
        }
        {
            let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
            if shared.stopped {
                return;
            }
            shared.lag = shared.lag.max(lag);
            for (from, way) in [Way::There, Way::Back].into_iter().enumerate() {
                while let Ok(length @ 1..) = (&devices[from]).read(&mut packet) {
                    let fate = shared.fates.next(now, way);
                    for at in [fate.first, fate.second].into_iter().flatten() {
                        count += 1;
                        let bytes = packet[..length].to_vec();
                        underway.push(Reverse((at, count, 1 - from, bytes)));
                    }
                }
            }
        }
        let next = underway.peek().map(|Reverse((at, ..))| *at);
        let wait = next.map_or(LOOK, |at| at.saturating_sub(start.elapsed()).min(LOOK));
        let wait = Timespec { tv_sec: 0, tv_nsec: wait.subsec_nanos().into() };
        let mut ready = devices.each_ref().map(|device| PollFd::new(device, PollFlags::IN));
        // An interrupted wait is a short one.
        let _ = poll(&mut ready, Some(&wait));
    }
}
