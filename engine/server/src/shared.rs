//! What all shards of the process share. Everything here is read by many and
//! written rarely, or is a cache line of its own.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use crossbeam_utils::CachePadded;
use desk_engine_core::{Admission, Placement};
use desk_gateway_http::route::OriginPolicy;
use rustls::ServerConfig;

use crate::certificate::{Certificate, OwnCertificate};
use crate::config::Config;
use crate::metrics::ShardMetrics;
use crate::queue::Doorbell;
use crate::{certificate, clock};

/// Shared by all shards.
pub(crate) struct Shared {
    /// The settings.
    pub(crate) config: Config,
    /// Which shard owns a desk.
    pub(crate) placement: Placement,
    /// What each shard counts; also what the load balancer looks at.
    pub(crate) metrics: Box<[CachePadded<ShardMetrics>]>,
    /// How often each address did what it may do only so often. Never waited for.
    pub(crate) admission: Mutex<Admission>,
    /// Hosts and origins that are ours.
    pub(crate) origins: OriginPolicy,
    /// Where everybody connects.
    pub(crate) listen: SocketAddr,
    /// Wakes a shard.
    pub(crate) bells: Arc<[Doorbell]>,
    /// The certificate for new connections, if they are encrypted.
    pub(crate) certificate: Option<RwLock<Certificate>>,
    /// Bytes that wait for slow peers, see [`Unsent`].
    pub(crate) unsent: AtomicUsize,
    /// Connections that descriptors allow.
    pub(crate) connections_max: usize,
    /// All shards serve.
    pub(crate) ready: AtomicBool,
    /// A planned stop has begun.
    pub(crate) stopping: AtomicBool,
    /// Shards whose part of the stop is on disk.
    pub(crate) stopped: AtomicUsize,
    /// Edits on their way to the manifest's owner.
    pub(crate) edits_under_way: AtomicUsize,
    /// All is on disk: the loops end.
    pub(crate) finished: AtomicBool,
}

impl Shared {
    /// Why `/readyz` should say no.
    pub(crate) fn unready(&self) -> Option<&'static str> {
        if self.stopping.load(Ordering::Relaxed) {
            return Some("The server is going down; come again later.");
        }
        if !self.ready.load(Ordering::Relaxed) {
            return Some("The server is starting; come again soon.");
        }
        if self.metrics.iter().any(|shard| shard.poisoned.get() != 0) {
            return Some(
                "A write to the data folder failed, so nothing is stored any more. Look at the \
                 log and the disk, then restart the server.",
            );
        }
        if self.metrics.iter().any(|shard| shard.unwritable.get() != 0) {
            return Some(
                "Changes cannot be stored now: the disk or the log's budget is full, or the disk \
                 hangs. Free space, raise --log-budget, or look at the disk.",
            );
        }
        None
    }

    /// Whether one more connection may be accepted.
    pub(crate) fn has_room(&self) -> bool {
        let open: u64 = self.metrics.iter().map(|shard| shard.connections.get()).sum();
        open < self.connections_max as u64
    }

    /// The configuration of TLS for one more connection.
    pub(crate) fn tls(&self) -> Option<Arc<ServerConfig>> {
        let certificate = self.certificate.as_ref()?;
        // A writer replaces the value as a whole, so even a poisoned lock holds a
        // whole one.
        let certificate = certificate.read().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&certificate.server))
    }

    /// The self-made certificate.
    pub(crate) fn own_certificate(&self) -> Option<OwnCertificate> {
        let certificate = self.certificate.as_ref()?;
        certificate.read().unwrap_or_else(PoisonError::into_inner).own.clone()
    }

    /// Reads the certificate again; connections that are open keep theirs.
    pub(crate) fn reload_certificate(&self) {
        let Some(certificate) = &self.certificate else { return };
        match certificate::load(&self.config, clock::wall()) {
            Ok(Some(new)) => {
                *certificate.write().unwrap_or_else(PoisonError::into_inner) = new;
                tracing::info!("the certificate was read again");
            }
            Ok(None) => {}
            Err(error) => tracing::error!(%error, "the certificate stays as it is"),
        }
    }

    /// Wakes all shards.
    pub(crate) fn wake_all(&self) {
        self.bells.iter().for_each(Doorbell::ring);
    }

    /// Begins the planned stop.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.wake_all();
    }
}

/// Bytes of one write that a peer has yet to take, out of what the process may hold.
pub(crate) struct Unsent {
    shared: Arc<Shared>,
    bytes: usize,
}

impl Unsent {
    /// Holds so many bytes; `None` if that is more than the process may (`unsent`).
    pub(crate) fn hold(shared: &Arc<Shared>, bytes: usize) -> Option<Self> {
        let before = shared.unsent.fetch_add(bytes, Ordering::Relaxed);
        let held = Self { shared: Arc::clone(shared), bytes };
        (before + bytes <= shared.config.limits.unsent_bytes).then_some(held)
    }
}

impl Drop for Unsent {
    fn drop(&mut self) {
        self.shared.unsent.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
