//! What the server runs with: flags over environment over file over defaults.

mod cluster;
mod flags;
pub(crate) mod limits;
mod quantity;
pub(crate) mod sums;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

pub(crate) use cluster::Cluster;
pub(crate) use flags::{Network, Settings};
use limits::Limits;

use crate::limits as defaults;

/// What `serve --help` adds to the flags: the limits, and their sums.
pub(crate) fn help() -> String {
    limits::help() + "\nSums:\n" + &sums::help()
}

/// The settings of one run, complete and checked against each other.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) listen: SocketAddr,
    /// Where QUIC is served.
    pub(crate) quic: SocketAddr,
    /// Whether the operator chose it: only then must it be had.
    pub(crate) quic_chosen: bool,
    pub(crate) data: PathBuf,
    pub(crate) shards: u16,
    pub(crate) desk_ttl: Duration,
    pub(crate) bucket: Duration,
    pub(crate) session_idle: Duration,
    /// Bytes, all shards together.
    pub(crate) memory_bytes: u64,
    /// Bytes, all shards together; `None`: by the disk's size.
    pub(crate) log_budget_bytes: Option<u64>,
    pub(crate) tls: Tls,
    pub(crate) http_redirect: Option<SocketAddr>,
    pub(crate) public_url: Option<String>,
    pub(crate) allow_origin: Vec<String>,
    pub(crate) trusted_proxy: Vec<Network>,
    pub(crate) admin: Option<SocketAddr>,
    pub(crate) share: bool,
    pub(crate) accept_clock: bool,
    /// Several machines that serve together; `None`: this one alone.
    pub(crate) cluster: Option<Cluster>,
    pub(crate) limits: Limits,
}

/// Where the certificate comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Tls {
    /// Plain http.
    Off,
    /// Made by the server, kept in the data folder.
    SelfSigned,
    /// Given by the operator.
    Files {
        /// PEM chain.
        cert: PathBuf,
        /// PEM key.
        key: PathBuf,
    },
}

/// Settings that do not go together or cannot be read: the operator's to mend.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {path}: {error}", path = .path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The file does not say what it should.
    #[error("the configuration {path} is wrong: {detail}", path = .path.display())]
    Malformed {
        /// Which.
        path: PathBuf,
        /// Where and what, in one line.
        detail: String,
    },
    /// One value or a combination makes no sense.
    #[error("{0}")]
    Impossible(String),
}

