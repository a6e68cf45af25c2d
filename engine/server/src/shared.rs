//! What all shards of the process share. Everything here is read by many and
//! written rarely, or is a cache line of its own.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use crossbeam_utils::CachePadded;
use desk_engine_core::{Admission, Placement};
use desk_gateway_http::Problem;
use desk_gateway_http::http::RequestHead;
use desk_gateway_http::route::OriginPolicy;
use desk_keeper::{Why, Writable};
use desk_protocol::Time;
use rustls::ServerConfig;

use crate::beside::Beside;
use crate::budget::Budget;
use crate::certificate::{Certificate, OwnCertificate};
use crate::cluster::Cluster;
use crate::config::Config;
use crate::limits::{ALMOST_FULL, WRITE_HANGS_TIME};
use crate::metrics::ShardMetrics;
use crate::queue::Doorbell;
use crate::quic::Quic;
use crate::{certificate, clock};

/// Shared by all shards.
pub(crate) struct Shared {
    /// The settings.
    pub(crate) config: Config,
    /// The cluster that this machine is one of.
    pub(crate) cluster: Option<Cluster>,
    /// Which shard owns a desk.
    pub(crate) placement: Placement,
    /// What others decide upon, a shard each.
    pub(crate) shards: Box<[CachePadded<ShardState>]>,
    /// By unit of a cluster: the sessions on its desks. A unit's shard writes its own.
    pub(crate) unit_sessions: Box<[AtomicU32]>,
    /// What each shard counts. Nothing is decided by it.
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
    /// QUIC, if it is served.
    pub(crate) quic: Option<Quic>,
    /// Bytes of answers that peers have yet to take.
    pub(crate) unsent: Arc<Budget>,
    /// Bytes of requests and messages that have not arrived whole, or are being served.
    pub(crate) unread: Arc<Budget>,
    /// What takes long is computed there.
    pub(crate) beside: Arc<Beside>,
    /// Connections that descriptors allow.
    pub(crate) connections_max: usize,
    /// All shards serve.
    pub(crate) ready: AtomicBool,
    /// A planned stop has begun.
    pub(crate) stopping: AtomicBool,
    /// All is on disk: the loops end.
    pub(crate) finished: AtomicBool,
}

/// What other shards and the operator's answers decide upon. A shard writes its own.
#[derive(Default)]
pub(crate) struct ShardState {
    /// 0 while changes are taken, else a number of the reason, from 1.
    unwritable: AtomicU8,
    /// When the write to the log that is under way began, in microseconds; 0: there is none.
    writing_since: AtomicU64,
    /// Open connections.
    connections: AtomicUsize,
    /// Those of QUIC among them, which take no descriptor.
    guests: AtomicUsize,
    /// Collaboration instances, by which new desks find their shard.
    instances: AtomicUsize,
    /// In a cluster: the units that it serves.
    units: AtomicUsize,
}

impl ShardState {
    pub(crate) fn set_writable(&self, writable: Writable) {
        let number = match writable {
            Writable::Yes => 0,
            Writable::No(why) => {
                let place = Why::ALL.iter().position(|other| *other == why);
                1 + place.expect("all reasons are in the list") as u8
            }
        };
        self.unwritable.store(number, Ordering::Relaxed);
    }

    pub(crate) fn writable(&self) -> Writable {
        let number = usize::from(self.unwritable.load(Ordering::Relaxed));
        let why = number.checked_sub(1).and_then(|place| Why::ALL.get(place));
        why.map_or(Writable::Yes, |why| Writable::No(*why))
    }

    pub(crate) fn begin_write(&self, now: Time) {
        self.writing_since.store(now.0, Ordering::Relaxed);
    }

    pub(crate) fn end_write(&self) {
        self.writing_since.store(0, Ordering::Relaxed);
    }

    /// Whether a write takes so long that the disk seems to hang.
    pub(crate) fn hangs(&self, now: Time) -> bool {
        let since = self.writing_since.load(Ordering::Relaxed);
        since != 0 && now >= Time(since) + WRITE_HANGS_TIME
    }

    /// A connection of QUIC has begun. How many connections there are now.
    pub(crate) fn guest_opened(&self) -> u64 {
        self.guests.fetch_add(1, Ordering::Relaxed);
        self.connection_opened()
    }

    /// A connection of QUIC has ended. How many connections there are now.
    pub(crate) fn guest_closed(&self) -> u64 {
        self.guests.fetch_sub(1, Ordering::Relaxed);
        self.connection_closed()
    }

