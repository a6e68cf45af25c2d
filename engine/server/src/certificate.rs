//! The certificate: given by the operator, or made here and kept in the data
//! folder.

use std::fs;
use std::net::{IpAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use desk_gateway_http::http::Rfc3339;
use desk_protocol::Time;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest as _, Sha256};

use crate::config::{Config, Tls};
use crate::keys::{KeyError, write_private};
use crate::limits::{CERTIFICATE_DAYS, CERTIFICATE_RENEWAL_DAYS};

/// The self-made certificate with its key: a line about it, then PEM.
const FILE: &str = "tls-self-signed.pem";

/// Why there is no certificate to use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CertificateError {
    /// A file cannot be read or written.
    #[error("cannot read or write {path}: {error}", path = .path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("{path} holds no {what}: {error}", path = .path.display())]
    Pem {
        /// Which.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
        /// Why not.
        error: String,
    },
    /// They do not go together, or are of a kind that is not supported.
    #[error("the certificate and its key cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
    /// None could be made.
    #[error("no certificate could be made: {0}")]
    Make(#[from] rcgen::Error),
    /// The key file.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// A certificate in use.
pub(crate) struct Certificate {
    /// For new connections.
    pub(crate) server: Arc<ServerConfig>,
    /// The self-made certificate, for clients that are told to trust it.
    pub(crate) own: Option<OwnCertificate>,
}

/// What clients are told of a self-made certificate.
#[derive(Clone)]
pub(crate) struct OwnCertificate {
    /// SHA-256 of its DER.
    pub(crate) sha256: [u8; 32],
}

/// The certificate that the settings ask for; `None`: plain http.
///
/// # Errors
/// It cannot be read, made or used.
pub(crate) fn load(config: &Config, now: Time) -> Result<Option<Certificate>, CertificateError> {
    match &config.tls {
        Tls::Off => Ok(None),
        Tls::Files { cert, key } => {
            let (chain, key) = read_files(cert, key)?;
            Ok(Some(Certificate { server: server_config(chain, key)?, own: None }))
        }
        Tls::SelfSigned => {
            let path = config.data.join(FILE);
            let pem = own_pem(&path, &names(config), now)?;
            let chain = chain(&path, &pem)?;
            let sha256 = Sha256::digest(&chain[0]).into();
            let own = OwnCertificate { sha256 };
            let server = server_config(chain, key_of(&path, &pem)?)?;
            Ok(Some(Certificate { server, own: Some(own) }))
        }
    }
}

impl OwnCertificate {
    /// The hash as people compare it.
    pub(crate) fn fingerprint(&self) -> String {
        let pairs: Vec<_> = self.sha256.iter().map(|byte| format!("{byte:02X}")).collect();
        pairs.join(":")
    }
}

/// A certificate chain and its key, as the operator gave them.
///
/// # Errors
/// A file cannot be read, or holds something else.
pub(crate) fn read_files(
    cert: &Path,
    key: &Path,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), CertificateError> {
    Ok((chain(cert, &read(cert)?)?, key_of(key, &read(key)?)?))
}

fn read(path: &Path) -> Result<Vec<u8>, CertificateError> {
    fs::read(path).map_err(|error| CertificateError::Io { path: path.to_owned(), error })
}

/// The certificates in a file.
///
/// # Errors
/// There are none.
pub(crate) fn chain(
    path: &Path,
    pem: &[u8],
) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let wrong = |error: String| CertificateError::Pem {
        path: path.to_owned(),
        what: "certificate chain in PEM",
        error,
    };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let chain = chain.map_err(|error| wrong(error.to_string()))?;
    if chain.is_empty() { Err(wrong("there is none".to_owned())) } else { Ok(chain) }
}

/// The private key in a file.
///
/// # Errors
/// There is none.
pub(crate) fn key_of(path: &Path, pem: &[u8]) -> Result<PrivateKeyDer<'static>, CertificateError> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| CertificateError::Pem {
        path: path.to_owned(),
        what: "private key in PEM",
        error: error.to_string(),
    })
}

fn server_config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<ServerConfig>, CertificateError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// TLS 1.3 alone, as QUIC needs it.
///
/// # Errors
/// The key is not the certificate's, or of a kind that is not supported.
pub(crate) fn tls13_config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, CertificateError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(chain, key)?)
}

