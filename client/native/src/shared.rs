//! What the handles of a desk and its driver share: the core, and who waits
//! for what.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use desk_client_core::{Client, Event, Line, Records, Token};
use desk_protocol::Time;
use desk_protocol::frame::CloseCode;
use tokio::sync::{Notify, broadcast, watch};

use crate::clock::Clock;
use crate::error::Ended;
use crate::limits::EVENTS_KEPT;
use crate::transport::{Carrier, LineEnd};

/// How far things went, for those who wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Progress {
    /// Grows when the view may have changed.
    pub(crate) view: u64,
    /// Grows with everything.
    pub(crate) turn: u64,
}

/// See the module.
pub(crate) struct Shared {
    state: Mutex<State>,
    /// Wakes the driver.
    pub(crate) wake: Notify,
    pub(crate) progress: watch::Sender<Progress>,
    pub(crate) events: broadcast::Sender<Event>,
}

/// The core and what it asked for.
pub(crate) struct State {
    pub(crate) client: Client,
    clock: Clock,
    /// A line is to be opened.
    pub(crate) connect: bool,
    /// The line is to be closed.
    pub(crate) hang_up: bool,
    /// The last handle is gone.
    pub(crate) stop: bool,
    /// The driver is done.
    pub(crate) stopped: bool,
    pub(crate) ended: Option<Ended>,
    /// What carries the line that is open.
    pub(crate) carrier: Option<Carrier>,
    /// The server has forgotten the key: the desk is to be joined again.
    rejoin: bool,
    /// How the line ended for that. A second such end before the line was live is final.
    forgotten: Option<Ended>,
    /// Why nothing is kept on disk any more.
    pub(crate) folder_error: Option<String>,
}

/// What the driver does next.
#[derive(Default)]
pub(crate) struct Orders {
    pub(crate) stop: bool,
    pub(crate) hang_up: bool,
    /// Open a line with this session key.
    pub(crate) connect: Option<String>,
    /// Join the desk again, with this key.
    pub(crate) rejoin: Option<String>,
    pub(crate) send: Vec<Vec<u8>>,
    /// Frames that may be lost.
    pub(crate) datagrams: Vec<Vec<u8>>,
    pub(crate) persist: Option<Records>,
    pub(crate) wake_at: Option<std::time::Instant>,
}

impl Shared {
    pub(crate) fn new(client: Client, clock: Clock) -> Self {
        let state = State {
            client,
            clock,
            connect: false,
            hang_up: false,
            stop: false,
            stopped: false,
            ended: None,
            carrier: None,
            rejoin: false,
            forgotten: None,
            folder_error: None,
        };
        Self {
            state: Mutex::new(state),
            wake: Notify::new(),
            progress: watch::Sender::new(Progress::default()),
            events: broadcast::Sender::new(EVENTS_KEPT),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // Callers look at the desk under the lock; one that panics there has
        // changed nothing.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets `act` use the core, and wakes the driver to do what follows.
    pub(crate) fn act<R>(&self, act: impl FnOnce(&mut Client, Time) -> R) -> R {
        let result = self.turn(act);
        self.wake.notify_one();
        result
    }

    /// Lets `act` use the core, on the driver's own behalf.
    pub(crate) fn turn<R>(&self, act: impl FnOnce(&mut Client, Time) -> R) -> R {
        let mut state = self.lock();
        let now = state.clock.now();
        let result = act(&mut state.client, now);
        self.take_events(&mut state);
        result
    }

    /// What carries the line that is open now.
    pub(crate) fn carried_by(&self, carrier: Option<Carrier>) {
        self.lock().carrier = carrier;
    }

    /// The line, or an attempt to open it, ended.
    pub(crate) fn line_ended(&self, end: LineEnd) {
        self.turn(|client, now| client.closed(now, end.trouble, &end.detail));
    }

    /// What is to be done; `open`: there is a line to send on, of this round trip if it is
    /// known, `free`: nothing is being persisted.
    pub(crate) fn orders(&self, open: bool, round_trip: Option<Duration>, free: bool) -> Orders {
        let mut state = self.lock();
        self.take_events(&mut state);
        if let Some(round_trip) = round_trip {
            state.client.tell_round_trip(round_trip);
        }
        let now = state.clock.now();
        let mut orders = Orders { stop: state.stop, ..Orders::default() };
        orders.hang_up = std::mem::take(&mut state.hang_up);
        if std::mem::take(&mut state.connect) {
            orders.connect = Some(state.client.session_key().to_owned());
        }
        if std::mem::take(&mut state.rejoin) {
            orders.rejoin = Some(state.client.session_key().to_owned());
        }
        if free {
            orders.persist = state.client.persist();
        }
        if open && !orders.hang_up {
            while let Some(frame) = state.client.poll_datagram(now) {
                orders.datagrams.push(frame);
            }
            while let Some(frames) = state.client.poll_transmit(now) {
                orders.send.push(frames);
            }
        }
        self.take_events(&mut state);
        let deadline = state.client.poll_timeout();
        orders.wake_at = deadline.map(|(at, _)| state.clock.instant(at));
        orders
    }

    /// The desk was joined again.
    pub(crate) fn rejoined(&self, session_key: &str, resumed: bool) {
        self.lock().ended = None;
        self.act(|client, now| client.rejoin(now, session_key, resumed));
    }

    /// The desk cannot be joined again: its end stays.
    pub(crate) fn stays_out(&self) {
        let mut state = self.lock();
        if let Some(ended) = state.forgotten.clone() {
            let event = Event::Closed { code: ended.code, detail: ended.detail.clone() };
            state.ended = Some(ended);
            // Nobody may be listening.
            let _ = self.events.send(event);
        }
        drop(state);
        self.progress.send_modify(|progress| progress.turn += 1);
    }

    /// Everything up to `token` is on disk.
    pub(crate) fn persisted(&self, token: Token) {
        self.turn(|client, _| client.persisted(token));
    }

    /// The folder cannot be written: go on without it.
    pub(crate) fn cannot_persist(&self, error: io::Error) {
        self.turn(|client, _| client.stop_persisting());
        self.lock().folder_error = Some(error.to_string());
    }

    fn take_events(&self, state: &mut State) {
        let mut view = false;
        let mut any = false;
        while let Some(event) = state.client.poll_event() {
            any = true;
            match &event {
                Event::Connect { .. } => state.connect = true,
                Event::LineDead { .. } => state.hang_up = true,
                Event::Closed { code, detail } => {
                    state.hang_up = true;
                    let pending = state.client.pending();
                    let ended = Ended { code: *code, detail: detail.clone(), pending };
                    if *code == CloseCode::KeyVoid && state.forgotten.is_none() {
                        // The desk is there and has only forgotten this client: nobody
                        // needs to decide.
                        (state.rejoin, state.forgotten) = (true, Some(ended));
                        continue;
                    }
                    state.ended = Some(ended);
                }
                Event::Changed { .. } | Event::Reset => view = true,
                _ => {}
            }
            // Nobody may be listening.
            let _ = self.events.send(event);
        }
        if state.client.line() == Line::Live {
            state.forgotten = None;
        }
        if any {
            self.progress.send_modify(|progress| {
                progress.turn += 1;
                progress.view += u64::from(view);
            });
        }
    }
}
