//! QUIC byte by byte, for tests and benchmarks.

use std::sync::Arc;

use quinn::ClientConfig;
use quinn::crypto::rustls::QuicClientConfig;

use crate::trust::Trust;

/// A configuration that offers one protocol and trusts any certificate: the caller has
/// started the server.
///
/// # Panics
/// If QUIC cannot be had of this TLS.
pub fn quic(protocol: &[u8]) -> ClientConfig {
    let tls = Trust::Anybody.config(protocol);
    let crypto = QuicClientConfig::try_from(tls).expect("ring has QUIC's first cipher suite");
    ClientConfig::new(Arc::new(crypto))
}