/// The file of the self-made certificate, made anew when it ends soon or the
/// server has other names.
fn own_pem(path: &Path, names: &[String], now: Time) -> Result<Vec<u8>, CertificateError> {
    let second = now.unix_seconds();
    let wanted = names.join(" ");
    if let Ok(bytes) = fs::read(path) {
        let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let about = String::from_utf8_lossy(line);
        let known = about.strip_prefix("# until ").and_then(|rest| rest.split_once(" for "));
        if let Some((until, for_names)) = known
            && until.parse::<u64>().is_ok_and(|until| second + renewal_s() < until)
            && for_names == wanted
        {
            return Ok(bytes);
        }
    }
    let until = second + CERTIFICATE_DAYS * 86_400;
    let pem = format!("# until {until} for {wanted}\n{}", make(names, second, until)?);
    write_private(path, pem.as_bytes())
        .map_err(|error| CertificateError::Io { path: path.to_owned(), error })?;
    Ok(pem.into_bytes())
}

const fn renewal_s() -> u64 {
    CERTIFICATE_RENEWAL_DAYS * 86_400
}

/// Makes a certificate for some names, in PEM with its key.
///
/// # Errors
/// The system gives no key.
pub(crate) fn make(names: &[String], from: u64, until: u64) -> Result<String, rcgen::Error> {
    let mut params = CertificateParams::default();
    for name in names {
        params.subject_alt_names.push(match name.parse::<IpAddr>() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName(name.as_str().try_into()?),
        });
    }
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Sticker Desk, self-made");
    let day = |second: u64| {
        let date = Rfc3339(Time::from_unix_seconds(second)).to_string();
        let number = |part: &str| part.parse::<u16>().unwrap_or(1);
        let (year, month, day) = (number(&date[..4]), number(&date[5..7]), number(&date[8..10]));
        rcgen::date_time_ymd(i32::from(year), month as u8, day as u8)
    };
    // Clocks of guests may be a little behind.
    params.not_before = day(from.saturating_sub(86_400));
    params.not_after = day(until);
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    Ok(format!("{}{}", certificate.pem(), key.serialize_pem()))
}

/// Names by which this machine may be reached.
pub(crate) fn names(config: &Config) -> Vec<String> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    let mut add = |name: String| {
        if !names.contains(&name) {
            names.push(name);
        }
    };
    if !config.listen.ip().is_unspecified() {
        add(config.listen.ip().to_string());
    } else if let Some(address) = lan_address() {
        add(address.to_string());
    }
    if let Some(host) = config.public_url.as_deref().and_then(host_of) {
        add(host.to_owned());
    }
    names
}

fn host_of(url: &str) -> Option<&str> {
    let authority = url.split_once("://")?.1.split('/').next()?;
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0,
        None => authority.rsplit_once(':').map_or(authority, |(host, _)| host),
    };
    (!host.is_empty()).then_some(host)
}

/// The address of this machine on its network: the one that it would send from.
/// Nothing is sent.
pub(crate) fn lan_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    // An address for documentation: any route will do.
    socket.connect("192.0.2.1:9").ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_unspecified() && !address.is_loopback()).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_self_made_certificate_is_kept_while_it_fits() {
        let folder = std::env::temp_dir().join(format!("certificate-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join(FILE);
        let names = vec!["localhost".to_owned(), "192.0.2.7".to_owned()];
        let now = Time::from_unix_seconds(1_700_000_000);
        let later = Time::from_unix_seconds(1_700_000_000 + 340 * 86_400);
        let first = own_pem(&path, &names, now).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(own_pem(&path, &names, now).unwrap(), first);
        let second = own_pem(&path, &names[..1], now).unwrap();
        assert_ne!(second, first);
        assert_ne!(own_pem(&path, &names[..1], later).unwrap(), second);
        server_config(chain(&path, &first).unwrap(), key_of(&path, &first).unwrap()).unwrap();
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn hosts_are_found_in_urls() {
        assert_eq!(host_of("https://desk.example.org:8443/x"), Some("desk.example.org"));
        assert_eq!(host_of("https://[fd00::1]:1"), Some("fd00::1"));
        assert_eq!(host_of("desk"), None);
    }
}
