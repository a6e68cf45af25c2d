//! Which servers are believed to be who they say.

use std::sync::Arc;

use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{
    CryptoProvider, ring as provider, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

/// How a server proves who it is, when TLS is spoken.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Trust {
    /// By a certificate of an authority that this machine trusts.
    #[default]
    System,
    /// By exactly the certificate with this SHA-256: a server with a self-made
    /// one prints it.
    Certificate([u8; 32]),
    /// By any of the certificates with these SHA-256: `init` gives them for QUIC.
    Certificates(Vec<[u8; 32]>),
    /// By any certificate: whoever trusts so has started the server.
    #[cfg(feature = "rig")]
    Anybody,
}

impl Trust {
    /// The TLS configuration that follows from it, for one protocol.
    pub(crate) fn config(&self, protocol: &[u8]) -> ClientConfig {
        let crypto = Arc::new(provider::default_provider());
        let verifier = match self {
            Self::System => system(&crypto),
            Self::Certificate(sha256) => pinned(Some(vec![*sha256]), &crypto),
            Self::Certificates(sha256) => pinned(Some(sha256.clone()), &crypto),
            #[cfg(feature = "rig")]
            Self::Anybody => pinned(None, &crypto),
        };
        let mut config = ClientConfig::builder_with_provider(crypto)
            .with_safe_default_protocol_versions()
            .expect("ring offers the default protocol versions")
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.to_vec()];
        config
    }
}

fn pinned(
    sha256: Option<Vec<[u8; 32]>>,
    crypto: &Arc<CryptoProvider>,
) -> Arc<dyn ServerCertVerifier> {
    Arc::new(Pinned { sha256, crypto: Arc::clone(crypto) })
}

fn system(crypto: &Arc<CryptoProvider>) -> Arc<dyn ServerCertVerifier> {
    let mut roots = RootCertStore::empty();
    // A certificate of the machine that cannot be read trusts nobody.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(crypto)).build();
    match verifier {
        Ok(verifier) => verifier,
        // No authority is known to this machine: no certificate will do.
        Err(_) => pinned(Some(Vec::new()), crypto),
    }
}

/// Believes some certificates, whatever name and time stand in them.
#[derive(Debug)]
struct Pinned {
    /// `None`: any.
    sha256: Option<Vec<[u8; 32]>>,
    crypto: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let found = ring::digest::digest(&ring::digest::SHA256, end_entity);
        let is_believed = |all: &Vec<[u8; 32]>| all.iter().any(|one| found.as_ref() == one);
        if self.sha256.as_ref().is_none_or(is_believed) {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.crypto.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.crypto.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.crypto.signature_verification_algorithms.supported_schemes()
    }
}
