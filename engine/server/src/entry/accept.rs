//! Accepting connections.

use std::net::SocketAddr;
use std::rc::Rc;
use std::task::Poll;

use glommio::net::TcpListener;
use glommio::timer::Timer;

use super::{Door, serve};
use crate::limits::ACCEPT_PAUSE;
use crate::net::stream::Stream;
use crate::net::tcp::Tcp;
use crate::net::tls::{TlsSession, TlsStream};
use crate::shard::{Shell, spawn};

/// Accepts on one address until the server stops. Every shard listens on it
/// (`SO_REUSEPORT`), so the kernel spreads connections over them.
pub(crate) async fn accept(shell: Rc<Shell>, listener: TcpListener, door: Door) {
    let stopping = shell.stopping_flag();
    loop {
        let mut accepted = std::pin::pin!(listener.shared_accept());
        let accepted = std::future::poll_fn(|context| {
            if stopping.poll(context).is_ready() {
                return Poll::Ready(None);
            }
            accepted.as_mut().poll(context).map(Some)
        })
        .await;
        match accepted {
            // The listener is closed with this.
            None => return,
            Some(Ok(accepted)) => {
                // The stream is bound first, so that it owns the descriptor. glommio closes
                // the descriptor of an unbound stream twice if its peer is gone, and the
                // second time it may belong to another file.
                let stream = accepted.bind_to_executor();
                let peer = stream.peer_addr();
                let limits = &shell.shared.config.limits;
                let tcp = Tcp::accepted(&stream, limits.probe_time, limits.reader_stall);
                match (tcp, peer) {
                    (Ok(tcp), Ok(peer)) => welcome(&shell, tcp, peer, door),
                    // The peer is gone already.
                    (_, Err(_)) => {}
                    (Err(error), Ok(peer)) => {
                        tracing::warn!(%error, %peer, "a connection cannot be watched");
                        shell.metrics().connections_refused.add(1);
                    }
                }
            }
            Some(Err(error)) => {
                // Most often no descriptor is left. Some come back when connections end.
                tracing::warn!(%error, "a connection cannot be accepted");
                shell.metrics().connections_refused.add(1);
                Timer::new(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn welcome(shell: &Rc<Shell>, tcp: Tcp, peer: SocketAddr, door: Door) {
    let metrics = shell.metrics();
    if !shell.shared.has_room() {
        metrics.connections_refused.add(1);
        tracing::warn!(%peer, "too many connections: one was closed at once");
        return;
    }
    let tls = if door == Door::Public { shell.shared.tls() } else { None };
    let stream = match tls.map(TlsSession::new).transpose() {
        Ok(None) => Stream::Plain(tcp),
        Ok(Some(session)) => Stream::Tls(Box::new(TlsStream::new(tcp, Box::new(session)))),
        Err(error) => {
            tracing::error!(%error, "TLS cannot be used");
            return;
        }
    };
    metrics.connections_accepted.add(1);
    shell.connection_opened();
    let task = serve(Rc::clone(shell), stream, peer, door);
    let end = {
        let shell = Rc::clone(shell);
        move || shell.connection_closed()
    };
    spawn(shell, task, end);
}
