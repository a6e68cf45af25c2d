//! Which sockets of an executor can be read or written: one epoll set a thread.
//!
//! The executor's ring waits for the set alone: one wait for all sockets that became
//! ready, instead of one for each message of each socket. The set is edge-triggered. A
//! socket is in it for life. Its [`Watch`] remembers for what it is ready, until a call
//! finds the socket not ready.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::TcpStream as StdStream;
use std::os::fd::{AsFd as _, OwnedFd};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use futures_lite::io::AsyncRead as _;
use glommio::net::TcpStream;
use glommio::timer::Timer;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use socket2::Socket;

use crate::limits::{READINESS_HOLD, READINESS_PAUSE, READY_SOCKETS};

/// The epoll set of one thread.
struct Set {
    epoll: OwnedFd,
    watches: RefCell<Vec<Option<Rc<Watch>>>>,
    free: RefCell<Vec<usize>>,
    /// Set while a commit is running: readiness events are held back. `let_go` wakes the
    /// task that waits for the hold to end.
    held: Cell<bool>,
    let_go: Waiter,
}

thread_local! {
    static SET: RefCell<Option<Rc<Set>>> = const { RefCell::new(None) };
}

/// What is known of one socket, and who waits for more.
#[derive(Default)]
struct Watch {
    readable: Cell<bool>,
    writable: Cell<bool>,
    /// The peer has ended its direction, or the connection is gone. A short read then
    /// does not mean that the socket is drained: the end is still to be read.
    ended: Cell<bool>,
    reader: Waiter,
    writer: Waiter,
}

#[derive(Default)]
struct Waiter(RefCell<Option<Waker>>);

/// A socket in the set of the thread that made it; it leaves with this.
pub(super) struct Watched {
    socket: OwnedFd,
    watch: Rc<Watch>,
    place: usize,
    set: Rc<Set>,
}

/// Begins to watch on this executor's thread.
///
/// # Errors
/// The kernel gives no set.
pub(crate) fn start() -> io::Result<()> {
    let epoll = epoll::create(CreateFlags::CLOEXEC)?;
    let set = Rc::new(Set {
        epoll,
        watches: RefCell::default(),
        free: RefCell::default(),
        held: Cell::new(false),
        let_go: Waiter::default(),
    });
    SET.set(Some(Rc::clone(&set)));
    glommio::spawn_local(async move { set.follow().await }).detach();
    Ok(())
}

/// Holds this thread's readiness events back during `work`, but not for longer than
/// [`READINESS_HOLD`]. Frames that arrive meanwhile cannot become durable before
/// `work` ends, and handling all of them at once is cheaper.
pub(crate) async fn hold_during<T>(work: impl Future<Output = T>) -> T {
    let set = SET.with_borrow(|set| set.clone());
    if let Some(set) = &set {
        set.held.set(true);
    }
    let done = work.await;
    if let Some(set) = &set {
        set.held.set(false);
        set.let_go.wake();
    }
    done
}

impl Set {
    /// Passes readiness events on to the sockets, for ever.
    async fn follow(&self) {
        let mut events = Vec::with_capacity(READY_SOCKETS);
        loop {
            if let Err(error) = self.wait().await {
                tracing::warn!(%error, "sockets cannot be waited for, and are looked at instead");
                Timer::new(READINESS_PAUSE).await;
            }
            self.while_held().await;
            loop {
                events.clear();
                let spare = rustix::buffer::spare_capacity(&mut events);
                match epoll::wait(&self.epoll, spare, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) {
                    Ok(_) => self.tell(&events),
                    Err(rustix::io::Errno::INTR) => continue,
                    Err(error) => crate::failure::die(&format!("sockets are lost: {error}")),
                }
                if events.len() < READY_SOCKETS {
                    break;
                }
            }
        }
    }

    async fn while_held(&self) {
        if !self.held.get() {
            return;
        }
        let mut longest = Timer::new(READINESS_HOLD);
        std::future::poll_fn(|context| {
            if !self.held.get() {
                return Poll::Ready(());
            }
            self.let_go.wait(context);
            Future::poll(Pin::new(&mut longest), context).map(|_| ())
        })
        .await;
    }

    /// Waits until the set has something to tell.
    ///
    /// The executor can wait for streams only. It takes the set for a stream until it is
    /// ready, and then fails to read from it. So each wait uses a new stream.
    async fn wait(&self) -> io::Result<()> {
        let copy = StdStream::from(self.epoll.try_clone()?);
        let mut stream = TcpStream::from(Socket::from(copy));
        std::future::poll_fn(|context| {
            // The result does not matter: the wait is over.
            Pin::new(&mut stream).poll_read(context, &mut []).map(|_| Ok(()))
        })
        .await
    }

    fn tell(&self, events: &[Event]) {
        let watches = self.watches.borrow();
        for event in events {
            let place = event.data.u64() as usize;
            if let Some(watch) = watches.get(place).and_then(Option::as_ref) {
                watch.tell(event.flags);
            }
        }
    }