impl Config {
    /// Completes flags and environment by the file that they name and by
    /// defaults; `cores` and `machine_bytes` describe the machine.
    ///
    /// # Errors
    /// What the operator has to mend, in one line.
    pub(crate) fn load(
        settings: Settings,
        cores: u16,
        machine_bytes: u64,
    ) -> Result<Self, ConfigError> {
        let file = match &settings.config {
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|error| ConfigError::Unreadable { path: path.clone(), error })?;
                read_file(&text)
                    .map_err(|detail| ConfigError::Malformed { path: path.clone(), detail })?
            }
            None => Settings::default(),
        };
        Self::complete(settings.or(file), cores, machine_bytes)
    }

    fn complete(settings: Settings, cores: u16, machine_bytes: u64) -> Result<Self, ConfigError> {
        let share = settings.share.unwrap_or(false);
        let tls = tls(&settings, share)?;
        let any = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let listen = match (settings.listen, share) {
            (Some(address), true) => SocketAddr::new(any, address.port()),
            (Some(address), false) => address,
            (None, true) => SocketAddr::new(any, 8080),
            (None, false) => SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080),
        };
        let quic = settings.quic.unwrap_or(SocketAddr::new(listen.ip(), defaults::QUIC_PORT));
        let quic = if share { SocketAddr::new(any, quic.port()) } else { quic };
        let cluster = Cluster::of(&settings)?;
        let shards = settings.shards.unwrap_or_else(|| match cluster {
            None => cores.max(1),
            Some(_) => cluster::shards_for(cores),
        });
        // Outside it is known by the address that it tells the others.
        let advertise = cluster.as_ref().map(|cluster| cluster.advertise.clone());
        let public_url = settings.public_url.or(advertise);
        let span =
            |setting: Option<quantity::Span>, default| setting.map_or(default, |span| span.0);
        let mut limits = settings.limits;
        // All of an import has to fit the log, also one of a few short segments.
        let import = limits.shard.import_bytes.min(limits.segment_bytes as usize / 2);
        limits.shard.import_bytes = import;
        let config = Self {
            listen,
            quic,
            quic_chosen: settings.quic.is_some(),
            data: settings.data.unwrap_or_else(|| PathBuf::from("./data")),
            shards,
            desk_ttl: span(settings.desk_ttl, defaults::DESK_TTL),
            bucket: span(settings.bucket, defaults::BUCKET),
            session_idle: span(settings.session_idle, defaults::SESSION_IDLE),
            memory_bytes: settings
                .memory
                .map_or_else(|| usual_memory_bytes(machine_bytes), |bytes| bytes.0),
            log_budget_bytes: settings.log_budget.map(|bytes| bytes.0),
            tls,
            http_redirect: settings.http_redirect,
            public_url: public_url.map(|url| url.trim_end_matches('/').to_owned()),
            allow_origin: settings.allow_origin,
            trusted_proxy: settings.trusted_proxy,
            admin: settings.admin,
            share,
            accept_clock: settings.accept_clock.unwrap_or(false),
            cluster,
            limits,
        };
        config.check()?;
        config.check_memory(machine_bytes)?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let no = |why: String| Err(ConfigError::Impossible(why));
        let shards_max = desk_engine_core::placement::PARTITIONS;
        if !(1..=shards_max).contains(&self.shards) {
            return no(format!("--shards may be 1 to {shards_max}, not {}", self.shards));
        }
        if self.cluster.is_some() {
            cluster::check_shards(self.shards)?;
        }
        let second = Duration::from_secs(1);
        if self.desk_ttl < second || self.bucket < second {
            return no("--desk-ttl and --bucket are at least 1s".to_owned());
        }
        if self.desk_ttl > defaults::DESK_TTL_MAX {
            return no("--desk-ttl is at most 365d".to_owned());
        }
        if self.session_idle < second {
            return no("--session-idle is at least 1s".to_owned());
        }
        let Limits { shard, websocket_message_bytes, http, .. } = &self.limits;
        let frame = shard.order.desk.frame_bytes;
        if self.limits.request_time <= shard.poll_time {
            return no("limits.request-time must be longer than limits.poll-time".to_owned());
        }
        let (segment, least) = (self.limits.segment_bytes, sums::segment_bytes_min(&self.limits));
        if segment < least {
            return no(format!(
                "limits.segment is {segment} bytes, and with limits.frame = {frame} bytes the log \
                 needs segments of at least {least} bytes: raise limits.segment or lower \
                 limits.frame"
            ));
        }
        let least = sums::log_budget_min(&self.limits, self.shards);
        if let Some(budget) = self.log_budget_bytes.filter(|budget| *budget < least) {
            return no(format!(
                "--log-budget is {}, and the logs of {} shards with limits.segment = {} take at \
                 least {}: raise --log-budget, or lower --shards or limits.segment",
                quantity::Bytes(budget),
                self.shards,
                quantity::Bytes(segment),
                quantity::Bytes(least),
            ));
        }
        for (what, least, found) in [
            ("websocket-message", "frame", *websocket_message_bytes),
            ("body", "frame", http.body_bytes),
        ] {
            if found < frame {
                return no(format!(
                    "limits.{what} must be at least limits.{least} ({frame} bytes)"
                ));
            }
        }
        for (what, least, found, holds) in sums::least(&self.limits) {
            if found < least {
                return no(format!(
                    "limits.{what} is {}, and must be at least {} to hold {holds}: raise \
                     limits.{what}, or lower the limits that it has to hold",
                    quantity::Bytes(found as u64),
                    quantity::Bytes(least as u64),
                ));
            }
        }
        if self.memory_bytes < defaults::MEMORY_BYTES_MIN {
            return no(format!(
                "--memory is {}, and must be at least {}, in which small desks have room",
                quantity::Bytes(self.memory_bytes),
                quantity::Bytes(defaults::MEMORY_BYTES_MIN),
            ));
        }
        if let Some(url) = &self.public_url
            && !(url.starts_with("http://") || url.starts_with("https://"))
        {
            return no(format!("--public-url {url} must begin with http:// or https://"));
        }
        if self.http_redirect.is_some() && self.tls == Tls::Off && self.public_url.is_none() {
            return no("--http-redirect needs https: add --tls-self-signed, --tls-cert or an \
                       https --public-url"
                .to_owned());
        }
        Ok(())
    }

    /// What the process holds at most, in bytes.
    pub(crate) fn memory_bytes_max(&self) -> u64 {
        self.process(&self.limits, self.memory_bytes).memory_bytes_max()
    }

    fn process<'a>(&self, limits: &'a Limits, memory_bytes: u64) -> sums::Process<'a> {
        let is_encrypted = self.tls != Tls::Off;
        sums::Process { limits, memory_bytes, shards: self.shards, is_encrypted }
    }

    /// The defaults start on any machine. Whoever sets more has to have it.
    fn check_memory(&self, machine_bytes: u64) -> Result<(), ConfigError> {
        let most = self.memory_bytes_max();
        let defaults = Limits::default();
        let usual = self.process(&defaults, usual_memory_bytes(machine_bytes)).memory_bytes_max();
        if most <= machine_bytes.max(usual) {
            return Ok(());
        }
        let mib = |bytes: u64| bytes >> 20;
        Err(ConfigError::Impossible(format!(
            "the server may take {} MiB of memory, --memory = {} MiB among them, and the machine \
             has {} MiB: lower --memory or the limits that `serve --help` sums",
            mib(most),
            mib(self.memory_bytes),
            mib(machine_bytes)
        )))
    }

    /// Where a redirect and the printed link lead: `https` or `http`.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.tls == Tls::Off { "http" } else { "https" }
    }
}

