//! QUIC as the process serves it: addresses, keys, and the certificate in use.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use quinn_proto::ServerConfig;

use crate::certificate::{self, CertificateError};
use crate::clock;
use crate::config::{Config, Tls};
use crate::keys::{self, KeyError};
use crate::net::quic::settings::{self, QuicKeys};
use crate::pinned;

/// Why QUIC cannot be served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum QuicError {
    /// The key of the data folder.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The certificate.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

/// What all shards share of QUIC.
pub(crate) struct Quic {
    /// The addresses, one of each family at most.
    addresses: Vec<SocketAddr>,
    pub(crate) keys: QuicKeys,
    served: RwLock<Served>,
    /// Grows with every change of the certificate.
    generation: AtomicU64,
}

/// What new connections are given.
#[derive(Clone)]
struct Served {
    server: Arc<ServerConfig>,
    /// SHA-256 of self-made certificates: the present one, and the next.
    hashes: Vec<[u8; 32]>,
}

impl Quic {
    /// Prepares what shards need to serve QUIC at `addresses`.
    ///
    /// # Errors
    /// There is no key or no certificate.
    pub(crate) fn new(config: &Config, addresses: Vec<SocketAddr>) -> Result<Self, QuicError> {
        let keys = QuicKeys::new(&keys::quic_secret(&config.data)?);
        let served = RwLock::new(Served::load(config, &keys)?);
        Ok(Self { addresses, keys, served, generation: AtomicU64::new(0) })
    }

    /// Where it is served.
    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// What is used for new connections.
    pub(crate) fn server(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.served().server)
    }

    /// Changes whenever [`Quic::server`] does.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// SHA-256 of the self-made certificates: the present one, and the next.
    pub(crate) fn hashes(&self) -> Vec<[u8; 32]> {
        self.served().hashes
    }

    fn served(&self) -> Served {
        // A writer replaces the value as a whole, so even a poisoned lock holds a whole one.
        self.served.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the certificate again, or renews a self-made one if it is time to.
    ///
    /// # Errors
    /// The certificate stays as it is.
    pub(crate) fn reload(&self, config: &Config) -> Result<(), QuicError> {
        let served = Served::load(config, &self.keys)?;
        *self.served.write().unwrap_or_else(PoisonError::into_inner) = served;
        self.generation.fetch_add(1, Ordering::Release);
        Ok(())
    }

    /// `host:port` for whoever reaches this server's pages at `authority`; `None` where
    /// QUIC cannot be reached that way.
    pub(crate) fn reached_from(&self, authority: &str) -> Option<String> {
        let host = match authority.strip_prefix('[') {
            Some(rest) => rest.split_once(']')?.0,
            None => authority.split_once(':').map_or(authority, |(host, _)| host),
        };
        let address: Option<IpAddr> = host.parse().ok();
        let local = host.eq_ignore_ascii_case("localhost")
            || address.is_some_and(|address| address.is_loopback());
        let fits = |bound: &&SocketAddr| match address {
            _ if bound.ip().is_loopback() => local,
            Some(address) => address.is_ipv4() == bound.is_ipv4(),
            None => true,
        };
        let bound = self.addresses.iter().find(fits)?;
        // A browser takes `localhost` for [::1], which may not be served.
        let reached = match (local, address) {
            (true, None) if bound.is_ipv4() => "127.0.0.1".to_owned(),
            (true, None) => "[::1]".to_owned(),
            (true, Some(_)) if bound.ip().is_loopback() => {
                return Some(bound.to_string());
            }
            (_, Some(IpAddr::V6(address))) => format!("[{address}]"),
            _ => host.to_owned(),
        };
        Some(format!("{reached}:{}", bound.port()))
    }
}

impl Served {
    fn load(config: &Config, keys: &QuicKeys) -> Result<Self, QuicError> {
        let (chain, key, hashes) = match &config.tls {
            Tls::Files { cert, key } => {
                let (chain, key) = certificate::read_files(cert, key)?;
                (chain, key, Vec::new())
            }
            Tls::Off | Tls::SelfSigned => {
                let names = certificate::names(config);
                let pinned = pinned::load(&config.data, &names, clock::wall())?;
                (pinned.chain, pinned.key, pinned.hashes.to_vec())
            }
        };
        let tls = settings::tls(certificate::tls13_config(chain, key)?);
        let server = keys.server(tls).map_err(CertificateError::Unusable)?;
        Ok(Self { server, hashes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(addresses: &[&str]) -> Quic {
        let folder = std::env::temp_dir().join(format!(
            "quic-{}-{}",
            std::process::id(),
            addresses.join("-").replace([':', '[', ']', '.'], "_")
        ));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let mut config = Config::for_tests();
        config.data = folder;
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        Quic::new(&config, addresses).unwrap()
    }

    #[test]
    fn clients_are_told_an_address_that_they_can_reach() {
        let reached = |quic: &Quic, host: &str| quic.reached_from(host).unwrap_or_default();
        let local = at(&["127.0.0.1:8443"]);
        for host in ["localhost:8080", "127.0.0.1:8080", "[::1]:8080"] {
            assert_eq!(reached(&local, host), "127.0.0.1:8443", "{host}");
        }
        assert_eq!(local.reached_from("desk.example.org"), None, "only this machine reaches it");
        let all = at(&["0.0.0.0:443", "[::]:443"]);
        assert_eq!(reached(&all, "desk.example.org"), "desk.example.org:443");
        assert_eq!(reached(&all, "192.0.2.7:8080"), "192.0.2.7:443");
        assert_eq!(reached(&all, "[2001:db8::1]:8080"), "[2001:db8::1]:443");
        assert_eq!(reached(&all, "localhost"), "127.0.0.1:443");
        assert_eq!(at(&["0.0.0.0:443"]).reached_from("[2001:db8::1]:8080"), None);
    }
}