    fn add(&self, watch: &Rc<Watch>) -> usize {
        let mut watches = self.watches.borrow_mut();
        match self.free.borrow_mut().pop() {
            Some(place) => {
                watches[place] = Some(Rc::clone(watch));
                place
            }
            None => {
                watches.push(Some(Rc::clone(watch)));
                watches.len() - 1
            }
        }
    }

    fn remove(&self, place: usize) {
        self.watches.borrow_mut()[place] = None;
        self.free.borrow_mut().push(place);
    }
}

impl Watch {
    fn tell(&self, flags: EventFlags) {
        let over = flags.intersects(EventFlags::HUP | EventFlags::ERR);
        let ended = over || flags.contains(EventFlags::RDHUP);
        self.ended.set(self.ended.get() || ended);
        if ended || flags.contains(EventFlags::IN) {
            self.readable.set(true);
            self.reader.wake();
        }
        if over || flags.contains(EventFlags::OUT) {
            self.writable.set(true);
            self.writer.wake();
        }
    }
}

impl Waiter {
    fn wake(&self) {
        if let Some(waker) = self.0.borrow_mut().take() {
            waker.wake();
        }
    }

    fn wait(&self, context: &Context<'_>) {
        let mut waiter = self.0.borrow_mut();
        if !waiter.as_ref().is_some_and(|waiter| waiter.will_wake(context.waker())) {
            *waiter = Some(context.waker().clone());
        }
    }
}

/// What a socket is watched for.
fn flags(writes: bool) -> EventFlags {
    let reads = EventFlags::IN | EventFlags::RDHUP | EventFlags::ET;
    if writes { reads | EventFlags::OUT } else { reads }
}

impl Watched {
    /// Puts a connected socket into this thread's set.
    ///
    /// # Errors
    /// The kernel takes no more of them.
    ///
    /// # Panics
    /// If [`start`] was not called on this thread.
    pub(super) fn new(socket: OwnedFd) -> io::Result<Self> {
        Self::with(socket, flags(true))
    }

    /// The same, for a socket of datagrams. The kernel tells of room for more after each one
    /// that has left, which would cost as much as one that arrives. So it is not watched for
    /// that until [`Watched::watch_writes`] asks.
    ///
    /// # Errors
    /// The kernel takes no more of them.
    ///
    /// # Panics
    /// If [`start`] was not called on this thread.
    pub(super) fn of_datagrams(socket: OwnedFd) -> io::Result<Self> {
        Self::with(socket, flags(false))
    }

    fn with(socket: OwnedFd, flags: EventFlags) -> io::Result<Self> {
        let set = SET.with_borrow(|set| set.clone()).expect("the thread's executor has started");
        let watch = Rc::new(Watch::default());
        let place = set.add(&watch);
        if let Err(error) = epoll::add(&set.epoll, &socket, EventData::new_u64(place as u64), flags)
        {
            set.remove(place);
            return Err(error.into());
        }
        Ok(Self { socket, watch, place, set })
    }

    /// Watches for room to write, or does not any more.
    ///
    /// # Errors
    /// The kernel refuses.
    pub(super) fn watch_writes(&self, wanted: bool) -> io::Result<()> {
        let data = EventData::new_u64(self.place as u64);
        self.watch.writable.set(false);
        Ok(epoll::modify(&self.set.epoll, &self.socket, data, flags(wanted))?)
    }

    /// Wakes the task when there is room to write, without a try.
    pub(super) fn wait_for_room(&self, context: &Context<'_>) {
        self.watch.writer.wait(context);
    }

    /// The socket.
    pub(super) fn socket(&self) -> &OwnedFd {
        &self.socket
    }

    /// Takes the socket out of the set.
    ///
    /// # Errors
    /// No descriptor is left for the copy.
    pub(super) fn into_socket(self) -> io::Result<OwnedFd> {
        self.socket.try_clone()
    }

    /// Calls `read` if there may be something to read; `wanted` is how many
    /// bytes it asks for.
    pub(super) fn poll_read(
        &self,
        context: &Context<'_>,
        wanted: usize,
        mut read: impl FnMut() -> rustix::io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        while self.watch.readable.get() {
            match read() {
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => self.watch.readable.set(false),
                Err(error) => return Poll::Ready(Err(error.into())),
                Ok(length) => {
                    // A short read drained the stream: the next bytes raise a new
                    // event.
                    if length < wanted && !self.watch.ended.get() {
                        self.watch.readable.set(false);
                    }
                    return Poll::Ready(Ok(length));
                }
            }
        }
        self.watch.reader.wait(context);
        Poll::Pending
    }

    /// Calls `write` if there may be room for it.
    pub(super) fn poll_write(
        &self,
        context: &Context<'_>,
        mut write: impl FnMut() -> rustix::io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        while self.watch.writable.get() {
            match write() {
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => self.watch.writable.set(false),
                result => return Poll::Ready(result.map_err(io::Error::from)),
            }
        }
        self.watch.writer.wait(context);
        Poll::Pending
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // A copy of the socket elsewhere must not stay in this set.
        let _ = epoll::delete(&self.set.epoll, self.socket.as_fd());
        self.set.remove(self.place);
    }
}
