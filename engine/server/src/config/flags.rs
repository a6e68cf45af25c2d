//! The flags of `serve`, and the same settings in a TOML file.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use serde::{Deserialize, Deserializer, de};

use super::limits::Limits;
use super::quantity::{Bytes, Span};

/// What may be set, by flag, environment or file; nothing has a default yet.
#[derive(Args, Deserialize, Clone, Debug, Default)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// TOML file with these settings (listen = "…", desk-ttl = "7d", …) and the
    /// limits below `[limits]`. Flags win over the environment, both over the file
    #[arg(long, value_name = "FILE", env = "STICKER_DESK_CONFIG")]
    #[serde(skip)]
    pub(crate) config: Option<PathBuf>,

    /// Address for HTTP/1.1 and WebSocket [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR", env = "STICKER_DESK_LISTEN")]
    pub(crate) listen: Option<SocketAddr>,

    /// UDP address for QUIC. 0.0.0.0 and `[::]` both stand for all addresses of both
    /// families [default: port 8443 at the address of --listen]
    #[arg(long, value_name = "ADDR", env = "STICKER_DESK_QUIC")]
    pub(crate) quic: Option<SocketAddr>,

    /// Folder of the desks and keys; made if it is not there [default: ./data]
    #[arg(long, value_name = "DIR", env = "STICKER_DESK_DATA")]
    pub(crate) data: Option<PathBuf>,

    /// Shards, each on a core of its own; may be changed between runs
    /// [default: one a core]
    #[arg(long, value_name = "N", env = "STICKER_DESK_SHARDS")]
    pub(crate) shards: Option<u16>,

    /// How long desks live. Those of a bucket that was begun before, new ones
    /// among them, keep its lifetime, and each its promised end [default: 7d]
    #[arg(long, value_name = "TIME", env = "STICKER_DESK_DESK_TTL")]
    pub(crate) desk_ttl: Option<Span>,

    /// Desks created within this time are stored, and deleted, together
    /// [default: 1d]
    #[arg(long, value_name = "TIME", env = "STICKER_DESK_BUCKET")]
    pub(crate) bucket: Option<Span>,

    /// How long a desk without changes stays in memory [default: 15m]
    #[arg(long, value_name = "TIME", env = "STICKER_DESK_SESSION_IDLE")]
    pub(crate) session_idle: Option<Span>,

    /// Memory for desks in use and the index of all desks, all shards together
    /// [default: a quarter of the machine's]
    #[arg(long, value_name = "BYTES", env = "STICKER_DESK_MEMORY")]
    pub(crate) memory: Option<Bytes>,

    /// Disk space for the log, all shards together, at least three segments each
    /// [default: 4GiB, or 10% of the disk if that is less]
    #[arg(long, value_name = "BYTES", env = "STICKER_DESK_LOG_BUDGET")]
    pub(crate) log_budget: Option<Bytes>,

    /// Certificate chain in PEM: serve https. Reloaded on SIGHUP
    #[arg(long, value_name = "FILE", env = "STICKER_DESK_TLS_CERT")]
    pub(crate) tls_cert: Option<PathBuf>,

    /// The certificate's private key in PEM
    #[arg(long, value_name = "FILE", env = "STICKER_DESK_TLS_KEY")]
    pub(crate) tls_key: Option<PathBuf>,

    /// Serve https with a self-made certificate, kept in the data folder
    #[arg(long, env = "STICKER_DESK_TLS_SELF_SIGNED", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    pub(crate) tls_self_signed: Option<bool>,

    /// Address where plain HTTP is answered with a redirect to https
    #[arg(long, value_name = "ADDR", env = "STICKER_DESK_HTTP_REDIRECT")]
    pub(crate) http_redirect: Option<SocketAddr>,

    /// How the server is reached from outside, such as `https://desk.example.org`
    #[arg(long, value_name = "URL", env = "STICKER_DESK_PUBLIC_URL")]
    pub(crate) public_url: Option<String>,

    /// Another site whose pages may connect; may be given several times
    #[arg(long, value_name = "URL", env = "STICKER_DESK_ALLOW_ORIGIN", value_delimiter = ',')]
    pub(crate) allow_origin: Vec<String>,

    /// Proxies whose X-Forwarded-For and X-Forwarded-Proto are believed
    #[arg(long, value_name = "CIDR", env = "STICKER_DESK_TRUSTED_PROXY", value_delimiter = ',')]
    pub(crate) trusted_proxy: Vec<Network>,

    /// Address for metrics and takedown. Without it both are at the listen
    /// address, the takedown for this machine only
    #[arg(long, value_name = "ADDR", env = "STICKER_DESK_ADMIN")]
    pub(crate) admin: Option<SocketAddr>,

    /// Share on the local network: all addresses, https with a self-made
    /// certificate; prints the link for guests and what they will see
    #[arg(long, env = "STICKER_DESK_SHARE", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    pub(crate) share: Option<bool>,

    /// Believe the clock although it is far ahead of the last run: desks whose
    /// time is over are deleted
    #[arg(long, env = "STICKER_DESK_ACCEPT_CLOCK", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    pub(crate) accept_clock: Option<bool>,

    /// Be one of several machines that serve together: the nats-servers that connect
    /// them, `nats://a:4222,nats://b:4222,nats://c:4222`
    #[arg(long, value_name = "URLS", env = "STICKER_DESK_CLUSTER", value_delimiter = ',')]
    pub(crate) cluster: Vec<String>,

    /// This machine's name in the cluster, of letters, digits and dashes
    #[arg(long, value_name = "NAME", env = "STICKER_DESK_NODE")]
    pub(crate) node: Option<String>,

    /// How people and the other machines reach this machine of a cluster, such as
    /// `https://a.desk.example.org`
    #[arg(long, value_name = "URL", env = "STICKER_DESK_ADVERTISE")]
    pub(crate) advertise: Option<String>,

    /// Credentials for the nats-servers, as nsc writes them
    #[arg(long, value_name = "FILE", env = "STICKER_DESK_CLUSTER_CREDENTIALS")]
    pub(crate) cluster_credentials: Option<PathBuf>,

    /// Certificate in PEM of who signed the nats-servers' certificates
    #[arg(long, value_name = "FILE", env = "STICKER_DESK_CLUSTER_CA")]
    pub(crate) cluster_ca: Option<PathBuf>,

    /// Limits, by file only.
    #[arg(skip)]
    pub(crate) limits: Limits,
}

