//! The Entry Point: from an accepted socket to an answer or an upgrade.
//!
//! [`mod@accept`] accepts connections. [`connection`] is one HTTP connection, and
//! [`exchange`] serves its requests through the shards that own the desks; the loop that
//! joins the two stands here. [`admission`] holds addresses to their rates, [`answers`]
//! renders replies, [`operator`] serves what
//! only the operator may ask for, [`cluster`] leads to the other machines, and [`carried`]
//! asks them.

mod accept;
mod admission;
mod answers;
mod carried;
mod cluster;
mod connection;
mod exchange;
mod operator;

pub(crate) use accept::accept;
pub(crate) use carried::serve as serve_carried;

use std::net::SocketAddr;
use std::rc::Rc;

use desk_engine_core::Source;

use crate::net::stream::Stream;
use crate::shard::Shell;
use connection::{Gone, Http};
use exchange::Next;

/// Which listener a connection came in by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Door {
    /// The one for everybody.
    Public,
    /// The operator's own (`--admin`).
    Admin,
    /// Plain HTTP that only leads to https (`--http-redirect`).
    Redirect,
}

/// Serves an accepted connection to its end.
async fn serve(shell: Rc<Shell>, stream: Stream, peer: SocketAddr, door: Door) {
    let http = Http::new(shell, stream, peer, door);
    // Boxed, because this future is large and most of the time no request is under way.
    if let Err(error) = Box::pin(run(http)).await {
        tracing::debug!(%peer, ?error, "an HTTP connection was cut off");
    }
}

async fn run(mut http: Http) -> Result<(), Gone> {
    while let Some(head) = http.next_head().await? {
        let busy = Busy::new(&http.shell);
        http.attribute(Source::from(admission::address(&http, &head)));
        let next = exchange::serve(&mut http, &head).await?;
        http.write().await?;
        drop(busy);
        if let Next::Upgrade { target, answer, key } = next {
            let shell = Rc::clone(&http.shell);
            return shell.hand_over(target, http.into_upgrade(answer, key)).map_err(|error| {
                tracing::warn!(%error, "a socket could not be given to its desk's core");
                Gone
            });
        }
    }
    Ok(())
}

/// Counts a request under way, so that a planned stop waits for its answer.
struct Busy {
    shell: Rc<Shell>,
}

impl Busy {
    fn new(shell: &Rc<Shell>) -> Self {
        shell.busy.set(shell.busy.get() + 1);
        Self { shell: Rc::clone(shell) }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.shell.busy.set(self.shell.busy.get() - 1);
    }
}

#[cfg(test)]
mod tests {
    use desk_engine_core::limits::CONNECTION_BYTES as CORE_BYTES;

    use super::*;
    use crate::limits::{BUFFERED_BYTES, CONNECTION_BYTES};
    use crate::shard::socket_bytes;

    /// What a function's future takes.
    const fn of_run<F: Future>(_: fn(Http) -> F) -> usize {
        size_of::<F>()
    }

    const fn of_serve<F: Future>(_: fn(Rc<Shell>, Stream, SocketAddr, Door) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn a_connection_takes_no_more_than_is_said() {
        let request = of_run(run) + of_serve(serve);
        let most = CORE_BYTES + BUFFERED_BYTES + request.max(socket_bytes());
        assert!(most <= CONNECTION_BYTES, "{most}: {request} or {}", socket_bytes());
    }
}