    /// How many there are now.
    pub(crate) fn connection_opened(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed) as u64 + 1
    }

    /// How many there are now.
    pub(crate) fn connection_closed(&self) -> u64 {
        self.connections.fetch_sub(1, Ordering::Relaxed) as u64 - 1
    }

    pub(crate) fn set_instances(&self, instances: usize) {
        self.instances.store(instances, Ordering::Relaxed);
    }

    pub(crate) fn set_units(&self, units: usize) {
        self.units.store(units, Ordering::Relaxed);
    }

    pub(crate) fn units(&self) -> usize {
        self.units.load(Ordering::Relaxed)
    }

    pub(crate) fn instances(&self) -> usize {
        self.instances.load(Ordering::Relaxed)
    }
}

impl Shared {
    /// Why `/readyz` should say no.
    pub(crate) fn unready(&self, now: Time) -> Option<&'static str> {
        if self.stopping.load(Ordering::Relaxed) {
            return Some("The server is going down; come again later.");
        }
        if !self.ready.load(Ordering::Relaxed) {
            return Some("The server is starting; come again soon.");
        }
        // The weightiest reason of all shards.
        let reasons = self.shards.iter().filter_map(|shard| match shard.writable() {
            Writable::Yes => None,
            Writable::No(why) => Some(why),
        });
        let refused = reasons.min().map(|why| match why {
            Why::Poisoned => {
                "A write to the data folder failed, so nothing is stored any more. Look at the \
                 log and the disk, then restart the server."
            }
            Why::Draining => "The server is going down; come again later.",
            Why::LogFull => {
                "Changes cannot be stored now: the log's budget is used up. Look at the disk, or \
                 raise --log-budget."
            }
            Why::BelowReserve => {
                "Changes cannot be stored now: the disk is full up to the reserve. Free space."
            }
            Why::Behind => {
                "Changes cannot be stored now: the disk is slower than the changes, or hangs. \
                 Look at the disk."
            }
            Why::Backlog => {
                "Changes cannot be stored now: records wait that the store has refused. Look at \
                 the log and the disk."
            }
        });
        let hanging = self.shards.iter().any(|shard| shard.hangs(now));
        refused.or(hanging.then_some(
            "A write to the data folder does not end, so changes wait. Look at the disk.",
        ))
    }

    /// Checks the page that asks for an upgrade: one of this server's, or of another
    /// machine of its cluster.
    ///
    /// # Errors
    /// 403.
    pub(crate) fn check_origin(&self, head: &RequestHead) -> Result<(), Problem> {
        match head.field("origin").filter(|origin| self.is_of_cluster(origin)) {
            Some(_) => Ok(()),
            None => self.origins.check_origin(head),
        }
    }

    /// Whether pages of that origin are of a machine of this server's cluster.
    pub(crate) fn is_of_cluster(&self, origin: &str) -> bool {
        self.cluster.as_ref().is_some_and(|cluster| cluster.has_origin(origin))
    }

    /// Whether a write has failed.
    pub(crate) fn is_poisoned(&self) -> bool {
        self.shards.iter().any(|shard| shard.writable() == Writable::No(Why::Poisoned))
    }

    /// Whether a planned stop has begun.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Whether everything is on disk.
    pub(crate) fn is_finished(&self) -> bool {
        self.finished.load(Ordering::SeqCst)
    }

    /// Whether there is hardly any room for more connections.
    pub(crate) fn is_almost_full(&self) -> bool {
        let (open, guests) = self.open();
        let (part, of) = ALMOST_FULL;
        let is_near = |open: usize, most: usize| open >= most / of * part;
        is_near(open, self.config.limits.connections)
            || is_near(open.saturating_sub(guests), self.connections_max)
    }

    /// Whether one more connection may be accepted that takes a descriptor.
    pub(crate) fn has_room(&self) -> bool {
        let (open, guests) = self.open();
        self.has_room_for_guest() && open.saturating_sub(guests) < self.connections_max
    }

    /// Whether one more connection of QUIC may be accepted.
    pub(crate) fn has_room_for_guest(&self) -> bool {
        self.open().0 < self.config.limits.connections
    }

    /// Connections, and those of QUIC among them.
    fn open(&self) -> (usize, usize) {
        self.shards.iter().fold((0, 0), |(open, guests), shard| {
            let of = |count: &AtomicUsize| count.load(Ordering::Relaxed);
            (open + of(&shard.connections), guests + of(&shard.guests))
        })
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
        self.renew_certificate();
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

    /// Reads QUIC's certificate again; a self-made one is renewed if it is time to.
    pub(crate) fn renew_certificate(&self) {
        let Some(quic) = &self.quic else { return };
        match quic.reload(&self.config) {
            Ok(()) => self.wake_all(),
            Err(error) => tracing::error!(%error, "QUIC's certificate stays as it is"),
        }
    }

    /// Everything is on disk: ends the shards' loops.
    pub(crate) fn finish(&self) {
        self.finished.store(true, Ordering::SeqCst);
        self.wake_all();
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