impl Settings {
    /// Takes from `weaker` what is not set here.
    pub(crate) fn or(self, weaker: Self) -> Self {
        fn list<T>(mine: Vec<T>, weaker: Vec<T>) -> Vec<T> {
            if mine.is_empty() { weaker } else { mine }
        }
        Self {
            config: self.config.or(weaker.config),
            listen: self.listen.or(weaker.listen),
            quic: self.quic.or(weaker.quic),
            data: self.data.or(weaker.data),
            shards: self.shards.or(weaker.shards),
            desk_ttl: self.desk_ttl.or(weaker.desk_ttl),
            bucket: self.bucket.or(weaker.bucket),
            session_idle: self.session_idle.or(weaker.session_idle),
            memory: self.memory.or(weaker.memory),
            log_budget: self.log_budget.or(weaker.log_budget),
            tls_cert: self.tls_cert.or(weaker.tls_cert),
            tls_key: self.tls_key.or(weaker.tls_key),
            tls_self_signed: self.tls_self_signed.or(weaker.tls_self_signed),
            http_redirect: self.http_redirect.or(weaker.http_redirect),
            public_url: self.public_url.or(weaker.public_url),
            allow_origin: list(self.allow_origin, weaker.allow_origin),
            trusted_proxy: list(self.trusted_proxy, weaker.trusted_proxy),
            admin: self.admin.or(weaker.admin),
            share: self.share.or(weaker.share),
            accept_clock: self.accept_clock.or(weaker.accept_clock),
            cluster: list(self.cluster, weaker.cluster),
            node: self.node.or(weaker.node),
            advertise: self.advertise.or(weaker.advertise),
            cluster_credentials: self.cluster_credentials.or(weaker.cluster_credentials),
            cluster_ca: self.cluster_ca.or(weaker.cluster_ca),
            // Only the file has them.
            limits: weaker.limits,
        }
    }
}

/// A range of addresses: `10.0.0.0/8`, `fd00::/8`, or one address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Network {
    address: IpAddr,
    prefix: u8,
}

/// A text is no range of addresses.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("expected an address or a range like 10.0.0.0/8")]
pub(crate) struct NetworkError;

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NetworkError)?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix =
            prefix.map_or(Ok(longest), |prefix| prefix.parse().map_err(|_| NetworkError))?;
        if prefix > longest { Err(NetworkError) } else { Ok(Self { address, prefix }) }
    }
}

impl Network {
    /// Whether `address` lies in it. An IPv4 address mapped into IPv6 counts
    /// as itself.
    pub(crate) fn contains(self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let shift = 32 - u32::from(self.prefix);
                shift == 32 || u32::from(own) >> shift == u32::from(other) >> shift
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let shift = 128 - u32::from(self.prefix);
                shift == 128 || u128::from(own) >> shift == u128::from(other) >> shift
            }
            _ => false,
        }
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_contain_what_they_should() {
        let inside = |network: &str, address: &str| {
            network.parse::<Network>().unwrap().contains(address.parse().unwrap())
        };
        assert!(inside("10.0.0.0/8", "10.255.0.1"));
        assert!(!inside("10.0.0.0/8", "11.0.0.1"));
        assert!(inside("10.0.0.0/8", "::ffff:10.1.2.3"));
        assert!(inside("192.0.2.7", "192.0.2.7"));
        assert!(inside("0.0.0.0/0", "8.8.8.8"));
        assert!(inside("fd00::/8", "fd12::1"));
        assert!(!inside("fd00::/8", "10.0.0.1"));
        for wrong in ["10.0.0.0/33", "ten/8", "10.0.0.0/", ""] {
            assert_eq!(wrong.parse::<Network>(), Err(NetworkError), "{wrong}");
        }
    }
}
