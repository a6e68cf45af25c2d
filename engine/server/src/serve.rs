//! Starting, running and stopping the server.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, RwLock, atomic};

use crossbeam_utils::CachePadded;
use desk_disk::FolderLock;
use desk_engine_core::{Admission, Keyring, Placement, ShardConfig, UNITS};
use desk_gateway_http::route::OriginPolicy;
use glommio::{ExecutorJoinHandle, Placement as Pinning};

use crate::beside::Beside;
use crate::budget::Budget;
use crate::certificate::Certificate;
use crate::cluster::{Cluster, ClusterError};
use crate::config::{Config, Settings};
use crate::doors::{Doors, ListenError, QuicDoors, shown};
use crate::entry::Door;
use crate::executor::{self, Part, builder};
use crate::limits::{RELEASE_LOOK, RELEASE_TIME, RENEWAL_LOOK};
use crate::preflight::{self, Means, Unfit};
use crate::queue::mesh;
use crate::quic::{Quic, QuicError};
use crate::recovery::{OpenError, Opened, open_store};
use crate::shared::Shared;
use crate::signals::{Wish, Wishes};
use crate::{certificate, clock, keys, log};

/// Why the server did not start, or did not stop well.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeError {
    /// The operator's settings; exit code 2.
    #[error(transparent)]
    Config(#[from] crate::config::ConfigError),
    /// The settings of hosts and origins; exit code 2.
    #[error(transparent)]
    Origins(#[from] desk_gateway_http::route::OriginPolicyError),
    /// The machine.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// The data folder is in use.
    #[error(transparent)]
    Lock(#[from] desk_disk::LockError),
    /// The keys.
    #[error(transparent)]
    Keys(#[from] keys::KeyError),
    /// The certificate.
    #[error(transparent)]
    Certificate(#[from] crate::certificate::CertificateError),
    /// QUIC.
    #[error(transparent)]
    Quic(#[from] QuicError),
    /// The store.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// An address.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// A shard.
    #[error("a shard did not start: {0}")]
    Shard(String),
    /// The cluster.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// Something written is not on disk.
    #[error("the store failed while the server stopped; its log says more")]
    Stop,
}

impl ServeError {
    /// The process's exit code.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) | Self::Origins(_) => 2,
            _ => 1,
        }
    }
}

/// Runs the server until it is told to stop.
///
/// # Errors
/// Why it does not run, in one line.
pub(crate) fn serve(settings: Settings) -> Result<(), ServeError> {
    let wishes = Wishes::watch()
        .map_err(|error| ServeError::Shard(format!("signals cannot be watched: {error}")))?;
    let cores = preflight::cores();
    let core_count = u16::try_from(cores.len()).unwrap_or(u16::MAX);
    let config = Config::load(settings, core_count, preflight::machine_bytes())?;
    log::start();
    // Kept until the process ends: a second one must not open the store.
    let _lock = FolderLock::take(&config.data)?;
    let means = preflight::check(&config)?;
    let cluster = join_cluster(&config, means)?;
    let keyring = keys::keyring(&config.data)?;
    let certificate = certificate::load(&config, clock::wall())?;
    let mut doors = Doors::open(&config)?;
    let mut quic_doors = QuicDoors::open(&config)?;
    let quic = match quic_doors.addresses.is_empty() {
        true => None,
        false => Some(Quic::new(&config, quic_doors.addresses.clone())?),
    };
    let opened = open_store(&config, means)?;
    let shared = share(config, cluster, certificate, quic, &doors, means)?;
    let doors_of = (&doors, &mut quic_doors);
    let shards = start_shards(&shared.0, shared.1, opened, &keyring, doors_of, &cores)?;
    let shared = shared.0;
    doors.release();
    shared.ready.store(true, Ordering::SeqCst);
    if let Some(cluster) = &shared.cluster {
        cluster.listen(Arc::clone(&shared.bells));
    }
    wishes.ready();
    announce(&shared, &doors);
    let renewing = renew_certificates(&shared);
    while wishes.next() == Wish::Reload {
        shared.reload_certificate();
    }
    tracing::info!("stopping");
    drop(renewing);
    give_units(&shared);
    let stopped = stop(&shared, shards);
    if let Some(cluster) = &shared.cluster {
        cluster.handle.stop();
    }
    stopped
}

/// Renews self-made certificates when it is time to, until what this gives is dropped.
fn renew_certificates(shared: &Arc<Shared>) -> mpsc::Sender<()> {
    let (running, stopped) = mpsc::channel();
    let shared = Arc::clone(shared);
    std::thread::spawn(move || {
        while let Err(mpsc::RecvTimeoutError::Timeout) = stopped.recv_timeout(RENEWAL_LOOK) {
            shared.renew_certificate();
        }
    });
    running
}

/// Joins the cluster, if there is one.
fn join_cluster(config: &Config, means: Means) -> Result<Option<Cluster>, ClusterError> {
    let Some(chosen) = &config.cluster else { return Ok(None) };
    let host = chosen.advertise.split_once("://").map_or("", |(_, host)| host);
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let quic = format!("{name}:{}", config.quic.port());
    Cluster::join(chosen, config, Some(quic), means.log_budget_bytes).map(Some)
}

/// Gives the units of this machine to the others of its cluster.
fn give_units(shared: &Shared) {
    let Some(cluster) = &shared.cluster else { return };
    cluster.handle.drain();
    let until = clock::instant() + RELEASE_TIME;
    while shared.shards.iter().any(|shard| shard.units() > 0) && clock::instant() < until {
        // Between two looks: shards set their counts and ring no bell of this thread.
        std::thread::park_timeout(RELEASE_LOOK);
    }
}

type Ends = Vec<crate::queue::Mesh<crate::shard::Message>>;

fn share(
    config: Config,
    cluster: Option<Cluster>,
    certificate: Option<Certificate>,
    quic: Option<Quic>,
    doors: &Doors,
    means: Means,
) -> Result<(Arc<Shared>, Ends), ServeError> {
    let listen = doors.address(Door::Public).expect("the public door is always open");
    let addresses: Vec<_> = doors.addresses().into_iter().map(|(address, _)| address).collect();
    let origins =
        OriginPolicy::new(&addresses, config.public_url.as_deref(), &config.allow_origin)?;
    let origins = match &cluster {
        Some(cluster) => origins.also_at(&cluster.advertise)?,
        None => origins,
    };
    let shards = usize::from(config.shards);
    let ends: Ends = mesh(shards, config.limits.requests_between_shards);
    let shared = Arc::new(Shared {
        cluster,
        placement: Placement::new(config.shards),
        shards: (0..shards).map(|_| CachePadded::default()).collect(),
        metrics: (0..shards).map(|_| CachePadded::default()).collect(),
        unit_sessions: (0..UNITS).map(|_| AtomicU32::new(0)).collect(),
        origins,
        listen,
        bells: ends.first().expect("there is at least one shard").bells(),
        certificate: certificate.map(RwLock::new),
        quic,
        connections_max: means.connections,
        ready: atomic::AtomicBool::new(false),
        stopping: atomic::AtomicBool::new(false),
        finished: atomic::AtomicBool::new(false),
        unsent: Budget::new("unsent", config.limits.unsent_bytes, shards),
        unread: Budget::new("unread", config.limits.unread_bytes, shards),
        beside: Beside::start()
            .map_err(|error| ServeError::Shard(format!("no thread can be started: {error}")))?,
        admission: Mutex::new(Admission::new(config.limits.admission)),
        config,
    });
    Ok((shared, ends))
}

type Shards = Vec<ExecutorJoinHandle<()>>;

fn start_shards(
    shared: &Arc<Shared>,
    ends: Ends,
    opened: Opened,
    keyring: &Keyring,
    (doors, quic_doors): (&Doors, &mut QuicDoors),
    cores: &[usize],
) -> Result<Shards, ServeError> {
    let (report, reports) = mpsc::channel();
    let mut manifest = Some(opened.manifest);
    let mut handles = Vec::new();
    let config = &shared.config;
    for (index, (seed, mesh)) in opened.seeds.into_iter().zip(ends).enumerate() {
        let part = Part {
            index,
            shared: Arc::clone(shared),
            seed,
            mesh,
            // Shard 0 owns it.
            manifest: manifest.take(),
            keyring: keyring.clone(),
            entropy: keys::random()?,
            core: ShardConfig {
                index: index as u16,
                placement: shared.placement,
                session_idle: config.session_idle,
                memory_bytes: usize::try_from(config.memory_bytes).unwrap_or(usize::MAX)
                    / usize::from(config.shards),
                limits: Arc::new(config.limits.shard.clone()),
            },
            doors: doors.addresses(),
            quic: quic_doors.take(),
            quic_seed: keys::random()?,
            report: report.clone(),
        };
        // More shards than cores work, too; the kernel places them then.
        let pinning = match cores.get(index) {
            Some(core) if usize::from(config.shards) <= cores.len() => Pinning::Fixed(*core),
            _ => Pinning::Unbound,
        };
        let handle = builder(pinning, &format!("shard-{index}"))
            .spawn(move || executor::run(part))
            .map_err(|error| preflight::no_executor(&error.to_string()))?;
        handles.push(handle);
    }
    drop(report);
    for _ in &handles {
        match reports.recv() {
            Ok(Ok(())) => {}
            Ok(Err(why)) => return Err(ServeError::Shard(why)),
            Err(_) => return Err(ServeError::Shard("its thread ended".to_owned())),
        }
    }
    Ok(handles)
}

/// The one line that says that and where the server is ready.
fn announce(shared: &Shared, doors: &Doors) {
    let scheme = shared.config.scheme();
    let mut line = format!("Sticker Desk is ready: {scheme}://{}", shown(shared.listen));
    for address in shared.quic.iter().flat_map(Quic::addresses) {
        line.push_str(&format!(", QUIC {address}"));
    }
    if let Some(admin) = doors.address(Door::Admin) {
        line.push_str(&format!(", admin http://{}", shown(admin)));
    }
    if let Some(redirect) = doors.address(Door::Redirect) {
        line.push_str(&format!(", redirect http://{}", shown(redirect)));
    }
    let mut out = std::io::stdout();
    // Nobody may be reading; the server serves all the same.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    if shared.config.share {
        let _ = writeln!(out, "{}", invitation(shared)).and_then(|()| out.flush());
    }
}

/// What the host tells guests on the same network.
fn invitation(shared: &Shared) -> String {
    let port = shared.listen.port();
    let Some(address) = certificate::lan_address() else {
        return "No network was found that guests could come by.".to_owned();
    };
    let fingerprint = shared.own_certificate().map(|own| own.fingerprint()).unwrap_or_default();
    format!(
        "Guests on your network open https://{}\n\
         Their browser warns once that the connection is not private, because this server made \
         its certificate itself: they choose \"Advanced\", then \"Continue\".\n\
         Who wants to be sure compares the certificate's SHA-256 fingerprint:\n{fingerprint}",
        SocketAddr::new(address, port)
    )
}

/// The planned stop: everything accepted becomes durable, clients are told.
fn stop(shared: &Arc<Shared>, shards: Shards) -> Result<(), ServeError> {
    shared.stop();
    let (done, finished) = mpsc::channel();
    std::thread::spawn(move || {
        let sound = shards.into_iter().all(|shard| shard.join().is_ok());
        // The other end may have given up waiting.
        let _ = done.send(sound);
    });
    let result = finished.recv_timeout(shared.config.limits.drain_time);
    let poisoned = shared.is_poisoned();
    match result {
        _ if poisoned => Err(ServeError::Stop),
        Ok(true) => {
            tracing::info!("stopped");
            Ok(())
        }
        Ok(false) => Err(ServeError::Stop),
        Err(_) => {
            // Everything acknowledged is in the log; the next start reads it.
            tracing::warn!("the stop took too long; the rest is left to the next start");
            Ok(())
        }
    }
}
