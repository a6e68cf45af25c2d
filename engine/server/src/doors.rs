//! The addresses that the server listens on.

use std::io::{ErrorKind, Read as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::fd::OwnedFd;

use socket2::{Domain, Protocol, Socket, Type};

use crate::config::Config;
use crate::entry::Door;
use crate::limits::{PROBE_TIME, QUIC_SHARDS_MAX};
use crate::net::udp_group;

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

/// The UDP sockets of QUIC, bound and not yet received from.
#[derive(Default)]
pub(crate) struct QuicDoors {
    /// Where they are bound: one address of each family at most.
    pub(crate) addresses: Vec<SocketAddr>,
    /// The sockets of each shard, one of each address.
    sockets: Vec<Vec<OwnedFd>>,
}

impl QuicDoors {
    /// Binds the sockets of all shards. An address that nobody chose may be taken: then
    /// QUIC is not served, and the log says so.
    ///
    /// # Errors
    /// The address that the operator chose cannot be had.
    pub(crate) fn open(config: &Config) -> Result<Self, ListenError> {
        let shards = usize::from(config.shards);
        let chosen = config.quic;
        let failed = |error| ListenError { address: chosen, error, flag: "--quic" };
        if shards > QUIC_SHARDS_MAX {
            tracing::warn!("QUIC is not served: its connection ids name {QUIC_SHARDS_MAX} shards");
            return Ok(Self::default());
        }
        let (address, sockets) = match udp_group::bind(chosen, shards) {
            Ok(bound) => bound,
            Err(error) if config.quic_chosen => return Err(failed(error)),
            Err(error) => {
                tracing::warn!(%chosen, %error, "QUIC is not served; choose an address by --quic");
                return Ok(Self::default());
            }
        };
        let mut doors = Self {
            addresses: vec![address],
            sockets: sockets.into_iter().map(|socket| vec![socket]).collect(),
        };
        if address.ip().is_unspecified() {
            let other = match address.ip() {
                IpAddr::V4(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
                IpAddr::V6(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            };
            // A socket for both families would cost IPv4 users what is known of their
            // path at each change of their address.
            match udp_group::bind(SocketAddr::new(other, address.port()), shards) {
                Ok((other, sockets)) => {
                    doors.addresses.push(other);
                    for (shard, socket) in doors.sockets.iter_mut().zip(sockets) {
                        shard.push(socket);
                    }
                }
                Err(error) => tracing::warn!(%other, %error, "QUIC is served for one family"),
            }
        }
        Ok(doors)
    }

    /// The sockets of the next shard, in the order of shards.
    pub(crate) fn take(&mut self) -> Vec<(SocketAddr, OwnedFd)> {
        if self.sockets.is_empty() {
            return Vec::new();
        }
        self.addresses.iter().copied().zip(self.sockets.remove(0)).collect()
    }
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