/// A quarter of the machine is for desks.
const fn usual_memory_bytes(machine_bytes: u64) -> u64 {
    machine_bytes / 4
}

fn tls(settings: &Settings, share: bool) -> Result<Tls, ConfigError> {
    let self_signed = settings.tls_self_signed.unwrap_or(false);
    match (&settings.tls_cert, &settings.tls_key) {
        (Some(_), Some(_)) if self_signed => Err(ConfigError::Impossible(
            "--tls-self-signed and --tls-cert exclude each other".to_owned(),
        )),
        (Some(cert), Some(key)) => Ok(Tls::Files { cert: cert.clone(), key: key.clone() }),
        (None, None) if self_signed || share => Ok(Tls::SelfSigned),
        (None, None) => Ok(Tls::Off),
        _ => Err(ConfigError::Impossible("--tls-cert and --tls-key go together".to_owned())),
    }
}

/// Reads the file; what is wrong comes in one line.
fn read_file(text: &str) -> Result<Settings, String> {
    toml::from_str(text).map_err(|error| {
        let line = error.span().map(|span| 1 + text[..span.start].matches('\n').count());
        let what = error.message().replace('\n', " ");
        line.map_or(what.clone(), |line| format!("line {line}: {what}"))
    })
}

#[cfg(test)]
impl Config {
    /// The defaults, on a machine of two cores.
    pub(crate) fn for_tests() -> Self {
        Self::complete(Settings::default(), 2, 8 << 30).expect("the defaults go together")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(toml: &str) -> Result<Config, ConfigError> {
        Config::complete(read_file(toml).expect("good TOML"), 2, 8 << 30)
    }

    #[test]
    fn defaults_are_those_of_the_interface() {
        let config = complete("").unwrap();
        assert_eq!(config.listen, "127.0.0.1:8080".parse::<SocketAddr>().unwrap());
        assert_eq!(config.quic, "127.0.0.1:8443".parse::<SocketAddr>().unwrap());
        assert!(!config.quic_chosen);
        assert_eq!(config.data, PathBuf::from("./data"));
        assert_eq!(config.shards, 2);
        assert_eq!(config.desk_ttl, Duration::from_secs(7 * 86_400));
        assert_eq!(config.bucket, Duration::from_secs(86_400));
        assert_eq!(config.session_idle, Duration::from_secs(900));
        assert_eq!(config.memory_bytes, 2 << 30);
        assert_eq!(config.tls, Tls::Off);
    }

    #[test]
    fn a_file_sets_everything_and_flags_win() {
        let file = read_file(
            "listen = \"0.0.0.0:1\"\ndesk-ttl = \"2h\"\nshards = 3\nlog-budget = \"1GiB\"\n\
             allow-origin = [\"https://a.example\"]\n[limits]\nconnections = 7\n\
             drain-time = \"5s\"\nsegment = 1048576\n",
        )
        .unwrap();
        let flags = Settings { shards: Some(5), ..Settings::default() };
        let config = Config::complete(flags.or(file), 2, 8 << 30).unwrap();
        assert_eq!(config.listen.port(), 1);
        assert_eq!(config.shards, 5);
        assert_eq!(config.desk_ttl, Duration::from_secs(7_200));
        assert_eq!(config.log_budget_bytes, Some(1 << 30));
        assert_eq!(config.allow_origin, ["https://a.example"]);
        assert_eq!(config.limits.connections, 7);
        assert_eq!(config.limits.drain_time, Duration::from_secs(5));
        assert_eq!(config.limits.segment_bytes, 1 << 20);
    }

    #[test]
    fn a_wrong_file_is_told_by_line() {
        assert!(read_file("\nlisten = 5\n").unwrap_err().starts_with("line 2: "));
        assert!(read_file("lissen = \"x\"").unwrap_err().contains("lissen"));
        assert!(read_file("desk-ttl = \"7x\"").unwrap_err().contains("unknown unit"));
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        for (toml, says) in [
            ("shards = 0", "--shards"),
            ("tls-cert = \"a\"", "go together"),
            ("tls-cert = \"a\"\ntls-key = \"b\"\ntls-self-signed = true", "exclude"),
            ("desk-ttl = \"0s\"", "--desk-ttl"),
            ("public-url = \"desk\"", "--public-url"),
            ("http-redirect = \"127.0.0.1:1\"", "--http-redirect"),
            ("[limits]\nsegment = \"256KiB\"", "raise limits.segment or lower limits.frame"),
            (
                "memory = \"1TiB\"",
                "--memory = 1048576 MiB among them, and the machine has 8192 MiB",
            ),
            ("[limits]\nunsent = \"1TiB\"", "lower --memory or the limits that"),
            ("memory = \"1B\"", "--memory is 1B, and must be at least 64KiB"),
            (
                "[limits]\nunread = \"1MiB\"\nimport-body = \"1MiB\"",
                "limits.unread is 1MiB, and must be at least 4MiB to hold four of body",
            ),
            ("[limits]\nunread = \"63MiB\"\nimport-body = \"16MiB\"", "at least 64MiB to hold"),
            (
                "[limits]\nunread = \"1MiB\"\nbody = \"256KiB\"\nimport-body = \"4KiB\"",
                "limits.unread is 1MiB, and must be at least 2MiB to hold four of",
            ),
            (
                "[limits]\ndesk-size = \"4KiB\"\ntext = 50000",
                "limits.desk-size is 4KiB, and must be at least 200064B to hold one note",
            ),
            ("[limits]\nunsent = \"1MiB\"", "limits.unsent is 1MiB, and must be at least"),
            (
                "shards = 3\nlog-budget = \"8MiB\"\n[limits]\nsegment = \"1MiB\"",
                "--log-budget is 8MiB, and the logs of 3 shards with limits.segment = 1MiB take at \
                 least 9MiB",
            ),
        ] {
            let said = complete(toml).unwrap_err().to_string();
            assert!(said.contains(says), "{toml}: {said}");
        }
    }

    #[test]
    fn the_defaults_start_on_a_small_machine() {
        let machine_bytes = 1 << 30;
        let config = |toml| Config::complete(read_file(toml).expect("good TOML"), 2, machine_bytes);
        let config = |toml| config(toml).map(|config| config.memory_bytes_max());
        let usual = config("").expect("it starts");
        assert!(usual > machine_bytes, "and a warning says so");
        assert!(config("memory = \"64MiB\"").expect("it takes less") < usual);
        assert!(config("memory = \"512MiB\"").is_err());
    }

    #[test]
    fn share_listens_everywhere_with_tls() {
        let config = complete("share = true\nlisten = \"127.0.0.1:99\"").unwrap();
        assert_eq!(config.listen, "0.0.0.0:99".parse::<SocketAddr>().unwrap());
        assert_eq!(config.quic, "0.0.0.0:8443".parse::<SocketAddr>().unwrap());
        assert_eq!(config.tls, Tls::SelfSigned);
        assert_eq!(config.scheme(), "https");
    }
}
