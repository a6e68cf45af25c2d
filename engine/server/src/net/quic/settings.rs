//! How QUIC is spoken here: keys, limits of connections, ALPN.

use std::sync::Arc;
use std::time::Duration;

use quinn_proto::crypto::rustls::QuicServerConfig;
use quinn_proto::{
    AckFrequencyConfig, EndpointConfig, IdleTimeout, ServerConfig, TransportConfig, VarInt,
};
use ring::{hkdf, hmac};

use super::ids::Ids;
use crate::limits::{
    QUIC_ACK_THRESHOLD, QUIC_BIDI_STREAMS, QUIC_DATAGRAM_BUFFER_BYTES, QUIC_IDLE_TIME,
    QUIC_INCOMING_BYTES, QUIC_INCOMING_BYTES_EACH, QUIC_INCOMING_MAX, QUIC_RECEIVE_WINDOW,
    QUIC_SEND_WINDOW, QUIC_UNI_STREAMS,
};

/// The protocol of programs: frames on a stream.
pub(crate) const ALPN_FRAMES: &[u8] = b"sticker-desk/1";

/// The protocol of browsers: WebTransport over HTTP/3.
pub(crate) const ALPN_WEB: &[u8] = b"h3";

/// The keys that all shards share, and the next start too.
#[derive(Clone)]
pub(crate) struct QuicKeys {
    ids: [u8; 32],
    reset: [u8; 32],
    token: [u8; 32],
}

impl QuicKeys {
    /// Derives the keys from one secret.
    pub(crate) fn new(secret: &[u8; 32]) -> Self {
        let derive = |what| blake3::derive_key(what, secret);
        Self {
            ids: derive("sticker-desk 2026-11 quic connection ids"),
            reset: derive("sticker-desk 2026-11 quic stateless resets"),
            token: derive("sticker-desk 2026-11 quic address tokens"),
        }
    }

    /// The ids of a shard. `seed` is random and of this run alone.
    pub(super) fn ids(&self, seed: [u8; 32], shard: usize, shards: usize) -> Ids {
        Ids::new(self.ids, seed, shard, shards)
    }

    /// The configuration of a shard's endpoint.
    pub(super) fn endpoint(
        &self,
        seed: [u8; 32],
        shard: usize,
        shards: usize,
    ) -> Arc<EndpointConfig> {
        let reset = hmac::Key::new(hmac::HMAC_SHA256, &self.reset);
        let mut config = EndpointConfig::new(Arc::new(reset));
        let keys = self.clone();
        config.cid_generator(move || Box::new(keys.ids(seed, shard, shards)));
        // A minimum interval would let few of many clients know of a restart. The ids
        // carry a check, so only ids of ours are answered.
        config.min_reset_interval(Duration::ZERO);
        Arc::new(config)
    }

    /// The configuration of new connections.
    ///
    /// # Errors
    /// `tls` cannot speak QUIC.
    pub(crate) fn server(
        &self,
        tls: rustls::ServerConfig,
    ) -> Result<Arc<ServerConfig>, rustls::Error> {
        let crypto = QuicServerConfig::try_from(tls)
            .map_err(|error| rustls::Error::General(error.to_string()))?;
        let token = hkdf::Salt::new(hkdf::HKDF_SHA256, &[]).extract(&self.token);
        let mut config = ServerConfig::new(Arc::new(crypto), Arc::new(token));
        config
            .transport_config(Arc::new(transport()))
            .max_incoming(QUIC_INCOMING_MAX)
            .incoming_buffer_size(QUIC_INCOMING_BYTES_EACH)
            .incoming_buffer_size_total(QUIC_INCOMING_BYTES);
        Ok(Arc::new(config))
    }
}

/// TLS as QUIC wants it: version 1.3, and no early data. Early data can be replayed, and
/// a replayed hello would supersede the connection that a client has.
pub(crate) fn tls(mut config: rustls::ServerConfig) -> rustls::ServerConfig {
    config.alpn_protocols = vec![ALPN_FRAMES.to_vec(), ALPN_WEB.to_vec()];
    config.max_early_data_size = 0;
    // Programs keep no tickets, and each of them would be sent two.
    config.send_tls13_tickets = 0;
    config
}

fn transport() -> TransportConfig {
    let mut config = TransportConfig::default();
    let mut acknowledgements = AckFrequencyConfig::default();
    acknowledgements.ack_eliciting_threshold(VarInt::from_u32(QUIC_ACK_THRESHOLD));
    let idle = IdleTimeout::try_from(QUIC_IDLE_TIME).expect("a time that QUIC can write");
    config
        .max_idle_timeout(Some(idle))
        .ack_frequency_config(Some(acknowledgements))
        // Frames are short. Six probes a connection cost more than longer packets save.
        .mtu_discovery_config(None)
        .max_concurrent_bidi_streams(VarInt::from_u32(QUIC_BIDI_STREAMS))
        .max_concurrent_uni_streams(VarInt::from_u32(QUIC_UNI_STREAMS))
        .stream_receive_window(VarInt::from_u32(QUIC_RECEIVE_WINDOW))
        .receive_window(VarInt::from_u32(QUIC_RECEIVE_WINDOW))
        .send_window(QUIC_SEND_WINDOW)
        .datagram_receive_buffer_size(Some(QUIC_DATAGRAM_BUFFER_BYTES))
        .datagram_send_buffer_size(QUIC_DATAGRAM_BUFFER_BYTES);
    config
}
