//! The addresses that the server listens on.

use std::io::{ErrorKind, Read as _};
use std::net::{SocketAddr, TcpStream};

use socket2::{Domain, Protocol, Socket, Type};

use crate::config::Config;
use crate::entry::Door;
use crate::limits::PROBE_TIME;

/// An address that cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {error}; stop what uses it, or choose another with {flag}")]
pub(crate) struct ListenError {
    /// Which.
    address: SocketAddr,
    /// Why.
    error: std::io::Error,
    /// What sets it.
    flag: &'static str,
}

/// Addresses that are held until the shards listen on them.
pub(crate) struct Doors {
    open: Vec<(SocketAddr, Door, Option<Socket>)>,
}

impl Doors {
    /// Opens what the settings name.
    ///
    /// # Errors
    /// An address that cannot be had.
    pub(crate) fn open(config: &Config) -> Result<Self, ListenError> {
        let wanted = [
            (Some(config.listen), Door::Public, "--listen"),
            (config.admin, Door::Admin, "--admin"),
            (config.http_redirect, Door::Redirect, "--http-redirect"),
        ];
        let mut open = Vec::new();
        for (address, door, flag) in wanted {
            let Some(address) = address else { continue };
            let held = hold(address).map_err(|error| ListenError { address, error, flag })?;
            open.push((held.0, door, Some(held.1)));
        }
        Ok(Self { open })
    }

    /// Where a door is.
    pub(crate) fn address(&self, door: Door) -> Option<SocketAddr> {
        self.open.iter().find(|(_, known, _)| *known == door).map(|(address, ..)| *address)
    }

    /// All of them.
    pub(crate) fn addresses(&self) -> Vec<(SocketAddr, Door)> {
        self.open.iter().map(|(address, door, _)| (*address, *door)).collect()
    }

    /// The shards listen now.
    pub(crate) fn release(&mut self) {
        for (_, _, socket) in &mut self.open {
            *socket = None;
        }
    }
}

/// Binds an address without listening, so that this process owns it, and knows its port
/// if 0 was asked for, before the shards share it. Sharing would also join the listeners
/// of another process, so this probes for a server at the address first. A plain bind
/// does not do: it also fails for a while after a crash, while old connections are left.
fn hold(address: SocketAddr) -> std::io::Result<(SocketAddr, Socket)> {
    if address.port() != 0 && is_taken(shown(address)) {
        return Err(ErrorKind::AddrInUse.into());
    }
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_port(true)?;
    socket.bind(&address.into())?;
    let bound = socket.local_addr()?.as_socket().unwrap_or(address);
    Ok((bound, socket))
}

/// Whether a server runs at the address. The sockets of a killed server stay for some
/// milliseconds, until the kernel has freed its rings, and then reset connections to
/// them. A running server waits for a request.
fn is_taken(address: SocketAddr) -> bool {
    while let Ok(mut stream) = TcpStream::connect_timeout(&address, PROBE_TIME) {
        if let Err(error) = stream.set_read_timeout(Some(PROBE_TIME)) {
            tracing::debug!(%error, "a probe cannot be timed");
            return true;
        }
        match stream.read(&mut [0]) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
            Ok(1..) => return true,
            Ok(0) | Err(_) => {}
        }
    }
    false
}

/// An address that a browser on this machine can open.
pub(crate) fn shown(address: SocketAddr) -> SocketAddr {
    if !address.ip().is_unspecified() {
        return address;
    }
    let local = if address.is_ipv4() { "127.0.0.1" } else { "::1" };
    SocketAddr::new(local.parse().expect("a literal address"), address.port())
}
