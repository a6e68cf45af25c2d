//! One executor: opens its shard's store, starts its tasks, turns its loop.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use desk_disk::Folder;
use desk_engine_core::{Keyring, Shard, ShardConfig};
use desk_storage_lsm::{ManifestOwner, ManifestSeed, ShardSeed, Store};
use glommio::net::TcpListener;
use glommio::{LocalExecutorBuilder, Placement as Pinning};

use crate::entry::{self, Door};
use crate::limits::{RING_DEPTH, RING_IO_MEMORY_BYTES};
use crate::net::quic::endpoint::Endpoint;
use crate::net::readiness;
use crate::net::udp::Udp;
use crate::queue::Mesh;
use crate::shard::{Guests, Message, Shell, own_manifest};
use crate::shared::Shared;

/// What an executor is given.
pub(crate) struct Part {
    pub(crate) index: usize,
    pub(crate) shared: Arc<Shared>,
    pub(crate) seed: ShardSeed,
    pub(crate) mesh: Mesh<Message>,
    /// For the one shard that owns it.
    pub(crate) manifest: Option<ManifestSeed>,
    pub(crate) keyring: Keyring,
    pub(crate) entropy: [u8; 32],
    pub(crate) core: ShardConfig,
    pub(crate) doors: Vec<(SocketAddr, Door)>,
    /// The sockets of QUIC.
    pub(crate) quic: Vec<(SocketAddr, OwnedFd)>,
    /// 32 random bytes that QUIC's ids are drawn from.
    pub(crate) quic_seed: [u8; 32],
    /// Told once whether the shard serves.
    pub(crate) report: Sender<Result<(), String>>,
}

/// A shard's thread must not end unnoticed: half of the desks would hang.
struct Guard;

impl Drop for Guard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            crate::failure::die("a shard ended by a defect; see the message above");
        }
    }
}

/// The builder of every executor of this process.
pub(crate) fn builder(pinning: Pinning, name: &str) -> LocalExecutorBuilder {
    LocalExecutorBuilder::new(pinning)
        .name(name)
        .io_memory(RING_IO_MEMORY_BYTES)
        .ring_depth(RING_DEPTH)
}

/// Runs a shard until the server has stopped.
pub(crate) async fn run(part: Part) {
    let _guard = Guard;
    let report = part.report.clone();
    match start(part).await {
        Err(why) => {
            // The starting thread waits for it, or has failed itself.
            let _ = report.send(Err(why));
        }
        Ok(shell) => {
            let _ = report.send(Ok(()));
            drop(report);
            let turning = glommio::spawn_local(guarded(Rc::clone(&shell).run()));
            turning.await;
        }
    }
}

/// A task without which the shard cannot go on.
async fn guarded(task: impl Future<Output = ()>) {
    let _guard = Guard;
    task.await;
}

async fn start(part: Part) -> Result<Rc<Shell>, String> {
    let Part { index, shared, seed, mesh, manifest, keyring, entropy, core, doors, .. } = part;
    let (quic, quic_seed) = (part.quic, part.quic_seed);
    readiness::start().map_err(|error| format!("sockets cannot be watched: {error}"))?;
    let data = shared.config.data.clone();
    let open = || Folder::open(&data);
    let disk = open().await.map_err(|error| error.to_string())?;
    let store = Store::open(disk, seed).await.map_err(|error| error.to_string())?;
    let guests = guests(&shared, index, quic, quic_seed)
        .map_err(|error| format!("QUIC's sockets cannot be watched: {error}"))?;
    let sockets = guests.as_ref().map_or(0, Guests::sockets);
    let core = match shared.cluster {
        None => Shard::new(core, keyring, entropy),
        Some(_) => Shard::of_cluster(core, keyring, entropy),
    };
    let shell = Shell::new(index, shared, core, store, mesh, guests);
    glommio::spawn_local(guarded(Rc::clone(&shell).watch_guests())).detach();
    for socket in 0..sockets {
        glommio::spawn_local(guarded(Rc::clone(&shell).receive_datagrams(socket))).detach();
    }
    if let Some(manifest) = manifest {
        let disk = open().await.map_err(|error| error.to_string())?;
        let owner = ManifestOwner::open(disk, manifest).await.map_err(|error| error.to_string())?;
        glommio::spawn_local(guarded(own_manifest(Rc::clone(&shell), owner))).detach();
    }
    glommio::spawn_local(guarded(Rc::clone(&shell).commit_in_groups())).detach();
    glommio::spawn_local(guarded(Rc::clone(&shell).keep_up())).detach();
    if shell.shared.cluster.is_some() {
        glommio::spawn_local(guarded(Rc::clone(&shell).serve_streams())).detach();
        glommio::spawn_local(guarded(entry::serve_carried(Rc::clone(&shell)))).detach();
    }
    for (address, door) in doors {
        let listener = TcpListener::bind(address)
            .map_err(|error| format!("cannot listen on {address}: {error}"))?;
        let accepting = entry::accept(Rc::clone(&shell), listener, door);
        glommio::spawn_local(guarded(accepting)).detach();
    }
    Ok(shell)
}

/// QUIC on this executor, if it is served.
fn guests(
    shared: &Shared,
    index: usize,
    sockets: Vec<(SocketAddr, OwnedFd)>,
    seed: [u8; 32],
) -> std::io::Result<Option<Guests>> {
    let Some(quic) = &shared.quic else { return Ok(None) };
    let attach = |(address, socket)| Udp::attach(socket, address);
    let sockets = sockets.into_iter().map(attach).collect::<Result<Vec<_>, _>>()?;
    let shards = shared.shards.len();
    let connections = shared.config.limits.quic_connections.div_ceil(shards);
    let endpoint = Endpoint::new(&quic.keys, quic.server(), seed, index, shards, connections);
    Ok(Some(Guests::new(endpoint, sockets)))
}
