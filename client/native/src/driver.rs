//! The task behind a desk: does what the core asks, and tells it what happened.

use std::future::{Future, pending};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use desk_client_core::Token;

use crate::api::Joined;
use crate::error::RequestError;
use crate::folder::Folder;
use crate::origin::Origin;
use crate::shared::Shared;
use crate::transport::{Came, Line, LineEnd, Transport};

type Attempt<L> = Pin<Box<dyn Future<Output = Result<L, LineEnd>> + Send>>;
type Joining = Pin<Box<dyn Future<Output = Result<Joined, RequestError>> + Send>>;
type Writing = Pin<Box<dyn Future<Output = io::Result<Token>> + Send>>;

enum Connection<L> {
    None,
    Opening(Attempt<L>),
    Open(L),
}

enum Happened<L> {
    Opened(L),
    Received(Came),
    Ended(LineEnd),
}

impl<L: Line> Connection<L> {
    /// Waits for the next thing to happen to it. Dropping the future loses nothing.
    async fn turn(&mut self) -> Happened<L> {
        match self {
            Self::None => pending().await,
            Self::Opening(attempt) => match attempt.await {
                Ok(line) => Happened::Opened(line),
                Err(end) => Happened::Ended(end),
            },
            Self::Open(line) => match line.turn().await {
                Ok(came) => Happened::Received(came),
                Err(end) => Happened::Ended(end),
            },
        }
    }
}

/// Runs until the last handle is gone.
pub(crate) async fn run<T: Transport>(
    shared: Arc<Shared>,
    transport: Arc<T>,
    origin: Arc<Origin>,
    folder: Option<Folder>,
) {
    let mut connection: Connection<T::Line> = Connection::None;
    let mut writing: Option<Writing> = None;
    let mut joining: Option<Joining> = None;
    // The core counts the time of its first attempt from here.
    shared.turn(|client, now| client.handle_timeout(now));
    loop {
        let (open, round_trip) = match &connection {
            Connection::Open(line) => (true, line.round_trip()),
            Connection::Opening(_) | Connection::None => (false, None),
        };
        let orders = shared.orders(open, round_trip, writing.is_none());
        if orders.hang_up {
            shared.carried_by(None);
            match std::mem::replace(&mut connection, Connection::None) {
                Connection::Open(line) => {
                    transport.ended();
                    drop(tokio::spawn(line.close()));
                }
                // An attempt that hangs ends with its future.
                Connection::Opening(_) | Connection::None => {}
            }
        }
        if let Some(key) = orders.connect {
            let transport = Arc::clone(&transport);
            let attempt = Box::pin(async move { transport.connect(key).await });
            connection = Connection::Opening(attempt);
        }
        if let Some(key) = orders.rejoin {
            let origin = Arc::clone(&origin);
            joining = Some(Box::pin(async move { origin.rejoin(&key).await }));
        }
        if let Connection::Open(line) = &mut connection {
            orders.send.iter().for_each(|frames| line.queue(frames));
            orders.datagrams.into_iter().for_each(|frame| line.send_datagram(frame));
        }
        if let (Some(records), Some(folder)) = (orders.persist, &folder) {
            writing = Some(Box::pin(folder.clone().write(records)));
        }
        if orders.stop && writing.is_none() {
            break;
        }
        tokio::select! {
            happened = connection.turn() => match happened {
                Happened::Opened(line) => {
                    shared.carried_by(Some(line.carrier()));
                    let datagrams = line.has_datagrams();
                    connection = Connection::Open(line);
                    shared.turn(|client, now| {
                        client.connected(now);
                        if datagrams {
                            client.has_datagrams();
                        }
                    });
                }
                Happened::Received(came) => {
                    transport.proven();
                    shared.turn(|client, now| match came {
                        Came::Frames(bytes) => client.receive(now, &bytes),
                        Came::Datagram(frame) => client.receive_datagram(now, &frame),
                    });
                }
                Happened::Ended(end) => {
                    transport.ended();
                    connection = Connection::None;
                    shared.carried_by(None);
                    shared.line_ended(end);
                }
            },
            () = shared.wake.notified() => {}
            () = due(orders.wake_at) => shared.turn(|client, now| client.handle_timeout(now)),
            outcome = done(&mut joining) => {
                joining = None;
                match outcome {
                    Ok(joined) => shared.rejoined(&joined.session_key, joined.resumed),
                    Err(_) => shared.stays_out(),
                }
            }
            outcome = done(&mut writing) => {
                writing = None;
                match outcome {
                    Ok(token) => shared.persisted(token),
                    Err(error) => shared.cannot_persist(error),
                }
            }
        }
    }
    if let Connection::Open(line) = connection {
        line.close().await;
    }
    // Whoever waits for the end may open the folder at once.
    drop(folder);
    shared.lock().stopped = true;
    shared.progress.send_modify(|progress| progress.turn += 1);
}

async fn due(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => pending().await,
    }
}

/// What came of something that may be under way.
async fn done<R>(under_way: &mut Option<Pin<Box<dyn Future<Output = R> + Send>>>) -> R {
    match under_way {
        Some(under_way) => under_way.await,
        None => pending().await,
    }
}
